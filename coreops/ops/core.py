"""Conversion, slicing, scattering and control flow."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import config
from .._tape import Tensor
from ._arrays import array, numpy_dtype, recorded
from .shaping import stack


@recorded
def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None) -> np.ndarray:
    """Return `x` as an array, of the given dtype if there is one.

    Python floats become the default float type and Python ints int32, as in Keras.
    """
    x = array(x)
    return x if dtype is None else x.astype(numpy_dtype(dtype), copy=False)


def convert_to_numpy(x: Any) -> np.ndarray:
    """Return `x` as a NumPy array."""
    return array(x)


def is_tensor(x: Any) -> bool:
    """Return whether `x` is an array."""
    return isinstance(x, (np.ndarray, np.generic, Tensor))


@recorded
def cast(x: Any, dtype: Any) -> np.ndarray:
    """Return `x` with another element type."""
    return array(x).astype(numpy_dtype(dtype), copy=False)


@recorded
def saturate_cast(x: Any, dtype: Any) -> np.ndarray:
    """Return `x` with another element type, values beyond its range clipped to the range."""
    x, dtype = array(x), numpy_dtype(dtype)
    if dtype.kind in "iu":
        info: np.iinfo | np.finfo = np.iinfo(dtype)
    elif dtype.kind == "f":
        info = np.finfo(dtype)
    else:
        return x.astype(dtype)
    low, high = info.min, info.max
    if x.dtype.kind in "iu" and dtype.kind in "iu":
        own = np.iinfo(x.dtype)
        low, high = builtins.max(low, own.min), builtins.min(high, own.max)
        return np.clip(x, low, high).astype(dtype)
    wide = x.astype(np.float64)
    clipped = np.clip(wide, float(low), float(high))
    result = clipped.astype(dtype)
    if dtype.kind in "iu":  # the float nearest to the bound may lie beyond it
        result = np.where(wide >= float(high), dtype.type(high), result)
    return result


@recorded
def dtype(x: Any) -> str:
    """Return the name of the element type."""
    return array(x).dtype.name


@recorded
def shape(x: Any) -> tuple[int, ...]:
    """Return the shape."""
    return array(x).shape


@recorded
def stop_gradient(variable: Any) -> np.ndarray:
    """Return `variable`: nothing is differentiated here."""
    return array(variable)


@recorded
def slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> np.ndarray:
    """Return the block of a shape that starts at the given indices."""
    starts = [int(start) for start in np.asarray(start_indices)]
    block = (builtins.slice(a, a + n) for a, n in zip(starts, shape, strict=True))
    return array(inputs)[tuple(block)]


@recorded
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> np.ndarray:
    """Return a copy of `inputs` with the block at the given indices replaced by `updates`."""
    result, updates = np.array(array(inputs)), array(updates)
    starts = [int(start) for start in np.asarray(start_indices)]
    block = (builtins.slice(a, a + n) for a, n in zip(starts, updates.shape, strict=True))
    result[tuple(block)] = updates
    return result


@recorded
def scatter(indices: Any, values: Any, shape: Sequence[int]) -> np.ndarray:
    """Return zeros of a shape with `values` added at `indices` (index tuples: last axis)."""
    values = array(values)
    result = np.zeros(tuple(shape), values.dtype)
    np.add.at(result, _index(indices), values)
    return result


@recorded
def scatter_update(inputs: Any, indices: Any, updates: Any) -> np.ndarray:
    """Return a copy of `inputs` with the elements at `indices` replaced."""
    result = np.array(array(inputs))
    result[_index(indices)] = array(updates)
    return result


def _index(indices: Any) -> tuple:
    indices = array(indices).astype(np.intp)
    return tuple(np.moveaxis(indices, -1, 0))


@recorded
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[np.ndarray]:
    """Return the list of the slices along `axis`."""
    return list(np.moveaxis(array(x), axis, 0))


def cond(pred: Any, true_fn: Callable, false_fn: Callable) -> Any:
    """Call one of two functions."""
    return true_fn() if pred else false_fn()


def switch(index: Any, branches: Sequence[Callable], *operands: Any) -> Any:
    """Call the function of that index, clipped to the range of `branches`."""
    return branches[int(np.clip(int(index), 0, len(branches) - 1))](*operands)


def while_loop(
    cond: Callable, body: Callable, loop_vars: Any, maximum_iterations: int | None = None
) -> Any:
    """Repeat `loop_vars = body(*loop_vars)` while `cond(*loop_vars)`."""
    single = not isinstance(loop_vars, (tuple, list))
    state = (loop_vars,) if single else tuple(loop_vars)
    count = 0
    while cond(*state) and (maximum_iterations is None or count < maximum_iterations):
        result = body(*state)
        state = tuple(result) if isinstance(result, (tuple, list)) else (result,)
        count += 1
    return state[0] if single else state


def fori_loop(lower: int, upper: int, body_fun: Callable, init_val: Any) -> Any:
    """Repeat `value = body_fun(i, value)` for i in [lower, upper)."""
    value = init_val
    for i in range(lower, upper):
        value = body_fun(i, value)
    return value


def map(f: Callable, xs: Any) -> np.ndarray:
    """Apply `f` to each slice along the first axis and stack the results."""
    return stack([f(x) for x in convert_to_tensor(xs)])


vectorized_map = map


def result_type(*dtypes: Any) -> str:
    """Return the name of the type that an operation on these types has, by Keras' rules."""
    from ._arrays import result_dtype

    xs: list[Any] = []
    for item in dtypes:
        if item is int or item is float or item is bool:
            xs.append(item(0))
        else:
            xs.append(np.empty(0, numpy_dtype(getattr(item, "dtype", item) or config.floatx())))
    if builtins.all(type(x) in (bool, int, float) for x in xs):
        xs = [array(x) for x in xs]
    return result_dtype(*xs).name
