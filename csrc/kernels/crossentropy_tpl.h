/* crossentropy_tpl.h - losses of whole rows: categorical crossentropies, categorical hinge, cosine
 * similarity. Needs softmax_tpl.h and sums_tpl.h. The formulas stand in loss.h.
 *
 * Each takes m rows of n targets t and predictions p, and a parameter where it has one; value,
 * grad and weight may be NULL. grad may be p: no prediction is read after its place is written. */
#ifndef COREOPS_CROSSENTROPY_TPL_H
#define COREOPS_CROSSENTROPY_TPL_H

#include "../loss.h"
#include "softmax_tpl.h"
#include "sums_tpl.h"

#define LOSS_EPSILON 1e-7

/* The slope of max(x, 0): half where x is 0. */
CO_INLINE vreal loss_step(vreal x) {
    const vreal slope = v_select(v_lt(V(0), x), V(1), v_select(v_lt(x, V(0)), V(0), V(0.5)));
    return v_select(v_ne(x, x), x, slope);
}

/* The slope of x cut to low .. high: half at the ends. */
CO_INLINE vreal loss_inside(vreal x, vreal low, vreal high) {
    const vreal touches = v_select(v_both(v_le(low, x), v_le(x, high)), V(0.5), V(0));
    return v_select(v_both(v_lt(low, x), v_lt(x, high)), V(1), touches);
}

/* The first lanes of a, and `rest` after them. lanes is a constant VL or less. */
CO_INLINE vreal loss_first(vreal a, ptrdiff_t lanes, vreal rest) {
    return lanes < VL ? v_select(v_first(lanes), a, rest) : a;
}

#define LOSS_PARAMETERS_OF(target)                                                                 \
    ptrdiff_t m, ptrdiff_t n, const target *t, const real *p, const real *weight, real *value,     \
        real *grad, double parameter
#define LOSS_PARAMETERS LOSS_PARAMETERS_OF(real)
#define SPARSE_PARAMETERS LOSS_PARAMETERS_OF(int32_t)

/* -------------------------------------------------------------------------------- from logits */

CO_INLINE vreal crossentropy_top(ptrdiff_t n, const real *p) {
    return n < VL ? v_top_of(softmax_load(p, n), VL) : softmax_max(n, p);
}

/* Targets after label smoothing. */
typedef struct crossentropy_smooth {
    vreal keep, add;
} crossentropy_smooth;

CO_INLINE crossentropy_smooth crossentropy_smoothing(double parameter, ptrdiff_t n) {
    return (crossentropy_smooth){V(1 - parameter), V(parameter / (double)n)};
}

CO_INLINE vreal crossentropy_target(const real *t, ptrdiff_t lanes, crossentropy_smooth smooth) {
    return loss_first(v_fma(v_load_lanes(t, lanes), smooth.keep, smooth.add), lanes, V(0));
}

/* exp(p - top), and of the targets s the sum and the product with p - top. */
typedef struct crossentropy_sums {
    vreal exp, target, dot;
} crossentropy_sums;

CO_INLINE vreal crossentropy_add(const real *p, ptrdiff_t lanes, vreal top, vreal s,
                                 crossentropy_sums *sums) {
    const vreal d = loss_first(v_sub(v_load_lanes(p, lanes), top), lanes, V(0));
    const vreal e = loss_first(v_exp_down(d), lanes, V(0));
    sums->exp = v_add(sums->exp, e);
    sums->target = v_add(sums->target, s);
    sums->dot = v_fma(s, d, sums->dot);
    return e;
}

/* One logarithm serves as many rows as there are lanes. */
static void crossentropy_of_logits(LOSS_PARAMETERS) {
    const crossentropy_smooth smooth = crossentropy_smoothing(parameter, n);
    for (ptrdiff_t rows; m > 0; m -= rows) {
        real exps[VL] = {0}, targets[VL] = {0}, dots[VL] = {0};
        rows = v_lanes(m);
        for (ptrdiff_t r = 0; r < rows; r++, t += n, p += n) {
            const vreal top = crossentropy_top(n, p);
            crossentropy_sums sums = {V(0), V(0), V(0)};
            vreal s = V(0), e = V(0);
            ptrdiff_t i = 0;
            for (; i + VL <= n; i += VL) {
                s = crossentropy_target(t + i, VL, smooth);
                e = crossentropy_add(p + i, VL, top, s, &sums);
                if (grad) v_store(grad + i, e);
            }
            if (i < n) {
                s = crossentropy_target(t + i, n - i, smooth);
                e = crossentropy_add(p + i, n - i, top, s, &sums);
            }
            const vreal exp = v_sum_of(sums.exp, VL), target = v_sum_of(sums.target, VL);
            v_store_tail(exps + r, exp, 1);
            v_store_tail(targets + r, target, 1);
            v_store_tail(dots + r, v_sum_of(sums.dot, VL), 1);
            if (!grad) continue;
            const vreal w = weight ? v_set1(weight[r]) : V(1), scale = v_div(target, exp);
            if (i < n) v_store_tail(grad + i, v_mul(w, v_sub(v_mul(e, scale), s)), n - i);
            for (i = 0; i + VL <= n; i += VL) {
                s = crossentropy_target(t + i, VL, smooth);
                v_store(grad + i, v_mul(w, v_sub(v_mul(v_load(grad + i), scale), s)));
            }
            grad += n;
        }
        if (value) {
            const vreal log = v_mul(v_load(targets), v_log(v_load(exps)));
            v_store_tail(value, v_sub(log, v_load(dots)), rows);
            value += rows;
        }
        if (weight) weight += rows;
    }
}

/* grad[i] = a for a row. */
CO_INLINE void crossentropy_fill(ptrdiff_t n, real *grad, vreal a) {
    for (ptrdiff_t i = 0; i < n; i += VL) v_store_lanes(grad + i, a, v_lanes(n - i));
}

/* a less w in one lane, if there is a lane of that number: a store could not be read back soon. */
CO_INLINE vreal crossentropy_minus(vreal a, ptrdiff_t lane, real w) {
    const vmask until = v_first(v_lanes(lane + 1)), before = v_first(v_lanes(lane));
    return v_select(before, a, v_select(until, v_sub(a, v_set1(w)), a));
}

/* So many classes at most, as many rows at once as there are lanes: vectors then run down the rows.
 */
#define CROSSENTROPY_SHORT 16

static void sparse_crossentropy_of_short(SPARSE_PARAMETERS) {
    (void)parameter;
    for (ptrdiff_t rows; m > 0; m -= rows, t += rows, p += rows * n) {
        real x[CROSSENTROPY_SHORT * VL] = {0}, chosen[VL] = {0}, weights[VL] = {0};
        rows = v_lanes(m);
        for (ptrdiff_t r = 0; r < rows; r++) {
            for (ptrdiff_t i = 0; i < n; i++) x[i * VL + r] = p[r * n + i];
            if (t[r] < 0 || t[r] >= n) continue;
            chosen[r] = p[r * n + t[r]];
            weights[r] = weight ? weight[r] : 1;
        }
        vreal top = v_load(x), sum = V(0);
        for (ptrdiff_t i = 1; i < n; i++) top = v_max(top, v_load(x + i * VL));
        for (ptrdiff_t i = 0; i < n; i++) {
            const vreal e = v_exp_down(v_sub(v_load(x + i * VL), top));
            v_store(x + i * VL, e);
            sum = v_add(sum, e);
        }
        if (value) {
            v_store_tail(value, v_add(v_sub(top, v_load(chosen)), v_log(sum)), rows);
            for (ptrdiff_t r = 0; r < rows; r++)
                if (t[r] < 0 || t[r] >= n) value[r] = 0;
            value += rows;
        }
        if (weight) weight += rows;
        if (!grad) continue;
        const vreal scale = v_div(v_load(weights), sum);
        for (ptrdiff_t i = 0; i < n; i++) v_store(x + i * VL, v_mul(v_load(x + i * VL), scale));
        for (ptrdiff_t r = 0; r < rows; r++, grad += n) {
            const int ignored = t[r] < 0 || t[r] >= n;
            for (ptrdiff_t i = 0; i < n; i++) grad[i] = ignored ? 0 : x[i * VL + r];
            if (!ignored) grad[t[r]] -= weights[r];
        }
    }
}

/* As above where the target is 1 at one class, and so is the sum of targets. */
static void sparse_crossentropy_of_logits(SPARSE_PARAMETERS) {
    (void)parameter;
    if (n <= CROSSENTROPY_SHORT) {
        sparse_crossentropy_of_short(m, n, t, p, weight, value, grad, parameter);
        return;
    }
    for (ptrdiff_t rows; m > 0; m -= rows, t += rows) {
        real exps[VL] = {0}, shifts[VL] = {0};
        rows = v_lanes(m);
        for (ptrdiff_t r = 0; r < rows; r++, p += n) {
            const ptrdiff_t class = t[r];
            if (class < 0 || class >= n) {
                exps[r] = 1;
                if (grad) crossentropy_fill(n, grad, V(0)), grad += n;
                continue;
            }
            const vreal top = crossentropy_top(n, p);
            crossentropy_sums sums = {V(0), V(0), V(0)};
            vreal e = V(0);
            ptrdiff_t i = 0;
            v_store_tail(shifts + r, v_sub(top, v_set1(p[class])), 1);
            for (; i + VL <= n; i += VL) {
                e = crossentropy_add(p + i, VL, top, V(0), &sums);
                if (grad) v_store(grad + i, e);
            }
            if (i < n) e = crossentropy_add(p + i, n - i, top, V(0), &sums);
            const vreal exp = v_sum_of(sums.exp, VL);
            v_store_tail(exps + r, exp, 1);
            if (!grad) continue;
            const vreal scale = v_div(weight ? v_set1(weight[r]) : V(1), exp);
            for (ptrdiff_t j = 0; j + VL <= n; j += VL)
                v_store(grad + j, v_mul(v_load(grad + j), scale));
            const real w = weight ? weight[r] : 1;
            if (class < i) grad[class] -= w;
            if (i < n)
                v_store_tail(grad + i, crossentropy_minus(v_mul(e, scale), class - i, w), n - i);
            grad += n;
        }
        if (value) {
            v_store_tail(value, v_add(v_load(shifts), v_log(v_load(exps))), rows);
            value += rows;
        }
        if (weight) weight += rows;
    }
}

/* -------------------------------------------------------------------------- from probabilities */

/* The derivative to c = p / sum of a row's terms -s log(clip c), and these: most vectors of a long
 * row have no target. */
CO_INLINE vreal crossentropy_slope(vreal s, vreal c, vreal *term) {
    const vreal low = V(LOSS_EPSILON), high = V(1 - LOSS_EPSILON);
    const vreal cut = v_min(high, v_max(low, c));
    *term = v_any(v_ne(s, V(0))) ? v_neg(v_mul(s, v_log(cut))) : V(0);
    return v_neg(v_mul(v_div(s, cut), loss_inside(c, low, high)));
}

/* With g the slopes to c = p / sum: (g - the sum of g c) / sum. */
static void crossentropy(LOSS_PARAMETERS) {
    const crossentropy_smooth smooth = crossentropy_smoothing(parameter, n);
    for (ptrdiff_t r = 0; r < m; r++, t += n, p += n) {
        const vreal sum = sum_of_row(n, p, NULL),
                    scale = v_div(weight ? v_set1(weight[r]) : V(1), sum);
        vreal total = V(0), dot = V(0), term;
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const ptrdiff_t lanes = v_lanes(n - i);
            const vreal c = v_div(v_load_lanes(p + i, lanes), sum);
            const vreal g = crossentropy_slope(crossentropy_target(t + i, lanes, smooth), c, &term);
            total = v_add(total, term);
            dot = v_add(dot, loss_first(v_mul(g, c), lanes, V(0)));
        }
        if (value) v_store_tail(value + r, v_sum_of(total, VL), 1);
        if (!grad) continue;
        dot = v_sum_of(dot, VL);
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const ptrdiff_t lanes = v_lanes(n - i);
            const vreal c = v_div(v_load_lanes(p + i, lanes), sum);
            const vreal g = crossentropy_slope(crossentropy_target(t + i, lanes, smooth), c, &term);
            v_store_lanes(grad + i, v_mul(v_sub(g, dot), scale), lanes);
        }
        grad += n;
    }
}

/* As above where the target is 1 at one class: every other element's gradient is the same. */
static void sparse_crossentropy(SPARSE_PARAMETERS) {
    (void)parameter;
    for (ptrdiff_t rows; m > 0; m -= rows, t += rows) {
        real sums[VL] = {0}, chosen[VL] = {0}, elsewhere[VL], there[VL], values[VL];
        rows = v_lanes(m);
        for (ptrdiff_t r = 0; r < rows; r++, p += n) {
            if (t[r] < 0 || t[r] >= n) continue;
            chosen[r] = p[t[r]];
            v_store_tail(sums + r, sum_of_row(n, p, NULL), 1);
        }
        const vreal sum = v_load(sums), c = v_div(v_load(chosen), sum);
        const vreal scale = v_div(weight ? v_load_lanes(weight, rows) : V(1), sum);
        vreal term;
        const vreal g = crossentropy_slope(V(1), c, &term), dot = v_mul(g, c);
        v_store(elsewhere, v_mul(v_neg(dot), scale));
        v_store(there, v_mul(v_sub(g, dot), scale));
        v_store(values, term);
        for (ptrdiff_t r = 0; r < rows; r++) {
            const int ignored = t[r] < 0 || t[r] >= n;
            if (value) value[r] = ignored ? 0 : values[r];
            if (!grad) continue;
            crossentropy_fill(n, grad, ignored ? V(0) : v_set1(elsewhere[r]));
            if (!ignored) grad[t[r]] = there[r];
            grad += n;
        }
        if (value) value += rows;
        if (weight) weight += rows;
    }
}

/* ---------------------------------------------------------------------------- other whole rows */

/* The predictions that share the maximum share its slope. */
static void categorical_hinge(LOSS_PARAMETERS) {
    (void)parameter;
    for (ptrdiff_t r = 0; r < m; r++, t += n, p += n) {
        vreal top = V(-INFINITY), shares = V(0);
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const ptrdiff_t lanes = v_lanes(n - i);
            const vreal other = v_sub(V(1), v_load_lanes(t + i, lanes));
            const vreal x = v_mul(other, v_load_lanes(p + i, lanes));
            top = v_max(top, loss_first(x, lanes, V(-INFINITY)));
        }
        top = v_top_of(top, VL);
        const vreal margin = v_add(v_sub(top, sum_of_row(n, p, t)), V(1));
        if (value) v_store_tail(value + r, v_max(V(0), margin), 1);
        if (!grad) continue;
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const ptrdiff_t lanes = v_lanes(n - i);
            const vreal other = v_sub(V(1), v_load_lanes(t + i, lanes));
            const vreal x = v_mul(other, v_load_lanes(p + i, lanes));
            const vreal share = v_select(v_lt(x, top), V(0), V(1));
            shares = v_add(shares, loss_first(share, lanes, V(0)));
        }
        const vreal w = weight ? v_set1(weight[r]) : V(1), scale = v_mul(w, loss_step(margin));
        shares = v_div(V(1), v_sum_of(shares, VL));
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const ptrdiff_t lanes = v_lanes(n - i);
            const vreal s = v_load_lanes(t + i, lanes), other = v_sub(V(1), s);
            const vreal x = v_mul(other, v_load_lanes(p + i, lanes));
            const vreal share = v_select(v_lt(x, top), V(0), v_mul(other, shares));
            v_store_lanes(grad + i, v_mul(scale, v_sub(share, s)), lanes);
        }
        grad += n;
    }
}

/* With |t| and |p| the norms, which are not below epsilon: t p / |p|^2 p - t over |t| |p|. */
static void cosine_similarity(LOSS_PARAMETERS) {
    const vreal least = V(LOSS_EPSILON * LOSS_EPSILON);
    (void)parameter;
    for (ptrdiff_t r = 0; r < m; r++, t += n, p += n) {
        const vreal square = sum_of_row(n, p, p), dot = sum_of_row(n, p, t);
        const vreal over = v_div(V(1), v_max(least, square));
        const vreal size = v_mul(v_max(least, sum_of_row(n, t, t)), v_max(least, square));
        const vreal norms = v_div(V(1), v_sqrt(size));
        if (value) v_store_tail(value + r, v_neg(v_mul(dot, norms)), 1);
        if (!grad) continue;
        const vreal w = weight ? v_set1(weight[r]) : V(1), scale = v_mul(w, norms);
        const vreal back = v_mul(v_mul(dot, over), loss_step(v_sub(square, least)));
        for (ptrdiff_t i = 0; i < n; i += VL) {
            const ptrdiff_t lanes = v_lanes(n - i);
            const vreal s = v_load_lanes(t + i, lanes), x = v_load_lanes(p + i, lanes);
            v_store_lanes(grad + i, v_mul(scale, v_sub(v_mul(back, x), s)), lanes);
        }
        grad += n;
    }
}

#endif
