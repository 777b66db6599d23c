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

/* Narrow rows by stretches of at most 64 elements, one bit for each that differs. Rows may differ
 * from their neighbours, so bits do the work: those of a row are gathered in its first, which is
 * then spread over the row. */
#define MASKING_BITS 64

CO_INLINE uint64_t masking_differing(const real *x, vreal value) {
    uint64_t bits = 0;
    CO_UNROLL
    for (int i = 0; i < MASKING_BITS; i += VL)
        bits |= (uint64_t)v_to_bits(v_ne(v_load(x + i), value)) << i;
    return bits;
}

CO_INLINE void masking_keep(const real *x, real *y, uint64_t keep) {
    CO_UNROLL
    for (int i = 0; i < MASKING_BITS; i += VL)
        v_store(y + i, v_select(v_of_bits((unsigned)(keep >> i)), v_load(x + i), V(0)));
}

/* 8 bits to 8 bytes: bit i, alone in byte i, carries into its highest bit. */
CO_INLINE void masking_bytes(uint8_t *mask, uint64_t bits) {
    const uint64_t alone = ((bits & 0xff) * 0x0101010101010101u) & 0x8040201008040201u;
    const uint64_t bytes = ((alone + 0x7f7f7f7f7f7f7f7fu) | alone) >> 7 & 0x0101010101010101u;
    for (int i = 0; i < 8; i++) mask[i] = (uint8_t)(bytes >> 8 * i);
}

static void masking_narrow(ptrdiff_t m, ptrdiff_t n, const real *x, real *y, uint8_t *mask,
                           vreal value) {
    const ptrdiff_t rows = MASKING_BITS / n;
    const uint64_t row = ((uint64_t)1 << n) - 1;
    uint64_t starts = 0;
    for (ptrdiff_t r = 0; r < rows; r++) starts |= (uint64_t)1 << r * n;
    const uint64_t beyond = rows * n < MASKING_BITS ? ~(uint64_t)0 << rows * n : 0;
    /* while a load of all the bits stays inside */
    for (; m * n >= MASKING_BITS; m -= rows, x += rows * n, y += rows * n, mask += rows) {
        uint64_t any = masking_differing(x, value);
        ptrdiff_t width = 1;
        for (; 2 * width <= n; width *= 2) any |= any >> width;
        if (width < n) any |= any >> (n - width);
        any &= starts;
        masking_keep(x, y, any * row | beyond); /* what is beyond comes again */
        if (n == 1)
            for (ptrdiff_t r = 0; r < rows; r += 8) masking_bytes(mask + r, any >> r);
        else
            for (ptrdiff_t r = 0; r < rows; r++) mask[r] = (uint8_t)(any >> r * n & 1);
    }
    masking_long(m, n, x, y, mask, value);
}

static void masking(ptrdiff_t m, ptrdiff_t n, const void *x, void *y, uint8_t *mask, double value) {
    (n > 0 && n < VL ? masking_narrow : masking_long)(m, n, x, y, mask, V(value));
}

#endif
