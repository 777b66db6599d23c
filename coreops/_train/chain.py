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

    variables: those that learn. Parts are compiled when data first gets to them, as what comes out
    of a user's function is not known before.
    """

    def __init__(
        self,
        leaves: Sequence[Layer],
        workspace: Workspace,
        variables: Sequence[Variable],
        mask_policy: str | None = None,
    ) -> None:
        self.trainer = _kernels.Trainer(workspace.dtype)
        self.workspace = workspace
        self._leaves = tuple(leaves)
        self._mask_policy = mask_policy
        self._learning = {id(variable): variable for variable in variables}
        self._numbers: dict[int, int] = {}
        self._variables: list[Variable] = []
        self._parts: dict[int, Part] = {}
        self._packed: tuple[int, int] | None = None

    # --- weights ------------------------------------------------------------------------------

    def number(self, variable: Variable, *, vector: bool = False) -> int:
        """Return the trainer's number of a variable; one that it does not know yet is held."""
        found = self._numbers.get(id(variable))
        if found is None:
            array = self.workspace.hold(variable)
            found = self._numbers[id(variable)] = self.trainer.weight(array, vector)
            self._variables.append(variable)
            if id(variable) in self._learning:
                self.teach(variable, found)
        return found

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
        if part is not None and (part.shape, part.mask) != (x.shape[1:], masked):
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
        mask = value.mask
        if masked and mask is not None and mask.id is not None:
            flow.plan.finish(value.id, value.shape, mask.id, mask.shape)
        else:
            flow.plan.finish(value.id, value.shape)
        self._packed = None
        return Way(flow, value, {})

    def way_back(self, part: Part, wanted: bool) -> Way:
        """Return a part's plan that learns from a gradient of its result. wanted: it also gives
        that of its input."""
        return self._way(part, wanted, lambda flow, y: flow.plan.learn_from(y.id, wanted))

    def way_to_loss(self, part: Part, kind: str, options: dict[str, Any], wanted: bool) -> Way:
        """Return a part's plan that ends with a loss of the kernels."""
        return self._way(part, "loss", lambda flow, y: _learn(flow, y, kind, options))

    def _way(self, part: Part, key: Any, end: Any) -> Way:
        way = part.ways.get(key)
        if way is None:
            flow, value, _, _ = self._emit(part.first, part.next, part.shape, part.mask)
            end(flow, value)
            way = part.ways[key] = self._finish(flow, value, masked=False)
            self.trainer.finish()
        return way
