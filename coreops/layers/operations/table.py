"""The functions of `coreops.ops` that may stand between symbolic tensors, under Keras' names.

Keras has a class for each, by whose module and name its files know it. What such a class takes in a
call are the first arguments of the function; the others are its configuration.
"""

from __future__ import annotations

# By Keras' module and the number of arguments of a call.
_NAMES = {
    ("numpy", 1): """
        abs absolute all amax amin angle any arccos arccosh arcsin arcsinh arctan arctanh argmax
        argmin argpartition argsort array_split bitwise_invert bitwise_not broadcast_to cbrt ceil
        clip concatenate conj conjugate copy corrcoef cos cosh count_nonzero cumprod cumsum
        deg2rad diag diagflat diagonal diff dsplit dstack exp exp2 expand_dims expm1
        fabs flip fliplr flipud floor hsplit hstack i0 imag isfinite isinf isnan isneginf isposinf
        isreal log log10 log1p log2 logical_not max mean median min moveaxis nan_to_num nanargmax
        nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanprod nanstd nansum
        nanvar negative ones_like prod ptp rad2deg ravel real reciprocal repeat reshape roll rot90
        round sign signbit sin sinc sinh slogdet sort split sqrt square squeeze stack std sum
        swapaxes tan tanh tile trace transpose trapezoid tril triu trunc unravel_index vander var
        view vsplit vstack zeros_like""",
    ("numpy", 2): """
        add allclose append arctan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift
        bitwise_xor correlate cross digitize divide divide_no_nan dot equal floor_divide fmax fmin
        fmod full_like gcd get_item greater greater_equal heaviside hypot inner isin kron lcm
        left_shift less less_equal logaddexp logaddexp2 logical_and logical_or logical_xor matmul
        maximum minimum mod multiply nanpercentile nanquantile nextafter not_equal outer percentile
        power quantile right_shift searchsorted subtract take take_along_axis tensordot true_divide
        vdot""",
    ("numpy", 3): "select where",
    ("numpy", 4): "isclose",
    ("core", 1): "cast saturate_cast stop_gradient unstack",
    ("core", 2): "scatter slice",
    ("core", 3): "scatter_update slice_update",
    ("math", 1): "erf erfc logdet logsumexp rsqrt top_k",
    ("math", 2): "in_top_k segment_max segment_min segment_prod segment_sum",
    ("nn", 1): """
        celu elu gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu log_sigmoid
        log_softmax moments multi_hot normalize one_hot relu relu6 selu sigmoid silu soft_shrink
        softmax softplus softsign sparse_plus sparse_sigmoid sparsemax squareplus tanh_shrink
        threshold""",
    ("linalg", 1): "cholesky det eig eigh inv matrix_rank norm pinv qr svd",
    ("linalg", 2): "lstsq solve",
}
# Classes whose calls do not take the first arguments of the function.
_TAKEN = {
    "average": ("x", "weights"),
    "einsum": ("operands",),
    "pad": ("x", "constant_values"),
}

MODULES = {
    name: f"keras.src.ops.{module}"
    for (module, _), names in _NAMES.items()
    for name in names.split()
} | dict.fromkeys(_TAKEN, "keras.src.ops.numpy")
_COUNTS = {name: count for (_, count), names in _NAMES.items() for name in names.split()}


_CLASS_NAMES = {
    "allclose": "AllClose",
    "isin": "IsIn",
    "searchsorted": "SearchSorted",
    "svd": "SVD",
}


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Element by element, of arrays that broadcast.
ELEMENTWISE = _names(
    """abs absolute add angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh bitwise_and
    bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor cast
    cbrt ceil celu clip conj conjugate copy cos cosh deg2rad divide divide_no_nan elu
    equal erf erfc exp exp2 expm1 fabs floor floor_divide fmax fmin fmod gcd gelu greater
    greater_equal hard_shrink hard_sigmoid hard_silu hard_tanh heaviside hypot i0 imag isclose
    isfinite isinf isnan isneginf isposinf isreal lcm leaky_relu left_shift less less_equal log
    log10 log1p log2 log_sigmoid logaddexp logaddexp2 logical_and logical_not logical_or
    logical_xor maximum minimum mod multiply nan_to_num negative nextafter not_equal ones_like
    power rad2deg real reciprocal relu relu6 right_shift round rsqrt saturate_cast selu sigmoid
    sign signbit silu sin sinc sinh soft_shrink softplus softsign sparse_plus sparse_sigmoid sqrt
    square squareplus stop_gradient subtract tan tanh tanh_shrink threshold true_divide trunc where
    zeros_like"""
)
# Along an axis, or several, or all, each of which is there no longer, or is 1.
REDUCING = _names(
    """all amax amin any argmax argmin average count_nonzero logsumexp max mean median min nanargmax
    nanargmin nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar prod ptp std sum var"""
)
# Beside these, what a file may name: no small one asks for much memory or time.
_BOUNDED = _names(
    """argsort array_split concatenate cumprod cumsum diff einsum expand_dims flip get_item glu
    hstack log_softmax matmul moments moveaxis norm normalize one_hot pad ravel repeat reshape
    roll softmax sort sparsemax split squeeze stack swapaxes take take_along_axis tile top_k
    transpose tril triu unstack vstack"""
)


def taken(name: str, parameters: list[str]) -> tuple[str, ...]:
    """Return which of a function's parameters a call of Keras' class takes."""
    return _TAKEN.get(name) or tuple(parameters[: _COUNTS[name]])


def positional(name: str, names: tuple[str, ...]) -> int:
    """Return how many of those Keras writes without their names."""
    return 1 if name in _TAKEN else len(names)


def is_bounded(name: str) -> bool:
    """Whether a file that nobody vouches for may have the function."""
    return name in ELEMENTWISE or name in REDUCING or name in _BOUNDED


def class_name(name: str) -> str:
    """Return what Keras calls the class of a function."""
    return _CLASS_NAMES.get(name) or "".join(part.capitalize() for part in name.split("_"))


CLASSES = {class_name(name): name for name in MODULES}
