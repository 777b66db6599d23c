"""oneMKL's products, called through ctypes with arguments that are there already; the rest as in
NumPy by hand."""

from __future__ import annotations

import ctypes
import importlib.metadata
from functools import partial
from typing import Any

import numpy as np

from ..cases import Case, Dense, Weights
from . import Built, CannotDo, fastest
from .numpy import by_hand

_ROWS, _KEEP, _TURN, _PACKED, _PACK_B = 101, 111, 112, 151, 162  # mkl_cblas.h
_library: Any = None


def start(threads: int) -> str:
    global _library
    files = importlib.metadata.files("mkl") or []
    (path,) = [f.locate() for f in files if f.name.startswith("libmkl_rt")]
    _library = ctypes.CDLL(str(path))
    _library.cblas_sgemm_pack_get_size.restype = ctypes.c_size_t
    return importlib.metadata.version("mkl")


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    if case.group == "images" or not any(isinstance(step, Dense) for step in case.steps):
        raise CannotDo("only products are oneMKL's")
    ways = {"sgemm": _gemm, "packed": _packed}
    if x.size == x.shape[-1]:
        ways["sgemv"] = _gemv
    return fastest({how: partial(by_hand, case, x, weights, w) for how, w in ways.items()})


def _gemm(names: dict[str, Any], x: str, w: str, y: str) -> str:
    (k, n), a = names[w].shape, names[x]
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    values = (_ROWS, _KEEP, _KEEP, a.size // k, n, k, one, a, k, names[w], n, zero, names[y], n)
    return _line(names, _library.cblas_sgemm, y, values)


def _gemv(names: dict[str, Any], x: str, w: str, y: str) -> str:
    k, n = names[w].shape
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    values = (_ROWS, _TURN, k, n, one, names[w], n, names[x], 1, zero, names[y], 1)
    return _line(names, _library.cblas_sgemv, y, values)


def _packed(names: dict[str, Any], x: str, w: str, y: str) -> str:
    (k, n), a = names[w].shape, names[x]
    m = a.size // k
    packed = np.empty(_library.cblas_sgemm_pack_get_size(_PACK_B, m, n, k) + 64, np.uint8)
    packed = packed[-packed.ctypes.data % 64 :]
    one, zero = ctypes.c_float(1), ctypes.c_float(0)
    arguments = (_ROWS, _PACK_B, _KEEP, m, n, k, one, names[w], n, packed)
    _library.cblas_sgemm_pack(*map(_c, arguments))
    values = (_ROWS, _KEEP, _PACKED, m, n, k, a, k, packed, n, zero, names[y], n)
    return _line(names, _library.cblas_sgemm_compute, y, values)


def _line(names: dict[str, Any], function: Any, y: str, values: tuple[Any, ...]) -> str:
    """One call, its arguments converted once."""
    names[f"{y}f"] = function
    names[f"{y}keep"] = values  # the arrays must live as long as their addresses
    for number, value in enumerate(values):
        names[f"{y}a{number}"] = _c(value)
    return f"{y}f({', '.join(f'{y}a{number}' for number in range(len(values)))})"


def _c(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return ctypes.c_void_p(value.ctypes.data)
    return ctypes.c_int(value) if isinstance(value, int) else value
