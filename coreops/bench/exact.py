"""What is right: each case in float64, with a bound on what float32 may make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .cases import Activation, Case, Dense, Dropout, Masking, Permute, Weights

EPS = float(np.finfo(np.float32).eps)
# What an operand of a product may lose, relative to itself (int8: to the largest of its row or
# column, of which a step is 1/127): half a unit in the last of 16 and 8 bits.
OPERAND = {"highest": 0.0, "high": 2.0**-16, "medium": 2.0**-8, "int8": 0.5 / 127}
# Units in the last place of 1 that a library's exp, tanh or erf may be off; few publish a figure.
FUNCTION_EPS = 16
# The steepest slope of each activation: by how much it can enlarge an error that comes in.
SLOPE = {"relu": 1.0, "tanh": 1.0, "sigmoid": 0.25, "gelu": 1.13, "gelu_tanh": 1.13}


@dataclass(frozen=True)
class Verdict:
    """What came of a check: the fault, or None, and the largest error relative to the largest
    value."""

    fault: str | None
    error: float


class Judge:
    """Knows the result of a case and tells whether an array is it.

    Products: |error| <= gamma |a| @ |b|, gamma = n u / (1 - n u) for n roundings in any order
    (Higham, Accuracy and Stability of Numerical Algorithms, 3.1), plus what the precision takes
    from the operands; errors of earlier layers go through |weights| and the activation's slope.
    """

    def __init__(self, case: Case, x: np.ndarray, weights: Weights) -> None:
        self.case, self.x = case, x
        if not case.random:
            self.y, self.bound = _exact(case, x, weights)

    def __call__(self, y: np.ndarray) -> Verdict:
        """Check a result."""
        if y.shape != self.case.out_shape:
            return Verdict(f"shape {y.shape} instead of {self.case.out_shape}", np.inf)
        if self.case.random:
            return self._dropout(y)
        distance = np.abs(y.astype(np.float64) - self.y)
        error = float(distance.max() / max(np.abs(self.y).max(), np.finfo(float).tiny))
        if not np.all(distance <= self.bound):  # also where y is NaN
            return Verdict(f"off by {error:.1e} of the largest value", error)
        return Verdict(None, error)

    def _dropout(self, y: np.ndarray) -> Verdict:
        """Each element is zero or scaled, and the share of zeros is within six standard
        deviations of a binomial."""
        (step,) = self.case.steps
        assert isinstance(step, Dropout)
        kept = y != 0
        scaled = self.x.astype(np.float64) / (1 - step.rate)
        error = float(np.abs(np.where(kept, y / scaled - 1, 0)).max())
        share = abs(float(kept.mean()) - (1 - step.rate))
        allowed = 6 * np.sqrt(step.rate * (1 - step.rate) / y.size)
        if error > 4 * EPS:
            return Verdict(f"kept elements are off by {error:.1e}", error)
        if share > allowed:
            return Verdict(f"{kept.mean():.3%} are kept instead of {1 - step.rate:.0%}", error)
        return Verdict(None, error)


def _exact(case: Case, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    y, bound = x.astype(np.float64), np.zeros(())
    pairs = iter(weights)
    for step, _, _ in case.walk():
        if isinstance(step, Dense):
            y, bound = _product(y, bound, *next(pairs), case.precision)
            if step.activation is not None:
                y, bound = _activation(step.activation, y, bound)
        elif isinstance(step, Activation):
            y, bound = _activation(step.name, y, bound)
        elif isinstance(step, Permute):
            y = y.transpose(0, *step.dims)
        elif isinstance(step, Masking):
            y = np.where(np.any(y != 0, axis=-1, keepdims=True), y, 0)
    return y, np.broadcast_to(bound, y.shape)


def _product(
    a: np.ndarray, bound: np.ndarray, kernel: np.ndarray, bias: np.ndarray, precision: str
) -> tuple[np.ndarray, np.ndarray]:
    w, k = kernel.astype(np.float64), kernel.shape[0]
    size = np.abs(a) @ np.abs(w)
    roundings = (2 * k + 2) * EPS / 2
    error = roundings / (1 - roundings) * (size + np.abs(bias))
    if bound.any():
        error += np.broadcast_to(bound, a.shape) @ np.abs(w)
    lost = OPERAND[precision]
    if precision == "int8":
        rows, columns = np.abs(a).max(-1, keepdims=True), np.abs(w).max(0)
        error += lost * (rows * np.abs(w).sum(0) + np.abs(a).sum(-1, keepdims=True) * columns)
        error += k * lost**2 * rows * columns
    else:
        error += (2 * lost + lost**2) * size
    return a @ w + bias, error


def _activation(name: str, x: np.ndarray, bound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if name == "softmax":
        shifted = x - x.max(axis=-1, keepdims=True)
        e = np.exp(shifted)
        y = e / e.sum(axis=-1, keepdims=True)
        moved = np.expm1(2 * np.broadcast_to(bound, x.shape).max(axis=-1, keepdims=True))
        return y, y * (moved + EPS * (FUNCTION_EPS + 2 * np.abs(shifted))) + EPS * y.max()
    y = FUNCTIONS[name](x)
    own = 0.0 if name == "relu" else FUNCTION_EPS * EPS * np.maximum(np.abs(y), 1)
    return y, bound * SLOPE[name] + own


def _gelu(x: np.ndarray) -> np.ndarray:
    from math import erf

    return 0.5 * x * (1 + np.vectorize(erf, otypes=[float])(x / np.sqrt(2)))


FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "gelu": _gelu,
    "gelu_tanh": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
}
