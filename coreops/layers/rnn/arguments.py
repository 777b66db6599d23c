"""How recurrent layers are called: with states to begin with, in one form or another."""

from __future__ import annotations

from typing import Any

from ... import _plan, _tape
from ..._symbolic import leaves
from ..layer import Layer


def arranged(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the arguments of a call, the input and perhaps a list of states, of whatever form they
    were: `(x, states)`, or Keras 2's `([x, *states],)`."""
    first, *more = args
    if isinstance(first, (list, tuple)) and first:
        first, more = first[0], [[*first[1:], *more]]
    more = [as_list(states) for states in more if states is not None]
    return (first, *(states for states in more if states))


def recorded(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a layer step by step if it gives several arrays and is recorded, as within a user's
    function that is trained: the way back through its plan is that of one array. Else None."""
    if layer._output_count == 1 or not args:
        return None
    arrays = leaves((args, kwargs))
    if not any(isinstance(one, _tape.Tensor) for one in arrays) and not any(
        _tape.leaf_of(weight) is not None for weight in layer.weights
    ):
        return None
    from ..calling import call_python

    first, *states = arranged(args)
    options = dict(kwargs)
    training, mask, out = (options.pop(name, None) for name in ("training", "mask", "out"))
    if states:
        options["initial_state"] = states[0]
    return call_python(layer, (first,), options, training, mask, out)


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
