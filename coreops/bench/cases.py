"""What is measured: each case is a network of a few steps with its input and its work."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from .images import Image, Normalize, Shape, kernel_shape, shape_after

Weights = list[tuple[np.ndarray, ...]]


class Adam(NamedTuple):
    """The optimizer of all cases that train, as Keras has it."""

    rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


ADAM = Adam()


@dataclass(frozen=True)
class Dense:
    """Over the last axis; an activation name as Keras has it, or None."""

    units: int
    activation: str | None = None


@dataclass(frozen=True)
class Activation:
    """By Keras' name; "gelu_tanh" is gelu with approximate=True."""

    name: str


@dataclass(frozen=True)
class Permute:
    """Axis i of a sample becomes axis dims[i], counted from 1."""

    dims: Shape


@dataclass(frozen=True)
class Masking:
    """Time steps that hold nothing but zeros."""


@dataclass(frozen=True)
class Dropout:
    """As in training."""

    rate: float


@dataclass(frozen=True)
class LSTM:
    """As Keras has it; steps that a Masking before it has found are skipped. Its weights are three:
    the kernel, the recurrent kernel, the bias."""

    units: int


# A further kind of layer is one more class here, a branch in `Case.walk` and in exact.py, and a
# method in those peers that have it; the others leave its cases out by themselves.
Step = Dense | Activation | Permute | Masking | Dropout | LSTM | Image


def _kernel_shape(step: Step, before: Shape) -> Shape | None:
    """The shape of the one kernel of a step, None if it has none, or several."""
    if isinstance(step, Dense):
        return before[-1], step.units
    return kernel_shape(step, before) if isinstance(step, Image) else None


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Args:
        name: unique, with the sizes in it.
        group: the kind of work, a heading in tables and in the picture.
        shape: the input's, with the batch.
        steps: what is done with it, in order.
        precision: the least that products keep: "highest", "high", "medium" or "int8".
        loaded: also measured while every core is busy.
        training: what is measured is a step of training: forward, the crossentropy with `labels`,
            backward, and an update by Adam.
    """

    name: str
    group: str
    shape: Shape
    steps: tuple[Step, ...] = field(default=())
    precision: str = "highest"
    loaded: bool = False
    training: bool = False

    def walk(self) -> Iterator[tuple[Step, Shape, Shape]]:
        """Yield each step with the shapes of its input and its output, both with the batch."""
        shape = self.shape
        for step in self.steps:
            before = shape
            if isinstance(step, Dense):
                shape = (*shape[:-1], step.units)
            elif isinstance(step, Permute):
                shape = (shape[0], *(shape[d] for d in step.dims))
            elif isinstance(step, LSTM):
                shape = (shape[0], step.units)
            elif isinstance(step, Image):
                shape = shape_after(step, shape)
            yield step, before, shape

    def kernels(self) -> Iterator[tuple[Shape, int]]:
        """Yield the shape of each step's kernel, and how often each of its elements is used."""
        for step, before, after in self.walk():
            if (shape := _kernel_shape(step, before)) is not None:
                yield shape, math.prod(after[:-1])

    @property
    def out_shape(self) -> Shape:
        """The output's shape, with the batch."""
        return [self.shape, *(after for _, _, after in self.walk())][-1]

    @property
    def flops(self) -> int:
        """Multiplications and additions of the products; nothing else is counted. In training
        each product has two more: for the gradients of its weights and of its input."""
        products = sum(2 * math.prod(shape) * times for shape, times in self.kernels())
        for step, before, _ in self.walk():
            if isinstance(step, LSTM):
                products += 8 * math.prod(before[:2]) * (before[2] + step.units) * step.units
        return (3 if self.training else 1) * products

    @property
    def needed_flops(self) -> int:
        """Those without the gradient of the network's own input, for which nobody asks."""
        first = next(self.kernels(), None)
        if not self.training or first is None:
            return self.flops
        return self.flops - 2 * math.prod(first[0]) * first[1]

    @property
    def weight_bytes(self) -> int:
        """The bytes of all kernels and biases in float32."""
        reals = sum(math.prod(shape) + shape[-1] for shape, _ in self.kernels())
        for step, before, _ in self.walk():
            if isinstance(step, LSTM):
                reals += (before[-1] + step.units + 1) * 4 * step.units
            elif isinstance(step, Normalize):
                reals += 2 * before[-1]
        return 4 * reals

    @property
    def bytes(self) -> int:
        """What has to be moved at least: the input, the weights and the output, once each. In
        training weights and their two moments are read and written, and nothing comes out."""
        if self.training:
            return 4 * math.prod(self.shape) + 6 * self.weight_bytes
        return 4 * (math.prod(self.shape) + math.prod(self.out_shape)) + self.weight_bytes

    @property
    def random(self) -> bool:
        """Whether the result is drawn, so that only its statistics can be checked."""
        return any(isinstance(step, Dropout) for step in self.steps)

    def without_dropout(self) -> Case:
        """Return the case of which every result is known."""
        return replace(self, steps=tuple(s for s in self.steps if not isinstance(s, Dropout)))

    def labels(self) -> np.ndarray:
        """Make the classes to learn, which are drawn: there is something to do in every step."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()) + 1)
        return rng.integers(0, self.out_shape[-1], self.shape[0], dtype=np.int32)

    def arrays(self) -> tuple[np.ndarray, Weights]:
        """Make the input and the weights: the same on every machine and in every run."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        x = rng.standard_normal(self.shape, dtype=np.float32)
        if any(isinstance(step, Masking) for step in self.steps):
            x[rng.random(self.shape[:-1]) < 0.3] = 0

        def matrix(k: int, n: int) -> np.ndarray:
            return rng.standard_normal((k, n), dtype=np.float32) / np.float32(math.sqrt(k))

        weights: Weights = []
        for step, before, _ in self.walk():
            if isinstance(step, LSTM):
                kernel, recurrent = (matrix(k, 4 * step.units) for k in (before[-1], step.units))
                bias = rng.standard_normal(4 * step.units, dtype=np.float32)
                weights.append((kernel, recurrent, bias))
            elif isinstance(step, Normalize):
                gamma = rng.uniform(0.5, 1.5, before[-1]).astype(np.float32)
                weights.append((gamma, rng.standard_normal(before[-1], dtype=np.float32)))
            elif (shape := _kernel_shape(step, before)) is not None:
                kernel = rng.standard_normal(shape, dtype=np.float32)
                bias = rng.standard_normal(shape[-1], dtype=np.float32)
                inputs = math.prod(shape[:2] if len(shape) == 3 else shape[:-1])
                weights.append((kernel / np.float32(math.sqrt(inputs)), bias))
        return x, weights
