# Training: weights that learn, and the plans that say how.

cdef class Trainer:
    """The weights of a model while they learn.

    dtype: float32 or float64, of all of them. precision: the least that products of float32 keep, one
    of PRECISIONS, also those of the plans that take the trainer. The arrays are the caller's: the
    trainer changes them in place. One thread at a time.
    """

    cdef co_trainer *_c
    cdef readonly object dtype
    cdef list _alive  # the arrays that the C side points to
    cdef list _shapes
    cdef dict _taught  # by number: g and the slots
    cdef Rule _fits  # which was checked against them

    def __cinit__(self, dtype, str precision="highest"):
        cdef int keeps = PRECISIONS.index(precision)
        self.dtype = np.dtype(dtype)
        self._alive, self._shapes, self._taught = [], [], {}
        self._c = co_trainer_create(co_tier_kernels(_tier, 8 * self.dtype.itemsize),
                                    <co_precision>keeps)
        if self._c == NULL:
            raise MemoryError("no memory for a trainer")

    def __dealloc__(self):
        co_trainer_destroy(self._c)

    cdef void *_array(self, object a, object shape) except? NULL:
        """The data of a C-contiguous array that may be written."""
        if (not isinstance(a, cnp.ndarray) or a.dtype != self.dtype or a.shape != shape
                or not cnp.PyArray_ISCARRAY(<cnp.ndarray>a)):
            raise ValueError(f"expected a writeable C-contiguous array of {self.dtype} and shape "
                             f"{shape}, received {getattr(a, 'dtype', type(a))} of shape "
                             f"{getattr(a, 'shape', '')}")
        return cnp.PyArray_DATA(<cnp.ndarray>a)

    def weight(self, w, bint vector=False, int rows=-1):
        """Adds a weight, an array: so many of its first axes together are the rows, by default all but
        the last, the others the columns. One of less than two axes is a vector, any other if that is
        said. Returns its number."""
        cdef ptrdiff_t n = w.size if vector or w.ndim < 2 else 1
        if not vector:
            for size in w.shape[rows:]:
                n *= size if w.ndim > 1 else 1
        cdef ptrdiff_t k = w.size // n if n else (0 if vector or w.ndim < 2 else w.shape[0])
        if vector or w.ndim < 2:
            k = 1
        cdef int number = co_trainer_weight(self._c, k, n, self._array(w, w.shape))
        if number < 0:
            raise MemoryError("no memory for a weight")
        self._alive.append(w)
        self._shapes.append(w.shape)
        return number

    cdef int _known(self, int w) except -1:
        if not 0 <= w < len(self._shapes):
            raise ValueError(f"internal error: no weight {w}")
        return 0

    def teach(self, int w, g=None, slots=(), double l1=0.0, double l2=0.0,
              bint decays=True, bint nonneg=False, bint given=False, norm=None):
        """Weight w learns: g is where its gradient goes (and, if given, a part comes from), slots the
        arrays of the optimizer's state, l1 and l2 its penalty's factors,
        norm None or the (low, high, rate, epsilon) that the norms over its first axis are brought
        to: it has one or two."""
        cdef co_lesson lesson
        cdef int i
        self._known(w)
        shape = self._shapes[w]
        if len(slots) > CO_MOST_SLOTS:
            raise ValueError(f"internal error: {len(slots)} slots")
        lesson.g = NULL if g is None else self._array(g, shape)
        for i in range(CO_MOST_SLOTS):
            lesson.slots[i] = self._array(slots[i], shape) if i < len(slots) else NULL
        lesson.given = given
        lesson.how = co_weight(1.0, l1, l2, 1.0, decays, nonneg)
        lesson.norms = 0
        if norm is not None:
            lesson.norm = co_norm(norm[0], norm[1], norm[2], norm[3])
            lesson.norms = shape[0]
        self._taught[w] = (g, *slots)
        self._fits = None
        co_trainer_teach(self._c, w, &lesson)

    def finish(self):
        """Ends the building, after the plans are built: cuts the weights into pieces, packs them."""
        if co_trainer_finish(self._c) != CO_OK:
            raise MemoryError("no memory for a trainer")

    def pack(self, int w):
        """Tells that the array of weight w was changed by somebody else."""
        self._known(w)
        co_trainer_pack(self._c, w)

    def learn(self, Rule rule):
        """An update of all weights with what the last runs of the plans have left. Without a rule,
        and where that bounds norms, the gradients go to g.

        Raises ValueError for a weight that has not the slots that the rule takes."""
        cdef const co_rule *how = NULL if rule is None else &rule._c
        if rule is None or rule is not self._fits:
            self._check(rule)
            self._fits = rule
        cdef int threads = _threads
        cdef co_status status
        with nogil:
            status = co_trainer_learn(self._c, how, threads)
        if status != CO_OK:
            raise MemoryError("no memory for the scratch of an update")

    cdef int _check(self, Rule rule) except -1:
        cdef Py_ssize_t count = 0 if rule is None else rule.slots
        for g, *slots in self._taught.values():
            if rule is not None and len(slots) != count:
                raise ValueError(f"the optimizer has {len(slots)} variables for each weight, and its "
                                 f"present arguments ask for {count}: they cannot change once it is "
                                 "built, make a new one")
            if g is None and (rule is None or rule._c.norm < HUGE_VAL):
                raise ValueError("internal error: a weight without an array for its gradient")
        return 0

    def penalty(self):
        """The penalties of all weights that learn: l1 sum |w| + l2 sum w^2."""
        return co_trainer_penalty(self._c)

    @property
    def bytes(self):
        """What the runs of its plans and its updates have had of memory so far, beside the weights."""
        return co_trainer_bytes(self._c)


cdef class TrainingPlan(Plan):
    """A plan whose products have the weights of a trainer, and which can end with a loss and the
    way back. `attach` comes first."""

    cdef Trainer _trainer
    cdef ptrdiff_t _penalties
    cdef list _norms  # which the C side points to

    def attach(self, Trainer trainer not None):
        """Takes the trainer, before any step. Returns the plan."""
        self._trainer, self._norms = trainer, []
        co_plan_train(self._c, trainer._c)
        return self

    def learning(self, int number):
        """Takes a weight of the trainer. Returns its number among the plan's: see `weight`."""
        self._building(True)
        self._trainer._known(number)
        return self._check(co_plan_learning(self._c, number))

    def penalty(self, int x, double l1, double l2):
        """The mean over the batch of l1 sum |x| + l2 sum x^2 is learnt from too."""
        self._building(True)
        self._check(co_plan_penalty(self._c, x, l1, l2))
        self._penalties += 1

    def learn(self, int y, str kind, ptrdiff_t positions, ptrdiff_t n, bint from_logits=False,
              double p=0.0):
        """The plan learns from the loss of y as (positions, n). kind: one of LOSSES. A run has three
        further arrays for it: the target, a real that weighs each position, room for the values."""
        self._building(True)
        cdef co_loss loss = co_loss(LOSSES[kind], from_logits, p)
        self._check(co_plan_learn(self._c, y, loss, positions, n))
        sparse = kind == "sparse_categorical_crossentropy"
        self._more.append((False, np.dtype(np.int32) if sparse else self.dtype,
                           (positions if sparse else positions * n,)))
        self._more.append((False, self.dtype, (positions,)))
        self._more.append((True, self.dtype, (positions,)))

    def learn_from(self, int y):
        """The plan learns from a gradient of y, a further array of a run."""
        self._building(True)
        self._check(co_plan_learn_from(self._c, y))
        self._more.append((False, self.dtype, (co_plan_size(self._c, y),)))

    def moments(self, int x, int mask, BatchNorm norm not None):
        """Runs make the moments of x, of the positions that a mask (-1: none) keeps."""
        self._building(True)
        self._check(co_plan_moments(self._c, x, mask, &norm._of))
        self._norms.append(norm)

    def normalized(self, int x, BatchNorm norm not None):
        """What becomes of input x, of which a run of another plan made the moments."""
        self._building(True)
        cdef int y = self._check(co_plan_normalized(self._c, x, &norm._of))
        self._norms.append(norm)
        return y

    def learn_from_normalized(self, int x, int mask, BatchNorm norm not None, bint made):
        """The plan learns from a gradient of what becomes of x, a further array of a run. made: whether
        x is one more, as a run made it before; it is unless it is an input."""
        self._building(True)
        self._check(co_plan_learn_from_normalized(self._c, x, mask, &norm._of))
        self._norms.append(norm)
        self._more += [(False, self.dtype, (co_plan_size(self._c, x),))] * (1 + made)

    def want(self, int x):
        """The gradient of input x goes to a further array of a run."""
        self._building(True)
        self._check(co_plan_want(self._c, x))
        self._more.append((True, self.dtype, (co_plan_size(self._c, x),)))

    def back(self):
        """The way back from all that the plan learns from. Only `finish` or `close` comes after."""
        self._building(True)
        self._check(co_plan_back(self._c))

    def close(self):
        """Ends the building of a plan that has no result: what it leaves is the gradients."""
        self._building(False)
        self._check(co_plan_close(self._c))
        self._held = []
        self._ns = co_plan_cost(self._c)
        self._ready = True
