"""Objects to configs and back, inside the closed world of `registry`.

A config is Keras 3's dictionary ``{"module", "class_name", "config", "registered_name"}``, or
Keras 2's ``{"class_name", "config"}``. A config names things; it never brings code: modules are
compared with an allow-list and not imported, and a serialised lambda is refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any

from . import registry
from .serialize import PLAIN_TYPES, serialize_keras_object
from .special import SPECIAL, short

__all__ = [
    "MAX_DEPTH",
    "deserialize_keras_object",
    "find_class",
    "from_identifier",
    "get_instance",
    "serialize_keras_object",
]

MAX_DEPTH = 50  # objects inside objects

_FUNCTION_FAMILIES = ("activations", "losses", "metric_functions")
_SINGULAR = {"losses": "loss"}  # of the others: without their last letter
_depth = threading.local()


class UnknownName(TypeError):
    """A config names a class or function that is neither ours nor the caller's."""

    def __init__(self, kind: str, name: str, module: Any) -> None:
        where = f" of module {short(module)}" if module else ""
        super().__init__(
            f"Could not locate {kind} {short(name)}{where}. If it is your own, pass it as "
            f"custom_objects={{{short(name)}: ...}} or register it with "
            "@coreops.saving.register_keras_serializable() before loading."
        )


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
        return _deserialize(config, dict(custom_objects or {}), family)
    finally:
        _depth.value = depth


def _deserialize(config: Any, custom: dict, family: str | None) -> Any:
    if isinstance(config, str):
        found = registry.get_registered_object(config, custom)
        return config if found is None else found
    if config is None or isinstance(config, PLAIN_TYPES):
        return config
    if isinstance(config, (list, tuple)):
        return type(config)([deserialize_keras_object(item, custom) for item in config])
    if not isinstance(config, dict):
        raise TypeError(
            f"Could not parse a config of type {type(config).__name__}: {short(config)}"
        )
    if "class_name" not in config or "config" not in config:
        return {key: deserialize_keras_object(value, custom) for key, value in config.items()}
    class_name = config["class_name"]
    inner = {} if config["config"] is None else config["config"]
    if not isinstance(class_name, str):
        raise TypeError(f"Expected `class_name` to be a string. Received: {short(class_name)}")
    if class_name in SPECIAL:
        return SPECIAL[class_name](inner)
    if class_name.startswith("__"):
        raise ValueError(f"A config of kind {class_name!r} cannot be rebuilt here.")
    if class_name == "function":
        return _find_function(config, inner, custom, family)
    return _rebuild(config, inner, custom, family)


def _rebuild(config: dict, inner: Any, custom: dict, family: str | None) -> Any:
    class_name = config["class_name"]
    if not isinstance(inner, dict):
        raise TypeError(
            f"Expected the `config` of class {class_name!r} to be a dict. Received: {short(inner)}"
        )
    cls = find_class(config, custom, family)
    if isinstance(cls, FunctionType):
        return cls
    if not hasattr(cls, "from_config"):
        raise TypeError(
            f"Cannot rebuild an instance of {class_name!r}: it has no `from_config()` method."
        )
    with registry.CustomObjectScope(custom):
        try:
            instance = cls.from_config(inner)
            build_config = config.get("build_config")
            if build_config and not getattr(instance, "built", True):
                instance.build_from_config(build_config)
        except UnknownName:
            raise
        except (TypeError, AttributeError, LookupError, ArithmeticError) as error:
            raise TypeError(
                f"{class_name} does not take its config ({type(error).__name__}: "
                f"{short(str(error))}). Config: {short(inner)}"
            ) from error
    return instance


def find_class(config: dict, custom: dict, family: str | None) -> Any:
    """Look up a class: in our tables when the module is Keras', else among the custom ones.

    A `registered_name` cannot redirect one of our own names; an explicit custom class of the
    same name wins only in the Keras 2 form, which has no module.

    Raises:
        UnknownName: there is no such class.
        ValueError: a class of ours with the registered name of another.
    """
    class_name, module = config["class_name"], config.get("module")
    families = (family, *registry.families())
    found = None if module is None else _own(class_name, module, families)
    registered = config.get("registered_name")
    # Keras 2 wrote "Custom>Adam" for its own Adam.
    if found is not None and registered not in (None, "", class_name, f"Custom>{class_name}"):
        raise ValueError(
            f"{module}.{class_name} is one of Keras' own and has no registered name. "
            f"Received: registered_name={short(registered)}"
        )
    if found is None:
        found = _custom((registered, class_name), custom)
    if found is None and module is None:
        found = _own(class_name, None, families)
    if found is None:
        raise UnknownName("class", class_name, module)
    return found


def _find_function(config: dict, name: Any, custom: dict, family: str | None) -> Callable:
    if not isinstance(name, str):
        raise TypeError(
            f"Expected the `config` of a function to be its name. Received: {short(name)}"
        )
    module = config.get("module")
    # Keras up to 3.6 wrote a registered function "package>name" as "name".
    suffix = f">{name}"
    full_names = [key for key in (*custom, *registry.get_custom_objects()) if key.endswith(suffix)]
    found = _custom((name, config.get("registered_name"), *full_names), custom)
    if found is None:
        module = None if module == "builtins" else module
        found = _own(name, module, (*_FUNCTION_FAMILIES, family))
    if found is None:
        raise UnknownName("function", name, config.get("module"))
    return found


def _custom(names: Iterable[Any], custom: dict) -> Any:
    """Return the first of the user's objects with one of the names, None if there is none."""
    objects = (registry.get_registered_object(n, custom) for n in names if isinstance(n, str))
    return next((obj for obj in objects if obj is not None), None)


def _own(name: str, module: Any, families: Iterable[str | None]) -> Any:
    """Return the first of our own objects with the name, None if there is none.

    `module` must be what Keras writes for the object, or Keras' internal path to it, of which
    only the name is stable; None fits all.
    """
    internal = isinstance(module, str) and module.startswith("keras.src.")
    if internal:
        own = module.split(".")[2]
        families = ("ops",) if own == "ops" else (own, *families)
    for family in families:
        found = registry.find(family, name) if family else None
        own_module = registry.keras_module(found)
        modules = (None, "keras", f"keras.{family}", f"keras._legacy.{family}", own_module)
        if found is not None and (internal or module in modules):
            return found
    return None


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
        raise unknown(family, identifier)
    return found


def unknown(family: str, identifier: Any) -> ValueError:
    """Return the error for a name that no object of a family has, with those that there are."""
    from difflib import get_close_matches  # takes a millisecond, which `import coreops` saves

    legal = sorted(name for name in registry.known(family) if name.islower())
    near = get_close_matches(identifier, legal, 1) if isinstance(identifier, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(
        f"Could not interpret {singular(family)} identifier: {identifier!r}.{hint} "
        f"Known names: {legal}"
    )


def get_instance(family: str, identifier: Any) -> Any:
    """Return the callable of a family that an identifier stands for, None for None.

    Args:
        family: "initializers", "regularizers", "constraints" or "losses".
        identifier: None, a name, a config, a class (which is instantiated) or a callable.

    Raises:
        ValueError: if the result is not callable or of another family, or the name is unknown.
    """
    obj = from_identifier(family, identifier)
    if isinstance(obj, type):
        obj = obj()
    foreign = registry.keras_module(type(obj)) not in (None, f"keras.{family}")
    if obj is not None and (foreign or not callable(obj)):
        raise ValueError(f"Could not interpret {singular(family)} identifier: {identifier!r}")
    return obj


def singular(family: str) -> str:
    """Return what one object of a family is called."""
    return _SINGULAR.get(family, family[:-1])


def is_of_family(family: str, obj: Any) -> bool:
    """Return whether `obj` is one of our own functions of a family, or of one of its classes."""
    own = registry.known(family).values()
    return any(item is obj or item is type(obj) for item in own)
