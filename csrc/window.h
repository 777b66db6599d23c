/* window.h - a window that slides over the pixels of an image: what convolutions, pooling and their
 * gradients have in common. */
#ifndef COREOPS_WINDOW_H
#define COREOPS_WINDOW_H

#include <stddef.h>

/* The points of winograd_tpl.h. */
#define CO_WINOGRAD_P 0.6875
#define CO_WINOGRAD_Q 1.375

/* Images are (h, w, c) of one sample, results (oh, ow, ...). The window of result (y, x) has its
 * first pixel at (y * sh - top, x * sw - left) and kh by kw of them, dh rows and dw columns apart.
 * Pixels outside the image are padding. A sequence is an image of one row. */
typedef struct co_window {
    ptrdiff_t h, w, c;
    ptrdiff_t kh, kw, sh, sw, dh, dw;
    ptrdiff_t top, left, oh, ow;
} co_window;

/* Those i of 0 .. count - 1 for which start + i * step is in 0 .. size - 1: from *first to the one
 * before the result. */
static inline ptrdiff_t co_inside(ptrdiff_t start, ptrdiff_t step, ptrdiff_t count, ptrdiff_t size,
                                  ptrdiff_t *first) {
    ptrdiff_t from = start < 0 ? (-start + step - 1) / step : 0;
    ptrdiff_t to = start < size ? (size - start + step - 1) / step : 0;
    if (to > count) to = count;
    *first = from < to ? from : to;
    return to;
}

#endif
