"""Order: sorting, order statistics and searching, under NumPy's names."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ._arrays import array, axes, fractional, recorded
from .reduction import averaging, cast_to

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

median = averaging(np.median)
nanmedian = averaging(np.nanmedian)


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
    return cast_to(found, x.dtype)


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
