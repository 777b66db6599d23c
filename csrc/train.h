/* train.h - weights that learn, and plans that say how.
 *
 * A training plan is a plan. Its forward steps are appended as for any other,
 * with weights that belong to a co_trainer; co_plan_learn appends the loss,
 * co_plan_back the steps that take its gradient back. A run then takes a block of rows forward,
 * through the loss and back while its values are in the cache. What leaves the block is what the
 * gradients of the weights are made of, which need all rows: the inputs of each
 * trained product, transposed, and the gradients of its outputs, in gemm's panels.
 * co_trainer_learn multiplies them, a piece of a weight at a time, and updates
 * and packs that piece while it is at hand.
 *
 *     co_trainer *t = co_trainer_create(kernels, CO_HIGHEST);
 *     int w = co_trainer_weight(t, 784, 10, kernel), b = co_trainer_weight(t, 1, 10, bias);
 *     co_plan *p = co_plan_create(kernels, CO_HIGHEST, 4, 784);
 *     co_plan_train(p, t);
 *     int y = co_plan_dense(p, 0, 1, co_plan_learning(p, w), co_plan_learning(p, b));
 *     co_plan_learn(p, y, loss, 1, 10);
 *     co_plan_back(p);
 *     co_plan_finish(p, y, -1);
 *     co_trainer_finish(t);
 *     co_plan_run(p, 64, buffers, NULL, how);
 *     co_trainer_learn(t, rule, 2);
 *
 * Pieces are cut by the shapes of the weights alone and every sum has one order:
 * results do not depend, in bits, on the number of threads. A trainer serves one
 * thread at a time. */
#ifndef COREOPS_TRAIN_H
#define COREOPS_TRAIN_H

#include "batchnorm.h"
#include "coreops.h"
#include "loss.h"
#include "update.h"

/* precision: the least that products of float32 keep. */
co_trainer *co_trainer_create(const co_kernels *kernels, co_precision precision);
void co_trainer_destroy(co_trainer *trainer);

/* A weight w[k,n] of reals, row-major; a vector of n has k = 1. The memory is the caller's, and
 * stays in place as long as the trainer. Returns its number or a co_status. */
int co_trainer_weight(co_trainer *trainer, ptrdiff_t k, ptrdiff_t n, void *w);

/* How a weight learns. g: k * n reals, where its gradient goes when that is asked for, or NULL.
 * slots: the optimizer's state, k * n reals each, NULL after the last. */
typedef struct co_lesson {
    void *g, *slots[CO_MOST_SLOTS];
    int given; /* g holds a part of the gradient already, which plans do not know about */
    co_weight how;
    ptrdiff_t norms; /* rows of a matrix whose columns' norms are brought into bounds, or 0: the k
                        of the weight, or if that is 1 any whose elements these n are */
    co_norm norm;
} co_lesson;

/* Weight number w learns so from now on; NULL: it does not. */
void co_trainer_teach(co_trainer *trainer, int w, const co_lesson *lesson);

/* After the plans are built: cuts the weights into pieces and packs them. */
co_status co_trainer_finish(co_trainer *trainer);

/* Packs weight number w again, after somebody else has changed it. */
void co_trainer_pack(co_trainer *trainer, int w);

/* An update of all weights that learn, with what the last runs of the plans have left. Without a
 * rule, or where that bounds norms, the gradients go to g. */
co_status co_trainer_learn(co_trainer *trainer, const co_rule *rule, int threads);

/* l1 sum |w| + l2 sum w^2 over all weights that learn. */
double co_trainer_penalty(const co_trainer *trainer);
/* The bytes that the runs of its plans and its updates have had so far, beside the weights. */
size_t co_trainer_bytes(const co_trainer *trainer);
/* The sum of w[i] x[i], of float or double as real_bits says, in double and in order. w may be NULL
 * for ones. */
double co_weighted_sum(int real_bits, ptrdiff_t n, const void *x, const void *w);
/* Whether n labels, integers of 4 or 8 bytes, are all from 0 to classes - 1. Those of 8 bytes go to
 * y as 4. */
int co_labels(int bytes, ptrdiff_t n, const void *labels, ptrdiff_t classes, int32_t *y);

/* The plan may have the trainer's weights and the steps below. To be called before any step. */
void co_plan_train(co_plan *plan, co_trainer *trainer);

/* The trainer's weight as one of the plan: co_plan_weight. */
int co_plan_learning(co_plan *plan, int number);

/* Each sample's l1 sum |x| + l2 sum x^2 goes to CO_BUFFER_PENALTY, the gradient of their mean over
 * the batch into the backward steps. */
co_status co_plan_penalty(co_plan *plan, int x, double l1, double l2);

/* What a plan that trains learns from: any number of losses, of values as (positions, n), and of
 * gradients of values that come with a run. Returns the first of the buffers that a run has for it,
 * or a co_status. For a loss they are three: the target as the loss kernel takes it, a real for
 * each position that weighs it, and room for the values, which are not weighted. The crossentropy
 * of a softmax or a sigmoid is computed from what these take, which loses nothing where they
 * saturate. */
int co_plan_learn(co_plan *plan, int y, co_loss loss, ptrdiff_t positions, ptrdiff_t n);
int co_plan_learn_from(co_plan *plan, int y);

/* Batch normalisation stands between plans. The one that makes x sums its moments as its runs go,
 * of the rows of of->n that a mask (-1: none) keeps; plans that have x as an input see what becomes
 * of it, and give the gradient of that back, with the sums that it asks for. From this gradient the
 * first plan learns: it has a buffer, and another for x as a run made it before, unless x is an
 * input. Returns the first of them. `of` stays in place as long as the plans. */
co_status co_plan_moments(co_plan *plan, int x, int mask, co_moments *of);
int co_plan_normalized(co_plan *plan, int x, co_moments *of);
int co_plan_learn_from_normalized(co_plan *plan, int x, int mask, co_moments *of);

/* The gradient of input x is wanted. Returns the buffer that it goes to, or a co_status. */
int co_plan_want(co_plan *plan, int x);
/* Appends the steps that take the gradients back to the weights, and to the inputs where they are
 * wanted. No other steps come after. */
co_status co_plan_back(co_plan *plan);
/* co_plan_finish for a plan without a result: what it leaves is the gradients. Steps that these do
 * not need are not made. */
co_status co_plan_close(co_plan *plan);

#endif
