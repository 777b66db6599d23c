/* halves.h - the vocabulary of bfloat16, which is the upper half of a float: AVX512-BF16, and plain
 * C where tiles are emulated. float32 only.
 *
 * h_peel takes HALVES floats x[]: it stores the nearest bfloat16 of each (subnormals: zero) at half
 * and leaves in x what is missing. h_peel_pairs stores them in another order: x[] are two rows, and
 * those of one column lie side by side. h_dot adds to each sum the two products of a pair of
 * bfloat16 with another; subnormals are zero, in and out, and each product is rounded. h_small:
 * whether any of some rows or columns, whose greatest elements are in top, is so small that parts
 * of it are lost. */
#ifndef COREOPS_SIMD_HALVES_H
#define COREOPS_SIMD_HALVES_H

#include "vec.h"

enum { HALVES = 32 };

#define H_SMALL 0x1p-48f

CO_INLINE int h_small(vreal top) { return v_any(v_both(v_lt(V(0), top), v_lt(top, V(H_SMALL)))); }

#ifdef CO_EMULATE_TILES

CO_INLINE float h_wide(uint32_t half) {
    const uint32_t bits = half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

CO_INLINE void h_round(vreal *x, uint16_t *top) {
    float all[HALVES];
    for (int i = 0; i < HALVES; i += VL) v_store(all + i, x[i / VL]);
    for (int i = 0; i < HALVES; i++) {
        uint32_t bits;
        memcpy(&bits, &all[i], sizeof bits);
        if (fabsf(all[i]) < REAL_MIN)
            bits &= 0x80000000u;
        else if (all[i] == all[i])
            bits += 0x7fff + (bits >> 16 & 1);
        top[i] = (uint16_t)(bits >> 16);
        all[i] -= h_wide(top[i]);
    }
    for (int i = 0; i < HALVES; i += VL) x[i / VL] = v_load(all + i);
}

CO_INLINE void h_peel(vreal *x, void *half) {
    uint16_t top[HALVES];
    h_round(x, top);
    memcpy(half, top, sizeof top);
}

CO_INLINE void h_peel_pairs(vreal *x, void *half) {
    uint16_t top[HALVES], pairs[HALVES];
    h_round(x, top);
    for (int i = 0; i < HALVES; i++) pairs[i] = top[i / 2 + i % 2 * (HALVES / 2)];
    memcpy(half, pairs, sizeof pairs);
}

#else

CO_INLINE __m512i h_round(vreal *x) {
    const __m512i top = (__m512i)_mm512_cvtne2ps_pbh(x[1], x[0]);
    const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(top));
    const __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(top, 1));
    x[0] = _mm512_sub_ps(x[0], _mm512_castsi512_ps(_mm512_slli_epi32(low, 16)));
    x[1] = _mm512_sub_ps(x[1], _mm512_castsi512_ps(_mm512_slli_epi32(high, 16)));
    return top;
}

CO_INLINE void h_peel(vreal *x, void *half) { _mm512_storeu_si512(half, h_round(x)); }

CO_INLINE void h_peel_pairs(vreal *x, void *half) {
    const __m512i order = _mm512_cvtepu8_epi16(
        _mm256_setr_epi8(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23, 8, 24, 9, 25, 10,
                         26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31));
    _mm512_storeu_si512(half, _mm512_permutexvar_epi16(order, h_round(x)));
}

CO_INLINE vreal h_dot(vreal x, vreal b, vreal sum) {
    return _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)b);
}

#endif
#endif
