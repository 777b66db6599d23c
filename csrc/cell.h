/* cell.h - recurrent cells: what one step of time is, for some rows of u units.
 *
 * a is the activation, s the recurrent one; z is the input's product of the step, with its bias, r
 * the state's. Keras 3's formulas, its order of gates along a row, and what is kept for the way
 * back ("keep", of co_cell_keeps units a row):
 *
 *   LSTM          i f g o = s s a s (z + r); c1 = f c0 + i g; h1 = o a(c1)
 *                 keep: z + r of the four
 *   GRU           v w = s s (z + r); n = a(z + w r), the third of r; h1 = v h0 + (1 - v) n
 *                 keep: z + r, z + r, z + w r, the third r
 *   GRU_BEFORE    the same with n = a(z + (w h0) R), whose product is a second one: `reset` makes
 *                 w h0, then `cell` does the rest with the product as the third of r
 *                 keep: z + r, z + r (by `reset`), z + the second product
 *   SIMPLE        h1 = a(z + r)
 *                 keep: z + r */
#ifndef COREOPS_CELL_H
#define COREOPS_CELL_H

#include "activation.h"

typedef enum co_cell_kind { CO_LSTM, CO_GRU, CO_GRU_BEFORE, CO_SIMPLE } co_cell_kind;

typedef struct co_cell {
    co_cell_kind kind;
    co_act a, s;
} co_cell;

static inline int co_cell_gates(co_cell_kind kind) {
    return kind == CO_SIMPLE ? 1 : kind == CO_LSTM ? 4 : 3;
}
static inline int co_cell_keeps(co_cell_kind kind) {
    return kind == CO_SIMPLE ? 1 : kind == CO_GRU_BEFORE ? 3 : 4;
}

/* Rows of reals: the first, and the distance to the next in elements (0: all are the first). */
typedef struct co_rows {
    void *at;
    ptrdiff_t ld;
} co_rows;

/* The operands of a step. mask: one byte a row, ldmask apart, where 0 leaves c and h as they were;
 * NULL: every row goes on. r3: the third of r of a GRU, apart since it may come from elsewhere.
 * keep may be NULL. c1 may be c0 and h1 h0, as h1 may be r. */
typedef struct co_cell_step {
    const uint8_t *mask;
    ptrdiff_t ldmask;
    co_rows z, r, r3, c0, c1, h0, h1, keep;
} co_cell_step;

/* Some steps of one row: h[0] is its state, and the others are in h[1] and h[0] by turns; y, if it
 * is there, gets each too, and z and y are rows of steps. r is as recur_pack left it, bias its
 * product's or NULL, c is changed. */
typedef struct co_recur {
    ptrdiff_t steps;
    co_rows z, y;
    const void *r, *bias;
    void *h[2], *c;
} co_recur;

/* The way back of a step: from dh, of h1, and for LSTM dc, of c1.
 *   dz    the gradient of z
 *   dr    that of what was added to z, where it differs (GRU: in its third part)
 *   dh    becomes what h0 gets directly, without what goes through r
 *   dc    becomes that of c0
 * Rows that the mask skips: dz and dr are 0, dh and dc stay. For GRU_BEFORE the second part of dz
 * is `cell_reset_back`'s, from dreset, the gradient of w h0, of which h0's share is added to dh. */
typedef struct co_cell_back {
    const uint8_t *mask;
    ptrdiff_t ldmask;
    co_rows keep, c0, c1, h0, dh, dc, dz, dr, dreset;
} co_cell_back;

#endif
