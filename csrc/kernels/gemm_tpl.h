/* gemm_tpl.h - c = act(a * b + bias) on packed panels of b. Needs vec.h, vact, and
 *
 *   GEMM_MR  rows of the register tile
 *   GEMM_NR  its columns, a multiple of VL: the width of a panel
 *
 * Every element of c is one sum over k in order, whatever tile it falls in, so
 * the tiles may be chosen for speed alone. */
#ifndef COREOPS_GEMM_TPL_H
#define COREOPS_GEMM_TPL_H

#include "activation_tpl.h"

#define GEMM_NV (GEMM_NR / VL) /* vectors across a panel */

/* One row of a against b is as fast as b arrives: prefetching 512 bytes ahead gained 18% out of
 * L3 and lost nothing out of L2. GEMM_LINE is the vectors of a panel in one cache line. */
#define GEMM_AHEAD (512 / (ptrdiff_t)sizeof(real))
#define GEMM_LINE (VL * sizeof(real) < 64 ? GEMM_NV : 1)

/* What a tile needs beside its own place: a piece of the k of its sums. The first piece starts
 * them, the others go on with what lies in c; the last adds the bias. */
typedef struct gemm_shape {
    ptrdiff_t k, lda, ldc;
    ptrdiff_t panel; /* from one panel of b to the next */
    int first, last;
    real floor; /* 0 for relu, else -inf */
} gemm_shape;

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

/* The tiles below are inlined with constant mr and nv: mr rows by nv vectors, which may be a
 * part of a panel or several panels; n <= nv VL of the columns exist, all if whole. */
typedef vreal gemm_acc[GEMM_MR][4 * GEMM_NV];

CO_INLINE void gemm_start(const int mr, const int nv, const gemm_shape *s, ptrdiff_t n,
                          gemm_acc acc, const real *c) {
    CO_UNROLL
    for (int i = 0; i < mr; i++) {
        CO_UNROLL
        for (int v = 0; v < nv; v++)
            acc[i][v] = s->first ? V(0) : v_load_tail(c + i * s->ldc + v * VL, v_lanes(n - v * VL));
    }
}

CO_INLINE void gemm_finish(const int mr, const int nv, const int whole, const gemm_shape *s,
                           ptrdiff_t n, gemm_acc acc, const real *bias, real *c) {
    const vreal floor = v_set1(s->last ? s->floor : -REAL_INF);
    CO_UNROLL
    for (int v = 0; v < nv; v++) {
        const ptrdiff_t lanes = whole ? VL : v_lanes(n - v * VL);
        vreal shift = V(-0.0);
        if (bias && s->last)
            shift = whole ? v_load(bias + v * VL) : v_load_tail(bias + v * VL, lanes);
        CO_UNROLL
        for (int i = 0; i < mr; i++) {
            const vreal y = v_max(floor, v_add(acc[i][v], shift));
            real *at = c + i * s->ldc + v * VL;
            if (whole)
                v_store(at, y);
            else
                v_store_tail(at, y, lanes);
        }
    }
}

typedef void gemm_ukr(const gemm_shape *s, ptrdiff_t n, const real *a, const real *b,
                      const real *bias, real *c);

#if GEMM_MR == 4
#define GEMM_EACH_MR(X) X(1) X(2) X(3) X(4)
#elif GEMM_MR == 6
#define GEMM_EACH_MR(X) X(1) X(2) X(3) X(4) X(5) X(6)
#elif GEMM_MR == 8
#define GEMM_EACH_MR(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#elif GEMM_MR == 14
#define GEMM_EACH_MR(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#else
#error "list the row counts of this GEMM_MR"
#endif
static const int gemm_wide_columns[] = {4 * GEMM_NR, 2 * GEMM_NR, 2 * GEMM_NR};
#define GEMM_WIDE_ROWS 3

#define GEMM_NAME(x) gemm_##x
#define GEMM_MAC(x, b, acc) v_fma(x, b, acc)
#include "gemm_rows_tpl.h"

/* A narrow tile is as fast as the elements of a arrive: more rows than this, a power of 2
 * apart, would evict each other from a 12-way L1. */
#define GEMM_NARROW_ROWS 10

/* Bytes of b that stay in L2 while the rows of a go by. */
#define GEMM_NC_BYTES (128 * 1024)

/* Deep sums go in pieces of k, so that those of GEMM_DEEP_NC columns stay in L2 while all the rows
 * go by. Rows of a are copied for it: a power of 2 apart, they would evict each other. */
#define GEMM_KC 512
#define GEMM_DEEP (2 * GEMM_KC)
#define GEMM_DEEP_NC (8 * GEMM_NR)
#define GEMM_LDA (GEMM_KC + 16)

/* Copies mr rows of k elements. */
static void gemm_copy(int mr, ptrdiff_t k, const real *a, ptrdiff_t lda, real *to) {
    for (int i = 0; i < mr; i++) memcpy(to + i * GEMM_LDA, a + i * lda, (size_t)k * sizeof *a);
}

/* Columns j .. j + n - 1 of c, one piece of k, which starts at p. */
static void gemm_piece(gemm_shape s, ptrdiff_t m, ptrdiff_t n, int rows, const real *a,
                       const real *b, const real *bias, real *c) {
    const ptrdiff_t tiles = (m + rows - 1) / rows, lda = s.lda;
    const int deep = !s.first || !s.last;
    real copy[GEMM_MR * GEMM_LDA];
    if (deep) s.lda = GEMM_LDA;
    for (ptrdiff_t t = 0, i = 0; t < tiles; t++) {
        /* Rows shared out evenly: no short tile at the end. */
        const int mr = (int)((m - i) / (tiles - t));
        if (deep) gemm_copy(mr, s.k, a + i * lda, lda, copy);
        gemm_rows(mr, n, &s, deep ? copy : a + i * lda, b, bias, c + i * s.ldc);
        i += mr;
    }
}

static void gemm(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t lda,
                 const void *packed, const void *bias, void *c, ptrdiff_t ldc, const co_act *act) {
    const int in_tile = act->kind == CO_ACT_LINEAR || act->kind == CO_ACT_RELU;
    const int rows = n <= VL && GEMM_MR > GEMM_NARROW_ROWS ? GEMM_NARROW_ROWS : GEMM_MR;
    gemm_shape s = {k, lda, ldc, k * GEMM_NR, 1, 1, act->kind == CO_ACT_RELU ? 0 : -REAL_INF};
    ptrdiff_t nc = n, pieces = 1;
    if (m > rows && k > GEMM_DEEP) {
        nc = GEMM_DEEP_NC;
        pieces = (k + GEMM_KC - 1) / GEMM_KC;
    } else if (m > rows) {
        nc = GEMM_NC_BYTES / (ptrdiff_t)sizeof(real) / (k + 1) / GEMM_NR * GEMM_NR;
        if (nc < GEMM_NR) nc = GEMM_NR;
    }
    for (ptrdiff_t j = 0; j < n; j += nc) {
        const ptrdiff_t columns = n - j < nc ? n - j : nc;
        const real *biasj = bias ? (const real *)bias + j : NULL;
        real *cj = (real *)c + j;
        for (ptrdiff_t t = 0, p = 0; t < pieces; t++, p += s.k) {
            s.k = (k - p) / (pieces - t);
            s.first = t == 0;
            s.last = t == pieces - 1;
            gemm_piece(s, m, columns, rows, (const real *)a + p,
                       (const real *)packed + j * k + p * GEMM_NR, biasj, cj);
        }
        for (ptrdiff_t i = 0; i < m && !in_tile; i++)
            vact(columns, cj + i * ldc, cj + i * ldc, act);
    }
}

#endif
