/* softmax_tpl.h - softmax and log-softmax of rows. Needs vmath.h. */
#ifndef COREOPS_SOFTMAX_TPL_H
#define COREOPS_SOFTMAX_TPL_H

#include "../simd/vmath.h"

/* -inf in the lanes past the first n. */
CO_INLINE vreal softmax_load(const real *x, ptrdiff_t n) {
    if (n >= VL) return v_load(x);
    return v_select(v_first(n), v_load_tail(x, n), V(-INFINITY));
}

CO_INLINE vreal softmax_max(ptrdiff_t n, const real *x) {
    vreal max = softmax_load(x, n);
    for (ptrdiff_t i = VL; i < n; i += VL) max = v_max(max, softmax_load(x + i, n - i));
    return v_top(max);
}

static void softmax_row(ptrdiff_t n, const real *x, real *y) {
    const vreal max = softmax_max(n, x);
    const ptrdiff_t whole = n / VL * VL;
    vreal sum = V(0);
    for (ptrdiff_t i = 0; i < whole; i += VL) {
        const vreal e = v_exp(v_sub(v_load(x + i), max));
        v_store(y + i, e);
        sum = v_add(sum, e);
    }
    /* The tail waits in a register. */
    vreal tail = V(0);
    if (whole < n) {
        tail = v_exp(v_sub(softmax_load(x + whole, n - whole), max));
        sum = v_add(sum, v_select(v_first(n - whole), tail, V(0)));
    }
    const vreal scale = v_div(V(1), v_sum(sum));
    for (ptrdiff_t i = 0; i < whole; i += VL) v_store(y + i, v_mul(v_load(y + i), scale));
    if (whole < n) v_store_tail(y + whole, v_mul(tail, scale), n - whole);
}

static void log_softmax_row(ptrdiff_t n, const real *x, real *y) {
    const vreal max = softmax_max(n, x);
    vreal sum = V(0);
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) sum = v_add(sum, v_exp(v_sub(v_load(x + i), max)));
    if (i < n) {
        const vreal e = v_exp(v_sub(softmax_load(x + i, n - i), max));
        sum = v_add(sum, v_select(v_first(n - i), e, V(0)));
    }
    const vreal log_sum = v_log(v_sum(sum));
    for (i = 0; i + VL <= n; i += VL) v_store(y + i, v_sub(v_sub(v_load(x + i), max), log_sum));
    if (i < n) v_store_tail(y + i, v_sub(v_sub(v_load_tail(x + i, n - i), max), log_sum), n - i);
}

static void softmax(ptrdiff_t m, ptrdiff_t n, const void *x, void *y, int log) {
    const real *xr = x;
    real *yr = y;
    if (n == 0) return;
    for (ptrdiff_t i = 0; i < m; i++, xr += n, yr += n)
        if (log)
            log_softmax_row(n, xr, yr);
        else
            softmax_row(n, xr, yr);
}

#endif
