"""scikit-learn: MLPClassifier, which learns one batch with each `partial_fit`."""

from __future__ import annotations

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier

from ..cases import ADAM, Case, Dense, Weights
from . import Built, CannotDo


def start(threads: int) -> str:
    return sklearn.__version__


def train(case: Case, x: np.ndarray, weights: Weights) -> Built:
    if case.random:
        raise CannotDo("scikit-learn has no dropout")
    if len(case.shape) > 2:
        raise CannotDo("scikit-learn has no images")
    if case.out_shape[-1] == 2:
        raise CannotDo("two classes are one sigmoid in scikit-learn")
    units = [step.units for step in case.steps if isinstance(step, Dense)]
    model = MLPClassifier(
        units[:-1],
        alpha=0,
        batch_size=len(x),
        learning_rate_init=ADAM.rate,
        beta_1=ADAM.beta_1,
        beta_2=ADAM.beta_2,
        epsilon=ADAM.epsilon,
        shuffle=False,
    )
    labels = case.labels()
    model.partial_fit(x, labels, classes=np.arange(units[-1]))
    optimizer = model._optimizer

    def reset() -> None:
        for number, (kernel, bias) in enumerate(weights):
            model.coefs_[number][...] = kernel
            model.intercepts_[number][...] = bias
        for moment in (*optimizer.ms, *optimizer.vs):
            moment[...] = 0
        optimizer.t = 0

    def call() -> float:
        return float(model.partial_fit(x, labels).loss_)

    return Built(call, reset=reset)
