"""A network that learns, in NumPy as one writes it by hand: one of those measured, and in float64
what is right."""

from __future__ import annotations

import numpy as np

from .cases import ADAM, Case, Dense, Dropout, Weights


class Network:
    """Dense layers with relu, dropout between them, softmax at the end; crossentropy and Adam.

    Args:
        case: of the group "training".
        weights: its kernels and biases.
        dtype: of everything that is computed.
    """

    def __init__(self, case: Case, weights: Weights, dtype: type = np.float32) -> None:
        self._rates = [0.0]  # of the dropout before each layer
        for step in case.steps:
            if isinstance(step, Dropout):
                self._rates[-1] = step.rate
            elif isinstance(step, Dense):
                self._rates.append(0.0)
        self._start: list[np.ndarray] = [array.astype(dtype) for pair in weights for array in pair]
        self._dtype = dtype
        self.reset()

    def reset(self) -> None:
        """Go back to the beginning."""
        self._weights = [array.copy() for array in self._start]
        self._means = [np.zeros_like(array) for array in self._start]
        self._squares = [np.zeros_like(array) for array in self._start]
        self._steps = 0
        self._rng = np.random.default_rng(1)

    def step(self, x: np.ndarray, labels: np.ndarray) -> float:
        """Learn from one batch; return the loss before."""
        layers = list(zip(self._weights[::2], self._weights[1::2], strict=True))
        inputs = []
        for number, (kernel, bias) in enumerate(layers):
            x = self._drop(x, self._rates[number])
            inputs.append(x)
            x = x @ kernel + bias
            if number < len(layers) - 1:
                np.maximum(x, 0, out=x)

        x -= x.max(axis=1, keepdims=True)
        e = np.exp(x)
        total = e.sum(axis=1, keepdims=True)
        rows = np.arange(len(x))
        loss = float(np.mean(np.log(total[:, 0]) - x[rows, labels]))
        d = e / total  # the gradient with respect to the logits, and so on down
        d[rows, labels] -= 1
        d /= len(x)

        gradients: list[np.ndarray] = []
        for number in reversed(range(len(layers))):
            gradients[:0] = [inputs[number].T @ d, d.sum(axis=0)]
            if number:
                d = d @ layers[number][0].T
                d *= inputs[number] > 0  # what relu or dropout made zero
                if self._rates[number]:
                    d *= self._dtype(1 / (1 - self._rates[number]))
        self._adam(gradients)
        return loss

    def _drop(self, x: np.ndarray, rate: float) -> np.ndarray:
        if not rate:
            return x
        keep = self._rng.random(x.shape, dtype=np.float32) >= rate
        return x * keep * self._dtype(1 / (1 - rate))

    def _adam(self, gradients: list[np.ndarray]) -> None:
        self._steps += 1
        b1, b2 = ADAM.beta_1, ADAM.beta_2
        rate = ADAM.rate * np.sqrt(1 - b2**self._steps) / (1 - b1**self._steps)
        for w, m, v, g in zip(self._weights, self._means, self._squares, gradients, strict=True):
            m += (g - m) * self._dtype(1 - b1)
            v += (g * g - v) * self._dtype(1 - b2)
            w -= self._dtype(rate) * m / (np.sqrt(v) + self._dtype(ADAM.epsilon))


def losses(case: Case, x: np.ndarray, weights: Weights, count: int) -> np.ndarray:
    """Return the losses of the first steps in float64."""
    network = Network(case, weights, np.float64)
    labels = case.labels()
    return np.array([network.step(x.astype(np.float64), labels) for _ in range(count)])
