"""What is right: each case in float64, with a bound on what float32 may make of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .cases import LSTM, Activation, Case, Dense, Dropout, Masking, Permute, Weights
from .images import Conv, Depthwise, Flatten, Pool, pooled, windows
from .training import losses

EPS = float(np.finfo(np.float32).eps)
# What an operand of a product may lose, relative to itself: half a unit in the last of 16 and of 8
# bits. int8: relative to the largest of its array, half a step where 63 steps reach that far, since
# some kernels leave activations seven bits.
OPERAND = {"highest": 0.0, "high": 2.0**-16, "medium": 2.0**-8, "int8": 0.5 / 63}
SIGMAS = 6  # of what is random: losses of operands, the share that dropout keeps
# Units in the last place of 1 that a library's exp, tanh or erf may be off; few publish a figure.
FUNCTION_EPS = 16
COMPARED = 5  # losses of training
LOSS_ERROR = 1e-4  # of those, as `Judge` explains,
KINK_ERROR = 2e-2  # and of images' from the second on
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
    (Higham, Accuracy and Stability of Numerical Algorithms, 3.1); errors of earlier layers go
    through |weights| and the activation's slope. What a lower precision takes from the operands is
    much more than that and worst cases of it say nothing after two layers, so it is taken as
    random: its variance goes through the squares of the weights, and six standard deviations are
    added in the end.

    Training: a step of Adam moves a weight by rate * g / |g| at first, which lowers the loss by
    rate * sum |g|, about 1 in these cases. Rounding errors of the gradients take their share of
    that, at most twice, where a sign changes: k / 2 roundings of EPS / 2 for a sum of k terms on
    its way, which is 1e-5 for the longest here; ten times as much is allowed after five steps.
    A lower precision takes less from a loss than it does from an operand, since rows take it in
    both directions: 8e-4 at "medium".
    Networks of images have millions of sums before a relu or a maximum, of which a few are closer
    to its kink than they are exact. Each puts its share of a gradient here or there: some 1e-3 of a
    kernel's, measured in two orders of PyTorch's sums, and 8e-3 of the losses. So only the first
    loss is held as tightly as others, and 2 % of what a step changes is allowed later.
    """

    def __init__(self, case: Case, x: np.ndarray, weights: Weights) -> None:
        self.case, self.x, self.weights = case, x, weights
        if case.training:
            self.losses = losses(case, x, weights, 0 if case.random else COMPARED)
            self.bound = np.full(len(self.losses), LOSS_ERROR + OPERAND[case.precision])
            if len(case.shape) > 2:
                self.bound[1:] = KINK_ERROR
        elif not case.random:
            self.y, self.bound = _exact(case, x, weights)

    def __call__(self, y: np.ndarray) -> Verdict:
        """Check a result."""
        if self.case.training:
            return self._training(y)
        if y.shape != self.case.out_shape:
            return Verdict(f"shape {y.shape} instead of {self.case.out_shape}", np.inf)
        if self.case.random:
            return self._dropout(y)
        distance = np.abs(y.astype(np.float64) - self.y)
        error = float(distance.max() / max(np.abs(self.y).max(), np.finfo(float).tiny))
        if not np.all(distance <= self.bound):  # also where y is NaN
            return Verdict(f"off by {error:.1e} of the largest value", error)
        return Verdict(None, error)

    def _training(self, y: np.ndarray) -> Verdict:
        """The losses are the right ones; with dropout, the last ones are clearly less than the
        first."""
        if self.case.random:
            first, last = float(y[0]), float(np.mean(y[-3:]))
            fault = None if last < 0.9 * first else f"the loss goes from {first:.3g} to {last:.3g}"
            return Verdict(fault, 0.0)
        distance = np.abs(y[: len(self.losses)] - self.losses)
        error = float(distance.max())
        if not np.all(distance <= self.bound):  # also where a loss is NaN
            return Verdict(f"losses are off by {error:.1e}", error)
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
        allowed = SIGMAS * np.sqrt(step.rate * (1 - step.rate) / y.size)
        if error > 4 * EPS:
            return Verdict(f"kept elements are off by {error:.1e}", error)
        if share > allowed:
            return Verdict(f"{kept.mean():.3%} are kept instead of {1 - step.rate:.0%}", error)
        return Verdict(None, error)


Triple = tuple[np.ndarray, np.ndarray, np.ndarray]  # values, bounds, variances


def _exact(case: Case, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    if case.group == "images":  # one by one: their windows take a lot of memory
        made = [_sample(case, x[i : i + 1], weights) for i in range(len(x))]
        return np.concatenate([y for y, _ in made]), np.concatenate([bound for _, bound in made])
    return _sample(case, x, weights)


def _sample(case: Case, x: np.ndarray, weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    y: np.ndarray = x.astype(np.float64)
    bound: np.ndarray = np.zeros(())
    variance: np.ndarray = np.zeros(())
    pairs, mask = iter(weights), np.ones(x.shape[:-1], bool)
    for step, _, _ in case.walk():
        if isinstance(step, Dense):
            kernel, bias = next(pairs)
            y, bound, variance = _product((y, bound, variance), kernel, bias, case.precision)
            if step.activation is not None:
                y, bound, variance = _activation(step.activation, (y, bound, variance))
        elif isinstance(step, Activation):
            y, bound, variance = _activation(step.name, (y, bound, variance))
        elif isinstance(step, Conv | Depthwise):
            y, bound, variance = _convolved(step, (y, bound, variance), *next(pairs))
            if step.activation is not None:
                y, bound, variance = _activation(step.activation, (y, bound, variance))
        elif isinstance(step, Pool):
            variance = pooled(step, variance) + (step.size**2 * EPS * pooled(step, np.abs(y))) ** 2
            y = pooled(step, y)
        elif isinstance(step, Flatten):
            y, variance = y.reshape(len(y), -1), variance.reshape(len(y), -1)
        elif isinstance(step, Permute):
            y = y.transpose(0, *step.dims)
        elif isinstance(step, Masking):
            mask = np.any(y != 0, axis=-1)
            y = np.where(mask[..., None], y, 0)
        elif isinstance(step, LSTM):
            y, bound, variance = _lstm(y, mask, *next(pairs))
    return y, np.broadcast_to(bound + SIGMAS * np.sqrt(variance), y.shape)


def _product(values: Triple, kernel: np.ndarray, bias: np.ndarray, precision: str) -> Triple:
    a, bound, variance = values
    w, k = kernel.astype(np.float64), kernel.shape[0]
    roundings = (2 * k + 2) * EPS / 2
    error = roundings / (1 - roundings) * (np.abs(a) @ np.abs(w) + np.abs(bias))
    if bound.any():
        error += np.broadcast_to(bound, a.shape) @ np.abs(w)
    lost = OPERAND[precision]
    if not lost:
        return a @ w + bias, error, np.broadcast_to(variance, a.shape) @ w**2
    # a loss is spread evenly between -lost and lost: a third of its square is the variance
    if precision == "int8":
        of_a, of_w = np.full_like(a, np.abs(a).max()), np.full_like(w, np.abs(w).max())
    else:
        of_a, of_w = a, w
    spread = lost**2 / 3 * (of_a**2 @ w**2 + a**2 @ of_w**2)
    return a @ w + bias, error, spread + np.broadcast_to(variance, a.shape) @ w**2


def _lstm(
    x: np.ndarray, mask: np.ndarray, kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray
) -> Triple:
    """Over a hundred steps a worst case would grow beyond all sense: errors are taken as random.
    Each of n products of a sum loses at most half a unit of the sum so far."""
    k, r, b = (w.astype(np.float64) for w in (kernel, recurrent, bias))
    c = h = np.zeros((len(x), len(r)))
    of_c = of_h = np.zeros_like(c)  # variances
    own = (FUNCTION_EPS * EPS) ** 2
    for t in range(x.shape[1]):
        z = x[:, t] @ k + h @ r + b
        squares = x[:, t] ** 2 @ k**2 + h**2 @ r**2 + b**2
        of_z = EPS**2 / 4 * (len(k) + len(r)) * squares + of_h @ r**2
        i, f, g, o = np.split(z, 4, axis=-1)
        of_i, of_f, of_g, of_o = np.split(of_z, 4, axis=-1)
        sigmoid = FUNCTIONS["sigmoid"]
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        gates = [SLOPE["sigmoid"] ** 2 * of + own for of in (of_i, of_f, of_o)]
        new = f * c + i * g
        of_new = f**2 * of_c + c**2 * gates[1] + i**2 * (of_g + own) + g**2 * gates[0]
        tanh = np.tanh(new)
        of_out = o**2 * (of_new + own) + tanh**2 * gates[2]
        on = mask[:, t, None]
        h, of_h = np.where(on, o * tanh, h), np.where(on, of_out, of_h)
        c, of_c = np.where(on, new, c), np.where(on, of_new, of_c)
    return h, np.zeros(()), of_h


def _convolved(
    step: Conv | Depthwise, values: Triple, kernel: np.ndarray, bias: np.ndarray
) -> Triple:
    """Of a product of windows, errors as random: worst cases say nothing after some layers. k
    roundings of a sum have k / 12 EPS^2 of its variance, and sums in tiles 4^2 times as much."""
    x, _, variance = values
    cells, errors = (windows(step, np.broadcast_to(part, x.shape)) for part in (x, variance))
    w, axes = kernel.astype(np.float64), "nyxklc,klcf->nyxf"
    if isinstance(step, Depthwise):
        axes = "nyxklc,klc->nyxc"
    k = step.size**2 * (1 if isinstance(step, Depthwise) else x.shape[-1])
    y, spread, passed = (
        np.einsum(axes, part, by, optimize=True)
        for part, by in ((cells, w), (cells**2, w**2), (errors, w**2))
    )
    own = 16 * (k + 2) / 12 * EPS**2 * (spread + bias.astype(np.float64) ** 2)
    return y + bias, np.zeros(()), own + passed


def _activation(name: str, values: Triple) -> Triple:
    x, bound, variance = values
    if name == "softmax":
        shifted = x - x.max(axis=-1, keepdims=True)
        e = np.exp(shifted)
        y = e / e.sum(axis=-1, keepdims=True)
        incoming = np.broadcast_to(bound + SIGMAS * np.sqrt(variance), x.shape)
        moved = np.expm1(2 * incoming.max(axis=-1, keepdims=True))
        own = EPS * (FUNCTION_EPS + 2 * np.abs(shifted))
        return y, y * (moved + own) + EPS * y.max(), np.zeros(())
    y = FUNCTIONS[name](x)
    own = 0.0 if name == "relu" else FUNCTION_EPS * EPS * np.maximum(np.abs(y), 1)
    return y, bound * SLOPE[name] + own, variance * SLOPE[name] ** 2


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
