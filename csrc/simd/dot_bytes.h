/* dot_bytes.h - the vocabulary of dot.h as VNNI has it, in plain C: what emulated tiles share their
 * operands with. */
#ifndef COREOPS_SIMD_DOT_BYTES_H
#define COREOPS_SIMD_DOT_BYTES_H

#define DL 16
#define D_GROUP 4
#define D_ZERO 128
typedef uint8_t dact;
typedef struct vdot {
    uint32_t lane[DL];
} vdot;
typedef struct vweights {
    int8_t byte[DL][D_GROUP];
} vweights;
typedef struct vgroup {
    dact byte[D_GROUP];
} vgroup;

CO_INLINE vdot d_load(const int32_t *p) {
    vdot sum;
    memcpy(&sum, p, sizeof sum);
    return sum;
}
CO_INLINE void d_store(int32_t *p, vdot sum) { memcpy(p, &sum, sizeof sum); }
CO_INLINE vgroup d_group(const dact *p) {
    vgroup group;
    memcpy(&group, p, sizeof group);
    return group;
}
CO_INLINE vweights d_weights(const int8_t *p) {
    vweights weights;
    memcpy(&weights, p, sizeof weights);
    return weights;
}
CO_INLINE vdot d_dot(vdot sum, vgroup a, vweights w) {
    for (int j = 0; j < DL; j++)
        for (int p = 0; p < D_GROUP; p++) sum.lane[j] += (uint32_t)(a.byte[p] * w.byte[j][p]);
    return sum;
}
CO_INLINE vreal d_real(const int32_t *p) {
    real x[VL];
    for (int i = 0; i < VL; i++) x[i] = (real)p[i];
    return v_load(x);
}
CO_INLINE void d_store_acts(dact *p, vreal x) {
    real all[VL];
    v_store(all, x);
    for (int i = 0; i < VL; i++) p[i] = (dact)(rintf(all[i]) + D_ZERO);
}

#endif
