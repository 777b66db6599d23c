"""Steps of networks on images: their shapes, and what they compute, in float64 with bounds. Images
are (height, width, channels); padding is Keras' "same", with the smaller half before."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Conv:
    """A convolution by windows of size x size pixels; an activation name or None."""

    filters: int
    size: int = 3
    strides: int = 1
    activation: str | None = "relu"


@dataclass(frozen=True)
class Depthwise:
    """A convolution of each channel by itself."""

    size: int = 3
    strides: int = 1
    activation: str | None = "relu"


@dataclass(frozen=True)
class Pool:
    """The largest of size x size pixels, or their mean, without overlap."""

    size: int = 2
    average: bool = False


@dataclass(frozen=True)
class Flatten:
    """Each sample in one row."""


Image = Conv | Depthwise | Pool | Flatten


def shape_after(step: Image, shape: Shape) -> Shape:
    """Return the shape, with the batch, of what a step makes."""
    if isinstance(step, Flatten):
        return (shape[0], math.prod(shape[1:]))
    batch, height, width, channels = shape
    if isinstance(step, Pool):
        return (batch, height // step.size, width // step.size, channels)
    filters = step.filters if isinstance(step, Conv) else channels
    return (batch, -(-height // step.strides), -(-width // step.strides), filters)


def kernel_shape(step: Image, before: Shape) -> Shape | None:
    """Return the shape of a step's kernel; None if it has none. The last axis is the bias's."""
    if isinstance(step, Conv):
        return (step.size, step.size, before[-1], step.filters)
    return (step.size, step.size, before[-1]) if isinstance(step, Depthwise) else None


def padding(step: Conv | Depthwise, size: int) -> tuple[int, int]:
    """Return the zeros before and after an axis of so many pixels."""
    total = max((-(-size // step.strides) - 1) * step.strides + step.size - size, 0)
    return total // 2, total - total // 2


def windows(step: Conv | Depthwise, x: np.ndarray) -> np.ndarray:
    """Return the pixels of each window, (batch, height, width, size, size, channels)."""
    around = [padding(step, n) for n in x.shape[1:3]]
    x = np.pad(x, ((0, 0), *around, (0, 0)))
    cut = sliding_window_view(x, (step.size, step.size), axis=(1, 2))
    return cut[:, :: step.strides, :: step.strides].transpose(0, 1, 2, 4, 5, 3)


def pooled(step: Pool, x: np.ndarray) -> np.ndarray:
    """Return the largest pixel or the mean of each window."""
    batch, height, width, channels = x.shape
    n = step.size
    x = x[:, : height // n * n, : width // n * n]
    cells = x.reshape(batch, height // n, n, width // n, n, channels)
    return cells.mean((2, 4)) if step.average else cells.max((2, 4))


def channels_first(
    walk: Iterable[tuple[Any, Shape, Shape]], weights: list[tuple[np.ndarray, ...]]
) -> list[tuple[np.ndarray, ...]]:
    """Return the weights for libraries whose images are (channels, height, width): kernels of
    convolutions as (filters, channels, height, width), and the rows of a product of what was
    flattened in its order."""
    made: list[tuple[np.ndarray, ...]] = []
    pairs, flat = iter(weights), None
    for step, before, _ in walk:
        if isinstance(step, Flatten):
            flat = before[1:]
        if isinstance(step, Pool | Flatten):
            continue
        kernel, bias = next(pairs)
        if kernel.ndim == 3:
            kernel = kernel[:, :, None]
        if kernel.ndim == 4:
            kernel = kernel.transpose(3, 2, 0, 1)
        elif flat is not None:
            kernel = kernel.reshape(*flat, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
            flat = None
        made.append((np.ascontiguousarray(kernel), bias))
    return made
