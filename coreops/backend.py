# ruff: noqa: F401
"""The Keras 1 and 2 backend, usually imported as `K`, for old Lambda functions.

Axes default as they did there: concatenation, softmax and expand_dims work on the last.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import _plan, activations, ops
from . import random as _random
from ._names import next_uid
from ._variables import Variable
from .config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from .ops import (
    abs,
    all,
    any,
    cast,
    clip,
    cos,
    elu,
    equal,
    exp,
    greater,
    greater_equal,
    hard_sigmoid,
    l2_normalize,
    less,
    less_equal,
    log,
    logsumexp,
    max,
    maximum,
    mean,
    min,
    minimum,
    ndim,
    not_equal,
    one_hot,
    ones,
    ones_like,
    prod,
    result_type,
    round,
    sigmoid,
    sign,
    sin,
    softplus,
    softsign,
    sqrt,
    square,
    std,
    stop_gradient,
    sum,
    tanh,
    tile,
    transpose,
    var,
    zeros,
    zeros_like,
)
from .ops import stack as _stack
from .ops import transpose as permute_dimensions
from .ops._arrays import array, promote
from .random import SeedGenerator
from .utils import clear_session, standardize_dtype


def backend() -> str:
    """Return the name of what computes."""
    return "coreops"


def get_uid(prefix: str = "") -> int:
    """Return 1, 2, ... for successive calls with the same prefix."""
    return next_uid(prefix)


def get_keras_mask(x: Any) -> np.ndarray | None:
    """Return the mask attached to an output, None if there is none."""
    return _plan.mask_of(x)


def is_keras_tensor(x: Any) -> bool:
    """Return whether `x` is symbolic, as `Input(...)` is."""
    from ._symbolic import KerasTensor

    return isinstance(x, KerasTensor)


def is_float_dtype(dtype: Any) -> bool:
    """Return whether a dtype is a float type."""
    return standardize_dtype(dtype).startswith(("float", "bfloat"))


def is_int_dtype(dtype: Any) -> bool:
    """Return whether a dtype is an integer type."""
    return standardize_dtype(dtype).startswith(("int", "uint"))


# --- arrays and variables -------------------------------------------------------------------


def variable(
    value: Any, dtype: str | None = None, name: str | None = None, constraint: Any = None
) -> Variable:
    """Return a Variable with a value."""
    return Variable(np.asarray(value), dtype=dtype or floatx(), name=name, constraint=constraint)


def constant(
    value: Any,
    dtype: str | None = None,
    shape: Sequence[int] | None = None,
    name: str | None = None,
) -> np.ndarray:
    """Return an array of a value, stretched to a shape if there is one."""
    x = ops.cast(value, dtype or floatx())
    return x if shape is None else ops.broadcast_to(x, shape)


def eval(x: Any) -> np.ndarray:
    """Return the value of `x` as an array."""
    return array(x)


get_value = eval


def set_value(x: Variable, value: Any) -> None:
    """Assign a value to a variable."""
    x.assign(value)


def update(x: Variable, new_x: Any) -> np.ndarray:
    """Assign a value to a variable."""
    return x.assign(new_x)


def update_add(x: Variable, increment: Any) -> np.ndarray:
    """Add to a variable."""
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: Any) -> np.ndarray:
    """Subtract from a variable."""
    return x.assign_sub(decrement)


def batch_get_value(tensors: Sequence[Any]) -> list[np.ndarray]:
    """Return the values of several variables."""
    return [array(x) for x in tensors]


def batch_set_value(tuples: Sequence[tuple[Variable, Any]]) -> None:
    """Assign to several variables."""
    for x, value in tuples:
        x.assign(value)


def int_shape(x: Any) -> tuple[int | None, ...]:
    """Return the shape; that of a symbolic tensor has None where it is open."""
    return tuple(x.shape) if hasattr(x, "shape") else array(x).shape


shape = int_shape


def dtype(x: Any) -> str:
    """Return the name of the element type."""
    return ops.dtype(x)


def count_params(x: Any) -> int:
    """Return the number of elements."""
    return ops.size(x)


def cast_to_floatx(x: Any) -> np.ndarray:
    """Return `x` in the default float type."""
    return ops.cast(x, floatx())


def eye(size: int, dtype: str | None = None, name: str | None = None) -> np.ndarray:
    """Return an identity matrix."""
    return ops.eye(size, dtype=dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str = "int32") -> np.ndarray:
    """Return evenly spaced numbers."""
    return ops.arange(start, stop, step, dtype)


# --- elementwise ----------------------------------------------------------------------------


def relu(
    x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> np.ndarray:
    """`activations.relu` with the slope under its old name."""
    return activations.relu(x, negative_slope=alpha, max_value=max_value, threshold=threshold)


def softmax(x: Any, axis: int = -1) -> np.ndarray:
    """Softmax along an axis."""
    return ops.softmax(x, axis)


def pow(x: Any, a: Any) -> np.ndarray:
    """x to the power of a."""
    return ops.power(x, a)


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """Choose elementwise by a condition; an expression may be a function without arguments.

    A condition of lower rank is stretched over the trailing axes.
    """
    condition = array(condition)
    if condition.ndim == 0:
        chosen = then_expression if condition else else_expression
        return chosen() if callable(chosen) else array(chosen)
    then_value, else_value = (
        value() if callable(value) else value for value in (then_expression, else_expression)
    )
    rank = array(then_value).ndim
    condition = condition.reshape(condition.shape + (1,) * (rank - condition.ndim))
    return ops.where(condition, then_value, else_value)


def learning_phase() -> int:
    """Return 1 inside a call with training=True, else 0."""
    return int(bool(_plan.current_training()))


def in_train_phase(x: Any, alt: Any, training: bool | None = None) -> Any:
    """Return `x` when training, else `alt`; either may be a function without arguments."""
    chosen = x if (learning_phase() if training is None else training) else alt
    return chosen() if callable(chosen) else chosen


def in_test_phase(x: Any, alt: Any, training: bool | None = None) -> Any:
    """Return `alt` when training, else `x`."""
    return in_train_phase(alt, x, training)


def dropout(
    x: Any, level: float, noise_shape: Sequence[int] | None = None, seed: int | None = None
) -> np.ndarray:
    """Zero elements with probability `level` and scale the others by 1 / (1 - level)."""
    return _random.dropout(x, level, noise_shape, seed)


# --- shapes ---------------------------------------------------------------------------------


def reshape(x: Any, shape: Sequence[int]) -> np.ndarray:
    """The same elements in another shape."""
    return ops.reshape(x, shape)


def expand_dims(x: Any, axis: int = -1) -> np.ndarray:
    """Insert an axis of size 1."""
    return ops.expand_dims(x, axis)


def squeeze(x: Any, axis: int) -> np.ndarray:
    """Remove an axis of size 1."""
    return ops.squeeze(x, axis)


def concatenate(tensors: Sequence[Any], axis: int = -1) -> np.ndarray:
    """Join along an axis, by default the last."""
    return ops.concatenate(tensors, axis)


def stack(x: Sequence[Any], axis: int = 0) -> np.ndarray:
    """Join along a new axis."""
    return _stack(x, axis)


def repeat(x: Any, n: int) -> np.ndarray:
    """Repeat each row n times, (B, F) -> (B, n, F).

    Raises:
        ValueError: if `x` is not of rank 2.
    """
    x = array(x)
    if x.ndim != 2:
        raise ValueError(f"K.repeat takes arrays of rank 2. Received: shape={x.shape}")
    return np.repeat(x[:, None, :], n, axis=1)


def repeat_elements(x: Any, rep: int, axis: int) -> np.ndarray:
    """Repeat each slice along an axis."""
    return ops.repeat(x, rep, axis)


def flatten(x: Any) -> np.ndarray:
    """Make a vector."""
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> np.ndarray:
    """Make a matrix with the first axis kept."""
    x = array(x)
    return x.reshape(len(x), int(np.prod(x.shape[1:])))


def reverse(x: Any, axes: int | Sequence[int]) -> np.ndarray:
    """Turn axes around."""
    return ops.flip(x, axes)


def gather(reference: Any, indices: Any) -> np.ndarray:
    """The slices of the first axis at indices."""
    return ops.take(reference, indices, axis=0)


def temporal_padding(x: Any, padding: tuple[int, int] = (1, 1)) -> np.ndarray:
    """Add zeros before and after the second axis of (B, T, F)."""
    return ops.pad(x, ((0, 0), tuple(padding), (0, 0)))


# --- reductions and products ----------------------------------------------------------------


def argmax(x: Any, axis: int = -1) -> np.ndarray:
    """The index of the greatest element."""
    return ops.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> np.ndarray:
    """The index of the least element."""
    return ops.argmin(x, axis)


def cumsum(x: Any, axis: int = 0) -> np.ndarray:
    """Running sums."""
    return ops.cumsum(x, axis)


def cumprod(x: Any, axis: int = 0) -> np.ndarray:
    """Running products."""
    return ops.cumprod(x, axis)


def dot(x: Any, y: Any) -> np.ndarray:
    """The product over the last axis of x and the second to last of y."""
    return ops.dot(x, y)


def batch_dot(x: Any, y: Any, axes: int | Sequence[int] | None = None) -> np.ndarray:
    """The product sample by sample, over one axis of each.

    Args:
        x: (B, ...), rank 2 or more.
        y: (B, ...), rank 2 or more.
        axes: the axis of both, or the pair of them; by default the last of x and the second to
            last of y (the last, for a matrix).

    Returns:
        (B, the other axes of x, the other axes of y), (B, 1) if there are none.

    Raises:
        ValueError: for a rank below 2, batches or axes of different sizes, or the batch axis.
    """
    x, y = promote(x, y)
    if x.ndim < 2 or y.ndim < 2 or len(x) != len(y):
        raise ValueError(
            "K.batch_dot takes two arrays of rank 2 or more and of the same batch size. "
            f"Received shapes: {x.shape} and {y.shape}"
        )
    if axes is None:
        axes = (x.ndim - 1, builtins.max(y.ndim - 2, 1))
    first, second = (axes, axes) if isinstance(axes, int) else axes
    first, second = first % x.ndim, second % y.ndim
    if first == 0 or second == 0 or x.shape[first] != y.shape[second]:
        raise ValueError(
            "K.batch_dot: the axes must have the same size and not be the batch axis. "
            f"Received shapes: {x.shape} and {y.shape}, axes={axes}"
        )
    left, right = np.moveaxis(x, first, -1), np.moveaxis(y, second, 1)
    size = x.shape[first]
    product = left.reshape(len(x), -1, size) @ right.reshape(len(y), size, -1)
    result = product.reshape(len(x), *left.shape[1:-1], *right.shape[2:])
    return result if result.ndim > 1 else result[:, None]


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> np.ndarray:
    """Add a vector along the channel axis, or an array without the batch axis."""
    x, bias = promote(x, bias)
    if bias.ndim == 1 and (data_format or image_data_format()) == "channels_first":
        bias = bias.reshape(-1, *(1,) * (x.ndim - 2))
    return x + bias


# --- random arrays and loops ----------------------------------------------------------------


def random_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> np.ndarray:
    """Draw from the normal distribution."""
    return _random.normal(shape, mean, stddev, dtype, seed)


def truncated_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> np.ndarray:
    """Draw from the normal distribution within two standard deviations."""
    return _random.truncated_normal(shape, mean, stddev, dtype, seed)


def random_uniform(
    shape: Sequence[int],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> np.ndarray:
    """Draw from [minval, maxval)."""
    return _random.uniform(shape, minval, maxval, dtype, seed)


def random_bernoulli(
    shape: Sequence[int], p: float = 0.0, dtype: str | None = None, seed: int | None = None
) -> np.ndarray:
    """Draw 1 with probability p, else 0."""
    return ops.cast(_random.uniform(shape, seed=seed) <= p, dtype or floatx())


def map_fn(fn: Callable, elems: Any, name: str | None = None, dtype: Any = None) -> np.ndarray:
    """Apply a function to each slice of the first axis and stack the results."""
    return ops.map(fn, elems)
