"""What a stateful layer carries from call to call."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._variables import Variable


class State(Variable):
    """A state that a stateful layer carries from call to call. Runs change it in place."""

    __slots__ = ("array",)

    def __init__(self, shape: tuple[int, int], dtype: str, path: str) -> None:
        super().__init__(np.zeros(shape, dtype), dtype=dtype, trainable=False, path=path)
        self._share()

    def _share(self) -> None:
        self.array = np.array(self._value)
        self._value = self.array.view()
        self._value.flags.writeable = False

    def numpy(self) -> np.ndarray:
        """Return a copy of the state as it is now."""
        return self.array.copy()

    def assign(self, value: Any) -> np.ndarray:
        value = np.asarray(value)
        if value.shape != self.shape:
            raise ValueError(
                f"State '{self.path}': expected a value of shape {self.shape}. "
                f"Received shape: {value.shape}"
            )
        self.array[...] = value
        return self.numpy()

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        self._share()
