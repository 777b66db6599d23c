/* depthwise_tpl.h - convolutions in which each channel has its own small kernel, w[kh,kw,c].
 * Vectors go along the channels. A tile is some neighbouring results, which share what is loaded:
 * the weights, and where the pixels of a window lie side by side, these too. Padding is left out.
 */
#ifndef COREOPS_DEPTHWISE_TPL_H
#define COREOPS_DEPTHWISE_TPL_H

#include "activation_tpl.h"
#include "window_tpl.h"

/* Some neighbouring results of a row. */
typedef struct depthwise_run {
    ptrdiff_t y0, y1, kw;            /* the window: its rows inside the image, and its columns */
    ptrdiff_t down, right, ldw;      /* from tap to tap in x, and in w */
    ptrdiff_t n;                     /* channels */
    ptrdiff_t column, stride, apart; /* of the first result's window, from result to result, from
                                        tap to tap; of the image's `columns` */
    ptrdiff_t columns;
    ptrdiff_t at, step, across; /* of the first one's tap (0, 0) in x, where it may be outside;
                                   from result to result, in x and in y */
    real floor;                 /* 0 for relu, else -inf */
} depthwise_run;

#define DEPTHWISE_MOST 8 /* results of a tile */

CO_INLINE vreal depthwise_load(const int whole, const real *x, ptrdiff_t lanes) {
    return whole ? v_load(x) : v_load_tail(x, lanes);
}

/* A vector of each of `count` results, of any window, which begins in that column. inside: none of
 * their columns is padding. */
CO_INLINE void depthwise_any(const int count, const int whole, const int inside,
                             const depthwise_run *run, ptrdiff_t column, const real *x,
                             const real *w, vreal *sum) {
    for (ptrdiff_t ky = run->y0; ky < run->y1; ky++)
        for (ptrdiff_t kx = 0; kx < run->kw; kx++) {
            const real *from = x + ky * run->down + kx * run->right;
            const ptrdiff_t first = column + kx * run->apart;
            const vreal weight = depthwise_load(whole, w + (ky * run->kw + kx) * run->ldw, run->n);
            CO_UNROLL
            for (int i = 0; i < count; i++)
                if (inside || (size_t)(first + i * run->stride) < (size_t)run->columns)
                    sum[i] =
                        v_fma(depthwise_load(whole, from + i * run->step, run->n), weight, sum[i]);
        }
}

/* The same of windows with kw pixels side by side: each is loaded once for all results that it is a
 * part of. */
CO_INLINE void depthwise_near(const int count, const int kw, const int stride,
                              const depthwise_run *run, ptrdiff_t column, const real *x,
                              const real *w, vreal *sum) {
    const ptrdiff_t c = run->n, down = run->down;
    x += run->y0 * down;
    w += kw * run->y0 * c;
    for (ptrdiff_t ky = run->y0; ky < run->y1; ky++, x += down, w += kw * c) {
        vreal weight[5];
        const real *from = x;
        CO_UNROLL
        for (int kx = 0; kx < kw; kx++) weight[kx] = v_load(w + kx * c);
        CO_UNROLL
        for (int i = 0; i < (count - 1) * stride + kw; i++, from += c) {
            if ((size_t)(column + i) >= (size_t)run->columns) continue;
            vreal pixel = v_load(from);
            V_KEEP(pixel);
            CO_UNROLL
            for (int j = 0; j < count; j++) {
                const int kx = i - j * stride;
                if (kx >= 0 && kx < kw) sum[j] = v_fma(pixel, weight[kx], sum[j]);
            }
        }
    }
}

/* A tile, vector by vector of the channels. The last of several may do some channels again; where
 * there is no whole one, it is a part of one. kw, stride: of windows with pixels side by side, else
 * 0. */
CO_INLINE void depthwise_tile(const int count, const int kw, const int stride, const int whole,
                              const depthwise_run *run, ptrdiff_t column, const real *x,
                              const real *w, const real *bias, real *y) {
    const vreal floor = v_set1(run->floor);
    const ptrdiff_t reach = (count - 1) * run->stride + (run->kw - 1) * run->apart;
    const int inside = column >= 0 && column + reach < run->columns;
    for (ptrdiff_t c = 0; c < run->n; c += VL) {
        if (whole && c > run->n - VL) c = run->n - VL;
        const vreal shift = bias ? depthwise_load(whole, bias + c, run->n) : V(-0.0);
        vreal sum[DEPTHWISE_MOST];
        CO_UNROLL
        for (int i = 0; i < count; i++) sum[i] = V(0);
        if (kw)
            depthwise_near(count, kw, stride, run, column, x + c, w + c, sum);
        else if (inside)
            depthwise_any(count, whole, 1, run, column, x + c, w + c, sum);
        else
            depthwise_any(count, whole, 0, run, column, x + c, w + c, sum);
        CO_UNROLL
        for (int i = 0; i < count; i++) {
            const vreal result = v_max(floor, v_add(sum[i], shift));
            if (whole)
                v_store(y + c + i * run->across, result);
            else
                v_store_tail(y + c + i * run->across, result, run->n);
        }
    }
}

/* `results` of them, at least a tile's; the last tile may do some again. */
CO_INLINE void depthwise_row(const int count, const int kw, const int stride, const int whole,
                             const depthwise_run *run, ptrdiff_t results, const real *x,
                             const real *w, const real *bias, real *y) {
    for (ptrdiff_t j = 0; j < results; j += count) {
        if (j > results - count) j = results - count;
        depthwise_tile(count, kw, stride, whole, run, run->column + j * run->stride,
                       x + run->at + j * run->step, w, bias, y + j * run->across);
    }
}

/* The ways of a row, each by tiles of all sizes: name, and what depthwise_row takes. */
#define DEPTHWISE_LIST(WAY)                                                                        \
    WAY(any, 0, 0, 1)                                                                              \
    WAY(part, 0, 0, 0)                                                                             \
    WAY(three, 3, 1, 1)                                                                            \
    WAY(three_by_2, 3, 2, 1)                                                                       \
    WAY(five, 5, 1, 1)                                                                             \
    WAY(five_by_2, 5, 2, 1)
enum { DEPTHWISE_ANY, DEPTHWISE_PART, DEPTHWISE_THREE, DEPTHWISE_FIVE = DEPTHWISE_THREE + 2 };
enum { DEPTHWISE_SIZES = 4 };
static const int depthwise_sizes[DEPTHWISE_SIZES] = {8, 6, 4, 1};

#define DEPTHWISE_ROW(name, count, kw, stride, whole)                                              \
    static void depthwise_##name##_##count(const depthwise_run *run, ptrdiff_t results,            \
                                           const real *x, const real *w, const real *bias,         \
                                           real *y) {                                              \
        depthwise_row(count, kw, stride, whole, run, results, x, w, bias, y);                      \
    }
#define DEPTHWISE_ROWS(name, kw, stride, whole)                                                    \
    DEPTHWISE_ROW(name, 8, kw, stride, whole)                                                      \
    DEPTHWISE_ROW(name, 6, kw, stride, whole)                                                      \
    DEPTHWISE_ROW(name, 4, kw, stride, whole)                                                      \
    DEPTHWISE_ROW(name, 1, kw, stride, whole)
#define DEPTHWISE_NAMES(name, kw, stride, whole)                                                   \
    {depthwise_##name##_8, depthwise_##name##_6, depthwise_##name##_4, depthwise_##name##_1},
DEPTHWISE_LIST(DEPTHWISE_ROWS)
static void (*const depthwise_rows[][DEPTHWISE_SIZES])(const depthwise_run *run, ptrdiff_t results,
                                                       const real *x, const real *w,
                                                       const real *bias,
                                                       real *y) = {DEPTHWISE_LIST(DEPTHWISE_NAMES)};

/* The size of tiles that takes the least time for n results, where a tile costs as much as one and
 * a half results more than it has. A single one has too few sums to hide the latency of an fma. */
static int depthwise_size(ptrdiff_t n) {
    int best = DEPTHWISE_SIZES - 1;
    ptrdiff_t least = PTRDIFF_MAX;
    CO_UNROLL
    for (int i = 0; i < DEPTHWISE_SIZES - 1; i++) {
        const ptrdiff_t size = depthwise_sizes[i];
        const ptrdiff_t time = (n + size - 1) / size * (2 * size + 3);
        if (size > n || time >= least) continue;
        least = time;
        best = i;
    }
    return best;
}

/* Results from j on of a row whose run is that of the first, n of them. */
static void depthwise_results(const co_window *s, depthwise_run run, ptrdiff_t j, ptrdiff_t n,
                              const real *x, const real *w, const real *bias, real *y) {
    int way = s->c < VL ? DEPTHWISE_PART : DEPTHWISE_ANY;
    if (s->dw == 1 && s->sw <= 2 && s->c >= VL && (s->kw == 3 || s->kw == 5))
        way = (s->kw == 3 ? DEPTHWISE_THREE : DEPTHWISE_FIVE) + (int)s->sw - 1;
    run.column += j * s->sw;
    run.at += j * run.step;
    depthwise_rows[way][depthwise_size(n)](&run, n, x, w, bias, y + j * s->c);
}

/* Few channels: their weights are repeated, so that a vector has several neighbours. */
#define DEPTHWISE_TAPS 25

static void depthwise_repeat(ptrdiff_t c, const real *x, real *y) {
    for (ptrdiff_t i = 0; i < VL; i++) y[i] = x[i % c];
}

/* The same of results whose windows are inside, at least a vector of neighbours. */
static void depthwise_several(const co_window *s, depthwise_run run, ptrdiff_t j, ptrdiff_t n,
                              const real *x, const real *w, const real *bias, real *y) {
    const ptrdiff_t lanes = VL / s->c * s->c, vectors = n * s->c / lanes, rest = n * s->c % lanes;
    const int way = lanes < VL ? DEPTHWISE_PART : DEPTHWISE_ANY;
    run.column = run.stride = 0;
    run.at += j * run.step;
    run.step = run.across = run.n = lanes;
    run.ldw = VL;
    y += j * s->c;
    depthwise_rows[way][depthwise_size(vectors)](&run, vectors, x, w, bias, y);
    if (rest == 0) return;
    const ptrdiff_t last = (vectors - 1) * lanes + rest; /* some of them again */
    run.at += last;
    depthwise_rows[way][DEPTHWISE_SIZES - 1](&run, 1, x, w, bias, y + last);
}

static void depthwise(const co_window *s, ptrdiff_t first, ptrdiff_t rows, const void *x,
                      const void *w, const void *bias, void *y, const co_act *act) {
    const int in_tile = act->kind == CO_ACT_LINEAR || act->kind == CO_ACT_RELU;
    const ptrdiff_t taps = s->kh * s->kw, row = s->ow * s->c;
    /* the results of a row whose windows reach neither side */
    ptrdiff_t inner, none;
    co_inside(-s->left, s->sw, s->ow, s->w, &inner);
    const ptrdiff_t reach = (s->kw - 1) * s->dw - s->left;
    const ptrdiff_t outer = co_inside(reach, s->sw, s->ow, s->w, &none);
    const int several = s->sw == 1 && s->c > 0 && 2 * s->c <= VL && taps <= DEPTHWISE_TAPS &&
                        (outer - inner) * s->c >= VL;
    real repeated[(DEPTHWISE_TAPS + 1) * VL], *shift = repeated + DEPTHWISE_TAPS * VL;
    for (ptrdiff_t i = 0; several && i < taps; i++)
        depthwise_repeat(s->c, (const real *)w + i * s->c, repeated + i * VL);
    if (several && bias) depthwise_repeat(s->c, bias, shift);
    real *to = y;
    for (ptrdiff_t i = first; i < first + rows; i++, to += row) {
        const ptrdiff_t top = i * s->sh - s->top;
        depthwise_run run = {.kw = s->kw,
                             .down = s->dh * s->w * s->c,
                             .right = s->dw * s->c,
                             .ldw = s->c,
                             .n = s->c,
                             .column = -s->left,
                             .stride = s->sw,
                             .apart = s->dw,
                             .columns = s->w,
                             .at = (top * s->w - s->left) * s->c,
                             .step = s->sw * s->c,
                             .across = s->c,
                             .floor = act->kind == CO_ACT_RELU ? 0 : -REAL_INF};
        run.y1 = co_inside(top, s->dh, s->kh, s->h, &run.y0);
        if (several) {
            depthwise_results(s, run, 0, inner, x, w, bias, to);
            depthwise_several(s, run, inner, outer - inner, x, repeated, bias ? shift : NULL, to);
            depthwise_results(s, run, outer, s->ow - outer, x, w, bias, to);
        } else {
            depthwise_results(s, run, 0, s->ow, x, w, bias, to);
        }
        if (!in_tile) vact(row, to, to, act);
    }
}

#endif
