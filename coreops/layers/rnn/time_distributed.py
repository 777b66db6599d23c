"""TimeDistributed: a layer on every step of time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _plan, _tape, ops
from ..._symbolic import Shape
from ...saving import objects
from ..activation import ELU, Activation, LeakyReLU, ReLU
from ..core.dense import Dense
from ..core.identity import Identity
from ..input_spec import check_inputs
from ..layer import Layer
from ..regularization import Dropout
from .wrapper import checked_layer

# What these do to a sample they do to each of its steps, without being told.
_ANY_RANK = (Activation, Dense, Dropout, ELU, Identity, LeakyReLU, ReLU)


class TimeDistributed(Layer):
    """Applies a layer to every step of time, with the same weights.

    Args:
        layer: the layer, or model.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, steps, ...)`, rank 3 or more. A mask `(batch, steps)` goes on with the output.

    Output shape:
        `(batch, steps, ...)`, with what the layer makes of `(batch, ...)`.

    Raises:
        ValueError: `layer` is no layer, or an input of rank below 3.
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.layer = checked_layer(f"Layer '{self.name}'", layer)
        self.integer_input = self.layer.integer_input
        self.supports_masking = True

    def _step_shape(self, shape: Shape) -> Shape:
        if len(shape) < 3:
            raise ValueError(
                f"Layer '{self.name}' takes inputs of at least 3 axes: (batch, steps, ...). "
                f"Received: input_shape={shape}"
            )
        return (shape[0], *shape[2:])

    def build(self, input_shape: Shape) -> None:
        shape = self._step_shape(input_shape)
        if not self.layer.built:
            self.layer.build(shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        made = self.layer.compute_output_shape(self._step_shape(tuple(input_shape)))
        return (made[0], input_shape[1], *made[1:])

    def _output_dtype(self, dtype: str) -> str:
        return self.layer._output_dtype(dtype)

    def emit(self, flow: Any, x: Any) -> Any:
        layer = self.layer
        alike = any(type(layer) is cls for cls in _ANY_RANK)
        if isinstance(layer, Dropout) and layer.noise_shape is not None:
            alike = False
        if isinstance(layer, Activation) and not _is_elementwise(layer, x):
            alike = False
        if alike and layer.activity_regularizer is None:
            check_inputs(layer.input_spec, [(None, *x.shape[1:])], [x.dtype], layer.name)
            return layer.emit(flow, x)
        return _plan.Seam(
            x, lambda array, mask: (self._over_steps(array, mask, flow.training), mask)
        )

    def _over_steps(self, array: Any, mask: Any, training: bool) -> Any:
        """Call the layer on all steps of all samples as one batch."""
        batch, steps = array.shape[:2]
        options: dict[str, Any] = {"training": training}
        if mask is not None and self.layer.takes_mask and np.ndim(mask) > 2:
            options["mask"] = np.reshape(mask, (batch * steps, *mask.shape[2:]))
        rows = (batch * steps, *array.shape[2:])
        flat = ops.reshape(array, rows)
        made = self.layer(flat, **options)
        made = made if isinstance(made, _tape.Tensor) else np.asarray(made)
        return ops.reshape(made, (batch, steps, *made.shape[1:]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": objects.serialize_keras_object(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TimeDistributed:
        """Return a new layer around the one that the config describes."""
        config = dict(config)
        layer = config.pop("layer")
        if isinstance(layer, dict):
            layer = objects.deserialize_keras_object(layer, family="layers")
        return cls(layer, **config)


def _is_elementwise(layer: Activation, x: Any) -> bool:
    """Whether its activation does to an element, or to the last axis, what it does in a step."""
    from ...activations import step_of

    step = step_of(layer.activation)
    return step is not None and (step[0] == "act" or step[1] == -1)
