"""The closed world: which names a config may use, and what they stand for.

Layers, initializers, activations, ... enter with `add` when their module is imported; users'
own classes and functions enter through `register_keras_serializable`, `custom_object_scope` or
a `custom_objects` argument. Nothing else can be reached from a config.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

_Object = TypeVar("_Object")
_families: dict[str, dict[str, Any]] = {}
_modules: dict[Any, str] = {}
_finders: dict[str, Callable[[str], Any]] = {}
_custom: dict[str, Any] = {}
_custom_names: dict[Any, str] = {}
_scopes = threading.local()


def add(family: str, obj: Any, *aliases: str, module: str | None = None) -> Any:
    """Enter one of our own classes or functions under its name and its aliases.

    Args:
        family: "layers", "models", "initializers", "regularizers", "constraints",
            "activations", ...
        obj: the class or function; its `__name__` is the name written into configs.
        *aliases: further names that `get` and configs may use.
        module: the module string written into configs; by default "keras.<family>".

    Returns:
        `obj`.
    """
    table = _families.setdefault(family, {})
    for name in (obj.__name__, *aliases):
        table[name] = obj
    _modules[obj] = module or f"keras.{family}"
    return obj


def add_finder(family: str, find: Callable[[str], Any]) -> None:
    """Let a function make the classes of a family, by name, when they are first asked for."""
    _finders[family] = find


def find(family: str, name: str) -> Any:
    """Return the class or function of a family with a name, None if there is none."""
    finder = _finders.get(family)
    return known(family).get(name) if finder is None else finder(name)


def known(family: str) -> Mapping[str, Any]:
    """Return the table name -> class or function of a family (empty if there is none)."""
    return _families.get(family, {})


def families() -> tuple[str, ...]:
    """Return the names of the families, in the order in which they came."""
    return tuple(_families)


def keras_module(obj: Any) -> str | None:
    """Return the module string for one of our own objects, None for anything else."""
    return _modules.get(obj)


def get_custom_objects() -> dict[str, Any]:
    """Return the live dictionary of registered objects, name -> class or function."""
    return _custom


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[_Object], _Object]:
    """Return a decorator that makes a class or function known under "package>name".

    Args:
        package: the prefix.
        name: by default the object's `__name__`.

    Raises:
        ValueError: (from the decorator) for a class without `get_config`.
    """

    def decorator(obj: Any) -> Any:
        if isinstance(obj, type) and not hasattr(obj, "get_config"):
            raise ValueError(
                f"Cannot register class {obj.__name__}: it has no `get_config()` method."
            )
        registered_name = f"{package}>{obj.__name__ if name is None else name}"
        _custom[registered_name] = obj
        _custom_names[obj] = registered_name
        return obj

    return decorator


class CustomObjectScope:
    """Makes names known inside a `with` block, in this thread.

    Scopes nest: an inner scope adds to the outer ones and wins over them.

    Args:
        custom_objects: dictionary name -> class or function.
    """

    def __init__(self, custom_objects: Mapping[str, Any] | None) -> None:
        self.custom_objects = dict(custom_objects or {})

    def __enter__(self) -> CustomObjectScope:
        stack = _scopes.__dict__.setdefault("stack", [{}])
        stack.append({**stack[-1], **self.custom_objects})
        return self

    def __exit__(self, *exc_info: object) -> None:
        _scopes.stack.pop()


custom_object_scope = CustomObjectScope


def get_registered_name(obj: Any) -> str:
    """Return the "package>name" of a registered object, else its `__name__`."""
    try:
        return _custom_names.get(obj) or obj.__name__
    except TypeError:  # unhashable
        return obj.__name__


def written_name(cls: Any) -> str | None:
    """Return the registered name that a config has: None for what Keras itself exports."""
    module = keras_module(cls)
    exported = module is not None and not module.startswith("keras.src.")
    return None if exported else get_registered_name(cls)


def get_registered_object(
    name: str,
    custom_objects: Mapping[str, Any] | None = None,
    module_objects: Mapping[str, Any] | None = None,
) -> Any:
    """Return the object known as `name`, or None.

    Looked up in the open scopes, the registered objects, `custom_objects` and
    `module_objects`, in this order.
    """
    scope = _scopes.__dict__.get("stack", ({},))[-1]
    for table in (scope, _custom, custom_objects or {}, module_objects or {}):
        if name in table:
            return table[name]
    return None
