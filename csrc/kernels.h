/* kernels.h - what the drivers may ask of a kernel, and the table that holds the answers.
 *
 * A kernel is a single-threaded function of one block. It allocates nothing,
 * starts no thread, reports no error, reads no global and no environment, and
 * touches no byte outside the operands described here. Counts are in elements
 * and signed; leading dimensions (ld*) are the distance between two rows in
 * elements. "real" is float in a table of 32 bits and double in one of 64:
 * operands are void so that one table type and one driver serve both.
 *
 * Unless a line says otherwise:
 *   - sizes may be zero (nothing is written then), pointers need only the
 *     alignment of their element;
 *   - inputs and outputs either do not overlap or are the same pointer with the
 *     same layout (in place);
 *   - the result for a row depends on that row alone, in bits: not on its
 *     place in the block, on m, or on alignment;
 *   - stream says that the result is more than the cache keeps: it may go past
 *     it, and nobody else may read it before settle(). */
#ifndef COREOPS_KERNELS_H
#define COREOPS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "activation.h"

/* Which draw of which stream: philox.h has the generator. */
typedef struct co_stream {
    uint64_t seed, call;
} co_stream;

/* Matrices one after the other: distances in elements, ld* between rows, next_* between planes. */
typedef struct co_planes {
    ptrdiff_t m, n, ldx, ldy, count, next_x, next_y;
} co_planes;

#define CO_KERNEL_LIST(KERNEL)                                                                     \
    /* Packs a k by n row-major matrix of reals into ceil(n / NR) panels of k rows by NR           \
     * columns each (the table's gemm_nr); missing columns are zero. packed: 64-byte aligned,      \
     * k * roundup(n, NR) reals. */                                                                \
    KERNEL(gemm_pack, void,                                                                        \
           (ptrdiff_t k, ptrdiff_t n, const void *b, ptrdiff_t ldb, void *packed))                 \
    /* c[m,n] = act(a[m,k] * b[k,n] + bias[n]), b as gemm_pack left it, bias NULL for none.        \
     * Sums run over k in order, fused where the tier has FMA. c does not overlap a. k may be      \
     * 0: c = act(bias). */                                                                        \
    KERNEL(gemm, void,                                                                             \
           (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t lda,                   \
            const void *packed, const void *bias, void *c, ptrdiff_t ldc, const co_act *act))      \
    /* y[i] = act(x[i]) */                                                                         \
    KERNEL(vact, void, (ptrdiff_t n, const void *x, void *y, const co_act *act))                   \
    /* y[i] = a * x[i] */                                                                          \
    KERNEL(vscale, void, (ptrdiff_t n, const void *x, void *y, double a))                          \
    /* y[i] = max(x[i], 0) + alpha[i] * min(x[i], 0) */                                            \
    KERNEL(vprelu, void, (ptrdiff_t n, const void *x, const void *alpha, void *y))                 \
    /* Each of m contiguous rows of n: y = exp(x - max x) / sum, or with log != 0                  \
     * y = x - max x - log(sum exp(x - max x)). */                                                 \
    KERNEL(softmax, void, (ptrdiff_t m, ptrdiff_t n, const void *x, void *y, int log))             \
    /* Each of m contiguous rows of n: mask = 1 and y = x where any x differs from value (NaN      \
     * differs from everything), else mask = 0 and y = 0. n == 0: mask = 0. value is compared      \
     * after rounding to real. */                                                                  \
    KERNEL(masking, void,                                                                          \
           (ptrdiff_t m, ptrdiff_t n, const void *x, void *y, uint8_t *mask, double value))        \
    /* Inverted dropout of the elements start .. start + n - 1 of a stream: y[i] = scale *         \
     * x[i] where word(start + i) >= threshold, else 0. threshold <= 2^32. The word of an          \
     * element is defined in philox.h and is the same on every tier. */                            \
    KERNEL(dropout, void,                                                                          \
           (ptrdiff_t n, const void *x, void *y, co_stream stream, uint64_t start,                 \
            uint64_t threshold, double scale))                                                     \
    /* The words of elements start .. start + n - 1 of a stream. */                                \
    KERNEL(draw, void, (ptrdiff_t n, co_stream stream, uint64_t start, uint32_t *words))           \
    /* y[i] = scale * x[i] where words[i] >= threshold, else 0. 0 < threshold; words beyond the    \
     * n-th, up to a vector's, may be read. */                                                     \
    KERNEL(keep, void,                                                                             \
           (ptrdiff_t n, const void *x, void *y, const uint32_t *words, uint64_t threshold,        \
            double scale))                                                                         \
    /* For each of the planes y[j * ldy + i] = x[i * ldx + j], i < m and j < n, elements of 1, 2,  \
     * 4 or 8 bytes, moved and not computed. Never in place; any alignment. x may be read          \
     * anywhere between its first and its last element, also between rows. */                      \
    KERNEL(transpose_x8, void, (const co_planes *planes, const void *x, void *y, int stream))      \
    KERNEL(transpose_x16, void, (const co_planes *planes, const void *x, void *y, int stream))     \
    KERNEL(transpose_x32, void, (const co_planes *planes, const void *x, void *y, int stream))     \
    KERNEL(transpose_x64, void, (const co_planes *planes, const void *x, void *y, int stream))     \
    /* m rows of n bytes. ldx may be 0: the same row m times. */                                   \
    KERNEL(copy_rows, void,                                                                        \
           (ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx, void *y, ptrdiff_t ldy,        \
            int stream))                                                                           \
    /* Orders what kernels streamed before what this thread stores next. */                        \
    KERNEL(settle, void, (void))

#define CO_FIELD(slot, ret, params) ret(*slot) params;
#define CO_SLOT(slot, ret, params) .slot = slot,

typedef struct co_kernels {
    const char *isa;      /* "baseline", "avx2", ... */
    int real_bits;        /* 32 or 64 */
    int gemm_mr, gemm_nr; /* the register tile: rows of a, columns of b */
    CO_KERNEL_LIST(CO_FIELD)
} co_kernels;

/* The last line of every isa file: the table that its objects export. */
#define CO_CAT_(a, b, c) a##b##_f##c
#define CO_CAT(a, b, c) CO_CAT_(a, b, c)
#define CO_STR_(x) #x
#define CO_STR(x) CO_STR_(x)
#define CO_DEFINE_TABLE(tier)                                                                      \
    extern const co_kernels CO_CAT(co_kernels_, tier, CO_REAL_BITS);                               \
    const co_kernels CO_CAT(co_kernels_, tier, CO_REAL_BITS) = {.isa = CO_STR(tier),               \
                                                                .real_bits = CO_REAL_BITS,         \
                                                                .gemm_mr = GEMM_MR,                \
                                                                .gemm_nr = GEMM_NR,                \
                                                                CO_KERNEL_LIST(CO_SLOT)};

#endif
