/* gemm_tile_tpl.h - what all products by panels of b have in common: the register tile. Needs
 *
 *   GEMM_MR  its rows
 *   GEMM_NR  its columns, a multiple of VL: the width of a panel */
#ifndef COREOPS_GEMM_TILE_TPL_H
#define COREOPS_GEMM_TILE_TPL_H

#include "../kernels.h"
#include "../simd/vec.h"

#define GEMM_NV (GEMM_NR / VL) /* vectors across a panel */

/* One row of a against b is as fast as b arrives: prefetching 512 bytes ahead gained 18% out of
 * L3 and lost nothing out of L2. GEMM_LINE is the vectors of a panel in one cache line. */
#define GEMM_AHEAD (512 / (ptrdiff_t)sizeof(real))
#define GEMM_LINE (VL * sizeof(real) < 64 ? GEMM_NV : 1)

/* The rows of a tile are reached from the first of each group: addresses of fourteen would not all
 * stay in registers. */
enum { GEMM_GROUP = 4, GEMM_GROUPS = (GEMM_MR + GEMM_GROUP - 1) / GEMM_GROUP };

/* Stores to lines that are not in the first cache cost a tile up to 4%: the lines of c are fetched
 * so many steps of k before the end. */
enum { GEMM_NEAR = 16 };

/* What a tile needs beside its own place. */
typedef struct gemm_shape {
    ptrdiff_t k, lda, ldc;
    ptrdiff_t panel;     /* from one panel of b to the next */
    int relu;            /* the results are at least 0 */
    ptrdiff_t more;      /* strips of k elements of a, after the first, that a row has */
    const ptrdiff_t *at; /* where each strip starts */
} gemm_shape;

/* The tiles below are inlined with constant mr and nv: mr rows by nv vectors, which may be a
 * part of a panel or several panels; n <= nv VL of the columns exist, all if whole. */
typedef vreal gemm_acc[GEMM_MR][4 * GEMM_NV];

CO_INLINE void gemm_groups(const int mr, const real *a, ptrdiff_t lda, const real **row) {
    CO_UNROLL
    for (int g = 0; g * GEMM_GROUP < mr; g++) {
        row[g] = a + g * GEMM_GROUP * lda;
        CO_OPAQUE(row[g]);
    }
}

CO_INLINE void gemm_fetch(const int mr, const int nv, const gemm_shape *s, const real *c) {
    for (int i = 0; i < mr; i++, c += s->ldc) {
        CO_OPAQUE(c); /* a register, instead of one for each row all the time */
        CO_UNROLL
        for (int v = 0; v < nv; v++) CO_PREFETCH_WRITE(c + v * VL);
        CO_PREFETCH_WRITE(c + nv * VL - 1);
    }
}

CO_INLINE void gemm_finish(const int mr, const int nv, const int whole, const gemm_shape *s,
                           ptrdiff_t n, gemm_acc acc, const real *bias, real *c) {
    const ptrdiff_t ldc = s->ldc; /* stores might change s */
    if (bias) {
        CO_UNROLL
        for (int v = 0; v < nv; v++) {
            const real *at = bias + v * VL;
            const vreal shift = whole ? v_load(at) : v_load_tail(at, v_lanes(n - v * VL));
            CO_UNROLL
            for (int i = 0; i < mr; i++) acc[i][v] = v_add(acc[i][v], shift);
        }
    }
    if (s->relu) {
        CO_UNROLL
        for (int i = 0; i < mr; i++) {
            CO_UNROLL
            for (int v = 0; v < nv; v++) acc[i][v] = v_max(V(0), acc[i][v]);
        }
    }
    CO_UNROLL
    for (int i = 0; i < mr; i++) {
        CO_UNROLL
        for (int v = 0; v < nv; v++) {
            real *at = c + i * ldc + v * VL;
            if (whole)
                v_store(at, acc[i][v]);
            else
                v_store_tail(at, acc[i][v], v_lanes(n - v * VL));
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
#define GEMM_WIDE_ROWS 3

/* Bytes of b that stay in L2 while the rows of a go by. */
#define GEMM_NC_BYTES (128 * 1024)

/* Rows of n of c, activated; by the table's kernel, of which a tier that adds to another has no
 * copy. */
CO_INLINE void gemm_activate_by(const co_kernels *table, ptrdiff_t m, ptrdiff_t n, real *c,
                                ptrdiff_t ldc, const co_act *act) {
    if (n == ldc)
        table->vact(m * n, c, c, act);
    else
        for (ptrdiff_t i = 0; i < m; i++) table->vact(n, c + i * ldc, c + i * ldc, act);
}

#endif
