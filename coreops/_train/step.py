"""One step of training: a batch forward, its loss, the way back, and the update."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _plan, _tape
from .batch import Batch, Made, Targets, options, penalties, several
from .learners import Learners, LearningChain
from .parts import Part, Passed, Reshaped, add_to, remember
from .way import Known
from .workspace import Workspace

if TYPE_CHECKING:
    from ..layers import Layer
    from .compiled import Compiled


class TrainingStep:
    """Trains a model's weights on one batch after another.

    Between steps the weights live in arrays of the trainer; a Variable shows them when it is read,
    and they follow when it is assigned to. `masks` are those of the last outputs. One thread makes
    a step at a time.
    """

    def __init__(self, model: Layer, compiled: Compiled) -> None:
        self.leaves = model.leaves()
        self.graph = model._graph((model._form,), {})
        self.variables = model.trainable_variables
        self.masks: list[np.ndarray | None] = []
        self._mask_policy, self._compiled = model._mask_policy, compiled
        self._inside = list(model._flatten_layers()), model.weights
        self._state = self._look()
        self._optimizer: Any = compiled.optimizer
        wide = any(leaf.compute_dtype == "float64" for leaf in self.leaves)
        self._workspace = Workspace(np.dtype(np.float64 if wide else np.float32))
        self._learners: Learners | None = None
        self._chains: dict[Any, LearningChain] = {}
        self._constant: dict[int, tuple[Any, np.ndarray]] = {}  # weights, by the output's number
        self._kernels: dict[int, tuple[Any, Any]] = {}  # a loss, and what stands for it in a plan
        self._lock = threading.RLock()

    def is_current(self, compiled: Compiled) -> bool:
        """Whether this is what trains the model as it is now, and as it was compiled last."""
        return compiled is self._compiled and self._state == self._look()

    def _look(self) -> Any:
        """What the plans and the choice of weights that learn were made from."""
        layers, weights = self._inside
        return [
            [(layer._trainable, layer._revision, *map(id, layer._holders.values()))
             for layer in layers],
            [weight.trainable for weight in weights],
        ]  # fmt: skip

    def __call__(
        self,
        x: np.ndarray | Sequence[np.ndarray],
        y: np.ndarray | Targets,
        sample_weight: np.ndarray | Targets = None,
        *,
        update: bool = True,
    ) -> Made:
        """Train on one batch.

        Args:
            x: the inputs, batch first, in the form that the model's layers take; or the only one.
            y: the labels of each output, or of the only one.
            sample_weight: None, or for each output None or a weight for each sample or position.
            update: False leaves the weights alone; their gradients are in `gradients()`.

        Returns:
            The loss with all penalties, before the update, those of the outputs, and the
            predictions, which are good until the next step.

        Raises:
            ValueError: labels, weights or inputs that do not fit; the weights are as before.
        """
        with self._lock:
            known: Known = {}
            real = self._workspace.dtype
            for ref, one in zip(self.graph.inputs, several(x), strict=True):
                array = np.ascontiguousarray(one, None if one.dtype.kind in "biu" else real)
                known[ref] = array, _plan.mask_of(one)
            learners = self._ready()
            key = (*(array.shape[1:] for array, _ in known.values()), _kernels.isa())
            chain = self._chains.pop(key, None)  # back after the step, if that gets to its end
            if chain is None:
                chain = LearningChain(self.graph, learners, self._mask_policy)
            batch = Batch(several(y), several(sample_weight))
            try:
                made = self._finished(chain, dict(known), batch, update)
            except Reshaped:
                chain = LearningChain(self.graph, learners, self._mask_policy)
                made = self._finished(chain, known, batch, update)
            remember(self._chains, key, chain)
            return made

    def _finished(self, chain: LearningChain, known: Known, batch: Batch, update: bool) -> Made:
        """A step, and then what its layers have left to do, such as to move averages on."""
        with _plan.deferring() as updates:
            made = self._step(chain, known, batch, update)
        if update and math.isfinite(made[0]):
            for one in updates:
                one()
        return made

    def _ready(self) -> Learners:
        """Return the variables with the optimizer's state, held by the workspace."""
        if self._workspace.lost:
            self.release()
        if self._learners is None:
            self._optimizer.build(self.variables)
            self._learners = Learners(self._workspace, self.variables, self._optimizer)
        return self._learners

    def _step(self, chain: LearningChain, known: Known, batch: Batch, update: bool) -> Made:
        total = 0.0
        passed: list[Passed] = []
        gradients: dict[_plan.Ref, np.ndarray] = {}
        chain.clear_gradients()
        index = 0
        while True:
            part = chain.part(index, known)
            index = part.next
            if index == chain.length and part.made.seam is None:
                break
            passed.append(one := chain.forward(part, known))
            total += penalties(one)
            if index == chain.length:
                break
        ended = part.made.seam is not None
        kernels = None if ended else self._kernels_of(part, known, batch)
        if kernels is not None:
            losses, y_preds = self._to_losses(chain, part, kernels, known, batch, gradients)
            total += float(part.ways["losses"].mean_penalty() or 0)
        else:
            if not ended:
                passed.append(one := chain.forward(part, known))
                total += penalties(one)
            losses, y_preds = self._by_tape(chain, known, batch, gradients)
        for one in reversed(passed):
            chain.back(one, gradients)
        judged = self._compiled.judged
        total += sum(value * one.weight for value, one in zip(losses, judged, strict=True))
        total += chain.trainer.penalty() + chain.penalize()
        if math.isfinite(total):
            self._learn(chain, update)
        else:
            warnings.warn(
                f"The loss of a batch is {total}: nothing is learnt from it, the weights stay as "
                "they are.",
                RuntimeWarning,
                stacklevel=2,
            )
        return total, losses, y_preds

    def _kernels_of(self, part: Part, known: Known, batch: Batch) -> list[Any] | None:
        """Return the kernels of the losses, None for an output without a loss; or None if one has
        no kernel, or the last part does not make all outputs."""
        compiled = self._compiled
        rows = len(known[self.graph.inputs[0]][0])
        shapes = []
        for ref in self.graph.outputs:
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

    def _to_losses(
        self,
        chain: LearningChain,
        part: Part,
        kernels: list[Any],
        known: Known,
        batch: Batch,
        gradients: dict[_plan.Ref, np.ndarray],
    ) -> tuple[list[float], list[np.ndarray]]:
        """The last part, its losses and its way back, in one run of one plan."""
        outputs, compiled = self.graph.outputs, self._compiled
        values = [part.made.values[ref] for ref in outputs]
        streams = None
        before = known
        self.masks = [None] * len(outputs)
        if any(value.mask is not None for value in values):
            # the losses hang on the masks, which hang on the data
            known = dict(before)
            streams = chain.forward(part, known).streams
            self.masks = [known[ref][1] for ref in outputs]
        real = self._workspace.dtype
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
            target, factor = judged.loss.prepare(targets[i], shape, real, weights[i], self.masks[i])
            positions = rows, value.size // max(value.shape[-1], 1)
            more["target", i], factors[i] = target, factor
            more["weight", i] = self._weights(i, factor * judged.weight, positions)
            more["loss", i] = way.buffer(("loss", i), positions)
        chain.refresh()
        if streams is None:
            streams = way.flow.streams(rows)
        made = chain.run_back(way, before, streams, more, gradients)
        after = dict(before)
        chain.settle(way, after, before, made)
        losses = [0.0] * len(outputs)
        for i, factor in factors.items():
            weight = compiled.judged[i].weight
            if weight:
                total = _kernels.weighted_sum(more["loss", i], more["weight", i])
                losses[i] = total / weight
            else:
                losses[i] = float(np.sum(more["loss", i] * factor))
        return losses, [after[ref][0] for ref in outputs]

    def _weights(self, i: int, factor: Any, rows: tuple[int, int]) -> np.ndarray:
        """Return the factor of each value of loss number i as an array."""
        if isinstance(factor, np.ndarray):
            return np.ascontiguousarray(factor, dtype=self._workspace.dtype)
        key = factor, rows
        if i not in self._constant or self._constant[i][0] != key:
            self._constant[i] = key, np.full(rows, factor, self._workspace.dtype)
        return self._constant[i][1]

    def _by_tape(
        self,
        chain: LearningChain,
        known: Known,
        batch: Batch,
        gradients: dict[_plan.Ref, np.ndarray],
    ) -> tuple[list[float], list[np.ndarray]]:
        """Losses that no kernel has."""
        compiled = self._compiled
        found = [known[ref] for ref in self.graph.outputs]
        self.masks = [mask for _, mask in found]
        compiled.meet(batch.y, [y_pred for y_pred, _ in found])
        losses = []
        for ref, (y_pred, mask), judged, y, weight in zip(
            self.graph.outputs, found, compiled.judged, compiled.each(batch.y),
            compiled.each(batch.weight), strict=True,
        ):  # fmt: skip
            if judged.loss is None:
                losses.append(0.0)
                if not compiled.has_loss:  # penalties of weights are learnt from on the way back
                    gradients.setdefault(ref, np.zeros_like(y_pred))
                continue
            if y is None:
                raise ValueError("The loss needs targets: `y` is None.")
            entry = _tape.trace(y_pred)
            if mask is not None:
                entry._keras_mask = mask
            loss = judged.loss(y, entry, weight)
            (gradient,) = _tape.gradients([loss * judged.weight], [1], [entry])
            add_to(gradients, ref, np.ascontiguousarray(gradient, self._workspace.dtype))
            losses.append(float(_tape.value_of(loss)))
        return losses, [y_pred for y_pred, _ in found]

    def _learn(self, chain: LearningChain, update: bool) -> None:
        optimizer, learners = self._optimizer, self._learners
        assert learners is not None
        made = int(optimizer._iterations)
        rule = optimizer._rule(made) if update and learners.by_rule else None
        if rule is None or rule.clips_norm[0]:
            chain.ask_gradients()
        if rule is not None:
            with self._workspace.lock:
                chain.trainer.learn(rule)
                chain.learnt()
            optimizer._advance(made + 1)
            learners.constrain()
            return
        chain.trainer.learn(None)
        if update:
            optimizer.apply([learners.gradient(v) for v in self.variables], self.variables)

    def gradients(self) -> list[np.ndarray]:
        """Return the gradients of the loss and all penalties with respect to the trainable
        variables, from a step without an update."""
        assert self._learners is not None
        return [self._learners.whole_gradient(variable) for variable in self.variables]

    def pull(self) -> None:
        """Bring all Variables up to date."""
        self._workspace.pull_all()

    def release(self) -> None:
        """Let the Variables go, each with its last value."""
        with self._lock:
            self._workspace.release()
            self._learners = None
            self._chains.clear()
