"""Penalties on weights and outputs: callables array -> scalar."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from . import config, ops
from ._names import to_snake_case
from .saving import objects, registry


class Regularizer:
    """Base class: a callable that maps an array to a scalar of its dtype."""

    def __call__(self, x: Any) -> Any:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds it from."""
        raise NotImplementedError(f"{type(self).__name__} does not implement get_config().")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """Return a new object from such arguments."""
        return cls(**config)


class L1L2(Regularizer):
    """l1 * sum |x| + l2 * sum x^2.

    Args:
        l1: factor of the absolute values; None counts as 0.
        l2: factor of the squares; None counts as 0.

    Raises:
        ValueError: for a factor that is not a finite number >= 0.
    """

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor(0.0 if l1 is None else l1, "l1")
        self.l2 = _factor(0.0 if l2 is None else l2, "l2")

    def __call__(self, x: Any) -> np.floating:
        x = _floating(x)
        penalty = x.dtype.type(0)
        if self.l1:
            penalty += x.dtype.type(self.l1) * ops.sum(ops.absolute(x))
        if self.l2:
            penalty += x.dtype.type(self.l2) * ops.sum(ops.square(x))
        return penalty

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class L1(L1L2):
    """l1 * sum |x|; `l1` (default 0.01) as in `L1L2`."""

    def __init__(self, l1: float | None = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


class L2(L1L2):
    """l2 * sum x^2, without a factor 1/2; `l2` (default 0.01) as in `L1L2`."""

    def __init__(self, l2: float | None = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """Penalty on the dot products between the normalised rows (or columns) of a matrix.

    With G the n by n matrix of these products: factor * sum |G off the diagonal| / (n (n - 1)),
    which is `factor` times their mean.

    Args:
        factor: a finite number >= 0.
        mode: "rows" or "columns".

    Raises:
        ValueError: for another factor or mode; when called on an array that is not 2-D.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor(factor, "factor")
        if mode not in ("rows", "columns"):
            raise ValueError(f"Expected `mode` to be 'rows' or 'columns'. Received: mode={mode!r}")
        self.mode = mode

    def __call__(self, x: Any) -> np.floating:
        x = _floating(x)
        if x.ndim != 2:
            raise ValueError(
                "OrthogonalRegularizer takes arrays of rank 2. "
                f"Received an array of shape {x.shape}"
            )
        if self.mode == "columns":
            x = ops.transpose(x)
        n = len(x)
        if n < 2:
            return x.dtype.type(0)
        norms = ops.maximum(ops.norm(x, axis=1, keepdims=True), config.epsilon())
        rows = x / norms
        products = ops.absolute(ops.matmul(rows, ops.transpose(rows)))
        others = products * (1 - ops.eye(n, dtype=x.dtype))
        return x.dtype.type(self.factor) * ops.sum(others) / x.dtype.type(n * (n - 1))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


def _factor(value: Any, name: str) -> float:
    number = isinstance(value, (int, float, np.integer, np.floating))
    if not number or not math.isfinite(value) or value < 0:
        raise ValueError(
            f"Expected `{name}` to be a finite number >= 0. Received: {name}={value!r}"
        )
    return float(value)


def _floating(x: Any) -> Any:
    x = ops.convert_to_tensor(x)
    return x if x.dtype.kind == "f" else ops.cast(x, config.compute_floatx())


l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer

for _cls in (L1, L2, L1L2, OrthogonalRegularizer):
    registry.add("regularizers", _cls, to_snake_case(_cls.__name__))
registry.add("regularizers", L1L2, "l1_l2")
del _cls


def get(identifier: Any) -> Callable | None:
    """Return the regularizer for None, a name, a config, a class or a callable.

    "l1_l2" has both factors at 0.01, as its documentation always said; "l1l2" has none.

    Raises:
        ValueError: for an unknown name (listing the legal ones) or an object not callable.
    """
    if isinstance(identifier, str) and identifier == "l1_l2":
        return L1L2(l1=0.01, l2=0.01)
    return objects.get_instance("regularizers", identifier)


def serialize(regularizer: Callable | None) -> dict[str, Any] | None:
    """Return the config of a regularizer, None for None."""
    return objects.serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable:
    """Return the regularizer of a config; TypeError if it is unknown."""
    return objects.from_identifier("regularizers", config, custom_objects)
