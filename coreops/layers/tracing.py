"""Calls that become parts of something larger: of a graph of symbolic tensors, or of a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _plan
from .._symbolic import KerasTensor, Node, leaves, map_structure, repack

if TYPE_CHECKING:
    from .layer import Layer
    from .steps import Steps


def record(layer: Layer, args: tuple, kwargs: dict[str, Any], result: Any) -> Any:
    """Remember a call on symbolic tensors, from which a model can be made. Returns the result."""
    given = {id(x) for x in leaves((args, kwargs)) if isinstance(x, KerasTensor)}

    def fresh(x: KerasTensor) -> KerasTensor:
        return KerasTensor(x.shape, x.dtype) if id(x) in given or x.node is not None else x

    result = map_structure(fresh, result)
    Node(layer, args, kwargs, result)
    return result


def python_seam(
    layer: Layer, training: bool, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> _plan.Seam:
    """Return the seam at which a layer's Python `call` runs, for arguments with Values in them."""
    flat = leaves((args, kwargs))
    values = [x for x in flat if isinstance(x, _plan.Value)]
    if len(args) == 1 and isinstance(args[0], _plan.Value) and not kwargs:
        return _plan.Seam(args[0], lambda array, mask: layer._run((array,), mask, training, {}))

    def run(arrays: list[Any], masks: list[Any]) -> Any:
        items = iter(zip(arrays, masks, strict=True))
        pairs = [next(items) if isinstance(x, _plan.Value) else (x, None) for x in flat]
        filled, named = repack((args, kwargs), [x for x, _ in pairs])
        first = repack(args[0], [Masked(mask) for _, mask in pairs[: len(leaves(args[0]))]])
        mask = map_structure(lambda one: one.mask, first)
        return layer._run(filled, mask if leaves(mask) else None, training, named)

    return _plan.Seam(values, run)


class Masked:
    """Holds a mask, or None, in a structure in which None would be no leaf."""

    __slots__ = ("mask",)

    def __init__(self, mask: Any) -> None:
        self.mask = mask


def run_steps(steps: Steps, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Compute what a built-in layer would, on arrays."""
    flat = [np.ascontiguousarray(x) for x in leaves((args, kwargs))]
    graph = _plan.Graph(len(flat))
    args, kwargs = repack((args, kwargs), graph.inputs)
    graph.end(graph.call(steps, args, kwargs))
    program = _plan.Program(graph, training=bool(_plan.current_training()))
    return program(flat)[0][0]
