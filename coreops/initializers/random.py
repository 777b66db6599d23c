"""Initializers that draw from a Philox stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import random
from .._arguments import check_numbers
from ..saving import objects
from .base import Initializer

_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("truncated_normal", "untruncated_normal", "uniform")

# The standard deviation of a normal distribution cut at two standard deviations.
TRUNCATED_STDDEV = 0.87962566103423978


class RandomInitializer(Initializer):
    """Base of the drawing initializers.

    Args:
        seed: an int, None for a default seed taken now, a `SeedGenerator`, or its config.

    Raises:
        ValueError: for any other seed.
    """

    def __init__(self, seed: Any = None) -> None:
        self._initial_seed = seed
        if seed is None:
            seed = random.make_default_seed()
        elif isinstance(seed, dict):
            seed = objects.deserialize_keras_object(seed)
        if not isinstance(seed, (int, random.SeedGenerator)):
            raise ValueError(
                f"Argument `seed` of {type(self).__name__} must be an integer or an instance of "
                f"`SeedGenerator`. Received: seed={seed!r}"
            )
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        return {"seed": objects.serialize_keras_object(self._initial_seed)}


class RandomNormal(RandomInitializer):
    """Draws from the normal distribution."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        check_numbers(type(self).__name__, mean=mean, stddev=stddev)
        self.mean = mean
        self.stddev = stddev

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return random.normal(shape, self.mean, self.stddev, dtype, self.seed)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """Draws from the normal distribution, redrawing what is beyond two standard deviations.

    The standard deviation of the result is 0.8796 `stddev`.
    """

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return random.truncated_normal(shape, self.mean, self.stddev, dtype, self.seed)


class RandomUniform(RandomInitializer):
    """Draws from [minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None) -> None:
        super().__init__(seed)
        check_numbers(type(self).__name__, minval=minval, maxval=maxval)
        self.minval = minval
        self.maxval = maxval

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        return random.uniform(shape, self.minval, self.maxval, dtype, self.seed)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class VarianceScaling(RandomInitializer):
    """Draws with the variance v = scale / max(1, n), n counting the units on one side.

    Args:
        scale: a number > 0.
        mode: n is the number of inputs ("fan_in"), of outputs ("fan_out") or their mean
            ("fan_avg").
        distribution: "truncated_normal" (of standard deviation sqrt(v) after the truncation),
            "untruncated_normal", or "uniform" on +-sqrt(3 v).
        seed: as in `RandomInitializer`.
        input_axes: the axes of the shape that count as inputs, with
        output_axes: those that count as outputs; both or the rule of `compute_fans`.

    Raises:
        ValueError: for a scale <= 0, another mode or another distribution.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(seed)
        check_numbers(type(self).__name__, scale=scale)
        if not scale > 0:
            raise ValueError(f"Argument `scale` must be positive. Received: scale={scale!r}")
        if mode not in _MODES:
            raise ValueError(f"Argument `mode` must be one of {_MODES}. Received: mode={mode!r}")
        distribution = distribution.lower() if isinstance(distribution, str) else distribution
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in _DISTRIBUTIONS:
            raise ValueError(
                f"Argument `distribution` must be one of {_DISTRIBUTIONS}. "
                f"Received: distribution={distribution!r}"
            )
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        units = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
        variance = self.scale / max(1.0, units[self.mode])
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return random.uniform(shape, -limit, limit, dtype, self.seed)
        stddev = math.sqrt(variance)
        if self.distribution == "untruncated_normal":
            return random.normal(shape, 0.0, stddev, dtype, self.seed)
        return random.truncated_normal(shape, 0.0, stddev / TRUNCATED_STDDEV, dtype, self.seed)

    def get_config(self) -> dict[str, Any]:
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            **self._seed_and_axes(),
        }

    def _seed_and_axes(self) -> dict[str, Any]:
        """Return the shared keys; the axes only when set, since older Keras 3 refuses them."""
        axes = {"input_axes": self.input_axes, "output_axes": self.output_axes}
        return {
            **RandomInitializer.get_config(self),
            **{key: list(value) for key, value in axes.items() if value is not None},
        }


class _Scaled(VarianceScaling):
    """A VarianceScaling whose first three arguments are fixed by the class."""

    _fixed: tuple[float, str, str]

    def __init__(
        self,
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._fixed, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        return self._seed_and_axes()


class GlorotUniform(_Scaled):
    """Uniform on +-sqrt(6 / (fan_in + fan_out)); Glorot and Bengio, 2010."""

    _fixed = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Scaled):
    """Truncated normal of variance 2 / (fan_in + fan_out); Glorot and Bengio, 2010."""

    _fixed = (1.0, "fan_avg", "truncated_normal")


class HeUniform(_Scaled):
    """Uniform on +-sqrt(6 / fan_in); He et al., 2015."""

    _fixed = (2.0, "fan_in", "uniform")


class HeNormal(_Scaled):
    """Truncated normal of variance 2 / fan_in; He et al., 2015."""

    _fixed = (2.0, "fan_in", "truncated_normal")


class LecunUniform(_Scaled):
    """Uniform on +-sqrt(3 / fan_in); LeCun et al., 1998."""

    _fixed = (1.0, "fan_in", "uniform")


class LecunNormal(_Scaled):
    """Truncated normal of variance 1 / fan_in; LeCun et al., 1998."""

    _fixed = (1.0, "fan_in", "truncated_normal")


def compute_fans(
    shape: Sequence[int],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """Return the numbers of inputs and outputs of a unit, (fan_in, fan_out).

    A matrix is (inputs, outputs); in a higher rank the leading axes are the receptive field of
    a convolution kernel and multiply both; a vector counts as both, a scalar as 1.
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return (
            math.prod(shape[axis] for axis in input_axes),
            math.prod(shape[axis] for axis in output_axes),
        )
    if not shape:
        return 1, 1
    if len(shape) == 1:
        return shape[0], shape[0]
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


class Orthogonal(RandomInitializer):
    """A matrix with orthonormal rows or columns, whichever are fewer, times `gain`.

    The Q of a normal matrix, signs fixed by the diagonal of R (Saxe et al., 2014); shapes of a
    higher rank are seen as (prod(shape[:-1]), shape[-1]).

    Raises:
        ValueError: when called with a shape of fewer than two axes.
    """

    def __init__(self, gain: float = 1.0, seed: Any = None) -> None:
        super().__init__(seed)
        check_numbers(type(self).__name__, gain=gain)
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        shape = tuple(shape)
        if len(shape) < 2:
            raise ValueError(
                "The Orthogonal initializer needs a shape of two or more axes. "
                f"Received: shape={shape}"
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = (max(rows, columns), min(rows, columns))
        draws = random.normal(tall, dtype=dtype, seed=self.seed)
        wide = draws if draws.dtype != np.float16 else draws.astype(np.float32)
        q, r = np.linalg.qr(wide)
        q = q * np.sign(np.diag(r))
        q = q.T if rows < columns else q
        return (q * self.gain).reshape(shape).astype(draws.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}
