/* gauss_tpl.h - normal noise from Philox words. Needs vmath.h and dropout_tpl.h. */
#ifndef COREOPS_GAUSS_TPL_H
#define COREOPS_GAUSS_TPL_H

#include "../simd/vmath.h"
#include "dropout_tpl.h"

/* Box and Muller, "A note on the generation of random normal deviates" (1958). The words of a group
 * of 64 make 32 pairs: u from number j and v from number j + 32, and elements j and j + 32 are
 * sqrt(-2 log u) times cos(2 pi v) and sin(2 pi v). */
#define GAUSS_PAIRS (CO_PHILOX_GROUP / 2)

/* sin and cos of h = pi f / 2 for |f| <= 1: sin(h) / f and cos(h) by f^2, 2^-31 and 2^-60. */
#if CO_REAL_BITS == 32
static const real gauss_sin[] = {1.57079633f,    -0.645964096f,   0.0796926037f,
                                 -0.0046816578f, 0.000160254691f, -3.4318293e-06f};
static const real gauss_cos[] = {1.0f,           -1.23370053f,    0.253669322f,
                                 -0.0208626875f, 0.000917723882f, -2.38245355e-05f};
#else
static const real gauss_sin[] = {1.5707963267948966,      -0.64596409750624624,
                                 0.079692626246166745,    -0.0046817541353160388,
                                 0.00016044118477557476,  -3.59884320450198913e-06,
                                 5.69216802226435448e-08, -6.68756285904237302e-10,
                                 6.04142513793703984e-12, -3.75166564481332898e-14};
static const real gauss_cos[] = {1.0,
                                 -1.2337005501361698,
                                 0.25366950790104786,
                                 -0.020863480763351617,
                                 0.00091926027483311357,
                                 -2.52020423545784578e-05,
                                 4.7108744217538856e-07,
                                 -6.38655754059413994e-09,
                                 6.56228493767230248e-11,
                                 -5.12443421030184254e-13};
#endif

/* The normals of a group's 64 words. */
CO_INLINE void gauss_group(const uint32_t *words, real *z) {
    real u[GAUSS_PAIRS], v[GAUSS_PAIRS];
    for (int j = 0; j < GAUSS_PAIRS; j++) { /* 0 < u <= 1, and |v| <= 2, in quarters of a turn */
        u[j] = ((real)(int32_t)(words[j] >> 1) + (real)0.5) * (real)0x1p-31;
        v[j] = (real)(int32_t)words[j + GAUSS_PAIRS] * (real)0x1p-30;
    }
    for (int j = 0; j < GAUSS_PAIRS; j += VL) {
        const vreal r = v_sqrt(v_mul(V(-2), v_log(v_load(u + j))));
        /* the nearest half of a turn, whose sine and cosine have the other sign if it is odd */
        const vreal angle = v_load(v + j), half = v_rint(v_mul(angle, V(0.5)));
        const vreal f = v_fnma(half, V(2), angle), square = v_mul(f, f);
        const vreal sign = v_select(v_ne(half, V(0)), V(-1), V(1)), along = v_mul(r, sign);
        v_store(z + j, v_mul(along, V_POLY(square, gauss_cos)));
        v_store(z + j + GAUSS_PAIRS, v_mul(along, v_mul(f, V_POLY(square, gauss_sin))));
    }
}

static void gauss(ptrdiff_t n, const void *x, void *y, co_stream stream, uint64_t start,
                  double deviation, int times) {
    const real *xr = x;
    real *yr = y;
    uint32_t words[PHILOX_BLOCK];
    real z[PHILOX_BLOCK];
    for (ptrdiff_t count; n > 0; n -= count, start += (uint64_t)count, xr += count, yr += count) {
        const ptrdiff_t offset = (ptrdiff_t)(start % PHILOX_BLOCK), left = PHILOX_BLOCK - offset;
        count = n < left ? n : left;
        philox_block(words, CO_PHILOX_GROUP, stream, start / PHILOX_BLOCK);
        for (int g = 0; g < PHILOX_BLOCK; g += CO_PHILOX_GROUP) gauss_group(words + g, z + g);
        for (ptrdiff_t i = 0; i < count; i += VL) {
            const ptrdiff_t lanes = v_lanes(count - i);
            const vreal a = v_load_lanes(xr + i, lanes), b = v_load_lanes(z + offset + i, lanes);
            const vreal noise = v_mul(V(deviation), b);
            v_store_lanes(yr + i, times ? v_fma(a, noise, a) : v_add(a, noise), lanes);
        }
    }
}

#endif
