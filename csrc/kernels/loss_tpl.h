/* loss_tpl.h - losses whose elements are independent, and the choice among all. Needs
 * crossentropy_tpl.h and sums_tpl.h.
 *
 * A function loss_<name> takes vectors of targets t and predictions p and returns the terms of the
 * mean or sum; *d becomes their derivative to p. The formulas stand in loss.h. */
#ifndef COREOPS_LOSS_TPL_H
#define COREOPS_LOSS_TPL_H

#include "crossentropy_tpl.h"
#include "sums_tpl.h"

#define LOSS(name) CO_INLINE vreal loss_##name(vreal t, vreal p, vreal a, vreal *d)

LOSS(mean_squared_error) {
    const vreal e = v_sub(p, t);
    (void)a;
    *d = v_add(e, e);
    return v_mul(e, e);
}

LOSS(mean_absolute_error) {
    const vreal e = v_sub(p, t);
    (void)a;
    *d = v_signum(e);
    return v_abs(e);
}

LOSS(mean_absolute_percentage_error) {
    const vreal e = v_sub(p, t), size = v_max(V(LOSS_EPSILON), v_abs(t));
    (void)a;
    const vreal over = v_div(V(100), size);
    *d = v_mul(v_signum(e), over);
    return v_mul(v_abs(e), over);
}

LOSS(mean_squared_logarithmic_error) {
    const vreal q = v_add(v_max(V(LOSS_EPSILON), p), V(1));
    const vreal e = v_sub(v_log(q), v_log(v_add(v_max(V(LOSS_EPSILON), t), V(1))));
    (void)a;
    *d = v_mul(v_div(v_add(e, e), q), loss_step(v_sub(p, V(LOSS_EPSILON))));
    return v_mul(e, e);
}

/* With c = e cut to -delta .. delta: c (e - c / 2) */
LOSS(huber) {
    const vreal e = v_sub(p, t), c = v_min(a, v_max(v_neg(a), e));
    *d = c;
    return v_mul(c, v_fnma(V(0.5), c, e));
}

LOSS(log_cosh) {
    const vreal e = v_sub(p, t), bend = v_log1p_unit(v_exp_minus_abs(v_add(e, e)));
    (void)a;
    *d = v_tanh(e);
    return v_sub(v_add(v_abs(e), bend), V(0.69314718055994531));
}

LOSS(hinge) {
    const vreal margin = v_fnma(t, p, V(1));
    (void)a;
    *d = v_mul(v_neg(t), loss_step(margin));
    return v_max(V(0), margin);
}

LOSS(squared_hinge) {
    const vreal margin = v_max(V(0), v_fnma(t, p, V(1)));
    (void)a;
    *d = v_mul(v_mul(V(-2), t), margin);
    return v_mul(margin, margin);
}

LOSS(kl_divergence) {
    const vreal s = v_min(V(1), v_max(V(LOSS_EPSILON), t));
    const vreal q = v_min(V(1), v_max(V(LOSS_EPSILON), p)), ratio = v_div(s, q);
    (void)a;
    *d = v_mul(v_neg(ratio), loss_inside(p, V(LOSS_EPSILON), V(1)));
    return v_mul(s, v_log(ratio));
}

LOSS(poisson) {
    const vreal q = v_add(p, V(LOSS_EPSILON));
    (void)a;
    *d = v_sub(V(1), v_div(t, q));
    return v_fnma(t, v_log(q), p);
}

LOSS(binary_crossentropy) {
    const vreal s = v_fma(t, v_sub(V(1), a), v_mul(V(0.5), a));
    const vreal low = V(LOSS_EPSILON), high = V(1 - LOSS_EPSILON);
    const vreal c = v_min(high, v_max(low, p)), other = v_sub(V(1), c);
    const vreal slope = v_div(v_sub(c, s), v_mul(c, other));
    *d = v_mul(slope, loss_inside(p, low, high));
    return v_neg(v_fma(s, v_log(c), v_mul(v_sub(V(1), s), v_log(other))));
}

/* t softplus(-p) + (1 - t) softplus(p): with one exponential for both and for the sigmoid. */
LOSS(binary_crossentropy_of_logits) {
    const vreal s = v_fma(t, v_sub(V(1), a), v_mul(V(0.5), a));
    const vreal e = v_exp_minus_abs(p);
    const vreal sigmoid = v_div(v_select(v_lt(p, V(0)), e, V(1)), v_add(V(1), e));
    *d = v_sub(sigmoid, s);
    return v_add(v_fnma(s, p, v_max(V(0), p)), v_log1p_unit(e));
}

/* A stretch of a row, or of rows of one element each: stores d * scale where grad is not NULL. */
#define LOSS_STEP(name, offset, lanes, scale)                                                      \
    loss_##name(v_load_lanes(t + (offset), lanes), v_load_lanes(p + (offset), lanes), a, &d);      \
    if (grad) v_store_lanes(grad + (offset), v_mul(d, scale), lanes)

/* Loops over rows: the mean of n terms where mean != 0, else their sum. */
#define LOSS_ROWS(name, mean)                                                                      \
    static void loss_rows_##name(LOSS_PARAMETERS) {                                                \
        const vreal a = V(parameter), count = V((mean) ? n : 1);                                   \
        vreal d;                                                                                   \
        if (n == 1) {                                                                              \
            for (ptrdiff_t i = 0; i < m; i += VL) {                                                \
                const ptrdiff_t lanes = v_lanes(m - i);                                            \
                const vreal scale = weight ? v_load_lanes(weight + i, lanes) : V(1);               \
                const vreal term = LOSS_STEP(name, i, lanes, scale);                               \
                if (value) v_store_tail(value + i, term, lanes);                                   \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (ptrdiff_t row = 0; row < m; row++, t += n, p += n) {                                  \
            const vreal scale = v_div(weight ? v_set1(weight[row]) : V(1), count);                 \
            vreal sum = V(0), other = V(0);                                                        \
            ptrdiff_t i = 0;                                                                       \
            for (; i + 2 * VL <= n; i += 2 * VL) {                                                 \
                const vreal one = LOSS_STEP(name, i, VL, scale);                                   \
                const vreal two = LOSS_STEP(name, i + VL, VL, scale);                              \
                sum = v_add(sum, one);                                                             \
                other = v_add(other, two);                                                         \
            }                                                                                      \
            for (; i < n; i += VL) {                                                               \
                const ptrdiff_t lanes = v_lanes(n - i);                                            \
                const vreal one = LOSS_STEP(name, i, lanes, scale);                                \
                sum = v_add(sum, loss_first(one, lanes, V(0)));                                    \
            }                                                                                      \
            sum = v_div(v_sum_of(v_add(sum, other), VL), count);                                   \
            if (value) v_store_tail(value + row, sum, 1);                                          \
            if (grad) grad += n;                                                                   \
        }                                                                                          \
    }

LOSS_ROWS(mean_squared_error, 1)
LOSS_ROWS(mean_absolute_error, 1)
LOSS_ROWS(mean_absolute_percentage_error, 1)
LOSS_ROWS(mean_squared_logarithmic_error, 1)
LOSS_ROWS(huber, 1)
LOSS_ROWS(log_cosh, 1)
LOSS_ROWS(hinge, 1)
LOSS_ROWS(squared_hinge, 1)
LOSS_ROWS(kl_divergence, 0)
LOSS_ROWS(poisson, 1)
LOSS_ROWS(binary_crossentropy, 1)
LOSS_ROWS(binary_crossentropy_of_logits, 1)

static void loss(ptrdiff_t m, ptrdiff_t n, const void *t, const void *p, const void *weight,
                 void *value, void *grad, const co_loss *what) {
    const double parameter = what->p;
#define LOSS_CASE(NAME, rows)                                                                      \
    case CO_LOSS_##NAME:                                                                           \
        rows(m, n, t, p, weight, value, grad, parameter);                                          \
        break;
#define LOSS_CASE_OF_LOGITS(NAME, rows)                                                            \
    case CO_LOSS_##NAME:                                                                           \
        if (what->from_logits)                                                                     \
            rows##_of_logits(m, n, t, p, weight, value, grad, parameter);                          \
        else                                                                                       \
            rows(m, n, t, p, weight, value, grad, parameter);                                      \
        break;
    switch (what->kind) {
        LOSS_CASE(MEAN_SQUARED_ERROR, loss_rows_mean_squared_error)
        LOSS_CASE(MEAN_ABSOLUTE_ERROR, loss_rows_mean_absolute_error)
        LOSS_CASE(MEAN_ABSOLUTE_PERCENTAGE_ERROR, loss_rows_mean_absolute_percentage_error)
        LOSS_CASE(MEAN_SQUARED_LOGARITHMIC_ERROR, loss_rows_mean_squared_logarithmic_error)
        LOSS_CASE(HUBER, loss_rows_huber)
        LOSS_CASE(LOG_COSH, loss_rows_log_cosh)
        LOSS_CASE(HINGE, loss_rows_hinge)
        LOSS_CASE(SQUARED_HINGE, loss_rows_squared_hinge)
        LOSS_CASE(KL_DIVERGENCE, loss_rows_kl_divergence)
        LOSS_CASE(POISSON, loss_rows_poisson)
        LOSS_CASE_OF_LOGITS(BINARY_CROSSENTROPY, loss_rows_binary_crossentropy)
        LOSS_CASE(COSINE_SIMILARITY, cosine_similarity)
        LOSS_CASE(CATEGORICAL_HINGE, categorical_hinge)
        LOSS_CASE_OF_LOGITS(CATEGORICAL_CROSSENTROPY, crossentropy)
        LOSS_CASE_OF_LOGITS(SPARSE_CATEGORICAL_CROSSENTROPY, sparse_crossentropy)
    default:
        break;
    }
}

#endif
