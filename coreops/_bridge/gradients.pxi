# Gradients and losses of whole arrays, one kernel call each.

LOSSES = {co_loss_names[i].decode(): i for i in range(CO_LOSS_COUNT)}


cdef const co_kernels *_kernels_of(str name, cnp.ndarray first, tuple others) except NULL:
    """The kernels for arrays that must all be C-contiguous, of one shape, and of one type,
    float32 or float64."""
    if first.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name}: expected float32 or float64, received {first.dtype}")
    for array in (first, *others):
        if not isinstance(array, np.ndarray) or array.dtype != first.dtype:
            raise TypeError(f"{name}: expected arrays of {first.dtype}, received "
                            f"{getattr(array, 'dtype', type(array).__name__)}")
        if array.shape != (<object>first).shape:
            raise ValueError(f"{name}: expected arrays of one shape, received "
                             f"{(<object>first).shape} and {array.shape}")
        if not cnp.PyArray_IS_C_CONTIGUOUS(array) or not cnp.PyArray_ISBEHAVED_RO(array):
            raise ValueError(f"{name}: expected C-contiguous, aligned arrays")
    return co_tier_kernels(_tier, 8 * first.dtype.itemsize)


cdef co_act _activation(str kind, double p, double q, double r) except *:
    return co_act(ACTIVATIONS[kind], p, q, r)


def gradient_reads_output(str kind, double p=0.0, double q=0.0, double r=0.0):
    """Whether activation_gradient takes y = act(x) as its v, else x."""
    cdef co_act act = _activation(kind, p, q, r)
    return co_act_by_output(&act) != 0


def activation_gradient(str kind, double p, double q, double r, cnp.ndarray v not None,
                        cnp.ndarray dy not None):
    """dy times the derivative of an activation. v: y or x, as gradient_reads_output says."""
    cdef const co_kernels *kernels = _kernels_of("activation_gradient", v, (dy,))
    cdef co_act act = _activation(kind, p, q, r)
    cdef cnp.ndarray dx = np.empty_like(dy)
    cdef ptrdiff_t n = dy.size
    with nogil:
        kernels.vact_grad(n, cnp.PyArray_DATA(v), cnp.PyArray_DATA(dy), cnp.PyArray_DATA(dx), &act)
    return dx


def softmax_gradient(cnp.ndarray y not None, cnp.ndarray dy not None, bint log=False):
    """The gradient of softmax over the last axis, or of its logarithm, from its result y."""
    cdef const co_kernels *kernels = _kernels_of("softmax_gradient", y, (dy,))
    if cnp.PyArray_NDIM(y) == 0:
        raise ValueError("softmax_gradient: expected at least one axis")
    cdef cnp.ndarray dx = np.empty_like(dy)
    cdef ptrdiff_t n = cnp.PyArray_DIM(y, cnp.PyArray_NDIM(y) - 1)
    cdef ptrdiff_t m = y.size // n if n else 0
    with nogil:
        kernels.softmax_grad(m, n, cnp.PyArray_DATA(y), cnp.PyArray_DATA(dy),
                             cnp.PyArray_DATA(dx), log)
    return dx


def prelu_gradient(cnp.ndarray x not None, cnp.ndarray alpha not None, cnp.ndarray dy not None):
    """The gradients of prelu to x and, element by element, to alpha; all of one shape."""
    cdef const co_kernels *kernels = _kernels_of("prelu_gradient", x, (alpha, dy))
    cdef cnp.ndarray dx = np.empty_like(dy), dalpha = np.empty_like(dy)
    cdef ptrdiff_t n = dy.size
    with nogil:
        kernels.vprelu_grad(n, cnp.PyArray_DATA(x), cnp.PyArray_DATA(alpha),
                            cnp.PyArray_DATA(dy), cnp.PyArray_DATA(dx),
                            cnp.PyArray_DATA(dalpha))
    return dx, dalpha


cdef int _check_fit(str name, object array, object dtype, tuple shape) except -1:
    """Raises unless the array is C-contiguous, and of that type and shape."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
        raise ValueError(f"expected {name} of {np.dtype(dtype)} and shape {shape}, received "
                         f"{getattr(array, 'dtype', type(array).__name__)} and "
                         f"{getattr(array, 'shape', '')}")
    if not cnp.PyArray_IS_C_CONTIGUOUS(array) or not cnp.PyArray_ISBEHAVED_RO(array):
        raise ValueError(f"expected {name} C-contiguous and aligned")
    return 0


def loss(str kind, cnp.ndarray target not None, cnp.ndarray prediction not None, weight=None,
         bint gradient=False, bint from_logits=False, double p=0.0):
    """A loss of csrc/loss.h, over the last axis of the prediction.

    target: as the prediction, or without its last axis and of int32 for the sparse kind. weight:
    None, or a factor for each row's gradient. p: delta, or the label smoothing.
    Returns the values, one a row and not weighted; with gradient=True also their derivatives to
    the prediction, times the weights.
    """
    cdef co_loss what = co_loss(LOSSES[kind], from_logits, p)
    cdef const co_kernels *kernels = _kernels_of("loss", prediction, ())
    cdef tuple shape = (<object>prediction).shape
    if not shape:
        raise ValueError("loss: expected a prediction of at least one axis")
    if what.kind == CO_LOSS_SPARSE_CATEGORICAL_CROSSENTROPY:
        _check_fit("a target", target, np.int32, shape[:len(shape) - 1])
    else:
        _check_fit("a target", target, prediction.dtype, shape)
    if weight is not None:
        _check_fit("a weight", weight, prediction.dtype, shape[:len(shape) - 1])
    cdef cnp.ndarray value = np.empty(shape[:len(shape) - 1], prediction.dtype)
    cdef cnp.ndarray grad = np.empty_like(prediction) if gradient else None
    cdef ptrdiff_t m = value.size, n = shape[len(shape) - 1]
    cdef const void *t = cnp.PyArray_DATA(target)
    cdef const void *w = NULL if weight is None else cnp.PyArray_DATA(<cnp.ndarray>weight)
    cdef void *g = NULL if grad is None else cnp.PyArray_DATA(grad)
    with nogil:
        kernels.loss(m, n, t, cnp.PyArray_DATA(prediction), w, cnp.PyArray_DATA(value), g, &what)
    return (value, grad) if gradient else value


# ------------------------------------------------------------------------------------------- sums

def add_into(cnp.ndarray x not None, cnp.ndarray y not None):
    """y += x"""
    cdef const co_kernels *kernels = _kernels_of("add_into", y, (x,))
    _check_writeable("add_into", y)
    cdef ptrdiff_t n = y.size
    with nogil:
        kernels.vadd(n, cnp.PyArray_DATA(x), cnp.PyArray_DATA(y))


def column_sums(cnp.ndarray x not None):
    """The sums over the first axis of two, row after row."""
    cdef const co_kernels *kernels = _kernels_of("column_sums", x, ())
    if cnp.PyArray_NDIM(x) != 2:
        raise ValueError("column_sums: expected two axes")
    cdef ptrdiff_t m = cnp.PyArray_DIM(x, 0), n = cnp.PyArray_DIM(x, 1)
    cdef cnp.ndarray y = np.empty(n, x.dtype)
    with nogil:
        kernels.colsum(m, n, cnp.PyArray_DATA(x), n, cnp.PyArray_DATA(y))
    return y


def keep_rows(cnp.ndarray mask not None, cnp.ndarray x not None):
    """x with 0 in the rows, which are its last axis, where the bool mask is False."""
    cdef const co_kernels *kernels = _kernels_of("keep_rows", x, ())
    _check_fit("a mask", mask, np.bool_, (<object>x).shape[:max(cnp.PyArray_NDIM(x) - 1, 0)])
    cdef cnp.ndarray y = np.empty_like(x)
    cdef ptrdiff_t m = mask.size
    cdef ptrdiff_t n = x.size // m if m else 0
    with nogil:
        kernels.keep_rows(m, n, <const uint8_t *>cnp.PyArray_DATA(mask), cnp.PyArray_DATA(x),
                          cnp.PyArray_DATA(y))
    return y


def penalty(cnp.ndarray x not None, double l1, double l2, double scale=1.0, dx=None):
    """l1 * sum |x| + l2 * sum x^2; its derivative times scale is added to dx if that is given."""
    cdef const co_kernels *kernels = _kernels_of("penalty", x, () if dx is None else (dx,))
    cdef void *d = NULL
    if dx is not None:
        _check_writeable("penalty", dx)
        d = cnp.PyArray_DATA(<cnp.ndarray>dx)
    cdef ptrdiff_t n = x.size
    cdef double value
    with nogil:
        value = kernels.penalty(n, cnp.PyArray_DATA(x), l1, l2, scale, d)
    return value


def sum_squares(cnp.ndarray x not None):
    """sum x^2, in double."""
    cdef const co_kernels *kernels = _kernels_of("sum_squares", x, ())
    cdef ptrdiff_t n = x.size
    cdef double value
    with nogil:
        value = kernels.sumsq(n, cnp.PyArray_DATA(x))
    return value


cdef int _check_writeable(str name, cnp.ndarray array) except -1:
    if not cnp.PyArray_ISWRITEABLE(array):
        raise ValueError(f"{name}: expected a writeable array")
    return 0
