"""A step of training that is like the last one, and so needs no looking up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _kernels
from .way import Known, Way

if TYPE_CHECKING:
    from .judged import Judged
    from .learners import LearningChain

_LABELS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "bool")


class Met(NamedTuple):
    """What a step went through that was one run of one plan, with a kernel for each loss.

    known: what went in; more: what it learnt from; factors: of the losses' values, before those
    of the outputs.
    """

    chain: LearningChain
    way: Way
    run: _kernels.Run
    known: Known
    more: dict[Any, np.ndarray]
    factors: dict[int, Any]
    judged: list[Judged]
    y_preds: list[np.ndarray]


class Lesson:
    """A step that was made and will be made again, on other arrays like those that it had.

    What it hangs on and has to be looked at every time is what no epoch tells of: the arrays, and
    how each loss is reduced. The same runs, sums and updates make it as any other step.
    """

    def __init__(
        self, met: Met, update: _kernels.Update, inputs: list[_kernels.Place], ending: list[Any]
    ) -> None:
        self.key: Any = None  # of the chain
        self.rate: float | None = None  # of learning; None: it is another one at every step
        self.chain, self.update, self.y_preds = met.chain, update, met.y_preds
        self.masks: list[np.ndarray | None] = [None] * len(met.y_preds)
        self._way, self._run = met.way, met.run
        self._isa = _kernels.isa()
        self._generators = met.way.flow.generators
        self._judged = met.judged
        self._reduced = [
            (judged.loss, judged.loss.reduction) for judged in met.judged if judged.loss is not None
        ]
        factors = [judged.weight for judged in met.judged]
        self._steps = _kernels.Lesson(met.run, inputs, ending, factors)
        self.losses = self._steps.losses

    @classmethod
    def of(cls, met: Met, update: _kernels.Update, x: Any, y: Any) -> Lesson | None:
        """Return the lesson of a step that was made on these arrays, as a user passes them; None
        if such arrays have a longer way to go than to be cast."""
        x, y = _listed(x), _listed(y)
        graph, way, run = met.chain.graph, met.way, met.run
        taken = [(ref, False) for ref in graph.inputs]
        if x is None or y is None or len(x) != len(taken) or len(y) != len(met.judged):
            return None
        if set(taken) != set(way.flow.inputs):
            return None
        inputs, ending = [], []
        real = way.flow.plan.dtype
        for key, given in zip(taken, x, strict=True):
            array, _ = met.known[key[0]]
            if given.dtype.kind not in "biuf" or array.dtype not in (given.dtype, real):
                return None
            if given.size != array.size or len(given) != run.batch:
                return None
            inputs.append(_kernels.Place(run, way.place(key), given))
        for i, (judged, given) in enumerate(zip(met.judged, y, strict=True)):
            if judged.loss is None and given is None:
                continue
            if judged.loss is None or given is None or not judged.weight:
                return None
            if judged.named and given.dtype.kind == "f" and given.dtype != real:
                return None  # metrics are of what was read
            kind, target = judged.loss.targets(), met.more["target", i]
            cast = kind == "cast" and given.dtype.kind in "biuf"
            if not cast and (kind != "labels" or given.dtype.name not in _LABELS):
                return None
            if not isinstance(met.factors[i], float) or given.size != target.size:
                return None
            classes = 0 if cast else met.y_preds[i].shape[-1]
            place = _kernels.Place(run, way.place(("target", i)), given, classes)
            ending.append((i, place, met.more["weight", i], met.more["loss", i]))
        return cls(met, update, inputs, ending)

    def looks_the_same(self) -> bool:
        """Whether the plan is still the one to run."""
        if self._isa != _kernels.isa() or not self.chain.is_whole_update:
            return False
        return not (self._way.flow.read and self._way.flow.is_stale())

    def take(self, x: Any, y: Any) -> list[Any] | None:
        """Take the arrays of the next run, and return the targets as a list, None if anything is
        not as it was."""
        for loss, reduction in self._reduced:
            if loss.reduction is not reduction:
                return None
        return self._steps.take(x, y)

    def run(self) -> float:
        """Go forward and back; return the loss with all penalties."""
        streams = [(generator.seed, generator.next()) for generator in self._generators]
        return self._steps.run(streams) + self.chain.trainer.penalty()


def _listed(arrays: Any) -> list[Any] | None:
    """Return the arrays that were passed for inputs or outputs as a list; None for other things."""
    if type(arrays) is np.ndarray:
        return [arrays]
    if type(arrays) is not list or not all(a is None or type(a) is np.ndarray for a in arrays):
        return None
    return arrays
