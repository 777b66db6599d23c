/* gemm_tiles_tpl.h - products of float32 from products of bfloat16 tiles. Needs tiles.h and
 * gemm_tile_tpl.h, float only.
 *
 * A float is the sum of three bfloat16, each the nearest to what the ones before leave: 8 + 8 + 8
 * bits. Of the nine products of two such sums the six with i + j <= 2 are made, the others are
 * below the last bit: float32's accuracy ("highest"). Two parts and three products keep 16 bits
 * ("high"), one keeps 8 ("medium").
 *
 * The exponents of bfloat16 end where those of float do, so small parts of small numbers are lost
 * to underflow, and a part of infinity is NaN. Rows of a whose greatest element is below
 * H_SMALL, and those whose result is not finite, are therefore left to gemm; so is everything
 * if a column of the weights is that small. What is lost otherwise is less than 2^-24 of the
 * greatest element of the row times that of the column. */
#ifndef COREOPS_GEMM_TILES_TPL_H
#define COREOPS_GEMM_TILES_TPL_H

#include "../simd/tiles.h"
#include "gemm_tile_tpl.h"

/* A block of c: 2 by 2 tiles. */
enum { TB = 2 * TILE_ROWS };

/* The weights are packed by panels of TB columns. A panel has a line that says whether it may be
 * used, then for each TILE_K of k the parts of the left and of the right tile. A tile of b has
 * pairs of k side by side. */
typedef struct tiles_panel {
    int32_t usable;
    int32_t unused[15];
    char tiles[];
} tiles_panel;

CO_INLINE ptrdiff_t tiles_up(ptrdiff_t n, ptrdiff_t to) { return (n + to - 1) / to * to; }

/* Bytes of the parts of TB rows or columns. */
CO_INLINE ptrdiff_t tiles_strip(const int parts, ptrdiff_t k) {
    return tiles_up(k, TILE_K) / TILE_K * parts * 2 * TILE_BYTES;
}

CO_INLINE ptrdiff_t tiles_bytes(const int parts, ptrdiff_t k, ptrdiff_t n) {
    return tiles_up(n, TB) / TB * ((ptrdiff_t)sizeof(tiles_panel) + tiles_strip(parts, k));
}

/* Columns j .. j + VL - 1 of row i of a k by n matrix in gemm's panels; zero where there are none.
 * j is a multiple of VL, and so is a panel's width. */
CO_INLINE vreal tiles_weights(const real *panels, ptrdiff_t k, ptrdiff_t n, ptrdiff_t i,
                              ptrdiff_t j) {
    if (i >= k || j >= n) return V(0);
    return v_load(panels + j / GEMM_NR * GEMM_NR * k + i * GEMM_NR + j % GEMM_NR);
}

CO_INLINE void tiles_pack(const int parts, ptrdiff_t k, ptrdiff_t n, const real *panels,
                          void *packed) {
    enum { VECTORS = TILE_ROWS / VL }; /* of a row of a tile's columns */
    for (ptrdiff_t j = 0; j < n; j += TB) {
        tiles_panel *panel = packed;
        char *tile = panel->tiles;
        vreal top[2 * VECTORS];
        for (int v = 0; v < 2 * VECTORS; v++) top[v] = V(0);
        for (ptrdiff_t i = 0; i < k; i += TILE_K, tile += parts * 2 * TILE_BYTES)
            for (int line = 0; line < 2 * TILE_ROWS; line++) {
                /* two rows of b, their elements in turn, make one line of a tile */
                const int side = line / TILE_ROWS, row = line % TILE_ROWS;
                vreal x[2 * VECTORS];
                for (int v = 0; v < 2 * VECTORS; v++) {
                    const int at = side * VECTORS + v % VECTORS;
                    x[v] = tiles_weights(panels, k, n, i + 2 * row + v / VECTORS, j + at * VL);
                    top[at] = v_max(v_abs(x[v]), top[at]);
                }
                for (int part = 0; part < parts; part++) {
                    char *to = tile + (2 * part + side) * TILE_BYTES + row * TILE_LINE;
                    h_peel_pairs(x, to);
                }
            }
        panel->usable = 1;
        for (int v = 0; v < 2 * VECTORS; v++) panel->usable &= !h_small(top[v]);
        packed = tile;
    }
}

/* Scratch: two blocks of c, a byte for each row that says whether it is too small, and the parts of
 * a: for each TB rows and each TILE_K of k those of the upper and of the lower tile. */
typedef struct tiles_scratch {
    real c[2][TB][TB];
    char bytes[];
} tiles_scratch;

CO_INLINE ptrdiff_t tiles_scratch_bytes(const int parts, ptrdiff_t m, ptrdiff_t k) {
    const ptrdiff_t rows = tiles_up(m, TB);
    return (ptrdiff_t)sizeof(tiles_scratch) + tiles_up(rows, TILE_LINE) +
           rows / TB * tiles_strip(parts, k);
}

/* One row into its place in every tile. Returns whether it is too small. */
CO_INLINE int tiles_split(const int parts, ptrdiff_t k, const real *a, char *tile) {
    vreal top = V(0);
    for (ptrdiff_t p = 0; p < k; p += TILE_K, tile += parts * 2 * TILE_BYTES) {
        vreal x[TILE_K / VL];
        CO_UNROLL
        for (int v = 0; v < TILE_K / VL; v++) {
            const ptrdiff_t left = k - p - v * VL;
            x[v] = left >= VL ? v_load(a + p + v * VL)
                   : left > 0 ? v_load_tail(a + p + v * VL, left)
                              : V(0);
            top = v_max(v_abs(x[v]), top);
        }
        CO_UNROLL
        for (int part = 0; part < parts; part++) h_peel(x, tile + 2 * part * TILE_BYTES);
    }
    return h_small(v_top_of(top, VL));
}

/* What all the blocks of a call have in common, and what one of them still needs when its sums are
 * there. */
typedef struct tiles_call {
    const co_kernels *table;
    ptrdiff_t k, lda, ldc;
    real floor;
    co_act act; /* that a block is stored with */
} tiles_call;

typedef struct tiles_block {
    const tiles_call *call;
    ptrdiff_t rows, columns;
    real (*sums)[TB];
    const real *a, *panels, *bias;
    real *c;
} tiles_block;

/* Rows of a block as gemm does them. Panel by panel, so that the bits do not depend on how the
 * caller shares out columns. */
static void tiles_by_gemm(const tiles_block *b, ptrdiff_t first, ptrdiff_t rows) {
    const tiles_call *call = b->call;
    call->table->gemm(rows, b->columns, call->k, b->a + first * call->lda, call->lda, b->panels,
                      b->bias, b->c + first * call->ldc, call->ldc, &call->act);
}

/* Its rows from `first` on, so many of them, as far as there are any. */
CO_INLINE void tiles_finish(const tiles_block *b, ptrdiff_t first, ptrdiff_t rows) {
    const ptrdiff_t end = first + rows < b->rows ? first + rows : b->rows;
    vreal shift[TB / VL];
    CO_UNROLL
    for (int v = 0; v < TB / VL; v++)
        shift[v] = b->bias ? v_load_tail(b->bias + v * VL, v_lanes(b->columns - v * VL)) : V(-0.0);
    for (ptrdiff_t i = first; i < end; i++) {
        const vreal floor = v_set1(b->call->floor);
        vreal zero = V(0); /* 0 * inf and 0 * NaN are NaN */
        CO_UNROLL
        for (int v = 0; v < TB / VL; v++) {
            const vreal sum = v_load(b->sums[i] + v * VL);
            zero = v_add(zero, v_mul(sum, V(0)));
            v_store_tail(b->c + i * b->call->ldc + v * VL, v_max(floor, v_add(sum, shift[v])),
                         v_lanes(b->columns - v * VL));
        }
        if (v_any(v_ne(zero, V(0)))) tiles_by_gemm(b, i, 1);
    }
}

/* T0..T3 are the sums, row by row; T4, T5 hold tiles of a; T6, T7 of b. */
#define TILES_A(part)                                                                              \
    t_load(t, 4, a + (part) * 2 * TILE_BYTES, TILE_LINE);                                          \
    if (tall) t_load(t, 5, a + (part) * 2 * TILE_BYTES + TILE_BYTES, TILE_LINE)
#define TILES_B(part)                                                                              \
    t_load(t, 6, b + (part) * 2 * TILE_BYTES, TILE_LINE);                                          \
    if (wide) t_load(t, 7, b + (part) * 2 * TILE_BYTES + TILE_BYTES, TILE_LINE)
#define TILES_DOT                                                                                  \
    t_dot_bf16(t, 0, 4, 6);                                                                        \
    if (wide) t_dot_bf16(t, 1, 4, 7);                                                              \
    if (tall) t_dot_bf16(t, 2, 5, 6);                                                              \
    if (tall && wide) t_dot_bf16(t, 3, 5, 7)

/* The sums of a block over all of k: the products of each TILE_K in an order in which neighbours
 * share a part. tall, wide: whether there are lower, right tiles. While the tile unit works, the
 * rows of the block before are finished, some in each step. */
CO_INLINE void tiles_sums(t_file *t, const int parts, const int tall, const int wide,
                          ptrdiff_t steps, const char *a, const char *b, const tiles_block *last) {
    const ptrdiff_t rows = (TB + steps - 1) / steps;
    (void)t;
    t_zero(t, 0);
    t_zero(t, 1);
    t_zero(t, 2);
    t_zero(t, 3);
    for (ptrdiff_t s = 0; s < steps; s++) {
        TILES_A(0);
        if (parts > 2) {
            TILES_B(2);
            TILES_DOT;
        }
        if (parts > 1) {
            TILES_B(1);
            TILES_DOT;
            TILES_A(1);
            if (parts > 2) {
                TILES_DOT;
            }
        }
        TILES_B(0);
        TILES_DOT;
        tiles_finish(last, s * rows, rows);
        if (parts > 2) {
            TILES_A(2);
            TILES_DOT;
        }
        if (parts > 1) {
            TILES_A(0);
            TILES_DOT;
        }
        a += parts * 2 * TILE_BYTES;
        b += parts * 2 * TILE_BYTES;
    }
}

CO_INLINE void tiles_block_sums(t_file *t, const int parts, const tiles_block *block,
                                ptrdiff_t steps, const char *a, const char *b,
                                const tiles_block *last) {
    if (block->rows > TILE_ROWS && block->columns > TILE_ROWS)
        tiles_sums(t, parts, 1, 1, steps, a, b, last);
    else if (block->rows > TILE_ROWS)
        tiles_sums(t, parts, 1, 0, steps, a, b, last);
    else if (block->columns > TILE_ROWS)
        tiles_sums(t, parts, 0, 1, steps, a, b, last);
    else
        tiles_sums(t, parts, 0, 0, steps, a, b, last);
}

CO_INLINE void tiles_gemm(const co_kernels *table, const int parts, ptrdiff_t m, ptrdiff_t n,
                          ptrdiff_t k, const real *a, ptrdiff_t lda, const real *panels,
                          const void *packed, const real *bias, real *c, ptrdiff_t ldc,
                          const co_act *act, void *scratch) {
    const int in_tile = act->kind == CO_ACT_LINEAR || act->kind == CO_ACT_RELU;
    const tiles_call call = {table,
                             k,
                             lda,
                             ldc,
                             act->kind == CO_ACT_RELU ? 0 : -REAL_INF,
                             in_tile ? *act : (co_act){CO_ACT_LINEAR, 0, 0, 0}};
    const ptrdiff_t steps = tiles_up(k, TILE_K) / TILE_K, strip = tiles_strip(parts, k);
    tiles_scratch *own = scratch;
    char *small = own->bytes, *split = small + tiles_up(tiles_up(m, TB), TILE_LINE);
    t_file tiles, *t = &tiles;
    tiles_block last = {&call, 0, 0, own->c[0], NULL, NULL, NULL, NULL};
    int parity = 0;
    for (ptrdiff_t i = 0; i < m; i++)
        small[i] = (char)tiles_split(parts, k, a + i * lda,
                                     split + i / TB * strip + i % TB / TILE_ROWS * TILE_BYTES +
                                         i % TILE_ROWS * TILE_LINE);
    t_begin(t);
    for (ptrdiff_t j = 0; j < n; j += TB) {
        const tiles_panel *panel = packed;
        packed = panel->tiles + strip;
        for (ptrdiff_t i = 0; i < m; i += TB, parity ^= 1) {
            const tiles_block block = {
                &call,       m - i < TB ? m - i : TB, n - j < TB ? n - j : TB, own->c[parity],
                a + i * lda, panels + j * k,          bias ? bias + j : NULL,  c + i * ldc + j};
            if (!panel->usable) {
                tiles_by_gemm(&block, 0, block.rows);
                continue;
            }
            tiles_block_sums(t, parts, &block, steps, split + i / TB * strip, panel->tiles, &last);
            t_store(t, 0, block.sums[0], TB * sizeof(real));
            t_store(t, 1, block.sums[0] + TILE_ROWS, TB * sizeof(real));
            t_store(t, 2, block.sums[TILE_ROWS], TB * sizeof(real));
            t_store(t, 3, block.sums[TILE_ROWS] + TILE_ROWS, TB * sizeof(real));
            last = block;
        }
    }
    t_end(t);
    tiles_finish(&last, 0, TB);
    for (ptrdiff_t i = 0; i < m; i++)
        if (small[i])
            table->gemm(1, n, k, a + i * lda, lda, panels, bias, c + i * ldc, ldc, &call.act);
    if (!in_tile) gemm_activate_by(table, m, n, c, ldc, act);
}

/* Rows of a block: as many as keep their parts in half of an L2 of 2 MiB, so that the weights come
 * from L3 as seldom as can be. */
#define TILES_SPLIT_BYTES (1024 * 1024)

/* Where it pays was measured: splitting a row costs as much as 20 columns, and the epilogue of a
 * block needs two steps to hide in. */
#define TILES_MATMUL(precision, parts, gain, fewest)                                               \
    static int tiles_suits_##precision(ptrdiff_t k, ptrdiff_t n) {                                 \
        return k >= 2 * TILE_K && n >= parts * TILE_ROWS;                                          \
    }                                                                                              \
    static ptrdiff_t tiles_bytes_##precision(ptrdiff_t k, ptrdiff_t n) {                           \
        return tiles_bytes(parts, k, n);                                                           \
    }                                                                                              \
    static void tiles_pack_##precision(ptrdiff_t k, ptrdiff_t n, const void *panels,               \
                                       void *packed) {                                             \
        tiles_pack(parts, k, n, panels, packed);                                                   \
    }                                                                                              \
    static ptrdiff_t tiles_rows_##precision(ptrdiff_t k) {                                         \
        const ptrdiff_t rows = TILES_SPLIT_BYTES / (2 * parts) / (k + 1) / TB * TB;                \
        return rows < TB ? TB : rows > 8 * TB ? 8 * TB : rows;                                     \
    }                                                                                              \
    static ptrdiff_t tiles_scratch_##precision(ptrdiff_t m, ptrdiff_t k) {                         \
        return tiles_scratch_bytes(parts, m, k);                                                   \
    }                                                                                              \
    static void tiles_run_##precision(const co_kernels *table, ptrdiff_t m, ptrdiff_t n,           \
                                      ptrdiff_t k, const void *a, ptrdiff_t lda,                   \
                                      const void *panels, const void *packed, const void *bias,    \
                                      void *c, ptrdiff_t ldc, const co_act *act, void *scratch) {  \
        tiles_gemm(table, parts, m, n, k, a, lda, panels, packed, bias, c, ldc, act, scratch);     \
    }                                                                                              \
    static const co_matmul tiles_##precision = {.name = "amx-bf16x" #parts,                        \
                                                .rows = fewest,                                    \
                                                .grain = TB,                                       \
                                                .nr = TB,                                          \
                                                .speed = gain,                                     \
                                                .suits = tiles_suits_##precision,                  \
                                                .bytes = tiles_bytes_##precision,                  \
                                                .pack = tiles_pack_##precision,                    \
                                                .block = tiles_rows_##precision,                   \
                                                .scratch = tiles_scratch_##precision,              \
                                                .run = tiles_run_##precision};
TILES_MATMUL(highest, 3, 2, 12)
TILES_MATMUL(high, 2, 3, 8)
TILES_MATMUL(medium, 1, 7, 4)

#endif
