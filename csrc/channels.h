/* channels.h - what batch normalisation does with a whole batch while it trains: sums over all
 * rows, and what follows from them for each element. */
#ifndef COREOPS_CHANNELS_H
#define COREOPS_CHANNELS_H

#include "coreops.h"

/* A batch as m rows of n channels; rows where mask is 0 are left out of sums (NULL: none is). */
typedef struct co_channels {
    const co_kernels *kernels;
    ptrdiff_t m, n;
    const uint8_t *mask;
    const void *x, *dy, *center; /* dy and center may be NULL where the kernel's may */
} co_channels;

/* The kernel channel_sums over all rows: n sums and n products. The rows are cut by m and n alone,
 * and the parts added in order, so that bits do not depend on threads. */
co_status co_channel_sums(const co_channels *batch, double *sums, double *products, int threads);
/* The kernels affine, of x, and channel_grad. */
void co_channel_affine(const co_channels *batch, const void *scale, const void *shift, void *y,
                       int threads);
void co_channel_grad(const co_channels *batch, const void *a, const void *b, const void *c,
                     void *dx, int threads);

/* What batch normalisation goes by: n doubles each, and n reals. */
typedef struct co_moments {
    double epsilon, fuzz; /* fuzz is added to the number of rows where there is a mask */
    double weight;
    double *mean, *variance, *scale, *factor, *sums, *products;
    void *center, *a, *b, *c;
} co_moments;

/* Normalises the channels of x by the moments of the rows that the mask keeps; gamma and beta may
 * be NULL. */
co_status co_batch_norm(co_channels *batch, co_moments *of, const void *gamma, const void *beta,
                        void *y, int threads);
/* The way back from dy: the gradient of x, and those of gamma and beta, which are added to what is
 * there, where they are not NULL. */
co_status co_batch_norm_back(co_channels *batch, co_moments *of, void *dx, void *dgamma,
                             void *dbeta, int threads);
/* Moving averages approach the moments, of which they keep so much. */
void co_batch_norm_move(const co_channels *batch, const co_moments *of, void *mean, void *variance,
                        double keep);

#endif
