"""clone_model: the same model with weights of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

from .._symbolic import KerasTensor, leaves, repack
from ..layers import Input, InputLayer, Layer
from .functional import Functional
from .model import Model
from .sequential import Sequential
from .structures import check_tensors, replay


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Model:
    """Return a new model of the same configuration, with weights of its own, compiled as the model
    is, its optimizer and metrics anew.

    Args:
        model: a Sequential, a functional model, or one of a class with a `get_config`.
        input_tensors: symbolic tensors to stand on, instead of new inputs.
        clone_function: is called with each layer and returns the one to take in its place; by
            default one of the same configuration. Not for models of other classes.
        call_function: is called with each new layer of a functional model and its arguments, and
            returns what the call gives.
        recursive: models inside the model are cloned likewise, instead of by `clone_function`.

    Raises:
        ValueError: an argument that is not for this kind of model, or `input_tensors` that are
            not as many symbolic tensors as the model has inputs.
    """
    clone = _Cloning(clone_function, call_function, recursive).model(model, input_tensors)
    if model.compiled:
        arguments = dict(model._compile_arguments)
        optimizer = arguments.pop("optimizer")
        if optimizer is not None:
            optimizer = type(optimizer).from_config(optimizer.get_config())
        clone.compile(optimizer, **copy.deepcopy(arguments))
    return clone


class _Cloning:
    """One call of `clone_model`: a layer that is met twice is cloned once."""

    def __init__(
        self, clone: Callable[[Layer], Layer] | None, call: Callable[..., Any] | None, deep: bool
    ) -> None:
        self.clone, self.call, self.deep = clone, call, deep
        self.made: dict[int, Layer] = {}

    def model(self, model: Model, tensors: Any = None) -> Any:
        if not isinstance(model, Model):
            raise ValueError(f"clone_model: `model` must be a model. Received: {model!r}")
        if not isinstance(model, (Sequential, Functional)):
            for name, value in (
                ("input_tensors", tensors),
                ("clone_function", self.clone),
                ("call_function", self.call),
            ):
                if value is not None:
                    raise ValueError(
                        f"`{name}` is for Sequential and functional models. Received a model of "
                        f"the class {type(model).__name__}"
                    )
        as_is = tensors is None and self.clone is None and self.call is None and not self.deep
        if as_is or not isinstance(model, (Sequential, Functional)):
            return type(model).from_config(model.get_config())
        if isinstance(model, Functional):
            return self.functional(model, tensors)
        return self.sequential(model, tensors)

    def layer(self, layer: Layer) -> Layer:
        if id(layer) not in self.made:
            if self.deep and isinstance(layer, (Sequential, Functional)):
                made = _Cloning(self.clone, self._call_for(layer), True)
                made.made = self.made
                clone = made.model(layer)
            elif self.clone is not None:
                clone = self.clone(layer)
            else:
                clone = type(layer).from_config(layer.get_config())
            self.made[id(layer)] = clone
        return self.made[id(layer)]

    def _call_for(self, layer: Layer) -> Callable[..., Any] | None:
        return self.call if isinstance(layer, Functional) else None

    def sequential(self, model: Sequential, tensors: Any) -> Sequential:
        if self.call is not None:
            raise ValueError(
                f"`call_function` is for functional models: the layers of '{model.name}' are not "
                "called one by one."
            )
        first: list[Any] = [] if model._input_layer is None else [model._input_layer]
        if tensors is not None:
            first = _given(tensors, 1, model.name)
        elif first:
            first = [InputLayer.from_config(first[0].get_config())]
        return Sequential([*first, *map(self.layer, model.layers)], name=model.name)

    def functional(self, model: Functional, tensors: Any) -> Functional:
        if tensors is None:
            inputs: Sequence[KerasTensor] = [
                Input(batch_shape=x.shape, dtype=x.dtype, name=x.name) for x in model.inputs
            ]
        else:
            inputs = _given(tensors, len(model.inputs), model.name)
        known: dict[int, Any] = dict(zip(map(id, model.inputs), inputs, strict=True))
        call = self.call or (lambda layer, *args, **kwargs: layer(*args, **kwargs))
        replay(
            model._topology,
            known,
            lambda layer, *args, **kwargs: call(self.layer(layer), *args, **kwargs),
        )
        outputs = [known[id(x)] for x in model.outputs]
        return type(model)(
            inputs=repack(model._inputs_struct, inputs),
            outputs=repack(model._outputs_struct, outputs),
            name=model.name,
        )


def _given(tensors: Any, count: int, name: str) -> list[KerasTensor]:
    """The symbolic tensors that a clone is to stand on; those of input layers among them."""
    found = [x.output if isinstance(x, InputLayer) else x for x in leaves(tensors)]
    check_tensors("input_tensors", found)
    if len(found) != count:
        raise ValueError(
            f"Model '{name}' has {count} input(s). Received: input_tensors={tensors!r}"
        )
    return found
