"""Built-in layers called on Tensors, inside of a user's function that is differentiated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _tape
from .._variables import Variable
from .chain import Chain, Passed, Reshaped, remember
from .workspace import Workspace, aligned

if TYPE_CHECKING:
    from ..layers import Layer


class Copies(Workspace):
    """Copies of variables: these stay what they are."""

    def __init__(self, dtype: np.dtype) -> None:
        super().__init__(dtype)
        self._copies: dict[int, tuple[Variable, np.ndarray, int]] = {}

    def hold(self, variable: Variable) -> np.ndarray:
        array = aligned(variable.shape, self.dtype)
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
    """A chain that gives gradients, and changes nothing."""

    def __init__(self, layer: Layer, dtype: np.dtype, variables: list[Variable], training: bool):
        self.copies = Copies(dtype)
        self.found: dict[int, np.ndarray] = {}  # gradients of the present way back
        self._layer, self._variables_of = layer, variables
        super().__init__(
            layer.leaves(), self.copies, variables, layer._mask_policy, training=training
        )

    def gradient(self, variable: Variable) -> np.ndarray:
        found = self.found[id(variable)] = np.zeros(variable.shape, self.workspace.dtype)
        return found

    def add_gradient(self, variable: Variable, gradient: np.ndarray) -> None:
        self._extra[id(variable)] = self._extra.get(id(variable), 0) + gradient

    def call(self, x: np.ndarray, mask: Any) -> tuple[np.ndarray, Any, list[Passed]]:
        """Return the output, its mask, and what `vjp` needs."""
        self.copies.renew()
        passed: list[Passed] = []
        index = 0
        while index < self.length:
            part = self.part(index, x, mask)
            x, mask, one = self.forward(part, x, mask)
            penalty = part.ways["forward"].mean_penalty()
            part.ways["forward"].buffers.clear()  # the tape keeps what was in them
            if penalty is not None:  # the gradients of penalties are added on the way back
                self._layer._call_losses.append(penalty)
            losses = map(_tape.value_of, one.losses)
            self._layer._call_losses += [np.asarray(loss)[()] for loss in losses]
            passed.append(one)
            index = part.next
        return x, mask, passed

    def vjp(self, passed: list[Passed], dy: np.ndarray) -> list[Any]:
        """Return the gradients of the input and of the variables."""
        self.copies.renew()
        self._extra: dict[int, Any] = {}
        gradient: Any = np.ascontiguousarray(dy, self.workspace.dtype)
        for one in reversed(passed):
            gradient = self.back(one, gradient, True)
        self.trainer.learn(None)
        found = []
        for variable in self._variables_of:
            known = self.found.get(id(variable))
            total = (
                np.zeros(variable.shape, self.workspace.dtype) if known is None else known.copy()
            )
            found.append(total + self._extra.get(id(variable), 0))
        return [gradient.copy(), *found]


def call_traced(layer: Layer, x: Any, mask: Any, training: bool) -> tuple[Any, Any]:
    """Call a layer whose computation is steps of a plan on a Tensor, or with recorded weights.

    Returns the output, a Tensor, and its mask.
    """
    value = np.ascontiguousarray(layer._adapt(_tape.value_of(x)))
    wide = any(leaf.compute_dtype == "float64" for leaf in layer.leaves())
    dtype = np.dtype(np.float64 if wide else np.float32)
    leaves = [(v, _tape.leaf_of(v)) for v in layer.weights]
    recorded = [(v, leaf) for v, leaf in leaves if leaf is not None]
    variables = [v for v, _ in recorded]
    masked = None if mask is None else mask.shape[1:]
    key = (value.shape[1:], masked, dtype, training, _kernels.isa(), *map(id, variables))
    stamp = [(leaf, leaf._revision) for leaf in layer.leaves()]
    chains = layer._programs.setdefault("traced", {})
    made = chains.pop(key, None)
    if made is None or made[0] != stamp or not made[1].whole:
        made = stamp, TracedChain(layer, dtype, variables, training)
    value = value.astype(dtype, copy=False)
    try:
        y, mask, passed = made[1].call(value, mask)
    except Reshaped:
        made = stamp, TracedChain(layer, dtype, variables, training)
        y, mask, passed = made[1].call(value, mask)
    remember(chains, key, made)
    chain = made[1]
    inputs = [x, *(leaf for _, leaf in recorded)]
    return _tape.external(inputs, y, lambda dy: chain.vjp(passed, dy)), mask
