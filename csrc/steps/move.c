/* move.c - what moves elements without computing with them: copies, permutations, repetitions. */
#include <stdlib.h>

#include "../backward.h"
#include "../execute.h"

static const co_kind copy, permute, repeat, repeat_grad;

/* ---------------------------------------------------------------------------------- copy */

int co_plan_copy(co_plan *plan, int x) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    return co_plan_append(plan, co_step_of(&copy, x, 0), size);
}

static void run_copy(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const ptrdiff_t bytes = co_elements(job, step->out[0], units) * job->plan->item_bytes;
    job->plan->kernels->copy_rows(1, bytes, co_locate(job, arena, step->in[0], first), 0,
                                  co_locate(job, arena, step->out[0], first), 0,
                                  co_goes_past(job, step, CO_IN_ORDER));
}

static void copy_back(co_backward *back, const co_step *step) {
    co_back_add(back, step->in[0], back->gradient[step->out[0]]);
}

static const co_kind copy = {.name = "copy", .run = run_copy, .back = copy_back};

/* ------------------------------------------------------------------------------- permute */

/* The permutation that undoes the step's. */
static co_status turn_back(co_step *step, int item_bytes, int rank, const ptrdiff_t *shape,
                           const int *axes) {
    ptrdiff_t *turned = malloc((size_t)rank * (sizeof *turned + sizeof(int)) + 1), positions;
    if (!turned) return CO_NO_MEMORY;
    int *order = (int *)(turned + rank);
    for (int i = 0; i < rank; i++) {
        turned[i] = shape[axes[i]];
        order[axes[i]] = i;
    }
    const co_status status =
        co_permutation_create(&step->u.permute.back, &positions, item_bytes, rank, turned, order);
    free(turned);
    return status;
}

static void release_permute(co_step *step) {
    free(step->u.permute.go);
    free(step->u.permute.back);
}

int co_plan_permute(co_plan *plan, int x, int rank, const ptrdiff_t *shape, const int *axes) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (!co_is_shape(rank, shape, size)) return CO_BAD_PLAN;
    co_step step = co_step_of(&permute, x, 0);
    step.u.permute.go = step.u.permute.back = NULL;
    co_status status = co_permutation_create(&step.u.permute.go, &step.positions, plan->item_bytes,
                                             rank, shape, axes);
    if (status == CO_OK && plan->trainer)
        status = turn_back(&step, plan->item_bytes, rank, shape, axes);
    if (status == CO_OK) return co_plan_append(plan, step, size);
    release_permute(&step);
    return (int)status;
}

static void run_permute(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                        ptrdiff_t units) {
    co_permute(job->plan->kernels, step->u.permute.go, co_positions(job, step, units),
               co_locate(job, arena, step->in[0], first),
               co_locate(job, arena, step->out[0], first), co_goes_past(job, step, CO_APART));
}

static void permute_back(co_backward *back, const co_step *step) {
    co_step turned = *step;
    turned.u.permute.go = step->u.permute.back;
    co_back_through(back, &turned, &permute, -1);
}

static const co_kind permute = {
    .name = "permute", .run = run_permute, .back = permute_back, .release = release_permute};

/* -------------------------------------------------------------------------------- repeat */

int co_plan_repeat(co_plan *plan, int x, ptrdiff_t n, ptrdiff_t times) {
    const ptrdiff_t positions = co_plan_runs(plan, x, n);
    if (positions < 0) return (int)positions;
    if (times < 0) return CO_BAD_PLAN;
    co_step step = co_step_of(&repeat, x, positions);
    step.u.repeat.n = n;
    step.u.repeat.times = times;
    return co_plan_append(plan, step, co_product(plan->values[x].size, times));
}

static void run_repeat(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                       ptrdiff_t units) {
    const co_kernels *kernels = job->plan->kernels;
    const ptrdiff_t times = step->u.repeat.times, n = step->u.repeat.n;
    const ptrdiff_t bytes = n * job->plan->item_bytes, positions = co_positions(job, step, units);
    const char *x = co_locate(job, arena, step->in[0], first);
    char *y = co_locate(job, arena, step->out[0], first);
    /* a few short ones, such as the channels of a pixel: all first copies, then all second ones */
    if (step->kind == &repeat && times * bytes <= CO_LINE) {
        for (ptrdiff_t t = 0; t < times; t++)
            kernels->copy_rows(positions, bytes, x, bytes, y + t * bytes, times * bytes, 0);
        return;
    }
    for (ptrdiff_t i = 0; i < positions; i++) {
        if (step->kind == &repeat)
            kernels->copy_rows(times, bytes, x + i * bytes, 0, y + i * times * bytes, bytes,
                               co_goes_past(job, step, CO_IN_ORDER));
        else
            kernels->colsum(times, n, x + i * times * bytes, n, y + i * bytes);
    }
}

static void repeat_back(co_backward *back, const co_step *step) {
    co_back_through(back, step, &repeat_grad, -1);
}

static const co_kind repeat = {.name = "repeat", .run = run_repeat, .back = repeat_back};
static const co_kind repeat_grad = {.name = "repeat gradient", .run = run_repeat};
