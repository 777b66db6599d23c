/* normalize.c - layer normalisation: each row with mean 0 and variance 1. */
#include <stdlib.h>

#include "../backward.h"
#include "../execute.h"

static const co_kind layer_norm, layer_norm_grad, gamma_grad;

typedef struct co_layer_norm {
    ptrdiff_t n;
    double epsilon;
} co_layer_norm;

enum { GAMMA, BETA }; /* of a step's weights */

static void release(co_step *step) { free(step->u.own); }

int co_plan_layer_norm(co_plan *plan, int x, ptrdiff_t n, double epsilon, int gamma, int beta) {
    const ptrdiff_t positions = co_plan_runs(plan, x, n);
    if (positions < 0) return (int)positions;
    if (!co_is_vector(plan, gamma, n) || !co_is_vector(plan, beta, n)) return CO_BAD_PLAN;
    co_step step = co_step_of(&layer_norm, x, positions);
    co_layer_norm *own = malloc(sizeof *own);
    if (!own) return CO_NO_MEMORY;
    *own = (co_layer_norm){n, epsilon};
    step.u.own = own;
    step.w[GAMMA] = gamma;
    step.w[BETA] = beta;
    return co_plan_append(plan, step, positions * n);
}

static co_status pack(co_plan *plan, co_step *step) {
    for (int i = GAMMA; i <= BETA; i++) {
        step->form[i] = step->w[i] < 0 ? NULL : co_weight_data(plan, step->w[i]);
        if (step->w[i] >= 0 && !step->form[i]) return CO_NO_MEMORY;
    }
    return CO_OK;
}

static void run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    const co_layer_norm *own = step->u.own;
    job->plan->kernels->layer_norm(co_positions(job, step, units), own->n,
                                   co_locate(job, arena, step->in[0], first), step->form[GAMMA],
                                   step->form[BETA], own->epsilon,
                                   co_locate(job, arena, step->out[0], first));
}

static void run_grad(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const co_layer_norm *own = step->u.own;
    char *made = co_locate(job, arena, step->out[0], first);
    const int to_x = step->kind == &layer_norm_grad;
    job->plan->kernels->layer_norm_grad(
        co_positions(job, step, units), own->n, co_locate(job, arena, step->in[1], first),
        step->form[GAMMA], co_locate(job, arena, step->in[0], first), own->epsilon,
        to_x ? made : NULL, to_x ? NULL : made);
}

static void back(co_backward *back, const co_step *step) {
    const co_layer_norm *own = step->u.own;
    const int dy = back->gradient[step->out[0]];
    if (co_weight_learns(back->plan, step->w[GAMMA])) {
        co_step to = *step;
        to.kind = &gamma_grad;
        to.in[0] = dy;
        to.in[1] = step->in[0];
        const int part = co_back_append(back, to, step->positions * own->n);
        co_back_use(back, step->w[GAMMA], -1,
                    co_back_keep(back, part, own->n, step->positions, CO_KEEP_PANELS));
    }
    if (co_weight_learns(back->plan, step->w[BETA]))
        co_back_use(back, step->w[BETA], -1,
                    co_back_keep(back, dy, own->n, step->positions, CO_KEEP_PANELS));
    co_back_through(back, step, &layer_norm_grad, step->in[0]);
}

/* As long as it takes to go over a row three times, half a vector a nanosecond; twice that back. */
static double cost(const co_plan *plan, const co_step *step) {
    const double out = (double)(plan->values[step->out[0]].size / plan->units);
    return (step->kind == &layer_norm ? 4 : 8) * out / plan->kernels->gemm_nr;
}

static const co_kind layer_norm = {.name = "layer norm",
                                   .in_place = 1,
                                   .run = run,
                                   .back = back,
                                   .pack = pack,
                                   .cost = cost,
                                   .release = release};
static const co_kind layer_norm_grad = {
    .name = "layer norm gradient", .in_place = 1, .run = run_grad, .pack = pack, .cost = cost};
/* of each position, to be summed */
static const co_kind gamma_grad = {
    .name = "layer norm scale gradient", .run = run_grad, .pack = pack, .cost = cost};
