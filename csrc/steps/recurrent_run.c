/* recurrent_run.c - running them: m rows of a block while time goes by. recurrent.h has the
 * operands. */
#include "recurrent.h"

#include <string.h>

/* A block of m rows while time goes by. */
typedef struct block {
    const co_job *job;
    const co_step *step;
    const co_recurrent *own;
    const co_kernels *kernels;
    ptrdiff_t m, u, gates, steps, item; /* gates: all columns */
    ptrdiff_t x_row, x_step;            /* distances in x: of rows, of steps of time */
    const char *x, *factors, *none;
    const uint8_t *mask;
    char *y, *keep, *before, *operands, *c, *r, *r3, *z, *h_end, *c_end;
    char *h, *h1;                   /* the state, and room for the next */
    char *some_h, *some_c, *some_x; /* of the rows that a step does not skip */
    char *work;                     /* of the plan's matmul */
    ptrdiff_t piece, from;          /* steps whose products are in z, from this one on */
    int started;                    /* there is a state */
} block;

static const co_act linear = {.kind = CO_ACT_LINEAR};

static co_rows rows(const block *b, const void *at, ptrdiff_t ld, ptrdiff_t offset) {
    return co_rnn_at(at, b->item, ld, offset);
}

/* c = a times columns [first, n) of a weight, plus bias; first begins a panel. */
static void product(const block *b, int which, ptrdiff_t m, ptrdiff_t first, ptrdiff_t n, co_rows a,
                    const char *bias, co_rows c) {
    const int w = b->step->w[which];
    const ptrdiff_t k = b->job->plan->weights[w].k;
    const char *panels = (const char *)b->step->form[which] + first * k * b->item;
    const co_matmul *matmul = b->job->plan->matmul;
    if (bias) bias += first * b->item;
    char *out = (char *)c.at + first * b->item;
    if (co_rnn_by_matmul(b->job, b->step, which)) {
        const char *packed = co_weight_packed(b->job->plan, w, 0);
        matmul->run(b->kernels, m, n - first, k, a.at, a.ld, panels,
                    packed + matmul->bytes(k, first), bias, out, c.ld, &linear, b->work);
    } else {
        b->kernels->gemm(m, n - first, k, a.at, a.ld, panels, bias, out, c.ld, &linear);
    }
}

/* Columns [from, to) of the product by r, and whatever else is in their first panel. */
static void multiply(const block *b, co_rows a, ptrdiff_t from, ptrdiff_t to, char *out) {
    const ptrdiff_t nr =
        co_rnn_by_matmul(b->job, b->step, RNN_R) ? b->job->plan->matmul->nr : b->kernels->gemm_nr;
    const char *bias = b->step->form[RNN_BIASES];
    if (bias) bias += b->gates * b->item;
    product(b, RNN_R, b->m, from / nr * nr, to, a, bias, rows(b, out, b->gates, 0));
}

/* a times the factors of a gate, or a copy. */
static void weigh(const block *b, co_rows a, ptrdiff_t part, co_rows out) {
    for (ptrdiff_t i = 0; i < b->m; i++) {
        const char *from = (char *)a.at + i * a.ld * b->item;
        char *to = (char *)out.at + i * out.ld * b->item;
        if (!b->factors)
            memcpy(to, from, (size_t)(b->u * b->item));
        else
            b->kernels->cell_weigh(b->u, from, b->factors + (i * b->gates + part * b->u) * b->item,
                                   to);
    }
}

/* z of step s: where it is, or made with those of the steps that follow. */
static co_rows inputs(block *b, ptrdiff_t s, ptrdiff_t last) {
    const co_recurrent *own = b->own;
    const ptrdiff_t t = co_rnn_time(own, s), m = b->m, gates = b->gates, f = own->f;
    const char *bias =
        b->step->form[RNN_BIASES] ? b->step->form[RNN_BIASES] : b->step->form[RNN_BIAS];
    const co_rows x = rows(b, b->x, b->x_row, t * b->x_step);
    if (f < 0) {
        if (!b->step->form[RNN_BIASES]) return x;
        for (ptrdiff_t i = 0; i < m; i++) {
            char *to = b->z + i * gates * b->item;
            memcpy(to, (char *)x.at + i * x.ld * b->item, (size_t)(gates * b->item));
            b->kernels->vadd(gates, bias, to);
        }
        return rows(b, b->z, gates, 0);
    }
    if (b->piece == 1) {
        product(b, RNN_KERNEL, m, 0, gates, x, bias, rows(b, b->z, gates, 0));
        return rows(b, b->z, gates, 0);
    }
    if (s >= b->from + b->piece) {
        const ptrdiff_t left = last + 1 - s, count = left < b->piece ? left : b->piece;
        const ptrdiff_t low = own->how.backwards ? t - count + 1 : t;
        for (ptrdiff_t i = 0; i < m; i++)
            product(b, RNN_KERNEL, count, 0, gates, rows(b, b->x, f, (i * b->steps + low) * f),
                    bias, rows(b, b->z, m * gates, i * gates));
        b->from = s;
    }
    ptrdiff_t at = s - b->from;
    if (own->how.backwards) {
        const ptrdiff_t left = last + 1 - b->from;
        at = (left < b->piece ? left : b->piece) - 1 - at;
    }
    return rows(b, b->z, gates, at * m * gates);
}

/* The state's products of a step, whose other operands are there. */
static void products(block *b, co_cell_step *at, ptrdiff_t t) {
    const co_recurrent *own = b->own;
    const ptrdiff_t u = b->u, parts = own->parts;
    const int resets = own->how.cell.kind == CO_GRU_BEFORE;
    at->r = rows(b, b->r, b->gates, 0);
    at->r3 = rows(b, resets ? b->r3 : b->r, b->gates, 2 * u);
    if (!b->started) {
        const char *bias = b->step->form[RNN_BIASES];
        at->r = bias ? rows(b, bias, 0, b->gates) : rows(b, b->none, 0, 0);
        at->r3 = resets ? at->r : rows(b, at->r.at, 0, 2 * u);
        return;
    }
    if (!own->apart) {
        multiply(b, at->h0, 0, b->gates, b->r);
        return;
    }
    /* from the last to the first, since each also writes some columns of those before */
    for (ptrdiff_t part = parts - 1 - resets; part >= 0; part--) {
        ptrdiff_t from, to;
        const co_rows a = rows(b, b->operands, b->keep ? b->steps * parts * u : parts * u,
                               ((b->keep ? t * parts : 0) + part) * u);
        co_rnn_part(own, part, &from, &to);
        weigh(b, at->h0, part, a);
        multiply(b, a, from, to, b->r);
    }
    if (!resets) return;
    const ptrdiff_t last = parts - 1;
    const co_rows a = rows(b, b->operands, b->keep ? b->steps * parts * u : parts * u,
                           ((b->keep ? t * parts : 0) + last) * u);
    co_cell_step reset = *at;
    weigh(b, at->h0, 2, a);
    reset.h0 = reset.h1 = a;
    b->kernels->cell_reset(b->m, u, &own->how.cell, &reset);
    multiply(b, a, 2 * u, b->gates, b->r3);
}

/* The states before and after step s: where they are kept, or in place. */
static void states(const block *b, co_cell_step *at, ptrdiff_t s) {
    const ptrdiff_t u = b->u, steps = b->steps, keeps = b->own->keeps * u;
    if (b->keep) {
        const ptrdiff_t t = co_rnn_time(b->own, s), next = co_rnn_time(b->own, s + 1);
        at->keep = rows(b, b->keep, steps * keeps, t * keeps);
        at->h0 = rows(b, b->before, steps * u, t * u);
        at->c0 = rows(b, b->keep, steps * keeps, (t + 1) * keeps - u);
        at->h1 = s + 1 < steps ? rows(b, b->before, steps * u, next * u) : rows(b, b->h_end, u, 0);
        at->c1 = s + 1 < steps ? rows(b, b->keep, steps * keeps, (next + 1) * keeps - u)
                               : rows(b, b->c_end, u, 0);
        return;
    }
    at->h1 = rows(b, b->h1, u, 0);
    at->c1 = rows(b, b->c, u, 0);
    at->h0 = b->started ? rows(b, b->h, u, 0) : rows(b, b->none, 0, 0);
    at->c0 = b->started ? at->c1 : at->h0;
}

static int is_on(const block *b, ptrdiff_t i, ptrdiff_t s) {
    return !b->mask || b->mask[i * b->steps + co_rnn_time(b->own, s)];
}

/* How many rows a step does not skip. */
static ptrdiff_t count_on(const block *b, ptrdiff_t s) {
    if (!b->mask) return b->m;
    ptrdiff_t count = 0;
    for (ptrdiff_t i = 0; i < b->m; i++) count += is_on(b, i, s);
    return count;
}

/* The next state has become the state. */
static void turn(block *b) {
    char *h = b->h;
    b->h = b->h1;
    b->h1 = h;
}

static void advance(block *b, co_cell_step *now, ptrdiff_t s, ptrdiff_t last) {
    now->z = inputs(b, s, last);
    products(b, now, co_rnn_time(b->own, s));
    b->kernels->cell(b->m, b->u, &b->own->how.cell, now);
    b->started = 1;
    if (!b->keep) turn(b);
}

/* The same for those rows alone, `on` of them, that the mask does not skip. */
static void advance_some(const block *all, ptrdiff_t s, ptrdiff_t on) {
    const ptrdiff_t t = co_rnn_time(all->own, s), n = co_rnn_width(all->own);
    const size_t state = (size_t)(all->u * all->item), row = (size_t)(n * all->item);
    block b = *all;
    co_cell_step now = {0};
    b.m = on;
    b.h = all->some_h;
    b.c = all->some_c;
    b.x = all->some_x;
    b.x_row = n;
    b.x_step = 0;
    for (ptrdiff_t i = 0, k = 0; i < all->m; i++) {
        if (!is_on(all, i, s)) continue;
        memcpy(all->some_x + k * (ptrdiff_t)row,
               all->x + (i * all->x_row + t * all->x_step) * all->item, row);
        memcpy(b.h + k * (ptrdiff_t)state, all->h + i * (ptrdiff_t)state, state);
        memcpy(b.c + k * (ptrdiff_t)state, all->c + i * (ptrdiff_t)state, state);
        k++;
    }
    states(&b, &now, s);
    advance(&b, &now, s, s);
    for (ptrdiff_t i = 0, k = 0; i < all->m; i++) {
        if (!is_on(all, i, s)) continue;
        memcpy(all->h + i * (ptrdiff_t)state, b.h + k * (ptrdiff_t)state, state);
        memcpy(all->c + i * (ptrdiff_t)state, b.c + k * (ptrdiff_t)state, state);
        k++;
    }
}

/* Row i's result of step s, of those that are returned: h, or what stands for it. */
static void put(const block *b, ptrdiff_t i, ptrdiff_t s, const char *h, int on) {
    const co_rnn *how = &b->own->how;
    const size_t bytes = (size_t)(b->u * b->item);
    const ptrdiff_t t = co_rnn_place(b->own, s);
    char *y = b->y + ((how->sequences ? (i * b->steps + t) : i) * how->width + how->at) * b->item;
    if (on)
        memcpy(y, h, bytes);
    else if (how->zeros || s == 0 || !how->sequences)
        memset(y, 0, bytes);
    else
        memcpy(y, y + (how->turned ? 1 : -1) * how->width * b->item, bytes);
}

static void put_step(const block *b, ptrdiff_t s, co_rows h) {
    const co_rnn *how = &b->own->how;
    const ptrdiff_t item = b->item;
    if (!b->mask) {
        b->kernels->copy_rows(b->m, b->u * item, h.at, h.ld * item,
                              b->y + (co_rnn_place(b->own, s) * how->width + how->at) * item,
                              b->steps * how->width * item, 0);
        return;
    }
    for (ptrdiff_t i = 0; i < b->m; i++)
        put(b, i, s, (char *)h.at + i * h.ld * item, is_on(b, i, s));
}

/* The last result: of a step that is skipped the one before it, and there may be none. */
static void put_last(const block *b, const char *h, int began) {
    for (ptrdiff_t i = 0; i < b->m; i++) {
        int on = is_on(b, i, b->steps - 1);
        if (!b->own->how.zeros)
            for (ptrdiff_t s = 0; s < b->steps && began && !on; s++) on = is_on(b, i, s);
        put(b, i, b->steps - 1, h + i * b->u * b->item, on || (!began && !b->own->how.zeros));
    }
}

/* m rows, one after the other or `ld` apart, from `from` (NULL: zeros). */
static void begin(const block *b, const char *from, co_rows to) {
    const size_t bytes = (size_t)(b->u * b->item);
    for (ptrdiff_t i = 0; i < b->m; i++) {
        char *at = (char *)to.at + i * to.ld * b->item;
        if (from)
            memcpy(at, from + i * (ptrdiff_t)bytes, bytes);
        else
            memset(at, 0, bytes);
    }
}

/* Steps of a single row from s on, as long as none is skipped and their inputs are there: how many.
 */
static ptrdiff_t advance_row(block *b, ptrdiff_t s, ptrdiff_t last) {
    const co_rnn *how = &b->own->how;
    const ptrdiff_t sign = how->backwards ? -1 : 1, y_sign = how->turned ? -1 : 1;
    const char *bias = b->step->form[RNN_BIASES];
    co_rows z = inputs(b, s, last);
    ptrdiff_t most = b->own->f >= 0 ? b->from + b->piece - s : bias ? 1 : last + 1 - s;
    if (most > last + 1 - s) most = last + 1 - s;
    co_recur row = {.steps = 1, .r = b->own->recur, .h = {b->h, b->h1}, .c = b->c};
    while (row.steps < most && is_on(b, 0, s + row.steps)) row.steps++;
    row.z = (co_rows){z.at, sign * (b->own->f < 0 ? b->x_step : b->gates)};
    if (bias) row.bias = bias + b->gates * b->item;
    if (how->sequences)
        row.y = rows(b, b->y, y_sign * how->width, co_rnn_place(b->own, s) * how->width + how->at);
    b->kernels->recur(b->u, &how->cell, &row);
    if (row.steps % 2) turn(b);
    return row.steps;
}

void co_rnn_run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    const co_recurrent *own = step->u.own;
    const co_rnn *how = &own->how;
    const ptrdiff_t item = job->plan->item_bytes, u = how->u, m = co_positions(job, step, units);
    const co_rnn_layout lay = co_rnn_lay_out(own, m, item, step->in[RNN_MASK] >= 0);
    char *at = arena + job->scratch;
    block b = {.job = job,
               .step = step,
               .own = own,
               .kernels = job->plan->kernels,
               .m = m,
               .u = u,
               .gates = own->gates * u,
               .steps = how->steps,
               .item = item,
               .x = co_locate(job, arena, step->in[RNN_X], first),
               .x_row = how->steps * co_rnn_width(own),
               .x_step = co_rnn_width(own),
               .mask = (const uint8_t *)co_rnn_value(job, arena, step->in[RNN_MASK], first),
               .factors = co_rnn_value(job, arena, step->in[RNN_FACTORS], first),
               .y = co_locate(job, arena, step->out[RNN_Y], first),
               .keep = co_rnn_value(job, arena, step->out[RNN_KEEP], first),
               .before = co_rnn_value(job, arena, step->out[RNN_BEFORE], first),
               .operands = co_rnn_value(job, arena, step->out[RNN_OPERANDS], first),
               .h_end = co_rnn_value(job, arena, step->out[RNN_H], first),
               .c_end = co_rnn_value(job, arena, step->out[RNN_C], first),
               .h = at + lay.h * item,
               .h1 = at + lay.h1 * item,
               .c = at + lay.c * item,
               .r = at + lay.r * item,
               .r3 = at + lay.r3 * item,
               .z = at + lay.z * item,
               .none = at + lay.none * item,
               .some_h = at + lay.some_h * item,
               .some_c = at + lay.some_c * item,
               .some_x = at + lay.some_x * item,
               .work = at + lay.all * item,
               .piece = co_rnn_piece(own, m, item)};
    if (!b.operands) b.operands = at + lay.operands * item;
    memset(at + lay.none * item, 0, (size_t)(b.gates * item));
    b.from = -b.piece;
    const char *h = how->h ? (char *)how->h + co_positions(job, step, first) * u * item
                           : co_rnn_value(job, arena, step->in[RNN_H0], first);
    const char *c = how->c ? (char *)how->c + co_positions(job, step, first) * u * item
                           : co_rnn_value(job, arena, step->in[RNN_C0], first);
    const int began = h != NULL, lstm = how->cell.kind == CO_LSTM;
    /* Rows that are skipped are left out, unless somebody learns or their products are there. */
    const int leaves_out = b.mask && !b.keep && b.piece == 1 && !b.factors;
    if (began || b.keep || leaves_out) {
        co_cell_step to = {0};
        b.started = 1;
        states(&b, &to, 0);
        begin(&b, h, to.h0);
        if (lstm) begin(&b, c, to.c0);
    }
    const int by_row = own->recur && m == 1 && !co_rnn_by_matmul(job, step, RNN_R);
    ptrdiff_t last = how->steps - 1;
    while (!b.keep && last >= 0 && !count_on(&b, last)) last--;
    for (ptrdiff_t s = 0; s < how->steps; s++) {
        const ptrdiff_t on = s > last ? 0 : count_on(&b, s);
        co_cell_step now = {.mask = on < b.m ? b.mask + co_rnn_time(own, s) : NULL,
                            .ldmask = how->steps};
        states(&b, &now, s);
        if (on && by_row && b.started) {
            s += advance_row(&b, s, last) - 1;
            continue;
        }
        if (on && on < b.m && leaves_out) {
            advance_some(&b, s, on);
        } else if (on || b.keep) {
            advance(&b, &now, s, last);
        }
        if (how->sequences)
            put_step(&b, s, b.keep ? now.h1 : b.started ? rows(&b, b.h, u, 0) : now.h0);
    }
    const char *h_end = b.keep ? b.h_end : b.h, *c_end = b.keep ? b.c_end : b.c;
    if (!b.started) {
        begin(&b, NULL, rows(&b, b.h, u, 0));
        begin(&b, NULL, rows(&b, b.c, u, 0));
    }
    if (!how->sequences) put_last(&b, h_end, began);
    if (b.h_end && !b.keep) memcpy(b.h_end, h_end, (size_t)(b.m * u * item));
    if (b.c_end && !b.keep) memcpy(b.c_end, c_end, (size_t)(b.m * u * item));
    if (how->h)
        memcpy((char *)how->h + co_positions(job, step, first) * u * item, h_end,
               (size_t)(b.m * u * item));
    if (how->c)
        memcpy((char *)how->c + co_positions(job, step, first) * u * item, c_end,
               (size_t)(b.m * u * item));
}
