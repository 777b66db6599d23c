"""The rules of coreops/ops/ordering.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from .basic import Rule


def _sort(dy: Any, y: Any, x: Any, axis: int | None = -1) -> np.ndarray:
    if axis is None:
        return _sort(dy, y, np.ravel(x)).reshape(np.shape(x))
    dx = np.zeros(np.shape(x), dy.dtype)
    np.put_along_axis(dx, np.argsort(x, axis=axis, kind="stable"), dy, axis)
    return dx


def _top_k(dy: Any, y: Any, x: Any, *_: Any, **__: Any) -> np.ndarray:
    dx = np.zeros(np.shape(x), y[0].dtype)
    np.put_along_axis(dx, y[1].astype(np.intp), dy[0], axis=-1)
    return dx


def _quantile(
    dy: Any,
    y: Any,
    x: Any,
    q: Any,
    axis: Any = None,
    method: str = "linear",
    keepdims: bool = False,
) -> np.ndarray:
    """Each quantile lies between two neighbours in order, and gives each its part."""
    if method != "linear":
        raise NotImplementedError(f"ops.quantile has no gradient for method={method!r}")
    axes = tuple(range(np.ndim(x))) if axis is None else np.atleast_1d(axis)
    last = range(-len(axes), 0)
    turned = np.moveaxis(x, axes, last)
    flat = turned.reshape(*turned.shape[: turned.ndim - len(axes)], -1)
    order, dx = np.argsort(flat, axis=-1, kind="stable"), np.zeros(flat.shape, dy.dtype)
    several = np.ndim(q) > 0
    for part, rank in zip(dy if several else [dy], np.ravel(q) * (flat.shape[-1] - 1), strict=True):
        part = np.reshape(part, (*flat.shape[:-1], 1))
        low = int(np.floor(rank))
        for place, weight in ((low, 1 - (rank - low)), (int(np.ceil(rank)), rank - low)):
            index = order[..., place : place + 1]
            before = np.take_along_axis(dx, index, -1)
            np.put_along_axis(dx, index, before + part * weight, -1)
    return np.moveaxis(dx.reshape(turned.shape), last, axes)


def _median(dy: Any, y: Any, x: Any, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    return _quantile(dy, y, x, 0.5, axis, keepdims=keepdims)


def _percentile(dy: Any, y: Any, x: Any, q: Any, *args: Any, **kwargs: Any) -> np.ndarray:
    return _quantile(dy, y, x, np.asarray(q) / 100.0, *args, **kwargs)


RULES: dict[str, Rule] = {
    "sort": _sort,
    "top_k": _top_k,
    "median": _median,
    "quantile": _quantile,
    "percentile": _percentile,
}
