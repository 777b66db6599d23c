/* differentiate.c - the backward steps of a plan: for each forward step, from the last to the
 * first, those that take the gradients of its results to those of its operands. */
#include <stdlib.h>

#include "backward.h"

void co_plan_train(co_plan *plan, co_trainer *trainer) {
    plan->trainer = trainer;
    plan->matmul = NULL; /* its weights would have to be packed anew for each run */
}

int co_back_append(co_backward *back, co_step step, ptrdiff_t size) {
    step.borrowed = 1;
    for (int i = 0; i < CO_MOST_OUT; i++) step.out[i] = -1;
    const int made = back->status == CO_OK ? co_plan_append(back->plan, step, size) : -1;
    if (back->status == CO_OK && made < 0) back->status = (co_status)made;
    return made;
}

void co_back_add(co_backward *back, int v, int part) {
    int *gradient = &back->gradient[v];
    *gradient = *gradient < 0 ? part : co_back_sum(back, *gradient, part);
}

static void use(co_backward *back, int w, int x, int dy, int by_number) {
    co_plan *plan = back->plan;
    const int number = plan->weights[w].number;
    const co_status status = co_trainer_use(plan->trainer, number, x, dy, by_number);
    if (back->status == CO_OK) back->status = status;
}

void co_back_use(co_backward *back, int w, int x, int dy) { use(back, w, x, dy, 0); }

void co_back_use_rows(co_backward *back, int w, int x, int dy) { use(back, w, x, dy, 1); }

void co_back_through(co_backward *back, const co_step *step, const co_kind *kind, int with) {
    const int x = step->in[0];
    if (!back->moves[x]) return;
    co_step to = *step;
    to.kind = kind;
    for (int i = 0; i < CO_MOST_IN; i++) to.in[i] = -1;
    to.in[0] = back->gradient[step->out[0]];
    to.in[1] = with;
    co_back_add(back, x, co_back_append(back, to, back->plan->values[x].size));
}

/* Which values depend on weights that learn, or on the input if that counts. */
static void find_moving(co_backward *back, int n_steps, int input) {
    const co_plan *plan = back->plan;
    back->moves[0] = (char)input;
    for (int i = 0; i < n_steps; i++) {
        const co_step *step = &plan->steps[i];
        int moves = 0;
        for (int w = 0; w < CO_MOST_WEIGHTS; w++) moves |= co_weight_learns(plan, step->w[w]);
        for (int j = 0; j < CO_MOST_IN; j++) moves |= step->in[j] >= 0 && back->moves[step->in[j]];
        for (int j = 0; j < CO_MOST_OUT; j++)
            if (step->out[j] >= 0) back->moves[step->out[j]] |= (char)moves;
    }
}

/* Whether there is a gradient of one of its results, or it has none. */
static int is_reached(const co_backward *back, const co_step *step) {
    int results = 0;
    for (int j = 0; j < CO_MOST_OUT; j++) {
        const int v = step->out[j];
        results += v >= 0;
        if (v >= 0 && back->moves[v] && back->gradient[v] >= 0) return 1;
    }
    return !results;
}

/* From the gradient of value `end` back; forward steps are the first n_steps. */
static co_status go_back(co_plan *plan, int end, int gradient, int n_steps, int wanted) {
    co_backward back = {.plan = plan, .status = CO_OK};
    back.gradient = malloc((size_t)plan->n_values * (sizeof *back.gradient + 1));
    if (!back.gradient) return CO_NO_MEMORY;
    back.moves = (char *)(back.gradient + plan->n_values);
    for (int v = 0; v < plan->n_values; v++) {
        back.gradient[v] = -1;
        back.moves[v] = 0;
    }
    find_moving(&back, n_steps, wanted);
    back.gradient[end] = gradient;
    for (int i = n_steps - 1; i >= 0 && back.status == CO_OK; i--) {
        const co_step step = plan->steps[i]; /* appending moves them */
        if (!is_reached(&back, &step)) continue;
        if (step.kind->back)
            step.kind->back(&back, &step);
        else
            back.status = CO_BAD_PLAN;
    }
    if (wanted && back.status == CO_OK) {
        int dx = back.gradient[0];
        if (dx < 0)
            dx = co_back_nothing(&back, 0);
        else if (plan->values[dx].buffer >= 0) /* the caller's own */
            dx = co_plan_copy(plan, dx);
        if (dx < 0 && back.status == CO_OK) back.status = (co_status)dx;
        if (back.status == CO_OK) plan->values[dx].buffer = CO_BUFFER_INPUT_GRADIENT;
    }
    free(back.gradient);
    return back.status;
}

/* The step that makes v, or NULL. */
static const co_step *maker(const co_plan *plan, int v) {
    for (int i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].out[0] == v) return &plan->steps[i];
    return NULL;
}

/* What the loss is computed from: y, or for a crossentropy what makes a probability of it. */
static int loss_input(const co_plan *plan, int y, ptrdiff_t n, co_loss *loss) {
    const co_step *step = maker(plan, y);
    if (!step || loss->from_logits) return y;
    const int kind = loss->kind;
    const int classes =
        kind == CO_LOSS_CATEGORICAL_CROSSENTROPY || kind == CO_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY;
    const int of_softmax = classes && co_step_is_softmax(step, n);
    const int of_sigmoid =
        kind == CO_LOSS_BINARY_CROSSENTROPY && co_step_is_act(step, CO_ACT_SIGMOID);
    if (!of_softmax && !of_sigmoid) return y;
    loss->from_logits = 1;
    return step->in[0];
}

co_status co_plan_learn(co_plan *plan, int y, co_loss loss, ptrdiff_t positions, ptrdiff_t n,
                        int wanted) {
    const ptrdiff_t size = co_plan_operand(plan, y);
    if (size < 0) return (co_status)size;
    const int n_steps = plan->n_steps, end = loss_input(plan, y, n, &loss);
    const int gradient = co_plan_loss(plan, end, loss, positions, n);
    return gradient < 0 ? (co_status)gradient : go_back(plan, end, gradient, n_steps, wanted);
}

co_status co_plan_learn_from(co_plan *plan, int y, int wanted) {
    const ptrdiff_t size = co_plan_operand(plan, y);
    if (size < 0) return (co_status)size;
    const int gradient = co_plan_buffer(plan, size, plan->item_bytes, CO_BUFFER_GRADIENT);
    return gradient < 0 ? (co_status)gradient : go_back(plan, y, gradient, plan->n_steps, wanted);
}
