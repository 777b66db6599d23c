/* pool_global.c - the mean and the maximum over all positions of a sample. */
#include "../backward.h"
#include "../execute.h"

static const co_kind mean, mean_grad, most, most_grad;

/* x as (count, m, n); mask as (count, m), -1 for none. */
static int append(co_plan *plan, const co_kind *kind, int x, ptrdiff_t count, ptrdiff_t m,
                  ptrdiff_t n, int mask) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (count < 0 || m < 0 || n < 0 || co_product(count, co_product(m, n)) != size)
        return CO_BAD_PLAN;
    if (mask >= 0 && (mask >= plan->n_values || plan->values[mask].item_bytes != 1 ||
                      plan->values[mask].size != co_product(count, m)))
        return CO_BAD_PLAN;
    co_step step = co_step_of(kind, x, count);
    step.in[1] = mask;
    step.u.repeat.n = n;
    step.u.repeat.times = m;
    return co_plan_append(plan, step, co_product(count, n));
}

int co_plan_mean_over(co_plan *plan, int x, ptrdiff_t count, ptrdiff_t m, ptrdiff_t n, int mask) {
    return append(plan, &mean, x, count, m, n, mask);
}

int co_plan_max_over(co_plan *plan, int x, ptrdiff_t count, ptrdiff_t m, ptrdiff_t n) {
    return append(plan, &most, x, count, m, n, -1);
}

static void run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    const co_kernels *kernels = job->plan->kernels;
    const ptrdiff_t m = step->u.repeat.times, n = step->u.repeat.n, item = job->plan->item_bytes;
    const ptrdiff_t count = co_positions(job, step, units);
    const char *in[3] = {NULL};
    char *to = co_locate(job, arena, step->out[0], first);
    for (int i = 0; i < 3; i++)
        if (step->in[i] >= 0) in[i] = co_locate(job, arena, step->in[i], first);
    for (ptrdiff_t i = 0; i < count; i++) {
        const ptrdiff_t wide = i * m * n * item, narrow = i * n * item;
        const uint8_t *mask = in[1] ? (const uint8_t *)in[1] + i * m : NULL;
        if (step->kind == &mean)
            kernels->mean_over(m, n, mask, in[0] + wide, to + narrow);
        else if (step->kind == &most)
            kernels->max_over(m, n, in[0] + wide, to + narrow);
        else if (step->kind == &mean_grad)
            kernels->mean_over_grad(m, n, mask, in[0] + narrow, to + wide);
        else
            kernels->max_over_grad(m, n, in[1] + wide, in[2] + narrow, in[0] + narrow, to + wide);
    }
}

static void mean_back(co_backward *back, const co_step *step) {
    co_back_through(back, step, &mean_grad, step->in[1]);
}

static void most_back(co_backward *back, const co_step *step) {
    const int x = step->in[0];
    if (!back->moves[x]) return;
    co_step to = *step;
    to.kind = &most_grad;
    to.in[0] = back->gradient[step->out[0]];
    to.in[1] = x;
    to.in[2] = step->out[0];
    co_back_add(back, x, co_back_append(back, to, back->plan->values[x].size));
}

/* What is read counts, at 50 GB/s. */
static double cost(const co_plan *plan, const co_step *step) {
    const double n = (double)(plan->values[step->in[0]].size / plan->units);
    return 0.02 * n * plan->item_bytes;
}

static const co_kind mean = {.name = "global mean", .run = run, .back = mean_back, .cost = cost};
static const co_kind mean_grad = {.name = "global mean gradient", .run = run};
static const co_kind most = {.name = "global maximum", .run = run, .back = most_back, .cost = cost};
static const co_kind most_grad = {.name = "global maximum gradient", .run = run};
