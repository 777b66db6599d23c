"""How recurrent layers are called: with states to begin with, in one form or another."""

from __future__ import annotations

from typing import Any

from ... import _plan
from ..layer import Layer


def arranged(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments of a call, the input and perhaps a list of states, of whatever form they
    were: `(x, states)`, or Keras 2's `([x, *states],)`."""
    first, *more = args
    if isinstance(first, (list, tuple)) and first:
        first, more = first[0], [[*first[1:], *more]]
    more = [as_list(states) for states in more if states is not None]
    return (first, *(states for states in more if states))


def values_of(layer: Layer, states: Any, sizes: list[int]) -> list[_plan.Value]:
    """Return the states that a layer is to begin with, as many as it has sizes of, or none."""
    if states is None:
        return []
    given = [states] if isinstance(states, _plan.Value) else list(states)
    if given and len(given) != len(sizes):
        raise ValueError(
            f"Layer '{layer.name}' has {len(sizes)} state(s). Received: {len(given)} in "
            "`initial_state`"
        )
    for state, units in zip(given, sizes, strict=False):
        if state.shape != (units,):
            raise ValueError(
                f"Layer '{layer.name}': expected `initial_state` to hold an array of shape "
                f"{(None, units)}. Received one of shape {(None, *state.shape)}"
            )
    return given


def check_mask(layer: Layer, x: _plan.Value) -> None:
    """Raise ValueError for an input whose mask is not one of its steps."""
    steps = x.shape[0]
    if x.mask is not None and x.mask.shape not in ((steps,), (steps, 1)):
        raise ValueError(
            f"Layer '{layer.name}': expected a mask of {steps} steps. Received one of shape "
            f"{(None, *x.mask.shape)}"
        )


def as_list(states: Any) -> list[Any]:
    return list(states) if isinstance(states, (list, tuple)) else [states]
