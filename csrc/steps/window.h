/* steps/window.h - what the steps of images know of each other. */
#ifndef COREOPS_STEPS_WINDOW_H
#define COREOPS_STEPS_WINDOW_H

#include "../execute.h"
#include "../parallel.h"

/* More pixels on a side, or channels, than any image has; products of two do not overflow. */
#define CO_MOST_SIDE ((ptrdiff_t)INT32_MAX / 4)

/* The images that x is, or a status if it is none, or the window is not one. */
ptrdiff_t co_window_images(const co_plan *plan, int x, const co_window *s);

/* What a step works on, image by image: operand or result v of one of a block of n. */
#define CO_EACH_IMAGE(job, step, units, n)                                                         \
    for (ptrdiff_t image = 0, n = co_positions(job, step, units); image < n; image++)

static inline char *co_image(const co_job *job, const co_step *step, const char *arena,
                             ptrdiff_t first, int v, ptrdiff_t image) {
    const ptrdiff_t bytes = job->plan->values[v].size / step->positions * job->plan->item_bytes;
    return co_locate(job, arena, v, first) + image * bytes;
}

/* A block of images, in pieces of `band` rows, which a team shares out when the block is all there
 * is: `work` is handed these bands as its job, and a piece's number. */
typedef struct co_bands {
    const co_job *job;
    const co_step *step;
    ptrdiff_t rows, band;
    const char *x;
    char *y, *arena;
} co_bands;

void co_run_bands(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                  ptrdiff_t rows, ptrdiff_t band, co_chunk *work);

/* The pixels that windows of `rows` rows of results reach, and those of a row. */
static inline ptrdiff_t co_window_high(const co_window *s, ptrdiff_t rows) {
    return (rows - 1) * s->sh + (s->kh - 1) * s->dh + 1;
}
static inline ptrdiff_t co_window_wide(const co_window *s) {
    return (s->ow - 1) * s->sw + (s->kw - 1) * s->dw + 1;
}
/* Whether no window reaches beyond the image. */
static inline int co_window_inside(const co_window *s) {
    return s->top == 0 && s->left == 0 && co_window_wide(s) <= s->w &&
           co_window_high(s, s->oh) <= s->h;
}
/* conv.c. `rows` rows of an image from row `top` on, `wide` pixels each, with their padding. */
void co_copy_band(const co_kernels *kernels, const co_window *s, const char *x, ptrdiff_t top,
                  ptrdiff_t rows, ptrdiff_t wide, char *band);
/* depthwise_back.c. The way back of a convolution channel by channel, whose `own` begins with its
 * window, by weights w and bias (-1: none). */
void co_depthwise_back(co_backward *back, const co_step *step, int w, int bias);

/* winograd.c. Whether tiles take less time than the sum in order. */
int co_winograd_pays(const co_window *s, ptrdiff_t n);
enum { CO_WINOGRAD_TILE = 4, CO_WINOGRAD_NUMBERS = 36 };

static inline ptrdiff_t co_ceiling(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

#endif
