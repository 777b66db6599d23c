/* transpose_tpl.h - planes of 1, 2, 4 or 8 byte elements transposed, into the cache or past it. */
#ifndef COREOPS_TRANSPOSE_TPL_H
#define COREOPS_TRANSPOSE_TPL_H

#include "stream_tpl.h"
#include "tiles_tpl.h"

/* Elements of so many bytes: how a matrix of them is transposed, and a square of a line's elements
 * past the cache (NULL: not at all). */
typedef struct transpose_kind {
    transpose_fn *plane;
    transpose_past_fn *past;
    ptrdiff_t item, line; /* bytes of an element, elements of a line */
} transpose_kind;

/* A plane in bytes. */
typedef struct transpose_area {
    ptrdiff_t m, n, ldx, ldy;
    const char *x;
    char *y;
} transpose_area;

/* Rows i .. i + m - 1 of x and columns j .. j + n - 1. */
CO_INLINE void transpose_part(transpose_kind kind, const transpose_area *a, ptrdiff_t i,
                              ptrdiff_t m, ptrdiff_t j, ptrdiff_t n) {
    if (m > 0 && n > 0)
        kind.plane(m, n, a->x + i * a->ldx + j * kind.item, a->ldx / kind.item,
                   a->y + j * a->ldy + i * kind.item, a->ldy / kind.item);
}

/* Where nothing lies between the rows of y, a line may hold the end of one row and the head of the
 * next: rows of x from i on, then the first ones one column further. They make a square of
 * themselves. */
static void transpose_seam(transpose_kind kind, const transpose_area *a, ptrdiff_t i, ptrdiff_t j,
                           ptrdiff_t next) {
    _Alignas(STREAM_LINE) char square[STREAM_LINE * STREAM_LINE];
    const char *x = a->x + i * a->ldx + j * kind.item;
    for (ptrdiff_t row = 0; row < kind.line; row++, x += a->ldx) {
        if (i + row == a->m) x = a->x + (j + 1) * kind.item;
        CO_PREFETCH_L2(x + next);
        memcpy(square + row * STREAM_LINE, x, STREAM_LINE);
    }
    kind.past(square, kind.line, a->y + j * a->ldy + i * kind.item, a->ldy / kind.item, square);
}

/* The elements up to the first that begins a line, where the rows' distance is whole lines. */
CO_INLINE ptrdiff_t transpose_head(transpose_kind kind, const char *p, ptrdiff_t ld) {
    const ptrdiff_t head = (STREAM_LINE - stream_into(p)) % STREAM_LINE;
    return ld % STREAM_LINE || head % kind.item ? 0 : head / kind.item;
}

/* Past the cache, by squares whose lines are aligned: 4 by 2 of them are a block, and blocks go
 * along x. So both sides are met in pieces of some lines, and few pages are at work. */
static void transpose_past(transpose_kind kind, const transpose_area *a) {
    const ptrdiff_t line = kind.line, top = transpose_head(kind, a->y, a->ldy);
    const ptrdiff_t down = (a->m - top) / line, rest = top + down * line;
    ptrdiff_t left = transpose_head(kind, a->x, a->ldx);
    if (a->n < left + line) left = 0;
    const ptrdiff_t across = (a->n - left) / line, right = left + across * line;
    const int seam = rest < a->m && a->ldy == a->m * kind.item;
    /* the last column's end has no neighbour to share a line with */
    const ptrdiff_t seams = !seam ? 0 : right < a->n ? across : across - 1;
    ptrdiff_t tall;
    for (ptrdiff_t i = 0; i < down; i += tall) {
        tall = down - i < 8 ? down - i : 4;
        for (ptrdiff_t j = 0; j < across; j += 2) {
            const ptrdiff_t wide = across - j < 2 ? 1 : 2;
            const char *x = a->x + (top + i * line) * a->ldx + left * kind.item + j * STREAM_LINE;
            char *y = a->y + (left + j * line) * a->ldy + top * kind.item + i * STREAM_LINE;
            /* the block to the right, or the first one below */
            const ptrdiff_t next = j + 2 * wide <= across ? wide * STREAM_LINE
                                   : i + 2 * tall <= down ? tall * line * a->ldx - j * STREAM_LINE
                                                          : 0;
            for (ptrdiff_t k = 0; k < tall; k++, x += line * a->ldx, y += STREAM_LINE)
                for (ptrdiff_t l = 0; l < wide; l++) {
                    const char *from = x + l * STREAM_LINE;
                    kind.past(from, a->ldx / kind.item, y + l * line * a->ldy, a->ldy / kind.item,
                              from + next);
                }
            for (ptrdiff_t l = j; i + tall == down && l < j + wide && l < seams; l++)
                transpose_seam(kind, a, rest, left + l * line, wide * STREAM_LINE);
        }
    }
    transpose_part(kind, a, top, down * line, 0, left);
    transpose_part(kind, a, top, down * line, right, a->n - right);
    if (seams) { /* heads are done from the second column of squares on, ends up to the last seam */
        transpose_part(kind, a, 0, top, 0, left + 1);
        transpose_part(kind, a, 0, top, left + seams * line + 1, a->n - left - seams * line - 1);
        transpose_part(kind, a, rest, a->m - rest, 0, left);
        transpose_part(kind, a, rest, a->m - rest, left + seams * line, a->n - left - seams * line);
    } else {
        transpose_part(kind, a, 0, top, 0, a->n);
        transpose_part(kind, a, rest, a->m - rest, 0, a->n);
    }
}

static void transpose_planes(transpose_kind kind, const co_planes *p, const char *x, char *y,
                             int stream) {
    const ptrdiff_t item = kind.item;
    if (p->m == 0 || p->n == 0) return;
    /* rows of y that are few lines must begin lines, or too many of theirs are shared */
    const ptrdiff_t few = stream_into(y) ? 8 : 2;
    const int lines = stream && kind.past && p->m >= few * kind.line && p->n >= kind.line &&
                      p->ldy % kind.line == 0 && stream_into(y) % item == 0;
    for (ptrdiff_t i = 0; i < p->count; i++, x += p->next_x * item, y += p->next_y * item) {
        const transpose_area area = {p->m, p->n, p->ldx * item, p->ldy * item, x, y};
        if (lines)
            transpose_past(kind, &area);
        else
            kind.plane(p->m, p->n, x, p->ldx, y, p->ldy);
    }
}

#define TRANSPOSE_SLOT(bits)                                                                       \
    static void transpose_x##bits(const co_planes *planes, const void *x, void *y, int stream) {   \
        const transpose_kind kind = {transpose_plane_x##bits,                                      \
                                     PAST##bits ? transpose_past_x##bits : NULL, bits / 8,         \
                                     STREAM_LINE * 8 / bits};                                      \
        transpose_planes(kind, planes, x, y, stream);                                              \
    }
TRANSPOSE_SLOT(8)
TRANSPOSE_SLOT(16)
TRANSPOSE_SLOT(32)
TRANSPOSE_SLOT(64)

#endif
