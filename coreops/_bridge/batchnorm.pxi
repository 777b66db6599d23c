# Batch normalisation while it trains: what becomes of one batch.

cdef class BatchNorm:
    """Normalises the last axis of arrays of one shape by the moments of each.

    fuzz: added to the number of positions where there is a mask. mean, variance: of the last batch.
    """

    cdef co_moments _of
    cdef co_channels _batch
    cdef cnp.ndarray _doubles, _reals
    cdef object _dtype
    cdef tuple _shape
    cdef tuple _held  # what the last batch and the way back read

    def __init__(self, tuple shape, dtype, double epsilon, double fuzz=0.0):
        self._dtype, self._shape = np.dtype(dtype), shape
        if not shape:
            raise ValueError("batch normalisation: expected at least one axis")
        cdef ptrdiff_t n = shape[len(shape) - 1]
        self._batch.kernels = co_tier_kernels(_tier, 8 * self._dtype.itemsize)
        self._batch.n = n
        self._batch.m = _product(shape) // n if n else 0
        self._doubles = np.zeros((6, n))
        self._reals = np.zeros((4, n), self._dtype)
        cdef double *d = <double *>cnp.PyArray_DATA(self._doubles)
        cdef char *r = <char *>cnp.PyArray_DATA(self._reals)
        cdef ptrdiff_t bytes = n * self._dtype.itemsize
        self._of.epsilon, self._of.fuzz = epsilon, fuzz
        self._of.mean, self._of.variance, self._of.scale = d, d + n, d + 2 * n
        self._of.factor, self._of.sums, self._of.products = d + 3 * n, d + 4 * n, d + 5 * n
        self._of.center, self._of.a, self._of.b, self._of.c = (
            r, r + bytes, r + 2 * bytes, r + 3 * bytes)

    @property
    def mean(self):
        return self._doubles[0].copy()

    @property
    def variance(self):
        return self._doubles[1].copy()

    cdef void *_whole(self, str name, object array) except NULL:
        _check_fit(name, array, self._dtype, self._shape)
        return cnp.PyArray_DATA(<cnp.ndarray>array)

    def forward(self, x not None, mask, gamma, beta, y not None):
        """y is what becomes of x, by the moments of the positions where the mask is True; mask, gamma
        and beta may be None."""
        self._held = None
        self._batch.x = self._whole("an x", x)
        self._batch.mask = _mask_of(mask, self._shape[:len(self._shape) - 1])
        cdef const void *g = _vector("a gamma", gamma, self._dtype, self._batch.n)
        cdef const void *b = _vector("a beta", beta, self._dtype, self._batch.n)
        _check_writeable("batch normalisation", y)
        cdef void *to = self._whole("a y", y)
        cdef int threads = _threads
        cdef co_status status
        with nogil:
            status = co_batch_norm(&self._batch, &self._of, g, b, to, threads)
        if status != CO_OK:
            raise MemoryError("no memory for the sums of a batch")
        self._held = x, mask

    def back(self, dy not None, dx not None, dgamma=None, dbeta=None):
        """dx is the gradient of the last x for one of y; those of gamma and beta are added to arrays."""
        if self._held is None:
            raise ValueError("internal error: a way back without a batch")
        self._batch.dy = self._whole("a dy", dy)
        _check_writeable("batch normalisation", dx)
        cdef void *to = self._whole("a dx", dx)
        cdef void *g = <void *>_vector("a gamma", dgamma, self._dtype, self._batch.n)
        cdef void *b = <void *>_vector("a beta", dbeta, self._dtype, self._batch.n)
        cdef int threads = _threads
        cdef co_status status
        with nogil:
            status = co_batch_norm_back(&self._batch, &self._of, to, g, b, threads)
        if status != CO_OK:
            raise MemoryError("no memory for the sums of a batch")

    def let_go(self):
        """Nothing goes back from the last batch any more."""
        self._held = None

    def move(self, mean not None, variance not None, double keep):
        """Moving averages approach the last moments; they keep so much of themselves."""
        cdef void *m = <void *>_vector("a mean", mean, self._dtype, self._batch.n)
        cdef void *v = <void *>_vector("a variance", variance, self._dtype, self._batch.n)
        co_batch_norm_move(&self._batch, &self._of, m, v, keep)
