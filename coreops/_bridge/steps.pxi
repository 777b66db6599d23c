# The steps of a plan, one after the other.

cdef enum:
    MOST_AXES = 64  # of a step


cdef int _words(object dtype) except -1:
    """As how many items of at most 8 bytes an element moves."""
    cdef int size = dtype.itemsize
    if dtype.kind not in "biufc" or not (size in (1, 2, 4) or size % 8 == 0):
        raise TypeError(f"a plan takes numbers of 1, 2, 4, 8, 16 or 32 bytes, received {dtype}")
    return size // 8 if size > 8 else 1


cdef object _product(tuple shape):
    product = 1
    for n in shape:
        if n < 0:
            raise ValueError(f"expected sizes of at least 0, received {shape}")
        product *= n
    return product


cdef class Steps:
    """A plan while it is built. Its methods, and functions of the families of steps, take and return
    values: small ints, 0 is the input.

    dtype: the NumPy dtype of the input; float32 and float64 compute, other numbers are moved.
    shape: one sample's shape, without the batch axis. precision: the least that products of
    float32 keep, one of PRECISIONS.
    """

    cdef co_plan *_c
    cdef readonly object dtype
    cdef readonly tuple in_shape
    cdef readonly tuple out_shape
    cdef readonly bint masked
    cdef tuple _mask_shape
    cdef cnp.npy_intp _in_dims[32]
    cdef cnp.npy_intp _out_dims[32]
    cdef int _in_rank, _out_rank, _type_num, _streams, _words
    cdef bint _ready
    # Whether a call may cast integers for it without asking the layers: 1, or 2 if reals have to be
    # cast to integers before.
    cdef public int integers
    cdef list _held  # the arrays of weights, until they are packed
    cdef list _alive  # arrays that runs read and write
    cdef list _more  # further inputs and results, as they were named: several.pxi
    cdef list _tables  # of embeddings: the layer, its operand, its table
    cdef ptrdiff_t _batch  # the only size of a batch that runs take, or -1
    cdef double _ns, _out_bytes  # of a sample

    def __cinit__(self, dtype, tuple shape, str precision="highest"):
        self.dtype = np.dtype(dtype)
        self.in_shape = shape
        self._held, self._alive, self._tables, self._more = [], [], [], []
        self._batch = -1
        if len(shape) > 30:
            raise ValueError(f"a plan takes samples of at most 30 axes, received {len(shape)}")
        self._words = _words(self.dtype)
        cdef ptrdiff_t size = _product(shape) * self._words
        for i, n in enumerate(shape):
            self._in_dims[i + 1] = n
        self._in_rank = len(shape) + 1
        self._type_num = self.dtype.num
        cdef int bits = 64 if self.dtype == np.float64 else 32
        cdef int item = self.dtype.itemsize // self._words
        cdef int keeps = PRECISIONS.index(precision)
        self._c = co_plan_create(co_tier_kernels(_tier, bits), <co_precision>keeps, item, size)
        if self._c == NULL:
            raise MemoryError("no memory for a plan")

    def __dealloc__(self):
        co_plan_destroy(self._c)

    cdef int _check(self, int value) except -1:
        if value == CO_NO_MEMORY:
            raise MemoryError("no memory for a plan")
        if value < 0:
            raise ValueError("internal error: a plan's step does not fit its operand")
        return value

    cdef int _building(self, bint computes) except -1:
        """Whether a step may be appended: raises if not."""
        if self._ready:
            raise ValueError("internal error: a step for a plan that is finished")
        if computes and self._type_num not in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64):
            raise TypeError(f"a plan computes float32 or float64, received {self.dtype}")
        return 0

    cdef int _axes(self, tuple shape, tuple other) except -1:
        """How many axes the shape has; raises if they are too many, or not those of the other."""
        if len(shape) > MOST_AXES or len(shape) != len(other):
            raise ValueError(f"a step takes at most {MOST_AXES} axes, and as many on both sides, "
                             f"received {len(shape)} and {len(other)}")
        return len(shape)

    cdef const void *_data(self, object array, int type_num, ptrdiff_t size) except? NULL:
        """The data of a C-contiguous array of that type and size."""
        if not cnp.PyArray_CheckExact(array):
            raise TypeError(f"expected an ndarray, received {type(array).__name__}")
        cdef cnp.ndarray a = <cnp.ndarray>array
        if (cnp.PyArray_TYPE(a) != type_num or not cnp.PyArray_IS_C_CONTIGUOUS(a)
                or cnp.PyArray_SIZE(a) != size):
            raise ValueError(
                f"expected {size} contiguous elements of {cnp.PyArray_DescrFromType(type_num)}, "
                f"received {array.dtype} of shape {array.shape}")
        return cnp.PyArray_DATA(a)

    def weight(self, array, bint vector=False):
        """Takes a weight, a C-contiguous array of the plan's dtype or of int8: (k, n), or a vector, as
        which one of more axes is taken if that is said. Returns its number, which the steps take.
        The array must stay as it is until the plan is finished."""
        self._building(True)
        cdef ptrdiff_t n = array.size if vector or array.ndim < 2 else array.shape[array.ndim - 1]
        cdef ptrdiff_t k = 1
        if not vector and array.ndim > 1:
            k = _product(array.shape[:array.ndim - 1])
        cdef int item = 1 if array.dtype == np.int8 else self.dtype.itemsize
        cdef int type_num = cnp.NPY_INT8 if item == 1 else self._type_num
        cdef const void *data = self._data(array, type_num, k * n)
        self._held.append(array)
        return self._check(co_plan_weight(self._c, k, n, item, data))

    def dense(self, int x, ptrdiff_t positions, int w, int bias=-1):
        """x as (positions, k) times weight w (k, n) plus weight `bias` (n,), -1 for none."""
        self._building(True)
        return self._check(co_plan_dense(self._c, x, positions, w, bias))

    def dense_int8(self, int x, ptrdiff_t positions, int w, int scale, int bias=-1):
        """x as (positions, k), quantized row by row, times weight w (k, n) of int8, over both scales,
        plus weight `bias` (n,). scale: the weight that each of the n columns was multiplied by."""
        self._building(True)
        return self._check(co_plan_dense_int8(self._c, x, positions, w, scale, bias))

    def act(self, int x, str kind, double p=0.0, double q=0.0, double r=0.0):
        """An activation of csrc/activation.h, elementwise."""
        self._building(True)
        cdef co_act act = co_act(ACTIVATIONS[kind], p, q, r)
        return self._check(co_plan_act(self._c, x, act))

    def softmax(self, int x, ptrdiff_t n, bint log=False):
        """Softmax, or its logarithm, over each run of n elements."""
        self._building(True)
        return self._check(co_plan_softmax(self._c, x, n, log))

    def prelu(self, int x, int alpha):
        """Parametric relu with weight `alpha`, a vector whose elements repeat over x."""
        self._building(True)
        return self._check(co_plan_prelu(self._c, x, alpha))

    def masking(self, int x, ptrdiff_t positions, ptrdiff_t n, double value):
        """x as (positions, n): the masked x, and the value of the mask."""
        self._building(True)
        cdef int mask = -1
        y = self._check(co_plan_masking(self._c, x, positions, n, value, &mask))
        return y, mask

    def dropout(self, int x, double rate, tuple shape, tuple noise, bint share_batch):
        """Inverted dropout with the next stream of `run`; noise has 1 or the axis's size."""
        self._building(True)
        cdef ptrdiff_t sizes[MOST_AXES]
        cdef ptrdiff_t draws[MOST_AXES]
        cdef int rank = self._axes(shape, noise)
        for i in range(rank):
            sizes[i] = shape[i]
            draws[i] = noise[i]
        y = self._check(co_plan_dropout(self._c, x, rate, self._streams, rank, sizes, draws,
                                        share_batch))
        self._streams += 1
        return y

    def permute(self, int x, tuple shape, tuple axes):
        """Axis i of the result is axis axes[i], from 0, of x read with this shape."""
        self._building(False)
        cdef ptrdiff_t sizes[MOST_AXES + 1]
        cdef int order[MOST_AXES + 1]
        cdef int rank = self._axes(shape, axes)
        for i in range(rank):
            sizes[i] = shape[i]
            order[i] = axes[i]
        if self._words > 1:
            sizes[rank] = self._words
            order[rank] = rank
            rank += 1
        return self._check(co_plan_permute(self._c, x, rank, sizes, order))

    def repeat(self, int x, ptrdiff_t n, ptrdiff_t times):
        """Each run of n elements `times` times over."""
        self._building(False)
        return self._check(co_plan_repeat(self._c, x, n * self._words, times))
