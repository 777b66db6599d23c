/* learn.c - what plans have that train: losses, penalties on values, rows kept for the gradients of
 * weights. */
#include <stdlib.h>
#include <string.h>

#include "../backward.h"
#include "../execute.h"

static const co_kind penalty, penalty_grad, loss, keep, sum;

/* ----------------------------------------------------------------------------- penalties */

/* The penalty of each sample, or its gradient: the mean over the batch is what is learnt from. */
static void run_penalty(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                        ptrdiff_t units) {
    const co_plan *plan = job->plan;
    const double l1 = step->u.penalty.l1, l2 = step->u.penalty.l2;
    const ptrdiff_t item = plan->item_bytes, count = plan->values[plan->penalties].size;
    const ptrdiff_t n = co_elements(job, step->in[0], 1);
    const char *x = co_locate(job, arena, step->in[0], first);
    char *value = co_locate(job, arena, plan->penalties, first);
    for (ptrdiff_t i = 0; i < units; i++) {
        const double made = plan->kernels->penalty(n, x + i * n * item, l1, l2, 0, NULL);
        const ptrdiff_t at = i * count + step->u.penalty.index;
        if (item == 4)
            ((float *)value)[at] = (float)made;
        else
            ((double *)value)[at] = made;
    }
}

static void run_penalty_grad(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                             ptrdiff_t units) {
    const ptrdiff_t n = co_elements(job, step->out[0], units);
    const size_t bytes = (size_t)(n * job->plan->item_bytes);
    const char *dy = step->in[0] < 0 ? NULL : co_locate(job, arena, step->in[0], first);
    char *dx = co_locate(job, arena, step->out[0], first);
    if (!dy)
        memset(dx, 0, bytes);
    else if (dy != dx)
        memcpy(dx, dy, bytes);
    job->plan->kernels->penalty(n, co_locate(job, arena, step->in[1], first), step->u.penalty.l1,
                                step->u.penalty.l2, 1 / (double)job->batch, dx);
}

co_status co_plan_penalty(co_plan *plan, int x, double l1, double l2) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (co_status)size;
    if (plan->penalties < 0) {
        plan->penalties = co_plan_buffer(plan, 0, plan->item_bytes, CO_BUFFER_PENALTY);
        if (plan->penalties < 0) return (co_status)plan->penalties;
    }
    co_step step = co_step_of(&penalty, x, 1);
    step.u.penalty.l1 = l1;
    step.u.penalty.l2 = l2;
    step.u.penalty.index = (int)plan->values[plan->penalties].size++;
    const int made = co_plan_append(plan, step, -1);
    return made < 0 ? (co_status)made : CO_OK;
}

/* It has no result of which a gradient could come: it adds one to that of its operand. */
static void penalty_back(co_backward *back, const co_step *step) {
    const int x = step->in[0];
    co_step to = *step;
    if (!back->moves[x]) return;
    to.kind = &penalty_grad;
    to.in[0] = back->gradient[x];
    to.in[1] = x;
    back->gradient[x] = co_back_append(back, to, back->plan->values[x].size);
}

int co_back_nothing(co_backward *back, int x) {
    co_step step = co_step_of(&penalty_grad, -1, 1);
    step.in[1] = x;
    step.u.penalty.l1 = step.u.penalty.l2 = 0;
    return co_back_append(back, step, back->plan->values[x].size);
}

static const co_kind penalty = {.name = "penalty", .run = run_penalty, .back = penalty_back};
static const co_kind penalty_grad = {
    .name = "penalty gradient", .in_place = 1, .run = run_penalty_grad};

/* -------------------------------------------------------------------------------- losses */

int co_plan_loss(co_plan *plan, int x, co_loss how, ptrdiff_t positions, ptrdiff_t n) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (positions < 0 || n < 1 || size != positions * n) return CO_BAD_PLAN;
    const int sparse = how.kind == CO_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY;
    co_step step = co_step_of(&loss, x, positions);
    step.u.loss.loss = how;
    step.u.loss.n = n;
    step.in[1] = co_plan_more(plan, sparse ? positions : size, sparse ? 4 : plan->item_bytes);
    step.in[2] = co_plan_more(plan, positions, plan->item_bytes);
    step.out[1] = co_plan_more(plan, positions, plan->item_bytes);
    if (step.in[1] < 0 || step.in[2] < 0 || step.out[1] < 0) return CO_NO_MEMORY;
    return co_plan_append(plan, step, size);
}

static void run_loss(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    job->plan->kernels->loss(
        co_positions(job, step, units), step->u.loss.n, co_locate(job, arena, step->in[1], first),
        co_locate(job, arena, step->in[0], first), co_locate(job, arena, step->in[2], first),
        co_locate(job, arena, step->out[1], first), co_locate(job, arena, step->out[0], first),
        &step->u.loss.loss);
}

static double cost(const co_plan *plan, const co_step *step) {
    return 8 * (double)(plan->values[step->out[0]].size / plan->units) / plan->kernels->gemm_nr;
}

static const co_kind loss = {.name = "loss", .run = run_loss, .cost = cost};

/* ---------------------------------------------------------------------------- rows kept */

int co_back_keep(co_backward *back, int v, ptrdiff_t n, ptrdiff_t positions, int layout) {
    const int kept = co_trainer_keep(back->plan->trainer, n, positions, layout);
    if (kept < 0 && back->status == CO_OK) back->status = (co_status)kept;
    co_step step = co_step_of(&keep, v, positions);
    step.u.kept.number = kept;
    step.u.kept.layout = layout;
    co_back_append(back, step, -1);
    return kept;
}

static co_status make_room(const co_job *job, const co_step *step) {
    return co_trainer_room(job->plan->trainer, step->u.kept.number, job->batch);
}

/* A value that nobody else has a place for is made where it is kept. */
static co_status find_place(co_plan *plan, co_step *step) {
    co_value *value = &plan->values[step->in[0]];
    if (step->u.kept.layout == CO_KEEP_ROWS && value->buffer < 0 && value->within < 0 &&
        value->kept < 0)
        value->kept = step->u.kept.number;
    return CO_OK;
}

static void run_keep(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const int number = step->u.kept.number;
    if (step->u.kept.layout == CO_KEEP_COUNT || job->plan->values[step->in[0]].kept == number)
        return;
    co_trainer_kept(job->plan->trainer, number, co_positions(job, step, first),
                    co_positions(job, step, units), co_locate(job, arena, step->in[0], first));
}

static const co_kind keep = {
    .name = "keep", .run = run_keep, .pack = find_place, .prepare = make_room};

static void run_sum(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                    ptrdiff_t units) {
    const ptrdiff_t parts = co_positions(job, step, units), item = job->plan->item_bytes;
    const ptrdiff_t n = job->plan->values[step->out[0]].size / step->positions;
    const ptrdiff_t part = job->plan->values[step->in[0]].size / step->positions;
    const char *x = co_locate(job, arena, step->in[0], first);
    char *y = co_locate(job, arena, step->out[0], first);
    for (ptrdiff_t i = 0; i < parts && n > 0; i++)
        job->plan->kernels->colsum(part / n, n, x + i * part * item, n, y + i * n * item);
}

static double sum_cost(const co_plan *plan, const co_step *step) {
    return (double)(plan->values[step->in[0]].size / plan->units) / plan->kernels->gemm_nr;
}

static const co_kind sum = {.name = "sum", .run = run_sum, .cost = sum_cost};

void co_back_sum_rows(co_backward *back, int w, int v, ptrdiff_t n, ptrdiff_t parts) {
    const int sums = co_back_append(back, co_step_of(&sum, v, parts), parts * n);
    co_back_use(back, w, -1, co_back_keep(back, sums, n, parts, CO_KEEP_ROWS));
}
