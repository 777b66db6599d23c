/* avx2vnni.c - x86-64-v3 with AVX-VNNI: Intel clients since 2021 (Alder Lake). */
#if !defined(__AVXVNNI__) || !defined(__FMA__) || defined(__AVX512F__)
#error "isa/avx2vnni.c needs its own flags: see the tier table in CMakeLists.txt"
#endif
#include "../simd/vec.h"

/* 12 accumulators, 2 columns of b and one element of a in 16 registers */
#define GEMM_MR 6
#define GEMM_NR (2 * VL)

#include "../kernels/qgemm_tpl.h"
#include "table.h"

CO_DEFINE_ADDITION(avx2vnni)
