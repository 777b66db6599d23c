/* depthwise_tpl.h - convolutions in which each channel has its own small kernel, w[kh,kw,c].
 * Vectors go along the channels, and several neighbouring results share the loads of w. */
#ifndef COREOPS_DEPTHWISE_TPL_H
#define COREOPS_DEPTHWISE_TPL_H

#include "window_tpl.h"

/* `pixels` neighbours whose windows are inside the image where p says, and so is one vector of
 * their channels. */
CO_INLINE void depthwise_tile(const int pixels, const co_window *s, const window_part *p,
                              ptrdiff_t lanes, const real *x, const real *w, vreal shift, real *y) {
    const ptrdiff_t c = s->c, step = s->sw * c;
    vreal sum[8];
    CO_UNROLL
    for (int i = 0; i < pixels; i++) sum[i] = V(0);
    WINDOW_EACH_TAP(*p, at) {
        const vreal weight = v_load_lanes(w + (ky * s->kw + kx) * c, lanes);
        CO_UNROLL
        for (int i = 0; i < pixels; i++)
            sum[i] = v_fma(v_load_lanes(x + at + i * step, lanes), weight, sum[i]);
    }
    CO_UNROLL
    for (int i = 0; i < pixels; i++) v_store_lanes(y + i * c, v_add(sum[i], shift), lanes);
}

/* The last vector of the channels may be short: its tiles are made again for it. */
CO_INLINE void depthwise_pixels(const int pixels, const co_window *s, const window_part *p,
                                const real *x, const real *w, const real *bias, real *y) {
    ptrdiff_t c = 0;
    for (; c + VL <= s->c; c += VL)
        depthwise_tile(pixels, s, p, VL, x + c, w + c, bias ? v_load(bias + c) : V(-0.0), y + c);
    if (c < s->c) {
        const ptrdiff_t lanes = s->c - c;
        depthwise_tile(pixels, s, p, lanes, x + c, w + c,
                       bias ? v_load_lanes(bias + c, lanes) : V(-0.0), y + c);
    }
}

static void depthwise(const co_window *s, ptrdiff_t first, ptrdiff_t rows, const void *x,
                      const void *w, const void *bias, void *y) {
    /* results from `inner` on, before `outer`, have windows that reach neither side */
    const ptrdiff_t inner = (s->left + s->sw - 1) / s->sw;
    const ptrdiff_t outer = (s->w - (s->kw - 1) * s->dw - 1 + s->left) / s->sw + 1;
    real *yr = y;
    for (ptrdiff_t i = first; i < first + rows; i++)
        for (ptrdiff_t j = 0, n; j < s->ow; j += n, yr += n * s->c) {
            const window_part p = window_at(s, i, j);
            const ptrdiff_t whole = j >= inner ? outer - j : 0;
            n = whole >= 8 ? 8 : whole >= 4 ? 4 : 1;
            if (n == 8)
                depthwise_pixels(8, s, &p, x, w, bias, yr);
            else if (n == 4)
                depthwise_pixels(4, s, &p, x, w, bias, yr);
            else
                depthwise_pixels(1, s, &p, x, w, bias, yr);
        }
}

static void depthwise_grad(const co_window *s, const void *dy, const void *w, void *dx) {
    const real *dyr = dy, *wr = w;
    real *dxr = dx;
    memset(dx, 0, (size_t)(s->h * s->w * s->c) * sizeof(real));
    for (ptrdiff_t i = 0; i < s->oh; i++)
        for (ptrdiff_t j = 0; j < s->ow; j++, dyr += s->c) {
            const window_part p = window_at(s, i, j);
            for (ptrdiff_t c = 0; c < s->c; c += VL) {
                const ptrdiff_t lanes = v_lanes(s->c - c);
                const vreal d = v_load_lanes(dyr + c, lanes);
                WINDOW_EACH_TAP(p, at) {
                    const vreal weight = v_load_lanes(wr + (ky * s->kw + kx) * s->c + c, lanes);
                    real *to = dxr + at + c;
                    v_store_lanes(to, v_fma(d, weight, v_load_lanes(to, lanes)), lanes);
                }
            }
        }
}

static void depthwise_sums(const co_window *s, const void *x, const void *dy, void *dw) {
    const real *xr = x, *dyr = dy;
    real *dwr = dw;
    for (ptrdiff_t ky = 0; ky < s->kh; ky++)
        for (ptrdiff_t kx = 0; kx < s->kw; kx++, dwr += s->c) {
            /* the results whose tap is inside the image */
            ptrdiff_t y0, x0;
            const ptrdiff_t top = ky * s->dh - s->top, left = kx * s->dw - s->left;
            const ptrdiff_t y1 = co_inside(top, s->sh, s->oh, s->h, &y0);
            const ptrdiff_t x1 = co_inside(left, s->sw, s->ow, s->w, &x0);
            for (ptrdiff_t c = 0; c < s->c; c += VL) {
                const ptrdiff_t lanes = v_lanes(s->c - c);
                vreal sum[2] = {V(0), V(0)};
                for (ptrdiff_t i = y0; i < y1; i++) {
                    const real *from = xr + ((i * s->sh + top) * s->w + left) * s->c + c;
                    const real *d = dyr + i * s->ow * s->c + c;
                    for (ptrdiff_t j = x0; j < x1; j++) {
                        const vreal pixel = v_load_lanes(from + j * s->sw * s->c, lanes);
                        sum[j & 1] = v_fma(pixel, v_load_lanes(d + j * s->c, lanes), sum[j & 1]);
                    }
                }
                v_store_lanes(dwr + c, v_add(sum[0], sum[1]), lanes);
            }
        }
}

#endif
