"""Layers ready to learn: plans that go forward and back, and the seams between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import _kernels, _plan, _tape
from .._variables import Variable
from ..regularizers import L1L2
from .flow import TrainingFlow
from .workspace import Workspace, aligned

if TYPE_CHECKING:
    from ..layers import Layer

_MOST_CHAINS = 32  # for one model, one for each shape of samples: each has the weights packed


class Way(NamedTuple):
    """A plan of some layers, and room for what its runs leave: for as many samples as the last."""

    flow: TrainingFlow
    y: _plan.Value
    buffers: dict[str, np.ndarray]

    def buffer(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Return an array that is the same from run to run while its shape is."""
        found = self.buffers.get(name)
        if found is None or found.shape != shape:
            found = self.buffers[name] = aligned(shape, self.flow.plan.dtype)
        return found

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


class Part(NamedTuple):
    """Layers first .. next - 1: as plans, by what they end with, and the seam after them."""

    first: int
    next: int
    shape: tuple[int, ...]
    mask: tuple[int, ...] | None
    ways: dict[Any, Way]
    seam: _plan.Seam | None
    layer: Any  # the one that the seam belongs to


class Passed(NamedTuple):
    """A part that data went through, and what the way back needs of that."""

    part: Part
    x: np.ndarray
    streams: list[tuple[int, int]]
    entry: Any  # Tensors: what the seam took, what it gave, what it used, what it lost
    result: Any
    leaves: list[Any]
    losses: list[Any]


class Chain:
    """Layers for samples of one shape, with the weights of a workspace.

    variables: those that learn. training: whether layers behave as in training. Parts are compiled
    when data first gets to them, as what comes out of a user's function is not known before.
    """

    def __init__(
        self,
        leaves: Sequence[Layer],
        workspace: Workspace,
        variables: Sequence[Variable],
        mask_policy: str | None = None,
        *,
        training: bool = True,
    ) -> None:
        self.training = training
        self.trainer = _kernels.Trainer(workspace.dtype)
        self.workspace = workspace
        self._leaves = tuple(leaves)
        self._mask_policy = mask_policy
        self._learning = {id(variable): variable for variable in variables}
        self._numbers: dict[int, int] = {}
        self._parts: dict[int, Part] = {}
        self._packed: tuple[int, int] | None = None
        self.whole = True  # no plan was given up in the middle: the trainer knows of its steps

    # --- weights ------------------------------------------------------------------------------

    def number(self, variable: Variable, *, vector: bool = False) -> int:
        """Return the trainer's number of a variable; one that it does not know yet is held."""
        found = self._numbers.get(id(variable))
        if found is None:
            array = self.workspace.hold(variable)
            found = self._numbers[id(variable)] = self.trainer.weight(array, vector)
            if id(variable) in self._learning:
                self.teach(variable, found)
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
        state = self.workspace.pushes, self.workspace.updates
        if self._packed != state:
            with self.workspace.lock:
                self._packed = state
                for number in self._numbers.values():
                    self.trainer.pack(number)

    def learnt(self) -> None:
        """Say that the trainer has changed its weights, and packed them."""
        self.workspace.touched()
        self._packed = self.workspace.pushes, self.workspace.updates

    # --- compiling ----------------------------------------------------------------------------

    def part(self, index: int, x: np.ndarray, mask: np.ndarray | None) -> Part:
        """Return the part that begins with layer `index`, for data such as x."""
        masked = None if mask is None else mask.shape[1:]
        part = self._parts.get(index)
        if part is not None:
            same = (part.shape, part.mask) == (x.shape[1:], masked)
            if not same or any(way.flow.is_stale() for way in part.ways.values()):
                raise Reshaped
        if part is None:
            flow, value, seam, last = self._emit(index, len(self._leaves), x.shape[1:], masked)
            way = self._finish(flow, value)
            layer = self._leaves[last - 1] if last > index else None
            part = Part(index, last, x.shape[1:], masked, {"forward": way}, seam, layer)
            self._parts[index] = part
        return part

    def _emit(
        self, index: int, end: int, shape: tuple[int, ...], masked: tuple[int, ...] | None
    ) -> tuple[TrainingFlow, _plan.Value, _plan.Seam | None, int]:
        dtype = self.workspace.dtype
        flow = TrainingFlow(shape, dtype, self)
        incoming = None if masked is None else _plan.Mask(None, masked, "the input")
        value = _plan.Value(0, shape, dtype, incoming)
        while index < end:
            layer = self._leaves[index]
            made = _plan.emit_layer(layer, flow, value, self._mask_policy)
            penalty = layer.activity_regularizer
            index += 1
            if penalty is not None and isinstance(made, _plan.Value) and isinstance(penalty, L1L2):
                flow.penalty(made, penalty.l1, penalty.l2)
            elif penalty is not None:
                made = _plan.observed(layer, made)
            if isinstance(made, _plan.Seam):
                return flow, made.x, made, index
            value = made
        return flow, value, None, index

    def _finish(self, flow: TrainingFlow, value: _plan.Value, *, masked: bool = True) -> Way:
        flow.finish(value, masked=masked)
        self._packed = None
        return Way(flow, value, {})

    def way_back(self, part: Part, wanted: bool) -> Way:
        """Return a part's plan that learns from a gradient of its result. wanted: it also gives
        that of its input."""
        return self._way(part, wanted, lambda flow, y: flow.plan.learn_from(y.id, wanted))

    def way_to_loss(self, part: Part, kind: str, options: dict[str, Any], wanted: bool) -> Way:
        """Return a part's plan that ends with a loss of the kernels."""
        return self._way(part, "loss", lambda flow, y: _learn(flow, y, kind, options, wanted))

    def _way(self, part: Part, key: Any, end: Any) -> Way:
        way = part.ways.get(key)
        if way is None:
            self.whole = False
            flow, value, _, _ = self._emit(part.first, part.next, part.shape, part.mask)
            end(flow, value)
            way = part.ways[key] = self._finish(flow, value, masked=False)
            self.trainer.finish()
            self.whole = True
        return way

    # --- running ------------------------------------------------------------------------------

    @property
    def length(self) -> int:
        """The number of layers."""
        return len(self._leaves)

    def forward(
        self, part: Part, x: np.ndarray, mask: np.ndarray | None
    ) -> tuple[Any, Any, Passed]:
        """Take data through a part; return its result, the mask, and what the way back needs."""
        way = part.ways["forward"]
        self.refresh()
        streams = way.flow.streams(len(x))
        shape = len(x), *way.y.shape
        made = None
        if way.y.id or way.flow.penalties or part.seam is None:
            x = np.ascontiguousarray(x, self.workspace.dtype)
        if way.y.id or way.flow.penalties:
            y = way.buffer("y", shape)
            if way.flow.plan.masked and way.y.mask is not None:
                made = np.empty((len(x), *way.y.mask.shape), np.bool_)
            way.flow.plan.train(x, y, streams, penalty=way.penalty(len(x)), mask=made)
        else:
            y = x.reshape(shape)
        if way.y.mask is None or way.y.mask.id is not None:
            mask = made
        passed = Passed(part, x, streams, None, None, [], [])
        return (y, mask, passed) if part.seam is None else self._through(passed, part.seam, y, mask)

    def _through(
        self, passed: Passed, seam: _plan.Seam, y: np.ndarray, mask: Any
    ) -> tuple[Any, Any, Passed]:
        """Run a part's seam on its result, recording."""
        layer = passed.part.layer
        own = [v for v in layer.weights if id(v) in self._learning]
        for variable in own:
            self.number(variable)
        inside = list(layer._flatten_layers())
        before = [one._call_losses[:] for one in inside]
        layer._clear_losses()
        try:
            with _tape.recording(own) as leaves, _plan.python_scope(self.training):
                entry: Any = _tape.trace(y) if y.dtype.kind == "f" else y
                result = seam.fn(entry, mask)
            losses = [loss for one in inside for loss in one._call_losses]
        except _tape.Traced as error:
            raise _tape.Traced(f"Layer '{layer.name}': {error}") from error
        finally:  # what was recorded would stay as long as they
            for one, losses_before in zip(inside, before, strict=True):
                one.__dict__["_call_losses"] = losses_before
        result, mask = result if isinstance(result, tuple) else (result, mask)
        value = np.ascontiguousarray(_tape.value_of(result), self.workspace.dtype)
        return (
            value,
            mask,
            passed._replace(
                entry=entry,
                result=result,
                leaves=list(zip(own, leaves, strict=True)),
                losses=losses,
            ),
        )

    def back(self, passed: Passed, gradient: np.ndarray, wanted: bool) -> np.ndarray | None:
        """Take the gradient of what came out of a part back: the weights' stays with the trainer,
        that of what went in is returned if it is wanted."""
        part = passed.part
        if part.seam is not None:
            learns = isinstance(passed.entry, _tape.Tensor)  # integers have no gradient
            leaves = [leaf for _, leaf in passed.leaves]
            outputs, seeds = (
                [passed.result, *passed.losses],
                [gradient, *(1 for _ in passed.losses)],
            )
            found = _tape.gradients(outputs, seeds, [*leaves, passed.entry] if learns else leaves)
            for (variable, _), part_of in zip(passed.leaves, found, strict=False):
                self.add_gradient(variable, part_of)
            if not learns:
                return None
            gradient = np.ascontiguousarray(found[-1], self.workspace.dtype)
        if not part.ways["forward"].y.id and not part.ways["forward"].flow.penalties:
            return gradient.reshape(passed.x.shape)
        way = self.way_back(part, wanted)
        self.refresh()
        dx = way.buffer("dx", passed.x.shape) if wanted else None
        way.flow.plan.train(
            passed.x,
            way.buffer("y", (len(passed.x), *way.y.shape)),
            passed.streams,
            penalty=way.penalty(len(passed.x)),
            gradient=gradient,
            input_gradient=dx,
        )
        return dx

    def add_gradient(self, variable: Variable, gradient: np.ndarray) -> None:
        """Add a part that came from Python to a variable's gradient."""
        raise NotImplementedError


def remember(chains: dict[Any, Any], key: Any, chain: Any) -> None:
    """Keep a chain for the next data of its kind, which was taken out while it ran; of too many
    the one goes that was used longest ago."""
    chains[key] = chain
    if len(chains) > _MOST_CHAINS:
        del chains[next(iter(chains))]


class Reshaped(Exception):
    """Data of another shape than a part was compiled for came out of a seam, or a variable that
    does not learn has changed since."""


def _learn(
    flow: TrainingFlow, y: _plan.Value, kind: str, options: dict[str, Any], wanted: bool
) -> None:
    n = y.shape[-1] if y.shape else 1
    flow.plan.learn(y.id, kind, y.size // n if n else 0, n, wanted=wanted, **options)
