"""Arguments that are numbers or axes, whoever takes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def check_numbers(owner: str, **given: Any) -> None:
    """Raise a TypeError that names the owner and the argument unless each is a number."""
    for name, value in given.items():
        array = isinstance(value, np.ndarray) and not value.ndim and value.dtype.kind in "biuf"
        if not array and not isinstance(value, (int, float, np.number)):
            raise TypeError(f"{owner}: `{name}` must be a number. Received: {name}={value!r}")


def check_numeric(owner: str, **given: Any) -> None:
    """The same for numbers and arrays of them."""
    for name, value in given.items():
        if np.asarray(value).dtype.kind not in "biuf":
            raise TypeError(
                f"{owner}: `{name}` must be a number, or an array of them. "
                f"Received: {name}={value!r}"
            )


def check_axes(owner: str, **given: Any) -> None:
    """Raise a TypeError that names the owner and the argument unless each is an int, or a list or
    tuple of ints."""
    for name, value in given.items():
        axes = value if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(axis, (int, np.integer)) for axis in axes):
            raise TypeError(
                f"{owner}: `{name}` must be an int or a list of ints. Received: {name}={value!r}"
            )


def normalize_axes(axis: int | Sequence[int], rank: int) -> list[int]:
    """The axes as distinct numbers in 0 .. rank - 1. Raises ValueError for any other."""
    axes = [axis] if isinstance(axis, (int, np.integer)) else list(axis)
    if any(not -rank <= a < rank for a in axes):
        raise ValueError(f"axis={axis} is out of bounds for an array of {rank} axes")
    axes = [int(a) % rank for a in axes]
    if len(set(axes)) != len(axes):
        raise ValueError(f"axis={axis} names an axis twice")
    return axes
