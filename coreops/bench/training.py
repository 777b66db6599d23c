"""A network that learns, in NumPy as one writes it by hand: one of those measured, and in float64
what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from .cases import ADAM, Case, Dense, Dropout, Step, Weights
from .images import (
    Conv,
    Depthwise,
    Flatten,
    Normalize,
    Pool,
    convolved,
    convolved_back,
    normalized,
    normalized_back,
    pooled,
    pooled_back,
)

# The gradient of a step's result to that of its input, and those of its weights.
Back = Callable[[np.ndarray], tuple[np.ndarray, list[np.ndarray]]]
_Made = tuple[np.ndarray, Back]


class Network:
    """Dense layers and steps of images with relu, dropout, softmax at the end; crossentropy and
    Adam.

    Args:
        case: of the group "training".
        weights: its kernels and biases.
        dtype: of everything that is computed.
    """

    def __init__(self, case: Case, weights: Weights, dtype: type = np.float32) -> None:
        self._steps: tuple[Step, ...] = case.steps
        self._start: list[np.ndarray] = [array.astype(dtype) for pair in weights for array in pair]
        self._dtype = dtype
        self.reset()

    def reset(self) -> None:
        """Go back to the beginning."""
        self._weights = [array.copy() for array in self._start]
        self._means = [np.zeros_like(array) for array in self._start]
        self._squares = [np.zeros_like(array) for array in self._start]
        self._count = 0
        self._rng = np.random.default_rng(1)

    def step(self, x: np.ndarray, labels: np.ndarray) -> float:
        """Learn from one batch; return the loss before."""
        ways: list[Back] = []
        weights = iter(self._weights)
        for step in self._steps:
            x, back = self._forward(step, x, weights)
            ways.append(back)

        x = x - x.max(axis=1, keepdims=True)
        e = np.exp(x)
        total = e.sum(axis=1, keepdims=True)
        rows = np.arange(len(x))
        loss = float(np.mean(np.log(total[:, 0]) - x[rows, labels]))
        d = e / total  # the gradient with respect to the logits, and so on down
        d[rows, labels] -= 1
        d /= len(x)

        gradients: list[np.ndarray] = []
        for back in reversed(ways):
            d, own = back(d)
            gradients[:0] = own
        self._adam(gradients)
        return loss

    def _forward(self, step: Step, x: np.ndarray, weights: Iterator[np.ndarray]) -> _Made:
        if isinstance(step, Dropout):
            factors = self._rng.random(x.shape, dtype=np.float32) >= step.rate
            factors = factors * self._dtype(1 / (1 - step.rate))
            return x * factors, lambda d: (d * factors, [])
        if isinstance(step, Flatten):
            return x.reshape(len(x), -1), lambda d: (d.reshape(x.shape), [])
        if isinstance(step, Pool):
            return pooled(step, x), lambda d: (pooled_back(step, x, d), [])
        kernel, bias = next(weights), next(weights)
        if isinstance(step, Normalize):
            even, scale = normalized(x)
            y = even * kernel + bias  # gamma and beta
        elif isinstance(step, Dense):
            y = x @ kernel + bias
        else:
            assert isinstance(step, Conv | Depthwise)
            y = convolved(step, x, kernel) + bias
        relu = step.activation == "relu"  # softmax is in the loss
        if relu:
            np.maximum(y, 0, out=y)

        def back(d: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
            if relu:
                d = d * (y > 0)
            of_bias = d.sum(axis=tuple(range(d.ndim - 1)))
            if isinstance(step, Dense):
                return d @ kernel.T, [x.T @ d, of_bias]
            if isinstance(step, Normalize):
                to_x = normalized_back(even, scale, d * kernel)
                return to_x, [(d * even).sum((0, 1, 2)), of_bias]
            to_x, of_kernel = convolved_back(step, x, kernel, d)
            return to_x, [of_kernel, of_bias]

        return y, back

    def _adam(self, gradients: list[np.ndarray]) -> None:
        self._count += 1
        b1, b2 = ADAM.beta_1, ADAM.beta_2
        rate = ADAM.rate * np.sqrt(1 - b2**self._count) / (1 - b1**self._count)
        for w, m, v, g in zip(self._weights, self._means, self._squares, gradients, strict=True):
            m += (g - m) * self._dtype(1 - b1)
            v += (g * g - v) * self._dtype(1 - b2)
            w -= self._dtype(rate) * m / (np.sqrt(v) + self._dtype(ADAM.epsilon))


def losses(case: Case, x: np.ndarray, weights: Weights, count: int) -> np.ndarray:
    """Return the losses of the first steps in float64."""
    network = Network(case, weights, np.float64)
    labels = case.labels()
    return np.array([network.step(x.astype(np.float64), labels) for _ in range(count)])
