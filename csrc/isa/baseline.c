/* baseline.c - the tier that needs no flags: SSE2, NEON, or plain C. */
#include "../simd/vec.h"

#ifdef __aarch64__
#define GEMM_MR 8
#else
#define GEMM_MR 4
#endif
#ifdef CO_SCALAR
#define GEMM_NR 4
#else
#define GEMM_NR (2 * VL)
#endif

#include "../kernels/all_tpl.h"
#include "table.h"

CO_DEFINE_TABLE(baseline)
