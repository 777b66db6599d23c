/* loss.h - the losses that are kernels, by number.
 *
 * One list feeds the kernel's switch and Python (coreops/_kernels.pyx exports it as a dict). The
 * formulas are Keras 3's, of a row of n targets t and predictions p; e = p - t, epsilon = 1e-7,
 * clip(x) = min(max(x, epsilon), 1 - epsilon). Gradients are what differentiation of the formula
 * gives: 0 where clip or max cuts, half where it just does not; at the kink of an absolute value 0.
 */
#ifndef COREOPS_LOSS_H
#define COREOPS_LOSS_H

#define CO_LOSS_LIST(LOSS)                                                                         \
    LOSS(MEAN_SQUARED_ERROR, mean_squared_error)   /* mean of e^2                          */      \
    LOSS(MEAN_ABSOLUTE_ERROR, mean_absolute_error) /* mean of |e|                          */      \
    LOSS(MEAN_ABSOLUTE_PERCENTAGE_ERROR, mean_absolute_percentage_error)                           \
    /* 100 * mean of |e| / max(|t|, epsilon) */                                                    \
    LOSS(MEAN_SQUARED_LOGARITHMIC_ERROR, mean_squared_logarithmic_error)                           \
    /* mean of (log(max(p, epsilon) + 1) - log(max(t, epsilon) + 1))^2 */                          \
    LOSS(HUBER, huber)                 /* mean of |e| <= delta ? e^2 / 2                           \
                                          : delta |e| - delta^2 / 2                  */            \
    LOSS(LOG_COSH, log_cosh)           /* mean of log cosh e                         */            \
    LOSS(HINGE, hinge)                 /* mean of max(1 - t p, 0), t -1 or 1         */            \
    LOSS(SQUARED_HINGE, squared_hinge) /* mean of max(1 - t p, 0)^2                  */            \
    LOSS(KL_DIVERGENCE, kl_divergence) /* sum of t log(t / p), both in [epsilon, 1]  */            \
    LOSS(POISSON, poisson)             /* mean of p - t log(p + epsilon)             */            \
    LOSS(BINARY_CROSSENTROPY, binary_crossentropy)                                                 \
    /* mean of -t log c - (1 - t) log(1 - c), c = clip(p), or from logits                          \
     * c = sigmoid(p); label smoothing s: t (1 - s) + s / 2 for t */                               \
    LOSS(COSINE_SIMILARITY, cosine_similarity) /* -sum of t p / (|t| |p|), squares of              \
                                                  norms at least epsilon^2                 */      \
    LOSS(CATEGORICAL_HINGE, categorical_hinge) /* max(max((1 - t) p) - sum(t p) + 1, 0)    */      \
    LOSS(CATEGORICAL_CROSSENTROPY, categorical_crossentropy)                                       \
    /* -sum of t log c, c = clip(p / sum p), or from logits c = softmax(p); label                  \
     * smoothing s: t (1 - s) + s / n for t */                                                     \
    LOSS(SPARSE_CATEGORICAL_CROSSENTROPY, sparse_categorical_crossentropy)                         \
    /* the same for t = 1 at one class and 0 elsewhere */

#define CO_LOSS_ENUM(NAME, name) CO_LOSS_##NAME,
enum { CO_LOSS_LIST(CO_LOSS_ENUM) CO_LOSS_COUNT };
#undef CO_LOSS_ENUM

typedef struct co_loss {
    int kind;        /* CO_LOSS_... */
    int from_logits; /* of crossentropies */
    double p;        /* delta, or the label smoothing */
} co_loss;

#endif
