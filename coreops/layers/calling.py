"""What happens in a call that does not go straight to a compiled plan."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _plan, _tape, ops
from .._symbolic import KerasTensor, leaves, map_structure, repack
from . import again
from .arguments import mask_array
from .input_spec import check_inputs
from .signatures import call_parameters
from .tracing import call_symbolic, taken_dtype

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
    several = len(args) == 1 and isinstance(args[0], (list, tuple, dict))
    if several and mask is None and out is None and not (training or kwargs):
        made = again.answer(layer, args[0])
        if made is not None:
            return made
    layer._check_ready()
    if len(args) == 2 and layer._mask_comes_second and mask is None:
        first, mask = args
        args = (first,)
    elif len(args) > 1 and layer._python_call:
        args, kwargs, mask = _mask_by_name(layer, args, kwargs, mask)
    if not args:
        args, kwargs = _first_by_name(layer, kwargs)
    plain = len(args) == 1 and isinstance(args[0], np.ndarray) and not kwargs
    if not plain:
        _refuse_non_arrays(layer, args)
    unknown = sorted(kwargs.keys() - {*layer._call_arguments})
    if unknown and not layer._python_call:
        raise TypeError(
            f"Layer '{layer.name}' was called with unexpected keyword arguments: {unknown}"
        )
    if not plain and any(isinstance(leaf, KerasTensor) for leaf in leaves((args, kwargs))):
        return call_symbolic(layer, args, kwargs, training, mask)

    outer = _plan.current_training()
    if outer is None:
        layer._clear_losses()
    training = _resolve_training(layer, training, outer)
    if layer._python_call:
        return _run_python(layer, args, kwargs, training, mask, out)
    args = layer._arranged(args)
    recorded = (_tape.leaf_of(weight) is not None for weight in layer.weights)
    if any(isinstance(x, _tape.Tensor) for x in leaves((args, kwargs))) or any(recorded):
        return _call_tensor(layer, args, kwargs, training, mask)
    if len(args) == 1 and not kwargs and not isinstance(args[0], (list, tuple, dict)):
        return _call_array(layer, args[0], training, mask, out, install=outer is None)
    return _call_arrays(layer, args, kwargs, training, mask, out)


def _call_tensor(layer: Layer, args: tuple, kwargs: dict, training: bool, mask: Any) -> Any:
    """Run the layer's plan as one recorded step: its input is a Tensor, or its weights are."""
    from .._train.traced import call_traced

    what = f"an input of layer '{layer.name}'"
    args, kwargs = map_structure(
        lambda x: x if isinstance(x, _tape.Tensor) else _plan.as_array(x, what), (args, kwargs)
    )
    given = leaves((args, kwargs))
    masks = _given_masks(layer, args[0], mask) or list(map(_plan.mask_of, given))
    masks += [None] * (len(given) - len(masks))
    layer._prepare(map_structure(_open_shape, args[0]), [x.dtype for x in leaves(args[0])])
    found = call_traced(layer, args, kwargs, masks, training)
    return layer._packed([_attach(*item) for item in found])


def _call_array(
    layer: Layer, x: Any, training: bool, mask: Any, out: Any, *, install: bool
) -> np.ndarray:
    """Run the layer's plan, which is compiled if this kind of input is new."""
    mask = _plan.mask_of(x) if mask is None else mask_array(layer.name, mask)
    plain = install and mask is None
    install = plain and not training
    given = _plan.as_array(x, f"the input of layer '{layer.name}'")
    array = layer._adapt(given)
    if array.dtype.kind == "c" and layer.integer_input == "cast":
        raise TypeError(f"Layer '{layer.name}' computes real numbers. Received: {array.dtype}")
    check_inputs(layer.input_spec, [array.shape], [array.dtype], layer.name)
    layer._prepare(_open_shape(array), array.dtype)
    epoch = _kernels.epoch()  # what another thread changes after this is seen at the next call
    program = layer._program(training)
    found = program((array,), (mask,), out)
    if len(found) > 1 or layer._wraps_output:
        return layer._packed([_plan.KerasArray.attach(*item) for item in found])
    y, mask = found[0]
    if training and plain:
        segment = program.single_segment(array)
        if segment is not None and segment.plan is not None and segment.flow.batch is None:
            layer._install_training(segment.plan, tuple(segment.flow.generators), epoch)
    if install:
        plan = program.single_plan(array, cast=True)
        if plan is not None:
            if not plan.integers and given.dtype != array.dtype:
                plan.integers = int(given.dtype.kind in "iu")  # which the layer itself casts
            layer._install(plan, epoch)
    return _plan.KerasArray.attach(y, mask)


def _call_arrays(
    layer: Layer, args: tuple, kwargs: dict, training: bool, mask: Any, out: Any
) -> Any:
    """Run the plan of a layer that takes several arrays."""
    given = leaves((args, kwargs))
    what = f"an input of layer '{layer.name}'"
    masks = _given_masks(layer, args[0], mask) or list(map(_plan.mask_of, given))
    arrays = layer._adapt_all([_plan.as_array(x, what) for x in given])
    args, kwargs = repack((args, kwargs), arrays)
    firsts = leaves(args[0])
    check_inputs(layer.input_spec, [x.shape for x in firsts], [x.dtype for x in firsts], layer.name)
    layer._prepare(map_structure(_open_shape, args[0]), [x.dtype for x in firsts])
    epoch = _kernels.epoch()
    program = layer._program(training, True, args, kwargs)
    if not (training or kwargs or any(mask is not None for mask in masks)):
        again.remember(layer, program, arrays, epoch)
    found = program(arrays, [*masks, *[None] * (len(arrays) - len(masks))], out)
    return layer._packed([_plan.KerasArray.attach(*item) for item in found])


def _given_masks(layer: Layer, first: Any, mask: Any) -> list[Any] | None:
    """Return the masks that a call was given for the arrays of its first argument."""
    if mask is None:
        return None
    if not isinstance(first, (list, tuple, dict)):
        return [mask_array(layer.name, mask)]
    masks = list(mask.values()) if isinstance(mask, dict) else mask
    if not isinstance(masks, (list, tuple)) or len(masks) != len(leaves(first)):
        raise ValueError(
            f"Layer '{layer.name}': `mask` should be a list with a mask, or None, for each of "
            f"{len(leaves(first))} inputs. Received: mask={mask}"
        )
    return [None if one is None else mask_array(layer.name, one) for one in masks]


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
    arrays = (np.ndarray, _tape.Tensor)
    kwargs = map_structure(lambda x: _converted(layer, x) if isinstance(x, arrays) else x, kwargs)
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


def _first_by_name(layer: Layer, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Take the first input from the keywords, where `call`'s parameter names it."""
    names = list(call_parameters(type(layer)))[1:] if layer._python_call else []
    name = names[0] if names else "inputs"
    if name not in kwargs:
        raise TypeError(f"Layer '{layer.name}' was called without its input, `{name}`.")
    kwargs = dict(kwargs)
    return (kwargs.pop(name),), kwargs


def _mask_by_name(
    layer: Layer, args: tuple, kwargs: dict[str, Any], mask: Any
) -> tuple[tuple, dict[str, Any], Any]:
    """Take the mask from the positional arguments, where `call` has it there; those behind it go
    by name."""
    names = list(call_parameters(type(layer)))[1 : len(args) + 1]
    if "mask" not in names:
        return args, kwargs, mask
    place = names.index("mask")
    behind = dict(zip(names[place + 1 :], args[place + 1 :], strict=True))
    return args[:place], {**kwargs, **behind}, args[place]


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
    return array.astype(taken_dtype(layer, array.dtype.name))
