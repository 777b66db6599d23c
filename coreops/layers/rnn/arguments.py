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


def values_of(layer: Layer, states: Any, count: int) -> list[_plan.Value]:
    """Return the states that a layer is to begin with, as many as it has, or none."""
    if states is None:
        return []
    given = [states] if isinstance(states, _plan.Value) else list(states)
    if given and len(given) != count:
        raise ValueError(
            f"Layer '{layer.name}' has {count} state(s). Received: {len(given)} in `initial_state`"
        )
    return given


def as_list(states: Any) -> list[Any]:
    return list(states) if isinstance(states, (list, tuple)) else [states]
