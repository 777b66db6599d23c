/* philox.h - the counter-based generator of noise.
 *
 * Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3" (2011). A word is a function of (seed, call, element), so a
 * mask depends neither on threads nor on the tier, and can be made again.
 *
 *   key     = (seed low, seed high)
 *   counter = (c low, c high, call low, call high), giving four words
 *
 * The words of 16 successive counters, c = 16 g .. 16 g + 15, are group g: its word
 * number j < 64 is number j / 16 of counter 16 g + j % 16, so that vectors of counters
 * need no shuffle.
 *
 * Dropout compares an element's word with a threshold and takes two elements out of each
 * word: of the 128 of group g number j < 64 has word j with its halves exchanged, number
 * 64 + j has word j as it is. Either is uniform over 2^32 values. Of such a pair one asks
 * for the other's half only where its own equals the threshold's, once in 2^16 times: the
 * two decisions are correlated by less than 2^-15. */
#ifndef COREOPS_PHILOX_H
#define COREOPS_PHILOX_H

#include "kernels.h"

#define CO_PHILOX_M0 0xD2511F53u
#define CO_PHILOX_M1 0xCD9E8D57u
#define CO_PHILOX_W0 0x9E3779B9u
#define CO_PHILOX_W1 0xBB67AE85u
#define CO_PHILOX_ROUNDS 10
#define CO_PHILOX_GROUP 64    /* words of a group */
#define CO_PHILOX_COUNTERS 16 /* counters of a group */

#endif
