"""Input and InputLayer: where a model's data comes in."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

import numpy as np

from ... import _legacy, config
from ..._symbolic import KerasTensor, Node, Shape, as_shape
from ..layer import Layer

_Size = TypeVar("_Size", bound=int | None)
_FLOATS = ("float16", "bfloat16", "float32", "float64")


class InputLayer(Layer):
    """The shape and dtype of a model's input.

    Args:
        shape: the shape without the batch axis; None where unknown.
        batch_size: the batch size, if it is fixed.
        dtype: name of the element type, by default `config.floatx()`. Inputs are cast to it.
        sparse: must be false; sparse tensors do not exist here.
        ragged: must be false.
        batch_shape: the shape with the batch axis, instead of `shape`.
        input_tensor: an existing symbolic tensor to take shape and dtype from.
        optional: whether None is accepted.
        name: name of the layer.
        **kwargs: Keras 2's `input_shape` and `batch_input_shape`.

    Raises:
        ValueError: none or both of `shape` and `batch_shape`, `batch_size` beside `batch_shape`,
            or a shape that is not an iterable of non-negative ints and None.
    """

    _stateless = True
    sparse = ragged = False

    @_legacy.accepts_old_names
    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: KerasTensor | None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if input_tensor is not None:
            batch_shape, dtype = _shape_and_dtype(input_tensor, batch_shape, dtype)
        if (shape is None) == (batch_shape is None):
            raise ValueError(
                "An input needs exactly one of `shape` and `batch_shape`. "
                f"Received: shape={shape!r}, batch_shape={batch_shape!r}"
            )
        if batch_shape is not None and batch_size is not None:
            raise ValueError(
                "`batch_size` goes with `shape`; `batch_shape` has it already. "
                f"Received: batch_size={batch_size!r}, batch_shape={batch_shape!r}"
            )
        if sparse or ragged:
            raise ValueError(
                f"Sparse and ragged inputs are not supported. Received: {sparse=}, {ragged=}"
            )
        if batch_shape is None:
            batch_shape = (batch_size, *as_shape(shape))
        self.batch_shape: Shape = as_shape(batch_shape)
        self._input_dtype = _dtype_name(dtype)
        # Floats are brought to the layers' compute dtype, integers to floats where asked for.
        policy = self._input_dtype if self._input_dtype in ("float32", "float64") else None
        super().__init__(name=name, dtype=policy, **kwargs)
        self.integer_input = "cast" if self._input_dtype in _FLOATS else "keep"
        self.optional = bool(optional)
        self.supports_masking = True
        Node(self, (), {}, KerasTensor(self.batch_shape, self._input_dtype, name=self.name))

    @property
    def dtype(self) -> str:
        """Name of the element type that inputs are cast to."""
        return self._input_dtype

    def emit(self, flow: Any, x: Any) -> Any:
        return flow.reshape(x, self.fit((None, *x.shape), self.name, sizes=False)[1:])

    def fit(
        self, shape: tuple[_Size, ...], owner: str, sizes: bool = True
    ) -> tuple[_Size | int, ...]:
        """Return the shape in which an input is taken: a last axis of 1 comes or goes.

        Args:
            shape: the input's shape.
            owner: names the model in the message.
            sizes: whether they have to be those that were declared; the rank always has.

        Raises:
            ValueError: the input does not fit.
        """
        expected = self.batch_shape
        if shape[1:] == expected[1:] and shape:
            return shape
        fitted: tuple[_Size | int, ...] = shape
        if len(shape) == len(expected) + 1 and shape[-1] == 1:
            fitted = shape[:-1]
        elif len(shape) + 1 == len(expected) and expected[-1] == 1:
            fitted = (*shape, 1)
        wrong = len(fitted) != len(expected) or any(
            sizes and want is not None and size is not None and want != size
            for want, size in zip(expected[1:], fitted[1:], strict=True)
        )
        if wrong:
            raise ValueError(
                f"The input of '{owner}' has an incompatible shape: expected {expected}. "
                f"Received: {shape}"
            )
        return fitted

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": self.batch_shape,
            "dtype": self._input_dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: KerasTensor | None = None,
    optional: bool = False,
) -> KerasTensor:
    """Return a symbolic tensor that stands for a model's input.

    Args:
        shape: the shape without the batch axis; None where unknown.
        batch_size: the batch size, if it is fixed.
        dtype: name of the element type, by default `config.floatx()`.
        sparse: must be false.
        ragged: must be false.
        batch_shape: the shape with the batch axis, instead of `shape`.
        name: name of the input.
        tensor: an existing symbolic tensor to take shape and dtype from.
        optional: whether None is accepted.

    Raises:
        ValueError: as `InputLayer`.
    """
    return InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        ragged=ragged,
        batch_shape=batch_shape,
        input_tensor=tensor,
        optional=optional,
        name=name,
    ).output


def _shape_and_dtype(tensor: Any, batch_shape: Any, dtype: Any) -> tuple[Shape, str]:
    """Return those of an existing symbolic tensor; ValueError if others were asked for."""
    if not isinstance(tensor, KerasTensor):
        raise ValueError(f"An existing input must be a symbolic tensor. Received: {tensor!r}")
    shape = tensor.shape if batch_shape is None else as_shape(batch_shape)
    name = tensor.dtype if dtype is None else _dtype_name(dtype)
    if (shape, name) != (tensor.shape, tensor.dtype):
        raise ValueError(
            f"The existing input has shape {tensor.shape} and dtype {tensor.dtype}. "
            f"Received: batch_shape={batch_shape}, dtype={dtype!r}"
        )
    return shape, name


def _dtype_name(dtype: Any) -> str:
    """Return the name of an element type, `config.floatx()` for None."""
    if dtype is None:
        return config.floatx()
    if isinstance(dtype, dict):  # a policy, as Keras writes it
        dtype = dtype.get("config", dtype).get("name")
    if dtype == "bfloat16":
        return dtype
    if isinstance(dtype, (str, type, np.dtype)):
        with suppress(TypeError):
            found = np.dtype(dtype)
            if found.kind in "biufc":
                return found.name
    raise ValueError(f"An input's `dtype` must name a type of numbers. Received: {dtype!r}")
