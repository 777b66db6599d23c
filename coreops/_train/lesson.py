"""A step of training that is like the last one, and so needs no looking up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _kernels
from .way import Known

if TYPE_CHECKING:
    from .judged import Judged
    from .learners import LearningChain
    from .script import Script

_LABELS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "bool")


class Met(NamedTuple):
    """What a step went through that ended with a kernel for each loss.

    script: its runs; known: what went in; more: what it learnt from; factors: of the losses'
    values, before those of the outputs; losses: where the outputs' go.
    """

    chain: LearningChain
    script: Script
    known: Known
    more: dict[Any, np.ndarray]
    factors: dict[int, Any]
    judged: list[Judged]
    y_preds: list[np.ndarray]
    losses: list[float]


class Lesson:
    """A step that was made and will be made again, on other arrays like those that it had.

    What it hangs on and has to be looked at every time is what no epoch tells of: the arrays, and
    how each loss is reduced. The same runs, sums and updates make it as any other step.
    """

    def __init__(
        self, met: Met, update: _kernels.Update, inputs: list[Any], targets: list[Any]
    ) -> None:
        self.key: Any = None  # of the chain
        self.rate: float | None = None  # of learning; None: it is another one at every step
        self.chain, self.update = met.chain, update
        self.y_preds, self.losses = met.y_preds, met.losses
        self.masks: list[np.ndarray | None] = [None] * len(met.y_preds)
        self.moves = [whole.move for whole in met.script.wholes]
        self._isa = _kernels.isa()
        self._ways = [way for way in met.script.ways if way.flow.read]
        self._reduced = [
            (judged.loss, judged.loss.reduction) for judged in met.judged if judged.loss is not None
        ]
        self._steps = _kernels.Lesson(met.script.steps, inputs, targets)

    @classmethod
    def of(cls, met: Met, update: _kernels.Update, x: Any, y: Any) -> Lesson | None:
        """Return the lesson of a step that was made on these arrays, as a user passes them; None
        if such arrays have a longer way to go than to be cast."""
        x, y = _listed(x), _listed(y)
        refs = met.chain.graph.inputs
        if x is None or y is None or len(x) != len(refs) or len(y) != len(met.judged):
            return None
        inputs: list[list[_kernels.Place]] = []
        targets: list[_kernels.Place | None] = []
        outside, real = met.script.outside, met.chain.workspace.dtype
        for ref, given in zip(refs, x, strict=True):
            array, _ = met.known[ref]
            places = outside.get((ref, False))
            if places is None or (ref, True) in outside or given.dtype.kind not in "biuf":
                return None
            if array.dtype not in (given.dtype, real) or given.size != array.size:
                return None
            if len(given) != len(array):
                return None
            inputs.append([_kernels.Place(run, at, given) for run, at in places])
        for i, (judged, given) in enumerate(zip(met.judged, y, strict=True)):
            if judged.loss is None and given is None:
                targets.append(None)
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
            ((run, at),) = outside["target", i]
            classes = 0 if cast else met.y_preds[i].shape[-1]
            targets.append(_kernels.Place(run, at, given, classes))
        return cls(met, update, inputs, targets)

    def looks_the_same(self) -> bool:
        """Whether the plans are still those to run."""
        stale = any(way.flow.is_stale() for way in self._ways)
        return self._isa == _kernels.isa() and not stale

    def take(self, x: Any, y: Any) -> list[Any] | None:
        """Take the arrays of the next run, and return the targets as a list, None if anything is
        not as it was."""
        for loss, reduction in self._reduced:
            if loss.reduction is not reduction:
                return None
        return self._steps.take(x, y)

    def run(self) -> float:
        """Go forward and back; return the loss with all penalties."""
        return self._steps.run() + self.chain.trainer.penalty()


def _listed(arrays: Any) -> list[Any] | None:
    """Return the arrays that were passed for inputs or outputs as a list; None for other things."""
    if type(arrays) is np.ndarray:
        return [arrays]
    if type(arrays) is not list or not all(a is None or type(a) is np.ndarray for a in arrays):
        return None
    return arrays
