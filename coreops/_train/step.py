"""One step of training: a batch forward, its loss, the way back, and the update."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _plan, config
from .batch import Batch, Made, Targets, penalties, several, warn_of
from .ending import Ending
from .learners import Learners, LearningChain
from .lesson import Lesson, Met
from .parts import Passed, Reshaped, remember
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

    def __init__(self, model: Layer, compiled: Compiled, workspace: Workspace | None) -> None:
        self.leaves = model.leaves()
        self.graph = model._graph((model._form,), {})
        self.variables = model.trainable_variables
        self.masks: list[np.ndarray | None] = []
        self._model, self._compiled = model, compiled
        self._inside = list(model._flatten_layers()), model.weights
        self._state, self._free = self._look(), self._which_learn()
        self._optimizer: Any = compiled.optimizer
        for leaf in self.leaves:  # whose revision tells from now on that something has changed
            leaf.__dict__["_compiled"] = True
        wide = any(leaf.compute_dtype == "float64" for leaf in self.leaves)
        self.workspace = workspace or Workspace(np.dtype(np.float64 if wide else np.float32))
        self._releases = self.workspace.releases
        self._learners: Learners | None = None
        self._chains: dict[Any, LearningChain] = {}
        self._ending = Ending(self.graph, compiled, self.workspace.dtype)
        self._met: Met | None = None  # what the last step can be made into a lesson of
        self._lesson: Lesson | None = None
        self._lock = threading.RLock()

    def is_current(self, compiled: Compiled) -> bool:
        """Whether this is what trains the model as it is now, and as it was compiled last."""
        return self.is_kin(compiled) and self._free == self._which_learn()

    def is_kin(self, compiled: Compiled) -> bool:
        """Whether it would be, if the same weights learnt."""
        return compiled is self._compiled and self._state == self._look()

    def _look(self) -> Any:
        """What the plans were made from."""
        return [(layer._revision, *map(id, layer._holders.values())) for layer in self._inside[0]]

    def _which_learn(self) -> Any:
        """What the choice of weights that learn was made from."""
        layers, weights = self._inside
        return [layer._trainable for layer in layers], [weight.trainable for weight in weights]

    def __call__(
        self,
        x: np.ndarray | Sequence[np.ndarray],
        y: np.ndarray | Targets,
        sample_weight: np.ndarray | Targets = None,
        *,
        update: bool = True,
        given: tuple[Any, Any] | None = None,
    ) -> Made:
        """Train on one batch.

        Args:
            x: the inputs, batch first, in the form that the model's layers take; or the only one.
            y: the labels of each output, or of the only one.
            sample_weight: None, or for each output None or a weight for each sample or position.
            update: False leaves the weights alone; their gradients are in `gradients()`.
            given: inputs and targets as the user passed them, if the next step may be one like
                this: `again`.

        Returns:
            The loss with all penalties, before the update, those of the outputs, and the
            predictions, which are good until the next step.

        Raises:
            ValueError: labels, weights or inputs that do not fit; the weights are as before.
        """
        with self._lock:
            self._met = self._lesson = None
            known: Known = {}
            real = self.workspace.dtype
            for ref, one in zip(self.graph.inputs, several(x), strict=True):
                array = np.ascontiguousarray(one, None if one.dtype.kind in "biu" else real)
                known[ref] = array, _plan.mask_of(one)
            learners = self._ready()
            key = tuple(array.shape[1:] for array, _ in known.values()), *self._how()
            chain = self._chains.pop(key, None)  # back after the step, if that gets to its end
            if chain is None:
                chain = self._chain(learners)
            batch = Batch(several(y), several(sample_weight))
            written = given is not None
            try:
                chain.begin(written)
                made = self._finished(chain, dict(known), batch, update)
            except Reshaped:
                chain = self._chain(learners)
                chain.begin(written)
                made = self._finished(chain, known, batch, update)
            remember(self._chains, key, chain)
            if given is not None:
                self._prepare(key, *given, batch.weight)
            self._met = chain.script = None
            return made

    def again(
        self, compiled: Compiled, x: Any, y: Any, weight: Any = None
    ) -> tuple[Made, list[Any], list[Any] | None] | None:
        """Make a step like the last one, on arrays as a user passes them. Returns what a call does,
        the targets and the weights; None if anything is not as it was then, and nothing has been
        done."""
        with self._lock:
            lesson = self._lesson
            if lesson is None or compiled is not self._compiled:
                return None
            current = lesson.update.is_current() or self._looks_the_same(lesson)
            if not current or self._optimizer._made is not lesson.update.rule:
                self._lesson = None
                return None
            taken = lesson.take(x, y, weight)
            if taken is None:
                return None
            try:
                total = lesson.run()
                self.masks = lesson.masks
                if math.isfinite(total):
                    self._advance(lesson.update, lesson.rate, lesson.moves)
                else:
                    warn_of(total)
            except BaseException:  # nothing goes on from what a step left that did not end
                self._chains.pop(lesson.key, None)
                self._lesson = None
                raise
            return (total, lesson.losses, lesson.y_preds), *taken

    def _prepare(self, key: Any, x: Any, y: Any, weight: Any) -> None:
        """Let the next step that is like the last one need no looking up."""
        if self._met is not None and (rule := self._optimizer._its_rule()) is not None:
            lesson = Lesson.of(self._met, key, self._met.chain.update(rule), x, y, weight)
            if lesson is not None and self._looks_the_same(lesson):
                self._lesson = lesson

    def _looks_the_same(self, lesson: Lesson) -> bool:
        """Whether all that a lesson hangs on, but for values that learn, is as it was; these are
        brought up to date."""
        epoch = _kernels.epoch()  # what another thread changes after this is seen at the next step
        workspace = self.workspace
        if workspace.lost or self._releases != workspace.releases:
            return False
        if not self.is_current(self._compiled) or not lesson.looks_the_same(self._how()):
            return False
        lesson.chain.refresh()
        lesson.rate = self._optimizer._fixed_rate()
        lesson.update.seen = epoch
        return True

    def _how(self) -> tuple[str, str]:
        """What decides, beside shapes, how products are made: the tier, and what they keep."""
        return _kernels.isa(), self._model._precision or config.matmul_precision()

    def _chain(self, learners: Learners) -> LearningChain:
        return LearningChain(self.graph, learners, self._model._mask_policy, self._how()[1])

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
        if self.workspace.lost:
            self.workspace.release()
        if self._releases != self.workspace.releases:
            self._forget()
        if self._learners is None:
            self._optimizer.build(self.variables)
            self._learners = Learners(self.workspace, self.variables, self._optimizer)
        return self._learners

    def _step(self, chain: LearningChain, known: Known, batch: Batch, update: bool) -> Made:
        total = 0.0
        passed: list[Passed] = []
        gradients: dict[_plan.Ref, np.ndarray] = {}
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
        kernels = None if ended else self._ending.kernels(part, known, batch)
        if kernels is not None:
            end = self._ending.by_kernels(chain, part, kernels, known, batch, gradients)
        else:
            if not ended:
                passed.append(one := chain.forward(part, known))
                total += penalties(one)
            end = self._ending.by_tape(chain, known, batch, gradients)
        total += end.total
        self.masks = end.masks
        for one in reversed(passed):
            chain.back(one, gradients)
        total += chain.trainer.penalty() + chain.penalize()
        if math.isfinite(total):
            self._learn(chain, update)
            script = chain.script
            self._met = end.met if script is not None and script.holds else None
        else:
            warn_of(total)
        return total, end.losses, end.y_preds

    def _learn(self, chain: LearningChain, update: bool) -> None:
        optimizer, learners = self._optimizer, self._learners
        assert learners is not None
        rule = optimizer._its_rule() if update and learners.by_rule else None
        if rule is None or rule.clips_norm[0]:
            chain.ask_gradients()
        if rule is not None:
            self._advance(chain.update(rule))
            learners.constrain()
            return
        chain.trainer.learn(None)
        if update:
            gradients = [optimizer.scale_loss(learners.gradient(v)) for v in self.variables]
            optimizer.apply(gradients, self.variables)

    def _advance(
        self, update: _kernels.Update, rate: float | None = None, moves: Sequence[Any] = ()
    ) -> None:
        """Let the optimizer make a step by its rule. rate: None: it is asked for. moves: of moving
        averages."""
        optimizer, learners = self._optimizer, self._learners
        assert learners is not None
        made = int(learners.steps)
        rate = optimizer._rate(made) if rate is None else rate
        with self.workspace.lock:
            update.step(rate, moves)
        optimizer._follow(made + 1)

    def gradients(self) -> list[np.ndarray]:
        """Return the gradients of the loss and all penalties with respect to the trainable
        variables, from a step without an update."""
        assert self._learners is not None
        return [self._learners.whole_gradient(variable) for variable in self.variables]

    def pull(self) -> None:
        """Bring all Variables up to date."""
        self.workspace.pull_all()

    def release(self) -> None:
        """Let the Variables go, each with its last value."""
        with self._lock:
            self.workspace.release()
            self._forget()

    def _forget(self) -> None:
        """Begin anew with variables that the workspace has let go."""
        self._learners = self._lesson = self._met = None
        self._chains.clear()
        self._releases = self.workspace.releases
