"""Reshaping, joining, splitting and indexing arrays, under NumPy's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from .. import _plan
from .._symbolic import KerasTensor
from . import _arrays
from ._arrays import (
    array,
    axes,
    named,
    numpy_dtype,
    pair,
    promote,
    recorded,
)

_PadMode = Literal[
    "constant",
    "edge",
    "empty",
    "linear_ramp",
    "maximum",
    "mean",
    "median",
    "minimum",
    "reflect",
    "symmetric",
    "wrap",
]


def _plain(function: Callable, op: Callable) -> Callable:
    """Name an op that does what a function of NumPy does, with Keras' arguments."""
    return named(op, function, f"`numpy.{function.__name__}`; keeps the dtype.")


diag = _plain(np.diag, lambda x, k=0: np.diag(array(x), k))
diagflat = _plain(np.diagflat, lambda x, k=0: np.diagflat(array(x), k))
diagonal = _plain(
    np.diagonal, lambda x, offset=0, axis1=0, axis2=1: np.diagonal(array(x), offset, axis1, axis2)
)
flip = _plain(np.flip, lambda x, axis=None: np.flip(array(x), axes(axis)))
fliplr = _plain(np.fliplr, lambda x: np.fliplr(array(x)))
flipud = _plain(np.flipud, lambda x: np.flipud(array(x)))
moveaxis = _plain(
    np.moveaxis, lambda x, source, destination: np.moveaxis(array(x), source, destination)
)
ravel = _plain(np.ravel, lambda x: np.ravel(array(x)))
roll = _plain(np.roll, lambda x, shift, axis=None: np.roll(array(x), shift, axes(axis)))
swapaxes = _plain(np.swapaxes, lambda x, axis1, axis2: np.swapaxes(array(x), axis1, axis2))
tile = _plain(np.tile, lambda x, repeats: np.tile(array(x), repeats))
tril = _plain(np.tril, lambda x, k=0: np.tril(array(x), k))
triu = _plain(np.triu, lambda x, k=0: np.triu(array(x), k))


@recorded
def reshape(x: Any, newshape: int | Sequence[int]) -> np.ndarray:
    """The same elements in another shape; one entry may be -1, ValueError for other negatives."""
    sizes = (newshape,) if isinstance(newshape, (int, np.integer)) else tuple(newshape)
    if min(sizes, default=0) < -1:
        raise ValueError(f"reshape: sizes are non-negative, or -1 once. Received: {sizes}")
    return array(x).reshape(sizes)


@recorded
def transpose(x: Any, axes: Sequence[int] | None = None) -> np.ndarray:
    """A C-contiguous copy with its axes in another order, by default reversed.

    Raises:
        ValueError: if `axes` is no permutation of the axes.
    """
    x = array(x)
    return _plan.apply_permute(x, range(x.ndim)[::-1] if axes is None else axes)


permute = transpose


@recorded
def expand_dims(x: Any, axis: int | Sequence[int]) -> np.ndarray:
    """Insert axes of size 1."""
    return np.expand_dims(array(x), axes(axis))


@recorded
def squeeze(x: Any, axis: int | Sequence[int] | None = None) -> np.ndarray:
    """Remove axes of size 1."""
    return np.squeeze(array(x), axes(axis))


@recorded
def repeat(x: Any, repeats: Any, axis: int | None = None) -> np.ndarray:
    """Repeat the elements along an axis (None: of the flattened array)."""
    return np.repeat(array(x), repeats, axis)


@recorded
def broadcast_to(x: Any, shape: Sequence[int]) -> np.ndarray:
    """Stretch to a shape; a copy, so that it can be written to."""
    return np.array(np.broadcast_to(array(x), tuple(shape)))


@recorded
def pad(
    x: Any, pad_width: Any, mode: _PadMode = "constant", constant_values: Any = None
) -> np.ndarray:
    """`numpy.pad`; `constant_values` only with mode "constant"."""
    if constant_values is None:
        return np.pad(array(x), pad_width, mode)
    if mode != "constant":
        raise ValueError(
            "pad: `constant_values` belongs to mode='constant'. "
            f"Received: mode={mode!r}, constant_values={constant_values}"
        )
    return np.pad(array(x), pad_width, mode, constant_values=constant_values)


@recorded
def rot90(array: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> np.ndarray:
    """Turn by 90 degrees in the plane of two axes, k times."""
    return np.rot90(_arrays.array(array), k, axes)


@recorded
def concatenate(xs: Sequence[Any], axis: int = 0) -> np.ndarray:
    """Join along an existing axis, in the common dtype."""
    return np.concatenate(promote(*xs), axis=axis)


@recorded
def stack(x: Sequence[Any], axis: int = 0) -> np.ndarray:
    """Join along a new axis, in the common dtype."""
    return np.stack(promote(*x), axis=axis)


@recorded
def hstack(xs: Sequence[Any]) -> np.ndarray:
    """Join along the second axis (vectors: the first)."""
    return np.hstack(promote(*xs))


@recorded
def vstack(xs: Sequence[Any]) -> np.ndarray:
    """Join along the first axis, vectors being rows."""
    return np.vstack(promote(*xs))


@recorded
def dstack(xs: Sequence[Any]) -> np.ndarray:
    """Join along the third axis."""
    return np.dstack(promote(*xs))


@recorded
def append(x1: Any, x2: Any, axis: int | None = None) -> np.ndarray:
    """Join two arrays, flattened unless there is an axis."""
    return np.append(*pair(x1, x2), axis=axis)


@recorded
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[np.ndarray]:
    """Cut into equal parts, or at indices."""
    return np.split(array(x), indices_or_sections, axis=axis)


@recorded
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[np.ndarray]:
    """Cut into parts that need not be equal, or at indices."""
    return np.array_split(array(x), indices_or_sections, axis=axis)


hsplit = _plain(np.hsplit, lambda x, indices_or_sections: np.hsplit(array(x), indices_or_sections))
vsplit = _plain(np.vsplit, lambda x, indices_or_sections: np.vsplit(array(x), indices_or_sections))
dsplit = _plain(np.dsplit, lambda x, indices_or_sections: np.dsplit(array(x), indices_or_sections))


@recorded
def take(x: Any, indices: Any, axis: int | None = None) -> np.ndarray:
    """The elements or slices at indices; negative ones count from the end."""
    return np.take(array(x), array(indices).astype(np.intp, copy=False), axis=axis)


@recorded
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> np.ndarray:
    """The elements at indices that are given per position."""
    return np.take_along_axis(array(x), array(indices).astype(np.intp, copy=False), axis)


@recorded
def get_item(x: Any, key: Any) -> np.ndarray:
    """x[key]."""
    return array(x)[key]


@recorded
def unravel_index(indices: Any, shape: Sequence[int]) -> tuple[np.ndarray, ...]:
    """The index tuples of flat indices, in their dtype."""
    indices = array(indices)
    found = np.unravel_index(indices, tuple(shape))
    return tuple(np.asarray(index, indices.dtype) for index in found)


@recorded
def meshgrid(*x: Any, indexing: Literal["xy", "ij"] = "xy") -> list[np.ndarray]:
    """`numpy.meshgrid`."""
    return list(np.meshgrid(*(array(a) for a in x), indexing=indexing))


@recorded
def view(x: Any, dtype: Any = None) -> np.ndarray:
    """The same bytes as another dtype."""
    x = array(x)
    return x if dtype is None else x.view(numpy_dtype(dtype))


@recorded
def copy(x: Any) -> np.ndarray:
    """A copy."""
    return np.array(array(x))


@recorded
def ndim(x: Any) -> int:
    """The number of axes."""
    return x.ndim if isinstance(x, KerasTensor) else array(x).ndim


@recorded
def size(x: Any, axis: int | None = None) -> int:
    """The number of elements, or the size of an axis."""
    return np.size(array(x), axis)
