"""What a flow is about: values of a plan, masks, seams, results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .graph import Ref

_REALS = (np.dtype(np.float32), np.dtype(np.float64))

Item = tuple[np.ndarray, Any]  # an array with its mask, or None
Kind = tuple[tuple[int, ...], np.dtype, Any]  # a sample's shape, dtype, and the shape of its mask


class Mask(NamedTuple):
    """A mask inside a plan. id: the plan's value, or None for one that came in from outside, with
    the array `of`. shape: one sample's. source: the name of the layer that it comes from."""

    id: int | None
    shape: tuple[int, ...]
    source: str
    of: Ref = Ref(0)


@dataclass(frozen=True, slots=True)
class Value:
    """What one step leaves for the next. shape: one sample's, without the batch axis."""

    id: int
    shape: tuple[int, ...]
    dtype: np.dtype
    mask: Mask | None = None

    @property
    def is_real(self) -> bool:
        """Whether kernels compute with it (float32, float64) or only move it."""
        return self.dtype in _REALS

    @property
    def size(self) -> int:
        return prod(self.shape)

    def _replace(self, **changes: Any) -> Value:
        return replace(self, **changes)


class Derived(NamedTuple):
    """A weight that is made of the values of variables, which may change: of float64, as are they
    for `make`."""

    make: Callable[..., np.ndarray]
    variables: tuple[Any, ...]

    def value(self) -> np.ndarray:
        return self.make(*(np.asarray(v.numpy(), np.float64) for v in self.variables))

    def then(self, change: Callable[[np.ndarray], np.ndarray]) -> Derived:
        """Return what `change` makes of it."""
        return Derived(lambda *values: change(self.make(*values)), self.variables)


class Normalized(NamedTuple):
    """Batch normalisation while it trains, of the last axis: its variables, of which gamma and
    beta may be None, and numbers. fuzz is added to the number of positions where there is a mask.
    """

    gamma: Any
    beta: Any
    mean: Any
    variance: Any
    momentum: float
    epsilon: float
    fuzz: float


class Seam(NamedTuple):
    """Where a plan ends at x and Python runs `fn(array, mask)`, which returns the array that goes
    on, or a pair (array, mask) to replace the mask too. For a list of values it takes lists; and
    what it returns may be a structure of arrays. whole: what that is, if a step of training can do
    it without Python."""

    x: Value | Sequence[Value]
    fn: Callable[[Any, Any], Any]
    whole: Normalized | None = None


class Result(NamedTuple):
    """Where an array comes from that a plan leaves. at: its number among the plan's results, or the
    array from outside that it is, read with that shape. mask: the number of its mask, or the array
    whose mask it has; None without."""

    ref: Ref
    at: int | Ref
    shape: tuple[int, ...]
    mask: int | Ref | None
    masked: tuple[int, ...] | None = None  # the mask's shape
