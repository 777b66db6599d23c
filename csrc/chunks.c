/* chunks.c - gradients of weights that are summed over chunks of a batch's images: those of windows
 * that overlap, and of products at many positions. */
#include "parallel.h"
#include "trainer.h"

/* The images that a use in chunks has kept. */
static ptrdiff_t images_of(const co_trainer *trainer, const co_use *use) {
    return trainer->kept[use->dy].rows / (use->chunks->s.oh * use->chunks->s.ow);
}

static ptrdiff_t chunks_of(const co_trainer *trainer, const co_use *use) {
    return (images_of(trainer, use) + use->chunks->images - 1) / use->chunks->images;
}

void co_trainer_add_chunks(const co_trainer *trainer, const co_piece *piece, const co_use *use,
                           char *g, ptrdiff_t ldg) {
    const co_matrix *matrix = &trainer->weights[piece->weight];
    const ptrdiff_t n = matrix->n, item = trainer->item, chunks = chunks_of(trainer, use);
    const int whole = piece->columns == n && ldg == n;
    const ptrdiff_t count = whole ? piece->rows * n : piece->columns;
    const char *sums = use->chunks->sums + (piece->i * n + piece->j) * item;
    for (ptrdiff_t i = 0; i < (whole ? 1 : piece->rows); i++)
        trainer->kernels->colsum(chunks, count, sums + i * n * item, matrix->k * n,
                                 g + i * ldg * item);
}

void co_trainer_sum_chunk(const co_trainer *trainer, const co_use *use, ptrdiff_t chunk,
                          const char *x, const char *dy, char *scratch) {
    const co_chunked *how = use->chunks;
    const co_matrix *matrix = &trainer->weights[use->weight];
    const ptrdiff_t left = images_of(trainer, use) - chunk * how->images;
    how->sum(trainer->kernels, how, left < how->images ? left : how->images, x, dy,
             how->sums + chunk * matrix->k * matrix->n * trainer->item, scratch);
}

/* Whether there are chunks that a run has left to be summed. */
static int has_chunks(const co_trainer *trainer, const co_use *use) {
    return use->chunks && !use->chunks->at_hand && trainer->kept[use->dy].rows;
}

typedef struct co_call {
    const co_trainer *trainer;
    ptrdiff_t scratch; /* bytes of a worker's */
} co_call;

/* The chunks of all uses, one after the other. */
static void sum_chunk(void *context, int worker, ptrdiff_t chunk) {
    const co_call *call = context;
    const co_trainer *trainer = call->trainer;
    const co_use *use = trainer->uses;
    for (;; use++) {
        if (!has_chunks(trainer, use)) continue;
        const ptrdiff_t count = chunks_of(trainer, use);
        if (chunk < count) break;
        chunk -= count;
    }
    const co_window *s = &use->chunks->s;
    const ptrdiff_t first = chunk * use->chunks->images * trainer->item;
    co_trainer_sum_chunk(trainer, use, chunk,
                         trainer->kept[use->x].data + first * s->h * s->w * s->c,
                         trainer->kept[use->dy].data + first * s->oh * s->ow * use->chunks->n,
                         trainer->scratch + worker * call->scratch);
}

co_status co_trainer_chunks(const co_trainer *trainer, const co_use *use) {
    const co_matrix *matrix = &trainer->weights[use->weight];
    const ptrdiff_t g = matrix->k * matrix->n * trainer->item, chunks = chunks_of(trainer, use);
    co_chunked *how = use->chunks;
    if (g && chunks > PTRDIFF_MAX / 2 / g) return CO_NO_MEMORY;
    return co_room(&how->sums, &how->bytes, (size_t)(chunks * g));
}

co_status co_trainer_sum_chunks(co_trainer *trainer, int threads) {
    co_call call = {.trainer = trainer};
    ptrdiff_t count = 0;
    double ns = 0;
    for (int u = 0; u < trainer->n_uses; u++) {
        const co_use *use = &trainer->uses[u];
        if (!has_chunks(trainer, use)) continue;
        const co_matrix *matrix = &trainer->weights[use->weight];
        const ptrdiff_t chunks = chunks_of(trainer, use);
        const double time = (double)trainer->kept[use->dy].rows * (double)matrix->k *
                            (double)matrix->n / (2 * trainer->kernels->gemm_nr);
        const co_status status = co_trainer_chunks(trainer, use);
        if (status != CO_OK) return status;
        count += chunks;
        ns += time;
        if (use->chunks->scratch > call.scratch) call.scratch = use->chunks->scratch;
    }
    if (!count) return CO_OK;
    const int team = co_team(count, ns, threads);
    call.scratch = (call.scratch / CO_LINE + 1) * CO_LINE;
    const co_status status =
        co_room(&trainer->scratch, &trainer->scratch_bytes, (size_t)team * (size_t)call.scratch);
    if (status != CO_OK) return status;
    co_parallel(count, team, sum_chunk, &call);
    return CO_OK;
}
