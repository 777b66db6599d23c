"""What the pixels of an enlarged image are made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def _linear(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _cubic(x: np.ndarray) -> np.ndarray:
    """Keys' kernel, with a = -1/2."""
    x = np.abs(x)
    near, far = ((1.5 * x - 2.5) * x) * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x >= 2, 0, np.where(x >= 1, far, near))


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(np.abs(x) < radius, np.sinc(x) * np.sinc(x / radius), 0)


KERNELS = {
    "bilinear": _linear,
    "bicubic": _cubic,
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}


def matrix(size: int, times: int, interpolation: str) -> np.ndarray:
    """Return the weights (size * times, size) of the pixels along an axis, by the distances of
    their centres; what is beyond the edge has no share."""
    centres = (np.arange(size * times) + 0.5) / times - 0.5
    weights = KERNELS[interpolation](centres[:, None] - np.arange(size))
    return weights / weights.sum(axis=1, keepdims=True)
