"""What the rules are written with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def block(sizes: Sequence[int], starts: Any, shape: Sequence[int]) -> tuple[slice, ...]:
    """Return the block of a shape at indices, each as far back as it has to be to fit."""
    starts, shape = (np.asarray(x).astype(int).tolist() for x in (starts, shape))
    if not len(sizes) == len(starts) == len(shape):
        raise ValueError(
            f"A block of an array of shape {tuple(sizes)} needs an index and a size for each axis. "
            f"Received: {starts} and {shape}"
        )
    block = []
    for size, start, count in zip(sizes, starts, shape, strict=True):
        start += size if start < 0 else 0
        count = size - start if count == -1 else count
        if not 0 <= count <= size:
            raise ValueError(f"A block of shape {shape} does not fit into {tuple(sizes)}.")
        start = min(max(start, 0), size - count)
        block.append(slice(start, start + count))
    return tuple(block)
