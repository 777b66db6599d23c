"""The arithmetic of Variables, which gives the types that the functions of `coreops.ops` give."""

from __future__ import annotations

from collections.abc import Callable

from .._variables import Variable
from .elementwise import (
    add,
    floor_divide,
    logical_and,
    logical_or,
    logical_xor,
    mod,
    multiply,
    power,
    round,
    subtract,
    true_divide,
)
from .linalg import matmul


def _forward(op: Callable) -> Callable:
    return lambda self, other: op(self.value, other)


def _reflect(op: Callable) -> Callable:
    return lambda self, other: op(other, self.value)


for _symbol, _op in {
    "add": add,
    "sub": subtract,
    "mul": multiply,
    "truediv": true_divide,
    "floordiv": floor_divide,
    "mod": mod,
    "pow": power,
    "matmul": matmul,
    "and": logical_and,
    "or": logical_or,
    "xor": logical_xor,
}.items():
    setattr(Variable, f"__{_symbol}__", _forward(_op))
    setattr(Variable, f"__r{_symbol}__", _reflect(_op))
setattr(Variable, "__round__", lambda self, ndigits=0: round(self.value, ndigits))  # noqa: B010
