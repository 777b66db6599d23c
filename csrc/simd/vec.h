/* vec.h - the vector vocabulary: what the kernel templates may say.
 *
 * A vreal holds VL reals; real is float or double as CO_REAL_BITS is 32 or 64.
 * A vmask holds one truth value per lane. The backend is chosen by what the
 * compiler's flags allow; CO_SCALAR asks for the one below, which is also the
 * definition of every word for one lane.
 *
 * Everything in simd/ and kernels/ is static, so that no function compiled for
 * one tier can be linked into another. */
#ifndef COREOPS_SIMD_VEC_H
#define COREOPS_SIMD_VEC_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if CO_REAL_BITS == 32
typedef float real;
typedef uint32_t real_bits;
#define REAL_MANTISSA 23
#define REAL_MIN 0x1p-126f
#define REAL_MAX 0x1.fffffep127f
#elif CO_REAL_BITS == 64
typedef double real;
typedef uint64_t real_bits;
#define REAL_MANTISSA 52
#define REAL_MIN 0x1p-1022
#define REAL_MAX 0x1.fffffffffffffp1023
#else
#error "compile with -DCO_REAL_BITS=32 or 64"
#endif
#define REAL_BIAS (CO_REAL_BITS == 32 ? 127 : 1023)
#define REAL_INF ((real)INFINITY)

#if defined(__GNUC__)
#define CO_INLINE static inline __attribute__((always_inline))
#define CO_PREFETCH(p) __builtin_prefetch(p)
#define CO_PREFETCH_L2(p) __builtin_prefetch(p, 0, 2)
#define CO_PREFETCH_WRITE(p) __builtin_prefetch(p, 1)
/* What the compiler knows of p it forgets. */
#define CO_OPAQUE(p) __asm__("" : "+r"(p))
#else
#define CO_INLINE static inline
#define CO_PREFETCH(p) ((void)(p))
#define CO_PREFETCH_L2(p) ((void)(p))
#define CO_PREFETCH_WRITE(p) ((void)(p))
#define CO_OPAQUE(p) ((void)(p))
#endif
#if defined(__clang__)
#define CO_UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define CO_UNROLL _Pragma("GCC unroll 64")
#else
#define CO_UNROLL
#endif

#if defined(CO_SCALAR)
#define VL 1
#elif defined(__SSE2__)
#include "vec_x86.h"
#elif defined(__aarch64__)
#include "vec_neon.h"
#else
#define CO_SCALAR
#define VL 1
#endif

#ifdef CO_SCALAR
typedef real vreal;
typedef int vmask;

CO_INLINE real_bits v_bits(vreal a) {
    real_bits u;
    memcpy(&u, &a, sizeof u);
    return u;
}

CO_INLINE vreal v_from_bits(real_bits u) {
    vreal a;
    memcpy(&a, &u, sizeof a);
    return a;
}

CO_INLINE vreal v_set1(real a) { return a; }
CO_INLINE vreal v_load(const real *p) { return *p; }
CO_INLINE void v_store(real *p, vreal a) { *p = a; }

/* The first n lanes, 0 <= n <= VL. No byte past them is touched, lanes past them are 0. */
CO_INLINE vreal v_load_tail(const real *p, ptrdiff_t n) { return n > 0 ? *p : 0; }
CO_INLINE void v_store_tail(real *p, vreal a, ptrdiff_t n) {
    if (n > 0) *p = a;
}
CO_INLINE vmask v_first(ptrdiff_t n) { return n > 0; }

CO_INLINE vreal v_add(vreal a, vreal b) { return a + b; }
CO_INLINE vreal v_sub(vreal a, vreal b) { return a - b; }
CO_INLINE vreal v_mul(vreal a, vreal b) { return a * b; }
CO_INLINE vreal v_div(vreal a, vreal b) { return a / b; }
CO_INLINE vreal v_sqrt(vreal a) {
    return CO_REAL_BITS == 32 ? (real)sqrtf((float)a) : (real)sqrt(a);
}

/* a * b + c and c - a * b: fused where the tier has it (V_HAS_FMA), else two roundings. */
CO_INLINE vreal v_fma(vreal a, vreal b, vreal c) { return a * b + c; }
CO_INLINE vreal v_fnma(vreal a, vreal b, vreal c) { return c - a * b; }

/* A NaN in b gives NaN; one in a may be lost. So the variable comes second. */
CO_INLINE vreal v_min(vreal a, vreal b) { return a < b ? a : b; }
CO_INLINE vreal v_max(vreal a, vreal b) { return a > b ? a : b; }

/* Comparisons are false for NaN, except v_ne. */
CO_INLINE vmask v_lt(vreal a, vreal b) { return a < b; }
CO_INLINE vmask v_le(vreal a, vreal b) { return a <= b; }
CO_INLINE vmask v_ne(vreal a, vreal b) { return a != b; }
CO_INLINE vreal v_select(vmask m, vreal a, vreal b) { return m ? a : b; }
CO_INLINE vmask v_both(vmask m, vmask k) { return m & k; }
CO_INLINE int v_any(vmask m) { return m; }

/* A bit for each lane, the first one's lowest; and the other way, from the lowest VL bits. */
CO_INLINE unsigned v_to_bits(vmask m) { return (unsigned)m; }
CO_INLINE vmask v_of_bits(unsigned bits) { return bits & 1; }

/* The bits of the lanes; a shift shifts each lane as an unsigned integer. */
CO_INLINE vreal v_and(vreal a, vreal b) { return v_from_bits(v_bits(a) & v_bits(b)); }
CO_INLINE vreal v_or(vreal a, vreal b) { return v_from_bits(v_bits(a) | v_bits(b)); }
CO_INLINE vreal v_andnot(vreal a, vreal b) { return v_from_bits(~v_bits(a) & v_bits(b)); }
#define v_shl(a, count) v_from_bits(v_bits(a) << (count))
#define v_shr(a, count) v_from_bits(v_bits(a) >> (count))

/* Every lane changes places with the one so many lanes away, a power of 2 below VL. */
CO_INLINE vreal v_swap(vreal a, int away) {
    (void)away;
    return a;
}

/* Philox: vu64 holds UL 64-bit lanes, of which u_mul reads the low halves. u_store_pair
 * writes 2 UL words, the low halves of even and odd in turn. v_gt_u32: w[lane] > t. */
#define UL 1
typedef uint64_t vu64;
CO_INLINE vu64 u_set1(uint64_t a) { return a; }
CO_INLINE vu64 u_load(const uint64_t *p) { return *p; }
CO_INLINE vu64 u_add(vu64 a, vu64 b) { return a + b; }
CO_INLINE vu64 u_xor(vu64 a, vu64 b) { return a ^ b; }
CO_INLINE vu64 u_mul(vu64 a, vu64 b) { return (a & UINT32_MAX) * (b & UINT32_MAX); }
CO_INLINE vu64 u_high(vu64 a) { return a >> 32; }
CO_INLINE void u_store_pair(uint32_t *w, vu64 even, vu64 odd) {
    w[0] = (uint32_t)even;
    w[1] = (uint32_t)odd;
}
CO_INLINE vmask v_gt_u32(const uint32_t *w, uint32_t t) { return *w > t; }
#endif

#ifdef V_TAIL_BY_LANE /* no masked memory access */
CO_INLINE vreal v_load_tail(const real *p, ptrdiff_t n) {
    real t[VL] = {0};
    if (n == VL) return v_load(p);
    for (int i = 0; i < VL - 1; i++)
        if (i < n) t[i] = p[i];
    return v_load(t);
}

CO_INLINE void v_store_tail(real *p, vreal a, ptrdiff_t n) {
    real t[VL];
    if (n == VL) {
        v_store(p, a);
        return;
    }
    v_store(t, a);
    for (int i = 0; i < VL - 1; i++)
        if (i < n) p[i] = t[i];
}
#endif

/* How many of n elements the next vector takes. */
CO_INLINE ptrdiff_t v_lanes(ptrdiff_t n) { return n < 0 ? 0 : n < VL ? n : VL; }

/* The first n lanes, by a whole vector where n is VL: masked access may be slow. */
CO_INLINE vreal v_load_lanes(const real *p, ptrdiff_t n) {
    return n == VL ? v_load(p) : v_load_tail(p, n);
}

CO_INLINE void v_store_lanes(real *p, vreal a, ptrdiff_t n) {
    if (n == VL)
        v_store(p, a);
    else
        v_store_tail(p, a, n);
}

/* The bits of u in every lane. */
CO_INLINE vreal v_set1_bits(real_bits u) {
    real a;
    memcpy(&a, &u, sizeof a);
    return v_set1(a);
}

#define V(constant) v_set1((real)(constant))
#define V_SIGN v_set1_bits((real_bits)1 << (CO_REAL_BITS - 1))

CO_INLINE vreal v_abs(vreal a) { return v_andnot(V_SIGN, a); }
CO_INLINE vreal v_neg(vreal a) { return v_sub(V(-0.0), a); }
CO_INLINE vreal v_copysign(vreal a, vreal sign) {
    return v_or(v_andnot(V_SIGN, a), v_and(V_SIGN, sign));
}

/* Nearest integer, ties to even, for |a| < 2^(REAL_MANTISSA - 1): above the magic
 * number the spacing of reals is 1. */
#define V_MAGIC (CO_REAL_BITS == 32 ? 0x1.8p23 : 0x1.8p52)
CO_INLINE vreal v_rint(vreal a) { return v_sub(v_add(a, V(V_MAGIC)), V(V_MAGIC)); }

/* 2^n for integral n of a normal result: n + bias in the low bits, moved to the exponent. */
CO_INLINE vreal v_pow2(vreal n) { return v_shl(v_add(n, V(V_MAGIC + REAL_BIAS)), REAL_MANTISSA); }

/* a * 2^n for integral n, |n| <= 2 REAL_BIAS - 2, rounded once if a is normal and near 1. */
#ifndef V_HAS_LDEXP
CO_INLINE vreal v_ldexp(vreal a, vreal n) {
    const vreal half = v_rint(v_mul(n, V(0.5)));
    return v_mul(v_mul(a, v_pow2(half)), v_pow2(v_sub(n, half)));
}
#endif

/* How much p, which is a * b rounded, is above a * b. Neither a nor b is near overflow. */
#ifdef V_HAS_FMA
CO_INLINE vreal v_mul_excess(vreal a, vreal b, vreal p) { return v_fnma(a, b, p); }
#else
/* Dekker's product: of halves, which multiply exactly. */
CO_INLINE vreal v_upper_half(vreal a) {
    const vreal upper = v_set1_bits(CO_REAL_BITS == 32 ? 0xfffff000u : (real_bits)-1 << 27);
    return v_and(a, upper);
}
CO_INLINE vreal v_mul_excess(vreal a, vreal b, vreal p) {
    const vreal ah = v_upper_half(a), al = v_sub(a, ah);
    const vreal bh = v_upper_half(b), bl = v_sub(b, bh);
    const vreal high = v_sub(v_sub(p, v_mul(ah, bh)), v_mul(ah, bl));
    return v_sub(v_sub(high, v_mul(al, bh)), v_mul(al, bl));
}
#endif

/* Lets a vector that was loaded stay in a register, where a compiler would rather load it again
 * with each use. */
#ifndef V_KEEP
#define V_KEEP(a) ((void)(a))
#endif

/* With V_HAS_LOOKUP, v_lookup16(t, i) is t[the low 4 bits of i], and v_lookup32 t[the low 5]:
 * tables that stand in one or two registers. */

/* The sum and the maximum of every width lanes, a constant power of 2, in each of them; the
 * maximum may lose a NaN. */
CO_INLINE vreal v_sum_of(vreal a, const int width) {
    CO_UNROLL
    for (int away = width / 2; away; away /= 2) a = v_add(a, v_swap(a, away));
    return a;
}

CO_INLINE vreal v_top_of(vreal a, const int width) {
    CO_UNROLL
    for (int away = width / 2; away; away /= 2) a = v_max(a, v_swap(a, away));
    return a;
}

#endif
