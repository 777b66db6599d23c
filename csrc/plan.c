/* plan.c - a plan while it is built: values, and the steps between them. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

co_plan *co_plan_create(const co_kernels *kernels, co_precision precision, int item_bytes,
                        ptrdiff_t input_size) {
    if (input_size < 0 || input_size > CO_MOST_BYTES / item_bytes) return NULL;
    co_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return NULL;
    plan->kernels = kernels;
    plan->item_bytes = item_bytes;
    plan->matmul = kernels->matmul[precision];
    plan->penalties = -1;
    if (co_plan_buffer(plan, input_size, item_bytes, CO_BUFFER_X) < 0) {
        free(plan);
        return NULL;
    }
    return plan;
}

static void release(co_step *step) {
    if (step->kind->release && !step->borrowed) step->kind->release(step);
}

void co_plan_destroy(co_plan *plan) {
    if (!plan) return;
    for (int i = 0; i < plan->n_steps + plan->n_dropped; i++) release(&plan->steps[i]);
    co_weights_free(plan);
    free(atomic_load(&plan->spare));
    free(plan->steps);
    free(plan->values);
    free(plan->ends);
    free(plan);
}

int co_plan_value(co_plan *plan, ptrdiff_t size, int item_bytes) {
    if (size > CO_MOST_BYTES / item_bytes) return CO_NO_MEMORY;
    co_value *values = realloc(plan->values, (size_t)(plan->n_values + 1) * sizeof *values);
    if (!values) return CO_NO_MEMORY;
    plan->values = values;
    values[plan->n_values] =
        (co_value){.size = size, .item_bytes = item_bytes, .buffer = -1, .within = -1, .kept = -1};
    return plan->n_values++;
}

int co_plan_buffer(co_plan *plan, ptrdiff_t size, int item_bytes, int buffer) {
    const int v = co_plan_value(plan, size, item_bytes);
    if (v >= 0) plan->values[v].buffer = buffer;
    return v;
}

int co_plan_more(co_plan *plan, ptrdiff_t size, int item_bytes) {
    return co_plan_buffer(plan, size, item_bytes, CO_BUFFERS + plan->more_buffers++);
}

int co_plan_input(co_plan *plan, ptrdiff_t size, int item_bytes) {
    return size < 0 ? CO_BAD_PLAN : co_plan_more(plan, size, item_bytes);
}

int co_plan_output(co_plan *plan, int y) {
    if (y < 0 || y >= plan->n_values) return CO_BAD_PLAN;
    if (plan->values[y].buffer >= 0) y = co_plan_copy(plan, y);
    if (y >= 0) plan->values[y].buffer = CO_BUFFERS + plan->more_buffers++;
    return y;
}

co_step co_step_of(const co_kind *kind, int x, ptrdiff_t positions) {
    co_step step = {.kind = kind, .positions = positions};
    for (int i = 0; i < CO_MOST_IN; i++) step.in[i] = -1;
    for (int i = 0; i < CO_MOST_OUT; i++) step.out[i] = -1;
    for (int i = 0; i < CO_MOST_WEIGHTS; i++) step.w[i] = -1;
    step.in[0] = x;
    return step;
}

int co_plan_append(co_plan *plan, co_step step, ptrdiff_t size) {
    co_step *steps = realloc(plan->steps, (size_t)(plan->n_steps + 1) * sizeof *steps);
    if (steps) plan->steps = steps;
    int made = steps ? 0 : CO_NO_MEMORY;
    if (steps && size >= 0) {
        made = co_plan_value(plan, size, plan->item_bytes);
        step.out[0] = made;
    }
    if (made < 0) {
        release(&step);
        return made;
    }
    plan->steps[plan->n_steps++] = step;
    return made;
}

ptrdiff_t co_plan_operand(const co_plan *plan, int x) {
    if (x < 0) return x;
    if (x >= plan->n_values || plan->values[x].item_bytes != plan->item_bytes) return CO_BAD_PLAN;
    return plan->values[x].size;
}

int co_is_shape(int rank, const ptrdiff_t *shape, ptrdiff_t size) {
    ptrdiff_t elements = 1;
    int empty = 0;
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 0) return 0;
        if (shape[i])
            elements = co_product(elements, shape[i]);
        else
            empty = 1;
    }
    return elements <= CO_MOST_BYTES && (empty ? 0 : elements) == size;
}

ptrdiff_t co_plan_runs(const co_plan *plan, int x, ptrdiff_t n) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return size;
    if (n < 0) return CO_BAD_PLAN;
    if (n == 0) return size == 0 ? 0 : CO_BAD_PLAN;
    return size % n == 0 ? size / n : CO_BAD_PLAN;
}

co_status co_plan_finish(co_plan *plan, int y, int mask) {
    if (co_plan_operand(plan, y) < 0) return y < 0 ? (co_status)y : CO_BAD_PLAN;
    if (mask >= plan->n_values || (mask >= 0 && plan->values[mask].item_bytes != 1))
        return CO_BAD_PLAN;
    if (plan->values[y].buffer >= 0) { /* a copy: no result aliases an input, or another result */
        y = co_plan_copy(plan, y);
        if (y < 0) return (co_status)y;
    }
    plan->values[y].buffer = CO_BUFFER_Y;
    if (mask >= 0) plan->values[mask].buffer = CO_BUFFER_MASK;
    return co_plan_close(plan);
}

co_status co_plan_close(co_plan *plan) {
    const co_status status = co_layout(plan);
    co_weights_finish(plan);
    return status;
}

ptrdiff_t co_plan_size(const co_plan *plan, int value) {
    return value >= 0 && value < plan->n_values ? plan->values[value].size : CO_BAD_PLAN;
}

double co_plan_cost(const co_plan *plan) { return plan->ns * (double)plan->units; }

const char *co_plan_step(const co_plan *plan, int i, int *value, double *ns) {
    if (i < 0 || i >= plan->n_steps) return NULL;
    *value = plan->steps[i].out[0];
    *ns = plan->steps[i].ns * (double)plan->units;
    return plan->steps[i].kind->name;
}
