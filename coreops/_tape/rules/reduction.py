"""The rules of coreops/ops/reduction.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from .basic import Rule, as_axes, spread
from .elementwise import _nonzero


def _sum(dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    return np.broadcast_to(spread(dy, x, axis, keepdims), np.shape(x))


def _mean(dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    return _sum(dy / (np.size(x) / max(np.size(y), 1)), y, x, axis, keepdims)


def _deviation(x: Any, axis: Any) -> np.ndarray:
    return x - np.mean(x, axis=as_axes(axis), keepdims=True)


def _var(dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    return 2 * _mean(dy, y, x, axis, keepdims) * _deviation(x, axis)


def _std(dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """0 where all elements are equal."""
    return _mean(dy / _nonzero(y), y, x, axis, keepdims) * _deviation(x, axis)


def extreme(
    dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None
) -> np.ndarray:
    """The elements that are the extreme share the gradient."""
    chosen = np.equal(x, spread(y, x, axis, keepdims))
    count = np.sum(chosen, axis=as_axes(axis), keepdims=True, dtype=dy.dtype)
    return np.where(chosen, spread(dy, x, axis, keepdims) / _nonzero(count), 0)


def _ptp(dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    top, bottom = (f(x, axis=as_axes(axis), keepdims=keepdims) for f in (np.max, np.min))
    return extreme(dy, top, x, axis, keepdims) - extreme(dy, bottom, x, axis, keepdims)


def _prod(
    dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None
) -> np.ndarray:
    """The product of the others: of those before and of those behind, as one may be 0."""
    axes = range(np.ndim(x)) if axis is None else np.atleast_1d(axis)
    last = range(-len(axes), 0)
    turned = np.moveaxis(x, axes, last)
    flat = turned.reshape(*turned.shape[: turned.ndim - len(axes)], -1)
    others = _before(flat) * _before(flat[..., ::-1])[..., ::-1]
    others = np.moveaxis(others.reshape(turned.shape), last, axes)
    return spread(dy, x, axis, keepdims) * others


def _before(x: np.ndarray) -> np.ndarray:
    """The product of the elements before each along the last axis."""
    products = np.ones_like(x)
    np.cumprod(x[..., :-1], axis=-1, out=products[..., 1:])
    return products


def _nanmean(dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    count = np.sum(~np.isnan(x), axis=as_axes(axis), keepdims=keepdims)
    return _nansum(dy / count.astype(dy.dtype), y, x, axis, keepdims)


def _nansum(dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    return np.where(np.isnan(x), 0, spread(dy, x, axis, keepdims))


def _logsumexp(dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    shares = np.exp(x - spread(y, x, axis, keepdims))
    return spread(dy, x, axis, keepdims) * np.where(np.equal(x, -np.inf), 0, shares)


def _cumsum(dy: Any, y: Any, x: Any, axis: int | None = None, dtype: Any = None) -> np.ndarray:
    along = 0 if axis is None else axis
    return np.flip(np.cumsum(np.flip(dy, along), along), along).reshape(np.shape(x))


def _cumprod(dy: Any, y: Any, x: Any, axis: int | None = None, dtype: Any = None) -> np.ndarray:
    """What follows an element reaches it through the product of what lies between."""
    turned = np.ravel(x) if axis is None else np.moveaxis(x, axis, -1)
    back = np.array(dy if axis is None else np.moveaxis(dy, axis, -1))
    for i in range(turned.shape[-1] - 2, -1, -1):
        back[..., i] += turned[..., i + 1] * back[..., i + 1]
    back *= _before(turned)
    return back.reshape(np.shape(x)) if axis is None else np.moveaxis(back, -1, axis)


def _diff(dy: Any, y: Any, x: Any, n: int = 1, axis: int = -1) -> np.ndarray:
    edges = [(0, 0)] * np.ndim(x)
    edges[axis] = (1, 1)
    for _ in range(n):
        dy = -np.diff(np.pad(dy, edges), axis=axis)
    return dy


def _along(weights: Any, x: Any, axis: Any) -> np.ndarray:
    """The weights of an average in a shape that broadcasts with x."""
    if np.shape(weights) == np.shape(x):
        return np.asarray(weights)
    axes = [a % np.ndim(x) for a in np.atleast_1d(axis)]
    sizes = dict(zip(axes, np.shape(weights), strict=True))
    order = np.argsort(axes)
    return np.transpose(weights, order).reshape([sizes.get(i, 1) for i in range(np.ndim(x))])


def _average(dy: Any, y: Any, x: Any, axis: Any = None, weights: Any = None) -> np.ndarray:
    if weights is None:
        return _mean(dy, y, x, axis)
    shares = np.broadcast_to(_along(weights, x, axis), np.shape(x))
    shares = shares / np.sum(shares, axis=as_axes(axis), keepdims=True)
    return spread(dy, x, axis, False) * shares


def _average_weights(dy: Any, y: Any, x: Any, axis: Any = None, weights: Any = None) -> np.ndarray:
    wide = _along(weights, x, axis)
    total = np.sum(np.broadcast_to(wide, np.shape(x)), axis=as_axes(axis), keepdims=True)
    dw = spread(dy, x, axis, False) * (x - spread(y, x, axis, False)) / total
    if np.shape(weights) == np.shape(x):
        return dw
    axes = [a % np.ndim(x) for a in np.atleast_1d(axis)]
    dw = np.sum(dw, axis=tuple(i for i in range(np.ndim(x)) if i not in axes))
    return np.transpose(dw, np.argsort(np.argsort(axes)))


def _of_rows(dy: Any, ids: Any) -> np.ndarray:
    """The row of each segment number; zeros for numbers out of range."""
    ids = np.asarray(ids)
    inside = (ids >= 0) & (ids < len(dy))
    padded = np.concatenate([dy, np.zeros_like(dy, shape=(1, *dy.shape[1:]))])
    return padded[np.where(inside, ids, len(dy))]


def _segment_extreme(dy: Any, y: Any, x: Any, ids: Any, *_: Any, **__: Any) -> np.ndarray:
    chosen = np.equal(x, _of_rows(y, ids))
    count, ids = np.zeros_like(y), np.asarray(ids)
    inside = (ids >= 0) & (ids < len(y))
    np.add.at(count, ids[inside], chosen[inside])
    return np.where(chosen, _of_rows(dy / _nonzero(count), ids), 0)


RULES: dict[str, Rule] = {
    "sum": _sum,
    "mean": _mean,
    "var": _var,
    "std": _std,
    "prod": _prod,
    "max": extreme,
    "min": extreme,
    "amax": extreme,
    "amin": extreme,
    "nanmax": extreme,
    "nanmin": extreme,
    "nansum": _nansum,
    "nanmean": _nanmean,
    "ptp": _ptp,
    "logsumexp": _logsumexp,
    "cumsum": _cumsum,
    "cumprod": _cumprod,
    "diff": _diff,
    "average": (_average, None, _average_weights),
    "bincount": (None, lambda dy, y, x, *_, **__: np.take_along_axis(dy, np.asarray(x), -1)),
    "segment_sum": lambda dy, y, x, ids, *_, **__: _of_rows(dy, ids),
    "segment_max": _segment_extreme,
    "segment_min": _segment_extreme,
}
