"""What happens in a call that does not go straight to a compiled plan."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _plan, _tape, ops
from .._symbolic import KerasTensor, is_shape, leaves, map_structure
from .input_spec import check_inputs
from .signatures import call_parameters

if TYPE_CHECKING:
    from .layer import Layer


def call_layer(
    layer: Layer, args: tuple, kwargs: dict[str, Any], training: Any, mask: Any, out: Any
) -> Any:
    """Call a layer on arrays or symbolic tensors.

    Args:
        layer: the layer.
        args: the positional arguments; numbers in them are refused.
        kwargs: keywords beyond `training`, `mask` and `out`.
        training: None, or whether to compute as in training.
        mask: the mask of the first input; None for the one attached to it.
        out: array to write the result into, or None.

    Returns:
        The output; with a mask attached if it has one.

    Raises:
        RuntimeError: the layer's `__init__` did not call its base's.
        ValueError: an argument is no array, or does not fit the layer.
        TypeError: a missing or an unknown argument, or a dtype that cannot be computed with.
    """
    layer._check_ready()
    if not args:
        args, kwargs = _first_by_name(layer, kwargs)
    plain = len(args) == 1 and isinstance(args[0], np.ndarray) and not kwargs
    if not plain:
        _refuse_non_arrays(layer, args)
    if kwargs and not layer._python_call:
        raise TypeError(
            f"Layer '{layer.name}' was called with unexpected keyword arguments: {sorted(kwargs)}"
        )
    if not plain and any(isinstance(leaf, KerasTensor) for leaf in leaves((args, kwargs))):
        return _call_symbolic(layer, args)

    outer = _plan.current_training()
    if outer is None:
        layer._clear_losses()
    training = _resolve_training(layer, training, outer)
    if layer._python_call:
        return _run_python(layer, args, kwargs, training, mask, out)
    if len(args) != 1 or isinstance(args[0], (list, tuple, dict)):
        raise ValueError(
            f"Layer '{layer.name}' expects one array. Received: {len(leaves(args))} of them."
        )
    recorded = (_tape.leaf_of(weight) is not None for weight in layer.weights)
    if isinstance(args[0], _tape.Tensor) or any(recorded):
        return _call_tensor(layer, args[0], training, mask)
    return _call_array(layer, args[0], training, mask, out, install=outer is None)


def _call_tensor(layer: Layer, x: Any, training: bool, mask: Any) -> Any:
    """Run the layer's plan as one recorded step: its input is a Tensor, or its weights are."""
    from .._train.traced import call_traced

    mask = _plan.mask_of(x) if mask is None else mask
    if not isinstance(x, _tape.Tensor):
        x = _plan.as_array(x, f"the input of layer '{layer.name}'")
    layer._prepare(_open_shape(x), x.dtype)
    return _attach(*call_traced(layer, x, mask, training))


def _call_array(
    layer: Layer, x: Any, training: bool, mask: Any, out: Any, *, install: bool
) -> np.ndarray:
    """Run the layer's plan, which is compiled if this kind of input is new."""
    mask = _plan.mask_of(x) if mask is None else np.asarray(mask)
    plain = install and mask is None
    install = plain and not training
    array = layer._adapt(_plan.as_array(x, f"the input of layer '{layer.name}'"))
    if array.dtype.kind == "c" and layer.integer_input == "cast":
        raise TypeError(f"Layer '{layer.name}' computes real numbers. Received: {array.dtype}")
    check_inputs(layer.input_spec, [array.shape], [array.dtype], layer.name)
    layer._prepare(_open_shape(array), array.dtype)
    epoch = _kernels.epoch()  # what another thread changes after this is seen at the next call
    program = layer._program(training)
    y, mask = program(array, mask, out)
    if training and plain:
        segment = program.single_segment(array)
        if segment is not None and segment.flow.batch is None:
            layer._install_training(segment.plan, tuple(segment.flow.generators), epoch)
    if install:
        plan = program.single_plan(array)
        if plan is not None:
            layer._install(plan, epoch)
    return _plan.KerasArray.attach(y, mask)


def call_python(
    layer: Layer, args: tuple, kwargs: dict[str, Any], training: Any, mask: Any, out: Any
) -> Any:
    """Call a layer on arrays by its Python `call`, where its steps do not do."""
    layer._check_ready()
    outer = _plan.current_training()
    if outer is None:
        layer._clear_losses()
    check_inputs(layer.input_spec, [args[0].shape], [args[0].dtype], layer.name)
    return _run_python(layer, args, kwargs, _resolve_training(layer, training, outer), mask, out)


def _run_python(
    layer: Layer, args: tuple, kwargs: dict[str, Any], training: bool, mask: Any, out: Any
) -> Any:
    """Run a Python `call` on arrays, or on lists or dicts of them."""
    if mask is None:
        masks = map_structure(_plan.mask_of, args[0])
        mask = masks if leaves(masks) else None
    if mask is not None and not layer.takes_mask:
        _plan.refuse_mask(layer, "the input", layer._mask_policy)
        mask = None
    args = map_structure(lambda x: _converted(layer, x), args)
    dtypes = [x.dtype for x in leaves(args[0])]
    layer._prepare(map_structure(_open_shape, args[0]), dtypes)
    with _plan.python_scope(training):
        output, masks = layer._run(args, mask, training, kwargs)
    for y in leaves(output):
        layer._add_activity_loss(y)
    if out is not None:
        np.copyto(out, output, casting="same_kind")
        output = out
    if not leaves(masks):
        return output
    return _attach(output, masks)


def _attach(output: Any, masks: Any) -> Any:
    """Attach masks to an output or a structure of them; one mask goes to the first of several."""
    if isinstance(output, np.ndarray):
        return _plan.KerasArray.attach(output, masks)
    if isinstance(output, _tape.Tensor):
        return output.masked(masks)
    outputs = output.values() if isinstance(output, dict) else output
    if isinstance(masks, dict):
        masks = masks.values()
    elif masks is None or isinstance(masks, np.ndarray):
        masks = [masks]
    attached = [_attach(y, mask) for y, mask in zip_longest(outputs, masks)]
    if isinstance(output, dict):
        return dict(zip(output, attached, strict=True))
    return type(output)(attached)


def _open_shape(array: Any) -> tuple[int | None, ...]:
    """Return an array's shape with the batch size left open."""
    return (None, *array.shape[1:]) if array.ndim else ()


def _call_symbolic(layer: Layer, args: tuple) -> Any:
    """Build the layer and return its symbolic output."""
    inputs = args[0]
    shapes = map_structure(lambda x: x.shape, inputs)
    layer._prepare(shapes, [x.dtype for x in leaves(inputs)])
    return layer.compute_output_spec(inputs)


def output_spec(layer: Layer, inputs: Any) -> Any:
    """Return the symbolic output for symbolic inputs; the layer is not built."""
    shapes = layer.compute_output_shape(map_structure(lambda x: tuple(x.shape), inputs))
    dtype = layer._output_dtype(leaves(inputs)[0].dtype)
    return _map_shapes(lambda shape: KerasTensor(shape, dtype), shapes)


def _map_shapes(fn: Any, structure: Any) -> Any:
    if is_shape(structure):
        return fn(structure)
    if isinstance(structure, dict):
        return {key: _map_shapes(fn, item) for key, item in structure.items()}
    return type(structure)([_map_shapes(fn, item) for item in structure])


def _first_by_name(layer: Layer, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Take the first input from the keywords, where `call`'s parameter names it."""
    names = list(call_parameters(type(layer)))[1:] if layer._python_call else []
    name = names[0] if names else "inputs"
    if name not in kwargs:
        raise TypeError(f"Layer '{layer.name}' was called without its input, `{name}`.")
    kwargs = dict(kwargs)
    return (kwargs.pop(name),), kwargs


def _refuse_non_arrays(layer: Layer, args: tuple) -> None:
    for value in leaves(args):
        if isinstance(value, (np.ndarray, KerasTensor, _tape.Tensor)):
            continue
        is_array = any(
            hasattr(value, attribute)
            for attribute in ("__array__", "__dlpack__", "__array_interface__")
        ) or isinstance(value, memoryview)
        if not is_array:
            raise ValueError(
                f"Layer '{layer.name}': only arrays may be passed as positional arguments. "
                f"Received: {value!r} of type {type(value).__name__}"
            )
    if not args or (args[0] is None):
        raise ValueError(f"Layer '{layer.name}': expected an array. Received: None")


def _resolve_training(layer: Layer, training: Any, outer: bool | None) -> bool:
    """The argument, else that of the enclosing call, else the default of `call`, else False."""
    if training is None:
        training = outer
    if training is None and layer._python_call:
        parameter = call_parameters(type(layer)).get("training")
        if parameter is not None and isinstance(parameter.default, bool):
            training = parameter.default
    return bool(training)


def _converted(layer: Layer, x: Any) -> Any:
    """Return a copy of an input, in the type that the layer takes."""
    if isinstance(x, _tape.Tensor):
        return ops.cast(x, layer.compute_dtype)
    array = _plan.as_array(x, f"an input of layer '{layer.name}'")
    kinds = "biuf" if layer.integer_input == "cast" else "f"
    return array.astype(layer.compute_dtype if array.dtype.kind in kinds else array.dtype)
