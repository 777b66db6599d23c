/* activation_tpl.h - the activations and the other elementwise kernels. Needs vmath.h. */
#ifndef COREOPS_ACTIVATION_TPL_H
#define COREOPS_ACTIVATION_TPL_H

#include "../activation.h"
#include "../simd/vmath.h"

/* y[i] = expr of v = x[i], the last vector of a row masked. */
#define VLOOP(n, x, y, expr)                                                                       \
    do {                                                                                           \
        ptrdiff_t i = 0;                                                                           \
        for (; i + VL <= (n); i += VL) {                                                           \
            const vreal v = v_load((x) + i);                                                       \
            v_store((y) + i, (expr));                                                              \
        }                                                                                          \
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
ACT(ramp, v_min(V(1), v_max(V(0), v_fma(p, x, q))))
/* x / 6 + 1 / 2 as (x + 3) / 6, which is exact near its zero. */
ACT(hard_silu, v_mul(x, v_min(V(1), v_max(V(0), v_mul(V(1.0 / 6), v_add(x, V(3)))))))
ACT(elu, v_select(v_lt(V(0), x), x, v_mul(p, v_expm1(x))))
ACT(celu, v_add(v_max(V(0), x), v_min(V(0), v_mul(p, v_expm1(v_div(x, p))))))
ACT(selu, v_mul(p, v_select(v_lt(V(0), x), x, v_mul(q, v_expm1(x)))))
ACT(sigmoid, v_sigmoid(x))
ACT(log_sigmoid, v_neg(v_softplus(v_neg(x))))
ACT(silu, v_mul(x, v_sigmoid(x)))
ACT(tanh, v_tanh(x))
ACT(tanh_shrink, v_sub(x, v_tanh(x)))
ACT(exponential, v_exp(x))
ACT(softplus, v_softplus(x))
ACT(gelu, v_mul(x, v_phi(x)))
ACT(softsign, v_div(x, v_add(V(1), v_abs(x))))
ACT(soft_shrink, v_select(v_le(v_abs(x), p), V(0), v_select(v_lt(p, x), v_sub(x, p), v_add(x, p))))
ACT(hard_shrink, v_select(v_le(v_abs(x), p), V(0), x))
ACT(threshold, v_select(v_le(x, p), q, x))

/* tanh(log(1 + e)) = m / (m + 2) with e = exp(x), m = e (e + 2); 1 beyond TANH_ONE. */
CO_INLINE vreal act_mish(vreal x, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    const vreal e = v_exp(v_min(V(2 * TANH_ONE), x));
    const vreal m = v_mul(e, v_add(e, V(2)));
    return v_mul(x, v_div(m, v_add(m, V(2))));
}

/* (1 + tanh u) / 2 = sigmoid(2 u) */
CO_INLINE vreal act_gelu_tanh(vreal x, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    const vreal scale = V(1.5957691216057308); /* 2 sqrt(2 / pi) */
    const vreal u = v_mul(x, v_fma(v_mul(x, x), V(1.5957691216057308 * 0.044715), scale));
    return v_mul(x, v_sigmoid(u));
}

/* For negative x, p / (2 (sqrt(x^2 + p) - x)) does not cancel. */
CO_INLINE vreal act_squareplus(vreal x, vreal p, vreal q, vreal r) {
    (void)q, (void)r;
    const vreal sum = v_add(v_abs(x), v_sqrt(v_fma(x, x, p)));
    const vreal half = v_mul(V(0.5), sum);
    return v_select(v_lt(x, V(0)), v_div(p, v_add(sum, sum)), half);
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
    VLOOP(n, xr, yr, v_fma(v_load_tail(ar + i, v_lanes(n - i)), v_min(V(0), v), v_max(V(0), v)));
}

#endif
