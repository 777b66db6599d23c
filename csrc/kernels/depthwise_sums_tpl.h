/* depthwise_sums_tpl.h - the gradient of the kernel of a convolution channel by channel: for each
 * tap the sum over all results of its pixel times the result's gradient. Padding is left out. Needs
 * depthwise_tpl.h. */
#ifndef COREOPS_DEPTHWISE_SUMS_TPL_H
#define COREOPS_DEPTHWISE_SUMS_TPL_H

#include "depthwise_tpl.h"

/* What `count` neighbouring results, from one whose window begins in that column on, add to the
 * sums of all taps of 3 by 3 side by side. A pixel is loaded once for all that it is a part of. x
 * is row 0, column `column` of the windows, of which rows y0 .. y1 - 1 are inside. */
CO_INLINE void depthwise_add(const int count, const int stride, const int whole, const co_window *s,
                             ptrdiff_t lanes, ptrdiff_t y0, ptrdiff_t y1, ptrdiff_t column,
                             const real *x, const real *dy, vreal sum[3][3]) {
    vreal d[4];
    CO_UNROLL
    for (int j = 0; j < count; j++) d[j] = depthwise_load(whole, dy + j * s->c, lanes);
    CO_UNROLL
    for (int ky = 0; ky < 3; ky++) {
        if (ky < y0 || ky >= y1) continue;
        const real *from = x + ky * s->dh * s->w * s->c;
        CO_UNROLL
        for (int i = 0; i < (count - 1) * stride + 3; i++, from += s->c) {
            if ((size_t)(column + i) >= (size_t)s->w) continue;
            vreal pixel = depthwise_load(whole, from, lanes);
            V_KEEP(pixel);
            CO_UNROLL
            for (int j = 0; j < count; j++) {
                const int kx = i - j * stride;
                if (kx >= 0 && kx < 3) sum[ky][kx] = v_fma(pixel, d[j], sum[ky][kx]);
            }
        }
    }
}

/* The sums of a vector of channels of which there are so many lanes. */
CO_INLINE void depthwise_nine(const int stride, const int whole, const co_window *s,
                              ptrdiff_t lanes, const real *x, const real *dy, real *dw) {
    vreal sum[3][3];
    CO_UNROLL
    for (int ky = 0; ky < 3; ky++) {
        CO_UNROLL
        for (int kx = 0; kx < 3; kx++) sum[ky][kx] = V(0);
    }
    for (ptrdiff_t i = 0; i < s->oh; i++) {
        const ptrdiff_t top = i * s->sh - s->top;
        ptrdiff_t y0, j = 0, column = -s->left;
        const ptrdiff_t y1 = co_inside(top, s->dh, 3, s->h, &y0);
        const real *from = x + (top * s->w + column) * s->c;
        for (; j + 4 <= s->ow; j += 4, column += 4 * stride) {
            depthwise_add(4, stride, whole, s, lanes, y0, y1, column, from, dy, sum);
            from += 4 * stride * s->c;
            dy += 4 * s->c;
        }
        for (; j < s->ow; j++, column += stride) {
            depthwise_add(1, stride, whole, s, lanes, y0, y1, column, from, dy, sum);
            from += stride * s->c;
            dy += s->c;
        }
    }
    CO_UNROLL
    for (int ky = 0; ky < 3; ky++) {
        CO_UNROLL
        for (int kx = 0; kx < 3; kx++) v_store_lanes(dw + (ky * 3 + kx) * s->c, sum[ky][kx], lanes);
    }
}

/* The sums of `wide` taps of a row of any kernel, from (ky, kx) on. */
CO_INLINE void depthwise_some(const int wide, const co_window *s, ptrdiff_t lanes, ptrdiff_t ky,
                              ptrdiff_t kx, const real *x, const real *dy, real *dw) {
    vreal sum[3] = {V(0), V(0), V(0)};
    for (ptrdiff_t i = 0; i < s->oh; i++) {
        const ptrdiff_t y = i * s->sh - s->top + ky * s->dh;
        if ((size_t)y >= (size_t)s->h) continue;
        for (ptrdiff_t j = 0; j < s->ow; j++) {
            const vreal d = v_load_lanes(dy + (i * s->ow + j) * s->c, lanes);
            const ptrdiff_t column = j * s->sw - s->left + kx * s->dw;
            CO_UNROLL
            for (int t = 0; t < wide; t++) {
                const ptrdiff_t at = column + t * s->dw;
                if ((size_t)at < (size_t)s->w)
                    sum[t] = v_fma(v_load_lanes(x + (y * s->w + at) * s->c, lanes), d, sum[t]);
            }
        }
    }
    CO_UNROLL
    for (int t = 0; t < wide; t++) v_store_lanes(dw + (ky * s->kw + kx + t) * s->c, sum[t], lanes);
}

static void depthwise_each(const co_window *s, ptrdiff_t lanes, const real *x, const real *dy,
                           real *dw) {
    for (ptrdiff_t ky = 0; ky < s->kh; ky++)
        for (ptrdiff_t kx = 0; kx < s->kw; kx += 3) {
            if (s->kw - kx >= 3)
                depthwise_some(3, s, lanes, ky, kx, x, dy, dw);
            else if (s->kw - kx == 2)
                depthwise_some(2, s, lanes, ky, kx, x, dy, dw);
            else
                depthwise_some(1, s, lanes, ky, kx, x, dy, dw);
        }
}

static void depthwise_sums(const co_window *s, const void *x, const void *dy, void *dw) {
    const int nine = s->kh == 3 && s->kw == 3 && s->dw == 1 && s->sw <= 2;
    for (ptrdiff_t c = 0; c < s->c; c += VL) {
        if (s->c >= VL && c > s->c - VL) c = s->c - VL; /* some channels again */
        const ptrdiff_t lanes = v_lanes(s->c - c);
        const real *from = (const real *)x + c, *d = (const real *)dy + c;
        real *to = (real *)dw + c;
        if (!nine)
            depthwise_each(s, lanes, from, d, to);
        else if (lanes < VL && s->sw == 1)
            depthwise_nine(1, 0, s, lanes, from, d, to);
        else if (lanes < VL)
            depthwise_nine(2, 0, s, lanes, from, d, to);
        else if (s->sw == 1)
            depthwise_nine(1, 1, s, VL, from, d, to);
        else
            depthwise_nine(2, 1, s, VL, from, d, to);
    }
}

#endif
