"""Layers that act on training: Dropout, ActivityRegularization."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import _legacy, _plan, regularizers
from .._symbolic import Shape
from ..random import SeedGenerator
from .arguments import fraction
from .layer import Layer


class Noise(Layer):
    """Noise in training; outside of it the inputs pass unchanged."""

    _stateless = True

    def __init__(self, what: str, amount: float, seed: int | None, /, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        fraction(self.name, what, amount)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)
        self.supports_masking = True

    def _of_integers(self, array: np.ndarray, _: Any) -> np.ndarray:
        """As Keras, which computes floats and casts them back."""
        made = self(array.astype(self.compute_dtype), training=True)
        return np.asarray(made).astype(array.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)


class Dropout(Noise):
    """In training, sets elements to 0 at random and scales the others by `1 / (1 - rate)`.

    Outside of training the inputs pass unchanged.

    Args:
        rate: fraction of the elements to drop, from 0 to 1.
        noise_shape: shape of the random mask, batch axis first: None entries take the input's
            size, entries of 1 share the noise along that axis. `(batch, 1, features)` drops the
            same features at all time steps.
        seed: int for a sequence that can be repeated; every call takes the next draw.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Raises:
        TypeError: `rate` is no number.
        ValueError: `rate` outside 0 ... 1, a malformed `noise_shape` or one that does not
            broadcast to the input, a `seed` that is no int.
    """

    @_legacy.accepts_old_names
    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__("rate", rate, seed, **kwargs)
        self.rate = rate
        self.noise_shape = self._checked_noise_shape(noise_shape)

    def _checked_noise_shape(self, noise_shape: Any) -> tuple[int | None, ...] | None:
        if noise_shape is None:
            return None
        if isinstance(noise_shape, Iterable) and not isinstance(noise_shape, str):
            sizes = tuple(noise_shape)
            is_int = [
                isinstance(n, (int, np.integer)) and not isinstance(n, bool) and n > 0
                for n in sizes
            ]
            if all(n is None or ok for n, ok in zip(sizes, is_int, strict=True)):
                return sizes
        raise ValueError(
            f"Layer '{self.name}': `noise_shape` must be a tuple of positive ints and None. "
            f"Received: noise_shape={noise_shape!r}"
        )

    def emit(self, flow: Any, x: Any) -> Any:
        if not flow.training or self.rate == 0:
            return x
        if not x.is_real:
            return _plan.Seam(x, self._of_integers)
        return flow.dropout(x, float(self.rate), self.noise_shape, self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate,
            "seed": self.seed,
            "noise_shape": self.noise_shape,
        }


class ActivityRegularization(Layer):
    """Returns its inputs, and adds `(l1 * sum|x| + l2 * sum x²) / batch` to the losses.

    Args:
        l1: factor of the sum of absolute values, not negative.
        l2: factor of the sum of squares, not negative.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Raises:
        ValueError: a factor that is negative or not finite.
    """

    _stateless = True

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True

    def emit(self, flow: Any, x: Any) -> Any:
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "l1": self.l1, "l2": self.l2}
        del config["activity_regularizer"]
        return config
