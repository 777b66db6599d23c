"""Not a library but a limit: as many multiply-adds as the case needs, in registers."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from ... import _kernels
from ..cases import Case, Weights
from . import Built, CannotDo
from .roof_bytes import copier, reader

# Of a buffer, in KiB: in the first, second and third cache of most machines, and in none.
SIZES = (8, 256, 4096, 131072)
MOST_BYTES = 1 << 26  # in a measurement of caches; they are gone through many times


def start(threads: int) -> str:
    return _kernels.isa()


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    if not case.needed_flops:
        raise CannotDo("no products")
    per_round = 2 * int(_kernels.peak_fma(1))
    repeats = max(1, 1_000_000 // case.needed_flops)
    rounds = max(1, repeats * case.needed_flops // per_round)
    return Built(lambda: _kernels.peak_fma(rounds), repeats=repeats)


train = build


def peaks() -> dict[str, Any]:
    """Return the multiply-adds of one core in FLOP/s, and bytes per second read (of one buffer)
    and copied (read and written, between two) by the size of a buffer in KiB."""
    rounds = 20_000
    flops = 2 * int(_kernels.peak_fma(1)) * rounds
    result: dict[str, Any] = {"flops": flops / _seconds(lambda: _kernels.peak_fma(rounds))}
    result["read"], result["copy"] = {}, {}
    for size in SIZES:
        count = 1024 * size
        times = max(1, MOST_BYTES // count // 8)
        for name, work, factor in (("read", reader, 1), ("copy", copier, 2)):
            result[name][str(size)] = factor * count * times / _seconds(work(count, times))
    return result


def _seconds(call: Any) -> float:
    call()
    times = []
    for _ in range(9):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
