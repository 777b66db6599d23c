"""Losses of numbers: functions (y_true, y_pred) -> one value per sample and position."""

from __future__ import annotations

import math
from typing import Any

from .. import config, ops
from .reduction import operands, same_rank


def arguments(what: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Return both as arrays of the predictions' dtype and, where a last axis 1 does it, rank.

    Raises:
        ValueError: they do not broadcast.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    y_true, y_pred = same_rank(ops.convert_to_tensor(y_true, y_pred.dtype), y_pred)
    return operands(what, y_true, y_pred)


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of (y_true - y_pred)^2 over the last axis."""
    y_true, y_pred = arguments("mean_squared_error", y_true, y_pred)
    return ops.mean(ops.square(y_true - y_pred), axis=-1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of |y_true - y_pred| over the last axis."""
    y_true, y_pred = arguments("mean_absolute_error", y_true, y_pred)
    return ops.mean(ops.abs(y_true - y_pred), axis=-1)


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """100 * mean of |y_true - y_pred| / max(|y_true|, epsilon) over the last axis."""
    y_true, y_pred = arguments("mean_absolute_percentage_error", y_true, y_pred)
    size = ops.maximum(ops.abs(y_true), config.epsilon())
    return 100.0 * ops.mean(ops.abs((y_true - y_pred) / size), axis=-1)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of (log(y_true + 1) - log(y_pred + 1))^2 over the last axis, both at least epsilon."""
    y_true, y_pred = arguments("mean_squared_logarithmic_error", y_true, y_pred)
    epsilon = config.epsilon()
    log_pred = ops.log(ops.maximum(y_pred, epsilon) + 1.0)
    log_true = ops.log(ops.maximum(y_true, epsilon) + 1.0)
    return ops.mean(ops.square(log_pred - log_true), axis=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """-cos of the angle between the vectors along `axis`; 0 where one of them is 0."""
    return -cosine(y_true, y_pred, axis)


def cosine(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between the vectors along `axis`."""
    y_true, y_pred = arguments("cosine_similarity", y_true, y_pred)
    return ops.sum(_normalize(y_true, axis) * _normalize(y_pred, axis), axis=axis)


def _normalize(x: Any, axis: int) -> Any:
    """x / |x|, the length being at least epsilon."""
    square = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x / ops.sqrt(ops.maximum(square, config.epsilon() ** 2))


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Mean over the last axis of e^2 / 2 where |e| <= delta, else delta * |e| - delta^2 / 2."""
    y_true, y_pred = arguments("huber", y_true, y_pred)
    error = y_pred - y_true
    size = ops.abs(error)
    beyond = delta * size - 0.5 * delta * delta
    return ops.mean(ops.where(size <= delta, 0.5 * ops.square(error), beyond), axis=-1)


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Mean of log(cosh(y_pred - y_true)) over the last axis."""
    y_true, y_pred = arguments("log_cosh", y_true, y_pred)
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(-2.0 * error) - math.log(2.0), axis=-1)
