/* channels.c - sums over the rows of a whole batch, and what follows, shared out over threads. */
#include "channels.h"

#include <stdlib.h>
#include <string.h>

#include "parallel.h"

/* The rows of a chunk take about this much, and are a multiple of those that channel_sums adds up
 * before it goes on in double. */
enum { CO_CHUNK_BYTES = 64 * 1024, CO_CHUNK_ROWS = 32 };

typedef struct co_pass {
    const co_channels *batch;
    ptrdiff_t rows; /* of a chunk; the last one may have less */
    double *parts;  /* sums and products of each chunk */
    const void *a, *b, *c;
    void *to;
} co_pass;

static ptrdiff_t chunk_rows(const co_channels *batch) {
    const ptrdiff_t bytes = batch->n * (batch->kernels->real_bits / 8);
    const ptrdiff_t rows = CO_CHUNK_BYTES / (bytes ? bytes : 1) / CO_CHUNK_ROWS * CO_CHUNK_ROWS;
    return rows ? rows : CO_CHUNK_ROWS;
}

/* Does all chunks; an element takes about the time of moving it twice, at 10 GB/s. */
static void go_over(co_pass *pass, co_chunk *work, int threads) {
    const co_channels *batch = pass->batch;
    pass->rows = chunk_rows(batch);
    const ptrdiff_t chunks = (batch->m + pass->rows - 1) / pass->rows;
    const double bytes = (double)batch->m * (double)batch->n * (batch->kernels->real_bits / 8);
    co_parallel(chunks, co_team(chunks, bytes / 5, threads), work, pass);
}

/* Its rows, from *first on. */
static ptrdiff_t rows_of(const co_pass *pass, ptrdiff_t chunk, ptrdiff_t *first) {
    const ptrdiff_t left = pass->batch->m - (*first = chunk * pass->rows);
    return left < pass->rows ? left : pass->rows;
}

/* Row `first` of x, or NULL. */
static const char *at(const co_channels *batch, const void *x, ptrdiff_t first) {
    return x ? (const char *)x + first * batch->n * (batch->kernels->real_bits / 8) : NULL;
}

static void sum_chunk(void *context, int worker, ptrdiff_t chunk) {
    const co_pass *pass = context;
    const co_channels *batch = pass->batch;
    double *sums = pass->parts + 2 * chunk * batch->n;
    ptrdiff_t first;
    const ptrdiff_t rows = rows_of(pass, chunk, &first);
    (void)worker;
    memset(sums, 0, 2 * (size_t)batch->n * sizeof *sums);
    batch->kernels->channel_sums(rows, batch->n, batch->mask ? batch->mask + first : NULL,
                                 at(batch, batch->x, first), at(batch, batch->dy, first),
                                 batch->center, sums, sums + batch->n);
}

co_status co_channel_sums(const co_channels *batch, double *sums, double *products, int threads) {
    const ptrdiff_t n = batch->n, rows = chunk_rows(batch), chunks = (batch->m + rows - 1) / rows;
    co_pass pass = {.batch = batch};
    memset(sums, 0, (size_t)n * sizeof *sums);
    memset(products, 0, (size_t)n * sizeof *products);
    if (chunks == 0) return CO_OK;
    pass.parts = malloc(2 * (size_t)(chunks * n + 1) * sizeof *pass.parts);
    if (!pass.parts) return CO_NO_MEMORY;
    go_over(&pass, sum_chunk, threads);
    for (ptrdiff_t chunk = 0; chunk < chunks; chunk++)
        for (ptrdiff_t j = 0; j < n; j++) {
            sums[j] += pass.parts[2 * chunk * n + j];
            products[j] += pass.parts[(2 * chunk + 1) * n + j];
        }
    free(pass.parts);
    return CO_OK;
}

static void affine_chunk(void *context, int worker, ptrdiff_t chunk) {
    const co_pass *pass = context;
    const co_channels *batch = pass->batch;
    ptrdiff_t first;
    const ptrdiff_t rows = rows_of(pass, chunk, &first);
    (void)worker;
    batch->kernels->affine(rows, batch->n, 1, at(batch, batch->x, first), batch->center, pass->a,
                           pass->b, (char *)at(batch, pass->to, first));
}

void co_channel_affine(const co_channels *batch, const void *scale, const void *shift, void *y,
                       int threads) {
    go_over(&(co_pass){.batch = batch, .a = scale, .b = shift, .to = y}, affine_chunk, threads);
}

static void grad_chunk(void *context, int worker, ptrdiff_t chunk) {
    const co_pass *pass = context;
    const co_channels *batch = pass->batch;
    ptrdiff_t first;
    const ptrdiff_t rows = rows_of(pass, chunk, &first);
    (void)worker;
    batch->kernels->channel_grad(rows, batch->n, batch->mask ? batch->mask + first : NULL,
                                 at(batch, batch->x, first), at(batch, batch->dy, first),
                                 batch->center, pass->a, pass->b, pass->c,
                                 (char *)at(batch, pass->to, first));
}

void co_channel_grad(const co_channels *batch, const void *a, const void *b, const void *c,
                     void *dx, int threads) {
    go_over(&(co_pass){.batch = batch, .a = a, .b = b, .c = c, .to = dx}, grad_chunk, threads);
}
