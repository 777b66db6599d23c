# The plan: finished, and running on arrays.

cdef class Plan(Steps):
    """A compiled list of steps: one call takes a batch from the input to the output. `finish` ends the
    building, after which the plan is immutable and any number of threads may run it."""

    def finish(self, int y, tuple shape, int mask=-1, tuple mask_shape=()):
        """Ends the building: value y, read with this shape, is the result, and so is the mask."""
        self._building(False)
        if len(shape) > 30:
            raise ValueError(f"a plan makes samples of at most 30 axes, received {len(shape)}")
        if (_product(shape) * self._words != co_plan_size(self._c, y)
                or (mask >= 0 and _product(mask_shape) != co_plan_size(self._c, mask))):
            self._check(CO_BAD_PLAN)
        self._check(co_plan_finish(self._c, y, mask))
        self._held = []
        self.out_shape = shape
        self.masked = mask >= 0
        self._mask_shape = mask_shape
        for i, n in enumerate(shape):
            self._out_dims[i + 1] = n
        self._out_rank = len(shape) + 1
        self._ns = co_plan_cost(self._c)
        self._out_bytes = co_plan_size(self._c, y) * <double>(self.dtype.itemsize / self._words)
        self._ready = True
        return self

    @property
    def cost_ns(self):
        """A rough estimate of one sample's time on one thread, in nanoseconds."""
        return self._ns

    def arena_bytes(self, ptrdiff_t batch=1):
        """The bytes of scratch that a run of `batch` samples takes on one thread."""
        return co_plan_arena(self._c, batch)

    cdef bint accepts(self, object x):
        """Whether a run may read x as it is, and takes nothing else."""
        return not self._streams and self.integers != 2 and self.takes(x)

    cdef object cast(self, object x):
        """Integers in the plan's type, if a run may read that, and takes nothing else; else None."""
        cdef int i
        if not self.integers or self._streams or not cnp.PyArray_CheckExact(x):
            return None
        if not cnp.PyArray_ISINTEGER(x) or cnp.PyArray_NDIM(<cnp.ndarray>x) != self._in_rank:
            return None
        for i in range(1, self._in_rank):
            if cnp.PyArray_DIM(<cnp.ndarray>x, i) != self._in_dims[i]:
                return None
        x = x.astype(self.dtype, "C")
        return x if self.takes(x) else None

    cdef bint takes(self, object x):
        """Whether a run may read x as it is."""
        if not cnp.PyArray_CheckExact(x) or self._more or not self._ready:
            return False
        if self._batch >= 0 and (cnp.PyArray_NDIM(<cnp.ndarray>x) == 0
                                 or cnp.PyArray_DIM(<cnp.ndarray>x, 0) != self._batch):
            return False
        return self._fits(<cnp.ndarray>x, self._in_rank, self._in_dims)

    cdef bint _fits(self, cnp.ndarray a, int rank, cnp.npy_intp *dims):
        cdef int i
        if (cnp.PyArray_TYPE(a) != self._type_num or cnp.PyArray_NDIM(a) != rank
                or not cnp.PyArray_IS_C_CONTIGUOUS(a) or not cnp.PyArray_ISBEHAVED_RO(a)):
            return False
        for i in range(1, rank):
            if cnp.PyArray_DIM(a, i) != dims[i]:
                return False
        return True

    cdef object run_array(self, cnp.ndarray x, object out):
        """The result for x, which `accepts` has seen; in `out` if that is not None."""
        cdef void *buffers[3]
        cdef ptrdiff_t batch = cnp.PyArray_DIM(x, 0)
        cdef cnp.ndarray y
        if out is None:
            y = self._result(batch)
        else:
            self._check_out(out, batch)
            if _overlap(x, <cnp.ndarray>out):
                out[...] = self.run_array(x, None)
                return out
            y = <cnp.ndarray>out
        buffers[0] = cnp.PyArray_DATA(x)
        buffers[1] = cnp.PyArray_DATA(y)
        buffers[2] = NULL
        self._run(batch, buffers, NULL)
        return y

    cdef cnp.ndarray _result(self, ptrdiff_t batch):
        """A new array for the result."""
        cdef cnp.npy_intp dims[32]
        cdef int i
        dims[0] = batch
        for i in range(1, self._out_rank):
            dims[i] = self._out_dims[i]
        return empty_array(self._out_rank, dims, self._type_num, batch * self._out_bytes)

    cdef int _run(self, ptrdiff_t batch, void *const *buffers, const co_stream *streams) except -1:
        cdef co_status status
        cdef co_how how = co_how(_threads, _flags)
        # To release the lock costs about 0.1 us: not worth it for work of a microsecond or two.
        if self._ns * batch < 3e3:
            status = co_plan_run(self._c, batch, buffers, streams, how)
        else:
            with nogil:
                status = co_plan_run(self._c, batch, buffers, streams, how)
        if status == CO_NO_ROW:
            raise IndexError(_no_row(self, batch, buffers[0]))
        if status != CO_OK:
            raise MemoryError(f"no memory for the scratch of a batch of {batch}")
        return 0

    cdef int _check_out(self, object out, ptrdiff_t batch) except -1:
        if (cnp.PyArray_CheckExact(out) and self._fits(<cnp.ndarray>out, self._out_rank,
                                                       self._out_dims)
                and cnp.PyArray_DIM(<cnp.ndarray>out, 0) == batch
                and cnp.PyArray_ISBEHAVED(<cnp.ndarray>out)):
            return 0
        shape = (batch, *self.out_shape)
        if not isinstance(out, cnp.ndarray):
            raise TypeError(f"out: expected an ndarray, received {type(out).__name__}")
        if out.dtype != self.dtype or out.shape != shape:
            raise ValueError(f"out: expected {self.dtype} of shape {shape}, "
                             f"received {out.dtype} of shape {out.shape}")
        raise ValueError("out: expected a C-contiguous, aligned, writeable ndarray")

    def run(self, x, out=None, streams=()):
        """Runs the plan.

        x: C-contiguous array of the plan's dtype, (batch, *in_shape). out: None, or where to put
        the result. streams: a pair (seed, call) for each dropout step, in order.
        Returns (y, mask): y (batch, *out_shape), mask a bool array or None.
        Raises ValueError or TypeError for arrays that do not fit, MemoryError.
        """
        if (not self._ready or not cnp.PyArray_Check(x)
                or not self._fits(<cnp.ndarray>x, self._in_rank, self._in_dims)):
            raise ValueError(f"internal error: a plan for {self.dtype} of {self.in_shape} "
                             f"received {getattr(x, 'dtype', type(x))} of {getattr(x, 'shape', '')}")
        if len(streams) != self._streams or self._more:
            raise ValueError(f"internal error: {self._streams} streams expected")
        if self._batch not in (-1, len(x)):
            raise ValueError(f"internal error: a plan for a batch of {self._batch} received {len(x)}")
        if not self._streams and not self.masked:
            return self.run_array(<cnp.ndarray>x, out), None
        return self.run_full(<cnp.ndarray>x, out, streams)

    cdef tuple run_full(self, cnp.ndarray x, object out, streams):
        """What `run` returns, for x that fits."""
        cdef co_stream *drawn = _pairs(self, streams)
        try:
            return self.run_drawn(x, out, drawn)
        finally:
            free(drawn)

    cdef tuple run_drawn(self, cnp.ndarray x, object out, const co_stream *drawn):
        """The same with the draws of the streams."""
        cdef ptrdiff_t batch = cnp.PyArray_DIM(x, 0)
        cdef cnp.ndarray y, mask = None
        cdef void *buffers[3]
        if out is not None:
            self._check_out(out, batch)
        y = out if out is not None and not _overlap(x, <cnp.ndarray>out) else self._result(batch)
        buffers[0] = cnp.PyArray_DATA(x)
        buffers[1] = cnp.PyArray_DATA(y)
        buffers[2] = NULL
        if self.masked:
            mask = np.empty((batch, *self._mask_shape), np.bool_)
            buffers[2] = cnp.PyArray_DATA(mask)
        self._run(batch, buffers, drawn)
        if out is not None and y is not out:
            out[...] = y
            y = out
        return y, mask


cdef bint _overlap(cnp.ndarray a, cnp.ndarray b):
    """Whether two C-contiguous arrays share a byte."""
    cdef char *x = <char *>cnp.PyArray_DATA(a)
    cdef char *y = <char *>cnp.PyArray_DATA(b)
    return x < y + cnp.PyArray_NBYTES(b) and y < x + cnp.PyArray_NBYTES(a)
