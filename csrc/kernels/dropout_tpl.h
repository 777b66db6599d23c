/* dropout_tpl.h - inverted dropout from Philox words. Needs vec.h and vscale. */
#ifndef COREOPS_DROPOUT_TPL_H
#define COREOPS_DROPOUT_TPL_H

#include "../philox.h"
#include "../simd/vec.h"

static const uint64_t philox_evens[8] = {0, 2, 4, 6, 8, 10, 12, 14};

/* The words of 2 UL counters from c on. 64-bit lanes hold 32-bit values; their upper halves
 * are never read, so that a product needs no cleaning. */
CO_INLINE void philox_vector(uint32_t *words, co_stream s, uint64_t c)
{
    const vu64 m0 = u_set1(CO_PHILOX_M0), m1 = u_set1(CO_PHILOX_M1);
    uint32_t k0 = (uint32_t)s.seed, k1 = (uint32_t)(s.seed >> 32);
    vu64 x[2][4];
    for (int odd = 0; odd < 2; odd++) {
        x[odd][0] = u_add(u_load(philox_evens), u_set1((uint32_t)c + (uint32_t)odd));
        x[odd][1] = u_set1(c >> 32);
        x[odd][2] = u_set1(s.call);
        x[odd][3] = u_set1(s.call >> 32);
    }
    CO_UNROLL
    for (int round = 0; round < CO_PHILOX_ROUNDS; round++) {
        const vu64 key0 = u_set1(k0), key1 = u_set1(k1);
        CO_UNROLL
        for (int odd = 0; odd < 2; odd++) {
            const vu64 p0 = u_mul(x[odd][0], m0), p1 = u_mul(x[odd][2], m1);
            x[odd][0] = u_xor(u_xor(u_high(p1), x[odd][1]), key0);
            x[odd][2] = u_xor(u_xor(u_high(p0), x[odd][3]), key1);
            x[odd][1] = p1;
            x[odd][3] = p0;
        }
        k0 += CO_PHILOX_W0;
        k1 += CO_PHILOX_W1;
    }
    for (int w = 0; w < 4; w++)
        u_store_pair(words + w * CO_PHILOX_COUNTERS, x[0][w], x[1][w]);
}

/* The words of a group in the order of its elements; a group's counters share their upper
 * 32 bits. */
CO_INLINE void philox_group(uint32_t *words, co_stream s, uint64_t group)
{
    const uint64_t c = group * CO_PHILOX_COUNTERS;
    for (int i = 0; i < CO_PHILOX_COUNTERS; i += 2 * UL)
        philox_vector(words + i, s, c + (uint64_t)i);
}

CO_INLINE void dropout_apply(ptrdiff_t n, const real *x, real *y, const uint32_t *words,
                             uint32_t below, vreal scale)
{
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) {
        const vreal v = v_mul(v_load(x + i), scale);
        v_store(y + i, v_select(v_gt_u32(words + i, below), v, V(0)));
    }
    if (i < n) {
        const vreal v = v_mul(v_load_tail(x + i, n - i), scale);
        v_store_tail(y + i, v_select(v_gt_u32(words + i, below), v, V(0)), n - i);
    }
}

static void dropout(ptrdiff_t n, const void *x, void *y, co_stream stream, uint64_t start,
                    uint64_t threshold, double scale)
{
    if (threshold == 0) {
        vscale(n, x, y, scale);
        return;
    }
    const uint32_t below = (uint32_t)(threshold - 1);
    const real *xr = x;
    real *yr = y;
    /* VL more than a group, for the vector that begins at its last element. */
    uint32_t words[CO_PHILOX_GROUP + VL] = {0};
    uint64_t group = start / CO_PHILOX_GROUP;
    ptrdiff_t offset = (ptrdiff_t)(start % CO_PHILOX_GROUP);
    while (n > 0) {
        ptrdiff_t count = CO_PHILOX_GROUP - offset;
        philox_group(words, stream, group++);
        if (offset == 0 && n >= CO_PHILOX_GROUP) {
            dropout_apply(CO_PHILOX_GROUP, xr, yr, words, below, V(scale));
        } else {
            if (count > n) count = n;
            dropout_apply(count, xr, yr, words + offset, below, V(scale));
        }
        xr += count;
        yr += count;
        n -= count;
        offset = 0;
    }
}

#endif
