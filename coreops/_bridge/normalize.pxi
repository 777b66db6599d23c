# Normalisation, rows by number, normal noise and global pools: the steps of plans, the kernels on
# whole arrays, and what batch normalisation does with a whole batch.

# ------------------------------------------------------------------------------------------ steps

def plan_affine(Plan plan not None, int x, ptrdiff_t run, int scale, int center=-1, int shift=-1):
    """x as (..., n, run): (x - center) * scale + shift, weights of n elements, or -1."""
    plan._building(True)
    return plan._check(co_plan_affine(plan._c, x, run, scale, center, shift))


def plan_layer_norm(Plan plan not None, int x, ptrdiff_t n, double epsilon, int gamma=-1,
                    int beta=-1):
    """Each run of n with mean 0 and variance 1, times weight gamma plus weight beta."""
    plan._building(True)
    return plan._check(co_plan_layer_norm(plan._c, x, n, epsilon, gamma, beta))


def plan_embedding(Plan plan not None, int x, int weight, cnp.ndarray table, bint masked, str name):
    """The rows of a weight whose numbers an input of the plan has, and the value of the mask of those
    that are not 0, -1 if it is not wanted. table: the weight's array; name: the layer's, for the
    IndexError of a run with a number that is no row's."""
    plan._building(True)
    cdef int mask = -1
    y = plan._check(co_plan_embedding(plan._c, x, weight, &mask if masked else NULL))
    plan._tables.append((name, x, table))
    return y, mask


def plan_gauss(Plan plan not None, int x, double deviation, bint times=False):
    """x plus normal noise from the next stream of `run`, or times 1 plus it."""
    plan._building(True)
    y = plan._check(co_plan_gauss(plan._c, x, deviation, times, plan._streams))
    plan._streams += 1
    return y


def plan_mean_over(Plan plan not None, int x, ptrdiff_t count, ptrdiff_t m, ptrdiff_t n,
                   int mask=-1):
    """x as (count, m, n) to (count, n), the mean of the m, of those that the mask keeps."""
    plan._building(True)
    return plan._check(co_plan_mean_over(plan._c, x, count, m, n, mask))


def plan_max_over(Plan plan not None, int x, ptrdiff_t count, ptrdiff_t m, ptrdiff_t n):
    """x as (count, m, n) to (count, n), the maximum of the m."""
    plan._building(True)
    return plan._check(co_plan_max_over(plan._c, x, count, m, n))


cdef object _no_row(Plan plan, ptrdiff_t batch, const void *x):
    """What an IndexError says."""
    cdef cnp.npy_intp size = batch * _product(plan.in_shape)
    cdef cnp.ndarray given = cnp.PyArray_SimpleNewFromData(1, &size, plan._type_num, <void *>x)
    names = []
    for name, value, table in plan._tables:
        limit = table.shape[0]
        names.append(f"Layer '{name}' takes numbers from 0 to {limit - 1}.")
        outside = given[~((given > -1) & (given < limit))]
        if value == 0 and outside.size:
            return f"{names[len(names) - 1]} Received: {outside[0]:.9g}"
    return " ".join(names)


# ------------------------------------------------------------------------------------- whole arrays

cdef const void *_vector(str name, object array, object dtype, ptrdiff_t n) except? NULL:
    """The data of n reals, or NULL for None."""
    if array is None:
        return NULL
    _check_fit(name, array, dtype, (n,))
    return cnp.PyArray_DATA(<cnp.ndarray>array)


cdef const uint8_t *_mask_of(object mask, tuple shape) except? NULL:
    if mask is None:
        return NULL
    _check_fit("a mask", mask, np.bool_, shape)
    return <const uint8_t *>cnp.PyArray_DATA(<cnp.ndarray>mask)


cdef ptrdiff_t _last(str name, cnp.ndarray x) except -1:
    """The size of the last axis."""
    if cnp.PyArray_NDIM(x) == 0:
        raise ValueError(f"{name}: expected at least one axis")
    return cnp.PyArray_DIM(x, cnp.PyArray_NDIM(x) - 1)


def affine(cnp.ndarray x not None, ptrdiff_t run, scale, center=None, shift=None):
    """x as (..., n, run): (x - center) * scale + shift, which have n elements or are None."""
    cdef const co_kernels *kernels = _kernels_of("affine", x, ())
    cdef ptrdiff_t n = scale.size, m = x.size // (n * run) if n * run else 0
    if m * n * run != x.size:
        raise ValueError(f"affine: {x.size} elements are no runs of {run} for {n} channels")
    cdef const void *s = _vector("a scale", scale, x.dtype, n)
    cdef const void *c = _vector("a center", center, x.dtype, n)
    cdef const void *t = _vector("a shift", shift, x.dtype, n)
    cdef cnp.ndarray y = np.empty_like(x)
    with nogil:
        kernels.affine(m, n, run, cnp.PyArray_DATA(x), c, s, t, cnp.PyArray_DATA(y))
    return y


def layer_norm(cnp.ndarray x not None, double epsilon, gamma=None, beta=None):
    """The last axis of x with mean 0 and variance 1, times gamma, plus beta."""
    cdef const co_kernels *kernels = _kernels_of("layer_norm", x, ())
    cdef ptrdiff_t n = _last("layer_norm", x), m = x.size // n if n else 0
    cdef const void *g = _vector("a gamma", gamma, x.dtype, n)
    cdef const void *b = _vector("a beta", beta, x.dtype, n)
    cdef cnp.ndarray y = np.empty_like(x)
    with nogil:
        kernels.layer_norm(m, n, cnp.PyArray_DATA(x), g, b, epsilon, cnp.PyArray_DATA(y))
    return y


def layer_norm_gradient(cnp.ndarray x not None, cnp.ndarray dy not None, double epsilon,
                        gamma=None):
    """The gradients of layer_norm to x and, row by row, to gamma."""
    cdef const co_kernels *kernels = _kernels_of("layer_norm_gradient", x, (dy,))
    cdef ptrdiff_t n = _last("layer_norm_gradient", x), m = x.size // n if n else 0
    cdef const void *g = _vector("a gamma", gamma, x.dtype, n)
    cdef cnp.ndarray dx = np.empty_like(x), dgamma = np.empty_like(x)
    with nogil:
        kernels.layer_norm_grad(m, n, cnp.PyArray_DATA(x), g, cnp.PyArray_DATA(dy), epsilon,
                                cnp.PyArray_DATA(dx), cnp.PyArray_DATA(dgamma))
    return dx, dgamma


def channel_moments(cnp.ndarray x not None, mask, double count, mean, squares):
    """The number, the mean and the sum of squared differences from it, of rows of which `count` had these
    and the others are x's, over all axes but the last, where the mask is True; in float64."""
    cdef const co_kernels *kernels = _kernels_of("channel_moments", x, ())
    cdef ptrdiff_t n = _last("channel_moments", x), m = x.size // n if n else 0
    cdef const uint8_t *keep = _mask_of(mask, (<object>x).shape[:cnp.PyArray_NDIM(x) - 1])
    mean, squares = mean.copy(), squares.copy()
    cdef double *to_mean = <double *>_vector("a mean", mean, np.dtype(np.float64), n)
    cdef double *to_squares = <double *>_vector("squares", squares, np.dtype(np.float64), n)
    with nogil:
        count = kernels.channel_moments(m, n, keep, cnp.PyArray_DATA(x), count, to_mean, to_squares)
    return count, mean, squares


def channel_sums(cnp.ndarray x not None, cnp.ndarray dy not None, center):
    """The sums over all axes but the last of dy, and of its products with x - center; in float64."""
    cdef const co_kernels *kernels = _kernels_of("channel_sums", x, (dy,))
    cdef ptrdiff_t n = _last("channel_sums", x), m = x.size // n if n else 0
    cdef const void *c = _vector("a center", center, x.dtype, n)
    cdef cnp.ndarray sums = np.zeros(n), products = np.zeros(n)
    with nogil:
        kernels.channel_sums(m, n, cnp.PyArray_DATA(x), cnp.PyArray_DATA(dy), c,
                             <double *>cnp.PyArray_DATA(sums), <double *>cnp.PyArray_DATA(products))
    return sums, products


def channel_gradient(cnp.ndarray x not None, cnp.ndarray dy not None, center, a, b, c, mask=None):
    """a * dy, and where the mask is True plus b * (x - center) + c."""
    cdef const co_kernels *kernels = _kernels_of("channel_gradient", x, (dy,))
    cdef ptrdiff_t n = _last("channel_gradient", x), m = x.size // n if n else 0
    cdef const uint8_t *keep = _mask_of(mask, (<object>x).shape[:cnp.PyArray_NDIM(x) - 1])
    cdef const void *minus = _vector("a center", center, x.dtype, n)
    cdef const void *by_dy = _vector("an a", a, x.dtype, n)
    cdef const void *by_x = _vector("a b", b, x.dtype, n)
    cdef const void *one = _vector("a c", c, x.dtype, n)
    cdef cnp.ndarray dx = np.empty_like(x)
    with nogil:
        kernels.channel_grad(m, n, keep, cnp.PyArray_DATA(x), cnp.PyArray_DATA(dy), minus, by_dy,
                             by_x, one, cnp.PyArray_DATA(dx))
    return dx


# ------------------------------------------------------------------------------------------- pools

def mean_over(cnp.ndarray x not None, mask=None):
    """The mean over the first axis of two, of the rows where the mask is True."""
    cdef const co_kernels *kernels = _kernels_of("mean_over", x, ())
    cdef ptrdiff_t m = x.shape[0], n = _last("mean_over", x)
    cdef const uint8_t *keep = _mask_of(mask, (m,))
    cdef cnp.ndarray y = np.empty(n, x.dtype)
    with nogil:
        kernels.mean_over(m, n, keep, cnp.PyArray_DATA(x), cnp.PyArray_DATA(y))
    return y


def mean_over_gradient(cnp.ndarray dy not None, ptrdiff_t m, mask=None):
    """The gradient of mean_over to its m rows."""
    cdef const co_kernels *kernels = _kernels_of("mean_over_gradient", dy, ())
    cdef ptrdiff_t n = dy.size
    cdef const uint8_t *keep = _mask_of(mask, (m,))
    cdef cnp.ndarray dx = np.empty((m, n), dy.dtype)
    with nogil:
        kernels.mean_over_grad(m, n, keep, cnp.PyArray_DATA(dy), cnp.PyArray_DATA(dx))
    return dx


def max_over(cnp.ndarray x not None):
    """The maximum over the first axis of two."""
    cdef const co_kernels *kernels = _kernels_of("max_over", x, ())
    cdef ptrdiff_t m = x.shape[0], n = _last("max_over", x)
    cdef cnp.ndarray y = np.empty(n, x.dtype)
    with nogil:
        kernels.max_over(m, n, cnp.PyArray_DATA(x), cnp.PyArray_DATA(y))
    return y


def max_over_gradient(cnp.ndarray x not None, cnp.ndarray y not None, cnp.ndarray dy not None):
    """The gradient of y = max_over(x), of which those that tie have equal shares."""
    cdef const co_kernels *kernels = _kernels_of("max_over_gradient", x, ())
    cdef ptrdiff_t m = x.shape[0], n = _last("max_over_gradient", x)
    cdef const void *most = _vector("a y", y, x.dtype, n)
    cdef const void *d = _vector("a dy", dy, x.dtype, n)
    cdef cnp.ndarray dx = np.empty_like(x)
    with nogil:
        kernels.max_over_grad(m, n, cnp.PyArray_DATA(x), most, d, cnp.PyArray_DATA(dx))
    return dx


# ------------------------------------------------------------------------------- rows by number

def gather(cnp.ndarray table not None, cnp.ndarray index not None):
    """The rows of a table whose numbers an array of its type has, and where these are not 0. Raises
    IndexError for a number that the table has no row for."""
    cdef const co_kernels *kernels = _kernels_of("gather", table, ())
    _check_fit("an index", index, table.dtype, (<object>index).shape)
    cdef ptrdiff_t m = index.size, n = _last("gather", table), limit = table.shape[0]
    cdef const void *i = cnp.PyArray_DATA(index)
    if not kernels.within(m, i, limit):
        raise IndexError(f"expected numbers from 0 to {limit - 1}")
    cdef cnp.ndarray y = np.empty((*(<object>index).shape, n), table.dtype)
    cdef cnp.ndarray mask = np.empty((<object>index).shape, np.bool_)
    with nogil:
        kernels.gather(m, n, i, cnp.PyArray_DATA(table), cnp.PyArray_DATA(y),
                       <uint8_t *>cnp.PyArray_DATA(mask))
    return y, mask


def scatter_add(cnp.ndarray index not None, cnp.ndarray x not None, cnp.ndarray y not None,
                ptrdiff_t first=0):
    """y[index[i] - first] += x[i], i in order, where y has that row."""
    cdef const co_kernels *kernels = _kernels_of("scatter_add", x, ())
    cdef ptrdiff_t m = index.size, n = _last("scatter_add", x), rows = y.shape[0]
    _check_fit("an index", index, x.dtype, (m,))
    _check_fit("rows", x, x.dtype, (m, n))
    _check_fit("a sum", y, x.dtype, (rows, n))
    _check_writeable("scatter_add", y)
    with nogil:
        kernels.scatter_add(m, n, cnp.PyArray_DATA(index), cnp.PyArray_DATA(x), n, first, rows,
                            cnp.PyArray_DATA(y), n)


# ------------------------------------------------------------------------------------------- noise

def gauss(cnp.ndarray x not None, tuple stream, uint64_t start, double deviation, bint times=False):
    """x plus normal noise, elements start .. of a stream (seed, call); or times 1 plus noise."""
    cdef const co_kernels *kernels = _kernels_of("gauss", x, ())
    cdef co_stream of = co_stream(stream[0], stream[1])
    cdef ptrdiff_t n = x.size
    cdef cnp.ndarray y = np.empty_like(x)
    with nogil:
        kernels.gauss(n, cnp.PyArray_DATA(x), cnp.PyArray_DATA(y), of, start, deviation, times)
    return y
