/* avx512.c - x86-64-v4: Intel servers since 2017 (Skylake-SP), AMD since 2022 (Zen 4). */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) ||                   \
    !defined(__AVX512VL__)
#error "isa/avx512.c needs its own flags: see the tier table in CMakeLists.txt"
#endif
#include "../simd/vec.h"

/* 28 accumulators, 2 columns of b and elements of a in 32 registers */
#define GEMM_MR 14
#define GEMM_NR (2 * VL)

#include "../kernels/all_tpl.h"
#include "table.h"

CO_DEFINE_TABLE(avx512)
