# Batch normalisation while it trains.

cdef class BatchNorm:
    """Normalises n channels by the moments of a batch.

    fuzz: added to the number of positions where there is a mask. gamma, beta: vectors, or None; dgamma,
    dbeta: those that their gradients are added to, or None. mean, variance: of the last batch. Plans that
    train have it between them (`TrainingPlan.moments`), or batches go through it as a whole.
    """

    cdef co_moments _of
    cdef cnp.ndarray _doubles, _reals
    cdef tuple _vectors  # which the C side points to
    cdef object _dtype

    def __init__(self, ptrdiff_t n, dtype, double epsilon, double fuzz=0.0, gamma=None, beta=None,
                 dgamma=None, dbeta=None):
        self._dtype, self._vectors = np.dtype(dtype), (gamma, beta, dgamma, dbeta)
        self._of.kernels = co_tier_kernels(_tier, 8 * self._dtype.itemsize)
        self._of.n, self._of.epsilon, self._of.fuzz = n, epsilon, fuzz
        self._of.gamma = _vector("a gamma", gamma, self._dtype, n)
        self._of.beta = _vector("a beta", beta, self._dtype, n)
        for name, gradient in (("a gradient of gamma", dgamma), ("a gradient of beta", dbeta)):
            if gradient is not None:
                _check_writeable(name, gradient)
        self._of.dgamma = <void *>_vector("a gradient of gamma", dgamma, self._dtype, n)
        self._of.dbeta = <void *>_vector("a gradient of beta", dbeta, self._dtype, n)
        self._doubles = np.zeros((6, n))
        self._reals = np.zeros((5, n), self._dtype)
        cdef double *d = <double *>cnp.PyArray_DATA(self._doubles)
        cdef char *r = <char *>cnp.PyArray_DATA(self._reals)
        cdef ptrdiff_t bytes = n * self._dtype.itemsize
        self._of.mean, self._of.variance, self._of.scale = d, d + n, d + 2 * n
        self._of.factor, self._of.sums, self._of.products = d + 3 * n, d + 4 * n, d + 5 * n
        self._of.center, self._of.times, self._of.shift = r, r + bytes, r + 2 * bytes
        self._of.by_x, self._of.rest = r + 3 * bytes, r + 4 * bytes

    @property
    def mean(self):
        return self._doubles[0].copy()

    @property
    def variance(self):
        return self._doubles[1].copy()

    cdef ptrdiff_t _rows(self, cnp.ndarray x) except -1:
        if _last("batch normalisation", x) != self._of.n:
            raise ValueError(f"batch normalisation: expected {self._of.n} channels, received "
                             f"{(<object>x).shape}")
        return cnp.PyArray_SIZE(x) // self._of.n if self._of.n else 0

    def forward(self, cnp.ndarray x not None, mask, cnp.ndarray y not None):
        """y is what becomes of x, whose last axis are the channels, by the moments of the positions where
        the mask is True; it may be None."""
        cdef ptrdiff_t rows = self._rows(x)
        shape = (<object>x).shape
        cdef const uint8_t *keep = _mask_of(mask, shape[:len(shape) - 1])
        for name, array in (("an x", x), ("a y", y)):
            _check_fit(name, array, self._dtype, shape)
        _check_writeable("batch normalisation", y)
        cdef int threads = _threads
        cdef co_status status
        with nogil:
            status = co_batch_norm(&self._of, rows, keep, cnp.PyArray_DATA(x),
                                   cnp.PyArray_DATA(y), threads)
        if status != CO_OK:
            raise MemoryError("no memory for the sums of a batch")

    def back(self, cnp.ndarray x not None, mask, cnp.ndarray dy not None, cnp.ndarray dx not None):
        """dx is the gradient of x, the last batch, for one of y; those of gamma and beta are added to
        their arrays."""
        cdef ptrdiff_t rows = self._rows(x)
        shape = (<object>x).shape
        cdef const uint8_t *keep = _mask_of(mask, shape[:len(shape) - 1])
        for name, array in (("an x", x), ("a dy", dy), ("a dx", dx)):
            _check_fit(name, array, self._dtype, shape)
        _check_writeable("batch normalisation", dx)
        cdef int threads = _threads
        cdef co_status status
        with nogil:
            status = co_batch_norm_back(&self._of, rows, keep, cnp.PyArray_DATA(x),
                                        cnp.PyArray_DATA(dy), cnp.PyArray_DATA(dx), threads)
        if status != CO_OK:
            raise MemoryError("no memory for the sums of a batch")

    def move(self, mean not None, variance not None, double keep):
        """Moving averages approach the last moments; they keep so much of themselves."""
        cdef void *m = <void *>_vector("a mean", mean, self._dtype, self._of.n)
        cdef void *v = <void *>_vector("a variance", variance, self._dtype, self._of.n)
        co_batch_norm_move(&self._of, m, v, keep)
