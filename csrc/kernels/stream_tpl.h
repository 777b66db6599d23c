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

/* n bytes: lines of y that are not whole by stores as ever. */
static void stream_bytes(ptrdiff_t n, const char *x, char *y) {
    const ptrdiff_t room = (STREAM_LINE - stream_into(y)) % STREAM_LINE, head = n < room ? n : room;
    const ptrdiff_t lines = (n - head) / STREAM_LINE, done = head + lines * STREAM_LINE;
    memcpy(y, x, (size_t)head);
    stream_lines(y + head, x + head, lines);
    memcpy(y + done, x + done, (size_t)(n - done));
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
    if (n > 128) {
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

static void copy_rows(ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx, void *y,
                      ptrdiff_t ldy, int stream) {
    const char *from = x;
    char *to = y;
    /* of a short row the lines at its ends, which are not whole, are too great a part */
    const int whole = (stream_into(y) | n % STREAM_LINE | ldy % STREAM_LINE) == 0;
    if (stream && (whole || n >= 16 * STREAM_LINE)) {
        for (ptrdiff_t i = 0; i < m; i++) stream_bytes(n, from + i * ldx, to + i * ldy);
    } else {
        for (ptrdiff_t i = 0; i < m; i++) copy_row(n, from + i * ldx, to + i * ldy);
    }
}

#endif
