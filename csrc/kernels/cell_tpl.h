/* cell_tpl.h - one step of recurrent cells, forward. cell.h has the formulas. Needs vmath.h, vact.
 *
 * tanh and sigmoid, which nearly every cell has, stay in registers; any other activation is done by
 * vact on a chunk of units at a time. Both take the same operations of the rest in the same order.
 */
#ifndef COREOPS_CELL_TPL_H
#define COREOPS_CELL_TPL_H

#include "../cell.h"
#include "activation_tpl.h"

enum { CELL_CHUNK = 128 }; /* units, a multiple of VL */

CO_INLINE real *cell_row(const co_rows *rows, ptrdiff_t i) {
    return rows->at ? (real *)rows->at + i * rows->ld : NULL;
}

CO_INLINE int cell_skips(const uint8_t *mask, ptrdiff_t ld, ptrdiff_t i) {
    return mask && !mask[i * ld];
}

/* Row i of y becomes that of x. */
CO_INLINE void cell_carry(ptrdiff_t u, const co_rows *x, const co_rows *y, ptrdiff_t i) {
    real *to = cell_row(y, i);
    const real *from = cell_row(x, i);
    if (to != from) memcpy(to, from, (size_t)u * sizeof(real));
}

static void cell_keep_state(ptrdiff_t u, const co_cell *what, const co_cell_step *step,
                            ptrdiff_t i) {
    if (what->kind == CO_LSTM) cell_carry(u, &step->c0, &step->c1, i);
    cell_carry(u, &step->h0, &step->h1, i);
}

static int cell_is_common(const co_cell *cell) {
    return cell->a.kind == CO_ACT_TANH &&
           (cell->kind == CO_SIMPLE || cell->s.kind == CO_ACT_SIGMOID);
}

/* One row's operands, of units j and on. */
typedef struct cell_at {
    const real *z, *r, *r3, *c0, *h0;
    real *c1, *h1, *keep;
} cell_at;

static cell_at cell_of(const co_cell_step *step, ptrdiff_t i) {
    return (cell_at){.z = cell_row(&step->z, i),
                     .r = cell_row(&step->r, i),
                     .r3 = cell_row(&step->r3, i),
                     .c0 = cell_row(&step->c0, i),
                     .h0 = cell_row(&step->h0, i),
                     .c1 = cell_row(&step->c1, i),
                     .h1 = cell_row(&step->h1, i),
                     .keep = cell_row(&step->keep, i)};
}

CO_INLINE void cell_put(real *keep, vreal x, ptrdiff_t lanes) {
    if (keep) v_store_lanes(keep, x, lanes);
}

#define CELL_KEEP(part) (p->keep ? p->keep + (part) * u + j : NULL)

/* A chunk's sums, which vact replaces. */
typedef real cell_sums[4][CELL_CHUNK];

/* Units j and on of a part's z + r; and where r is in memory. */
CO_INLINE vreal cell_part_sum(const cell_at *p, ptrdiff_t u, ptrdiff_t j, ptrdiff_t lanes,
                              const int part, vreal r) {
    const vreal x = v_add(v_load_lanes(p->z + part * u + j, lanes), r);
    cell_put(CELL_KEEP(part), x, lanes);
    return x;
}

CO_INLINE vreal cell_gate_sum(const cell_at *p, ptrdiff_t u, ptrdiff_t j, ptrdiff_t lanes,
                              const int part) {
    return cell_part_sum(p, u, j, lanes, part, v_load_lanes(p->r + part * u + j, lanes));
}

CO_INLINE vreal cell_lstm_carry(const cell_at *p, ptrdiff_t j, ptrdiff_t lanes, vreal i, vreal f,
                                vreal g) {
    const vreal c = v_fma(f, v_load_lanes(p->c0 + j, lanes), v_mul(i, g));
    v_store_lanes(p->c1 + j, c, lanes);
    return c;
}

/* Units j and on of h1, by tanh and sigmoid; r: their products, of each part. */
CO_INLINE vreal cell_lstm_units(const cell_at *p, ptrdiff_t u, ptrdiff_t j, ptrdiff_t lanes,
                                const vreal *r) {
    const vreal i = v_sigmoid(cell_part_sum(p, u, j, lanes, 0, r[0]));
    const vreal f = v_sigmoid(cell_part_sum(p, u, j, lanes, 1, r[1]));
    const vreal g = v_tanh(cell_part_sum(p, u, j, lanes, 2, r[2]));
    const vreal o = v_sigmoid(cell_part_sum(p, u, j, lanes, 3, r[3]));
    const vreal h = v_mul(o, v_tanh(cell_lstm_carry(p, j, lanes, i, f, g)));
    v_store_lanes(p->h1 + j, h, lanes);
    return h;
}

static void cell_lstm_common(ptrdiff_t u, const cell_at *p) {
    for (ptrdiff_t j = 0; j < u; j += VL) {
        const ptrdiff_t lanes = v_lanes(u - j);
        vreal r[4];
        CO_UNROLL
        for (int part = 0; part < 4; part++) r[part] = v_load_lanes(p->r + part * u + j, lanes);
        cell_lstm_units(p, u, j, lanes, r);
    }
}

static void cell_lstm_any(ptrdiff_t u, const cell_at *p, const co_cell *cell) {
    cell_sums v;
    for (ptrdiff_t from = 0; from < u; from += CELL_CHUNK) {
        const ptrdiff_t n = u - from < CELL_CHUNK ? u - from : CELL_CHUNK;
        for (ptrdiff_t j = 0; j < n; j += VL)
            for (int part = 0; part < 4; part++)
                v_store(v[part] + j, cell_gate_sum(p, u, from + j, v_lanes(n - j), part));
        for (int part = 0; part < 4; part++)
            vact(n, v[part], v[part], part == 2 ? &cell->a : &cell->s);
        for (ptrdiff_t j = 0; j < n; j += VL) {
            const vreal i = v_load(v[0] + j), f = v_load(v[1] + j), g = v_load(v[2] + j);
            v_store(v[0] + j, cell_lstm_carry(p, from + j, v_lanes(n - j), i, f, g));
        }
        vact(n, v[0], v[0], &cell->a);
        for (ptrdiff_t j = 0; j < n; j += VL)
            v_store_lanes(p->h1 + from + j, v_mul(v_load(v[3] + j), v_load(v[0] + j)),
                          v_lanes(n - j));
    }
}

/* The sum that the candidate is made of; w: the reset gate, or not looked at; r: of the third
 * part. */
CO_INLINE vreal cell_gru_sum(const cell_at *p, ptrdiff_t u, ptrdiff_t j, ptrdiff_t lanes, vreal w,
                             vreal r, const int before) {
    const vreal z = v_load_lanes(p->z + 2 * u + j, lanes);
    const vreal x = before ? v_add(z, r) : v_fma(w, r, z);
    cell_put(CELL_KEEP(2), x, lanes);
    if (!before) cell_put(CELL_KEEP(3), r, lanes);
    return x;
}

CO_INLINE vreal cell_gru_mix(const cell_at *p, ptrdiff_t j, ptrdiff_t lanes, vreal v, vreal n) {
    const vreal h = v_fma(v, v_sub(v_load_lanes(p->h0 + j, lanes), n), n);
    v_store_lanes(p->h1 + j, h, lanes);
    return h;
}

CO_INLINE vreal cell_gru_units(const cell_at *p, ptrdiff_t u, ptrdiff_t j, ptrdiff_t lanes,
                               const vreal *r, const int before) {
    const vreal v = v_sigmoid(cell_part_sum(p, u, j, lanes, 0, r[0]));
    const vreal w = before ? v : v_sigmoid(cell_part_sum(p, u, j, lanes, 1, r[1]));
    return cell_gru_mix(p, j, lanes, v, v_tanh(cell_gru_sum(p, u, j, lanes, w, r[2], before)));
}

CO_INLINE void cell_gru_common(ptrdiff_t u, const cell_at *p, const int before) {
    for (ptrdiff_t j = 0; j < u; j += VL) {
        const ptrdiff_t lanes = v_lanes(u - j);
        const vreal second = before ? V(0) : v_load_lanes(p->r + u + j, lanes);
        const vreal r[3] = {v_load_lanes(p->r + j, lanes), second, v_load_lanes(p->r3 + j, lanes)};
        cell_gru_units(p, u, j, lanes, r, before);
    }
}

static void cell_gru_any(ptrdiff_t u, const cell_at *p, const co_cell *cell) {
    cell_sums v;
    const int before = cell->kind == CO_GRU_BEFORE;
    for (ptrdiff_t from = 0; from < u; from += CELL_CHUNK) {
        const ptrdiff_t n = u - from < CELL_CHUNK ? u - from : CELL_CHUNK;
        for (ptrdiff_t j = 0; j < n; j += VL)
            for (int part = 0; part < 2 - before; part++)
                v_store(v[part] + j, cell_gate_sum(p, u, from + j, v_lanes(n - j), part));
        for (int part = 0; part < 2 - before; part++) vact(n, v[part], v[part], &cell->s);
        for (ptrdiff_t j = 0; j < n; j += VL) {
            const vreal w = before ? V(0) : v_load(v[1] + j);
            const ptrdiff_t lanes = v_lanes(n - j);
            const vreal r = v_load_lanes(p->r3 + from + j, lanes);
            v_store(v[2] + j, cell_gru_sum(p, u, from + j, lanes, w, r, before));
        }
        vact(n, v[2], v[2], &cell->a);
        for (ptrdiff_t j = 0; j < n; j += VL)
            cell_gru_mix(p, from + j, v_lanes(n - j), v_load(v[0] + j), v_load(v[2] + j));
    }
}

static void cell_simple(ptrdiff_t u, const cell_at *p, const co_cell *cell) {
    for (ptrdiff_t j = 0; j < u; j += VL) {
        const ptrdiff_t lanes = v_lanes(u - j);
        v_store_lanes(p->h1 + j, cell_gate_sum(p, u, j, lanes, 0), lanes);
    }
    vact(u, p->h1, p->h1, &cell->a);
}

static void cell(ptrdiff_t m, ptrdiff_t u, const co_cell *what, const co_cell_step *step) {
    const int common = cell_is_common(what);
    for (ptrdiff_t i = 0; i < m; i++) {
        if (cell_skips(step->mask, step->ldmask, i)) {
            cell_keep_state(u, what, step, i);
            continue;
        }
        const cell_at at = cell_of(step, i);
        if (what->kind == CO_SIMPLE)
            cell_simple(u, &at, what);
        else if (!common)
            (what->kind == CO_LSTM ? cell_lstm_any : cell_gru_any)(u, &at, what);
        else if (what->kind == CO_LSTM)
            cell_lstm_common(u, &at);
        else
            cell_gru_common(u, &at, what->kind == CO_GRU_BEFORE);
    }
}

/* w h0 of a GRU that resets before the product, into h1, which may be h0. */
static void cell_reset(ptrdiff_t m, ptrdiff_t u, const co_cell *what, const co_cell_step *step) {
    real w[CELL_CHUNK];
    for (ptrdiff_t i = 0; i < m; i++) {
        if (cell_skips(step->mask, step->ldmask, i)) continue;
        const cell_at at = cell_of(step, i);
        const real *h0 = cell_row(&step->h0, i);
        real *h1 = cell_row(&step->h1, i);
        for (ptrdiff_t from = 0; from < u; from += CELL_CHUNK) {
            const ptrdiff_t n = u - from < CELL_CHUNK ? u - from : CELL_CHUNK;
            for (ptrdiff_t j = 0; j < n; j += VL)
                v_store(w + j, cell_gate_sum(&at, u, from + j, v_lanes(n - j), 1));
            vact(n, w, w, &what->s);
            for (ptrdiff_t j = 0; j < n; j += VL) {
                const ptrdiff_t lanes = v_lanes(n - j);
                const vreal h = v_load_lanes(h0 + from + j, lanes);
                v_store_lanes(h1 + from + j, v_mul(v_load(w + j), h), lanes);
            }
        }
    }
}

static void cell_weigh(ptrdiff_t n, const void *x, const void *factors, void *y) {
    const real *xr = x, *fr = factors;
    real *yr = y;
    for (ptrdiff_t i = 0; i < n; i += VL) {
        const ptrdiff_t lanes = v_lanes(n - i);
        const vreal v = v_mul(v_load_lanes(xr + i, lanes), v_load_lanes(fr + i, lanes));
        v_store_lanes(yr + i, v, lanes);
    }
}

#endif
