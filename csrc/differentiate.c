/* differentiate.c - the backward steps of a plan: for each forward step, from the last to the
 * first, those that take the gradient of its result to that of its input. */
#include <stdlib.h>

#include "plan.h"

void co_plan_train(co_plan *plan, co_trainer *trainer) {
    plan->trainer = trainer;
    plan->matmul = NULL; /* its weights would have to be packed anew for each run */
}

/* A value that the caller of a run supplies or receives. */
static int buffer_value(co_plan *plan, ptrdiff_t size, int item_bytes, int buffer) {
    const int v = co_plan_value(plan, size, item_bytes);
    if (v >= 0) plan->values[v].buffer = buffer;
    return v;
}

int co_plan_dense_weights(co_plan *plan, int x, ptrdiff_t positions, int kernel, int bias) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    ptrdiff_t k;
    const ptrdiff_t n = co_trainer_size(plan->trainer, kernel, &k);
    if (positions < 0 || size != positions * k) return CO_BAD_PLAN;
    if (bias >= 0 && co_trainer_size(plan->trainer, bias, &k) != n) return CO_BAD_PLAN;
    co_step step = {.op = CO_OP_DENSE,
                    .x = x,
                    .mask = -1,
                    .with = -1,
                    .borrowed = 1,
                    .positions = positions,
                    .u.dense = {.n = n, .w = kernel, .b = bias}};
    co_trainer_size(plan->trainer, kernel, &step.u.dense.k);
    step.u.dense.kernel = co_trainer_panels(plan->trainer, kernel);
    if (!step.u.dense.kernel) return CO_NO_MEMORY;
    if (bias >= 0) step.u.dense.bias = co_trainer_data(plan->trainer, bias);
    atomic_init(&step.u.dense.packed, NULL);
    return co_plan_append(plan, step, positions * n);
}

int co_plan_prelu_weights(co_plan *plan, int x, int alpha) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    ptrdiff_t n, k;
    n = co_trainer_size(plan->trainer, alpha, &k);
    if (k != 1 || (n == 0 ? size != 0 : size % n != 0)) return CO_BAD_PLAN;
    co_step step = {.op = CO_OP_PRELU,
                    .x = x,
                    .mask = -1,
                    .with = -1,
                    .borrowed = 1,
                    .positions = n ? size / n : 0,
                    .u.prelu = {n, co_trainer_data(plan->trainer, alpha), alpha}};
    return co_plan_append(plan, step, size);
}

co_status co_plan_penalty(co_plan *plan, int x, double l1, double l2) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (co_status)size;
    if (plan->penalties < 0) {
        plan->penalties = buffer_value(plan, 0, plan->item_bytes, CO_BUFFER_PENALTY);
        if (plan->penalties < 0) return (co_status)plan->penalties;
    }
    const int index = (int)plan->values[plan->penalties].size++;
    const int made = co_plan_append(plan,
                                    (co_step){.op = CO_OP_PENALTY,
                                              .x = x,
                                              .mask = -1,
                                              .with = -1,
                                              .positions = 1,
                                              .u.penalty = {l1, l2, index}},
                                    -1);
    return made < 0 ? (co_status)made : CO_OK;
}

/* The step that makes v, or NULL. */
static const co_step *maker(const co_plan *plan, int v) {
    for (int i = 0; i < plan->n_steps; i++)
        if (plan->steps[i].y == v) return &plan->steps[i];
    return NULL;
}

/* A plan while it is differentiated. */
typedef struct co_chain {
    co_plan *plan;
    int *gradient; /* of each value: the value that it is, or -1 */
    char *moves;   /* whether a value depends on a weight that learns */
    int n_values;  /* that there were before */
    co_status status;
} co_chain;

/* Appends a step that makes a gradient of `size` elements; -1: none. */
static int append(co_chain *chain, co_step step, ptrdiff_t size) {
    step.mask = -1;
    step.borrowed = 1;
    const int made = chain->status == CO_OK ? co_plan_append(chain->plan, step, size) : -1;
    if (chain->status == CO_OK && made < 0) chain->status = (co_status)made;
    return made;
}

/* The gradient of v has another part. */
static void add(co_chain *chain, int v, int part) {
    int *gradient = &chain->gradient[v];
    if (*gradient >= 0) {
        const co_step sum = {.op = CO_OP_ADD, .x = *gradient, .with = part};
        part = append(chain, sum, chain->plan->values[v].size);
    }
    *gradient = part;
}

/* Keeps n elements of each position of v. Returns what it is kept as. */
static int keep(co_chain *chain, int v, ptrdiff_t n, ptrdiff_t positions, int panels) {
    const int kept = co_trainer_keep(chain->plan->trainer, n, positions, panels);
    if (kept < 0 && chain->status == CO_OK) chain->status = (co_status)kept;
    append(chain,
           (co_step){.op = CO_OP_KEEP, .x = v, .with = -1, .positions = positions, .u.kept = kept},
           -1);
    return kept;
}

static void use(co_chain *chain, int w, int x, int dy) {
    const co_status status = co_trainer_use(chain->plan->trainer, w, x, dy);
    if (chain->status == CO_OK) chain->status = status;
}

static void dense_back(co_chain *chain, const co_step *step, int dy) {
    co_trainer *trainer = chain->plan->trainer;
    const ptrdiff_t k = step->u.dense.k, n = step->u.dense.n;
    const int w = step->u.dense.w, b = step->u.dense.b;
    const int learns_w = co_trainer_learns(trainer, w), learns_b = co_trainer_learns(trainer, b);
    if (learns_w || learns_b) {
        const int kept = keep(chain, dy, n, step->positions, 1);
        if (learns_w) use(chain, w, keep(chain, step->x, k, step->positions, 0), kept);
        if (learns_b) use(chain, b, -1, kept);
    }
    if (!chain->moves[step->x]) return;
    co_step back = {.op = CO_OP_DENSE,
                    .x = dy,
                    .with = -1,
                    .positions = step->positions,
                    .u.dense = {.k = n, .n = k, .w = -1, .b = -1}};
    back.u.dense.kernel = co_trainer_turned(trainer, w);
    if (!back.u.dense.kernel) chain->status = CO_NO_MEMORY;
    atomic_init(&back.u.dense.packed, NULL);
    add(chain, step->x, append(chain, back, step->positions * k));
}

static void prelu_back(co_chain *chain, const co_step *step, int dy) {
    co_step back = *step;
    back.x = dy;
    back.with = step->x;
    if (co_trainer_learns(chain->plan->trainer, step->u.prelu.w)) {
        back.op = CO_OP_ALPHA_GRAD;
        const int part = append(chain, back, step->positions * step->u.prelu.n);
        use(chain, step->u.prelu.w, -1, keep(chain, part, step->u.prelu.n, step->positions, 1));
    }
    back.op = CO_OP_PRELU_GRAD;
    if (chain->moves[step->x])
        add(chain, step->x, append(chain, back, step->positions * step->u.prelu.n));
}

/* The backward steps of one forward step, of whose result dy is the gradient. */
static void step_back(co_chain *chain, const co_step *step, int dy) {
    co_step back = *step; /* borrows what the forward step owns */
    back.x = dy;
    back.with = -1;
    switch (step->op) {
    case CO_OP_DENSE:
        dense_back(chain, step, dy);
        return;
    case CO_OP_PRELU:
        prelu_back(chain, step, dy);
        return;
    case CO_OP_COPY:
        add(chain, step->x, dy);
        return;
    case CO_OP_ACT:
        back.op = CO_OP_ACT_GRAD;
        back.with = co_act_by_output(&step->u.act) ? step->y : step->x;
        break;
    case CO_OP_SOFTMAX:
        back.op = CO_OP_SOFTMAX_GRAD;
        back.with = step->y;
        break;
    case CO_OP_MASKING:
        back.op = CO_OP_MASKING_GRAD;
        back.with = step->mask;
        break;
    case CO_OP_PERMUTE:
        back.u.permute.go = step->u.permute.back;
        break;
    case CO_OP_REPEAT:
        back.op = CO_OP_REPEAT_GRAD;
        break;
    case CO_OP_DROPOUT: /* the same noise again */
        break;
    default: /* int8 weights do not learn */
        chain->status = CO_BAD_PLAN;
        return;
    }
    add(chain, step->x, append(chain, back, chain->plan->values[step->x].size));
}

/* Which values depend on weights that learn, or on the input if that counts. */
static void find_moving(co_chain *chain, int n_steps, int input) {
    const co_plan *plan = chain->plan;
    chain->moves[0] = (char)input;
    for (int i = 0; i < n_steps; i++) {
        const co_step *step = &plan->steps[i];
        if (step->y < 0) continue;
        int learns = 0;
        if (step->op == CO_OP_DENSE)
            learns = co_trainer_learns(plan->trainer, step->u.dense.w) ||
                     co_trainer_learns(plan->trainer, step->u.dense.b);
        else if (step->op == CO_OP_PRELU)
            learns = co_trainer_learns(plan->trainer, step->u.prelu.w);
        chain->moves[step->y] = (char)(learns || chain->moves[step->x]);
    }
}

/* From the gradient of value `end` back; forward steps are the first n_steps. */
static co_status go_back(co_plan *plan, int end, int gradient, int n_steps, int wanted) {
    co_chain chain = {.plan = plan, .n_values = plan->n_values, .status = CO_OK};
    chain.gradient = malloc((size_t)plan->n_values * (sizeof *chain.gradient + 1));
    if (!chain.gradient) return CO_NO_MEMORY;
    chain.moves = (char *)(chain.gradient + plan->n_values);
    for (int v = 0; v < plan->n_values; v++) {
        chain.gradient[v] = -1;
        chain.moves[v] = 0;
    }
    find_moving(&chain, n_steps, wanted);
    chain.gradient[end] = gradient;
    for (int i = n_steps - 1; i >= 0 && chain.status == CO_OK; i--) {
        const co_step step = plan->steps[i]; /* appending moves them */
        if (step.op == CO_OP_PENALTY) {
            const co_step back = {.op = CO_OP_PENALTY_GRAD,
                                  .x = chain.gradient[step.x],
                                  .with = step.x,
                                  .positions = 1,
                                  .u.penalty = step.u.penalty};
            if (chain.moves[step.x])
                chain.gradient[step.x] = append(&chain, back, plan->values[step.x].size);
        } else if (step.y >= 0 && chain.moves[step.y] && chain.gradient[step.y] >= 0) {
            step_back(&chain, &step, chain.gradient[step.y]);
        }
    }
    if (wanted && chain.status == CO_OK) {
        int dx = chain.gradient[0];
        if (dx < 0 || plan->values[dx].buffer >= 0) /* nothing came, or the caller's own gradient */
            dx = append(
                &chain,
                dx < 0 ? (co_step){.op = CO_OP_PENALTY_GRAD, .x = -1, .with = 0, .positions = 1}
                       : (co_step){.op = CO_OP_COPY, .x = dx, .with = -1},
                plan->values[0].size);
        if (chain.status == CO_OK) plan->values[dx].buffer = CO_BUFFER_INPUT_GRADIENT;
    }
    free(chain.gradient);
    return chain.status;
}

/* What the loss is computed from: y, or for a crossentropy what makes a probability of it. */
static int loss_input(const co_plan *plan, int y, ptrdiff_t n, co_loss *loss) {
    const co_step *step = maker(plan, y);
    if (!step || loss->from_logits) return y;
    const int kind = loss->kind;
    const int classes =
        kind == CO_LOSS_CATEGORICAL_CROSSENTROPY || kind == CO_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY;
    const int of_softmax =
        classes && step->op == CO_OP_SOFTMAX && !step->u.softmax.log && step->u.softmax.n == n;
    const int of_sigmoid = kind == CO_LOSS_BINARY_CROSSENTROPY && step->op == CO_OP_ACT &&
                           step->u.act.kind == CO_ACT_SIGMOID;
    if (!of_softmax && !of_sigmoid) return y;
    loss->from_logits = 1;
    return step->x;
}

co_status co_plan_learn(co_plan *plan, int y, co_loss loss, ptrdiff_t positions, ptrdiff_t n,
                        int wanted) {
    const ptrdiff_t size = co_plan_operand(plan, y);
    if (size < 0) return (co_status)size;
    if (positions < 0 || n < 1 || size != positions * n) return CO_BAD_PLAN;
    const int n_steps = plan->n_steps,
              sparse = loss.kind == CO_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY;
    const int end = loss_input(plan, y, n, &loss);
    co_step step = {.op = CO_OP_LOSS,
                    .x = end,
                    .mask = -1,
                    .with = -1,
                    .positions = positions,
                    .u.loss = {.loss = loss, .n = n}};
    step.u.loss.target = buffer_value(plan, sparse ? positions : size,
                                      sparse ? 4 : plan->item_bytes, CO_BUFFER_TARGET);
    step.u.loss.weight = buffer_value(plan, positions, plan->item_bytes, CO_BUFFER_WEIGHT);
    step.u.loss.value = buffer_value(plan, positions, plan->item_bytes, CO_BUFFER_LOSS);
    if (step.u.loss.target < 0 || step.u.loss.weight < 0 || step.u.loss.value < 0)
        return CO_NO_MEMORY;
    const int gradient = co_plan_append(plan, step, size);
    return gradient < 0 ? (co_status)gradient : go_back(plan, end, gradient, n_steps, wanted);
}

co_status co_plan_learn_from(co_plan *plan, int y, int wanted) {
    const ptrdiff_t size = co_plan_operand(plan, y);
    if (size < 0) return (co_status)size;
    const int gradient = buffer_value(plan, size, plan->item_bytes, CO_BUFFER_GRADIENT);
    return gradient < 0 ? (co_status)gradient : go_back(plan, y, gradient, plan->n_steps, wanted);
}
