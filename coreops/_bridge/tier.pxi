# What runs: the tier, the threads, the way products are made; and the machine's own limits.

ACTIVATIONS = {co_activation_names[i].decode(): i for i in range(CO_ACT_COUNT)}

cdef int _tier = 0


def tiers():
    """The names of the tiers that were built and that this CPU can run, narrowest first."""
    return [co_tier_name(i).decode() for i in range(co_tier_count()) if co_tier_supported(i)]


def isa():
    """The name of the tier that new plans use."""
    return co_tier_name(_tier).decode()


def use_isa(name=None):
    """Chooses the tier that new plans use; None: the widest that this CPU can run.

    Raises ValueError, with the names that are possible, for any other."""
    global _tier
    possible = tiers()
    if name is None:
        name = possible[len(possible) - 1]
    if name not in possible:
        raise ValueError(
            f"COREOPS_ISA={name!r} is not a tier that this build and this CPU can run; "
            f"possible here: {', '.join(possible)}"
        )
    _tier = [co_tier_name(i).decode() for i in range(co_tier_count())].index(name)
    bump_epoch()


def cpu_features():
    """The CPU features that were looked for and found."""
    return co_cpu_features().decode().split()


def parallel_runtime():
    """The parallel runtime that the kernels were built with."""
    return co_parallel_runtime().decode()


def processors():
    """The processors that this process may use."""
    return co_processors()


# ------------------------------------------------------------------------------- the threads

cdef int _threads = 1


def set_num_threads(int count):
    """The most threads that a call may use."""
    global _threads
    if count < 1:
        raise ValueError(f"set_num_threads: expected a count of at least 1, received {count}")
    _threads = count


def get_num_threads():
    """The most threads that a call may use."""
    return _threads


# ------------------------------------------------------------------------- how products are made

INT8_DEPTH = CO_QGEMM_DEPTH  # the longest sum of products of int8
PRECISIONS = ("highest", "high", "medium")  # in the order of co_precision

cdef int _flags = 0


def set_batch_invariant(bint value):
    """Whether a sample's result has the same bits in a batch of any size."""
    global _flags
    _flags = CO_BATCH_INVARIANT if value else 0


def is_batch_invariant():
    """Whether a sample's result has the same bits in a batch of any size."""
    return _flags != 0


def matmul_name(str precision):
    """What the tier multiplies large batches of float32 with at this precision."""
    cdef int keeps = PRECISIONS.index(precision)
    cdef const co_matmul *matmul = co_tier_kernels(_tier, 32).matmul[keeps]
    return "fma" if matmul == NULL else matmul.name.decode()


# --------------------------------------------------------------------------------- the roofline

def peak_fma(Py_ssize_t rounds, double a=0.0, double b=1.0, dtype="float32"):
    """x = a * x + b in every lane of some registers, `rounds` times over; the sum of the lanes,
    which with the a and b that it has by default is how many multiply-adds a round has."""
    cdef const co_kernels *kernels = co_tier_kernels(_tier, 8 * np.dtype(dtype).itemsize)
    cdef double total
    with nogil:
        total = kernels.peak_fma(rounds, a, b)
    return total


def peak_read(cnp.ndarray x not None, Py_ssize_t times=1):
    """The largest element of a contiguous float32 or float64 array, which is read `times` times
    over; -inf for an empty one."""
    if not cnp.PyArray_IS_C_CONTIGUOUS(x) or x.dtype not in (np.float32, np.float64):
        raise TypeError("peak_read: expected a contiguous array of float32 or float64")
    cdef const co_kernels *kernels = co_tier_kernels(_tier, 8 * x.dtype.itemsize)
    cdef const void *data = cnp.PyArray_DATA(x)
    cdef ptrdiff_t size = x.size
    cdef double top = 0
    with nogil:
        for _ in range(times):
            top = kernels.peak_read(size, data)
    return top
