/* conv_back.c - the way back of a convolution. The gradient of its image is a convolution of the
 * gradient of its results: with strides, one for each place that a pixel has between the windows,
 * with those taps that reach it. The gradient of its weights is summed over chunks of images, of
 * which rows are kept as they are (learn.c). */
#include <stdlib.h>

#include "../backward.h"
#include "../trainer.h"
#include "conv.h"

/* Along one axis, what makes the gradients of pixels p, p + stride, ...: `count` taps of the
 * kernel, of which tap `last` comes first and every `step`-th before it next, on every apart-th
 * result, from number -before on; and how many pixels these are. */
typedef struct phase {
    ptrdiff_t count, last, step, apart, before, pixels;
} phase;

/* Tap k of result j is at pixel j * stride + k * dilation - padding. */
static phase phase_of(ptrdiff_t p, ptrdiff_t size, ptrdiff_t taps, ptrdiff_t stride,
                      ptrdiff_t dilation, ptrdiff_t padding) {
    phase made = {.pixels = p < size ? (size - p - 1) / stride + 1 : 0};
    for (ptrdiff_t k = taps - 1; k >= 0; k--) {
        const ptrdiff_t ahead = p + padding - k * dilation; /* of result 0's first tap */
        if (ahead % stride) continue;
        if (made.count++ == 0) {
            made.last = k;
            made.before = -(ahead / stride);
        } else if (made.count == 2) {
            made.step = made.last - k;
            made.apart = ahead / stride + made.before;
        }
    }
    return made;
}

/* Appends what makes the gradients of the pixels of two phases; the value, `out` unless that is -1.
 */
static int append_phase(co_backward *back, const co_step *step, int dy, ptrdiff_t py, ptrdiff_t px,
                        int out) {
    const co_conv *c = step->u.own;
    const co_window *s = &c->s;
    const phase y = phase_of(py, s->h, s->kh, s->sh, s->dh, s->top);
    const phase x = phase_of(px, s->w, s->kw, s->sw, s->dw, s->left);
    const int taps = y.count && x.count;
    const co_window to = {.h = s->oh,
                          .w = s->ow,
                          .c = c->n,
                          .kh = taps ? y.count : 1,
                          .kw = taps ? x.count : 1,
                          .sh = 1,
                          .sw = 1,
                          .dh = y.count > 1 ? y.apart : 1,
                          .dw = x.count > 1 ? x.apart : 1,
                          .top = y.before,
                          .left = x.before,
                          .oh = y.pixels,
                          .ow = x.pixels};
    co_conv *made = co_conv_create(&to, s->c, c->groups);
    if (!made) return CO_NO_MEMORY;
    made->first = (py * s->w + px) * s->c;
    made->across = s->sw * s->c;
    made->down = s->sh * s->w * s->c;
    made->image = s->h * s->w * s->c;
    made->turn = (co_turn){.kw = s->kw, .y = y.last, .x = x.last, .down = y.step, .right = x.step};
    if (!taps) {
        made->strips = 1;
        made->length = 0; /* a sum of nothing */
    }
    const ptrdiff_t elements = to.kh * to.kw * (c->n / c->groups) * s->c;
    made->turn.w = malloc((size_t)(elements * back->plan->item_bytes + 1));
    if (!made->turn.w) {
        co_conv_destroy(made);
        return CO_NO_MEMORY;
    }
    return co_conv_append(back->plan, made, dy, step->positions, step->w[0], -1, out);
}

static void take_back(co_backward *back, const co_step *step) {
    const co_window *s = &((co_conv *)step->u.own)->s;
    const int x = step->in[0], dy = back->gradient[step->out[0]];
    int dx = -1;
    for (ptrdiff_t py = 0; py < s->sh; py++)
        for (ptrdiff_t px = 0; px < s->sw && back->status == CO_OK; px++) {
            dx = append_phase(back, step, dy, py, px, dx);
            if (dx < 0) back->status = (co_status)dx;
        }
    if (back->status == CO_OK) co_back_add(back, x, dx);
}

/* ---------------------------------------------------------------------------- of weights */

/* The products of a chunk's images, in the order of images, rows and pixels: windows are rows that
 * overlap, of the image or of a band that holds all of it with its padding. */
static void sum_images(const co_kernels *kernels, const co_chunked *how, ptrdiff_t images,
                       const char *x, const char *dy, char *g, char *band) {
    const co_window *s = &how->s;
    const ptrdiff_t item = kernels->real_bits / 8, c = s->c / how->groups, n = how->n / how->groups;
    const int inside = co_window_inside(s);
    const ptrdiff_t wide = inside ? s->w : co_window_wide(s), row = wide * s->c;
    const int whole = s->dw == 1 && how->groups == 1;
    const ptrdiff_t taps = whole ? 1 : s->kw, m = whole ? s->kw * c : c;
    for (ptrdiff_t i = 0; i < images; i++) {
        const char *pixels = inside ? x : band;
        if (!inside) co_copy_band(kernels, s, x, -s->top, co_window_high(s, s->oh), wide, band);
        for (ptrdiff_t ky = 0; ky < s->kh; ky++)
            for (ptrdiff_t kx = 0; kx < taps; kx++)
                for (ptrdiff_t of = 0; of < how->groups; of++) {
                    const ptrdiff_t from = ky * s->dh * row + kx * s->dw * s->c + of * c;
                    const ptrdiff_t to = (ky * s->kw + kx) * c * how->n + of * n;
                    kernels->outer(m, n, s->oh, s->ow, pixels + from * item, s->sw * s->c,
                                   s->sh * row, dy + of * n * item, how->n, s->ow * how->n,
                                   g + to * item, how->n, i > 0);
                }
        x += s->h * s->w * s->c * item;
        dy += s->oh * s->ow * how->n * item;
    }
}

/* Tiles whose products are summed at once: as many as make the sums' way to memory and back worth
 * while. */
enum { CO_TILES_AT_ONCE = 64 };

/* The scratch of sum_tiles, in bytes: a band of a row of tiles (which is in that of sum_images),
 * and the planes of the numbers of inputs, of gradients and of weights. A plane has a line more
 * than it needs, so that they do not all meet in one set of the cache. */
typedef struct tiling {
    ptrdiff_t across, rows, most;  /* tiles of a row, rows of an image, rows at once */
    ptrdiff_t band, in, out, sums; /* bytes: of the band, and of a plane */
} tiling;

static ptrdiff_t plane_bytes(ptrdiff_t elements, ptrdiff_t item) {
    return co_ceiling(elements * item, CO_LINE) * CO_LINE + CO_LINE;
}

static tiling tiling_of(const co_chunked *how, ptrdiff_t item) {
    const co_window *s = &how->s;
    tiling t = {.across = co_ceiling(s->ow, CO_WINOGRAD_TILE),
                .rows = co_ceiling(s->oh, CO_WINOGRAD_TILE)};
    const ptrdiff_t wide = t.across * CO_WINOGRAD_TILE + 2, high = t.rows * CO_WINOGRAD_TILE + 2;
    t.most = co_ceiling(CO_TILES_AT_ONCE, t.across);
    if (t.most > t.rows * how->images) t.most = t.rows * how->images;
    t.band = plane_bytes(high * wide * s->c, item);
    t.in = plane_bytes(t.most * t.across * s->c, item);
    t.out = plane_bytes(t.most * t.across * how->n, item);
    t.sums = plane_bytes(s->c * how->n, item);
    return t;
}

static ptrdiff_t tiling_bytes(const tiling *t) {
    return t->band + CO_WINOGRAD_NUMBERS * (t->in + t->out + t->sums);
}

/* The same by Winograd's way: the sums of the products of each number, transformed back once. */
static void sum_tiles(const co_kernels *kernels, const co_chunked *how, ptrdiff_t images,
                      const char *x, const char *dy, char *g, char *scratch) {
    const co_window *s = &how->s;
    const ptrdiff_t item = kernels->real_bits / 8, c = s->c, n = how->n;
    const tiling t = tiling_of(how, item);
    const ptrdiff_t wide = t.across * CO_WINOGRAD_TILE + 2, all = images * t.rows;
    char *in = scratch + t.band, *out = in + CO_WINOGRAD_NUMBERS * t.in;
    char *sums = out + CO_WINOGRAD_NUMBERS * t.out;
    for (ptrdiff_t first = 0; first < all; first += t.most) {
        const ptrdiff_t rows = all - first < t.most ? all - first : t.most;
        for (ptrdiff_t i = 0; i < rows; i++) {
            const ptrdiff_t image = (first + i) / t.rows;
            const ptrdiff_t top = (first + i) % t.rows * CO_WINOGRAD_TILE, left = s->oh - top;
            co_copy_band(kernels, s, x + image * s->h * s->w * c * item, top - s->top,
                         CO_WINOGRAD_TILE + 2, wide, scratch);
            kernels->winograd_in(t.across, c, scratch, wide * c, in + i * t.across * c * item,
                                 t.in / item);
            kernels->winograd_grad(left < CO_WINOGRAD_TILE ? left : CO_WINOGRAD_TILE, s->ow, n,
                                   dy + (image * s->oh + top) * s->ow * n * item, s->ow * n,
                                   out + i * t.across * n * item, t.out / item);
        }
        for (ptrdiff_t i = 0; i < CO_WINOGRAD_NUMBERS; i++)
            kernels->outer(c, n, 1, rows * t.across, in + i * t.in, c, 0, out + i * t.out, n, 0,
                           sums + i * t.sums, n, first > 0);
    }
    if (kernels->winograd_sums(c * n, sums, t.sums / item, g)) /* those in order are not mixed */
        sum_images(kernels, how, images, x, dy, g, scratch);
}

/* Of so few samples at most a run sums a chunk while it has them at hand: more would not stay in
 * the caches. */
enum { CO_AT_HAND = 4 };

static co_use *use_of(const co_plan *plan, const co_step *step) {
    return &plan->trainer->uses[step->u.kept.number];
}

static co_status prepare(const co_job *job, const co_step *step) {
    return co_trainer_chunks(job->plan->trainer, use_of(job->plan, step));
}

static void run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    const co_use *use = use_of(job->plan, step);
    const co_window *s = &use->chunks->s;
    const ptrdiff_t one = s->oh * s->ow * use->chunks->n, item = job->plan->item_bytes;
    const ptrdiff_t images = co_elements(job, step->in[0], units) / one;
    const ptrdiff_t at_once = use->chunks->images;
    const ptrdiff_t before = co_elements(job, step->in[0], first) / one / at_once;
    const char *dy = co_locate(job, arena, step->in[0], first);
    const char *x = co_locate(job, arena, step->in[1], first);
    for (ptrdiff_t i = 0; i < images; i += at_once)
        co_trainer_sum_chunk(job->plan->trainer, use, before + i / at_once,
                             x + i * s->h * s->w * s->c * item, dy + i * one * item,
                             arena + job->scratch);
}

static ptrdiff_t scratch(const co_job *job, const co_step *step, ptrdiff_t units) {
    (void)units;
    return use_of(job->plan, step)->chunks->scratch;
}

/* 4 NR GFLOP/s, as learn.c has it. */
static double cost(const co_plan *plan, const co_step *step) {
    const co_chunked *how = use_of(plan, step)->chunks;
    const double results = (double)(plan->values[step->in[0]].size / plan->units / how->groups);
    const double taps = (double)(how->s.kh * how->s.kw * how->s.c);
    return results * taps / (2 * plan->kernels->gemm_nr);
}

static ptrdiff_t grain(const co_plan *plan, const co_step *step) {
    const co_chunked *how = use_of(plan, step)->chunks;
    const ptrdiff_t one = how->s.oh * how->s.ow * how->n;
    return how->images / (plan->values[step->in[0]].size / one);
}

static const co_kind sums = {.name = "weights' gradient",
                             .run = run,
                             .cost = cost,
                             .prepare = prepare,
                             .scratch = scratch,
                             .grain = grain};

/* A chunk's gradient takes at most half as much memory as its images and gradients. */
void co_back_sum_windows(co_backward *back, int w, int x, int dy, const co_window *s, ptrdiff_t n,
                         ptrdiff_t groups, ptrdiff_t images) {
    const ptrdiff_t item = back->plan->item_bytes, pixels = s->h * s->w, results = s->oh * s->ow;
    const ptrdiff_t one = pixels * s->c + results * n, g = s->kh * s->kw * (s->c / groups) * n;
    const int tiles = groups == 1 && co_winograd_pays(s, n);
    co_chunked how = {.sum = tiles ? sum_tiles : sum_images, .s = *s, .n = n, .groups = groups};
    how.images = one && g ? co_ceiling(2 * g, one) : 1;
    if (tiles) {
        const ptrdiff_t of_one =
            co_ceiling(s->oh, CO_WINOGRAD_TILE) * co_ceiling(s->ow, CO_WINOGRAD_TILE);
        const ptrdiff_t least = co_ceiling(CO_TILES_AT_ONCE, of_one);
        if (how.images < least) how.images = least;
    }
    ptrdiff_t samples = 1; /* powers of two fit into each other */
    while (samples * images < how.images) samples *= 2;
    how.at_hand = samples <= CO_AT_HAND && results * n > 0;
    if (how.at_hand) how.images = samples * images;
    how.scratch = co_window_high(s, s->oh) * co_window_wide(s) * s->c * item;
    if (tiles) {
        const tiling t = tiling_of(&how, item);
        how.scratch = tiling_bytes(&t);
    }
    if (how.at_hand) {
        const int count = co_back_keep(back, dy, n, images * results, CO_KEEP_COUNT);
        co_step step = co_step_of(&sums, dy, 1);
        step.in[1] = x;
        step.u.kept.number = co_back_use_chunks(back, w, -1, count, &how);
        co_back_append(back, step, -1);
    } else {
        const int kept_x = co_back_keep(back, x, s->c, images * pixels, CO_KEEP_ROWS);
        const int kept_dy = co_back_keep(back, dy, n, images * results, CO_KEEP_ROWS);
        co_back_use_chunks(back, w, kept_x, kept_dy, &how);
    }
}

void co_conv_back(co_backward *back, const co_step *step) {
    const co_conv *c = step->u.own;
    const int w = step->w[0], bias = step->w[1], dy = back->gradient[step->out[0]];
    if (co_weight_learns(back->plan, w))
        co_back_sum_windows(back, w, step->in[0], dy, &c->s, c->n, c->groups, step->positions);
    if (co_weight_learns(back->plan, bias)) co_back_sum_rows(back, bias, dy, c->n, step->positions);
    if (back->moves[step->in[0]]) take_back(back, step);
}
