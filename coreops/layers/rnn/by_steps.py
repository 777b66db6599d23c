"""A recurrent layer one step of time after the other, by `ops`: what the kernels cannot do, such as
an activation that is a function of a user's. Recorded where gradients are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import ops, random

if TYPE_CHECKING:
    from .recurrent import Recurrent


def run(
    layer: Recurrent, x: Any, mask: Any, states: list[Any] | None, training: bool
) -> tuple[Any, list[Any]]:
    """Return the layer's output for x (batch, steps, features), and its last states."""
    cell = layer.cell
    batch, steps = x.shape[:2]
    if states is None:
        states = [np.zeros((batch, cell.units), layer.compute_dtype)] * cell.states
    masks = _Masks(cell, x, states[0], training)
    made: list[Any] = []
    order = range(steps - 1, -1, -1) if layer.go_backwards else range(steps)
    output: Any = np.zeros((batch, cell.units), layer.compute_dtype)
    nothing = output
    for t in order:
        new = cell.advance(masks.of_input(x[:, t]), masks.of_state(states[0]), states)
        if mask is None:
            states, output = new, new[0]
        else:
            on = np.asarray(mask)[:, t, None].astype(bool)
            output = ops.where(on, new[0], nothing if layer.zero_output_for_mask else output)
            states = [ops.where(on, a, b) for a, b in zip(new, states, strict=True)]
        made.append(output)
    return (ops.stack(made, axis=1) if layer.return_sequences else output), states


class _Masks:
    """The noise of dropout, drawn once for all steps: as in Keras one for all gates, or for the
    input and the state of each, if the state has any."""

    def __init__(self, cell: Any, x: Any, h: Any, training: bool) -> None:
        self._gates = cell.gates
        rate, recurrent = cell.drops if training else (0.0, 0.0)
        count = cell.gates if recurrent else 1
        self._input = self._draw(cell, rate, count, x[:, 0].shape, x.dtype)
        self._state = self._draw(cell, recurrent, cell.gates, h.shape, x.dtype)

    def _draw(self, cell: Any, rate: float, count: int, shape: Any, dtype: Any) -> list[Any]:
        if not rate:
            return []
        ones = np.ones(shape, dtype)
        return [random.dropout(ones, rate, seed=cell.seed_generator) for _ in range(count)]

    def _times(self, x: Any, noise: list[Any]) -> list[Any]:
        made = [x * one for one in noise] or [x]
        return made * (self._gates // len(made))

    def of_input(self, x: Any) -> list[Any]:
        return self._times(x, self._input)

    def of_state(self, h: Any) -> list[Any]:
        return self._times(h, self._state)
