/* cell_grad_tpl.h - the way back through one step of recurrent cells. cell.h has the operands.
 * Needs cell_tpl.h, vact_grad.
 *
 * The activations are computed again from the sums that were kept: a few of them cost less than
 * the products around, and nothing else has to be remembered. Chunk by chunk, whole vectors, of
 * which those lanes that are beyond the last unit are not stored. */
#ifndef COREOPS_CELL_GRAD_TPL_H
#define COREOPS_CELL_GRAD_TPL_H

#include "cell_tpl.h"
#include "grad_tpl.h"

/* One part of a chunk: its sum, its activation, the gradient of that, then that of the sum. */
typedef struct cell_part {
    real x[CELL_CHUNK], y[CELL_CHUNK], d[CELL_CHUNK];
} cell_part;

#define CELL_EACH(j, n) for (ptrdiff_t j = 0; j < n; j += VL)

static void cell_part_load(cell_part *part, ptrdiff_t n, const real *x, const co_act *act) {
    ptrdiff_t j = 0;
    do { /* n > 0 */
        v_store(part->x + j, v_load_lanes(x + j, v_lanes(n - j)));
    } while ((j += VL) < n);
    vact(n, part->x, part->y, act);
}

static void cell_part_back(cell_part *part, ptrdiff_t n, const co_act *act) {
    vact_grad(n, co_act_by_output(act) ? part->y : part->x, part->d, part->d, act);
}

static void cell_part_store(const cell_part *part, ptrdiff_t n, real *dz) {
    memcpy(dz, part->d, (size_t)n * sizeof(real));
}

typedef struct cell_back_at {
    const real *keep, *c0, *c1, *h0;
    real *dh, *dc, *dz, *dr, *dreset;
} cell_back_at;

static void cell_lstm_back(ptrdiff_t u, ptrdiff_t from, ptrdiff_t n, const cell_back_at *p,
                           const co_cell *what) {
    cell_part part[4], c;
    for (int k = 0; k < 4; k++)
        cell_part_load(&part[k], n, p->keep + k * u + from, k == 2 ? &what->a : &what->s);
    cell_part_load(&c, n, p->c1 + from, &what->a);
    CELL_EACH(j, n) {
        const ptrdiff_t lanes = v_lanes(n - j);
        const vreal dh = v_load_lanes(p->dh + from + j, lanes);
        v_store_lanes(p->dh + from + j, V(0), lanes);
        v_store(part[3].d + j, v_mul(dh, v_load(c.y + j)));
        v_store(c.d + j, v_mul(dh, v_load(part[3].y + j)));
    }
    cell_part_back(&c, n, &what->a);
    CELL_EACH(j, n) {
        const ptrdiff_t lanes = v_lanes(n - j);
        const vreal dc = v_add(v_load_lanes(p->dc + from + j, lanes), v_load(c.d + j));
        v_store(part[0].d + j, v_mul(dc, v_load(part[2].y + j)));
        v_store(part[1].d + j, v_mul(dc, v_load_lanes(p->c0 + from + j, lanes)));
        v_store(part[2].d + j, v_mul(dc, v_load(part[0].y + j)));
        v_store_lanes(p->dc + from + j, v_mul(dc, v_load(part[1].y + j)), lanes);
    }
    for (int k = 0; k < 4; k++) {
        cell_part_back(&part[k], n, k == 2 ? &what->a : &what->s);
        cell_part_store(&part[k], n, p->dz + k * u + from);
    }
}

static void cell_gru_back(ptrdiff_t u, ptrdiff_t from, ptrdiff_t n, const cell_back_at *p,
                          const co_cell *what) {
    const int before = what->kind == CO_GRU_BEFORE;
    cell_part v, w, c;
    cell_part_load(&v, n, p->keep + from, &what->s);
    cell_part_load(&c, n, p->keep + 2 * u + from, &what->a);
    CELL_EACH(j, n) {
        const ptrdiff_t lanes = v_lanes(n - j);
        const vreal dh = v_load_lanes(p->dh + from + j, lanes), keeps = v_load(v.y + j);
        const vreal h0 = v_load_lanes(p->h0 + from + j, lanes);
        v_store(v.d + j, v_mul(dh, v_sub(h0, v_load(c.y + j))));
        v_store(c.d + j, v_mul(dh, v_sub(V(1), keeps)));
        v_store_lanes(p->dh + from + j, v_mul(dh, keeps), lanes);
    }
    cell_part_back(&v, n, &what->s);
    cell_part_back(&c, n, &what->a);
    cell_part_store(&v, n, p->dz + from);
    cell_part_store(&c, n, p->dz + 2 * u + from);
    if (before) return;
    cell_part_load(&w, n, p->keep + u + from, &what->s);
    cell_part_store(&v, n, p->dr + from);
    CELL_EACH(j, n) {
        const ptrdiff_t lanes = v_lanes(n - j);
        const vreal d = v_load(c.d + j);
        v_store(w.d + j, v_mul(d, v_load_lanes(p->keep + 3 * u + from + j, lanes)));
        v_store_lanes(p->dr + 2 * u + from + j, v_mul(d, v_load(w.y + j)), lanes);
    }
    cell_part_back(&w, n, &what->s);
    cell_part_store(&w, n, p->dz + u + from);
    cell_part_store(&w, n, p->dr + u + from);
}

static void cell_simple_back(ptrdiff_t from, ptrdiff_t n, const cell_back_at *p,
                             const co_cell *what) {
    cell_part part;
    cell_part_load(&part, n, p->keep + from, &what->a);
    CELL_EACH(j, n) {
        const ptrdiff_t lanes = v_lanes(n - j);
        v_store(part.d + j, v_load_lanes(p->dh + from + j, lanes));
        v_store_lanes(p->dh + from + j, V(0), lanes);
    }
    cell_part_back(&part, n, &what->a);
    cell_part_store(&part, n, p->dz + from);
}

static void cell_reset_part(ptrdiff_t u, ptrdiff_t from, ptrdiff_t n, const cell_back_at *p,
                            const co_cell *what) {
    cell_part w;
    cell_part_load(&w, n, p->keep + u + from, &what->s);
    CELL_EACH(j, n) {
        const ptrdiff_t lanes = v_lanes(n - j);
        const vreal d = v_load_lanes(p->dreset + from + j, lanes);
        v_store(w.d + j, v_mul(d, v_load_lanes(p->h0 + from + j, lanes)));
        real *dh = p->dh + from + j;
        v_store_lanes(dh, v_fma(d, v_load(w.y + j), v_load_lanes(dh, lanes)), lanes);
    }
    cell_part_back(&w, n, &what->s);
    cell_part_store(&w, n, p->dz + u + from);
}

CO_INLINE void cell_rows_back(ptrdiff_t m, ptrdiff_t u, const co_cell *what,
                              const co_cell_back *back, const int reset) {
    const size_t wide = (size_t)(co_cell_gates(what->kind) * u) * sizeof(real);
    for (ptrdiff_t i = 0; i < m; i++) {
        const cell_back_at at = {.keep = cell_row(&back->keep, i),
                                 .c0 = cell_row(&back->c0, i),
                                 .c1 = cell_row(&back->c1, i),
                                 .h0 = cell_row(&back->h0, i),
                                 .dh = cell_row(&back->dh, i),
                                 .dc = cell_row(&back->dc, i),
                                 .dz = cell_row(&back->dz, i),
                                 .dr = cell_row(&back->dr, i),
                                 .dreset = cell_row(&back->dreset, i)};
        if (cell_skips(back->mask, back->ldmask, i)) {
            if (!reset) memset(at.dz, 0, wide);
            if (!reset && what->kind == CO_GRU) memset(at.dr, 0, wide);
            continue;
        }
        for (ptrdiff_t from = 0; from < u; from += CELL_CHUNK) {
            const ptrdiff_t n = u - from < CELL_CHUNK ? u - from : CELL_CHUNK;
            if (reset)
                cell_reset_part(u, from, n, &at, what);
            else if (what->kind == CO_SIMPLE)
                cell_simple_back(from, n, &at, what);
            else
                (what->kind == CO_LSTM ? cell_lstm_back : cell_gru_back)(u, from, n, &at, what);
        }
    }
}

static void cell_back(ptrdiff_t m, ptrdiff_t u, const co_cell *what, const co_cell_back *back) {
    cell_rows_back(m, u, what, back, 0);
}

static void cell_reset_back(ptrdiff_t m, ptrdiff_t u, const co_cell *what,
                            const co_cell_back *back) {
    cell_rows_back(m, u, what, back, 1);
}

#endif
