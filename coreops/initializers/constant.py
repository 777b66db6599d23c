"""Initializers that draw nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config
from .._arguments import check_numbers, check_numeric
from ..saving import objects
from .base import Initializer


class Constant(Initializer):
    """Fills with `value`, a number or an array that broadcasts to the shape asked for."""

    def __init__(self, value: Any = 0.0) -> None:
        check_numeric("Constant", value=value)
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return np.full(tuple(shape), self.value, dtype or config.compute_floatx())

    def get_config(self) -> dict[str, Any]:
        return {"value": objects.serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constant:
        return cls(**{k: objects.deserialize_keras_object(v) for k, v in config.items()})


class Zeros(Initializer):
    """Fills with 0."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return np.zeros(tuple(shape), dtype or config.compute_floatx())


class Ones(Initializer):
    """Fills with 1."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return np.ones(tuple(shape), dtype or config.compute_floatx())


class Identity(Initializer):
    """`gain` on the diagonal and 0 elsewhere; matrices only, square or not."""

    def __init__(self, gain: float = 1.0) -> None:
        check_numbers("Identity", gain=gain)
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(
                f"The Identity initializer makes matrices only. Received: shape={tuple(shape)}"
            )
        kind = np.dtype(dtype or config.compute_floatx())
        return np.eye(shape[0], shape[1], dtype=kind) * kind.type(self.gain)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}
