/* lesson.c - what goes into a step of training beside its inputs, and what comes out of it. */
#include "train.h"

double co_weighted_sum(int real_bits, ptrdiff_t n, const void *x, const void *w) {
    const float *xf = x, *wf = w;
    const double *xd = x, *wd = w;
    double sum = 0;
    for (ptrdiff_t i = 0; i < n; i++)
        if (real_bits == 32)
            sum += w ? (double)wf[i] * xf[i] : xf[i];
        else
            sum += w ? wd[i] * xd[i] : xd[i];
    return sum;
}

int co_labels(int bytes, ptrdiff_t n, const void *labels, ptrdiff_t classes, int32_t *y) {
    const int32_t *narrow = labels;
    const int64_t *wide = labels;
    int bad = 0; /* negative numbers are large as unsigned ones */
    if (bytes == 4)
        for (ptrdiff_t i = 0; i < n; i++) bad |= (uint64_t)(int64_t)narrow[i] >= (uint64_t)classes;
    else
        for (ptrdiff_t i = 0; i < n; i++) {
            bad |= (uint64_t)wide[i] >= (uint64_t)classes;
            y[i] = (int32_t)wide[i];
        }
    return !bad;
}
