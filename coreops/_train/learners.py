"""Weights that an optimizer changes: their state, penalties and constraints, for the trainer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import _kernels, _plan, _tape, config
from .._variables import Variable
from ..constraints import NonNeg, _column_norms
from ..regularizers import L1, L1L2, L2
from .chain import Chain
from .flow import TrainingFlow
from .parts import Part, Passed
from .script import Script
from .way import Known, Way
from .whole import Whole
from .workspace import Workspace, aligned


class Learners:
    """The trained variables of a model with their optimizer.

    What the kernels know (factors of L1 and L2, norms of columns, weights that stay positive) they
    do as they update a weight; other regularizers go through the tape, other constraints are
    applied afterwards.
    """

    def __init__(self, workspace: Workspace, variables: Sequence[Variable], optimizer: Any) -> None:
        self.workspace = workspace
        self.variables = list(variables)
        self.optimizer = optimizer
        self.gradients: dict[int, np.ndarray] = {}  # from Python, or for it
        optimizer._must_know(variables)
        self.by_rule = optimizer._its_rule() is not None
        self.apart = [v for v in variables if v.regularizer is not None]
        if self.by_rule:
            self.apart = [v for v in self.apart if not _is_l1l2(v.regularizer)]
        self.constrained = [v for v in variables if v.constraint is not None]
        if self.by_rule:
            self.constrained = [v for v in self.constrained if not _by_kernel(v)]
            self.steps = workspace.hold(optimizer._iterations, np.dtype(np.int64))

    def gradient(self, variable: Variable) -> np.ndarray:
        """Return the array of a variable's gradient, which is made if there is none."""
        found = self.gradients.get(id(variable))
        if found is None:
            found = aligned(variable.shape, self.workspace.dtype)
            found[...] = 0
            self.gradients[id(variable)] = found
        return found

    def whole_gradient(self, variable: Variable) -> np.ndarray:
        """Return a variable's gradient with the part of a penalty that the kernels add."""
        gradient = self.gradient(variable).copy()
        penalty: Any = variable.regularizer
        if self.by_rule and _is_l1l2(penalty):
            w = variable.numpy()
            gradient += penalty.l1 * np.sign(w) + 2 * penalty.l2 * w
        return gradient

    def lesson(self, variable: Variable, given: bool) -> dict[str, Any]:
        """Return how the trainer is to treat a variable."""
        g = self.gradients.get(id(variable))
        found: dict[str, Any] = {"g": g, "given": given}
        if not self.by_rule:
            return found
        slots = self.optimizer._slots(variable)
        found["slots"] = [self.workspace.hold(slot) for slot in slots]
        found["decays"] = self.optimizer._decays(variable)
        penalty: Any = variable.regularizer
        if _is_l1l2(penalty):
            found["l1"], found["l2"] = penalty.l1, penalty.l2
        found.update(_bounds(variable))
        return found

    def penalize(self, add: Callable[[Variable, np.ndarray], None]) -> float:
        """Return the penalties of the regularizers that the kernels do not know; their gradients
        are added."""
        total = 0.0
        for variable in self.apart:
            regularizer: Any = variable.regularizer
            with _tape.recording([variable]) as (leaf,):
                penalty = regularizer(leaf)
            total += float(np.sum(_tape.value_of(penalty)))
            add(variable, _tape.gradients([penalty], [1], [leaf])[0])
        return total

    def constrain(self) -> None:
        """Apply the constraints that the kernels do not know."""
        for variable in self.constrained:
            constraint: Any = variable.constraint
            variable.assign(constraint(variable.numpy()))


class LearningChain(Chain):
    """A chain whose weights an optimizer changes."""

    def __init__(
        self, graph: Any, learners: Learners, mask_policy: str | None, precision: str
    ) -> None:
        self._learners = learners
        self._given = {id(variable) for variable in learners.apart}
        self._asked = False  # for the gradients of all variables
        self._update: _kernels.Update | None = None
        self._wholes: dict[_plan.Ref, Whole] = {}  # by what comes of it
        super().__init__(graph, learners.workspace, learners.variables, mask_policy, precision)
        for variable in learners.apart:
            learners.gradient(variable)

    def teach(self, variable: Variable, number: int) -> None:
        lesson = self._learners.lesson(variable, id(variable) in self._given)
        self.trainer.teach(number, **lesson)

    def update(self, rule: _kernels.Rule) -> _kernels.Update:
        """Return what makes the optimizer's steps by a rule."""
        if self._update is None or self._update.rule is not rule:
            self._update = _kernels.Update(self.trainer, rule, self._learners.steps, self.learnt)
        return self._update

    def begin(self, written: bool) -> None:
        """Begin a step. written: whether it is to be written down, which it is where Python has no
        part in what is learnt: no gradient, no constraint."""
        self.clear_gradients()
        self.rooms.give_all()
        self.script = None
        if written and not (self._learners.apart or self._learners.constrained):
            cleared = [v for v in self._learners.variables if id(v) in self._given]
            self.script = Script(self.graph.inputs, [self._learners.gradient(v) for v in cleared])

    def given(self, variable: Variable) -> np.ndarray:
        """Return the array that a part of the variable's gradient is added to from now on."""
        if id(variable) not in self._given:
            self._gives(variable)
            self.script = None  # which does not say that it is cleared
        return self._learners.gradient(variable)

    def masks(
        self, part: Part, known: Known, streams: list[tuple[int, int]]
    ) -> list[np.ndarray | None]:
        """Return the masks of the graph's outputs, which the last part makes, at the cost of what
        they hang on. streams: of the run that makes the outputs."""
        found = dict(known)
        masks = [part.made.values[ref].mask for ref in self.graph.outputs]
        if any(mask is not None and mask.id is not None for mask in masks):
            way = self._way_to_masks(part)
            self.refresh()
            states = [(state, state.copy()) for state in way.flow.states]
            if states:  # a script does not bring them back
                self.script = None
            self.settle(way, found, known, way.run(known, streams, {}, self.script))
            for state, before in states:
                state[...] = before
        return [
            None if mask is None else found[ref if mask.id is not None else mask.of][1]
            for ref, mask in zip(self.graph.outputs, masks, strict=True)
        ]

    def _way_to_masks(self, part: Part) -> Way:
        """Return the last part's plan that makes the masks of the graph's outputs, and of their
        own only a copy of what goes in."""
        way = part.ways.get("masks")
        if way is None:
            flow, made = self._emit(part.first, part.next, part.kinds, None)
            first = flow.inputs[0][0]
            x = flow.take(first, part.kinds[first])
            masks = {ref: made.values[ref].mask for ref in self.graph.outputs}
            values = {
                ref: x._replace(mask=mask)
                for ref, mask in masks.items()
                if mask is not None and mask.id is not None
            }
            _, results = flow.finish_all(values, {next(iter(values))})
            self._packed = None
            way = part.ways["masks"] = Way(flow, results, flow.first, {}, {})
        return way

    def _emit(self, *args: Any) -> tuple[TrainingFlow, _plan.Emitted]:
        flow, made = super()._emit(*args)
        if made.whole is not None and made.given[0] not in self.graph.outputs:
            y = made.values[made.taken[0]]
            if y.mask is None or y.mask.shape == y.shape[:-1]:
                made.values[made.given[0]] = y
                made = made._replace(seam=None, taken=())
        return flow, made

    def _finish(self, flow: TrainingFlow, made: _plan.Emitted) -> Way:
        if made.whole is not None and made.seam is None:
            (ref,) = made.given
            y = made.values[ref]
            self._wholes[ref] = Whole(self, made.whole, y.shape[-1])
            self.norms[ref] = self._wholes[ref].kernel
            flow.moments(y, self.norms[ref])
        return super()._finish(flow, made)

    def forward(self, part: Part, known: Known) -> Passed:
        passed, made = super().forward(part, known), part.made
        if made.whole is None or made.seam is not None:
            return passed
        (ref,) = made.given
        _plan.afterwards(self._wholes[ref].approach)
        if self.script is not None:
            self.script.wholes.append(self._wholes[ref])
            for result in part.forward.results:
                if result.ref == ref and isinstance(result.at, _plan.Ref):
                    self.script.stands_for(ref, result.at)
        return passed._replace(made=known[ref][0])

    def _gives(self, variable: Variable) -> None:
        """From now on a part of the variable's gradient comes from Python."""
        if id(variable) not in self._given or id(variable) not in self._numbers:
            self._given.add(id(variable))
            self._learners.gradient(variable)[...] = 0
            self.teach(variable, self.number(variable))
            self.trainer.finish()

    def add_gradient(self, variable: Variable, gradient: np.ndarray) -> None:
        self._gives(variable)
        self._learners.gradient(variable)[...] += gradient

    def penalize(self) -> float:
        """Add the gradients of the regularizers that the kernels do not know; return their sum."""
        return self._learners.penalize(self.add_gradient)

    def ask_gradients(self) -> None:
        """From now on the gradients of all variables go to the learners' arrays."""
        if self._asked:
            return
        self._asked = True
        for variable in self._learners.variables:
            self._learners.gradient(variable)
            if id(variable) in self._numbers:
                self.teach(variable, self._numbers[id(variable)])
        self.trainer.finish()

    def clear_gradients(self) -> None:
        """Begin with what comes from Python anew."""
        for variable in self._learners.variables:
            if id(variable) in self._given:
                self._learners.gradient(variable)[...] = 0


def _is_l1l2(penalty: Any) -> bool:
    return type(penalty) in (L1, L2, L1L2)


def _bounds(variable: Variable) -> dict[str, Any]:
    """Return what the trainer is told of a variable's constraint."""
    constraint = variable.constraint
    if type(constraint) is NonNeg:
        return {"nonneg": True}
    norms = _column_norms(constraint) if 1 <= variable.ndim <= 2 else None
    return {} if norms is None else {"norm": (*norms, config.epsilon())}


def _by_kernel(variable: Variable) -> bool:
    return bool(_bounds(variable))
