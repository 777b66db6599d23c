"""Making arrays, under NumPy's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._arrays import (
    array,
    fractional,
    named,
    numpy_dtype,
    promote,
    recorded,
    result_dtype,
)


def _filled(function: Callable) -> Callable[..., np.ndarray]:
    def op(shape: int | Sequence[int], dtype: Any = None) -> np.ndarray:
        return function(shape, numpy_dtype(dtype or "float"))

    name = function.__name__
    return named(op, name, f"`numpy.{name}`, by default of the default float type.")


def _filled_like(function: Callable) -> Callable[..., np.ndarray]:
    def op(x: Any, dtype: Any = None) -> np.ndarray:
        x = array(x)
        return function(x, dtype=numpy_dtype(dtype or x.dtype))

    name = function.__name__
    return named(op, name, f"`numpy.{name}`, by default of the dtype of x.")


empty = _filled(np.empty)
ones = _filled(np.ones)
zeros = _filled(np.zeros)
empty_like = _filled_like(np.empty_like)
ones_like = _filled_like(np.ones_like)
zeros_like = _filled_like(np.zeros_like)


@recorded
def full(shape: int | Sequence[int], fill_value: Any, dtype: Any = None) -> np.ndarray:
    """An array of one value, by default of the default float type."""
    return np.full(shape, fill_value, numpy_dtype(dtype or "float"))


@recorded
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> np.ndarray:
    """An array of one value in the shape of x, by default of its dtype."""
    x = array(x)
    return np.full_like(x, fill_value, numpy_dtype(dtype or x.dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> np.ndarray:
    """Ones on the k-th diagonal."""
    return np.eye(N, M, k, numpy_dtype(dtype or "float"))


def identity(n: int, dtype: Any = None) -> np.ndarray:
    """The identity matrix."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> np.ndarray:
    """Ones on and below the k-th diagonal."""
    return np.tri(N, M, k, numpy_dtype(dtype or "float"))


@recorded
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> np.ndarray:
    """`numpy.arange`, int32 for integers and the default float type for floats."""
    step = 1 if step is None else step
    if dtype is None:
        dtype = result_dtype(*(array(v) for v in (start, stop, step) if v is not None))
    return np.arange(start, stop, step, dtype=numpy_dtype(dtype))


def _spaced(function: Callable) -> Callable:
    def op(
        start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, dtype: Any = None,
        axis: int = 0, **keywords: Any,
    ) -> Any:  # fmt: skip
        if dtype is None:
            dtype = fractional(promote(start, stop)[0]).dtype
        dtype = numpy_dtype(dtype)
        return function(start, stop, num, endpoint, dtype=dtype, axis=axis, **keywords)

    name = function.__name__
    return named(op, name, f"`numpy.{name}`, by default of the common float dtype.")


linspace = _spaced(np.linspace)
logspace = _spaced(np.logspace)
geomspace = _spaced(np.geomspace)


def _window(function: Callable) -> Callable[..., np.ndarray]:
    def op(x: int) -> np.ndarray:
        return function(int(x)).astype(numpy_dtype("float"))

    name = function.__name__
    return named(op, name, f"`numpy.{name}` of the default float type.")


bartlett = _window(np.bartlett)
blackman = _window(np.blackman)
hamming = _window(np.hamming)
hanning = _window(np.hanning)


@recorded
def kaiser(x: int, beta: float) -> np.ndarray:
    """`numpy.kaiser` of the default float type."""
    return np.kaiser(int(x), beta).astype(numpy_dtype("float"))
