/* winograd_tpl.h - convolutions of 3 by 3 with stride 1 by fewer multiplications (Winograd,
 * Arithmetic Complexity of Computations, 1980; Lavin and Gray, Fast Algorithms for Convolutional
 * Neural Networks, 2016). A tile of 4 by 4 results comes from 6 by 6 pixels: these are transformed,
 * in rows and in columns, into 36 numbers a channel; each of them is multiplied with its own
 * transformed weights, which is one product of matrices for all tiles; and what comes out is
 * transformed back. That is 36 multiplications instead of 144. Needs vec.h.
 *
 * The transforms evaluate polynomials at 0, -p, p, -q, q and infinity. p and q, of few bits, are
 * where the errors are least: rounding errors are two to three times as large as those of the sum
 * in order (tests/test_conv_kernels.py has the bound), where 1 and 2 have ten times. */
#ifndef COREOPS_WINOGRAD_TPL_H
#define COREOPS_WINOGRAD_TPL_H

#include "../simd/vec.h"
#include "../window.h"

#define WINOGRAD_P ((real)CO_WINOGRAD_P)
#define WINOGRAD_Q ((real)CO_WINOGRAD_Q)
#define WINOGRAD_PP (WINOGRAD_P * WINOGRAD_P)
#define WINOGRAD_QQ (WINOGRAD_Q * WINOGRAD_Q)

/* Six pixels, or six sums, become the values at 0, p, -p, q, -q and infinity. */
CO_INLINE void winograd_forth(vreal *d) {
    const vreal pp = V(WINOGRAD_PP), qq = V(WINOGRAD_QQ);
    const vreal both = V(WINOGRAD_PP + WINOGRAD_QQ), product = V(WINOGRAD_PP * WINOGRAD_QQ);
    const vreal even_p = v_fnma(qq, d[2], d[4]), odd_p = v_fnma(qq, d[1], d[3]);
    const vreal even_q = v_fnma(pp, d[2], d[4]), odd_q = v_fnma(pp, d[1], d[3]);
    d[0] = v_fma(product, d[0], v_fnma(both, d[2], d[4]));
    d[5] = v_fma(product, d[1], v_fnma(both, d[3], d[5]));
    d[1] = v_fma(V(WINOGRAD_P), odd_p, even_p);
    d[2] = v_fnma(V(WINOGRAD_P), odd_p, even_p);
    d[3] = v_fma(V(WINOGRAD_Q), odd_q, even_q);
    d[4] = v_fnma(V(WINOGRAD_Q), odd_q, even_q);
}

/* Values at these points become four results. */
CO_INLINE void winograd_back(vreal *m) {
    const vreal pp = V(WINOGRAD_PP), qq = V(WINOGRAD_QQ);
    const vreal sum_p = v_add(m[1], m[2]), sum_q = v_add(m[3], m[4]);
    const vreal odd_p = v_mul(V(WINOGRAD_P), v_sub(m[1], m[2]));
    const vreal odd_q = v_mul(V(WINOGRAD_Q), v_sub(m[3], m[4]));
    m[0] = v_add(m[0], v_add(sum_p, sum_q));
    m[1] = v_add(odd_p, odd_q);
    m[2] = v_fma(pp, sum_p, v_mul(qq, sum_q));
    m[3] = v_add(v_fma(pp, odd_p, v_mul(qq, odd_q)), m[5]);
}

/* Three weights become their values at these points, over the points' distances from the others. */
CO_INLINE void winograd_weigh(const vreal *w, vreal *u) {
    const double p = CO_WINOGRAD_P, q = CO_WINOGRAD_Q, pp = p * p, qq = q * q;
    const double by_p = 1 / (2 * pp * (pp - qq)), by_q = 1 / (2 * qq * (qq - pp));
    const vreal even_p = v_mul(V(by_p), v_fma(V(pp), w[2], w[0])), odd_p = v_mul(V(p * by_p), w[1]);
    const vreal even_q = v_mul(V(by_q), v_fma(V(qq), w[2], w[0])), odd_q = v_mul(V(q * by_q), w[1]);
    u[0] = v_mul(V(1 / (pp * qq)), w[0]);
    u[1] = v_add(even_p, odd_p);
    u[2] = v_sub(even_p, odd_p);
    u[3] = v_add(even_q, odd_q);
    u[4] = v_sub(even_q, odd_q);
    u[5] = w[2];
}

static void winograd_pack(ptrdiff_t k, ptrdiff_t n, const void *w, void *packed, ptrdiff_t apart) {
    real *to = packed;
    for (ptrdiff_t j = 0; j < n; j += GEMM_NR)
        for (ptrdiff_t i = 0; i < k; i++, to += GEMM_NR)
            for (ptrdiff_t v = 0; v < GEMM_NR; v += VL) {
                const real *from = (const real *)w + i * n + j + v;
                const ptrdiff_t lanes = v_lanes(n - j - v);
                vreal down[3][6];
                CO_UNROLL
                for (int x = 0; x < 3; x++) {
                    vreal column[3];
                    CO_UNROLL
                    for (int y = 0; y < 3; y++)
                        column[y] = lanes ? v_load_tail(from + (3 * y + x) * k * n, lanes) : V(0);
                    winograd_weigh(column, down[x]);
                }
                CO_UNROLL
                for (int y = 0; y < 6; y++) {
                    const vreal row[] = {down[0][y], down[1][y], down[2][y]};
                    vreal made[6];
                    winograd_weigh(row, made);
                    CO_UNROLL
                    for (int x = 0; x < 6; x++) v_store(to + (6 * y + x) * apart + v, made[x]);
                }
            }
}

static void winograd_in(ptrdiff_t tiles, ptrdiff_t c, const void *x, ptrdiff_t ldx, void *v,
                        ptrdiff_t plane) {
    const real *xr = x;
    real *vr = v;
    for (ptrdiff_t t = 0; t < tiles; t++, xr += 4 * c, vr += c)
        for (ptrdiff_t j = 0; j < c; j += VL) {
            const ptrdiff_t lanes = v_lanes(c - j);
            vreal d[6][6];
            CO_UNROLL
            for (int i = 0; i < 6; i++) {
                const real *row = xr + i * ldx + j;
                CO_UNROLL
                for (int k = 0; k < 6; k++) d[i][k] = v_load_lanes(row + k * c, lanes);
                winograd_forth(d[i]);
            }
            CO_UNROLL
            for (int k = 0; k < 6; k++) {
                vreal column[6];
                CO_UNROLL
                for (int i = 0; i < 6; i++) column[i] = d[i][k];
                winograd_forth(column);
                CO_UNROLL
                for (int i = 0; i < 6; i++)
                    v_store_lanes(vr + (6 * i + k) * plane + j, column[i], lanes);
            }
        }
}

static int winograd_out(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t n, const void *m,
                        ptrdiff_t plane, const void *bias, void *y, ptrdiff_t ldy, int relu) {
    const real *mr = m;
    const vreal floor = V(relu ? 0 : -REAL_INF);
    vreal odd = V(0);
    for (ptrdiff_t x = 0; x < columns; x += 4, mr += n)
        for (ptrdiff_t j = 0; j < n; j += VL) {
            const ptrdiff_t lanes = v_lanes(n - j);
            const vreal shift = bias ? v_load_lanes((const real *)bias + j, lanes) : V(-0.0);
            vreal s[6][6];
            CO_UNROLL
            for (int k = 0; k < 6; k++) {
                vreal column[6];
                CO_UNROLL
                for (int i = 0; i < 6; i++)
                    column[i] = v_load_lanes(mr + (6 * i + k) * plane + j, lanes);
                winograd_back(column);
                CO_UNROLL
                for (int i = 0; i < 4; i++) s[i][k] = column[i];
            }
            const ptrdiff_t wide = columns - x < 4 ? columns - x : 4;
            for (ptrdiff_t i = 0; i < 4; i++) {
                winograd_back(s[i]);
                real *to = (real *)y + i * ldy + x * n + j;
                for (ptrdiff_t k = 0; k < 4; k++) {
                    const vreal sum = v_add(s[i][k], shift);
                    if (j == 0) odd = v_fma(sum, V(0), odd); /* 0 * inf and 0 * NaN are NaN */
                    if (i < rows && k < wide) v_store_lanes(to + k * n, v_max(floor, sum), lanes);
                }
            }
        }
    return v_any(v_ne(odd, V(0)));
}

/* ---------------------------------------------------------------------------- gradients */

/* What winograd_back does, transposed: four results' gradients become those of six values. */
CO_INLINE void winograd_spread(const vreal *y, vreal *m) {
    const vreal even_p = v_fma(V(WINOGRAD_PP), y[2], y[0]);
    const vreal even_q = v_fma(V(WINOGRAD_QQ), y[2], y[0]);
    const vreal odd_p = v_mul(V(WINOGRAD_P), v_fma(V(WINOGRAD_PP), y[3], y[1]));
    const vreal odd_q = v_mul(V(WINOGRAD_Q), v_fma(V(WINOGRAD_QQ), y[3], y[1]));
    m[0] = y[0];
    m[1] = v_add(even_p, odd_p);
    m[2] = v_sub(even_p, odd_p);
    m[3] = v_add(even_q, odd_q);
    m[4] = v_sub(even_q, odd_q);
    m[5] = y[3];
}

static void winograd_grad(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t n, const void *y,
                          ptrdiff_t ldy, void *m, ptrdiff_t plane) {
    const real *yr = y;
    real *mr = m;
    for (ptrdiff_t x = 0; x < columns; x += 4, yr += 4 * n, mr += n)
        for (ptrdiff_t j = 0; j < n; j += VL) {
            const ptrdiff_t lanes = v_lanes(n - j), wide = columns - x < 4 ? columns - x : 4;
            vreal d[4][6];
            for (ptrdiff_t i = 0; i < 4; i++) {
                vreal row[4];
                for (ptrdiff_t k = 0; k < 4; k++)
                    row[k] =
                        i < rows && k < wide ? v_load_lanes(yr + i * ldy + k * n + j, lanes) : V(0);
                winograd_spread(row, d[i]);
            }
            CO_UNROLL
            for (int k = 0; k < 6; k++) {
                const vreal column[] = {d[0][k], d[1][k], d[2][k], d[3][k]};
                vreal made[6];
                winograd_spread(column, made);
                CO_UNROLL
                for (int i = 0; i < 6; i++)
                    v_store_lanes(mr + (6 * i + k) * plane + j, made[i], lanes);
            }
        }
}

/* What winograd_weigh does, transposed. */
CO_INLINE void winograd_gather(const vreal *u, vreal *w) {
    const double p = CO_WINOGRAD_P, q = CO_WINOGRAD_Q, pp = p * p, qq = q * q;
    const double by_p = 1 / (2 * pp * (pp - qq)), by_q = 1 / (2 * qq * (qq - pp));
    const vreal even_p = v_mul(V(by_p), v_add(u[1], u[2]));
    const vreal even_q = v_mul(V(by_q), v_add(u[3], u[4]));
    w[0] = v_fma(V(1 / (pp * qq)), u[0], v_add(even_p, even_q));
    w[1] = v_fma(V(p * by_p), v_sub(u[1], u[2]), v_mul(V(q * by_q), v_sub(u[3], u[4])));
    w[2] = v_fma(V(pp), even_p, v_fma(V(qq), even_q, u[5]));
}

static int winograd_sums(ptrdiff_t n, const void *u, ptrdiff_t plane, void *w) {
    vreal odd = V(0);
    for (ptrdiff_t j = 0; j < n; j += VL) {
        const ptrdiff_t lanes = v_lanes(n - j);
        const real *from = (const real *)u + j;
        real *to = (real *)w + j;
        vreal down[3][6];
        CO_UNROLL
        for (int x = 0; x < 6; x++) {
            vreal column[6], made[3];
            CO_UNROLL
            for (int y = 0; y < 6; y++) column[y] = v_load_lanes(from + (6 * y + x) * plane, lanes);
            winograd_gather(column, made);
            CO_UNROLL
            for (int y = 0; y < 3; y++) down[y][x] = made[y];
        }
        CO_UNROLL
        for (int y = 0; y < 3; y++) {
            vreal made[3];
            winograd_gather(down[y], made);
            CO_UNROLL
            for (int x = 0; x < 3; x++) {
                odd = v_fma(made[x], V(0), odd); /* 0 * inf and 0 * NaN are NaN */
                v_store_lanes(to + (3 * y + x) * n, made[x], lanes);
            }
        }
    }
    return v_any(v_ne(odd, V(0)));
}

#endif
