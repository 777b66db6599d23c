/* grad_tpl.h - gradients of the activations, of PReLU and of softmax. Needs softmax_tpl.h and
 * sums_tpl.h.
 *
 * An activation's gradient is dy times its slope, computed from y where co_act_by_output says so
 * and from x elsewhere. The formulas stand in activation.h. */
#ifndef COREOPS_GRAD_TPL_H
#define COREOPS_GRAD_TPL_H

#include "activation_tpl.h"
#include "softmax_tpl.h"
#include "sums_tpl.h"

#define SLOPE(name, expr)                                                                          \
    CO_INLINE vreal slope_##name(vreal v, vreal p, vreal q, vreal r) {                             \
        (void)v, (void)p, (void)q, (void)r;                                                        \
        return expr;                                                                               \
    }

/* A slope found by comparing v, which a NaN fails. */
CO_INLINE vreal slope_or_nan(vreal v, vreal slope) { return v_select(v_ne(v, v), v, slope); }
#define SLOPE_OF_PIECES(name, expr) SLOPE(name, slope_or_nan(v, expr))

/* ------------------------------------------------------------------------------- from the output
 */

SLOPE(linear, V(1))
SLOPE_OF_PIECES(relu, v_select(v_lt(V(0), v), V(1), V(0)))
SLOPE_OF_PIECES(clip, v_select(v_both(v_lt(p, v), v_lt(v, q)), V(1), V(0)))
SLOPE_OF_PIECES(ramp, v_select(v_both(v_lt(V(0), v), v_lt(v, V(1))), p, V(0)))
/* 1 below the largest value q, which may be infinite and is not reached then; 0 from there on. */
#define SLOPE_BELOW_MAX(v, q) v_select(v_lt(v_min(V(REAL_MAX), v), q), V(1), V(0))
SLOPE_OF_PIECES(relu_general, v_select(v_le(v, V(0)), p, SLOPE_BELOW_MAX(v, q)))
SLOPE(elu, v_select(v_lt(V(0), v), V(1), v_add(v, p)))
SLOPE(celu, v_select(v_lt(V(0), v), V(1), v_add(v_div(v, p), V(1))))
SLOPE(selu, v_select(v_lt(V(0), v), p, v_fma(p, q, v)))
SLOPE(sigmoid, v_mul(v, v_sub(V(1), v)))
SLOPE(tanh, v_fnma(v, v, V(1)))
SLOPE(exponential, v)
SLOPE(sqrt, v_div(V(0.5), v))
/* 1 - exp(-y) is the sigmoid of x, and 1 - exp(y) that of -x. */
SLOPE(softplus, v_neg(v_expm1(v_neg(v))))
SLOPE(log_sigmoid, v_neg(v_expm1(v)))

/* -------------------------------------------------------------------------------- from the input
 */

SLOPE_OF_PIECES(relu_general_of_x, v_select(v_lt(r, v), SLOPE_BELOW_MAX(v, q), p))
SLOPE(elu_of_x, v_select(v_lt(V(0), v), V(1), v_mul(p, v_exp(v))))
SLOPE(celu_of_x, v_select(v_lt(V(0), v), V(1), v_exp(v_div(v, p))))
SLOPE(selu_of_x, v_mul(p, v_select(v_lt(V(0), v), V(1), v_mul(q, v_exp(v)))))
SLOPE_OF_PIECES(hard_silu, v_select(v_le(v, V(-3)), V(0),
                                    v_select(v_le(V(3), v), V(1), v_fma(V(1.0 / 3), v, V(0.5)))))
SLOPE_OF_PIECES(soft_shrink, v_select(v_le(v_abs(v), p), V(0), V(1)))
SLOPE_OF_PIECES(hard_shrink, v_select(v_le(v_abs(v), p), V(0), V(1)))
SLOPE_OF_PIECES(threshold, v_select(v_le(v, p), V(0), V(1)))
SLOPE_OF_PIECES(absolute, v_select(v_lt(V(0), v), V(1), v_select(v_lt(v, V(0)), V(-1), V(0))))
SLOPE(log, v_div(V(1), v))
SLOPE(over, v_neg(v_div(v_div(p, v), v)))
SLOPE(sparse_plus, v_min(V(1), v_max(V(0), v_mul(V(0.5), v_add(v, V(1))))))

CO_INLINE vreal slope_tanh_shrink(vreal v, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    const vreal t = v_tanh(v);
    return v_mul(t, t);
}

CO_INLINE vreal slope_softsign(vreal v, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    const vreal s = v_div(V(1), v_add(V(1), v_abs(v)));
    return v_mul(s, s);
}

/* squareplus(x) over its root, neither of which cancels; both kept below overflow. */
CO_INLINE vreal slope_squareplus(vreal v, vreal p, vreal q, vreal r) {
    const vreal x = v_max(V(-0.25 * REAL_MAX), v_min(V(0.25 * REAL_MAX), v)), a = v_abs(x);
    const vreal root = v_min(v_add(v_sqrt(p), a), v_max(a, v_sqrt(v_fma(x, x, p))));
    return v_div(act_squareplus(x, p, q, r), root);
}

/* The slope of x f(x) where f(-x) = 1 - f(x), from the one at -a = -|x|, which is tiny for large a:
 * the two add up to 1. */
CO_INLINE vreal slope_of_gated(vreal x, vreal below) {
    return v_select(v_lt(x, V(0)), below, v_sub(V(1), below));
}

/* At -a, for f the sigmoid of an odd function u of x: t - a u' t (1 - t), t being the sigmoid of
 * -u = -|u| and 1 - t = 1 / (1 + exp(-u)). */
CO_INLINE vreal slope_below(vreal u, vreal a_du) {
    const vreal e = v_exp_down(v_neg(u)), other = v_div(V(1), v_add(V(1), e));
    return v_mul(v_mul(e, other), v_fnma(a_du, other, V(1)));
}

CO_INLINE vreal slope_silu(vreal v, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    const vreal a = v_min(V(-GATE_ZERO), v_abs(v));
    return slope_of_gated(v, slope_below(a, a));
}

CO_INLINE vreal slope_gelu_tanh(vreal v, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    const vreal a = v_min(V(GELU_TANH_ZERO), v_abs(v)), square = v_mul(a, a);
    const vreal c0 = V(GELU_C0 + GELU_C0_LO), c1 = V(GELU_C1);
    const vreal u = v_mul(a, v_fma(c1, square, c0));
    return slope_of_gated(v, slope_below(u, v_mul(a, v_fma(v_mul(V(3), c1), square, c0))));
}

/* At -a: Phi(-a) - a phi(a), both of which have the factor exp(-a^2 / 2). */
CO_INLINE vreal slope_gelu(vreal v, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    const vreal a = v_min(V(PHI_ZERO), v_abs(v));
    const vreal e = v_exp_down(v_mul(v_mul(V(-0.5), a), a));
    const vreal below = v_mul(e, v_fnma(V(0.3989422804014327), a, v_mills(a)));
    return slope_of_gated(v, below);
}

/* With e = exp(x), n = e^2 + 2 e and d = n + 2: n / d + x 4 e (1 + e) / d^2. */
CO_INLINE vreal slope_mish(vreal v, vreal p, vreal q, vreal r) {
    (void)p, (void)q, (void)r;
    const vreal x = v_min(V(MISH_ONE), v_max(V(GATE_ZERO), v)), e = v_exp(x);
    const vreal n = v_fma(e, e, v_add(e, e)), over = v_div(V(1), v_add(n, V(2)));
    const vreal bend = v_mul(v_mul(v_mul(V(4), x), v_fma(e, e, e)), over);
    return v_mul(v_add(n, bend), over);
}

/* ----------------------------------------------------------------------------------- the kernels
 */

#define VACT_GRAD_LOOP(name)                                                                       \
    static void vact_grad_##name(ptrdiff_t n, const real *v, const real *dy, real *dx,             \
                                 const co_act *act) {                                              \
        const vreal p = V(act->p), q = V(act->q), r = V(act->r);                                   \
        ptrdiff_t i = 0;                                                                           \
        for (; i + VL <= n; i += VL)                                                               \
            v_store(dx + i, v_mul(v_load(dy + i), slope_##name(v_load(v + i), p, q, r)));          \
        if (i < n) {                                                                               \
            const vreal slope = slope_##name(v_load_tail(v + i, n - i), p, q, r);                  \
            v_store_tail(dx + i, v_mul(v_load_tail(dy + i, n - i), slope), n - i);                 \
        }                                                                                          \
    }
#define VACT_GRAD_OF_LIST(NAME, name) VACT_GRAD_LOOP(name)
CO_ACTIVATION_LIST(VACT_GRAD_OF_LIST)

/* Those whose parameters decide what their slope is computed from */
#define VACT_EITHER_LIST(EITHER)                                                                   \
    EITHER(RELU_GENERAL, relu_general)                                                             \
    EITHER(ELU, elu)                                                                               \
    EITHER(CELU, celu)                                                                             \
    EITHER(SELU, selu)
#define VACT_GRAD_OF_X(NAME, name) VACT_GRAD_LOOP(name##_of_x)
VACT_EITHER_LIST(VACT_GRAD_OF_X)

static void vact_grad(ptrdiff_t n, const void *v, const void *dy, void *dx, const co_act *act) {
#define VACT_GRAD_CASE_OF_X(NAME, name)                                                            \
    case CO_ACT_##NAME:                                                                            \
        vact_grad_##name##_of_x(n, v, dy, dx, act);                                                \
        return;
    if (!co_act_by_output(act)) switch (act->kind) {
            VACT_EITHER_LIST(VACT_GRAD_CASE_OF_X)
        default:
            break;
        }
#define VACT_GRAD_CASE(NAME, name)                                                                 \
    case CO_ACT_##NAME:                                                                            \
        vact_grad_##name(n, v, dy, dx, act);                                                       \
        break;
    switch (act->kind) {
        CO_ACTIVATION_LIST(VACT_GRAD_CASE)
    default:
        break;
    }
}

static void vprelu_grad(ptrdiff_t n, const void *x, const void *alpha, const void *dy, void *dx,
                        void *dalpha) {
    const real *xr = x, *ar = alpha, *dyr = dy;
    real *dxr = dx, *dar = dalpha;
    for (ptrdiff_t i = 0; i < n; i += VL) {
        const ptrdiff_t lanes = v_lanes(n - i);
        const vreal v = v_load_lanes(xr + i, lanes), d = v_load_lanes(dyr + i, lanes);
        const vreal slope = v_select(v_lt(V(0), v), V(1), v_load_lanes(ar + i, lanes));
        if (dxr) v_store_lanes(dxr + i, v_mul(d, slope_or_nan(v, slope)), lanes);
        if (dar) v_store_lanes(dar + i, v_mul(d, v_min(V(0), v)), lanes);
    }
}

/* Rows of n == width < VL, which is a constant; count elements in all. */
CO_INLINE void softmax_grad_packed(const int width, const int log, ptrdiff_t count, const real *y,
                                   const real *dy, real *dx) {
    for (ptrdiff_t i = 0; i < count; i += VL) {
        const ptrdiff_t lanes = v_lanes(count - i);
        const vreal v = v_load_lanes(y + i, lanes), d = v_load_lanes(dy + i, lanes);
        const vreal sum = v_sum_of(log ? d : v_mul(d, v), width);
        const vreal g = log ? v_fnma(v_exp(v), sum, d) : v_mul(v, v_sub(d, sum));
        v_store_lanes(dx + i, g, lanes);
    }
}

CO_INLINE void softmax_grad_row(const int log, ptrdiff_t n, const real *y, const real *dy,
                                real *dx) {
    const vreal sum = sum_of_row(n, dy, log ? NULL : y);
    for (ptrdiff_t i = 0; i < n; i += VL) {
        const ptrdiff_t lanes = v_lanes(n - i);
        const vreal v = v_load_lanes(y + i, lanes), d = v_load_lanes(dy + i, lanes);
        v_store_lanes(dx + i, log ? v_fnma(v_exp(v), sum, d) : v_mul(v, v_sub(d, sum)), lanes);
    }
}

#define SOFTMAX_GRAD_PACKED(width)                                                                 \
    if ((width) < VL && n == (width)) {                                                            \
        if (log)                                                                                   \
            softmax_grad_packed(width, 1, m * n, y, dy, dx);                                       \
        else                                                                                       \
            softmax_grad_packed(width, 0, m * n, y, dy, dx);                                       \
        return;                                                                                    \
    }

static void softmax_grad(ptrdiff_t m, ptrdiff_t n, const void *y, const void *dy, void *dx,
                         int log) {
    const real *yr = y, *dyr = dy;
    real *dxr = dx;
    SOFTMAX_GRAD_PACKED(1)
    SOFTMAX_GRAD_PACKED(2)
    SOFTMAX_GRAD_PACKED(4)
    SOFTMAX_GRAD_PACKED(8)
    for (ptrdiff_t i = 0; i < m; i++, yr += n, dyr += n, dxr += n) {
        if (log)
            softmax_grad_row(1, n, yr, dyr, dxr);
        else
            softmax_grad_row(0, n, yr, dyr, dxr);
    }
}

#endif
