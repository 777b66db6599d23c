"""The operators, the indexing and the methods that a symbolic tensor has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..._symbolic import KerasTensor
from .operation import call

_BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "pow": "power",
    "matmul": "matmul",
    "and": "logical_and",
    "or": "logical_or",
    "xor": "logical_xor",
}
_COMPARING = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
_UNARY = {"neg": "negative", "abs": "absolute", "invert": "logical_not"}


def _operator(name: str, *, reflected: bool = False) -> Callable[..., Any]:
    if reflected:
        return lambda self, other: call(name, (other, self), {})
    return lambda self, *others, **named: call(name, (self, *others), named)


for _symbol, _name in (_BINARY | _COMPARING | _UNARY).items():
    setattr(KerasTensor, f"__{_symbol}__", _operator(_name))
for _symbol, _name in _BINARY.items():
    setattr(KerasTensor, f"__r{_symbol}__", _operator(_name, reflected=True))
for _name in ("reshape", "squeeze"):
    setattr(KerasTensor, _name, _operator(_name))
setattr(KerasTensor, "__getitem__", _operator("get_item"))  # noqa: B010 - as the others
