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

typedef struct co_job co_job;
typedef struct co_step co_step;
typedef struct co_backward co_backward;

/* What a kind of step does. A function that is NULL has nothing to do. Each kind is in a file of
 * steps/, with the function that builds it. */
typedef struct co_kind {
    const char *name;
    int in_place; /* it may write out[0] where it reads in[0]: of one size, element by element or
                     row by row */
    /* On so many units, from unit `first` of the batch on. */
    void (*run)(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units);
    /* Appends the steps that take the gradients of its results back. NULL: it does not learn. */
    void (*back)(co_backward *back, const co_step *step);
    /* Takes `step`, of this kind, into the one before, whose only result it alone reads, and
     * returns 1; or returns 0 and leaves both as they are. */
    int (*join)(co_plan *plan, co_step *before, const co_step *step);
    /* Has its weights packed, once all steps are there. */
    co_status (*pack)(co_plan *plan, co_step *step);
    /* Nanoseconds of a unit. NULL: as long as it takes to move its result. */
    double (*cost)(const co_plan *plan, const co_step *step);
    /* Before a run of the plan. */
    co_status (*prepare)(const co_job *job, const co_step *step);
    /* After it. */
    void (*conclude)(const co_job *job, const co_step *step);
    /* How long it takes then, at what speed of `cost`'s. */
    double (*speed)(const co_job *job, const co_step *step);
    /* Bytes of a worker's scratch for a block of so many units. */
    ptrdiff_t (*scratch)(const co_job *job, const co_step *step, ptrdiff_t units);
    /* The parts that a team can share out when the run is one chunk; NULL: 1. */
    ptrdiff_t (*parts)(const co_job *job, const co_step *step);
    /* The rows, of its positions, that it wants to have at once, in multiples of *grain; 0: any. */
    ptrdiff_t (*rows_at_once)(const co_job *job, const co_step *step, ptrdiff_t *grain);
    /* The rows of the products of a sample; NULL: those of its result. */
    ptrdiff_t (*rows)(const co_step *step);
    /* The units that it wants to have together, a power of two; NULL: 1. */
    ptrdiff_t (*grain)(const co_plan *plan, const co_step *step);
    /* The elements of the rows of its result, if these may lie apart (co_pitch); or 0. */
    ptrdiff_t (*row)(const co_step *step);
    void (*release)(co_step *step);
} co_kind;

enum { CO_MOST_IN = 8, CO_MOST_OUT = 6, CO_MOST_WEIGHTS = 4 };

struct co_step {
    const co_kind *kind;
    int in[CO_MOST_IN], out[CO_MOST_OUT]; /* values; -1: none */
    int w[CO_MOST_WEIGHTS];               /* weights of the plan; -1: none */
    const void *form[CO_MOST_WEIGHTS];    /* what the kernel takes of each, from `pack` on */
    int borrowed;                         /* another owns what is in u */
    ptrdiff_t positions;                  /* independent parts of a sample; 0: any split will do */
    double ns;                            /* estimate for a unit */
    union {
        struct {
            ptrdiff_t k, n;
            int by_dots, turned; /* which form of the weight it takes */
            co_act act;
        } dense;
        co_act act;
        struct {
            ptrdiff_t n;
            int log;
        } softmax;
        struct {
            ptrdiff_t n;
            double value;
        } masking;
        struct {
            ptrdiff_t n, times;
        } repeat;
        struct {
            co_permutation *go, *back; /* owned; back only in a plan that trains */
        } permute;
        struct {
            co_loss loss;
            ptrdiff_t n;
        } loss;
        struct {
            double l1, l2;
            int index; /* among the plan's penalties */
        } penalty;
        struct {
            int how; /* CO_MERGE_... */
            double factor;
        } merge;
        struct {
            ptrdiff_t m, n, k;
        } products;
        struct {
            int number, layout; /* of the trainer, CO_KEEP_... */
        } kept;
        ptrdiff_t n; /* elements of a run */
        void *own;   /* owned, of the kind's own type */
    } u;
};

/* A weight, w[k,n] of reals or of int8, and the forms of it that kernels take: the plan's own, or
 * those of its trainer. */
typedef struct co_weights {
    ptrdiff_t k, n;
    int number;             /* of the trainer; -1: the plan's own */
    int item_bytes;         /* 1: int8 */
    const void *data;       /* the caller's, until the plan is finished */
    void *copy;             /* owned, as what follows; NULL: not asked for */
    void *panels, *turned;  /* for gemm or qgemm, its transpose for gemm, */
    void *dots, *recur;     /* for dots, for recur, */
    _Atomic(void *) packed; /* and for the plan's matmul, by the first run that takes it */
} co_weights;

typedef struct co_value {
    ptrdiff_t size; /* elements per sample */
    int item_bytes;
    int buffer;          /* of the run, or -1: in the arena */
    int last;            /* the last step that reads it */
    int within;          /* a value of which its rows are parts, `pitch` elements apart; or -1 */
    int kept;            /* of the trainer, among whose rows it lies; or -1 */
    ptrdiff_t at, pitch; /* the first one's place in there */
    int wanted;          /* of an input: the buffer that its gradient goes to, or 0 */
    ptrdiff_t offset;    /* in the arena: bytes per unit, a multiple of CO_LINE */
} co_value;

enum { CO_LINE = 64 }; /* bytes of a cache line, and of the widest vector */

/* A value that a plan learns from, and the value of its gradient. made: what has the first one as
 * it was made by a run before, or -1. */
typedef struct co_end {
    int y, gradient, made;
} co_end;

struct co_plan {
    const co_kernels *kernels;
    const co_matmul *matmul; /* what large batches are multiplied by instead of gemm, or NULL */
    int item_bytes;
    co_trainer *trainer; /* NULL in a plan that does not train */
    int penalties;       /* the value of theirs, one for each of a sample; -1: none */
    int n_steps, n_values, n_weights;
    int n_dropped;       /* steps behind the others that nobody needs but for what they own */
    int n_ends, forward; /* what it learns from; and the number of steps before the first loss */
    co_end *ends;
    int more_buffers; /* that runs have beside the first CO_BUFFERS: further inputs and results */
    co_step *steps;
    co_value *values;
    co_weights *weights;
    /* Set by co_plan_finish. The sample is cut into `units` equal parts that
     * every step treats independently; a block is as many units as keep their
     * values in the cache. */
    ptrdiff_t units;
    ptrdiff_t grain;       /* units that stay together in a block, and begin it or follow as many */
    ptrdiff_t arena;       /* bytes per unit */
    ptrdiff_t block;       /* units */
    double ns;             /* estimate for a unit */
    ptrdiff_t cache;       /* bytes of the machine's last one */
    _Atomic(void *) spare; /* an arena that the last run left behind */
};

/* plan.c. A new value, and a step of one operand (-1: none) to fill in. */
int co_plan_value(co_plan *plan, ptrdiff_t size, int item_bytes);
co_step co_step_of(const co_kind *kind, int x, ptrdiff_t positions);
/* Appends a step (and takes over what it owns) whose result is a new value of that size: its
 * number, or a co_status. A step of size -1 has no result, or one that was set before, and 0 is
 * returned. */
int co_plan_append(co_plan *plan, co_step step, ptrdiff_t size);
/* The size of x as the operand of a step, or a status: masks are no operands. */
ptrdiff_t co_plan_operand(const co_plan *plan, int x);
/* Whether a shape is of so many elements, and its axes other than zeros of no more than any value
 * can have. */
int co_is_shape(int rank, const ptrdiff_t *shape, ptrdiff_t size);
/* The number of runs of n elements in x, or a status. */
ptrdiff_t co_plan_runs(const co_plan *plan, int x, ptrdiff_t n);
/* A value that the caller of a run supplies or receives. */
int co_plan_buffer(co_plan *plan, ptrdiff_t size, int item_bytes, int buffer);

/* The most bytes of a value in a sample, or of a step's weights: more than any machine has, and so
 * few that no sum over a plan's values overflows. */
#define CO_MOST_BYTES (PTRDIFF_MAX >> 16)

/* a * b of sizes, or PTRDIFF_MAX where that overflows. */
static inline ptrdiff_t co_product(ptrdiff_t a, ptrdiff_t b) {
    return a && b > PTRDIFF_MAX / a ? PTRDIFF_MAX : a * b;
}

/* How far apart the rows of n elements of value v lie. */
static inline ptrdiff_t co_pitch(const co_plan *plan, int v, ptrdiff_t n) {
    return plan->values[v].within < 0 ? n : plan->values[v].pitch;
}

/* n, where rows of n that lie apart have their activation as soon as others: in the registers of
 * gemm's tiles, or in a loop that is long enough; else 0. */
static inline ptrdiff_t co_row_apart(const co_act *act, ptrdiff_t n) {
    return n >= 64 || act->kind == CO_ACT_LINEAR || act->kind == CO_ACT_RELU ? n : 0;
}

/* steps/: what kinds know of each other. */
/* Lets a product, or a convolution, without an activation have that of the step, or weights that do
 * what the affine step does, too. Returns whether it did. */
int co_dense_takes_act(co_step *before, const co_step *act);
int co_conv_takes_act(co_step *before, const co_step *act);
int co_depthwise_takes_act(co_step *before, const co_step *act);
int co_dense_takes_affine(co_plan *plan, co_step *before, const co_step *affine);
int co_conv_takes_affine(co_plan *plan, co_step *before, const co_step *affine);
int co_depthwise_takes_affine(co_plan *plan, co_step *before, const co_step *affine);
/* Lets a convolution channel by channel make the product of its results that gemm would. */
int co_depthwise_takes_product(co_plan *plan, co_step *before, const co_step *dense);
/* The weights of a product with n columns and its bias (-1: none) that the affine step follows are
 * replaced by new ones that do both. Returns whether they were. */
int co_affine_fold(co_plan *plan, const co_step *step, ptrdiff_t n, int *w, int *bias);
/* The same for a product that follows step `before`, which is left alone if it is no affine one. */
int co_affine_fold_before(co_plan *plan, const co_step *before, int *w, int *bias);
/* Whether it is a product by a weight of reals, and nothing else. */
int co_step_is_dense(const co_step *step);
/* Whether it puts values one after the other. */
int co_step_is_concatenate(const co_step *step);
/* Whether it is that activation, or the softmax of runs of n. */
int co_step_is_act(const co_step *step, int kind);
int co_step_is_softmax(const co_step *step, ptrdiff_t n);
/* The loss of x as (positions, n), weighted; its result is the gradient. */
int co_plan_loss(co_plan *plan, int x, co_loss how, ptrdiff_t positions, ptrdiff_t n);
/* The gradient of x, out of one of what becomes of it when it is normalised. */
int co_plan_before_normalized(co_plan *plan, int dy, int x, int mask, co_moments *of);
/* A further buffer of the run, of a new value. */
int co_plan_more(co_plan *plan, ptrdiff_t size, int item_bytes);

/* weights.c. The forms of weight w, made when they are first asked for, before the plan is
 * finished: row-major, in panels for gemm or qgemm, for dots, gemm's panels of the transpose, for
 * recur, so many bytes. They stay where they are. NULL: no memory. */
const void *co_weight_data(co_plan *plan, int w);
const void *co_weight_panels(co_plan *plan, int w);
const void *co_weight_dots(co_plan *plan, int w);
const void *co_weight_turned(co_plan *plan, int w);
const void *co_weight_recur(co_plan *plan, int w, ptrdiff_t bytes);
/* What the plan's matmul takes of weight w, or with `turned` of its transpose, which only a
 * trainer's has. Before a run that takes it: makes it, from gemm's panels, unless it is there and
 * the weight has not changed. */
co_status co_weight_pack(const co_plan *plan, int w, int turned, int threads);
const void *co_weight_packed(const co_plan *plan, int w, int turned);
/* Whether there is a weight w of such items. */
int co_is_weight(const co_plan *plan, int w, int item_bytes);
/* Whether it is a vector of n reals, or -1: none. */
int co_is_vector(const co_plan *plan, int w, ptrdiff_t n);
/* A new weight of the plan whose data are its own, `copy`, for the caller to fill. */
int co_plan_own_weight(co_plan *plan, ptrdiff_t k, ptrdiff_t n);
/* Whether it is one of the trainer's that learn; w may be -1. */
int co_weight_learns(const co_plan *plan, int w);
/* Forgets the callers' memory. */
void co_weights_finish(co_plan *plan);
void co_weights_free(co_plan *plan);

/* layout.c. Everything that is left to do once the steps are there and the result has its buffer.
 */
co_status co_layout(co_plan *plan);

/* trainer.c. What a step leaves for the gradients of weights: a row of n for each position of each
 * sample, transposed, (n, rows), or in gemm's panels, or as it is; or nothing but their number. */
enum { CO_KEEP_TURNED, CO_KEEP_PANELS, CO_KEEP_ROWS, CO_KEEP_COUNT };
int co_trainer_keep(co_trainer *trainer, ptrdiff_t n, ptrdiff_t positions, int layout);
/* Room for the rows of a batch, which come next. */
co_status co_trainer_room(co_trainer *trainer, int kept, ptrdiff_t batch);
void co_trainer_kept(const co_trainer *trainer, int kept, ptrdiff_t first, ptrdiff_t rows,
                     const char *x);
char *co_trainer_rows(const co_trainer *trainer, int kept);
/* Weight w is multiplied with inputs of which x (-1: a vector) was kept, dy of the results; or by
 * number, x are those of its rows that the results were. */
co_status co_trainer_use(co_trainer *trainer, int w, int x, int dy, int by_number);
/* Its gradient is summed in chunks, as trainer.h says. Returns the number of that use. */
typedef struct co_chunked co_chunked;
int co_trainer_use_chunks(co_trainer *trainer, int w, int x, int dy, const co_chunked *how);
/* Another number whenever a weight may have changed. */
uint64_t co_trainer_version(const co_trainer *trainer);
int co_trainer_learns(const co_trainer *trainer, int w);
ptrdiff_t co_trainer_size(const co_trainer *trainer, int w, ptrdiff_t *k);
/* Its panels, those of its transpose, or the weight itself. NULL: no memory. */
void *co_trainer_panels(co_trainer *trainer, int w);
void *co_trainer_turned(co_trainer *trainer, int w);
void *co_trainer_data(const co_trainer *trainer, int w);
/* co_weight_pack, co_weight_packed. */
co_status co_trainer_pack_for(co_trainer *trainer, int w, int turned, int threads);
const void *co_trainer_packed(const co_trainer *trainer, int w, int turned);
const co_matmul *co_trainer_matmul(const co_trainer *trainer);
/* From so many rows on a product pays for weights that are packed anew at each step (measured:
 * docs/performance.md). */
enum { CO_LEARNING_ROWS = 32 };
/* weights.c. Packs a k by n matrix for a matmul, panels shared out over threads. */
void co_pack_panels(const co_matmul *matmul, ptrdiff_t k, ptrdiff_t n, const void *panels,
                    void *packed, int threads);

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
                ptrdiff_t n, const char *x, char *y, int past);

#endif
