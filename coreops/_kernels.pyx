# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The only bridge between Python and the C core: arrays are checked, outputs allocated, the GIL
released, statuses turned into exceptions. No arithmetic on data happens here."""

cimport cython
from cpython.pycapsule cimport PyCapsule_New
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int8_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc

cimport numpy as cnp

import numpy as np

from coreops._core cimport (
    CO_BAD_PLAN, CO_BATCH_INVARIANT, CO_NO_MEMORY, CO_OK, CO_QGEMM_DEPTH, co_act, co_cpu_features, co_how,
    co_kernels, co_matmul, co_parallel_init, co_precision,
    co_parallel_runtime, co_plan, co_plan_act, co_plan_arena, co_plan_cost, co_plan_create,
    co_plan_dense, co_plan_dense_int8, co_plan_destroy, co_plan_dropout, co_plan_finish, co_plan_masking,
    co_plan_permute, co_plan_prelu, co_plan_repeat, co_plan_run, co_plan_size, co_plan_softmax,
    co_stream, co_status, co_tier_count, co_tier_kernels, co_tier_name, co_tier_supported,
)

cnp.import_array()


cdef extern from *:
    """
    #include <stdatomic.h>

    #include "activation.h"
    #define CO_ACTIVATION_NAME(NAME, name) #name,
    static const char *const co_activation_names[] = {CO_ACTIVATION_LIST(CO_ACTIVATION_NAME)};
    /* How many user functions this thread is inside of: see Callable. */
    static _Thread_local int co_scopes;
    /* Raised by every change that an installed plan may not have seen. Threads of a free-threaded
       Python raise it at once, and none of the counts may be lost. */
    static atomic_ullong co_changes = 1;
    #define co_epoch() ((uint64_t)atomic_load(&co_changes))
    #define co_bump_epoch() ((void)atomic_fetch_add(&co_changes, 1))
    """
    uint64_t co_epoch()
    void co_bump_epoch()
    int CO_ACT_COUNT
    const char *co_activation_names[]
    int co_scopes


include "_bridge/tier.pxi"
include "_bridge/callable.pxi"
include "_bridge/memory.pxi"
include "_bridge/plan.pxi"

co_parallel_init()
