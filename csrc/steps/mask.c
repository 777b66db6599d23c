/* mask.c - what takes elements away: masked time steps, dropout. */
#include <stdlib.h>
#include <string.h>

#include "../backward.h"
#include "../execute.h"

static const co_kind masking, masking_grad, selection, dropout;

/* ------------------------------------------------------------------------------- masking */

int co_plan_masking(co_plan *plan, int x, ptrdiff_t positions, ptrdiff_t n, double value,
                    int *mask) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (positions < 0 || n < 0 || co_product(positions, n) != size) return CO_BAD_PLAN;
    *mask = co_plan_value(plan, positions, 1);
    if (*mask < 0) return *mask;
    co_step step = co_step_of(&masking, x, positions);
    step.out[1] = *mask;
    step.u.masking.n = n;
    step.u.masking.value = value;
    return co_plan_append(plan, step, size);
}

static void run_masking(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                        ptrdiff_t units) {
    job->plan->kernels->masking(
        co_positions(job, step, units), step->u.masking.n,
        co_locate(job, arena, step->in[0], first), co_locate(job, arena, step->out[0], first),
        (uint8_t *)co_locate(job, arena, step->out[1], first), step->u.masking.value);
}

static void run_masking_grad(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                             ptrdiff_t units) {
    job->plan->kernels->keep_rows(co_positions(job, step, units), step->u.masking.n,
                                  (const uint8_t *)co_locate(job, arena, step->in[1], first),
                                  co_locate(job, arena, step->in[0], first),
                                  co_locate(job, arena, step->out[0], first));
}

static void masking_back(co_backward *back, const co_step *step) {
    co_back_through(back, step, &masking_grad, step->out[1]);
}

static const co_kind masking = {
    .name = "masking", .in_place = 1, .run = run_masking, .back = masking_back};
static const co_kind masking_grad = {
    .name = "masking gradient", .in_place = 1, .run = run_masking_grad};

/* ----------------------------------------------------------------------------- selection */

enum { FROM_X, FROM_Y, BY_MASK };

int co_plan_select(co_plan *plan, int mask, int x, int y) {
    const ptrdiff_t size = co_plan_operand(plan, x),
                    other = y < 0 ? size : co_plan_operand(plan, y);
    if (size < 0 || other < 0 || mask < 0)
        return size < 0 ? (int)size : other < 0 ? (int)other : mask;
    if (size != other || mask >= plan->n_values || plan->values[mask].item_bytes != 1)
        return CO_BAD_PLAN;
    const ptrdiff_t positions = plan->values[mask].size;
    if (positions ? size % positions : size) return CO_BAD_PLAN;
    co_step step = co_step_of(&selection, x, positions);
    step.in[FROM_Y] = y;
    step.in[BY_MASK] = mask;
    step.u.n = positions ? size / positions : 0;
    return co_plan_append(plan, step, size);
}

static void run_select(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                       ptrdiff_t units) {
    const size_t bytes = (size_t)(step->u.n * job->plan->item_bytes);
    const uint8_t *mask = (const uint8_t *)co_locate(job, arena, step->in[BY_MASK], first);
    const char *from[2] = {NULL, NULL};
    for (int i = 0; i < 2; i++)
        if (step->in[i] >= 0) from[i] = co_locate(job, arena, step->in[i], first);
    char *to = co_locate(job, arena, step->out[0], first);
    for (ptrdiff_t i = 0, n = co_positions(job, step, units); i < n; i++, to += bytes) {
        const char *row = from[mask[i] ? FROM_X : FROM_Y];
        if (!row)
            memset(to, 0, bytes);
        else if (row + i * (ptrdiff_t)bytes != to)
            memcpy(to, row + i * (ptrdiff_t)bytes, bytes);
    }
}

/* Each operand has the gradient of those rows that were its own. */
static void select_back(co_backward *back, const co_step *step) {
    for (int i = 0; i < 2; i++) {
        const int x = step->in[i];
        if (x < 0 || !back->moves[x]) continue;
        co_step to = co_step_of(&selection, -1, step->positions);
        to.in[i] = back->gradient[step->out[0]];
        to.in[BY_MASK] = step->in[BY_MASK];
        to.u.n = step->u.n;
        co_back_add(back, x, co_back_append(back, to, back->plan->values[x].size));
    }
}

static const co_kind selection = {
    .name = "select", .in_place = 1, .run = run_select, .back = select_back};

/* ------------------------------------------------------------------------------- dropout */

static void release_noise(co_step *step) { free(step->u.own); }

int co_plan_dropout(co_plan *plan, int x, double rate, int stream, int rank, const ptrdiff_t *shape,
                    const ptrdiff_t *noise, int share_batch) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (!co_is_shape(rank, shape, size)) return CO_BAD_PLAN;
    co_step step = co_step_of(&dropout, x, 0);
    step.u.own = malloc(sizeof(co_noise));
    if (!step.u.own) return CO_NO_MEMORY;
    co_status status =
        co_noise_init(step.u.own, &step.positions, rate, stream, rank, shape, noise, share_batch);
    if (status == CO_OK) return co_plan_append(plan, step, size);
    release_noise(&step);
    return (int)status;
}

static void run_dropout(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                        ptrdiff_t units) {
    const co_noise *noise = step->u.own;
    co_dropout(job->plan->kernels, noise, job->streams[noise->stream],
               co_elements(job, step->in[0], first), co_elements(job, step->in[0], units),
               co_locate(job, arena, step->in[0], first),
               co_locate(job, arena, step->out[0], first), co_goes_past(job, step, CO_APART));
}

/* The same noise again. */
static void dropout_back(co_backward *back, const co_step *step) {
    co_back_through(back, step, &dropout, -1);
}

/* Half as fast as an activation. */
static double cost(const co_plan *plan, const co_step *step) {
    return 8 * (double)(plan->values[step->out[0]].size / plan->units) / plan->kernels->gemm_nr;
}

static const co_kind dropout = {.name = "dropout",
                                .in_place = 1,
                                .run = run_dropout,
                                .back = dropout_back,
                                .cost = cost,
                                .release = release_noise};
