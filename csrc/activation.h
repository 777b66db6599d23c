/* activation.h - the elementwise activations, by number.
 *
 * One list feeds the kernels' switch, the plan and Python (coreops/_kernels.pyx
 * exports it as a dict), so an activation is added by one line here, one case in
 * kernels/activation_tpl.h and its derivative in kernels/grad_tpl.h.
 *
 * The formulas are Keras 3's; p, q and r are the parameters, in that order.
 * Every activation carries NaN through. */
#ifndef COREOPS_ACTIVATION_H
#define COREOPS_ACTIVATION_H

#define CO_ACTIVATION_LIST(ACTIVATION)                                                             \
    ACTIVATION(LINEAR, linear)             /* x                                            */      \
    ACTIVATION(RELU, relu)                 /* max(x, 0)                                    */      \
    ACTIVATION(RELU_GENERAL, relu_general) /* x > r ? min(x, q) : p * (x - r); the slope p         \
                                              applies at and below the threshold r         */      \
    ACTIVATION(CLIP, clip)                 /* min(max(x, p), q)                            */      \
    ACTIVATION(RAMP, ramp)                 /* min(max(p * x + q, 0), 1)                    */      \
    ACTIVATION(HARD_SILU, hard_silu)       /* x * min(max(x / 6 + 1 / 2, 0), 1)            */      \
    ACTIVATION(ELU, elu)                   /* x > 0 ? x : p * expm1(x)                     */      \
    ACTIVATION(CELU, celu)                 /* max(x, 0) + min(p * expm1(x / p), 0)         */      \
    ACTIVATION(SELU, selu)                 /* p * (x > 0 ? x : q * expm1(x))               */      \
    ACTIVATION(SIGMOID, sigmoid)           /* 1 / (1 + exp(-x))                            */      \
    ACTIVATION(LOG_SIGMOID, log_sigmoid)   /* -softplus(-x)                                */      \
    ACTIVATION(SILU, silu)                 /* x * sigmoid(x)                               */      \
    ACTIVATION(TANH, tanh)                 /* tanh(x)                                      */      \
    ACTIVATION(TANH_SHRINK, tanh_shrink)   /* x - tanh(x)                                  */      \
    ACTIVATION(EXPONENTIAL, exponential)   /* exp(x)                                       */      \
    ACTIVATION(SOFTPLUS, softplus)         /* log(1 + exp(x))                              */      \
    ACTIVATION(MISH, mish)                 /* x * tanh(softplus(x))                        */      \
    ACTIVATION(GELU, gelu)                 /* x / 2 * (1 + erf(x / sqrt 2))                */      \
    ACTIVATION(GELU_TANH, gelu_tanh)       /* x / 2 * (1 + tanh(sqrt(2 / pi) *                     \
                                              (x + 0.044715 x^3)))                         */      \
    ACTIVATION(SOFTSIGN, softsign)         /* x / (1 + |x|)                                */      \
    ACTIVATION(SQUAREPLUS, squareplus)     /* (x + sqrt(x^2 + p)) / 2                      */      \
    ACTIVATION(SOFT_SHRINK, soft_shrink)   /* x > p ? x - p : x < -p ? x + p : 0           */      \
    ACTIVATION(HARD_SHRINK, hard_shrink)   /* |x| > p ? x : 0                              */      \
    ACTIVATION(THRESHOLD, threshold)       /* x > p ? x : q                                */      \
    ACTIVATION(SPARSE_PLUS, sparse_plus)   /* x <= -1 ? 0 : x < 1 ? (x + 1)^2 / 4 : x      */      \
    ACTIVATION(ABSOLUTE, absolute)         /* |x|; its slope at 0 is 0                     */      \
    ACTIVATION(SQRT, sqrt)                 /* NaN below 0                                  */      \
    ACTIVATION(LOG, log)                   /* NaN below 0                                  */      \
    ACTIVATION(OVER, over)                 /* p / x                                        */

#define CO_ACTIVATION_ENUM(NAME, name) CO_ACT_##NAME,
enum { CO_ACTIVATION_LIST(CO_ACTIVATION_ENUM) CO_ACT_COUNT };
#undef CO_ACTIVATION_ENUM

typedef struct co_act {
    int kind;       /* CO_ACT_... */
    double p, q, r; /* the formula's parameters, unused ones 0 */
} co_act;

/* Whether the derivative is computed from y = act(x), else from x: from y wherever y determines it
 * and it loses no more than a rounding or two of the steepest slope. Depends on act alone. */
static inline int co_act_by_output(const co_act *act) {
    switch (act->kind) {
    case CO_ACT_LINEAR:
    case CO_ACT_RELU:
    case CO_ACT_CLIP:
    case CO_ACT_RAMP:
    case CO_ACT_SIGMOID:
    case CO_ACT_LOG_SIGMOID:
    case CO_ACT_TANH:
    case CO_ACT_EXPONENTIAL:
    case CO_ACT_SOFTPLUS:
    case CO_ACT_SQRT:
        return 1;
    case CO_ACT_RELU_GENERAL: /* else both sides of the bend may give the same y */
        return act->r == 0 && act->p >= 0 && act->q > 0;
    case CO_ACT_ELU:
        return act->p >= 0;
    case CO_ACT_CELU:
        return act->p > 0;
    case CO_ACT_SELU:
        return act->p > 0 && act->q >= 0;
    default:
        return 0;
    }
}

#endif
