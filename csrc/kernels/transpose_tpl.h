/* transpose_tpl.h - matrix transposes of 1, 2, 4 and 8 byte elements. Needs vec.h. */
#ifndef COREOPS_TRANSPOSE_TPL_H
#define COREOPS_TRANSPOSE_TPL_H

#include "../simd/vec.h"

#define TRANSPOSE_PARAMS(bits)                                                                     \
    const uint##bits##_t *x, ptrdiff_t ldx, uint##bits##_t *y, ptrdiff_t ldy

#define TRANSPOSE_ELEMENTS(bits)                                                                   \
    static void transpose_elements_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) {     \
        for (ptrdiff_t j = 0; j < n; j++)                                                          \
            for (ptrdiff_t i = 0; i < m; i++) y[j * ldy + i] = x[i * ldx + j];                     \
    }

#ifdef LL
/* T elements fill a lane. log2(T) rounds of zips transpose the T by T block in each lane of
 * a[0 .. T - 1]. A tall tile (T LL rows, T columns) has its blocks below each other and
 * writes whole vectors, a flat one (T rows, T LL columns) side by side and reads them. */
#define TRANSPOSE_TILES(bits)                                                                      \
    enum { T##bits = 128 / bits };                                                                 \
    CO_INLINE void transpose_lanes_x##bits(vlanes *a) {                                            \
        vlanes b[T##bits];                                                                         \
        CO_UNROLL                                                                                  \
        for (int round = T##bits; round > 1; round /= 2) {                                         \
            CO_UNROLL                                                                              \
            for (int i = 0; i < T##bits / 2; i++) {                                                \
                b[2 * i] = l_zip_lo(bits, a[i], a[i + T##bits / 2]);                               \
                b[2 * i + 1] = l_zip_hi(bits, a[i], a[i + T##bits / 2]);                           \
            }                                                                                      \
            CO_UNROLL                                                                              \
            for (int i = 0; i < T##bits; i++) a[i] = b[i];                                         \
        }                                                                                          \
    }                                                                                              \
    CO_INLINE void transpose_tall_x##bits(TRANSPOSE_PARAMS(bits)) {                                \
        vlanes a[T##bits];                                                                         \
        CO_UNROLL                                                                                  \
        for (int i = 0; i < T##bits; i++)                                                          \
            a[i] = l_load_rows((const char *)(x + i * ldx), 16 * ldx);                             \
        transpose_lanes_x##bits(a);                                                                \
        CO_UNROLL                                                                                  \
        for (int j = 0; j < T##bits; j++) l_store((char *)(y + j * ldy), a[j]);                    \
    }                                                                                              \
    CO_INLINE void transpose_flat_x##bits(TRANSPOSE_PARAMS(bits)) {                                \
        vlanes a[T##bits];                                                                         \
        CO_UNROLL                                                                                  \
        for (int i = 0; i < T##bits; i++) a[i] = l_load((const char *)(x + i * ldx));              \
        transpose_lanes_x##bits(a);                                                                \
        CO_UNROLL                                                                                  \
        for (int j = 0; j < T##bits; j++) l_store_rows((char *)(y + j * ldy), 16 * ldy, a[j]);     \
    }                                                                                              \
    /* A square of whole cache lines on both sides; those of y are finished one by one. */         \
    CO_INLINE void transpose_square_x##bits(TRANSPOSE_PARAMS(bits)) {                              \
        for (int j = 0; j < 4 * T##bits; j += T##bits)                                             \
            for (int i = 0; i < 4 * T##bits; i += T##bits * LL)                                    \
                transpose_tall_x##bits(x + i * ldx + j, ldx, y + j * ldy + i, ldy);                \
    }

/* All of an m by n area by tiles. The last of a row or column moves back to end at the edge:
 * it writes some elements again. Down the rows first, so that y is written in streams, and
 * not too far down: each row of x may be a page of its own. */
#define TRANSPOSE_BLOCK 256
#define TRANSPOSE_AREA(bits, shape, rows, cols)                                                    \
    static void transpose_area_##shape##_x##bits(ptrdiff_t m, ptrdiff_t n,                         \
                                                 TRANSPOSE_PARAMS(bits)) {                         \
        for (ptrdiff_t j0 = 0; j0 < n; j0 += cols) {                                               \
            const ptrdiff_t j = j0 + cols <= n ? j0 : n - cols;                                    \
            for (ptrdiff_t i0 = 0; i0 < m; i0 += rows) {                                           \
                const ptrdiff_t i = i0 + rows <= m ? i0 : m - rows;                                \
                transpose_##shape##_x##bits(x + i * ldx + j, ldx, y + j * ldy + i, ldy);           \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static void transpose_by_##shape##_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) { \
        for (; m >= 2 * TRANSPOSE_BLOCK; m -= TRANSPOSE_BLOCK) {                                   \
            transpose_area_##shape##_x##bits(TRANSPOSE_BLOCK, n, x, ldx, y, ldy);                  \
            x += TRANSPOSE_BLOCK * ldx;                                                            \
            y += TRANSPOSE_BLOCK;                                                                  \
        }                                                                                          \
        transpose_area_##shape##_x##bits(m, n, x, ldx, y, ldy);                                    \
    }

#define TRANSPOSE(bits)                                                                            \
    TRANSPOSE_ELEMENTS(bits)                                                                       \
    TRANSPOSE_TILES(bits)                                                                          \
    TRANSPOSE_AREA(bits, square, 4 * T##bits, 4 * T##bits)                                         \
    TRANSPOSE_AREA(bits, tall, T##bits *LL, T##bits)                                               \
    TRANSPOSE_AREA(bits, flat, T##bits, T##bits *LL)                                               \
    static void transpose_x##bits(ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx, void *y, \
                                  ptrdiff_t ldy) {                                                 \
        if (m >= 4 * T##bits && n >= 4 * T##bits)                                                  \
            transpose_by_square_x##bits(m, n, x, ldx, y, ldy);                                     \
        else if (m >= T##bits * LL && n >= T##bits)                                                \
            transpose_by_tall_x##bits(m, n, x, ldx, y, ldy);                                       \
        else if (m >= T##bits && n >= T##bits * LL)                                                \
            transpose_by_flat_x##bits(m, n, x, ldx, y, ldy);                                       \
        else                                                                                       \
            transpose_elements_x##bits(m, n, x, ldx, y, ldy);                                      \
    }
#else
#define TRANSPOSE(bits)                                                                            \
    TRANSPOSE_ELEMENTS(bits)                                                                       \
    static void transpose_x##bits(ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx, void *y, \
                                  ptrdiff_t ldy) {                                                 \
        transpose_elements_x##bits(m, n, x, ldx, y, ldy);                                          \
    }
#endif

TRANSPOSE(8)
TRANSPOSE(16)
TRANSPOSE(32)
TRANSPOSE(64)

#endif
