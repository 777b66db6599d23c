"""EinsumDense: a product with a kernel that an einsum equation describes, plus a bias."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ... import _plan, activations, constraints, initializers, ops, regularizers
from ..._symbolic import Shape
from ..building import Unbuilt
from ..input_spec import InputSpec
from ..layer import Layer
from .einsum_equation import Equation


class EinsumDense(Layer):
    """Computes `activation(einsum(equation, inputs, kernel) + bias)`.

    Args:
        equation: of two operands: `X,Y->Z`, `...X,Y->...Z` or `X...,Y->Z...`, of which X and Z
            begin with the batch axis.
        output_shape: the output's sizes without the batch axis, and without those that "..." stands
            for; an int for one; None where the input says it.
        activation: name or callable; None for none.
        bias_axes: the letters of the output that the bias has; None for no bias.
        kernel_initializer: initializer of the kernel, whose axes are Y.
        bias_initializer: initializer of the bias.
        kernel_regularizer: penalty on the kernel, in `losses`.
        bias_regularizer: penalty on the bias.
        kernel_constraint: projection of the kernel after each optimizer step.
        bias_constraint: projection of the bias.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Input shape:
        As the equation says.

    Output shape:
        As the equation says.

    Raises:
        ValueError: an equation of another form; letters that stand for nothing, or for two sizes;
            an unknown activation, initializer, regularizer or constraint.
    """

    integer_input = "cast"
    _neutral = ("lora_rank", "lora_alpha", "gptq_unpacked_column_size", "quantization_config")

    kernel: Any = Unbuilt()
    bias: Any = Unbuilt()

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.equation = equation
        self.partial_output_shape = (
            (output_shape,) if isinstance(output_shape, int) else tuple(output_shape)
        )
        self.bias_axes = bias_axes
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self._equation = Equation(equation, bias_axes, self.name)

    def build(self, input_shape: Shape) -> None:
        sizes = self._equation.sizes(tuple(input_shape), self.partial_output_shape)
        initializer: Any = self.kernel_initializer
        if isinstance(initializer, initializers.VarianceScaling) and (
            initializer.input_axes is None or initializer.output_axes is None
        ):
            inputs, outputs = self._equation.fan_axes()
            config = {
                **initializer.get_config(),
                "seed": initializer.seed,
                "input_axes": inputs,
                "output_axes": outputs,
            }
            initializer = type(initializer).from_config(config)
        self.kernel = self.add_weight(
            name="kernel",
            shape=sizes.kernel,
            initializer=initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if sizes.bias is not None:
            self.bias = self.add_weight(
                name="bias",
                shape=sizes.bias,
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(ndim=len(input_shape))

    def emit(self, flow: Any, x: Any) -> Any:
        self._equation.sizes((None, *x.shape), self.partial_output_shape)
        self._check_contracted(x.shape)
        way = self._equation.as_product(len(x.shape) + 1)
        if way is None:
            return _plan.Seam(x, self._by_ops)
        shape = x.shape
        columns = [self.kernel.shape[axis] for axis in way.kernel[len(way.contracted) :]]
        as_it_is = way.kernel == sorted(way.kernel)
        if flow.trains and not (as_it_is and columns):
            return _plan.Seam(x, self._by_ops)
        k = prod(shape[axis - 1] for axis in way.contracted)
        moved = flow.reorder(x, [axis - 1 for axis in (*way.free, *way.contracted)])
        moved = moved._replace(shape=(prod(shape[axis - 1] for axis in way.free), k), mask=None)
        kernel, rows = self.kernel, len(way.contracted)
        if not as_it_is:
            kernel = np.ascontiguousarray(flow.value_of(kernel).transpose(way.kernel))
        joined = as_it_is and way.result == sorted(way.result)
        joined = joined and self.bias is not None and self.bias.shape == tuple(columns)
        y = flow.dense(moved, kernel, self.bias if joined else None, rows=rows)
        y = y._replace(shape=(*(shape[axis - 1] for axis in way.free), *columns))
        y = flow.reorder(y, way.result)
        if self.bias is not None and not joined:
            learns = flow.trains and flow.learns(self.bias)
            if learns and self.bias.shape != y.shape[len(y.shape) - self.bias.ndim :]:
                return _plan.Seam(y, lambda array, mask: self._activated(array + self.bias.value))
            y = _plan.affine(flow, y, np.ones(()), None, self.bias)
        return flow.activation(y, self.activation)

    def _check_contracted(self, shape: tuple[int, ...]) -> None:
        for axis, size in self._equation.contracted_sizes(len(shape) + 1, self.kernel.shape):
            if shape[axis - 1] != size:
                raise ValueError(
                    f"Layer '{self.name}': expected {size} elements along axis {axis}. Received an "
                    f"input of shape {(None, *shape)}"
                )

    def _by_ops(self, x: Any, mask: Any) -> Any:
        y = ops.einsum(self.equation, x, self.kernel.value)
        return self._activated(y if self.bias is None else y + self.bias.value)

    def _activated(self, y: Any) -> Any:
        return y if self.activation is None else self.activation(y)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self._equation.sizes(tuple(input_shape), self.partial_output_shape).output

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "output_shape": self.partial_output_shape,
            "equation": self.equation,
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }
