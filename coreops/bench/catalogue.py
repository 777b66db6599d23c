"""The cases of the suite, in the order of its tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .cases import LSTM, Activation, Case, Dense, Dropout, Masking, Permute, Step
from .images import Conv, Depthwise, Flatten, Normalize, Pool, Shape


def _graded(name: str, group: str, precision: str) -> tuple[str, str]:
    """A case's name and group: what keeps less than float32 is a group of its own."""
    return (name, group) if precision == "highest" else (f"{name}, {precision}", "precision")


def _dense(batch: int, k: int, n: int, precision: str = "highest") -> Case:
    named = _graded(f"dense {batch}x{k}x{n}", "dense", precision)
    return Case(*named, (batch, k), (Dense(n, "relu"),), precision)


def _mlp(sizes: Shape, last: str | None, batch: int, precision: str = "highest") -> Case:
    hidden = tuple(Dense(n, "relu") for n in sizes[1:-1])
    named = _graded(f"mlp {'-'.join(map(str, sizes))} batch {batch}", "mlp", precision)
    return Case(*named, (batch, sizes[0]), (*hidden, Dense(sizes[-1], last)), precision)


def _training(sizes: Shape, batch: int, rate: float = 0, precision: str = "highest") -> Case:
    steps: list[Step] = []
    for units in sizes[1:-1]:
        steps += [Dense(units, "relu"), *([Dropout(rate)] if rate else [])]
    steps.append(Dense(sizes[-1], "softmax"))
    name = f"training {'-'.join(map(str, sizes))} batch {batch}{', dropout' if rate else ''}"
    named = _graded(name, "training", precision)
    return Case(*named, (batch, sizes[0]), tuple(steps), precision, training=True)


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


def _image(name: str, size: int, batch: int, *steps: Step, training: bool = False) -> Case:
    if training:
        name = f"training {name.split()[0]}"
    group, shape = "training" if training else "images", (batch, size, size, 3)
    return Case(f"{name} {size}x{size} batch {batch}", group, shape, steps, training=training)


def _plain(size: int, batch: int, training: bool = False) -> Case:
    """Convolutions of 3 by 3 in pairs, as VGG has them."""
    steps: list[Step] = []
    for filters in (32, 64, 128):
        steps += [Conv(filters), Conv(filters), Pool()]
    last = Dense(256, "relu"), Dense(10, "softmax")
    return _image("plain convolutions", size, batch, *steps, Flatten(), *last, training=training)


def _separable(size: int, batch: int, training: bool = False) -> Case:
    """Channel by channel, and then over the channels, as MobileNet has them."""
    steps: list[Step] = [Conv(16, strides=1 if size < 64 else 2)]
    for filters, strides in ((32, 1), (64, 2), (64, 1), (128, 2), (128, 1)):
        steps += [Depthwise(strides=strides), Conv(filters, size=1)]
    last = Pool(8 if size < 64 else 12, average=True), Flatten(), Dense(10, "softmax")
    return _image("separable convolutions", size, batch, *steps, *last, training=training)


def _normalized(case: Case) -> Case:
    """A batch normalisation between each convolution and its activation."""
    steps: list[Step] = []
    for step in case.steps:
        if isinstance(step, Conv | Depthwise):
            steps += [replace(step, activation=None), Normalize()]
        else:
            steps.append(step)
    return replace(case, name=case.name.replace("training", "training normed"), steps=tuple(steps))


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
        *(
            _training(_CLASSIFIER, batch, precision=mode)
            for mode in ("high", "medium")
            for batch in (64, 512)
        ),
        *(make(size, n) for make in (_plain, _separable) for size in (32, 96) for n in (1, 32)),
        _training((16, 64, 64, 2), 256),
        _training((64, 128, 10), 32),
        *(_training(_CLASSIFIER, batch, 0.2) for batch in (64, 512)),
        *(make(32, 32, training=True) for make in (_plain, _separable)),
        *(_normalized(make(32, 32, training=True)) for make in (_plain, _separable)),
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
