"""Keras 3 itself, on the backend that KERAS_BACKEND names: whole models only, in the fastest of
its own ways to call them."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from ..cases import Case, Weights
from . import Built, CannotDo, fastest
from .sequential import learning, sequential

_mode: Any = None  # what nobody keeps ends at once


def _infer(on: bool) -> None:
    """Have torch, if that is the backend, note nothing for gradients, or do so again."""
    global _mode
    if keras.backend.backend() == "torch":
        import torch

        _mode = None
        _mode = torch.inference_mode(on)
        _mode.__enter__()


def start(threads: int) -> str:
    backend = keras.backend.backend()
    if backend == "torch":
        import torch

        torch.set_num_threads(threads)
    elif backend == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    return f"{keras.__version__} on {backend}"


def train(case: Case, x: np.ndarray, weights: Weights) -> Built:
    _infer(False)
    return learning(keras, case, x, weights)


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    if case.group not in ("mlp", "lstm"):
        raise CannotDo("Keras itself is measured on whole models")
    _infer(True)
    model = sequential(keras, case, weights)
    tensor = keras.ops.convert_to_tensor(x)
    read = keras.ops.convert_to_numpy
    if keras.backend.backend() == "jax":  # whose calls return before the work is done

        def call() -> Any:
            return model(tensor).block_until_ready()

    else:

        def call() -> Any:
            return model(tensor)

    return fastest(
        {
            "predict": lambda: Built(
                lambda: model.predict(x, batch_size=len(x), verbose=0), np.asarray
            ),
            "predict_on_batch": lambda: Built(lambda: model.predict_on_batch(x), np.asarray),
            "call": lambda: Built(call, read),
        }
    )
