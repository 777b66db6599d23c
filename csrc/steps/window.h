/* steps/window.h - what the steps of images know of each other. */
#ifndef COREOPS_STEPS_WINDOW_H
#define COREOPS_STEPS_WINDOW_H

#include "../plan.h"

/* More pixels on a side, or channels, than any image has; products of two do not overflow. */
#define CO_MOST_SIDE ((ptrdiff_t)INT32_MAX / 4)

/* The images that x is, or a status if it is none, or the window is not one. */
ptrdiff_t co_window_images(const co_plan *plan, int x, const co_window *s);

/* What a step of pooling, padding, or of a convolution channel by channel has. */
typedef struct co_windows {
    co_window s;
    int average; /* pooling */
    co_act act;  /* depthwise */
} co_windows;

/* window.c. Of convolutions channel by channel: the rows of results that are made at once, the
 * bytes of the image that these take, with its padding, and what their kind does. */
ptrdiff_t co_depthwise_rows(const co_window *s, ptrdiff_t item);
ptrdiff_t co_depthwise_band(const co_window *s, ptrdiff_t item);
co_status co_depthwise_pack(co_plan *plan, co_step *step);
double co_depthwise_cost(const co_plan *plan, const co_step *step);
/* depthwise_back.c. */
void co_depthwise_back(co_backward *back, const co_step *step);

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

/* winograd.c. Whether tiles take less time than the sum in order. */
int co_winograd_pays(const co_window *s, ptrdiff_t n);
enum { CO_WINOGRAD_TILE = 4, CO_WINOGRAD_NUMBERS = 36 };

static inline ptrdiff_t co_ceiling(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

#endif
