"""How a step of training ends: with the losses of what came out, and the way back from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _plan, _tape
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
        self._constant: dict[int, tuple[Any, np.ndarray]] = {}  # weights, by the output's number
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
        passed = streams = None
        before = known
        masks: list[np.ndarray | None] = [None] * len(outputs)
        masked = any(value.mask is not None for value in values)
        if masked:
            # the losses hang on the masks, which hang on the data
            known = dict(before)
            passed = chain.forward(part, known)
            streams = passed.streams
            masks = [known[ref][1] for ref in outputs]
        real = self._dtype
        rows = len(before[part.forward.flow.inputs[0][0]][0])
        way = chain.way_to_losses(part, kernels)
        more: dict[Any, np.ndarray] = {}
        factors: dict[int, Any] = {}
        targets, weights = compiled.each(batch.y), compiled.each(batch.weight)
        for i, (judged, value, kernel) in enumerate(
            zip(compiled.judged, values, kernels, strict=True)
        ):
            if kernel is None:
                continue
            assert judged.loss is not None
            shape = rows, *value.shape
            target, factor = judged.loss.prepare(targets[i], shape, real, weights[i], masks[i])
            positions = rows, value.size // max(value.shape[-1], 1)
            more["target", i], factors[i] = target, factor
            more["weight", i] = self._weights(i, factor * judged.weight, positions)
            more["loss", i] = way.buffer(("loss", i), positions)
        chain.refresh()
        if streams is None:
            streams = way.flow.streams(rows)
        if passed is not None:
            chain.restore(passed)
        made = chain.run_back(way, before, streams, more, gradients)
        after = dict(before)
        chain.settle(way, after, before, made)
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
        for i, factor in factors.items():
            if not compiled.judged[i].weight:
                losses[i] = float(np.sum(more["loss", i] * factor))
        met = None
        if chain.script is not None and not masked and way.makes(outputs):
            chain.script.ends(*ending)
            met = Met(chain, chain.script, known, more, factors, compiled.judged, y_preds, losses)
        return Ended(total, losses, y_preds, masks, met)

    def _weights(self, i: int, factor: Any, rows: tuple[int, int]) -> np.ndarray:
        """Return the factor of each value of loss number i as an array."""
        if isinstance(factor, np.ndarray):
            return np.ascontiguousarray(factor, dtype=self._dtype)
        key = factor, rows
        if i not in self._constant or self._constant[i][0] != key:
            self._constant[i] = key, np.full(rows, factor, self._dtype)
        return self._constant[i][1]

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
            if y is None:
                raise ValueError("The loss needs targets: `y` is None.")
            judged.loss.check_labels(y.shape, y_pred.shape)
            entry = _tape.trace(y_pred)
            if mask is not None:
                entry._keras_mask = mask
            loss = judged.loss(y, entry, weight)
            (gradient,) = _tape.gradients([loss * judged.weight], [1], [entry])
            add_to(gradients, ref, np.ascontiguousarray(gradient, self._dtype))
            losses.append(float(_tape.value_of(loss)))
        total = sum(value * one.weight for value, one in zip(losses, compiled.judged, strict=True))
        return Ended(total, losses, [y for y, _ in found], [mask for _, mask in found], None)
