/* plan.h - what plan.c builds, layout.c arranges and execute.c runs. */
#ifndef COREOPS_PLAN_H
#define COREOPS_PLAN_H

#include <stdatomic.h>

#include "train.h"

/* After merging, a permutation or a noise pattern of more axes than this is
 * refused (NumPy itself stops at 64, and neighbours that stay together merge). */
enum { CO_MAX_RANK = 32 };

/* A loop nest: count iterations, each moving the two operands by their strides
 * (elements). Loops run from the outermost to the innermost. */
typedef struct co_loop {
    ptrdiff_t count, x, y;
} co_loop;

/* How one sample's permutation is done: loops over planes to transpose, over rows of planes to copy
 * (m rows of n bytes), or over stretches of the result whose items are looked up one by one. */
typedef enum co_way { CO_WAY_TRANSPOSE, CO_WAY_COPY, CO_WAY_LOOK_UP } co_way;

typedef struct co_permutation {
    co_way way;
    int item_bytes; /* of the merged element */
    int loops;
    co_loop loop[CO_MAX_RANK];
    ptrdiff_t size;   /* elements of a sample */
    co_planes planes; /* look up: stretches of n elements, of the last m */
    int32_t from[];   /* look up: where the n elements lie in x */
} co_permutation;

/* How one sample's dropout is done: loops over runs of n elements; y counts the
 * noise. A run takes n words (shared == 0) or the same one for all. */
typedef struct co_noise {
    uint64_t threshold; /* drop where word < threshold */
    double scale;
    int stream, shared, loops;
    co_loop loop[CO_MAX_RANK];
    ptrdiff_t n, size; /* elements of a run, of a sample */
    ptrdiff_t draws;   /* words from one sample to the next; 0: the batch shares them */
} co_noise;

typedef enum co_op {
    CO_OP_COPY,
    CO_OP_DENSE,
    CO_OP_DENSE_INT8,
    CO_OP_ACT,
    CO_OP_SOFTMAX,
    CO_OP_PRELU,
    CO_OP_MASKING,
    CO_OP_DROPOUT,
    CO_OP_PERMUTE,
    CO_OP_REPEAT,
    /* What a plan that trains has besides (gradient.c runs them): */
    CO_OP_PENALTY,      /* of each sample of x; no result */
    CO_OP_LOSS,         /* of the prediction x; y is its gradient */
    CO_OP_KEEP,         /* x stays for the weights' gradients; no result */
    CO_OP_ADD,          /* y = x + with */
    CO_OP_ACT_GRAD,     /* these take the gradient of their twin's result to that of its input */
    CO_OP_SOFTMAX_GRAD, /* with is what their formulas need of the forward values */
    CO_OP_PRELU_GRAD,
    CO_OP_ALPHA_GRAD, /* of each position, to be summed */
    CO_OP_MASKING_GRAD,
    CO_OP_REPEAT_GRAD,
    CO_OP_PENALTY_GRAD /* y = x (-1: nothing yet) + the penalty's gradient at with */
} co_op;

typedef struct co_step {
    co_op op;
    int x, y, mask;      /* values; -1: none */
    int with;            /* a second operand of a gradient step; -1: none */
    int borrowed;        /* another owns what is in u */
    ptrdiff_t positions; /* independent parts of a sample; 0: any split will do */
    double ns;           /* estimate for a unit */
    union {
        struct {
            ptrdiff_t k, n;
            int by_dots;            /* the kernel is packed for dots, not for gemm */
            void *kernel, *bias;    /* packed for gemm, or for qgemm; owned */
            int w, b;               /* of the trainer; -1: none */
            void *scale;            /* of int8 weights, else NULL; owned */
            _Atomic(void *) packed; /* for the plan's matmul, by the first run that uses it */
            co_act act;
        } dense;
        co_act act;
        struct {
            ptrdiff_t n;
            int log;
        } softmax;
        struct {
            ptrdiff_t n;
            void *alpha; /* owned */
            int w;       /* of the trainer; -1: none */
        } prelu;
        struct {
            ptrdiff_t n;
            double value;
        } masking;
        struct {
            ptrdiff_t n, times;
        } repeat;
        co_noise *noise; /* owned */
        struct {
            co_permutation *go, *back; /* owned; back only in a plan that trains */
        } permute;
        struct {
            co_loss loss;
            ptrdiff_t n;
            int target, weight, value; /* values that are buffers */
        } loss;
        struct {
            double l1, l2;
            int index; /* among the plan's penalties */
        } penalty;
        int kept; /* of the trainer */
    } u;
} co_step;

typedef struct co_value {
    ptrdiff_t size; /* elements per sample */
    int item_bytes;
    int buffer;       /* of the run, or -1: in the arena */
    int last;         /* the last step that reads it */
    ptrdiff_t offset; /* in the arena: bytes per unit, a multiple of CO_LINE */
} co_value;

enum { CO_LINE = 64 }; /* bytes of a cache line, and of the widest vector */

struct co_plan {
    const co_kernels *kernels;
    const co_matmul *matmul; /* what large batches are multiplied by instead of gemm, or NULL */
    int item_bytes;
    co_trainer *trainer; /* NULL in a plan that does not train */
    int penalties;       /* the value of theirs, one for each of a sample; -1: none */
    int n_steps, n_values;
    co_step *steps;
    co_value *values;
    /* Set by co_plan_finish. The sample is cut into `units` equal parts that
     * every step treats independently; a block is as many units as keep their
     * values in the cache. */
    ptrdiff_t units;
    ptrdiff_t arena;       /* bytes per unit */
    ptrdiff_t block;       /* units */
    double ns;             /* estimate for a unit */
    ptrdiff_t cache;       /* bytes of the machine's last one */
    _Atomic(void *) spare; /* an arena that the last run left behind */
};

/* plan.c. A new value, and a step (which takes over what it owns) with its result: a number, or a
 * co_status. A step of size -1 has no result, and 0 is returned. */
int co_plan_value(co_plan *plan, ptrdiff_t size, int item_bytes);
int co_plan_append(co_plan *plan, co_step step, ptrdiff_t size);
/* The size of x as the operand of a step, or a status: masks are no operands. */
ptrdiff_t co_plan_operand(const co_plan *plan, int x);

/* layout.c. Everything that is left to do once the steps are there and the result has its buffer.
 */
co_status co_layout(co_plan *plan, int result);

/* trainer.c. What a step leaves for the gradients of weights: a row of n for each position of each
 * sample, either transposed, (n, rows), or in gemm's panels. */
int co_trainer_keep(co_trainer *trainer, ptrdiff_t n, ptrdiff_t positions, int panels);
/* Room for the rows of a batch, which come next. */
co_status co_trainer_room(co_trainer *trainer, int kept, ptrdiff_t batch);
void co_trainer_kept(const co_trainer *trainer, int kept, ptrdiff_t first, ptrdiff_t rows,
                     const char *x);
/* Weight w is multiplied with inputs of which x (-1: a vector) was kept, dy of the results. */
co_status co_trainer_use(co_trainer *trainer, int w, int x, int dy);
int co_trainer_learns(const co_trainer *trainer, int w);
ptrdiff_t co_trainer_size(const co_trainer *trainer, int w, ptrdiff_t *k);
/* Its panels, those of its transpose, or the weight itself. NULL: no memory. */
void *co_trainer_panels(co_trainer *trainer, int w);
void *co_trainer_turned(co_trainer *trainer, int w);
void *co_trainer_data(const co_trainer *trainer, int w);

/* permute.c. Axes that lead in x and in the result make no loop: *positions is
 * their product, the permutation is that of one position. The shape's product
 * does not overflow, even without its zeros; the same holds for co_noise_init. */
co_status co_permutation_create(co_permutation **made, ptrdiff_t *positions, int item_bytes,
                                int rank, const ptrdiff_t *shape, const int *axes);
void co_permute(const co_kernels *kernels, const co_permutation *p, ptrdiff_t positions,
                const char *x, char *y, int stream);

/* random.c. co_dropout does n elements of a batch from element `first` on; both
 * are whole samples unless the noise has one word for each element. */
co_status co_noise_init(co_noise *noise, ptrdiff_t *positions, double rate, int stream, int rank,
                        const ptrdiff_t *shape, const ptrdiff_t *draws, int share_batch);
void co_dropout(const co_kernels *kernels, const co_noise *noise, co_stream stream, ptrdiff_t first,
                ptrdiff_t n, const char *x, char *y);

#endif
