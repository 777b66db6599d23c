"""LayerNormalization: every sample, or position, with mean 0 and variance 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import _plan, constraints, initializers, ops, regularizers
from ..._arguments import check_axes, check_numbers, normalize_axes
from ..._symbolic import Shape
from ..._warnings import warn
from ..building import Unbuilt
from ..input_spec import InputSpec
from ..layer import Layer


class LayerNormalization(Layer):
    """Normalises over the last axis, or others: `gamma * (x - mean) / sqrt(variance + epsilon) +
    beta`, with the population variance.

    Args:
        axis: an axis, or several, counted with the batch axis.
        epsilon: added to the variance.
        center: whether `beta` is added.
        scale: whether `gamma` is multiplied by.
        beta_initializer: initializer of `beta`, which has the shape of the axes, in order.
        gamma_initializer: initializer of `gamma`, likewise.
        beta_regularizer: penalty on `beta`, in `losses`.
        gamma_regularizer: penalty on `gamma`.
        beta_constraint: projection of `beta` after each optimizer step.
        gamma_constraint: projection of `gamma`.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`. Keras' deprecated
            `rms_scaling=True` divides by the deviation and neither subtracts the mean nor adds
            `beta`.

    Input shape:
        Any that has these axes.

    Output shape:
        The input's.

    Raises:
        TypeError: `axis` is neither an int nor a list of ints, or `epsilon` is no number.
        ValueError: an axis that the input does not have, or twice.
    """

    integer_input = "cast"
    gamma: Any = Unbuilt()
    beta: Any = Unbuilt()

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        self.rms_scaling = bool(kwargs.pop("rms_scaling", False))
        super().__init__(**kwargs)
        if self.rms_scaling:
            warn(
                f"Layer '{self.name}': `rms_scaling=True` is deprecated; it scales by the "
                "deviation, not by the root mean square."
            )
        check_axes(f"Layer '{self.name}'", axis=axis)
        self.axis: Any = list(axis) if isinstance(axis, (list, tuple)) else axis
        check_numbers(f"Layer '{self.name}'", epsilon=epsilon)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self.axis = self._axes(input_shape)
        shape = tuple(input_shape[axis] for axis in self.axis)
        self.gamma = self.beta = None
        if self.scale or self.rms_scaling:
            self.gamma = self.add_weight(
                name="gamma",
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center and not self.rms_scaling:
            self.beta = self.add_weight(
                name="beta",
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )

        known = {
            axis: size for axis, size in zip(self.axis, shape, strict=True) if size is not None
        }
        self.input_spec = InputSpec(axes=known)

    def _axes(self, input_shape: Shape) -> list[int]:
        """The axes in order, counted from the first."""
        try:
            return sorted(normalize_axes(self.axis, len(input_shape)))
        except ValueError as error:
            raise ValueError(f"Layer '{self.name}': {error}") from None

    def emit(self, flow: Any, x: Any) -> Any:
        axes = self._axes((None, *x.shape))
        if self.rms_scaling or 0 in axes:
            return _plan.Seam(x, lambda array, mask: self._by_ops(array, axes))
        inner = [axis - 1 for axis in axes]
        return _plan.layer_norm(flow, x, inner, float(self.epsilon), self.gamma, self.beta)

    def _by_ops(self, x: Any, axes: list[int]) -> Any:
        mean = ops.mean(x, axes, keepdims=True)
        off = x - mean
        scale = ops.rsqrt(ops.mean(off * off, axes, keepdims=True) + self.epsilon)
        shape = [x.shape[axis] if axis in axes else 1 for axis in range(x.ndim)]
        y = (x if self.rms_scaling else off) * scale
        if self.gamma is not None:
            y = y * ops.reshape(self.gamma.value, shape)
        return y if self.beta is None else y + ops.reshape(self.beta.value, shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._axes(input_shape)
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "rms_scaling": self.rms_scaling,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }
