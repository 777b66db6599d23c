/* random.c - dropout: the noise's axes become loops over runs of elements. */
#include <string.h>

#include "philox.h"
#include "plan.h"

co_status co_noise_init(co_noise *noise, ptrdiff_t *positions, double rate, int stream, int rank,
                        const ptrdiff_t *shape, const ptrdiff_t *draws, int share_batch) {
    if (!(rate > 0 && rate <= 1) || stream < 0 || rank < 0) return CO_BAD_PLAN;
    *noise = (co_noise){.threshold = (uint64_t)(rate * 4294967296.0 + 0.5),
                        .scale = rate < 1 ? 1 / (1 - rate) : 0,
                        .stream = stream,
                        .n = 1,
                        .size = 1};
    /* From the last axis outwards: words is the distance in the noise. Axes of one
     * kind, drawn or shared, merge with their neighbours; the innermost are the run. */
    ptrdiff_t words = 1;
    co_loop nest[CO_MAX_RANK];
    int loops = 0;
    for (int axis = rank - 1; axis >= 0; axis--) {
        if (draws[axis] != 1 && draws[axis] != shape[axis]) return CO_BAD_PLAN;
        if (shape[axis] == 1) continue;
        int shared = draws[axis] == 1;
        co_loop *outer = loops ? &nest[loops - 1] : NULL;
        if (!loops && (noise->size == 1 || noise->shared == shared)) {
            noise->shared = shared;
            noise->n *= shape[axis];
        } else if (outer && (outer->y == 0) == shared) {
            outer->count *= shape[axis];
        } else if (loops < CO_MAX_RANK) {
            nest[loops++] = (co_loop){shape[axis], noise->size, shared ? 0 : words};
        } else {
            return CO_BAD_PLAN;
        }
        noise->size *= shape[axis];
        words *= draws[axis];
    }
    for (int i = 0; i < loops; i++) noise->loop[i] = nest[loops - 1 - i];
    noise->loops = loops;
    noise->draws = share_batch ? 0 : words;
    /* One word for each element: any cut will do; else whole samples. */
    *positions = noise->draws == noise->size && !noise->shared && !loops ? 0 : 1;
    return CO_OK;
}

static void run_of_noise(const co_kernels *kernels, const co_noise *noise, co_stream stream,
                         uint64_t word, const char *x, char *y) {
    if (!noise->shared)
        kernels->dropout(noise->n, x, y, stream, word, noise->threshold, noise->scale);
    else if (co_philox_word(stream, word) >= noise->threshold)
        kernels->vscale(noise->n, x, y, noise->scale);
    else
        memset(y, 0, (size_t)(noise->n * (kernels->real_bits / 8)));
}

void co_dropout(const co_kernels *kernels, const co_noise *noise, co_stream stream, ptrdiff_t first,
                ptrdiff_t n, const char *x, char *y) {
    const ptrdiff_t item = kernels->real_bits / 8;
    if (!noise->loops && !noise->shared && noise->draws == noise->size) {
        kernels->dropout(n, x, y, stream, (uint64_t)first, noise->threshold, noise->scale);
        return;
    }
    if (noise->size == 0) return;
    for (ptrdiff_t sample = first / noise->size; n > 0; sample++, n -= noise->size) {
        ptrdiff_t index[CO_MAX_RANK] = {0}, at = 0, word = sample * noise->draws;
        for (int axis = 0; axis >= 0;) {
            run_of_noise(kernels, noise, stream, (uint64_t)word, x + at * item, y + at * item);
            for (axis = noise->loops - 1; axis >= 0; axis--) { /* the next run: an odometer */
                const co_loop *loop = &noise->loop[axis];
                at += loop->x, word += loop->y;
                if (++index[axis] < loop->count) break;
                at -= loop->count * loop->x, word -= loop->count * loop->y;
                index[axis] = 0;
            }
        }
        x += noise->size * item, y += noise->size * item;
    }
}
