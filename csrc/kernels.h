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
#include "cell.h"
#include "loss.h"
#include "update.h"
#include "window.h"

typedef struct co_kernels co_kernels;

/* Which draw of which stream: philox.h has the generator. */
typedef struct co_stream {
    uint64_t seed, call;
} co_stream;

/* How two arrays become one. */
enum {
    CO_MERGE_ADD,
    CO_MERGE_SUBTRACT,
    CO_MERGE_MULTIPLY,
    CO_MERGE_DIVIDE,
    CO_MERGE_MAXIMUM,
    CO_MERGE_MINIMUM
};

/* The least that a product of float32 keeps: all of float32, about 16 bits, about 8 bits. */
typedef enum co_precision { CO_HIGHEST, CO_HIGH, CO_MEDIUM, CO_PRECISIONS } co_precision;

/* Another way to multiply by weights than gemm, for batches that are large enough: it converts the
 * rows of a into scratch before it multiplies. packed and scratch are 64-byte aligned.
 *   suits     whether it beats gemm, with rows enough
 *   bytes     of the packed weights
 *   pack      from gemm's panels
 *   block     the rows that the caller should let it have at once
 *   scratch   bytes of scratch for m rows
 *   run       as gemm, which with the activations it takes from the table; rows for which its
 * arithmetic does not do (kernels/ says which) are computed as gemm does, from the panels */
typedef struct co_matmul {
    const char *name;
    ptrdiff_t rows;  /* fewer rows than this are gemm's */
    ptrdiff_t grain; /* whole multiples of so many rows go best */
    ptrdiff_t nr;    /* of so many columns: packed weights of a multiple of it are a prefix */
    double speed;    /* times gemm's, roughly */
    int (*suits)(ptrdiff_t k, ptrdiff_t n);
    ptrdiff_t (*bytes)(ptrdiff_t k, ptrdiff_t n);
    void (*pack)(ptrdiff_t k, ptrdiff_t n, const void *panels, void *packed);
    ptrdiff_t (*block)(ptrdiff_t k);
    ptrdiff_t (*scratch)(ptrdiff_t m, ptrdiff_t k);
    void (*run)(const co_kernels *table, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a,
                ptrdiff_t lda, const void *panels, const void *packed, const void *bias, void *c,
                ptrdiff_t ldc, const co_act *act, void *scratch);
} co_matmul;

/* The longest sum of products of -127 .. 127 and -128 .. 127 that surely fits into 32 bits. */
enum { CO_QGEMM_DEPTH = INT32_MAX / (127 * 128) };

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
    /* The same where row i of a is in strips: k elements each, strip s at a + i * lda + at[s],    \
     * and at[0] is 0. b is strips * k by n. Rows of a may overlap. */                             \
    KERNEL(gemm_strips, void,                                                                      \
           (ptrdiff_t m, ptrdiff_t n, ptrdiff_t strips, const ptrdiff_t *at, ptrdiff_t k,          \
            const void *a, ptrdiff_t lda, const void *packed, const void *bias, void *c,           \
            ptrdiff_t ldc, const co_act *act))                                                     \
    /* c[i,j] = the sum over strips s and p < k of a[s * next_a + p * lda + i] b[s * next_b +      \
     * p * ldb + j], in order, added to what c is if `more`: c is m by n. Rows of a may overlap.   \
     */                                                                                            \
    KERNEL(outer, void,                                                                            \
           (ptrdiff_t m, ptrdiff_t n, ptrdiff_t strips, ptrdiff_t k, const void *a, ptrdiff_t lda, \
            ptrdiff_t next_a, const void *b, ptrdiff_t ldb, ptrdiff_t next_b, void *c,             \
            ptrdiff_t ldc, int more))                                                              \
    /* A product of few columns, by sums along k: lane l of VL takes the k that leave l, and the   \
     * lanes are added pairwise. Whether it suits depends on k and n alone, so a row has the same  \
     * bits in any batch. As gemm otherwise; packed: what gemm_pack may write. */                  \
    KERNEL(dots_suit, int, (ptrdiff_t k, ptrdiff_t n))                                             \
    KERNEL(dots_pack, void,                                                                        \
           (ptrdiff_t k, ptrdiff_t n, const void *b, ptrdiff_t ldb, void *packed))                 \
    KERNEL(dots, void,                                                                             \
           (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t lda,                   \
            const void *packed, const void *bias, void *c, ptrdiff_t ldc, const co_act *act))      \
    /* A row of tiles of a convolution of 3 by 3 with stride 1 (winograd_tpl.h): tile t of 4 by 4  \
     * results reads 6 by 6 pixels of c channels, in rows ldx apart, from x + 4 * t * c on. Number \
     * i of 36 of its channels goes to v + i * plane + t * c. */                                   \
    KERNEL(winograd_in, void,                                                                      \
           (ptrdiff_t tiles, ptrdiff_t c, const void *x, ptrdiff_t ldx, void *v, ptrdiff_t plane)) \
    /* The kernels w[3,3,k,n], transformed: CO_WINOGRAD_NUMBERS matrices of k by n as gemm_pack    \
     * packs them, from one to the next `apart` elements. */                                       \
    KERNEL(winograd_pack, void,                                                                    \
           (ptrdiff_t k, ptrdiff_t n, const void *w, void *packed, ptrdiff_t apart))               \
    /* The transpose of the way back, for gradients: `columns` of n in each of `rows` <= 4 rows,   \
     * ldy apart, become 36 numbers for each tile. */                                              \
    KERNEL(winograd_grad, void,                                                                    \
           (ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t n, const void *y, ptrdiff_t ldy, void *m, \
            ptrdiff_t plane))                                                                      \
    /* And that of the kernels' transform: n elements of each of 36 planes become those of each of \
     * 9 in w, n apart. Returns whether any is not finite. */                                      \
    KERNEL(winograd_sums, int, (ptrdiff_t n, const void *u, ptrdiff_t plane, void *w))             \
    /* And back, from n sums for each of the 36 numbers, to `columns` results in each of `rows` <= \
     * 4 rows, ldy apart, plus bias[n] (NULL for none), at least 0 if relu. Returns whether any is \
     * not finite, in the first channels, where all are if pixels or what they became are not. */  \
    KERNEL(winograd_out, int,                                                                      \
           (ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t n, const void *m, ptrdiff_t plane,        \
            const void *bias, void *y, ptrdiff_t ldy, int relu))                                   \
    /* Windows over an image of one sample (window.h). `rows` rows of the result from row `first`  \
     * on, which y points to; the largest pixel of each window, NaN if one is; or their mean.      \
     * Padding counts for nothing, and no window is all padding. */                                \
    KERNEL(maxpool, void,                                                                          \
           (const co_window *s, ptrdiff_t first, ptrdiff_t rows, const void *x, void *y))          \
    KERNEL(avgpool, void,                                                                          \
           (const co_window *s, ptrdiff_t first, ptrdiff_t rows, const void *x, void *y))          \
    /* Their gradients, of a whole image; of equal largest pixels the first one has it. */         \
    KERNEL(maxpool_grad, void, (const co_window *s, const void *x, const void *dy, void *dx))      \
    KERNEL(avgpool_grad, void, (const co_window *s, const void *dy, void *dx))                     \
    /* The windows of all results side by side, (oh, ow, kh, kw, channels), of the channels from x \
     * on, padding being 0. */                                                                     \
    KERNEL(im2col, void, (const co_window *s, ptrdiff_t channels, const void *x, void *columns))   \
    /* act of each channel's convolution with its own w[kh,kw,c], in the order of w and without    \
     * padding, plus bias[c] (NULL for none): `rows` rows of results from row `first` on, which y  \
     * points to. */                                                                               \
    KERNEL(depthwise, void,                                                                        \
           (const co_window *s, ptrdiff_t first, ptrdiff_t rows, const void *x, const void *w,     \
            const void *bias, void *y, const co_act *act))                                         \
    /* The gradient of w of one image. */                                                          \
    KERNEL(depthwise_sums, void, (const co_window *s, const void *x, const void *dy, void *dw))    \
    /* Packs k by n int8 weights for qgemm, into qgemm_bytes(k, n) bytes; those of the first j     \
     * columns, j a multiple of qgemm_nr, are a prefix. packed: 64-byte aligned.                   \
     * k <= CO_QGEMM_DEPTH. */                                                                     \
    KERNEL(qgemm_bytes, ptrdiff_t, (ptrdiff_t k, ptrdiff_t n))                                     \
    KERNEL(qgemm_pack, void,                                                                       \
           (ptrdiff_t k, ptrdiff_t n, const int8_t *b, ptrdiff_t ldb, void *packed))               \
    KERNEL(qgemm_scratch, ptrdiff_t, (ptrdiff_t m, ptrdiff_t k))                                   \
    /* c[i,j] = act(sum over k of q[i,k] b[k,j] / (s[i] * scale[j]) + bias[j]), where              \
     * s[i] = 127 / (max |a[i,k]| + 1e-7) and q[i,k] = a[i,k] * s[i] to the nearest integer,       \
     * ties to even. The sum is exact, every other operation rounded by itself: the same bits      \
     * on every tier, but for act. A row that is not all finite gives NaN. scale and bias (NULL    \
     * for none): n reals. scratch: 64-byte aligned, qgemm_scratch(m, k) bytes. c does not         \
     * overlap a. table: the one that this is taken from. */                                       \
    KERNEL(qgemm, void,                                                                            \
           (const co_kernels *table, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a,         \
            ptrdiff_t lda, const void *packed, const void *scale, const void *bias, void *c,       \
            ptrdiff_t ldc, const co_act *act, void *scratch))                                      \
    /* y[i] = act(x[i]) */                                                                         \
    KERNEL(vact, void, (ptrdiff_t n, const void *x, void *y, const co_act *act))                   \
    /* y[i] = a * x[i], a rounded to real before */                                                \
    KERNEL(vscale, void, (ptrdiff_t n, const void *x, void *y, double a))                          \
    /* y[i] = max(x[i], 0) + alpha[i] * min(x[i], 0) */                                            \
    KERNEL(vprelu, void, (ptrdiff_t n, const void *x, const void *alpha, void *y))                 \
    /* Each of m contiguous rows of n: y = exp(x - max x) / sum, or with log != 0                  \
     * y = x - max x - log(sum exp(x - max x)). */                                                 \
    KERNEL(softmax, void, (ptrdiff_t m, ptrdiff_t n, const void *x, void *y, int log))             \
    /* dx[i] = dy[i] * act'(x[i]), where v holds y = act(x) if co_act_by_output(act), else x. At a \
     * bend act' is that of the flat side, or of the side below. A NaN in v or dy gives NaN. */    \
    KERNEL(vact_grad, void,                                                                        \
           (ptrdiff_t n, const void *v, const void *dy, void *dx, const co_act *act))              \
    /* The gradient of vprelu: dx[i] = dy[i] * (x[i] > 0 ? 1 : alpha[i]) and dalpha[i] = dy[i] *   \
     * min(x[i], 0). dx and dalpha may be NULL. */                                                 \
    KERNEL(                                                                                        \
        vprelu_grad, void,                                                                         \
        (ptrdiff_t n, const void *x, const void *alpha, const void *dy, void *dx, void *dalpha))   \
    /* The gradient of softmax, y being its result: dx = y (dy - sum of dy y), or with log != 0    \
     * dx = dy - exp(y) sum of dy. */                                                              \
    KERNEL(softmax_grad, void,                                                                     \
           (ptrdiff_t m, ptrdiff_t n, const void *y, const void *dy, void *dx, int log))           \
    /* A loss of m contiguous rows of n predictions p, of which t are the targets: m rows of n     \
     * reals, or for sparse kinds m classes of int32, where one outside 0 .. n - 1 is no target:   \
     * value and grad are 0. value[i] is row i's loss, and grad[i,:] its derivative to p[i,:]      \
     * times weight[i], 1 if weight is NULL. value and grad may be NULL; grad may be p. */         \
    KERNEL(loss, void,                                                                             \
           (ptrdiff_t m, ptrdiff_t n, const void *t, const void *p, const void *weight,            \
            void *value, void *grad, const co_loss *loss))                                         \
    /* y[i] += x[i] */                                                                             \
    KERNEL(vadd, void, (ptrdiff_t n, const void *x, void *y))                                      \
    /* z[i] of x[i] and y[i] as CO_MERGE_... says; a maximum or minimum with a NaN is NaN. z may   \
     * be x or y. */                                                                               \
    KERNEL(merge, void, (int how, ptrdiff_t n, const void *x, const void *y, void *z))             \
    /* Of a maximum or minimum of x and y, what goes back to x: dx[i] = dz[i] where x[i] is the    \
     * one, half of it where both are, else 0. dx may be dz. */                                    \
    KERNEL(chosen, void,                                                                           \
           (int how, ptrdiff_t n, const void *x, const void *y, const void *dz, void *dx))         \
    /* z[i,j] = sum over l < k of x[i,l] * y[j,l], for m rows of x and n of y, in an order that    \
     * depends on k alone. */                                                                      \
    KERNEL(products, void,                                                                         \
           (ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *x, const void *y, void *z))         \
    /* y[j] = sum over i < m of x[i,j], i in order. */                                             \
    KERNEL(colsum, void, (ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx, void *y))        \
    /* Each of m contiguous rows of n: y = x where mask is not 0, else y = 0. */                   \
    KERNEL(keep_rows, void,                                                                        \
           (ptrdiff_t m, ptrdiff_t n, const uint8_t *mask, const void *x, void *y))                \
    /* l1 * sum |x| + l2 * sum x^2, summed in double and in an order that depends on n alone; a    \
     * term whose factor is 0 is left out. dx NULL, or dx[i] += scale * (l1 * sign(x[i]) +         \
     * 2 * l2 * x[i]), where sign(0) is 0. */                                                      \
    KERNEL(penalty, double,                                                                        \
           (ptrdiff_t n, const void *x, double l1, double l2, double scale, void *dx))             \
    /* sum x^2, summed in double and in an order that depends on n alone. */                       \
    KERNEL(sumsq, double, (ptrdiff_t n, const void *x))                                            \
    /* Each of m contiguous rows of n: mask = 1 and y = x where any x differs from value (NaN      \
     * differs from everything), else mask = 0 and y = 0. n == 0: mask = 0. value is compared      \
     * after rounding to real. */                                                                  \
    KERNEL(masking, void,                                                                          \
           (ptrdiff_t m, ptrdiff_t n, const void *x, void *y, uint8_t *mask, double value))        \
    /* x as (m, n, run): y[i,c,j] = (x[i,c,j] - center[c]) * scale[c] + shift[c]; center and shift \
     * may be NULL. */                                                                             \
    KERNEL(affine, void,                                                                           \
           (ptrdiff_t m, ptrdiff_t n, ptrdiff_t run, const void *x, const void *center,            \
            const void *scale, const void *shift, void *y))                                        \
    /* Of rows that were counted before, `count` with that mean and so large a sum of squared      \
     * differences from it, and the m contiguous rows of n whose mask is not 0 (NULL: all): mean   \
     * and squares become those of both, 32 rows in reals and these in double, in order. Returns   \
     * the number of both. */                                                                      \
    KERNEL(channel_moments, double,                                                                \
           (ptrdiff_t m, ptrdiff_t n, const uint8_t *mask, const void *x, double count,            \
            double *mean, double *squares))                                                        \
    /* Over m contiguous rows of n: sums[c] += sum of dy[i,c] and products[c] += sum of            \
     * (x[i,c] - center[c]) dy[i,c], 32 rows in reals and these in double, in order. */            \
    KERNEL(channel_sums, void,                                                                     \
           (ptrdiff_t m, ptrdiff_t n, const void *x, const void *dy, const void *center,           \
            double *sums, double *products))                                                       \
    /* dx = a[c] dy, to which rows whose mask is not 0 (NULL: all) add b[c] (x - center[c]) +      \
     * c[c]. */                                                                                    \
    KERNEL(channel_grad, void,                                                                     \
           (ptrdiff_t m, ptrdiff_t n, const uint8_t *mask, const void *x, const void *dy,          \
            const void *center, const void *a, const void *b, const void *c, void *dx))            \
    /* Each of m contiguous rows of n: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta,   \
     * with the population variance. gamma and beta may be NULL. */                                \
    KERNEL(layer_norm, void,                                                                       \
           (ptrdiff_t m, ptrdiff_t n, const void *x, const void *gamma, const void *beta,          \
            double epsilon, void *y))                                                              \
    /* The gradients of layer_norm to x and, row by row, to gamma. gamma, dx and dgamma may be     \
     * NULL, and dx may be dy. */                                                                  \
    KERNEL(layer_norm_grad, void,                                                                  \
           (ptrdiff_t m, ptrdiff_t n, const void *x, const void *gamma, const void *dy,            \
            double epsilon, void *dx, void *dgamma))                                               \
    /* y[j], the mean of x[i,j] over the i < m whose mask is not 0 (NULL: all), NaN where there is \
     * none; and its gradient, 0 elsewhere. */                                                     \
    KERNEL(mean_over, void,                                                                        \
           (ptrdiff_t m, ptrdiff_t n, const uint8_t *mask, const void *x, void *y))                \
    KERNEL(mean_over_grad, void,                                                                   \
           (ptrdiff_t m, ptrdiff_t n, const uint8_t *mask, const void *dy, void *dx))              \
    /* y[j], the largest x[i,j] of all i < m, NaN if one is, -inf for none; and its gradient, of   \
     * which those that tie have equal shares. */                                                  \
    KERNEL(max_over, void, (ptrdiff_t m, ptrdiff_t n, const void *x, void *y))                     \
    KERNEL(max_over_grad, void,                                                                    \
           (ptrdiff_t m, ptrdiff_t n, const void *x, const void *y, const void *dy, void *dx))     \
    /* y[i,:] = table[index[i],:], rows of n, and mask[i] = index[i] != 0 unless mask is NULL. A   \
     * number of a row is a real, without what it has behind the point. */                         \
    KERNEL(                                                                                        \
        gather, void,                                                                              \
        (ptrdiff_t m, ptrdiff_t n, const void *index, const void *table, void *y, uint8_t *mask))  \
    /* Whether index[i], without what it has behind the point, is in 0 .. limit - 1 for all        \
     * i < m. */                                                                                   \
    KERNEL(within, int, (ptrdiff_t m, const void *index, ptrdiff_t limit))                         \
    /* y[index[i] - first,:] += x[i,:], i in order, where that is one of y's rows. */              \
    KERNEL(scatter_add, void,                                                                      \
           (ptrdiff_t m, ptrdiff_t n, const void *index, const void *x, ptrdiff_t ldx,             \
            ptrdiff_t first, ptrdiff_t rows, void *y, ptrdiff_t ldy))                              \
    /* Inverted dropout of the elements start .. start + n - 1 of a stream: y[i] = scale *         \
     * x[i] where word(start + i) >= threshold, else 0. threshold <= 2^32. The word of an          \
     * element is defined in philox.h and is the same on every tier. past: y goes past the cache.  \
     */                                                                                            \
    KERNEL(dropout, void,                                                                          \
           (ptrdiff_t n, const void *x, void *y, co_stream stream, uint64_t start,                 \
            uint64_t threshold, double scale, int past))                                           \
    /* The words of elements start .. start + n - 1 of a stream. */                                \
    KERNEL(draw, void, (ptrdiff_t n, co_stream stream, uint64_t start, uint32_t *words))           \
    /* y[i] = scale * x[i] where words[i] >= threshold, else 0. 0 < threshold; words beyond the    \
     * n-th, up to a vector's, may be read. */                                                     \
    KERNEL(keep, void,                                                                             \
           (ptrdiff_t n, const void *x, void *y, const uint32_t *words, uint64_t threshold,        \
            double scale))                                                                         \
    /* With z the normals of elements start .. start + n - 1 of a stream: y[i] = x[i] + deviation  \
     * * z[i], or with times != 0 x[i] * (1 + deviation * z[i]). A normal is made of two words of  \
     * its group of 64 (gauss_tpl.h): these are the same on every tier, the normals but for their  \
     * last places. */                                                                             \
    KERNEL(gauss, void,                                                                            \
           (ptrdiff_t n, const void *x, void *y, co_stream stream, uint64_t start,                 \
            double deviation, int times))                                                          \
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
    /* A step of m rows of a recurrent cell of u units; reset and reset_back are the parts of a    \
     * GRU that resets before its product. cell.h says what they do with their operands. */        \
    KERNEL(cell, void, (ptrdiff_t m, ptrdiff_t u, const co_cell *what, const co_cell_step *step))  \
    KERNEL(cell_reset, void,                                                                       \
           (ptrdiff_t m, ptrdiff_t u, const co_cell *what, const co_cell_step *step))              \
    /* Steps of one row of an LSTM or a GRU with the products of its state by r, u by parts * u.   \
     * recur_bytes: of r packed, 64-byte aligned; 0 where there is no such kernel for the cell. */ \
    KERNEL(recur_bytes, ptrdiff_t, (ptrdiff_t u, const co_cell *what))                             \
    KERNEL(recur_pack, void, (ptrdiff_t u, ptrdiff_t parts, const void *r, void *packed))          \
    KERNEL(recur, void, (ptrdiff_t u, const co_cell *what, const co_recur *row))                   \
    /* y[i] = x[i] * factors[i] */                                                                 \
    KERNEL(cell_weigh, void, (ptrdiff_t n, const void *x, const void *factors, void *y))           \
    KERNEL(cell_back, void,                                                                        \
           (ptrdiff_t m, ptrdiff_t u, const co_cell *what, const co_cell_back *back))              \
    KERNEL(cell_reset_back, void,                                                                  \
           (ptrdiff_t m, ptrdiff_t u, const co_cell *what, const co_cell_back *back))              \
    /* One step of a prepared rule over n elements of a weight, as update.h says: w and its slots  \
     * change, g does not. An element's result depends on that element alone. slots: those of its  \
     * kind and what the rule gathers and averages in, of n reals each. */                         \
    KERNEL(update, void,                                                                           \
           (ptrdiff_t n, void *w, const void *g, void *const *slots, const co_rule *rule,          \
            const co_weight *of))                                                                  \
    /* The sum of squares of the gradients that such a step would go by, with factor and share,    \
     * before it clips them by value; in double, in an order that depends on n alone. Nothing      \
     * changes. */                                                                                 \
    KERNEL(update_sumsq, double,                                                                   \
           (ptrdiff_t n, const void *w, const void *g, void *const *slots, const co_rule *rule,    \
            const co_weight *of))                                                                  \
    /* Scales each column of w[k,n] to the norm that co_norm (update.h) gives it. Squares are      \
     * summed over k in order: a column's result depends on that column alone. */                  \
    KERNEL(rescale_columns, void,                                                                  \
           (ptrdiff_t k, ptrdiff_t n, void *w, ptrdiff_t ldw, const co_norm *norm))                \
    /* Orders what kernels streamed before what this thread stores next. */                        \
    KERNEL(settle, void, (void))                                                                   \
    /* x = a * x + b, n times over, in every lane of a fixed number of registers, the lanes of     \
     * register j from x = j; the sum of all lanes. With a = 0 and b = 1 that is how many          \
     * multiply-adds each of the n has. */                                                         \
    KERNEL(peak_fma, double, (ptrdiff_t n, double a, double b))                                    \
    /* The largest of x[0..n-1], -inf for none; may lose a NaN. */                                 \
    KERNEL(peak_read, double, (ptrdiff_t n, const void *x))

#define CO_FIELD(slot, ret, params) ret(*slot) params;

struct co_kernels {
    const char *isa;                        /* "baseline", "avx2", ... */
    int real_bits;                          /* 32 or 64 */
    int gemm_mr, gemm_nr;                   /* the register tile: rows of a, columns of b */
    int qgemm_nr;                           /* columns of a panel of qgemm */
    const co_matmul *matmul[CO_PRECISIONS]; /* NULL: gemm is the best there is */
    CO_KERNEL_LIST(CO_FIELD)
};

#endif
