# Steps of training, prepared: what is the same from one to the next is looked up once.

cdef class Place:
    """How an array that is like one before gets into a run: as it is, or by way of a room into which it is
    copied. at: as `put` counts. classes: of labels, which are checked; 0 where it is none."""

    cdef Run _run
    cdef Py_ssize_t _buffer
    cdef int _type, _rank
    cdef cnp.npy_intp _dims[32]
    cdef bint _direct
    cdef ptrdiff_t _classes
    cdef cnp.ndarray _room

    def __init__(self, Run run not None, Py_ssize_t at, cnp.ndarray like not None, ptrdiff_t classes=0):
        cdef TrainingPlan plan = run._plan
        self._run = run
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

    cpdef bint take(self, object given) except -1:
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
        self._run._buffers[self._buffer] = data
        return True


cdef class Step:
    """One of the steps that a lesson consists of."""

    cdef double go(self) except? -1:
        """Does it. Returns what it adds to the loss."""
        return 0

    cdef int let_go(self) except -1:
        """What was read is not kept."""
        return 0


cdef class Draws:
    """The draws of generators of random numbers for the runs of one part of a step."""

    cdef list _generators, _pairs

    def __init__(self, list generators not None):
        self._generators, self._pairs = generators, []

    cdef int draw(self) except -1:
        if self._generators:
            self._pairs = [generator.key() for generator in self._generators]
        return 0


cdef class RunStep(Step):
    """A run. kept: pairs of a number, as `put` counts, and the array that it always reads or writes
    there. draws: its streams', which are drawn first if that is said. counts: whether its penalties
    are a part of the loss."""

    cdef Run _run
    cdef list _kept
    cdef Draws _draws
    cdef bint _first, _counts
    cdef tuple _ending

    def __init__(self, Run run not None, list kept not None, Draws draws not None, bint first,
                 bint counts):
        self._run, self._draws, self._first, self._counts = run, draws, first, counts
        self._kept = []
        for at, array in kept:
            run.put(at, array)
            self._kept.append((CO_BUFFER_X if at == 0 else CO_BUFFERS + at - 1, array))

    def ends(self, tuple ending not None):
        """It ends with losses: these are the arguments of `Run.outcome`."""
        self._ending = ending

    cdef double go(self) except? -1:
        cdef Py_ssize_t i
        for i, array in self._kept:
            self._run._buffers[i] = cnp.PyArray_DATA(<cnp.ndarray>array)
        if self._first:
            self._draws.draw()
        self._run.run(self._draws._pairs)
        if self._ending is not None:
            values, weights, factors, losses = self._ending
            return self._run.outcome(values, weights, factors, losses)
        return self._run.outcome([], [], [], []) if self._counts else 0

    cdef int let_go(self) except -1:
        return self._run._let_go()


cdef class SumStep(Step):
    """total is the sum of two arrays, or 0 if there are none."""

    cdef object _x, _y, _total

    def __init__(self, x, y, total):
        self._x, self._y, self._total = x, y, total

    cdef double go(self) except? -1:
        if self._x is None:
            self._total.fill(0)
        else:
            np.add(self._x, self._y, out=self._total)
        return 0


cdef class CallStep(Step):
    """What a function without arguments does."""

    cdef object _function

    def __init__(self, function not None):
        self._function = function

    cdef double go(self) except? -1:
        self._function()
        return 0


cdef list _listed(object arrays):
    """What was passed for inputs or outputs as a list; None for what is neither that nor an array."""
    if cnp.PyArray_CheckExact(arrays):
        return [arrays]
    return arrays if type(arrays) is list else None


cdef class Lesson:
    """A step of training up to its loss, like one that was made before: where its arrays go is known.

    steps: what it does. inputs: of each input the Places. targets: of each output the Place, or what has a
    method `again` that takes one, None where there is no loss.
    """

    cdef list _steps, _inputs, _targets

    def __init__(self, list steps not None, list inputs not None, list targets not None):
        self._steps, self._inputs, self._targets = steps, inputs, targets

    def take(self, x, y):
        """Take the inputs and targets of the next run, each a list or the only one. Returns the targets
        as a list; None if anything is not as it was."""
        cdef Py_ssize_t i
        cdef bint taken
        cdef Place place
        cdef list inputs = _listed(x), targets = _listed(y)
        if inputs is None or targets is None:
            return None
        if len(inputs) != len(self._inputs) or len(targets) != len(self._targets):
            return None
        for i in range(len(inputs)):
            for place in <list>self._inputs[i]:
                if not place.take(inputs[i]):
                    return None
        for i in range(len(targets)):
            aim = self._targets[i]
            if aim is None:
                taken = targets[i] is None
            elif type(aim) is Place:
                taken = (<Place>aim).take(targets[i])
            else:
                taken = aim.again(targets[i])
            if not taken:
                return None
        return targets

    def run(self):
        """Forward and back. Returns the loss with the penalties on what the layers give."""
        cdef double total = 0
        cdef Step step
        try:
            for step in self._steps:
                total += step.go()
        finally:
            for step in self._steps:
                step.let_go()
        return total


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

    def step(self, double rate, moves=()):
        """Makes a step at this rate of learning, with what the last runs of the plans have left. moves: of
        a BatchNorm each, the arguments of its `move`."""
        cdef int64_t *made = <int64_t *>cnp.PyArray_DATA(self._steps)
        co_rule_prepare(&self.rule._c, made[0], rate)
        self._trainer.learn(self.rule)
        made[0] += 1
        for norm, mean, variance, keep in moves:
            norm.move(mean, variance, keep)
        cdef uint64_t raised = self._learnt()
        if raised == self.seen:  # and nobody else did
            self.seen = raised + 1
