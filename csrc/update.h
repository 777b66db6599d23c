/* update.h - the optimizers, by number, and what one step of them needs.
 *
 * A step changes a weight w by its gradient g, element by element:
 *
 *     g = factor * share * (scale * g + l1 sign(w) + 2 l2 w + what was gathered)
 *     g = min(max(g, -clip), clip)
 *     w -= decay * w
 *     w, slots = the rule's formula
 *     average = keep * average + (1 - keep) * w        and, where overwrites, w = average
 *     w = max(w, 0)                                    where nonneg
 *
 * A step that only gathers has one line in place of the first four:
 *
 *     gathered += scale * g + l1 sign(w) + 2 l2 w
 *
 * A momentum or a first moment whose size is below the least normal number becomes 0.
 *
 * One list feeds the kernels' switch and Python. The formulas are Keras 3's; the fields p, q and
 * epsilon are the optimizer's own, rate, r, s and t those that co_rule_prepare found for the
 * step. Slots are a .. c, in this order; after them come gathered, if the rule accumulates, and
 * average, if it averages. */
#ifndef COREOPS_UPDATE_H
#define COREOPS_UPDATE_H

#include <stdint.h>

#define CO_RULE_LIST(RULE)                                                                         \
    RULE(SGD, sgd, 0)                           /* w -= rate g                               */    \
    RULE(SGD_MOMENTUM, sgd_momentum, 1)         /* a = p a - rate g, w += a                  */    \
    RULE(SGD_NESTEROV, sgd_nesterov, 1)         /* a = p a - rate g, w += p a - rate g       */    \
    RULE(RMSPROP, rmsprop, 1)                   /* a = p a + (1 - p) g^2, i = rate g /             \
                                                   sqrt(a + epsilon), w -= i                 */    \
    RULE(RMSPROP_MOMENTUM, rmsprop_momentum, 2) /* b = q b + i, w -= b                       */    \
    RULE(RMSPROP_CENTERED, rmsprop_centered, 2) /* b = p b + (1 - p) g and a - b^2 for a in i */   \
    RULE(RMSPROP_CENTERED_MOMENTUM, rmsprop_centered_momentum, 3) /* both, c for that b      */    \
    RULE(ADAM, adam, 2)                 /* a += (1 - p) (g - a), b += (1 - q) (g^2 - b),           \
                                           w -= rate a / (sqrt(b) + epsilon)         */            \
    RULE(ADAM_AMSGRAD, adam_amsgrad, 3) /* c = max(c, b) for b in the last           */            \
    RULE(ADAGRAD, adagrad, 1)           /* a += g^2, w -= rate g / sqrt(a + epsilon) */            \
    RULE(ADADELTA, adadelta, 2)         /* a = p a + (1 - p) g^2,                                  \
                                           d = g sqrt((b + epsilon) / (a + epsilon)),              \
                                           b = p b + (1 - p) d^2, w -= rate d        */            \
    RULE(ADAMAX, adamax, 2)             /* a += (1 - p) (g - a), b = max(q b, |g|),                \
                                           w -= rate a / (b + epsilon)               */            \
    RULE(NADAM, nadam, 2)               /* a and b as adam,                                        \
                                           w -= (r a + s g) / (sqrt(t b) + epsilon)  */            \
    RULE(LION, lion, 1)                 /* w -= rate sign(p a + (1 - p) g),                        \
                                           a = q a + (1 - q) g                       */

#define CO_RULE_ENUM(NAME, name, slots) CO_RULE_##NAME,
enum { CO_RULE_LIST(CO_RULE_ENUM) CO_RULE_COUNT };
#undef CO_RULE_ENUM

/* The most slots that a weight has: three of a rule, what was gathered, the average. */
enum { CO_MOST_SLOTS = 5 };

/* What a step of an optimizer needs, the same for all weights. */
typedef struct co_rule {
    int kind; /* CO_RULE_... */
    /* The optimizer's arguments. */
    int accumulate;      /* steps for one update: all but the last of them gather; 1 for none */
    int averages;        /* whether it keeps an average of every weight */
    int overwrite_every; /* updates from one overwriting to the next; 0: never */
    double p, q, epsilon, weight_decay, ema_momentum;
    double clip;     /* bound of a gradient's elements, HUGE_VAL for none */
    double norm;     /* of a gradient's norm, HUGE_VAL for none: see co_rule_factor */
    int all_at_once; /* whether it is the norm of all gradients together */
    /* What co_rule_prepare makes of them. */
    int gathers, overwrites;
    double share, rate, decay, keep, r, s, t;
    /* What co_rule_nadam_product found last, and for which update. */
    int64_t counted;
    double product;
} co_rule;

/* What a step needs to know about one weight. */
typedef struct co_weight {
    double scale, l1, l2, factor;
    int decays, nonneg;
} co_weight;

/* A norm n becomes rate * min(max(n, low), high) + (1 - rate) * n, over n + epsilon. */
typedef struct co_norm {
    double low, high, rate, epsilon;
} co_norm;

/* Fills in what hangs on the number of steps that were made before this one, and on the rate of
 * learning. */
void co_rule_prepare(co_rule *rule, int64_t step, double rate);

/* The factor that brings a norm within the rule's bound, given its square: the sum of update_sumsq
 * over all pieces of one weight, or, where all_at_once, of all weights. NaN for a norm that is not
 * finite, as in Keras, but for one weight's that is infinite: 0. */
double co_rule_factor(const co_rule *rule, double sumsq);

/* The product of Nadam's momenta up to an update, the first of which is 1. Quick for the update
 * after the one asked for last. */
double co_rule_nadam_product(co_rule *rule, int64_t update);

#endif
