"""Conv1D and Conv2D."""

from __future__ import annotations

from typing import Any

from ... import _legacy
from ..._plan import Value, images
from ..._symbolic import Shape
from .. import arguments
from ..building import Unbuilt
from .base import Convolution


class _Conv(Convolution):
    _neutral = ("lora_rank", "lora_alpha")
    kernel: Any = Unbuilt()

    @_legacy.accepts_old_names
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        weights = {
            "kernel_initializer": kernel_initializer,
            "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer,
            "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint,
            "bias_constraint": bias_constraint,
        }
        super().__init__(
            *(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias),
            *(weights, activity_regularizer),
            **kwargs,
        )
        self.filters = arguments.positive(self.name, "filters", filters)
        self.groups = arguments.positive(self.name, "groups", groups)
        if self.filters % self.groups:
            raise ValueError(
                f"Layer '{self.name}': `filters` must be a multiple of `groups`. Received: "
                f"filters={filters}, groups={groups}"
            )
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"Layer '{self.name}': `strides` above 1 do not go with a `dilation_rate` above 1. "
                f"Received: strides={self.strides}, dilation_rate={self.dilation_rate}"
            )

    def build(self, input_shape: Shape) -> None:
        channels = self._channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"Layer '{self.name}': the number of channels must be a multiple of `groups`. "
                f"Received: groups={self.groups}, input_shape={tuple(input_shape)}"
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self._add("kernel", "kernel", shape)
        self._add_bias(self.filters)
        self._expect(channels)

    def _filters(self, channels: int | None) -> int | None:
        return self.filters

    def _convolve(self, flow: Any, x: Value, how: images.Windows) -> Value:
        return images.conv(flow, x, how, self.kernel, self.bias, self.groups)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}


class Conv1D(_Conv):
    """Convolution of sequences: `activation(windows @ kernel + bias)`.

    Args:
        filters: number of the result's channels, a positive int.
        kernel_size: steps of a window.
        strides: from a window to the next.
        padding: "valid", "same" (zeros on both sides, the smaller half before) or "causal" (zeros
            before, so that no result depends on later steps).
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        dilation_rate: distance of a window's steps; above 1 only with `strides` of 1.
        groups: the channels and the filters are split into so many groups, in order.
        activation: name or callable; None for none.
        use_bias: whether a bias is added.
        kernel_initializer: of the kernel, shape `(kernel_size, channels / groups, filters)`.
        bias_initializer: of the bias, shape `(filters,)`.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each optimizer step.
        bias_constraint: projection of the bias.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)`.

    Output shape:
        `(batch, new_steps, filters)`, or `(batch, filters, new_steps)`.

    Raises:
        ValueError: sizes that are no positive ints, groups that do not divide the channels and the
            filters, strides and dilation both above 1, an unknown name, an input of another rank or
            another number of channels, or shorter than a window.
    """

    _axes = 1
    _causal = True


class Conv2D(_Conv):
    """Convolution of images: `activation(windows @ kernel + bias)`; the kernel is not flipped.

    Args:
        filters: number of the result's channels, a positive int.
        kernel_size: pixels of a window, an int or `(height, width)`; so are the next three.
        strides: from a window to the next.
        padding: "valid" or "same" (zeros on all sides, the smaller half before).
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        dilation_rate: distance of a window's pixels; above 1 only with `strides` of 1.
        groups: the channels and the filters are split into so many groups, in order.
        activation: name or callable; None for none.
        use_bias: whether a bias is added.
        kernel_initializer: of the kernel, shape `(height, width, channels / groups, filters)`.
        bias_initializer: of the bias, shape `(filters,)`.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each optimizer step.
        bias_constraint: projection of the bias.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Output shape:
        `(batch, new_height, new_width, filters)`, or `(batch, filters, new_height, new_width)`.

    Raises:
        ValueError: sizes that are no positive ints, groups that do not divide the channels and the
            filters, strides and dilation both above 1, an unknown name, an input of another rank or
            another number of channels, or smaller than a window.
    """


def Convolution2D(*args: Any, **kwargs: Any) -> Conv2D:
    """Return a Conv2D; three positional ints are Keras 1's filters, rows and columns.

    Args:
        *args: of Conv2D, or `nb_filter, nb_row, nb_col`.
        **kwargs: of Conv2D, under new or old names.
    """
    return Conv2D(*_legacy.rows_and_columns("Convolution2D", args), **kwargs)
