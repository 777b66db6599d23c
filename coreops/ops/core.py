"""Conversion, slicing, scattering and control flow."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import config
from .._symbolic import KerasTensor, leaves, repack
from .._tape import Tensor, external, value_of
from .._tape.rules.basic import block
from .._variables import Variable
from ._arrays import array, numpy_dtype, recorded
from .shaping import stack


@recorded
def convert_to_tensor(
    x: Any, dtype: Any = None, sparse: bool | None = None, ragged: bool | None = None
) -> Any:
    """Return `x` as an array, of the given dtype if there is one.

    Python floats become the default float type and Python ints int32, as in Keras. A symbolic
    tensor stays one. There are no sparse and no ragged arrays here.
    """
    if isinstance(x, KerasTensor):
        return x if dtype is None or dtype == x.dtype else cast(x, dtype)
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
    return x.dtype if isinstance(x, KerasTensor) else array(x).dtype.name


@recorded
def shape(x: Any) -> tuple[int | None, ...]:
    """Return the shape; None where a symbolic tensor does not know its size."""
    return x.shape if isinstance(x, KerasTensor) else array(x).shape


@recorded
def stop_gradient(variable: Any) -> np.ndarray:
    """Return `variable`: nothing is differentiated here."""
    return array(variable)


@recorded
def slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> np.ndarray:
    """Return the block of a shape that starts at the given indices; -1 stands for what is left of
    an axis. A block that would end outside is moved back."""
    inputs = array(inputs)
    return inputs[block(inputs.shape, start_indices, shape)]


@recorded
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> np.ndarray:
    """Return a copy of `inputs` with the block at the given indices replaced by `updates`."""
    result, updates = np.array(array(inputs)), array(updates)
    result[block(result.shape, start_indices, updates.shape)] = updates
    return result


@recorded
def scatter(indices: Any, values: Any, shape: Sequence[int]) -> np.ndarray:
    """Return zeros of a shape with `values` added at `indices` (index tuples: last axis)."""
    values = array(values)
    result = np.zeros(tuple(shape), values.dtype)
    np.add.at(result, _index(indices), values)
    return result


_REDUCTIONS = {"add": np.add, "max": np.maximum, "min": np.minimum, "mul": np.multiply}


@recorded
def scatter_update(
    inputs: Any, indices: Any, updates: Any, reduction: str | None = None
) -> np.ndarray:
    """Return a copy of `inputs` with the elements at `indices` replaced, or joined with `updates`
    by a reduction: "add", "max", "min" or "mul"."""
    result = np.array(array(inputs))
    if reduction is None:
        result[_index(indices)] = array(updates)
        return result
    if reduction not in _REDUCTIONS:
        raise ValueError(
            f"scatter_update: `reduction` must be one of {list(_REDUCTIONS)} or None. "
            f"Received: reduction={reduction!r}"
        )
    _REDUCTIONS[reduction].at(result, _index(indices), array(updates))
    return result


def _index(indices: Any) -> tuple:
    indices = array(indices).astype(np.intp)
    return tuple(np.moveaxis(indices, -1, 0))


@recorded
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[np.ndarray]:
    """Return the list of the slices along `axis`."""
    x = array(x)
    if num not in (None, x.shape[axis]):
        raise ValueError(f"unstack: axis {axis} of shape {x.shape} has not num={num} slices.")
    return list(np.moveaxis(x, axis, 0))


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


def scan(
    f: Callable,
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """Go along the first axis of `xs` with `carry, y = f(carry, x)`.

    Args:
        f: what is called with the state and the slices of one place.
        init: the first state.
        xs: an array, nested arrays, or None for `length` steps without any.
        length: the number of steps, if `xs` does not tell.
        reverse: whether to go from the end to the beginning.
        unroll: accepted as in Keras.

    Returns:
        The last state and the y's, stacked in the order of `xs`.

    Raises:
        ValueError: sizes that differ, or none that is known.
    """
    arrays = [convert_to_tensor(x) for x in leaves(xs)]
    counts = {len(x) for x in arrays} | (set() if length is None else {int(length)})
    if len(counts) != 1:
        raise ValueError(
            "scan: `xs` must have one size along their first axes, that of `length` if given. "
            f"Received: sizes {[len(x) for x in arrays]}, length={length}"
        )
    order = range(counts.pop())
    carry, made = init, []
    for i in reversed(order) if reverse else order:
        carry, y = f(carry, repack(xs, [x[i] for x in arrays]))
        made.append(y)
    if not made:
        return carry, None
    made = made[::-1] if reverse else made
    stacked = [stack(parts) for parts in zip(*builtins.map(leaves, made), strict=True)]
    return carry, repack(made[0], stacked)


def custom_gradient(f: Callable) -> Callable:
    """Decorate a function that returns its result and a function for its gradient.

    Args:
        f: returns `(y, grad)`; `grad(upstream)` returns the gradient of each argument of `f`.
    """

    @functools.wraps(f)
    def op(*args: Any) -> Any:
        inputs = [x.value if isinstance(x, Variable) else x for x in args]
        y, gradient = f(*builtins.map(value_of, inputs))

        def back(dy: np.ndarray) -> Sequence[Any]:
            found = gradient(dy)
            return found if isinstance(found, (list, tuple)) else [found]

        return external(inputs, y, back)

    return op


def map(f: Callable, xs: Any) -> Any:
    """Apply `f` to each slice along the first axis and stack the results; `xs` and what `f` returns
    may be nested lists, tuples and dicts of arrays."""
    arrays = [convert_to_tensor(x) for x in leaves(xs)]
    made = [f(repack(xs, [x[i] for x in arrays])) for i in range(len(arrays[0]))]
    if not made:
        raise ValueError("map: the first axis has no slices to apply the function to.")
    return repack(
        made[0], [stack(parts) for parts in zip(*builtins.map(leaves, made), strict=True)]
    )


def vectorized_map(function: Callable, elements: Any) -> Any:
    """Apply `function` to each slice along the first axis, as `map` does."""
    return map(function, elements)


def result_type(*dtypes: Any) -> str:
    """Return the name of the type that an operation on these types has, by Keras' rules."""
    from ._arrays import result_dtype

    xs: list[Any] = []
    if not dtypes:
        return config.compute_floatx()
    for item in dtypes:
        if item is int or item is float or item is bool:
            xs.append(item(0))
        else:
            xs.append(np.empty(0, numpy_dtype(getattr(item, "dtype", item) or config.floatx())))
    if builtins.all(type(x) in (bool, int, float) for x in xs):
        xs = [array(x) for x in xs]
    return result_dtype(*xs).name
