# Gradients and losses of whole arrays, one kernel call each.

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
