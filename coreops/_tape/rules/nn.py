"""The rules of coreops/ops/nn.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _plan, config
from .basic import Rule, as_axes
from .elementwise import _nonzero
from .linalg import _norm
from .reduction import _mean, _var


def _scaled(dy: Any, y: Any, x: Any, axis: Any, least: float) -> np.ndarray:
    """Of x / sqrt(max(sum x^2, least)): where the sum decides, dy without its part along y."""
    square = np.sum(np.square(x), axis=as_axes(axis), keepdims=True)
    least = square.dtype.type(least)
    along = np.sum(dy * y, axis=as_axes(axis), keepdims=True)
    return (dy - np.where(square > least, along, 0) * y) / np.sqrt(np.maximum(square, least))


def _l2_normalize(dy: Any, y: Any, x: Any, axis: Any = None) -> np.ndarray:
    return _scaled(dy, y, x, axis, 1e-12)


def _normalize(
    dy: Any, y: Any, x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None
) -> np.ndarray:
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:
        return _scaled(dy, y, x, axis, epsilon**2)
    norm = np.linalg.norm(x, order, as_axes(axis), keepdims=True)
    along = np.sum(dy * y, axis=as_axes(axis), keepdims=True)
    part = _norm(np.where(norm > epsilon, along, 0), norm, x, order, axis, keepdims=True)
    return (dy - part) / np.maximum(norm, epsilon)


def _moments(dy: Any, y: Any, x: Any, axes: Any, keepdims: bool = False, *_: Any) -> np.ndarray:
    return _mean(dy[0], y[0], x, axes, keepdims) + _var(dy[1], y[1], x, axes, keepdims)


def _glu(dy: Any, y: Any, x: Any, axis: int = -1) -> np.ndarray:
    a, b = np.split(x, 2, axis)
    gate = _plan.apply_activation(b, "sigmoid")
    return np.concatenate([dy * gate, dy * a * gate * (1 - gate)], axis)


def _sparsemax(dy: Any, y: Any, x: Any, axis: int = -1) -> np.ndarray:
    support = y > 0
    count = np.sum(support, axis=axis, keepdims=True, dtype=y.dtype)
    mean = np.sum(np.where(support, dy, 0), axis=axis, keepdims=True) / _nonzero(count)
    return np.where(support, dy - mean, 0)


def _softmax(dy: Any, y: Any, x: Any, axis: Any = -1, log: bool = False) -> np.ndarray:
    axis = tuple(range(np.ndim(x))) if axis is None else axis
    return _plan.softmax_gradient(dy, y, axis, log)


RULES: dict[str, Rule] = {
    "apply_activation": _plan.activation_gradient,
    "relu": lambda dy, y, x: _plan.activation_gradient(dy, y, x, "relu"),
    "_clip": lambda dy, y, x, low, high: _plan.activation_gradient(dy, y, x, "clip", low, high),
    "glu": _glu,
    "l2_normalize": _l2_normalize,
    "log_softmax": lambda dy, y, x, axis=-1: _softmax(dy, y, x, axis, log=True),
    "moments": _moments,
    "normalize": _normalize,
    "softmax": _softmax,
    "sparsemax": _sparsemax,
}
