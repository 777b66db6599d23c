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


def check_cudnn(layer: str, use_cudnn: Any) -> None:
    """Raise ValueError for what Keras does not take either."""
    if use_cudnn not in ("auto", True, False):
        raise ValueError(
            f"Layer '{layer}': `use_cudnn` must be 'auto', True or False; it changes nothing here. "
            f"Received: use_cudnn={use_cudnn!r}"
        )


def as_list(states: Any) -> list[Any]:
    return list(states) if isinstance(states, (list, tuple)) else [states]
