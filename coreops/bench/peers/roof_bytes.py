"""Not a library but a limit: the bytes that the case has to move at least, its weights read and its
input copied to an output."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ... import _kernels
from ..cases import Case, Weights
from . import Built


def start(threads: int) -> str:
    return _kernels.isa()


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    sizes = 4 * math.prod(case.shape), 4 * math.prod(case.out_shape)
    read = case.weight_bytes + max(sizes) - min(sizes)
    repeats = max(1, (1 << 20) // case.bytes)
    copy = copier(min(sizes), repeats)
    if not read:
        return Built(copy, repeats=repeats)
    take = reader(read, repeats)

    def call() -> None:
        take()
        copy()

    return Built(call, repeats=repeats)


def reader(count: int, times: int) -> Callable[[], Any]:
    """Return a function that reads `count` bytes `times` times over."""
    buffer = _aligned(count).view(np.float32)
    return lambda: _kernels.peak_read(buffer, times)


def copier(count: int, times: int) -> Callable[[], Any]:
    """Return a function that copies `count` bytes `times` times over, in one call of NumPy: each
    element of these arrays is the whole buffer, and all are at the same place."""
    source, target = (
        as_strided(_aligned(count).view(f"V{count}"), (times,), (0,)) for _ in range(2)
    )
    return lambda: np.copyto(target, source)


def _aligned(count: int) -> np.ndarray:
    """Bytes that start with a cache line, written once so that they are really there."""
    buffer = np.zeros(count + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    buffer[:] = 1
    return buffer[start : start + count]
