/* window.c - windows over images: padding, pooling, and convolutions channel by channel. x is
 * (images, h, w, c). */
#include "window.h"

#include <stdlib.h>
#include <string.h>

#include "../backward.h"
#include "../execute.h"

static const co_kind pad, pad_grad, pool, pool_grad, depthwise;

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
static int append(co_plan *plan, const co_kind *kind, int x, co_windows how, int w, int bias,
                  ptrdiff_t size) {
    const ptrdiff_t images = co_window_images(plan, x, &how.s);
    if (images < 0) return (int)images;
    co_step step = co_step_of(kind, x, images);
    step.w[0] = w;
    step.w[1] = bias;
    step.u.own = malloc(sizeof how);
    if (!step.u.own) return CO_NO_MEMORY;
    memcpy(step.u.own, &how, sizeof how);
    return co_plan_append(plan, step, co_product(images, size));
}

static void release(co_step *step) { free(step->u.own); }

/* What a step works on: its operands and its result, image by image. */
#define EACH_IMAGE(job, step, units, n)                                                            \
    for (ptrdiff_t image = 0, n = co_positions(job, step, units); image < n; image++)

static char *operand(const co_job *job, const co_step *step, const char *arena, ptrdiff_t first,
                     int v, ptrdiff_t image) {
    const ptrdiff_t bytes = job->plan->values[v].size / step->positions * job->plan->item_bytes;
    return co_locate(job, arena, v, first) + image * bytes;
}

/* ------------------------------------------------------------------------------- padding */

int co_plan_pad(co_plan *plan, int x, const co_window *s) {
    if (s->kh != 1 || s->kw != 1 || s->sh != 1 || s->sw != 1) return CO_BAD_PLAN;
    return append(plan, &pad, x, (co_windows){.s = *s}, -1, -1, s->oh * s->ow * s->c);
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
    const co_window *s = &((co_windows *)step->u.own)->s;
    const co_window by = step->kind == &pad ? *s : padded_back(s);
    EACH_IMAGE(job, step, units, images)
    job->plan->kernels->im2col(&by, by.c, operand(job, step, arena, first, step->in[0], image),
                               operand(job, step, arena, first, step->out[0], image));
}

static void pad_back(co_backward *back, const co_step *step) {
    co_back_through(back, step, &pad_grad, -1);
}

static const co_kind pad = {.name = "pad", .run = run_pad, .back = pad_back, .release = release};
static const co_kind pad_grad = {.name = "pad gradient", .run = run_pad};

/* ------------------------------------------------------------------------------- pooling */

int co_plan_pool(co_plan *plan, int x, const co_window *s, int average) {
    return append(plan, &pool, x, (co_windows){.s = *s, .average = average}, -1, -1,
                  s->oh * s->ow * s->c);
}

static void run_pool(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const co_kernels *kernels = job->plan->kernels;
    const co_windows *how = step->u.own;
    EACH_IMAGE(job, step, units, images) {
        const char *x = operand(job, step, arena, first, step->in[0], image);
        char *y = operand(job, step, arena, first, step->out[0], image);
        if (step->kind == &pool && how->average)
            kernels->avgpool(&how->s, 0, how->s.oh, x, y);
        else if (step->kind == &pool)
            kernels->maxpool(&how->s, 0, how->s.oh, x, y);
        else if (how->average)
            kernels->avgpool_grad(&how->s, x, y);
        else
            kernels->maxpool_grad(&how->s, operand(job, step, arena, first, step->in[1], image), x,
                                  y);
    }
}

static void pool_back(co_backward *back, const co_step *step) {
    const co_windows *how = step->u.own;
    co_back_through(back, step, &pool_grad, how->average ? -1 : step->in[0]);
}

/* Two vectors in a nanosecond. */
static double pool_cost(const co_plan *plan, const co_step *step) {
    const co_windows *how = step->u.own;
    const double out = (double)(plan->values[step->out[0]].size / plan->units);
    return out * (double)(how->s.kh * how->s.kw) / plan->kernels->gemm_nr;
}

static const co_kind pool = {
    .name = "pool", .run = run_pool, .back = pool_back, .cost = pool_cost, .release = release};
static const co_kind pool_grad = {.name = "pool gradient", .run = run_pool};

/* ----------------------------------------------------------------------------- depthwise */

int co_plan_depthwise(co_plan *plan, int x, const co_window *s, int w, int bias) {
    if (w < 0 || !co_is_vector(plan, w, s->kh * s->kw * s->c) || !co_is_vector(plan, bias, s->c))
        return CO_BAD_PLAN;
    const co_windows how = {.s = *s, .act = {.kind = CO_ACT_LINEAR}};
    return append(plan, &depthwise, x, how, w, bias, s->oh * s->ow * s->c);
}

int co_depthwise_takes_act(co_step *before, const co_step *act) {
    if (before->kind != &depthwise) return 0;
    co_windows *how = before->u.own;
    if (how->act.kind != CO_ACT_LINEAR) return 0;
    how->act = act->u.act;
    return 1;
}

int co_depthwise_takes_affine(co_plan *plan, co_step *before, const co_step *affine) {
    if (before->kind != &depthwise) return 0;
    const co_windows *how = before->u.own;
    return how->act.kind == CO_ACT_LINEAR &&
           co_affine_fold(plan, affine, how->s.c, &before->w[0], &before->w[1]);
}

co_status co_depthwise_pack(co_plan *plan, co_step *step) {
    for (int i = 0; i < 2; i++)
        step->form[i] = step->w[i] < 0 ? NULL : co_weight_data(plan, step->w[i]);
    return step->form[0] && (step->w[1] < 0 || step->form[1]) ? CO_OK : CO_NO_MEMORY;
}

/* The bytes of a band of the image with its padding, which stays in the first cache. */
enum { CO_DEPTHWISE_BAND = 20 * 1024 };

ptrdiff_t co_depthwise_rows(const co_window *s, ptrdiff_t item) {
    const ptrdiff_t row = s->sh * co_window_wide(s) * s->c * item;
    const ptrdiff_t rows = CO_DEPTHWISE_BAND / (row ? row : 1);
    return rows < 1 ? 1 : rows < s->oh ? rows : s->oh;
}

ptrdiff_t co_depthwise_band(const co_window *s, ptrdiff_t item) {
    return co_window_high(s, co_depthwise_rows(s, item)) * co_window_wide(s) * s->c * item;
}

static ptrdiff_t scratch(const co_job *job, const co_step *step, ptrdiff_t units) {
    (void)units;
    return co_depthwise_band(&((co_windows *)step->u.own)->s, job->plan->item_bytes);
}

/* One image: a band at a time is copied to where its padding is around it, so that all windows are
 * whole. */
static void run_bands(const co_job *job, const co_step *step, const char *x, char *y, char *band) {
    const co_kernels *kernels = job->plan->kernels;
    const co_windows *how = step->u.own;
    const ptrdiff_t item = job->plan->item_bytes, most = co_depthwise_rows(&how->s, item);
    const int relu = how->act.kind == CO_ACT_RELU;
    co_window pixels = how->s, s = how->s;
    pixels.kh = pixels.kw = pixels.sh = pixels.sw = pixels.dh = pixels.dw = 1;
    s.w = pixels.ow = co_window_wide(&s);
    s.top = s.left = 0;
    for (ptrdiff_t first = 0; first < how->s.oh; first += most) {
        s.oh = how->s.oh - first < most ? how->s.oh - first : most;
        s.h = pixels.oh = co_window_high(&s, s.oh);
        pixels.top = how->s.top - first * s.sh;
        kernels->im2col(&pixels, s.c, x, band);
        const ptrdiff_t n = s.oh * s.ow * s.c;
        kernels->depthwise(&s, 0, s.oh, band, step->form[0], step->form[1], y, relu);
        if (!relu && how->act.kind != CO_ACT_LINEAR) kernels->vact(n, y, y, &how->act);
        y += n * item;
    }
}

static void run_depthwise(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                          ptrdiff_t units) {
    EACH_IMAGE(job, step, units, images)
    run_bands(job, step, operand(job, step, arena, first, step->in[0], image),
              operand(job, step, arena, first, step->out[0], image), arena + job->scratch);
}

double co_depthwise_cost(const co_plan *plan, const co_step *step) {
    return 2 * pool_cost(plan, step);
}

static const co_kind depthwise = {.name = "depthwise",
                                  .run = run_depthwise,
                                  .back = co_depthwise_back,
                                  .pack = co_depthwise_pack,
                                  .cost = co_depthwise_cost,
                                  .scratch = scratch,
                                  .release = release};
