/* transpose_tpl.h - matrix transposes of 1, 2, 4 and 8 byte elements. Needs vec.h. */
#ifndef COREOPS_TRANSPOSE_TPL_H
#define COREOPS_TRANSPOSE_TPL_H

#include "../simd/vec.h"

/* T elements fill 16 bytes. A tile is T LL rows of x by T columns: vector i takes rows i,
 * i + T, .. in its 16-byte lanes, log2(T) rounds of zips transpose each lane's T by T block,
 * and vector j ends as T LL elements of column j. */
#define TRANSPOSE_ELEMENTWISE(bits)                                                           \
    static void transpose_small_x##bits(ptrdiff_t m, ptrdiff_t n, const uint##bits##_t *x,    \
                                        ptrdiff_t ldx, uint##bits##_t *y, ptrdiff_t ldy)      \
    {                                                                                         \
        for (ptrdiff_t j = 0; j < n; j++)                                                     \
            for (ptrdiff_t i = 0; i < m; i++) y[j * ldy + i] = x[i * ldx + j];                \
    }

#ifdef LL
/* Elements of x per block edge: what is read and written stays in L1 and in the TLB. */
#define TRANSPOSE_BLOCK 64

#define TRANSPOSE(bits)                                                                       \
    TRANSPOSE_ELEMENTWISE(bits)                                                               \
    CO_INLINE void transpose_tile_x##bits(const uint##bits##_t *x, ptrdiff_t ldx,             \
                                          uint##bits##_t *y, ptrdiff_t ldy)                   \
    {                                                                                         \
        enum { T = 128 / bits };                                                              \
        vlanes a[T], b[T];                                                                    \
        CO_UNROLL                                                                             \
        for (int i = 0; i < T; i++)                                                           \
            a[i] = l_load((const char *)(x + i * ldx), T * ldx * (bits / 8));                 \
        CO_UNROLL                                                                             \
        for (int round = T; round > 1; round /= 2) {                                          \
            CO_UNROLL                                                                         \
            for (int i = 0; i < T / 2; i++) {                                                 \
                b[2 * i] = l_zip_lo(bits, a[i], a[i + T / 2]);                                \
                b[2 * i + 1] = l_zip_hi(bits, a[i], a[i + T / 2]);                            \
            }                                                                                 \
            CO_UNROLL                                                                         \
            for (int i = 0; i < T; i++) a[i] = b[i];                                          \
        }                                                                                     \
        CO_UNROLL                                                                             \
        for (int j = 0; j < T; j++) l_store((char *)(y + j * ldy), a[j]);                     \
    }                                                                                         \
    static void transpose_block_x##bits(ptrdiff_t m, ptrdiff_t n, const uint##bits##_t *x,    \
                                        ptrdiff_t ldx, uint##bits##_t *y, ptrdiff_t ldy)      \
    {                                                                                         \
        enum { T = 128 / bits, ROWS = T * LL };                                               \
        if (m < ROWS || n < T) {                                                              \
            transpose_small_x##bits(m, n, x, ldx, y, ldy);                                    \
            return;                                                                           \
        }                                                                                     \
        /* The last tile of an edge moves back to end there: it repeats some elements. */     \
        for (ptrdiff_t i = 0; i < m; i += ROWS) {                                             \
            const ptrdiff_t row = i + ROWS <= m ? i : m - ROWS;                               \
            for (ptrdiff_t j = 0; j < n; j += T) {                                            \
                const ptrdiff_t col = j + T <= n ? j : n - T;                                 \
                transpose_tile_x##bits(x + row * ldx + col, ldx, y + col * ldy + row, ldy);   \
            }                                                                                 \
        }                                                                                     \
    }                                                                                         \
    static void transpose_x##bits(ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx,     \
                                  void *y, ptrdiff_t ldy)                                     \
    {                                                                                         \
        transpose_block_x##bits(m, n, x, ldx, y, ldy);                                        \
    }
#else
#define TRANSPOSE(bits)                                                                       \
    TRANSPOSE_ELEMENTWISE(bits)                                                               \
    static void transpose_x##bits(ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx,     \
                                  void *y, ptrdiff_t ldy)                                     \
    {                                                                                         \
        transpose_small_x##bits(m, n, x, ldx, y, ldy);                                        \
    }
#endif

TRANSPOSE(8)
TRANSPOSE(16)
TRANSPOSE(32)
TRANSPOSE(64)

#endif
