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
class Normalize:
    """Each channel by the moments of the batch, as in training; its weights are gamma and beta. An
    activation name or None."""

    activation: str | None = "relu"


@dataclass(frozen=True)
class Flatten:
    """Each sample in one row."""


NORMALIZE_EPSILON = 1e-3  # as Keras has it

Image = Conv | Depthwise | Pool | Normalize | Flatten


def shape_after(step: Image, shape: Shape) -> Shape:
    """Return the shape, with the batch, of what a step makes."""
    if isinstance(step, Flatten):
        return (shape[0], math.prod(shape[1:]))
    if isinstance(step, Normalize):
        return shape
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


def convolved(step: Conv | Depthwise, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Return the sum over each window of its pixels times the kernel."""
    cells = windows(step, x)
    if isinstance(step, Depthwise):
        return np.einsum("nyxklc,klc->nyxc", cells, kernel)
    return cells.reshape(*cells.shape[:3], -1) @ kernel.reshape(-1, kernel.shape[-1])


def convolved_back(
    step: Conv | Depthwise, x: np.ndarray, kernel: np.ndarray, d: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients to the image and to the kernel, from that to the result."""
    around = [padding(step, n) for n in x.shape[1:3]]
    padded = np.pad(x, ((0, 0), *around, (0, 0)))
    to_x, of_kernel = np.zeros_like(padded), np.zeros_like(kernel)
    (height, width), stride = d.shape[1:3], step.strides
    for ky, kx in np.ndindex(kernel.shape[:2]):
        rows = slice(ky, ky + (height - 1) * stride + 1, stride)
        columns = slice(kx, kx + (width - 1) * stride + 1, stride)
        pixels = padded[:, rows, columns]
        if isinstance(step, Depthwise):
            to_x[:, rows, columns] += d * kernel[ky, kx]
            of_kernel[ky, kx] = (pixels * d).sum((0, 1, 2))
        else:
            to_x[:, rows, columns] += d @ kernel[ky, kx].T
            of_kernel[ky, kx] = np.tensordot(pixels, d, ((0, 1, 2), (0, 1, 2)))
    (top, _), (left, _) = around
    return to_x[:, top : top + x.shape[1], left : left + x.shape[2]], of_kernel


def normalized(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the channels without mean and scale, and what they were multiplied by."""
    scale = 1 / np.sqrt(x.var((0, 1, 2)) + NORMALIZE_EPSILON)
    return (x - x.mean((0, 1, 2))) * scale, scale


def normalized_back(y: np.ndarray, scale: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Return the gradient to the image, from that to its normalized channels y."""
    return scale * (d - d.mean((0, 1, 2)) - y * (d * y).mean((0, 1, 2)))


def pooled_back(step: Pool, x: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Return the gradient to the image: of the first of the largest pixels, or shared out."""
    n = step.size
    batch, height, width, channels = d.shape
    x_there = x[:, : height * n, : width * n].reshape(batch, height, n, width, n, channels)
    cells = x_there.transpose(0, 1, 3, 5, 2, 4).reshape(batch, height, width, channels, n * n)
    share = cells.argmax(-1)[..., None] == np.arange(n * n)
    made = (d[..., None] * (1 / n**2 if step.average else share)).astype(x.dtype)
    made = np.broadcast_to(made, cells.shape).reshape(batch, height, width, channels, n, n)
    to_x = np.zeros_like(x)
    to_x[:, : height * n, : width * n] = made.transpose(0, 1, 4, 2, 5, 3).reshape(
        batch, height * n, width * n, channels
    )
    return to_x


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
