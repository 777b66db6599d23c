/* gemm_tpl.h - c = act(a * b + bias) on packed panels of b. Every element of c is one sum over k in
 * order, whatever tile it falls in, so the tiles may be chosen for speed alone. */
#ifndef COREOPS_GEMM_TPL_H
#define COREOPS_GEMM_TPL_H

#include "activation_tpl.h"
#include "gemm_tile_tpl.h"

static void gemm_pack(ptrdiff_t k, ptrdiff_t n, const void *b, ptrdiff_t ldb, void *packed) {
    const real *br = b;
    real *p = packed;
    for (ptrdiff_t j = 0; j < n; j += GEMM_NR)
        for (ptrdiff_t i = 0; i < k; i++, p += GEMM_NR)
            for (ptrdiff_t v = 0; v < GEMM_NV; v++) {
                const ptrdiff_t col = j + v * VL, lanes = v_lanes(n - col);
                v_store(p + v * VL, lanes ? v_load_tail(br + i * ldb + col, lanes) : V(0));
            }
}

#define GEMM_NAME(x) gemm_##x
#define GEMM_MAC(x, b, acc) v_fma(x, b, acc)
#include "gemm_rows_tpl.h"

/* A narrow tile is as fast as the elements of a arrive: more rows than this, a power of 2
 * apart, would evict each other from a 12-way L1. A wide one has time for some of that, but not for
 * rows that all meet in one set. */
#define GEMM_NARROW_ROWS 10
#define GEMM_ROWS_OF_A_SET 12

/* The most rows of a tile. */
static ptrdiff_t gemm_tall(ptrdiff_t n, ptrdiff_t lda) {
    const int meet = lda % (4096 / (ptrdiff_t)sizeof(real)) == 0;
    const ptrdiff_t most = n <= VL ? GEMM_NARROW_ROWS : meet ? GEMM_ROWS_OF_A_SET : GEMM_MR;
    return most < GEMM_MR ? most : GEMM_MR;
}

/* Rows of n of c, activated. */
static void gemm_activate(ptrdiff_t m, ptrdiff_t n, real *c, ptrdiff_t ldc, const co_act *act) {
    if (n == ldc)
        vact(m * n, c, c, act);
    else
        for (ptrdiff_t i = 0; i < m; i++) vact(n, c + i * ldc, c + i * ldc, act);
}

static void gemm_strips(ptrdiff_t m, ptrdiff_t n, ptrdiff_t strips, const ptrdiff_t *at,
                        ptrdiff_t length, const void *a, ptrdiff_t lda, const void *packed,
                        const void *bias, void *c, ptrdiff_t ldc, const co_act *act) {
    const int in_tile = act->kind == CO_ACT_LINEAR || act->kind == CO_ACT_RELU;
    const ptrdiff_t rows = gemm_tall(n, lda), k = strips * length;
    const gemm_shape s = {length, lda, ldc, k * GEMM_NR, act->kind == CO_ACT_RELU, strips - 1, at};
    const ptrdiff_t tiles = (m + rows - 1) / rows;
    ptrdiff_t nc = n;
    if (tiles > 1) {
        nc = GEMM_NC_BYTES / (ptrdiff_t)sizeof(real) / (k + 1) / GEMM_NR * GEMM_NR;
        if (nc < GEMM_NR) nc = GEMM_NR;
    }
    for (ptrdiff_t j = 0; j < n; j += nc) {
        const ptrdiff_t columns = n - j < nc ? n - j : nc;
        const real *bj = (const real *)packed + j * k;
        const real *biasj = bias ? (const real *)bias + j : NULL;
        for (ptrdiff_t t = 0, i = 0, mr; t < tiles; t++, i += mr) {
            /* Rows shared out evenly: no short tile at the end. */
            mr = (m - i) / (tiles - t);
            real *ci = (real *)c + i * ldc + j;
            gemm_rows((int)mr, columns, &s, (const real *)a + i * lda, bj, biasj, ci);
            if (!in_tile) gemm_activate(mr, columns, ci, ldc, act);
        }
    }
}

static void gemm(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t lda,
                 const void *packed, const void *bias, void *c, ptrdiff_t ldc, const co_act *act) {
    gemm_strips(m, n, 1, NULL, k, a, lda, packed, bias, c, ldc, act);
}

#endif
