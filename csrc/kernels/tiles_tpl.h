/* tiles_tpl.h - one matrix of 1, 2, 4 or 8 byte elements transposed in registers, tile by tile.
 * Needs vec.h. */
#ifndef COREOPS_TILES_TPL_H
#define COREOPS_TILES_TPL_H

#include "../simd/vec.h"

/* A whole matrix, and a square of a line's elements while the next one is fetched. */
typedef void transpose_fn(ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx, void *y,
                          ptrdiff_t ldy);
typedef void transpose_past_fn(const void *x, ptrdiff_t ldx, void *y, ptrdiff_t ldy,
                               const void *next);

#define TRANSPOSE_PARAMS(bits)                                                                     \
    const uint##bits##_t *x, ptrdiff_t ldx, uint##bits##_t *y, ptrdiff_t ldy

#define TRANSPOSE_ELEMENTS(bits)                                                                   \
    static void transpose_elements_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) {     \
        for (ptrdiff_t j = 0; j < n; j++)                                                          \
            for (ptrdiff_t i = 0; i < m; i++)                                                      \
                memcpy((char *)(y + j * ldy + i), (const char *)(x + i * ldx + j), bits / 8);      \
    }

#ifdef LL
CO_INLINE void l_put(int past, char *p, vlanes a) {
    if (past)
        l_stream(p, a);
    else
        l_store(p, a);
}

/* log2(rows) rounds of zips transpose rows vectors: their elements then stand one column after
 * the other. In a vlanes each lane does so by itself. */
#define TRANSPOSE_ZIPS(name, type, rows, lo, hi, bits)                                             \
    CO_INLINE void name(type *a) {                                                                 \
        type b[rows];                                                                              \
        CO_UNROLL                                                                                  \
        for (int round = rows; round > 1; round /= 2) {                                            \
            CO_UNROLL                                                                              \
            for (int i = 0; i < rows / 2; i++) {                                                   \
                b[2 * i] = lo(bits, a[i], a[i + rows / 2]);                                        \
                b[2 * i + 1] = hi(bits, a[i], a[i + rows / 2]);                                    \
            }                                                                                      \
            CO_UNROLL                                                                              \
            for (int i = 0; i < rows; i++) a[i] = b[i];                                            \
        }                                                                                          \
    }

/* T elements fill a lane. A tall tile (T LL rows, T columns) has its T by T blocks below each
 * other and writes whole vectors, a flat one (T rows, T LL columns) side by side and reads
 * them. */
#define TRANSPOSE_TILES(bits)                                                                      \
    enum { T##bits = 128 / bits, S##bits = T##bits < 4 ? T##bits : 4 };                            \
    TRANSPOSE_ZIPS(transpose_lanes_x##bits, vlanes, T##bits, l_zip_lo, l_zip_hi, bits)             \
    CO_INLINE void transpose_rows_x##bits(int past, TRANSPOSE_PARAMS(bits)) {                      \
        vlanes a[T##bits];                                                                         \
        CO_UNROLL                                                                                  \
        for (int i = 0; i < T##bits; i++)                                                          \
            a[i] = l_load_rows((const char *)(x + i * ldx), 16 * ldx);                             \
        transpose_lanes_x##bits(a);                                                                \
        CO_UNROLL                                                                                  \
        for (int j = 0; j < T##bits; j++) l_put(past, (char *)(y + j * ldy), a[j]);                \
    }                                                                                              \
    CO_INLINE void transpose_tall_x##bits(TRANSPOSE_PARAMS(bits)) {                                \
        transpose_rows_x##bits(0, x, ldx, y, ldy);                                                 \
    }                                                                                              \
    CO_INLINE void transpose_flat_x##bits(TRANSPOSE_PARAMS(bits)) {                                \
        vlanes a[T##bits];                                                                         \
        CO_UNROLL                                                                                  \
        for (int i = 0; i < T##bits; i++) a[i] = l_load((const char *)(x + i * ldx));              \
        transpose_lanes_x##bits(a);                                                                \
        CO_UNROLL                                                                                  \
        for (int lane = 0; lane < LL; lane++) {                                                    \
            CO_UNROLL                                                                              \
            for (int j = 0; j < T##bits; j++)                                                      \
                l_store_lane((char *)(y + (lane * T##bits + j) * ldy), a[j], lane);                \
        }                                                                                          \
    }                                                                                              \
    /* Whole vectors on both sides: each line of x is read but once. */                            \
    enum { STEP##bits = T##bits * LL };                                                            \
    CO_INLINE void transpose_full_x##bits(int past, TRANSPOSE_PARAMS(bits)) {                      \
        vlanes a[STEP##bits];                                                                      \
        CO_UNROLL                                                                                  \
        for (int i = 0; i < STEP##bits; i++) a[i] = l_load((const char *)(x + i * ldx));           \
        CO_UNROLL                                                                                  \
        for (int i = 0; i < STEP##bits; i += T##bits) transpose_lanes_x##bits(a + i);              \
        CO_UNROLL                                                                                  \
        for (int j = 0; j < T##bits; j++) l_cross(a + j, T##bits);                                 \
        CO_UNROLL                                                                                  \
        for (int j = 0; j < STEP##bits; j++) l_put(past, (char *)(y + j * ldy), a[j]);             \
    }                                                                                              \
    /* A square of whole cache lines on both sides, by whole vectors where the registers allow     \
     * it: rows of x whose distance is a multiple of a page meet in one set of the first cache. */ \
    CO_INLINE void transpose_lines_x##bits(int past, TRANSPOSE_PARAMS(bits)) {                     \
        enum { L = 4 * T##bits, COLS = STEP##bits <= 16 ? STEP##bits : T##bits };                  \
        for (int j = 0; j < L; j += COLS)                                                          \
            for (int i = 0; i < L; i += STEP##bits)                                                \
                if (STEP##bits <= 16)                                                              \
                    transpose_full_x##bits(past, x + i * ldx + j, ldx, y + j * ldy + i, ldy);      \
                else                                                                               \
                    transpose_rows_x##bits(past, x + i * ldx + j, ldx, y + j * ldy + i, ldy);      \
    }                                                                                              \
    /* Into the cache: vectors of x that straddle lines would read each of them twice. */          \
    CO_INLINE void transpose_square_x##bits(TRANSPOSE_PARAMS(bits)) {                              \
        if (((uintptr_t)x | (uintptr_t)(ldx * (bits / 8))) % (16 * LL) == 0)                       \
            transpose_lines_x##bits(0, x, ldx, y, ldy);                                            \
        else                                                                                       \
            for (int j = 0; j < 4 * T##bits; j += T##bits)                                         \
                for (int i = 0; i < 4 * T##bits; i += STEP##bits)                                  \
                    transpose_tall_x##bits(x + i * ldx + j, ldx, y + j * ldy + i, ldy);            \
    }

/* A square of whole cache lines past the cache, to lines of y that are aligned, while its like at
 * next is fetched into the second cache. Lines of y are written half by half, so many at once as
 * the stores' buffers can hold. */
#define TRANSPOSE_PAST(bits)                                                                       \
    enum { PAST##bits = LL == 4 || T##bits < 16 };                                                 \
    static void transpose_past_x##bits(const void *vx, ptrdiff_t ldx, void *vy, ptrdiff_t ldy,     \
                                       const void *vnext) {                                        \
        const uint##bits##_t *next = vnext;                                                        \
        for (int i = 0; i < 4 * T##bits; i++) CO_PREFETCH_L2(next + i * ldx);                      \
        transpose_lines_x##bits(1, vx, ldx, vy, ldy);                                              \
    }

/* A square of S by S, S at most T; or of its columns only the first. */
#define TRANSPOSE_PIECES(bits, shape, S)                                                           \
    TRANSPOSE_ZIPS(transpose_zips_##shape##_x##bits, vlane, S, q_zip_lo, q_zip_hi, bits)           \
    CO_INLINE void transpose_##shape##_cols_x##bits(ptrdiff_t cols, TRANSPOSE_PARAMS(bits)) {      \
        enum { BYTES = S * bits / 8, PIECES = 16 / BYTES };                                        \
        vlane a[S];                                                                                \
        CO_UNROLL                                                                                  \
        for (int i = 0; i < S; i++) a[i] = q_load((const char *)(x + i * ldx), BYTES);             \
        transpose_zips_##shape##_x##bits(a);                                                       \
        CO_UNROLL                                                                                  \
        for (int j = 0; j < S; j++)                                                                \
            if (j < cols) q_store((char *)(y + j * ldy), a[j / PIECES], BYTES, j % PIECES);        \
    }                                                                                              \
    CO_INLINE void transpose_##shape##_x##bits(TRANSPOSE_PARAMS(bits)) {                           \
        transpose_##shape##_cols_x##bits(S, x, ldx, y, ldy);                                       \
    }

/* An area, at least one tile, by tiles: down the rows first, so that y is written in streams.
 * The last of a row or column moves back to end at the edge: it writes some elements again. So many
 * rows of the next tile are fetched into the second cache before a tile is done. */
#define TRANSPOSE_AREA(bits, shape, rows, cols, fetched)                                           \
    static void transpose_by_##shape##_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) { \
        for (ptrdiff_t j0 = 0; j0 < n; j0 += cols) {                                               \
            const ptrdiff_t j = j0 + cols <= n ? j0 : n - cols;                                    \
            for (ptrdiff_t i0 = 0; i0 < m; i0 += rows) {                                           \
                const ptrdiff_t i = i0 + rows <= m ? i0 : m - rows;                                \
                const ptrdiff_t next = i0 + rows < m ? (i + rows) * ldx + j : j + cols;            \
                for (ptrdiff_t k = 0; k < fetched; k++) CO_PREFETCH_L2(x + next + k * ldx);        \
                transpose_##shape##_x##bits(x + i * ldx + j, ldx, y + j * ldy + i, ldy);           \
            }                                                                                      \
        }                                                                                          \
    }

/* How much of n tiles of `size` do, leaving at most half of one; and where the lanes for what is
 * left start, so that the last ends at the edge. */
CO_INLINE ptrdiff_t transpose_tiled(ptrdiff_t n, ptrdiff_t size) {
    const ptrdiff_t left = (ptrdiff_t)((size_t)n % (size_t)size);
    return n >= size && left > size / 2 ? n : n - left;
}
CO_INLINE ptrdiff_t transpose_rest(ptrdiff_t n, ptrdiff_t done, ptrdiff_t lane) {
    return done + lane <= n ? done : n - lane;
}

/* Both sides at least T: by the largest tiles that fit, what they leave by smaller ones. */
#define TRANSPOSE_BLOCK 256
#define TRANSPOSE_WIDE(bits)                                                                       \
    TRANSPOSE_AREA(bits, square, 4 * T##bits, 4 * T##bits, 4 * T##bits)                            \
    TRANSPOSE_AREA(bits, flat, T##bits, T##bits *LL, 0)                                            \
    TRANSPOSE_AREA(bits, lane, T##bits, T##bits, 0)                                                \
    static void transpose_flats_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) {        \
        const ptrdiff_t done = transpose_tiled(n, T##bits * LL),                                   \
                        j = transpose_rest(n, done, T##bits);                                      \
        if (done) transpose_by_flat_x##bits(m, done, x, ldx, y, ldy);                              \
        if (done < n) transpose_by_lane_x##bits(m, n - j, x + j, ldx, y + j * ldy, ldy);           \
    }                                                                                              \
    /* The tall tiles of T columns: the longest run, so by pointers and not by indices. */         \
    CO_INLINE void transpose_column_x##bits(ptrdiff_t m, TRANSPOSE_PARAMS(bits)) {                 \
        for (ptrdiff_t left = m; left > 0; left -= T##bits * LL) {                                 \
            if (left < T##bits * LL) {                                                             \
                x -= (T##bits * LL - left) * ldx;                                                  \
                y -= T##bits * LL - left;                                                          \
            }                                                                                      \
            transpose_tall_x##bits(x, ldx, y, ldy);                                                \
            x += T##bits * LL * ldx;                                                               \
            y += T##bits * LL;                                                                     \
        }                                                                                          \
    }                                                                                              \
    static void transpose_talls_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) {        \
        const ptrdiff_t done = transpose_tiled(m, T##bits * LL),                                   \
                        i = transpose_rest(m, done, T##bits);                                      \
        for (ptrdiff_t j0 = 0; done && j0 < n; j0 += T##bits) {                                    \
            const ptrdiff_t j = j0 + T##bits <= n ? j0 : n - T##bits;                              \
            transpose_column_x##bits(done, x + j, ldx, y + j * ldy, ldy);                          \
        }                                                                                          \
        if (done < m) transpose_flats_x##bits(m - i, n, x + i * ldx, ldx, y + i, ldy);             \
    }                                                                                              \
    static void transpose_squares_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) {      \
        const ptrdiff_t down = m - m % (4 * T##bits), i = transpose_rest(m, down, T##bits);        \
        const ptrdiff_t right = n - n % (4 * T##bits), j = transpose_rest(n, right, T##bits);      \
        if (down * bits > 8 * 512) {                                                               \
            transpose_by_square_x##bits(down, right, x, ldx, y, ldy);                              \
        } else { /* rows of y so short that some hundred lie close: x is read in streams */        \
            for (ptrdiff_t q = 0; q < right; q += 256)                                             \
                for (ptrdiff_t p = 0; p < down; p += 4 * T##bits)                                  \
                    transpose_by_square_x##bits(4 * T##bits, right - q < 256 ? right - q : 256,    \
                                                x + p * ldx + q, ldx, y + q * ldy + p, ldy);       \
        }                                                                                          \
        if (down < m) transpose_flats_x##bits(m - i, right, x + i * ldx, ldx, y + i, ldy);         \
        if (right < n) transpose_talls_x##bits(m, n - j, x + j, ldx, y + j * ldy, ldy);            \
    }                                                                                              \
    static void transpose_wide_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) {         \
        if (m >= 4 * T##bits && n >= 4 * T##bits)                                                  \
            transpose_squares_x##bits(m, n, x, ldx, y, ldy);                                       \
        else if (m >= 4 * T##bits)                                                                 \
            transpose_talls_x##bits(m, n, x, ldx, y, ldy);                                         \
        else if (LL > 1 && n >= T##bits * LL)                                                      \
            transpose_flats_x##bits(m, n, x, ldx, y, ldy);                                         \
        else                                                                                       \
            transpose_by_lane_x##bits(m, n, x, ldx, y, ldy);                                       \
    }                                                                                              \
    /* In blocks of not too many rows: each may be a page of its own. */                           \
    static void transpose_blocks_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) {       \
        ptrdiff_t rows;                                                                            \
        for (; m > 0; m -= rows) {                                                                 \
            rows = m < 2 * TRANSPOSE_BLOCK ? m : TRANSPOSE_BLOCK;                                  \
            transpose_wide_x##bits(rows, n, x, ldx, y, ldy);                                       \
            x += rows * ldx;                                                                       \
            y += rows;                                                                             \
        }                                                                                          \
    }

/* A matrix whose one side, `few`, is shorter than T, and the other `many`. In bytes: an element,
 * the way from one of the many to the next (step) and from one of the few (ld). */
typedef struct transpose_few {
    ptrdiff_t few, many, item, step, ld, group;
    uint8_t pick[16];
} transpose_few;

/* P is a power of two, not below few. 16 bytes in memory hold, one after the other, all the few of
 * a group of the many; sorted by the few, they are P wide elements, which P vectors transpose.
 *
 * Narrow: few columns. The load of a group reads on into the rows below.
 * Low: few rows. The store of a group writes on into the columns to the right, and the next
 * store, always further right, puts that right. */
#define TRANSPOSE_FEW(P, bits)                                                                     \
    CO_INLINE void transpose_pick_##P(const transpose_few *t, vlanes *a) {                         \
        if (t->group == 1) return;                                                                 \
        CO_UNROLL                                                                                  \
        for (int k = 0; k < P; k++) a[k] = l_pick(a[k], t->pick);                                  \
    }                                                                                              \
    static void transpose_narrow_##P(const transpose_few *t, const char *x, char *y) {             \
        const ptrdiff_t rows = 16 * LL / t->item;                                                  \
        for (ptrdiff_t i0 = 0; i0 < t->many; i0 += rows) {                                         \
            const ptrdiff_t i = i0 + rows <= t->many ? i0 : t->many - rows;                        \
            const char *from = x + i * t->step;                                                    \
            vlanes a[P];                                                                           \
            CO_UNROLL                                                                              \
            for (int k = 0; k < P; k++)                                                            \
                a[k] = l_load_rows(from + k * t->group * t->step, P * t->group * t->step);         \
            transpose_pick_##P(t, a);                                                              \
            transpose_lanes_x##bits(a);                                                            \
            CO_UNROLL                                                                              \
            for (int k = 0; k < P; k++)                                                            \
                if (k < t->few) l_store(y + k * t->ld + i * t->item, a[k]);                        \
        }                                                                                          \
    }                                                                                              \
    static void transpose_low_##P(const transpose_few *t, const char *x, char *y) {                \
        const ptrdiff_t cols = 16 * LL / t->item;                                                  \
        for (ptrdiff_t j0 = 0; j0 < t->many; j0 += cols) {                                         \
            const ptrdiff_t j = j0 + cols <= t->many ? j0 : t->many - cols;                        \
            char *to = y + j * t->step;                                                            \
            vlanes a[P];                                                                           \
            CO_UNROLL                                                                              \
            for (int k = 0; k < P; k++)                                                            \
                a[k] = l_load(x + (k < t->few ? k : 0) * t->ld + j * t->item);                     \
            transpose_lanes_x##bits(a);                                                            \
            transpose_pick_##P(t, a);                                                              \
            CO_UNROLL                                                                              \
            for (int lane = 0; lane < LL; lane++) {                                                \
                CO_UNROLL                                                                          \
                for (int k = 0; k < P; k++)                                                        \
                    l_store_lane(to + (lane * P + k) * t->group * t->step, a[k], lane);            \
            }                                                                                      \
        }                                                                                          \
    }

TRANSPOSE_TILES(8)
TRANSPOSE_TILES(16)
TRANSPOSE_TILES(32)
TRANSPOSE_TILES(64)
TRANSPOSE_FEW(2, 64)
TRANSPOSE_FEW(4, 32)
TRANSPOSE_FEW(8, 16)
TRANSPOSE_FEW(16, 8)

typedef void transpose_few_fn(const transpose_few *t, const char *x, char *y);

/* From a group as it is in memory to its sorted form, or back. */
static void transpose_set_pick(transpose_few *t, ptrdiff_t wide, int narrow) {
    uint8_t *pick = t->pick;
    for (ptrdiff_t k = 0; k < t->few; k++)
        for (ptrdiff_t i = 0; i < wide; i++) {
            const ptrdiff_t byte = i & (t->item - 1);
            const ptrdiff_t sorted = k * wide + i, dense = (i - byte) * t->few + k * t->item + byte;
            pick[narrow ? sorted : dense] = (uint8_t)(narrow ? dense : sorted);
        }
}

/* Does as many of the many as 16 bytes at a time can reach inside the operand, and returns how
 * many these are. A group is more than one only where nothing lies between the many. */
CO_INLINE ptrdiff_t transpose_most(transpose_few *t, int narrow, const char *x, char *y) {
    static transpose_few_fn *const by_width[2][4] = {
        {transpose_low_2, transpose_low_4, transpose_low_8, transpose_low_16},
        {transpose_narrow_2, transpose_narrow_4, transpose_narrow_8, transpose_narrow_16}};
    const ptrdiff_t enough = L_PICKS && t->step == t->few * t->item ? t->few : 16 / t->item;
    ptrdiff_t wide = 8;
    int log = 0;
    for (; 16 / wide < enough; wide /= 2) log++;
    t->group = wide / t->item;
    for (ptrdiff_t reach = (t->group - 1) * t->step + t->few * t->item; reach < 16;
         reach += t->step)
        t->many--;
    if (t->many * t->item < 16 * LL) return 0;
    if (t->group > 1) transpose_set_pick(t, wide, narrow);
    by_width[narrow][log](t, x, y);
    return t->many;
}

#define TRANSPOSE_MOST(bits)                                                                       \
    static void transpose_narrow_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) {       \
        const ptrdiff_t item = bits / 8;                                                           \
        transpose_few t = {                                                                        \
            .few = n, .many = m, .item = item, .step = ldx * item, .ld = ldy * item};              \
        const ptrdiff_t done = transpose_most(&t, 1, (const char *)x, (char *)y);                  \
        transpose_elements_x##bits(m - done, n, x + done * ldx, ldx, y + done, ldy);               \
    }                                                                                              \
    static void transpose_low_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) {          \
        const ptrdiff_t item = bits / 8;                                                           \
        transpose_few t = {                                                                        \
            .few = m, .many = n, .item = item, .step = ldy * item, .ld = ldx * item};              \
        const ptrdiff_t done = transpose_most(&t, 0, (const char *)x, (char *)y);                  \
        transpose_elements_x##bits(m, n - done, x + done, ldx, y + done * ldy, ldy);               \
    }

#define TRANSPOSE(bits)                                                                            \
    TRANSPOSE_ELEMENTS(bits)                                                                       \
    TRANSPOSE_PIECES(bits, lane, T##bits)                                                          \
    TRANSPOSE_PIECES(bits, small, S##bits)                                                         \
    TRANSPOSE_WIDE(bits)                                                                           \
    TRANSPOSE_AREA(bits, small, S##bits, S##bits, 0)                                               \
    TRANSPOSE_MOST(bits)                                                                           \
    TRANSPOSE_PAST(bits)                                                                           \
    /* 1 < n < S: a row is read S wide, into the next one; so the last is done by elements. */     \
    static void transpose_slim_x##bits(ptrdiff_t m, ptrdiff_t n, TRANSPOSE_PARAMS(bits)) {         \
        for (ptrdiff_t i0 = 0; i0 < m - 1; i0 += S##bits) {                                        \
            const ptrdiff_t i = i0 + S##bits < m ? i0 : m - 1 - S##bits;                           \
            transpose_small_cols_x##bits(n, x + i * ldx, ldx, y + i, ldy);                         \
        }                                                                                          \
        transpose_elements_x##bits(1, n, x + (m - 1) * ldx, ldx, y + m - 1, ldy);                  \
    }                                                                                              \
    static void transpose_plane_x##bits(ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx,    \
                                        void *y, ptrdiff_t ldy) {                                  \
        const int narrow = n >= S##bits || (n > 1 && L_PICKS && ldx == n);                         \
        const int low = ldy == m && m > 1 && (L_PICKS || 4 * m >= T##bits);                        \
        if (m >= T##bits && n >= T##bits)                                                          \
            transpose_blocks_x##bits(m, n, x, ldx, y, ldy);                                        \
        else if (narrow && n < T##bits && m > 2 * LL * T##bits)                                    \
            transpose_narrow_x##bits(m, n, x, ldx, y, ldy);                                        \
        else if (low && m < T##bits && n > LL * T##bits)                                           \
            transpose_low_x##bits(m, n, x, ldx, y, ldy);                                           \
        else if (m >= S##bits && n >= S##bits)                                                     \
            transpose_by_small_x##bits(m, n, x, ldx, y, ldy);                                      \
        else if (m > S##bits && n < S##bits && n > 1)                                              \
            transpose_slim_x##bits(m, n, x, ldx, y, ldy);                                          \
        else                                                                                       \
            transpose_elements_x##bits(m, n, x, ldx, y, ldy);                                      \
    }
#else
#define TRANSPOSE(bits)                                                                            \
    TRANSPOSE_ELEMENTS(bits)                                                                       \
    static void transpose_plane_x##bits(ptrdiff_t m, ptrdiff_t n, const void *x, ptrdiff_t ldx,    \
                                        void *y, ptrdiff_t ldy) {                                  \
        transpose_elements_x##bits(m, n, x, ldx, y, ldy);                                          \
    }                                                                                              \
    enum { PAST##bits };                                                                           \
    static transpose_past_fn *const transpose_past_x##bits = NULL;
#endif

TRANSPOSE(8)
TRANSPOSE(16)
TRANSPOSE(32)
TRANSPOSE(64)

#endif
