# Runs of plans that train, with their arrays.

cdef class Run:
    """A plan that trains, with what its runs of so many samples read and leave.

    y: where the result goes, None if the plan has none; penalty: where each sample's penalties go, if
    the plan has any; mask: where the result's mask goes, if it has one. The other arrays are `put`: 0
    is the plan's first input, and i > 0 what the plan was told of as number i - 1 of its further
    inputs, results, and whatever `learn`, `learn_from` and `want` speak of. Raises ValueError for
    arrays that do not fit.
    """

    cdef TrainingPlan _plan
    cdef readonly ptrdiff_t batch
    cdef void **_buffers
    cdef co_stream *_pairs
    cdef list _arrays  # which the buffers are of
    cdef list _read  # the numbers of those that the next run has others of

    def __cinit__(self, TrainingPlan plan not None, ptrdiff_t batch, y, penalty=None, mask=None):
        if not plan._ready:
            raise ValueError("internal error: a run of a plan that is not finished")
        cdef size_t count = CO_BUFFERS + len(plan._more)
        self._plan, self.batch = plan, batch
        self._arrays = [None] * count
        self._read = [CO_BUFFER_X]
        for i, (written, _, _) in enumerate(plan._more):
            if not written:
                self._read.append(CO_BUFFERS + i)
        self._buffers = <void **>calloc(count, sizeof(void *))
        self._pairs = <co_stream *>calloc(plan._streams + 1, sizeof(co_stream))
        if self._buffers == NULL or self._pairs == NULL:
            raise MemoryError("no memory for a run")
        if plan.out_shape is not None:
            self._set(CO_BUFFER_Y, y, plan.dtype, _product(plan.out_shape), True)
        if plan.masked:
            self._set(CO_BUFFER_MASK, mask, np.dtype(np.bool_), _product(plan._mask_shape), True)
        if plan._penalties:
            self._set(CO_BUFFER_PENALTY, penalty, plan.dtype, plan._penalties, True)

    def __dealloc__(self):
        free(self._buffers)
        free(self._pairs)

    cdef int _set(self, Py_ssize_t i, object a, object dtype, ptrdiff_t size, bint written) except -1:
        if (not isinstance(a, cnp.ndarray) or a.dtype != dtype
                or cnp.PyArray_SIZE(<cnp.ndarray>a) != self.batch * size
                or not (cnp.PyArray_ISCARRAY(<cnp.ndarray>a) if written
                        else cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>a))):
            raise ValueError(f"internal error: expected {self.batch} times {size} contiguous elements "
                             f"of {dtype}, received {getattr(a, 'dtype', type(a))} of shape "
                             f"{getattr(a, 'shape', '')}")
        self._arrays[i] = a
        self._buffers[i] = cnp.PyArray_DATA(<cnp.ndarray>a)
        return 0

    def put(self, Py_ssize_t at, array):
        """The next runs read, or write, this array."""
        if at == 0:
            if (not isinstance(array, cnp.ndarray)
                    or not self._plan._fits(array, self._plan._in_rank, self._plan._in_dims)):
                raise ValueError(f"internal error: a plan for {self._plan.dtype} of "
                                 f"{self._plan.in_shape} received {getattr(array, 'dtype', '')} of "
                                 f"{np.shape(array)}")
            self._set(CO_BUFFER_X, array, self._plan.dtype, _product(self._plan.in_shape), False)
            return
        if not 0 < at <= len(self._plan._more):
            raise ValueError(f"internal error: no further array {at - 1}")
        written, dtype, shape = self._plan._more[at - 1]
        self._set(CO_BUFFERS + at - 1, array, dtype, _product(shape), written)

    def run(self, list streams not None):
        """Forward, and back if the plan learns; then what was read is let go. streams: a pair (seed,
        call) for each stream."""
        cdef Py_ssize_t i
        if len(streams) != self._plan._streams:
            raise ValueError(f"internal error: {self._plan._streams} streams expected")
        for i in range(len(self._arrays)):
            if self._buffers[i] == NULL and (i == CO_BUFFER_X or i >= CO_BUFFERS):
                raise ValueError(f"internal error: a run without array {i}")
        try:
            self._go(streams)
        finally:
            self._let_go()

    cdef int _go(self, list streams) except -1:
        cdef Py_ssize_t i
        for i in range(len(streams)):
            seed, call = streams[i]
            self._pairs[i] = co_stream(seed, call)
        return self._plan._run(self.batch, self._buffers, self._pairs)

    cdef int _let_go(self) except -1:
        cdef Py_ssize_t i
        for i in self._read:
            self._arrays[i] = None
            self._buffers[i] = NULL
        return 0

    def outcome(self, list values not None, list weights not None, list factors not None,
                list losses not None):
        """What the last run came to: its losses, and the mean of the samples' penalties.

        values, weights: contiguous arrays of each loss's values and of what weighs them, None where
        there is no loss. factors: of the losses in the sum, which is in the weights already. losses:
        where each one goes, without its factor.
        """
        cdef double value, factor, total = 0
        cdef cnp.ndarray x, w
        cdef int bits = 8 * self._plan.dtype.itemsize
        if self._plan._penalties:
            total = co_weighted_sum(bits, self.batch * self._plan._penalties,
                                    self._buffers[CO_BUFFER_PENALTY], NULL)
            total /= max(self.batch, 1)
        for i in range(len(values)):
            if values[i] is None:
                continue
            x, w = values[i], weights[i]
            if cnp.PyArray_SIZE(x) != cnp.PyArray_SIZE(w):
                raise ValueError("internal error: losses and weights that do not fit")
            value = co_weighted_sum(bits, cnp.PyArray_SIZE(x), cnp.PyArray_DATA(x),
                                    cnp.PyArray_DATA(w))
            factor = factors[i]
            total += value
            losses[i] = value / factor if factor else 0.0
        return total
