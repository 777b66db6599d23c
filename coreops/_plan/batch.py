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


def batch_normalize(
    x: np.ndarray, mask: np.ndarray | None, gamma: Any, beta: Any, epsilon: float, fuzz: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Callable[[Any], list[Any]]]:
    """Normalise the channels of x, its last axis, by the moments of the positions where the mask is
    True; gamma and beta may be None.

    Returns the result, the mean and the variance, and what takes a gradient of the result to those
    of x, gamma and beta.
    """
    weights = [None if w is None else np.ascontiguousarray(w, x.dtype) for w in (gamma, beta)]
    own = [np.empty(x.shape[-1:], x.dtype) for _ in range(2)]
    norm = _kernels.BatchNorm(x.shape[-1], x.dtype, epsilon, fuzz, *weights, *own)
    y = np.empty_like(x)
    norm.forward(x, mask, y)

    def back(dy: Any) -> list[Any]:
        dx = np.empty_like(x)
        for one in own:
            one[...] = 0
        norm.back(x, mask, np.ascontiguousarray(dy, x.dtype), dx)
        return [dx, *(one.copy() for one in own)]

    return y, norm.mean, norm.variance, back
