/* recurrent.c - building steps of LSTM, GRU and the simple cell. recurrent.h has the operands. */
#include "recurrent.h"

#include <stdlib.h>
#include <string.h>

static const co_kind recurrent, fill, pick, pick_grad;

/* ------------------------------------------------------------------------------ building */

static void release(co_step *step) { free(step->u.own); }

/* Whether v is a value of so many reals, or -1. */
static int fits(const co_plan *plan, int v, ptrdiff_t size) {
    return v == -1 || co_plan_operand(plan, v) == size;
}

static int is_mask(const co_plan *plan, int v, ptrdiff_t size) {
    return v == -1 || (v >= 0 && v < plan->n_values && plan->values[v].item_bytes == 1 &&
                       plan->values[v].size == size);
}

/* What a way back needs. Returns a status. */
static int add_kept(co_plan *plan, co_step *step, const co_recurrent *own) {
    const ptrdiff_t u = own->how.u, steps = step->positions * own->how.steps;
    step->out[RNN_KEEP] = co_plan_value(plan, co_product(steps, own->keeps * u), plan->item_bytes);
    step->out[RNN_BEFORE] = co_plan_value(plan, co_product(steps, u), plan->item_bytes);
    if (own->apart)
        step->out[RNN_OPERANDS] =
            co_plan_value(plan, co_product(steps, own->parts * u), plan->item_bytes);
    const int failed = step->out[RNN_KEEP] < 0 || step->out[RNN_BEFORE] < 0 ||
                       (own->apart && step->out[RNN_OPERANDS] < 0);
    return failed ? CO_NO_MEMORY : CO_OK;
}

int co_plan_recurrent(co_plan *plan, int z, const co_rnn *how, int r, int biases, int mask, int h0,
                      int c0, int factors, int into, int *ends) {
    const ptrdiff_t size = co_plan_operand(plan, z), u = how->u;
    if (size < 0) return (int)size;
    const ptrdiff_t gates = co_cell_gates(how->cell.kind), result = how->sequences ? how->steps : 1;
    const int lstm = how->cell.kind == CO_LSTM, before = how->cell.kind == CO_GRU_BEFORE;
    const ptrdiff_t sequence = co_product(how->steps, co_product(gates, u));
    if (u < 1 || how->steps < 1 || size % sequence) return CO_BAD_PLAN;
    const ptrdiff_t count = size / sequence;
    if (how->at < 0 || how->at + u > how->width) return CO_BAD_PLAN;
    if (!co_is_weight(plan, r, plan->item_bytes) || plan->weights[r].k != u ||
        plan->weights[r].n != gates * u || !co_is_vector(plan, biases, 2 * gates * u))
        return CO_BAD_PLAN;
    if (!is_mask(plan, mask, count * how->steps) || !fits(plan, h0, count * u) ||
        !fits(plan, c0, count * u) || !fits(plan, factors, count * gates * u) ||
        (c0 >= 0 && (!lstm || h0 < 0)) || !fits(plan, into, count * result * how->width))
        return CO_BAD_PLAN;
    co_step step = co_step_of(&recurrent, z, count);
    co_recurrent *own = malloc(sizeof *own);
    if (!own) return CO_NO_MEMORY;
    step.u.own = own;
    *own = (co_recurrent){.how = *how,
                          .gates = gates,
                          .keeps = co_cell_keeps(how->cell.kind) + lstm,
                          .parts = factors >= 0 ? gates
                                   : before     ? 2
                                                : 1,
                          .apart = factors >= 0 || before,
                          .f = -1};
    step.in[RNN_MASK] = mask;
    step.in[RNN_H0] = h0;
    step.in[RNN_C0] = c0;
    step.in[RNN_FACTORS] = factors;
    step.w[RNN_R] = r;
    step.w[RNN_BIASES] = biases;
    step.out[RNN_Y] = into;
    int status = plan->trainer ? add_kept(plan, &step, own) : CO_OK;
    if (ends || plan->trainer) step.out[RNN_H] = co_plan_value(plan, count * u, plan->item_bytes);
    if ((ends || plan->trainer) && lstm)
        step.out[RNN_C] = co_plan_value(plan, count * u, plan->item_bytes);
    if (status == CO_OK && (step.out[RNN_H] < -1 || step.out[RNN_C] < -1)) status = CO_NO_MEMORY;
    if (status != CO_OK) {
        release(&step);
        return status;
    }
    if (ends) {
        ends[0] = step.out[RNN_H];
        ends[1] = step.out[RNN_C];
    }
    const int made = co_plan_append(plan, step, into >= 0 ? -1 : count * result * how->width);
    return made < 0 || into < 0 ? made : into;
}

/* The product before, when nobody learns from it. */
static int join(co_plan *plan, co_step *before, const co_step *step) {
    const co_recurrent *own = step->u.own;
    if (plan->trainer || !co_step_is_dense(before) ||
        before->positions != step->positions * own->how.steps)
        return 0;
    const int x = before->in[0], kernel = before->w[0], bias = before->w[1];
    const ptrdiff_t f = before->u.dense.k;
    *before = *step;
    before->in[RNN_X] = x;
    before->w[RNN_KERNEL] = kernel;
    before->w[RNN_BIAS] = bias;
    ((co_recurrent *)before->u.own)->f = f;
    return 1;
}

static co_status pack(co_plan *plan, co_step *step) {
    co_recurrent *own = step->u.own;
    const ptrdiff_t recur = plan->kernels->recur_bytes(own->how.u, &own->how.cell);
    if (recur && !own->apart && !plan->trainer) {
        own->recur = co_weight_recur(plan, step->w[RNN_R], recur);
        if (!own->recur) return CO_NO_MEMORY;
    }
    for (int i = 0; i < CO_MOST_WEIGHTS; i++) {
        if (step->w[i] < 0) continue;
        const int is_matrix = i == RNN_R || i == RNN_KERNEL;
        step->form[i] =
            is_matrix ? co_weight_panels(plan, step->w[i]) : co_weight_data(plan, step->w[i]);
        if (!step->form[i]) return CO_NO_MEMORY;
    }
    return CO_OK;
}

/* As steps/dense.c has it for the products; a tenth of a vector's time for a gate. */
static double cost(const co_plan *plan, const co_step *step) {
    const co_recurrent *own = step->u.own;
    const ptrdiff_t count = step->positions / plan->units;
    const double gates = (double)(count * own->how.steps * own->gates * own->how.u);
    const double depth = (double)(own->how.u + (own->f > 0 ? own->f : 0));
    return gates * (depth + 12) / (3.0 * plan->kernels->gemm_nr);
}

static const co_kind recurrent = {.name = "recurrent",
                                  .run = co_rnn_run,
                                  .back = co_rnn_back,
                                  .join = join,
                                  .pack = pack,
                                  .cost = cost,
                                  .prepare = co_rnn_prepare,
                                  .scratch = co_rnn_scratch,
                                  .rows_at_once = co_rnn_rows,
                                  .release = release};

/* ----------------------------------------------------------------------------------- fill */

int co_plan_fill(co_plan *plan, ptrdiff_t size, double value) {
    co_step step = co_step_of(&fill, -1, 0);
    if (size < 0) return CO_BAD_PLAN;
    step.u.masking.value = value;
    step.u.masking.n = size;
    return co_plan_append(plan, step, size);
}

static void run_fill(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const ptrdiff_t n = co_elements(job, step->out[0], units);
    char *y = co_locate(job, arena, step->out[0], first);
    for (ptrdiff_t i = 0; i < n; i++)
        if (job->plan->item_bytes == 4)
            ((float *)y)[i] = (float)step->u.masking.value;
        else
            ((double *)y)[i] = step->u.masking.value;
}

static const co_kind fill = {.name = "fill", .run = run_fill};

/* ----------------------------------------------------------------------------------- pick */

int co_plan_pick(co_plan *plan, int count, const int *values, ptrdiff_t u) {
    if (count < 1 || count > CO_MOST_IN || u < 1) return CO_BAD_PLAN;
    const ptrdiff_t size = co_plan_operand(plan, values[0]);
    if (size < 0) return (int)size;
    if (size % (count * u)) return CO_BAD_PLAN;
    co_step step = co_step_of(&pick, -1, size / (count * u));
    step.u.n = u;
    for (int i = 0; i < count; i++) {
        if (!fits(plan, values[i], size) || values[i] < 0) return CO_BAD_PLAN;
        step.in[i] = values[i];
    }
    return co_plan_append(plan, step, size);
}

static void run_pick(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const ptrdiff_t m = co_positions(job, step, units), part = step->u.n * job->plan->item_bytes;
    const ptrdiff_t row = co_elements(job, step->out[0], units) / m * job->plan->item_bytes;
    char *y = co_locate(job, arena, step->out[0], first);
    for (int i = 0; i < CO_MOST_IN && step->in[i] >= 0; i++)
        job->plan->kernels->copy_rows(m, part, co_locate(job, arena, step->in[i], first) + i * part,
                                      row, y + i * part, row, 0);
}

/* u.repeat: n of a part, and `times` the number of it. */
static void run_pick_grad(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                          ptrdiff_t units) {
    const ptrdiff_t m = co_positions(job, step, units), bytes = job->plan->item_bytes;
    const ptrdiff_t row = co_elements(job, step->out[0], units) / m * bytes;
    const ptrdiff_t part = step->u.repeat.n * bytes, at = step->u.repeat.times * part;
    char *dx = co_locate(job, arena, step->out[0], first);
    memset(dx, 0, (size_t)(m * row));
    job->plan->kernels->copy_rows(m, part, co_locate(job, arena, step->in[0], first) + at, row,
                                  dx + at, row, 0);
}

static void pick_back(co_backward *back, const co_step *step) {
    const int dy = back->gradient[step->out[0]];
    for (int i = 0; i < CO_MOST_IN && step->in[i] >= 0; i++) {
        if (!back->moves[step->in[i]]) continue;
        co_step to = co_step_of(&pick_grad, dy, step->positions);
        to.u.repeat.n = step->u.n;
        to.u.repeat.times = i;
        const ptrdiff_t size = back->plan->values[step->in[i]].size;
        co_back_add(back, step->in[i], co_back_append(back, to, size));
    }
}

static const co_kind pick = {.name = "pick", .run = run_pick, .back = pick_back};
static const co_kind pick_grad = {.name = "pick gradient", .run = run_pick_grad};
