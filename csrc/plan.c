/* plan.c - building a plan: steps are checked, given their weights, and appended. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

static void *copy_of(const void *data, ptrdiff_t bytes) {
    void *copy = malloc(bytes ? (size_t)bytes : 1);
    if (copy && bytes) memcpy(copy, data, (size_t)bytes);
    return copy;
}

static void step_free(co_step *step) {
    if (step->borrowed) return;
    switch (step->op) {
    case CO_OP_DENSE:
    case CO_OP_DENSE_INT8:
        free(step->u.dense.kernel);
        free(step->u.dense.bias);
        free(step->u.dense.scale);
        free(atomic_load(&step->u.dense.packed));
        break;
    case CO_OP_PRELU:
        free(step->u.prelu.alpha);
        break;
    case CO_OP_PERMUTE:
        free(step->u.permute.go);
        free(step->u.permute.back);
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

co_plan *co_plan_create(const co_kernels *kernels, co_precision precision, int item_bytes,
                        ptrdiff_t input_size) {
    if (input_size < 0 || input_size > CO_MOST_BYTES / item_bytes) return NULL;
    co_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return NULL;
    plan->kernels = kernels;
    plan->item_bytes = item_bytes;
    plan->matmul = kernels->matmul[precision];
    plan->penalties = -1;
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

int co_plan_value(co_plan *plan, ptrdiff_t size, int item_bytes) {
    if (size > CO_MOST_BYTES / item_bytes) return CO_NO_MEMORY;
    co_value *values = realloc(plan->values, (size_t)(plan->n_values + 1) * sizeof *values);
    if (!values) return CO_NO_MEMORY;
    plan->values = values;
    values[plan->n_values] = (co_value){.size = size, .item_bytes = item_bytes, .buffer = -1};
    return plan->n_values++;
}

int co_plan_append(co_plan *plan, co_step step, ptrdiff_t size) {
    co_step *steps = realloc(plan->steps, (size_t)(plan->n_steps + 1) * sizeof *steps);
    if (steps) plan->steps = steps;
    int made = steps ? 0 : CO_NO_MEMORY;
    if (steps && size >= 0) made = co_plan_value(plan, size, plan->item_bytes);
    if (made < 0) {
        step_free(&step);
        return made;
    }
    step.y = size >= 0 ? made : -1;
    plan->steps[plan->n_steps++] = step;
    return made;
}

/* A forward step. */
static int add_step(co_plan *plan, co_step step, ptrdiff_t size) {
    step.with = -1;
    return co_plan_append(plan, step, size);
}

ptrdiff_t co_plan_operand(const co_plan *plan, int x) {
    if (x < 0) return x;
    if (x >= plan->n_values || plan->values[x].item_bytes != plan->item_bytes) return CO_BAD_PLAN;
    return plan->values[x].size;
}

/* The number of runs of n elements in x, or a status. */
static ptrdiff_t positions_of(const co_plan *plan, int x, ptrdiff_t n) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return size;
    if (n < 0) return CO_BAD_PLAN;
    if (n == 0) return size == 0 ? 0 : CO_BAD_PLAN;
    return size % n == 0 ? size / n : CO_BAD_PLAN;
}

int co_plan_dense(co_plan *plan, int x, ptrdiff_t positions, ptrdiff_t k, ptrdiff_t n,
                  const void *kernel, const void *bias) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (!is_product(positions, k, size) || n < 0) return CO_BAD_PLAN;
    const ptrdiff_t nr = plan->kernels->gemm_nr, item = plan->item_bytes;
    const ptrdiff_t most = CO_MOST_BYTES / item;
    if (n > most || product(k, n + nr) > most) return CO_NO_MEMORY;
    size_t packed = (size_t)((n + nr - 1) / nr * nr * k * item);
    co_step step = {
        .op = CO_OP_DENSE, .x = x, .mask = -1, .positions = positions, .u.dense = {.k = k, .n = n}};
    step.u.dense.w = step.u.dense.b = -1;
    step.u.dense.by_dots = plan->kernels->dots_suit(k, n);
    atomic_init(&step.u.dense.packed, NULL);
    /* aligned_alloc wants a multiple of the alignment, and not zero */
    step.u.dense.kernel = aligned_alloc(CO_LINE, (packed / CO_LINE + 1) * CO_LINE);
    step.u.dense.bias = bias ? copy_of(bias, n * item) : NULL;
    if (!step.u.dense.kernel || (bias && !step.u.dense.bias)) {
        step_free(&step);
        return CO_NO_MEMORY;
    }
    if (step.u.dense.by_dots)
        plan->kernels->dots_pack(k, n, kernel, n, step.u.dense.kernel);
    else
        plan->kernels->gemm_pack(k, n, kernel, n, step.u.dense.kernel);
    return add_step(plan, step, product(positions, n));
}

int co_plan_dense_int8(co_plan *plan, int x, ptrdiff_t positions, ptrdiff_t k, ptrdiff_t n,
                       const int8_t *kernel, const void *scale, const void *bias) {
    const co_kernels *kernels = plan->kernels;
    const ptrdiff_t size = co_plan_operand(plan, x), item = plan->item_bytes;
    if (size < 0) return (int)size;
    if (!is_product(positions, k, size) || n < 0 || k > CO_QGEMM_DEPTH) return CO_BAD_PLAN;
    /* a wide bound on what panels and their sums take */
    if (n > CO_MOST_BYTES / 64 || product(k + 64, n + 64) > CO_MOST_BYTES) return CO_NO_MEMORY;
    const size_t lines = (size_t)kernels->qgemm_bytes(k, n) / CO_LINE + 1;
    co_step step = {.op = CO_OP_DENSE_INT8,
                    .x = x,
                    .mask = -1,
                    .positions = positions,
                    .u.dense = {.k = k, .n = n}};
    atomic_init(&step.u.dense.packed, NULL);
    step.u.dense.kernel = aligned_alloc(CO_LINE, lines * CO_LINE);
    step.u.dense.scale = copy_of(scale, n * item);
    step.u.dense.bias = bias ? copy_of(bias, n * item) : NULL;
    if (!step.u.dense.kernel || !step.u.dense.scale || (bias && !step.u.dense.bias)) {
        step_free(&step);
        return CO_NO_MEMORY;
    }
    kernels->qgemm_pack(k, n, kernel, n, step.u.dense.kernel);
    return add_step(plan, step, product(positions, n));
}

int co_plan_act(co_plan *plan, int x, co_act act) {
    const ptrdiff_t size = co_plan_operand(plan, x);
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
    return add_step(plan,
                    (co_step){.op = CO_OP_PRELU,
                              .x = x,
                              .mask = -1,
                              .positions = positions,
                              .u.prelu = {n, copy, -1}},
                    positions * n);
}

int co_plan_masking(co_plan *plan, int x, ptrdiff_t positions, ptrdiff_t n, double value,
                    int *mask) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (!is_product(positions, n, size)) return CO_BAD_PLAN;
    *mask = co_plan_value(plan, positions, 1);
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
    const ptrdiff_t size = co_plan_operand(plan, x);
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

/* The permutation that undoes the step's. */
static co_status turn_back(co_step *step, int item_bytes, int rank, const ptrdiff_t *shape,
                           const int *axes) {
    ptrdiff_t *turned = malloc((size_t)rank * (sizeof *turned + sizeof(int)) + 1), positions;
    if (!turned) return CO_NO_MEMORY;
    int *back = (int *)(turned + rank);
    for (int i = 0; i < rank; i++) {
        turned[i] = shape[axes[i]];
        back[axes[i]] = i;
    }
    const co_status status =
        co_permutation_create(&step->u.permute.back, &positions, item_bytes, rank, turned, back);
    free(turned);
    return status;
}

int co_plan_permute(co_plan *plan, int x, int rank, const ptrdiff_t *shape, const int *axes) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (!is_shape(rank, shape, size)) return CO_BAD_PLAN;
    co_step step = {.op = CO_OP_PERMUTE, .x = x, .mask = -1};
    co_status status = co_permutation_create(&step.u.permute.go, &step.positions, plan->item_bytes,
                                             rank, shape, axes);
    if (status == CO_OK && plan->trainer)
        status = turn_back(&step, plan->item_bytes, rank, shape, axes);
    if (status == CO_OK) return add_step(plan, step, size);
    step_free(&step);
    return (int)status;
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

co_status co_plan_finish(co_plan *plan, int y, int mask) {
    if (co_plan_operand(plan, y) < 0) return y < 0 ? (co_status)y : CO_BAD_PLAN;
    if (mask >= plan->n_values || (mask >= 0 && plan->values[mask].item_bytes != 1))
        return CO_BAD_PLAN;
    if (y == 0) { /* nothing computes: the result is a copy, for it never aliases the input */
        y = add_step(plan, (co_step){.op = CO_OP_COPY, .mask = -1}, plan->values[0].size);
        if (y < 0) return (co_status)y;
    }
    plan->values[y].buffer = CO_BUFFER_Y;
    if (mask >= 0) plan->values[mask].buffer = CO_BUFFER_MASK;
    return co_layout(plan, y);
}

ptrdiff_t co_plan_size(const co_plan *plan, int value) {
    return value >= 0 && value < plan->n_values ? plan->values[value].size : CO_BAD_PLAN;
}

double co_plan_cost(const co_plan *plan) { return plan->ns * (double)plan->units; }
