"""Initializer: the base class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class Initializer:
    """Base class: a callable `(shape, dtype=None)` that returns the first value of a weight."""

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        raise NotImplementedError(f"{type(self).__name__} does not implement __call__().")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds it from."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Return a new object from such arguments."""
        return cls(**config)

    def clone(self) -> Initializer:
        """Return an initializer of the same configuration."""
        return type(self).from_config(self.get_config())
