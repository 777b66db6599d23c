"""Reductions, running sums and counts, under NumPy's names."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from ._arrays import accumulator, array, axes, fractional, named, numpy_dtype, promote, recorded


def _summing(function: Callable) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
        x = array(x)
        return function(x, axis=axes(axis), keepdims=keepdims, dtype=accumulator(x))

    name = function.__name__
    return named(op, name, f"`numpy.{name}` in the dtype of x; small integers widen to 32 bits.")


def averaging(function: Callable) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
        x = fractional(x)
        wide = x.astype(np.float32) if x.dtype == np.float16 else x
        y = function(wide, axis=axes(axis), keepdims=keepdims)
        return cast_to(y, x.dtype)

    name = function.__name__
    return named(op, name, f"`numpy.{name}`; integers give floats.")


def _extreme(function: Callable, name: str) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> np.ndarray:
        bound = {} if initial is None else {"initial": initial}
        return function(array(x), axis=axes(axis), keepdims=keepdims, **bound)

    return named(op, name, f"`numpy.{name}`; keeps the dtype.")


def _bound(function: Callable, name: str) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
        return function(array(x), axis=axes(axis), keepdims=keepdims)

    return named(op, name, f"`numpy.{name}`; keeps the dtype.")


def _logical(function: Callable) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
        return function(array(x), axis=axes(axis), keepdims=keepdims)

    name = function.__name__
    return named(op, name, f"`numpy.{name}`: a bool per reduced axis.")


def _arg(function: Callable) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: int | None = None, keepdims: bool = False) -> np.ndarray:
        return cast_to(function(array(x), axis=axis, keepdims=keepdims), np.int32)

    name = function.__name__
    return named(op, name, f"`numpy.{name}`, as int32.")


def _nan_arg(function: Callable, worst: float) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: int | None = None, keepdims: bool = False) -> np.ndarray:
        x = array(x)
        missing = np.isnan(x)
        x = np.where(missing, x.dtype.type(worst), x) if x.dtype.kind == "f" else x
        index = function(x, axis=axis, keepdims=keepdims)
        none = np.all(missing, axis=axis, keepdims=keepdims)
        return cast_to(np.where(none, -1, index), np.int32)

    name = f"nan{function.__name__}"
    return named(op, name, f"`numpy.{name}`, as int32; -1 where there is nothing but NaN.")


def _running(function: Callable) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: int | None = None, dtype: Any = None) -> np.ndarray:
        x = array(x)
        own = np.int32 if x.dtype.kind == "b" else x.dtype
        return function(x, axis=axis, dtype=dtype or own)

    name = function.__name__
    return named(op, name, f"`numpy.{name}` in the dtype of x; bools count as int32.")


def cast_to(x: Any, dtype: Any) -> Any:
    """Cast an array or a scalar."""
    return x if x.dtype == dtype else x.astype(dtype)


sum = _summing(np.sum)
nansum = _summing(np.nansum)
nanprod = _summing(np.nanprod)
mean = averaging(np.mean)
std = averaging(np.std)
var = averaging(np.var)
nanmean = averaging(np.nanmean)
nanstd = averaging(np.nanstd)
nanvar = averaging(np.nanvar)
max = _extreme(np.max, "max")
min = _extreme(np.min, "min")
amax = _bound(np.max, "amax")
amin = _bound(np.min, "amin")
nanmax = _bound(np.nanmax, "nanmax")
nanmin = _bound(np.nanmin, "nanmin")
all = _logical(np.all)
any = _logical(np.any)
argmax = _arg(np.argmax)
argmin = _arg(np.argmin)
nanargmax = _nan_arg(np.argmax, -np.inf)
nanargmin = _nan_arg(np.argmin, np.inf)
cumsum = _running(np.cumsum)
cumprod = _running(np.cumprod)
nancumsum = _running(np.nancumsum)
nancumprod = _running(np.nancumprod)


@recorded
def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> np.ndarray:
    """`numpy.prod` in the dtype of x, small integers widened to 32 bits, or in another."""
    x = array(x)
    made = accumulator(x) if dtype is None else numpy_dtype(dtype)
    return np.prod(x, axis=axes(axis), keepdims=keepdims, dtype=made)


@recorded
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """max - min."""
    return np.ptp(array(x), axis=axes(axis), keepdims=keepdims)


@recorded
def count_nonzero(x: Any, axis: Any = None) -> np.ndarray:
    """The number of elements that are not 0, as int32."""
    return np.asarray(np.count_nonzero(array(x), axis=axes(axis)), np.int32)[()]


@recorded
def average(x: Any, axis: Any = None, weights: Any = None) -> np.ndarray:
    """The mean, weighted if there are weights."""
    if weights is None:
        return mean(x, axis)
    x, weights = (fractional(a) for a in promote(x, weights))
    return cast_to(np.average(x, axis=axes(axis), weights=weights), x.dtype)


@recorded
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """log(sum(e^x)), computed as max + log(sum(e^(x - max)))."""
    x = fractional(x)
    axis = axes(axis)
    top = np.max(x, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, x.dtype.type(0))
    total = np.sum(np.exp(x - top), axis=axis, keepdims=True)
    with np.errstate(divide="ignore"):  # nothing but -inf: log 0
        y = np.log(total) + top
    if keepdims:
        return y
    return y.reshape(())[()] if axis is None else np.squeeze(y, axis=axis)


@recorded
def diff(a: Any, n: int = 1, axis: int = -1) -> np.ndarray:
    """The n-th differences along an axis."""
    return np.diff(array(a), n=n, axis=axis)


@recorded
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> np.ndarray:
    """How often each number occurs, or the sum of its weights; row by row for a matrix."""
    if sparse:
        raise ValueError("bincount: sparse results are not supported.")
    x = array(x)
    if x.ndim < 2:
        counts = np.bincount(x, None if weights is None else array(weights), minlength)
        return counts.astype(np.int32 if weights is None else array(weights).dtype)
    rows = x.reshape(-1, x.shape[-1])
    length = builtins.max(minlength, int(x.max(initial=-1)) + 1)
    row_weights = [None] * len(rows) if weights is None else array(weights).reshape(rows.shape)
    by_row = [bincount(row, w, length) for row, w in zip(rows, row_weights, strict=True)]
    return np.reshape(by_row, (*x.shape[:-1], length))


@recorded
def histogram(
    x: Any, bins: int = 10, range: tuple[float, float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The counts in equal bins (int32) and the bins' edges."""
    x = array(x)
    if x.ndim != 1:
        raise ValueError(f"histogram takes a vector. Received: shape={x.shape}")
    counts, edges = np.histogram(x, bins=bins, range=range)
    return counts.astype(np.int32), edges.astype(fractional(x).dtype)


@recorded
def nonzero(x: Any) -> tuple[np.ndarray, ...]:
    """The indices of the elements that are not 0, one int32 array per axis."""
    return tuple(index.astype(np.int32) for index in np.nonzero(array(x)))


def _segment(ufunc: np.ufunc, name: str, initial: Callable) -> Callable[..., np.ndarray]:
    def op(
        data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
    ) -> np.ndarray:
        data, ids = array(data), array(segment_ids)
        if ids.ndim != 1 or data.shape[:1] != ids.shape:
            raise ValueError(
                f"{name}: `segment_ids` must be a vector, with a number for each row of `data`. "
                f"Received: shapes {ids.shape} and {data.shape}"
            )
        count = int(ids.max(initial=-1)) + 1 if num_segments is None else num_segments
        result = np.full((count, *data.shape[1:]), initial(data.dtype), data.dtype)
        kept = (ids >= 0) & (ids < count)
        ufunc.at(result, ids[kept], data[kept])
        return result

    return named(op, name, f"`numpy.{ufunc.__name__}` over the rows that share a segment number.")


def _least(dtype: np.dtype) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _greatest(dtype: np.dtype) -> Any:
    return np.inf if dtype.kind == "f" else np.iinfo(dtype).max


segment_sum = _segment(np.add, "segment_sum", lambda dtype: 0)
segment_prod = _segment(np.multiply, "segment_prod", lambda dtype: 1)
segment_max = _segment(np.maximum, "segment_max", _least)
segment_min = _segment(np.minimum, "segment_min", _greatest)
