/* elementwise.c - activations, softmax, PReLU. */
#include "../backward.h"
#include "../execute.h"

static const co_kind act, act_grad, softmax, softmax_grad, prelu, prelu_grad, alpha_grad;

/* In two vectors a nanosecond for elements of an activation, half of that for their gradients. */
static double cost(const co_plan *plan, const co_step *step) {
    const double out = (double)(plan->values[step->out[0]].size / plan->units);
    return (step->kind == &act_grad ? 8 : 4) * out / plan->kernels->gemm_nr;
}

/* --------------------------------------------------------------------------- activations */

int co_plan_act(co_plan *plan, int x, co_act how) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    co_step step = co_step_of(&act, x, 0);
    step.u.act = how;
    return co_plan_append(plan, step, size);
}

static void run_act(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                    ptrdiff_t units) {
    job->plan->kernels->vact(co_elements(job, step->out[0], units),
                             co_locate(job, arena, step->in[0], first),
                             co_locate(job, arena, step->out[0], first), &step->u.act);
}

static void run_act_grad(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                         ptrdiff_t units) {
    job->plan->kernels->vact_grad(co_elements(job, step->out[0], units),
                                  co_locate(job, arena, step->in[1], first),
                                  co_locate(job, arena, step->in[0], first),
                                  co_locate(job, arena, step->out[0], first), &step->u.act);
}

static void act_back(co_backward *back, const co_step *step) {
    co_back_through(back, step, &act_grad,
                    co_act_by_output(&step->u.act) ? step->out[0] : step->in[0]);
}

static int join_act(co_plan *plan, co_step *before, const co_step *step) {
    (void)plan;
    return co_dense_takes_act(before, step) || co_conv_takes_act(before, step) ||
           co_depthwise_takes_act(before, step);
}

int co_step_is_act(const co_step *step, int kind) {
    return step->kind == &act && step->u.act.kind == kind;
}

static const co_kind act = {.name = "activation",
                            .in_place = 1,
                            .run = run_act,
                            .back = act_back,
                            .join = join_act,
                            .cost = cost};
static const co_kind act_grad = {
    .name = "activation gradient", .in_place = 1, .run = run_act_grad, .cost = cost};

/* ------------------------------------------------------------------------------- softmax */

int co_plan_softmax(co_plan *plan, int x, ptrdiff_t n, int log) {
    const ptrdiff_t positions = co_plan_runs(plan, x, n);
    if (positions < 0) return (int)positions;
    co_step step = co_step_of(&softmax, x, positions);
    step.u.softmax.n = n;
    step.u.softmax.log = log;
    return co_plan_append(plan, step, positions * n);
}

static void run_softmax(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                        ptrdiff_t units) {
    job->plan->kernels->softmax(co_positions(job, step, units), step->u.softmax.n,
                                co_locate(job, arena, step->in[0], first),
                                co_locate(job, arena, step->out[0], first), step->u.softmax.log);
}

static void run_softmax_grad(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                             ptrdiff_t units) {
    job->plan->kernels->softmax_grad(
        co_positions(job, step, units), step->u.softmax.n,
        co_locate(job, arena, step->in[1], first), co_locate(job, arena, step->in[0], first),
        co_locate(job, arena, step->out[0], first), step->u.softmax.log);
}

static void softmax_back(co_backward *back, const co_step *step) {
    co_back_through(back, step, &softmax_grad, step->out[0]);
}

int co_step_is_softmax(const co_step *step, ptrdiff_t n) {
    return step->kind == &softmax && !step->u.softmax.log && step->u.softmax.n == n;
}

static const co_kind softmax = {
    .name = "softmax", .in_place = 1, .run = run_softmax, .back = softmax_back, .cost = cost};
static const co_kind softmax_grad = {
    .name = "softmax gradient", .in_place = 1, .run = run_softmax_grad};

/* --------------------------------------------------------------------------------- PReLU */

int co_plan_prelu(co_plan *plan, int x, int alpha) {
    if (!co_is_weight(plan, alpha, plan->item_bytes)) return CO_BAD_PLAN;
    const ptrdiff_t n = plan->weights[alpha].n, positions = co_plan_runs(plan, x, n);
    if (positions < 0) return (int)positions;
    if (plan->weights[alpha].k != 1) return CO_BAD_PLAN;
    co_step step = co_step_of(&prelu, x, positions);
    step.w[0] = alpha;
    step.u.n = n;
    return co_plan_append(plan, step, positions * n);
}

static co_status pack_alpha(co_plan *plan, co_step *step) {
    step->form[0] = co_weight_data(plan, step->w[0]);
    return step->form[0] ? CO_OK : CO_NO_MEMORY;
}

static void run_prelu(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                      ptrdiff_t units) {
    const co_kernels *kernels = job->plan->kernels;
    const ptrdiff_t run = step->u.n, positions = co_positions(job, step, units);
    const char *x = co_locate(job, arena, step->in[0], first);
    const char *with = step->in[1] < 0 ? NULL : co_locate(job, arena, step->in[1], first);
    char *y = co_locate(job, arena, step->out[0], first);
    for (ptrdiff_t i = 0; i < positions; i++) {
        const ptrdiff_t at = i * run * job->plan->item_bytes;
        if (step->kind == &prelu)
            kernels->vprelu(run, x + at, step->form[0], y + at);
        else if (step->kind == &prelu_grad)
            kernels->vprelu_grad(run, with + at, step->form[0], x + at, y + at, NULL);
        else
            kernels->vprelu_grad(run, with + at, step->form[0], x + at, NULL, y + at);
    }
}

static void prelu_back(co_backward *back, const co_step *step) {
    co_step to = *step;
    to.in[0] = back->gradient[step->out[0]];
    to.in[1] = step->in[0];
    if (co_weight_learns(back->plan, step->w[0])) {
        to.kind = &alpha_grad;
        const int part = co_back_append(back, to, step->positions * step->u.n);
        co_back_use(back, step->w[0], -1,
                    co_back_keep(back, part, step->u.n, step->positions, CO_KEEP_PANELS));
    }
    co_back_through(back, step, &prelu_grad, step->in[0]);
}

static const co_kind prelu = {
    .name = "prelu", .in_place = 1, .run = run_prelu, .back = prelu_back, .pack = pack_alpha};
static const co_kind prelu_grad = {
    .name = "prelu gradient", .in_place = 1, .run = run_prelu, .pack = pack_alpha};
/* of each position, to be summed */
static const co_kind alpha_grad = {
    .name = "prelu slope gradient", .run = run_prelu, .pack = pack_alpha};
