/* rows_tpl.h - rows of a table by their numbers, and sums into such rows. Needs sums_tpl.h and
 * stream_tpl.h. */
#ifndef COREOPS_ROWS_TPL_H
#define COREOPS_ROWS_TPL_H

#include "../simd/vec.h"
#include "stream_tpl.h"
#include "sums_tpl.h"

/* Rows of a large table come from memory, whose latency is hidden by asking this far ahead. */
#define GATHER_AHEAD 8

static void gather(ptrdiff_t m, ptrdiff_t n, const void *index, const void *table, void *y,
                   uint8_t *mask) {
    const real *number = index, *from = table;
    real *to = y;
    const ptrdiff_t bytes = n * (ptrdiff_t)sizeof(real);
    for (ptrdiff_t i = 0; i < m; i++, to += n) {
        if (i + GATHER_AHEAD < m) CO_PREFETCH(from + (ptrdiff_t)number[i + GATHER_AHEAD] * n);
        copy_row(bytes, (const char *)(from + (ptrdiff_t)number[i] * n), (char *)to);
    }
    for (ptrdiff_t i = 0; mask && i < m; i++) mask[i] = number[i] != 0;
}

static int within(ptrdiff_t m, const void *index, ptrdiff_t limit) {
    const real *number = index, end = (real)limit;
    int outside = 0;
    for (ptrdiff_t i = 0; i < m; i++) outside |= !(number[i] > -1 && number[i] < end);
    return !outside;
}

static void scatter_add(ptrdiff_t m, ptrdiff_t n, const void *index, const void *x, ptrdiff_t ldx,
                        ptrdiff_t first, ptrdiff_t rows, void *y, ptrdiff_t ldy) {
    const real *number = index, *xr = x;
    real *yr = y;
    for (ptrdiff_t i = 0; i < m; i++) {
        const ptrdiff_t row = (ptrdiff_t)number[i] - first;
        if (row >= 0 && row < rows) vadd(n, xr + i * ldx, yr + row * ldy);
    }
}

#endif
