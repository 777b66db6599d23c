"""What a step of training did, written down so that it can be done again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _plan

if TYPE_CHECKING:
    from .aim import Aim
    from .way import Way
    from .whole import Whole


class Script:
    """The runs of a step, in order, and what is done between them.

    outside: the arrays that come from outside, by what they are, with where each run takes them.
    holds: whether all that a run read, but these, was left by one before, so that it lies in the
    same place the next time.
    """

    def __init__(self, inputs: tuple[_plan.Ref, ...], cleared: list[np.ndarray]) -> None:
        self.steps: list[_kernels.Step] = [_kernels.SumStep(None, None, a) for a in cleared]
        self.ways: list[Way] = []
        self.wholes: list[Whole] = []
        self.outside: dict[Any, list[tuple[_kernels.Run, int]]] = {}
        self.holds = True
        self._inputs = inputs
        self._sources: dict[_plan.Ref, _plan.Ref] = {}
        self._rooms: set[int] = set()
        self._draws: dict[int, tuple[Any, _kernels.Draws]] = {}

    def ran(
        self,
        way: Way,
        run: _kernels.Run,
        taken: dict[Any, np.ndarray],
        streams: list[tuple[int, int]],
        made: dict[int, np.ndarray],
        counts: bool,
    ) -> None:
        """A plan ran. taken: what it read, and where it wrote what was wanted."""
        first = id(streams) not in self._draws
        if first:  # the list is kept, so that no other has its number
            self._draws[id(streams)] = streams, _kernels.Draws(way.flow.generators)
        kept = []
        for key, array in taken.items():
            at = way.place(key)
            if key in way.flow.inputs:
                key = self._sources.get(key[0], key[0]), key[1]
            if key[0] == "target" or key[0] in self._inputs:
                self.outside.setdefault(key, []).append((run, at))
                continue
            if key[0] in ("weight", "loss", "wanted"):
                self._leaves(array)
            self._reads(array)
            kept.append((at, array))
        for array in made.values():
            self._leaves(array)
        self.steps.append(_kernels.RunStep(run, kept, self._draws[id(streams)][1], first, counts))
        self.ways.append(way)

    def ends(self, *ending: Any) -> None:
        """The last run was that with the losses: these are the arguments of its `outcome`."""
        last: Any = self.steps[-1]
        last.ends(ending)

    def stands_for(self, ref: _plan.Ref, source: _plan.Ref) -> None:
        """From now on array `ref` is another one, as it came."""
        self._sources[ref] = self._sources.get(source, source)

    def weighed(self, aim: Aim, mask: np.ndarray | None) -> None:
        """The values of a loss got weights that hang on samples, or on a mask."""
        if mask is not None:
            self._reads(mask)
        self.steps.append(_kernels.CallStep(aim.weigh))

    def summed(self, x: np.ndarray, y: np.ndarray, total: np.ndarray) -> None:
        """Two gradients of an array were added up."""
        self._reads(x)
        self._reads(y)
        self._leaves(total)
        self.steps.append(_kernels.SumStep(x, y, total))

    def _reads(self, array: np.ndarray) -> None:
        self.holds = self.holds and array.ctypes.data in self._rooms

    def _leaves(self, array: np.ndarray) -> None:
        self._rooms.add(array.ctypes.data)
