"""What is measured: each case is a network of a few steps with its input and its work."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from .images import Conv, Depthwise, Flatten, Image, Pool, Shape, kernel_shape, shape_after
from .steps import LSTM, Activation, Dense, Dropout, Masking, Permute

# A further kind of layer is one more class here, a branch in `Case.walk` and in exact.py, and a
# method in those peers that have it; the others leave its cases out by themselves.
Step = Dense | Activation | Permute | Masking | Dropout | LSTM | Image


def _kernel_shape(step: Step, before: Shape) -> Shape | None:
    """The shape of the one kernel of a step, None if it has none, or several."""
    if isinstance(step, Dense):
        return before[-1], step.units
    return kernel_shape(step, before) if isinstance(step, Image) else None


Weights = list[tuple[np.ndarray, ...]]


class Adam(NamedTuple):
    """The optimizer of all cases that train, as Keras has it."""

    rate: float = 1e-3
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7


ADAM = Adam()


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
        first = next((step for step in self.steps if isinstance(step, Dense)), None)
        if not self.training or first is None:
            return self.flops
        return self.flops - 2 * math.prod(self.shape) * first.units

    @property
    def weight_bytes(self) -> int:
        """The bytes of all kernels and biases in float32."""
        reals = sum(math.prod(shape) + shape[-1] for shape, _ in self.kernels())
        for step, before, _ in self.walk():
            if isinstance(step, LSTM):
                reals += (before[-1] + step.units + 1) * 4 * step.units
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
            elif (shape := _kernel_shape(step, before)) is not None:
                kernel = rng.standard_normal(shape, dtype=np.float32)
                bias = rng.standard_normal(shape[-1], dtype=np.float32)
                inputs = math.prod(shape[:2] if len(shape) == 3 else shape[:-1])
                weights.append((kernel / np.float32(math.sqrt(inputs)), bias))
        return x, weights


def _dense(batch: int, k: int, n: int, precision: str = "highest") -> Case:
    mode = "" if precision == "highest" else f", {precision}"
    group = "dense" if precision == "highest" else "precision"
    steps = (Dense(n, "relu"),)
    return Case(f"dense {batch}x{k}x{n}{mode}", group, (batch, k), steps, precision)


def _mlp(sizes: Shape, last: str | None, batch: int, precision: str = "highest") -> Case:
    hidden = tuple(Dense(n, "relu") for n in sizes[1:-1])
    mode = "" if precision == "highest" else f", {precision}"
    return Case(
        f"mlp {'-'.join(map(str, sizes))} batch {batch}{mode}",
        "mlp" if precision == "highest" else "precision",
        (batch, sizes[0]),
        (*hidden, Dense(sizes[-1], last)),
        precision,
    )


def _training(sizes: Shape, batch: int, rate: float = 0) -> Case:
    steps: list[Step] = []
    for units in sizes[1:-1]:
        steps += [Dense(units, "relu"), *([Dropout(rate)] if rate else [])]
    name = f"training {'-'.join(map(str, sizes))} batch {batch}{', dropout' if rate else ''}"
    last = Dense(sizes[-1], "softmax")
    return Case(name, "training", (batch, sizes[0]), (*steps, last), training=True)


def _permute(shape: Shape, dims: Shape) -> Case:
    order = "0" + "".join(map(str, dims))
    name = f"permute {'x'.join(map(str, shape))} to {order}"
    return Case(name, "permute", shape, (Permute(dims),))


def _lstm(units: int, shape: Shape, *after: Step, masked: bool = False) -> Case:
    steps = (*([Masking()] if masked else []), LSTM(units), *after)
    mode = "masking, " if masked else ""
    return Case(f"{mode}lstm {units} {'x'.join(map(str, shape))}", "lstm", shape, steps)


def _one(group: str, name: str, shape: Shape, *steps: Step) -> Case:
    return Case(f"{name} {'x'.join(map(str, shape))}", group, shape, steps)


def _image(name: str, size: int, batch: int, *steps: Step) -> Case:
    return Case(f"{name} {size}x{size} batch {batch}", "images", (batch, size, size, 3), steps)


def _plain(size: int, batch: int) -> Case:
    """Convolutions of 3 by 3 in pairs, as VGG has them."""
    steps: list[Step] = []
    for filters in (32, 64, 128):
        steps += [Conv(filters), Conv(filters), Pool()]
    last = Dense(256, "relu"), Dense(10, "softmax")
    return _image("plain convolutions", size, batch, *steps, Flatten(), *last)


def _separable(size: int, batch: int) -> Case:
    """Channel by channel, and then over the channels, as MobileNet has them."""
    steps: list[Step] = [Conv(16, strides=1 if size < 64 else 2)]
    for filters, strides in ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        steps += [Depthwise(strides=strides), Conv(filters, size=1)]
    last = Pool(8 if size < 64 else 12, average=True), Flatten(), Dense(10, "softmax")
    return _image("separable convolutions", size, batch, *steps, *last)


_CLASSIFIER = (784, 512, 512, 10)
_LOADED = (64, 128, 128, 10)


def all_cases() -> list[Case]:
    """Return every case there is, in the order of the tables."""
    return [
        *(
            _dense(*sizes)
            for sizes in [
                (1, 784, 512),
                (1, 1024, 1024),
                (1, 2048, 2048),
                (4, 512, 512),
                (16, 512, 512),
                (32, 13, 64),
                (256, 512, 512),
                (4096, 64, 64),
                (512, 1024, 10),
                (2048, 2048, 2048),
            ]
        ),
        *(
            Case(f"skinny {b}x{k}x{n}", "skinny", (b, k), (Dense(n, "relu"),))
            for b, k, n in [
                (1024, 512, 1),
                (1024, 512, 4),
                (1024, 512, 16),
                (4096, 1, 64),
                (4096, 8, 64),
                (4096, 32, 64),
                (2, 512, 512),
                (7, 512, 512),
                (15, 512, 512),
            ]
        ),
        Case("identity, 16 floats", "mlp", (1, 16)),
        *(_mlp((16, 64, 64, 1), None, batch) for batch in (1, 64, 2048)),
        *(_mlp(_CLASSIFIER, "softmax", batch) for batch in (1, 8, 64, 512, 4096)),
        Case("masking, dense 32 tanh 1x50x16", "mlp", (1, 50, 16), (Masking(), Dense(32, "tanh"))),
        Case(
            "masking, dense 32 tanh 256x50x16", "mlp", (256, 50, 16), (Masking(), Dense(32, "tanh"))
        ),
        _lstm(32, (1, 20, 8), Dense(1), masked=True),
        _lstm(64, (1, 50, 32)),
        _lstm(64, (1, 50, 32), masked=True),
        _lstm(128, (32, 100, 64)),
        _lstm(128, (32, 100, 64), masked=True),
        *(
            _permute(shape, dims)
            for shape, dims in [
                ((32, 10, 64), (2, 1)),
                ((32, 128, 256), (2, 1)),
                ((8, 64, 64, 64), (2, 3, 1)),
                ((16, 48, 48, 3), (3, 1, 2)),
                ((16, 3, 48, 48), (2, 3, 1)),
                ((2, 2048, 2048), (2, 1)),
            ]
        ),
        *(
            _one("masking", "masking", shape, Masking())
            for shape in [(1, 20, 8), (64, 200, 64), (256, 50, 3)]
        ),
        *(
            _one("dropout", "dropout", shape, Dropout(0.3))
            for shape in [(32, 64), (256, 1024), (1024, 4096)]
        ),
        *(
            _one("activation", name, (256, 512), Activation(name))
            for name in ["relu", "sigmoid", "tanh", "gelu", "gelu_tanh", "softmax"]
        ),
        *(
            case
            for mode in ("high", "medium", "int8")
            for case in (
                _dense(1, 2048, 2048, mode),
                _dense(256, 512, 512, mode),
                _dense(2048, 2048, 2048, mode),
                _mlp(_CLASSIFIER, "softmax", 64, mode),
                _mlp(_CLASSIFIER, "softmax", 4096, mode),
            )
            if not (mode in ("high", "medium") and case.shape[0] == 1)  # for large batches only
        ),
        *(make(size, n) for make in (_plain, _separable) for size in (32, 96) for n in (1, 32)),
        _training((16, 64, 64, 2), 256),
        _training((64, 128, 10), 32),
        *(_training(_CLASSIFIER, batch, 0.2) for batch in (64, 512)),
        *(
            Case(
                f"load {'-'.join(map(str, _LOADED))} batch {batch}",
                "load",
                (batch, _LOADED[0]),
                tuple(Dense(n, "relu") for n in _LOADED[1:]),
                loaded=True,
            )
            for batch in (1024, 4096, 16384)  # about 250 us, 1 ms and 4 ms on one core
        ),
    ]


def offered(case: Case) -> bool:
    """Whether this build of coreops, on this CPU, has what the case is about."""
    from .. import _kernels
    from ..models import Model

    if case.precision == "int8":
        return hasattr(Model, "quantize")
    return case.precision == "highest" or _kernels.matmul_name(case.precision) != "fma"


def select(words: list[str]) -> list[Case]:
    """Return the cases of which any of the words is a part of the name or the whole group; all for
    no words."""
    cases: list[Any] = [case for case in all_cases() if offered(case)]
    return [c for c in cases if not words or any(w == c.group or w in c.name for w in words)]
