"""Layers that cut the edges off: Cropping1D and 2D."""

from __future__ import annotations

from typing import Any

from .. import _legacy, config
from .._plan import Seam, merging
from .._symbolic import Shape
from . import arguments
from .input_spec import InputSpec
from .layer import Layer


class _Cropping(Layer):
    cropping: Any
    data_format = "channels_last"
    _stateless = True

    @property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        """What goes before and after, along each axis of an image."""
        return self.cropping

    def emit(self, flow: Any, x: Any) -> Any:
        self.compute_output_shape((None, *x.shape))
        first = 0 if self.data_format == "channels_last" else 1
        if not x.is_real:
            kept = [slice(before, -after or None) for before, after in self._pairs]
            key = (slice(None),) * (1 + first) + tuple(kept)
            return Seam(x, lambda array, mask: array[key])
        for axis, (before, after) in enumerate(self._pairs, first):
            x = merging.part(flow, x, axis, before, x.shape[axis] - after)
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        image, channels = arguments.split_shape(input_shape, self.data_format)
        made = []
        for size, pair in zip(image, self._pairs, strict=True):
            if size is not None and sum(pair) >= size:
                raise ValueError(
                    f"Layer '{self.name}': `cropping` should leave something of the input. "
                    f"Received: cropping={self.cropping}, input_shape={tuple(input_shape)}"
                )
            made.append(None if size is None else size - sum(pair))
        return arguments.joined_shape(input_shape[0], tuple(made), channels, self.data_format)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping}


class Cropping1D(_Cropping):
    """Cuts steps off both ends of a sequence.

    Args:
        cropping: their number at both ends, or a pair: at the beginning and at the end.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, steps, channels)`.

    Output shape:
        The same with fewer steps.

    Raises:
        ValueError: `cropping` is negative or no such thing; an input of another rank than 3, or of
            which nothing is left.
    """

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = arguments.sizes(self.name, "cropping", cropping, 2, least=0)
        self.input_spec = InputSpec(ndim=3)

    @property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        return (self.cropping,)


class Cropping2D(_Cropping):
    """Cuts the edges off an image.

    Args:
        cropping: rows and columns on every side, a pair for rows and columns, or a pair of pairs:
            `((top, bottom), (left, right))`.
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Output shape:
        The same with smaller sizes.

    Raises:
        ValueError: `cropping` is negative or no such thing; an input of another rank than 4, or of
            which nothing is left.
    """

    @_legacy.accepts_old_names
    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.cropping = arguments.sides(self.name, "cropping", cropping)
        self.input_spec = InputSpec(ndim=4)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}
