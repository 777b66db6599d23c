/* learn.c - the pieces of weights: their gradients are multiplied, and they are updated and packed,
 * a piece at a time, shared out over threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "parallel.h"
#include "trainer.h"

/* A piece's gradient is this large at most, so that it is in the first two caches while the weight
 * is updated from it; a piece has at least so many of gemm's tiles of rows. */
enum { CO_PIECE_BYTES = 96 * 1024, CO_PIECE_TILES = 2, CO_PIECE_VECTOR = 4096 };

static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

/* The shape of the pieces of a weight: whole columns where their norms are bounded, else a few
 * rows, all of them if they are short enough. */
static void shape_pieces(const co_trainer *trainer, const co_matrix *weight, co_piece *piece) {
    const ptrdiff_t mr = trainer->kernels->gemm_mr;
    const ptrdiff_t nr = trainer->matmul ? trainer->matmul->nr : trainer->kernels->gemm_nr;
    const ptrdiff_t most = CO_PIECE_BYTES / trainer->item;
    if (weight->lesson.norms) {
        piece->rows = weight->k;
        piece->columns = weight->k == 1 ? weight->n : nr;
    } else if (weight->k == 1) {
        piece->rows = 1;
        piece->columns = CO_PIECE_VECTOR;
    } else {
        const ptrdiff_t tall = most / (weight->n + 1) / mr * mr, low = CO_PIECE_TILES * mr;
        piece->rows = tall > low ? tall : low;
        piece->columns = tall > 0 ? weight->n : most / low / nr * nr;
    }
    piece->rows = least(piece->rows, weight->k);
    piece->columns = least(piece->columns, weight->n);
}

/* The largest first: they are begun while there is time to share out the rest. */
static int by_size(const void *a, const void *b) {
    const co_piece *p = a, *q = b;
    const ptrdiff_t x = p->rows * p->columns, y = q->rows * q->columns;
    if (x != y) return x < y ? 1 : -1;
    if (p->weight != q->weight) return p->weight < q->weight ? -1 : 1;
    if (p->i != q->i) return p->i < q->i ? -1 : 1;
    return p->j < q->j ? -1 : 1;
}

co_status co_trainer_finish(co_trainer *trainer) {
    trainer->n_pieces = 0;
    trainer->largest = 0;
    for (int w = 0; w < trainer->n_weights; w++) {
        co_matrix *weight = &trainer->weights[w];
        co_piece shape = {.weight = w};
        co_trainer_pack(trainer, w);
        if (!weight->learns) continue;
        shape_pieces(trainer, weight, &shape);
        weight->rows = shape.rows;
        for (ptrdiff_t i = 0; i < weight->k; i += shape.rows)
            for (ptrdiff_t j = 0; j < weight->n; j += shape.columns) {
                co_piece *piece = co_more(&trainer->pieces, &trainer->n_pieces, sizeof *piece);
                if (!piece) return CO_NO_MEMORY;
                *piece = (co_piece){w, i, least(shape.rows, weight->k - i), j,
                                    least(shape.columns, weight->n - j)};
                if (piece->rows * piece->columns > trainer->largest)
                    trainer->largest = piece->rows * piece->columns;
            }
    }
    if (trainer->n_pieces)
        qsort(trainer->pieces, (size_t)trainer->n_pieces, sizeof *trainer->pieces, by_size);
    return CO_OK;
}

/* What is done to the pieces. With both a gradient is used up where it is made, without being
 * written to the lesson's g. */
enum { GRADIENT = 1, UPDATE = 2 };

typedef struct co_call {
    const co_trainer *trainer;
    const co_rule *rule;
    int what;
    ptrdiff_t scratch; /* bytes of a worker's */
} co_call;

static void clear(const co_trainer *trainer, const co_piece *piece, char *g, ptrdiff_t ldg) {
    for (ptrdiff_t i = 0; i < piece->rows; i++)
        memset(g + i * ldg * trainer->item, 0, (size_t)(piece->columns * trainer->item));
}

/* Whether the use is a product that the trainer's matmul makes, of pieces with rows enough. */
static int by_matmul(const co_trainer *trainer, const co_use *use) {
    const co_matrix *matrix = &trainer->weights[use->weight];
    const ptrdiff_t rows = trainer->kept[use->dy].rows;
    return trainer->matmul && use->x >= 0 && !use->chunks && !use->by_number && rows &&
           matrix->k >= CO_LEARNING_ROWS && trainer->matmul->suits(rows, matrix->n);
}

/* One use's part of the gradient of a piece: rows * columns reals at g, ldg apart. scratch: of a
 * matmul. */
static void part_of(const co_trainer *trainer, const co_piece *piece, const co_use *use, char *g,
                    ptrdiff_t ldg, char *scratch) {
    const co_kernels *kernels = trainer->kernels;
    const ptrdiff_t nr = kernels->gemm_nr, item = trainer->item;
    const co_kept *dy = &trainer->kept[use->dy];
    const ptrdiff_t rows = dy->rows;
    const char *panels = dy->data + piece->j * rows * item;
    if (use->chunks) {
        co_trainer_add_chunks(trainer, piece, use, g, ldg);
        return;
    }
    if (use->x < 0 && dy->layout == CO_KEEP_ROWS) {
        kernels->colsum(rows, piece->columns, dy->data + piece->j * item, dy->n, g);
        return;
    }
    if (use->x < 0) {
        for (ptrdiff_t j = 0; j < piece->columns; j += nr, panels += nr * rows * item)
            kernels->colsum(rows, least(nr, piece->columns - j), panels, nr, g + j * item);
        return;
    }
    if (use->by_number) {
        clear(trainer, piece, g, ldg);
        for (ptrdiff_t j = 0; j < piece->columns; j += nr, panels += nr * rows * item)
            kernels->scatter_add(rows, least(nr, piece->columns - j), trainer->kept[use->x].data,
                                 panels, nr, piece->i, piece->rows, g + j * item, ldg);
        return;
    }
    static const co_act linear = {.kind = CO_ACT_LINEAR};
    const co_matmul *matmul = trainer->matmul;
    const char *x = trainer->kept[use->x].data + piece->i * rows * item;
    if (by_matmul(trainer, use) && piece->rows >= matmul->rows)
        matmul->run(kernels, piece->rows, piece->columns, rows, x, rows, panels,
                    dy->packed + matmul->bytes(rows, piece->j), NULL, g, ldg, &linear, scratch);
    else
        kernels->gemm(piece->rows, piece->columns, rows, x, rows, panels, NULL, g, ldg, &linear);
}

/* A row at a time unless the piece has all columns. */
static void add_rows(const co_trainer *trainer, const co_piece *piece, const char *x, ptrdiff_t ldx,
                     char *y, ptrdiff_t ldy) {
    for (ptrdiff_t i = 0; i < piece->rows; i++)
        trainer->kernels->vadd(piece->columns, x + i * ldx * trainer->item,
                               y + i * ldy * trainer->item);
}

/* Bytes that two pieces take. */
static ptrdiff_t room_of_pieces(const co_trainer *trainer) {
    return (2 * trainer->largest * trainer->item + CO_LINE - 1) / CO_LINE * CO_LINE;
}

/* The gradient of a piece, at g. scratch: a worker's. */
static void gradient_of(const co_trainer *trainer, const co_piece *piece, char *g, ptrdiff_t ldg,
                        char *scratch) {
    char *part = scratch + trainer->largest * trainer->item;
    char *more = scratch + room_of_pieces(trainer);
    const co_matrix *matrix = &trainer->weights[piece->weight];
    const co_lesson *lesson = &matrix->lesson;
    const ptrdiff_t item = trainer->item, n = matrix->n, at = (piece->i * n + piece->j) * item;
    int parts = 0;
    if (lesson->given) { /* it lies in the lesson's g, which may be where this one goes */
        if (g != (char *)lesson->g + at)
            for (ptrdiff_t i = 0; i < piece->rows; i++)
                memcpy(g + i * ldg * item, (char *)lesson->g + at + i * n * item,
                       (size_t)(piece->columns * item));
        parts = 1;
    }
    for (int u = 0; u < trainer->n_uses; u++) {
        if (trainer->uses[u].weight != piece->weight) continue;
        if (!trainer->kept[trainer->uses[u].dy].rows) continue; /* of a plan that did not run */
        if (parts++) {
            part_of(trainer, piece, &trainer->uses[u], part, piece->columns, more);
            add_rows(trainer, piece, part, piece->columns, g, ldg);
        } else {
            part_of(trainer, piece, &trainer->uses[u], g, ldg, more);
        }
    }
    if (!parts) clear(trainer, piece, g, ldg);
}

static void update_piece(const co_call *call, const co_piece *piece, const char *g, ptrdiff_t ldg) {
    const co_trainer *trainer = call->trainer;
    const co_matrix *matrix = &trainer->weights[piece->weight];
    const co_lesson *lesson = &matrix->lesson;
    const ptrdiff_t item = trainer->item, n = matrix->n;
    const int whole = piece->columns == n && ldg == n;
    const ptrdiff_t count = whole ? piece->rows * n : piece->columns;
    for (ptrdiff_t i = 0; i < (whole ? 1 : piece->rows); i++) {
        const ptrdiff_t at = ((piece->i + i) * n + piece->j) * item;
        void *slots[CO_MOST_SLOTS] = {0};
        for (int s = 0; s < CO_MOST_SLOTS && lesson->slots[s]; s++)
            slots[s] = (char *)lesson->slots[s] + at;
        trainer->kernels->update(count, matrix->w + at, g + i * ldg * item, slots, call->rule,
                                 &lesson->how);
    }
    if (lesson->norms) {
        const ptrdiff_t width = matrix->k * n / lesson->norms; /* of one row, there may be more */
        const ptrdiff_t columns = matrix->k == 1 ? width : piece->columns;
        trainer->kernels->rescale_columns(lesson->norms, columns, matrix->w + piece->j * item,
                                          width, &lesson->norm);
    }
    co_trainer_pack_piece(trainer, piece);
}

static void learn_piece(void *context, int worker, ptrdiff_t index) {
    const co_call *call = context;
    const co_trainer *trainer = call->trainer;
    const co_piece *piece = &trainer->pieces[index];
    const co_matrix *matrix = &trainer->weights[piece->weight];
    char *scratch = trainer->scratch + worker * call->scratch, *g = scratch;
    ptrdiff_t ldg = piece->columns;
    if (!(call->what & GRADIENT) || !(call->what & UPDATE)) {
        ldg = matrix->n;
        g = (char *)matrix->lesson.g + (piece->i * ldg + piece->j) * trainer->item;
    }
    if (call->what & GRADIENT) gradient_of(trainer, piece, g, ldg, scratch);
    if (call->what & UPDATE) update_piece(call, piece, g, ldg);
}

/* Nanoseconds, as plans estimate them: the products, and an update of some ten reals an element. */
static double estimate(const co_trainer *trainer, int what) {
    double ns = 0;
    for (int u = 0; u < trainer->n_uses && (what & GRADIENT); u++) {
        const co_matrix *matrix = &trainer->weights[trainer->uses[u].weight];
        const double rows = (double)trainer->kept[trainer->uses[u].dy].rows;
        if (trainer->uses[u].chunks) continue;
        const double k = trainer->uses[u].by_number ? 1 : (double)matrix->k;
        const double speed = by_matmul(trainer, &trainer->uses[u]) ? trainer->matmul->speed : 1;
        ns += k * (double)matrix->n * rows / (2 * trainer->kernels->gemm_nr) / speed;
    }
    for (int w = 0; w < trainer->n_weights && (what & UPDATE); w++)
        if (trainer->weights[w].learns)
            ns += (double)(trainer->weights[w].k * trainer->weights[w].n * trainer->item) / 4;
    return ns;
}

/* The factors that keep norms of gradients, which lie in g, within the rule's bound. */
static void clip(co_trainer *trainer, const co_rule *rule) {
    double all = 0;
    for (int i = 0; i < trainer->n_weights; i++) {
        co_matrix *matrix = &trainer->weights[i];
        co_lesson *lesson = &matrix->lesson;
        if (!matrix->learns) continue;
        lesson->how.factor = 1;
        const double square = trainer->kernels->update_sumsq(
            matrix->k * matrix->n, matrix->w, lesson->g, lesson->slots, rule, &lesson->how);
        lesson->how.factor = co_rule_factor(rule, square);
        all += square;
    }
    for (int i = 0; i < trainer->n_weights && rule->all_at_once; i++)
        trainer->weights[i].lesson.how.factor = co_rule_factor(rule, all);
}

/* Has what was kept of results' gradients in the form that the matmul takes, and tells how much
 * scratch its products of pieces need. */
static co_status pack_kept(co_trainer *trainer, int threads, ptrdiff_t *scratch) {
    *scratch = 0;
    for (int u = 0; u < trainer->n_uses; u++) {
        const co_use *use = &trainer->uses[u];
        if (!by_matmul(trainer, use)) continue;
        co_kept *dy = &trainer->kept[use->dy];
        const co_matmul *matmul = trainer->matmul;
        const ptrdiff_t rows = trainer->weights[use->weight].rows;
        const ptrdiff_t bytes = matmul->scratch(rows, dy->rows);
        const size_t room = (size_t)matmul->bytes(dy->rows, dy->n);
        if (bytes > *scratch) *scratch = bytes;
        if (co_room(&dy->packed, &dy->packed_bytes, room) != CO_OK) return CO_NO_MEMORY;
        co_pack_panels(matmul, dy->rows, dy->n, dy->data, dy->packed, threads);
    }
    return CO_OK;
}

static co_status go_over_pieces(co_trainer *trainer, const co_rule *rule, int what, int threads) {
    co_call call = {.trainer = trainer, .rule = rule, .what = what};
    const int team = co_team(trainer->n_pieces, estimate(trainer, what), threads);
    co_status status = what & GRADIENT ? pack_kept(trainer, threads, &call.scratch) : CO_OK;
    call.scratch = room_of_pieces(trainer) + (call.scratch + CO_LINE - 1) / CO_LINE * CO_LINE;
    if (status == CO_OK)
        status = co_room(&trainer->scratch, &trainer->scratch_bytes,
                         (size_t)team * (size_t)call.scratch);
    if (status != CO_OK) return status;
    co_parallel(trainer->n_pieces, team, learn_piece, &call);
    return CO_OK;
}

co_status co_trainer_learn(co_trainer *trainer, const co_rule *rule, int threads) {
    const int apart = !rule || (rule->norm < HUGE_VAL && !rule->gathers);
    co_status status = co_trainer_sum_chunks(trainer, threads);
    if (status == CO_OK)
        status = go_over_pieces(trainer, rule, apart ? GRADIENT : GRADIENT | UPDATE, threads);
    for (int w = 0; w < trainer->n_weights; w++)
        if (trainer->weights[w].learns) co_trainer_changed(trainer, w);
    for (int i = 0; i < trainer->n_kept; i++) trainer->kept[i].rows = 0; /* it was learnt from */
    if (apart && rule && status == CO_OK) {
        clip(trainer, rule);
        status = go_over_pieces(trainer, rule, UPDATE, threads);
    }
    return status;
}

double co_trainer_penalty(const co_trainer *trainer) {
    double penalty = 0;
    for (int i = 0; i < trainer->n_weights; i++) {
        const co_matrix *matrix = &trainer->weights[i];
        const co_weight *how = &matrix->lesson.how;
        if (matrix->learns && (how->l1 != 0 || how->l2 != 0))
            penalty += trainer->kernels->penalty(matrix->k * matrix->n, matrix->w, how->l1, how->l2,
                                                 0, NULL);
    }
    return penalty;
}
