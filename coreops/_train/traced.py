"""Built-in layers called on Tensors, inside of a user's function that is differentiated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _plan, _tape, config
from .._symbolic import leaves
from .._variables import Variable
from .chain import Chain
from .parts import Passed, Reshaped, remember
from .way import Known
from .workspace import Workspace, aligned

if TYPE_CHECKING:
    from ..layers import Layer


class Copies(Workspace):
    """Copies of variables: these stay what they are."""

    def __init__(self, dtype: np.dtype) -> None:
        super().__init__(dtype)
        self._copies: dict[int, tuple[Variable, np.ndarray, int]] = {}

    def hold(self, variable: Variable, dtype: np.dtype | None = None) -> np.ndarray:
        array = aligned(variable.shape, dtype or self.dtype)
        array[...] = variable.numpy()
        self._copies[id(variable)] = variable, array, variable.version
        return array

    def renew(self) -> None:
        """Bring the copies up to date; `pushes` tells whether one was not."""
        for key, (variable, array, version) in self._copies.items():
            if variable.version != version:
                array[...] = variable.numpy()
                self._copies[key] = variable, array, variable.version
                self.pushes += 1


class TracedChain(Chain):
    """A chain that gives gradients, and changes nothing. Penalties are results as others are: of
    what counts them the tape tells."""

    _observed = staticmethod(_plan.observed)

    def __init__(
        self,
        layer: Layer,
        graph: _plan.Graph,
        dtype: np.dtype,
        variables: list[Variable],
        training: bool,
        precision: str,
    ) -> None:
        self.copies = Copies(dtype)
        self.found: dict[int, np.ndarray] = {}  # gradients of the present way back
        self._variables_of = variables
        super().__init__(
            graph,
            self.copies,
            variables,
            layer._mask_policy,
            precision,
            training=training,
            inputs=True,
        )

    def gradient(self, variable: Variable) -> np.ndarray:
        found = self.found[id(variable)] = np.zeros(variable.shape, self.workspace.dtype)
        return found

    def add_gradient(self, variable: Variable, gradient: np.ndarray) -> None:
        self._extra[id(variable)] = self._extra.get(id(variable), 0) + gradient

    def call(
        self, arrays: list[np.ndarray], masks: list[Any]
    ) -> tuple[list[_plan.Item], list[Passed]]:
        """Return the outputs with their masks, and what was passed, which `vjp` needs; its `losses`
        are what layers have added to the loss."""
        self.copies.renew()
        passed: list[Passed] = []
        known: Known = dict(zip(self.graph.inputs, zip(arrays, masks, strict=True), strict=True))
        index = 0
        while index < self.length:
            part = self.part(index, known)
            one = self.forward(part, known)
            part.forward.forget()  # the tape keeps what was in them
            passed.append(one)
            index = part.next
        return [known[ref] for ref in self.graph.outputs], passed

    def vjp(
        self, passed: list[Passed], seeds: dict[_plan.Ref, Any], lost: list[np.ndarray]
    ) -> list[Any]:
        """Return the gradients of the inputs and of the variables. seeds: those of the outputs;
        lost: those of the losses."""
        self.copies.renew()
        self._extra: dict[int, Any] = {}
        gradients = {
            ref: np.ascontiguousarray(seed, self.workspace.dtype) for ref, seed in seeds.items()
        }
        for one in reversed(passed):
            at = len(lost) - len(one.losses)
            self.back(one._replace(seeds=lost[at:]), gradients)
            lost = lost[:at]
        self.trainer.learn(None)
        found = []
        for variable in self._variables_of:
            known = self.found.get(id(variable))
            total = (
                np.zeros(variable.shape, self.workspace.dtype) if known is None else known.copy()
            )
            found.append(total + self._extra.get(id(variable), 0))
        inputs = []
        for ref in self.graph.inputs:
            gradient = gradients.get(ref)
            if gradient is None:
                gradient = np.zeros(passed[0].known[ref][0].shape, self.workspace.dtype)
            inputs.append(gradient.copy())
        return [*inputs, *found]


def call_traced(
    layer: Layer, args: tuple, kwargs: dict[str, Any], masks: list[Any], training: bool
) -> list[tuple[Any, Any]]:
    """Call a layer whose computation is steps of a plan on Tensors, or with recorded weights.

    Returns the outputs, Tensors, each with its mask.
    """
    given = leaves((args, kwargs))
    values = [np.asarray(_tape.value_of(x)) for x in given]
    values = [np.ascontiguousarray(x) for x in layer._adapt_all(values)]
    wide = any(leaf.compute_dtype == "float64" for leaf in layer.leaves())
    dtype = np.dtype(np.float64 if wide else np.float32)
    recorded = [(v, leaf) for v in layer.weights if (leaf := _tape.leaf_of(v)) is not None]
    variables = [v for v, _ in recorded]
    kinds = tuple(
        (x.shape[1:], None if mask is None else mask.shape[1:])
        for x, mask in zip(values, masks, strict=True)
    )
    precision = layer._precision or config.matmul_precision()
    key = (
        kinds,
        layer._likeness(args, kwargs),
        dtype,
        training,
        precision,
        _kernels.isa(),
        *map(id, variables),
    )
    stamp = [(leaf, leaf._revision, leaf._trainable) for leaf in layer.leaves()]
    chains = layer._programs.setdefault("traced", {})
    kept = chains.pop(key, None)
    if kept is None or kept[0] != stamp or not kept[1].whole:
        kept = None
    values = [x.astype(dtype, copy=False) for x in values]
    for again in (kept is None, True):
        if again:
            graph = layer._graph(args, kwargs)
            kept = stamp, TracedChain(layer, graph, dtype, variables, training, precision)
        assert kept is not None
        try:
            found, passed = kept[1].call(values, masks)
            break
        except Reshaped:
            continue
    remember(chains, key, kept)
    chain: TracedChain = kept[1]
    inputs = [*given, *(leaf for _, leaf in recorded)]
    losses = [_tape.value_of(loss) for one in passed for loss in one.losses]

    def back(dys: list[np.ndarray]) -> list[Any]:
        seeds: dict[_plan.Ref, Any] = {}
        for ref, dy, (y, _) in zip(chain.graph.outputs, dys, found, strict=False):
            if y.dtype.kind == "f":  # what comes out twice is one array
                seeds[ref] = seeds[ref] + dy if ref in seeds else dy
        return chain.vjp(passed, seeds, dys[len(found) :])

    made = _tape.externals(inputs, [*(y for y, _ in found), *losses], back)
    layer._call_losses += made[len(found) :]
    return [(y, mask) for y, (_, mask) in zip(made, found, strict=False)]
