/* tiles.h - the tile vocabulary: eight registers T0..T7 of 16 rows by 64 bytes, and their products.
 *
 * Backends: AMX, and plain C by the definition in Intel's manual (CO_EMULATE_TILES), which lets the
 * kernels on it be tested everywhere. A product of bfloat16 treats subnormals as zero, in and out,
 * sums its 32 terms from zero in two chains, those of even and of odd k, and adds them to the
 * register; all roundings are to nearest. A product of int8 takes unsigned bytes from a and signed
 * ones from b, and is exact modulo 2^32.
 * float32 only. */
#ifndef COREOPS_SIMD_TILES_H
#define COREOPS_SIMD_TILES_H

#include "halves.h"

enum { TILE_ROWS = 16, TILE_LINE = 64, TILE_BYTES = 1024, TILE_K = HALVES /* bfloat16 of a row */ };

#ifdef CO_EMULATE_TILES

typedef union t_tile {
    uint32_t word[16][16];
    float real[16][16];
    uint16_t half[16][32];
    uint8_t byte[16][64];
} t_tile;
typedef struct t_file {
    t_tile tile[8];
} t_file;

CO_INLINE void t_begin(t_file *t) { memset(t, 0, sizeof *t); }
CO_INLINE void t_end(t_file *t) { (void)t; }
CO_INLINE float t_flush(float x) { return fabsf(x) < REAL_MIN ? copysignf(0, x) : x; }
CO_INLINE void t_zero_(t_tile *c) { memset(c, 0, sizeof *c); }
CO_INLINE void t_load_(t_tile *a, const void *p, ptrdiff_t stride) {
    for (int i = 0; i < 16; i++) memcpy(a->word[i], (const char *)p + i * stride, 64);
}
CO_INLINE void t_store_(const t_tile *a, void *p, ptrdiff_t stride) {
    for (int i = 0; i < 16; i++) memcpy((char *)p + i * stride, a->word[i], 64);
}
CO_INLINE void t_dot_bf16_(t_tile *c, const t_tile *a, const t_tile *b) {
    for (int i = 0; i < 16; i++) {
        float even[16] = {0}, odd[16] = {0};
        for (int p = 0; p < 16; p++) {
            const float x = t_flush(h_wide(a->half[i][2 * p]));
            const float y = t_flush(h_wide(a->half[i][2 * p + 1]));
            for (int j = 0; j < 16; j++) {
                /* products of 8 by 8 bits are exact: this is a fused multiply-add */
                even[j] = t_flush(x * t_flush(h_wide(b->half[p][2 * j])) + even[j]);
                odd[j] = t_flush(y * t_flush(h_wide(b->half[p][2 * j + 1])) + odd[j]);
            }
        }
        for (int j = 0; j < 16; j++) c->real[i][j] = t_flush(c->real[i][j] + (even[j] + odd[j]));
    }
}
CO_INLINE void t_dot_int8_(t_tile *c, const t_tile *a, const t_tile *b) {
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++)
            for (int p = 0; p < 64; p++)
                c->word[i][j] += (uint32_t)(a->byte[i][p] * (int8_t)b->byte[p / 4][4 * j + p % 4]);
}
#define t_zero(t, c) t_zero_(&(t)->tile[c])
#define t_load(t, a, p, stride) t_load_(&(t)->tile[a], p, stride)
#define t_store(t, a, p, stride) t_store_(&(t)->tile[a], p, stride)
#define t_dot_bf16(t, c, a, b) t_dot_bf16_(&(t)->tile[c], &(t)->tile[a], &(t)->tile[b])
#define t_dot_int8(t, c, a, b) t_dot_int8_(&(t)->tile[c], &(t)->tile[a], &(t)->tile[b])

#else
#include <immintrin.h>

typedef struct t_file {
    char none; /* the registers are the CPU's */
} t_file;

/* Compilers do not know that loads and stores of tiles read and write memory. */
#define T_FENCE __asm__ volatile("" ::: "memory")

/* Palette 1: bytes of a row at 16, rows at 48. */
CO_INLINE void t_begin(t_file *t) {
    _Alignas(64) static const uint8_t all[64] = {
        [0] = 1,   [16] = 64, [18] = 64, [20] = 64, [22] = 64, [24] = 64,
        [26] = 64, [28] = 64, [30] = 64, [48] = 16, [49] = 16, [50] = 16,
        [51] = 16, [52] = 16, [53] = 16, [54] = 16, [55] = 16};
    (void)t;
    _tile_loadconfig(all);
    T_FENCE;
}
CO_INLINE void t_end(t_file *t) {
    (void)t;
    _tile_release();
}

#define t_zero(t, c) _tile_zero(c)
#define t_load(t, a, p, stride) _tile_loadd(a, p, stride)
#define t_store(t, a, p, stride)                                                                   \
    do {                                                                                           \
        _tile_stored(a, p, stride);                                                                \
        T_FENCE;                                                                                   \
    } while (0)
#define t_dot_bf16(t, c, a, b) _tile_dpbf16ps(c, a, b)
#define t_dot_int8(t, c, a, b) _tile_dpbusd(c, a, b)

#endif
#endif
