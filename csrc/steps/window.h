/* steps/window.h - what the steps of images know of each other. */
#ifndef COREOPS_STEPS_WINDOW_H
#define COREOPS_STEPS_WINDOW_H

#include "../plan.h"

/* More pixels on a side, or channels, than any image has; products of two do not overflow. */
#define CO_MOST_SIDE ((ptrdiff_t)INT32_MAX / 4)

/* The images that x is, or a status if it is none, or the window is not one. */
ptrdiff_t co_window_images(const co_plan *plan, int x, const co_window *s);

/* window.c. co_plan_conv in a plan that trains: columns, and a dense step that multiplies them. */
int co_plan_learning_conv(co_plan *plan, int x, const co_window *s, ptrdiff_t groups, int w,
                          int bias);

/* winograd.c. Whether tiles take less time than the sum in order. */
int co_winograd_pays(const co_window *s, ptrdiff_t n);
/* The transformed kernels w[3,3,k,n] in panels: CO_WINOGRAD_NUMBERS of k by n, `apart` bytes apart.
 */
co_status co_winograd_pack(const co_kernels *kernels, ptrdiff_t k, ptrdiff_t n, ptrdiff_t item,
                           const void *w, char *panels, ptrdiff_t apart);
enum { CO_WINOGRAD_TILE = 4, CO_WINOGRAD_NUMBERS = 36 };

static inline ptrdiff_t co_ceiling(ptrdiff_t a, ptrdiff_t b) { return (a + b - 1) / b; }

#endif
