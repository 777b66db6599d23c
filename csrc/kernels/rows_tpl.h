/* rows_tpl.h - rows of a table by their numbers, and sums into such rows. Needs sums_tpl.h and stream_tpl.h. */
#ifndef COREOPS_ROWS_TPL_H
#define COREOPS_ROWS_TPL_H

#include "../simd/vec.h"
#include "stream_tpl.h"
#include "sums_tpl.h"

/* Rows of a large table come from memory, whose latency is hidden by asking this far ahead. */
#define GATHER_AHEAD 8

static void gather(ptrdiff_t m, ptrdiff_t n, const int32_t *index, const void *table, void *y,
                   uint8_t *mask) {
    const real *from = table;
    real *to = y;
    const ptrdiff_t bytes = n * (ptrdiff_t)sizeof(real);
    for (ptrdiff_t i = 0; i < m; i++, to += n) {
        if (i + GATHER_AHEAD < m) CO_PREFETCH(from + index[i + GATHER_AHEAD] * n);
        copy_row(bytes, (const char *)(from + index[i] * n), (char *)to);
    }
    for (ptrdiff_t i = 0; mask && i < m; i++) mask[i] = index[i] != 0;
}

static int within(ptrdiff_t m, const int32_t *index, ptrdiff_t limit) {
    int outside = 0;
    for (ptrdiff_t i = 0; i < m; i++) outside |= index[i] < 0 || index[i] >= limit;
    return !outside;
}

static void scatter_add(ptrdiff_t m, ptrdiff_t n, const int32_t *index, const void *x,
                        ptrdiff_t ldx, ptrdiff_t first, ptrdiff_t rows, void *y, ptrdiff_t ldy) {
    const real *xr = x;
    real *yr = y;
    for (ptrdiff_t i = 0; i < m; i++) {
        const ptrdiff_t row = index[i] - first;
        if (row >= 0 && row < rows) vadd(n, xr + i * ldx, yr + row * ldy);
    }
}

#endif
