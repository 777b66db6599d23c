/* sums_tpl.h - sums of whole arrays, of columns and into arrays; rows by a mask. Needs vec.h. */
#ifndef COREOPS_SUMS_TPL_H
#define COREOPS_SUMS_TPL_H

#include "../simd/vec.h"

/* -1, 0 or 1; NaN for NaN. */
CO_INLINE vreal v_signum(vreal x) {
    return v_select(v_lt(V(0), x), V(1), v_select(v_lt(x, V(0)), V(-1), x));
}

static void vadd(ptrdiff_t n, const void *x, void *y) {
    const real *xr = x;
    real *yr = y;
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) v_store(yr + i, v_add(v_load(yr + i), v_load(xr + i)));
    if (i < n) {
        const vreal sum = v_add(v_load_lanes(yr + i, n - i), v_load_lanes(xr + i, n - i));
        v_store_lanes(yr + i, sum, n - i);
    }
}

/* The sum of a row, each element times the one of y unless y is NULL, in every lane. */
CO_INLINE vreal sum_of_row(ptrdiff_t n, const real *x, const real *y) {
    vreal sum[4] = {V(0), V(0), V(0), V(0)};
    ptrdiff_t i = 0;
    for (; i + 4 * VL <= n; i += 4 * VL) {
        CO_UNROLL
        for (int k = 0; k < 4; k++) {
            const vreal v = v_load(x + i + k * VL);
            sum[k] = y ? v_fma(v, v_load(y + i + k * VL), sum[k]) : v_add(sum[k], v);
        }
    }
    for (; i < n; i += VL) {
        const ptrdiff_t lanes = v_lanes(n - i);
        const vreal v = v_load_lanes(x + i, lanes);
        sum[0] = y ? v_fma(v, v_load_lanes(y + i, lanes), sum[0]) : v_add(sum[0], v);
    }
    return v_sum_of(v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])), VL);
}

/* As many columns as `vectors` vectors have, the last of which has the first lanes only. */
CO_INLINE void colsum_of(const int vectors, ptrdiff_t last, ptrdiff_t m, const real *x,
                         ptrdiff_t ldx, real *y) {
    vreal sum[8];
    CO_UNROLL
    for (int k = 0; k < vectors; k++) sum[k] = V(0);
    for (ptrdiff_t i = 0; i < m; i++, x += ldx) {
        CO_UNROLL
        for (int k = 0; k < vectors; k++)
            sum[k] = v_add(sum[k],
                           k + 1 < vectors ? v_load(x + k * VL) : v_load_lanes(x + k * VL, last));
    }
    CO_UNROLL
    for (int k = 0; k < vectors; k++)
        v_store_lanes(y + k * VL, sum[k], k + 1 < vectors ? VL : last);
}

static void colsum(ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx, void *y) {
    const real *xr = x;
    real *yr = y;
    ptrdiff_t j = 0;
    for (; j + 8 * VL <= n; j += 8 * VL) colsum_of(8, VL, m, xr + j, ldx, yr + j);
    for (; j + 4 * VL <= n; j += 4 * VL) colsum_of(4, VL, m, xr + j, ldx, yr + j);
    for (; j + 2 * VL <= n; j += 2 * VL) colsum_of(2, VL, m, xr + j, ldx, yr + j);
    for (; j < n; j += VL) colsum_of(1, v_lanes(n - j), m, xr + j, ldx, yr + j);
}

static void keep_rows(ptrdiff_t m, ptrdiff_t n, const uint8_t *mask, const void *x, void *y) {
    const real *xr = x;
    real *yr = y;
    for (ptrdiff_t row = 0; row < m; row++, xr += n, yr += n) {
        if (mask[row] && xr == yr) continue;
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const ptrdiff_t lanes = v_lanes(n - i);
            v_store_lanes(yr + i, mask[row] ? v_load_lanes(xr + i, lanes) : V(0), lanes);
        }
    }
}

/* Sums in double of |x| or x^2, in plain C: element i goes to lane i modulo SUM_LANES, and the
 * lanes are added pairwise. The same bits on every tier. */
#define SUM_LANES 16
#define SUM_OF(name, term)                                                                         \
    static double name(ptrdiff_t n, const real *x) {                                               \
        double lane[SUM_LANES] = {0};                                                              \
        ptrdiff_t i = 0;                                                                           \
        for (; i + SUM_LANES <= n; i += SUM_LANES)                                                 \
            for (int l = 0; l < SUM_LANES; l++) {                                                  \
                const double v = x[i + l];                                                         \
                lane[l] += (term);                                                                 \
            }                                                                                      \
        for (int l = 0; i + l < n; l++) {                                                          \
            const double v = x[i + l];                                                             \
            lane[l] += (term);                                                                     \
        }                                                                                          \
        for (int away = SUM_LANES / 2; away; away /= 2)                                            \
            for (int l = 0; l < away; l++) lane[l] += lane[l + away];                              \
        return lane[0];                                                                            \
    }
SUM_OF(sum_of_sizes, fabs(v))
SUM_OF(sum_of_squares, v *v)

static double sumsq(ptrdiff_t n, const void *x) { return sum_of_squares(n, x); }

static double penalty(ptrdiff_t n, const void *x, double l1, double l2, double scale, void *dx) {
    const real *xr = x;
    real *dxr = dx;
    const vreal c1 = V(scale * l1), c2 = V(scale * 2 * l2);
    for (ptrdiff_t i = 0; dxr && i < n; i += VL) {
        const ptrdiff_t lanes = v_lanes(n - i);
        const vreal v = v_load_lanes(xr + i, lanes), d = v_load_lanes(dxr + i, lanes);
        v_store_lanes(dxr + i, v_add(d, v_fma(c2, v, v_mul(c1, v_signum(v)))), lanes);
    }
    return (l1 != 0 ? l1 * sum_of_sizes(n, xr) : 0) + (l2 != 0 ? l2 * sum_of_squares(n, xr) : 0);
}

#endif
