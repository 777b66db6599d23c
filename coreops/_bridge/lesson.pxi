# Steps of training, prepared: what is the same from one to the next is looked up once.

cdef class Run:
    """A plan that trains, with what its runs of so many samples read and leave.

    y: where the result goes; penalty: where each sample's penalties go, if the plan has any; mask: where
    the result's mask goes, if it has one. The other arrays are `put`: 0 is the plan's first input, and
    i > 0 what the plan was told of as number i - 1 of its further inputs, results, and whatever `learn`,
    `learn_from` and `want` speak of. Raises ValueError for arrays that do not fit.
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


cdef class Place:
    """How an array that is like one before gets into a run: as it is, or by way of a room into which it is
    copied. at: as `put` counts. classes: of labels, which are checked; 0 where it is none."""

    cdef Py_ssize_t _buffer
    cdef int _type, _rank
    cdef cnp.npy_intp _dims[32]
    cdef bint _direct
    cdef ptrdiff_t _classes
    cdef cnp.ndarray _room

    def __init__(self, Run run not None, Py_ssize_t at, cnp.ndarray like not None, ptrdiff_t classes=0):
        cdef TrainingPlan plan = run._plan
        dtype, shape = plan.dtype, plan.in_shape
        if at > 0:
            _, dtype, shape = plan._more[at - 1]
        self._buffer = CO_BUFFER_X if at == 0 else CO_BUFFERS + at - 1
        self._type, self._rank = cnp.PyArray_TYPE(like), cnp.PyArray_NDIM(like)
        if self._rank > 31 or cnp.PyArray_SIZE(like) != run.batch * _product(shape):
            raise ValueError("internal error: an array that does not fit its place")
        for i in range(self._rank):
            self._dims[i] = cnp.PyArray_DIM(like, i)
        self._direct = like.dtype == dtype
        self._classes = classes
        self._room = np.empty((<object>like).shape, dtype)

    cdef bint take(self, Run run, object given) except -1:
        """Whether the array is like the one before, and in its place now."""
        cdef int i
        if not cnp.PyArray_CheckExact(given):
            return False
        cdef cnp.ndarray a = <cnp.ndarray>given
        if cnp.PyArray_TYPE(a) != self._type or cnp.PyArray_NDIM(a) != self._rank:
            return False
        for i in range(self._rank):
            if cnp.PyArray_DIM(a, i) != self._dims[i]:
                return False
        cdef bint whole = cnp.PyArray_ISCARRAY_RO(a)
        cdef bint wide = self._classes and self._type == cnp.NPY_INT64
        cdef void *data = cnp.PyArray_DATA(self._room)
        cdef const void *labels = data
        if wide:
            labels = cnp.PyArray_DATA(a)
            if not whole:
                return False
        elif self._direct and whole:
            labels = data = cnp.PyArray_DATA(a)
        else:
            cnp.PyArray_CopyInto(self._room, a)
        if self._classes and not co_labels(8 if wide else 4, cnp.PyArray_SIZE(a), labels,
                                           self._classes, <int32_t *>cnp.PyArray_DATA(self._room)):
            return False
        run._buffers[self._buffer] = data
        return True


cdef list _listed(object arrays):
    """What was passed for inputs or outputs as a list; None for what is neither that nor an array."""
    if cnp.PyArray_CheckExact(arrays):
        return [arrays]
    return arrays if type(arrays) is list else None


cdef class Lesson:
    """A step of training up to its loss, like one that was made before: where its arrays go is known.

    inputs: Places. ending: for each output that has a loss its number, the Place of its targets, the
    array that weighs its values, and that of the values; factors: of the losses of all outputs.
    """

    cdef Run _run
    cdef list _inputs, _ending, _factors, _values, _weights
    cdef readonly list losses  # of the outputs, in the last run

    def __init__(self, Run run not None, list inputs not None, list ending not None,
                 list factors not None):
        self._run, self._inputs, self._ending, self._factors = run, inputs, ending, factors
        self.losses = [0.0] * len(factors)
        self._values = [None] * len(factors)
        self._weights = [None] * len(factors)
        for i, _, weights, values in ending:
            self._weights[i], self._values[i] = weights, values

    def take(self, x, y):
        """Take the inputs and targets of the next run, each a list or the only one. Returns the targets
        as a list; None if anything is not as it was."""
        cdef Py_ssize_t i
        cdef Place place
        cdef list inputs = _listed(x), targets = _listed(y)
        if inputs is None or targets is None:
            return None
        if len(inputs) != len(self._inputs) or len(targets) != len(self._factors):
            return None
        for i in range(len(inputs)):
            place = <Place?>self._inputs[i]
            if not place.take(self._run, inputs[i]):
                return None
        for entry in self._ending:
            i, place, weights, values = entry
            if not place.take(self._run, targets[i]):
                return None
            self._run._buffers[place._buffer + 1] = cnp.PyArray_DATA(<cnp.ndarray>weights)
            self._run._buffers[place._buffer + 2] = cnp.PyArray_DATA(<cnp.ndarray>values)
        for i in range(len(targets)):
            if self._values[i] is None and targets[i] is not None:
                return None
        return targets

    def run(self, list streams not None):
        """Forward and back. Returns what `Run.outcome` does."""
        self._run.run(streams)
        return self._run.outcome(self._values, self._weights, self._factors, self.losses)


cdef class Update:
    """An optimizer's steps over the weights of a trainer.

    rule: the optimizer's; steps: an array of how many it has made; learnt: called after each, returns
    the epoch that it has raised. seen: the epoch at which all that a step hangs on was looked at.
    """

    cdef Trainer _trainer
    cdef readonly Rule rule
    cdef object _learnt
    cdef cnp.ndarray _steps
    cdef public uint64_t seen

    def __init__(self, Trainer trainer not None, Rule rule not None, cnp.ndarray steps not None,
                 learnt):
        if steps.dtype != np.int64 or steps.size != 1:
            raise ValueError("internal error: steps are counted in one int64")
        self._trainer, self.rule, self._learnt, self._steps = trainer, rule, learnt, steps

    def is_current(self):
        """Whether nothing has changed since `seen` but by these steps."""
        return self.seen == co_epoch()

    def step(self, double rate):
        """Makes a step at this rate of learning, with what the last runs of the plans have left."""
        cdef int64_t *made = <int64_t *>cnp.PyArray_DATA(self._steps)
        co_rule_prepare(&self.rule._c, made[0], rate)
        self._trainer.learn(self.rule)
        made[0] += 1
        cdef uint64_t raised = self._learnt()
        if raised == self.seen:  # and nobody else did
            self.seen = raised + 1
