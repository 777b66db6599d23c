"""A worker process: builds cases with one library, and times slices when it is told to.

Between two commands it waits in a read, so that the others have the machine to themselves.
"""

from __future__ import annotations

import gc
import importlib
import os
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import repeat
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from .cases import Case, Weights
from .peers import Built, CannotDo

BATCH_SECONDS = 0.0005  # calls between two looks at the clock
LOOK_SECONDS = 0.01  # to find out how long a call takes
LOSSES = 10  # of steps of training, as a result


class Session:
    """Answers the parent's commands: its methods are the commands."""

    def __init__(self, peer: Any) -> None:
        self._peer = peer
        self._built: Built
        self._calls = 1

    def load(self, case: Case, x: np.ndarray, weights: Weights) -> str:
        """Build a case and warm it up; return in which of its ways the library does it."""
        self._arrays = x, weights  # some libraries keep their address and not them
        build = getattr(self._peer, "train" if case.training else "build", None)
        if build is None:
            raise CannotDo("it does not train" if case.training else "it only trains")
        self._built = build(case, x, weights)
        self._calls = max(1, round(BATCH_SECONDS / _look(self._built.call)))
        gc.collect()
        gc.freeze()
        return self._built.how

    def result(self) -> np.ndarray:
        """Call it once; return a copy of what came out. In training: the first steps' losses."""
        built = self._built
        if built.reset is None:
            return np.array(built.read(built.call()))
        built.reset()
        return np.array([float(built.read(built.call())) for _ in range(LOSSES)])

    def time(self, seconds: float) -> float:
        """Return the median seconds of a call over a slice of about that length, after a tenth of
        it as a warm-up. Training begins anew with each slice: what has been learnt to the end
        would have numbers that no training has."""
        self._reset()
        self._batches(seconds / 10)
        return statistics.median(self._batches(seconds)) / self._built.repeats

    def each(self, seconds: float) -> list[float]:
        """Return the seconds of every single call over a slice of about that length."""
        self._reset()
        self._batches(seconds / 10)
        return self._batches(seconds, 1)

    def _reset(self) -> None:
        if self._built.reset is not None:
            self._built.reset()

    def _batches(self, seconds: float, calls: int = 0) -> list[float]:
        call, clock, found = self._built.call, time.perf_counter, []
        calls = calls or self._calls
        end = clock() + seconds
        gc.disable()
        try:
            while True:
                start = clock()
                for _ in repeat(None, calls):
                    call()
                stop = clock()
                found.append((stop - start) / calls)
                if stop >= end:
                    return found
        finally:
            gc.enable()

    def peaks(self) -> dict[str, Any]:
        """Return what the machine can do at most (peers/roof.py)."""
        return self._peer.peaks()


def _look(call: Callable[[], Any]) -> float:
    """Return about how long a call takes, after a first one that may be much slower."""
    call()
    count, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < LOOK_SECONDS and count < 1000:
        call()
        count += 1
    return max(spent / count, 1e-9)


def serve(connection: Connection, module: str, threads: int, cores: Sequence[int]) -> None:
    """Answer commands until the parent goes away. An answer is ("ok", value), ("cannot", reason)
    or ("failed", message)."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    peer: Any = None
    session: Session | None = None
    while True:
        try:
            command, *arguments = connection.recv()
        except (EOFError, ConnectionResetError):
            return
        try:
            if session is None:
                peer = importlib.import_module(module)
                session, answer = Session(peer), peer.start(threads)
            else:
                answer = getattr(session, command)(*arguments)
            connection.send(("ok", answer))
        except CannotDo as reason:
            connection.send(("cannot", str(reason)))
        except Exception as error:
            text = f"{type(error).__name__}: {error}"
            connection.send(("failed", text.splitlines()[0][:300]))


def main(arguments: Sequence[str]) -> None:
    """Run as a process: the pipe's number, the module, the threads, the cores."""
    pipe, module, threads, *cores = arguments
    serve(Connection(int(pipe)), module, int(threads), [int(core) for core in cores])
