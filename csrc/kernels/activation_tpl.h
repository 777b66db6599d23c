/* activation_tpl.h - the activations and the other elementwise kernels. Needs vmath.h. */
#ifndef COREOPS_ACTIVATION_TPL_H
#define COREOPS_ACTIVATION_TPL_H

#include "../activation.h"
#include "../simd/vmath.h"

/* y[i] = expr of v = x[i]: two vectors at a time, then one, then a masked one. expr does not
 * know i. */
#define VLOOP_STEP(vectors, n, x, y, expr)                                                         \
    for (; i + (vectors) * VL <= (n); i += (vectors) * VL) {                                       \
        vreal vloop_y[vectors];                                                                    \
        CO_UNROLL                                                                                  \
        for (int k = 0; k < (vectors); k++) {                                                      \
            const vreal v = v_load((x) + i + k * VL);                                              \
            vloop_y[k] = (expr);                                                                   \
        }                                                                                          \
        CO_UNROLL                                                                                  \
        for (int k = 0; k < (vectors); k++) v_store((y) + i + k * VL, vloop_y[k]);                 \
    }
#define VLOOP(n, x, y, expr)                                                                       \
    do {                                                                                           \
        ptrdiff_t i = 0;                                                                           \
        VLOOP_STEP(2, n, x, y, expr)                                                               \
        VLOOP_STEP(1, n, x, y, expr)                                                               \
        if (i < (n)) {                                                                             \
            const vreal v = v_load_tail((x) + i, (n) - i);                                         \
            v_store_tail((y) + i, (expr), (n) - i);                                                \
        }                                                                                          \
    } while (0)

/* The formulas stand in activation.h. They are arranged so that NaN, which fails every
 * comparison, takes the branch that computes with x. */
#define ACT(name, expr)                                                                            \
    CO_INLINE vreal act_##name(vreal x, vreal p, vreal q, vreal r) {                               \
        (void)p, (void)q, (void)r;                                                                 \
        return expr;                                                                               \
    }

ACT(linear, x)
ACT(relu, v_max(V(0), x))
ACT(relu_general, v_select(v_lt(r, x), v_min(q, x), v_mul(p, v_sub(x, r))))
ACT(clip, v_min(q, v_max(p, x)))
/* p x + q as p (x + q / p), which is exact near its zero where q / p is. */
ACT(ramp, v_min(V(1), v_max(V(0), v_mul(p, v_add(x, v_div(q, p))))))
/* x / 6 + 1 / 2 as (x + 3) / 6, which is exact near its zero. */
ACT(hard_silu, v_mul(x, v_min(V(1), v_max(V(0), v_mul(V(1.0 / 6), v_add(x, V(3)))))))
ACT(elu, v_select(v_lt(V(0), x), x, v_mul(p, v_expm1(x))))
ACT(celu, v_add(v_max(V(0), x), v_min(V(0), v_mul(p, v_expm1(v_div(x, p))))))
ACT(selu, v_select(v_lt(V(0), x), v_mul(p, x), v_mul(v_mul(p, q), v_expm1(x))))
ACT(sigmoid, v_sigmoid(x))
ACT(log_sigmoid, v_neg(v_softplus(v_neg(x))))
ACT(silu, v_gate(x, v_or(V_SIGN, x), V_NO_LO))
ACT(tanh, v_tanh(x))
ACT(exponential, v_exp(x))
ACT(softplus, v_softplus(x))
ACT(softsign, v_div(x, v_add(V(1), v_abs(x))))
ACT(soft_shrink, v_select(v_le(v_abs(x), p), V(0), v_select(v_lt(p, x), v_sub(x, p), v_add(x, p))))
ACT(hard_shrink, v_select(v_le(v_abs(x), p), V(0), x))
ACT(threshold, v_select(v_le(x, p), q, x))
ACT(absolute, v_abs(x))
ACT(sqrt, v_sqrt(x))
ACT(log, v_log(x))
ACT(over, v_div(p, x))

/* x - tanh x = (x - 1) + 2 / (exp(2 x) + 1); a series where that would cancel. */
CO_INLINE vreal act_tanh_shrink(vreal x, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    const vreal a = v_abs(x), square = v_mul(x, x);
    const vreal small = v_mul(x, v_mul(square, V_POLY(square, tanh_shrink_poly)));
    const vreal e = v_exp_minus_abs(v_add(x, x));
    const vreal large = v_add(v_sub(a, V(1)), v_div(v_add(e, e), v_add(V(1), e)));
    return v_select(v_lt(a, V(1)), small, v_copysign(large, x));
}

/* x tanh(log(1 + e)) with e = exp(x), which is x - x (2 / d) and x e - x e ((e + e^2) / d), d
 * being e^2 + 2 e + 2: each where it does not cancel. As in v_gate, the power of 2 that is in e
 * comes last. */
CO_INLINE vreal act_mish(vreal x, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    vreal n;
    const vmask negative = v_lt(x, V(0));
    const vreal clamped = v_min(V(MISH_ONE), v_max(V(GATE_ZERO), x));
    const vreal split = v_exp_split(clamped, V_NO_LO, &n);
    const vreal m = v_select(v_lt(x, V(GATE_ZERO)), V(0), split);
    const vreal e = v_ldexp(m, n), e2 = v_fma(e, e, e);
    const vreal part = v_div(v_select(negative, e2, V(2)), v_add(v_add(e2, e), V(2)));
    const vreal whole = v_select(negative, v_mul(x, m), x);
    const vreal y = v_fnma(v_min(V(REAL_MAX), whole), part, whole); /* inf - inf is NaN */
    return v_ldexp(y, v_select(negative, n, V(0)));
}

/* (1 + tanh(u / 2)) / 2 = sigmoid(u) with u = x (C0 + C1 x^2), which is needed to more than its
 * last place where exp(u) is small. The constants are split so that C0 is a multiple of the
 * spacing of sums, which makes the difference exact. */
CO_INLINE vreal v_gelu_tanh(vreal x) {
    const vreal a = v_min(V(GELU_TANH_ZERO), v_abs(x));
    const vreal c0 = V(GELU_C0), c1 = V(GELU_C1);
    const vreal square = v_mul(a, a), cubic = v_mul(c1, square), sum = v_add(c0, cubic);
    vreal lo = v_sub(cubic, v_sub(sum, c0));
    lo = v_sub(lo, v_mul_excess(c1, square, cubic));
    lo = v_fnma(c1, v_mul_excess(a, a, square), lo);
    lo = v_add(lo, v_fma(V(GELU_C1_LO), square, V(GELU_C0_LO)));
    const vreal u = v_mul(a, sum);
    lo = v_sub(v_mul_excess(a, sum, u), v_mul(a, lo));
    return v_gate(x, v_neg(u), lo);
}

#ifdef V_HAS_LOOKUP
/* A table; the long way only where the result is tiny, which is rare. A lane does not depend on
 * its neighbours: they only decide whether what it does not take is computed too. */
#define ACT_BY_TABLE(name, table, end, long_way)                                                   \
    CO_INLINE vreal act_##name(vreal x, vreal p, vreal q, vreal r) {                               \
        (void)p, (void)q, (void)r;                                                                 \
        const vmask tiny = v_lt(x, V(-(end)));                                                     \
        const vreal y = v_times_table(table, end, x);                                              \
        return v_any(tiny) ? v_select(tiny, long_way(x), y) : y;                                   \
    }
ACT_BY_TABLE(gelu, phi_table, PHI_END, v_times_phi)
ACT_BY_TABLE(gelu_tanh, gelu_tanh_table, GELU_TANH_END, v_gelu_tanh)
#else
ACT(gelu, v_times_phi(x))
ACT(gelu_tanh, v_gelu_tanh(x))
#endif

/* For negative x, p / (2 (sqrt(x^2 + p) - x)) does not cancel. The root is between |x| and
 * |x| + sqrt p, also where x^2 overflows or underflows. */
CO_INLINE vreal act_squareplus(vreal x, vreal p, vreal q, vreal r) {
    (void)q, (void)r;
    const vreal a = v_abs(x);
    const vreal root = v_min(v_add(v_sqrt(p), a), v_max(a, v_sqrt(v_fma(x, x, p))));
    const vreal half = v_fma(V(0.5), root, v_mul(V(0.5), a));
    return v_select(v_lt(x, V(0)), v_div(v_mul(V(0.25), p), half), half);
}

CO_INLINE vreal act_sparse_plus(vreal x, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    const vreal half = v_mul(V(0.5), v_add(x, V(1)));
    return v_select(v_le(x, V(-1)), V(0), v_select(v_lt(x, V(1)), v_mul(half, half), x));
}

/* One loop per activation, so that the choice is made once per call. */
#define VACT_LOOP(NAME, name)                                                                      \
    static void vact_##name(ptrdiff_t n, const real *x, real *y, const co_act *act) {              \
        const vreal p = V(act->p), q = V(act->q), r = V(act->r);                                   \
        VLOOP(n, x, y, act_##name(v, p, q, r));                                                    \
    }
CO_ACTIVATION_LIST(VACT_LOOP)

static void vact(ptrdiff_t n, const void *x, void *y, const co_act *act) {
#define VACT_CASE(NAME, name)                                                                      \
    case CO_ACT_##NAME:                                                                            \
        vact_##name(n, x, y, act);                                                                 \
        break;
    switch (act->kind) {
        CO_ACTIVATION_LIST(VACT_CASE)
    default:
        break;
    }
}

static void vscale(ptrdiff_t n, const void *x, void *y, double a) {
    const real *xr = x;
    real *yr = y;
    VLOOP(n, xr, yr, v_mul(v, V(a)));
}

static void vprelu(ptrdiff_t n, const void *x, const void *alpha, void *y) {
    const real *xr = x, *ar = alpha;
    real *yr = y;
    for (ptrdiff_t i = 0; i < n; i += VL) {
        const ptrdiff_t lanes = v_lanes(n - i);
        const vreal v = v_load_tail(xr + i, lanes), slope = v_load_tail(ar + i, lanes);
        v_store_tail(yr + i, v_fma(slope, v_min(V(0), v), v_max(V(0), v)), lanes);
    }
}

#endif
