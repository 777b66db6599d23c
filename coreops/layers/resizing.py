"""Layers that enlarge images and sequences: ZeroPadding1D and 2D, UpSampling1D and 2D."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _legacy, config, ops
from .._plan import Seam, images
from .._symbolic import Shape
from . import arguments
from .input_spec import InputSpec
from .interpolation import KERNELS, matrix
from .layer import Layer

Pairs = tuple[tuple[int, int], ...]


def _grown(n: int | None, more: int) -> int | None:
    return None if n is None else n + more


def _times(n: int | None, times: int) -> int | None:
    return None if n is None else n * times


class _ZeroPadding(Layer):
    data_format: str
    _stateless = True

    @property
    def _pairs(self) -> Pairs:
        """The padding before and after each axis of an image."""
        raise NotImplementedError

    def emit(self, flow: Any, x: Any) -> Any:
        pairs = self._pairs
        if not x.is_real:
            channels = ((0, 0),)
            last = self.data_format == "channels_last"
            every = ((0, 0), *pairs, *channels) if last else ((0, 0), *channels, *pairs)
            return Seam(x, lambda array, mask: np.pad(array, every))
        made = images.pad(flow, images.to_last(flow, x, self.data_format), pairs)
        return images.to_first(flow, made, self.data_format)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        image, channels = arguments.split_shape(input_shape, self.data_format)
        made = tuple(_grown(n, sum(pair)) for n, pair in zip(image, self._pairs, strict=True))
        return arguments.joined_shape(input_shape[0], made, channels, self.data_format)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "padding": self.padding,  # type: ignore[attr-defined]  # of the subclass
            "data_format": self.data_format,
        }


class ZeroPadding1D(_ZeroPadding):
    """Puts zeros before and after a sequence.

    Args:
        padding: their number on both sides, or a pair: before and after.
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)`.

    Output shape:
        The same with more steps.

    Raises:
        ValueError: `padding` is negative or no such thing; an input of another rank than 3.
    """

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.padding = arguments.sizes(self.name, "padding", padding, 2, least=0)
        self.input_spec = InputSpec(ndim=3)

    @property
    def _pairs(self) -> Pairs:
        before, after = self.padding
        return ((before, after),)


class ZeroPadding2D(_ZeroPadding):
    """Puts zeros around an image.

    Args:
        padding: their number on every side, a pair for rows and columns, or a pair of pairs:
            `((top, bottom), (left, right))`.
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Output shape:
        The same with larger sizes.

    Raises:
        ValueError: `padding` is negative or no such thing; an input of another rank than 4.
    """

    @_legacy.accepts_old_names
    def __init__(
        self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.padding = arguments.sides(self.name, "padding", padding)
        self.input_spec = InputSpec(ndim=4)

    @property
    def _pairs(self) -> Pairs:
        return self.padding


class UpSampling1D(Layer):
    """Repeats every step of a sequence.

    Args:
        size: how often, a positive int.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, steps, channels)`.

    Output shape:
        `(batch, steps * size, channels)`.

    Raises:
        TypeError: `size` is no int.
        ValueError: `size` is not positive; an input of another rank than 3.
    """

    _stateless = True

    @_legacy.accepts_old_names
    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(
                f"Layer '{self.name}': `size` must be an int. Received: {size!r} of type "
                f"{type(size).__name__}"
            )
        self.size = arguments.positive(self.name, "size", size)
        self.input_spec = InputSpec(ndim=3)

    def emit(self, flow: Any, x: Any) -> Any:
        return images.enlarge(flow, x, (self.size,))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, steps, channels = input_shape
        return (batch, _times(steps, self.size), channels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


class UpSampling2D(Layer):
    """Enlarges images by whole factors.

    Args:
        size: how many times, an int or `(height, width)`.
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        interpolation: "nearest" repeats pixels; "bilinear", "bicubic", "lanczos3" and "lanczos5"
            go through their centres.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Output shape:
        The same with larger sizes.

    Raises:
        ValueError: sizes that are no positive ints, an unknown name, an input of another rank than
            4.
    """

    _stateless = True

    @_legacy.accepts_old_names
    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.size = arguments.sizes(self.name, "size", size, 2)
        self.interpolation = interpolation.lower()
        if self.interpolation not in ("nearest", *KERNELS):
            raise ValueError(
                f"Layer '{self.name}': `interpolation` must be one of "
                f"{('nearest', *KERNELS)}. Received: interpolation={interpolation!r}"
            )
        self.input_spec = InputSpec(ndim=4)

    @property
    def integer_input(self) -> str:  # type: ignore[override]  # a constant in other layers
        """Pixels that are repeated keep their type."""
        return "keep" if self.interpolation == "nearest" else "cast"

    def emit(self, flow: Any, x: Any) -> Any:
        if self.interpolation != "nearest":
            return Seam(x, self._interpolate)
        made = images.enlarge(flow, images.to_last(flow, x, self.data_format), self.size)
        return images.to_first(flow, made, self.data_format)

    def _interpolate(self, array: Any, mask: Any) -> Any:
        """Multiply rows, and then columns, with what they are made of."""
        axes = (1, 2) if self.data_format == "channels_last" else (2, 3)
        for axis, times in zip(axes, self.size, strict=True):
            weights = matrix(array.shape[axis], times, self.interpolation).astype(array.dtype)
            moved = ops.moveaxis(array, axis, -2)
            array = ops.moveaxis(ops.matmul(weights, moved), -2, axis)
        return array

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        image, channels = arguments.split_shape(input_shape, self.data_format)
        made = tuple(_times(n, times) for n, times in zip(image, self.size, strict=True))
        return arguments.joined_shape(input_shape[0], made, channels, self.data_format)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "size": self.size,
            "data_format": self.data_format,
            "interpolation": self.interpolation,
        }
