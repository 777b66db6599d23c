"""Lists and dicts of symbolic tensors, as functional models are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._symbolic import KerasTensor, Shape, in_order, is_shape, leaves, map_structure
from .._warnings import warn
from ..layers import Input
from .topology import Topology


def check_tensors(what: str, structure: Any) -> None:
    flat = leaves(structure)
    if not flat:
        raise ValueError(f"`{what}` must not be empty. Received: {what}={structure!r}")
    for x in flat:
        if not isinstance(x, KerasTensor):
            raise ValueError(
                f"All `{what}` must be symbolic tensors, from `Input` or a layer called on one. "
                f"Received: {x!r} of type {type(x).__name__}"
            )


def warn_of_keys(inputs: dict[str, Any]) -> None:
    for key, x in inputs.items():
        if isinstance(x, KerasTensor) and key != x.name:
            warn(
                f"The keys of `inputs` should be the names of the tensors. Received: {key!r} for "
                f"one named {x.name!r}; make it with `Input(..., name={key!r})`"
            )


def replayed(
    topology: Topology, inputs: list[KerasTensor], outputs: list[KerasTensor]
) -> tuple[list[KerasTensor], list[KerasTensor]]:
    """Call the layers between tensors again, with new Inputs for those from the middle of a
    model."""
    known: dict[int, Any] = {}
    for x in inputs:
        known[id(x)] = x
        if x.node is None or x.node.inputs:
            known[id(x)] = Input(batch_shape=x.shape, dtype=x.dtype, name=f"{x.name}CLONE")
    replay(topology, known, lambda layer, *args, **kwargs: layer(*args, **kwargs))
    return [known[id(x)] for x in inputs], [known[id(x)] for x in outputs]


def replay(topology: Topology, known: dict[int, Any], call: Callable[..., Any]) -> None:
    """Make the calls of a graph again, on other tensors.

    Args:
        topology: the graph.
        known: what stands for which of its tensors, by id; the results are added.
        call: is called with the layer and the arguments of each call.
    """
    for node in topology.nodes:
        if node.inputs:
            args, kwargs = map_structure(lambda x: known.get(id(x), x), (node.args, node.kwargs))
            made = leaves(call(node.layer, *args, **kwargs))
            known.update(zip(map(id, node.outputs), made, strict=True))


def flat_shapes(structure: Any) -> list[Shape]:
    if is_shape(structure):
        return [tuple(structure)]
    items = (
        [structure[key] for key in in_order(structure)]
        if isinstance(structure, dict)
        else structure
    )
    return [shape for item in items for shape in flat_shapes(item)]
