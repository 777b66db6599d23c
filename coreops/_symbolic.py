"""Symbolic tensors: a shape and a dtype that layers can be called on to be built, and the calls
that they came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeGuard

import numpy as np

from ._names import auto_name

Shape = tuple[int | None, ...]


_LAMBDA = "A `Lambda` layer takes any function of arrays."


class Symbolic(TypeError):
    """The values of a symbolic tensor were asked for."""


class KerasTensor:
    """What `Input()` returns: a shape, a dtype and a name, but no values.

    Calling a layer on one builds the layer and gives the symbolic output; operators, indexing and
    the functions of `coreops.ops` give symbolic tensors too (see `layers.operations`).

    Args:
        shape: tuple of ints and None (unknown), batch axis first.
        dtype: the element type, by name or as NumPy has it.
        sparse: must be false.
        ragged: must be false.
        record_history: accepted as in Keras.
        name: by default "keras_tensor", "keras_tensor_1", ...
    """

    __slots__ = ("dtype", "index", "name", "node", "shape")
    sparse = ragged = False  # there are no other tensors here
    __array_priority__ = 1000  # NumPy's operators leave symbolic operands to us

    def __init__(
        self,
        shape: Iterable[int | None],
        dtype: Any = "float32",
        sparse: bool = False,
        ragged: bool = False,
        record_history: bool = True,
        name: str | None = None,
    ) -> None:
        if sparse or ragged:
            raise ValueError(f"There are no such tensors here. Received: {sparse=}, {ragged=}")
        self.shape = as_shape(shape)
        self.dtype: str = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        self.name = auto_name("keras_tensor") if name is None else name
        self.node: Node | None = (
            None  # the call that it comes from, and its place in what that gave
        )
        self.index = 0

    @property
    def _keras_history(self) -> KerasHistory:
        if self.node is None:
            raise AttributeError(f"{self!r} comes from no layer.")
        return KerasHistory(self.node.layer, self.node.number, self.index)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise Symbolic(
            f"{self!r} is symbolic: it has a shape and a dtype, but no values. Operators, layers "
            f"and functions of `coreops.ops` take it. {_LAMBDA}"
        )

    def __iter__(self) -> Any:
        raise TypeError(f"{self!r} is symbolic: it cannot be iterated over. {_LAMBDA}")

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} is symbolic: it has no truth value. {_LAMBDA}")

    def __len__(self) -> int:
        raise TypeError(f"{self!r} is symbolic: it has no length. {_LAMBDA}")

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


class _Operations:
    """What `coreops.layers.operations` puts here: how a function is called on symbolic tensors."""

    @staticmethod
    def call(function: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """Return the symbolic result, or NotImplemented where such a call has no place."""
        return NotImplemented


symbolic = _Operations()


class KerasHistory(NamedTuple):
    """Where a tensor comes from, as Keras has it."""

    operation: Any
    node_index: int
    tensor_index: int


class Node:
    """One call of a layer on symbolic tensors. args and kwargs: what it was called with, tensors
    among them; an `InputLayer` has none. inputs, outputs: the tensors, in order."""

    __slots__ = ("args", "inputs", "kwargs", "layer", "number", "outputs", "result")

    def __init__(self, layer: Any, args: tuple, kwargs: dict[str, Any], result: Any) -> None:
        self.layer, self.args, self.kwargs, self.result = layer, args, kwargs, result
        self.inputs = [x for x in leaves((args, kwargs)) if isinstance(x, KerasTensor)]
        self.outputs: list[KerasTensor] = leaves(result)
        self.number = len(layer._inbound_nodes)
        layer._inbound_nodes.append(self)
        for index, tensor in enumerate(self.outputs):
            tensor.node, tensor.index = self, index


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


def shapes_in(structure: Any) -> list[Shape]:
    """The shapes in lists and dicts of them, in order."""
    if is_shape(structure):
        return [structure]
    if isinstance(structure, dict):
        structure = [structure[key] for key in in_order(structure)]
    return [shape for item in structure if item is not None for shape in shapes_in(item)]


def is_known(shape: Sequence[int | None]) -> TypeGuard[Sequence[int]]:
    """Tell whether a shape has no unknown sizes."""
    return None not in shape


def map_structure(fn: Any, value: Any) -> Any:
    """Apply `fn` to the leaves of nested lists, tuples and dicts; None stays None."""
    if isinstance(value, dict):
        return {key: map_structure(fn, value[key]) for key in in_order(value)}
    if isinstance(value, (list, tuple)):
        return getattr(value, "_make", type(value))([map_structure(fn, item) for item in value])
    return None if value is None else fn(value)


def leaves(value: Any) -> list[Any]:
    """Return the leaves of nested lists, tuples and dicts in order, without None."""
    if isinstance(value, dict):
        return [leaf for key in in_order(value) for leaf in leaves(value[key])]
    if isinstance(value, (list, tuple)):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value is None else [value]


def instances(value: Any, kinds: Any, seen: set[int]) -> Iterator[Any]:
    """Yield what is of some classes in nested lists, tuples and dicts. Containers in `seen` are
    left out, others join them: so one that holds itself has an end."""
    if isinstance(value, kinds):
        yield value
    elif isinstance(value, (list, tuple, dict)) and id(value) not in seen:
        seen.add(id(value))
        for item in value.values() if isinstance(value, dict) else value:
            yield from instances(item, kinds, seen)


def alone(items: list[Any]) -> Any:
    """Return the only item, or all of them."""
    return items[0] if len(items) == 1 else items


def in_order(mapping: dict[Any, Any]) -> list[Any]:
    """Return the keys of a dict in the order in which Keras takes what it holds: sorted."""
    try:
        return sorted(mapping)
    except TypeError:
        return list(mapping)


def repack(structure: Any, flat: Sequence[Any]) -> Any:
    """Return the structure with its leaves replaced by `flat`, in the order of `leaves`."""
    items = iter(flat)
    return map_structure(lambda _: next(items), structure)
