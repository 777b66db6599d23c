/* vec_x86.h - the vocabulary of vec.h for SSE2, AVX2 with FMA, and AVX-512 F BW DQ VL. */
#ifndef COREOPS_SIMD_VEC_X86_H
#define COREOPS_SIMD_VEC_X86_H

#include <immintrin.h>

/* V_R(_add) is _mm512_add_ps, V_I(_add, 64) _mm512_add_epi64, V_SI(_and) _mm512_and_si512, and
 * so on for the other widths. */
#if defined(__AVX512F__)
#define V_BITS 512
#define V_PREFIX _mm512
#elif defined(__AVX2__)
#define V_BITS 256
#define V_PREFIX _mm256
#else
#define V_BITS 128
#define V_PREFIX _mm
#endif
#if CO_REAL_BITS == 32
#define V_PS ps
#else
#define V_PS pd
#endif
#define V_PASTE_(a, b, c, d, e, f) a##b##c##d##e##f
#define V_PASTE(a, b, c, d, e, f) V_PASTE_(a, b, c, d, e, f)
#define V_R(op) V_PASTE(V_PREFIX, op, _, V_PS, , )
#define V_I(op, width) V_PASTE(V_PREFIX, op, _epi, width, , )
#define V_SI(op) V_PASTE(V_PREFIX, op, _si, V_BITS, , )
#define V_TO_INT V_PASTE(V_PREFIX, _cast, V_PS, _si, V_BITS, )
#define V_TO_REAL V_PASTE(V_PREFIX, _castsi, V_BITS, _, V_PS, )

#define VL (V_BITS / CO_REAL_BITS)
#if defined(__GNUC__)
#define V_KEEP(a) __asm__("" : "+v"(a))
#endif

#if V_BITS == 512
#define V_SET1_64 V_I(_set1, 64)
typedef __m512i vint;
#if CO_REAL_BITS == 32
typedef __m512 vreal;
typedef __mmask16 vmask;
#else
typedef __m512d vreal;
typedef __mmask8 vmask;
#endif
#elif V_BITS == 256
#define V_SET1_64 V_I(_set1, 64x)
typedef __m256i vint;
#if CO_REAL_BITS == 32
typedef __m256 vreal;
#else
typedef __m256d vreal;
#endif
typedef vreal vmask;
#else
#define V_SET1_64 V_I(_set1, 64x)
typedef __m128i vint;
#if CO_REAL_BITS == 32
typedef __m128 vreal;
#else
typedef __m128d vreal;
#endif
typedef vreal vmask;
#endif

CO_INLINE vreal v_set1(real a) { return V_R(_set1)(a); }
CO_INLINE vreal v_load(const real *p) { return V_R(_loadu)(p); }
CO_INLINE void v_store(real *p, vreal a) { V_R(_storeu)(p, a); }
CO_INLINE vreal v_add(vreal a, vreal b) { return V_R(_add)(a, b); }
CO_INLINE vreal v_sub(vreal a, vreal b) { return V_R(_sub)(a, b); }
CO_INLINE vreal v_mul(vreal a, vreal b) { return V_R(_mul)(a, b); }
CO_INLINE vreal v_div(vreal a, vreal b) { return V_R(_div)(a, b); }
CO_INLINE vreal v_sqrt(vreal a) { return V_R(_sqrt)(a); }
CO_INLINE vreal v_min(vreal a, vreal b) { return V_R(_min)(a, b); }
CO_INLINE vreal v_max(vreal a, vreal b) { return V_R(_max)(a, b); }
CO_INLINE vreal v_and(vreal a, vreal b) { return V_R(_and)(a, b); }
CO_INLINE vreal v_or(vreal a, vreal b) { return V_R(_or)(a, b); }
CO_INLINE vreal v_andnot(vreal a, vreal b) { return V_R(_andnot)(a, b); }
#define v_shl(a, count) V_TO_REAL(V_I(_slli, CO_REAL_BITS)(V_TO_INT(a), count))
#define v_shr(a, count) V_TO_REAL(V_I(_srli, CO_REAL_BITS)(V_TO_INT(a), count))

#if V_BITS > 128
#define V_HAS_FMA
CO_INLINE vreal v_fma(vreal a, vreal b, vreal c) { return V_R(_fmadd)(a, b, c); }
CO_INLINE vreal v_fnma(vreal a, vreal b, vreal c) { return V_R(_fnmadd)(a, b, c); }
#else
CO_INLINE vreal v_fma(vreal a, vreal b, vreal c) { return v_add(v_mul(a, b), c); }
CO_INLINE vreal v_fnma(vreal a, vreal b, vreal c) { return v_sub(c, v_mul(a, b)); }
#endif

#if V_BITS == 512
#define V_CMP(a, b, how) V_PASTE(_mm512_cmp_, V_PS, _mask, , , )(a, b, how)
CO_INLINE vmask v_lt(vreal a, vreal b) { return V_CMP(a, b, _CMP_LT_OQ); }
CO_INLINE vmask v_le(vreal a, vreal b) { return V_CMP(a, b, _CMP_LE_OQ); }
CO_INLINE vmask v_ne(vreal a, vreal b) { return V_CMP(a, b, _CMP_NEQ_UQ); }
CO_INLINE vreal v_select(vmask m, vreal a, vreal b) { return V_R(_mask_blend)(m, b, a); }
CO_INLINE vmask v_both(vmask m, vmask k) { return m & k; }
CO_INLINE int v_any(vmask m) { return m != 0; }
CO_INLINE unsigned v_to_bits(vmask m) { return m; }
CO_INLINE vmask v_of_bits(unsigned bits) { return (vmask)bits; }
CO_INLINE vmask v_first(ptrdiff_t n) { return (vmask)((1u << n) - 1); }
CO_INLINE vreal v_load_tail(const real *p, ptrdiff_t n) { return V_R(_maskz_loadu)(v_first(n), p); }
CO_INLINE void v_store_tail(real *p, vreal a, ptrdiff_t n) { V_R(_mask_storeu)(p, v_first(n), a); }
#define V_HAS_LDEXP
CO_INLINE vreal v_ldexp(vreal a, vreal n) { return V_R(_scalef)(a, n); }
#if CO_REAL_BITS == 32
#define V_HAS_LOOKUP
CO_INLINE vreal v_lookup16(const real *t, vreal i) {
    return _mm512_permutexvar_ps(V_TO_INT(i), v_load(t));
}
CO_INLINE vreal v_lookup32(const real *t, vreal i) {
    return _mm512_permutex2var_ps(v_load(t), V_TO_INT(i), v_load(t + 16));
}
#endif
#else
/* Half ones, half zeros: a load n before the middle gives n lanes of ones. */
#if CO_REAL_BITS == 32
static const int32_t v_first_table[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
#else
static const int64_t v_first_table[8] = {-1, -1, -1, -1};
#endif
#define V_FIRST_ONES (sizeof v_first_table / sizeof *v_first_table / 2)
CO_INLINE vmask v_first(ptrdiff_t n) {
    return v_load((const real *)(const void *)(v_first_table + V_FIRST_ONES - n));
}
#if V_BITS == 256
CO_INLINE vmask v_lt(vreal a, vreal b) { return V_R(_cmp)(a, b, _CMP_LT_OQ); }
CO_INLINE vmask v_le(vreal a, vreal b) { return V_R(_cmp)(a, b, _CMP_LE_OQ); }
CO_INLINE vmask v_ne(vreal a, vreal b) { return V_R(_cmp)(a, b, _CMP_NEQ_UQ); }
CO_INLINE vreal v_select(vmask m, vreal a, vreal b) { return V_R(_blendv)(b, a, m); }
CO_INLINE vreal v_load_tail(const real *p, ptrdiff_t n) {
    return V_R(_maskload)(p, V_TO_INT(v_first(n)));
}
CO_INLINE void v_store_tail(real *p, vreal a, ptrdiff_t n) {
    V_R(_maskstore)(p, V_TO_INT(v_first(n)), a);
}
#else
CO_INLINE vmask v_lt(vreal a, vreal b) { return V_R(_cmplt)(a, b); }
CO_INLINE vmask v_le(vreal a, vreal b) { return V_R(_cmple)(a, b); }
CO_INLINE vmask v_ne(vreal a, vreal b) { return V_R(_cmpneq)(a, b); }
CO_INLINE vreal v_select(vmask m, vreal a, vreal b) { return v_or(v_and(m, a), v_andnot(m, b)); }
#define V_TAIL_BY_LANE
#endif
CO_INLINE vmask v_both(vmask m, vmask k) { return v_and(m, k); }
CO_INLINE int v_any(vmask m) { return V_R(_movemask)(m) != 0; }
CO_INLINE unsigned v_to_bits(vmask m) { return (unsigned)V_R(_movemask)(m); }
CO_INLINE vmask v_of_bits(unsigned bits) {
#if CO_REAL_BITS == 32
    static const int32_t lane[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const vint mine = V_SI(_loadu)((const void *)lane);
    const vint set = V_SI(_and)(V_I(_set1, 32)((int)bits), mine);
    return V_TO_REAL(V_I(_cmpeq, 32)(set, mine));
#elif V_BITS == 256
    static const int64_t lane[4] = {1, 2, 4, 8};
    const vint mine = V_SI(_loadu)((const void *)lane);
    const vint set = V_SI(_and)(V_SET1_64((long long)bits), mine);
    return V_TO_REAL(_mm256_cmpeq_epi64(set, mine));
#else
    static const int32_t lane[4] = {1, 1, 2, 2}; /* SSE2 compares 32 bits */
    const vint mine = V_SI(_loadu)((const void *)lane);
    const vint set = V_SI(_and)(V_I(_set1, 32)((int)bits), mine);
    return V_TO_REAL(V_I(_cmpeq, 32)(set, mine));
#endif
}
#endif

CO_INLINE vreal v_swap(vreal a, int away) {
    const vint i = V_TO_INT(a);
    switch (away * CO_REAL_BITS) {
#if V_BITS == 512
    case 256:
        return V_TO_REAL(_mm512_shuffle_i64x2(i, i, 0x4e));
    case 128:
        return V_TO_REAL(_mm512_shuffle_i64x2(i, i, 0xb1));
#elif V_BITS == 256
    case 128:
        return V_TO_REAL(_mm256_permute4x64_epi64(i, 0x4e));
#endif
    case 64:
        return V_TO_REAL(V_I(_shuffle, 32)(i, 0x4e));
    default:
        return V_TO_REAL(V_I(_shuffle, 32)(i, 0xb1));
    }
}

#define UL (V_BITS / 64)
typedef vint vu64;
CO_INLINE vu64 u_set1(uint64_t a) { return V_SET1_64((long long)a); }
CO_INLINE vu64 u_load(const uint64_t *p) { return V_SI(_loadu)((const void *)p); }
CO_INLINE vu64 u_add(vu64 a, vu64 b) { return V_I(_add, 64)(a, b); }
CO_INLINE vu64 u_xor(vu64 a, vu64 b) { return V_SI(_xor)(a, b); }
CO_INLINE vu64 u_mul(vu64 a, vu64 b) { return V_PASTE(V_PREFIX, _mul_epu32, , , , )(a, b); }
CO_INLINE vu64 u_high(vu64 a) { return V_I(_srli, 64)(a, 32); }
CO_INLINE void u_store_pair(uint32_t *w, vu64 even, vu64 odd) {
#if V_BITS == 512
    const vint words = _mm512_mask_shuffle_epi32(even, 0xaaaa, odd, _MM_PERM_CCAA);
    V_SI(_storeu)((void *)w, words);
#else
    const vint low = V_SI(_and)(even, V_SET1_64(UINT32_MAX));
    V_SI(_storeu)((void *)w, V_SI(_or)(low, V_I(_slli, 64)(odd, 32)));
#endif
}

/* Below AVX-512 there is no unsigned comparison: both sides move by 2^31, or widen. */
#if V_BITS == 512 && CO_REAL_BITS == 32
CO_INLINE vmask v_gt_u32(const uint32_t *w, uint32_t t) {
    return _mm512_cmpgt_epu32_mask(_mm512_loadu_si512(w), _mm512_set1_epi32((int)t));
}
#elif V_BITS == 512
CO_INLINE vmask v_gt_u32(const uint32_t *w, uint32_t t) {
    return _mm256_cmpgt_epu32_mask(_mm256_loadu_si256((const void *)w), _mm256_set1_epi32((int)t));
}
#elif CO_REAL_BITS == 32
CO_INLINE vmask v_gt_u32(const uint32_t *w, uint32_t t) {
    const vint flip = V_I(_set1, 32)(INT32_MIN);
    const vint a = u_xor(u_load((const void *)w), flip);
    return V_TO_REAL(V_I(_cmpgt, 32)(a, u_xor(V_I(_set1, 32)((int)t), flip)));
}
#elif V_BITS == 256
CO_INLINE vmask v_gt_u32(const uint32_t *w, uint32_t t) {
    const vint a = _mm256_cvtepu32_epi64(_mm_loadu_si128((const void *)w));
    return V_TO_REAL(_mm256_cmpgt_epi64(a, V_SET1_64(t)));
}
#else
CO_INLINE vmask v_gt_u32(const uint32_t *w, uint32_t t) {
    const vint flip = V_I(_set1, 32)(INT32_MIN);
    const vint a = u_xor(_mm_loadl_epi64((const void *)w), flip);
    const vint m = V_I(_cmpgt, 32)(a, u_xor(V_I(_set1, 32)((int)t), flip));
    return V_TO_REAL(_mm_unpacklo_epi32(m, m));
}
#endif

/* Transposes: a vlanes is LL lanes of 16 bytes, in one piece or from rows stride bytes apart;
 * zips interleave the low or the high halves of each lane. The lane to store is a constant. */
#define LL (V_BITS / 128)
typedef vint vlanes;
CO_INLINE vlanes l_load(const char *p) { return V_SI(_loadu)((const void *)p); }
CO_INLINE void l_store(char *p, vlanes a) { V_SI(_storeu)((void *)p, a); }
CO_INLINE void l_stream(char *p, vlanes a) { V_SI(_stream)((void *)p, a); }
CO_INLINE void l_settle(void) { _mm_sfence(); }
#define L_ROW(i) ((void *)(p + (i) * stride))
CO_INLINE vlanes l_load_rows(const char *p, ptrdiff_t stride) {
    const __m128i first = _mm_loadu_si128(L_ROW(0));
#if V_BITS == 512
    vlanes a = _mm512_castsi128_si512(first);
    a = _mm512_inserti32x4(a, _mm_loadu_si128(L_ROW(1)), 1);
    a = _mm512_inserti32x4(a, _mm_loadu_si128(L_ROW(2)), 2);
    return _mm512_inserti32x4(a, _mm_loadu_si128(L_ROW(3)), 3);
#elif V_BITS == 256
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first), _mm_loadu_si128(L_ROW(1)), 1);
#else
    (void)stride;
    return first;
#endif
}
CO_INLINE void l_store_lane(char *p, vlanes a, int lane) {
#if V_BITS == 512
    _mm_storeu_si128((void *)p, lane == 0   ? _mm512_castsi512_si128(a)
                                : lane == 1 ? _mm512_extracti32x4_epi32(a, 1)
                                : lane == 2 ? _mm512_extracti32x4_epi32(a, 2)
                                            : _mm512_extracti32x4_epi32(a, 3));
#elif V_BITS == 256
    _mm_storeu_si128((void *)p, lane ? _mm256_extracti128_si256(a, 1) : _mm256_castsi256_si128(a));
#else
    (void)lane;
    l_store(p, a);
#endif
}
/* a holds LL vectors, step apart: lane i of vector j and lane j of vector i change places. */
CO_INLINE void l_cross(vlanes *a, int step) {
#if V_BITS == 512
    const vlanes even01 = _mm512_shuffle_i32x4(a[0], a[step], 0x88);
    const vlanes odd01 = _mm512_shuffle_i32x4(a[0], a[step], 0xdd);
    const vlanes even23 = _mm512_shuffle_i32x4(a[2 * step], a[3 * step], 0x88);
    const vlanes odd23 = _mm512_shuffle_i32x4(a[2 * step], a[3 * step], 0xdd);
    a[0] = _mm512_shuffle_i32x4(even01, even23, 0x88);
    a[step] = _mm512_shuffle_i32x4(odd01, odd23, 0x88);
    a[2 * step] = _mm512_shuffle_i32x4(even01, even23, 0xdd);
    a[3 * step] = _mm512_shuffle_i32x4(odd01, odd23, 0xdd);
#elif V_BITS == 256
    const vlanes low = _mm256_permute2x128_si256(a[0], a[step], 0x20);
    a[step] = _mm256_permute2x128_si256(a[0], a[step], 0x31);
    a[0] = low;
#else
    (void)a, (void)step;
#endif
}
#define l_zip_lo(bits, a, b) V_I(_unpacklo, bits)(a, b)
#define l_zip_hi(bits, a, b) V_I(_unpackhi, bits)(a, b)

/* L_PICKS: byte i of each lane is the lane's byte pick[i]. */
#if V_BITS == 128
#define L_PICKS 0
CO_INLINE vlanes l_pick(vlanes a, const uint8_t *pick) {
    (void)pick;
    return a;
}
#elif V_BITS == 256
#define L_PICKS 1
CO_INLINE vlanes l_pick(vlanes a, const uint8_t *pick) {
    const __m128i index = _mm_loadu_si128((const void *)pick);
    return _mm256_shuffle_epi8(a, _mm256_broadcastsi128_si256(index));
}
#else
#define L_PICKS 1
CO_INLINE vlanes l_pick(vlanes a, const uint8_t *pick) {
    const __m128i index = _mm_loadu_si128((const void *)pick);
    return _mm512_shuffle_epi8(a, _mm512_broadcast_i32x4(index));
}
#endif

/* A vlane is one lane; bytes is 4, 8 or 16 and constant: the first ones, or the piece-th. */
typedef __m128i vlane;
CO_INLINE vlane q_load(const char *p, int bytes) {
    int32_t word;
    if (bytes == 16) return _mm_loadu_si128((const void *)p);
    if (bytes == 8) return _mm_loadl_epi64((const void *)p);
    memcpy(&word, p, 4);
    return _mm_cvtsi32_si128(word);
}
CO_INLINE void q_store(char *p, vlane a, int bytes, int piece) {
    if (bytes == 16) {
        _mm_storeu_si128((void *)p, a);
    } else if (bytes == 8) {
        _mm_storel_epi64((void *)p, piece ? _mm_unpackhi_epi64(a, a) : a);
    } else {
        const int32_t word = _mm_cvtsi128_si32(piece == 0   ? a
                                               : piece == 1 ? _mm_shuffle_epi32(a, 1)
                                               : piece == 2 ? _mm_shuffle_epi32(a, 2)
                                                            : _mm_shuffle_epi32(a, 3));
        memcpy(p, &word, 4);
    }
}
#define q_zip_lo(bits, a, b) _mm_unpacklo_epi##bits(a, b)
#define q_zip_hi(bits, a, b) _mm_unpackhi_epi##bits(a, b)

#endif
