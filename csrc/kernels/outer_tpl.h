/* outer_tpl.h - sums of outer products: rows of a, transposed, times rows of b, both where they
 * lie. It is what gradients of weights are, a being inputs and b gradients of results. Needs
 * gemm_tile_tpl.h. */
#ifndef COREOPS_OUTER_TPL_H
#define COREOPS_OUTER_TPL_H

#include "gemm_tile_tpl.h"

typedef struct outer_shape {
    ptrdiff_t strips, k, lda, next_a, ldb, next_b, ldc;
    int more;
} outer_shape;

/* mr by nv vectors of c, of which n columns exist: all of them if whole. */
CO_INLINE void outer_tile(const int mr, const int nv, const int whole, const outer_shape *s,
                          ptrdiff_t n, const real *a, const real *b, real *c) {
    ptrdiff_t lanes[GEMM_NV];
    vreal acc[GEMM_MR][GEMM_NV];
    CO_UNROLL
    for (int v = 0; v < nv; v++) {
        lanes[v] = whole ? VL : v_lanes(n - v * VL);
        CO_UNROLL
        for (int i = 0; i < mr; i++)
            acc[i][v] = s->more ? v_load_tail(c + i * s->ldc + v * VL, lanes[v]) : V(0);
    }
    for (ptrdiff_t strip = 0; strip < s->strips; strip++, a += s->next_a, b += s->next_b) {
        const real *x = a, *y = b;
        for (ptrdiff_t p = 0; p < s->k; p++, x += s->lda, y += s->ldb) {
            vreal row[GEMM_NV];
            CO_UNROLL
            for (int v = 0; v < nv; v++)
                row[v] = whole ? v_load(y + v * VL) : v_load_tail(y + v * VL, lanes[v]);
            CO_UNROLL
            for (int i = 0; i < mr; i++) {
                const vreal xi = v_set1(x[i]);
                CO_UNROLL
                for (int v = 0; v < nv; v++) acc[i][v] = v_fma(xi, row[v], acc[i][v]);
            }
        }
    }
    CO_UNROLL
    for (int v = 0; v < nv; v++) {
        CO_UNROLL
        for (int i = 0; i < mr; i++) v_store_tail(c + i * s->ldc + v * VL, acc[i][v], lanes[v]);
    }
}

typedef void outer_ukr(const outer_shape *s, ptrdiff_t n, const real *a, const real *b, real *c);

#define OUTER_UKR(mr)                                                                              \
    static void outer_full_##mr(const outer_shape *s, ptrdiff_t n, const real *a, const real *b,   \
                                real *c) {                                                         \
        outer_tile(mr, GEMM_NV, 1, s, n, a, b, c);                                                 \
    }                                                                                              \
    static void outer_part_##mr(const outer_shape *s, ptrdiff_t n, const real *a, const real *b,   \
                                real *c) {                                                         \
        outer_tile(mr, GEMM_NV, 0, s, n, a, b, c);                                                 \
    }                                                                                              \
    static void outer_narrow_##mr(const outer_shape *s, ptrdiff_t n, const real *a, const real *b, \
                                  real *c) {                                                       \
        outer_tile(mr, 1, 0, s, n, a, b, c);                                                       \
    }
#define OUTER_FULL(mr) outer_full_##mr,
#define OUTER_PART(mr) outer_part_##mr,
#define OUTER_NARROW(mr) outer_narrow_##mr,
GEMM_EACH_MR(OUTER_UKR)
static outer_ukr *const outer_full[] = {GEMM_EACH_MR(OUTER_FULL)};
static outer_ukr *const outer_part[] = {GEMM_EACH_MR(OUTER_PART)};
static outer_ukr *const outer_narrow[] = {GEMM_EACH_MR(OUTER_NARROW)};

static void outer(ptrdiff_t m, ptrdiff_t n, ptrdiff_t strips, ptrdiff_t k, const void *a,
                  ptrdiff_t lda, ptrdiff_t next_a, const void *b, ptrdiff_t ldb, ptrdiff_t next_b,
                  void *c, ptrdiff_t ldc, int more) {
    const outer_shape s = {strips, k, lda, next_a, ldb, next_b, ldc, more};
    const ptrdiff_t tiles = (m + GEMM_MR - 1) / GEMM_MR;
    for (ptrdiff_t j = 0; j < n; j += GEMM_NR) {
        const ptrdiff_t columns = n - j < GEMM_NR ? n - j : GEMM_NR;
        outer_ukr *const *ukr = columns == GEMM_NR ? outer_full
                                : columns > VL     ? outer_part
                                                   : outer_narrow;
        for (ptrdiff_t t = 0, i = 0, mr; t < tiles; t++, i += mr) {
            mr = (m - i) / (tiles - t); /* rows shared out evenly */
            ukr[mr - 1](&s, columns, (const real *)a + i, (const real *)b + j,
                        (real *)c + i * ldc + j);
        }
    }
}

#endif
