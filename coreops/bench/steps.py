"""The layers that cases are made of."""

from __future__ import annotations

from dataclasses import dataclass

from .images import Shape


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
