"""DepthwiseConv1D and DepthwiseConv2D."""

from __future__ import annotations

from typing import Any

from ..._plan import Value, images
from ..._symbolic import Shape
from .. import arguments
from ..building import Unbuilt
from .base import Convolution


class _Depthwise(Convolution):
    _kernels = ("depthwise",)
    kernel: Any = Unbuilt()

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        weights = {
            "depthwise_initializer": depthwise_initializer,
            "bias_initializer": bias_initializer,
            "depthwise_regularizer": depthwise_regularizer,
            "bias_regularizer": bias_regularizer,
            "depthwise_constraint": depthwise_constraint,
            "bias_constraint": bias_constraint,
        }
        super().__init__(
            *(kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias),
            *(weights, activity_regularizer),
            **kwargs,
        )
        self.depth_multiplier = arguments.positive(self.name, "depth_multiplier", depth_multiplier)

    def build(self, input_shape: Shape) -> None:
        channels = self._channels(input_shape)
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.kernel = self._add("kernel", "depthwise", shape)
        self._add_bias(channels * self.depth_multiplier)
        self._expect(channels)

    def _filters(self, channels: int | None) -> int | None:
        return None if channels is None else channels * self.depth_multiplier

    def _convolve(self, flow: Any, x: Value, how: images.Windows) -> Value:
        return images.depthwise(flow, x, how, self.kernel, self.bias, self.depth_multiplier)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


class DepthwiseConv1D(_Depthwise):
    """Convolution of each channel of sequences with kernels of its own.

    Args:
        kernel_size: steps of a window.
        strides: from a window to the next.
        padding: "valid" or "same" (zeros on both sides, the smaller half before).
        depth_multiplier: kernels for each channel.
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        dilation_rate: distance of a window's steps.
        activation: name or callable; None for none.
        use_bias: whether a bias is added.
        depthwise_initializer: of the kernel, shape `(kernel_size, channels, depth_multiplier)`.
        bias_initializer: of the bias, shape `(channels * depth_multiplier,)`.
        depthwise_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        depthwise_constraint: projection of the kernel after each optimizer step.
        bias_constraint: projection of the bias.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, steps, channels)`, or `(batch, channels, steps)`.

    Output shape:
        The same with the new number of steps and `channels * depth_multiplier` channels.

    Raises:
        ValueError: sizes that are no positive ints, an unknown name, an input of another rank or
            another number of channels, or shorter than a window.
    """

    _axes = 1


class DepthwiseConv2D(_Depthwise):
    """Convolution of each channel of images with kernels of its own.

    Args:
        kernel_size: pixels of a window, an int or `(height, width)`.
        strides: from a window to the next, an int or a pair.
        padding: "valid" or "same" (zeros on all sides, the smaller half before).
        depth_multiplier: kernels for each channel.
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        dilation_rate: distance of a window's pixels, an int or a pair.
        activation: name or callable; None for none.
        use_bias: whether a bias is added.
        depthwise_initializer: of the kernel, shape `(height, width, channels, depth_multiplier)`.
        bias_initializer: of the bias, shape `(channels * depth_multiplier,)`.
        depthwise_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        depthwise_constraint: projection of the kernel after each optimizer step.
        bias_constraint: projection of the bias.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, height, width, channels)`, or `(batch, channels, height, width)`.

    Output shape:
        The same with the new sizes and `channels * depth_multiplier` channels.

    Raises:
        ValueError: sizes that are no positive ints, an unknown name, an input of another rank or
            another number of channels, or smaller than a window.
    """
