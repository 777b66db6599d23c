"""pocket-inference, a small Rust library that runs .keras files: Keras writes the file."""

from __future__ import annotations

import importlib.metadata
import os
import tempfile

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from pocket_inference import Sequential

from ..cases import Case, Dense, Weights
from . import Built, CannotDo
from .sequential import sequential


def start(threads: int) -> str:
    return importlib.metadata.version("pocket-inference")


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    if not case.steps or not all(isinstance(step, Dense) for step in case.steps) or x.ndim != 2:
        raise CannotDo("pocket-inference has dense networks only")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.keras")
        sequential(keras, case, weights).save(path)
        model = Sequential.load(path)
    return Built(lambda: model.predict(x))
