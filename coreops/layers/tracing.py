"""Calls that become parts of something larger: of a graph of symbolic tensors, or of a plan."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _plan
from .._symbolic import KerasTensor, Node, in_order, is_shape, leaves, map_structure, repack
from .signatures import call_parameters

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
    if any(isinstance(one, KerasTensor) for one in leaves(mask)):
        if not _takes_symbolic_mask(layer, inputs):
            raise NotImplementedError(
                f"Layer '{layer.name}': a symbolic `mask` is not supported. Masks that layers make "
                "go along with their outputs."
            )
        kwargs = {**kwargs, "mask": mask}
    return record(layer, args, kwargs, layer.compute_output_spec(*args, **kwargs))


def _takes_symbolic_mask(layer: Layer, inputs: Any) -> bool:
    if layer._python_call:
        return "mask" in call_parameters(type(layer))
    return layer.takes_mask and isinstance(inputs, KerasTensor)


def output_spec(layer: Layer, args: tuple, kwargs: dict[str, Any]) -> Any:
    """Return the symbolic output for symbolic inputs; the layer is not built."""
    first = args[0]
    if not layer._python_call:
        shapes = layer.compute_output_shape(_shapes_of(first))
        dtype = layer._output_dtype(leaves(first)[0].dtype)
        return _map_shapes(lambda shape: KerasTensor(shape, dtype), shapes)
    named = {key: x for key, x in kwargs.items() if _is_symbolic(x)}
    if layer._tells_shape and not named.keys() - {"mask"}:
        with suppress(TypeError) if len(args) > 1 else nullcontext():  # it may take but one shape
            shapes = layer.compute_output_shape(*map(_shapes_of, args))
            return _map_shapes(lambda shape: KerasTensor(shape, layer.compute_dtype), shapes)
    return _tried(layer, args, named, {key: x for key, x in kwargs.items() if key not in named})


def _tried(layer: Layer, args: tuple, named: dict[str, Any], others: dict[str, Any]) -> Any:
    """Return the symbolic output of a Python `call`, found by running it. named: the arguments by
    name that are symbolic."""
    from .probe import probe_layer

    given = [list(args), named]
    dtypes = [taken_dtype(layer, x.dtype) for x in leaves(given)]
    shapes, found = probe_layer(layer, _shapes_of(given), dtypes, others)
    kinds = iter(leaves(found))
    return _map_shapes(lambda shape: KerasTensor(shape, next(kinds)), shapes)


def _is_symbolic(structure: Any) -> bool:
    flat = leaves(structure)
    return bool(flat) and all(isinstance(x, KerasTensor) for x in flat)


def _shapes_of(structure: Any) -> Any:
    return map_structure(lambda x: tuple(x.shape), structure)


def _map_shapes(fn: Any, structure: Any) -> Any:
    if is_shape(structure):
        return fn(structure)
    if isinstance(structure, dict):
        return {key: _map_shapes(fn, structure[key]) for key in in_order(structure)}
    return type(structure)([_map_shapes(fn, item) for item in structure])


def taken_dtype(layer: Layer, dtype: str) -> str:
    """Return the type in which a Python `call` gets an array of another."""
    kind = "f" if dtype == "bfloat16" else np.dtype(dtype).kind
    return layer.compute_dtype if _plan.casts(layer, kind) else dtype


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
