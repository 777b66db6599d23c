/* affine.c - (x - center) * scale + shift by channels: batch normalisation at inference, rescaling,
 * a bias over some axes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../backward.h"
#include "../execute.h"

static const co_kind affine, affine_grad;

typedef struct co_affine {
    ptrdiff_t n, run; /* channels, and the elements that each has together */
} co_affine;

enum { SCALE, CENTER, SHIFT }; /* of a step's weights */

static void release(co_step *step) { free(step->u.own); }

int co_plan_affine(co_plan *plan, int x, ptrdiff_t run, int scale, int center, int shift) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return (int)size;
    if (!co_is_weight(plan, scale, plan->item_bytes) || run < 0) return CO_BAD_PLAN;
    const ptrdiff_t n = plan->weights[scale].n, runs = co_plan_runs(plan, x, co_product(n, run));
    if (runs < 0) return (int)runs;
    if (!co_is_vector(plan, scale, n) || !co_is_vector(plan, center, n) ||
        !co_is_vector(plan, shift, n))
        return CO_BAD_PLAN;
    co_step step = co_step_of(&affine, x, runs);
    co_affine *own = malloc(sizeof *own);
    if (!own) return CO_NO_MEMORY;
    *own = (co_affine){n, run};
    step.u.own = own;
    step.w[SCALE] = scale;
    step.w[CENTER] = center;
    step.w[SHIFT] = shift;
    return co_plan_append(plan, step, size);
}

static co_status pack(co_plan *plan, co_step *step) {
    for (int i = SCALE; i <= SHIFT; i++) {
        step->form[i] = step->w[i] < 0 ? NULL : co_weight_data(plan, step->w[i]);
        if (step->w[i] >= 0 && !step->form[i]) return CO_NO_MEMORY;
    }
    return CO_OK;
}

static void run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    const co_affine *own = step->u.own;
    job->plan->kernels->affine(co_positions(job, step, units), own->n, own->run,
                               co_locate(job, arena, step->in[0], first), step->form[CENTER],
                               step->form[SCALE], step->form[SHIFT],
                               co_locate(job, arena, step->out[0], first));
}

/* Of its weights only the shift may learn, where channels are single elements. */
static void back(co_backward *back, const co_step *step) {
    const co_affine *own = step->u.own;
    const int shift = step->w[SHIFT];
    if (co_weight_learns(back->plan, step->w[SCALE]) ||
        co_weight_learns(back->plan, step->w[CENTER]) ||
        (co_weight_learns(back->plan, shift) && own->run != 1)) {
        back->status = CO_BAD_PLAN;
        return;
    }
    if (co_weight_learns(back->plan, shift))
        co_back_use(back, shift, -1,
                    co_back_keep(back, back->gradient[step->out[0]], own->n, step->positions,
                                 CO_KEEP_PANELS));
    co_step to = *step;
    to.w[CENTER] = to.w[SHIFT] = -1;
    co_back_through(back, &to, &affine_grad, -1);
}

static double real_at(const void *data, ptrdiff_t i, int item) {
    return item == 4 ? (double)((const float *)data)[i] : ((const double *)data)[i];
}

static void set_real(void *data, ptrdiff_t i, int item, double value) {
    if (item == 4)
        ((float *)data)[i] = (float)value;
    else
        ((double *)data)[i] = value;
}

/* After x w + bias: x (w scale) + ((bias - center) scale + shift). */
int co_affine_fold(co_plan *plan, const co_step *step, ptrdiff_t n, int *w, int *bias) {
    const co_affine *own = step->u.own;
    const int item = plan->item_bytes;
    const ptrdiff_t k = plan->weights[*w].k, columns = plan->weights[*w].n;
    if (plan->trainer || own->run != 1 || own->n != n) return 0;
    const int scaled = co_plan_own_weight(plan, k, columns);
    const int shifted = co_plan_own_weight(plan, 1, n);
    if (scaled < 0 || shifted < 0) return 0;
    const co_weights *from = plan->weights;
    const void *scale = from[step->w[SCALE]].data;
    for (ptrdiff_t j = 0; j < n; j++) {
        const double b = *bias < 0 ? 0 : real_at(from[*bias].data, j, item);
        const double c = step->w[CENTER] < 0 ? 0 : real_at(from[step->w[CENTER]].data, j, item);
        const double t = step->w[SHIFT] < 0 ? 0 : real_at(from[step->w[SHIFT]].data, j, item);
        set_real(from[shifted].copy, j, item, (b - c) * real_at(scale, j, item) + t);
    }
    plan->kernels->affine(n ? k * columns / n : 0, n, 1, from[*w].data, NULL, scale, NULL,
                          from[scaled].copy);
    *w = scaled;
    *bias = shifted;
    return 1;
}

/* A shift of more deviations than this stays apart: x * scale would round away what the difference
 * from the center keeps. */
#define AFFINE_FAR 16.0

/* Before x w + bias: x (scale w) + (bias + (shift - center scale) w). */
int co_affine_fold_before(co_plan *plan, const co_step *before, int *w, int *bias) {
    const co_affine *own = before->u.own;
    const int item = plan->item_bytes;
    if (plan->trainer || before->kind != &affine || own->run != 1) return 0;
    const ptrdiff_t k = plan->weights[*w].k, n = plan->weights[*w].n;
    if (k == 0 || k % own->n != 0) return 0;
    const int scaled = co_plan_own_weight(plan, k, n), shifted = co_plan_own_weight(plan, 1, n);
    double *sums = malloc((size_t)(n + 1) * sizeof *sums);
    int near = scaled >= 0 && shifted >= 0 && sums;
    const co_weights *from = plan->weights;
    for (ptrdiff_t j = 0; near && j < n; j++)
        sums[j] = *bias < 0 ? 0 : real_at(from[*bias].data, j, item);
    for (ptrdiff_t i = 0; near && i < k; i++) {
        const ptrdiff_t c = i % own->n;
        const double scale = real_at(from[before->w[SCALE]].data, c, item);
        const int center = before->w[CENTER], shift = before->w[SHIFT];
        const double back = center < 0 ? 0 : real_at(from[center].data, c, item) * scale;
        const double on = (shift < 0 ? 0 : real_at(from[shift].data, c, item)) - back;
        near = fabs(back) <= AFFINE_FAR;
        for (ptrdiff_t j = i * n; near && j < (i + 1) * n; j++) {
            const double weight = real_at(from[*w].data, j, item);
            set_real(from[scaled].copy, j, item, scale * weight);
            sums[j - i * n] += on * weight;
        }
    }
    for (ptrdiff_t j = 0; near && j < n; j++) set_real(from[shifted].copy, j, item, sums[j]);
    free(sums);
    if (!near) return 0;
    *w = scaled;
    *bias = shifted;
    return 1;
}

static int join(co_plan *plan, co_step *before, const co_step *step) {
    if (!co_dense_takes_affine(plan, before, step) && !co_conv_takes_affine(plan, before, step) &&
        !co_depthwise_takes_affine(plan, before, step))
        return 0;
    free(step->u.own);
    return 1;
}

static const co_kind affine = {.name = "affine",
                               .in_place = 1,
                               .run = run,
                               .back = back,
                               .join = join,
                               .pack = pack,
                               .release = release};
static const co_kind affine_grad = {
    .name = "affine gradient", .in_place = 1, .run = run, .pack = pack};
