/* differentiate.c - the backward steps of a plan: for each forward step, from the last to the
 * first, those that take the gradients of its results to those of its operands. */
#include <stdlib.h>

#include "backward.h"

void co_plan_train(co_plan *plan, co_trainer *trainer) {
    plan->trainer = trainer;
    plan->matmul = co_trainer_matmul(trainer);
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

int co_back_use_chunks(co_backward *back, int w, int x, int dy, const co_chunked *how) {
    co_plan *plan = back->plan;
    const int use = co_trainer_use_chunks(plan->trainer, plan->weights[w].number, x, dy, how);
    if (use < 0 && back->status == CO_OK) back->status = (co_status)use;
    return use;
}

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

/* Which values depend on weights that learn, or on inputs whose gradients are wanted. */
static void find_moving(co_backward *back, int n_steps) {
    const co_plan *plan = back->plan;
    for (int v = 0; v < plan->n_values; v++) back->moves[v] = plan->values[v].wanted > 0;
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

/* Gives an input's gradient to the caller. */
static void give_back(co_backward *back, int x) {
    co_plan *plan = back->plan;
    int dx = back->gradient[x];
    if (dx < 0)
        dx = co_back_nothing(back, x);
    else if (plan->values[dx].buffer >= 0) /* the caller's own, or another input's too */
        dx = co_plan_copy(plan, dx);
    if (dx < 0 && back->status == CO_OK) back->status = (co_status)dx;
    if (back->status == CO_OK) plan->values[dx].buffer = plan->values[x].wanted;
}

/* Whoever reads v reads another value, of the same numbers. */
static void read_instead(co_plan *plan, int v, int other) {
    for (int i = 0; i < plan->n_steps; i++)
        for (int j = 0; j < CO_MOST_IN; j++)
            if (plan->steps[i].in[j] == v) plan->steps[i].in[j] = other;
}

co_status co_plan_back(co_plan *plan) {
    const int n_values = plan->n_values;
    if (!plan->n_ends) plan->forward = plan->n_steps; /* it learns from penalties alone */
    co_backward back = {.plan = plan, .status = CO_OK};
    /* Forward values alone are looked up: what is appended here is the gradient of one. */
    back.gradient = malloc((size_t)n_values * (sizeof *back.gradient + 1));
    if (!back.gradient) return CO_NO_MEMORY;
    back.moves = (char *)(back.gradient + n_values);
    for (int v = 0; v < n_values; v++) back.gradient[v] = -1;
    find_moving(&back, plan->forward);
    for (int i = 0; i < plan->n_ends; i++)
        co_back_add(&back, plan->ends[i].y, plan->ends[i].gradient);
    for (int i = plan->forward - 1; i >= 0 && back.status == CO_OK; i--) {
        const co_step step = plan->steps[i]; /* appending moves them */
        if (!is_reached(&back, &step)) continue;
        if (step.kind->back)
            step.kind->back(&back, &step);
        else
            back.status = CO_BAD_PLAN;
    }
    for (int v = 0; v < n_values && back.status == CO_OK; v++)
        if (plan->values[v].wanted) give_back(&back, v);
    for (int i = 0; i < plan->n_ends; i++)
        if (plan->ends[i].made >= 0) read_instead(plan, plan->ends[i].y, plan->ends[i].made);
    free(back.gradient);
    return back.status;
}

/* The step that makes v, or NULL. */
static const co_step *maker(const co_plan *plan, int v) {
    for (int i = 0; i < plan->forward; i++)
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

/* Takes down that the plan learns from y. */
static co_status add_end(co_plan *plan, int y, int gradient, int made) {
    co_end *ends = realloc(plan->ends, (size_t)(plan->n_ends + 1) * sizeof *ends);
    if (!ends) return CO_NO_MEMORY;
    plan->ends = ends;
    ends[plan->n_ends++] = (co_end){y, gradient, made};
    return CO_OK;
}

int co_plan_learn(co_plan *plan, int y, co_loss loss, ptrdiff_t positions, ptrdiff_t n) {
    const ptrdiff_t size = co_plan_operand(plan, y);
    if (size < 0) return (int)size;
    if (!plan->n_ends) plan->forward = plan->n_steps;
    const int end = loss_input(plan, y, n, &loss), first = CO_BUFFERS + plan->more_buffers;
    const int gradient = co_plan_loss(plan, end, loss, positions, n);
    if (gradient < 0) return gradient;
    const co_status status = add_end(plan, end, gradient, -1);
    return status == CO_OK ? first : (int)status;
}

int co_plan_learn_from(co_plan *plan, int y) {
    const ptrdiff_t size = co_plan_operand(plan, y);
    if (size < 0) return (int)size;
    if (!plan->n_ends) plan->forward = plan->n_steps;
    const int gradient = co_plan_more(plan, size, plan->item_bytes);
    if (gradient < 0) return gradient;
    const co_status status = add_end(plan, y, gradient, -1);
    return status == CO_OK ? plan->values[gradient].buffer : (int)status;
}

int co_plan_learn_from_normalized(co_plan *plan, int x, int mask, co_moments *of) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (!plan->n_ends) plan->forward = plan->n_steps;
    const int is_input = plan->values[x].buffer >= 0,
              dy = co_plan_more(plan, size, plan->item_bytes);
    const int made = is_input || dy < 0 ? x : co_plan_more(plan, size, plan->item_bytes);
    if (dy < 0 || made < 0) return CO_NO_MEMORY;
    const int gradient = co_plan_before_normalized(plan, dy, made, mask, of);
    if (gradient < 0) return gradient;
    const co_status status = add_end(plan, x, gradient, is_input ? -1 : made);
    return status == CO_OK ? plan->values[dy].buffer : (int)status;
}

int co_plan_want(co_plan *plan, int x) {
    if (x < 0 || x >= plan->n_values || plan->values[x].buffer < 0) return CO_BAD_PLAN;
    return plan->values[x].wanted = CO_BUFFERS + plan->more_buffers++;
}
