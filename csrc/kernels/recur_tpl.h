/* recur_tpl.h - steps of one row of an LSTM, or of a GRU that resets after, with tanh and sigmoid.
 * Needs cell_tpl.h.
 *
 * One row is as fast as its weights arrive. The gates of a vector of units follow their products at
 * once, in registers: what they wait for is hidden behind the products of the next. Packed are, for
 * each vector of units, u rows of a vector of each gate. Sums are those of gemm and of `cell`, in
 * their order. */
#ifndef COREOPS_RECUR_TPL_H
#define COREOPS_RECUR_TPL_H

#include "cell_tpl.h"

/* Steps go through more weights than these by turns upwards and downwards: what was read last is
 * still in L1. Where all of them fit in there, upwards hides more: the state of the last units is
 * the last that the next step needs. */
#define RECUR_TURN_BYTES (24 * 1024)

static ptrdiff_t recur_bytes(ptrdiff_t u, const co_cell *what) {
    if (!cell_is_common(what) || (what->kind != CO_LSTM && what->kind != CO_GRU)) return 0;
    return (u + VL - 1) / VL * VL * u * co_cell_gates(what->kind) * (ptrdiff_t)sizeof(real);
}

static void recur_pack(ptrdiff_t u, ptrdiff_t parts, const void *r, void *packed) {
    const real *from = r;
    real *to = packed;
    for (ptrdiff_t j = 0; j < u; j += VL)
        for (ptrdiff_t k = 0; k < u; k++)
            for (ptrdiff_t part = 0; part < parts; part++, to += VL)
                v_store(to, v_load_lanes(from + (k * parts + part) * u + j, v_lanes(u - j)));
}

/* Units j and on; y: where their state goes too, unless it is NULL. */
CO_INLINE void recur_units(const int parts, ptrdiff_t u, ptrdiff_t j, const cell_at *p,
                           const real *b, const real *bias, real *y) {
    const ptrdiff_t lanes = v_lanes(u - j);
    vreal r[4];
    CO_UNROLL
    for (int part = 0; part < parts; part++) r[part] = V(0);
    for (ptrdiff_t k = 0; k < u; k++, b += parts * VL) {
        const vreal x = v_set1(p->h0[k]);
        CO_UNROLL
        for (int part = 0; part < parts; part++) r[part] = v_fma(x, v_load(b + part * VL), r[part]);
    }
    if (bias) {
        CO_UNROLL
        for (int part = 0; part < parts; part++)
            r[part] = v_add(r[part], v_load_lanes(bias + part * u + j, lanes));
    }
    const vreal h =
        parts == 4 ? cell_lstm_units(p, u, j, lanes, r) : cell_gru_units(p, u, j, lanes, r, 0);
    if (y) v_store_lanes(y + j, h, lanes);
}

CO_INLINE void recur_steps(const int parts, ptrdiff_t u, const co_recur *row) {
    const ptrdiff_t vectors = (u + VL - 1) / VL;
    const int turns = vectors * VL * u * parts * (ptrdiff_t)sizeof(real) > RECUR_TURN_BYTES;
    cell_at at = {.c0 = row->c, .c1 = row->c};
    for (ptrdiff_t s = 0; s < row->steps; s++) {
        at.z = cell_row(&row->z, s);
        at.h0 = row->h[s % 2];
        at.h1 = row->h[(s + 1) % 2];
        for (ptrdiff_t v = 0; v < vectors; v++) {
            const ptrdiff_t j = (turns && s % 2 ? vectors - 1 - v : v) * VL;
            recur_units(parts, u, j, &at, (const real *)row->r + j * u * parts, row->bias,
                        cell_row(&row->y, s));
        }
    }
}

static void recur(ptrdiff_t u, const co_cell *what, const co_recur *row) {
    if (what->kind == CO_LSTM)
        recur_steps(4, u, row);
    else
        recur_steps(3, u, row);
}

#endif
