"""Rescaling: inputs * scale + offset."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _plan, config
from ..._arguments import check_numeric
from ..._symbolic import Shape
from ...saving import objects
from ..layer import Layer
from .broadcasting import check_broadcast


class Rescaling(Layer):
    """Computes `inputs * scale + offset`, in training and at inference.

    Args:
        scale: factor: a number, or one for each channel.
        offset: what is added: likewise.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any. Integers, such as those of images, become floats.

    Output shape:
        The input's.

    Raises:
        TypeError: a `scale` or an `offset` that is neither a number nor an array of them.
        ValueError: a `scale` or an `offset` that does not broadcast with the input.
    """

    integer_input = "cast"
    _stateless = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_numeric(f"Layer '{self.name}'", scale=scale, offset=offset)
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def emit(self, flow: Any, x: Any) -> Any:
        scale, offset = (self._factor(value, x.dtype) for value in (self.scale, self.offset))
        check_broadcast(self, (None, *x.shape), scale=scale.shape, offset=offset.shape)
        if max(scale.ndim, offset.ndim) > len(x.shape) or not _fits(x.shape, scale, offset):
            return _plan.Seam(x, lambda array, mask: array * scale + offset)
        return _plan.affine(flow, x, scale, None, offset if np.any(offset) else None)

    def _factor(self, value: Any, dtype: np.dtype) -> np.ndarray:
        array = np.asarray(value, dtype)
        if array.ndim and config.image_data_format() == "channels_first":
            array = array.reshape(array.shape + (1,) * (3 - array.ndim))
        return array

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": objects.serialize_keras_object(self.scale),
            "offset": objects.serialize_keras_object(self.offset),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Rescaling:
        """Return a new layer; arrays come as `get_config` writes them."""
        read = objects.deserialize_keras_object
        factors = ("scale", "offset")
        return cls(**{key: read(v) if key in factors else v for key, v in config.items()})


def _fits(shape: tuple[int, ...], *arrays: np.ndarray) -> bool:
    """Whether the arrays broadcast to a sample without stretching it."""
    return all(
        n in (1, size)
        for a in arrays
        for n, size in zip(a.shape, shape[len(shape) - a.ndim :], strict=True)
    )
