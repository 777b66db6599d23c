/* batchnorm.c - batch normalisation between two plans that train: the moments of what the first one
 * makes, what it becomes in the next, and the way back through both. */
#include "../batchnorm.h"

#include <stdlib.h>

#include "../backward.h"
#include "../execute.h"

static const co_kind moments, normalized, sums, gradient;

typedef struct co_between {
    co_moments *of;
    double *parts; /* of the chunks of a run: what moments and sums leave */
    ptrdiff_t room;
} co_between;

static void release(co_step *step) {
    co_between *own = step->u.own;
    free(own->parts);
    free(own);
}

static int append(co_plan *plan, co_step step, co_moments *of, ptrdiff_t size) {
    const ptrdiff_t runs = co_plan_runs(plan, step.in[0], of->n);
    if (runs < 0) return (int)runs;
    co_between *own = calloc(1, sizeof *own);
    if (!own) return CO_NO_MEMORY;
    own->of = of;
    step.u.own = own;
    step.positions = runs;
    return co_plan_append(plan, step, size);
}

co_status co_plan_moments(co_plan *plan, int x, int mask, co_moments *of) {
    co_step step = co_step_of(&moments, x, 0);
    step.in[1] = mask;
    const int made = append(plan, step, of, -1);
    return made < 0 ? (co_status)made : CO_OK;
}

int co_plan_normalized(co_plan *plan, int x, co_moments *of) {
    return append(plan, co_step_of(&normalized, x, 0), of, co_plan_operand(plan, x));
}

int co_plan_before_normalized(co_plan *plan, int dy, int x, int mask, co_moments *of) {
    co_step step = co_step_of(&gradient, dy, 0);
    step.in[1] = x;
    step.in[2] = mask;
    return append(plan, step, of, co_plan_operand(plan, dy));
}

/* ---------------------------------------------------------------------------- by chunks */

/* A chunk has so many rows at least: kernels add them up before they go on in double. */
enum { CO_PART_ROWS = 32 };

static ptrdiff_t grain(const co_plan *plan, const co_step *step) {
    const ptrdiff_t rows = step->positions / plan->units;
    ptrdiff_t units = 1;
    while (rows && units * rows < CO_PART_ROWS) units *= 2;
    return units;
}

static ptrdiff_t chunks_of(const co_job *job, const co_step *step) {
    const ptrdiff_t units = grain(job->plan, step);
    return (job->units + units - 1) / units;
}

static co_status prepare(const co_job *job, const co_step *step) {
    co_between *own = step->u.own;
    const ptrdiff_t need = co_product(chunks_of(job, step), co_part_size(own->of->n));
    if (need <= own->room) return CO_OK;
    if (need > PTRDIFF_MAX / (ptrdiff_t)sizeof *own->parts) return CO_NO_MEMORY;
    free(own->parts);
    own->parts = malloc((size_t)need * sizeof *own->parts);
    own->room = own->parts ? need : 0;
    return own->parts ? CO_OK : CO_NO_MEMORY;
}

static void run_parts(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                      ptrdiff_t units) {
    const co_between *own = step->u.own;
    const ptrdiff_t at_once = grain(job->plan, step), n = own->of->n;
    const char *x = co_locate(job, arena, step->in[0], first);
    const char *with = step->in[1] < 0 ? NULL : co_locate(job, arena, step->in[1], first);
    for (ptrdiff_t i = 0; i < units; i += at_once) {
        const ptrdiff_t left = units - i, before = co_positions(job, step, i);
        const ptrdiff_t rows = co_positions(job, step, left < at_once ? left : at_once);
        const char *from = x + before * n * job->plan->item_bytes;
        double *part = own->parts + (first + i) / at_once * co_part_size(n);
        if (step->kind == &moments)
            co_moments_part(own->of, rows, with ? (const uint8_t *)with + before : NULL, from,
                            part);
        else
            co_moments_part_back(own->of, rows, with + before * n * job->plan->item_bytes, from,
                                 part);
    }
}

static void settle(const co_job *job, const co_step *step) {
    const co_between *own = step->u.own;
    if (step->kind == &moments)
        co_moments_settle(own->of, step->in[1] >= 0, chunks_of(job, step), own->parts);
    else
        co_moments_settle_back(own->of, chunks_of(job, step), own->parts);
}

static const co_kind moments = {.name = "moments",
                                .run = run_parts,
                                .prepare = prepare,
                                .conclude = settle,
                                .grain = grain,
                                .release = release};
static const co_kind sums = {.name = "normalized sums",
                             .run = run_parts,
                             .prepare = prepare,
                             .conclude = settle,
                             .grain = grain};

/* ---------------------------------------------------------------------- element by element */

static void run_normalized(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                           ptrdiff_t units) {
    const co_moments *of = ((co_between *)step->u.own)->of;
    job->plan->kernels->affine(co_positions(job, step, units), of->n, 1,
                               co_locate(job, arena, step->in[0], first), of->center, of->times,
                               of->shift, co_locate(job, arena, step->out[0], first));
}

/* What goes back is the gradient of the result: the plan that made x takes it on. */
static void normalized_back(co_backward *back, const co_step *step) {
    const int x = step->in[0], dy = back->gradient[step->out[0]];
    co_step to = *step;
    to.kind = &sums;
    to.in[0] = dy;
    to.in[1] = x;
    co_back_append(back, to, -1);
    co_back_add(back, x, dy);
}

static void run_gradient(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                         ptrdiff_t units) {
    const co_moments *of = ((co_between *)step->u.own)->of;
    const uint8_t *mask =
        step->in[2] < 0 ? NULL : (uint8_t *)co_locate(job, arena, step->in[2], first);
    job->plan->kernels->channel_grad(
        co_positions(job, step, units), of->n, mask, co_locate(job, arena, step->in[1], first),
        co_locate(job, arena, step->in[0], first), of->center, of->times, of->by_x, of->rest,
        co_locate(job, arena, step->out[0], first));
}

static const co_kind normalized = {.name = "normalized",
                                   .in_place = 1,
                                   .run = run_normalized,
                                   .back = normalized_back,
                                   .release = release};
static const co_kind gradient = {
    .name = "normalized gradient", .in_place = 1, .run = run_gradient, .release = release};
