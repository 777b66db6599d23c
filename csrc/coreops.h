/* coreops.h - the public contract of the C core: build a plan once, run it often.
 *
 * A plan is a flat list of steps that takes one sample (a row of the batch) from
 * an input to an output. It is built by appending steps to values; a value is
 * what one step leaves for the next, named by a small number. A reshape is no
 * step: the same value is read with other sizes.
 *
 *     co_plan *p = co_plan_create(kernels, 4, 784);
 *     int w = co_plan_weight(p, 784, 512, 4, kernel), b = co_plan_weight(p, 1, 512, 4, bias);
 *     int h = co_plan_act(p, co_plan_dense(p, 0, 1, w, b), relu);
 *     co_plan_finish(p, h, -1);
 *     co_plan_run(p, 64, buffers, NULL, 2);
 *
 * Sizes are elements per sample. Building functions return a value (>= 0) or a
 * negative co_status, and pass a negative value on, so that a chain needs one
 * check. A step whose sizes do not fit the value it reads is CO_BAD_PLAN, one
 * whose result is beyond any memory CO_NO_MEMORY. After co_plan_finish a plan
 * never changes: any number of threads may run it at once. Results do not
 * depend, in bits, on the number of threads or on the place of a row in the
 * batch; nor on the batch's size, unless the tier has a faster product for large
 * batches (co_matmul) and the run does not ask for CO_BATCH_INVARIANT.
 *
 * Aliasing: no buffer of a run overlaps another. Weights are copied (packed) by co_plan_finish;
 * buffers need the alignment of their element only. */
#ifndef COREOPS_H
#define COREOPS_H

#include "kernels.h"

typedef enum co_status {
    CO_OK = 0,
    CO_NO_MEMORY = -1, /* an allocation failed; nothing leaked */
    CO_BAD_PLAN = -2,  /* a size or a value that does not fit: an error of the caller */
    CO_NO_ROW = -3     /* a number that a table has no row for: nothing was computed */
} co_status;

typedef struct co_plan co_plan;
typedef struct co_trainer co_trainer;

/* The buffers of a run, in this order; mask is used only by a plan that ends
 * with one, those after it only by plans that train: train.h. */
enum {
    CO_BUFFER_X,
    CO_BUFFER_Y,
    CO_BUFFER_MASK,
    CO_BUFFER_PENALTY,
    CO_BUFFERS /* and then further inputs and results, in the order in which they were named */
};

/* A new plan whose value 0 is its input of input_size elements of item_bytes
 * each (1, 2, 4 or 8). precision is the least that its dense steps keep. Steps that compute need
 * kernels->real_bits to be 8 * item_bytes; steps that move do not care. NULL if memory is short, or
 * would be for any input of that size. */
co_plan *co_plan_create(const co_kernels *kernels, co_precision precision, int item_bytes,
                        ptrdiff_t input_size);
void co_plan_destroy(co_plan *plan);

/* A further input, of `size` elements of item_bytes each: its value. */
int co_plan_input(co_plan *plan, ptrdiff_t size, int item_bytes);
/* Value y is a further result. Returns the value that it is in, whose buffer is named by this; not
 * to be called for y that co_plan_finish is given. */
int co_plan_output(co_plan *plan, int y);

/* A weight of the plan, data[k,n], of the plan's reals, or of int8 with item_bytes 1; a vector of n
 * has k = 1. The data stay the caller's, and in place until the plan is finished. Returns its
 * number, which the steps take, or a co_status. */
int co_plan_weight(co_plan *plan, ptrdiff_t k, ptrdiff_t n, int item_bytes, const void *data);

/* x as (positions, k) times weight w[k,n] plus weight bias[n] (-1: none). */
int co_plan_dense(co_plan *plan, int x, ptrdiff_t positions, int w, int bias);
/* The same with int8 weights; x is quantized on the way, row by row (qgemm in kernels.h says how).
 * Every column of w was multiplied by its own scale[n] before it was rounded. k is at most
 * CO_QGEMM_DEPTH. */
int co_plan_dense_int8(co_plan *plan, int x, ptrdiff_t positions, int w, int scale, int bias);
/* Elementwise; fused into the dense step that makes x when nothing else reads it. */
int co_plan_act(co_plan *plan, int x, co_act act);
/* Over each run of n elements. */
int co_plan_softmax(co_plan *plan, int x, ptrdiff_t n, int log);
/* Weight alpha[n] is repeated over x. */
int co_plan_prelu(co_plan *plan, int x, int alpha);
/* x as (positions, n); *mask becomes the value of the mask, one byte a position. */
int co_plan_masking(co_plan *plan, int x, ptrdiff_t positions, ptrdiff_t n, double value,
                    int *mask);
/* Inverted dropout with the noise of a run's stream number `stream`. The sample
 * has rank axes of sizes shape; noise has 1 or the same size for each, and one
 * draw serves the whole batch when share_batch is not 0. 0 < rate <= 1. */
int co_plan_dropout(co_plan *plan, int x, double rate, int stream, int rank, const ptrdiff_t *shape,
                    const ptrdiff_t *noise, int share_batch);
/* Axis i of the result is axis axes[i] (from 0) of x, a sample of `rank` axes. */
int co_plan_permute(co_plan *plan, int x, int rank, const ptrdiff_t *shape, const int *axes);
/* x as (positions, n) to (positions, times, n). */
int co_plan_repeat(co_plan *plan, int x, ptrdiff_t n, ptrdiff_t times);
/* A recurrent layer over z, (steps, gates * u), the input's product for each step of time: its
 * state's product by weight r[u, gates * u] is added (cell.h). A sample may have several such z,
 * and then as many of what follows. mask: a value of `steps` bytes, or -1. h0 and c0: values of u,
 * or -1 for zeros; c0 is LSTM's. factors: (gates, u) values by which the operands of each gate's
 * product are multiplied, or -1. biases: a vector weight of 2 gates * u of a GRU, added to z and to
 * the state's product; -1 for none. */
typedef struct co_rnn {
    co_cell cell;
    ptrdiff_t u, steps;
    int sequences;       /* the result is (steps, width), not (width) */
    int backwards;       /* time goes back; the result's first step is the last one's */
    int turned;          /* the result's steps are turned round */
    int zeros;           /* the result of a step that the mask skips is 0, not the one before it */
    ptrdiff_t width, at; /* of a step's result, and where in it the u are that are ours */
    /* NULL, or h and c of all samples, where a run begins and what it ends with; the caller's, who
     * takes care that the batch has that size. Instead of h0 and c0. */
    void *h, *c;
} co_rnn;
/* into: the value of another such step, of which this one makes a part too, or -1. ends: NULL, or
 * becomes the values of h and c in the end. */
int co_plan_recurrent(co_plan *plan, int z, const co_rnn *how, int r, int biases, int mask, int h0,
                      int c0, int factors, int into, int *ends);
/* Values of (rows, count * u): the i-th u columns of the i-th of them, side by side. */
int co_plan_pick(co_plan *plan, int count, const int *values, ptrdiff_t u);
/* A constant, size times. */
int co_plan_fill(co_plan *plan, ptrdiff_t size, double value);
/* x as images (images, h, w, c) by the window s (window.h), to (images, oh, ow, ...). A convolution
 * with weight w[kh * kw * c / groups, n]; each group of channels makes its n / groups results of n.
 * One of each channel with its own kernel, w[kh * kw * c], a vector. The largest of a window or the
 * mean, without its padding. And the image with zeros around it, or parts of it: a window of one
 * pixel. */
int co_plan_conv(co_plan *plan, int x, const co_window *s, ptrdiff_t groups, int w, int bias);
int co_plan_depthwise(co_plan *plan, int x, const co_window *s, int w, int bias);
int co_plan_pool(co_plan *plan, int x, const co_window *s, int average);
int co_plan_pad(co_plan *plan, int x, const co_window *s);
/* x as (.., n, run), n the size of weight `scale`: (x - center) * scale + shift with vectors of n
 * (-1: none). Joins the product before it. In a plan that trains only the shift may learn. */
int co_plan_affine(co_plan *plan, int x, ptrdiff_t run, int scale, int center, int shift);
/* Each run of n with mean 0 and variance 1, times gamma[n] plus beta[n] (-1: none). */
int co_plan_layer_norm(co_plan *plan, int x, ptrdiff_t n, double epsilon, int gamma, int beta);
/* x has numbers of rows of weight `table`, whose data stay in place as long as the plan, and is an
 * input of the plan. mask: NULL, or becomes the
 * value of a mask, which is 0 where x is. A run with a number that is no row's is CO_NO_ROW. */
int co_plan_embedding(co_plan *plan, int x, int table, int *mask);
/* x plus normal noise of a run's stream number `stream`, or with times != 0 x times 1 plus it. */
int co_plan_gauss(co_plan *plan, int x, double deviation, int times, int stream);
/* x as (count, m, n) to (count, n): the mean over m of the positions whose mask (-1: none), as
 * (count, m), is not 0; and the maximum. */
int co_plan_mean_over(co_plan *plan, int x, ptrdiff_t count, ptrdiff_t m, ptrdiff_t n, int mask);
int co_plan_max_over(co_plan *plan, int x, ptrdiff_t count, ptrdiff_t m, ptrdiff_t n);
/* x and y, of one size, element by element. how: CO_MERGE_... */
int co_plan_merge(co_plan *plan, int x, int y, int how);
/* factor * x */
int co_plan_scale(co_plan *plan, int x, double factor);
/* The mask that is 1 where one of two is. */
int co_plan_either(co_plan *plan, int x, int y);
/* A mask as (positions, its own n): for each position whether one of its n is not 0. */
int co_plan_any(co_plan *plan, int mask, ptrdiff_t positions);
/* Values, or masks, each as (positions, its own n): of each position, those of all. At most
 * CO_MOST_IN (plan.h) of them. */
int co_plan_concatenate(co_plan *plan, int count, const int *x, ptrdiff_t positions);
/* x as (positions, its own n): of each position, the n elements from element `at` on. */
int co_plan_part(co_plan *plan, int x, ptrdiff_t positions, ptrdiff_t at, ptrdiff_t n);
/* Of each position of a mask, what x has there if it is not 0, or else what y has (-1: zeros). */
int co_plan_select(co_plan *plan, int mask, int x, int y);
/* Each of x[count,m,k] times the transpose of its y[count,n,k]. */
int co_plan_products(co_plan *plan, int x, int y, ptrdiff_t count, ptrdiff_t m, ptrdiff_t n,
                     ptrdiff_t k);
/* The same again. */
int co_plan_copy(co_plan *plan, int x);
/* The plan's result, and the mask that goes with it (-1: none). */
co_status co_plan_finish(co_plan *plan, int y, int mask);

/* The elements per sample of a value; CO_BAD_PLAN if there is no such value. */
ptrdiff_t co_plan_size(const co_plan *plan, int value);
/* A rough estimate of one sample's time on one thread, in nanoseconds. */
double co_plan_cost(const co_plan *plan);
/* The kind of step i of a finished plan, NULL where there are no more; *value: its first result,
 * *ns: its part in the estimate. */
const char *co_plan_step(const co_plan *plan, int i, int *value, double *ns);
/* The bytes of scratch that a run of `batch` samples takes on one thread. */
ptrdiff_t co_plan_arena(const co_plan *plan, ptrdiff_t batch);

/* How a run is done. */
enum { CO_BATCH_INVARIANT = 1 }; /* a sample has the same bits in a batch of any size */
typedef struct co_how {
    int threads; /* at most; small work stays on the caller's */
    int flags;
} co_how;

/* Runs the plan over batch samples. streams: one for each dropout step, NULL if
 * there is none. */
co_status co_plan_run(const co_plan *plan, ptrdiff_t batch, void *const *buffers,
                      const co_stream *streams, co_how how);

#endif
