"""merge: the function that Keras 1 had for all that combines several arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ... import _legacy
from ..core.lambda_layer import Lambda
from .base import Merge
from .concatenate import Concatenate
from .dot import Dot
from .elementwise import Add, Average, Maximum, Multiply

_CLASSES: dict[str, type[Merge]] = {
    cls.__name__: cls for cls in (Add, Average, Concatenate, Dot, Maximum, Multiply)
}


def merge(
    inputs: Sequence[Any],
    mode: str | Callable[..., Any] = "sum",
    concat_axis: int = -1,
    dot_axes: Any = -1,
    output_shape: Any = None,
    output_mask: Any = None,
    arguments: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Any:
    """Return what a layer makes of a list of arrays, or of symbolic tensors.

    Args:
        inputs: the list.
        mode: "sum", "mul", "ave", "max", "concat", "dot", "cos", or a function of the list.
        concat_axis: the axis for "concat", counted with the batch axis.
        dot_axes: the axis of both, or of each, for "dot" and "cos".
        output_shape: of a function's result, without the batch axis, or a function of the shapes.
        output_mask: of a function: a mask, or a function of the list of masks if there are any.
        arguments: further keyword arguments of a function.
        name: of the layer.

    Raises:
        ValueError: no such mode, or arrays that do not fit.
    """
    _legacy.warn_of_merge(mode)
    if callable(mode):
        mask = output_mask
        if callable(output_mask):

            def mask(inputs: Any, masks: Any) -> Any:
                known = masks is not None and any(one is not None for one in masks)
                return output_mask(masks) if known else None

        return Lambda(mode, output_shape, mask, arguments, name=name)(inputs)
    found = _legacy.merge_by_mode(mode, concat_axis, dot_axes)
    if found is None:
        raise ValueError(f"Invalid merge mode: {mode!r}")
    class_name, options = found
    return _CLASSES[class_name](**options, name=name)(inputs)
