/* depthwise.c - convolutions channel by channel: x as (images, h, w, c), the weight as (kh, kw, c).
 * A product over the channels of each result that follows one is made by the same step, a band of
 * results at a time, while they are in the cache. */
#include <stdlib.h>

#include "window.h"

typedef struct depthwise {
    co_window s;
    co_act act;         /* of the convolution */
    ptrdiff_t n;        /* columns of the product behind it; 0: there is none */
    co_act product_act; /* and that of their product */
} depthwise;

enum { PRODUCT, PRODUCT_BIAS, KERNEL, BIAS }; /* of a step's weights */

static const co_kind kind;

/* ------------------------------------------------------------------------------ building */

int co_plan_depthwise(co_plan *plan, int x, const co_window *s, int w, int bias) {
    const ptrdiff_t images = co_window_images(plan, x, s);
    if (images < 0) return (int)images;
    if (w < 0 || !co_is_vector(plan, w, s->kh * s->kw * s->c) || !co_is_vector(plan, bias, s->c))
        return CO_BAD_PLAN;
    co_step step = co_step_of(&kind, x, images);
    depthwise *how = calloc(1, sizeof *how);
    if (!how) return CO_NO_MEMORY;
    how->s = *s;
    how->act.kind = how->product_act.kind = CO_ACT_LINEAR;
    step.w[KERNEL] = w;
    step.w[BIAS] = bias;
    step.u.own = how;
    return co_plan_append(plan, step, co_product(images, s->oh * s->ow * s->c));
}

/* The activation of what the step makes last. */
static co_act *last_act(depthwise *how) { return how->n ? &how->product_act : &how->act; }

int co_depthwise_takes_act(co_step *before, const co_step *act) {
    if (before->kind != &kind) return 0;
    co_act *last = last_act(before->u.own);
    if (last->kind != CO_ACT_LINEAR) return 0;
    *last = act->u.act;
    return 1;
}

int co_depthwise_takes_affine(co_plan *plan, co_step *before, const co_step *affine) {
    if (before->kind != &kind) return 0;
    depthwise *how = before->u.own;
    const int at = how->n ? PRODUCT : KERNEL; /* its bias comes next */
    return last_act(how)->kind == CO_ACT_LINEAR &&
           co_affine_fold(plan, affine, how->n ? how->n : how->s.c, &before->w[at],
                          &before->w[at + 1]);
}

int co_depthwise_takes_product(co_plan *plan, co_step *before, const co_step *dense) {
    if (before->kind != &kind) return 0;
    depthwise *how = before->u.own;
    const ptrdiff_t pixels = co_product(before->positions, how->s.oh * how->s.ow);
    if (plan->trainer || how->n || dense->u.dense.k != how->s.c || dense->positions != pixels)
        return 0;
    how->n = dense->u.dense.n;
    how->product_act = dense->u.dense.act;
    before->w[PRODUCT] = dense->w[0];
    before->w[PRODUCT_BIAS] = dense->w[1];
    return 1;
}

static void release(co_step *step) { free(step->u.own); }

static co_status pack(co_plan *plan, co_step *step) {
    for (int i = 0; i < CO_MOST_WEIGHTS; i++) {
        if (step->w[i] < 0) continue;
        step->form[i] =
            i == PRODUCT ? co_weight_panels(plan, step->w[i]) : co_weight_data(plan, step->w[i]);
        if (!step->form[i]) return CO_NO_MEMORY;
    }
    return CO_OK;
}

/* ------------------------------------------------------------------------------- running */

/* Results that stay in the first cache, or near it, until they are multiplied; and how many of
 * gemm's tiles at least, since the weights come anew for each band. */
enum { CO_DEPTHWISE_BAND = 32 * 1024, CO_DEPTHWISE_TILES = 4 };

static ptrdiff_t band_rows(const co_plan *plan, const depthwise *how) {
    const ptrdiff_t row = how->s.ow * how->s.c * plan->item_bytes;
    const ptrdiff_t least = co_ceiling(CO_DEPTHWISE_TILES * plan->kernels->gemm_mr, how->s.ow);
    const ptrdiff_t rows = CO_DEPTHWISE_BAND / row;
    return rows < least ? least : rows;
}

static ptrdiff_t all_rows(const co_job *job, const co_step *step, ptrdiff_t units) {
    return co_positions(job, step, units) * ((depthwise *)step->u.own)->s.oh;
}

/* A piece of the rows of all images of a block. */
static void run_piece(void *context, int worker, ptrdiff_t piece) {
    const co_bands *b = context;
    const co_job *job = b->job;
    const co_step *step = b->step;
    const depthwise *how = step->u.own;
    const co_window *s = &how->s;
    const co_kernels *kernels = job->plan->kernels;
    const ptrdiff_t item = job->plan->item_bytes, image = s->h * s->w * s->c * item;
    const ptrdiff_t row = s->ow * s->c * item, first = piece * b->band, left = b->rows - first;
    const ptrdiff_t rows = left < b->band ? left : b->band;
    char *scratch = b->arena + worker * job->stride + job->scratch;
    const ptrdiff_t ldy = co_pitch(job->plan, step->out[0], how->n);
    char *to = how->n ? scratch : b->y + first * row;
    for (ptrdiff_t t = 0, more; t < rows; t += more) { /* those of one image */
        const ptrdiff_t from = (first + t) % s->oh;
        more = s->oh - from < rows - t ? s->oh - from : rows - t;
        kernels->depthwise(s, from, more, b->x + (first + t) / s->oh * image, step->form[KERNEL],
                           step->form[BIAS], to + t * row, &how->act);
    }
    if (how->n)
        kernels->gemm(rows * s->ow, how->n, s->c, scratch, s->c, step->form[PRODUCT],
                      step->form[PRODUCT_BIAS], b->y + first * s->ow * ldy * item, ldy,
                      &how->product_act);
}

static void run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    const depthwise *how = step->u.own;
    if (how->s.oh * how->s.ow * how->s.c == 0) return;
    co_run_bands(job, step, arena, first, all_rows(job, step, units), band_rows(job->plan, how),
                 run_piece);
}

/* Of the product; without one the channels of all pixels follow each other. */
static ptrdiff_t row(const co_step *step) {
    const depthwise *how = step->u.own;
    return co_row_apart(&how->product_act, how->n);
}

static ptrdiff_t parts(const co_job *job, const co_step *step) {
    return all_rows(job, step, job->units);
}

static ptrdiff_t scratch(const co_job *job, const co_step *step, ptrdiff_t units) {
    const depthwise *how = step->u.own;
    const ptrdiff_t row = how->s.ow * how->s.c * job->plan->item_bytes;
    if (how->n == 0 || row == 0) return 0;
    const ptrdiff_t all = all_rows(job, step, units), band = band_rows(job->plan, how);
    return (all < band ? all : band) * row;
}

/* 6 NR GFLOP/s, as for a dense step, and two thirds of that channel by channel. */
static double cost(const co_plan *plan, const co_step *step) {
    const depthwise *how = step->u.own;
    const co_window *s = &how->s;
    const double out = (double)(step->positions * s->oh * s->ow * s->c / plan->units);
    return out * ((double)(s->kh * s->kw) / 2 + (double)how->n / 3) / plan->kernels->gemm_nr;
}

static void back(co_backward *back, const co_step *step) {
    co_depthwise_back(back, step, step->w[KERNEL], step->w[BIAS]);
}

static const co_kind kind = {.name = "depthwise",
                             .run = run,
                             .back = back,
                             .pack = pack,
                             .cost = cost,
                             .scratch = scratch,
                             .parts = parts,
                             .row = row,
                             .release = release};
