/* backward.h - a plan while it is differentiated, for the kinds that say how. */
#ifndef COREOPS_BACKWARD_H
#define COREOPS_BACKWARD_H

#include "plan.h"

struct co_backward {
    co_plan *plan;
    int *gradient; /* of each forward value: the value that it is, or -1 */
    char *moves;   /* whether a value depends on a weight that learns */
    co_status status;
};

/* Appends a step that makes a gradient of `size` elements, or with -1 none. What the step has in u
 * may be that of a forward step, which owns it. */
int co_back_append(co_backward *back, co_step step, ptrdiff_t size);
/* The gradient of v has another part. */
void co_back_add(co_backward *back, int v, int part);
/* Keeps n elements of each position of v, in a layout of CO_KEEP_... Returns what it is kept as. */
int co_back_keep(co_backward *back, int v, ptrdiff_t n, ptrdiff_t positions, int layout);
/* The gradient of weight w is the product of what was kept as x and dy; with x -1, the sum of dy's
 * rows. */
void co_back_use(co_backward *back, int w, int x, int dy);
/* The gradients of weight w's rows whose numbers were kept as x are dy's. */
void co_back_use_rows(co_backward *back, int w, int x, int dy);
/* The gradient of vector w is the sum of v's rows of n: those of each of `parts` parts of a sample
 * are added while they are at hand. */
void co_back_sum_rows(co_backward *back, int w, int v, ptrdiff_t n, ptrdiff_t parts);
/* The gradient of weight w is summed over chunks of what was kept as x and dy. Returns the number
 * of that use. */
int co_back_use_chunks(co_backward *back, int w, int x, int dy, const co_chunked *how);
/* The same for windows of n filters over `images` images x of a sample, dy being the gradients of
 * results. */
void co_back_sum_windows(co_backward *back, int w, int x, int dy, const co_window *s, ptrdiff_t n,
                         ptrdiff_t groups, ptrdiff_t images);
/* The sum of two values, and a gradient of x that is nothing but zeros. */
int co_back_sum(co_backward *back, int x, int with);
int co_back_nothing(co_backward *back, int x);
/* The usual case: a step of `kind`, with what `step` has, takes the gradient of its result and,
 * unless it is -1, value `with` to the gradient of its operand. */
void co_back_through(co_backward *back, const co_step *step, const co_kind *kind, int with);

#endif
