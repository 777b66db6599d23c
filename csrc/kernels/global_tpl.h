/* global_tpl.h - the mean and the maximum over all positions. Needs sums_tpl.h. */
#ifndef COREOPS_GLOBAL_TPL_H
#define COREOPS_GLOBAL_TPL_H

#include "sums_tpl.h"

/* So many rows are summed at a time, and those sums after one another: the roundings of a sum of
 * thousands stay below a hundred. */
#define MEAN_ROWS 64

CO_INLINE ptrdiff_t mean_count(ptrdiff_t m, const uint8_t *mask) {
    ptrdiff_t count = mask ? 0 : m;
    for (ptrdiff_t i = 0; mask && i < m; i++) count += mask[i] != 0;
    return count;
}

CO_INLINE void mean_columns(const int vectors, ptrdiff_t last, ptrdiff_t m, ptrdiff_t n,
                            const uint8_t *mask, const real *x, vreal count, real *y) {
    vreal total[4];
    CO_UNROLL
    for (int k = 0; k < vectors; k++) total[k] = V(0);
    for (ptrdiff_t done = 0; done < m; done += MEAN_ROWS) {
        const ptrdiff_t end = m - done < MEAN_ROWS ? m : done + MEAN_ROWS;
        vreal sum[4];
        CO_UNROLL
        for (int k = 0; k < vectors; k++) sum[k] = V(0);
        for (ptrdiff_t i = done; i < end; i++) {
            if (mask && !mask[i]) continue;
            CO_UNROLL
            for (int k = 0; k < vectors; k++)
                sum[k] =
                    v_add(sum[k], v_load_lanes(x + i * n + k * VL, k + 1 < vectors ? VL : last));
        }
        CO_UNROLL
        for (int k = 0; k < vectors; k++) total[k] = v_add(total[k], sum[k]);
    }
    CO_UNROLL
    for (int k = 0; k < vectors; k++)
        v_store_lanes(y + k * VL, v_div(total[k], count), k + 1 < vectors ? VL : last);
}

static void mean_over(ptrdiff_t m, ptrdiff_t n, const uint8_t *mask, const void *x, void *y) {
    const real *xr = x;
    real *yr = y;
    const vreal count = v_set1((real)mean_count(m, mask));
    if (n == 1 && !mask) {
        v_store_lanes(yr, v_div(sum_of_row(m, xr, NULL), count), 1);
        return;
    }
    ptrdiff_t j = 0;
    for (; j + 4 * VL <= n; j += 4 * VL) mean_columns(4, VL, m, n, mask, xr + j, count, yr + j);
    for (; j < n; j += VL) mean_columns(1, v_lanes(n - j), m, n, mask, xr + j, count, yr + j);
}

static void mean_over_grad(ptrdiff_t m, ptrdiff_t n, const uint8_t *mask, const void *dy,
                           void *dx) {
    const real *dyr = dy;
    real *dxr = dx;
    const vreal count = v_set1((real)mean_count(m, mask));
    if (n == 1 && !mask) {
        const vreal d = v_div(v_set1(*dyr), count);
        for (ptrdiff_t i = 0; i < m; i += VL) v_store_lanes(dxr + i, d, v_lanes(m - i));
        return;
    }
    for (ptrdiff_t i = 0; i < m; i++, dxr += n)
        for (ptrdiff_t j = 0; j < n; j += VL) {
            const ptrdiff_t lanes = v_lanes(n - j);
            const vreal d = v_div(v_load_lanes(dyr + j, lanes), count);
            v_store_lanes(dxr + j, !mask || mask[i] ? d : V(0), lanes);
        }
}

/* The larger, or a NaN. */
CO_INLINE vreal v_most(vreal a, vreal b) { return v_select(v_ne(a, a), a, v_max(a, b)); }

CO_INLINE void max_columns(const int vectors, ptrdiff_t last, ptrdiff_t m, ptrdiff_t n,
                           const real *x, real *y) {
    vreal most[4];
    CO_UNROLL
    for (int k = 0; k < vectors; k++) most[k] = V(-INFINITY);
    for (ptrdiff_t i = 0; i < m; i++, x += n) {
        CO_UNROLL
        for (int k = 0; k < vectors; k++)
            most[k] = v_most(most[k], v_load_lanes(x + k * VL, k + 1 < vectors ? VL : last));
    }
    CO_UNROLL
    for (int k = 0; k < vectors; k++)
        v_store_lanes(y + k * VL, most[k], k + 1 < vectors ? VL : last);
}

static void max_over(ptrdiff_t m, ptrdiff_t n, const void *x, void *y) {
    const real *xr = x;
    real *yr = y;
    if (n == 1) {
        vreal most = V(-INFINITY);
        real lane[VL];
        for (ptrdiff_t i = 0; i < m; i += VL) {
            const ptrdiff_t lanes = v_lanes(m - i);
            const vreal v = v_load_lanes(xr + i, lanes);
            most = v_most(most, lanes == VL ? v : v_select(v_first(lanes), v, V(-INFINITY)));
        }
        v_store(lane, most);
        for (int l = 1; l < VL; l++)
            if (lane[l] > lane[0] || lane[l] != lane[l]) lane[0] = lane[l];
        yr[0] = lane[0];
        return;
    }
    ptrdiff_t j = 0;
    for (; j + 4 * VL <= n; j += 4 * VL) max_columns(4, VL, m, n, xr + j, yr + j);
    for (; j < n; j += VL) max_columns(1, v_lanes(n - j), m, n, xr + j, yr + j);
}

CO_INLINE vreal v_one_if_same(vreal a, vreal b) { return v_select(v_ne(a, b), V(0), V(1)); }

static void max_over_grad(ptrdiff_t m, ptrdiff_t n, const void *x, const void *y, const void *dy,
                          void *dx) {
    const real *xr = x, *yr = y, *dyr = dy;
    real *dxr = dx;
    if (n == 1) {
        const vreal most = v_set1(*yr);
        vreal ties = V(0);
        for (ptrdiff_t i = 0; i < m; i += VL) {
            const ptrdiff_t lanes = v_lanes(m - i);
            const vreal one = v_one_if_same(v_load_lanes(xr + i, lanes), most);
            ties = v_add(ties, lanes == VL ? one : v_select(v_first(lanes), one, V(0)));
        }
        const vreal d = v_div(v_set1(*dyr), v_sum_of(ties, VL));
        for (ptrdiff_t i = 0; i < m; i += VL) {
            const ptrdiff_t lanes = v_lanes(m - i);
            const vreal one = v_one_if_same(v_load_lanes(xr + i, lanes), most);
            v_store_lanes(dxr + i, v_mul(one, d), lanes);
        }
        return;
    }
    for (ptrdiff_t j = 0; j < n; j += VL) {
        const ptrdiff_t lanes = v_lanes(n - j);
        const vreal most = v_load_lanes(yr + j, lanes);
        vreal ties = V(0);
        for (ptrdiff_t i = 0; i < m; i++)
            ties = v_add(ties, v_one_if_same(v_load_lanes(xr + i * n + j, lanes), most));
        const vreal d = v_div(v_load_lanes(dyr + j, lanes), ties);
        for (ptrdiff_t i = 0; i < m; i++) {
            const vreal one = v_one_if_same(v_load_lanes(xr + i * n + j, lanes), most);
            v_store_lanes(dxr + i * n + j, v_mul(one, d), lanes);
        }
    }
}

#endif
