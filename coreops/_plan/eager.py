"""Kernels for functions on arrays: plans of one step, kept for the next call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from .. import _kernels
from .._arguments import normalize_axes
from .arrays import as_array
from .flow import Flow
from .values import Value

_WORKING: dict[str, np.dtype] = {"f4": np.dtype(np.float32), "f8": np.dtype(np.float64)}


@lru_cache(maxsize=256)
def _plan(
    isa: str, shape: tuple[int, ...], dtype: np.dtype, step: str, args: tuple[Any, ...]
) -> _kernels.Plan:
    flow = Flow(shape, dtype)
    y = getattr(flow, step)(Value(0, shape, dtype), *args)
    return flow.plan.finish(y.id, y.shape)


def _run(x: np.ndarray, shape: tuple[int, ...], step: str, *args: Any) -> np.ndarray:
    """x as (batch, *shape) through one step. shape has no zero."""
    rows = np.ascontiguousarray(x, dtype=x.dtype.newbyteorder("=")).reshape((-1, *shape))
    return _plan(_kernels.isa(), shape, rows.dtype, step, args).run(rows)[0]


def _computed(x: Any, what: str, compute: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """compute(x) in a type that the kernels know: integers as floatx, half as float32, with a
    half result."""
    from ..config import floatx

    array = as_array(x, what)
    if array.dtype.kind == "c":
        raise TypeError(f"{what}: expected real numbers, received {array.dtype}")
    half = array.dtype == np.float16
    if array.dtype.kind != "f":
        array = array.astype("float32" if floatx() == "float16" else floatx())
    working = _WORKING.get(array.dtype.str[1:], np.dtype(np.float32))
    result = compute(array.astype(working, copy=False))
    return result.astype(np.float16) if half else result


def apply_activation(
    x: Any, kind: str, p: float = 0.0, q: float = 0.0, r: float = 0.0
) -> np.ndarray:
    """An activation of csrc/activation.h on an array of any shape; a new array of that shape."""
    return _computed(
        x, kind, lambda array: _run(array, (), "act", kind, p, q, r).reshape(array.shape)
    )


def apply_softmax(x: Any, axis: int | Sequence[int] = -1, log: bool = False) -> np.ndarray:
    """Softmax, or its logarithm, over one axis or several; a new array."""

    def compute(array: np.ndarray) -> np.ndarray:
        axes = normalize_axes(axis, array.ndim)
        if array.size == 0:
            return array.copy()
        if not axes:
            return _run(array, (1,), "softmax", -1, log).reshape(array.shape)
        order = [a for a in range(array.ndim) if a not in axes] + axes
        in_place = order == sorted(order)
        moved = array if in_place else apply_permute(array, order)
        n = prod(array.shape[a] for a in axes)
        soft = _run(moved, (n,), "softmax", -1, log).reshape(moved.shape)
        return soft if in_place else apply_permute(soft, np.argsort(order).tolist())

    return _computed(x, "softmax", compute)


def activation_gradient(
    dy: Any, y: Any, x: Any, kind: str, p: float = 0.0, q: float = 0.0, r: float = 0.0
) -> np.ndarray:
    """The gradient of `y = apply_activation(x, kind, p, q, r)`, from that of y."""
    v = y if _kernels.gradient_reads_output(kind, p, q, r) else x
    return _kernels.activation_gradient(kind, p, q, r, *_working(v, dy))


def softmax_gradient(dy: Any, y: Any, axis: int | Sequence[int], log: bool) -> np.ndarray:
    """The gradient of `y = apply_softmax(x, axis, log)`, from that of y."""
    y, dy = _working(y, dy)
    axes = normalize_axes(axis, y.ndim)
    order = [a for a in range(y.ndim) if a not in axes] + axes
    rows = (-1, prod(y.shape[a] for a in axes))
    if y.size == 0:
        return np.zeros_like(y)
    turned = [np.ascontiguousarray(np.transpose(a, order)) for a in (y, dy)]
    dx = _kernels.softmax_gradient(turned[0].reshape(rows), turned[1].reshape(rows), log)
    return np.transpose(dx.reshape(turned[0].shape), np.argsort(order))


def _working(*arrays: Any) -> list[np.ndarray]:
    """Arrays as the gradients' kernels take them."""
    dtype = _WORKING.get(np.asarray(arrays[0]).dtype.str[1:], np.dtype(np.float32))
    return [np.require(a, dtype, ["C", "A"]) for a in arrays]


@lru_cache(maxsize=256)
def _permutation(
    isa: str, shape: tuple[int, ...], dtype: np.dtype, axes: tuple[int, ...]
) -> tuple[_kernels.Plan | None, bool, tuple[int, ...]]:
    """What an array of that shape needs: the plan (None: NumPy does it), whether its first axis is
    the plan's batch, and the result's shape."""
    order = normalize_axes(axes, len(shape))
    if len(order) != len(shape):
        raise ValueError(f"axes={axes} is no permutation of {len(shape)} axes")
    out = tuple(shape[a] for a in order)
    if 0 in shape or dtype.itemsize not in (1, 2, 4, 8, 16):
        return None, False, out
    # An axis that leads before and after is the batch; otherwise the array is one sample.
    lead = bool(order) and order[0] == 0
    dims = tuple(a - lead + 1 for a in order[lead:])
    native = dtype.newbyteorder("=")
    return _plan(isa, shape[lead:], native, "permute", (dims,)), lead, out


def apply_permute(x: Any, axes: Sequence[int]) -> np.ndarray:
    """np.transpose(x, axes) as a new C-contiguous array, for any dtype."""
    array = as_array(x, "permute")
    order = tuple(axes)
    plan, lead, shape = _permutation(_kernels.isa(), array.shape, array.dtype, order)
    if plan is None:
        return np.transpose(array, order).copy()
    rows = np.ascontiguousarray(array, dtype=plan.dtype)
    if lead:
        return plan.run(rows)[0]
    return plan.run(rows.reshape((1, *rows.shape)))[0].reshape(shape)
