/* recurrent_back.c - the way back through time. recurrent.h has the forward step's operands.
 *
 *   in    dy; mask; what was kept: keep, h0, and c in the end; the gradients of h and c in the end;
 *         factors. Each but the kept ones may be -1
 *   out   dz; dh0 and dc0 of the states to begin with; and, for the weights, dr: the gradient of
 *         what was added to z, in rows for the operands of the products by r (steps, parts, gates
 * u) where dz is not that; (steps, 2 gates u) for the biases of a GRU */
#include "recurrent.h"

#include <string.h>

static const co_kind gradient;

enum { GRAD_DY, GRAD_MASK, GRAD_KEEP, GRAD_BEFORE, GRAD_C, GRAD_DH, GRAD_DC, GRAD_FACTORS };
enum { GRAD_DZ, GRAD_DH0, GRAD_DC0, GRAD_DR, GRAD_SUMS };

/* Whether the rows by which r learns are others than dz. */
static int has_dr(const co_recurrent *own) { return own->apart || own->how.cell.kind == CO_GRU; }

void co_rnn_back(co_backward *back, const co_step *step) {
    const co_recurrent *own = step->u.own;
    co_plan *plan = back->plan;
    const ptrdiff_t count = step->positions, u = own->how.u, gates = own->gates * u;
    const ptrdiff_t steps = count * own->how.steps;
    const int h0 = step->in[RNN_H0], c0 = step->in[RNN_C0], z = step->in[RNN_X];
    co_step to = co_step_of(&gradient, back->gradient[step->out[RNN_Y]], count);
    to.in[GRAD_MASK] = step->in[RNN_MASK];
    to.in[GRAD_KEEP] = step->out[RNN_KEEP];
    to.in[GRAD_BEFORE] = step->out[RNN_BEFORE];
    to.in[GRAD_C] = step->out[RNN_C];
    to.in[GRAD_DH] = back->gradient[step->out[RNN_H]];
    if (step->out[RNN_C] >= 0) to.in[GRAD_DC] = back->gradient[step->out[RNN_C]];
    to.in[GRAD_FACTORS] = step->in[RNN_FACTORS];
    to.w[RNN_R] = step->w[RNN_R];
    to.u.own = step->u.own;
    int out[CO_MOST_OUT] = {-1, -1, -1, -1, -1, -1};
    const ptrdiff_t sizes[] = {
        -1, h0 >= 0 && back->moves[h0] ? count * u : -1,
        c0 >= 0 && back->moves[c0] ? count * u : -1, has_dr(own) ? steps * own->parts * gates : -1,
        co_weight_learns(plan, step->w[RNN_BIASES]) ? steps * 2 * gates : -1};
    for (int i = GRAD_DH0; i <= GRAD_SUMS; i++) {
        if (sizes[i] < 0) continue;
        out[i] = co_plan_value(plan, sizes[i], plan->item_bytes);
        if (out[i] < 0) back->status = CO_NO_MEMORY;
    }
    const int dz = co_back_append(back, to, steps * gates);
    if (back->status != CO_OK) return;
    for (int i = GRAD_DH0; i <= GRAD_SUMS; i++) plan->steps[plan->n_steps - 1].out[i] = out[i];
    if (back->moves[z]) co_back_add(back, z, dz);
    if (out[GRAD_DH0] >= 0) co_back_add(back, h0, out[GRAD_DH0]);
    if (out[GRAD_DC0] >= 0) co_back_add(back, c0, out[GRAD_DC0]);
    if (co_weight_learns(plan, step->w[RNN_R])) {
        const int dr = out[GRAD_DR] >= 0 ? out[GRAD_DR] : dz;
        const int x = own->apart ? step->out[RNN_OPERANDS] : step->out[RNN_BEFORE];
        const ptrdiff_t positions = steps * own->parts;
        const int kept = co_back_keep(back, dr, gates, positions, CO_KEEP_PANELS);
        co_back_use(back, step->w[RNN_R], co_back_keep(back, x, u, positions, CO_KEEP_TURNED),
                    kept);
    }
    if (out[GRAD_SUMS] >= 0)
        co_back_use(back, step->w[RNN_BIASES], -1,
                    co_back_keep(back, out[GRAD_SUMS], 2 * gates, steps, CO_KEEP_PANELS));
}

static co_status pack(co_plan *plan, co_step *step) {
    step->form[RNN_R] = co_weight_turned(plan, step->w[RNN_R]);
    return step->form[RNN_R] ? CO_OK : CO_NO_MEMORY;
}

static double cost(const co_plan *plan, const co_step *step) {
    const co_recurrent *own = step->u.own;
    const ptrdiff_t count = step->positions / plan->units;
    const double gates = (double)(count * own->how.steps * own->gates * own->how.u);
    return gates * ((double)own->how.u + 24) / (3.0 * plan->kernels->gemm_nr);
}

/* -------------------------------------------------------------------------------- running */

typedef struct layout {
    ptrdiff_t dh, dc, dy, part, all;
} layout;

static layout lay_out(const co_recurrent *own, ptrdiff_t m) {
    const ptrdiff_t size = m * own->how.u;
    layout lay = {0};
    lay.dh = co_rnn_room(&lay.all, size);
    lay.dc = co_rnn_room(&lay.all, size);
    lay.dy = co_rnn_room(&lay.all, size);
    lay.part = co_rnn_room(&lay.all, size);
    return lay;
}

static int by_matmul(const co_job *job, const co_step *step) {
    return co_by_matmul(job, step->w[RNN_R], 1, co_positions(job, step, job->units));
}

static co_status prepare(const co_job *job, const co_step *step) {
    if (!by_matmul(job, step)) return CO_OK;
    return co_weight_pack(job->plan, step->w[RNN_R], 1, job->threads);
}

static ptrdiff_t scratch(const co_job *job, const co_step *step, ptrdiff_t units) {
    const co_recurrent *own = step->u.own;
    const ptrdiff_t m = co_positions(job, step, units);
    const ptrdiff_t room = lay_out(own, m).all * job->plan->item_bytes;
    if (!by_matmul(job, step)) return room;
    return room + job->plan->matmul->scratch(m, own->gates * own->how.u);
}

/* A block of m rows while time goes back. */
typedef struct block {
    const co_step *step;
    const co_recurrent *own;
    const co_kernels *kernels;
    const co_matmul *matmul; /* what multiplies, with what it takes of r; NULL: gemm */
    const char *packed;
    char *work;
    ptrdiff_t m, u, gates, steps, item;
    const uint8_t *mask;
    const char *dy, *keep, *before, *c_end, *factors;
    char *dz, *dr, *sums;        /* results, all steps of time */
    char *dh, *dc, *held, *part; /* of a step; held: the gradient that skipped steps pass on */
} block;

static co_rows rows(const block *b, const void *at, ptrdiff_t ld, ptrdiff_t offset) {
    return co_rnn_at(at, b->item, ld, offset);
}

/* The gradient of step s's result becomes a part of dh, or waits where the mask skips the step. */
static void take(const block *b, ptrdiff_t s) {
    const co_rnn *how = &b->own->how;
    const ptrdiff_t time = co_rnn_time(b->own, s), t = co_rnn_place(b->own, s), u = b->u;
    const ptrdiff_t row = how->sequences ? b->steps * how->width : how->width;
    const ptrdiff_t from = (how->sequences ? t * how->width : 0) + how->at;
    const int given = b->dy && (how->sequences || s == b->steps - 1);
    for (ptrdiff_t i = 0; i < b->m; i++) {
        char *held = b->held + i * u * b->item;
        if (given) b->kernels->vadd(u, b->dy + (i * row + from) * b->item, held);
        const int on = !b->mask || b->mask[i * b->steps + time];
        if (on) b->kernels->vadd(u, held, b->dh + i * u * b->item);
        if (on || how->zeros) memset(held, 0, (size_t)(u * b->item));
    }
}

/* part = d, rows of gates, times the transpose of r, and the factors of a gate. */
static void multiply(const block *b, co_rows d, ptrdiff_t gate) {
    static const co_act linear = {.kind = CO_ACT_LINEAR};
    const char *r = b->step->form[RNN_R];
    if (b->matmul)
        b->matmul->run(b->kernels, b->m, b->u, b->gates, d.at, d.ld, r, b->packed, NULL, b->part,
                       b->u, &linear, b->work);
    else
        b->kernels->gemm(b->m, b->u, b->gates, d.at, d.ld, r, NULL, b->part, b->u, &linear);
    for (ptrdiff_t i = 0; i < b->m && b->factors; i++) {
        char *part = b->part + i * b->u * b->item;
        b->kernels->cell_weigh(b->u, part, b->factors + (i * b->gates + gate * b->u) * b->item,
                               part);
    }
}

/* The rows of dr of one operand: dz in its columns, and 0 elsewhere. */
static co_rows spread(const block *b, co_rows dz, ptrdiff_t t, ptrdiff_t part) {
    const ptrdiff_t parts = b->own->parts, item = b->item;
    const co_rows out = rows(b, b->dr, b->steps * parts * b->gates, (t * parts + part) * b->gates);
    ptrdiff_t from, to;
    co_rnn_part(b->own, part, &from, &to);
    for (ptrdiff_t i = 0; i < b->m; i++) {
        char *row = (char *)out.at + i * out.ld * item;
        const char *d = (char *)dz.at + i * dz.ld * item;
        if (row != d) memcpy(row + from * item, d + from * item, (size_t)((to - from) * item));
        memset(row, 0, (size_t)(from * item));
        memset(row + to * item, 0, (size_t)((b->gates - to) * item));
    }
    return out;
}

/* What goes back through the products by r, into dh. dz is there, but for the reset gate of a GRU
 * that resets before. */
static void through(const block *b, co_cell_back *now, ptrdiff_t t) {
    const co_recurrent *own = b->own;
    const int resets = own->how.cell.kind == CO_GRU_BEFORE;
    const co_rows d = now->dr.at ? now->dr : now->dz;
    if (!own->apart) {
        multiply(b, d, 0);
        b->kernels->vadd(b->m * b->u, b->part, b->dh);
        return;
    }
    for (ptrdiff_t part = own->parts - 1; part >= 0; part--) {
        const int reset = resets && part == own->parts - 1;
        multiply(b, spread(b, d, t, part), part);
        if (reset) {
            now->dreset = rows(b, b->part, b->u, 0);
            b->kernels->cell_reset_back(b->m, b->u, &own->how.cell, now);
        } else {
            b->kernels->vadd(b->m * b->u, b->part, b->dh);
        }
    }
}

static void go_back(const block *b, ptrdiff_t s) {
    const co_recurrent *own = b->own;
    const ptrdiff_t u = b->u, gates = b->gates, steps = b->steps, keeps = own->keeps * u;
    const ptrdiff_t t = co_rnn_time(own, s), next = co_rnn_time(own, s + 1);
    const int gru = own->how.cell.kind == CO_GRU;
    co_cell_back now = {.mask = b->mask ? b->mask + t : NULL,
                        .ldmask = steps,
                        .keep = rows(b, b->keep, steps * keeps, t * keeps),
                        .h0 = rows(b, b->before, steps * u, t * u),
                        .dh = rows(b, b->dh, u, 0),
                        .dz = rows(b, b->dz, steps * gates, t * gates)};
    if (own->how.cell.kind == CO_LSTM) {
        now.c0 = rows(b, b->keep, steps * keeps, (t + 1) * keeps - u);
        now.c1 = s + 1 < steps ? rows(b, b->keep, steps * keeps, (next + 1) * keeps - u)
                               : rows(b, b->c_end, u, 0);
        now.dc = rows(b, b->dc, u, 0);
    }
    take(b, s);
    /* With factors the rows of dr are spread from here, those of the first operand last, in place.
     */
    if (gru) now.dr = rows(b, b->dr, steps * own->parts * gates, t * own->parts * gates);
    b->kernels->cell_back(b->m, u, &own->how.cell, &now);
    const size_t wide = (size_t)(gates * b->item);
    for (ptrdiff_t i = 0; i < b->m && b->sums; i++) {
        char *sums = b->sums + (i * steps + t) * 2 * gates * b->item;
        memcpy(sums, (char *)now.dz.at + i * now.dz.ld * b->item, wide);
        memcpy(sums + wide, (char *)now.dr.at + i * now.dr.ld * b->item, wide);
    }
    through(b, &now, t);
}

/* Rows of u one after the other; NULL: zeros. */
static void begin(const block *b, const char *from, char *to) {
    const size_t bytes = (size_t)(b->m * b->u * b->item);
    if (from)
        memcpy(to, from, bytes);
    else
        memset(to, 0, bytes);
}

static void run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    const co_recurrent *own = step->u.own;
    const ptrdiff_t item = job->plan->item_bytes;
    const ptrdiff_t m = co_positions(job, step, units);
    const layout lay = lay_out(own, m);
    char *at = arena + job->scratch;
    const block b = {.step = step,
                     .own = own,
                     .kernels = job->plan->kernels,
                     .matmul = by_matmul(job, step) ? job->plan->matmul : NULL,
                     .packed = co_weight_packed(job->plan, step->w[RNN_R], 1),
                     .work = at + lay.all * item,
                     .m = m,
                     .u = own->how.u,
                     .gates = own->gates * own->how.u,
                     .steps = own->how.steps,
                     .item = item,
                     .mask = (const uint8_t *)co_rnn_value(job, arena, step->in[GRAD_MASK], first),
                     .dy = co_rnn_value(job, arena, step->in[GRAD_DY], first),
                     .keep = co_rnn_value(job, arena, step->in[GRAD_KEEP], first),
                     .before = co_rnn_value(job, arena, step->in[GRAD_BEFORE], first),
                     .c_end = co_rnn_value(job, arena, step->in[GRAD_C], first),
                     .factors = co_rnn_value(job, arena, step->in[GRAD_FACTORS], first),
                     .dz = co_rnn_value(job, arena, step->out[GRAD_DZ], first),
                     .dr = co_rnn_value(job, arena, step->out[GRAD_DR], first),
                     .sums = co_rnn_value(job, arena, step->out[GRAD_SUMS], first),
                     .dh = at + lay.dh * item,
                     .dc = at + lay.dc * item,
                     .held = at + lay.dy * item,
                     .part = at + lay.part * item};
    begin(&b, co_rnn_value(job, arena, step->in[GRAD_DH], first), b.dh);
    begin(&b, co_rnn_value(job, arena, step->in[GRAD_DC], first), b.dc);
    begin(&b, NULL, b.held);
    for (ptrdiff_t s = b.steps - 1; s >= 0; s--) go_back(&b, s);
    if (step->out[GRAD_DH0] >= 0)
        begin(&b, b.dh, co_locate(job, arena, step->out[GRAD_DH0], first));
    if (step->out[GRAD_DC0] >= 0)
        begin(&b, b.dc, co_locate(job, arena, step->out[GRAD_DC0], first));
}

static const co_kind gradient = {.name = "recurrent gradient",
                                 .run = run,
                                 .pack = pack,
                                 .cost = cost,
                                 .prepare = prepare,
                                 .scratch = scratch};
