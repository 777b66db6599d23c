"""What all convolutions have in common: windows over images or sequences, a bias, an activation."""

from __future__ import annotations

from typing import Any

from ... import activations, config, constraints, initializers, regularizers
from ..._plan import Value, images
from ..._symbolic import Shape
from .. import arguments
from ..building import Unbuilt
from ..input_spec import InputSpec
from ..layer import Layer

_BASE = ("kernel_size", "strides", "padding", "data_format", "dilation_rate")


class Convolution(Layer):
    """The window, the bias and the activation of a convolution over `_axes` axes.

    A subclass names its kernels in `_kernels`: for each of them there are the arguments
    `<name>_initializer`, `<name>_regularizer` and `<name>_constraint`, which are among `weights`.
    """

    _axes = 2
    _causal = False
    _kernels: tuple[str, ...] = ("kernel",)
    integer_input = "cast"
    bias: Any = Unbuilt()

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: Any,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        weights: dict[str, Any],
        activity_regularizer: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        name, axes = self.name, self._axes
        self.kernel_size = arguments.sizes(name, "kernel_size", kernel_size, axes)
        self.strides = arguments.sizes(name, "strides", strides, axes)
        self.padding = arguments.padding(name, padding, causal=self._causal)
        self.data_format = config.standardize_data_format(data_format)
        self.dilation_rate = arguments.sizes(name, "dilation_rate", dilation_rate, axes)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        for kernel in (*self._kernels, "bias"):
            for part, family in (
                ("initializer", initializers),
                ("regularizer", regularizers),
                ("constraint", constraints),
            ):
                key = f"{kernel}_{part}"
                setattr(self, key, family.get(weights[key]))
        self.input_spec = InputSpec(ndim=axes + 2)

    @property
    def rank(self) -> int:
        """The number of axes of an image, without its channels."""
        return self._axes

    def _channels(self, input_shape: Shape) -> int:
        """Return the number of channels, once the shape is known to be good."""
        _, channels = arguments.split_shape(input_shape, self.data_format)
        if channels is None:
            raise ValueError(
                f"Layer '{self.name}': the axis of the channels must be known to build the kernel. "
                f"Received: input_shape={input_shape}"
            )
        self.compute_output_shape(input_shape)
        return channels

    def _expect(self, channels: int) -> None:
        """Take no other number of channels from now on."""
        axis = -1 if self.data_format == "channels_last" else 1
        self.input_spec = InputSpec(ndim=self._axes + 2, axes={axis: channels})

    def _add(self, name: str, kernel: str, shape: Shape) -> Any:
        """Add the weight that the arguments of `kernel` are about."""
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=getattr(self, f"{kernel}_initializer"),
            regularizer=getattr(self, f"{kernel}_regularizer"),
            constraint=getattr(self, f"{kernel}_constraint"),
        )

    def _add_bias(self, filters: int) -> None:
        self.bias = self._add("bias", "bias", (filters,)) if self.use_bias else None

    def _filters(self, channels: int | None) -> int | None:
        """Return the number of channels of the result."""
        raise NotImplementedError

    def _convolve(self, flow: Any, x: Value, how: images.Windows) -> Value:
        """Return x convolved, with the bias; channels are at the end."""
        raise NotImplementedError

    def emit(self, flow: Any, x: Any) -> Any:
        how = images.Windows(self.kernel_size, self.strides, self.dilation_rate, self.padding)
        self.compute_output_shape((None, *x.shape))
        y = self._convolve(flow, images.to_last(flow, x, self.data_format), how)
        step = activations.step_of(self.activation)
        if step is not None and step[0] == "act":  # element by element: in any order
            made = flow.activation(y, self.activation)
            return images.to_first(flow, made, self.data_format)
        return flow.activation(images.to_first(flow, y, self.data_format), self.activation)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != self._axes + 2:
            raise ValueError(
                f"Layer '{self.name}': expected an input of {self._axes + 2} axes, with the batch. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        image, channels = arguments.split_shape(input_shape, self.data_format)
        made = arguments.output_sizes(
            self.name, image, self.kernel_size, self.strides, self.dilation_rate, self.padding
        )
        filters = self._filters(channels)
        return arguments.joined_shape(input_shape[0], made, filters, self.data_format)

    def get_config(self) -> dict[str, Any]:
        made = {
            **super().get_config(),
            **{key: getattr(self, key) for key in _BASE},
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
        }
        for kernel in (*self._kernels, "bias"):
            for part, family in (
                ("initializer", initializers),
                ("regularizer", regularizers),
                ("constraint", constraints),
            ):
                key = f"{kernel}_{part}"
                made[key] = family.serialize(getattr(self, key))
        return made
