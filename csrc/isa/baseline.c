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

#include "../kernels/activation_tpl.h"
#include "../kernels/dots_tpl.h"
#include "../kernels/dropout_tpl.h"
#include "../kernels/gauss_tpl.h"
#include "../kernels/gemm_tpl.h"
#include "../kernels/global_tpl.h"
#include "../kernels/grad_tpl.h"
#include "../kernels/loss_tpl.h"
#include "../kernels/masking_tpl.h"
#include "../kernels/normalize_tpl.h"
#include "../kernels/peak_tpl.h"
#include "../kernels/qgemm_tpl.h"
#include "../kernels/rows_tpl.h"
#include "../kernels/softmax_tpl.h"
#include "../kernels/sums_tpl.h"
#include "../kernels/transpose_tpl.h"
#include "../kernels/update_tpl.h"

CO_DEFINE_TABLE(baseline)
