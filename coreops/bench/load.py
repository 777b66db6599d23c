"""The same calls on a machine whose every core is busy with something else."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

import numpy as np

from .processes import Failed, Worker

_BUSY = """\
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [int(sys.argv[1])])
while True:
    pass
"""


@contextlib.contextmanager
def busy(cores: Sequence[int]) -> Iterator[None]:
    """Keep one process busy on each of the cores."""
    processes = [subprocess.Popen([sys.executable, "-S", "-c", _BUSY, str(core)]) for core in cores]
    try:
        time.sleep(0.3)  # until they run
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def under_load(
    workers: dict[str, Worker], cores: Sequence[int], seconds: float
) -> dict[str, dict[str, list[float]]]:
    """Return, for each worker with its case loaded, the median and the 99th percentile of single
    calls, quiet and busy; without those that fail."""
    found: dict[str, dict[str, list[float]]] = {name: {} for name in workers}

    def measure(kind: str) -> None:
        for name, worker in workers.items():
            if name in found:
                try:
                    times = worker.ask("each", seconds)
                except Failed:
                    del found[name]
                else:
                    found[name][kind] = [float(np.median(times)), float(np.percentile(times, 99))]

    measure("quiet")
    with busy(cores):
        measure("busy")
    return found


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
