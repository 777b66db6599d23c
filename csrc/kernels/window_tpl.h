/* window_tpl.h - windows that slide over images (window.h): pooling, the columns of a convolution,
 * and their gradients. Vectors go along the channels. Needs vec.h. */
#ifndef COREOPS_WINDOW_TPL_H
#define COREOPS_WINDOW_TPL_H

#include "../simd/vec.h"
#include "../window.h"

/* The part of a window that is inside the image, and where its first pixel is. */
typedef struct window_part {
    ptrdiff_t y0, y1, x0, x1; /* of 0 .. kh - 1 and 0 .. kw - 1 */
    ptrdiff_t at;             /* of tap (0, 0), which may be outside */
    ptrdiff_t down, right;    /* from a tap to the next */
} window_part;

CO_INLINE window_part window_at(const co_window *s, ptrdiff_t y, ptrdiff_t x) {
    const ptrdiff_t top = y * s->sh - s->top, left = x * s->sw - s->left;
    window_part p = {
        .at = (top * s->w + left) * s->c, .down = s->dh * s->w * s->c, .right = s->dw * s->c};
    p.y1 = co_inside(top, s->dh, s->kh, s->h, &p.y0);
    p.x1 = co_inside(left, s->dw, s->kw, s->w, &p.x0);
    return p;
}

#define WINDOW_EACH_TAP(p, at_)                                                                    \
    for (ptrdiff_t ky = (p).y0; ky < (p).y1; ky++)                                                 \
        for (ptrdiff_t kx = (p).x0, at_ = (p).at + ky * (p).down + kx * (p).right; kx < (p).x1;    \
             kx++, at_ += (p).right)

/* The larger, and NaN if one is. */
CO_INLINE vreal window_larger(vreal a, vreal b) { return v_select(v_ne(a, a), a, v_max(a, b)); }

static void maxpool(const co_window *s, ptrdiff_t first, ptrdiff_t rows, const void *x, void *y) {
    const real *xr = x;
    real *yr = y;
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < s->ow; j++, yr += s->c) {
            const window_part p = window_at(s, first + i, j);
            for (ptrdiff_t c = 0; c < s->c; c += VL) {
                const ptrdiff_t lanes = v_lanes(s->c - c);
                vreal top = V(-REAL_INF);
                WINDOW_EACH_TAP(p, at)
                top = window_larger(top, v_load_lanes(xr + at + c, lanes));
                v_store_lanes(yr + c, top, lanes);
            }
        }
}

static void maxpool_grad(const co_window *s, const void *x, const void *dy, void *dx) {
    const real *xr = x, *dyr = dy;
    real *dxr = dx;
    memset(dx, 0, (size_t)(s->h * s->w * s->c) * sizeof(real));
    for (ptrdiff_t i = 0; i < s->oh; i++)
        for (ptrdiff_t j = 0; j < s->ow; j++, dyr += s->c) {
            const window_part p = window_at(s, i, j);
            for (ptrdiff_t c = 0; c < s->c; c += VL) {
                const ptrdiff_t lanes = v_lanes(s->c - c);
                vreal top = V(-REAL_INF), winner = V(0), tap = V(0);
                WINDOW_EACH_TAP(p, at) {
                    const vreal v = v_load_lanes(xr + at + c, lanes);
                    const vmask more = v_lt(top, v);
                    top = v_select(more, v, top);
                    winner = v_select(more, tap, winner);
                    tap = v_add(tap, V(1));
                }
                const vreal d = v_load_lanes(dyr + c, lanes);
                tap = V(0);
                WINDOW_EACH_TAP(p, at) {
                    const vreal part = v_select(v_ne(winner, tap), V(0), d);
                    real *to = dxr + at + c;
                    v_store_lanes(to, v_add(v_load_lanes(to, lanes), part), lanes);
                    tap = v_add(tap, V(1));
                }
            }
        }
}

CO_INLINE vreal window_cells(const window_part *p) {
    return v_set1((real)((p->y1 - p->y0) * (p->x1 - p->x0)));
}

static void avgpool(const co_window *s, ptrdiff_t first, ptrdiff_t rows, const void *x, void *y) {
    const real *xr = x;
    real *yr = y;
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < s->ow; j++, yr += s->c) {
            const window_part p = window_at(s, first + i, j);
            for (ptrdiff_t c = 0; c < s->c; c += VL) {
                const ptrdiff_t lanes = v_lanes(s->c - c);
                vreal sum = V(0);
                WINDOW_EACH_TAP(p, at)
                sum = v_add(sum, v_load_lanes(xr + at + c, lanes));
                v_store_lanes(yr + c, v_div(sum, window_cells(&p)), lanes);
            }
        }
}

static void avgpool_grad(const co_window *s, const void *dy, void *dx) {
    const real *dyr = dy;
    real *dxr = dx;
    memset(dx, 0, (size_t)(s->h * s->w * s->c) * sizeof(real));
    for (ptrdiff_t i = 0; i < s->oh; i++)
        for (ptrdiff_t j = 0; j < s->ow; j++, dyr += s->c) {
            const window_part p = window_at(s, i, j);
            for (ptrdiff_t c = 0; c < s->c; c += VL) {
                const ptrdiff_t lanes = v_lanes(s->c - c);
                const vreal part = v_div(v_load_lanes(dyr + c, lanes), window_cells(&p));
                WINDOW_EACH_TAP(p, at) {
                    real *to = dxr + at + c;
                    v_store_lanes(to, v_add(v_load_lanes(to, lanes), part), lanes);
                }
            }
        }
}

static void window_copy(ptrdiff_t n, const real *x, real *y) {
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) v_store(y + i, v_load(x + i));
    if (i < n) v_store_lanes(y + i, v_load_lanes(x + i, n - i), n - i);
}

static void window_zero(ptrdiff_t n, real *y) {
    if (n > 0) memset(y, 0, (size_t)n * sizeof(real));
}

/* Windows of one pixel, side by side: rows of the image with their padding. */
static void window_rows(const co_window *s, const real *x, real *to) {
    ptrdiff_t x0;
    const ptrdiff_t x1 = co_inside(-s->left, 1, s->ow, s->w, &x0), row = s->ow * s->c;
    for (ptrdiff_t i = 0; i < s->oh; i++, to += row) {
        const ptrdiff_t y = i - s->top;
        if (y < 0 || y >= s->h) {
            window_zero(row, to);
            continue;
        }
        window_zero(x0 * s->c, to);
        window_copy((x1 - x0) * s->c, x + (y * s->w + x0 - s->left) * s->c, to + x0 * s->c);
        window_zero((s->ow - x1) * s->c, to + x1 * s->c);
    }
}

static void im2col(const co_window *s, ptrdiff_t channels, const void *x, void *columns) {
    const real *xr = x;
    real *to = columns;
    if (s->kh * s->kw * s->sh * s->sw == 1 && channels == s->c) {
        window_rows(s, x, to);
        return;
    }
    for (ptrdiff_t i = 0; i < s->oh; i++)
        for (ptrdiff_t j = 0; j < s->ow; j++, to += s->kh * s->kw * channels) {
            const window_part p = window_at(s, i, j);
            if ((p.y1 - p.y0) * (p.x1 - p.x0) < s->kh * s->kw)
                memset(to, 0, (size_t)(s->kh * s->kw * channels) * sizeof(real));
            if (p.right == channels) { /* taps side by side */
                for (ptrdiff_t ky = p.y0; ky < p.y1; ky++)
                    window_copy((p.x1 - p.x0) * channels, xr + p.at + ky * p.down + p.x0 * p.right,
                                to + (ky * s->kw + p.x0) * channels);
                continue;
            }
            WINDOW_EACH_TAP(p, at)
            window_copy(channels, xr + at, to + (ky * s->kw + kx) * channels);
        }
}

#endif
