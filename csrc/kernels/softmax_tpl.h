/* softmax_tpl.h - softmax and log-softmax of rows. Needs activation_tpl.h.
 *
 * A row is read once for its maximum, once for the sum of exp(x - max), and once more to be
 * scaled, or for log-softmax to be shifted. A row shorter than a vector stays in a register,
 * and where its length is a power of 2 several of them do. */
#ifndef COREOPS_SOFTMAX_TPL_H
#define COREOPS_SOFTMAX_TPL_H

#include "activation_tpl.h"

/* -inf in the lanes past the first n: exp takes them to 0. */
CO_INLINE vreal softmax_load(const real *x, ptrdiff_t n) {
    if (n >= VL) return v_load(x);
    return v_select(v_first(n), v_load_tail(x, n), V(-INFINITY));
}

/* Rows of n == width < VL, which is a constant; count elements in all. */
CO_INLINE void softmax_packed(const int width, const int log, ptrdiff_t count, const real *x,
                              real *y) {
    for (ptrdiff_t i = 0; i < count; i += VL) {
        const ptrdiff_t lanes = v_lanes(count - i);
        const vreal v = v_load_tail(x + i, lanes);
        const vreal d = v_sub(v, v_top_of(v, width));
        const vreal e = v_exp_down(d), sum = v_sum_of(e, width);
        v_store_tail(y + i, log ? v_sub(d, v_log(sum)) : v_div(e, sum), lanes);
    }
}

/* Rows of n < VL elements, whose sums are those of width lanes, a constant. */
CO_INLINE void softmax_short(const int width, ptrdiff_t m, ptrdiff_t n, const real *x, real *y) {
    for (ptrdiff_t i = 0; i < m; i++, x += n, y += n) {
        const vreal v = softmax_load(x, n);
        const vreal e = v_exp_down(v_sub(v, v_top_of(v, width)));
        v_store_tail(y, v_div(e, v_sum_of(e, width)), n);
    }
}

CO_INLINE vreal softmax_max(ptrdiff_t n, const real *x) {
    vreal max[4];
    ptrdiff_t i = 0;
    for (int k = 0; k < 4; k++) max[k] = V(-INFINITY);
    for (; i + 4 * VL <= n; i += 4 * VL) {
        CO_UNROLL
        for (int k = 0; k < 4; k++) max[k] = v_max(max[k], v_load(x + i + k * VL));
    }
    for (; i < n; i += VL) max[0] = v_max(max[0], softmax_load(x + i, n - i));
    return v_top_of(v_max(v_max(max[0], max[1]), v_max(max[2], max[3])), VL);
}

/* y = exp(x - top); returns the sum in all lanes. */
static vreal softmax_exp(ptrdiff_t n, const real *x, real *y, vreal top) {
    vreal sum = V(0), e[4];
    ptrdiff_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
        CO_UNROLL
        for (int k = 0; k < 4; k++) e[k] = v_exp_down(v_sub(v_load(x + i + k * VL), top));
        CO_UNROLL
        for (int k = 0; k < 4; k++) v_store(y + i + k * VL, e[k]);
        sum = v_add(sum, v_add(v_add(e[0], e[1]), v_add(e[2], e[3])));
    }
    for (; i < n; i += VL) {
        e[0] = v_exp_down(v_sub(softmax_load(x + i, n - i), top));
        v_store_tail(y + i, e[0], v_lanes(n - i));
        sum = v_add(sum, e[0]);
    }
    return v_sum_of(sum, VL);
}

/* Rows of n >= VL. While a row is scaled that came before, nothing waits for the maximum of the
 * next row and the sum of this one. */
static void softmax_rows(ptrdiff_t m, ptrdiff_t n, const real *x, real *y) {
    vreal top = softmax_max(n, x), scale = V(0);
    for (ptrdiff_t row = 0; row < m; row++, x += n, y += n) {
        const vreal sum = softmax_exp(n, x, y, top);
        if (row + 1 < m) top = softmax_max(n, x + n);
        if (row > 0) VLOOP(n, y - n, y - n, v_mul(v, scale));
        scale = v_div(V(1), sum);
    }
    VLOOP(n, y - n, y - n, v_mul(v, scale));
}

/* One logarithm serves as many rows as there are lanes; long rows would leave the cache. */
#define LOG_SOFTMAX_LONG 512

static void log_softmax_rows(ptrdiff_t m, ptrdiff_t n, const real *x, real *y) {
    const ptrdiff_t most = n < LOG_SOFTMAX_LONG ? VL : 1;
    for (ptrdiff_t rows; m > 0; m -= rows, x += rows * n, y += rows * n) {
        real max[VL], sum[VL] = {0};
        rows = m < most ? m : most;
        for (ptrdiff_t r = 0; r < rows; r++) {
            const real *row = x + r * n;
            const vreal top = softmax_max(n, row);
            vreal total = V(0);
            for (ptrdiff_t i = 0; i < n; i += VL)
                total = v_add(total, v_exp_down(v_sub(softmax_load(row + i, n - i), top)));
            v_store_tail(max + r, top, 1);
            v_store_tail(sum + r, v_sum_of(total, VL), 1);
        }
        v_store(sum, v_log(v_load(sum)));
        for (ptrdiff_t r = 0; r < rows; r++) {
            const real *row = x + r * n;
            real *out = y + r * n;
            VLOOP(n, row, out, v_sub(v_sub(v, v_set1(max[r])), v_set1(sum[r])));
        }
    }
}

#define SOFTMAX_PACKED(width)                                                                      \
    if ((width) < VL && n == (width)) {                                                            \
        if (log)                                                                                   \
            softmax_packed(width, 1, m * n, x, y);                                                 \
        else                                                                                       \
            softmax_packed(width, 0, m * n, x, y);                                                 \
        return;                                                                                    \
    }
#define SOFTMAX_SHORT(width)                                                                       \
    if ((width) <= VL && n < (width) && !log) {                                                    \
        softmax_short(width, m, n, x, y);                                                          \
        return;                                                                                    \
    }

static void softmax(ptrdiff_t m, ptrdiff_t n, const void *x, void *y, int log) {
    const real *xr = x;
    real *yr = y;
    if (m == 0 || n == 0) return;
    SOFTMAX_PACKED(1)
    SOFTMAX_PACKED(2)
    SOFTMAX_PACKED(4)
    SOFTMAX_PACKED(8)
    SOFTMAX_SHORT(4)
    SOFTMAX_SHORT(8)
    SOFTMAX_SHORT(16)
    if (log)
        log_softmax_rows(m, n, xr, yr);
    else
        softmax_rows(m, n, xr, yr);
}

#endif
