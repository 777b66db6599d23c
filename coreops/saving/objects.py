"""Objects to configs and back, inside the closed world of `registry`.

A config is Keras 3's dictionary ``{"module", "class_name", "config", "registered_name"}``, or
Keras 2's ``{"class_name", "config"}``. A config names things; it never brings code: modules are
compared with an allow-list and not imported, and a serialised lambda is refused.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Mapping
from types import EllipsisType, FunctionType
from typing import Any

import numpy as np

from . import registry

PLAIN_TYPES = (str, int, float, bool)
MAX_DEPTH = 50  # objects inside objects

# The module strings that Keras writes, and where the names they hold are looked up.
_MODULES = {
    "keras": ("models", "layers"),
    "keras.models": ("models",),
    "keras.layers": ("layers",),
    "keras.dtype_policies": ("dtype_policies",),
    "keras.random": ("random",),
    **{
        f"keras.{family}": (family,)
        for family in (
            "activations",
            "initializers",
            "regularizers",
            "constraints",
            "losses",
            "metrics",
            "optimizers",
            "ops",
        )
    },
    "keras.optimizers.schedules": ("schedules",),
}
_FUNCTION_FAMILIES = (
    "activations",
    "losses",
    "metrics",
    "initializers",
    "regularizers",
    "constraints",
    "ops",
)
_ARRAY_DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)

_depth = threading.local()


# --- object -> config -----------------------------------------------------------------------


def serialize_keras_object(obj: Any) -> Any:
    """Return the JSON-able config of an object.

    Numbers, strings and None are returned as they are, containers element by element.

    Raises:
        TypeError: for an object without `get_config` and without a name.
    """
    if obj is None or isinstance(obj, PLAIN_TYPES):
        return obj
    if isinstance(obj, (list, tuple)):
        return (
            type(obj)([serialize_keras_object(item) for item in obj])
            if type(obj)
            in (
                list,
                tuple,
            )
            else [serialize_keras_object(item) for item in obj]
        )
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
    config = {
        "module": module or _user_module(cls),
        "class_name": cls.__name__,
        "config": serialize_keras_object(inner),
        "registered_name": None if module else registry.get_registered_name(cls),
    }
    if hasattr(obj, "get_build_config"):
        build_config = obj.get_build_config()
        if build_config is not None:
            config["build_config"] = serialize_keras_object(build_config)
    return config


def _serialize_function(obj: Any) -> dict[str, Any]:
    name = registry.get_registered_name(obj)
    if name == "<lambda>":
        warnings.warn(
            "A lambda has no name that a config could hold: only a placeholder is written. Use a "
            "named function, and pass it as custom_objects={name: function} when loading.",
            stacklevel=3,
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


# --- config -> object -----------------------------------------------------------------------


def deserialize_keras_object(
    config: Any,
    custom_objects: Mapping[str, Any] | None = None,
    safe_mode: bool = True,
    *,
    family: str | None = None,
) -> Any:
    """Return the object that a config describes.

    Args:
        config: what `serialize_keras_object` returned, possibly from an untrusted file.
        custom_objects: dictionary name -> class or function of what is not ours.
        safe_mode: accepted as in Keras; code in a config is refused either way.
        family: the family to look in first when the config names no module.

    Returns:
        The object; plain values and containers of them come back as they are.

    Raises:
        TypeError: for an unknown class or function, an inner config of the wrong type, or a
            class that does not take its config.
        ValueError: for a serialised lambda, a malformed special value, or nesting beyond
            `MAX_DEPTH`.
    """
    depth = getattr(_depth, "value", 0)
    if depth >= MAX_DEPTH:
        raise ValueError(f"The config nests objects more than {MAX_DEPTH} deep: refused.")
    _depth.value = depth + 1
    try:
        return _deserialize(config, dict(custom_objects or {}), safe_mode, family)
    finally:
        _depth.value = depth


def _deserialize(config: Any, custom: dict, safe_mode: bool, family: str | None) -> Any:
    if isinstance(config, str):
        found = registry.get_registered_object(config, custom)
        return config if found is None else found
    if config is None or isinstance(config, PLAIN_TYPES):
        return config
    if isinstance(config, (list, tuple)):
        return [deserialize_keras_object(item, custom, safe_mode) for item in config]
    if not isinstance(config, dict):
        raise TypeError(f"Could not parse a config of type {type(config).__name__}: {config!r}")
    if "class_name" not in config or "config" not in config:
        return {
            key: deserialize_keras_object(value, custom, safe_mode) for key, value in config.items()
        }
    class_name = config["class_name"]
    inner = {} if config["config"] is None else config["config"]
    if not isinstance(class_name, str):
        raise TypeError(f"Expected `class_name` to be a string. Received: {_short(class_name)}")
    if class_name in _SPECIAL:
        return _SPECIAL[class_name](inner, custom, safe_mode)
    if class_name.startswith("__"):
        raise ValueError(f"A config of kind {class_name!r} cannot be rebuilt here.")
    if class_name == "function":
        return _find_function(config, inner, custom, family)
    return _rebuild(config, inner, custom, family)


def _rebuild(config: dict, inner: Any, custom: dict, family: str | None) -> Any:
    class_name = config["class_name"]
    if not isinstance(inner, dict):
        raise TypeError(
            f"Expected the `config` of class {class_name!r} to be a dict. Received: {_short(inner)}"
        )
    cls = _find_class(config, custom, family)
    if isinstance(cls, FunctionType):
        return cls
    if not hasattr(cls, "from_config"):
        raise TypeError(
            f"Cannot rebuild an instance of {class_name!r}: it has no `from_config()` method."
        )
    with registry.CustomObjectScope(custom):
        try:
            instance = cls.from_config(inner)
        except TypeError as error:
            raise TypeError(
                f"{class_name} does not take its config: {error}. Config: {_short(inner)}"
            ) from error
        build_config = config.get("build_config")
        if build_config and not getattr(instance, "built", True):
            instance.build_from_config(build_config)
    return instance


def _find_class(config: dict, custom: dict, family: str | None) -> Any:
    """Look up a class: in our tables when the module is Keras', else among the custom ones.

    A `registered_name` cannot redirect one of our own names; an explicit custom class of the
    same name wins only in the Keras 2 form, which has no module.
    """
    class_name, module = config["class_name"], config.get("module")
    tables = _tables(module, family)
    registered_name = config.get("registered_name") or class_name
    found = None
    if module is not None:
        found = _first(tables, class_name)
    if found is None:
        for name in (registered_name, class_name):
            if isinstance(name, str) and found is None:
                found = registry.get_registered_object(name, custom)
    if found is None and module is None:
        found = _first(tables, class_name)
    if found is None:
        raise TypeError(_unknown("class", class_name, module))
    return found


def _find_function(config: dict, name: Any, custom: dict, family: str | None) -> Callable:
    if not isinstance(name, str):
        raise TypeError(
            f"Expected the `config` of a function to be its name. Received: {_short(name)}"
        )
    module = config.get("module")
    for key in (name, config.get("registered_name")):
        found = registry.get_registered_object(key, custom) if isinstance(key, str) else None
        if found is not None:
            return found
    if module in (None, "builtins"):
        tables = tuple(dict.fromkeys(filter(None, (family, *_FUNCTION_FAMILIES))))
    else:
        tables = _tables(module, family)
    found = _first(tables, name)
    if found is None:
        raise TypeError(_unknown("function", name, module))
    return found


def _tables(module: Any, family: str | None) -> tuple[str, ...]:
    """Return the families in which names of `module` are looked up; none for a foreign one."""
    if module is None:
        return tuple(dict.fromkeys(filter(None, (family, *registry.families()))))
    if not isinstance(module, str):
        return ()
    if module in _MODULES:
        return _MODULES[module]
    if module.startswith("keras.src."):  # Keras' internal paths: only the class name is stable
        part = module.split(".")[2]
        named = tuple(name for name in registry.families() if name == part)
        return named or registry.families()
    return ()


def _first(tables: tuple[str, ...], name: str) -> Any:
    return next((registry.known(t)[name] for t in tables if name in registry.known(t)), None)


def _unknown(kind: str, name: str, module: Any) -> str:
    where = f" of module {_short(module)}" if module else ""
    return (
        f"Could not locate {kind} {_short(name)}{where}. If it is your own, pass it as "
        f"custom_objects={{{_short(name)}: ...}} or register it with "
        "@coreops.saving.register_keras_serializable() before loading."
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


# --- special values -------------------------------------------------------------------------


def _array(inner: Any, custom: dict, safe_mode: bool) -> np.ndarray:
    dtype = inner.get("dtype") if isinstance(inner, dict) else None
    if dtype == "bfloat16":
        dtype = "float32"
    if dtype not in _ARRAY_DTYPES or "value" not in inner:
        raise ValueError(f"Malformed array in a config: {_short(inner)}")
    try:
        return np.array(inner["value"], dtype=dtype)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"Malformed array in a config: {_short(inner)}") from error


def _bytes(inner: Any, custom: dict, safe_mode: bool) -> bytes:
    value = inner.get("value") if isinstance(inner, dict) else None
    if not isinstance(value, str):
        raise ValueError(f"Malformed bytes in a config: {_short(inner)}")
    return value.encode("utf-8")


def _slice(inner: Any, custom: dict, safe_mode: bool) -> slice:
    bounds = [inner.get(k) for k in ("start", "stop", "step")] if isinstance(inner, dict) else "?"
    if not all(bound is None or isinstance(bound, int) for bound in bounds):
        raise ValueError(f"Malformed slice in a config: {_short(inner)}")
    return slice(*bounds)


def _ellipsis(inner: Any, custom: dict, safe_mode: bool) -> EllipsisType:
    return Ellipsis


def _lambda(inner: Any, custom: dict, safe_mode: bool) -> Any:
    raise ValueError(
        "The config holds a Python lambda as code. Code from a config is never run here, whatever "
        "`safe_mode` says: pass the function as custom_objects={name: function}, name being "
        "that of the Lambda layer."
    )


_SPECIAL = {
    "__tensor__": _array,
    "__numpy__": _array,
    "__bytes__": _bytes,
    "__slice__": _slice,
    "__ellipsis__": _ellipsis,
    "__lambda__": _lambda,
}


# --- get() of the families ------------------------------------------------------------------


def from_identifier(
    family: str, identifier: Any, custom_objects: Mapping[str, Any] | None = None
) -> Any:
    """Return what a name or a config stands for in a family; other objects as they are.

    Names come first from the custom objects, then from the family's table.

    Raises:
        ValueError: for an unknown name, listing the legal ones.
        TypeError, ValueError: for a config, as `deserialize_keras_object`.
    """
    if isinstance(identifier, dict):
        return deserialize_keras_object(identifier, custom_objects, family=family)
    if not isinstance(identifier, str):
        return identifier
    found = registry.get_registered_object(identifier, custom_objects, registry.known(family))
    if found is None:
        legal = sorted(name for name in registry.known(family) if name.islower())
        raise ValueError(
            f"Could not interpret {family[:-1]} identifier: {identifier!r}. Known names: {legal}"
        )
    return found


def get_instance(family: str, identifier: Any) -> Any:
    """Return the callable of a family that an identifier stands for, None for None.

    Args:
        family: "initializers", "regularizers" or "constraints".
        identifier: None, a name, a config, a class (which is instantiated) or a callable.

    Raises:
        ValueError: if the result is not callable, or the name is unknown.
    """
    obj = from_identifier(family, identifier)
    if isinstance(obj, type):
        obj = obj()
    if obj is not None and not callable(obj):
        raise ValueError(f"Could not interpret {family[:-1]} identifier: {identifier!r}")
    return obj
