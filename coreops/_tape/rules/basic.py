"""What the rules are written with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Each(NamedTuple):
    """One rule for all the arrays of an op that takes any number: its first argument is which."""

    rule: Callable


Rule = Callable | tuple | Each


def spread(dy: Any, x: Any, axis: Any, keepdims: bool) -> np.ndarray:
    """Something of a reduction's shape with the reduced axes put back, as axes of size 1."""
    if axis is None:
        return np.reshape(dy, (1,) * np.ndim(x))
    return np.asarray(dy) if keepdims else np.expand_dims(dy, as_axes(axis))


def as_axes(axis: Any) -> Any:
    """An axis argument as NumPy takes it."""
    return tuple(axis) if isinstance(axis, list) else axis


def moved(function: Callable) -> Callable:
    """The rule of a function that puts elements of its argument, once, often or never, into its
    results and fills up with zeros: it is asked where each of them came from."""

    def rule(dy: Any, y: Any, x: Any, *args: Any, **kwargs: Any) -> np.ndarray:
        numbers = np.arange(1, np.size(x) + 1).reshape(np.shape(x))
        sources = function(numbers, *args, **kwargs)
        if not isinstance(y, (list, tuple)):
            sources, dy = [sources], [dy]
        total = np.zeros(np.size(x) + 1)
        for source, part in zip(sources, dy, strict=True):
            total += np.bincount(np.ravel(source), np.ravel(part), np.size(x) + 1)
        return total[1:].reshape(np.shape(x))

    return rule
