"""SeparableConv1D and SeparableConv2D."""

from __future__ import annotations

from typing import Any

from ... import _legacy
from ..._plan import Value, images
from ..._symbolic import Shape
from .. import arguments
from ..building import Unbuilt
from .base import Convolution


class _Separable(Convolution):
    _kernels = ("depthwise", "pointwise")
    depthwise_kernel: Any = Unbuilt()
    pointwise_kernel: Any = Unbuilt()

    @_legacy.accepts_old_names
    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        weights = {
            "depthwise_initializer": depthwise_initializer,
            "pointwise_initializer": pointwise_initializer,
            "bias_initializer": bias_initializer,
            "depthwise_regularizer": depthwise_regularizer,
            "pointwise_regularizer": pointwise_regularizer,
            "bias_regularizer": bias_regularizer,
            "depthwise_constraint": depthwise_constraint,
            "pointwise_constraint": pointwise_constraint,
            "bias_constraint": bias_constraint,
        }
        super().__init__(
            *(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias),
            *(weights, activity_regularizer),
            **kwargs,
        )
        self.filters = arguments.positive(self.name, "filters", filters)
        self.depth_multiplier = arguments.positive(self.name, "depth_multiplier", depth_multiplier)

    def build(self, input_shape: Shape) -> None:
        channels = self._channels(input_shape)
        deep = (*self.kernel_size, channels, self.depth_multiplier)
        point = (*(1,) * self._axes, channels * self.depth_multiplier, self.filters)
        self.depthwise_kernel = self._add("depthwise_kernel", "depthwise", deep)
        self.pointwise_kernel = self._add("pointwise_kernel", "pointwise", point)
        self._add_bias(self.filters)
        self._expect(channels)

    def _filters(self, channels: int | None) -> int | None:
        return self.filters

    def _convolve(self, flow: Any, x: Value, how: images.Windows) -> Value:
        deep = images.depthwise(
            flow, x, how, self.depthwise_kernel, multiplier=self.depth_multiplier
        )
        ones = (1,) * self._axes
        point = images.Windows(ones, ones, ones, "valid")
        return images.conv(flow, deep, point, self.pointwise_kernel, self.bias)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "depth_multiplier": self.depth_multiplier,
        }


class SeparableConv1D(_Separable):
    """Each channel of sequences convolved with kernels of its own, and a product over the channels.

    Args:
        filters: number of the result's channels, a positive int.
        kernel_size: steps of a window.
        strides: from a window to the next.
        padding: "valid" or "same" (zeros on both sides, the smaller half before).
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        dilation_rate: distance of a window's steps.
        depth_multiplier: kernels for each channel.
        activation: name or callable; None for none.
        use_bias: whether a bias is added, at the end.
        depthwise_initializer: of the kernels of shape `(kernel_size, channels, depth_multiplier)`.
        pointwise_initializer: of the matrix, `(1, channels * depth_multiplier, filters)`.
        bias_initializer: of the bias, shape `(filters,)`.
        depthwise_regularizer: penalty on the kernels.
        pointwise_regularizer: penalty on the matrix.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        depthwise_constraint: projection of the kernels after each optimizer step.
        pointwise_constraint: projection of the matrix.
        bias_constraint: projection of the bias.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)`.

    Output shape:
        `(batch, new_steps, filters)`, or `(batch, filters, new_steps)`.

    Raises:
        ValueError: sizes that are no positive ints, an unknown name, an input of another rank or
            another number of channels, or shorter than a window.
    """

    _axes = 1


class SeparableConv2D(_Separable):
    """Each channel of images convolved with kernels of its own, and a product over the channels.

    Args:
        filters: number of the result's channels, a positive int.
        kernel_size: pixels of a window, an int or `(height, width)`.
        strides: from a window to the next, an int or a pair.
        padding: "valid" or "same" (zeros on all sides, the smaller half before).
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        dilation_rate: distance of a window's pixels, an int or a pair.
        depth_multiplier: kernels for each channel.
        activation: name or callable; None for none.
        use_bias: whether a bias is added, at the end.
        depthwise_initializer: of the kernels, `(height, width, channels, depth_multiplier)`.
        pointwise_initializer: of the matrix, `(1, 1, channels * depth_multiplier, filters)`.
        bias_initializer: of the bias, shape `(filters,)`.
        depthwise_regularizer: penalty on the kernels.
        pointwise_regularizer: penalty on the matrix.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        depthwise_constraint: projection of the kernels after each optimizer step.
        pointwise_constraint: projection of the matrix.
        bias_constraint: projection of the bias.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Output shape:
        `(batch, new_height, new_width, filters)`, or `(batch, filters, new_height, new_width)`.

    Raises:
        ValueError: sizes that are no positive ints, an unknown name, an input of another rank or
            another number of channels, or smaller than a window.
    """
