"""Layers ready to learn: plans that go forward and back, and the seams between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _kernels, _plan, _tape
from .._variables import Variable
from .flow import TrainingFlow
from .parts import Part, Passed, Reshaped, add_to, penalized
from .script import Script
from .way import Known, Way
from .workspace import Frozen, Rooms, Workspace, aligned


class Chain:
    """The calls of a graph for samples of one shape, with the weights of a workspace.

    variables: those that learn. precision: the least that products of float32 keep. training: that
    layers behave so. inputs: that gradients of what goes in are asked for. Parts are compiled when
    data first gets to them, as what comes out of a user's function is not known before.
    """

    # What sees to the activity penalties of layers, as it is told of what one has made.
    _observed: Any = staticmethod(penalized)

    def __init__(
        self,
        graph: _plan.Graph,
        workspace: Workspace,
        variables: Sequence[Variable],
        mask_policy: str | None,
        precision: str,
        *,
        training: bool = True,
        inputs: bool = False,
    ) -> None:
        self.training = training
        self.trainer = _kernels.Trainer(workspace.dtype, precision)
        self.workspace = workspace
        self.graph = graph
        self._live = graph.live()
        self._inputs = inputs
        self._mask_policy = mask_policy
        self._learning = {id(variable): variable for variable in variables}
        self._numbers: dict[int, int] = {}
        self.frozen = Frozen(self.trainer)
        self._parts: dict[int, Part] = {}
        self._packed: tuple[int, int] | None = None
        self.script: Script | None = None  # of the step that is made
        self.norms: dict[_plan.Ref, _kernels.BatchNorm] = {}  # of arrays taken normalised
        self.rooms = Rooms(workspace.dtype)  # for the gradients of these
        self.whole = True  # no plan was given up in the middle: the trainer knows of its steps

    # --- weights ------------------------------------------------------------------------------

    def number(self, variable: Variable, *, vector: bool = False, rows: int = -1) -> int:
        """Return the trainer's number of a variable; of one that learns and that it does not know
        yet the workspace takes hold, of another it has a copy."""
        found = self._numbers.get(id(variable))
        if found is None and self.learns(variable):
            found = self.trainer.weight(self.workspace.hold(variable), vector, rows)
            self.teach(variable, found)
        elif found is None:
            weight = _plan.Derived(lambda value: value, (variable,))
            found = self.frozen.add(weight, vector, rows)
        self._numbers[id(variable)] = found
        return found

    def learns(self, variable: Any) -> bool:
        """Whether it is one of the variables that learn."""
        return id(variable) in self._learning

    def teach(self, variable: Variable, number: int) -> None:
        """Let a weight learn: here, only its gradient is asked for."""
        self.trainer.teach(number, self.gradient(variable))

    def gradient(self, variable: Variable) -> np.ndarray:
        """Return the array for the variable's gradient, which is new."""
        return aligned(variable.shape, self.workspace.dtype)

    def refresh(self) -> None:
        """Pack the weights, if they have changed elsewhere since the last run."""
        self.frozen.refresh()
        state = self.workspace.pushes, self.workspace.updates
        if self._packed != state:
            with self.workspace.lock:
                self._packed = state
                for number in self._numbers.values():
                    self.trainer.pack(number)

    def learnt(self) -> int:
        """Say that the trainer has changed and packed its weights; return what the epoch was."""
        before = self.workspace.touched()
        if self._packed is not None:  # what was assigned meanwhile will still be seen
            self._packed = self._packed[0], self.workspace.updates
        return before

    # --- compiling ----------------------------------------------------------------------------

    def part(self, index: int, known: Known) -> Part:
        """Return the part that begins with call `index`, for such data."""
        kinds: dict[_plan.Ref, _plan.Kind] = {}
        for ref in self._live[index]:
            x, mask = known[ref]
            kinds[ref] = x.shape[1:], x.dtype, None if mask is None else mask.shape[1:]
        part = self._parts.get(index)
        if part is not None:
            stale = (way.flow.read and way.flow.is_stale() for way in part.ways.values())
            if part.kinds != kinds or any(stale):
                raise Reshaped
        if part is None:
            flow, made = self._emit(index, None, kinds, self._observed)
            part = Part(index, made.next, kinds, made, {})
            part.ways["forward"] = self._finish(flow, made)
            self._parts[index] = part
        return part

    def _emit(
        self, index: int, stop: int | None, kinds: dict[_plan.Ref, _plan.Kind], after: Any
    ) -> tuple[TrainingFlow, _plan.Emitted]:
        shape = kinds[self.graph.calls[index].inputs[0]][0]
        flow = TrainingFlow(shape, self.workspace.dtype, self)
        made = _plan.emit_calls(
            self.graph, index, kinds, flow, self._mask_policy, after, stop, mixed=True
        )
        self._packed = None
        return flow, made

    def _finish(self, flow: TrainingFlow, made: _plan.Emitted) -> Way:
        wanted = dict.fromkeys([*self._live[made.next], *made.taken])
        values = {
            ref: value
            for ref, value in made.values.items()
            if ref in wanted and (ref in made.taken or ref not in flow.refs())
        }
        plan, results = flow.finish_all(values, set())
        y = flow.finish_alone(made.values.values()) if plan is None else flow.first
        return Way(flow, results, y, {}, {})

    def way_back(self, part: Part, gradients: frozenset[_plan.Ref]) -> Way:
        """Return a part's plan that learns from the gradients of what it gives."""

        def end(flow: TrainingFlow, made: _plan.Emitted) -> Way:
            for ref in part.given:
                if ref in gradients:
                    flow.learn_from(made.values[ref], ref)
            self._go_back(flow)
            flow.close()
            return Way(flow, (), None, {}, {})

        return self._way(part, gradients, end)

    def way_to_losses(
        self, part: Part, kernels: Sequence[tuple[str, dict[str, Any]] | None]
    ) -> Way:
        """Return a part's plan that ends with losses of the kernels, for the graph's outputs."""

        def end(flow: TrainingFlow, made: _plan.Emitted) -> Way:
            for i, (ref, kernel) in enumerate(zip(self.graph.outputs, kernels, strict=True)):
                if kernel is not None:
                    flow.learn(made.values[ref], i, *kernel)
            self._go_back(flow)
            return self._finish(flow, made)

        return self._way(part, "losses", end)

    def _go_back(self, flow: TrainingFlow) -> None:
        for ref, is_mask in flow.inputs:
            if not is_mask and self.is_wanted(ref):
                flow.want(ref)
        flow.plan.back()

    def is_wanted(self, ref: _plan.Ref) -> bool:
        """Whether the gradient of an array that a part takes is asked for: all but what goes in."""
        return self._inputs or ref not in self.graph.inputs

    def _way(self, part: Part, key: Any, end: Any) -> Way:
        if (way := part.ways.get(key)) is None:
            self.whole = False
            flow, made = self._emit(part.first, part.next, part.kinds, self._observed)
            way = part.ways[key] = end(flow, made)
            self.trainer.finish()
            self.whole = True
        return way

    # --- running ------------------------------------------------------------------------------

    @property
    def length(self) -> int:
        """The number of calls."""
        return len(self.graph.calls)

    def forward(self, part: Part, known: Known) -> Passed:
        """Take data through a part: what it gives is added to `known`. Returns what the way back
        needs."""
        way = part.forward
        self.refresh()
        before = dict(known)
        streams: list[tuple[int, int]] = []
        made: dict[int, np.ndarray] = {}
        states = [state.copy() for state in way.flow.states]
        if states:  # a script does not bring them back
            self.script = None
        if way.runs:
            streams = way.flow.streams(len(known[way.flow.inputs[0][0]][0]))
            made = way.run(known, streams, {}, self.script, counts=True)
        self.settle(way, known, before, made)
        passed = Passed(part, before, streams, [], [], [], [], states)
        return passed if part.made.seam is None else self._through(passed, known)

    def restore(self, passed: Passed) -> None:
        """Let the next run of a part's plan begin as the last one did: they are one step."""
        for state, before in zip(passed.part.forward.flow.states, passed.states, strict=True):
            state[...] = before

    def settle(self, way: Way, known: Known, before: Known, made: dict[int, Any]) -> None:
        """Add what a run left to what is known."""
        for result in way.results:
            if isinstance(result.at, _plan.Ref):
                x = before[result.at][0]
                y = np.ascontiguousarray(x).reshape((*x.shape[:1], *result.shape))
            else:
                y = made[result.at]
            mask = result.mask
            if mask is not None:
                mask = before[mask][1] if isinstance(mask, _plan.Ref) else made[mask]
            known[result.ref] = y, mask

    def _through(self, passed: Passed, known: Known) -> Passed:
        """Run a part's seam on what it takes, recording."""
        self.script = None
        made = passed.part.made
        layer = made.layer
        own = [v for v in layer.weights if id(v) in self._learning]
        for variable in own:
            self.number(variable)
        inside = list(layer._flatten_layers())
        before = [one._call_losses[:] for one in inside]
        layer._clear_losses()
        try:
            with _tape.recording(own) as leaves, _plan.python_scope(made.training):
                taken = [known[ref] for ref in made.taken]
                entries: list[Any] = [
                    _tape.trace(y) if y.dtype.kind == "f" else y.copy() for y, _ in taken
                ]
                masks = [mask for _, mask in taken]
                found = _plan.run_seam(made, list(zip(entries, masks, strict=True)))
            losses = [loss for one in inside for loss in one._call_losses]
        except _tape.Traced as error:
            raise _tape.Traced(f"Layer '{layer.name}': {error}") from error
        finally:  # what was recorded would stay as long as they
            for one, losses_before in zip(inside, before, strict=True):
                one.__dict__["_call_losses"] = losses_before
        outputs = [y for y, _ in found]
        for ref, (y, mask) in zip(made.given, found, strict=True):
            value = np.asarray(_tape.value_of(y), order="C")
            if value.dtype.kind == "f":
                value = value.astype(self.workspace.dtype, copy=False)
            known[ref] = value, mask
        return passed._replace(
            entries=entries,
            outputs=outputs,
            leaves=list(zip(own, leaves, strict=True)),
            losses=losses,
        )

    def back(self, passed: Passed, gradients: dict[_plan.Ref, np.ndarray]) -> None:
        """Take the gradients of what came out of a part back: the weights' stay with the trainer,
        those of what went in are added to the others."""
        made, way = passed.part.made, passed.part.forward
        if made.seam is not None:
            self._back_through(passed, gradients)
        for result in way.results:  # what was but another shape of an input
            if isinstance(result.at, _plan.Ref) and result.ref in gradients.keys() - self.norms:
                shape = passed.known[result.at][0].shape
                gradient = gradients.pop(result.ref).reshape(shape)
                if passed.known[result.at][0].dtype.kind == "f":
                    self.add(gradients, result.at, gradient)
        given = frozenset(ref for ref in passed.part.given if ref in gradients)
        if not way.runs or not (given or way.flow.penalties):
            return
        way = self.way_back(passed.part, given)
        self.refresh()
        self.restore(passed)
        more: dict[Any, np.ndarray] = {("gradient", ref): gradients.pop(ref) for ref in given}
        more.update((key, passed.made) for key in way.flow.more if key[0] == "made")
        self.run_back(way, passed.known, passed.streams, more, gradients)

    def run_back(
        self,
        way: Way,
        known: Known,
        streams: list[tuple[int, int]],
        more: dict[Any, np.ndarray],
        gradients: dict[_plan.Ref, np.ndarray],
    ) -> dict[int, np.ndarray]:
        """Run a plan forward and back; the gradients of what went in are added to the others."""
        for key in way.flow.more:
            if isinstance(key, tuple) and key[0] == "wanted":
                x, short = known[key[1]][0], key[1] in self.norms
                more[key] = self.rooms.take(x.shape) if short else way.buffer(key, x.shape)
        made = way.run(known, streams, more, self.script)
        for key, gradient in more.items():
            if key[0] == "gradient":
                self.rooms.give(gradient)
            if key[0] == "wanted" and known[key[1]][0].dtype.kind == "f":
                self.add(gradients, key[1], gradient)
        return made

    def add(self, gradients: dict[_plan.Ref, np.ndarray], ref: _plan.Ref, part: np.ndarray) -> None:
        """Add a part to the gradient of an array."""
        before = gradients.get(ref)
        add_to(gradients, ref, part)
        if before is not None and self.script is not None:
            self.script.summed(before, part, gradients[ref])

    def _back_through(self, passed: Passed, gradients: dict[_plan.Ref, np.ndarray]) -> None:
        """Take gradients back through a seam."""
        made = passed.part.made
        outputs: list[Any] = []
        seeds: list[Any] = []
        for ref, output in zip(made.given, passed.outputs, strict=True):
            gradient = gradients.pop(ref, None)
            if gradient is not None and isinstance(output, _tape.Tensor):
                outputs.append(output)
                seeds.append(gradient)
        outputs += passed.losses
        seeds += passed.seeds or [1] * len(passed.losses)
        leaves = [leaf for _, leaf in passed.leaves]
        traced = [
            (ref, entry)
            for ref, entry in zip(made.taken, passed.entries, strict=True)
            if isinstance(entry, _tape.Tensor)  # integers have no gradient
        ]
        found = _tape.gradients(outputs, seeds, [*leaves, *(entry for _, entry in traced)])
        for (variable, _), part_of in zip(passed.leaves, found, strict=False):
            self.add_gradient(variable, part_of)
        for (ref, _), gradient in zip(traced, found[len(leaves) :], strict=True):
            gradients[ref] = np.ascontiguousarray(gradient, self.workspace.dtype)

    def add_gradient(self, variable: Variable, gradient: np.ndarray) -> None:
        """Add a part that came from Python to a variable's gradient."""
        raise NotImplementedError
