"""TimeDistributed: a layer on every step of time."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _plan, ops
from ..._symbolic import Shape
from ...saving import objects
from ..input_spec import check_inputs
from ..layer import Layer
from ..merging.base import Merge
from ..normalization.batch_normalization import BatchNormalization
from .wrapper import checked_layer


class TimeDistributed(Layer):
    """Applies a layer to every step of time, with the same weights: to one after the other where it
    is Python's, or depends on the batch. An `activity_regularizer` of the layer itself does not
    count, as in Keras; one of the wrapper does, and those inside of a model.

    Args:
        layer: the layer, or model.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, steps, ...)`, rank 3 or more. A mask `(batch, steps, ...)` goes on with the output;
        the layer gets each step's part of it.

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
        check_inputs(layer.input_spec, [(None, *x.shape[1:])], [x.dtype], layer.name)
        mask = x.mask
        if mask is not None and mask.shape[:1] != x.shape[:1]:
            raise ValueError(
                f"Layer '{self.name}': expected a mask of {x.shape[0]} steps. Received one of "
                f"shape {(None, *mask.shape)}"
            )
        if mask is not None and len(mask.shape) == 1:
            # Of a whole step: what is in the plan takes no notice of it, but for these.
            minds = any(isinstance(one, Merge) and one.minds_masks for one in layer.leaves())
            made = None if minds else _plan.emit_each(layer, x, None, flow)
        else:
            made = _plan.emit_each(layer, x, mask if layer.takes_mask else None, flow)
        if made is not None:
            return made._replace(mask=mask)
        return _plan.Seam(x, lambda array, mask: (self._by_steps(array, mask, flow.training), mask))

    def _by_steps(self, array: Any, mask: Any, training: bool) -> Any:
        """Call the layer on one step after the other."""
        layer = self.layer
        takes = mask is not None and layer.takes_mask
        if takes and np.ndim(mask) == 2:
            takes = any(
                one._python_call or isinstance(one, (BatchNormalization, Merge))
                for one in layer.leaves()
            )
        made = []
        for i in range(array.shape[1]):
            step, part = array[:, i], mask[:, i] if takes else None
            if layer.activity_regularizer is not None:
                made.append(layer._run((step,), part, training, {})[0])
            else:
                made.append(layer(step, training=training, mask=part))
        if not made:
            return np.zeros(self.compute_output_shape(array.shape), array.dtype)
        return ops.stack(made, axis=1)

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
