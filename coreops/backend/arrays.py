"""Array functions whose arguments or defaults were others in the old backend."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import activations, ops
from ..config import image_data_format


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
    condition = ops.stop_gradient(condition)
    if condition.ndim == 0:
        chosen = then_expression if condition else else_expression
        return chosen() if callable(chosen) else ops.convert_to_tensor(chosen)
    then_value, else_value = (
        value() if callable(value) else value for value in (then_expression, else_expression)
    )
    rank = ops.ndim(then_value)
    condition = condition.reshape(condition.shape + (1,) * (rank - condition.ndim))
    return ops.where(condition, then_value, else_value)


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
    return ops.stack(x, axis)


def repeat(x: Any, n: int) -> np.ndarray:
    """Repeat each row n times, (B, F) -> (B, n, F).

    Raises:
        ValueError: if `x` is not of rank 2.
    """
    x = ops.convert_to_tensor(x)
    if x.ndim != 2:
        raise ValueError(f"K.repeat takes arrays of rank 2. Received: shape={x.shape}")
    return ops.repeat(x[:, None, :], n, axis=1)


def repeat_elements(x: Any, rep: int, axis: int) -> np.ndarray:
    """Repeat each slice along an axis."""
    return ops.repeat(x, rep, axis)


def flatten(x: Any) -> np.ndarray:
    """Make a vector."""
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> np.ndarray:
    """Make a matrix with the first axis kept."""
    x = ops.convert_to_tensor(x)
    return ops.reshape(x, (len(x), math.prod(x.shape[1:])))


def reverse(x: Any, axes: int | Sequence[int]) -> np.ndarray:
    """Turn axes around."""
    return ops.flip(x, axes)


def gather(reference: Any, indices: Any) -> np.ndarray:
    """The slices of the first axis at indices."""
    return ops.take(reference, indices, axis=0)


def temporal_padding(x: Any, padding: tuple[int, int] = (1, 1)) -> np.ndarray:
    """Add zeros before and after the second axis of (B, T, F)."""
    return ops.pad(x, ((0, 0), tuple(padding), (0, 0)))


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
    x, y = ops.convert_to_tensor(x), ops.convert_to_tensor(y)
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
    left, right = ops.moveaxis(x, first, -1), ops.moveaxis(y, second, 1)
    size, others = x.shape[first], (left.shape[1:-1], right.shape[2:])
    rows = ops.reshape(left, (len(x), math.prod(others[0]), size))
    columns = ops.reshape(right, (len(y), size, math.prod(others[1])))
    result = ops.reshape(ops.matmul(rows, columns), (len(x), *others[0], *others[1]))
    return result if result.ndim > 1 else result[:, None]


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> np.ndarray:
    """Add a vector along the channel axis, or an array without the batch axis."""
    x, bias = ops.convert_to_tensor(x), ops.convert_to_tensor(bias)
    if bias.ndim == 1 and (data_format or image_data_format()) == "channels_first":
        bias = ops.reshape(bias, (-1, *(1,) * (x.ndim - 2)))
    return ops.add(x, bias)


def map_fn(fn: Callable, elems: Any, name: str | None = None, dtype: Any = None) -> np.ndarray:
    """Apply a function to each slice of the first axis and stack the results."""
    return ops.map(fn, elems)
