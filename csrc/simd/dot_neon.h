/* dot_neon.h - the vocabulary of dot.h for AArch64: SDOT where the compiler may use it (ARMv8.4,
 * Apple), elsewhere products of 16 bits that are added pair by pair. */
#ifndef COREOPS_SIMD_DOT_NEON_H
#define COREOPS_SIMD_DOT_NEON_H

#define DL 4
#define D_ZERO 0
typedef int8_t dact;
typedef int32x4_t vdot;

CO_INLINE vdot d_load(const int32_t *p) { return vld1q_s32(p); }
CO_INLINE void d_store(int32_t *p, vdot sum) { vst1q_s32(p, sum); }

#ifdef __ARM_FEATURE_DOTPROD
#define D_GROUP 4
typedef int8x16_t vgroup, vweights;
CO_INLINE vgroup d_group(const dact *p) {
    int32_t word;
    memcpy(&word, p, sizeof word);
    return vreinterpretq_s8_s32(vdupq_n_s32(word));
}
CO_INLINE vweights d_weights(const int8_t *p) { return vld1q_s8(p); }
CO_INLINE vdot d_dot(vdot sum, vgroup a, vweights w) { return vdotq_s32(sum, a, w); }
#else
#define D_GROUP 2
typedef int8x8_t vgroup, vweights;
CO_INLINE vgroup d_group(const dact *p) {
    int16_t word;
    memcpy(&word, p, sizeof word);
    return vreinterpret_s8_s16(vdup_n_s16(word));
}
CO_INLINE vweights d_weights(const int8_t *p) { return vld1_s8(p); }
CO_INLINE vdot d_dot(vdot sum, vgroup a, vweights w) { return vpadalq_s16(sum, vmull_s8(a, w)); }
#endif

CO_INLINE vreal d_real(const int32_t *p) {
#if CO_REAL_BITS == 32
    return vcvtq_f32_s32(vld1q_s32(p));
#else
    return vcvtq_f64_s64(vmovl_s32(vld1_s32(p)));
#endif
}

CO_INLINE void d_store_acts(dact *p, vreal x) {
#if CO_REAL_BITS == 32
    const int16x4_t words = vmovn_s32(vcvtnq_s32_f32(x));
    const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
    const int32_t word = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
    memcpy(p, &word, sizeof word);
#else
    p[0] = (dact)vcvtnd_s64_f64(vgetq_lane_f64(x, 0));
    p[1] = (dact)vcvtnd_s64_f64(vgetq_lane_f64(x, 1));
#endif
}

#endif
