"""Session state, variables, the training phase and random arrays of the old backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _plan, ops
from .. import random as _random
from .._names import next_uid
from .._symbolic import KerasTensor
from .._variables import Variable
from ..config import compute_floatx, floatx
from ..ops._arrays import array
from ..utils import standardize_dtype


def get_uid(prefix: str = "") -> int:
    """Return 1, 2, ... for successive calls with the same prefix."""
    return next_uid(prefix)


def get_keras_mask(x: Any) -> np.ndarray | None:
    """Return the mask attached to an output, None if there is none."""
    return _plan.mask_of(x)


def is_keras_tensor(x: Any) -> bool:
    """Return whether `x` is symbolic, as `Input(...)` is."""
    return isinstance(x, KerasTensor)


def is_float_dtype(dtype: Any) -> bool:
    """Return whether a dtype is a float type."""
    return standardize_dtype(dtype).startswith(("float", "bfloat"))


def is_int_dtype(dtype: Any) -> bool:
    """Return whether a dtype is an integer type."""
    return standardize_dtype(dtype).startswith(("int", "uint"))


def variable(
    value: Any, dtype: str | None = None, name: str | None = None, constraint: Any = None
) -> Variable:
    """Return a Variable with a value."""
    return Variable(value, dtype=dtype or compute_floatx(), name=name, constraint=constraint)


def constant(
    value: Any,
    dtype: str | None = None,
    shape: Sequence[int] | None = None,
    name: str | None = None,
) -> np.ndarray:
    """Return an array of a value, stretched to a shape if there is one."""
    x = ops.cast(value, dtype or floatx())
    return x if shape is None else ops.broadcast_to(x, shape)


def eval(x: Any) -> np.ndarray:
    """Return the value of `x` as an array."""
    return array(x)


get_value = eval


def set_value(x: Variable, value: Any) -> None:
    """Assign a value to a variable."""
    x.assign(value)


def update(x: Variable, new_x: Any) -> np.ndarray:
    """Assign a value to a variable."""
    return x.assign(new_x)


def update_add(x: Variable, increment: Any) -> np.ndarray:
    """Add to a variable."""
    return x.assign_add(increment)


def update_sub(x: Variable, decrement: Any) -> np.ndarray:
    """Subtract from a variable."""
    return x.assign_sub(decrement)


def batch_get_value(tensors: Sequence[Any]) -> list[np.ndarray]:
    """Return the values of several variables."""
    return [array(x) for x in tensors]


def batch_set_value(tuples: Sequence[tuple[Variable, Any]]) -> None:
    """Assign to several variables."""
    for x, value in tuples:
        x.assign(value)


def int_shape(x: Any) -> tuple[int | None, ...]:
    """Return the shape; that of a symbolic tensor has None where it is open."""
    return tuple(x.shape) if hasattr(x, "shape") else array(x).shape


shape = int_shape


def dtype(x: Any) -> str:
    """Return the name of the element type."""
    return ops.dtype(x)


def count_params(x: Any) -> int:
    """Return the number of elements."""
    return ops.size(x)


def cast_to_floatx(x: Any) -> np.ndarray:
    """Return `x` in the default float type."""
    return ops.cast(x, floatx())


def eye(size: int, dtype: str | None = None, name: str | None = None) -> np.ndarray:
    """Return an identity matrix."""
    return ops.eye(size, dtype=dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str = "int32") -> np.ndarray:
    """Return evenly spaced numbers."""
    return ops.arange(start, stop, step, dtype)


def learning_phase() -> int:
    """Return 1 inside a call with training=True, else 0."""
    return int(bool(_plan.current_training()))


def in_train_phase(x: Any, alt: Any, training: bool | None = None) -> Any:
    """Return `x` when training, else `alt`; either may be a function without arguments."""
    chosen = x if (learning_phase() if training is None else training) else alt
    return chosen() if callable(chosen) else chosen


def in_test_phase(x: Any, alt: Any, training: bool | None = None) -> Any:
    """Return `alt` when training, else `x`."""
    return in_train_phase(alt, x, training)


def dropout(
    x: Any, level: float, noise_shape: Sequence[int] | None = None, seed: int | None = None
) -> np.ndarray:
    """Zero elements with probability `level` and scale the others by 1 / (1 - level)."""
    return _random.dropout(x, level, noise_shape, seed)


random_normal = _random.normal
random_uniform = _random.uniform
truncated_normal = _random.truncated_normal


def random_bernoulli(
    shape: Sequence[int], p: float = 0.0, dtype: str | None = None, seed: int | None = None
) -> np.ndarray:
    """Draw 1 with probability p, else 0."""
    return ops.cast(_random.uniform(shape, seed=seed) <= p, dtype or floatx())
