/* batchnorm.c - batch normalisation of a whole batch while it trains: moments, result, way back. */
#include "channels.h"

#include <math.h>

/* A vector of float or double, read and written in double. */
static double get(const co_kernels *kernels, const void *x, ptrdiff_t j) {
    return kernels->real_bits == 32 ? ((const float *)x)[j] : ((const double *)x)[j];
}

static void set(const co_kernels *kernels, void *x, ptrdiff_t j, double value) {
    if (kernels->real_bits == 32)
        ((float *)x)[j] = (float)value;
    else
        ((double *)x)[j] = value;
}

static double count_of(const co_channels *batch) {
    if (!batch->mask) return (double)batch->m;
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < batch->m; i++) count += batch->mask[i] != 0;
    return (double)count;
}

co_status co_batch_norm(co_channels *batch, co_moments *of, const void *gamma, const void *beta,
                        void *y, int threads) {
    const co_kernels *kernels = batch->kernels;
    const double count = count_of(batch);
    batch->dy = batch->center = NULL;
    co_status status = co_channel_sums(batch, of->sums, of->products, threads);
    if (status != CO_OK) return status;
    for (ptrdiff_t j = 0; j < batch->n; j++) /* about which squares are summed, and x is centered */
        set(kernels, of->center, j, of->sums[j] / (count > 1 ? count : 1));
    batch->center = of->center;
    status = co_channel_sums(batch, of->sums, of->products, threads);
    if (status != CO_OK) return status;
    of->weight = batch->mask ? count + of->fuzz : count;
    for (ptrdiff_t j = 0; j < batch->n; j++) {
        const double center = get(kernels, of->center, j);
        const double mean = (center * count + of->sums[j]) / of->weight, off = mean - center;
        const double variance =
            (of->products[j] - 2 * off * of->sums[j] + count * off * off) / of->weight;
        of->mean[j] = mean;
        of->variance[j] = variance < 0 ? 0 : variance;
        of->scale[j] = 1 / sqrt(of->variance[j] + of->epsilon);
        of->factor[j] = of->scale[j] * (gamma ? get(kernels, gamma, j) : 1);
        set(kernels, of->center, j, mean);
        set(kernels, of->a, j, of->factor[j]);
        set(kernels, of->b, j,
            (get(kernels, of->center, j) - mean) * of->factor[j] +
                (beta ? get(kernels, beta, j) : 0));
    }
    co_channel_affine(batch, of->a, of->b, y, threads);
    return CO_OK;
}

co_status co_batch_norm_back(co_channels *batch, co_moments *of, void *dx, void *dgamma,
                             void *dbeta, int threads) {
    const co_kernels *kernels = batch->kernels;
    const uint8_t *mask = batch->mask;
    batch->center = of->center;
    batch->mask = NULL; /* what is left out of the moments is normalised all the same */
    const co_status status = co_channel_sums(batch, of->sums, of->products, threads);
    batch->mask = mask;
    if (status != CO_OK) return status;
    for (ptrdiff_t j = 0; j < batch->n; j++) {
        const double off = of->mean[j] - get(kernels, of->center, j), sum = of->sums[j];
        const double product = of->products[j] - off * sum, scale = of->scale[j];
        const double by_x = -of->factor[j] * scale * scale * product / of->weight;
        set(kernels, of->a, j, of->factor[j]);
        set(kernels, of->b, j, by_x);
        set(kernels, of->c, j, -of->factor[j] * sum / of->weight - by_x * off);
        if (dgamma) set(kernels, dgamma, j, get(kernels, dgamma, j) + scale * product);
        if (dbeta) set(kernels, dbeta, j, get(kernels, dbeta, j) + sum);
    }
    co_channel_grad(batch, of->a, of->b, of->c, dx, threads);
    return CO_OK;
}

static void approach(const co_kernels *kernels, ptrdiff_t n, void *average, const double *moment,
                     double keep) {
    for (ptrdiff_t j = 0; j < n; j++)
        set(kernels, average, j, get(kernels, average, j) * keep + moment[j] * (1 - keep));
}

void co_batch_norm_move(const co_channels *batch, const co_moments *of, void *mean, void *variance,
                        double keep) {
    approach(batch->kernels, batch->n, mean, of->mean, keep);
    approach(batch->kernels, batch->n, variance, of->variance, keep);
}
