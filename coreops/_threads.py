"""How many threads a call may use, and how a user says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from . import _kernels


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _quotas() -> Iterator[tuple[str, str]]:
    """(quota, period) of the process's cgroup and those that it lies in (v2), and of v1's."""
    own = _read("/proc/self/cgroup").partition("0::/")[2].partition("\n")[0]
    folder = "/sys/fs/cgroup"
    for name in ("", *own.split("/")):
        folder = f"{folder}/{name}".rstrip("/")
        quota, _, period = _read(f"{folder}/cpu.max").strip().partition(" ")
        yield quota, period
    v1 = "/sys/fs/cgroup/cpu/cpu.cfs_"
    yield _read(f"{v1}quota_us").strip(), _read(f"{v1}period_us").strip()


def _quota() -> float:
    """The CPUs that the cgroups allow; infinite without a limit."""
    cpus = float("inf")
    for quota, period in _quotas():
        with suppress(ValueError, ZeroDivisionError):
            if float(quota) > 0:
                cpus = min(cpus, float(quota) / float(period))
    return cpus


def default_threads() -> int:
    """OMP_NUM_THREADS if it is set, else what affinity and quota leave, at least 1."""
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if asked.isdecimal() and len(asked) < 10 and int(asked) > 0:
        return int(asked)
    return max(1, int(min(_kernels.processors(), _quota())))


def set_num_threads(n: int) -> None:
    """The most threads that one call may use; small work stays on the caller's thread anyway.

    Raises TypeError if n is no int, ValueError if it is below 1.
    """
    if not isinstance(n, int) or isinstance(n, bool):
        raise TypeError(f"set_num_threads: expected an int, received {n!r}")
    _kernels.set_num_threads(n)


def get_num_threads() -> int:
    """The most threads that one call may use."""
    return _kernels.get_num_threads()
