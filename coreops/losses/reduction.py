"""From one loss per value to one number: ranks, weights, masks, reductions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from .. import ops
from .._plan import KerasArray, as_array

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)
_MEANS = ("sum_over_batch_size", "mean")


def standardize_reduction(reduction: str | None) -> str | None:
    """Return `reduction`; ValueError if it is none of `REDUCTIONS`."""
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"Expected `reduction` to be one of {list(REDUCTIONS)}. "
            f"Received: reduction={reduction!r}"
        )
    return reduction


def same_rank(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Return the arrays with one rank, if theirs differ by a last axis of size 1.

    A vector gets that axis too; of arrays of higher rank, the other one loses it.
    """
    if x1.ndim == x2.ndim:
        return x1, x2
    if x1.ndim == x2.ndim + 1 and x1.shape[-1] == 1:
        return (x1, ops.expand_dims(x2, -1)) if x2.ndim == 1 else (ops.squeeze(x1, -1), x2)
    if x2.ndim == x1.ndim + 1 and x2.shape[-1] == 1:
        return (ops.expand_dims(x1, -1), x2) if x1.ndim == 1 else (x1, ops.squeeze(x2, -1))
    return x1, x2


def operands(what: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Return labels and predictions as arrays of the predictions' dtype.

    Raises:
        ValueError: they do not broadcast.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.convert_to_tensor(y_true, y_pred.dtype)
    check_broadcast(what, y_true.shape, y_pred.shape)
    return y_true, y_pred


def check_broadcast(what: str, true: tuple[int, ...], pred: tuple[int, ...]) -> None:
    """Raise a ValueError unless labels and predictions of these shapes broadcast."""
    pairs = zip(reversed(true), reversed(pred), strict=False)
    if any(a not in (b, 1, None) and b not in (1, None) for a, b in pairs):
        raise ValueError(
            f"{what}: expected labels that broadcast with predictions of shape {pred}. "
            f"Received: y_true.shape={true}"
        )


def lacks_axis(ndim: int, shape: Sequence[int]) -> bool:
    """Return whether labels of a rank lack the last axis, of size 1, of predictions of a shape.

    Labels that are a vector do not count: theirs is the axis of the samples.
    """
    return ndim == len(shape) - 1 >= 2 and shape[-1] == 1


def per_position(shape: tuple[int, ...], *weights: Any) -> bool:
    """Return whether one of some weights or masks has an element for each value of a shape.

    A last axis of size 1 is one that weights of samples may have.
    """
    given = (ops.shape(weight) for weight in weights if weight is not None)
    return any(len(found) == len(shape) and found[-1:] == shape[-1:] for found in given)


def with_axis(y_true: Any, y_pred: Any, *weights: Any) -> Any:
    """Return labels with the last axis that they lack, if weights are given per position.

    So each position has a value of its own, as it has a weight.
    """
    ndim = ops.ndim(y_true)
    if lacks_axis(ndim, y_pred.shape) and per_position(y_pred.shape[:-1], *weights):
        return ops.expand_dims(y_true, -1)
    return y_true


def with_mask(values: Any, mask: np.ndarray) -> Any:
    """Return the values with a mask that says which of them count."""
    if isinstance(values, (np.ndarray, np.generic)):
        return KerasArray.attach(np.asarray(values), mask)
    values._keras_mask = mask
    return values


def fit_weight(weight: Any, shape: Sequence[int], what: str) -> np.ndarray:
    """Return weights, or a mask, so that they broadcast to values of a shape.

    Weights of lower rank stand for the leading axes. A surplus last axis of size 1 is dropped.
    A value that is one number takes weights of any shape.
    """
    weight = as_array(weight, what)
    if not shape:
        return weight
    if weight.ndim == len(shape) + 1 and weight.shape[-1] == 1:
        weight = weight[..., 0]
    fitted = weight.reshape(weight.shape + (1,) * (len(shape) - weight.ndim))
    if weight.ndim > len(shape) or any(
        size not in (1, full) for size, full in zip(fitted.shape, shape, strict=True)
    ):
        raise ValueError(
            f"{what} of shape {weight.shape} does not fit values of shape {tuple(shape)}: expected "
            f"that shape, or its first axes."
        )
    return fitted


def combine(
    sample_weight: Any, mask: Any, shape: Sequence[int], reduction: str | None, dtype: Any
) -> np.ndarray | None:
    """Return the factors that weights and mask give to values of a shape; None if there are none.

    For the reductions to a mean over the values the factor of a valid value is total / valid, so
    that the mean runs over the valid values.
    """
    weight = None
    if sample_weight is not None:
        weight = fit_weight(sample_weight, shape, "sample_weight").astype(dtype, copy=False)
    if mask is None:
        return weight
    keep = fit_weight(mask, shape, "mask").astype(bool, copy=False)
    factor = keep.astype(dtype)
    if reduction in _MEANS:
        valid = np.count_nonzero(keep)
        factor *= keep.size / valid if valid else 0.0
    return factor if weight is None else weight * factor


def divisor_of(weight: np.ndarray | None, shape: Sequence[int], reduction: str | None) -> float:
    """Return what a sum of weighted values of a shape is divided by; 0 stands for "gives 0"."""
    if reduction in (None, "none", "sum"):
        return 1.0
    if reduction in _MEANS or weight is None:
        return prod(shape)
    return float(np.sum(np.broadcast_to(weight, tuple(shape)), dtype=np.float64))


def reduce_weighted_values(
    values: Any,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
    dtype: Any = None,
) -> Any:
    """Return the values times their weights, reduced as `reduction` says."""
    values = ops.convert_to_tensor(values, dtype)
    weight = combine(sample_weight, mask, values.shape, reduction, values.dtype)
    if weight is not None:
        values = values * weight
    if reduction in (None, "none"):
        return values
    total = ops.sum(values)
    divisor = divisor_of(weight, values.shape, reduction)
    if divisor == 1.0:
        return total
    return total / divisor if divisor else total * 0.0


def factors(
    shape: Sequence[int], sample_weight: Any, mask: Any, reduction: str | None, dtype: Any
) -> float | np.ndarray:
    """Return w such that the reduced loss is sum(w * values) for values of a shape.

    A float stands for equal factors; an array has the shape.
    """
    weight = combine(sample_weight, mask, shape, reduction, dtype)
    divisor = divisor_of(weight, shape, reduction)
    scale = 1.0 / divisor if divisor else 0.0
    if weight is None:
        return scale
    return np.ascontiguousarray(np.broadcast_to(weight * weight.dtype.type(scale), tuple(shape)))
