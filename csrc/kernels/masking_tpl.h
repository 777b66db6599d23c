/* masking_tpl.h - rows that hold nothing but the mask value become zero. Needs vec.h. */
#ifndef COREOPS_MASKING_TPL_H
#define COREOPS_MASKING_TPL_H

#include "../simd/vec.h"

/* The first vector of a kept row nearly always differs, so the search ends at once and x is
 * read once. */
static int masking_differs(ptrdiff_t n, const real *x, vreal value) {
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL)
        if (v_any(v_ne(v_load(x + i), value))) return 1;
    const vmask differs = v_ne(v_load_tail(x + i, n - i), value);
    return v_any(v_both(v_first(n - i), differs));
}

static void masking_long(ptrdiff_t m, ptrdiff_t n, const real *x, real *y, uint8_t *mask,
                         vreal value) {
    for (ptrdiff_t row = 0; row < m; row++, x += n, y += n) {
        ptrdiff_t i = 0;
        mask[row] = (uint8_t)masking_differs(n, x, value);
        if (mask[row]) {
            if (x == y) continue;
            for (; i + VL <= n; i += VL) v_store(y + i, v_load(x + i));
            if (i < n) v_store_tail(y + i, v_load_tail(x + i, n - i), n - i);
        } else {
            for (; i + VL <= n; i += VL) v_store(y + i, V(0));
            if (i < n) v_store_tail(y + i, V(0), n - i);
        }
    }
}

/* n < VL: a row is one masked vector. */
static void masking_short(ptrdiff_t m, ptrdiff_t n, const real *x, real *y, uint8_t *mask,
                          vreal value) {
    const vmask lanes = v_first(n);
    for (ptrdiff_t row = 0; row < m; row++, x += n, y += n) {
        const vreal v = v_load_tail(x, n);
        const int differs = v_any(v_both(lanes, v_ne(v, value)));
        mask[row] = (uint8_t)differs;
        v_store_tail(y, differs ? v : V(0), n);
    }
}

static void masking(ptrdiff_t m, ptrdiff_t n, const void *x, void *y, uint8_t *mask, double value) {
    (n < VL ? masking_short : masking_long)(m, n, x, y, mask, V(value));
}

#endif
