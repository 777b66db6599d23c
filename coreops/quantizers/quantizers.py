"""Quantizers: reals to small integers and the scale that they were multiplied by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config
from ..saving import registry

_EPSILON = config.epsilon()  # a default is what it was at import, as in Keras


def abs_max_quantize(
    inputs: Any,
    axis: int | Sequence[int],
    value_range: Sequence[float] = (-127, 127),
    dtype: str = "int8",
    epsilon: float = _EPSILON,
    to_numpy: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Scale so that the greatest magnitude becomes the end of the range, and round.

    Args:
        inputs: reals.
        axis: the axis or axes that share a scale.
        value_range: the least and the greatest integer.
        dtype: type of the integers.
        epsilon: keeps the division away from zero.
        to_numpy: accepted as in Keras.

    Returns:
        The integers, and the scale with 1 in place of `axis`: `scale = value_range[1] / (max |x| +
        epsilon)`, `integers = round(x * scale)`, ties to even. Each operation is rounded by itself
        in the inputs' type.
    """
    x = np.asarray(inputs)
    if x.dtype.kind != "f":
        x = x.astype(config.compute_floatx())
    axis = axis if isinstance(axis, (int, np.integer)) else tuple(axis)
    low, high = value_range
    real = x.dtype.type
    scale = real(high) / (np.max(np.abs(x), axis=axis, keepdims=True) + real(epsilon))
    return np.clip(np.round(x * scale), low, high).astype(dtype), scale


class Quantizer:
    """Base class of quantizers: a callable that returns the pair (integers, scale).

    Args:
        output_dtype: type of the integers.
    """

    def __init__(self, output_dtype: str = "int8") -> None:
        self.output_dtype = output_dtype

    def __call__(self, x: Any) -> Any:
        return x

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Quantizer:
        """Return a new quantizer with the configuration that `get_config` gave."""
        return cls(**config)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds the quantizer from."""
        raise NotImplementedError(f"{self} does not implement get_config()")


class AbsMaxQuantizer(Quantizer):
    """`abs_max_quantize` with fixed arguments.

    Args:
        axis: the axis or axes that share a scale where a call names none; by default the last.
        value_range: the least and the greatest integer.
        epsilon: keeps the division away from zero.
        output_dtype: type of the integers.

    Raises:
        ValueError: a range that int8 does not have.
    """

    def __init__(
        self,
        axis: int | Sequence[int] | None = None,
        value_range: Sequence[float] = (-127, 127),
        epsilon: float = _EPSILON,
        output_dtype: str = "int8",
    ) -> None:
        super().__init__(output_dtype)
        self.axis = (axis,) if isinstance(axis, int) else None if axis is None else tuple(axis)
        self.value_range = tuple(value_range)
        self.epsilon = epsilon
        if output_dtype == "int8" and (self.value_range[0] < -128 or self.value_range[1] > 127):
            raise ValueError(
                "Quantizer with output_dtype='int8' requires value_range to be within the interval "
                f"[-128, 127]. Received: value_range={value_range}"
            )

    def __call__(
        self, x: Any, axis: int | Sequence[int] | None = None, to_numpy: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        if axis is None:
            axis = -1 if self.axis is None else self.axis
        return abs_max_quantize(
            x, axis, self.value_range, self.output_dtype, self.epsilon, to_numpy
        )

    def get_config(self) -> dict[str, Any]:
        own = {
            "value_range": self.value_range,
            "epsilon": self.epsilon,
            "output_dtype": self.output_dtype,
        }
        return own if self.axis is None else {**own, "axis": self.axis}


registry.add("quantizers", Quantizer, "quantizer", module="keras")
registry.add("quantizers", AbsMaxQuantizer, "abs_max_quantizer")
