"""Embedding: a row of a table for every number."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _legacy, _plan, _tape, constraints, initializers, ops, regularizers
from .._symbolic import Shape
from .._warnings import warn
from .arguments import positive
from .building import Unbuilt
from .layer import Layer

_FLOAT_EXACT = 2**24  # float32 has all integers up to here


class Embedding(Layer):
    """Turns numbers into rows of a table: `embeddings[inputs]`.

    Args:
        input_dim: the number of rows: inputs are from 0 to `input_dim - 1`.
        output_dim: the size of a row.
        embeddings_initializer: initializer of the table, shape `(input_dim, output_dim)`.
        embeddings_regularizer: penalty on the table, in `losses`.
        embeddings_constraint: projection of the table after each optimizer step.
        mask_zero: whether 0 stands for a step that is not there: the output has a mask then.
        weights: the table, instead of an initializer.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        Any, of integers; of other numbers the part before the point counts.

    Output shape:
        The input's with `output_dim` behind it.

    Raises:
        IndexError: an input outside of 0 ... `input_dim - 1`, also a negative one; before anything
            is computed.
        ValueError: `input_dim` or `output_dim` is no positive int.
    """

    integer_input = "cast"
    _neutral = ("lora_rank", "lora_alpha", "quantization_config")
    embeddings: Any = Unbuilt()

    @_legacy.accepts_old_names
    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("input_length", None) is not None:
            warn("Embedding: `input_length` is not needed.")
        super().__init__(**kwargs)
        self.input_dim = positive(self.name, "input_dim", input_dim)
        self.output_dim = positive(self.name, "output_dim", output_dim)
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = bool(mask_zero)
        if input_dim > _FLOAT_EXACT and self.compute_dtype != "float64":
            self.integer_input = "keep"  # what became a float32 would be another number
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1
                             else [weights])  # fmt: skip

    def build(self, input_shape: Shape | None = None) -> None:
        if self.built:
            return
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )

    def emit(self, flow: Any, x: Any) -> Any:
        masked = bool(self.mask_zero)
        made = _plan.embedding(flow, x, self.embeddings, masked=masked) if x.is_real else None
        return _plan.Seam(x, self._look_up) if made is None else made

    def _look_up(self, x: Any, mask: Any) -> tuple[Any, Any]:
        """By ops, for numbers that are computed."""
        x = _tape.value_of(x)
        with np.errstate(invalid="ignore"):
            index = x if x.dtype.kind in "iu" else np.trunc(x)
            outside = index[~((index >= 0) & (index < self.input_dim))]
        if outside.size:
            raise IndexError(
                f"Layer '{self.name}' takes numbers from 0 to {self.input_dim - 1}. Received: "
                f"{outside[0]:.9g}"
            )
        rows = ops.take(self.embeddings.value, index.astype(np.int64), axis=0)
        return ops.cast(rows, self._plan_dtype), self.compute_mask(x)

    @property
    def _plan_dtype(self) -> str:
        return "float64" if self.compute_dtype == "float64" else "float32"

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return where the inputs are not 0; None without `mask_zero`."""
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.output_dim)

    def _output_dtype(self, dtype: str) -> str:
        return self.compute_dtype

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "embeddings_initializer": initializers.serialize(self.embeddings_initializer),
            "embeddings_regularizer": regularizers.serialize(self.embeddings_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "embeddings_constraint": constraints.serialize(self.embeddings_constraint),
            "mask_zero": self.mask_zero,
        }
