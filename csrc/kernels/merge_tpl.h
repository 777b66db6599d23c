/* merge_tpl.h - two arrays of one shape into one, and products of the rows of two. Needs
 * sums_tpl.h. */
#ifndef COREOPS_MERGE_TPL_H
#define COREOPS_MERGE_TPL_H

#include "sums_tpl.h"

/* The maximum and the minimum that carry every NaN: the tiers' own may lose one in a. */
CO_INLINE vreal merge_or_nan(vreal a, vreal of_two) { return v_select(v_ne(a, a), a, of_two); }

#define MERGE(name, expr)                                                                          \
    static void merge_##name(ptrdiff_t n, const real *x, const real *y, real *z) {                 \
        for (ptrdiff_t i = 0; i < n; i += VL) {                                                    \
            const ptrdiff_t lanes = v_lanes(n - i);                                                \
            const vreal a = v_load_lanes(x + i, lanes), b = v_load_lanes(y + i, lanes);            \
            v_store_lanes(z + i, expr, lanes);                                                     \
        }                                                                                          \
    }
MERGE(add, v_add(a, b))
MERGE(subtract, v_sub(a, b))
MERGE(multiply, v_mul(a, b))
MERGE(divide, v_div(a, b))
MERGE(maximum, merge_or_nan(a, v_max(a, b)))
MERGE(minimum, merge_or_nan(a, v_min(a, b)))

static void merge(int how, ptrdiff_t n, const void *x, const void *y, void *z) {
    switch (how) {
    case CO_MERGE_ADD:
        merge_add(n, x, y, z);
        return;
    case CO_MERGE_SUBTRACT:
        merge_subtract(n, x, y, z);
        return;
    case CO_MERGE_MULTIPLY:
        merge_multiply(n, x, y, z);
        return;
    case CO_MERGE_DIVIDE:
        merge_divide(n, x, y, z);
        return;
    case CO_MERGE_MAXIMUM:
        merge_maximum(n, x, y, z);
        return;
    default:
        merge_minimum(n, x, y, z);
    }
}

static void chosen(int how, ptrdiff_t n, const void *x, const void *y, const void *dz, void *dx) {
    const real *xr = x, *yr = y, *dzr = dz;
    real *dxr = dx;
    for (ptrdiff_t i = 0; i < n; i += VL) {
        const ptrdiff_t lanes = v_lanes(n - i);
        const vreal a = v_load_lanes(xr + i, lanes), b = v_load_lanes(yr + i, lanes);
        const vmask wins = how == CO_MERGE_MAXIMUM ? v_lt(b, a) : v_lt(a, b);
        const vreal share = v_select(wins, V(1), v_select(v_ne(a, b), V(0), V(0.5)));
        v_store_lanes(dxr + i, v_mul(v_load_lanes(dzr + i, lanes), share), lanes);
    }
}

static void products(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *x, const void *y, void *z) {
    const real *xr = x;
    real *zr = z;
    for (ptrdiff_t i = 0; i < m; i++, xr += k) {
        const real *yr = y;
        for (ptrdiff_t j = 0; j < n; j++, yr += k) v_store_tail(zr++, sum_of_row(k, xr, yr), 1);
    }
}

#endif
