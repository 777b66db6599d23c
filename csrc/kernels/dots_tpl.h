/* dots_tpl.h - c = act(a * b + bias) for the few columns that would leave most lanes of gemm's
 * panels empty: vectors run along k instead. Needs gemm_tpl.h. */
#ifndef COREOPS_DOTS_TPL_H
#define COREOPS_DOTS_TPL_H

#include "gemm_tpl.h"

/* A sum costs log2(VL) additions at its end, so k is some vectors long at least. */
#define DOTS_MOST (VL / 2)
#define DOTS_LEAST (4 * VL)
static int dots_suit(ptrdiff_t k, ptrdiff_t n) {
    return n > 0 && n <= DOTS_MOST && k >= DOTS_LEAST;
}

/* One column after the other, each filled up with zeros to whole vectors. */
CO_INLINE ptrdiff_t dots_stride(ptrdiff_t k) { return (k + VL - 1) / VL * VL; }

static void dots_pack(ptrdiff_t k, ptrdiff_t n, const void *b, ptrdiff_t ldb, void *packed) {
    const ptrdiff_t stride = dots_stride(k);
    real *p = packed;
    for (ptrdiff_t j = 0; j < n; j++)
        for (ptrdiff_t i = 0; i < stride; i++)
            p[j * stride + i] = i < k ? ((const real *)b)[i * ldb + j] : 0;
}

/* Inlined with constant mr and n. */
CO_INLINE void dots_tile(const int mr, const int n, const gemm_shape *s, const real *a,
                         const real *b, const real *bias, real *c) {
    const ptrdiff_t k = s->k, whole = k / VL * VL, stride = dots_stride(k);
    const vreal floor = v_set1(s->relu ? 0 : -REAL_INF);
    vreal acc[8][DOTS_MOST];
    CO_UNROLL
    for (int i = 0; i < mr; i++) {
        CO_UNROLL
        for (int j = 0; j < n; j++) acc[i][j] = V(0);
    }
    for (ptrdiff_t p = 0; p < whole; p += VL) {
        CO_UNROLL
        for (int i = 0; i < mr; i++) {
            const vreal x = v_load(a + i * s->lda + p);
            CO_UNROLL
            for (int j = 0; j < n; j++) acc[i][j] = v_fma(x, v_load(b + j * stride + p), acc[i][j]);
        }
    }
    CO_UNROLL
    for (int i = 0; i < mr; i++) {
        const vreal x = v_load_tail(a + i * s->lda + (whole < k ? whole : 0), k - whole);
        CO_UNROLL
        for (int j = 0; j < n; j++) {
            if (whole < k) acc[i][j] = v_fma(x, v_load(b + j * stride + whole), acc[i][j]);
            const vreal shift = bias ? v_set1(bias[j]) : V(-0.0);
            const vreal y = v_max(floor, v_add(v_sum_of(acc[i][j], VL), shift));
            v_store_tail(c + i * s->ldc + j, y, 1);
        }
    }
}

/* As many rows as leave registers for the sums: 16 of them at most. */
#define DOTS_EACH_N(X) X(1, 8) X(2, 4) X(3, 4) X(4, 4) X(5, 2) X(6, 2) X(7, 2) X(8, 2)
#define DOTS_CASE(columns, rows)                                                                   \
    case columns:                                                                                  \
        if (columns > DOTS_MOST) break;                                                            \
        for (; m - i >= rows; i += rows)                                                           \
            dots_tile(rows, columns <= DOTS_MOST ? columns : 1, &s, ar + i * lda, packed, bias,    \
                      cr + i * ldc);                                                               \
        for (; i < m; i++)                                                                         \
            dots_tile(1, columns <= DOTS_MOST ? columns : 1, &s, ar + i * lda, packed, bias,       \
                      cr + i * ldc);                                                               \
        break;

static void dots(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t lda,
                 const void *packed, const void *bias, void *c, ptrdiff_t ldc, const co_act *act) {
    const int in_tile = act->kind == CO_ACT_LINEAR || act->kind == CO_ACT_RELU;
    const gemm_shape s = {.k = k, .lda = lda, .ldc = ldc, .relu = act->kind == CO_ACT_RELU};
    const real *ar = a;
    real *cr = c;
    ptrdiff_t i = 0;
    switch (n) { DOTS_EACH_N(DOTS_CASE) }
    if (!in_tile) gemm_activate(m, n, c, ldc, act);
}

#endif
