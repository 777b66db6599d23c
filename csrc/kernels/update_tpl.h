/* update_tpl.h - one step of an optimizer over a piece of a weight, and norms of columns.
 *
 * Memory-bound: everything that happens to an element happens while it is in a register. Needs
 * vec.h. */
#ifndef COREOPS_UPDATE_TPL_H
#define COREOPS_UPDATE_TPL_H

#include "../simd/vec.h"
#include "../update.h"

/* -1, 1, or a itself: a zero and NaN stay what they are. */
CO_INLINE vreal v_sign(vreal a) {
    return v_select(v_lt(V(0), a), V(1), v_select(v_lt(a, V(0)), V(-1), a));
}

/* The numbers of a step in registers; p1 and q1 are 1 - p and 1 - q. */
typedef struct update_numbers {
    vreal rate, p, q, p1, q1, epsilon, r, s, t;
    vreal scale, l1, l2, share, clip, decay, keep, rest;
} update_numbers;

/* One call. */
typedef struct update_call {
    update_numbers k;
    real *w, *gathered, *average; /* NULL: there is none */
    const real *g;
    real *slots[CO_MOST_SLOTS];
    int penalised, clips, decays, overwrites, nonneg;
} update_call;

CO_INLINE update_call update_prepare(void *w, const void *g, void *const *slots,
                                     const co_rule *rule, const co_weight *of, int count) {
    update_call u = {
        .k = {.rate = V(rule->rate),
              .p = V(rule->p),
              .q = V(rule->q),
              .p1 = V(1 - rule->p),
              .q1 = V(1 - rule->q),
              .epsilon = V(rule->epsilon),
              .r = V(rule->r),
              .s = V(rule->s),
              .t = V(rule->t),
              .scale = V(of->scale),
              .l1 = V(of->l1),
              .l2 = V(2 * of->l2),
              .share = V(of->factor * rule->share),
              .clip = V(rule->clip),
              .decay = V(rule->decay),
              .keep = V(rule->keep),
              .rest = V(1 - rule->keep)},
        .w = w,
        .g = g,
        .penalised = of->l1 != 0 || of->l2 != 0,
        .clips = rule->clip < HUGE_VAL,
        .decays = of->decays && rule->decay != 0,
        .overwrites = rule->overwrites,
        .nonneg = of->nonneg,
    };
    for (int i = 0; i < count; i++) u.slots[i] = slots[i];
    if (rule->accumulate > 1) u.gathered = slots[count++];
    if (rule->averages) u.average = slots[count];
    return u;
}

CO_INLINE vreal update_load(const real *p, ptrdiff_t lanes, const int full) {
    return full ? v_load(p) : v_load_tail(p, lanes);
}

CO_INLINE void update_store(real *p, vreal a, ptrdiff_t lanes, const int full) {
    if (full) {
        v_store(p, a);
    } else {
        v_store_tail(p, a, lanes);
    }
}

/* The gradient of the loss with that of the penalty. */
CO_INLINE vreal update_whole(const update_call *u, vreal w, vreal g) {
    g = v_mul(u->k.scale, g);
    return u->penalised ? v_fma(u->k.l2, w, v_fma(u->k.l1, v_sign(w), g)) : g;
}

/* The gradient that an update goes by, before it is clipped by value. */
CO_INLINE vreal update_gradient(const update_call *u, ptrdiff_t i, ptrdiff_t lanes, const int full,
                                vreal w) {
    vreal g = update_whole(u, w, update_load(u->g + i, lanes, full));
    if (u->gathered) g = v_add(update_load(u->gathered + i, lanes, full), g);
    return v_mul(u->k.share, g);
}

/* What comes after a rule: the average and the constraint. */
CO_INLINE vreal update_after(const update_call *u, ptrdiff_t i, ptrdiff_t lanes, const int full,
                             vreal w) {
    if (u->average) {
        const vreal before = update_load(u->average + i, lanes, full);
        const vreal average = v_fma(u->k.keep, before, v_mul(u->k.rest, w));
        update_store(u->average + i, average, lanes, full);
        if (u->overwrites) w = average;
    }
    return u->nonneg ? v_max(V(0), w) : w;
}

/* A momentum or a first moment that dies away, as those of a unit that is dead, ends at 0 instead
 * of in the subnormals, where arithmetic is slow. Squares go on: they may be all there is to divide
 * by. */
CO_INLINE vreal update_settle(vreal a) { return v_select(v_lt(v_abs(a), V(REAL_MIN)), V(0), a); }

/* The formulas stand in update.h; s[0] .. s[2] are a .. c. */
#define RULE(name) CO_INLINE void rule_##name(const update_numbers *k, vreal g, vreal *w, vreal *s)

RULE(sgd) {
    (void)s;
    *w = v_fnma(k->rate, g, *w);
}

RULE(sgd_momentum) {
    s[0] = update_settle(v_fnma(k->rate, g, v_mul(k->p, s[0])));
    *w = v_add(*w, s[0]);
}

RULE(sgd_nesterov) {
    s[0] = update_settle(v_fnma(k->rate, g, v_mul(k->p, s[0])));
    *w = v_fma(k->p, s[0], v_fnma(k->rate, g, *w));
}

CO_INLINE vreal update_mean(vreal p, vreal p1, vreal mean, vreal x) {
    return v_fma(p, mean, v_mul(p1, x));
}

RULE(rmsprop) {
    s[0] = update_mean(k->p, k->p1, s[0], v_mul(g, g));
    *w = v_sub(*w, v_div(v_mul(k->rate, g), v_sqrt(v_add(s[0], k->epsilon))));
}

RULE(rmsprop_momentum) {
    s[0] = update_mean(k->p, k->p1, s[0], v_mul(g, g));
    const vreal i = v_div(v_mul(k->rate, g), v_sqrt(v_add(s[0], k->epsilon)));
    s[1] = update_settle(v_fma(k->q, s[1], i));
    *w = v_sub(*w, s[1]);
}

/* The variance is not negative, but what rounding leaves of it may be. */
CO_INLINE vreal update_centered(const update_numbers *k, vreal g, vreal *square, vreal *mean) {
    *square = update_mean(k->p, k->p1, *square, v_mul(g, g));
    *mean = update_settle(update_mean(k->p, k->p1, *mean, g));
    const vreal variance = v_max(V(0), v_fnma(*mean, *mean, *square));
    return v_div(v_mul(k->rate, g), v_sqrt(v_add(variance, k->epsilon)));
}

RULE(rmsprop_centered) { *w = v_sub(*w, update_centered(k, g, &s[0], &s[1])); }

RULE(rmsprop_centered_momentum) {
    s[1] = update_settle(v_fma(k->q, s[1], update_centered(k, g, &s[0], &s[2])));
    *w = v_sub(*w, s[1]);
}

/* Both moments, towards g and its square. */
CO_INLINE void update_moments(const update_numbers *k, vreal g, vreal *s) {
    s[0] = update_settle(v_fma(k->p1, v_sub(g, s[0]), s[0]));
    s[1] = v_fma(k->q1, v_sub(v_mul(g, g), s[1]), s[1]);
}

RULE(adam) {
    update_moments(k, g, s);
    *w = v_sub(*w, v_div(v_mul(k->rate, s[0]), v_add(v_sqrt(s[1]), k->epsilon)));
}

RULE(adam_amsgrad) {
    update_moments(k, g, s);
    s[2] = v_max(s[2], s[1]);
    *w = v_sub(*w, v_div(v_mul(k->rate, s[0]), v_add(v_sqrt(s[2]), k->epsilon)));
}

RULE(adagrad) {
    s[0] = v_fma(g, g, s[0]);
    *w = v_sub(*w, v_div(v_mul(k->rate, g), v_sqrt(v_add(s[0], k->epsilon))));
}

RULE(adadelta) {
    s[0] = update_mean(k->p, k->p1, s[0], v_mul(g, g));
    const vreal step = v_sqrt(v_add(s[1], k->epsilon));
    const vreal d = v_div(v_mul(step, g), v_sqrt(v_add(s[0], k->epsilon)));
    s[1] = update_mean(k->p, k->p1, s[1], v_mul(d, d));
    *w = v_fnma(k->rate, d, *w);
}

RULE(adamax) {
    s[0] = update_settle(v_fma(k->p1, v_sub(g, s[0]), s[0]));
    s[1] = v_max(v_mul(k->q, s[1]), v_abs(g));
    *w = v_sub(*w, v_div(v_mul(k->rate, s[0]), v_add(s[1], k->epsilon)));
}

RULE(nadam) {
    update_moments(k, g, s);
    const vreal ahead = v_fma(k->r, s[0], v_mul(k->s, g));
    *w = v_sub(*w, v_div(ahead, v_add(v_sqrt(v_mul(k->t, s[1])), k->epsilon)));
}

RULE(lion) {
    const vreal direction = update_mean(k->p, k->p1, s[0], g);
    *w = v_fnma(k->rate, v_sign(direction), *w);
    s[0] = update_settle(update_mean(k->q, k->q1, s[0], g));
}

/* A vector of a step. plain: the rule and nothing else, which is what most steps are. */
#define UPDATE_STEP(name, count)                                                                   \
    CO_INLINE void update_##name##_at(const update_call *u, const int plain, ptrdiff_t i,          \
                                      ptrdiff_t lanes, const int full) {                           \
        vreal w = update_load(u->w + i, lanes, full), s[(count) + 1], g;                           \
        if (plain) {                                                                               \
            g = v_mul(u->k.share, v_mul(u->k.scale, update_load(u->g + i, lanes, full)));          \
        } else {                                                                                   \
            g = update_gradient(u, i, lanes, full, w);                                             \
            if (u->gathered) update_store(u->gathered + i, V(0), lanes, full);                     \
            if (u->clips) g = v_min(u->k.clip, v_max(v_neg(u->k.clip), g));                        \
            if (u->decays) w = v_fnma(u->k.decay, w, w);                                           \
        }                                                                                          \
        CO_UNROLL                                                                                  \
        for (int j = 0; j < (count); j++) s[j] = update_load(u->slots[j] + i, lanes, full);        \
        rule_##name(&u->k, g, &w, s);                                                              \
        CO_UNROLL                                                                                  \
        for (int j = 0; j < (count); j++) update_store(u->slots[j] + i, s[j], lanes, full);        \
        if (!plain) w = update_after(u, i, lanes, full, w);                                        \
        update_store(u->w + i, w, lanes, full);                                                    \
    }

/* at(..., i, lanes, full) for every vector of n elements. */
#define UPDATE_EACH(n, at, ...)                                                                    \
    do {                                                                                           \
        ptrdiff_t i = 0;                                                                           \
        for (; i + VL <= (n); i += VL) at(__VA_ARGS__, i, VL, 1);                                  \
        if (i < (n)) at(__VA_ARGS__, i, (n) - i, 0);                                               \
    } while (0)

/* One loop per rule, so that the choice is made once per call. */
#define UPDATE_LOOP(NAME, name, count)                                                             \
    UPDATE_STEP(name, count)                                                                       \
    static void update_##name(ptrdiff_t n, void *w, const void *g, void *const *slots,             \
                              const co_rule *rule, const co_weight *of, int plain) {               \
        const update_call u = update_prepare(w, g, slots, rule, of, count);                        \
        if (plain) {                                                                               \
            UPDATE_EACH(n, update_##name##_at, &u, 1);                                             \
        } else {                                                                                   \
            UPDATE_EACH(n, update_##name##_at, &u, 0);                                             \
        }                                                                                          \
    }
CO_RULE_LIST(UPDATE_LOOP)

CO_INLINE void update_gather_at(const update_call *u, ptrdiff_t i, ptrdiff_t lanes,
                                const int full) {
    const vreal w = update_load(u->w + i, lanes, full);
    const vreal g = update_whole(u, w, update_load(u->g + i, lanes, full));
    const vreal before = update_load(u->gathered + i, lanes, full);
    update_store(u->gathered + i, v_add(before, g), lanes, full);
    update_store(u->w + i, update_after(u, i, lanes, full, w), lanes, full);
}

static int update_slots(int kind) {
#define UPDATE_COUNT(NAME, name, count) count,
    static const int counts[] = {CO_RULE_LIST(UPDATE_COUNT)};
    return counts[kind];
}

static void update(ptrdiff_t n, void *w, const void *g, void *const *slots, const co_rule *rule,
                   const co_weight *of) {
    if (rule->gathers) {
        const update_call u = update_prepare(w, g, slots, rule, of, update_slots(rule->kind));
        UPDATE_EACH(n, update_gather_at, &u);
        return;
    }
    const int plain = of->l1 == 0 && of->l2 == 0 && !of->nonneg &&
                      !(of->decays && rule->decay != 0) && rule->clip == HUGE_VAL &&
                      rule->accumulate == 1 && !rule->averages;
#define UPDATE_CASE(NAME, name, count)                                                             \
    case CO_RULE_##NAME:                                                                           \
        update_##name(n, w, g, slots, rule, of, plain);                                            \
        break;
    switch (rule->kind) {
        CO_RULE_LIST(UPDATE_CASE)
    default:
        break;
    }
}

/* Sum l of 16 takes the elements that leave l, whatever the width of a vector; the sums are added
 * pairwise. */
enum { UPDATE_SUMS = 16, UPDATE_BLOCK = 64 };

CO_INLINE void update_square_at(const update_call *u, real *block, ptrdiff_t start, ptrdiff_t i,
                                ptrdiff_t lanes, const int full) {
    const vreal w = update_load(u->w + start + i, lanes, full);
    v_store(block + i, update_gradient(u, start + i, lanes, full, w));
}

static double update_sumsq(ptrdiff_t n, const void *w, const void *g, void *const *slots,
                           const co_rule *rule, const co_weight *of) {
    const int count = update_slots(rule->kind);
    const update_call u = update_prepare((void *)(uintptr_t)w, g, slots, rule, of, count);
    double sums[UPDATE_SUMS] = {0};
    for (ptrdiff_t start = 0; start < n; start += UPDATE_BLOCK) {
        const ptrdiff_t size = n - start < UPDATE_BLOCK ? n - start : UPDATE_BLOCK;
        real block[UPDATE_BLOCK] = {0};
        UPDATE_EACH(size, update_square_at, &u, block, start);
        for (int i = 0; i < UPDATE_BLOCK; i += UPDATE_SUMS)
            for (int l = 0; l < UPDATE_SUMS; l++) sums[l] += (double)block[i + l] * block[i + l];
    }
    for (int half = UPDATE_SUMS / 2; half; half /= 2)
        for (int l = 0; l < half; l++) sums[l] += sums[l + half];
    return sums[0];
}

/* Columns whose sums of squares are under way together, to hide the latency of additions. */
enum { RESCALE_VECTORS = 4 };

CO_INLINE void rescale_some(ptrdiff_t k, ptrdiff_t n, real *w, ptrdiff_t ldw, const co_norm *norm,
                            const int vectors) {
    vreal sum[RESCALE_VECTORS], scale[RESCALE_VECTORS];
    ptrdiff_t lanes[RESCALE_VECTORS];
    for (int j = 0; j < vectors; j++) {
        sum[j] = V(0);
        lanes[j] = v_lanes(n - j * VL);
    }
    for (ptrdiff_t i = 0; i < k; i++) CO_UNROLL
    for (int j = 0; j < vectors; j++) {
        const vreal x = v_load_tail(w + i * ldw + j * VL, lanes[j]);
        sum[j] = v_fma(x, x, sum[j]);
    }
    for (int j = 0; j < vectors; j++) {
        const vreal before = v_sqrt(sum[j]);
        const vreal within = v_min(V(norm->high), v_max(V(norm->low), before));
        const vreal after = v_fma(V(norm->rate), within, v_mul(V(1 - norm->rate), before));
        scale[j] = v_div(after, v_add(V(norm->epsilon), before));
    }
    for (ptrdiff_t i = 0; i < k; i++) CO_UNROLL
    for (int j = 0; j < vectors; j++) {
        real *p = w + i * ldw + j * VL;
        v_store_tail(p, v_mul(v_load_tail(p, lanes[j]), scale[j]), lanes[j]);
    }
}

static void rescale_columns(ptrdiff_t k, ptrdiff_t n, void *w, ptrdiff_t ldw, const co_norm *norm) {
    real *p = w;
    ptrdiff_t j = 0;
    for (; j + RESCALE_VECTORS * VL <= n; j += RESCALE_VECTORS * VL)
        rescale_some(k, RESCALE_VECTORS * VL, p + j, ldw, norm, RESCALE_VECTORS);
    for (; j < n; j += VL) rescale_some(k, n - j, p + j, ldw, norm, 1);
}

#endif
