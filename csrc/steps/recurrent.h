/* recurrent.h - a recurrent layer as a step, forward and back.
 *
 * Forward, over m rows of T steps of time, `part`s of gates side by side (cell.h); a sample has one
 * row, or several:
 *   in    z (T, gates u), or once the product before has joined x (T, f); mask (T) or -1; h and c
 *         to begin with, or -1; factors (parts, u) of h, one for each gate, or -1
 *   out   y (T, u) or (u); h and c in the end; and where it trains what is kept: keep (T, keeps u),
 *         where an LSTM's rows end with c0; h0 (T, u); operands (T, parts, u) of the products by r,
 *         or -1 where h0 is all there is
 *   w     r (u, gates u); two biases (2 gates u) of a GRU; and the joined product's (f, gates u)
 * and bias
 *
 * What is multiplied by r is h0 for all gates (parts 1), or h0 for two and w h0 for the third of a
 * GRU that resets before (2), or h0 times the factors of each gate (as many as gates). */
#ifndef COREOPS_STEPS_RECURRENT_H
#define COREOPS_STEPS_RECURRENT_H

#include "../backward.h"
#include "../execute.h"

enum { RNN_X, RNN_MASK, RNN_H0, RNN_C0, RNN_FACTORS };
enum { RNN_Y, RNN_H, RNN_C, RNN_KEEP, RNN_BEFORE, RNN_OPERANDS };
enum { RNN_R, RNN_BIASES, RNN_KERNEL, RNN_BIAS };

typedef struct co_recurrent {
    co_rnn how;
    ptrdiff_t gates, keeps, parts; /* keeps: of u, a row, with c0 */
    int apart;                     /* the operands of the products are not h0 itself */
    ptrdiff_t f;                   /* of the joined product's input; -1: none has joined */
    const void *recur;             /* r as the kernel of that name takes it, or NULL */
} co_recurrent;

/* The columns [from, to) of gates that operand `part` makes. */
static inline void co_rnn_part(const co_recurrent *own, ptrdiff_t part, ptrdiff_t *from,
                               ptrdiff_t *to) {
    const ptrdiff_t u = own->how.u;
    const int before = own->parts == 2;
    *from = before ? 2 * part * u : part * u;
    *to = before ? (2 + part) * u : own->parts == 1 ? own->gates * u : (part + 1) * u;
}

/* The time of step s. */
static inline ptrdiff_t co_rnn_time(const co_recurrent *own, ptrdiff_t s) {
    return own->how.backwards ? own->how.steps - 1 - s : s;
}

/* Where its result goes, among those of all steps. */
static inline ptrdiff_t co_rnn_place(const co_recurrent *own, ptrdiff_t s) {
    return own->how.turned ? own->how.steps - 1 - s : s;
}

static inline co_rows co_rnn_at(const void *at, ptrdiff_t item, ptrdiff_t ld, ptrdiff_t offset) {
    return (co_rows){(char *)at + offset * item, ld};
}

/* Where value v lies, NULL for none. */
static inline char *co_rnn_value(const co_job *job, char *arena, int v, ptrdiff_t first) {
    return v < 0 ? NULL : co_locate(job, arena, v, first);
}

/* Room for so many reals in a worker's scratch, of which *all are taken: where it begins. */
static inline ptrdiff_t co_rnn_room(ptrdiff_t *all, ptrdiff_t reals) {
    const ptrdiff_t at = *all;
    *all += (reals + 15) / 16 * 16; /* whole lines */
    return at;
}

/* A worker's scratch, in reals: lines for each part. */
typedef struct co_rnn_layout {
    ptrdiff_t h, h1, c, r, r3, operands, z, none, some_h, some_c, some_x, all;
} co_rnn_layout;

/* Of a row of what comes in at a step: x, or its product. */
static inline ptrdiff_t co_rnn_width(const co_recurrent *own) {
    return own->f < 0 ? own->gates * own->how.u : own->f;
}

/* recurrent_room.c */
co_rnn_layout co_rnn_lay_out(const co_recurrent *own, ptrdiff_t m, ptrdiff_t item, int masked);
/* The steps of time whose products of inputs are made at once. */
ptrdiff_t co_rnn_piece(const co_recurrent *own, ptrdiff_t m, ptrdiff_t item);
/* Whether the products by weight w of the step, if it has that, go by the plan's matmul. */
int co_rnn_by_matmul(const co_job *job, const co_step *step, int w);
co_status co_rnn_prepare(const co_job *job, const co_step *step);
ptrdiff_t co_rnn_scratch(const co_job *job, const co_step *step, ptrdiff_t units);
ptrdiff_t co_rnn_rows(const co_job *job, const co_step *step, ptrdiff_t *grain);

/* recurrent_run.c */
void co_rnn_run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units);

/* recurrent_back.c */
void co_rnn_back(co_backward *back, const co_step *step);

#endif
