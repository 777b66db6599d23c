/* dense.c - products by a weight: x as (positions, k) times w[k,n]. */
#include <stdlib.h>
#include <string.h>

#include "../backward.h"
#include "../execute.h"
#include "../parallel.h"

static const co_kind dense, dense_int8;

/* ------------------------------------------------------------------------------ building */

/* A step of `kind`; scale is that of int8 weights, else -1. */
static int append(co_plan *plan, const co_kind *kind, int x, ptrdiff_t positions, int w, int scale,
                  int bias) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (!co_is_weight(plan, w, kind == &dense ? plan->item_bytes : 1)) return CO_BAD_PLAN;
    const co_weights *weight = &plan->weights[w];
    if (positions < 0 || co_product(positions, weight->k) != size) return CO_BAD_PLAN;
    if (!co_is_vector(plan, bias, weight->n) || !co_is_vector(plan, scale, weight->n))
        return CO_BAD_PLAN;
    co_step step = co_step_of(kind, x, positions);
    step.w[0] = w;
    step.w[1] = bias;
    step.w[2] = scale;
    step.u.dense.k = weight->k;
    step.u.dense.n = weight->n;
    step.u.dense.by_dots = step.u.dense.turned = 0;
    step.u.dense.act = (co_act){.kind = CO_ACT_LINEAR};
    return co_plan_append(plan, step, co_product(positions, weight->n));
}

int co_plan_dense(co_plan *plan, int x, ptrdiff_t positions, int w, int bias) {
    return append(plan, &dense, x, positions, w, -1, bias);
}

int co_plan_dense_int8(co_plan *plan, int x, ptrdiff_t positions, int w, int scale, int bias) {
    if (!co_is_weight(plan, w, 1) || plan->weights[w].k > CO_QGEMM_DEPTH || scale < 0)
        return CO_BAD_PLAN;
    return append(plan, &dense_int8, x, positions, w, scale, bias);
}

static co_status pack(co_plan *plan, co_step *step) {
    const int bias = step->w[1], scale = step->w[2];
    step->u.dense.by_dots = step->kind == &dense && !plan->trainer &&
                            plan->kernels->dots_suit(step->u.dense.k, step->u.dense.n);
    if (step->u.dense.turned)
        step->form[0] = co_weight_turned(plan, step->w[0]);
    else if (step->u.dense.by_dots)
        step->form[0] = co_weight_dots(plan, step->w[0]);
    else
        step->form[0] = co_weight_panels(plan, step->w[0]);
    step->form[1] = bias < 0 ? NULL : co_weight_data(plan, bias);
    step->form[2] = scale < 0 ? NULL : co_weight_data(plan, scale);
    const int made = step->form[0] && (bias < 0 || step->form[1]) && (scale < 0 || step->form[2]);
    return made ? CO_OK : CO_NO_MEMORY;
}

/* 6 NR GFLOP/s (NR is two vectors; three quarters of the peak are left to a small product), and
 * 100 GB/s for what is read and written. int8 is twice as fast at least, where the CPU has
 * instructions for it. */
static double cost(const co_plan *plan, const co_step *step) {
    const double in = (double)(plan->values[step->in[0]].size / plan->units);
    const double out = (double)(plan->values[step->out[0]].size / plan->units);
    const double nr = plan->kernels->gemm_nr, moved = (in + out) * plan->item_bytes / 100;
    const double ns = out * (double)step->u.dense.k / ((step->kind == &dense ? 3 : 6) * nr);
    return ns > moved ? ns : moved;
}

int co_dense_takes_act(co_step *before, const co_step *act) {
    if ((before->kind != &dense && before->kind != &dense_int8) ||
        before->u.dense.act.kind != CO_ACT_LINEAR)
        return 0;
    before->u.dense.act = act->u.act;
    return 1;
}

int co_step_is_dense(const co_step *step) {
    return step->kind == &dense && step->u.dense.act.kind == CO_ACT_LINEAR && !step->u.dense.turned;
}

int co_dense_takes_affine(co_plan *plan, co_step *before, const co_step *step) {
    return before->kind == &dense && before->u.dense.act.kind == CO_ACT_LINEAR &&
           co_affine_fold(plan, step, before->u.dense.n, &before->w[0], &before->w[1]);
}

/* Whether it is gemm that multiplies, whatever the batch. */
static int by_gemm(const co_plan *plan, const co_step *step) {
    const ptrdiff_t k = step->u.dense.k, n = step->u.dense.n;
    return !step->u.dense.turned && !plan->kernels->dots_suit(k, n) &&
           !(plan->matmul && plan->matmul->suits(k, n));
}

static int join(co_plan *plan, co_step *before, const co_step *step) {
    co_step joined = *step;
    if (by_gemm(plan, step) && co_depthwise_takes_product(plan, before, step)) return 1;
    if (!co_affine_fold_before(plan, before, &joined.w[0], &joined.w[1])) return 0;
    joined.in[0] = before->in[0];
    before->kind->release(before);
    *before = joined;
    return 1;
}

/* ------------------------------------------------------------------------------- running */

static int by_matmul(const co_job *job, const co_step *step) {
    return step->kind == &dense &&
           co_by_matmul(job, step->w[0], step->u.dense.turned, co_positions(job, step, job->units));
}

static co_status prepare(const co_job *job, const co_step *step) {
    if (!by_matmul(job, step)) return CO_OK;
    return co_weight_pack(job->plan, step->w[0], step->u.dense.turned, job->threads);
}

/* Rows that are whole pages apart meet in one set of the first cache. Where they come from beyond
 * the second, and enough columns pay for it, gemm reads copies that are a line further apart. */
enum { PAGE = 4096, FAR = 512 * 1024, FEWEST_COLUMNS = 128 };

static int moves_apart(const co_job *job, const co_step *step, ptrdiff_t rows, ptrdiff_t columns) {
    const ptrdiff_t bytes = step->u.dense.k * job->plan->item_bytes;
    return bytes % PAGE == 0 && rows * bytes >= FAR && columns >= FEWEST_COLUMNS;
}

/* Returns the copies' distance, in elements. */
static ptrdiff_t move_apart(ptrdiff_t rows, ptrdiff_t k, ptrdiff_t item, const char *x, char *to) {
    for (ptrdiff_t i = 0; i < rows; i++, x += k * item, to += k * item + CO_LINE)
        memcpy(to, x, (size_t)(k * item));
    return k + CO_LINE / item;
}

/* A step on a block, in pieces of `columns` columns, whole panels of its weights. */
typedef struct co_dense {
    const co_job *job;
    const co_step *step;
    ptrdiff_t m, columns;
    const char *x;
    char *y, *arena;
} co_dense;

static void run_piece(void *context, int worker, ptrdiff_t piece) {
    const co_dense *block = context;
    const co_job *job = block->job;
    const co_step *step = block->step;
    const co_kernels *kernels = job->plan->kernels;
    const co_act *act = &step->u.dense.act;
    const ptrdiff_t k = step->u.dense.k, n = step->u.dense.n, item = job->plan->item_bytes;
    const ptrdiff_t ldy = co_pitch(job->plan, step->out[0], n);
    const ptrdiff_t first = piece * block->columns, left = n - first;
    const ptrdiff_t columns = left < block->columns ? left : block->columns;
    const char *w = step->form[0], *bias = step->form[1], *scale = step->form[2];
    char *y = block->y + first * item;
    char *scratch = block->arena + worker * job->stride + job->scratch;
    if (bias) bias += first * item;
    if (step->kind == &dense_int8) {
        kernels->qgemm(kernels, block->m, columns, k, block->x, k,
                       w + kernels->qgemm_bytes(k, first), scale + first * item, bias, y, ldy, act,
                       scratch);
    } else if (by_matmul(job, step)) {
        const co_matmul *matmul = job->plan->matmul;
        const char *packed = co_weight_packed(job->plan, step->w[0], step->u.dense.turned);
        matmul->run(kernels, block->m, columns, k, block->x, k, w + first * k * item,
                    packed + matmul->bytes(k, first), bias, y, ldy, act, scratch);
    } else if (step->u.dense.by_dots) {
        kernels->dots(block->m, n, k, block->x, k, w, bias, y, ldy, act);
    } else if (moves_apart(job, step, block->m, columns)) {
        const ptrdiff_t apart = move_apart(block->m, k, item, block->x, scratch);
        kernels->gemm(block->m, columns, k, scratch, apart, w + first * k * item, bias, y, ldy,
                      act);
    } else {
        kernels->gemm(block->m, columns, k, block->x, k, w + first * k * item, bias, y, ldy, act);
    }
}

/* How many times faster than its cost says, of which no more is left than the weights, which come
 * at 100 GB/s, let through. */
static double speed(const co_job *job, const co_step *step) {
    const double ns = step->ns * (double)job->units;
    const ptrdiff_t item = step->kind == &dense_int8 ? 1 : job->plan->item_bytes;
    const double weights = (double)(step->u.dense.k * step->u.dense.n * item) / 100;
    const double faster = by_matmul(job, step) ? job->plan->matmul->speed : 1;
    return weights * faster > ns ? ns / weights : faster;
}

/* The columns that stay together: a panel of the weights. */
static ptrdiff_t panel(const co_job *job, const co_step *step) {
    if (step->kind == &dense_int8) return job->plan->kernels->qgemm_nr;
    if (step->u.dense.by_dots && step->u.dense.n > 0) return step->u.dense.n;
    return by_matmul(job, step) ? job->plan->matmul->nr : job->plan->kernels->gemm_nr;
}

static ptrdiff_t row(const co_step *step) {
    return co_row_apart(&step->u.dense.act, step->u.dense.n);
}

static ptrdiff_t parts(const co_job *job, const co_step *step) {
    return step->u.dense.n / panel(job, step);
}

static void run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    const ptrdiff_t n = step->u.dense.n;
    co_dense block = {job,
                      step,
                      units * (step->positions / job->plan->units),
                      n,
                      co_locate(job, arena, step->in[0], first),
                      co_locate(job, arena, step->out[0], first),
                      arena};
    int team = 1;
    if (job->team > 1) {
        const ptrdiff_t grain = panel(job, step);
        team = co_team(n / grain, co_step_ns(job, step), job->team);
        block.columns = (n + 2 * team - 1) / (2 * team); /* two pieces a thread */
        block.columns = (block.columns + grain - 1) / grain * grain;
    }
    if (n > 0) co_parallel((n + block.columns - 1) / block.columns, team, run_piece, &block);
}

static ptrdiff_t scratch(const co_job *job, const co_step *step, ptrdiff_t units) {
    const ptrdiff_t rows = units * (step->positions / job->plan->units);
    if (step->kind == &dense_int8) return job->plan->kernels->qgemm_scratch(rows, step->u.dense.k);
    if (by_matmul(job, step)) return job->plan->matmul->scratch(rows, step->u.dense.k);
    if (!moves_apart(job, step, rows, step->u.dense.n)) return 0;
    return rows * (step->u.dense.k * job->plan->item_bytes + CO_LINE);
}

/* Rows for the plan's matmul at once, and the grain of their number; 0 if gemm multiplies. */
static ptrdiff_t rows_at_once(const co_job *job, const co_step *step, ptrdiff_t *grain) {
    if (!by_matmul(job, step)) return 0;
    *grain = job->plan->matmul->grain;
    return job->plan->matmul->block(step->u.dense.k);
}

/* ------------------------------------------------------------------------------ learning */

/* From so many positions of a sample on, such as pixels, the gradient of its weight is summed
 * sample by sample: that takes neither transposes nor panels. */
enum { CO_MANY_POSITIONS = 64 };

static void back(co_backward *back, const co_step *step) {
    const ptrdiff_t k = step->u.dense.k, n = step->u.dense.n;
    const int dy = back->gradient[step->out[0]], w = step->w[0], bias = step->w[1];
    const int learns_w = co_weight_learns(back->plan, w);
    const int learns_bias = co_weight_learns(back->plan, bias);
    if (step->positions >= CO_MANY_POSITIONS && k && n) {
        const co_window pixels = {.h = 1,
                                  .w = step->positions,
                                  .c = k,
                                  .kh = 1,
                                  .kw = 1,
                                  .sh = 1,
                                  .sw = 1,
                                  .dh = 1,
                                  .dw = 1,
                                  .oh = 1,
                                  .ow = step->positions};
        if (learns_w) co_back_sum_windows(back, w, step->in[0], dy, &pixels, n, 1, 1);
        if (learns_bias) co_back_sum_rows(back, bias, dy, n, 1);
    } else if (learns_w || learns_bias) {
        const int kept = co_back_keep(back, dy, n, step->positions, CO_KEEP_PANELS);
        if (learns_w)
            co_back_use(back, w,
                        co_back_keep(back, step->in[0], k, step->positions, CO_KEEP_TURNED), kept);
        if (learns_bias) co_back_use(back, bias, -1, kept);
    }
    if (!back->moves[step->in[0]]) return;
    co_step to = co_step_of(&dense, dy, step->positions);
    to.w[0] = w;
    to.u.dense.k = n;
    to.u.dense.n = k;
    to.u.dense.turned = 1;
    to.u.dense.by_dots = 0;
    to.u.dense.act = (co_act){.kind = CO_ACT_LINEAR};
    co_back_add(back, step->in[0], co_back_append(back, to, step->positions * k));
}

static const co_kind dense = {.name = "dense",
                              .run = run,
                              .back = back,
                              .join = join,
                              .pack = pack,
                              .cost = cost,
                              .prepare = prepare,
                              .speed = speed,
                              .scratch = scratch,
                              .parts = parts,
                              .row = row,
                              .rows_at_once = rows_at_once};

static const co_kind dense_int8 = {.name = "dense_int8",
                                   .run = run,
                                   .pack = pack,
                                   .cost = cost,
                                   .speed = speed,
                                   .scratch = scratch,
                                   .parts = parts,
                                   .row = row};
