"""The C core as Cython sees it: csrc/dispatch.h, csrc/parallel.h, csrc/coreops.h."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int8_t, uint8_t, uint64_t


cdef extern from "activation.h" nogil:
    ctypedef struct co_act:
        int kind
        double p, q, r
    int co_act_by_output(const co_act *)


cdef extern from "loss.h":
    ctypedef struct co_loss:
        int kind, from_logits
        double p
    enum: CO_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY


cdef extern from "dispatch.h":
    ctypedef struct co_matmul:
        const char *name
    ctypedef struct co_kernels:
        const char *isa
        int real_bits, gemm_mr, gemm_nr
        const co_matmul **matmul
        void (*vact_grad)(ptrdiff_t, const void *, const void *, void *,
                          const co_act *) noexcept nogil
        void (*vprelu_grad)(ptrdiff_t, const void *, const void *, const void *, void *,
                            void *) noexcept nogil
        void (*softmax_grad)(ptrdiff_t, ptrdiff_t, const void *, const void *, void *,
                             int) noexcept nogil
        void (*loss)(ptrdiff_t, ptrdiff_t, const void *, const void *, const void *, void *, void *,
                     const co_loss *) noexcept nogil
        void (*vadd)(ptrdiff_t, const void *, void *) noexcept nogil
        void (*colsum)(ptrdiff_t, ptrdiff_t, const void *, ptrdiff_t, void *) noexcept nogil
        void (*keep_rows)(ptrdiff_t, ptrdiff_t, const uint8_t *, const void *,
                          void *) noexcept nogil
        double (*penalty)(ptrdiff_t, const void *, double, double, double, void *) noexcept nogil
        double (*sumsq)(ptrdiff_t, const void *) noexcept nogil
        double (*peak_fma)(ptrdiff_t, double, double) noexcept nogil
        double (*peak_read)(ptrdiff_t, const void *) noexcept nogil
    int co_tier_count()
    const char *co_tier_name(int tier)
    int co_tier_supported(int tier)
    const co_kernels *co_tier_kernels(int tier, int real_bits)
    const char *co_cpu_features()


cdef extern from "parallel.h":
    void co_parallel_init()
    const char *co_parallel_runtime()


cdef extern from "coreops.h" nogil:
    ctypedef struct co_stream:
        uint64_t seed, call
    ctypedef struct co_plan:
        pass
    ctypedef enum co_status:
        CO_OK, CO_NO_MEMORY, CO_BAD_PLAN
    ctypedef enum co_precision:
        CO_HIGHEST, CO_HIGH, CO_MEDIUM
    enum: CO_BUFFERS, CO_BATCH_INVARIANT, CO_QGEMM_DEPTH
    ctypedef struct co_how:
        int threads, flags
    co_plan *co_plan_create(const co_kernels *, co_precision, int, ptrdiff_t)
    void co_plan_destroy(co_plan *)
    int co_plan_dense(co_plan *, int, ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, const void *)
    int co_plan_dense_int8(co_plan *, int, ptrdiff_t, ptrdiff_t, ptrdiff_t, const int8_t *,
                           const void *, const void *)
    int co_plan_act(co_plan *, int, co_act)
    int co_plan_softmax(co_plan *, int, ptrdiff_t, int)
    int co_plan_prelu(co_plan *, int, ptrdiff_t, const void *)
    int co_plan_masking(co_plan *, int, ptrdiff_t, ptrdiff_t, double, int *)
    int co_plan_dropout(co_plan *, int, double, int, int, const ptrdiff_t *, const ptrdiff_t *, int)
    int co_plan_permute(co_plan *, int, int, const ptrdiff_t *, const int *)
    int co_plan_repeat(co_plan *, int, ptrdiff_t, ptrdiff_t)
    co_status co_plan_finish(co_plan *, int, int)
    ptrdiff_t co_plan_size(const co_plan *, int)
    double co_plan_cost(const co_plan *)
    ptrdiff_t co_plan_arena(const co_plan *, ptrdiff_t)
    co_status co_plan_run(const co_plan *, ptrdiff_t, void *const *, const co_stream *, co_how)
