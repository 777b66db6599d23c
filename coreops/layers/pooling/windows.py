"""The largest value, or the mean, of windows over images and sequences."""

from __future__ import annotations

from typing import Any

from ... import _legacy, config
from ..._plan import images
from ..._symbolic import Shape
from .. import arguments
from ..input_spec import InputSpec
from ..layer import Layer


class _Pooling(Layer):
    _axes = 2
    _average = False
    _stateless = True
    integer_input = "cast"

    @_legacy.accepts_old_names
    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = arguments.sizes(self.name, "pool_size", pool_size, self._axes)
        steps = self.pool_size if strides is None else strides
        self.strides = arguments.sizes(self.name, "strides", steps, self._axes)
        self.padding = arguments.padding(self.name, padding)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(ndim=self._axes + 2)

    def emit(self, flow: Any, x: Any) -> Any:
        self.compute_output_shape((None, *x.shape))
        how = images.Windows(self.pool_size, self.strides, (1,) * self._axes, self.padding)
        x = images.to_last(flow, x, self.data_format)
        y = images.pool(flow, x, how, average=self._average)
        return images.to_first(flow, y, self.data_format)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        image, channels = arguments.split_shape(input_shape, self.data_format)
        ones = (1,) * self._axes
        made = arguments.output_sizes(
            self.name, image, self.pool_size, self.strides, ones, self.padding
        )
        return arguments.joined_shape(input_shape[0], made, channels, self.data_format)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "padding": self.padding,
            "strides": self.strides,
            "data_format": self.data_format,
        }


class MaxPooling1D(_Pooling):
    """The largest value of each window over a sequence, channel by channel.

    Args:
        pool_size: steps of a window.
        strides: from a window to the next; None for `pool_size`.
        padding: "valid" or "same" (windows may reach beyond both ends, where nothing counts).
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)`.

    Output shape:
        The same with the new number of steps.

    Raises:
        ValueError: sizes that are no positive ints, an unknown name, an input of another rank, or
            shorter than a window.
    """

    _axes = 1


class MaxPooling2D(_Pooling):
    """The largest value of each window over an image, channel by channel.

    Args:
        pool_size: pixels of a window, an int or `(height, width)`.
        strides: from a window to the next; None for `pool_size`.
        padding: "valid" or "same" (windows may reach beyond the image, where nothing counts).
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Output shape:
        The same with the new sizes.

    Raises:
        ValueError: sizes that are no positive ints, an unknown name, an input of another rank, or
            smaller than a window.
    """


class AveragePooling1D(_Pooling):
    """The mean of each window over a sequence, channel by channel.

    Args:
        pool_size: steps of a window.
        strides: from a window to the next; None for `pool_size`.
        padding: "valid" or "same" (windows may reach beyond both ends, where nothing counts).
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)`.

    Output shape:
        The same with the new number of steps.

    Raises:
        ValueError: sizes that are no positive ints, an unknown name, an input of another rank, or
            shorter than a window.
    """

    _axes = 1
    _average = True


class AveragePooling2D(_Pooling):
    """The mean of each window over an image, channel by channel.

    Args:
        pool_size: pixels of a window, an int or `(height, width)`.
        strides: from a window to the next; None for `pool_size`.
        padding: "valid" or "same" (windows may reach beyond the image, where nothing counts).
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Output shape:
        The same with the new sizes.

    Raises:
        ValueError: sizes that are no positive ints, an unknown name, an input of another rank, or
            smaller than a window.
    """

    _average = True
