/* plan.c - building a plan: steps are appended, then fused, cut into units and given memory. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "cpu.h"

static void *copy_of(const void *data, ptrdiff_t bytes) {
    void *copy = malloc(bytes ? (size_t)bytes : 1);
    if (copy && bytes) memcpy(copy, data, (size_t)bytes);
    return copy;
}

static void step_free(co_step *step) {
    switch (step->op) {
    case CO_OP_DENSE:
        free(step->u.dense.kernel);
        free(step->u.dense.bias);
        break;
    case CO_OP_PRELU:
        free(step->u.prelu.alpha);
        break;
    case CO_OP_PERMUTE:
        free(step->u.permutation);
        break;
    case CO_OP_DROPOUT:
        free(step->u.noise);
        break;
    default:
        break;
    }
}

/* The most bytes of a value in a sample, or of a step's weights: more than any machine has, and so
 * few that no sum over a plan's values overflows. */
#define CO_MOST_BYTES (PTRDIFF_MAX >> 16)

/* a * b of sizes, or PTRDIFF_MAX where that overflows. */
static ptrdiff_t product(ptrdiff_t a, ptrdiff_t b) {
    return a && b > PTRDIFF_MAX / a ? PTRDIFF_MAX : a * b;
}

/* Whether a * b is size, for any a and b. */
static int is_product(ptrdiff_t a, ptrdiff_t b, ptrdiff_t size) {
    return a >= 0 && b >= 0 && product(a, b) == size;
}

/* Whether a shape is of so many elements, and its axes other than zeros of no more than any value
 * can have. */
static int is_shape(int rank, const ptrdiff_t *shape, ptrdiff_t size) {
    ptrdiff_t elements = 1;
    int empty = 0;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0) return 0;
        if (shape[i])
            elements = product(elements, shape[i]);
        else
            empty = 1;
    }
    return elements <= CO_MOST_BYTES && (empty ? 0 : elements) == size;
}

co_plan *co_plan_create(const co_kernels *kernels, int item_bytes, ptrdiff_t input_size) {
    if (input_size < 0 || input_size > CO_MOST_BYTES / item_bytes) return NULL;
    co_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return NULL;
    plan->kernels = kernels;
    plan->item_bytes = item_bytes;
    plan->values = malloc(sizeof *plan->values);
    if (!plan->values) {
        free(plan);
        return NULL;
    }
    plan->values[0] =
        (co_value){.size = input_size, .item_bytes = item_bytes, .buffer = CO_BUFFER_X};
    plan->n_values = 1;
    return plan;
}

void co_plan_destroy(co_plan *plan) {
    if (!plan) return;
    for (int i = 0; i < plan->n_steps; i++) step_free(&plan->steps[i]);
    free(atomic_load(&plan->spare));
    free(plan->steps);
    free(plan->values);
    free(plan);
}

static int add_value(co_plan *plan, ptrdiff_t size, int item_bytes) {
    if (size > CO_MOST_BYTES / item_bytes) return CO_NO_MEMORY;
    co_value *values = realloc(plan->values, (size_t)(plan->n_values + 1) * sizeof *values);
    if (!values) return CO_NO_MEMORY;
    plan->values = values;
    values[plan->n_values] = (co_value){.size = size, .item_bytes = item_bytes, .buffer = -1};
    return plan->n_values++;
}

/* Appends the step, which takes over what it owns, and makes its output value. */
static int add_step(co_plan *plan, co_step step, ptrdiff_t out_size) {
    co_step *steps = realloc(plan->steps, (size_t)(plan->n_steps + 1) * sizeof *steps);
    if (steps) plan->steps = steps;
    step.y = steps ? add_value(plan, out_size, plan->item_bytes) : CO_NO_MEMORY;
    if (step.y < 0) {
        step_free(&step);
        return step.y;
    }
    plan->steps[plan->n_steps++] = step;
    return step.y;
}

/* The size of x as the operand of a step, or a status: masks are no operands. */
static ptrdiff_t operand(const co_plan *plan, int x) {
    if (x < 0) return x;
    if (x >= plan->n_values || plan->values[x].item_bytes != plan->item_bytes) return CO_BAD_PLAN;
    return plan->values[x].size;
}

/* The number of runs of n elements in x, or a status. */
static ptrdiff_t positions_of(const co_plan *plan, int x, ptrdiff_t n) {
    const ptrdiff_t size = operand(plan, x);
    if (size < 0) return size;
    if (n < 0) return CO_BAD_PLAN;
    if (n == 0) return size == 0 ? 0 : CO_BAD_PLAN;
    return size % n == 0 ? size / n : CO_BAD_PLAN;
}

int co_plan_dense(co_plan *plan, int x, ptrdiff_t positions, ptrdiff_t k, ptrdiff_t n,
                  const void *kernel, const void *bias) {
    const ptrdiff_t size = operand(plan, x);
    if (size < 0) return (int)size;
    if (!is_product(positions, k, size) || n < 0) return CO_BAD_PLAN;
    const ptrdiff_t nr = plan->kernels->gemm_nr, item = plan->item_bytes;
    const ptrdiff_t most = CO_MOST_BYTES / item;
    if (n > most || product(k, n + nr) > most) return CO_NO_MEMORY;
    size_t packed = (size_t)((n + nr - 1) / nr * nr * k * item);
    co_step step = {
        .op = CO_OP_DENSE, .x = x, .mask = -1, .positions = positions, .u.dense = {.k = k, .n = n}};
    /* aligned_alloc wants a multiple of the alignment, and not zero */
    step.u.dense.kernel = aligned_alloc(CO_LINE, (packed / CO_LINE + 1) * CO_LINE);
    step.u.dense.bias = bias ? copy_of(bias, n * item) : NULL;
    if (!step.u.dense.kernel || (bias && !step.u.dense.bias)) {
        step_free(&step);
        return CO_NO_MEMORY;
    }
    plan->kernels->gemm_pack(k, n, kernel, n, step.u.dense.kernel);
    return add_step(plan, step, product(positions, n));
}

int co_plan_act(co_plan *plan, int x, co_act act) {
    const ptrdiff_t size = operand(plan, x);
    if (size < 0) return (int)size;
    return add_step(plan, (co_step){.op = CO_OP_ACT, .x = x, .mask = -1, .u.act = act}, size);
}

int co_plan_softmax(co_plan *plan, int x, ptrdiff_t n, int log) {
    ptrdiff_t positions = positions_of(plan, x, n);
    if (positions < 0) return (int)positions;
    return add_step(
        plan,
        (co_step){
            .op = CO_OP_SOFTMAX, .x = x, .mask = -1, .positions = positions, .u.softmax = {n, log}},
        positions * n);
}

int co_plan_prelu(co_plan *plan, int x, ptrdiff_t n, const void *alpha) {
    ptrdiff_t positions = positions_of(plan, x, n);
    if (positions < 0) return (int)positions;
    void *copy = copy_of(alpha, n * plan->item_bytes);
    if (!copy) return CO_NO_MEMORY;
    return add_step(
        plan,
        (co_step){
            .op = CO_OP_PRELU, .x = x, .mask = -1, .positions = positions, .u.prelu = {n, copy}},
        positions * n);
}

int co_plan_masking(co_plan *plan, int x, ptrdiff_t positions, ptrdiff_t n, double value,
                    int *mask) {
    const ptrdiff_t size = operand(plan, x);
    if (size < 0) return (int)size;
    if (!is_product(positions, n, size)) return CO_BAD_PLAN;
    *mask = add_value(plan, positions, 1);
    if (*mask < 0) return *mask;
    return add_step(plan,
                    (co_step){.op = CO_OP_MASKING,
                              .x = x,
                              .mask = *mask,
                              .positions = positions,
                              .u.masking = {n, value}},
                    size);
}

int co_plan_dropout(co_plan *plan, int x, double rate, int stream, int rank, const ptrdiff_t *shape,
                    const ptrdiff_t *noise, int share_batch) {
    const ptrdiff_t size = operand(plan, x);
    if (size < 0) return (int)size;
    if (!is_shape(rank, shape, size)) return CO_BAD_PLAN;
    co_step step = {.op = CO_OP_DROPOUT, .x = x, .mask = -1, .u.noise = malloc(sizeof(co_noise))};
    if (!step.u.noise) return CO_NO_MEMORY;
    co_status status =
        co_noise_init(step.u.noise, &step.positions, rate, stream, rank, shape, noise, share_batch);
    if (status != CO_OK) {
        step_free(&step);
        return status;
    }
    return add_step(plan, step, size);
}

int co_plan_permute(co_plan *plan, int x, int rank, const ptrdiff_t *shape, const int *axes) {
    const ptrdiff_t size = operand(plan, x);
    if (size < 0) return (int)size;
    if (!is_shape(rank, shape, size)) return CO_BAD_PLAN;
    co_step step = {.op = CO_OP_PERMUTE, .x = x, .mask = -1};
    const co_status status = co_permutation_create(&step.u.permutation, &step.positions,
                                                   plan->item_bytes, rank, shape, axes);
    return status == CO_OK ? add_step(plan, step, size) : (int)status;
}

int co_plan_repeat(co_plan *plan, int x, ptrdiff_t n, ptrdiff_t times) {
    ptrdiff_t positions = positions_of(plan, x, n);
    if (positions < 0) return (int)positions;
    if (times < 0) return CO_BAD_PLAN;
    return add_step(
        plan,
        (co_step){
            .op = CO_OP_REPEAT, .x = x, .mask = -1, .positions = positions, .u.repeat = {n, times}},
        product(plan->values[x].size, times));
}

/* The number of steps that read each value, and the last of them. The result is
 * read after the last step. */
static int readers(co_plan *plan, int value) {
    int count = 0;
    for (int i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].x == value) {
            count++;
            plan->values[value].last = i;
        }
    return count;
}

/* An activation moves into the dense step before it when it alone reads that
 * step's product. */
static void fuse(co_plan *plan, int result) {
    for (int i = 1; i < plan->n_steps; i++) {
        co_step *before = &plan->steps[i - 1], *step = &plan->steps[i];
        if (step->op != CO_OP_ACT || before->op != CO_OP_DENSE || before->y != step->x ||
            before->u.dense.act.kind != CO_ACT_LINEAR || before->y == result ||
            readers(plan, before->y) != 1)
            continue;
        before->u.dense.act = step->u.act;
        before->y = step->y;
        plan->n_steps--;
        memmove(step, step + 1, (size_t)(plan->n_steps - i) * sizeof *step);
        i--; /* what moved here comes next, though it cannot fuse again */
    }
}

static ptrdiff_t gcd(ptrdiff_t a, ptrdiff_t b) {
    while (b) {
        ptrdiff_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

/* The largest cut of a sample that suits every step. A step of 0 positions takes
 * any cut: its operands have one size, which the other steps' positions divide. */
static ptrdiff_t units_of(const co_plan *plan) {
    ptrdiff_t units = 0;
    for (int i = 0; i < plan->n_values; i++)
        if (plan->values[i].size == 0) return 1;
    for (int i = 0; i < plan->n_steps; i++) units = gcd(units, plan->steps[i].positions);
    return units ? units : plan->values[0].size;
}

/* A step that may write where it reads: same size, element by element or row by row. */
static int in_place(const co_step *step) {
    switch (step->op) {
    case CO_OP_ACT:
    case CO_OP_SOFTMAX:
    case CO_OP_PRELU:
    case CO_OP_MASKING:
    case CO_OP_DROPOUT:
        return 1;
    default:
        return 0;
    }
}

/* First fit: the lowest offset at which the value meets no other that is alive
 * while it is. A value lives from the step that writes it to the last that reads it. */
static void place(co_plan *plan, int v, int born, const int *births) {
    co_value *value = &plan->values[v];
    ptrdiff_t bytes = value->size / plan->units * value->item_bytes;
    bytes = (bytes + CO_LINE - 1) / CO_LINE * CO_LINE;
    value->offset = 0;
    for (int again = 1; again;) {
        again = 0;
        for (int o = 1; o < plan->n_values; o++) {
            const co_value *other = &plan->values[o];
            if (o == v || other->buffer >= 0 || births[o] < 0 || births[o] > born ||
                other->last < born)
                continue;
            ptrdiff_t size = other->size / plan->units * other->item_bytes;
            ptrdiff_t end = other->offset + (size + CO_LINE - 1) / CO_LINE * CO_LINE;
            if (value->offset < end && other->offset < value->offset + bytes) {
                value->offset = end;
                again = 1;
            }
        }
    }
    if (value->offset + bytes > plan->arena) plan->arena = value->offset + bytes;
}

static co_status lay_out_arena(co_plan *plan) {
    int *births = malloc((size_t)plan->n_values * sizeof *births);
    if (!births) return CO_NO_MEMORY;
    for (int v = 0; v < plan->n_values; v++) births[v] = -1; /* not placed yet */
    for (int i = 0; i < plan->n_steps; i++) {
        const co_step *step = &plan->steps[i];
        const co_value *x = &plan->values[step->x];
        co_value *y = &plan->values[step->y];
        if (y->buffer < 0) {
            if (in_place(step) && x->buffer < 0 && x->last == i)
                y->offset = x->offset;
            else
                place(plan, step->y, i, births);
            births[step->y] = i;
        }
        if (step->mask >= 0 && plan->values[step->mask].buffer < 0) {
            place(plan, step->mask, i, births);
            births[step->mask] = i;
        }
    }
    free(births);
    return CO_OK;
}

/* Nanoseconds of a unit's step, from round figures of a current core: 4 NR GFLOP/s (NR is two
 * vectors, and about half of the peak is left to a small product), half a nanosecond for an element
 * of an activation, 10 GB/s. Only the choice of how many threads to wake hangs on it. */
static double estimate(const co_plan *plan, const co_step *step) {
    double out = (double)(plan->values[step->y].size / plan->units);
    switch (step->op) {
    case CO_OP_DENSE:
        return out * (double)step->u.dense.k / (2 * plan->kernels->gemm_nr);
    case CO_OP_ACT:
    case CO_OP_SOFTMAX:
    case CO_OP_DROPOUT:
        return out / 2;
    default:
        return 0.1 * out * plan->item_bytes;
    }
}

/* Half a typical L2: what is left serves the weights that stream through. */
enum { CO_BLOCK_BYTES = 384 * 1024 };

static void choose_block(co_plan *plan) {
    ptrdiff_t bytes = plan->arena;
    for (int v = 0; v < plan->n_values; v++)
        if (plan->values[v].buffer >= 0)
            bytes += plan->values[v].size / plan->units * plan->values[v].item_bytes;
    ptrdiff_t block = CO_BLOCK_BYTES / (bytes ? bytes : 1), mr = plan->kernels->gemm_mr;
    plan->block = block > mr ? block / mr * mr : block > 0 ? block : 1;
    plan->ns = 0;
    for (int i = 0; i < plan->n_steps; i++) plan->ns += estimate(plan, &plan->steps[i]);
}

co_status co_plan_finish(co_plan *plan, int y, int mask) {
    if (operand(plan, y) < 0) return y < 0 ? (co_status)y : CO_BAD_PLAN;
    if (mask >= plan->n_values || (mask >= 0 && plan->values[mask].item_bytes != 1))
        return CO_BAD_PLAN;
    fuse(plan, y);
    if (y == 0) { /* nothing computes: the result is a copy, for it never aliases the input */
        y = add_step(plan, (co_step){.op = CO_OP_COPY, .mask = -1}, plan->values[0].size);
        if (y < 0) return (co_status)y;
    }
    plan->values[y].buffer = CO_BUFFER_Y;
    if (mask >= 0) plan->values[mask].buffer = CO_BUFFER_MASK;
    for (int v = 0; v < plan->n_values; v++) readers(plan, v);
    plan->units = units_of(plan);
    co_status status = lay_out_arena(plan);
    if (status == CO_OK) choose_block(plan);
    plan->cache = co_cache_bytes();
    return status;
}

ptrdiff_t co_plan_size(const co_plan *plan, int value) {
    return value >= 0 && value < plan->n_values ? plan->values[value].size : CO_BAD_PLAN;
}

double co_plan_cost(const co_plan *plan) { return plan->ns * (double)plan->units; }
