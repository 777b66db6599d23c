"""coreops itself, called as anybody would call it."""

from __future__ import annotations

from typing import Any

import numpy as np

import coreops

from ..cases import Case, Weights
from . import Built
from .sequential import learning, sequential


def start(threads: int) -> str:
    coreops.set_num_threads(threads)
    return coreops.__version__


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    if case.precision == "int8":
        model: Any = sequential(coreops, case, weights)
        model.quantize("int8")
        return Built(lambda: model(x), how="int8")
    model = sequential(coreops, case, weights, precision=case.precision)
    if case.random:
        return Built(lambda: model(x, training=True))
    return Built(lambda: model(x), how=case.precision)


def train(case: Case, x: np.ndarray, weights: Weights) -> Built:
    return learning(coreops, case, x, weights, precision=case.precision)
