/* avx512bf16.c - x86-64-v4 with AVX512-VNNI and AVX512-BF16: Intel's Cooper Lake, AMD since 2022
 * (Zen 4). float32 only. */
#if !defined(__AVX512BF16__) || !defined(__AVX512VNNI__) || !defined(__AVX512BW__) ||              \
    !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "isa/avx512bf16.c needs its own flags: see the tier table in CMakeLists.txt"
#endif
#include "../simd/vec.h"

#define CO_MATMULS {NULL, NULL, &halves_medium}

/* 28 accumulators, 2 columns of b and elements of a in 32 registers */
#define GEMM_MR 14
#define GEMM_NR (2 * VL)

#include "../kernels/gemm_halves_tpl.h"
#include "../kernels/qgemm_tpl.h"
#include "table.h"

CO_DEFINE_ADDITION(avx512bf16)
