"""How many threads a call may use, and how a user says so."""

from __future__ import annotations

import os

from . import _kernels


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _quota() -> float:
    """The CPUs that the container's cgroup (v2, then v1) allows; infinite without a limit."""
    limit, _, period = _read("/sys/fs/cgroup/cpu.max").strip().partition(" ")
    if not limit:
        limit = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us").strip()
        period = _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us").strip()
    try:
        quota = float(limit) / float(period)
    except (ValueError, ZeroDivisionError):
        return float("inf")
    return quota if quota > 0 else float("inf")


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
