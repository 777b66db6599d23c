"""A plan that goes forward, or forward and back, and what its runs read and leave."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _plan
from .flow import TrainingFlow
from .workspace import aligned

Known = dict[_plan.Ref, Any]  # arrays with their masks


class Way(NamedTuple):
    """A plan of some calls, and room for what its runs leave: for as many samples as the last.

    results: where what it gives comes from. y: the plan's own result.
    """

    flow: TrainingFlow
    results: tuple[_plan.Result, ...]
    y: _plan.Value | None  # None: the plan does nothing
    buffers: dict[Any, np.ndarray]

    def buffer(self, name: Any, shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
        """Return an array that is the same from run to run while its shape is."""
        found = self.buffers.get(name)
        if found is None or found.shape != shape:
            found = self.buffers[name] = aligned(shape, np.dtype(dtype or self.flow.plan.dtype))
        return found

    def run(
        self, known: Known, streams: list[tuple[int, int]], more: dict[Any, np.ndarray]
    ) -> dict[int, np.ndarray]:
        """Run the plan on arrays; return its results by number. more: what it learns from, and
        where what goes that is wanted."""
        assert self.y is not None
        given = self.flow.gather(known)
        x = given[0]
        batch = len(x)
        if len(given) > 1 and any(len(array) != batch for array in given):
            raise ValueError(
                "Arrays of different batch sizes meet in a model. Received: "
                f"{sorted({len(array) for array in given})}"
            )
        made: dict[int, np.ndarray] = {0: self.buffer("y", (batch, *self.y.shape))}
        mask = None
        if self.flow.plan.masked and self.y.mask is not None:
            made[1] = mask = np.empty((batch, *self.y.mask.shape), np.bool_)
        further = []
        for key in self.flow.more:
            if key in more:
                further.append(more[key])
            elif isinstance(key, tuple):
                further.append(given[self.flow.inputs.index(key)])
            else:
                made[key] = self._room(key, batch)
                further.append(made[key])
        self.flow.plan.train(x, made[0], streams, self.penalty(batch), mask, further)
        return made

    def _room(self, number: int, batch: int) -> np.ndarray:
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
        return np.sum(found, dtype=np.float64) / max(len(found), 1)
