"""Symbolic tensors: a shape and a dtype that layers can be called on to be built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeGuard

import numpy as np

from ._names import auto_name

Shape = tuple[int | None, ...]


class KerasTensor:
    """What `Input()` returns: a shape, a dtype and a name, but no values.

    Calling a layer on one builds the layer and gives the symbolic output.

    Args:
        shape: tuple of ints and None (unknown), batch axis first.
        dtype: the element type, by name or as NumPy has it.
        name: by default "keras_tensor", "keras_tensor_1", ...
        origin: the `InputLayer` it comes from, None for a layer's output.
    """

    __slots__ = ("_origin", "dtype", "name", "shape")
    sparse = ragged = False  # there are no other tensors here
    __array_priority__ = 1000  # NumPy's operators leave symbolic operands to us

    def __init__(
        self,
        shape: Iterable[int | None],
        dtype: Any = "float32",
        name: str | None = None,
        origin: Any = None,
    ) -> None:
        self.shape = as_shape(shape)
        self.dtype: str = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        self.name = auto_name("keras_tensor") if name is None else name
        self._origin = origin

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError(f"{self!r} is symbolic: it has a shape and a dtype, but no values.")

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} is symbolic: it has no truth value.")

    def __len__(self) -> int:
        raise TypeError(f"{self!r} is symbolic: it has no length.")

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


def as_shape(shape: Any) -> Shape:
    """Return a shape as a tuple of Python ints and None.

    Raises:
        ValueError: if it is no iterable of non-negative ints and None.
    """
    if isinstance(shape, (str, bytes)) or not isinstance(shape, Iterable):
        raise ValueError(f"Expected a shape: a tuple of ints and None. Received: {shape!r}")
    dims = tuple(shape)
    for dim in dims:
        is_int = isinstance(dim, (int, np.integer)) and not isinstance(dim, bool)
        if dim is not None and (not is_int or dim < 0):
            raise ValueError(
                "A shape holds non-negative ints and None. "
                f"Received: {dims} with {dim!r} of type {type(dim).__name__}"
            )
    return tuple(None if dim is None else int(dim) for dim in dims)


def is_shape(value: Any) -> bool:
    """Tell whether `value` is one shape (not a structure of shapes)."""
    return isinstance(value, (tuple, list)) and all(
        dim is None or isinstance(dim, (int, np.integer)) for dim in value
    )


def is_known(shape: Sequence[int | None]) -> TypeGuard[Sequence[int]]:
    """Tell whether a shape has no unknown sizes."""
    return None not in shape


def map_structure(fn: Any, value: Any) -> Any:
    """Apply `fn` to the leaves of nested lists, tuples and dicts; None stays None."""
    if isinstance(value, dict):
        return {key: map_structure(fn, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([map_structure(fn, item) for item in value])
    return None if value is None else fn(value)


def leaves(value: Any) -> list[Any]:
    """Return the leaves of nested lists, tuples and dicts in order, without None."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None else [value]
