"""Finding a Python function's output shape by running it on small arrays."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _plan
from .._symbolic import Shape, alone, in_order, is_shape, leaves, map_structure, shapes_in
from .signatures import call_parameters

if TYPE_CHECKING:
    from .layer import Layer

# Sizes given to unknown dimensions: two runs that differ in every unknown size tell which sizes of
# the output depend on them. Functions that need longer or even axes get a further try.
_SIZES = ((2, 3), (4, 6), (8, 12), (16, 24))


def probe(
    run: Callable[[Any], Any], shapes: Any, dtypes: Sequence[str], what: str
) -> tuple[Any, Any]:
    """Return the shape and the dtype of `run`'s output, None where a size is unknown.

    Args:
        run: maps a structure of arrays to an array (or a structure).
        shapes: structure of shapes, batch axis first, None where unknown.
        dtypes: the names of the arrays' dtypes, in order; the last is that of all others.
        what: names the owner in the message.

    Raises:
        NotImplementedError: `run` failed on all sizes that were tried.
    """
    failure: Exception | None = None
    found = None
    for sizes in _SIZES:
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                first, second = (run(_arrays(shapes, size, _on(dtypes))) for size in sizes)
            shape = _common(first, second)
        except Exception as error:  # whatever the user's function raises
            failure = error
            continue
        found = shape, map_structure(lambda y: y.dtype.name, first)
        if all(y.size for y in leaves(first)):  # an empty output: a slice beyond these sizes
            break
    if found is not None:
        return found
    raise NotImplementedError(
        f"Could not find the output shape of {what} for inputs of shape {alone(shapes_in(shapes))} "
        f"by running it on small arrays: {type(failure).__name__}: {failure}. Give its "
        "`output_shape`, or define `compute_output_shape()`."
    ) from failure


def probe_layer(
    layer: Layer, shapes: list[Any], dtypes: Sequence[str], others: dict[str, Any]
) -> tuple[Any, Any]:
    """Return the same of a layer's Python `call`, which leaves no trace. Where it takes a mask and
    fails without, it gets one.

    Args:
        layer: the layer.
        shapes: those of the positional arguments in a list, and of keywords in a dict.
        dtypes: as above.
        others: keywords that are no arrays.

    Raises:
        NotImplementedError: the call failed on all sizes that were tried, or cannot be tried.
    """

    def run(inputs: Any, masked: bool = False) -> Any:
        args, kwargs = inputs
        mask = map_structure(lambda x: np.ones(x.shape[:2], bool), args[0]) if masked else None
        with _plan.python_scope(False):
            return layer._run(tuple(args), mask, False, {**others, **kwargs})[0]

    # Layers inside that are not built yet would be built for the sizes that are tried.
    sizes_open = any(None in shape[1:] for shape in shapes_in(shapes))
    if sizes_open and not all(inner.built for inner in layer._sublayers):
        raise NotImplementedError(
            f"Layer '{layer.name}': its output shape for {alone(shapes_in(shapes))} cannot be "
            "found before its own layers are built."
        )
    given = shapes, dtypes, f"layer '{layer.name}'"
    try:
        with undone(layer):
            try:
                return probe(run, *given)
            except NotImplementedError:
                if "mask" not in call_parameters(type(layer)):
                    raise
                return probe(lambda inputs: run(inputs, True), *given)
    finally:
        layer._clear_losses()


@contextmanager
def undone(layer: Layer) -> Iterator[None]:
    """Around a call that is only tried: what it did to variables, metrics and random streams of the
    layer is undone."""
    from ..metrics.metric import inside

    layers = list(layer._flatten_layers())
    counts = [variable for metric in inside(layers) for variable in metric.variables]
    before = [(variable, variable._version, variable.value) for variable in layer.weights + counts]
    streams = [(stream, stream.call) for one in layers for stream in one._own_streams]
    try:
        yield
    finally:
        for variable, version, value in before:
            if variable._version != version:
                variable.assign(value)
        for stream, call in streams:
            stream.call = call


def _on(dtypes: Sequence[str]) -> Iterator[str]:
    """The dtypes one by one, the last again and again."""
    return chain(dtypes, repeat(dtypes[-1]))


def _arrays(shape: Any, size: int, dtypes: Iterator[str]) -> Any:
    if shape is None:
        return None
    if is_shape(shape):
        return np.ones(tuple(size if dim is None else dim for dim in shape), next(dtypes))
    if isinstance(shape, dict):
        return {key: _arrays(shape[key], size, dtypes) for key in in_order(shape)}
    return [_arrays(item, size, dtypes) for item in shape]


def _common(first: Any, second: Any) -> Any:
    """Return the sizes in which two outputs agree, None elsewhere."""
    if isinstance(first, dict):
        return {key: _common(first[key], second[key]) for key in first}
    if isinstance(first, (list, tuple)):
        return type(first)([_common(one, two) for one, two in zip(first, second, strict=True)])
    if first.ndim != second.ndim:
        raise ValueError("the number of axes of the output depends on the sizes of the input")
    shape: Shape = tuple(
        one if one == two else None for one, two in zip(first.shape, second.shape, strict=True)
    )
    return shape
