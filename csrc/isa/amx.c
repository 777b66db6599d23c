/* amx.c - x86-64-v4 with AMX: Intel servers since 2023 (Sapphire Rapids). With CO_EMULATE_TILES the
 * tiles are plain C, for tests on any machine. float32 only. */
#include "../simd/vec.h"

#if defined(__AMX_BF16__) || defined(__AMXBF16__) /* clang's old spelling */
#define HAS_TILES
#endif
#if !defined(CO_EMULATE_TILES) && (!defined(HAS_TILES) || !defined(__AVX512BF16__))
#error "isa/amx.c needs its own flags: see the tier table in CMakeLists.txt"
#endif

#define QGEMM_TILES 8 /* fewest rows */
#define CO_MATMULS {&tiles_highest, &tiles_high, &tiles_medium}

/* as avx512.c, or as baseline.c */
#ifdef CO_EMULATE_TILES
#define GEMM_MR 4
#else
#define GEMM_MR 14
#endif
#define GEMM_NR (2 * VL)

#include "../kernels/gemm_tiles_tpl.h"
#include "../kernels/qgemm_tpl.h"
#include "table.h"

CO_DEFINE_ADDITION(amx)
