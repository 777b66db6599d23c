"""Layers that apply an activation: Activation, ReLU, LeakyReLU, ELU, PReLU, Softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _legacy, _plan, activations, constraints, initializers, regularizers
from .._arguments import check_axes, check_numbers
from .._symbolic import Shape
from .building import Unbuilt
from .input_spec import InputSpec
from .layer import Layer

_MASKED_LOGIT = -1e9
_KEEPING = ("linear", "relu", "clip")  # steps that make integers of integers


class _Elementwise(Layer):
    """An activation without weights: the output has the input's shape and mask."""

    _stateless = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def _require(self, **factors: float | None) -> None:
        """Raise a TypeError for a factor that is no number, a ValueError for one that is None or
        negative."""
        for name, value in factors.items():
            if value is not None:
                check_numbers(f"Layer '{self.name}'", **{name: value})
            if value is None or value < 0:
                raise ValueError(
                    f"Layer '{self.name}': `{name}` must be a number not below 0. "
                    f"Received: {name}={value!r}"
                )


class Activation(_Elementwise):
    """Applies an activation function.

    Args:
        activation: name of an activation, any callable on an array, or None for `linear`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any. Integers stay integers where the activation gives no fractions.

    Output shape:
        The input's.

    Raises:
        ValueError: an unknown name.
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        step = activations.step_of(self.activation)
        self.integer_input = "keep" if step is None or step[1] in _KEEPING else "cast"

    def emit(self, flow: Any, x: Any) -> Any:
        return flow.activation(x, self.activation)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class ReLU(_Elementwise):
    """Rectified linear unit: `min(x, max_value)` for `x > threshold`, and
    `negative_slope * (x - threshold)` below.

    Args:
        max_value: upper bound, None for none.
        negative_slope: slope below the threshold.
        threshold: value that the input must exceed.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any. Integers stay integers when there is no slope.

    Output shape:
        The input's.

    Raises:
        ValueError: a negative argument.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._require(negative_slope=negative_slope, threshold=threshold)
        if max_value is not None:
            self._require(max_value=max_value)
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold
        self.integer_input = "cast" if negative_slope else "keep"

    def emit(self, flow: Any, x: Any) -> Any:
        if not x.is_real:
            return _plan.Seam(x, self._on_integers)
        for step in activations.relu_steps(self.negative_slope, self.max_value, self.threshold):
            x = flow.act(x, *step)
        return x

    def _on_integers(self, array: np.ndarray, _: Any) -> np.ndarray:
        kept = np.where(array > self.threshold, array, 0)
        if self.max_value is not None:
            kept = np.minimum(kept, self.max_value)
        return kept.astype(array.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class LeakyReLU(_Elementwise):
    """Leaky rectified linear unit: `x` for `x >= 0`, else `negative_slope * x`.

    Args:
        negative_slope: slope below 0; Keras 1 and 2 call it `alpha`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Raises:
        ValueError: `negative_slope` is None or negative.
    """

    integer_input = "cast"

    @_legacy.accepts_old_names
    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._require(negative_slope=negative_slope)
        self.negative_slope = negative_slope

    def emit(self, flow: Any, x: Any) -> Any:
        return flow.act(x, "relu_general", self.negative_slope, np.inf, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(_Elementwise):
    """Exponential linear unit: `x` for `x > 0`, else `alpha * (exp(x) - 1)`.

    Args:
        alpha: the negative of the limit for `x -> -inf`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any.

    Output shape:
        The input's.

    Raises:
        TypeError: `alpha` is no number.
    """

    integer_input = "cast"

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_numbers(f"Layer '{self.name}'", alpha=alpha)
        self.alpha = alpha

    def emit(self, flow: Any, x: Any) -> Any:
        return flow.act(x, "elu", self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


class PReLU(_Elementwise):
    """Parametric rectified linear unit: `x` for `x >= 0`, else `alpha * x` with a learned alpha.

    Args:
        alpha_initializer: initializer of `alpha`.
        alpha_regularizer: penalty on `alpha`, in `losses`.
        alpha_constraint: projection of `alpha` after each optimizer step.
        shared_axes: axes (from 1) along which `alpha` is shared: an int or a list.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, d1, ..., dn)`; `alpha` has the shape `(d1, ..., dn)`, with 1 for shared axes.

    Output shape:
        The input's.

    Raises:
        TypeError: `shared_axes` is neither an int nor a list of ints.
        ValueError: an axis that the input does not have, another size of an axis along which
            `alpha` is not shared.
    """

    integer_input = "cast"
    alpha: Any = Unbuilt()
    _stateless = False

    @_legacy.accepts_old_names
    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if shared_axes is not None:
            if isinstance(shared_axes, (int, np.integer)):
                shared_axes = [int(shared_axes)]
            shared_axes = list(shared_axes)
            check_axes(f"Layer '{self.name}'", shared_axes=shared_axes)
        self.shared_axes = shared_axes

    def build(self, input_shape: Shape) -> None:
        shared = self.shared_axes or []
        if not all(1 <= axis < len(input_shape) for axis in shared):
            raise ValueError(
                f"Layer '{self.name}': `shared_axes` must be from 1 to {len(input_shape) - 1} for "
                f"an input of shape {input_shape}. Received: shared_axes={shared}"
            )
        shape = [1 if axis in shared else size for axis, size in enumerate(input_shape)][1:]
        self.alpha = self.add_weight(
            name="alpha",
            shape=shape,
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        own = {axis: n for axis, n in enumerate(input_shape) if axis and axis not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=own)

    def emit(self, flow: Any, x: Any) -> Any:
        return flow.prelu(x, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


class Softmax(_Elementwise):
    """Softmax: `exp(x - max(x)) / sum(exp(x - max(x)))` along one axis or several.

    A mask, given as `mask=` or attached to the input, says which elements take part: it must
    broadcast to the input; a number counts as true above 0.5. The others come out as 0.

    Args:
        axis: int, or list of ints, counted with the batch axis.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any of rank 1 or more.

    Output shape:
        The input's.

    Raises:
        TypeError: `axis` is neither an int nor a list of ints.
        ValueError: an axis that the input does not have, or a mask that does not broadcast.
    """

    integer_input = "cast"
    _mask_comes_second = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_axes(f"Layer '{self.name}'", axis=axis)
        self.axis = axis

    def emit(self, flow: Any, x: Any) -> Any:
        rank = len(x.shape) + 1
        axes = [self.axis] if isinstance(self.axis, (int, np.integer)) else self.axis
        if not all(-rank <= axis < rank for axis in axes):
            raise ValueError(
                f"Layer '{self.name}': the input has {rank} axes, none of them axis={self.axis}"
            )
        if x.mask is None:
            return flow.softmax(x, self.axis)
        return _plan.Seam(x, self._masked)

    def _masked(self, array: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        assert mask is not None  # emit has seen that there is one
        keep = mask if mask.dtype == bool else mask > 0.5
        tail = array.shape[array.ndim - keep.ndim :] if keep.ndim <= array.ndim else None
        if tail is None or any(m not in (1, n) for m, n in zip(keep.shape, tail, strict=True)):
            raise ValueError(
                f"Layer '{self.name}': the mask must broadcast to the inputs. Received: mask of "
                f"shape {mask.shape}, inputs of shape {array.shape}"
            )
        logits = np.where(keep, array, array.dtype.type(_MASKED_LOGIT))
        return np.where(keep, _plan.apply_softmax(logits, self.axis), array.dtype.type(0))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
