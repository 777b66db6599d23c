"""Layers that make noise in training: normal noise, AlphaDropout, SpatialDropout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _legacy, _plan, config
from .input_spec import InputSpec
from .regularization import Dropout, Noise

# What the scaled exponential unit goes to far below 0: minus the product of its two constants.
_SELU_FLOOR = -1.0507009873554805 * 1.6732632423543772


class GaussianNoise(Noise):
    """In training, adds noise of mean 0 and deviation `stddev` from the normal distribution.

    Args:
        stddev: the deviation, from 0 to 1.
        seed: int for a sequence that can be repeated; every call takes the next draw.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Raises:
        TypeError: `stddev` is no number.
        ValueError: `stddev` outside 0 ... 1, a `seed` that is no int.
    """

    @_legacy.accepts_old_names
    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__("stddev", stddev, seed, **kwargs)
        self.stddev = stddev

    def emit(self, flow: Any, x: Any) -> Any:
        if not flow.training or self.stddev == 0:
            return x
        if not x.is_real:
            return _plan.Seam(x, self._of_integers)
        return _plan.gauss(flow, x, float(self.stddev), self.seed_generator)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


class GaussianDropout(Noise):
    """In training, multiplies by noise of mean 1 and deviation `sqrt(rate / (1 - rate))` from the
    normal distribution.

    Args:
        rate: from 0 to 1; 1 only outside of training.
        seed: int for a sequence that can be repeated; every call takes the next draw.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Raises:
        TypeError: `rate` is no number.
        ValueError: `rate` outside 0 ... 1, or 1 in training; a `seed` that is no int.
    """

    @_legacy.accepts_old_names
    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__("rate", rate, seed, **kwargs)
        self.rate = rate

    def emit(self, flow: Any, x: Any) -> Any:
        if not flow.training or self.rate == 0:
            return x
        _check_below_one(self)
        if not x.is_real:
            return _plan.Seam(x, self._of_integers)
        deviation = math.sqrt(self.rate / (1 - self.rate))
        return _plan.gauss(flow, x, deviation, self.seed_generator, times=True)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class AlphaDropout(Noise):
    """In training, sets elements at random to what `selu` goes to for small inputs, and then scales
    and shifts so that mean 0 and variance 1 stay as they are.

    Args:
        rate: fraction of the elements to drop, from 0 to 1; 1 only outside of training.
        noise_shape: shape of the random mask, as `Dropout` takes it.
        seed: int for a sequence that can be repeated; every call takes the next draw.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Raises:
        TypeError: `rate` is no number.
        ValueError: `rate` outside 0 ... 1, or 1 in training; a `noise_shape` that does not
            broadcast to the input; a `seed` that is no int.
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
        self.noise_shape = noise_shape

    def emit(self, flow: Any, x: Any) -> Any:
        if not flow.training or self.rate == 0:
            return x
        _check_below_one(self)
        if not x.is_real:
            return _plan.Seam(x, self._of_integers)
        keep = 1 - self.rate
        scale = 1 / math.sqrt(keep * (1 + self.rate * _SELU_FLOOR**2))
        # Between the two, what is dropped is 0: the distance from the floor. Dropout divides by
        # `keep`.
        x = _plan.affine(flow, x, np.float64(1), np.float64(_SELU_FLOOR))
        x = flow.dropout(x, float(self.rate), self.noise_shape, self.seed_generator)
        shift = scale * _SELU_FLOOR - scale * _SELU_FLOOR * self.rate
        return _plan.affine(flow, x, np.float64(scale * keep), None, np.float64(shift))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate,
            "seed": self.seed,
            "noise_shape": self.noise_shape,
        }


def _check_below_one(layer: Any) -> None:
    if layer.rate == 1:
        raise ValueError(f"Layer '{layer.name}': with rate=1 there is nothing left to train on.")


class _SpatialDropout(Dropout):
    """Drops whole channels."""

    def emit(self, flow: Any, x: Any) -> Any:
        if not flow.training or self.rate == 0 or not x.is_real:
            return super().emit(flow, x)
        noise_shape = self._noise_shape(len(x.shape) + 1)
        return flow.dropout(x, float(self.rate), noise_shape, self.seed_generator)

    def _noise_shape(self, rank: int) -> tuple[int | None, ...]:
        return (None, *(1,) * (rank - 2), None)

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate, "seed": self.seed, "name": self.name, "dtype": self.dtype}


class SpatialDropout1D(_SpatialDropout):
    """In training, drops the same channels at all time steps, and scales the others by
    `1 / (1 - rate)`.

    Args:
        rate: fraction of the channels to drop, from 0 to 1.
        seed: int for a sequence that can be repeated; every call takes the next draw.
        name: the layer's name.
        dtype: name of a dtype policy, or a policy.
        **kwargs: the old keywords of a first layer: `input_shape`.

    Input shape:
        `(batch, steps, channels)`.

    Output shape:
        The input's.

    Raises:
        TypeError: `rate` is no number.
        ValueError: `rate` outside 0 ... 1, a `seed` that is no int, an input of another rank.
    """

    @_legacy.accepts_old_names
    def __init__(
        self,
        rate: float,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.input_spec = InputSpec(ndim=3)


class SpatialDropout2D(_SpatialDropout):
    """In training, drops the same channels at all positions, and scales the others by
    `1 / (1 - rate)`.

    Args:
        rate: fraction of the channels to drop, from 0 to 1.
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        seed: int for a sequence that can be repeated; every call takes the next draw.
        name: the layer's name.
        dtype: name of a dtype policy, or a policy.
        **kwargs: the old keywords of a first layer: `input_shape`.

    Input shape:
        `(batch, rows, columns, channels)`, or with "channels_first"
        `(batch, channels, rows, columns)`.

    Output shape:
        The input's.

    Raises:
        TypeError: `rate` is no number.
        ValueError: `rate` outside 0 ... 1, an unknown `data_format`, a `seed` that is no int, an
            input of another rank.
    """

    @_legacy.accepts_old_names
    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=4)

    def _noise_shape(self, rank: int) -> tuple[int | None, ...]:
        first = self.data_format == "channels_first"
        return (None, None, 1, 1) if first else super()._noise_shape(rank)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}
