# Plans that take several arrays, and give several.

def plan_input(Plan plan not None, tuple shape, bint mask=False):
    """A further input of the plan, of its dtype or, for a mask, of bool. Returns its value."""
    plan._building(False)
    if len(shape) > 30:
        raise ValueError(f"a plan takes samples of at most 30 axes, received {len(shape)}")
    cdef int item = 1 if mask else plan.dtype.itemsize // plan._words
    cdef ptrdiff_t size = _product(shape) * (1 if mask else plan._words)
    cdef int value = plan._check(co_plan_input(plan._c, size, item))
    plan._more.append((False, np.dtype(np.bool_) if mask else plan.dtype, shape))
    return value


def plan_output(Plan plan not None, int y, tuple shape, bint mask=False):
    """Value y, read with this shape, is a further result of the plan; or a mask is."""
    plan._building(False)
    if len(shape) > 30:
        raise ValueError(f"a plan makes samples of at most 30 axes, received {len(shape)}")
    if _product(shape) * (1 if mask else plan._words) != co_plan_size(plan._c, y):
        plan._check(CO_BAD_PLAN)
    plan._check(co_plan_output(plan._c, y))
    plan._more.append((True, np.dtype(np.bool_) if mask else plan.dtype, shape))


cdef void *_buffer(object a, object dtype, tuple shape, bint written) except? NULL:
    """The data of a C-contiguous array of this dtype and shape."""
    if (not isinstance(a, cnp.ndarray) or a.dtype != dtype or a.shape != shape
            or not (cnp.PyArray_ISCARRAY(<cnp.ndarray>a) if written
                    else cnp.PyArray_ISCARRAY_RO(<cnp.ndarray>a))):
        raise ValueError(f"internal error: expected contiguous elements of {dtype} and shape {shape}, "
                         f"received {getattr(a, 'dtype', type(a))} of shape {getattr(a, 'shape', '')}")
    return cnp.PyArray_DATA(<cnp.ndarray>a)


cdef list _join(Plan plan, ptrdiff_t batch, list inputs, list results, void **buffers):
    """Gives a run the plan's further inputs, and new arrays for its further results, which it adds to
    the list; `buffers` begins with those of a plan without."""
    cdef int at = CO_BUFFERS
    cdef Py_ssize_t taken = 0
    cdef Py_ssize_t wanted = sum(not is_result for is_result, _, _ in plan._more)
    if wanted != len(inputs):  # items are taken without a check
        raise ValueError(f"internal error: {wanted} further inputs expected, received {len(inputs)}")
    for is_result, dtype, shape in plan._more:
        if is_result:
            a = np.empty((batch, *shape), dtype)
            results.append(a)
        else:
            a = inputs[taken]
            taken += 1
        buffers[at] = _buffer(a, dtype, (batch, *shape), is_result)
        at += 1
    return results


cdef co_stream *_pairs(Plan plan, streams) except? NULL:
    """What a run takes for its streams, which the caller frees; NULL if there are none."""
    if len(streams) != plan._streams:
        raise ValueError(f"internal error: {plan._streams} streams expected")
    if not plan._streams:
        return NULL
    cdef co_stream *pairs = <co_stream *>malloc(plan._streams * sizeof(co_stream))
    if pairs == NULL:
        raise MemoryError("no memory for the streams of a run")
    for i, (seed, call) in enumerate(streams):
        pairs[i] = co_stream(seed, call)
    return pairs


def run_plan(Plan plan not None, list arrays not None, out=None, streams=()):
    """Runs a plan of any number of inputs and results.

    arrays: C-contiguous, one for each input, in the order in which they were named. out: None, or
    where to put the first result. streams: a pair (seed, call) for each dropout step, in order.
    Returns a list of the results: the first, its mask if the plan has one, the others.
    Raises ValueError for arrays that do not fit, MemoryError.
    """
    cdef co_stream *pairs = NULL
    if not arrays:
        raise ValueError("internal error: a plan without its input")
    if not plan._more:
        y, mask = plan.run(arrays[0], out, streams)
        return [y, mask] if plan.masked else [y]
    if not plan._ready or not plan._fits(<cnp.ndarray?>arrays[0], plan._in_rank, plan._in_dims):
        raise ValueError(f"internal error: a plan for {plan.dtype} of {plan.in_shape} received "
                         f"{arrays[0].dtype} of {arrays[0].shape}")
    cdef ptrdiff_t batch = len(arrays[0])
    if plan._batch not in (-1, batch):
        raise ValueError(f"internal error: a plan for a batch of {plan._batch} received {batch}")
    cdef list results
    cdef void **buffers = <void **>malloc((CO_BUFFERS + len(plan._more)) * sizeof(void *))
    if buffers == NULL:
        raise MemoryError("no memory for a run")
    try:
        results = [plan._result(batch)]
        if plan.masked:
            results.append(np.empty((batch, *plan._mask_shape), np.bool_))
        buffers[CO_BUFFER_X] = cnp.PyArray_DATA(<cnp.ndarray>arrays[0])
        buffers[CO_BUFFER_Y] = cnp.PyArray_DATA(<cnp.ndarray>results[0])
        if plan.masked:
            buffers[CO_BUFFER_MASK] = cnp.PyArray_DATA(<cnp.ndarray>results[1])
        _join(plan, batch, arrays[1:], results, buffers)
        pairs = _pairs(plan, streams)
        plan._run(batch, buffers, pairs)
    finally:
        free(pairs)
        free(buffers)
    if out is not None:
        plan._check_out(out, batch)
        out[...] = results[0]
        results[0] = out
    return results
