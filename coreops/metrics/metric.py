"""Metric: the base class, and the variables in which metrics count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from .. import _dtypes, config
from .._names import auto_name, to_snake_case
from .._plan import KerasArray, mask_of
from .._symbolic import instances
from .._tape import Tensor
from .._variables import Variable
from ..ops._arrays import numpy_dtype


class State(Variable):
    """A variable of a metric: no plan reads it, so none is told that it changed."""

    __slots__ = ()

    def _replace(self, value: np.ndarray) -> None:
        value.flags.writeable = False
        self._value = value
        self._version += 1

    def add(self, number: float) -> None:
        """Add to a variable that is one float64."""
        self._replace(np.array(float(self._value) + number))


class Metric:
    """Base class: a number, or several, made of all batches since the last reset.

    A subclass makes its variables in `__init__` with `add_variable`, and implements
    `update_state(y_true, y_pred, sample_weight=None)` and `result()`.

    Args:
        dtype: of the results: a dtype policy or the name of a type; by default `config.floatx()`.
        name: by default made from the name of the class.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "update_state" in cls.__dict__:
            cls.update_state = _of_values(cls.update_state)  # type: ignore[method-assign]

    _direction: str | None = None  # "up" if more is better, "down" if less is

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self._dtype = _result_dtype(dtype)
        self._variables: list[Variable] = []

    @property
    def dtype(self) -> str:
        """The name of the type of the results."""
        return self._dtype

    @property
    def variables(self) -> list[Variable]:
        """The variables, those of attributes and of metrics in attributes last."""
        held = _held(self)
        own = [*self._variables, *(value for value in held if isinstance(value, Variable))]
        inner = [v for value in held if isinstance(value, Metric) for v in value.variables]
        return list(dict.fromkeys([*own, *inner]))

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Any,
        dtype: Any = None,
        aggregation: str = "sum",
        name: str | None = None,
    ) -> Variable:
        """Return a new variable, which `reset_state` sets to 0.

        Args:
            shape, dtype, name: as of a `Variable`.
            initializer: its first value: an initializer or its name, None for "zeros".
            aggregation: accepted as in Keras; there are no replicas.
        """
        if "_variables" not in vars(self):
            raise RuntimeError(
                f"{type(self).__name__}: call `super().__init__()` before making variables."
            )
        variable = State(
            "zeros" if initializer is None else initializer, tuple(shape), dtype, False, name
        )
        self._variables.append(variable)
        return variable

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = None,
        dtype: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Return a new variable: `add_variable` with Keras' other order of arguments."""
        return self.add_variable(shape, initializer, dtype, name=name)

    def _zeros(self, name: str, shape: Sequence[int] = ()) -> Any:
        """Return a variable that counts: float64, exact up to 2^53."""
        return self.add_variable(shape, "zeros", "float64", name=name)

    def _result(self, value: Any) -> Any:
        """Return a result in the metric's dtype."""
        return np.asarray(value).astype(self._dtype)[()]

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Take in a batch."""
        raise NotImplementedError(f"{type(self).__name__} does not implement update_state().")

    def result(self) -> Any:
        """Return the value over all batches since the last reset."""
        raise NotImplementedError(f"{type(self).__name__} does not implement result().")

    def reset_state(self) -> None:
        """Forget all batches."""
        for variable in self.variables:
            value = variable.numpy()
            variable.adopt(np.zeros(value.shape, value.dtype))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take in a batch and return the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds it from."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """Return a new object from such arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


# What compile was given, which is no layer's own, and what names attributes a second time.
_NOT_HELD = ("_compile_arguments", "_holders", "_variables")


def inside(owners: Iterable[Any]) -> list[Metric]:
    """Return the metrics in the attributes of objects, alone or in lists, tuples and dicts."""
    found = [item for owner in owners for item in _held(owner) if isinstance(item, Metric)]
    return list(dict.fromkeys(found))


def _held(owner: Any) -> list[Any]:
    """Return the metrics and variables in the attributes of an object, alone or in containers."""
    seen: set[int] = set()
    held = [value for name, value in vars(owner).items() if name not in _NOT_HELD]
    return [one for value in held for one in instances(value, (Variable, Metric), seen)]


def _of_values(update: Callable) -> Callable:
    """Return an `update_state` that takes what is being recorded for the way back as its values."""

    @wraps(update)
    def update_state(self: Metric, *args: Any, **kwargs: Any) -> Any:
        named = {name: _value(x) for name, x in kwargs.items()}
        return update(self, *map(_value, args), **named)

    return update_state


def _value(x: Any) -> Any:
    return KerasArray.attach(x.value, mask_of(x)) if isinstance(x, Tensor) else x


def _result_dtype(dtype: Any) -> str:
    """Return the name of a dtype: an integer type, or what a dtype policy computes in."""
    if dtype == "int":
        return "int32"
    name = getattr(dtype, "name", dtype)
    if isinstance(name, str) and name.startswith(("int", "uint")) and "_" not in name:
        return numpy_dtype(name).name
    return _dtypes.get(dtype or config.floatx()).compute_dtype


def ratio(a: Any, b: Any) -> Any:
    """a / b, and 0 where b is 0."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape)), where=b != 0)
