"""`from_keras`: a model from a live Keras model, without a file and without importing Keras."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..models import Model

_MODELS = ("Sequential", "Functional")
_INNER = ("cell", "forward_layer", "backward_layer", "layer")  # how wrappers hold a layer


def from_keras(model: Any, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """Return the coreops twin of a live Keras 3 model, with a copy of its weights.

    Args:
        model: a `keras.Sequential`, or a functional `keras.Model`. The functions of its `Lambda`
            layers are taken over as they are: they will be called with NumPy arrays.
        custom_objects: dictionary name -> class or function for layers of your own.

    Returns:
        The model. As in Keras, a mask that reaches a layer which cannot take it is dropped
        with a warning.

    Raises:
        TypeError: `model` is not a Keras model.
        ValueError: layers or options that coreops does not have, all in one message; a model that
            has an Input but no weights yet.
    """
    from .rebuild import rebuild
    from .weights import Groups

    if not all(hasattr(model, name) for name in ("layers", "_trainable_variables", "get_config")):
        raise TypeError(f"Expected a Keras 3 model. Received: {type(model).__name__}")
    custom = dict(custom_objects or {})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of lambdas, which we take as they are
            entry, groups = _entry(model, custom), Groups(_groups(model, ""))
    except NotImplementedError as error:  # a subclass of keras.Model that says nothing of itself
        raise ValueError(
            f"Keras model {model.name!r} has no config to rebuild it from: {error}"
        ) from error
    first: dict[str, Any] = next(iter(entry["config"].get("layers", ())), {})
    if first.get("class_name") == "InputLayer" and not all(layer.built for layer in model.layers):
        raise ValueError(f"Keras model {model.name!r} has no weights yet: call it on data first.")
    return rebuild(entry, groups, custom, f"Keras model {model.name!r}")


def _class_name(layer: Any) -> str:
    """Return the name of a Keras layer's class; one that computes as its base counts as that."""
    cls: Any = type(layer)
    for base in cls.__mro__:
        if base.__name__ in _MODELS and cls.call is base.call:
            return base.__name__
    return cls.__name__


def _entry(model: Any, custom: dict[str, Any]) -> dict[str, Any]:
    """Return the serialised form of a model; its live functions are put aside in `custom`."""
    config = dict(model.get_config())
    layers = {layer.name: layer for layer in model.layers}
    entries = []
    for entry in config.get("layers", ()):
        layer = layers.get(entry["config"].get("name"))
        if layer is not None and _class_name(layer) in _MODELS:
            entry = {**entry, **_entry(layer, custom)}
        elif layer is not None:
            entry = {**entry, "config": _with_functions(layer, entry["config"], custom)}
        entries.append(entry)
    if "layers" in config:
        config["layers"] = entries
    class_name = _class_name(model)
    module = "keras" if class_name in _MODELS else type(model).__module__
    return {"module": module, "class_name": class_name, "config": config}


def _with_functions(
    layer: Any, config: Mapping[str, Any], custom: dict[str, Any]
) -> dict[str, Any]:
    """Return a layer's config in which each function of the user stands by a name of its own.

    Keras' own functions keep the names that they have there, save in a Lambda.
    """
    bound = dict(config)
    everything = type(layer).__name__ == "Lambda"
    for key in config:
        function = getattr(layer, key, None)
        if function is None:
            function = getattr(layer, f"_{key}", None)
        if not callable(function) or not hasattr(function, "__name__"):
            continue
        if everything or (function.__module__ or "").partition(".")[0] != "keras":
            name = f"{layer.name}/{key}"  # no registered name has a slash
            custom[name] = function
            bound[key] = {"class_name": "function", "config": name}
    return bound


def _groups(layer: Any, path: str) -> Iterator[tuple[str, list[Any]]]:
    """Yield (path in a weights file, variables) for a Keras layer and all below it."""
    from .hdf5 import Stored
    from .paths import ClassCounter

    own = [*layer._trainable_variables, *layer._non_trainable_variables]
    if getattr(layer, "quantization_mode", None) is not None:  # a file has another order
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        own = list(store.values())
    arrays = [np.asarray(variable.numpy()) for variable in own]
    yield path, [Stored(array.shape, array.dtype, array.view) for array in arrays]
    for attribute in _INNER:
        inner = getattr(layer, attribute, None)
        if hasattr(inner, "_trainable_variables"):
            yield from _groups(inner, f"{path}/{attribute}" if path else attribute)
    if _class_name(layer) in _MODELS:
        counter = ClassCounter()
        for child in layer.layers:
            name = f"layers/{counter.next(_class_name(child))}"
            yield from _groups(child, f"{path}/{name}" if path else name)
        return
    for name, child in vars(layer).items():  # what wrappers and recurrent layers hold
        if name[0] != "_" and hasattr(child, "_trainable_variables"):
            yield from _groups(child, f"{path}/{name}")
