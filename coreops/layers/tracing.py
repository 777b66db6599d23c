"""Calls that become parts of something larger: of a graph of symbolic tensors, or of a plan."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _plan
from .._symbolic import KerasTensor, Node, in_order, is_shape, leaves, map_structure, repack

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


def call_symbolic(layer: Layer, args: tuple, kwargs: dict, training: Any, mask: Any) -> Any:
    """Build the layer and return its symbolic output, which knows where it comes from."""
    args = layer._arranged(args)
    inputs = args[0]
    layer._prepare(
        _shapes_of(inputs), [x.dtype for x in leaves(inputs)], *map(_shapes_of, args[1:])
    )
    if training is not None:
        kwargs = {**kwargs, "training": training}
    if mask is not None and any(isinstance(one, KerasTensor) for one in leaves(mask)):
        raise NotImplementedError(
            f"Layer '{layer.name}': a symbolic `mask` is not supported. Masks that layers make go "
            "along with their outputs."
        )
    return record(layer, args, kwargs, layer.compute_output_spec(*args, **kwargs))


def output_spec(layer: Layer, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Return the symbolic output for symbolic inputs; the layer is not built."""
    first = args[0]
    named = {key: x for key, x in kwargs.items() if leaves(x) and _all_symbolic(x)}
    if layer._python_call and (len(args) > 1 or named):
        shapes = _further_output_shapes(layer, _shapes_of(list(args)), _shapes_of(named))
    else:
        shapes = layer.compute_output_shape(_shapes_of(first))
    dtype = layer._output_dtype(leaves(first)[0].dtype)
    return _map_shapes(lambda shape: KerasTensor(shape, dtype), shapes)


def _further_output_shapes(layer: Layer, shapes: list[Any], named: dict[str, Any]) -> Any:
    """Return the shapes of what a Python `call` of several arguments gives."""
    from .layer import Layer as Base

    own = type(layer).compute_output_shape is not Base.compute_output_shape
    if own and not named:
        with suppress(TypeError):  # it may take but the first one's
            return layer.compute_output_shape(*shapes)
    return layer._probe([shapes, named], apart=True)


def _all_symbolic(structure: Any) -> bool:
    return all(isinstance(x, KerasTensor) for x in leaves(structure))


def _shapes_of(structure: Any) -> Any:
    return map_structure(lambda x: tuple(x.shape), structure)


def _map_shapes(fn: Any, structure: Any) -> Any:
    if is_shape(structure):
        return fn(structure)
    if isinstance(structure, dict):
        return {key: _map_shapes(fn, structure[key]) for key in in_order(structure)}
    return type(structure)([_map_shapes(fn, item) for item in structure])


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
