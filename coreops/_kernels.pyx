# cython: language_level=3, boundscheck=False, wraparound=False, freethreading_compatible=True
"""The only bridge between Python and the C core: arrays are checked, outputs allocated, the GIL
released, statuses turned into exceptions. No arithmetic on data happens here."""

cimport cython
from libc.math cimport HUGE_VAL
from cpython.pycapsule cimport PyCapsule_New
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, malloc

cimport numpy as cnp

import numpy as np

from coreops._core cimport *

cnp.import_array()


cdef extern from *:
    """
    #include <stdatomic.h>

    #include "activation.h"
    #include "update.h"
    #define CO_ACTIVATION_NAME(NAME, name) #name,
    static const char *const co_activation_names[] = {CO_ACTIVATION_LIST(CO_ACTIVATION_NAME)};
    #define CO_RULE_NAME(NAME, name, slots) #name,
    #define CO_RULE_SLOTS(NAME, name, slots) slots,
    static const char *const co_rule_names[] = {CO_RULE_LIST(CO_RULE_NAME)};
    static const int co_rule_slots[] = {CO_RULE_LIST(CO_RULE_SLOTS)};
    #include "loss.h"
    #define CO_LOSS_NAME(NAME, name) #name,
    static const char *const co_loss_names[] = {CO_LOSS_LIST(CO_LOSS_NAME)};
    /* How many user functions this thread is inside of: see Callable. */
    static _Thread_local int co_scopes;
    /* Raised by every change that an installed plan may not have seen. Threads of a free-threaded
       Python raise it at once, and none of the counts may be lost. */
    static atomic_ullong co_changes = 1;
    #define co_epoch() ((uint64_t)atomic_load(&co_changes))
    #define co_bump_epoch() ((uint64_t)atomic_fetch_add(&co_changes, 1))
    """
    uint64_t co_epoch()
    uint64_t co_bump_epoch()
    int CO_ACT_COUNT
    const char *co_activation_names[]
    const char *co_rule_names[]
    int co_rule_slots[]
    int CO_LOSS_COUNT
    const char *co_loss_names[]
    int co_scopes


include "_bridge/tier.pxi"
include "_bridge/callable.pxi"
include "_bridge/memory.pxi"
include "_bridge/steps.pxi"
include "_bridge/plan.pxi"
include "_bridge/recurrent.pxi"
include "_bridge/window.pxi"
include "_bridge/inspect.pxi"
include "_bridge/several.pxi"
include "_bridge/merge.pxi"
include "_bridge/gradients.pxi"
include "_bridge/normalize.pxi"
include "_bridge/update.pxi"
include "_bridge/batchnorm.pxi"
include "_bridge/trainer.pxi"
include "_bridge/run.pxi"
include "_bridge/lesson.pxi"

co_dispatch_init()
co_parallel_init()
