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

/* The noise that was drawn last, and what became of it. */
enum { DRAWN = 1024, SPREAD = 1024, VECTOR = 16 /* words of the widest */ };
typedef struct noise_state {
    co_stream stream;
    int64_t first; /* of the words drawn; -1: none */
    uint32_t words[DRAWN];
    int64_t spread_at; /* the word that the spread ones begin with; -1: none */
    uint32_t spread[SPREAD + VECTOR];
} noise_state;

/* Words at .. at + n - 1, n <= DRAWN. */
static const uint32_t *drawn(const co_kernels *kernels, noise_state *s, int64_t at, ptrdiff_t n) {
    if (s->first < 0 || at < s->first || at + n > s->first + DRAWN) {
        kernels->draw(DRAWN, s->stream, (uint64_t)at, s->words);
        s->first = at;
    }
    return s->words + (at - s->first);
}

/* The words from `at` on, one for each element of the loops from `loop` on. Returns their end. */
static uint32_t *spread(const co_kernels *kernels, noise_state *s, const co_noise *noise, int loop,
                        int64_t at, uint32_t *to) {
    const co_loop one = {1, noise->n, 1}, *l = loop < noise->loops ? &noise->loop[loop] : &one;
    const int last = loop >= noise->loops - 1;
    if (last && noise->shared) { /* each word of the loop for a run */
        const uint32_t *words = drawn(kernels, s, at, l->count);
        for (ptrdiff_t i = 0; i < l->count; i++)
            for (ptrdiff_t k = 0; k < noise->n; k++) *to++ = words[i];
        return to;
    }
    if (l->y && !last) {
        for (ptrdiff_t i = 0; i < l->count; i++)
            to = spread(kernels, s, noise, loop + 1, at + i * l->y, to);
        return to;
    }
    /* the same words, or runs of them, count times: what is there doubles */
    if (last)
        memcpy(to, drawn(kernels, s, at, noise->n), (size_t)noise->n * sizeof *to);
    else
        spread(kernels, s, noise, loop + 1, at, to);
    const ptrdiff_t all = l->count * l->x;
    for (ptrdiff_t have = l->x; have < all; have *= 2)
        memcpy(to + have, to, (size_t)(all - have < have ? all - have : have) * sizeof *to);
    return to + all;
}

/* From this many elements on a run that shares a word is moved by itself. */
enum { LONG_RUN = 32 };

/* n elements: those of the loops from `outer` on, or of a long run. */
static void piece(const co_kernels *kernels, noise_state *s, const co_noise *noise, int outer,
                  int64_t word, ptrdiff_t n, const char *x, char *y, int past) {
    if (noise->shared && noise->n >= LONG_RUN) {
        if (*drawn(kernels, s, word, 1) >= noise->threshold)
            kernels->vscale(n, x, y, noise->scale);
        else
            memset(y, 0, (size_t)(n * (kernels->real_bits / 8)));
    } else if (n > SPREAD) {
        kernels->dropout(n, x, y, s->stream, (uint64_t)word, noise->threshold, noise->scale, past);
    } else {
        if (s->spread_at != word) spread(kernels, s, noise, outer, word, s->spread);
        s->spread_at = word;
        kernels->keep(n, x, y, s->spread, noise->threshold, noise->scale);
    }
}

void co_dropout(const co_kernels *kernels, const co_noise *noise, co_stream stream, ptrdiff_t first,
                ptrdiff_t n, const char *x, char *y, int past) {
    const ptrdiff_t item = kernels->real_bits / 8;
    if (!noise->loops && !noise->shared && noise->draws == noise->size) {
        kernels->dropout(n, x, y, stream, (uint64_t)first, noise->threshold, noise->scale, past);
        return;
    }
    if (noise->size == 0) return;
    noise_state state = {.stream = stream, .first = -1, .spread_at = -1};
    /* the inner loops whose words, spread over the elements, have room */
    int outer = noise->loops;
    ptrdiff_t elements = noise->n;
    while (outer > 0 && elements * noise->loop[outer - 1].count <= SPREAD &&
           !(noise->shared && noise->n >= LONG_RUN))
        elements *= noise->loop[--outer].count;
    for (ptrdiff_t sample = first / noise->size; n > 0; sample++, n -= noise->size) {
        ptrdiff_t index[CO_MAX_RANK] = {0}, at = 0, word = sample * noise->draws;
        for (int axis = 0; axis >= 0;) {
            piece(kernels, &state, noise, outer, word, elements, x + at * item, y + at * item,
                  past);
            for (axis = outer - 1; axis >= 0; axis--) { /* the next piece: an odometer */
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
