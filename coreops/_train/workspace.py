"""Weights while they learn: arrays that change in place, behind the Variables."""

from __future__ import annotations

import threading
from math import prod
from typing import Any

import numpy as np

from .. import _kernels
from .._plan import Derived
from .._variables import Variable

_LINE = 64  # bytes: what the panels of a weight begin at, and vectors like


class Held:
    """A variable's working copy. seen: the number of the update that the variable shows."""

    __slots__ = ("array", "seen", "variable")

    def __init__(self, variable: Variable, dtype: np.dtype) -> None:
        self.variable = variable
        self.array = aligned(variable.shape, dtype)
        self.array[...] = variable.numpy()
        self.seen = 0


class Frozen:
    """What a trainer has of variables that do not learn by it: somewhere else they may."""

    def __init__(self, trainer: _kernels.Trainer) -> None:
        self._trainer = trainer
        self._all: list[tuple[Derived, np.ndarray, int]] = []
        self._versions: list[Any] = []

    def add(self, weight: Derived, vector: bool = True, rows: int = -1) -> int:
        """Return the trainer's number of a new weight that is made of variables."""
        array = aligned(weight.value().shape, self._trainer.dtype)
        self._all.append((weight, array, self._trainer.weight(array, vector, rows)))
        self._versions.append(None)
        return self._all[-1][2]

    def refresh(self) -> None:
        """Bring up to date what has changed."""
        for i, (weight, array, number) in enumerate(self._all):
            versions = [variable.version for variable in weight.variables]
            if versions != self._versions[i]:
                self._versions[i] = versions
                array[...] = weight.value()
                self._trainer.pack(number)


class Workspace:
    """Holds variables: between two looks at them they may change any number of times.

    A held variable asks here whenever it is read (`pull`), and tells when somebody assigns to it
    (`push`). updates counts what was learnt, pushes what was assigned from outside, releases how
    often all were let go. A variable is held by one workspace at a time. Whoever changes the arrays
    has the lock, so that what a thread reads of a variable while another trains it is as it was
    between two steps.
    """

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self.updates = 0
        self.pushes = 0
        self.lock = threading.RLock()
        self.releases = 0
        self.lost = False  # somebody else holds what this one did
        self._held: dict[int, Held] = {}

    def hold(self, variable: Variable, dtype: np.dtype | None = None) -> np.ndarray:
        """Return the variable's working array, which is its value from now on."""
        held = self._held.get(id(variable))
        if held is None:
            source = variable._source
            if source is not None:
                source.drop(variable)
            with self.lock:
                held = self._held[id(variable)] = Held(variable, dtype or self.dtype)
                held.seen = self.updates
                variable._source = self
        return held.array

    def drop(self, variable: Variable) -> None:
        """Let one variable go, as somebody else is about to hold it."""
        with self.lock:
            self.pull(variable)
            self._held.pop(id(variable), None)
            variable._source = None
            self.lost = True
            _kernels.bump_epoch()

    def pull(self, variable: Variable) -> None:
        """Bring the variable up to date."""
        with self.lock:
            held = self._held.get(id(variable))  # None: another thread had it dropped just now
            if held is not None and held.seen != self.updates:
                held.seen = self.updates
                variable._replace(held.array.astype(variable.dtype))

    def push(self, variable: Variable) -> None:
        """Take the value that was assigned to the variable."""
        with self.lock:
            held = self._held.get(id(variable))
            if held is not None:
                held.array[...] = variable._value
                held.seen = self.updates
                self.pushes += 1
                _kernels.bump_epoch()

    def touched(self) -> int:
        """Say that the arrays have changed. Returns what the epoch was."""
        self.updates += 1
        return _kernels.bump_epoch()

    def pull_all(self) -> None:
        """Bring all variables up to date."""
        with self.lock:
            for held in self._held.values():
                self.pull(held.variable)

    def release(self) -> None:
        """Let all variables go, each with its last value."""
        with self.lock:
            self.pull_all()
            for held in self._held.values():
                held.variable._source = None
            self._held.clear()
            self.releases += 1
            self.lost = False


class Rooms:
    """Memory for arrays that live for a part of a step: others have it next, while it is in the
    cache."""

    def __init__(self, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._free: list[np.ndarray] = []  # the one that was given back last comes last
        self._taken: dict[int, np.ndarray] = {}  # by where it lies

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return an array, not filled."""
        size = prod(shape)
        fits = [i for i, room in enumerate(self._free) if room.size >= size]
        if fits:
            room = self._free.pop(fits[-1])
        else:  # it will do for those that are smaller, too
            self._free.clear()
            room = aligned((size,), self._dtype)
        self._taken[room.ctypes.data] = room
        return room[:size].reshape(shape)

    def give(self, array: np.ndarray) -> None:
        """Take an array back, if it is one of these."""
        room = self._taken.pop(array.ctypes.data, None)
        if room is not None:
            self._free.append(room)

    def give_all(self) -> None:
        """Take all arrays back."""
        self._free += self._taken.values()
        self._taken.clear()


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return a new C-contiguous array, not filled, that begins at a cache line."""
    size = prod(shape) * dtype.itemsize
    memory = np.empty(size + _LINE, np.uint8)
    start = -memory.ctypes.data % _LINE
    return memory[start : start + size].view(dtype).reshape(shape)
