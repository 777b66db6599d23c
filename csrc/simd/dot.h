/* dot.h - the vocabulary of integer products: what quantized kernels may say beside vec.h.
 *
 * A vdot holds DL sums of 32 bits, one for each column. A lane of weights holds D_GROUP
 * neighbours along k of its column, int8; a group of as many activations meets all lanes.
 * An activation is stored as a dact: an integer of -127 .. 127, plus D_ZERO where the
 * instruction wants it unsigned. A sum that starts at -D_ZERO times the sum of its column's
 * weights is exact then, for the arithmetic is modulo 2^32. */
#ifndef COREOPS_SIMD_DOT_H
#define COREOPS_SIMD_DOT_H

#include "vec.h"

#if defined(CO_EMULATE_TILES)
#include "dot_bytes.h"
#elif defined(CO_SCALAR)
#define DL 1
#define D_GROUP 1
#define D_ZERO 0
typedef int8_t dact;
typedef int32_t vdot, vgroup, vweights;

CO_INLINE vdot d_load(const int32_t *p) { return *p; }
CO_INLINE void d_store(int32_t *p, vdot sum) { *p = sum; }
CO_INLINE vgroup d_group(const dact *p) { return *p; }
CO_INLINE vweights d_weights(const int8_t *p) { return *p; }

/* Adds to each sum the products of its D_GROUP weights with those of the group. */
CO_INLINE vdot d_dot(vdot sum, vgroup a, vweights w) { return sum + a * w; }

/* VL sums as reals, rounded once. */
CO_INLINE vreal d_real(const int32_t *p) { return (real)*p; }

/* Stores VL reals of magnitude below 127.5 as the nearest integers, ties to even. */
CO_INLINE void d_store_acts(dact *p, vreal x) {
    *p = (dact)(CO_REAL_BITS == 32 ? rintf((float)x) : rint(x));
}
#elif defined(__SSE2__)
#include "dot_x86.h"
#else
#include "dot_neon.h"
#endif

#endif
