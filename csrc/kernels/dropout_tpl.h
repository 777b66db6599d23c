/* dropout_tpl.h - inverted dropout from Philox words. Needs vec.h, stream_tpl.h and vscale. */
#ifndef COREOPS_DROPOUT_TPL_H
#define COREOPS_DROPOUT_TPL_H

#include "../philox.h"
#include "stream_tpl.h"

/* A round is a chain of a product, a shift and two xors: independent chains must fill its
 * latency. Two vectors, of the even and of the odd counters of a range, make a pair, and two
 * pairs are worked on at once. A block is the one or two groups that they touch. */
#define PHILOX_PAIRS 2
#define PHILOX_STEP (2 * UL * PHILOX_PAIRS) /* counters */
#define PHILOX_COUNTERS (PHILOX_STEP > CO_PHILOX_COUNTERS ? PHILOX_STEP : CO_PHILOX_COUNTERS)
#define PHILOX_BLOCK (PHILOX_COUNTERS / CO_PHILOX_COUNTERS * CO_PHILOX_GROUP) /* words */
#define DROPOUT_BLOCK (2 * PHILOX_BLOCK)                                      /* elements */

static const uint64_t philox_evens[8] = {0, 2, 4, 6, 8, 10, 12, 14};

/* One round of one vector. The upper halves of its 64-bit lanes are never read, so that a
 * product is used uncleaned. */
CO_INLINE void philox_round(vu64 x[4], vu64 k0, vu64 k1) {
    const vu64 p0 = u_mul(x[0], u_set1(CO_PHILOX_M0)), p1 = u_mul(x[2], u_set1(CO_PHILOX_M1));
    x[0] = u_xor(u_xor(u_high(p1), x[1]), k0);
    x[2] = u_xor(u_xor(u_high(p0), x[3]), k1);
    x[1] = p1;
    x[3] = p0;
}

/* The words of counters c + first .. c + first + PHILOX_STEP - 1 of the block that begins at
 * c, in their places, where groups are so many words apart. The counters of a block share their
 * upper 32 bits. */
CO_INLINE void philox_step(uint32_t *words, int apart, co_stream s, uint64_t c, int first) {
    vu64 x[2 * PHILOX_PAIRS][4];
    vu64 k0 = u_set1(s.seed), k1 = u_set1(s.seed >> 32);
    CO_UNROLL
    for (int i = 0; i < 2 * PHILOX_PAIRS; i++) {
        const uint32_t low = (uint32_t)c + (uint32_t)(first + i / 2 * 2 * UL + i % 2);
        x[i][0] = u_add(u_load(philox_evens), u_set1(low));
        x[i][1] = u_set1(c >> 32);
        x[i][2] = u_set1(s.call);
        x[i][3] = u_set1(s.call >> 32);
    }
    CO_UNROLL
    for (int round = 0; round < CO_PHILOX_ROUNDS; round++) {
        CO_UNROLL
        for (int i = 0; i < 2 * PHILOX_PAIRS; i++) philox_round(x[i], k0, k1);
        k0 = u_add(k0, u_set1(CO_PHILOX_W0));
        k1 = u_add(k1, u_set1(CO_PHILOX_W1));
    }
    CO_UNROLL
    for (int i = 0; i < PHILOX_PAIRS; i++) {
        const int counter = first + i * 2 * UL, group = counter / CO_PHILOX_COUNTERS;
        uint32_t *at = words + group * apart + counter % CO_PHILOX_COUNTERS;
        CO_UNROLL
        for (int w = 0; w < 4; w++)
            u_store_pair(at + w * CO_PHILOX_COUNTERS, x[2 * i][w], x[2 * i + 1][w]);
    }
}

CO_INLINE void philox_block(uint32_t *words, int apart, co_stream s, uint64_t block) {
    for (int first = 0; first < PHILOX_COUNTERS; first += PHILOX_STEP)
        philox_step(words, apart, s, block * PHILOX_COUNTERS, first);
}

/* The words of the elements of a block: of each group those with their halves exchanged, then those
 * as they are. */
CO_INLINE void dropout_words(uint32_t *words, co_stream s, uint64_t block) {
    philox_block(words + CO_PHILOX_GROUP, 2 * CO_PHILOX_GROUP, s, block);
    for (int g = 0; g < DROPOUT_BLOCK; g += 2 * CO_PHILOX_GROUP)
        for (int j = g; j < g + CO_PHILOX_GROUP; j++)
            words[j] = words[j + CO_PHILOX_GROUP] << 16 | words[j + CO_PHILOX_GROUP] >> 16;
}

CO_INLINE void dropout_apply(ptrdiff_t n, const real *x, real *y, const uint32_t *words,
                             uint32_t below, vreal scale) {
    ptrdiff_t i = 0;
    for (; i + VL <= n; i += VL) {
        const vreal v = v_mul(v_load(x + i), scale);
        v_store(y + i, v_select(v_gt_u32(words + i, below), v, V(0)));
    }
    if (i < n) {
        const vreal v = v_mul(v_load_tail(x + i, n - i), scale);
        v_store_tail(y + i, v_select(v_gt_u32(words + i, below), v, V(0)), n - i);
    }
}

/* The rounds between two blocks' accesses hide memory from the hardware's own prefetching. */
CO_INLINE void dropout_prefetch(const real *x, real *y, int past) {
    const ptrdiff_t ahead = 4096 / (ptrdiff_t)sizeof(real);
    const ptrdiff_t line = STREAM_LINE / (ptrdiff_t)sizeof(real);
    for (ptrdiff_t i = 0; i < DROPOUT_BLOCK; i += line) {
        CO_PREFETCH(x + ahead + i);
        if (!past) CO_PREFETCH_WRITE(y + ahead + i);
    }
}

/* A block: what goes past the cache is put together before. */
CO_INLINE void dropout_block(const real *x, real *y, const uint32_t *words, uint32_t below,
                             vreal scale, int past) {
    _Alignas(STREAM_LINE) real block[DROPOUT_BLOCK];
    dropout_apply(DROPOUT_BLOCK, x, past ? block : y, words, below, scale);
    if (past) stream_bytes(sizeof block, (const char *)block, (char *)y);
}

static void dropout(ptrdiff_t n, const void *x, void *y, co_stream stream, uint64_t start,
                    uint64_t threshold, double scale, int past) {
    if (threshold == 0) {
        vscale(n, x, y, scale);
        return;
    }
    const uint32_t below = (uint32_t)(threshold - 1);
    const real *xr = x;
    real *yr = y;
    /* VL more than a block, for the vector that begins at its last element. */
    uint32_t words[DROPOUT_BLOCK + VL] = {0};
    uint64_t block = start / DROPOUT_BLOCK;
    ptrdiff_t offset = (ptrdiff_t)(start % DROPOUT_BLOCK);
    while (n > 0) {
        ptrdiff_t count = DROPOUT_BLOCK - offset;
        dropout_prefetch(xr, yr, past);
        dropout_words(words, stream, block++);
        if (offset == 0 && n >= DROPOUT_BLOCK) {
            dropout_block(xr, yr, words, below, V(scale), past);
        } else {
            if (count > n) count = n;
            dropout_apply(count, xr, yr, words + offset, below, V(scale));
        }
        xr += count;
        yr += count;
        n -= count;
        offset = 0;
    }
}

/* The two halves of dropout, for words that serve more than one element. */
static void draw(ptrdiff_t n, co_stream stream, uint64_t start, uint32_t *words) {
    uint32_t block[DROPOUT_BLOCK];
    while (n > 0) {
        const ptrdiff_t offset = (ptrdiff_t)(start % DROPOUT_BLOCK), left = DROPOUT_BLOCK - offset;
        const ptrdiff_t count = n < left ? n : left;
        dropout_words(block, stream, start / DROPOUT_BLOCK);
        memcpy(words, block + offset, (size_t)count * sizeof *words);
        start += (uint64_t)count, words += count, n -= count;
    }
}

static void keep(ptrdiff_t n, const void *x, void *y, const uint32_t *words, uint64_t threshold,
                 double scale) {
    dropout_apply(n, x, y, words, (uint32_t)(threshold - 1), V(scale));
}

#endif
