"""Who is measured. Nothing here imports a peer: its module is imported in its own process.

A peer's module has `start(threads)`, which returns its version as text, and one or both of
`build(case, x, weights)` and, for cases that train, `train(case, x, weights)`, which return a
`Built` or raise `CannotDo`. Each peer is called in the most favourable way it has: outputs
allocated before, weights packed, no conversions. Where several ways compete, `fastest` times them
and takes the best for each case.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


class CannotDo(Exception):
    """The library does not have what a case needs."""


@dataclass
class Built:
    """A case, ready to run.

    Args:
        call: does the work; whatever it needs is there already.
        read: makes an array from what `call` returned, not timed.
        how: which way of the library this is.
        repeats: how many times `call` does the work.
        reset: begins anew, where each call learns and the next one's result is another.
    """

    call: Callable[[], Any]
    read: Callable[[Any], Any] = np.asarray
    how: str = ""
    repeats: int = 1
    reset: Callable[[], None] | None = None


@dataclass(frozen=True)
class Peer:
    """What the parent has to know about a library.

    Args:
        module: of this package.
        needs: what must be importable.
        distribution: what must be installed that is no module.
        install: what to give to pip.
        environment: variables of its process; "{threads}" is replaced.
    """

    module: str
    needs: tuple[str, ...] = ()
    install: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    distribution: str = ""

    def installed(self) -> bool:
        """Whether it can be measured here."""
        if self.distribution:
            try:
                importlib.metadata.distribution(self.distribution)
            except importlib.metadata.PackageNotFoundError:
                return False
        return all(importlib.util.find_spec(name) is not None for name in self.needs)


# In every process. Between two slices no thread may spin, so waiting threads go to sleep after one
# or two milliseconds; within a slice, where call follows call, they stay awake.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "{threads}",
    "OPENBLAS_NUM_THREADS": "{threads}",
    "OPENBLAS_THREAD_TIMEOUT": "22",  # 2 ** 22 cycles instead of 2 ** 26
    "MKL_NUM_THREADS": "{threads}",
    "KMP_BLOCKTIME": "1",  # milliseconds instead of 200
    "TF_CPP_MIN_LOG_LEVEL": "3",
}

PEERS = {
    "coreops": Peer("coreops"),
    "numpy": Peer("numpy"),
    "mkl": Peer("mkl", (), "mkl", {"MKL_INTERFACE_LAYER": "LP64"}, "mkl"),
    "torch": Peer("torch", ("torch",), "torch"),
    "onnxruntime": Peer("onnxruntime", ("onnxruntime", "onnx"), "onnxruntime onnx"),
    "openvino": Peer("openvino", ("openvino",), "openvino"),
    "jax": Peer("jax", ("jax",), "jax", {"JAX_PLATFORMS": "cpu"}),
    "keras-jax": Peer("keras", ("keras", "jax"), "keras jax", {"KERAS_BACKEND": "jax"}),
    "keras-torch": Peer("keras", ("keras", "torch"), "keras torch", {"KERAS_BACKEND": "torch"}),
    "keras-tf": Peer(
        "keras", ("keras", "tensorflow"), "keras tensorflow", {"KERAS_BACKEND": "tensorflow"}
    ),
    "sklearn": Peer("sklearn", ("sklearn",), "scikit-learn"),
    "pocket": Peer(
        "pocket",
        ("pocket_inference", "keras", "jax"),
        "pocket-inference keras jax",
        {"KERAS_BACKEND": "jax"},
    ),
}
# Not libraries but limits, measured in the same turns: multiply-adds in registers, bytes moved.
ROOF = {"flops": Peer("roof_flops"), "bytes": Peer("roof_bytes")}

LOOK_SECONDS = 0.01


def fastest(ways: dict[str, Callable[[], Built]]) -> Built:
    """Build a case in several ways and return the fastest. A way that raises is no way; if all do,
    the last one's exception is raised."""
    best, least, problem = None, float("inf"), None
    for how, build in ways.items():
        try:
            built = build()
            built.call()
            spent = _median(built.call)
        except Exception as error:
            problem = error
            continue
        if spent < least:
            best, least = built, spent
            best.how = how
    if best is None:
        assert problem is not None
        raise problem
    return best


def _median(call: Callable[[], Any]) -> float:
    times: list[float] = []
    end = time.perf_counter() + LOOK_SECONDS
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))
