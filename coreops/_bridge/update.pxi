# Steps of optimizers on arrays: what a trainer does in C, one weight at a time.

# How many slots a weight has under each rule of csrc/update.h, without those of every rule.
RULES = {co_rule_names[i].decode(): co_rule_slots[i] for i in range(CO_RULE_COUNT)}


cdef class Rule:
    """One step of an optimizer, the same for all its weights.

    kind: one of RULES; p, q and epsilon are its arguments, as csrc/update.h has them. clip: bound
    of a gradient's elements; norm: of a gradient's norm, or of that of all of them. accumulate: how
    many steps make an update. averages: whether the last slot is the weight's average, of that
    ema_momentum, and overwrite_every: after how many updates it becomes the weight.
    """

    cdef co_rule _c
    cdef readonly str kind

    def __cinit__(self, str kind, double p=0.0, double q=0.0, double epsilon=0.0,
                  double weight_decay=0.0, double clip=HUGE_VAL, double norm=HUGE_VAL,
                  bint all_at_once=False, int accumulate=1, bint averages=False,
                  double ema_momentum=0.0, int overwrite_every=0):
        self.kind = kind
        self._c.kind = list(RULES).index(kind)
        self._c.p, self._c.q, self._c.epsilon = p, q, epsilon
        self._c.weight_decay = weight_decay
        self._c.clip, self._c.norm = clip, norm
        self._c.all_at_once = all_at_once
        self._c.accumulate = max(accumulate, 1)
        self._c.averages = averages
        self._c.ema_momentum = ema_momentum
        self._c.overwrite_every = overwrite_every
        co_rule_prepare(&self._c, 0, 0.0)

    def prepare(self, int64_t step, double rate):
        """Makes ready for the step that comes after `step` others, at this rate of learning."""
        co_rule_prepare(&self._c, step, rate)
        return self

    @property
    def gathers(self):
        """Whether the step for which it is ready adds up gradients and updates nothing."""
        return bool(self._c.gathers)

    @property
    def clips_norm(self):
        """Whether gradients are scaled by a factor that hangs on their norm, and then whether it
        is the norm of all of them together."""
        return self._c.norm < HUGE_VAL, bool(self._c.all_at_once)

    def factor(self, double sum_of_squares):
        """The factor for a gradient, or for all, of this sum of squares."""
        return co_rule_factor(&self._c, sum_of_squares)

    def nadam_product(self, int64_t update):
        """The product of Nadam's momenta up to an update, the first of which is 1."""
        return co_rule_nadam_product(&self._c, update)

    @property
    def slots(self):
        """How many slots a weight has: the rule's, then what it gathers and averages in."""
        return RULES[self.kind] + (self._c.accumulate > 1) + self._c.averages

    cdef int _check(self, object w, object g, slots, void **pointers) except -1:
        """Fills in the slots' pointers; raises for arrays that do not fit."""
        cdef int count = self.slots
        if w.dtype not in (np.float32, np.float64) or len(slots) != count:
            raise ValueError(f"{self.kind} takes {count} slots of float32 or float64, received "
                             f"{len(slots)} of {w.dtype}")
        for a in (w, g, *slots):
            if not (isinstance(a, np.ndarray) and a.dtype == w.dtype and a.shape == w.shape
                    and cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>a)):
                raise ValueError(
                    f"expected C-contiguous arrays of {w.dtype} and shape {w.shape}, "
                    f"received {getattr(a, 'dtype', type(a))} of {getattr(a, 'shape', '')}")
        for i in range(count):
            pointers[i] = cnp.PyArray_DATA(<cnp.ndarray>slots[i])
        return 0

    def apply(self, cnp.ndarray w not None, cnp.ndarray g not None, slots=(), double l1=0.0,
              double l2=0.0, double scale=1.0, double factor=1.0, bint decays=True,
              bint nonneg=False):
        """One step: w and the slots change in place, as csrc/update.h says.

        Raises ValueError for arrays that differ in dtype or shape, that are not C-contiguous, or
        that have to change and are read-only."""
        cdef void *pointers[CO_MOST_SLOTS]
        cdef co_weight of = co_weight(scale, l1, l2, factor, decays, nonneg)
        self._check(w, g, slots, pointers)
        if not all(a.flags.writeable for a in (w, *slots)):
            raise ValueError("expected writeable arrays")
        cdef const co_kernels *kernels = co_tier_kernels(_tier, 8 * w.dtype.itemsize)
        cdef ptrdiff_t n = cnp.PyArray_SIZE(w)
        cdef void *wp = cnp.PyArray_DATA(w)
        cdef const void *gp = cnp.PyArray_DATA(g)
        with nogil:
            kernels.update(n, wp, gp, pointers, &self._c, &of)

    def sum_of_squares(self, cnp.ndarray w not None, cnp.ndarray g not None, slots=(),
                       double l1=0.0, double l2=0.0, double scale=1.0):
        """The sum of squares of the gradient that `apply` would go by, before it is clipped."""
        cdef void *pointers[CO_MOST_SLOTS]
        cdef co_weight of = co_weight(scale, l1, l2, 1.0, False, False)
        self._check(w, g, slots, pointers)
        cdef const co_kernels *kernels = co_tier_kernels(_tier, 8 * w.dtype.itemsize)
        cdef ptrdiff_t n = cnp.PyArray_SIZE(w)
        cdef const void *wp = cnp.PyArray_DATA(w)
        cdef const void *gp = cnp.PyArray_DATA(g)
        cdef double total
        with nogil:
            total = kernels.update_sumsq(n, wp, gp, pointers, &self._c, &of)
        return total


def rescale_columns(cnp.ndarray w not None, double low, double high, double rate, double epsilon):
    """Scales the columns of a C-contiguous matrix of float32 or float64, in place, to the norms
    that co_norm of csrc/update.h gives them."""
    if (cnp.PyArray_NDIM(w) != 2 or w.dtype not in (np.float32, np.float64)
            or not cnp.PyArray_ISCARRAY(w)):
        raise ValueError("expected a writeable C-contiguous matrix of float32 or float64")
    cdef co_norm norm = co_norm(low, high, rate, epsilon)
    cdef const co_kernels *kernels = co_tier_kernels(_tier, 8 * w.dtype.itemsize)
    cdef ptrdiff_t k = cnp.PyArray_DIM(w, 0), n = cnp.PyArray_DIM(w, 1)
    cdef void *wp = cnp.PyArray_DATA(w)
    with nogil:
        kernels.rescale_columns(k, n, wp, n, &norm)
