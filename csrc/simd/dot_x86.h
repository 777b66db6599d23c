/* dot_x86.h - the vocabulary of dot.h for x86: VPDPBUSD (AVX512-VNNI, AVX-VNNI), which multiplies
 * unsigned by signed bytes four at a time, and elsewhere PMADDWD on pairs of 16 bits. PMADDUBSW
 * would take bytes, but saturates: 255 * 127 * 2 needs 17 bits. */
#ifndef COREOPS_SIMD_DOT_X86_H
#define COREOPS_SIMD_DOT_X86_H

#define DL (V_BITS / 32)
typedef vint vdot, vgroup, vweights;

CO_INLINE vdot d_load(const int32_t *p) { return V_SI(_loadu)((const void *)p); }
CO_INLINE void d_store(int32_t *p, vdot sum) { V_SI(_storeu)((void *)p, sum); }

#if (V_BITS == 512 && defined(__AVX512VNNI__)) || (V_BITS == 256 && defined(__AVXVNNI__))
#define D_GROUP 4
#define D_ZERO 128
typedef uint8_t dact;
CO_INLINE vweights d_weights(const int8_t *p) { return V_SI(_loadu)((const void *)p); }
CO_INLINE vdot d_dot(vdot sum, vgroup a, vweights w) {
#if V_BITS == 512
    return _mm512_dpbusd_epi32(sum, a, w);
#else
    return _mm256_dpbusd_avx_epi32(sum, a, w);
#endif
}
#else
#define D_GROUP 2
#define D_ZERO 0
typedef int16_t dact;
CO_INLINE vweights d_weights(const int8_t *p) {
#if V_BITS == 512
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)p));
#elif V_BITS == 256
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const void *)p));
#else
    const __m128i w = _mm_loadl_epi64((const void *)p);
    return _mm_srai_epi16(_mm_unpacklo_epi8(w, w), 8);
#endif
}
CO_INLINE vdot d_dot(vdot sum, vgroup a, vweights w) {
    return V_I(_add, 32)(sum, V_I(_madd, 16)(a, w));
}
#endif

CO_INLINE vgroup d_group(const dact *p) {
    int32_t word;
    memcpy(&word, p, sizeof word);
    return V_I(_set1, 32)(word);
}

CO_INLINE vreal d_real(const int32_t *p) {
#if CO_REAL_BITS == 32
    return V_PASTE(V_PREFIX, _cvtepi32_ps, , , , )(d_load(p));
#elif V_BITS == 512
    return _mm512_cvtepi32_pd(_mm256_loadu_si256((const void *)p));
#elif V_BITS == 256
    return _mm256_cvtepi32_pd(_mm_loadu_si128((const void *)p));
#else
    return _mm_cvtepi32_pd(_mm_loadl_epi64((const void *)p));
#endif
}

/* The conversion rounds as the environment says, which is to nearest, ties to even. */
CO_INLINE void d_store_acts(dact *p, vreal x) {
#if V_BITS == 512 && CO_REAL_BITS == 32
    const __m512i wide = _mm512_cvtps_epi32(x);
#if D_ZERO
    const __m128i bytes = _mm512_cvtepi32_epi8(wide);
    _mm_storeu_si128((void *)p, _mm_xor_si128(bytes, _mm_set1_epi8(-D_ZERO)));
#else
    _mm256_storeu_si256((void *)p, _mm512_cvtepi32_epi16(wide));
#endif
#elif VL == 8
#if V_BITS == 512
    const __m256i wide = _mm512_cvtpd_epi32(x);
#else
    const __m256i wide = _mm256_cvtps_epi32(x);
#endif
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
#if D_ZERO
    const __m128i bytes = _mm_packs_epi16(words, words);
    _mm_storel_epi64((void *)p, _mm_xor_si128(bytes, _mm_set1_epi8(-D_ZERO)));
#else
    _mm_storeu_si128((void *)p, words);
#endif
#elif VL == 4
#if V_BITS == 256
    const __m128i wide = _mm256_cvtpd_epi32(x);
#else
    const __m128i wide = _mm_cvtps_epi32(x);
#endif
    _mm_storel_epi64((void *)p, _mm_packs_epi32(wide, wide));
#else
    const __m128i wide = _mm_cvtpd_epi32(x);
    const int32_t word = _mm_cvtsi128_si32(_mm_packs_epi32(wide, wide));
    memcpy(p, &word, sizeof word);
#endif
}

#endif
