/* steps/conv.h - a convolution as its step (conv.c), its weights (conv_weights.c) and its way back
 * (conv_back.c) know it. */
#ifndef COREOPS_STEPS_CONV_H
#define COREOPS_STEPS_CONV_H

#include "window.h"

typedef enum co_conv_way { STRIPS, COLUMNS, TILES } co_conv_way;

/* The weights of a convolution that takes gradients back: those of the one that it belongs to with
 * channels and filters changed, and of its taps some, from the last to the first. */
typedef struct co_turn {
    char *w; /* owned; NULL: the weights are as they are */
    ptrdiff_t kw;
    ptrdiff_t y, x, down, right; /* the tap that comes first, and how far back the next is */
} co_turn;

typedef struct co_conv {
    co_window s;
    ptrdiff_t n, groups;
    co_conv_way way;
    co_act act;
    /* where results go, in elements: the first, and the distance to the next of a row, to the next
     * row, to the next image */
    ptrdiff_t first, across, down, image;
    co_turn turn;
    char *panels, *tiles; /* owned: those of each group, and of each of Winograd's numbers; NULL:
                             the weight's own do, or there are none */
    ptrdiff_t apart, between; /* bytes from one to the next of either */
    uint64_t version;         /* of the trainer's weights that are in them */
    ptrdiff_t rows, band;     /* of results, of tiles, or images that are a row; and done at once */
    int inside;               /* no padding: the image is read where it is */
    ptrdiff_t wide;           /* pixels of a row in a band */
    ptrdiff_t strips, length; /* of a window, and the elements of each */
    ptrdiff_t at[];           /* the strips, from the window's first pixel */
} co_conv;

/* conv.c. A convolution with results one after the other, or NULL. */
co_conv *co_conv_create(const co_window *s, ptrdiff_t n, ptrdiff_t groups);
void co_conv_destroy(co_conv *c);
/* Appends it, on `images` images of x, taking it over. The result is a new value or, if there are
 * several convolutions that make its pixels, value `out`. */
int co_conv_append(co_plan *plan, co_conv *c, int x, ptrdiff_t images, int w, int bias, int out);
/* conv_weights.c. What its kind does about weights. */
co_status co_conv_pack(co_plan *plan, co_step *step);
co_status co_conv_prepare(const co_job *job, const co_step *step);

/* conv_back.c. */
void co_conv_back(co_backward *back, const co_step *step);

#endif
