"""What every op does with its arguments: conversion and Keras' dtype promotion.

Python numbers never widen an array, integers beside floats take the floats' type, and what is
fractional by nature comes out of integers as the default float type. (NumPy by itself would give
float64 in these places.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .. import _plan, config
from .._tape import recorded as recorded

_Result = TypeVar("_Result")

SCALARS = (bool, int, float)
_SMALL_INTS = {"bool": "int32", "int8": "int32", "int16": "int32"}
_SMALL_UINTS = {"uint8": "uint32", "uint16": "uint32"}


def numpy_dtype(dtype: Any) -> np.dtype:
    """Return the NumPy dtype of a Keras dtype name, of the default float type for None.

    "bfloat16" is worked with as float32.

    Raises:
        ValueError: for an unknown name.
    """
    name = dtype if isinstance(dtype, str) else None  # NumPy's float64 equals the string "float"
    if name == "bfloat16":
        return np.dtype("float32")
    if dtype is None or name == "float":
        return np.dtype(config.compute_floatx())
    try:
        return np.dtype(getattr(dtype, "name", dtype))
    except TypeError as error:
        raise ValueError(f"Unknown dtype: {dtype!r}") from error


def array(x: Any) -> np.ndarray:
    """Return `x` as a plain array; TypeError or ValueError for what is no array of numbers."""
    if type(x) is np.ndarray and x.dtype.kind in "fiubc":
        return x
    return _plan.as_array(x, "array operation")


def fractional(x: Any) -> np.ndarray:
    """Return `x` as an array of floats: integers and bools in the default float type."""
    if type(x) is np.ndarray and x.dtype.kind == "f":
        return x
    x = array(x)
    return x if x.dtype.kind in "fc" else x.astype(config.compute_floatx())


def result_dtype(*xs: Any) -> np.dtype:
    """Return the dtype of an operation between arrays and Python numbers."""
    dtypes = {x.dtype for x in xs if type(x) not in SCALARS}
    floats = {dtype for dtype in dtypes if dtype.kind in "fc"}
    if floats:
        return np.result_type(*floats)
    if any(type(x) is float for x in xs):
        return np.dtype(config.compute_floatx())
    dtype = np.result_type(*dtypes)
    if dtype.kind == "f":  # int64 with uint64
        return np.dtype(config.compute_floatx())
    if dtype.kind == "b" and any(type(x) is int for x in xs):
        return np.dtype(np.int32)
    return dtype


def promote(*xs: Any) -> list[np.ndarray]:
    """Return the arguments converted and cast to one dtype; Python numbers become arrays."""
    converted = [x if type(x) in SCALARS else array(x) for x in xs]
    if all(type(x) in SCALARS for x in converted):
        converted = [array(x) for x in xs]
    dtype = result_dtype(*converted)
    return [np.asarray(x, dtype) for x in converted]


def pair(x1: Any, x2: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return two arguments as `promote` does; at once where they are of one type already."""
    if type(x1) is np.ndarray and x1.dtype.kind == "f":
        if type(x2) is np.ndarray and x2.dtype is x1.dtype:
            return x1, x2
        if type(x2) is float or type(x2) is int:
            return x1, np.asarray(x2, x1.dtype)
    first, second = promote(x1, x2)
    return first, second


def accumulator(x: np.ndarray) -> np.dtype:
    """Return the dtype of a sum or product over `x`: small integers widen to 32 bits."""
    name = x.dtype.name
    return np.dtype(_SMALL_INTS.get(name) or _SMALL_UINTS.get(name) or name)


def axes(axis: Any) -> Any:
    """Return an axis argument as NumPy takes it: lists become tuples."""
    return tuple(axis) if isinstance(axis, list) else axis


def named(op: Callable[..., _Result], like: Any, doc: str) -> Callable[..., _Result]:
    """Give a generated op its public name and docstring."""
    op.__name__ = op.__qualname__ = like if isinstance(like, str) else like.__name__
    op.__doc__ = doc
    return recorded(op)


activation = recorded(_plan.apply_activation)
