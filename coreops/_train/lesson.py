"""A step of training that is like the last one, and so needs no looking up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _kernels
from .way import Known

if TYPE_CHECKING:
    from .aim import Aim
    from .learners import LearningChain
    from .script import Script


class Met(NamedTuple):
    """What a step went through that ended with a kernel for each loss.

    script: its runs; known: what went in; more: what it learnt from; aims: of the outputs, None
    without a loss, and so their masks; losses: where the outputs' go.
    """

    chain: LearningChain
    script: Script
    known: Known
    more: dict[Any, np.ndarray]
    aims: list[Aim | None]
    y_preds: list[np.ndarray]
    masks: list[np.ndarray | None]
    losses: list[float]


class Lesson:
    """A step that was made and will be made again, on other arrays like those that it had.

    What it hangs on and has to be looked at every time is what no epoch tells of: the arrays, and
    how each loss is reduced. The same runs, sums and updates make it as any other step.
    """

    def __init__(
        self,
        met: Met,
        key: Any,
        update: _kernels.Update,
        inputs: list[Any],
        targets: list[Any],
        weighted: bool,
    ) -> None:
        self.key = key  # of the chain
        self.rate: float | None = None  # of learning; None: it is another one at every step
        self.chain, self.update = met.chain, update
        self.y_preds, self.losses = met.y_preds, met.losses
        self.masks = met.masks
        self.moves = [whole.move for whole in met.script.wholes]
        self._ways = [way for way in met.script.ways if way.flow.read]
        self._aims = met.aims
        self._reduced = [(aim.loss, aim.loss.reduction) for aim in met.aims if aim is not None]
        self._weighted = weighted
        self._steps = _kernels.Lesson(met.script.steps, inputs, targets)

    @classmethod
    def of(
        cls, met: Met, key: Any, update: _kernels.Update, x: Any, y: Any, weight: Any
    ) -> Lesson | None:
        """Return the lesson of a step that was made on these arrays, as a user passes them; None
        if such arrays have a longer way to go."""
        x, y, weights = _listed(x), _listed(y), _listed(weight, len(met.aims))
        refs = met.chain.graph.inputs
        if x is None or y is None or weights is None:
            return None
        if len(x) != len(refs) or not len(y) == len(weights) == len(met.aims):
            return None
        inputs: list[list[_kernels.Place]] = []
        outside, real = met.script.outside, met.chain.workspace.dtype
        for ref, given in zip(refs, x, strict=True):
            array, mask = met.known[ref]
            places = outside.get((ref, False))
            if places is None or mask is not None or given.dtype.kind not in "biuf":
                return None
            if array.dtype not in (given.dtype, real) or given.size != array.size:
                return None
            if len(given) != len(array):
                return None
            inputs.append([_kernels.Place(run, at, given) for run, at in places])
        targets: list[Any] = []
        for i, (aim, given, factor) in enumerate(zip(met.aims, y, weights, strict=True)):
            if aim is None and given is None and factor is None:
                targets.append(None)
                continue
            if aim is None or given is None or not aim.judged.weight:
                return None
            if aim.judged.named and given.dtype.kind == "f" and given.dtype != real:
                return None  # metrics are of what was read
            (place,) = outside["target", i]
            taken = aim.learn(*place, met.more["target", i], given, factor)
            if taken is None:
                return None
            targets.append(taken)
        return cls(met, key, update, inputs, targets, any(one is not None for one in weights))

    def looks_the_same(self, how: tuple[str, str]) -> bool:
        """Whether the plans are still those to run, with products made in such a way."""
        stale = any(way.flow.is_stale() for way in self._ways)
        return self.key[1:] == how and not stale

    def take(self, x: Any, y: Any, weight: Any) -> tuple[list[Any], list[Any] | None] | None:
        """Take the arrays of the next run, and return the targets and the weights as lists, None if
        anything is not as it was."""
        for loss, reduction in self._reduced:
            if loss.reduction is not reduction:
                return None
        weights = None
        if self._weighted or weight is not None:
            weights = self._take_weights(weight)
            if weights is None:
                return None
        targets = self._steps.take(x, y)
        return None if targets is None else (targets, weights)

    def _take_weights(self, weight: Any) -> list[Any] | None:
        weights = _listed(weight, len(self._aims))
        if weights is None or len(weights) != len(self._aims):
            return None
        taken = []
        for aim, one in zip(self._aims, weights, strict=True):
            taken.append(None if aim is None else aim.take_weight(one))
            if (taken[-1] is None) != (one is None):
                return None
        return taken

    def run(self) -> float:
        """Go forward and back; return the loss with all penalties."""
        return self._steps.run() + self.chain.trainer.penalty()


def _listed(arrays: Any, count: int = 1) -> list[Any] | None:
    """Return the arrays that were passed for inputs or outputs as a list, of so many None for none;
    None for other things."""
    if type(arrays) is np.ndarray:
        return [arrays]
    if arrays is None:
        return [None] * count
    if type(arrays) is not list or not all(a is None or type(a) is np.ndarray for a in arrays):
        return None
    return arrays
