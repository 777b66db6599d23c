/* gemm_rows_tpl.h - some rows of c from panels of b: the register tiles, and the choice among them.
 * gemm_tpl.h includes it, and so may a template whose "reals" are something else, with
 *
 *   GEMM_NAME(x)         the names of what it defines
 *   GEMM_MAC(x, b, acc)  acc plus the products of x, the same in every lane, and b */

CO_INLINE void GEMM_NAME(tile)(const int mr, const int nv, const gemm_shape *s, ptrdiff_t n,
                               const real *a, const real *b, const real *bias, real *c) {
    const ptrdiff_t k = s->k, lda = s->lda, panel = s->panel;
    gemm_acc acc;
    CO_UNROLL
    for (int i = 0; i < mr; i++) {
        CO_UNROLL
        for (int v = 0; v < nv; v++) acc[i][v] = V(0);
    }
    const int fetches = nv == GEMM_NV && 2 * mr > GEMM_MR;
    const real *from = a;
    for (ptrdiff_t strip = 0;;) {
        const real *row[GEMM_GROUPS];
        gemm_groups(mr, from, lda, row);
        ptrdiff_t p = 0, end = k;
        if (fetches && strip == s->more && k >= 2 * GEMM_NEAR) end -= GEMM_NEAR;
        for (int part = 0; part <= fetches; part++, end = k) {
            if (part && p < k) gemm_fetch(mr, nv, s, c);
            for (; p < end; p++, b += GEMM_NR) {
                vreal column[4 * GEMM_NV];
                if (mr == 1 && nv > GEMM_NV)
                    for (int v = 0; v < nv; v += GEMM_LINE)
                        CO_PREFETCH(b + v / GEMM_NV * panel + v % GEMM_NV * VL + GEMM_AHEAD);
                CO_UNROLL
                for (int v = 0; v < nv; v++)
                    column[v] = v_load(b + v / GEMM_NV * panel + v % GEMM_NV * VL);
                CO_UNROLL
                for (int i = 0; i < mr; i++) {
                    const vreal x = v_set1(row[i / GEMM_GROUP][i % GEMM_GROUP * lda + p]);
                    CO_UNROLL
                    for (int v = 0; v < nv; v++) acc[i][v] = GEMM_MAC(x, column[v], acc[i][v]);
                }
            }
        }
        if (strip == s->more) break;
        from = a + s->at[++strip];
    }
    if (n >= nv * VL)
        gemm_finish(mr, nv, 1, s, n, acc, bias, c);
    else
        gemm_finish(mr, nv, 0, s, n, acc, bias, c);
}

#define GEMM_UKR(mr, nv, suffix)                                                                   \
    static void GEMM_NAME(ukr_##mr##suffix)(const gemm_shape *s, ptrdiff_t n, const real *a,       \
                                            const real *b, const real *bias, real *c) {            \
        GEMM_NAME(tile)(mr, nv, s, n, a, b, bias, c);                                              \
    }
#define GEMM_UKR_PAIR(mr)                                                                          \
    GEMM_UKR(mr, GEMM_NV, )                                                                        \
    GEMM_UKR(mr, 1, _narrow)
#define GEMM_UKR_NAME(mr) GEMM_NAME(ukr_##mr),
#define GEMM_UKR_NARROW(mr) GEMM_NAME(ukr_##mr##_narrow),

/* Few rows leave few accumulators to hide the latency of an fma behind: they take more
 * panels at once. */
static const int gemm_wide_columns[] = {4 * GEMM_NR, 2 * GEMM_NR, 2 * GEMM_NR};
GEMM_UKR(1, 4 * GEMM_NV, _wide)
GEMM_UKR(2, 2 * GEMM_NV, _wide)
GEMM_UKR(3, 2 * GEMM_NV, _wide)
static gemm_ukr *const GEMM_NAME(wide)[] = {GEMM_NAME(ukr_1_wide), GEMM_NAME(ukr_2_wide),
                                            GEMM_NAME(ukr_3_wide)};

GEMM_EACH_MR(GEMM_UKR_PAIR)
static gemm_ukr *const GEMM_NAME(full)[] = {GEMM_EACH_MR(GEMM_UKR_NAME)};
static gemm_ukr *const GEMM_NAME(narrow)[] = {GEMM_EACH_MR(GEMM_UKR_NARROW)};

/* mr rows of c, n columns. */
static void GEMM_NAME(rows)(int mr, ptrdiff_t n, const gemm_shape *s, const real *a, const real *b,
                            const real *bias, real *c) {
    ptrdiff_t j = 0;
    while (j < n) {
        gemm_ukr *ukr = n - j <= VL ? GEMM_NAME(narrow)[mr - 1] : GEMM_NAME(full)[mr - 1];
        ptrdiff_t width = GEMM_NR;
        if (mr <= GEMM_WIDE_ROWS && n - j > gemm_wide_columns[mr - 1] - GEMM_NR) {
            ukr = GEMM_NAME(wide)[mr - 1];
            width = gemm_wide_columns[mr - 1];
        }
        const ptrdiff_t columns = n - j < width ? n - j : width;
        ukr(s, columns, a, b + j / GEMM_NR * s->panel, bias ? bias + j : NULL, c + j);
        j += width;
    }
}

#undef GEMM_UKR
#undef GEMM_UKR_PAIR
#undef GEMM_UKR_NAME
#undef GEMM_UKR_NARROW
#undef GEMM_NAME
#undef GEMM_MAC
