/* depthwise_back.c - the way back of convolutions channel by channel: that of the image is one of
 * dy, whose pixels lie as far apart as windows do, with nothing between them, by the turned kernel.
 */
#include <string.h>

#include "../backward.h"
#include "../execute.h"
#include "window.h"

static const co_kind grad, sums;

static const co_window *window_of(const co_step *step) { return step->u.own; }

/* The bytes of a band of pixels, which stays in the first cache; and the rows of results that it
 * gives. */
enum { CO_BACK_BAND = 20 * 1024 };

static ptrdiff_t band_rows(const co_window *s, ptrdiff_t item) {
    const ptrdiff_t row = s->sh * co_window_wide(s) * s->c * item;
    const ptrdiff_t rows = CO_BACK_BAND / (row ? row : 1);
    return rows < 1 ? 1 : rows < s->oh ? rows : s->oh;
}

static ptrdiff_t band_bytes(const co_window *s, ptrdiff_t item) {
    return co_window_high(s, band_rows(s, item)) * co_window_wide(s) * s->c * item;
}

/* The window that goes over dy with its gaps. */
static co_window turned(const co_window *s) {
    co_window to = *s;
    to.h = (s->oh - 1) * s->sh + 1;
    to.w = (s->ow - 1) * s->sw + 1;
    to.sh = to.sw = 1;
    to.oh = s->h;
    to.ow = s->w;
    to.top = (s->kh - 1) * s->dh - s->top;
    to.left = (s->kw - 1) * s->dw - s->left;
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

static void take_back(const co_job *job, const co_window *s, const char *dy, char *dx,
                      const char *kernel, char *band) {
    static const co_act linear = {.kind = CO_ACT_LINEAR};
    const co_kernels *kernels = job->plan->kernels;
    const co_window all = turned(s);
    if (s->sh * s->sw == 1) { /* no gaps */
        kernels->depthwise(&all, 0, s->h, dy, kernel, NULL, dx, &linear);
        return;
    }
    const ptrdiff_t item = job->plan->item_bytes, most = band_rows(&all, item);
    co_window some = all;
    some.w = co_window_wide(&all);
    some.top = some.left = 0;
    for (ptrdiff_t first = 0; first < s->h; first += most) {
        some.oh = s->h - first < most ? s->h - first : most;
        some.h = co_window_high(&some, some.oh);
        copy_gaps(job, s, dy, first - all.top, -all.left, some.h, some.w, band);
        kernels->depthwise(&some, 0, some.oh, band, kernel, NULL, dx, &linear);
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
        take_back(job, s, dy + i * s->oh * s->ow * bytes, dx + i * s->h * s->w * bytes, kernel,
                  kernel + taps * bytes);
}

static ptrdiff_t grad_scratch(const co_job *job, const co_step *step, ptrdiff_t units) {
    const co_window all = turned(window_of(step));
    const ptrdiff_t item = job->plan->item_bytes;
    (void)units;
    return all.kh * all.kw * all.c * item + band_bytes(&all, item);
}

static void run_sums(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                     ptrdiff_t units) {
    CO_EACH_IMAGE(job, step, units, images)
    job->plan->kernels->depthwise_sums(window_of(step),
                                       co_image(job, step, arena, first, step->in[1], image),
                                       co_image(job, step, arena, first, step->in[0], image),
                                       co_image(job, step, arena, first, step->out[0], image));
}

static co_status pack(co_plan *plan, co_step *step) {
    step->form[0] = co_weight_data(plan, step->w[0]);
    return step->form[0] ? CO_OK : CO_NO_MEMORY;
}

/* 4 NR GFLOP/s, as for the way forth. */
static double cost(const co_plan *plan, const co_step *step) {
    const co_window *s = window_of(step);
    const double pixels = (double)(step->positions / plan->units * s->oh * s->ow * s->c);
    return pixels * (double)(s->kh * s->kw) / 2 / plan->kernels->gemm_nr;
}

void co_depthwise_back(co_backward *back, const co_step *step, int w, int bias) {
    const co_window *s = window_of(step);
    const int x = step->in[0], dy = back->gradient[step->out[0]];
    const ptrdiff_t n = s->kh * s->kw * s->c;
    co_step to = co_step_of(&sums, dy, step->positions);
    to.u.own = step->u.own;
    if (co_weight_learns(back->plan, w)) {
        to.in[1] = x;
        const int part = co_back_append(back, to, step->positions * n);
        co_back_use(back, w, -1, co_back_keep(back, part, n, step->positions, CO_KEEP_ROWS));
    }
    if (co_weight_learns(back->plan, bias)) co_back_sum_rows(back, bias, dy, s->c, step->positions);
    if (!back->moves[x]) return;
    to.kind = &grad;
    to.in[1] = -1;
    to.w[0] = w;
    co_back_add(back, x, co_back_append(back, to, back->plan->values[x].size));
}

static const co_kind grad = {.name = "depthwise gradient",
                             .run = run_grad,
                             .pack = pack,
                             .cost = cost,
                             .scratch = grad_scratch};
static const co_kind sums = {.name = "depthwise weights' gradient", .run = run_sums, .cost = cost};
