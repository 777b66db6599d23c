"""Batch normalisation while it trains, on whole batches: the kernels, and what is done once they
have been learnt from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import _kernels

_scope = threading.local()


@contextmanager
def deferring() -> Iterator[list[Callable[[], None]]]:
    """Within it, in this thread, what `afterwards` is given is kept in this list, not done."""
    before = getattr(_scope, "kept", None)
    kept: list[Callable[[], None]] = []
    _scope.kept = kept
    try:
        yield kept
    finally:
        _scope.kept = before


def afterwards(update: Callable[[], None]) -> None:
    """Do that when the step of training around this has come to its end; now, if there is none."""
    kept = getattr(_scope, "kept", None)
    if kept is None:
        update()
    else:
        kept.append(update)


def moments(x: np.ndarray, mask: np.ndarray | None, fuzz: float) -> tuple[Any, Any, Any]:
    """The mean and the population variance over all axes but the last, in float64, and the number
    of positions that count, to which fuzz is added where there is a mask."""
    count = np.float64(x.size // max(x.shape[-1], 1) if mask is None else np.count_nonzero(mask))
    sums, _ = _kernels.channel_sums(x, mask)
    center = (sums / max(count, 1.0)).astype(x.dtype)
    rest, squares = _kernels.channel_sums(x, mask, None, center)
    weight = count if mask is None else count + fuzz
    mean = (center.astype(np.float64) * count + rest) / weight
    off = mean - center
    variance = (squares - 2 * off * rest + count * off * off) / weight
    return mean, np.maximum(variance, 0), weight


def batch_normalize(
    x: np.ndarray, mask: np.ndarray | None, gamma: Any, beta: Any, epsilon: float, fuzz: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Callable[[Any], list[Any]]]:
    """Normalise the channels of x, its last axis, by the moments of the positions where the mask is
    True; gamma and beta may be None.

    Returns the result, the mean and the variance, and what takes a gradient of the result to those
    of x, gamma and beta.
    """
    mean, variance, weight = moments(x, mask, fuzz)
    scale = 1 / np.sqrt(variance + epsilon)
    factor = scale if gamma is None else scale * gamma
    center = mean.astype(x.dtype)
    shift = (center - mean) * factor + (0 if beta is None else beta)
    y = _kernels.channel_affine(x, center, factor.astype(x.dtype), shift.astype(x.dtype))

    def back(dy: Any) -> list[Any]:
        dy = np.ascontiguousarray(dy, x.dtype)
        sums, products = _kernels.channel_sums(x, None, dy, center)
        products -= (mean - center) * sums
        by_x = -factor * scale * scale * products / weight
        dx = _kernels.channel_gradient(
            x,
            dy,
            center,
            factor.astype(x.dtype),
            by_x.astype(x.dtype),
            (-factor * sums / weight - by_x * (mean - center)).astype(x.dtype),
            mask,
        )
        return [dx, (scale * products).astype(x.dtype), sums.astype(x.dtype)]

    return y, mean, variance, back
