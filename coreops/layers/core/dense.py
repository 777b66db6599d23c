"""Dense: activation(x @ kernel + bias)."""

from __future__ import annotations

from typing import Any

from ... import _legacy, activations, constraints, initializers, quantizers, regularizers
from ..._plan import Seam
from ..._symbolic import Shape
from ..arguments import positive
from ..building import Unbuilt
from ..input_spec import InputSpec
from ..layer import Layer
from . import dense_int8


class Dense(Layer):
    """Densely connected layer: `activation(x @ kernel + bias)` over the last axis.

    Args:
        units: size of the output's last axis, a positive int.
        activation: name or callable; None for none.
        use_bias: whether a bias is added.
        kernel_initializer: initializer of the kernel, shape `(input_dim, units)`.
        bias_initializer: initializer of the bias, shape `(units,)`.
        kernel_regularizer: penalty on the kernel, in `losses`.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each optimizer step.
        bias_constraint: projection of the bias.
        quantization_config: how `quantize` is to be done, or was: a
            `quantizers.QuantizationConfig`, or None.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, ..., input_dim)`, rank 2 or more. With rank above 2 the same kernel is applied at
        every position. Integers are computed as floats.

    Output shape:
        `(batch, ..., units)`.

    Raises:
        ValueError: `units` is no positive int, an unknown activation, initializer, regularizer or
            constraint, or an input of rank 1 or of another last axis than at the first call.
    """

    kernel: Any = Unbuilt()
    bias: Any = Unbuilt()
    integer_input = "cast"
    _neutral = ("lora_rank", "lora_alpha")

    @_legacy.accepts_old_names
    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive(self.name, "units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.quantization_config = quantizers.get_config(quantization_config)
        self.kernel_scale: Any = None
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        input_dim = input_shape[-1]
        if input_dim is None:
            raise ValueError(
                f"Layer '{self.name}': the last axis of the input must be known to build the "
                f"kernel. Received: input_shape={input_shape}"
            )
        if self.quantization_mode == "int8":
            dense_int8.build(self, input_dim)
        else:
            self.kernel = self.add_weight(
                name="kernel",
                shape=(input_dim, self.units),
                initializer=self.kernel_initializer,
                regularizer=self.kernel_regularizer,
                constraint=self.kernel_constraint,
            )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_dim})

    def emit(self, flow: Any, x: Any) -> Any:
        if not self._is_quantized:
            return flow.activation(flow.dense(x, self.kernel, self.bias), self.activation)
        made = dense_int8.emit(self, flow, x)
        return made if isinstance(made, Seam) else flow.activation(made, self.activation)

    @property
    def _is_quantized(self) -> bool:  # type: ignore[override]  # a constant in other layers
        return self.built and self.kernel.dtype == "int8"

    def _quantize(self, config: Any, type_check: bool) -> None:
        if type_check and type(self) is not Dense:
            super()._quantize(config, type_check)
        dense_int8.quantize(self, config)

    @property
    def _stored_variables(self) -> list[Any]:
        if not self._is_quantized:
            return self._own_variables
        kernel_first = [self.kernel, self.bias, self.kernel_scale]
        return [variable for variable in kernel_first if variable is not None]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }
        if self.quantization_config is not None:
            config["quantization_config"] = quantizers.serialize(self.quantization_config)
        return config
