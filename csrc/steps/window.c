/* window.c - windows over images: padding and pooling. x is (images, h, w, c). */
#include "window.h"

#include <stdlib.h>
#include <string.h>

#include "../backward.h"

typedef struct windows {
    co_window s;
    int average; /* pooling */
} windows;

static const co_kind pad, pad_grad, pool, pool_grad;

/* ------------------------------------------------------------------------------ building */

ptrdiff_t co_window_images(const co_plan *plan, int x, const co_window *s) {
    const ptrdiff_t size = co_plan_operand(plan, x);
    if (size < 0) return size;
    const ptrdiff_t sizes[] = {s->h, s->w, s->c, s->oh, s->ow};
    const ptrdiff_t steps[] = {s->kh, s->kw, s->sh, s->sw, s->dh, s->dw};
    for (int i = 0; i < 5; i++)
        if (sizes[i] < 0 || sizes[i] > CO_MOST_SIDE) return CO_BAD_PLAN;
    for (int i = 0; i < 6; i++)
        if (steps[i] < 1 || steps[i] > CO_MOST_SIDE) return CO_BAD_PLAN;
    if (s->top < -CO_MOST_SIDE || s->top > CO_MOST_SIDE || s->left < -CO_MOST_SIDE ||
        s->left > CO_MOST_SIDE)
        return CO_BAD_PLAN;
    const ptrdiff_t image = co_product(s->h * s->w, s->c), most = CO_MOST_BYTES / plan->item_bytes;
    /* the columns, and the image with as much padding as its windows reach */
    const ptrdiff_t all = co_product(s->oh * s->ow, co_product(s->kh * s->kw, s->c));
    const ptrdiff_t high = s->kh * s->dh + s->oh * s->sh, wide = s->kw * s->dw + s->ow * s->sw;
    if (all > most || co_product(co_product(high, s->c), wide) > most) return CO_NO_MEMORY;
    if (image == 0) return size == 0 ? 0 : CO_BAD_PLAN;
    return size % image == 0 ? size / image : CO_BAD_PLAN;
}

/* A step of `kind` on images of x, with a result of `size` elements for each. */
static int append(co_plan *plan, const co_kind *kind, int x, windows how, ptrdiff_t size) {
    const ptrdiff_t images = co_window_images(plan, x, &how.s);
    if (images < 0) return (int)images;
    co_step step = co_step_of(kind, x, images);
    step.u.own = malloc(sizeof how);
    if (!step.u.own) return CO_NO_MEMORY;
    memcpy(step.u.own, &how, sizeof how);
    return co_plan_append(plan, step, co_product(images, size));
}

static void release(co_step *step) { free(step->u.own); }

void co_run_bands(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                  ptrdiff_t rows, ptrdiff_t band, co_chunk *work) {
    co_bands bands = {job,
                      step,
                      rows,
                      band,
                      co_locate(job, arena, step->in[0], first),
                      co_locate(job, arena, step->out[0], first),
                      arena};
    int team = 1;
    if (job->team > 1) {
        team = co_team(rows, co_step_ns(job, step), job->team);
        const ptrdiff_t share = co_ceiling(rows, 2 * team); /* two pieces a thread */
        if (share < band) bands.band = share;
    }
    co_parallel(co_ceiling(rows, bands.band), team, work, &bands);
}

/* ------------------------------------------------------------------------------- padding */

int co_plan_pad(co_plan *plan, int x, const co_window *s) {
    if (s->kh != 1 || s->kw != 1 || s->sh != 1 || s->sw != 1) return CO_BAD_PLAN;
    return append(plan, &pad, x, (windows){.s = *s}, s->oh * s->ow * s->c);
}

/* The gradient leaves out what was added, and the other way round. */
static co_window padded_back(const co_window *s) {
    co_window to = *s;
    to.h = s->oh;
    to.w = s->ow;
    to.oh = s->h;
    to.ow = s->w;
    to.top = -s->top;
    to.left = -s->left;
    return to;
}

static void run_pad(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                    ptrdiff_t units) {
    const co_window *s = &((windows *)step->u.own)->s;
    const co_window by = step->kind == &pad ? *s : padded_back(s);
    CO_EACH_IMAGE(job, step, units, images)
    job->plan->kernels->im2col(&by, by.c, co_image(job, step, arena, first, step->in[0], image),
                               co_image(job, step, arena, first, step->out[0], image));
}

static void pad_back(co_backward *back, const co_step *step) {
    co_back_through(back, step, &pad_grad, -1);
}

static const co_kind pad = {.name = "pad", .run = run_pad, .back = pad_back, .release = release};
static const co_kind pad_grad = {.name = "pad gradient", .run = run_pad};

/* ------------------------------------------------------------------------------- pooling */

int co_plan_pool(co_plan *plan, int x, const co_window *s, int average) {
    return append(plan, &pool, x, (windows){.s = *s, .average = average}, s->oh * s->ow * s->c);
}

static void run_pool(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const co_kernels *kernels = job->plan->kernels;
    const windows *how = step->u.own;
    CO_EACH_IMAGE(job, step, units, images) {
        const char *x = co_image(job, step, arena, first, step->in[0], image);
        char *y = co_image(job, step, arena, first, step->out[0], image);
        if (step->kind == &pool && how->average)
            kernels->avgpool(&how->s, 0, how->s.oh, x, y);
        else if (step->kind == &pool)
            kernels->maxpool(&how->s, 0, how->s.oh, x, y);
        else if (how->average)
            kernels->avgpool_grad(&how->s, x, y);
        else
            kernels->maxpool_grad(&how->s, co_image(job, step, arena, first, step->in[1], image), x,
                                  y);
    }
}

static void pool_back(co_backward *back, const co_step *step) {
    const windows *how = step->u.own;
    co_back_through(back, step, &pool_grad, how->average ? -1 : step->in[0]);
}

/* Two vectors in a nanosecond. */
static double pool_cost(const co_plan *plan, const co_step *step) {
    const windows *how = step->u.own;
    const double out = (double)(plan->values[step->out[0]].size / plan->units);
    return out * (double)(how->s.kh * how->s.kw) / plan->kernels->gemm_nr;
}

static const co_kind pool = {
    .name = "pool", .run = run_pool, .back = pool_back, .cost = pool_cost, .release = release};
static const co_kind pool_grad = {.name = "pool gradient", .run = run_pool};
