"""Traced arrays, the graph behind them, and the way back through it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _plan
from .._variables import Traced as Traced

_METHODS = {name for name in dir(np.ndarray) if not name.startswith("_")}
_serial = itertools.count()


class Node:
    """One recorded step: what went in, what came out, and how gradients go back.

    serial: numbers in the order of recording, in which inputs come before what was made of them.
    values: the arrays that came out. vjp: None for a leaf; otherwise maps the list of their
    gradients to those of the inputs, one each, None for zero.
    """

    __slots__ = ("__weakref__", "inputs", "serial", "values", "vjp")

    def __init__(
        self, inputs: Sequence[Tensor], values: Sequence[np.ndarray], vjp: Callable | None
    ) -> None:
        self.inputs = inputs
        self.values = values
        self.vjp = vjp
        self.serial = next(_serial)


class Tensor:
    """A traced array: `coreops.ops`, operators and indexing on it are recorded.

    NumPy functions on it raise a TypeError. Comparisons, and ops whose results do not vary with
    it smoothly, give plain arrays.
    """

    __slots__ = ("_index", "_keras_mask", "_node", "value")

    def __init__(self, value: np.ndarray, node: Node, index: int = 0) -> None:
        self.value = value
        self._node = node
        self._index = index
        self._keras_mask: np.ndarray | None = None

    def masked(self, mask: Any) -> Tensor:
        """The same Tensor with a mask attached, or with none."""
        tensor = Tensor(self.value, self._node, self._index)
        tensor._keras_mask = mask
        return tensor

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    def __len__(self) -> int:
        return len(self.value)

    if TYPE_CHECKING:  # and the operators: see operators.py

        def __getitem__(self, key: Any) -> Any: ...

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        return f"<Tensor shape={self.shape}, dtype={self.dtype}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        raise _refusal("numpy.asarray")

    def __setitem__(self, key: Any, value: Any) -> None:
        raise Traced(
            "An array that is being differentiated cannot be written to: `ops.where`, "
            "`ops.slice_update` and `ops.scatter_update` of coreops.ops give changed copies."
        )

    def __getattr__(self, name: str) -> Any:
        hint = f": a method of NumPy's arrays; see `coreops.ops.{name}`" if name in _METHODS else ""
        raise AttributeError(f"A Tensor has no attribute {name!r}{hint}")

    def __float__(self) -> float:
        raise _refusal("float")

    def __int__(self) -> int:
        raise _refusal("int")

    def __array_function__(self, function: Callable, types: Any, args: Any, kwargs: Any) -> Any:
        raise _refusal(f"numpy.{function.__name__}")

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from .operators import of_ufunc

        operator = of_ufunc(ufunc) if method == "__call__" else None
        if operator is None:  # otherwise it is `ndarray + Tensor` or the like
            raise _refusal(f"numpy.{ufunc.__name__}")
        return operator(*inputs)


def _refusal(function: str) -> Traced:
    return Traced(
        f"{function} was applied to an array that is being differentiated. To be trained, a "
        "function is written with `coreops.ops` (ops.exp(x), not np.exp(x)) and operators; "
        "`ops.stop_gradient(x)` gives the plain array."
    )


def trace(array: Any) -> Tensor:
    """A leaf: a Tensor of which gradients will be asked."""
    value = _plan.as_array(array, "trace")
    return Tensor(value, Node((), (value,), None))


def value_of(x: Any) -> Any:
    """The array of a Tensor, anything else as it is."""
    return x.value if type(x) is Tensor else x


def external(inputs: Sequence[Any], value: Any, vjp: Callable) -> Any:
    """Record a step that was computed elsewhere.

    inputs: what it was made of; those that are no Tensors are constants. value: its result.
    vjp: maps the result's gradient to a sequence with a gradient (None: zero) for each input.

    Returns a Tensor; the plain value if no input is one.
    """
    return externals(inputs, [value], lambda dys: vjp(dys[0]))[0]


def externals(inputs: Sequence[Any], values: Sequence[Any], vjp: Callable) -> list[Any]:
    """The same for a step with several results; vjp takes the list of their gradients. Results that
    are no floats stay plain."""
    traced = [i for i, x in enumerate(inputs) if type(x) is Tensor]
    if not traced:
        return list(values)
    values = [np.asarray(value) for value in values]

    def back(dys: list[np.ndarray]) -> list[Any]:
        found = vjp(dys)
        return [found[i] for i in traced]

    node = Node([inputs[i] for i in traced], values, back)
    return [Tensor(y, node, i) if y.dtype.kind == "f" else y for i, y in enumerate(values)]


def gradients(outputs: Sequence[Any], seeds: Sequence[Any], leaves: Sequence[Tensor]) -> list:
    """The gradients of sum(seed * output), over all outputs, with respect to the leaves.

    outputs: Tensors; plain arrays depend on nothing. seeds: arrays of the outputs' shapes, or what
    broadcasts to them. leaves: Tensors, also ones that were computed.

    Returns new C-contiguous arrays of the leaves' shapes and dtypes; zeros where nothing flows.
    """
    totals: dict[Node, list[Any]] = {}

    def add(tensor: Tensor, gradient: Any) -> None:
        found = totals.setdefault(tensor._node, [None] * len(tensor._node.values))
        gradient = _fit(gradient, tensor.value)
        before = found[tensor._index]
        found[tensor._index] = gradient if before is None else before + gradient

    for output, seed in zip(outputs, seeds, strict=True):
        if type(output) is Tensor:
            add(output, np.broadcast_to(np.asarray(seed, output.dtype), output.shape))
    with np.errstate(all="ignore"):  # infinities are answered where they are asked for
        for node in _path(totals, {leaf._node for leaf in leaves}):
            dys = totals.get(node)
            if dys is None or node.vjp is None:
                continue
            if len(dys) > 1:
                pairs = zip(dys, node.values, strict=True)
                dys = [np.zeros_like(value) if dy is None else dy for dy, value in pairs]
            for tensor, gradient in zip(node.inputs, node.vjp(dys), strict=True):
                if gradient is not None:
                    add(tensor, gradient)
    return [_result(totals.get(leaf._node), leaf) for leaf in leaves]


def _result(found: list[Any] | None, leaf: Tensor) -> np.ndarray:
    gradient = None if found is None else found[leaf._index]
    if gradient is None:
        return np.zeros(leaf.shape, leaf.dtype)
    return np.array(gradient, leaf.dtype, order="C")


def _path(outputs: Any, leaves: set[Node]) -> list[Node]:
    """The nodes between outputs and leaves, each before those that it was made of."""
    seen, stack = set(outputs), list(outputs)
    while stack:
        for tensor in stack.pop().inputs:
            if tensor._node not in seen:
                seen.add(tensor._node)
                stack.append(tensor._node)
    nodes, reached = [], set(leaves)
    for node in sorted(seen, key=lambda node: node.serial):
        if any(tensor._node in reached for tensor in node.inputs):
            reached.add(node)
            nodes.append(node)
    return nodes[::-1]


def _fit(gradient: Any, value: np.ndarray) -> np.ndarray:
    """A gradient in the shape and type of its array: summed over what had been broadcast."""
    if type(gradient) is not np.ndarray:
        gradient = np.asarray(gradient)
    if gradient.shape != value.shape:
        gradient = np.sum(gradient, axis=tuple(range(gradient.ndim - value.ndim)))
        stretched = (i for i, n in enumerate(value.shape) if n == 1 != gradient.shape[i])
        gradient = np.sum(gradient, axis=tuple(stretched), keepdims=True)
    return gradient if gradient.dtype == value.dtype else gradient.astype(value.dtype)
