/* stream_tpl.h - results that go past the cache. Needs vec.h.
 *
 * A store that misses the cache first reads the line that it overwrites; a streaming store of a
 * whole line does not. So what is meant for memory is written by whole, aligned lines. */
#ifndef COREOPS_STREAM_TPL_H
#define COREOPS_STREAM_TPL_H

#include "../simd/vec.h"

#define STREAM_LINE 64

/* How far into a line p is. */
CO_INLINE ptrdiff_t stream_into(const void *p) { return (ptrdiff_t)((uintptr_t)p % STREAM_LINE); }

#ifdef LL
/* n lines, to an address that begins one. */
CO_INLINE void stream_lines(char *y, const char *x, ptrdiff_t n) {
    for (; n > 0; n--, x += STREAM_LINE, y += STREAM_LINE) {
        CO_UNROLL
        for (int i = 0; i < STREAM_LINE; i += 16 * LL) l_stream(y + i, l_load(x + i));
    }
}
#else
CO_INLINE void l_settle(void) {}
CO_INLINE void stream_lines(char *y, const char *x, ptrdiff_t n) {
    memcpy(y, x, (size_t)(n * STREAM_LINE));
}
#endif

static void settle(void) { l_settle(); }

/* n bytes from x to y; the `carried` bytes before x belong before y, up to the start of its line,
 * and go out with that. Returns how many bytes at the end, of a line that is not full, are left
 * to be carried; with `last` there are none. */
static ptrdiff_t stream_bytes(ptrdiff_t n, const char *x, char *y, ptrdiff_t carried, int last) {
    const ptrdiff_t into = stream_into(y);
    if (into != carried) { /* the line began with what is not ours */
        const ptrdiff_t head = n < STREAM_LINE - into ? n : STREAM_LINE - into;
        memcpy(y, x, (size_t)head);
        x += head, y += head, n -= head;
        if (n == 0) return 0;
    } else {
        x -= into, y -= into, n += into;
    }
    const ptrdiff_t lines = n / STREAM_LINE, left = n % STREAM_LINE;
    stream_lines(y, x, lines);
    if (last) memcpy(y + lines * STREAM_LINE, x + lines * STREAM_LINE, (size_t)left);
    return last ? 0 : left;
}

/* A row of n bytes by its two ends, which may overlap: WIDTH <= n <= 2 WIDTH. */
#define STREAM_ENDS(width)                                                                         \
    CO_INLINE void stream_ends_##width(ptrdiff_t n, const char *x, char *y) {                      \
        char first[width], last[width];                                                            \
        memcpy(first, x, width);                                                                   \
        memcpy(last, x + n - width, width);                                                        \
        memcpy(y, first, width);                                                                   \
        memcpy(y + n - width, last, width);                                                        \
    }
STREAM_ENDS(1)
STREAM_ENDS(2)
STREAM_ENDS(4)
STREAM_ENDS(8)
STREAM_ENDS(16)
STREAM_ENDS(32)

CO_INLINE void copy_row(ptrdiff_t n, const char *x, char *y) {
    if (n > 256) {
        memcpy(y, x, (size_t)n);
    } else if (n > 64) {
        ptrdiff_t i = 0;
        for (; i < n - 64; i += 64) stream_ends_32(64, x + i, y + i);
        stream_ends_32(64, x + n - 64, y + n - 64);
    } else if (n >= 32) {
        stream_ends_32(n, x, y);
    } else if (n >= 16) {
        stream_ends_16(n, x, y);
    } else if (n >= 8) {
        stream_ends_8(n, x, y);
    } else if (n >= 4) {
        stream_ends_4(n, x, y);
    } else if (n >= 2) {
        stream_ends_2(n, x, y);
    } else {
        memcpy(y, x, (size_t)n);
    }
}

/* Short rows with nothing between them gather on a stage, from where lines leave. */
enum { STREAM_STAGE = 8 * 1024 };

static void copy_rows_staged(ptrdiff_t m, ptrdiff_t n, const char *x, ptrdiff_t ldx, char *y) {
    _Alignas(STREAM_LINE) char stage[STREAM_LINE + STREAM_STAGE];
    ptrdiff_t carried = 0, rows;
    for (; m > 0; m -= rows) {
        rows = STREAM_STAGE / n < m ? STREAM_STAGE / n : m;
        for (ptrdiff_t i = 0; i < rows; i++, x += ldx) copy_row(n, x, stage + STREAM_LINE + i * n);
        carried = stream_bytes(rows * n, stage + STREAM_LINE, y, carried, rows == m);
        memmove(stage, stage + rows * n, STREAM_LINE);
        y += rows * n;
    }
}

static void copy_rows(ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx, void *y,
                      ptrdiff_t ldy, int stream) {
    const char *from = x;
    char *to = y;
    if (stream && ldy == n && m > 1 && n > 0 && n <= STREAM_STAGE / 2) {
        copy_rows_staged(m, n, from, ldx, to);
    } else if (stream && n >= 4 * STREAM_LINE) {
        for (ptrdiff_t i = 0; i < m; i++) stream_bytes(n, from + i * ldx, to + i * ldy, 0, 1);
    } else {
        for (ptrdiff_t i = 0; i < m; i++) copy_row(n, from + i * ldx, to + i * ldy);
    }
}

#endif
