"""Projections of weights: callables array -> array of the same shape and dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import config
from ._arguments import check_axes, check_numbers
from ._names import to_snake_case
from .saving import objects, registry


class Constraint:
    """Base class: a callable that maps a weight to its projection; here, to itself."""

    def __call__(self, w: Any) -> np.ndarray:
        return w

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds it from."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """Return a new object from such arguments."""
        return cls(**config)


class MinMaxNorm(Constraint):
    """Moves the norms into [min_value, max_value].

    w * d / (epsilon + norm) with d = rate * clip(norm, min_value, max_value) + (1 - rate) * norm
    and norm = sqrt(sum w^2) over `axis`. Weights of norm 0 stay 0.

    Args:
        min_value: the least norm.
        max_value: the greatest norm.
        rate: 1 enforces the bounds at once, less moves towards them.
        axis: the axis or axes over which a norm runs: 0 for a Dense kernel `(in, out)`,
            `[0, 1, 2]` for a Conv2D kernel.
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: int | Sequence[int] = 0,
    ) -> None:
        numbers = {"min_value": min_value, "max_value": max_value, "rate": rate}
        check_numbers(type(self).__name__, **numbers)
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        check_axes(type(self).__name__, axis=axis)
        self.axis = axis

    def __call__(self, w: Any) -> np.ndarray:
        w, norms = _norms(w, self.axis)
        desired = np.clip(norms, self.min_value, self.max_value)
        if self.rate != 1.0:
            desired = self.rate * desired + (1 - self.rate) * norms
        return w * (desired / (config.epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


class MaxNorm(MinMaxNorm):
    """Scales norms above `max_value` down to it; `axis` as in `MinMaxNorm`."""

    def __init__(self, max_value: float = 2, axis: int | Sequence[int] = 0) -> None:
        super().__init__(max_value=max_value, axis=axis)

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class UnitNorm(Constraint):
    """Scales to norm 1: w / (epsilon + norm); `axis` as in `MinMaxNorm`."""

    def __init__(self, axis: int | Sequence[int] = 0) -> None:
        check_axes(type(self).__name__, axis=axis)
        self.axis = axis

    def __call__(self, w: Any) -> np.ndarray:
        w, norms = _norms(w, self.axis)
        return w / (config.epsilon() + norms)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class NonNeg(Constraint):
    """Sets negative weights to 0."""

    def __call__(self, w: Any) -> np.ndarray:
        return np.maximum(np.asarray(w), 0)


def _column_norms(constraint: Any) -> tuple[float, float, float] | None:
    """Return min_value, max_value and rate of a constraint of ours on norms over axis 0, which is
    what the kernel `rescale_columns` does; None for any other."""
    if type(constraint) not in (MinMaxNorm, MaxNorm, UnitNorm):
        return None
    axis = constraint.axis
    if (axis if isinstance(axis, (int, np.integer)) else tuple(axis)) not in (0, (0,)):
        return None
    if isinstance(constraint, UnitNorm):
        return 1.0, 1.0, 1.0
    return constraint.min_value, constraint.max_value, constraint.rate


def _norms(w: Any, axis: int | Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    w = np.asarray(w)
    if w.dtype.kind != "f":
        w = w.astype(config.compute_floatx())
    axis = axis if isinstance(axis, int) else tuple(axis)
    return w, np.sqrt(np.sum(np.square(w), axis=axis, keepdims=True))


max_norm, unit_norm, non_neg, min_max_norm = MaxNorm, UnitNorm, NonNeg, MinMaxNorm
maxnorm, unitnorm, nonneg = MaxNorm, UnitNorm, NonNeg  # Keras 1

for _cls in (MaxNorm, UnitNorm, NonNeg, MinMaxNorm):
    registry.add("constraints", _cls, to_snake_case(_cls.__name__))
registry.add("constraints", MaxNorm, "maxnorm")  # Keras 1
registry.add("constraints", UnitNorm, "unitnorm")
registry.add("constraints", NonNeg, "nonneg")
del _cls


def get(identifier: Any) -> Callable | None:
    """Return the constraint for None, a name, a config, a class or a callable.

    Raises:
        ValueError: for an unknown name (listing the legal ones) or an object not callable.
    """
    return objects.get_instance("constraints", identifier)


def serialize(constraint: Callable | None) -> dict[str, Any] | None:
    """Return the config of a constraint, None for None."""
    return objects.serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable:
    """Return the constraint of a config; TypeError if it is unknown."""
    return objects.from_identifier("constraints", config, custom_objects)
