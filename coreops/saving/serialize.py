"""Objects to configs, in Keras 3's form."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType, FunctionType
from typing import Any

import numpy as np

from .._warnings import warn
from . import registry

PLAIN_TYPES = (str, int, float, bool)


def serialize_keras_object(obj: Any) -> Any:
    """Return the JSON-able config of an object.

    Numbers, strings and None are returned as they are, containers element by element.

    Raises:
        TypeError: for an object without `get_config` and without a name.
        ValueError: for a config that holds itself.
    """
    if obj is None or isinstance(obj, PLAIN_TYPES):
        return obj
    if isinstance(obj, (list, tuple)):
        items = [serialize_keras_object(item) for item in obj]
        return tuple(items) if isinstance(obj, tuple) else items
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if isinstance(obj, bytes):
        return {"class_name": "__bytes__", "config": {"value": obj.decode("utf-8")}}
    if isinstance(obj, slice):
        bounds = {"start": obj.start, "stop": obj.stop, "step": obj.step}
        return {"class_name": "__slice__", "config": serialize_keras_object(bounds)}
    if isinstance(obj, EllipsisType):
        return {"class_name": "__ellipsis__", "config": {}}
    if isinstance(obj, (np.ndarray, np.generic)):
        if obj.ndim == 0:
            return obj.item()
        value = {"value": obj.tolist(), "dtype": obj.dtype.name}
        return {"class_name": "__numpy__", "config": value}
    if isinstance(obj, np.dtype):
        return obj.name
    if hasattr(obj, "get_config") and not isinstance(obj, type):
        return _serialize_instance(obj)
    if hasattr(obj, "__name__"):
        return _serialize_function(obj)
    raise TypeError(
        f"Cannot serialize {obj!r} of type {type(obj).__name__}: it has no `get_config()` method."
    )


def _serialize_instance(obj: Any) -> dict[str, Any]:
    cls = type(obj)
    inner = obj.get_config()
    if not isinstance(inner, dict):
        raise TypeError(f"{cls.__name__}.get_config() must return a dict. It returned: {inner!r}")
    module = registry.keras_module(cls)
    try:
        inner = serialize_keras_object(inner)
    except RecursionError:
        raise ValueError(
            f"{cls.__name__}.get_config() gives what holds itself, or is nested too deeply."
        ) from None
    config = {
        "module": module or _user_module(cls),
        "class_name": cls.__name__,
        "config": inner,
        "registered_name": registry.written_name(cls),
    }
    for key in ("build_config", "compile_config"):
        if hasattr(obj, f"get_{key}"):
            value = getattr(obj, f"get_{key}")()
            if value is not None:
                config[key] = serialize_keras_object(value)
    return config


def map_layers(
    entry: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Return a serialised model with `change` applied to each of its serialised layers."""
    layers = entry["config"].get("layers")
    if not isinstance(layers, list) or not all(
        isinstance(layer, dict) and {"class_name", "config"} <= layer.keys() for layer in layers
    ):
        return entry  # no model, or one of the user's that says it in another way
    return {**entry, "config": {**entry["config"], "layers": [change(layer) for layer in layers]}}


def _serialize_function(obj: Any) -> dict[str, Any]:
    name = registry.get_registered_name(obj)
    if name == "<lambda>":
        warn(
            "A lambda has no name that a config could hold: only a placeholder is written. Use a "
            "named function, and pass it as custom_objects={name: function} when loading."
        )
        return {"class_name": "__lambda__", "config": {"value": None}}
    if isinstance(obj, FunctionType):
        return {
            "module": "builtins",
            "class_name": "function",
            "config": name,
            "registered_name": "function",
        }
    return {
        "module": _user_module(type(obj)),
        "class_name": type(obj).__name__,
        "config": name,
        "registered_name": type(obj).__name__,
    }


def _user_module(cls: type) -> str | None:
    return None if cls.__module__ == "__main__" else cls.__module__
