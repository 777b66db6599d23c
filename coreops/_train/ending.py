"""How a step of training ends: with the losses of what came out, and the way back from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _plan, _tape
from .aim import Aim
from .batch import Batch, options
from .learners import LearningChain
from .lesson import Met
from .parts import Part, add_to
from .way import Known

if TYPE_CHECKING:
    from .compiled import Compiled


class Ended(NamedTuple):
    """total: of the losses, weighed, and the penalties of the last part; losses: of the outputs;
    met: what a lesson can be made of."""

    total: float
    losses: list[float]
    y_preds: list[np.ndarray]
    masks: list[np.ndarray | None]
    met: Met | None


class Ending:
    """The losses of the outputs: by kernels, with the last part in one run, or by the tape."""

    def __init__(self, graph: _plan.Graph, compiled: Compiled, dtype: np.dtype) -> None:
        self._graph, self._compiled, self._dtype = graph, compiled, dtype
        self._aims: dict[int, Aim] = {}  # by the output's number
        self._kernels: dict[int, tuple[Any, Any]] = {}  # a loss, and what stands for it in a plan

    def kernels(self, part: Part, known: Known, batch: Batch) -> list[Any] | None:
        """Return the kernels of the losses, None for an output without a loss; or None if one has
        no kernel, or the last part does not make all outputs."""
        compiled = self._compiled
        rows = len(known[self._graph.inputs[0]][0])
        shapes = []
        for ref in self._graph.outputs:
            value = part.made.values.get(ref)
            if value is None:
                return None
            shapes.append((rows, *value.shape))
        targets = compiled.each(batch.y)
        if not compiled.resolved:
            compiled.resolve([() if y is None else y.shape for y in targets], shapes)
        found: list[Any] = []
        for i, (judged, y, shape) in enumerate(zip(compiled.judged, targets, shapes, strict=True)):
            if judged.loss is None:
                found.append(None)
                continue
            if y is None or len(shape) < 2 or not shape[-1]:
                return None
            if i not in self._kernels or self._kernels[i][0] is not judged.loss:
                made = judged.loss.kernel()
                self._kernels[i] = judged.loss, made and (made[0], options(made[1]))
            if not self._kernels[i][1]:
                return None
            found.append(self._kernels[i][1])
        return found if any(kernel is not None for kernel in found) else None

    def by_kernels(
        self,
        chain: LearningChain,
        part: Part,
        kernels: list[Any],
        known: Known,
        batch: Batch,
        gradients: dict[_plan.Ref, np.ndarray],
    ) -> Ended:
        """The last part, its losses and its way back, in one run of one plan."""
        outputs, compiled = self._graph.outputs, self._compiled
        values = [part.made.values[ref] for ref in outputs]
        rows = len(known[part.forward.flow.inputs[0][0]][0])
        way = chain.way_to_losses(part, kernels)
        streams = None
        masks: list[np.ndarray | None] = [None] * len(outputs)
        if any(value.mask is not None for value in values):  # which the losses hang on
            streams = way.flow.streams(rows)
            masks = chain.masks(part, known, streams)
        more: dict[Any, np.ndarray] = {}
        aims: list[Aim | None] = [None] * len(outputs)
        targets, weights = compiled.each(batch.y), compiled.each(batch.weight)
        for i, (value, kernel) in enumerate(zip(values, kernels, strict=True)):
            if kernel is None:
                continue
            aim = aims[i] = self._aim(i, (rows, *value.shape))
            more["target", i] = aim.take(targets[i], weights[i], masks[i])
            more["weight", i] = aim.weights
            more["loss", i] = way.buffer(("loss", i), aim.weights.shape)
            if chain.script is not None and isinstance(aim.factor, np.ndarray):
                chain.script.weighed(aim, masks[i])
        chain.refresh()
        if streams is None:
            streams = way.flow.streams(rows)
        made = chain.run_back(way, known, streams, more, gradients)
        after = dict(known)
        chain.settle(way, after, known, made)
        y_preds = [after[ref][0] for ref in outputs]
        losses = [0.0] * len(outputs)
        run, _ = way.room(rows)
        ending = (
            [more.get(("loss", i)) for i in range(len(outputs))],
            [more.get(("weight", i)) for i in range(len(outputs))],
            [judged.weight for judged in compiled.judged],
            losses,
        )
        total = run.outcome(*ending)
        for i, one in enumerate(aims):
            if one is not None and not one.judged.weight:
                losses[i] = one.total(more["loss", i])
        met = None
        if chain.script is not None and way.makes(outputs):
            chain.script.ends(*ending)
            met = Met(chain, chain.script, known, more, aims, y_preds, masks, losses)
        return Ended(total, losses, y_preds, masks, met)

    def _aim(self, i: int, shape: tuple[int, ...]) -> Aim:
        """Return what output number i is held against, for predictions of this shape."""
        judged, aim = self._compiled.judged[i], self._aims.get(i)
        if aim is None or aim.loss is not judged.loss or aim.shape != shape:
            aim = self._aims[i] = Aim(judged, shape, self._dtype)
        return aim

    def by_tape(
        self,
        chain: LearningChain,
        known: Known,
        batch: Batch,
        gradients: dict[_plan.Ref, np.ndarray],
    ) -> Ended:
        """Losses that no kernel has."""
        compiled = self._compiled
        found = [known[ref] for ref in self._graph.outputs]
        compiled.meet(batch.y, [y_pred for y_pred, _ in found])
        losses = []
        for ref, (y_pred, mask), judged, y, weight in zip(
            self._graph.outputs, found, compiled.judged, compiled.each(batch.y),
            compiled.each(batch.weight), strict=True,
        ):  # fmt: skip
            if judged.loss is None:
                losses.append(0.0)
                if not compiled.has_loss:  # penalties of weights are learnt from on the way back
                    gradients.setdefault(ref, np.zeros_like(y_pred))
                continue
            entry = _tape.trace(y_pred)
            if mask is not None:
                entry._keras_mask = mask
            loss = judged.data_loss(y, entry, weight)
            (gradient,) = _tape.gradients([loss * judged.weight], [1], [entry])
            add_to(gradients, ref, np.ascontiguousarray(gradient, self._dtype))
            losses.append(float(_tape.value_of(loss)))
        return Ended(
            compiled.weighed(losses),
            losses,
            [y for y, _ in found],
            [mask for _, mask in found],
            None,
        )
