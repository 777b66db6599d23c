"""Variable: a named array that layers own, optimizers update and files store."""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import _kernels, config
from ._names import auto_name


class Traced(TypeError):
    """NumPy was asked to have an array that is being differentiated (see `coreops._tape`)."""


class Blank(np.ndarray):
    """An array that a Variable begins with as it is, without a copy: its values are to come."""


class _Recorded(threading.local):
    """The variables of which this thread records every use, with the Tensor that each one is."""

    leaves: dict[Variable, Any] = {}  # noqa: RUF012 - replaced, never changed


recorded_variables = _Recorded()


class Variable:
    """A weight: one array that is replaced, never changed in place.

    Because `assign` stores a new array, a packed copy or a view of an earlier value stays what
    it was; `version` tells its holder that it is out of date.

    Args:
        initializer: an array-like, or a callable `(shape, dtype=...)` that returns one, or the
            name of an initializer.
        shape: the shape asked of an initializer; of an array it is checked.
        dtype: name of the element type; by default that of an array of integers, else
            `config.floatx()`.
        trainable: whether optimizers may change it.
        name: without "/"; by default "variable", "variable_1", ...
        path: the full name inside a model, "model/layer/kernel"; by default the name.
        regularizer: callable that maps the value to a scalar penalty, or None.
        constraint: callable that maps the value to its projection, or None.
        autocast: accepted as in Keras: layers compute in the type of their weights.
        aggregation: accepted as in Keras: there are no replicas.

    Raises:
        ValueError: a callable without a shape, a shape that is not fully known or that the
            array does not have, a name that is not a string or holds "/".
    """

    __slots__ = (
        "__weakref__",
        "_name",
        "_source",
        "_trainable",
        "_value",
        "_version",
        "constraint",
        "path",
        "regularizer",
    )  # fmt: skip
    __array_priority__ = 500  # `ndarray + Variable` is ours to answer

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        path: str | None = None,
        regularizer: Callable | None = None,
        constraint: Callable | None = None,
        *,
        autocast: bool = True,
        aggregation: str | None = "none",
    ) -> None:
        name = auto_name("variable") if name is None else name
        if not isinstance(name, str) or "/" in name:
            raise ValueError(
                f"A variable's `name` must be a string without '/'. Received: {name!r}"
            )
        if shape is not None:
            shape = tuple(shape)
            if not all(isinstance(size, (int, np.integer)) and size >= 0 for size in shape):
                raise ValueError(
                    f"Variable '{name}' needs a fully known `shape`. Received: {shape}"
                )
        if isinstance(initializer, str):
            from .initializers import get

            initializer = get(initializer)
        if callable(initializer):
            if shape is None:
                raise ValueError(f"Variable '{name}' needs a `shape` to call its initializer with.")
            dtype = dtype or config.compute_floatx()
            value = initializer(shape, dtype=dtype)
        else:
            value = initializer
            if np.asarray(value).dtype.kind not in "biufc":
                raise TypeError(f"Variable '{name}': expected numbers. Received: {value!r}")
            dtype = dtype or _default_dtype(value)
        self._name = name
        self.path = path or name
        self._trainable = bool(trainable)
        self.regularizer = regularizer
        self.constraint = constraint
        self._version = 0
        self._source: Any = None  # the workspace that changes it, while it is trained
        self._value = value if type(value) is Blank else np.array(value, dtype=dtype, order="C")
        if shape is not None and self._value.shape != shape:
            raise ValueError(
                f"Variable '{name}': expected an initial value of shape {shape}. "
                f"Received shape: {self._value.shape}"
            )
        self._value.flags.writeable = False

    @property
    def name(self) -> str:
        """The name, without the path of its owners."""
        return self._name

    @property
    def trainable(self) -> bool:
        """Whether optimizers may change it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        _kernels.bump_epoch()

    @property
    def value(self) -> np.ndarray:
        """The current value: a read-only C-contiguous array; a Tensor where uses are recorded."""
        leaves = recorded_variables.leaves
        return leaves.get(self, self.numpy()) if leaves else self.numpy()

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return self._value.shape

    @property
    def dtype(self) -> str:
        """Name of the element type."""
        return self._value.dtype.name

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._value.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._value.size

    def numpy(self) -> np.ndarray:
        """Return the current value as a read-only array."""
        source = self._source
        if source is not None:
            source.pull(self)
        return self._value

    @property
    def version(self) -> int:
        """A number that is another one whenever the value is."""
        source = self._source
        if source is not None:
            source.pull(self)
        return self._version

    def assign(self, value: Any) -> np.ndarray:
        """Replace the value; it is cast to the variable's dtype.

        Raises:
            ValueError: if the shape differs.
        """
        try:
            value = np.array(value, dtype=self._value.dtype, order="C")
        except Traced:
            value = value.numpy() if isinstance(value, Variable) else value.value
            value = np.array(value, dtype=self._value.dtype, order="C")
        if value.shape != self._value.shape:
            raise ValueError(
                f"Variable '{self.path}': expected a value of shape {self.shape}. "
                f"Received shape: {value.shape}"
            )
        self._replace(value)
        source = self._source
        if source is not None:
            source.push(self)
        return value

    def adopt(self, value: np.ndarray) -> None:
        """Replace the value by an array that nobody will write to any more: without a copy, where
        it is what the variable holds.

        Raises:
            ValueError: if the shape differs.
        """
        own = self._value
        fits = (value.shape, value.dtype) == (own.shape, own.dtype)
        fits = fits and value.flags.c_contiguous and value.flags.aligned
        if fits and self._source is None:
            self._replace(value)
        else:
            self.assign(value)

    def _replace(self, value: np.ndarray) -> None:
        """Let an array, which is nobody else's, be the value."""
        value.flags.writeable = False
        self._value = value
        self._version += 1
        _kernels.bump_epoch()

    def assign_add(self, value: Any) -> np.ndarray:
        """Add to the value."""
        return self.assign(self.numpy() + value)

    def assign_sub(self, value: Any) -> np.ndarray:
        """Subtract from the value."""
        return self.assign(self.numpy() - value)

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """A copy is nobody's to train but its owner's."""
        self.numpy()
        names = [name for name in Variable.__slots__ if name != "__weakref__"]
        return None, {**{name: getattr(self, name) for name in names}, "_source": None}

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        for name, value in state[1].items():
            setattr(self, name, value)
        self._value.flags.writeable = False  # a copied or unpickled array is writeable

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self in recorded_variables.leaves:
            raise Traced(f"{self!r} is being differentiated: its function is to use `coreops.ops`.")
        value = self.numpy() if dtype is None else self.numpy().astype(dtype, copy=False)
        return value.copy() if copy else value

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        raise TypeError(f"{self!r} has no truth value: compare its elements, or test for None.")

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"


def _default_dtype(value: Any) -> str:
    """Return the type of integers and booleans (int32 for Python's), floatx for floats."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        return config.compute_floatx()
    return "int32" if array.dtype == np.int64 and not hasattr(value, "dtype") else array.dtype.name


def _forward(op: Callable) -> Callable:
    return lambda self, *other: op(self.value, *other)


# Comparisons work on the value, == too, as in Keras; as a key a variable is itself.
# Arithmetic, which gives types by Keras' rules, comes from `ops.operators`.
for _name in ("eq", "ne", "lt", "le", "gt", "ge", "neg", "pos", "invert", "abs"):
    setattr(Variable, f"__{_name}__", _forward(getattr(operator, f"__{_name}__")))
Variable.__hash__ = object.__hash__  # type: ignore[method-assign]  # __eq__ came after the class
del _name
