/* table.h - how the objects of a tier become its table of kernels, or what it adds to another's. */
#ifndef COREOPS_TABLE_H
#define COREOPS_TABLE_H

#include "../kernels.h"

#define CO_SLOT(slot, ret, params) .slot = slot,

/* The last line of every isa file: the table that its objects export. */
#define CO_CAT_(a, b, c) a##b##_f##c
#define CO_CAT(a, b, c) CO_CAT_(a, b, c)
#define CO_DEFINE_TABLE(tier)                                                                      \
    extern const co_kernels CO_CAT(co_kernels_, tier, CO_REAL_BITS);                               \
    const co_kernels CO_CAT(co_kernels_, tier, CO_REAL_BITS) = {.isa = #tier,                      \
                                                                .real_bits = CO_REAL_BITS,         \
                                                                .gemm_mr = GEMM_MR,                \
                                                                .gemm_nr = GEMM_NR,                \
                                                                .qgemm_nr = QGEMM_NR,              \
                                                                CO_KERNEL_LIST(CO_SLOT)};

/* Or, for float32, what the tier changes in the table of one that it adds to: the int8 kernels, and
 * the list of co_matmuls that CO_MATMULS is. */
#ifndef CO_MATMULS
#define CO_MATMULS {NULL}
#endif
#define CO_DEFINE_ADDITION(tier)                                                                   \
    void co_add_##tier(co_kernels *table);                                                         \
    void co_add_##tier(co_kernels *table) {                                                        \
        const co_matmul *const matmul[CO_PRECISIONS] = CO_MATMULS;                                 \
        for (int p = 0; p < CO_PRECISIONS; p++) table->matmul[p] = matmul[p];                      \
        table->isa = #tier;                                                                        \
        table->qgemm_nr = QGEMM_NR;                                                                \
        table->qgemm_bytes = qgemm_bytes;                                                          \
        table->qgemm_pack = qgemm_pack;                                                            \
        table->qgemm_scratch = qgemm_scratch;                                                      \
        table->qgemm = qgemm;                                                                      \
    }

#endif
