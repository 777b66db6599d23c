/* conv.c - convolutions: x as (images, h, w, c), the weight as (kh, kw, c / groups, n). No columns
 * are written: a band of rows of the image is copied to where it has its padding around it, and the
 * windows of a row of results are the rows of a product, in strips. Kernels of 3 by 3 go by
 * winograd.c where that is faster. */
#include "conv.h"

#include <stdlib.h>

static const co_kind kind;

/* ------------------------------------------------------------------------------ building */

/* Bytes of scratch that stay in the second cache beside weights. */
enum { CO_BAND_BYTES = 192 * 1024 };

static ptrdiff_t at_least_one(ptrdiff_t a) { return a < 1 ? 1 : a; }

static void choose_way(co_conv *c, const co_kernels *kernels, ptrdiff_t item) {
    const co_window *s = &c->s;
    const int dense = c->across == c->n; /* results lie one after the other */
    ptrdiff_t bytes;                     /* of a row */
    if (dense && c->groups == 1 && co_winograd_pays(s, c->n)) {
        c->way = TILES;
        c->rows = co_ceiling(s->oh, CO_WINOGRAD_TILE);
        bytes = CO_WINOGRAD_NUMBERS * co_ceiling(s->ow, CO_WINOGRAD_TILE) * s->c * item;
    } else if (dense && c->groups == 1 && 2 * s->ow <= kernels->gemm_mr) {
        c->way = COLUMNS;
        c->rows = 1;
        bytes = s->oh * s->ow * s->kh * s->kw * s->c * item;
    } else {
        c->way = STRIPS;
        c->rows = s->oh;
        bytes = s->sh * s->w * s->c * item;
    }
    c->band = at_least_one(CO_BAND_BYTES / at_least_one(bytes));
    if (c->way == TILES) { /* two of gemm's at least, where a block has so many */
        const ptrdiff_t least =
            co_ceiling(2 * kernels->gemm_mr, co_ceiling(s->ow, CO_WINOGRAD_TILE));
        if (c->band < least) c->band = least;
    }
}

/* The strips of a window. */
static void cut_windows(co_conv *c) {
    const co_window *s = &c->s;
    c->inside = co_window_inside(s);
    c->wide = c->inside ? s->w : co_window_wide(s);
    /* a row of a window is one strip where nothing lies between its pixels */
    const int whole = s->dw == 1 && c->groups == 1;
    c->strips = whole ? s->kh : s->kh * s->kw;
    c->length = (whole ? s->kw : 1) * (s->c / c->groups);
    for (ptrdiff_t i = 0; i < c->strips; i++) {
        const ptrdiff_t ky = whole ? i : i / s->kw, kx = whole ? 0 : i % s->kw;
        c->at[i] = (ky * s->dh * c->wide + kx * s->dw) * s->c;
    }
}

co_conv *co_conv_create(const co_window *s, ptrdiff_t n, ptrdiff_t groups) {
    co_conv *c = calloc(1, sizeof *c + (size_t)(s->kh * s->kw) * sizeof *c->at);
    if (!c) return NULL;
    c->s = *s;
    c->n = n;
    c->groups = groups;
    c->act = (co_act){.kind = CO_ACT_LINEAR};
    c->across = n;
    c->down = s->ow * n;
    c->image = s->oh * s->ow * n;
    cut_windows(c);
    return c;
}

void co_conv_destroy(co_conv *c) {
    free(c->panels);
    free(c->tiles);
    free(c->turn.w);
    free(c);
}

int co_conv_append(co_plan *plan, co_conv *c, int x, ptrdiff_t images, int w, int bias, int out) {
    co_step step = co_step_of(&kind, x, images);
    choose_way(c, plan->kernels, plan->item_bytes);
    step.w[0] = w;
    step.w[1] = bias;
    step.out[0] = out;
    step.u.own = c;
    const int made = co_plan_append(plan, step, out < 0 ? co_product(images, c->image) : -1);
    return made < 0 || out < 0 ? made : out;
}

int co_plan_conv(co_plan *plan, int x, const co_window *s, ptrdiff_t groups, int w, int bias) {
    const ptrdiff_t images = co_window_images(plan, x, s);
    if (images < 0) return (int)images;
    if (!co_is_weight(plan, w, plan->item_bytes) || groups < 1 || s->c % groups) return CO_BAD_PLAN;
    const ptrdiff_t n = plan->weights[w].n, k = s->kh * s->kw * (s->c / groups);
    if (n % groups || plan->weights[w].k != k || !co_is_vector(plan, bias, n)) return CO_BAD_PLAN;
    co_conv *c = co_conv_create(s, n, groups);
    return c ? co_conv_append(plan, c, x, images, w, bias, -1) : CO_NO_MEMORY;
}

int co_conv_takes_act(co_step *before, const co_step *act) {
    if (before->kind != &kind) return 0;
    co_conv *c = before->u.own;
    if (c->act.kind != CO_ACT_LINEAR) return 0;
    c->act = act->u.act;
    return 1;
}

int co_conv_takes_affine(co_plan *plan, co_step *before, const co_step *affine) {
    if (before->kind != &kind) return 0;
    const co_conv *c = before->u.own;
    return c->act.kind == CO_ACT_LINEAR &&
           co_affine_fold(plan, affine, c->n, &before->w[0], &before->w[1]);
}

static void release(co_step *step) { co_conv_destroy(step->u.own); }

/* Tiles write pixels one after the other; on the way back, results may lie apart already. */
static ptrdiff_t row(const co_step *step) {
    const co_conv *c = step->u.own;
    return c->way == TILES || c->across != c->n ? 0 : co_row_apart(&c->act, c->n);
}

static co_status pack(co_plan *plan, co_step *step) {
    co_conv *c = step->u.own;
    if (plan->values[step->out[0]].within >= 0) {
        c->across = plan->values[step->out[0]].pitch;
        c->down = c->s.ow * c->across;
        c->image = c->s.oh * c->down;
    }
    return co_conv_pack(plan, step);
}

/* ------------------------------------------------------------------------------- running */

void co_copy_band(const co_kernels *kernels, const co_window *s, const char *x, ptrdiff_t top,
                  ptrdiff_t rows, ptrdiff_t wide, char *band) {
    co_window pixels = *s;
    pixels.kh = pixels.kw = pixels.sh = pixels.sw = pixels.dh = pixels.dw = 1;
    pixels.top = -top;
    pixels.oh = rows;
    pixels.ow = wide;
    kernels->im2col(&pixels, s->c, x, band);
}

/* Rows of the results of one image. */
static void run_strips(const co_job *job, const co_step *step, const char *x, char *y,
                       ptrdiff_t first, ptrdiff_t rows, char *band) {
    const co_conv *c = step->u.own;
    const co_window *s = &c->s;
    const co_kernels *kernels = job->plan->kernels;
    const ptrdiff_t item = job->plan->item_bytes, n = c->n / c->groups;
    const char *w = step->form[0], *bias = step->form[1];
    if (c->inside) {
        band = (char *)x + first * s->sh * s->w * s->c * item;
    } else {
        co_copy_band(kernels, s, x, first * s->sh - s->top, co_window_high(s, rows), c->wide, band);
    }
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t g = 0; g < c->groups; g++)
            kernels->gemm_strips(s->ow, n, c->strips, c->at, c->length,
                                 band +
                                     (i * s->sh * c->wide * s->c + g * (s->c / c->groups)) * item,
                                 s->sw * s->c, w + g * c->apart, bias ? bias + g * n * item : NULL,
                                 y + ((first + i) * c->down + g * n) * item, c->across, &c->act);
}

/* Whole images, whose rows of results are too short to be products. */
static void run_columns(const co_job *job, const co_step *step, const char *x, char *y,
                        ptrdiff_t images, char *columns) {
    const co_conv *c = step->u.own;
    const co_window *s = &c->s;
    const ptrdiff_t item = job->plan->item_bytes, k = s->kh * s->kw * s->c, m = s->oh * s->ow;
    for (ptrdiff_t i = 0; i < images; i++)
        job->plan->kernels->im2col(s, s->c, x + i * s->h * s->w * s->c * item,
                                   columns + i * m * k * item);
    job->plan->kernels->gemm(images * m, c->n, k, columns, k, step->form[0], step->form[1], y,
                             c->across, &c->act);
}

/* The bytes of the numbers of `rows` rows of tiles, of c channels each, from one to the next: not a
 * power of 2, which would have all of a tile's meet in one set of the cache. */
static ptrdiff_t plane(const co_conv *c, ptrdiff_t rows, ptrdiff_t channels, ptrdiff_t item) {
    const ptrdiff_t tiles = rows * co_ceiling(c->s.ow, CO_WINOGRAD_TILE);
    return co_ceiling(tiles * channels * item, CO_LINE) * CO_LINE + CO_LINE;
}

/* The bytes of a band of an image for so many rows of tiles. */
static ptrdiff_t tile_band(const co_conv *c, ptrdiff_t rows, ptrdiff_t item) {
    const ptrdiff_t wide = co_ceiling(c->s.ow, CO_WINOGRAD_TILE) * CO_WINOGRAD_TILE + 2;
    const ptrdiff_t bytes = (rows * CO_WINOGRAD_TILE + 2) * wide * c->s.c * item;
    return co_ceiling(bytes, CO_LINE) * CO_LINE;
}

/* Rows of tiles of a block of images, from row `first` of all of them on. */
static void run_tiles(const co_job *job, const co_step *step, const char *x, char *y,
                      ptrdiff_t first, ptrdiff_t rows, char *scratch) {
    const co_conv *c = step->u.own;
    const co_window *s = &c->s;
    const co_kernels *kernels = job->plan->kernels;
    const ptrdiff_t item = job->plan->item_bytes, across = co_ceiling(s->ow, CO_WINOGRAD_TILE);
    const ptrdiff_t wide = across * CO_WINOGRAD_TILE + 2, image = s->h * s->w * s->c * item;
    const ptrdiff_t plane_in = plane(c, rows, s->c, item), plane_out = plane(c, rows, c->n, item);
    const ptrdiff_t row = s->ow * c->n * item;
    const co_act linear = {.kind = CO_ACT_LINEAR};
    char *band = scratch, *in = band + tile_band(c, rows, item);
    char *out = in + CO_WINOGRAD_NUMBERS * plane_in;
    for (ptrdiff_t t = 0, more; t < rows; t += more) { /* those of one image */
        const ptrdiff_t from = (first + t) % c->rows;
        more = c->rows - from < rows - t ? c->rows - from : rows - t;
        co_copy_band(kernels, s, x + (first + t) / c->rows * image,
                     from * CO_WINOGRAD_TILE - s->top, more * CO_WINOGRAD_TILE + 2, wide, band);
        for (ptrdiff_t i = 0; i < more; i++)
            kernels->winograd_in(across, s->c, band + i * CO_WINOGRAD_TILE * wide * s->c * item,
                                 wide * s->c, in + (t + i) * across * s->c * item, plane_in / item);
    }
    for (ptrdiff_t number = 0; number < CO_WINOGRAD_NUMBERS; number++)
        kernels->gemm(rows * across, c->n, s->c, in + number * plane_in, s->c,
                      c->tiles + number * c->between, NULL, out + number * plane_out, c->n,
                      &linear);
    for (ptrdiff_t t = 0; t < rows; t++) {
        const ptrdiff_t which = (first + t) / c->rows;
        const ptrdiff_t from = (first + t) % c->rows * CO_WINOGRAD_TILE, left = s->oh - from;
        const ptrdiff_t high = left < CO_WINOGRAD_TILE ? left : CO_WINOGRAD_TILE;
        char *to = y + which * s->oh * row;
        const int odd = kernels->winograd_out(high, s->ow, c->n, out + t * across * c->n * item,
                                              plane_out / item, step->form[1], to + from * row,
                                              s->ow * c->n, c->act.kind == CO_ACT_RELU);
        if (odd) /* infinities and NaN would not stay where they belong */
            run_strips(job, step, x + which * image, to, from, high, band);
        else if (c->act.kind != CO_ACT_LINEAR && c->act.kind != CO_ACT_RELU)
            kernels->vact(high * s->ow * c->n, to + from * row, to + from * row, &c->act);
    }
}

static void run_piece(void *context, int worker, ptrdiff_t piece) {
    const co_bands *b = context;
    const co_job *job = b->job;
    const co_conv *c = b->step->u.own;
    const ptrdiff_t item = job->plan->item_bytes, image = c->s.h * c->s.w * c->s.c * item;
    const ptrdiff_t result = c->image * item;
    const ptrdiff_t first = piece * b->band, left = b->rows - first;
    const ptrdiff_t rows = left < b->band ? left : b->band;
    char *scratch = b->arena + worker * job->stride + job->scratch, *y = b->y + c->first * item;
    if (c->way == TILES) {
        run_tiles(job, b->step, b->x, y, first, rows, scratch);
        return;
    }
    if (c->way == COLUMNS) {
        run_columns(job, b->step, b->x + first * image, y + first * result, rows, scratch);
        return;
    }
    for (ptrdiff_t t = 0, more; t < rows; t += more) { /* those of one image */
        const ptrdiff_t which = (first + t) / c->rows, from = (first + t) % c->rows;
        more = c->rows - from < rows - t ? c->rows - from : rows - t;
        run_strips(job, b->step, b->x + which * image, y + which * result, from, more, scratch);
    }
}

static ptrdiff_t all_rows(const co_job *job, const co_step *step, ptrdiff_t units) {
    return co_positions(job, step, units) * ((co_conv *)step->u.own)->rows;
}

static void run(const co_job *job, const co_step *step, char *arena, ptrdiff_t first,
                ptrdiff_t units) {
    const co_conv *c = step->u.own;
    if (c->s.oh * c->s.ow * c->n == 0) return;
    co_run_bands(job, step, arena, first, all_rows(job, step, units), c->band, run_piece);
}

static ptrdiff_t parts(const co_job *job, const co_step *step) {
    return all_rows(job, step, job->units);
}

static ptrdiff_t scratch(const co_job *job, const co_step *step, ptrdiff_t units) {
    const co_conv *c = step->u.own;
    const co_window *s = &c->s;
    const ptrdiff_t item = job->plan->item_bytes, rows = all_rows(job, step, units);
    const ptrdiff_t band = rows < c->band ? rows : c->band;
    if (c->way == COLUMNS) return band * s->oh * s->ow * s->kh * s->kw * s->c * item;
    if (c->way == TILES)
        return tile_band(c, band, item) +
               CO_WINOGRAD_NUMBERS * (plane(c, band, s->c, item) + plane(c, band, c->n, item));
    if (c->inside) return 0;
    const ptrdiff_t in_one = band < c->rows ? band : c->rows;
    return co_window_high(s, in_one) * c->wide * s->c * item;
}

/* 6 NR GFLOP/s, as for a dense step; tiles are three times as fast. */
static double cost(const co_plan *plan, const co_step *step) {
    const co_conv *c = step->u.own;
    const double out = (double)(step->positions / plan->units * c->s.oh * c->s.ow * c->n);
    const double k = (double)(c->strips * c->length);
    return out * k / ((c->way == TILES ? 9 : 3) * plan->kernels->gemm_nr);
}

static ptrdiff_t rows(const co_step *step) {
    const co_conv *c = step->u.own;
    const ptrdiff_t side = c->way == TILES ? CO_WINOGRAD_TILE : 1;
    return step->positions * co_ceiling(c->s.oh, side) * co_ceiling(c->s.ow, side);
}

static const co_kind kind = {.name = "conv",
                             .run = run,
                             .back = co_conv_back,
                             .pack = pack,
                             .cost = cost,
                             .prepare = co_conv_prepare,
                             .scratch = scratch,
                             .parts = parts,
                             .rows = rows,
                             .row = row,
                             .release = release};
