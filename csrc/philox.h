/* philox.h - the counter-based generator, one word at a time.
 *
 * Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3" (2011). A word is a function of (seed, call, element), so a
 * mask depends neither on threads nor on the tier, and can be made again.
 *
 *   key     = (seed low, seed high)
 *   counter = (c low, c high, call low, call high), giving four words
 *
 * Element i belongs to group g = i / 64 and is number j = i % 64 in it; its word
 * is number j / 16 of counter c = 16 g + j % 16. So the words of 16 successive
 * counters are 64 elements, and vectors of counters need no shuffle. */
#ifndef COREOPS_PHILOX_H
#define COREOPS_PHILOX_H

#include "kernels.h"

#define CO_PHILOX_M0 0xD2511F53u
#define CO_PHILOX_M1 0xCD9E8D57u
#define CO_PHILOX_W0 0x9E3779B9u
#define CO_PHILOX_W1 0xBB67AE85u
#define CO_PHILOX_ROUNDS 10
#define CO_PHILOX_GROUP 64    /* elements of a group */
#define CO_PHILOX_COUNTERS 16 /* counters of a group */

static inline void co_philox(co_stream s, uint64_t c, uint32_t word[4]) {
    uint32_t c0 = (uint32_t)c, c1 = (uint32_t)(c >> 32);
    uint32_t c2 = (uint32_t)s.call, c3 = (uint32_t)(s.call >> 32);
    uint32_t k0 = (uint32_t)s.seed, k1 = (uint32_t)(s.seed >> 32);
    for (int round = 0; round < CO_PHILOX_ROUNDS; round++) {
        const uint64_t p0 = (uint64_t)CO_PHILOX_M0 * c0;
        const uint64_t p1 = (uint64_t)CO_PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += CO_PHILOX_W0;
        k1 += CO_PHILOX_W1;
    }
    word[0] = c0;
    word[1] = c1;
    word[2] = c2;
    word[3] = c3;
}

/* The word of element i. */
static inline uint32_t co_philox_word(co_stream s, uint64_t i) {
    const uint64_t j = i % CO_PHILOX_GROUP;
    uint32_t word[4];
    co_philox(s, i / CO_PHILOX_GROUP * CO_PHILOX_COUNTERS + j % CO_PHILOX_COUNTERS, word);
    return word[j / CO_PHILOX_COUNTERS];
}

#endif
