"""What runs here: the tier, the threads, the versions."""

from __future__ import annotations

from typing import Any

from . import _kernels


def runtime_info() -> dict[str, Any]:
    """The tier in use, those that this build and CPU have, what each precision of
    `config.set_matmul_precision` multiplies large batches with, the CPU features seen, the parallel
    runtime, the thread count and the versions of coreops, NumPy and Python."""
    import platform

    import numpy as np

    from . import __version__

    return {
        "coreops": __version__,
        "tier": _kernels.isa(),
        "tiers": _kernels.tiers(),
        "matmul": [f"{p}={_kernels.matmul_name(p)}" for p in _kernels.PRECISIONS],
        "cpu_features": _kernels.cpu_features(),
        "parallel": _kernels.parallel_runtime(),
        "threads": _kernels.get_num_threads(),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def show_runtime() -> None:
    """Prints runtime_info, a line each."""
    for name, value in runtime_info().items():
        print(f"{name:13} {' '.join(value) if isinstance(value, list) else value}")
