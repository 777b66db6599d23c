/* avx2.c - x86-64-v3: Intel since 2013 (Haswell), AMD since 2017 (Zen). */
#if !defined(__AVX2__) || !defined(__FMA__) || defined(__AVX512F__)
#error "isa/avx2.c needs its own flags: see the tier table in CMakeLists.txt"
#endif
#include "../simd/vec.h"

/* 12 accumulators, 2 columns of b and one element of a in 16 registers */
#define GEMM_MR 6
#define GEMM_NR (2 * VL)

#include "../kernels/all_tpl.h"
#include "table.h"

CO_DEFINE_TABLE(avx2)
