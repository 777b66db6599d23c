"""Reductions, running sums, order statistics and searching, under NumPy's names."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ._arrays import accumulator, array, axes, fractional, named, numpy_dtype, promote, recorded

_Method = Literal[
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]


def _summing(function: Callable) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
        x = array(x)
        return function(x, axis=axes(axis), keepdims=keepdims, dtype=accumulator(x))

    name = function.__name__
    return named(op, name, f"`numpy.{name}` in the dtype of x; small integers widen to 32 bits.")


def _averaging(function: Callable) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
        x = fractional(x)
        wide = x.astype(np.float32) if x.dtype == np.float16 else x
        y = function(wide, axis=axes(axis), keepdims=keepdims)
        return _as(y, x.dtype)

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
        return _as(function(array(x), axis=axis, keepdims=keepdims), np.int32)

    name = function.__name__
    return named(op, name, f"`numpy.{name}`, as int32.")


def _running(function: Callable) -> Callable[..., np.ndarray]:
    def op(x: Any, axis: int | None = None, dtype: Any = None) -> np.ndarray:
        x = array(x)
        own = np.int32 if x.dtype.kind == "b" else x.dtype
        return function(x, axis=axis, dtype=dtype or own)

    name = function.__name__
    return named(op, name, f"`numpy.{name}` in the dtype of x; bools count as int32.")


def _as(x: Any, dtype: Any) -> Any:
    """Cast an array or a scalar."""
    return x if x.dtype == dtype else x.astype(dtype)


sum = _summing(np.sum)
nansum = _summing(np.nansum)
nanprod = _summing(np.nanprod)
mean = _averaging(np.mean)
std = _averaging(np.std)
var = _averaging(np.var)
median = _averaging(np.median)
nanmean = _averaging(np.nanmean)
nanstd = _averaging(np.nanstd)
nanvar = _averaging(np.nanvar)
nanmedian = _averaging(np.nanmedian)
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
nanargmax = _arg(np.nanargmax)
nanargmin = _arg(np.nanargmin)
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
    return _as(np.average(x, axis=axes(axis), weights=weights), x.dtype)


@recorded
def quantile(
    x: Any, q: Any, axis: Any = None, method: _Method = "linear", keepdims: bool = False
) -> np.ndarray:
    """`numpy.quantile`, q in [0, 1]; integers give floats."""
    return _quantile(np.quantile, x, q, axis, method, keepdims)


@recorded
def percentile(
    x: Any, q: Any, axis: Any = None, method: _Method = "linear", keepdims: bool = False
) -> np.ndarray:
    """`numpy.percentile`, q in [0, 100]; integers give floats."""
    return quantile(x, np.asarray(q, np.float64) / 100.0, axis, method, keepdims)


@recorded
def nanquantile(
    x: Any, q: Any, axis: Any = None, method: _Method = "linear", keepdims: bool = False
) -> np.ndarray:
    """`quantile` of what is no NaN."""
    return _quantile(np.nanquantile, x, q, axis, method, keepdims)


@recorded
def nanpercentile(
    x: Any, q: Any, axis: Any = None, method: _Method = "linear", keepdims: bool = False
) -> np.ndarray:
    """`percentile` of what is no NaN."""
    return nanquantile(x, np.asarray(q, np.float64) / 100.0, axis, method, keepdims)


def _quantile(
    function: Callable, x: Any, q: Any, axis: Any, method: str, keepdims: bool
) -> np.ndarray:
    x = fractional(x)
    found = function(
        x, np.asarray(q, np.float64), axis=axes(axis), method=method, keepdims=keepdims
    )
    return _as(found, x.dtype)


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
def sort(x: Any, axis: int | None = -1) -> np.ndarray:
    """x in ascending order along an axis."""
    return np.sort(array(x), axis=axis)


@recorded
def argsort(x: Any, axis: int | None = -1) -> np.ndarray:
    """The indices that sort x, equal elements in their order, as int32."""
    return np.argsort(array(x), axis=axis, kind="stable").astype(np.int32)


@recorded
def argpartition(x: Any, kth: int, axis: int = -1) -> np.ndarray:
    """The indices that put the k-th element in its place, as int32."""
    return np.argpartition(array(x), kth, axis).astype(np.int32)


@recorded
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """The k greatest values along the last axis, greatest first, and their indices."""
    x = array(x)
    if not 0 <= k <= x.shape[-1]:
        raise ValueError(f"top_k: expected k in [0, {x.shape[-1]}]. Received: k={k}")
    order = np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1][..., :k]
    order = x.shape[-1] - 1 - order  # reversed twice: equal values keep their order
    return np.take_along_axis(x, order, axis=-1), order.astype(np.int32)


@recorded
def in_top_k(targets: Any, predictions: Any, k: int) -> np.ndarray:
    """Whether the value at each target's index is among the row's k greatest; none at an index
    that does not exist, and NaN, are not."""
    targets, predictions = array(targets).astype(np.intp), array(predictions)
    count = predictions.shape[-1]
    exists = (targets >= -count) & (targets < count)
    if not count:
        return exists
    index = np.where(exists, targets, 0)[..., None]
    values = np.take_along_axis(predictions, index, axis=-1)
    fewer = np.sum(predictions > values, axis=-1) < k
    return fewer & exists & ~np.isnan(values[..., 0])


@recorded
def searchsorted(
    sorted_sequence: Any, values: Any, side: Literal["left", "right"] = "left"
) -> np.ndarray:
    """Where values would be inserted into a sorted vector, as int32."""
    sequence = array(sorted_sequence)
    if sequence.ndim != 1:
        raise ValueError(
            f"searchsorted takes a vector to search in. Received: shape={sequence.shape}"
        )
    return np.asarray(np.searchsorted(sequence, array(values), side)).astype(np.int32)


@recorded
def digitize(x: Any, bins: Any) -> np.ndarray:
    """The bin of each element, as int32."""
    return np.asarray(np.digitize(array(x), array(bins))).astype(np.int32)


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


@recorded
def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """`numpy.unique`; `size` cuts or pads with `fill_value` (default: the least value)."""
    results = np.unique(
        array(x), return_index=True, return_inverse=True, return_counts=True, axis=axis
    )
    values, index, inverse, counts = results
    if size is not None:
        along = axis or 0
        values = np.take(values, np.arange(builtins.min(size, values.shape[along])), along)
        index, counts = index[:size], counts[:size]
        missing = size - values.shape[along]
        if missing > 0:
            first = np.take(values, [0], along)
            fill = first if fill_value is None else np.full_like(first, fill_value)
            values = np.concatenate([values, np.repeat(fill, missing, along)], along)
            index = np.concatenate([index, np.repeat(index[:1], missing)])
            counts = np.concatenate([counts, np.zeros(missing, counts.dtype)])
    chosen = [values]
    for wanted, result in (
        (return_index, index),
        (return_inverse, inverse),
        (return_counts, counts),
    ):
        if wanted:
            chosen.append(result.astype(np.int32))
    return chosen[0] if len(chosen) == 1 else tuple(chosen)


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
