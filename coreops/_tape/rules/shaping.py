"""The rules of coreops/ops/shaping.py, and of the slices and scatters of coreops/ops/core.py."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from .basic import Each, Rule, as_axes, block, moved


def _unchanged(dy: Any, y: Any, *_: Any, **__: Any) -> Any:
    return dy


def _reshaped(dy: Any, y: Any, x: Any, *_: Any, **__: Any) -> np.ndarray:
    return np.reshape(dy, np.shape(x))


def _transpose(dy: Any, y: Any, x: Any, axes: Any = None) -> np.ndarray:
    return np.transpose(dy, None if axes is None else np.argsort([a % np.ndim(x) for a in axes]))


def _roll(dy: Any, y: Any, x: Any, shift: Any, axis: Any = None) -> np.ndarray:
    return np.roll(dy, np.negative(shift), as_axes(axis))


def _moveaxis(dy: Any, y: Any, x: Any, source: Any, destination: Any) -> np.ndarray:
    return np.moveaxis(dy, destination, source)


def _concatenate(dy: Any, y: Any, xs: Any, axis: int = 0) -> list:
    return np.split(dy, np.cumsum([np.shape(x)[axis] for x in xs])[:-1], axis)


def _stack(dy: Any, y: Any, xs: Any, axis: int = 0) -> list:
    return list(np.moveaxis(dy, axis, 0))


def _joined(at_least: Any, axis: int) -> Any:
    """The rule of hstack, vstack, dstack: `concatenate` after what they do to small arrays."""

    def rule(dy: Any, y: Any, xs: Any) -> list:
        wide = [at_least(x) for x in xs]
        parts = _concatenate(dy, y, wide, 0 if wide[0].ndim == 1 else axis)
        return [np.reshape(part, np.shape(x)) for part, x in zip(parts, xs, strict=True)]

    return rule


def _append(dy: Any, y: Any, x1: Any, x2: Any, axis: int | None = None) -> list:
    if axis is not None:
        return _concatenate(dy, y, [x1, x2], axis)
    size = np.size(x1)
    return [np.reshape(dy[:size], np.shape(x1)), np.reshape(dy[size:], np.shape(x2))]


def _split(dy: Any, y: Any, x: Any, sections: Any, axis: int = 0) -> np.ndarray:
    return np.concatenate(dy, axis)


def _unstack(dy: Any, y: Any, x: Any, num: int | None = None, axis: int = 0) -> np.ndarray:
    return np.stack(dy, axis) if dy else np.zeros(np.shape(x))


def _pad(
    dy: Any, y: Any, x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None
) -> np.ndarray:
    if mode != "constant":
        return moved(np.pad)(dy, y, x, pad_width, mode)
    widths = np.broadcast_to(pad_width, (np.ndim(x), 2))
    inside = (slice(w, w + n) for (w, _), n in zip(widths, np.shape(x), strict=True))
    return dy[tuple(inside)]


def _get_item(dy: Any, y: Any, x: Any, key: Any) -> np.ndarray:
    dx = np.zeros(np.shape(x), dy.dtype)
    keys = key if isinstance(key, tuple) else (key,)
    if builtins.all(k is None or k is ... or isinstance(k, (int, slice, np.integer)) for k in keys):
        dx[key] = dy
    else:  # arrays of indices, which may repeat themselves
        np.add.at(dx, key, dy)
    return dx


def _take(dy: Any, y: Any, x: Any, indices: Any, axis: int | None = None) -> np.ndarray:
    dx, indices = np.zeros(np.shape(x), dy.dtype), np.asarray(indices).astype(np.intp)
    if axis is None:
        np.add.at(dx.reshape(-1), indices, dy)
    else:
        axis %= dx.ndim
        key = (*(slice(None),) * axis, indices)
        np.add.at(dx, key, dy)
    return dx


def _take_along_axis(dy: Any, y: Any, x: Any, indices: Any, axis: int | None = None) -> np.ndarray:
    indices = np.asarray(indices).astype(np.intp)
    return moved(np.take_along_axis)(dy, y, x, indices, axis)


def _meshgrid(position: int, dys: Any, y: Any, *xs: Any, indexing: str = "xy") -> np.ndarray:
    axis = position if indexing == "ij" or position > 1 or len(xs) < 2 else 1 - position
    dy = dys[position]
    total = np.sum(dy, axis=tuple(a for a in range(dy.ndim) if a != axis))
    return np.reshape(total, np.shape(xs[position]))


def _slice(dy: Any, y: Any, x: Any, start_indices: Any, shape: Any) -> np.ndarray:
    return _get_item(dy, y, x, block(np.shape(x), start_indices, shape))


def _slice_update(dy: Any, y: Any, x: Any, start_indices: Any, updates: Any) -> np.ndarray:
    dx = np.array(dy)
    dx[block(np.shape(x), start_indices, np.shape(updates))] = 0
    return dx


def _slice_updates(dy: Any, y: Any, x: Any, start_indices: Any, updates: Any) -> np.ndarray:
    return dy[block(np.shape(x), start_indices, np.shape(updates))]


def _index(indices: Any) -> tuple:
    return tuple(np.moveaxis(np.asarray(indices).astype(np.intp), -1, 0))


def _scatter(dy: Any, y: Any, indices: Any, values: Any, shape: Any) -> np.ndarray:
    return dy[_index(indices)]


def _scatter_update(
    dy: Any, y: Any, x: Any, indices: Any, updates: Any, reduction: str | None = None
) -> np.ndarray:
    if _only_adds(reduction):
        return dy
    dx = np.array(dy)
    dx[_index(indices)] = 0
    return dx


def _only_adds(reduction: str | None) -> bool:
    """Whether updates are added, not put in place.

    Raises:
        NotImplementedError: another reduction, whose gradient nobody has written.
    """
    if reduction not in (None, "add"):
        raise NotImplementedError(f"scatter_update: reduction={reduction!r} has no gradient here.")
    return reduction == "add"


def _scatter_updates(
    dy: Any, y: Any, x: Any, indices: Any, updates: Any, reduction: str | None = None
) -> np.ndarray:
    """Of the updates of one element the last remains, and has the gradient."""
    if _only_adds(reduction):
        return dy[_index(indices)]
    index, owner = _index(indices), np.zeros(dy.shape, np.intp)
    found = dy[index]
    numbers = np.arange(found.size).reshape(found.shape)
    owner[index] = numbers
    return np.where(owner[index] == numbers, found, 0)


def _saturate_cast(dy: Any, y: Any, x: Any, dtype: Any) -> np.ndarray:
    limit = np.finfo(y.dtype).max
    return np.where(np.abs(x) <= limit, dy, 0)


def _same(function: Any) -> Any:
    """The rule of a function that is its own adjoint."""
    return lambda dy, y, x, *args, **kwargs: function(dy, *args, **kwargs)


RULES: dict[str, Rule] = {
    "append": (
        lambda dy, y, *args, **kwargs: _append(dy, y, *args, **kwargs)[0],
        lambda dy, y, *args, **kwargs: _append(dy, y, *args, **kwargs)[1],
    ),
    "array_split": _split,
    "broadcast_to": _unchanged,
    "cast": _unchanged,
    "concatenate": _concatenate,
    "convert_to_tensor": _unchanged,
    "copy": _unchanged,
    "diag": moved(np.diag),
    "diagflat": moved(np.diagflat),
    "diagonal": moved(np.diagonal),
    "dsplit": moved(np.dsplit),
    "dstack": _joined(np.atleast_3d, 2),
    "expand_dims": _reshaped,
    "flip": _same(np.flip),
    "fliplr": _same(np.fliplr),
    "flipud": _same(np.flipud),
    "full": (None, _unchanged),
    "full_like": (None, _unchanged),
    "get_item": _get_item,
    "hsplit": moved(np.hsplit),
    "hstack": _joined(np.atleast_1d, 1),
    "meshgrid": Each(_meshgrid),
    "moveaxis": _moveaxis,
    "pad": _pad,
    "ravel": _reshaped,
    "repeat": moved(np.repeat),
    "reshape": _reshaped,
    "roll": _roll,
    "rot90": moved(np.rot90),
    "saturate_cast": _saturate_cast,
    "scatter": (None, _scatter),
    "scatter_update": (_scatter_update, None, _scatter_updates),
    "slice": _slice,
    "slice_update": (_slice_update, None, _slice_updates),
    "split": _split,
    "squeeze": _reshaped,
    "stack": _stack,
    "swapaxes": _same(np.swapaxes),
    "take": _take,
    "take_along_axis": _take_along_axis,
    "tile": moved(np.tile),
    "transpose": _transpose,
    "tril": _same(np.tril),
    "triu": _same(np.triu),
    "unstack": _unstack,
    "vsplit": moved(np.vsplit),
    "vstack": _joined(np.atleast_2d, 0),
}
