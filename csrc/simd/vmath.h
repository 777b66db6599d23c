/* vmath.h - elementary functions of a vreal, without branches or calls.
 *
 * The polynomials are our own minimax fits (Remez exchange in 50 digits, then
 * rounded to real; gelu's tables of intervals by Lawson's weighted least squares
 * in double); the bound beside each table is the relative error it adds to the
 * function, in exact arithmetic. Lowest coefficient first.
 *
 * NaN goes through every function; results underflow gradually. */
#ifndef COREOPS_SIMD_VMATH_H
#define COREOPS_SIMD_VMATH_H

#include "vec.h"

#define LOG2_E 1.4426950408889634

#if CO_REAL_BITS == 32
#include "vmath_f32.h"
#else
#include "vmath_f64.h"
#endif

#define V_POLY(x, table) v_poly(x, table, (int)(sizeof(table) / sizeof *(table)))
CO_INLINE vreal v_poly(vreal x, const real *c, int count) {
    vreal y = v_set1(c[count - 1]);
    CO_UNROLL
    for (int i = count - 2; i >= 0; i--) y = v_fma(y, x, v_set1(c[i]));
    return y;
}

/* exp(x + lo) = (1 + p) * 2^n: returns p = expm1(r), |r| <= ln 2 / 2, and n. lo is a small
 * correction of x. */
CO_INLINE vreal v_exp_parts(vreal x, vreal lo, vreal *n) {
    *n = v_rint(v_mul(x, V(LOG2_E)));
    const vreal hi = v_fnma(*n, V(LN2_HI), x);
    const vreal r = v_add(v_fnma(*n, V(LN2_LO), hi), lo);
    return v_fma(v_mul(r, r), V_POLY(r, exp_poly), r);
}
#define V_NO_LO V(-0.0) /* which an addition leaves out */

#ifdef V_HAS_LOOKUP
#include "vmath_lookup.h"
#else
/* exp(x + lo) = m * 2^n */
CO_INLINE vreal v_exp_split(vreal x, vreal lo, vreal *n) {
    return v_add(v_exp_parts(x, lo, n), V(1));
}

/* exp(x) for x <= 0 */
CO_INLINE vreal v_exp_down(vreal x) {
    vreal n;
    const vreal m = v_exp_split(v_max(V(EXP_MIN), x), V_NO_LO, &n);
    return v_ldexp(m, n);
}
#endif

CO_INLINE vreal v_exp(vreal x) { return v_exp_down(v_min(V(EXP_MAX), x)); }

CO_INLINE vreal v_expm1(vreal x) {
    vreal n;
    const vreal clamped = v_min(V(EXP_MAX), v_max(V(EXPM1_MIN), x));
    const vreal p = v_exp_parts(clamped, V_NO_LO, &n);
    /* Half of the result, because 2^n itself may be too large. */
    const vreal t = v_pow2(v_sub(n, V(1)));
    const vreal y = v_fma(t, p, v_sub(t, V(0.5)));
    return v_copysign(v_select(v_ne(n, V(0)), v_add(y, y), p), x);
}

/* log(2^e * (1 + f)) for 1 + f in [sqrt 1/2, sqrt 2]. With s = f / (2 + f):
 * log(1 + f) = 2 atanh s = f - f^2 / 2 + s (f^2 / 2 + s^2 P(s^2)). */
CO_INLINE vreal v_log_parts(vreal f, vreal e) {
    const vreal s = v_div(f, v_add(V(2), f));
    const vreal z = v_mul(s, s);
    const vreal half = v_mul(V(0.5), v_mul(f, f));
    const vreal tail = v_fma(z, V_POLY(z, log_poly), half);
    const vreal low = v_fma(e, V(LN2_LO), v_mul(s, tail));
    return v_fma(e, V(LN2_HI), v_sub(f, v_sub(half, low)));
}

CO_INLINE vreal v_log(vreal x) {
    const vmask tiny = v_lt(x, V(REAL_MIN));
    const vreal scaled = v_select(tiny, v_mul(x, V(LOG_SCALE)), x);
    /* The biased exponent as the low bits of a real whose spacing is 1. */
    const vreal spacing = V(CO_REAL_BITS == 32 ? 0x1p23 : 0x1p52);
    vreal e = v_sub(v_or(v_shr(scaled, REAL_MANTISSA), spacing), v_add(spacing, V(REAL_BIAS)));
    e = v_sub(e, v_select(tiny, V(LOG_SCALE_BITS), V(0)));
    const vreal mantissa = v_set1_bits(((real_bits)1 << REAL_MANTISSA) - 1);
    vreal m = v_or(v_and(scaled, mantissa), V(1));
    const vmask big = v_lt(V(SQRT_2), m);
    m = v_select(big, v_mul(m, V(0.5)), m);
    e = v_add(e, v_select(big, V(1), V(0)));
    const vreal y = v_log_parts(v_sub(m, V(1)), e);
    const vreal edge = v_select(v_lt(x, V(0)), V(NAN), V(-INFINITY));
    return v_select(v_le(x, V(0)), edge, v_select(v_le(x, V(REAL_MAX)), y, x));
}

#ifndef V_HAS_LOOKUP
/* log(1 + e) for 0 <= e <= 1. */
CO_INLINE vreal v_log1p_unit(vreal e) {
    const vmask big = v_lt(V(SQRT_2 - 1), e);
    const vreal f = v_select(big, v_mul(V(0.5), v_sub(e, V(1))), e);
    return v_log_parts(f, v_select(big, V(1), V(0)));
}

CO_INLINE vreal v_tanh(vreal x) {
    vreal n;
    const vreal a = v_min(V(TANH_ONE), v_abs(x));
    const vreal p = v_exp_parts(v_add(a, a), V_NO_LO, &n);
    const vreal t = v_pow2(n);
    const vreal m = v_fma(t, p, v_sub(t, V(1))); /* expm1(2 a), which is far from overflow */
    return v_copysign(v_div(m, v_add(m, V(2))), x);
}
#endif

/* exp(-|x|) */
CO_INLINE vreal v_exp_minus_abs(vreal x) { return v_exp_down(v_or(V_SIGN, x)); }

#ifndef V_HAS_LOOKUP
/* 1 / (1 + exp(-x)), as e / (1 + e) for negative x so that it underflows gradually. */
CO_INLINE vreal v_sigmoid(vreal x) {
    const vreal e = v_exp_minus_abs(x);
    return v_div(v_select(v_lt(x, V(0)), e, V(1)), v_add(V(1), e));
}
#endif

/* log(1 + exp(x)) */
CO_INLINE vreal v_softplus(vreal x) {
    return v_add(v_max(V(0), x), v_log1p_unit(v_exp_minus_abs(x)));
}

/* x / (1 + exp(-(u + lo))) where u has the sign of x: the product may be normal where the
 * sigmoid is not, so the power of 2 comes last. z = -|u|, and lo has been given z's sign. */
CO_INLINE vreal v_gate(vreal x, vreal z, vreal lo) {
    vreal n;
    const vmask negative = v_lt(x, V(0));
    const vreal split = v_exp_split(v_max(V(GATE_ZERO), z), lo, &n);
    const vreal m = v_select(v_lt(z, V(GATE_ZERO)), V(0), split);
    const vreal over = v_select(negative, v_mul(x, m), x);
    const vreal y = v_div(over, v_add(V(1), v_ldexp(m, n)));
    return v_ldexp(y, v_select(negative, n, V(0)));
}

/* The normal distribution function of -a, 0 <= a <= PHI_ZERO, over exp(-a^2 / 2):
 * V / (sqrt(2 pi) a V + U). All terms are positive; where a is large, and V has many roundings,
 * they cancel. */
CO_INLINE vreal v_mills(vreal a) {
    const vreal v = V_POLY(a, mills_v), slope = v_mul(V(MILLS_SLOPE), a);
    return v_div(v, v_fma(slope, v, V_POLY(a, mills_u)));
}

/* a times the normal distribution function of -a, 0 <= a <= PHI_ZERO, over 2^n. a goes into V, so
 * that it is rounded once in both parts of the quotient, where most of that cancels. */
CO_INLINE vreal v_tail_split(vreal a, vreal *n) {
    const vreal square = v_mul(a, a), lo = v_mul(V(0.5), v_mul_excess(a, a, square));
    const vreal p = v_exp_parts(v_mul(V(-0.5), square), lo, n);
    const vreal v = v_mul(a, V_POLY(a, mills_v));
    const vreal y = v_div(v, v_fma(V(MILLS_SLOPE), v, V_POLY(a, mills_u)));
    return v_fma(p, y, y);
}

/* x times the normal distribution function: of the tail below -|x|, what is above it is x less. */
CO_INLINE vreal v_times_phi(vreal x) {
    vreal n;
    const vreal split = v_tail_split(v_min(V(PHI_ZERO), v_abs(x)), &n);
    const vreal tail = v_ldexp(split, n);
    const vreal zero = v_mul(x, V(0)); /* NaN for -inf */
    return v_select(v_lt(x, V(-PHI_ZERO)), zero, v_sub(v_max(V(0), x), tail));
}

#endif
