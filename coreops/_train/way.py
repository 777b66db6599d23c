"""A plan that goes forward, or forward and back, and what its runs read and leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _kernels, _plan
from .flow import TrainingFlow
from .workspace import aligned

if TYPE_CHECKING:
    from .script import Script

Known = dict[_plan.Ref, Any]  # arrays with their masks


class Way(NamedTuple):
    """A plan of some calls, and room for what its runs leave: for as many samples as the last.

    results: where what it gives comes from. y: the plan's own result.
    """

    flow: TrainingFlow
    results: tuple[_plan.Result, ...]
    y: _plan.Value | None  # None: it has none
    buffers: dict[Any, np.ndarray]
    prepared: dict[str, tuple[_kernels.Run, dict[int, np.ndarray]]]

    @property
    def runs(self) -> bool:
        """Whether there is anything to do."""
        return self.y is not None or self.flow.looks

    def buffer(self, name: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Return an array that is the same from run to run while its shape is."""
        found = self.buffers.get(name)
        if found is None or found.shape != shape:
            found = self.buffers[name] = aligned(shape, self.flow.plan.dtype)
        return found

    def run(
        self,
        known: Known,
        streams: list[tuple[int, int]],
        more: dict[Any, np.ndarray],
        script: Script | None = None,
        *,
        counts: bool = False,
    ) -> dict[int, np.ndarray]:
        """Run the plan on arrays; return its results by number.

        Args:
            known: the arrays.
            streams: of the run.
            more: what it learns from, and where what goes that is wanted.
            script: what the run is written down in.
            counts: whether its penalties are a part of the loss.
        """
        given = self.flow.gather(known)
        batch = len(given[0])
        run, made = self.room(batch)
        taken = {**dict(zip(self.flow.inputs, given, strict=True)), **more}
        for key, array in taken.items():
            run.put(self.place(key), array)
        run.run(streams)
        if script is not None:
            script.ran(self, run, taken, streams, made, counts)
        return made

    def place(self, key: Any) -> int:
        """Return where an array goes that a run takes, as `Run.put` counts."""
        return 0 if key == self.flow.inputs[0] else 1 + self.flow.more.index(key)

    def room(self, batch: int) -> tuple[_kernels.Run, dict[int, np.ndarray]]:
        """Return what is prepared for runs of so many samples, and their results by number."""
        found = self.prepared.get("run")
        if found is None or found[0].batch != batch:
            plan, made = self.flow.plan, {}
            if self.y is not None:
                made[0] = self.buffer("y", (batch, *self.y.shape))
                if plan.masked and self.y.mask is not None:
                    made[1] = np.empty((batch, *self.y.mask.shape), np.bool_)
            run = _kernels.Run(plan, batch, made.get(0), self.penalty(batch), made.get(1))
            for key in self.flow.more:
                if not isinstance(key, tuple):
                    made[key] = self._result(key, batch)
                    run.put(self.place(key), made[key])
            found = self.prepared["run"] = run, made
        return found

    def makes(self, refs: Sequence[_plan.Ref]) -> bool:
        """Whether these arrays are all results of the plan."""
        made = [result.ref for result in self.results if not isinstance(result.at, _plan.Ref)]
        return all(ref in made for ref in refs)

    def forget(self) -> None:
        """Let go of what the last run left: somebody else has it."""
        self.buffers.clear()
        self.prepared.clear()

    def _result(self, number: int, batch: int) -> np.ndarray:
        """Return room for a further result of the plan, an array or a mask."""
        for result in self.results:
            if result.mask == number and not isinstance(result.mask, _plan.Ref):
                return np.empty((batch, *(result.masked or ())), np.bool_)
            if result.at == number and not isinstance(result.at, _plan.Ref):
                return self.buffer(number, (batch, *result.shape))
        raise AssertionError("a result that nobody named")

    def penalty(self, batch: int) -> np.ndarray | None:
        """Return room for the penalties on what the layers give, None if there are none."""
        count = len(self.flow.penalties)
        return self.buffer("penalty", (batch, count)) if count else None

    def mean_penalty(self) -> np.floating | None:
        """Return the mean over the batch of the penalties that the last run left; None without."""
        found = self.buffers.get("penalty")
        if found is None:
            return None
        return np.float64(self.prepared["run"][0].outcome([], [], [], []))
