/* batchnorm.h - batch normalisation while it trains, by the moments of all rows of a batch: y is
 * (x - mean) / sqrt(variance + epsilon) * gamma + beta for each of n channels.
 *
 * Sums are made in chunks of rows, which shapes alone cut, and added in order. A step of training
 * makes them where the rows come from, and the rest where they go to (steps/batchnorm.c); here it
 * is also done for a batch as a whole. */
#ifndef COREOPS_BATCHNORM_H
#define COREOPS_BATCHNORM_H

#include "coreops.h"

typedef struct co_moments {
    const co_kernels *kernels;
    ptrdiff_t n;
    double epsilon, fuzz;     /* fuzz is added to the number of rows where there is a mask */
    const void *gamma, *beta; /* n reals each, as all that follows; NULL: none */
    void *dgamma, *dbeta;     /* where their gradients are added, or NULL */
    /* What the last batch had, n doubles each: its moments, 1 / sqrt(variance + epsilon), and times
     * gamma; and so far on the way back the sums of dy, and of (x - center) dy. */
    double weight, *mean, *variance, *scale, *factor, *sums, *products;
    /* y = (x - center) times + shift, dx = dy times + (x - center) by_x + rest. */
    void *center, *times, *shift, *by_x, *rest;
} co_moments;

/* The doubles of a chunk's part: the number of its rows, or nothing, and n of two kinds. */
static inline ptrdiff_t co_part_size(ptrdiff_t n) { return 2 * n + 1; }

/* A chunk's part: of the moments of the rows that the mask keeps (NULL: all), or of the sums of the
 * way back. */
void co_moments_part(const co_moments *of, ptrdiff_t rows, const uint8_t *mask, const void *x,
                     double *part);
void co_moments_part_back(const co_moments *of, ptrdiff_t rows, const void *x, const void *dy,
                          double *part);
/* All parts of a batch make what it is normalised by. */
void co_moments_settle(co_moments *of, int masked, ptrdiff_t chunks, double *parts);
/* On the way back, where the result may have been read in several places, each gives its parts;
 * the gradients of gamma and beta are added to what is there. */
void co_moments_settle_back(co_moments *of, ptrdiff_t chunks, double *parts);

/* Normalises m rows, and the way back from dy. */
co_status co_batch_norm(co_moments *of, ptrdiff_t m, const uint8_t *mask, const void *x, void *y,
                        int threads);
co_status co_batch_norm_back(co_moments *of, ptrdiff_t m, const uint8_t *mask, const void *x,
                             const void *dy, void *dx, int threads);
/* Moving averages approach the moments; they keep so much of themselves. */
void co_batch_norm_move(const co_moments *of, void *mean, void *variance, double keep);

#endif
