/* vec_neon.h - the vocabulary of vec.h for AArch64, where NEON has both widths and FMA. */
#ifndef COREOPS_SIMD_VEC_NEON_H
#define COREOPS_SIMD_VEC_NEON_H

#include <arm_neon.h>

/* N_R(vadd) is vaddq_f32 or vaddq_f64, N_U(vadd) is vaddq_u32 or vaddq_u64. */
#define N_PASTE_(a, b, c, d) a##b##c##d
#define N_PASTE(a, b, c, d) N_PASTE_(a, b, c, d)
#define N_R(op) N_PASTE(op, q_f, CO_REAL_BITS, )
#define N_U(op) N_PASTE(op, q_u, CO_REAL_BITS, )
#define N_BITS(a) N_PASTE(vreinterpretq_u, CO_REAL_BITS, _f, CO_REAL_BITS)(a)
#define N_REAL(a) N_PASTE(vreinterpretq_f, CO_REAL_BITS, _u, CO_REAL_BITS)(a)

#define VL (128 / CO_REAL_BITS)
#if CO_REAL_BITS == 32
typedef float32x4_t vreal;
typedef uint32x4_t vmask;
#define N_MASK_U32(m) (m)
#define N_MASK_FROM_U32(m) (m)
#else
typedef float64x2_t vreal;
typedef uint64x2_t vmask;
#define N_MASK_U32(m) vreinterpretq_u32_u64(m)
#define N_MASK_FROM_U32(m) vreinterpretq_u64_u32(m)
#endif

CO_INLINE vreal v_set1(real a) { return N_PASTE(vdupq_n_f, CO_REAL_BITS, , )(a); }
CO_INLINE vreal v_load(const real *p) { return N_R(vld1)(p); }
CO_INLINE void v_store(real *p, vreal a) { N_R(vst1)(p, a); }
CO_INLINE vreal v_add(vreal a, vreal b) { return N_R(vadd)(a, b); }
CO_INLINE vreal v_sub(vreal a, vreal b) { return N_R(vsub)(a, b); }
CO_INLINE vreal v_mul(vreal a, vreal b) { return N_R(vmul)(a, b); }
CO_INLINE vreal v_div(vreal a, vreal b) { return N_R(vdiv)(a, b); }
CO_INLINE vreal v_sqrt(vreal a) { return N_R(vsqrt)(a); }
#define V_HAS_FMA
CO_INLINE vreal v_fma(vreal a, vreal b, vreal c) { return N_R(vfma)(c, a, b); }
CO_INLINE vreal v_fnma(vreal a, vreal b, vreal c) { return N_R(vfms)(c, a, b); }
CO_INLINE vreal v_min(vreal a, vreal b) { return N_R(vmin)(a, b); }
CO_INLINE vreal v_max(vreal a, vreal b) { return N_R(vmax)(a, b); }

CO_INLINE vmask v_lt(vreal a, vreal b) { return N_R(vclt)(a, b); }
CO_INLINE vmask v_le(vreal a, vreal b) { return N_R(vcle)(a, b); }
CO_INLINE vmask v_ne(vreal a, vreal b) {
    return N_MASK_FROM_U32(vmvnq_u32(N_MASK_U32(N_R(vceq)(a, b))));
}
CO_INLINE vreal v_select(vmask m, vreal a, vreal b) { return N_R(vbsl)(m, a, b); }
CO_INLINE vmask v_both(vmask m, vmask k) { return N_U(vand)(m, k); }
CO_INLINE int v_any(vmask m) { return vmaxvq_u32(N_MASK_U32(m)) != 0; }
#if CO_REAL_BITS == 32
static const uint32_t v_lane_bit[4] = {1, 2, 4, 8};
#else
static const uint64_t v_lane_bit[2] = {1, 2};
#endif
CO_INLINE unsigned v_to_bits(vmask m) {
    return (unsigned)N_U(vaddv)(N_U(vand)(m, N_U(vld1)(v_lane_bit)));
}
CO_INLINE vmask v_of_bits(unsigned bits) {
    return N_U(vtst)(N_PASTE(vdupq_n_u, CO_REAL_BITS, , )(bits), N_U(vld1)(v_lane_bit));
}

CO_INLINE vreal v_and(vreal a, vreal b) { return N_REAL(N_U(vand)(N_BITS(a), N_BITS(b))); }
CO_INLINE vreal v_or(vreal a, vreal b) { return N_REAL(N_U(vorr)(N_BITS(a), N_BITS(b))); }
CO_INLINE vreal v_andnot(vreal a, vreal b) { return N_REAL(N_U(vbic)(N_BITS(b), N_BITS(a))); }
#define v_shl(a, count) N_REAL(N_PASTE(vshlq_n_u, CO_REAL_BITS, , )(N_BITS(a), count))
#define v_shr(a, count) N_REAL(N_PASTE(vshrq_n_u, CO_REAL_BITS, , )(N_BITS(a), count))

/* A load at VL - n gives n lanes of ones. */
#if CO_REAL_BITS == 32
static const uint32_t v_first_table[8] = {~0u, ~0u, ~0u, ~0u};
#else
static const uint64_t v_first_table[4] = {~(uint64_t)0, ~(uint64_t)0};
#endif
CO_INLINE vmask v_first(ptrdiff_t n) { return N_U(vld1)(v_first_table + VL - n); }
#define V_TAIL_BY_LANE

CO_INLINE vreal v_swap(vreal a, int away) {
    if (away == 1 && CO_REAL_BITS == 32)
        return N_REAL(N_MASK_FROM_U32(vrev64q_u32(N_MASK_U32(N_BITS(a)))));
    return N_R(vext)(a, a, VL / 2);
}

#define UL 2
typedef uint64x2_t vu64;
CO_INLINE vu64 u_set1(uint64_t a) { return vdupq_n_u64(a); }
CO_INLINE vu64 u_load(const uint64_t *p) { return vld1q_u64(p); }
CO_INLINE vu64 u_add(vu64 a, vu64 b) { return vaddq_u64(a, b); }
CO_INLINE vu64 u_xor(vu64 a, vu64 b) { return veorq_u64(a, b); }
CO_INLINE vu64 u_mul(vu64 a, vu64 b) { return vmull_u32(vmovn_u64(a), vmovn_u64(b)); }
CO_INLINE vu64 u_high(vu64 a) { return vshrq_n_u64(a, 32); }
CO_INLINE void u_store_pair(uint32_t *w, vu64 even, vu64 odd) {
    vst1q_u32(w, vtrn1q_u32(vreinterpretq_u32_u64(even), vreinterpretq_u32_u64(odd)));
}
CO_INLINE vmask v_gt_u32(const uint32_t *w, uint32_t t) {
#if CO_REAL_BITS == 32
    return vcgtq_u32(vld1q_u32(w), vdupq_n_u32(t));
#else
    return vcgtq_u64(vmovl_u32(vld1_u32(w)), vdupq_n_u64(t));
#endif
}

#define LL 1
typedef uint8x16_t vlanes;
CO_INLINE vlanes l_load(const char *p) { return vld1q_u8((const uint8_t *)p); }
CO_INLINE void l_store(char *p, vlanes a) { vst1q_u8((uint8_t *)p, a); }
CO_INLINE void l_stream(char *p, vlanes a) { l_store(p, a); }
CO_INLINE void l_settle(void) {}
CO_INLINE vlanes l_load_rows(const char *p, ptrdiff_t stride) {
    (void)stride;
    return l_load(p);
}
CO_INLINE void l_store_lane(char *p, vlanes a, int lane) {
    (void)lane;
    l_store(p, a);
}
CO_INLINE void l_cross(vlanes *a, int step) { (void)a, (void)step; }
/* Only the 8 bit zip needs no cast, and a cast to the same type does not exist. */
#define N_ZIP(op, bits, a, b)                                                                      \
    vreinterpretq_u8_u##bits(op##bits(vreinterpretq_u##bits##_u8(a), vreinterpretq_u##bits##_u8(b)))
#define vreinterpretq_u8_u8(a) (a)
#define l_zip_lo(bits, a, b) N_ZIP(vzip1q_u, bits, a, b)
#define l_zip_hi(bits, a, b) N_ZIP(vzip2q_u, bits, a, b)
#define L_PICKS 1
CO_INLINE vlanes l_pick(vlanes a, const uint8_t *pick) { return vqtbl1q_u8(a, vld1q_u8(pick)); }

typedef vlanes vlane;
CO_INLINE vlane q_load(const char *p, int bytes) {
    uint32_t word;
    if (bytes == 16) return l_load(p);
    if (bytes == 8) return vcombine_u8(vld1_u8((const uint8_t *)p), vdup_n_u8(0));
    memcpy(&word, p, 4);
    return vreinterpretq_u8_u32(vdupq_n_u32(word));
}
CO_INLINE void q_store(char *p, vlane a, int bytes, int piece) {
    if (bytes == 16) {
        l_store(p, a);
    } else if (bytes == 8) {
        vst1_u8((uint8_t *)p, piece ? vget_high_u8(a) : vget_low_u8(a));
    } else {
        const uint32x4_t words = vreinterpretq_u32_u8(a);
        const uint32_t word = piece == 0   ? vgetq_lane_u32(words, 0)
                              : piece == 1 ? vgetq_lane_u32(words, 1)
                              : piece == 2 ? vgetq_lane_u32(words, 2)
                                           : vgetq_lane_u32(words, 3);
        memcpy(p, &word, 4);
    }
}
#define q_zip_lo l_zip_lo
#define q_zip_hi l_zip_hi

#endif
