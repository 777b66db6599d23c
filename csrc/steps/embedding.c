/* embedding.c - rows of a table by their numbers. */
#include "../backward.h"
#include "../execute.h"

static const co_kind embedding;

int co_plan_embedding(co_plan *plan, int x, int table, int *mask) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (!co_is_weight(plan, table, plan->item_bytes) || plan->values[x].buffer < 0)
        return CO_BAD_PLAN;
    co_step step = co_step_of(&embedding, x, size);
    step.w[0] = table;
    if (mask) {
        *mask = co_plan_value(plan, size, 1);
        if (*mask < 0) return *mask;
        step.out[1] = *mask;
    }
    return co_plan_append(plan, step, co_product(size, plan->weights[table].n));
}

/* A table may be large, and plans for inputs of other sizes have the same one: it is not copied. */
static co_status pack(co_plan *plan, co_step *step) {
    const co_weights *table = &plan->weights[step->w[0]];
    step->form[0] = table->number >= 0 ? co_weight_data(plan, step->w[0]) : table->data;
    return CO_OK;
}

/* The numbers are all there before anything is computed. */
static co_status check(const co_job *job, const co_step *step) {
    const co_value *x = &job->plan->values[step->in[0]];
    const ptrdiff_t limit = job->plan->weights[step->w[0]].k;
    const int fits =
        job->plan->kernels->within(job->batch * x->size, job->buffers[x->buffer], limit);
    return fits ? CO_OK : CO_NO_ROW;
}

static void run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    uint8_t *mask = step->out[1] < 0 ? NULL : (uint8_t *)co_locate(job, arena, step->out[1], first);
    job->plan->kernels->gather(co_positions(job, step, units), job->plan->weights[step->w[0]].n,
                               co_locate(job, arena, step->in[0], first), step->form[0],
                               co_locate(job, arena, step->out[0], first), mask);
}

static void back(co_backward *back, const co_step *step) {
    const int dy = back->gradient[step->out[0]], table = step->w[0];
    if (dy >= 0 && co_weight_learns(back->plan, table)) {
        const ptrdiff_t n = back->plan->weights[table].n;
        const int numbers = co_back_keep(back, step->in[0], 1, step->positions, CO_KEEP_TURNED);
        co_back_use_rows(back, table, numbers,
                         co_back_keep(back, dy, n, step->positions, CO_KEEP_PANELS));
    }
    if (back->moves[step->in[0]])
        co_back_add(back, step->in[0], co_back_nothing(back, step->in[0]));
}

static const co_kind embedding = {
    .name = "embedding", .run = run, .back = back, .pack = pack, .prepare = check};
