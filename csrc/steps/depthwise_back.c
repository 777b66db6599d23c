/* depthwise_back.c - the way back of convolutions channel by channel: that of the image is one of
 * dy, whose pixels lie as far apart as windows do, with nothing between them, by the turned kernel.
 */
#include <string.h>

#include "../backward.h"
#include "../execute.h"
#include "window.h"

static const co_kind depthwise_grad, depthwise_sums;

static const co_window *window_of(const co_step *step) { return &((co_windows *)step->u.own)->s; }

/* The window that goes over dy with its gaps, for all of the image or `rows` rows of it. */
static co_window turned(const co_window *s) {
    co_window to = *s;
    to.sh = to.sw = 1;
    to.oh = s->h;
    to.ow = s->w;
    to.top = to.left = 0;
    return to;
}

/* `rows` rows of dy with its gaps, from row `top` and from column `left` of that on. */
static void copy_gaps(const co_job *job, const co_window *s, const char *dy, ptrdiff_t top,
                      ptrdiff_t left, ptrdiff_t rows, ptrdiff_t wide, char *band) {
    const ptrdiff_t pixel = s->c * job->plan->item_bytes;
    ptrdiff_t y0, x0;
    /* results whose pixels, a stride apart, are in the band */
    const ptrdiff_t y1 = co_inside(-top, s->sh, s->oh, rows, &y0);
    const ptrdiff_t x1 = co_inside(-left, s->sw, s->ow, wide, &x0);
    memset(band, 0, (size_t)(rows * wide * pixel));
    for (ptrdiff_t y = y0; y < y1 && x0 < x1; y++)
        job->plan->kernels->copy_rows(x1 - x0, pixel, dy + (y * s->ow + x0) * pixel, pixel,
                                      band + ((y * s->sh - top) * wide + x0 * s->sw - left) * pixel,
                                      s->sw * pixel, 0);
}

static void take_back(const co_job *job, const co_step *step, const char *dy, char *dx,
                      const char *kernel, char *band) {
    const co_window *s = window_of(step), all = turned(s);
    const ptrdiff_t item = job->plan->item_bytes, wide = co_window_wide(&all);
    const ptrdiff_t most = co_depthwise_rows(&all, item), left = s->left - (s->kw - 1) * s->dw;
    co_window some = all;
    some.w = wide;
    for (ptrdiff_t first = 0; first < s->h; first += most) {
        const ptrdiff_t top = first + s->top - (s->kh - 1) * s->dh;
        some.oh = s->h - first < most ? s->h - first : most;
        some.h = co_window_high(&some, some.oh);
        copy_gaps(job, s, dy, top, left, some.h, wide, band);
        job->plan->kernels->depthwise(&some, 0, some.oh, band, kernel, NULL, dx, 0);
        dx += some.oh * s->w * s->c * item;
    }
}

static void run_grad(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const co_window *s = window_of(step);
    const ptrdiff_t item = job->plan->item_bytes, taps = s->kh * s->kw, bytes = s->c * item;
    const char *dy = co_locate(job, arena, step->in[0], first), *w = step->form[0];
    char *dx = co_locate(job, arena, step->out[0], first), *kernel = arena + job->scratch;
    for (ptrdiff_t i = 0; i < taps; i++)
        memcpy(kernel + i * bytes, w + (taps - 1 - i) * bytes, (size_t)bytes);
    for (ptrdiff_t i = 0, n = co_positions(job, step, units); i < n; i++)
        take_back(job, step, dy + i * s->oh * s->ow * bytes, dx + i * s->h * s->w * bytes, kernel,
                  kernel + taps * bytes);
}

static ptrdiff_t grad_scratch(const co_job *job, const co_step *step, ptrdiff_t units) {
    const co_window all = turned(window_of(step));
    const ptrdiff_t item = job->plan->item_bytes;
    (void)units;
    return all.kh * all.kw * all.c * item + co_depthwise_band(&all, item);
}

/* The sums of each image, in bands as the convolution takes them. */
static void run_sums(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    const co_window *s = window_of(step);
    const ptrdiff_t item = job->plan->item_bytes, most = co_depthwise_rows(s, item);
    const char *dy = co_locate(job, arena, step->in[0], first);
    const char *x = co_locate(job, arena, step->in[1], first);
    char *sums = co_locate(job, arena, step->out[0], first), *band = arena + job->scratch;
    co_window some = *s;
    some.w = co_window_wide(s);
    some.top = some.left = 0;
    for (ptrdiff_t i = 0, n = co_positions(job, step, units); i < n; i++) {
        for (ptrdiff_t from = 0; from < s->oh; from += most) {
            some.oh = s->oh - from < most ? s->oh - from : most;
            some.h = co_window_high(s, some.oh);
            co_copy_band(job->plan->kernels, s, x, from * s->sh - s->top, some.h, some.w, band);
            job->plan->kernels->depthwise_sums(&some, band, dy, sums, from > 0);
            dy += some.oh * s->ow * s->c * item;
        }
        x += s->h * s->w * s->c * item;
        sums += s->kh * s->kw * s->c * item;
    }
}

static ptrdiff_t sums_scratch(const co_job *job, const co_step *step, ptrdiff_t units) {
    (void)units;
    return co_depthwise_band(window_of(step), job->plan->item_bytes);
}

void co_depthwise_back(co_backward *back, const co_step *step) {
    const co_window *s = window_of(step);
    const int w = step->w[0], bias = step->w[1], dy = back->gradient[step->out[0]];
    const ptrdiff_t n = s->kh * s->kw * s->c;
    if (co_weight_learns(back->plan, w)) {
        co_step sums = *step;
        sums.kind = &depthwise_sums;
        sums.in[0] = dy;
        sums.in[1] = step->in[0];
        const int part = co_back_append(back, sums, step->positions * n);
        co_back_use(back, w, -1, co_back_keep(back, part, n, step->positions, CO_KEEP_ROWS));
    }
    if (co_weight_learns(back->plan, bias))
        co_back_use(back, bias, -1,
                    co_back_keep(back, dy, s->c, step->positions * s->oh * s->ow, CO_KEEP_ROWS));
    co_back_through(back, step, &depthwise_grad, -1);
}

static const co_kind depthwise_grad = {.name = "depthwise gradient",
                                       .run = run_grad,
                                       .pack = co_depthwise_pack,
                                       .cost = co_depthwise_cost,
                                       .scratch = grad_scratch};
static const co_kind depthwise_sums = {.name = "depthwise weights' gradient",
                                       .run = run_sums,
                                       .cost = co_depthwise_cost,
                                       .scratch = sums_scratch};
