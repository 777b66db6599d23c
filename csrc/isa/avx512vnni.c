/* avx512vnni.c - x86-64-v4 with AVX512-VNNI: Intel servers since 2019 (Cascade Lake), AMD since
 * 2022 (Zen 4). */
#if !defined(__AVX512VNNI__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) ||                \
    !defined(__AVX512VL__)
#error "isa/avx512vnni.c needs its own flags: see the tier table in CMakeLists.txt"
#endif
#include "../simd/vec.h"

/* 28 accumulators, 2 columns of b and elements of a in 32 registers */
#define GEMM_MR 14
#define GEMM_NR (2 * VL)

#include "../kernels/qgemm_tpl.h"
#include "table.h"

CO_DEFINE_ADDITION(avx512vnni)
