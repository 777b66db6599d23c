/* gemm_halves_tpl.h - products of float32 of the precision "medium" by AVX512-BF16: operands
 * rounded to bfloat16, sums of float32, at twice the rate of an FMA and from half the bytes. Needs
 * halves.h and gemm_tile_tpl.h.
 *
 * A pair of bfloat16, neighbours along k, stands where gemm has a float. What the rounding cannot
 * represent is left to gemm as in gemm_tiles_tpl.h: rows of a and panels with a column whose
 * greatest element is below H_SMALL, and rows whose result is not finite. */
#ifndef COREOPS_GEMM_HALVES_TPL_H
#define COREOPS_GEMM_HALVES_TPL_H

#include "../simd/halves.h"
#include "gemm_tile_tpl.h"

#define GEMM_NAME(x) halves_##x
#define GEMM_MAC(x, b, acc) h_dot(x, b, acc)
#include "gemm_rows_tpl.h"

static int halves_suits(ptrdiff_t k, ptrdiff_t n) { return k >= HALVES && n >= VL; }

/* Pairs of a row; of a row in scratch, whose last vector is whole, and one more: rows a power of 2
 * apart would evict each other. */
CO_INLINE ptrdiff_t halves_pairs(ptrdiff_t k) { return (k + 1) / 2; }
CO_INLINE ptrdiff_t halves_stride(ptrdiff_t k) { return (k + HALVES - 1) / HALVES * VL + VL; }

/* A panel is a line that says whether it may be used, and then its pairs. */
#define HALVES_HEAD VL
CO_INLINE ptrdiff_t halves_panel(ptrdiff_t k) { return HALVES_HEAD + halves_pairs(k) * GEMM_NR; }
static ptrdiff_t halves_bytes(ptrdiff_t k, ptrdiff_t n) {
    return (n + GEMM_NR - 1) / GEMM_NR * halves_panel(k) * (ptrdiff_t)sizeof(real);
}

static void halves_pack(ptrdiff_t k, ptrdiff_t n, const void *panels, void *packed) {
    const real *from = panels;
    real *panel = packed;
    for (ptrdiff_t j = 0; j < n; j += GEMM_NR, from += k * GEMM_NR, panel += halves_panel(k)) {
        const real *row = from;
        real *to = panel + HALVES_HEAD;
        vreal top[GEMM_NR / VL] = {V(0), V(0)};
        for (ptrdiff_t p = 0; p < k; p += 2, row += 2 * GEMM_NR)
            for (int v = 0; v < GEMM_NR / VL; v++, to += VL) {
                vreal x[] = {v_load(row + v * VL),
                             p + 1 < k ? v_load(row + GEMM_NR + v * VL) : V(0)};
                top[v] = v_max(v_max(v_abs(x[0]), top[v]), v_abs(x[1]));
                h_peel_pairs(x, to);
            }
        *panel = !h_small(top[0]) && !h_small(top[1]);
    }
}

static ptrdiff_t halves_scratch(ptrdiff_t m, ptrdiff_t k) {
    return m * (halves_stride(k) + 1) * (ptrdiff_t)sizeof(real);
}

/* One row in pairs. Returns whether it is too small. */
static int halves_round(ptrdiff_t k, const real *a, real *pairs) {
    vreal top = V(0);
    for (ptrdiff_t p = 0; p < k; p += HALVES, pairs += VL) {
        vreal x[HALVES / VL];
        CO_UNROLL
        for (int v = 0; v < HALVES / VL; v++) {
            const ptrdiff_t lanes = v_lanes(k - p - v * VL);
            x[v] = lanes ? v_load_tail(a + p + v * VL, lanes) : V(0);
            top = v_max(v_abs(x[v]), top);
        }
        h_peel(x, pairs);
    }
    return h_small(v_top_of(top, VL));
}

/* Whether all of some rows are finite. */
static int halves_finite(ptrdiff_t rows, ptrdiff_t n, const real *c, ptrdiff_t ldc) {
    vreal zero = V(0); /* inf - inf and NaN - NaN are NaN */
    for (ptrdiff_t i = 0; i < rows; i++, c += ldc)
        for (ptrdiff_t j = 0; j < n; j += VL) {
            const vreal x = v_load_tail(c + j, v_lanes(n - j));
            zero = v_add(zero, v_sub(x, x));
        }
    return !v_any(v_ne(zero, V(0)));
}

/* A call, and rows from i on of columns from j on, whose sums are in c: those that are gemm's are
 * computed again, and all activated. Panel by panel, so that the bits do not depend on how the
 * caller shares out columns. */
typedef struct halves_call {
    const co_kernels *table;
    ptrdiff_t k, lda, ldc, panel;
    const real *a, *panels, *packed, *bias, *is_gemms;
    real *c;
    const co_act *act;
} halves_call;

static void halves_finish(const halves_call *s, ptrdiff_t i, ptrdiff_t rows, ptrdiff_t j,
                          ptrdiff_t columns) {
    static const co_act linear = {CO_ACT_LINEAR, 0, 0, 0};
    const int in_tile = s->act->kind == CO_ACT_LINEAR || s->act->kind == CO_ACT_RELU;
    real *c = s->c + i * s->ldc + j;
    int any = 0;
    for (ptrdiff_t r = 0; r < rows; r++) any |= s->is_gemms[i + r] != 0;
    for (ptrdiff_t p = 0; p < columns; p += GEMM_NR) {
        const ptrdiff_t some = columns - p < GEMM_NR ? columns - p : GEMM_NR;
        const int usable = s->packed[(j + p) / GEMM_NR * s->panel] != 0;
        if (usable && !any && halves_finite(rows, some, c + p, s->ldc)) continue;
        for (ptrdiff_t r = 0; r < rows; r++)
            if (!usable || s->is_gemms[i + r] != 0 ||
                !halves_finite(1, some, c + r * s->ldc + p, s->ldc))
                s->table->gemm(1, some, s->k, s->a + (i + r) * s->lda, s->lda,
                               s->panels + (j + p) * s->k, s->bias ? s->bias + j + p : NULL,
                               c + r * s->ldc + p, s->ldc, in_tile ? s->act : &linear);
    }
    if (!in_tile) gemm_activate_by(s->table, rows, columns, c, s->ldc, s->act);
}

static void halves_run(const co_kernels *table, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k,
                       const void *a, ptrdiff_t lda, const void *panels, const void *packed,
                       const void *bias, void *c, ptrdiff_t ldc, const co_act *act, void *scratch) {
    const ptrdiff_t pairs = halves_pairs(k), stride = halves_stride(k);
    const gemm_shape s = {.k = pairs,
                          .lda = stride,
                          .ldc = ldc,
                          .panel = halves_panel(k),
                          .relu = act->kind == CO_ACT_RELU};
    const real *ar = a, *b = packed, *br = bias;
    real *cr = c, *rounded = scratch, *is_gemms = rounded + m * stride;
    const halves_call call = {table, k, lda, ldc, s.panel, ar, panels, b, br, is_gemms, cr, act};
    for (ptrdiff_t i = 0; i < m; i++)
        is_gemms[i] = (real)halves_round(k, ar + i * lda, rounded + i * stride);
    ptrdiff_t nc = n;
    if (m > GEMM_MR) {
        nc = GEMM_NC_BYTES / (ptrdiff_t)sizeof(real) / (pairs + 1) / GEMM_NR * GEMM_NR;
        if (nc < GEMM_NR) nc = GEMM_NR;
    }
    for (ptrdiff_t j = 0; j < n; j += nc) {
        const ptrdiff_t tiles = (m + GEMM_MR - 1) / GEMM_MR, columns = n - j < nc ? n - j : nc;
        for (ptrdiff_t t = 0, i = 0, mr; t < tiles; t++, i += mr) {
            mr = (m - i) / (tiles - t);
            halves_rows((int)mr, columns, &s, rounded + i * stride,
                        b + j / GEMM_NR * s.panel + HALVES_HEAD, br ? br + j : NULL,
                        cr + i * ldc + j);
            halves_finish(&call, i, mr, j, columns); /* while they are in the cache */
        }
    }
}

/* The rows of a block: weights beyond L2 come from further away once for each. Whether the rows
 * themselves stay in L2 matters less: half as many were 8% slower at k = 2048. */
static ptrdiff_t halves_block(ptrdiff_t k) {
    (void)k;
    return 24 * GEMM_MR;
}

static const co_matmul halves_medium = {.name = "avx512-bf16",
                                        .rows = 1,
                                        .grain = 1, /* tiles share rows out evenly */
                                        .nr = GEMM_NR,
                                        .speed = 1.7,
                                        .suits = halves_suits,
                                        .bytes = halves_bytes,
                                        .pack = halves_pack,
                                        .block = halves_block,
                                        .scratch = halves_scratch,
                                        .run = halves_run};

#endif
