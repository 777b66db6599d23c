/* qgemm_tpl.h - c = act((q(a) * b) / scale + bias): rows of reals, quantized on the fly, by int8
 * weights. Needs dot.h and gemm_tile_tpl.h.
 *
 * Integer sums are exact in any order, and the operations on reals around them are those of Keras,
 * each rounded by itself: the result before the activation is the same on every tier. */
#ifndef COREOPS_QGEMM_TPL_H
#define COREOPS_QGEMM_TPL_H

#include "../simd/dot.h"
#include "gemm_tile_tpl.h"

#define QGEMM_NR (GEMM_NV * DL)                             /* columns of a panel */
#define QGEMM_START (QGEMM_NR * (ptrdiff_t)sizeof(int32_t)) /* bytes of what its sums start at */
#define QGEMM_STEP (QGEMM_NR * D_GROUP) /* bytes of its weights for a group of k */

/* Tiles take 16 groups of k at once; 32 rows and a panel of 32 columns of c. */
#ifdef QGEMM_TILES
#include "../simd/tiles.h"
#define QGEMM_GROUPS TILE_ROWS
#define QGEMM_ROWS (2 * TILE_ROWS)
#else
#define QGEMM_GROUPS 1
#define QGEMM_ROWS 1
#endif

/* A panel is what its sums start at, one int32 a column, and then its weights. */
static ptrdiff_t qgemm_groups(ptrdiff_t k) {
    return ((k + D_GROUP - 1) / D_GROUP + QGEMM_GROUPS - 1) / QGEMM_GROUPS * QGEMM_GROUPS;
}
static ptrdiff_t qgemm_panel(ptrdiff_t k) { return QGEMM_START + qgemm_groups(k) * QGEMM_STEP; }

/* dacts of a quantized row: whole vectors are stored, whole groups read */
static ptrdiff_t qgemm_stride(ptrdiff_t k) { return (k + 63) / 64 * 64; }

static ptrdiff_t qgemm_bytes(ptrdiff_t k, ptrdiff_t n) {
    return (n + QGEMM_NR - 1) / QGEMM_NR * qgemm_panel(k);
}

static ptrdiff_t qgemm_scratch(ptrdiff_t m, ptrdiff_t k) {
    return (m + QGEMM_ROWS) * (qgemm_stride(k) * (ptrdiff_t)sizeof(dact) + (ptrdiff_t)sizeof(real));
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
                memset(last + QGEMM_START + g * QGEMM_STEP + lane * D_GROUP, 0, D_GROUP);
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
    const vreal most = v_top_of(v_max(v_max(top[0], top[1]), v_max(top[2], top[3])), VL);
    const vreal sign = v_sum_of(v_add(v_add(odd[0], odd[1]), v_add(odd[2], odd[3])), VL);
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

/* What a tile needs beside its own place: distances in the quantized rows and between panels. */
typedef struct qgemm_shape {
    ptrdiff_t groups, panel, lda;
} qgemm_shape;

/* The tiles below are inlined with constant mr and nv, as in gemm_tpl.h: mr rows of a by nv vectors
 * of b, which may be a part of a panel or several panels. Row i of the sums is nv DL apart. */
CO_INLINE void qgemm_tile(const int mr, const int nv, const qgemm_shape *s, const dact *a,
                          const char *b, int32_t *sums) {
    const ptrdiff_t lda = s->lda, panel = s->panel;
    vdot acc[GEMM_MR][4 * GEMM_NV];
    CO_UNROLL
    for (int v = 0; v < nv; v++) {
        const char *start = b + v / GEMM_NV * panel;
        CO_UNROLL
        for (int i = 0; i < mr; i++)
            acc[i][v] = d_load((const int32_t *)(const void *)start + v % GEMM_NV * DL);
    }
    b += QGEMM_START;
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
    CO_UNROLL
    for (int i = 0; i < mr; i++) {
        CO_UNROLL
        for (int v = 0; v < nv; v++) d_store(sums + (i * nv + v) * DL, acc[i][v]);
    }
}

typedef void qgemm_ukr(const qgemm_shape *s, const dact *a, const char *b, int32_t *sums);

#define QGEMM_UKR(mr, nv, suffix)                                                                  \
    static void qgemm_ukr_##mr##suffix(const qgemm_shape *s, const dact *a, const char *b,         \
                                       int32_t *sums) {                                            \
        qgemm_tile(mr, nv, s, a, b, sums);                                                         \
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
static const int qgemm_wide_panels[] = {4, 2, 2};
#define QGEMM_MOST (GEMM_MR > 6 ? GEMM_MR : 6) /* rows by panels of a tile */

GEMM_EACH_MR(QGEMM_UKR_PAIR)
static qgemm_ukr *const qgemm_full[] = {GEMM_EACH_MR(QGEMM_UKR_NAME)};
static qgemm_ukr *const qgemm_narrow[] = {GEMM_EACH_MR(QGEMM_UKR_NARROW)};

/* VL columns of mr rows, or fewer: lanes. sums is row i's at i * width, and so on. */
CO_INLINE void qgemm_finish(ptrdiff_t mr, ptrdiff_t lanes, const int32_t *sums, ptrdiff_t width,
                            const real *row_scale, vreal scale, vreal shift, real *c, ptrdiff_t ldc,
                            vreal floor) {
    for (ptrdiff_t i = 0; i < mr; i++, sums += width, c += ldc) {
        const vreal by = v_mul(scale, v_set1(row_scale[i]));
        const vreal y = v_max(floor, v_add(v_div(d_real(sums), by), shift));
        if (lanes == VL)
            v_store(c, y);
        else
            v_store_tail(c, y, lanes);
    }
}

/* What came out of a tile: mr rows of n columns, width apart. */
static void qgemm_scale(const co_kernels *table, ptrdiff_t mr, ptrdiff_t n, const int32_t *sums,
                        ptrdiff_t width, const real *row_scale, const real *scale, const real *bias,
                        real *c, ptrdiff_t ldc, const co_act *act) {
    const int in_tile = act->kind == CO_ACT_LINEAR || act->kind == CO_ACT_RELU;
    const vreal floor = v_set1(act->kind == CO_ACT_RELU ? 0 : -REAL_INF);
    ptrdiff_t j = 0;
    for (; j + VL <= n; j += VL)
        qgemm_finish(mr, VL, sums + j, width, row_scale, v_load(scale + j),
                     bias ? v_load(bias + j) : V(-0.0), c + j, ldc, floor);
    if (j < n)
        qgemm_finish(mr, n - j, sums + j, width, row_scale, v_load_tail(scale + j, n - j),
                     bias ? v_load_tail(bias + j, n - j) : V(-0.0), c + j, ldc, floor);
    if (!in_tile) gemm_activate_by(table, mr, n, c, ldc, act);
}

#ifdef QGEMM_TILES
/* At least QGEMM_TILES rows by tiles, which read the same panels: 2 by 2 of sums, T4 and T5 from a,
 * T6 and T7 from b. The last rows of the last block are what lies in scratch, and are not stored.
 */
static void qgemm_by_tiles(const co_kernels *table, ptrdiff_t m, ptrdiff_t n, const qgemm_shape *s,
                           const dact *q, const char *panel, const real *row_scale,
                           const real *scale, const real *bias, real *c, ptrdiff_t ldc,
                           const co_act *act) {
    t_file tiles, *t = &tiles;
    t_begin(t);
    for (ptrdiff_t j = 0; j < n; j += QGEMM_NR, panel += s->panel)
        for (ptrdiff_t i = 0; i < m; i += QGEMM_ROWS) {
            const dact *a = q + i * s->lda, *below = a + TILE_ROWS * s->lda;
            const char *b = panel + QGEMM_START;
            const int tall = m - i > TILE_ROWS; /* whether there are lower tiles */
            int32_t sums[QGEMM_ROWS][QGEMM_NR];
            t_load(t, 0, panel, 0);
            t_load(t, 1, panel + TILE_LINE, 0);
            t_load(t, 2, panel, 0);
            t_load(t, 3, panel + TILE_LINE, 0);
            for (ptrdiff_t g = 0; g < s->groups; g += TILE_ROWS, b += TILE_ROWS * QGEMM_STEP) {
                t_load(t, 4, a + g * D_GROUP, s->lda);
                t_load(t, 6, b, QGEMM_STEP);
                t_load(t, 7, b + TILE_LINE, QGEMM_STEP);
                t_dot_int8(t, 0, 4, 6);
                t_dot_int8(t, 1, 4, 7);
                if (!tall) continue;
                t_load(t, 5, below + g * D_GROUP, s->lda);
                t_dot_int8(t, 2, 5, 6);
                t_dot_int8(t, 3, 5, 7);
            }
            t_store(t, 0, sums[0], sizeof *sums);
            t_store(t, 1, sums[0] + TILE_ROWS, sizeof *sums);
            t_store(t, 2, sums[TILE_ROWS], sizeof *sums);
            t_store(t, 3, sums[TILE_ROWS] + TILE_ROWS, sizeof *sums);
            qgemm_scale(table, m - i < QGEMM_ROWS ? m - i : QGEMM_ROWS,
                        n - j < QGEMM_NR ? n - j : QGEMM_NR, sums[0], QGEMM_NR, row_scale + i,
                        scale + j, bias ? bias + j : NULL, c + i * ldc + j, ldc, act);
        }
    t_end(t);
}
#endif

static void qgemm(const co_kernels *table, ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const void *a,
                  ptrdiff_t lda, const void *packed, const void *scale, const void *bias, void *c,
                  ptrdiff_t ldc, const co_act *act, void *scratch) {
    const qgemm_shape s = {qgemm_groups(k), qgemm_panel(k), qgemm_stride(k)};
    dact *q = scratch;
    real *row_scale = (real *)(void *)(q + (m + QGEMM_ROWS) * s.lda);
    for (ptrdiff_t i = 0; i < m; i++)
        row_scale[i] = qgemm_quantize(k, (const real *)a + i * lda, q + i * s.lda);

#ifdef QGEMM_TILES
    if (m >= QGEMM_TILES) {
        qgemm_by_tiles(table, m, n, &s, q, packed, row_scale, scale, bias, c, ldc, act);
        return;
    }
#endif
    const ptrdiff_t tiles = (m + GEMM_MR - 1) / GEMM_MR;
    ptrdiff_t nc = n;
    if (tiles > 1) {
        nc = GEMM_NC_BYTES / s.panel * QGEMM_NR;
        if (nc < QGEMM_NR) nc = QGEMM_NR;
    }
    for (ptrdiff_t first = 0; first < n; first += nc) {
        const ptrdiff_t end = n - first < nc ? n : first + nc;
        for (ptrdiff_t t = 0, i = 0, mr; t < tiles; t++, i += mr) {
            mr = (m - i) / (tiles - t); /* rows shared out evenly: no short tile at the end */
            for (ptrdiff_t j = first, width; j < end; j += width) {
                int32_t sums[QGEMM_MOST * QGEMM_NR];
                qgemm_ukr *ukr = qgemm_full[mr - 1];
                width = QGEMM_NR;
                if (n - j <= DL) {
                    ukr = qgemm_narrow[mr - 1];
                    width = DL;
                } else if (mr <= GEMM_WIDE_ROWS &&
                           end - j > (qgemm_wide_panels[mr - 1] - 1) * QGEMM_NR) {
                    ukr = qgemm_wide[mr - 1];
                    width = qgemm_wide_panels[mr - 1] * QGEMM_NR;
                }
                ukr(&s, q + i * s.lda, (const char *)packed + j / QGEMM_NR * s.panel, sums);
                const ptrdiff_t columns = end - j < width ? end - j : width;
                qgemm_scale(table, mr, columns, sums, width, row_scale + i, (const real *)scale + j,
                            bias ? (const real *)bias + j : NULL, (real *)c + i * ldc + j, ldc,
                            act);
            }
        }
    }
}

#endif
