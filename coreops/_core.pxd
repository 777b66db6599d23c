"""The C core as Cython sees it: csrc/dispatch.h, parallel.h, coreops.h and update.h."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint64_t


cdef extern from "update.h" nogil:
    ctypedef struct co_rule:
        int kind, accumulate, averages, overwrite_every
        double p, q, epsilon, weight_decay, ema_momentum, clip, norm
        int all_at_once, gathers
    ctypedef struct co_weight:
        double scale, l1, l2, factor
        int decays, nonneg
    ctypedef struct co_norm:
        double low, high, rate, epsilon
    enum: CO_RULE_COUNT, CO_MOST_SLOTS
    void co_rule_prepare(co_rule *, int64_t, double)
    double co_rule_factor(const co_rule *, double)
    double co_rule_nadam_product(co_rule *, int64_t)


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


cdef extern from "kernels.h" nogil:
    ctypedef struct co_stream:
        uint64_t seed, call


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
        void (*update)(ptrdiff_t, void *, const void *, void *const *, const co_rule *,
                       const co_weight *) noexcept nogil
        double (*update_sumsq)(ptrdiff_t, const void *, const void *, void *const *,
                               const co_rule *, const co_weight *) noexcept nogil
        void (*rescale_columns)(ptrdiff_t, ptrdiff_t, void *, ptrdiff_t,
                                const co_norm *) noexcept nogil
        void (*loss)(ptrdiff_t, ptrdiff_t, const void *, const void *, const void *, void *, void *,
                     const co_loss *) noexcept nogil
        void (*vadd)(ptrdiff_t, const void *, void *) noexcept nogil
        void (*colsum)(ptrdiff_t, ptrdiff_t, const void *, ptrdiff_t, void *) noexcept nogil
        void (*keep_rows)(ptrdiff_t, ptrdiff_t, const uint8_t *, const void *,
                          void *) noexcept nogil
        void (*affine)(ptrdiff_t, ptrdiff_t, ptrdiff_t, const void *, const void *, const void *,
                       const void *, void *) noexcept nogil
        void (*layer_norm)(ptrdiff_t, ptrdiff_t, const void *, const void *, const void *, double,
                           void *) noexcept nogil
        void (*layer_norm_grad)(ptrdiff_t, ptrdiff_t, const void *, const void *, const void *,
                                double, void *, void *) noexcept nogil
        double (*channel_moments)(ptrdiff_t, ptrdiff_t, const uint8_t *, const void *, double,
                                  double *, double *) noexcept nogil
        void (*channel_sums)(ptrdiff_t, ptrdiff_t, const void *, const void *, const void *,
                             double *, double *) noexcept nogil
        void (*channel_grad)(ptrdiff_t, ptrdiff_t, const uint8_t *, const void *, const void *,
                             const void *, const void *, const void *, const void *,
                             void *) noexcept nogil
        void (*mean_over)(ptrdiff_t, ptrdiff_t, const uint8_t *, const void *,
                          void *) noexcept nogil
        void (*mean_over_grad)(ptrdiff_t, ptrdiff_t, const uint8_t *, const void *,
                               void *) noexcept nogil
        void (*max_over)(ptrdiff_t, ptrdiff_t, const void *, void *) noexcept nogil
        void (*max_over_grad)(ptrdiff_t, ptrdiff_t, const void *, const void *, const void *,
                              void *) noexcept nogil
        void (*gather)(ptrdiff_t, ptrdiff_t, const void *, const void *, void *,
                       uint8_t *) noexcept nogil
        int (*within)(ptrdiff_t, const void *, ptrdiff_t) noexcept nogil
        void (*scatter_add)(ptrdiff_t, ptrdiff_t, const void *, const void *, ptrdiff_t,
                            ptrdiff_t, ptrdiff_t, void *, ptrdiff_t) noexcept nogil
        void (*gauss)(ptrdiff_t, const void *, void *, co_stream, uint64_t, double,
                      int) noexcept nogil
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
    int co_processors()
    void co_dispatch_init()
    const char *co_parallel_runtime()


cdef extern from "coreops.h" nogil:
    ctypedef struct co_plan:
        pass
    ctypedef enum co_status:
        CO_OK, CO_NO_MEMORY, CO_BAD_PLAN, CO_NO_ROW
    ctypedef enum co_precision:
        CO_HIGHEST, CO_HIGH, CO_MEDIUM
    enum: CO_BUFFERS, CO_BATCH_INVARIANT, CO_QGEMM_DEPTH
    ctypedef struct co_how:
        int threads, flags
    ctypedef struct co_window:
        ptrdiff_t h, w, c, kh, kw, sh, sw, dh, dw, top, left, oh, ow
    co_plan *co_plan_create(const co_kernels *, co_precision, int, ptrdiff_t)
    void co_plan_destroy(co_plan *)
    int co_plan_weight(co_plan *, ptrdiff_t, ptrdiff_t, int, const void *)
    enum: CO_MERGE_ADD, CO_MERGE_SUBTRACT, CO_MERGE_MULTIPLY, CO_MERGE_DIVIDE
    enum: CO_MERGE_MAXIMUM, CO_MERGE_MINIMUM
    int co_plan_input(co_plan *, ptrdiff_t, int)
    int co_plan_output(co_plan *, int)
    int co_plan_dense(co_plan *, int, ptrdiff_t, int, int)
    int co_plan_dense_int8(co_plan *, int, ptrdiff_t, int, int, int)
    int co_plan_act(co_plan *, int, co_act)
    int co_plan_softmax(co_plan *, int, ptrdiff_t, int)
    int co_plan_prelu(co_plan *, int, int)
    int co_plan_masking(co_plan *, int, ptrdiff_t, ptrdiff_t, double, int *)
    int co_plan_dropout(co_plan *, int, double, int, int, const ptrdiff_t *, const ptrdiff_t *, int)
    int co_plan_permute(co_plan *, int, int, const ptrdiff_t *, const int *)
    int co_plan_repeat(co_plan *, int, ptrdiff_t, ptrdiff_t)
    ctypedef enum co_cell_kind:
        CO_LSTM, CO_GRU, CO_GRU_BEFORE, CO_SIMPLE
    ctypedef struct co_cell:
        co_cell_kind kind
        co_act a, s
    ctypedef struct co_rnn:
        co_cell cell
        ptrdiff_t u, steps
        int sequences, backwards, turned, zeros
        ptrdiff_t width, at
        void *h
        void *c
    int co_plan_recurrent(co_plan *, int, const co_rnn *, int, int, int, int, int, int, int, int *)
    int co_plan_fill(co_plan *, ptrdiff_t, double)
    int co_plan_pick(co_plan *, int, const int *, ptrdiff_t)
    int co_plan_conv(co_plan *, int, const co_window *, ptrdiff_t, int, int)
    int co_plan_depthwise(co_plan *, int, const co_window *, int, int)
    int co_plan_pool(co_plan *, int, const co_window *, int)
    int co_plan_pad(co_plan *, int, const co_window *)
    int co_plan_affine(co_plan *, int, ptrdiff_t, int, int, int)
    int co_plan_layer_norm(co_plan *, int, ptrdiff_t, double, int, int)
    int co_plan_embedding(co_plan *, int, int, int *)
    int co_plan_gauss(co_plan *, int, double, int, int)
    int co_plan_mean_over(co_plan *, int, ptrdiff_t, ptrdiff_t, ptrdiff_t, int)
    int co_plan_max_over(co_plan *, int, ptrdiff_t, ptrdiff_t, ptrdiff_t)
    int co_plan_merge(co_plan *, int, int, int)
    int co_plan_scale(co_plan *, int, double)
    int co_plan_either(co_plan *, int, int)
    int co_plan_any(co_plan *, int, ptrdiff_t)
    int co_plan_concatenate(co_plan *, int, const int *, ptrdiff_t)
    int co_plan_part(co_plan *, int, ptrdiff_t, ptrdiff_t, ptrdiff_t)
    int co_plan_select(co_plan *, int, int, int)
    int co_plan_products(co_plan *, int, int, ptrdiff_t, ptrdiff_t, ptrdiff_t, ptrdiff_t)
    co_status co_plan_finish(co_plan *, int, int)
    ptrdiff_t co_plan_size(const co_plan *, int)
    double co_plan_cost(const co_plan *)
    const char *co_plan_step(const co_plan *, int, int *, double *)
    ptrdiff_t co_plan_arena(const co_plan *, ptrdiff_t)
    co_status co_plan_run(const co_plan *, ptrdiff_t, void *const *, const co_stream *, co_how)


cdef extern from "batchnorm.h" nogil:
    ctypedef struct co_moments:
        const co_kernels *kernels
        ptrdiff_t n
        double epsilon, fuzz
        const void *gamma
        const void *beta
        void *dgamma
        void *dbeta
        double *mean
        double *variance
        double *scale
        double *factor
        double *sums
        double *products
        void *center
        void *times
        void *shift
        void *by_x
        void *rest
    co_status co_batch_norm(co_moments *, ptrdiff_t, const uint8_t *, const void *, void *, int)
    co_status co_batch_norm_back(co_moments *, ptrdiff_t, const uint8_t *, const void *,
                                 const void *, void *, int)
    void co_batch_norm_move(const co_moments *, void *, void *, double)


cdef extern from "train.h" nogil:
    enum:
        CO_BUFFER_X, CO_BUFFER_Y, CO_BUFFER_MASK, CO_BUFFER_PENALTY
    ctypedef struct co_trainer:
        pass
    ctypedef struct co_lesson:
        void *g
        void **slots
        int given
        ptrdiff_t norms
        co_weight how
        co_norm norm
    co_trainer *co_trainer_create(const co_kernels *, co_precision)
    void co_trainer_destroy(co_trainer *)
    int co_trainer_weight(co_trainer *, ptrdiff_t, ptrdiff_t, void *)
    void co_trainer_teach(co_trainer *, int, const co_lesson *)
    co_status co_trainer_finish(co_trainer *)
    void co_trainer_pack(co_trainer *, int)
    size_t co_trainer_bytes(const co_trainer *)
    co_status co_trainer_learn(co_trainer *, const co_rule *, int)
    double co_trainer_penalty(const co_trainer *)
    double co_weighted_sum(int, ptrdiff_t, const void *, const void *)
    int co_labels(int, ptrdiff_t, const void *, ptrdiff_t, int32_t *)
    void co_plan_train(co_plan *, co_trainer *)
    int co_plan_learning(co_plan *, int)
    co_status co_plan_penalty(co_plan *, int, double, double)
    int co_plan_learn(co_plan *, int, co_loss, ptrdiff_t, ptrdiff_t)
    int co_plan_learn_from(co_plan *, int)
    co_status co_plan_moments(co_plan *, int, int, co_moments *)
    int co_plan_normalized(co_plan *, int, co_moments *)
    int co_plan_learn_from_normalized(co_plan *, int, int, co_moments *)
    int co_plan_want(co_plan *, int)
    co_status co_plan_back(co_plan *)
    co_status co_plan_close(co_plan *)
