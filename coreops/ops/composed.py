"""Functions that are made of others: gradients, and graphs of symbolic tensors, are those of the
parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config
from .core import cast, convert_to_tensor
from .elementwise import add, clip, log, multiply, negative, power, rsqrt, square, subtract, where
from .linalg import inv, matmul, solve
from .nn import log_sigmoid, log_softmax
from .reduction import mean, sum, var
from .shaping import (
    expand_dims,
    reshape,
    squeeze,
    swapaxes,
    take_along_axis,
    tril,
    triu,
)

# --- losses, a value for each sample and position ------------------------------------------------


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """-t log(p) - (1 - t) log(1 - p), element by element.

    Args:
        target: t, in [0, 1].
        output: p, clipped to [epsilon, 1 - epsilon].
        from_logits: whether `output` holds x with p = sigmoid(x).

    Raises:
        ValueError: the shapes differ.
    """
    target, output = _alike("binary_crossentropy", target, output)
    if from_logits:
        yes, no = log_sigmoid(output), log_sigmoid(negative(output))
    else:
        p = _clipped(output)
        yes, no = log(p), log(subtract(1.0, p))
    return negative(add(multiply(target, yes), multiply(subtract(1.0, target), no)))


def categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """The sum of -t log(p) along `axis`.

    Args:
        target: t, the probabilities of the classes.
        output: p, divided by its sum and clipped to [epsilon, 1 - epsilon].
        from_logits: whether `output` holds x with p = softmax(x).
        axis: the axis of the classes.

    Raises:
        ValueError: the shapes differ, or have no axes.
    """
    target, output = _alike("categorical_crossentropy", target, output)
    if not output.shape:
        raise ValueError("categorical_crossentropy: expected an axis of classes. Received: ()")
    return negative(sum(multiply(target, log_probabilities(output, from_logits, axis)), axis=axis))


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1
) -> Any:
    """-log(p) of the class that `target` numbers; 0 where it numbers none.

    Args:
        target: integers, in the shape of `output` without `axis`, or with 1 there.
        output: p, divided by its sum and clipped to [epsilon, 1 - epsilon].
        from_logits: whether `output` holds x with p = softmax(x).
        axis: the axis of the classes.

    Raises:
        ValueError: the shapes do not fit.
    """
    target, output = cast(target, "int32"), convert_to_tensor(output)
    rank = len(output.shape)
    if rank and len(target.shape) == rank - 1:
        target = expand_dims(target, axis)
    at = axis % max(rank, 1)
    wanted = (*output.shape[:at], 1, *output.shape[at + 1 :])
    if not rank or tuple(target.shape) != wanted:
        raise ValueError(
            "sparse_categorical_crossentropy: expected class numbers in the shape of `output` "
            f"without axis {axis}. Received: shapes {tuple(target.shape)} and {tuple(output.shape)}"
        )
    log_p = log_probabilities(output, from_logits, axis)
    exists = (target >= 0) & (target < output.shape[at])
    chosen = take_along_axis(log_p, where(exists, target, 0), axis=axis)
    return negative(squeeze(where(exists, chosen, 0.0), axis))


def log_probabilities(output: Any, from_logits: bool, axis: int) -> Any:
    """Return log(p) of probabilities, which are divided by their sum and clipped, or of logits."""
    return log_softmax(output, axis) if from_logits else log(probabilities(output, axis))


def probabilities(output: Any, axis: int) -> Any:
    """Return probabilities divided by their sum and clipped to [epsilon, 1 - epsilon]."""
    return _clipped(output / sum(output, axis=axis, keepdims=True))


def _clipped(p: Any) -> Any:
    return clip(p, config.epsilon(), 1.0 - config.epsilon())


def _alike(name: str, target: Any, output: Any) -> tuple[Any, Any]:
    output = convert_to_tensor(output)
    target = cast(target, output.dtype)
    if tuple(target.shape) != tuple(output.shape):
        raise ValueError(
            f"{name}: `target` and `output` must have the same shape. "
            f"Received: shapes {tuple(target.shape)} and {tuple(output.shape)}"
        )
    return target, output


# --- normalisation -------------------------------------------------------------------------------


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    axis: int,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, with vectors along `axis`."""
    x = convert_to_tensor(x)
    factor = rsqrt(add(_along(variance, x, [axis]), epsilon))
    if scale is not None:
        factor = multiply(factor, _along(scale, x, [axis]))
    y = multiply(subtract(x, _along(mean, x, [axis])), factor)
    return y if offset is None else add(y, _along(offset, x, [axis]))


def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) over axes of x, times `gamma`, plus `beta`.

    Args:
        x: any array; integers become floats.
        gamma: of the shape that x has along the axes, or None for 1.
        beta: likewise, or None for 0.
        axis: an axis, or several.
        epsilon: by default `config.epsilon()`.
    """
    x, kind = _wide(x)
    axes = _axes(axis, x)
    spread = add(var(x, axis=axes, keepdims=True), _epsilon(epsilon))
    y = multiply(subtract(x, mean(x, axis=axes, keepdims=True)), rsqrt(spread))
    if gamma is not None:
        y = multiply(y, _along(gamma, x, axes))
    return cast(y if beta is None else add(y, _along(beta, x, axes)), kind)


def rms_normalization(
    x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Any:
    """x / sqrt(mean of x^2 + epsilon) over axes of x, times `scale`; Zhang and Sennrich, 2019."""
    x, kind = _wide(x)
    axes = _axes(axis, x)
    y = multiply(x, rsqrt(add(mean(square(x), axis=axes, keepdims=True), _epsilon(epsilon))))
    return cast(y if scale is None else multiply(y, _along(scale, x, axes)), kind)


def _epsilon(epsilon: float | None) -> float:
    return config.epsilon() if epsilon is None else epsilon


def _wide(x: Any) -> tuple[Any, Any]:
    """Return x in the type that is computed with, float32 at least, and that of the result."""
    x = convert_to_tensor(x)
    kind = np.dtype(x.dtype)
    kind = kind if kind.kind == "f" else np.dtype(config.compute_floatx())
    return cast(x, "float64" if kind == np.float64 else "float32"), kind.name


def _axes(axis: Any, x: Any) -> list[int]:
    return sorted(int(a) % len(x.shape) for a in np.atleast_1d(axis))


def _along(vector: Any, x: Any, axes: Sequence[int]) -> Any:
    """Return an array of sizes along some axes of x so that it broadcasts to x; one that has
    another number of axes as it is."""
    vector = cast(vector, x.dtype)
    if len(vector.shape) != len(axes):
        return vector
    shape = [1] * len(x.shape)
    for axis in axes:
        shape[axis] = x.shape[axis]
    return reshape(vector, tuple(shape))


# --- arrays and matrices -------------------------------------------------------------------------


def ldexp(x1: Any, x2: Any) -> Any:
    """x1 * 2^x2, with whole numbers x2."""
    x1, x2 = convert_to_tensor(x1), convert_to_tensor(x2)
    if np.dtype(x2.dtype).kind not in "iub":
        raise TypeError(f"ldexp: expected whole numbers as `x2`. Received: dtype={x2.dtype}")
    x1, kind = _wide(x1)
    return cast(multiply(x1, power(2.0, cast(x2, x1.dtype))), kind)


def cholesky_inverse(x: Any, upper: bool = False) -> Any:
    """The inverse of L L^T, given L, or of U^T U, given U."""
    triangle = inv(triu(x) if upper else tril(x))
    other = swapaxes(triangle, -1, -2)
    return matmul(triangle, other) if upper else matmul(other, triangle)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """The solution x of a x = b, of which only the upper, or the lower, half of `a` is read."""
    a, b = convert_to_tensor(a), convert_to_tensor(b)
    half = tril(a) if lower else triu(a)
    if len(b.shape) < len(a.shape):  # vectors
        return squeeze(solve(half, expand_dims(b, -1)), -1)
    return solve(half, b)
