"""The operators, the indexing and the few ndarray methods that a Tensor has."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .recording import record
from .tensor import Tensor

# What each operator is called among the rules, and its ufunc.
_BINARY = {
    "add": ("add", np.add),
    "sub": ("subtract", np.subtract),
    "mul": ("multiply", np.multiply),
    "truediv": ("divide", np.divide),
    "floordiv": ("floor_divide", np.floor_divide),
    "mod": ("mod", np.remainder),
    "pow": ("power", np.power),
    "matmul": ("matmul", np.matmul),
    "eq": ("equal", np.equal),
    "ne": ("not_equal", np.not_equal),
    "lt": ("less", np.less),
    "le": ("less_equal", np.less_equal),
    "gt": ("greater", np.greater),
    "ge": ("greater_equal", np.greater_equal),
}
_UNARY = {"neg": "negative", "pos": "copy", "abs": "absolute"}
_METHODS = {
    "astype": "cast",
    "copy": "copy",
    "flatten": "ravel",
    "max": "max",
    "mean": "mean",
    "min": "min",
    "prod": "prod",
    "ravel": "ravel",
    "reshape": "reshape",
    "std": "std",
    "sum": "sum",
    "swapaxes": "swapaxes",
    "squeeze": "squeeze",
    "var": "var",
}


def _recorded(function: Callable, name: str) -> Callable:
    """What an op of that name is on ndarrays, for Tensors."""
    return lambda *args, **kwargs: record(function, name, args, kwargs)


def _method(name: str) -> Callable:
    return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)


def _reflected(op: Callable) -> Callable:
    return lambda self, other: op(other, self)


def _transpose(x: Any, *axes: Any) -> Any:
    return _permuted(x, axes[0] if len(axes) == 1 else axes or None)


_OF_UFUNC: dict[np.ufunc, Callable] = {}
of_ufunc = _OF_UFUNC.get
for _symbol, (_name, _ufunc) in _BINARY.items():
    _op = _recorded(getattr(operator, _symbol), _name)
    _OF_UFUNC[_ufunc] = _op
    setattr(Tensor, f"__{_symbol}__", _op)
    if not _ufunc.types[-1].endswith("->?"):  # Python reflects comparisons itself
        setattr(Tensor, f"__r{_symbol}__", _reflected(_op))
for _symbol, _name in _UNARY.items():
    setattr(Tensor, f"__{_symbol}__", _recorded(getattr(operator, _symbol), _name))
for _symbol, _name in _METHODS.items():
    setattr(Tensor, _symbol, _recorded(_method(_symbol), _name))
_permuted = _recorded(np.transpose, "transpose")
setattr(Tensor, "transpose", _transpose)  # noqa: B010 - as the others
setattr(Tensor, "T", property(_permuted))  # noqa: B010
setattr(Tensor, "__getitem__", _recorded(operator.getitem, "get_item"))  # noqa: B010
Tensor.__hash__ = object.__hash__  # type: ignore[method-assign]  # __eq__ came after the class
