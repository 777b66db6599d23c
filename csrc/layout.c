/* layout.c - the end of building a plan: steps are fused, the sample is cut into units, values get
 * their places in the arena. */
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "plan.h"

/* The number of steps that read each value, and the last of them. The result is
 * read after the last step. */
static int readers(co_plan *plan, int value) {
    int count = 0;
    for (int i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].x == value || plan->steps[i].with == value) {
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
        const int dense = before->op == CO_OP_DENSE || before->op == CO_OP_DENSE_INT8;
        if (step->op != CO_OP_ACT || !dense || before->y != step->x ||
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
    case CO_OP_ADD:
    case CO_OP_ACT_GRAD:
    case CO_OP_SOFTMAX_GRAD:
    case CO_OP_PRELU_GRAD:
    case CO_OP_MASKING_GRAD:
    case CO_OP_PENALTY_GRAD:
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
        co_value *y = step->y < 0 ? NULL : &plan->values[step->y];
        if (y && y->buffer < 0) {
            const co_value *x = step->x < 0 ? NULL : &plan->values[step->x];
            if (y->last < i) y->last = i; /* nobody reads it, and yet it takes room */
            if (x && in_place(step) && x->buffer < 0 && x->last == i)
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

/* Nanoseconds of a unit's step, from round figures of a current core: 6 NR GFLOP/s (NR is two
 * vectors; three quarters of the peak are left to a small product) and 100 GB/s for what a product
 * reads and writes, two vectors in a nanosecond for elements of an activation, half of that for
 * random ones, 25 GB/s moved. Only the choice of how many threads to wake hangs on it. */
static double estimate(const co_plan *plan, const co_step *step) {
    const int x = step->x < 0 ? step->y : step->x, y = step->y < 0 ? step->x : step->y;
    const double in = (double)(plan->values[x].size / plan->units);
    const double out = (double)(plan->values[y].size / plan->units);
    const double nr = plan->kernels->gemm_nr, moved = (in + out) * plan->item_bytes / 100;
    double ns;
    switch (step->op) {
    case CO_OP_DENSE_INT8: /* twice as fast at least, where the CPU has instructions for it */
    case CO_OP_DENSE:
        ns = out * (double)step->u.dense.k / ((step->op == CO_OP_DENSE ? 3 : 6) * nr);
        return ns > moved ? ns : moved;
    case CO_OP_ACT:
    case CO_OP_SOFTMAX:
        return 4 * out / nr;
    case CO_OP_DROPOUT:
    case CO_OP_LOSS:
    case CO_OP_ACT_GRAD:
        return 8 * out / nr;
    default:
        return 0.04 * out * plan->item_bytes;
    }
}

/* Half a typical L2: what is left serves the weights that stream through. Weights that do not fit
 * in there come from further away, once for each block: it is then at least so many rows of gemm's
 * tiles. */
enum { CO_BLOCK_BYTES = 384 * 1024, CO_BLOCK_TILES = 24 };

static void choose_block(co_plan *plan) {
    ptrdiff_t bytes = plan->arena;
    for (int v = 0; v < plan->n_values; v++)
        if (plan->values[v].buffer >= 0)
            bytes += plan->values[v].size / plan->units * plan->values[v].item_bytes;
    ptrdiff_t block = CO_BLOCK_BYTES / (bytes ? bytes : 1), mr = plan->kernels->gemm_mr;
    for (int i = 0; i < plan->n_steps; i++) {
        const co_step *step = &plan->steps[i];
        if (step->op != CO_OP_DENSE || step->positions == 0 ||
            step->u.dense.k * step->u.dense.n * plan->item_bytes <= CO_BLOCK_BYTES)
            continue;
        const ptrdiff_t least = CO_BLOCK_TILES * mr * plan->units / step->positions;
        if (block < least) block = least;
    }
    plan->block = block > mr ? block / mr * mr : block > 0 ? block : 1;
    plan->ns = 0;
    for (int i = 0; i < plan->n_steps; i++) {
        plan->steps[i].ns = estimate(plan, &plan->steps[i]);
        plan->ns += plan->steps[i].ns;
    }
}

co_status co_layout(co_plan *plan, int result) {
    fuse(plan, result);
    for (int v = 0; v < plan->n_values; v++) readers(plan, v);
    plan->units = units_of(plan);
    co_status status = lay_out_arena(plan);
    if (status == CO_OK) choose_block(plan);
    /* What a plan that trains writes it also reads: nothing goes past the cache. */
    plan->cache = plan->trainer ? PTRDIFF_MAX : co_cache_bytes();
    return status;
}
