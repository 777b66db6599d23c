/* update.c - what a step of an optimizer needs to know before it sees a weight. */
#include "update.h"

#include <math.h>

/* Nadam's momentum of an update, the first of which is 1. */
static double nadam_momentum(const co_rule *rule, int64_t update) {
    return rule->p * (1 - 0.5 * pow(0.96, (double)update));
}

double co_rule_nadam_product(co_rule *rule, int64_t update) {
    if (rule->counted > update || rule->counted == 0) {
        rule->counted = 0;
        rule->product = 1;
    }
    while (rule->counted < update && rule->product > 0)
        rule->product *= nadam_momentum(rule, ++rule->counted);
    rule->counted = update;
    return rule->product;
}

void co_rule_prepare(co_rule *rule, int64_t step, double rate) {
    const int64_t update = step / rule->accumulate + 1;
    rule->gathers = (step + 1) % rule->accumulate != 0;
    rule->share = 1.0 / rule->accumulate;
    rule->keep = update == 1 ? 0 : rule->ema_momentum;
    rule->overwrites =
        rule->averages && rule->overwrite_every > 0 && update % rule->overwrite_every == 0;
    rule->decay = rate * rule->weight_decay;
    rule->rate = rate;

    const double first = 1 - pow(rule->p, (double)update);
    const double second = 1 - pow(rule->q, (double)update);
    switch (rule->kind) {
    case CO_RULE_ADAM:
    case CO_RULE_ADAM_AMSGRAD:
        rule->rate = rate * sqrt(second) / first;
        break;
    case CO_RULE_ADAMAX:
        rule->rate = rate / first;
        break;
    case CO_RULE_NADAM: {
        const double next = nadam_momentum(rule, update + 1);
        const double product = co_rule_nadam_product(rule, update);
        rule->r = rate * next / (1 - product * next);
        rule->s = rate * (1 - nadam_momentum(rule, update)) / (1 - product);
        rule->t = 1 / second;
        break;
    }
    default:
        break;
    }
}

double co_rule_factor(const co_rule *rule, double sumsq) {
    const double norm = sqrt(sumsq);
    if (rule->norm == HUGE_VAL) return 1;
    if (rule->all_at_once && !isfinite(norm)) return NAN;
    return norm <= rule->norm ? 1 : rule->norm / norm;
}
