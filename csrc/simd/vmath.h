/* vmath.h - elementary functions of a vreal, without branches or calls.
 *
 * The polynomials are our own minimax fits (Remez exchange in 50 digits, then
 * rounded to real); the bound beside each table is the relative error it adds
 * to the function, in exact arithmetic. Lowest coefficient first.
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

CO_INLINE vreal v_exp(vreal x) {
    vreal n;
    x = v_min(V(EXP_MAX), v_max(V(EXP_MIN), x));
    const vreal p = v_exp_parts(x, V(0), &n);
    return v_ldexp(v_add(p, V(1)), n);
}

CO_INLINE vreal v_expm1(vreal x) {
    vreal n;
    const vreal clamped = v_min(V(EXP_MAX), v_max(V(EXPM1_MIN), x));
    const vreal p = v_exp_parts(clamped, V(0), &n);
    /* Half of the result, because 2^n itself may be too large. */
    const vreal t = v_pow2(v_sub(n, V(1)));
    const vreal y = v_fma(t, p, v_sub(t, V(0.5)));
    return v_copysign(v_add(y, y), x);
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

/* log(1 + x) for 0 <= x <= 1. */
CO_INLINE vreal v_log1p_unit(vreal x) {
    const vmask big = v_lt(V(SQRT_2 - 1), x);
    const vreal f = v_select(big, v_mul(V(0.5), v_sub(x, V(1))), x);
    return v_log_parts(f, v_select(big, V(1), V(0)));
}

CO_INLINE vreal v_tanh(vreal x) {
    vreal n;
    const vreal a = v_min(V(TANH_ONE), v_abs(x));
    const vreal p = v_exp_parts(v_add(a, a), V(0), &n);
    const vreal t = v_pow2(n);
    const vreal m = v_fma(t, p, v_sub(t, V(1))); /* expm1(2 a), which is far from overflow */
    return v_copysign(v_div(m, v_add(m, V(2))), x);
}

/* 1 / (1 + exp(-x)), as e / (1 + e) for negative x so that it underflows gradually. */
CO_INLINE vreal v_sigmoid(vreal x) {
    const vreal e = v_exp(v_neg(v_abs(x)));
    return v_div(v_select(v_lt(x, V(0)), e, V(1)), v_add(V(1), e));
}

/* log(1 + exp(x)) */
CO_INLINE vreal v_softplus(vreal x) {
    return v_add(v_max(V(0), x), v_log1p_unit(v_exp(v_neg(v_abs(x)))));
}

/* a^2 = hi + lo to nearly twice the precision: the upper half of a squares exactly. It is
 * subtracted, not masked, out of a, since the upper half of a NaN may be inf. */
CO_INLINE vreal v_square(vreal a, vreal *lo) {
    const vreal lower = v_sub(a, v_and(a, v_set1_bits(UPPER_HALF)));
    const vreal upper = v_sub(a, lower);
    *lo = v_mul(lower, v_add(a, upper));
    return v_mul(upper, upper);
}

/* erf(x) for |x| <= 1/2. */
CO_INLINE vreal v_erf_small(vreal x) { return v_fma(x, V_POLY(v_mul(x, x), erf_poly), x); }

/* erfc(a) for a >= 1/2, given a^2 = hi + lo: exp(-a^2) w P(t) with w = 1 / (a + c) and
 * t = (a - c) / (a + c) in [-1, 1]. */
CO_INLINE vreal v_erfc_parts(vreal a, vreal hi, vreal lo) {
    vreal n;
    const vreal p = v_exp_parts(v_neg(hi), v_neg(lo), &n);
    const vreal w = v_div(V(1), v_add(a, V(ERFC_C)));
    const vreal t = v_fnma(V(2 * ERFC_C), w, V(1));
    const vreal q = v_mul(w, V_POLY(t, erfc_poly));
    return v_ldexp(v_fma(p, q, q), n);
}

CO_INLINE vreal v_erf(vreal x) {
    vreal lo;
    const vreal a = v_min(V(ERFC_ZERO), v_abs(x));
    const vreal hi = v_square(a, &lo);
    const vreal large = v_copysign(v_sub(V(1), v_erfc_parts(a, hi, lo)), x);
    return v_select(v_le(a, V(0.5)), v_erf_small(x), large);
}

/* The normal distribution function, (1 + erf(x / sqrt 2)) / 2, without cancellation. */
CO_INLINE vreal v_phi(vreal x) {
    vreal lo;
    const vreal a = v_min(V(ERFC_ZERO * SQRT_2), v_abs(x));
    const vreal hi = v_mul(V(0.5), v_square(a, &lo));
    const vreal z = v_mul(a, V(SQRT_2 / 2));
    const vreal tail = v_mul(V(0.5), v_erfc_parts(z, hi, v_mul(V(0.5), lo)));
    const vreal small = v_fma(V(0.5), v_copysign(v_erf_small(z), x), V(0.5));
    const vreal large = v_select(v_lt(x, V(0)), tail, v_sub(V(1), tail));
    return v_select(v_le(z, V(0.5)), small, large);
}

#endif
