"""Activations and neighbours under their `keras.ops` names."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _plan, config
from ._arrays import activation, array, axes, fractional, numpy_dtype, recorded

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@recorded
def relu(x: Any) -> np.ndarray:
    """max(x, 0); integers stay integers."""
    x = array(x)
    if x.dtype.kind != "f":
        return np.maximum(x, x.dtype.type(0))
    return _plan.apply_activation(x, "relu")


@recorded
def relu6(x: Any) -> np.ndarray:
    """min(max(x, 0), 6); integers stay integers."""
    return _clip(x, 0, 6)


@recorded
def hard_tanh(x: Any) -> np.ndarray:
    """min(max(x, -1), 1); integers stay integers."""
    return _clip(x, -1, 1)


@recorded
def _clip(x: Any, low: int, high: int) -> np.ndarray:
    x = array(x)
    if x.dtype.kind == "f":
        return _plan.apply_activation(x, "clip", low, high)
    if x.dtype.kind == "b":
        return x.copy()
    return np.clip(x, low if x.dtype.kind == "i" else 0, high)


@recorded
def leaky_relu(x: Any, negative_slope: float = 0.2) -> np.ndarray:
    """x where x > 0, else negative_slope * x."""
    return activation(x, "relu_general", negative_slope, np.inf, 0.0)


@recorded
def elu(x: Any, alpha: float = 1.0) -> np.ndarray:
    """x where x > 0, else alpha * (e^x - 1)."""
    return activation(x, "elu", alpha)


@recorded
def celu(x: Any, alpha: float = 1.0) -> np.ndarray:
    """max(x, 0) + min(0, alpha * (e^(x / alpha) - 1))."""
    return activation(x, "celu", alpha)


@recorded
def selu(x: Any) -> np.ndarray:
    """1.0507 * elu(x, 1.6733), the constants of Klambauer et al., 2017."""
    return activation(x, "selu", SELU_SCALE, SELU_ALPHA)


@recorded
def sigmoid(x: Any) -> np.ndarray:
    """1 / (1 + e^-x)."""
    return activation(x, "sigmoid")


@recorded
def hard_sigmoid(x: Any) -> np.ndarray:
    """min(max(x / 6 + 1 / 2, 0), 1)."""
    return activation(x, "ramp", 1.0 / 6.0, 0.5)


@recorded
def sparse_sigmoid(x: Any) -> np.ndarray:
    """min(max((x + 1) / 2, 0), 1)."""
    return activation(x, "ramp", 0.5, 0.5)


@recorded
def log_sigmoid(x: Any) -> np.ndarray:
    """log(1 / (1 + e^-x))."""
    return activation(x, "log_sigmoid")


@recorded
def silu(x: Any) -> np.ndarray:
    """x * sigmoid(x), also known as swish."""
    return activation(x, "silu")


@recorded
def hard_silu(x: Any) -> np.ndarray:
    """x * hard_sigmoid(x), also known as hard_swish."""
    return activation(x, "hard_silu")


swish, hard_swish = silu, hard_silu


@recorded
def gelu(x: Any, approximate: bool = True) -> np.ndarray:
    """x * Phi(x), Phi being the normal distribution function, or its tanh approximation.

    The approximation is x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))). Here it is the
    default, as in `keras.ops`; in `activations.gelu` it is not.
    """
    return activation(x, "gelu_tanh" if approximate else "gelu")


@recorded
def softplus(x: Any) -> np.ndarray:
    """log(1 + e^x)."""
    return activation(x, "softplus")


@recorded
def softsign(x: Any) -> np.ndarray:
    """x / (1 + |x|)."""
    return activation(x, "softsign")


@recorded
def tanh(x: Any) -> np.ndarray:
    """The hyperbolic tangent."""
    return activation(x, "tanh")


@recorded
def tanh_shrink(x: Any) -> np.ndarray:
    """x - tanh(x)."""
    return activation(x, "tanh_shrink")


@recorded
def soft_shrink(x: Any, threshold: float = 0.5) -> np.ndarray:
    """x - threshold above the threshold, x + threshold below its negative, 0 between."""
    return activation(x, "soft_shrink", threshold)


@recorded
def hard_shrink(x: Any, threshold: float = 0.5) -> np.ndarray:
    """x where |x| > threshold, else 0."""
    return activation(x, "hard_shrink", threshold)


@recorded
def threshold(x: Any, threshold: float, default_value: float) -> np.ndarray:
    """x where x > threshold, else default_value."""
    return activation(x, "threshold", threshold, default_value)


@recorded
def squareplus(x: Any, b: float = 4) -> np.ndarray:
    """(x + sqrt(x^2 + b)) / 2."""
    return activation(x, "squareplus", b)


@recorded
def sparse_plus(x: Any) -> np.ndarray:
    """0 up to -1, (x + 1)^2 / 4 up to 1, x beyond."""
    return activation(x, "sparse_plus")


@recorded
def mish(x: Any) -> np.ndarray:
    """x * tanh(softplus(x))."""
    return activation(x, "mish")


@recorded
def glu(x: Any, axis: int = -1) -> np.ndarray:
    """a * sigmoid(b), a and b being the halves of x along `axis`.

    Raises:
        ValueError: if the size of the axis is odd.
    """
    x = fractional(x)
    if x.shape[axis] % 2:
        raise ValueError(
            f"glu halves axis {axis}: its size must be even. Received: shape={x.shape}"
        )
    a, b = np.split(x, 2, axis)
    return a * sigmoid(b)


@recorded
def softmax(x: Any, axis: Any = -1) -> np.ndarray:
    """e^(x - max) / sum of it, over an axis, several, or all (None)."""
    return _plan.apply_softmax(x, _all_axes(x, axis))


@recorded
def log_softmax(x: Any, axis: Any = -1) -> np.ndarray:
    """x - max - log(sum(e^(x - max))), over an axis, several, or all (None)."""
    return _plan.apply_softmax(x, _all_axes(x, axis), log=True)


def _all_axes(x: Any, axis: Any) -> Any:
    return tuple(range(array(x).ndim)) if axis is None else axis


@recorded
def sparsemax(x: Any, axis: int = -1) -> np.ndarray:
    """The Euclidean projection onto the simplex along `axis`; Martins and Astudillo, 2016.

    max(x - t, 0) with t such that the result sums to 1: of the values in descending order the
    first k are above t, k being the last place where 1 + k x_k > x_1 + ... + x_k.
    """
    x = np.moveaxis(fractional(x), axis, -1)
    descending = -np.sort(-x, axis=-1)
    counts = np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    sums = np.cumsum(descending, axis=-1, dtype=x.dtype)
    support = np.sum(1 + counts * descending > sums, axis=-1, keepdims=True)
    last = np.maximum(support - 1, 0)  # NaN has no support
    t = (np.take_along_axis(sums, last, axis=-1) - 1) / (last + 1).astype(x.dtype)
    return np.moveaxis(np.maximum(x - t, 0), -1, axis)


@recorded
def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> np.ndarray:
    """x / its norm of an order along `axis`; the L2 norm's square is at least epsilon^2.

    Raises:
        ValueError: `order` is no int of 1 or more.
    """
    if not isinstance(order, int) or order < 1:
        raise ValueError(f"normalize: `order` must be an int >= 1. Received: order={order!r}")
    x, axis = fractional(x), axes(axis)
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        square = np.sum(np.square(x), axis=axis, keepdims=True)
        return x / np.sqrt(np.maximum(square, epsilon**2)).astype(x.dtype)
    norm = np.linalg.norm(x, ord=order, axis=axis, keepdims=True)
    return x / np.maximum(norm, epsilon).astype(x.dtype)


@recorded
def one_hot(
    x: Any, num_classes: int, axis: int = -1, dtype: str | None = None, sparse: bool = False
) -> np.ndarray:
    """1 at the class that `x` numbers, 0 elsewhere; a number out of range gives all 0."""
    if sparse:
        raise ValueError("one_hot: sparse results are not supported.")
    if not isinstance(num_classes, (int, np.integer)) or num_classes < 0:
        raise ValueError(
            "one_hot: expected `num_classes` to be an int of at least 0. "
            f"Received: num_classes={num_classes!r}"
        )
    x = array(x)
    y = (x[..., None] == np.arange(num_classes)).astype(numpy_dtype(dtype or "float"))
    return np.moveaxis(y, -1, axis) if axis != -1 else y


@recorded
def multi_hot(
    inputs: Any,
    num_classes: int,
    axis: int = -1,
    dtype: str | None = None,
    sparse: bool = False,
) -> np.ndarray:
    """1 at each class that the last axis of `inputs` numbers, 0 elsewhere."""
    inputs = array(inputs)
    reduce_axis = 1 if inputs.ndim > 1 else 0
    return np.max(one_hot(inputs, num_classes, axis, dtype, sparse), axis=reduce_axis)


@recorded
def moments(
    x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the population variance over `axes`."""
    x = fractional(x)
    axes = tuple(axes) if isinstance(axes, list) else axes
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    mean = np.mean(wide, axis=axes, keepdims=keepdims)
    var = np.var(wide, axis=axes, keepdims=keepdims)
    if x.dtype == np.float16:  # where they would be infinite, the largest that there is
        largest = np.finfo(np.float16).max
        mean, var = np.clip(mean, -largest, largest), np.minimum(var, largest)
    return np.asarray(mean, x.dtype), np.asarray(var, x.dtype)


@recorded
def l2_normalize(x: Any, axis: Any = None) -> np.ndarray:
    """x / sqrt(max(sum x^2, 1e-12)) over `axis` (None: all)."""
    x = fractional(x)
    square = np.sum(np.square(x), axis=axes(axis), keepdims=True)
    return x / np.sqrt(np.maximum(square, x.dtype.type(1e-12)))
