"""What the signatures of users' `call` and `__init__` tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .._symbolic import KerasTensor

if TYPE_CHECKING:
    from .layer import Layer


def call_parameters(cls: type[Layer]) -> dict[str, Any]:
    """Return the parameters of a class's `call` by name, `self` first."""
    known = cls.__dict__.get("_call_parameters")
    if known is None:
        from inspect import signature

        known = cls._call_parameters = dict(signature(cls.call).parameters)
    return known


def further_shapes(cls: type[Layer]) -> int:
    """Return how many shapes a class's `build` takes beside the first."""
    from inspect import signature

    kinds = [p.kind for p in signature(cls.build).parameters.values()]
    return sum(kind is kind.POSITIONAL_OR_KEYWORD for kind in kinds) - 2


def check_takes_one_input(layer: Layer) -> None:
    """Raise ValueError if a user's layer cannot stand in a Sequential."""
    if not layer._python_call:
        return
    parameters = list(call_parameters(type(layer)).values())[1:]
    needed = [p.name for p in parameters if p.default is p.empty and "VAR" not in p.kind.name]
    if not parameters or len(needed) > 1:
        raise ValueError(
            f"Layer '{layer.name}' cannot be added to a Sequential: its `call` must take one "
            f"input. Received: {type(layer).__name__}.call with inputs {needed}"
        )


def takes_inputs_and_outputs(cls: type[Layer]) -> bool:
    """Whether a class of models is made of inputs and outputs, so that its config is its graph; one
    whose `__init__` makes these itself has the arguments of that."""
    from inspect import signature

    parameters = list(signature(cls.__init__).parameters.values())[1:]
    takes_all = {"VAR_POSITIONAL", "VAR_KEYWORD"} <= {p.kind.name for p in parameters}
    return takes_all or [p.name for p in parameters[:2]] == ["inputs", "outputs"]


def init_arguments(layer: Layer) -> dict[str, Any]:
    """Return the arguments that a user's layer was made with, as plain values."""
    from inspect import signature

    from ..saving.objects import serialize_keras_object

    args, kwargs = layer._init_args
    bound = signature(type(layer).__init__).bind(layer, *args, **kwargs)
    bound.apply_defaults()
    arguments: dict[str, Any] = {}
    unnamed: tuple[Any, ...] = ()
    for name, value in list(bound.arguments.items())[1:]:
        kind = bound.signature.parameters[name].kind
        if kind is kind.VAR_POSITIONAL:
            unnamed = value
        else:
            arguments.update(value if kind is kind.VAR_KEYWORD else {name: value})
    try:
        if unnamed:
            raise TypeError(f"{len(unnamed)} without a name")
        if any(isinstance(v, (np.ndarray, KerasTensor)) for v in arguments.values()):
            raise TypeError("an array")
        return serialize_keras_object(arguments)
    except TypeError as error:
        raise NotImplementedError(
            f"Layer class {type(layer).__name__} was made with arguments that are not plain "
            f"values ({error}): it should define `get_config()`."
        ) from None
