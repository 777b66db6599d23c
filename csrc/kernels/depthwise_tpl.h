/* depthwise_tpl.h - convolutions in which each channel has its own small kernel, w[kh,kw,c].
 * Vectors go along the channels, and several neighbouring results share the loads of w. */
#ifndef COREOPS_DEPTHWISE_TPL_H
#define COREOPS_DEPTHWISE_TPL_H

#include "window_tpl.h"

/* One vector of `count` results: x, w and y of the first, and the distances to the next one's. */
typedef struct depthwise_run {
    const co_window *s;
    window_part p;          /* the taps, in any result's window */
    ptrdiff_t step, across; /* from result to result in x, and in y */
    ptrdiff_t ldw;          /* from tap to tap in w */
    ptrdiff_t lanes;
    real floor; /* 0 for relu, else -inf */
} depthwise_run;

CO_INLINE void depthwise_tile(const int count, const int whole, const depthwise_run *run,
                              const real *x, const real *w, vreal shift, real *y) {
    const ptrdiff_t lanes = whole ? VL : run->lanes, step = run->step, kw = run->s->kw;
    vreal sum[8];
    CO_UNROLL
    for (int i = 0; i < count; i++) sum[i] = V(0);
    WINDOW_EACH_TAP(run->p, at) {
        const vreal weight = v_load_lanes(w + (ky * kw + kx) * run->ldw, lanes);
        CO_UNROLL
        for (int i = 0; i < count; i++)
            sum[i] = v_fma(v_load_lanes(x + at + i * step, lanes), weight, sum[i]);
    }
    CO_UNROLL
    for (int i = 0; i < count; i++)
        v_store_lanes(y + i * run->across, v_max(v_set1(run->floor), v_add(sum[i], shift)), lanes);
}

/* n results: tiles of eight or four, of which the last may do some results again. */
CO_INLINE void depthwise_results(const int whole, const depthwise_run *run, ptrdiff_t n,
                                 const real *x, const real *w, vreal shift, real *y) {
    const ptrdiff_t size = n >= 8 ? 8 : n >= 4 ? 4 : 1;
    for (ptrdiff_t i = 0; i < n; i += size) {
        if (i > n - size) i = n - size;
        const real *from = x + i * run->step;
        real *to = y + i * run->across;
        if (size == 8)
            depthwise_tile(8, whole, run, from, w, shift, to);
        else if (size == 4)
            depthwise_tile(4, whole, run, from, w, shift, to);
        else
            depthwise_tile(1, whole, run, from, w, shift, to);
    }
}

/* The results of a row from j on whose windows are all inside the image where p says; x is the
 * row's first pixel. The last vector of the channels may be short. */
static void depthwise_part(const co_window *s, const window_part *p, ptrdiff_t n, const real *x,
                           const real *w, const real *bias, real floor, real *y) {
    depthwise_run run = {s, *p, s->sw * s->c, s->c, s->c, VL, floor};
    ptrdiff_t c = 0;
    for (; c + VL <= s->c; c += VL)
        depthwise_results(1, &run, n, x + c, w + c, bias ? v_load(bias + c) : V(-0.0), y + c);
    run.lanes = s->c - c;
    if (run.lanes)
        depthwise_results(0, &run, n, x + c, w + c,
                          bias ? v_load_lanes(bias + c, run.lanes) : V(-0.0), y + c);
}

/* Weights of few channels are repeated, so that a vector has several neighbours. */
#define DEPTHWISE_TAPS 25

static void depthwise_repeat(ptrdiff_t c, const real *x, real *y) {
    for (ptrdiff_t i = 0; i < VL; i++) y[i] = x[i % c];
}

static void depthwise(const co_window *s, ptrdiff_t first, ptrdiff_t rows, const void *x,
                      const void *w, const void *bias, void *y, int relu) {
    /* results from `inner` on, before `outer`, have windows that reach neither side */
    const ptrdiff_t inner = (s->left + s->sw - 1) / s->sw, taps = s->kh * s->kw;
    const ptrdiff_t reach = s->w - (s->kw - 1) * s->dw - 1 + s->left;
    const real floor = relu ? 0 : -REAL_INF;
    ptrdiff_t outer = reach < 0 ? 0 : reach / s->sw + 1;
    if (outer > s->ow) outer = s->ow;
    const int several = s->sw == 1 && s->c < VL && VL % s->c == 0 && taps <= DEPTHWISE_TAPS &&
                        (outer - inner) * s->c >= VL;
    real repeated[(DEPTHWISE_TAPS + 1) * VL];
    for (ptrdiff_t i = 0; several && i < taps; i++)
        depthwise_repeat(s->c, (const real *)w + i * s->c, repeated + i * VL);
    if (several && bias) depthwise_repeat(s->c, bias, repeated + DEPTHWISE_TAPS * VL);
    real *yr = y;
    for (ptrdiff_t i = first; i < first + rows; i++, yr += s->ow * s->c)
        for (ptrdiff_t j = 0, n; j < s->ow; j += n) {
            const window_part p = window_at(s, i, j);
            real *to = yr + j * s->c;
            n = j >= inner && j < outer ? outer - j : 1;
            if (n * s->c < VL || !several) {
                depthwise_part(s, &p, n, x, w, bias, floor, to);
                continue;
            }
            /* vectors of neighbours, of which the last may be moved back */
            const ptrdiff_t size = n * s->c, last = size - VL;
            const depthwise_run run = {s, p, VL, VL, VL, VL, floor};
            const vreal shift = bias ? v_load(repeated + DEPTHWISE_TAPS * VL) : V(-0.0);
            depthwise_results(1, &run, size / VL, x, repeated, shift, to);
            if (size % VL)
                depthwise_tile(1, 1, &run, (const real *)x + last, repeated, shift, to + last);
        }
}

/* The gradients of high by wide taps of a vector of channels, from tap (0, 0) of x and of dw on. */
CO_INLINE void depthwise_taps(const int high, const int wide, const co_window *s, ptrdiff_t lanes,
                              const real *x, const real *dy, real *dw, int more) {
    const ptrdiff_t down = s->dh * s->w * s->c, right = s->dw * s->c;
    vreal sum[3][3];
    CO_UNROLL
    for (int ky = 0; ky < high; ky++) {
        CO_UNROLL
        for (int kx = 0; kx < wide; kx++)
            sum[ky][kx] = more ? v_load_lanes(dw + (ky * s->kw + kx) * s->c, lanes) : V(0);
    }
    for (ptrdiff_t i = 0; i < s->oh; i++, x += s->sh * s->w * s->c)
        for (ptrdiff_t j = 0; j < s->ow; j++, dy += s->c) {
            const vreal d = v_load_lanes(dy, lanes);
            const real *at = x + j * s->sw * s->c;
            CO_UNROLL
            for (int ky = 0; ky < high; ky++) {
                CO_UNROLL
                for (int kx = 0; kx < wide; kx++) {
                    const vreal pixel = v_load_lanes(at + ky * down + kx * right, lanes);
                    sum[ky][kx] = v_fma(pixel, d, sum[ky][kx]);
                }
            }
        }
    CO_UNROLL
    for (int ky = 0; ky < high; ky++) {
        CO_UNROLL
        for (int kx = 0; kx < wide; kx++)
            v_store_lanes(dw + (ky * s->kw + kx) * s->c, sum[ky][kx], lanes);
    }
}

/* Those of a vector of channels: of 3 by 3 all at once, else in rows of up to three. */
CO_INLINE void depthwise_channels(const co_window *s, ptrdiff_t lanes, const real *x,
                                  const real *dy, real *dw, int more) {
    if (s->kh == 3 && s->kw == 3) {
        depthwise_taps(3, 3, s, lanes, x, dy, dw, more);
        return;
    }
    for (ptrdiff_t ky = 0; ky < s->kh; ky++)
        for (ptrdiff_t kx = 0; kx < s->kw; kx += 3) {
            const real *from = x + (ky * s->dh * s->w + kx * s->dw) * s->c;
            real *to = dw + (ky * s->kw + kx) * s->c;
            if (s->kw - kx >= 3)
                depthwise_taps(1, 3, s, lanes, from, dy, to, more);
            else if (s->kw - kx == 2)
                depthwise_taps(1, 2, s, lanes, from, dy, to, more);
            else
                depthwise_taps(1, 1, s, lanes, from, dy, to, more);
        }
}

static void depthwise_sums(const co_window *s, const void *x, const void *dy, void *dw, int more) {
    const real *xr = x, *dyr = dy;
    real *dwr = dw;
    ptrdiff_t c = 0;
    for (; c + VL <= s->c; c += VL) depthwise_channels(s, VL, xr + c, dyr + c, dwr + c, more);
    if (c < s->c) depthwise_channels(s, s->c - c, xr + c, dyr + c, dwr + c, more);
}

#endif
