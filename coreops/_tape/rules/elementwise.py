"""The rules of coreops/ops/elementwise.py."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .basic import Rule

_LN2, _LN10 = math.log(2.0), math.log(10.0)
_DEGREE = math.pi / 180.0
_ERF = 2.0 / math.sqrt(math.pi)


def _share(first: Any, second: Any, like: np.ndarray) -> np.ndarray:
    """1 where the first is greater, 0 where it is less, 1/2 where they are equal."""
    return np.add(np.greater(first, second), np.greater_equal(first, second), dtype=like.dtype) / 2


def _nonzero(x: Any) -> np.ndarray:
    """x, and 1 where it is 0."""
    return np.where(np.equal(x, 0), 1, x)


def _sinc(dy: Any, y: Any, x: Any) -> Any:
    return np.where(np.equal(x, 0), 0, dy * (np.cos(math.pi * np.asarray(x)) - y) / _nonzero(x))


def _power_base(dy: Any, y: Any, a: Any, b: Any) -> Any:
    a, b = np.asarray(a, y.dtype), np.asarray(b, y.dtype)
    return dy * b * np.power(a, np.where(b == 0, 1, b - 1))


def _power_exponent(dy: Any, y: Any, a: Any, b: Any) -> Any:
    return dy * y * np.log(_nonzero(np.asarray(a, y.dtype)))


def _squares(a: Any, b: Any) -> Any:
    return np.square(a) + np.square(b)


def _clip(dy: Any, y: Any, x: Any, x_min: Any, x_max: Any) -> Any:
    return dy * _share(x, x_min, y) * _share(x_max, np.maximum(x, x_min), y)


def _clip_min(dy: Any, y: Any, x: Any, x_min: Any, x_max: Any) -> Any:
    return dy * _share(x_min, x, y) * _share(x_max, np.maximum(x, x_min), y)


def _clip_max(dy: Any, y: Any, x: Any, x_min: Any, x_max: Any) -> Any:
    return dy * _share(np.maximum(x, x_min), x_max, y)


def _same_sign(dy: Any, y: Any, a: Any, b: Any) -> Any:
    return np.where(np.signbit(a) == np.signbit(y), dy, -dy)


def _select(dy: Any, y: Any, conditions: Any, choices: Any, default: Any = 0) -> list:
    taken, parts = np.zeros(np.shape(y), bool), []
    for condition in conditions:
        parts.append(np.where(np.logical_and(condition, ~taken), dy, 0))
        taken = np.logical_or(taken, condition)
    return [*parts, np.where(taken, 0, dy)]


RULES: dict[str, Rule] = {
    "absolute": lambda dy, y, x: dy * np.sign(x),
    "fabs": lambda dy, y, x: dy * np.sign(x),
    "negative": lambda dy, y, x: -dy,
    "conjugate": lambda dy, y, x: dy,
    "real": lambda dy, y, x: dy,
    "arccos": lambda dy, y, x: -dy / np.sqrt(1 - np.square(x)),
    "arccosh": lambda dy, y, x: dy / np.sqrt(np.square(x) - 1),
    "arcsin": lambda dy, y, x: dy / np.sqrt(1 - np.square(x)),
    "arcsinh": lambda dy, y, x: dy / np.sqrt(np.square(x) + 1),
    "arctan": lambda dy, y, x: dy / (np.square(x) + 1),
    "arctanh": lambda dy, y, x: dy / (1 - np.square(x)),
    "cbrt": lambda dy, y, x: dy / (3 * np.square(y)),
    "cos": lambda dy, y, x: -dy * np.sin(x),
    "cosh": lambda dy, y, x: dy * np.sinh(x),
    "deg2rad": lambda dy, y, x: dy * _DEGREE,
    "erf": lambda dy, y, x: dy * _ERF * np.exp(-np.square(x)),
    "erfc": lambda dy, y, x: -dy * _ERF * np.exp(-np.square(x)),
    "exp": lambda dy, y, x: dy * y,
    "exp2": lambda dy, y, x: dy * y * _LN2,
    "expm1": lambda dy, y, x: dy * (y + 1),
    "log": lambda dy, y, x: dy / x,
    "log10": lambda dy, y, x: dy / (x * np.asarray(_LN10, y.dtype)),
    "log1p": lambda dy, y, x: dy / (1 + x),
    "log2": lambda dy, y, x: dy / (x * np.asarray(_LN2, y.dtype)),
    "nan_to_num": lambda dy, y, x, *_, **__: np.where(np.isfinite(x), dy, 0),
    "rad2deg": lambda dy, y, x: dy / _DEGREE,
    "reciprocal": lambda dy, y, x: -dy * np.square(y),
    "rsqrt": lambda dy, y, x: dy * y / x / -2,
    "sin": lambda dy, y, x: dy * np.cos(x),
    "sinc": _sinc,
    "sinh": lambda dy, y, x: dy * np.cosh(x),
    "sqrt": lambda dy, y, x: dy / (2 * y),
    "square": lambda dy, y, x: dy * x * 2,
    "tan": lambda dy, y, x: dy * (1 + np.square(y)),
    "add": (lambda dy, y, a, b: dy, lambda dy, y, a, b: dy),
    "subtract": (lambda dy, y, a, b: dy, lambda dy, y, a, b: -dy),
    "multiply": (lambda dy, y, a, b: dy * b, lambda dy, y, a, b: dy * a),
    "divide": (lambda dy, y, a, b: dy / b, lambda dy, y, a, b: -dy * y / b),
    "divide_no_nan": (
        lambda dy, y, a, b: np.where(np.equal(b, 0), 0, dy / _nonzero(b)),
        lambda dy, y, a, b: -dy * y / _nonzero(b),
    ),
    "power": (_power_base, _power_exponent),
    "mod": (lambda dy, y, a, b: dy, lambda dy, y, a, b: -dy * np.floor_divide(a, b)),
    "fmod": (lambda dy, y, a, b: dy, lambda dy, y, a, b: -dy * np.trunc(np.divide(a, b))),
    "maximum": (
        lambda dy, y, a, b: dy * _share(a, b, y),
        lambda dy, y, a, b: dy * _share(b, a, y),
    ),
    "minimum": (
        lambda dy, y, a, b: dy * _share(b, a, y),
        lambda dy, y, a, b: dy * _share(a, b, y),
    ),
    "fmax": (
        lambda dy, y, a, b: np.where(np.greater(a, b) | np.isnan(b), dy, 0),
        lambda dy, y, a, b: np.where(np.greater(a, b) | np.isnan(b), 0, dy),
    ),
    "fmin": (
        lambda dy, y, a, b: np.where(np.less(a, b) | np.isnan(b), dy, 0),
        lambda dy, y, a, b: np.where(np.less(a, b) | np.isnan(b), 0, dy),
    ),
    "arctan2": (
        lambda dy, y, a, b: dy * b / _squares(a, b),
        lambda dy, y, a, b: -dy * a / _squares(a, b),
    ),
    "copysign": (_same_sign, None),
    "hypot": (
        lambda dy, y, a, b: dy * a / _nonzero(y),
        lambda dy, y, a, b: dy * b / _nonzero(y),
    ),
    "logaddexp": (
        lambda dy, y, a, b: dy * np.exp(a - y),
        lambda dy, y, a, b: dy * np.exp(b - y),
    ),
    "logaddexp2": (
        lambda dy, y, a, b: dy * np.exp2(a - y),
        lambda dy, y, a, b: dy * np.exp2(b - y),
    ),
    "clip": (_clip, _clip_min, _clip_max),
    "where": (
        None,
        lambda dy, y, condition, a, b: np.where(condition, dy, 0),
        lambda dy, y, condition, a, b: np.where(condition, 0, dy),
    ),
    "select": (
        None,
        lambda dy, y, *args: _select(dy, y, *args)[:-1],
        lambda dy, y, *args: _select(dy, y, *args)[-1],
    ),
}
