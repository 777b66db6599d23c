"""NumPy as one writes it by hand for speed: a few lines for the case's own sizes, every result
going into an array that is there already."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from ..cases import LSTM, Activation, Case, Dense, Dropout, Masking, Permute, Step, Weights
from ..images import Image, Shape
from ..training import Network
from . import Built, CannotDo, fastest

# Writes the lines of one product into `names`: x, kernel and y are names of 2-D arrays.
Product = Callable[[dict[str, Any], str, str, str], str]

ACTIVATIONS = {
    "relu": "maximum({x}, zero, out={y})",
    "tanh": "tanh({x}, {y})",
    "sigmoid": "negative({x}, {y}); exp({y}, {y}); add({y}, one, {y}); divide(one, {y}, {y})",
    "softmax": "maximum.reduce({x}, -1, None, {r}, True); subtract({x}, {r}, {y}); exp({y}, {y}); "
    "add.reduce({y}, -1, None, {r}, True); divide({y}, {r}, {y})",
    "gelu_tanh": "multiply({x}, {x}, {t}); multiply({t}, c3, {t}); add({t}, c1, {t}); "
    "multiply({t}, {x}, {t}); tanh({t}, {t}); add({t}, one, {t}); multiply({t}, {x}, {t}); "
    "multiply({t}, half, {y})",
}
FUNCTIONS = (
    *("matmul", "dot", "copyto", "not_equal", "greater_equal", "logical_or", "maximum"),
    *("add", "subtract", "multiply", "divide", "negative", "exp", "tanh"),
)
CONSTANTS = {
    "zero": 0.0,
    "one": 1.0,
    "half": 0.5,
    "c1": np.sqrt(2 / np.pi),
    "c3": 0.044715 * np.sqrt(2 / np.pi),
}


def start(threads: int) -> str:
    return f"{np.__version__} ({_blas()})"


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    if case.group == "images":
        raise CannotDo("NumPy has no convolutions of images")
    products: dict[str, Product] = {"matmul": lambda n, x, w, y: f"matmul({x}, {w}, {y})"}
    if not weights:
        return by_hand(case, x, weights, products["matmul"])
    if x.ndim == 2:
        products["dot"] = lambda n, x, w, y: f"dot({x}, {w}, {y})"
    return fastest({how: partial(by_hand, case, x, weights, p) for how, p in products.items()})


def train(case: Case, x: np.ndarray, weights: Weights) -> Built:
    if any(isinstance(step, Image) for step in case.steps):
        raise CannotDo("NumPy has no convolutions of images")
    network, labels = Network(case, weights), case.labels()
    return Built(lambda: network.step(x, labels), reset=network.reset)


def by_hand(case: Case, x: np.ndarray, weights: Weights, product: Product) -> Built:
    """Write the case's lines, compile them, and return the function with its arrays bound."""
    names: dict[str, Any] = {name: np.array(v, np.float32) for name, v in CONSTANTS.items()}
    names |= {name: getattr(np, name) for name in FUNCTIONS}
    names["x"] = x
    lines: list[str] = []
    last, pairs = "x", iter(weights)
    for number, (step, _, shape) in enumerate(case.walk()):
        y = f"y{number}"
        lines += _lines(names, step, shape, last, y, pairs, product)
        last = y
    if not lines:
        names["y"] = np.empty_like(x)
        lines, last = ["copyto(y, x)"], "y"
    body = "\n".join(f"    {line}" for line in lines)
    exec(f"def call():\n{body}\n    return {last}", names)
    return Built(names["call"])


def _lines(
    names: dict[str, Any],
    step: Step,
    shape: Shape,
    x: str,
    y: str,
    pairs: Iterator[tuple[np.ndarray, ...]],
    product: Product,
) -> Iterator[str]:
    names[y] = np.empty(shape, np.float32)
    names[f"{y}r"] = np.empty((*shape[:-1], 1), np.float32)
    if isinstance(step, Dense):
        names[f"{y}w"], names[f"{y}b"] = next(pairs)
        yield product(names, x, f"{y}w", y)
        yield f"add({y}, {y}b, {y})"
        if step.activation is not None:
            yield ACTIVATIONS[step.activation].format(x=y, y=y, r=f"{y}r")
    elif isinstance(step, Activation):
        if step.name not in ACTIVATIONS:
            raise CannotDo(f"NumPy has no {step.name}")
        names[f"{y}t"] = np.empty(shape, np.float32)
        yield ACTIVATIONS[step.name].format(x=x, y=y, r=f"{y}r", t=f"{y}t")
    elif isinstance(step, LSTM):
        raise CannotDo("NumPy has no LSTM")
    elif isinstance(step, Permute):
        names[f"{y}v"] = names[x].transpose(0, *step.dims)
        yield f"copyto({y}, {y}v)"
    elif isinstance(step, Masking):
        names[f"{y}n"] = np.empty(shape, bool)
        names[f"{y}k"] = np.empty((*shape[:-1], 1), bool)
        yield f"not_equal({x}, zero, {y}n); logical_or.reduce({y}n, -1, None, {y}k, True)"
        yield f"multiply({x}, {y}k, {y})"
    elif isinstance(step, Dropout):
        names[f"{y}k"] = np.empty(shape, bool)
        names |= {"draw": np.random.default_rng(1).random, "float32": np.float32}
        names |= {f"{y}p": np.float32(step.rate), f"{y}s": np.float32(1 / (1 - step.rate))}
        yield f"draw(None, float32, {y}); greater_equal({y}, {y}p, {y}k)"
        yield f"multiply({x}, {y}s, {y}); multiply({y}, {y}k, {y})"


def _blas() -> str:
    """What NumPy's BLAS says of itself, with the kernels that it chose for this CPU."""
    from numpy.linalg import _umath_linalg

    library = ctypes.CDLL(_umath_linalg.__file__)
    for name in ("scipy_openblas_get_config64_", "openblas_get_config"):
        function = getattr(library, name, None)
        if function is not None:
            function.restype = ctypes.c_char_p
            words = function().decode().split()
            return " ".join([*words[:2], words[-2]])
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"
