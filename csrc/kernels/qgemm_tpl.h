/* qgemm_tpl.h - c = act((q(a) * b) / scale + bias): rows of reals, quantized on the fly, by int8
 * weights. Needs dot.h, and gemm_tpl.h for the sizes of the register tile.
 *
 * Integer sums are exact in any order, and the operations on reals around them are those of Keras,
 * each rounded by itself: the result before the activation is the same on every tier. */
#ifndef COREOPS_QGEMM_TPL_H
#define COREOPS_QGEMM_TPL_H

#include "../simd/dot.h"
#include "gemm_tpl.h"

#define QGEMM_NR (GEMM_NV * DL)         /* columns of a panel */
#define QGEMM_STEP (QGEMM_NR * D_GROUP) /* bytes of its weights for a group of k */

/* A panel is what its sums start at, one int32 a column, and then its weights. */
static ptrdiff_t qgemm_groups(ptrdiff_t k) { return (k + D_GROUP - 1) / D_GROUP; }
static ptrdiff_t qgemm_panel(ptrdiff_t k) {
    return QGEMM_NR * (ptrdiff_t)sizeof(int32_t) + qgemm_groups(k) * QGEMM_STEP;
}

/* dacts of a quantized row: whole vectors are stored, whole groups read */
static ptrdiff_t qgemm_stride(ptrdiff_t k) { return (k + 63) / 64 * 64; }

static ptrdiff_t qgemm_bytes(ptrdiff_t k, ptrdiff_t n) {
    return (n + QGEMM_NR - 1) / QGEMM_NR * qgemm_panel(k);
}

static ptrdiff_t qgemm_scratch(ptrdiff_t m, ptrdiff_t k) {
    return m * (qgemm_stride(k) * (ptrdiff_t)sizeof(dact) + (ptrdiff_t)sizeof(real));
}

static void qgemm_pack(ptrdiff_t k, ptrdiff_t n, const int8_t *b, ptrdiff_t ldb, void *packed) {
    const ptrdiff_t groups = qgemm_groups(k), panel = qgemm_panel(k);
    for (ptrdiff_t j = 0; j < n; j++) {
        const ptrdiff_t lane = j % QGEMM_NR;
        int32_t *start = (int32_t *)((char *)packed + j / QGEMM_NR * panel);
        int8_t *weights = (int8_t *)(start + QGEMM_NR) + lane * D_GROUP;
        uint32_t sum = 0;
        for (ptrdiff_t i = 0; i < groups * D_GROUP; i++) {
            const int8_t w = i < k ? b[i * ldb + j] : 0;
            weights[i / D_GROUP * QGEMM_STEP + i % D_GROUP] = w;
            sum -= D_ZERO * (uint32_t)w;
        }
        memcpy(start + lane, &sum, sizeof sum);
    }
    if (n % QGEMM_NR) { /* columns that are computed and never stored */
        char *last = (char *)packed + n / QGEMM_NR * panel;
        for (ptrdiff_t lane = n % QGEMM_NR; lane < QGEMM_NR; lane++) {
            memset(last + lane * (ptrdiff_t)sizeof(int32_t), 0, sizeof(int32_t));
            for (ptrdiff_t g = 0; g < groups; g++)
                memset(last + QGEMM_NR * sizeof(int32_t) + g * QGEMM_STEP + lane * D_GROUP, 0,
                       D_GROUP);
        }
    }
}

/* Keras' AbsMaxQuantizer: q = round(x * scale), scale = 127 / (max |x| + 1e-7), ties to even. The
 * clip to -127 .. 127 that follows there never acts: |x| * scale is below 127 (1 + 2^-22). A row
 * with an infinity or a NaN has no scale, NaN is returned, and so every sum of the row is. */
static real qgemm_quantize(ptrdiff_t k, const real *x, dact *q) {
    vreal top[4] = {V(0), V(0), V(0), V(0)}, odd[4] = {V(0), V(0), V(0), V(0)};
    const ptrdiff_t end = qgemm_groups(k) * D_GROUP;
    ptrdiff_t i = 0;
    for (; i + 4 * VL <= k; i += 4 * VL) {
        CO_UNROLL
        for (int u = 0; u < 4; u++) {
            const vreal v = v_load(x + i + u * VL);
            top[u] = v_max(top[u], v_abs(v));
            odd[u] = v_fma(v, V(0), odd[u]);
        }
    }
    for (; i < k; i += VL) {
        const vreal v = v_load_tail(x + i, v_lanes(k - i));
        top[0] = v_max(top[0], v_abs(v));
        odd[0] = v_fma(v, V(0), odd[0]);
    }
    const vreal most = v_top(v_max(v_max(top[0], top[1]), v_max(top[2], top[3])));
    const vreal sign = v_sum(v_add(v_add(odd[0], odd[1]), v_add(odd[2], odd[3])));
    const vreal scale = v_div(V(127), v_add(v_add(most, V(1e-7)), sign));
    real result[VL];
    v_store(result, scale);
    if (result[0] != result[0]) {
        for (i = 0; i < end; i += VL) d_store_acts(q + i, V(0));
        return result[0];
    }
    for (i = 0; i + VL <= k; i += VL) d_store_acts(q + i, v_mul(v_load(x + i), scale));
    for (; i < end; i += VL) d_store_acts(q + i, v_mul(v_load_tail(x + i, v_lanes(k - i)), scale));
    return result[0];
}

/* What a tile needs beside its own place: of a, its quantized rows and their scales. */
typedef struct qgemm_shape {
    ptrdiff_t groups, panel, lda, ldc;
    real floor; /* 0 for relu, else -inf */
} qgemm_shape;

typedef struct qgemm_part {
    const dact *a;
    const real *row_scale;
    const char *b;
    const real *scale, *bias;
    real *c;
} qgemm_part;

/* Inlined with constant mr and nv, as in gemm_tpl.h: mr rows by nv vectors of sums. */
typedef vdot qgemm_acc[GEMM_MR][4 * GEMM_NV];

CO_INLINE void qgemm_finish(const int mr, const int nv, const int whole, const qgemm_shape *s,
                            ptrdiff_t n, qgemm_acc acc, const qgemm_part *p) {
    const vreal floor = v_set1(s->floor);
    CO_UNROLL
    for (int v = 0; v < nv * (DL / VL); v++) {
        const ptrdiff_t j = v * VL, lanes = whole ? VL : v_lanes(n - j);
        if (lanes == 0) return;
        const vreal scale = whole ? v_load(p->scale + j) : v_load_tail(p->scale + j, lanes);
        vreal shift = V(-0.0);
        if (p->bias) shift = whole ? v_load(p->bias + j) : v_load_tail(p->bias + j, lanes);
        CO_UNROLL
        for (int i = 0; i < mr; i++) {
            const vreal sum = d_real(acc[i][v / (DL / VL)], v % (DL / VL));
            const vreal y = v_div(sum, v_mul(scale, v_set1(p->row_scale[i])));
            const vreal z = v_max(floor, v_add(y, shift));
            real *at = p->c + i * s->ldc + j;
            if (whole)
                v_store(at, z);
            else
                v_store_tail(at, z, lanes);
        }
    }
}

CO_INLINE void qgemm_tile(const int mr, const int nv, const qgemm_shape *s, ptrdiff_t n,
                          const qgemm_part *p) {
    const ptrdiff_t lda = s->lda, panel = s->panel;
    const dact *a = p->a;
    const char *b = p->b;
    qgemm_acc acc;
    CO_UNROLL
    for (int v = 0; v < nv; v++) {
        const vdot start =
            d_load((const int32_t *)(const void *)(b + v / GEMM_NV * panel) + v % GEMM_NV * DL);
        CO_UNROLL
        for (int i = 0; i < mr; i++) acc[i][v] = start;
    }
    b += QGEMM_NR * sizeof(int32_t);
    for (ptrdiff_t g = 0; g < s->groups; g++, a += D_GROUP, b += QGEMM_STEP) {
        vweights w[4 * GEMM_NV];
        CO_UNROLL
        for (int v = 0; v < nv; v++)
            w[v] = d_weights((const int8_t *)b + v / GEMM_NV * panel + v % GEMM_NV * DL * D_GROUP);
        CO_UNROLL
        for (int i = 0; i < mr; i++) {
            const vgroup x = d_group(a + i * lda);
            CO_UNROLL
            for (int v = 0; v < nv; v++) acc[i][v] = d_dot(acc[i][v], x, w[v]);
        }
    }
    if (n >= nv * DL)
        qgemm_finish(mr, nv, 1, s, n, acc, p);
    else
        qgemm_finish(mr, nv, 0, s, n, acc, p);
}

typedef void qgemm_ukr(const qgemm_shape *s, ptrdiff_t n, const qgemm_part *p);

#define QGEMM_UKR(mr, nv, suffix)                                                                  \
    static void qgemm_ukr_##mr##suffix(const qgemm_shape *s, ptrdiff_t n, const qgemm_part *p) {   \
        qgemm_tile(mr, nv, s, n, p);                                                               \
    }
#define QGEMM_UKR_PAIR(mr)                                                                         \
    QGEMM_UKR(mr, GEMM_NV, )                                                                       \
    QGEMM_UKR(mr, 1, _narrow)
#define QGEMM_UKR_NAME(mr) qgemm_ukr_##mr,
#define QGEMM_UKR_NARROW(mr) qgemm_ukr_##mr##_narrow,

QGEMM_UKR(1, 4 * GEMM_NV, _wide)
QGEMM_UKR(2, 2 * GEMM_NV, _wide)
QGEMM_UKR(3, 2 * GEMM_NV, _wide)
static qgemm_ukr *const qgemm_wide[] = {qgemm_ukr_1_wide, qgemm_ukr_2_wide, qgemm_ukr_3_wide};
static const int qgemm_wide_columns[] = {4 * QGEMM_NR, 2 * QGEMM_NR, 2 * QGEMM_NR};

GEMM_EACH_MR(QGEMM_UKR_PAIR)
static qgemm_ukr *const qgemm_full[] = {GEMM_EACH_MR(QGEMM_UKR_NAME)};
static qgemm_ukr *const qgemm_narrow[] = {GEMM_EACH_MR(QGEMM_UKR_NARROW)};

/* mr rows of c, n columns. */
static void qgemm_rows(int mr, ptrdiff_t n, const qgemm_shape *s, const qgemm_part *p) {
    qgemm_part part = *p;
    while (n > 0) {
        qgemm_ukr *ukr = n <= DL ? qgemm_narrow[mr - 1] : qgemm_full[mr - 1];
        ptrdiff_t width = QGEMM_NR;
        if (mr <= GEMM_WIDE_ROWS && n > qgemm_wide_columns[mr - 1] - QGEMM_NR) {
            ukr = qgemm_wide[mr - 1];
            width = qgemm_wide_columns[mr - 1];
        }
        ukr(s, n < width ? n : width, &part);
        part.b += width / QGEMM_NR * s->panel;
        part.scale += width;
        if (part.bias) part.bias += width;
        part.c += width;
        n -= width;
    }
}

static void qgemm(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a, ptrdiff_t lda,
                  const void *packed, const void *scale, const void *bias, void *c, ptrdiff_t ldc,
                  const co_act *act, void *scratch) {
    const int in_tile = act->kind == CO_ACT_LINEAR || act->kind == CO_ACT_RELU;
    const ptrdiff_t stride = qgemm_stride(k), panel = qgemm_panel(k);
    const qgemm_shape s = {qgemm_groups(k), panel, stride, ldc,
                           act->kind == CO_ACT_RELU ? 0 : -REAL_INF};
    dact *q = scratch;
    real *row_scale = (real *)(void *)(q + m * stride);
    for (ptrdiff_t i = 0; i < m; i++)
        row_scale[i] = qgemm_quantize(k, (const real *)a + i * lda, q + i * stride);

    const ptrdiff_t tiles = (m + GEMM_MR - 1) / GEMM_MR;
    ptrdiff_t nc = n;
    if (tiles > 1) {
        nc = GEMM_NC_BYTES / panel * QGEMM_NR;
        if (nc < QGEMM_NR) nc = QGEMM_NR;
    }
    for (ptrdiff_t j = 0; j < n; j += nc) {
        const ptrdiff_t columns = n - j < nc ? n - j : nc;
        for (ptrdiff_t t = 0, i = 0; t < tiles; t++) {
            const int mr = (int)((m - i) / (tiles - t)); /* shared out evenly */
            real *ci = (real *)c + i * ldc + j;
            const qgemm_part part = {q + i * stride,
                                     row_scale + i,
                                     (const char *)packed + j / QGEMM_NR * panel,
                                     (const real *)scale + j,
                                     bias ? (const real *)bias + j : NULL,
                                     ci};
            qgemm_rows(mr, columns, &s, &part);
            if (!in_tile)
                for (int row = 0; row < mr; row++)
                    vact(columns, ci + row * ldc, ci + row * ldc, act);
            i += mr;
        }
    }
}

#endif
