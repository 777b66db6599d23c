"""Lambda: a Python function as a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..._symbolic import as_shape
from ...saving import objects, registry
from ..layer import Layer


class Lambda(Layer):
    """Applies any Python function to its inputs.

    A plan ends at a Lambda: the function runs on the array that has been computed so far, and a
    new plan begins with its result. It may change that array in place; the caller's stays as it
    was.

    Args:
        function: maps the inputs (an array; a list of arrays if the layer is called on one) to
            the output. If it has parameters `mask` or `training`, they are passed too.
        output_shape: shape of the output without the batch axis, or a callable from the full
            input shape to the full output shape. By default it is found by running the function
            on small arrays. It describes the output and does not change it.
        mask: the output's mask: a callable `(inputs, mask)`, or an array. None: masks are not
            supported.
        arguments: dictionary of further keyword arguments for the function.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any.

    Output shape:
        What `output_shape` says, or the function gives.

    Raises:
        TypeError: `function` is not callable, or `arguments` is no dictionary.
    """

    def __init__(
        self,
        function: Callable,
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(
                f"Layer '{self.name}': `function` must be callable. Received: {function!r}"
            )
        if arguments is not None and not isinstance(arguments, Mapping):
            raise TypeError(
                f"Layer '{self.name}': `arguments` must be a dict of keyword arguments. "
                f"Received: arguments={arguments!r}"
            )
        self.function = function
        self._output_shape = output_shape
        self.mask = mask
        self.arguments = dict(arguments or {})
        self.supports_masking = mask is not None
        self._context = _parameters(function) & {"mask", "training"}

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """Return `function(inputs, **arguments)`."""
        context = {"mask": mask, "training": training}
        wanted = {name: context[name] for name in self._context}
        return self.function(inputs, **{**wanted, **self.arguments})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if callable(self.mask):
            return self.mask(inputs, mask)
        return None if self.mask is None else np.asarray(self.mask)

    @property
    def takes_mask(self) -> bool:
        """Whether a mask may come in: there is one for the output, or the function takes it."""
        return self.supports_masking or "mask" in self._context

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the full output shape.

        Raises:
            NotImplementedError: without `output_shape`, when the function fails on small arrays.
        """
        if self._output_shape is None:
            return self._tried_shape(input_shape)
        if callable(self._output_shape):
            return _shapes(self._output_shape(input_shape))
        first = input_shape
        while first and isinstance(first[0], (tuple, list)):
            first = first[0]
        return _shapes(self._output_shape, first[:1])

    @property
    def _tells_shape(self) -> bool:
        return self._output_shape is not None

    def get_config(self) -> dict[str, Any]:
        """Return the config; functions in it are names, a lambda is only a placeholder."""
        config = {
            **super().get_config(),
            "function": objects.serialize_keras_object(self.function),
            "arguments": objects.serialize_keras_object(self.arguments),
        }
        if self._output_shape is not None:
            config["output_shape"] = objects.serialize_keras_object(self._output_shape)
        if self.mask is not None:
            config["mask"] = objects.serialize_keras_object(self.mask)
        return config

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        custom_objects: Mapping[str, Any] | None = None,
        safe_mode: bool | None = None,
    ) -> Lambda:
        """Return a new layer; functions are looked up by name among the custom objects.

        Args:
            config: what `get_config` gave.
            custom_objects: dictionary name -> function. For a Python lambda, whose code in a
                config is never run, the name is that of the layer.
            safe_mode: accepted as in Keras, without effect.

        Raises:
            ValueError: a lambda without a custom object of the layer's name.
            TypeError: a function that is not known.
        """
        config = dict(config)
        custom = dict(custom_objects or {})
        function = config["function"]
        if isinstance(function, dict) and function.get("class_name") == "__lambda__":
            own = registry.get_registered_object(config.get("name", ""), custom)
            config["function"] = own or objects.deserialize_keras_object(function, custom)
        else:
            config["function"] = objects.deserialize_keras_object(function, custom)
        for key in ("output_shape", "mask", "arguments"):
            if config.get(key) is not None:
                config[key] = objects.deserialize_keras_object(config[key], custom)
        return cls(**config)


def _shapes(structure: Any, batch: tuple = ()) -> Any:
    """Return a shape, or a structure of shapes, behind the size of the batch."""
    if isinstance(structure, dict):
        return {key: _shapes(shape, batch) for key, shape in structure.items()}
    if isinstance(structure, (tuple, list)) and any(map(_is_inner, structure)):
        return type(structure)([_shapes(shape, batch) for shape in structure])
    return (*batch, *as_shape(structure))


def _is_inner(item: Any) -> bool:
    return isinstance(item, (tuple, list, dict))


def _parameters(function: Callable) -> frozenset[str]:
    """Return the names of a function's parameters; none for builtins without a signature."""
    from inspect import signature

    try:
        return frozenset(signature(function).parameters)
    except (TypeError, ValueError):
        return frozenset()
