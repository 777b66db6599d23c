/* batchnorm.c - batch normalisation while it trains: moments out of those of chunks, what follows
 * from them, and batches as a whole. */
#include "batchnorm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"

/* A vector of float or double, read and written in double. */
static double get(const co_moments *of, const void *x, ptrdiff_t j) {
    return of->kernels->real_bits == 32 ? ((const float *)x)[j] : ((const double *)x)[j];
}

static void set(const co_moments *of, void *x, ptrdiff_t j, double value) {
    if (of->kernels->real_bits == 32)
        ((float *)x)[j] = (float)value;
    else
        ((double *)x)[j] = value;
}

/* ------------------------------------------------------------------------------- moments */

void co_moments_part(const co_moments *of, ptrdiff_t rows, const uint8_t *mask, const void *x,
                     double *part) {
    memset(part, 0, (size_t)co_part_size(of->n) * sizeof *part);
    part[0] = of->kernels->channel_moments(rows, of->n, mask, x, 0, part + 1, part + 1 + of->n);
}

/* part becomes the moments of its own rows and of another's. */
static void merge(ptrdiff_t n, double *part, const double *other) {
    const double count = part[0] + other[0];
    if (other[0] == 0) return;
    const double share = other[0] / count, both = part[0] * share;
    part[0] = count;
    for (ptrdiff_t j = 1; j <= n; j++) {
        const double apart = other[j] - part[j];
        part[j] += apart * share;
        part[n + j] += other[n + j] + apart * apart * both;
    }
}

void co_moments_settle(co_moments *of, int masked, ptrdiff_t chunks, double *parts) {
    const ptrdiff_t n = of->n;
    for (ptrdiff_t chunk = 1; chunk < chunks; chunk++)
        merge(n, parts, parts + chunk * co_part_size(n));
    const double count = parts[0], *means = parts + 1, *squares = means + n;
    of->weight = masked ? count + of->fuzz : count;
    for (ptrdiff_t j = 0; j < n; j++) {
        const double mean = means[j] * count / of->weight, off = mean - means[j];
        of->mean[j] = mean;
        of->variance[j] = (squares[j] + count * off * off) / of->weight;
        if (of->variance[j] < 0) of->variance[j] = 0;
        of->scale[j] = 1 / sqrt(of->variance[j] + of->epsilon);
        of->factor[j] = of->scale[j] * (of->gamma ? get(of, of->gamma, j) : 1);
        of->sums[j] = of->products[j] = 0;
        set(of, of->center, j, mean);
        set(of, of->times, j, of->factor[j]);
        set(of, of->shift, j,
            (get(of, of->center, j) - mean) * of->factor[j] +
                (of->beta ? get(of, of->beta, j) : 0));
    }
}

void co_moments_part_back(const co_moments *of, ptrdiff_t rows, const void *x, const void *dy,
                          double *part) {
    memset(part, 0, (size_t)co_part_size(of->n) * sizeof *part);
    of->kernels->channel_sums(rows, of->n, x, dy, of->center, part + 1, part + 1 + of->n);
}

void co_moments_settle_back(co_moments *of, ptrdiff_t chunks, double *parts) {
    const ptrdiff_t n = of->n;
    for (ptrdiff_t chunk = 1; chunk < chunks; chunk++)
        for (ptrdiff_t j = 1; j <= 2 * n; j++) parts[j] += parts[chunk * co_part_size(n) + j];
    const double *sums = parts + 1, *products = sums + n;
    for (ptrdiff_t j = 0; j < n; j++) {
        const double off = of->mean[j] - get(of, of->center, j), scale = of->scale[j];
        of->sums[j] += sums[j];
        of->products[j] += products[j] - off * sums[j];
        const double by_x = -of->factor[j] * scale * scale * of->products[j] / of->weight;
        set(of, of->by_x, j, by_x);
        set(of, of->rest, j, -of->factor[j] * of->sums[j] / of->weight - by_x * off);
        if (of->dgamma)
            set(of, of->dgamma, j, get(of, of->dgamma, j) + scale * (products[j] - off * sums[j]));
        if (of->dbeta) set(of, of->dbeta, j, get(of, of->dbeta, j) + sums[j]);
    }
}

static void approach(const co_moments *of, void *average, const double *moment, double keep) {
    for (ptrdiff_t j = 0; j < of->n; j++)
        set(of, average, j, get(of, average, j) * keep + moment[j] * (1 - keep));
}

void co_batch_norm_move(const co_moments *of, void *mean, void *variance, double keep) {
    approach(of, mean, of->mean, keep);
    approach(of, variance, of->variance, keep);
}

/* ------------------------------------------------------------------------- whole batches */

/* The rows of a chunk take about this much, and are a multiple of those that kernels add up before
 * they go on in double. */
enum { CO_CHUNK_BYTES = 64 * 1024, CO_CHUNK_ROWS = 32 };

typedef struct co_pass {
    const co_moments *of;
    ptrdiff_t m, rows; /* of the batch; of a chunk, the last one may have less */
    const uint8_t *mask;
    const char *x, *dy;
    char *y;
    double *parts;
} co_pass;

/* Where a chunk begins, and its rows. */
typedef struct co_stretch {
    ptrdiff_t rows, at; /* bytes */
    const uint8_t *mask;
} co_stretch;

static co_stretch stretch_of(const co_pass *pass, ptrdiff_t chunk) {
    const ptrdiff_t first = chunk * pass->rows, left = pass->m - first;
    return (co_stretch){.rows = left < pass->rows ? left : pass->rows,
                        .at = first * pass->of->n * (pass->of->kernels->real_bits / 8),
                        .mask = pass->mask ? pass->mask + first : NULL};
}

static void part_of(void *context, int worker, ptrdiff_t chunk) {
    const co_pass *pass = context;
    const co_stretch s = stretch_of(pass, chunk);
    double *part = pass->parts + chunk * co_part_size(pass->of->n);
    (void)worker;
    if (pass->dy)
        co_moments_part_back(pass->of, s.rows, pass->x + s.at, pass->dy + s.at, part);
    else
        co_moments_part(pass->of, s.rows, s.mask, pass->x + s.at, part);
}

static void result_of(void *context, int worker, ptrdiff_t chunk) {
    const co_pass *pass = context;
    const co_moments *of = pass->of;
    const co_stretch s = stretch_of(pass, chunk);
    const char *x = pass->x + s.at;
    (void)worker;
    if (pass->dy)
        of->kernels->channel_grad(s.rows, of->n, s.mask, x, pass->dy + s.at, of->center, of->times,
                                  of->by_x, of->rest, pass->y + s.at);
    else
        of->kernels->affine(s.rows, of->n, 1, x, of->center, of->times, of->shift, pass->y + s.at);
}

/* Sums, what follows from them, and what becomes of the rows. An element takes about the time of
 * moving it twice, at 10 GB/s. */
static co_status go_over(co_moments *of, co_pass *pass, int threads) {
    const ptrdiff_t bytes = of->n * (of->kernels->real_bits / 8);
    const ptrdiff_t rows = CO_CHUNK_BYTES / (bytes ? bytes : 1) / CO_CHUNK_ROWS * CO_CHUNK_ROWS;
    pass->of = of;
    pass->rows = rows ? rows : CO_CHUNK_ROWS;
    const ptrdiff_t chunks = (pass->m + pass->rows - 1) / pass->rows;
    const int team = co_team(chunks, (double)pass->m * (double)bytes / 5, threads);
    pass->parts = calloc((size_t)((chunks + 1) * co_part_size(of->n)), sizeof *pass->parts);
    if (!pass->parts) return CO_NO_MEMORY;
    co_parallel(chunks, team, part_of, pass);
    if (pass->dy)
        co_moments_settle_back(of, chunks, pass->parts);
    else
        co_moments_settle(of, pass->mask != NULL, chunks, pass->parts);
    free(pass->parts);
    co_parallel(chunks, team, result_of, pass);
    return CO_OK;
}

co_status co_batch_norm(co_moments *of, ptrdiff_t m, const uint8_t *mask, const void *x, void *y,
                        int threads) {
    return go_over(of, &(co_pass){.m = m, .mask = mask, .x = x, .y = y}, threads);
}

co_status co_batch_norm_back(co_moments *of, ptrdiff_t m, const uint8_t *mask, const void *x,
                             const void *dy, void *dx, int threads) {
    memset(of->sums, 0, (size_t)of->n * sizeof *of->sums);
    memset(of->products, 0, (size_t)of->n * sizeof *of->products);
    return go_over(of, &(co_pass){.m = m, .mask = mask, .x = x, .dy = dy, .y = dx}, threads);
}
