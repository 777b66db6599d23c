/* peak_tpl.h - the roofline: how fast this tier multiplies and adds, and how fast it reads. Needs
 * vec.h. `coreops bench` holds the other kernels against these two. */
#ifndef COREOPS_PEAK_TPL_H
#define COREOPS_PEAK_TPL_H

#include "../simd/vec.h"

/* Chains that do not wait for each other. Two products a cycle that take four or five cycles each
 * need ten; twelve leave room for a and b in sixteen registers. */
#define PEAK_CHAINS 12

/* Bytes between a read and the prefetch that goes before it: a fifth faster out of a shared cache,
 * a tenth slower out of the nearest one, where nothing that matters is bound by reading. */
#define PEAK_AHEAD 1024

static double peak_lane(vreal a) {
    real lanes[VL];
    v_store(lanes, a);
    return (double)lanes[0];
}

static double peak_fma(ptrdiff_t n, double a, double b) {
    const vreal va = V(a), vb = V(b);
    vreal x[PEAK_CHAINS];
    CO_UNROLL
    for (int j = 0; j < PEAK_CHAINS; j++) x[j] = V(j); /* all alike, they would be made one */
    for (ptrdiff_t i = 0; i < n; i++) {
        CO_UNROLL
        for (int j = 0; j < PEAK_CHAINS; j++) x[j] = v_fma(x[j], va, vb);
    }
    vreal sum = x[0];
    CO_UNROLL
    for (int j = 1; j < PEAK_CHAINS; j++) sum = v_add(sum, x[j]);
    return peak_lane(v_sum_of(sum, VL));
}

static double peak_read(ptrdiff_t n, const void *x) {
    const real *p = x, *const end = p + n;
    vreal top[PEAK_CHAINS];
    CO_UNROLL
    for (int j = 0; j < PEAK_CHAINS; j++) top[j] = V(-REAL_INF);
    for (; end - p >= PEAK_CHAINS * VL; p += PEAK_CHAINS * VL) {
        CO_UNROLL
        for (int j = 0; j < PEAK_CHAINS; j++) {
            CO_PREFETCH((const char *)(p + j * VL) + PEAK_AHEAD);
            top[j] = v_max(v_load(p + j * VL), top[j]);
        }
    }
    CO_UNROLL
    for (int j = 1; j < PEAK_CHAINS; j++) top[0] = v_max(top[j], top[0]);
    for (; end - p >= VL; p += VL) top[0] = v_max(v_load(p), top[0]);
    for (; p < end; p++) top[0] = v_max(V(*p), top[0]);
    return peak_lane(v_top_of(top[0], VL));
}

#endif
