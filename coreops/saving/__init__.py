"""Model files: reading and writing Keras' formats, and the names that Keras has in `keras.saving`.

Everything is fetched on first use: importing this package opens no file library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .atomic import replacing as replacing
    from .keras_file import load_model as load_model
    from .keras_file import load_weights as load_weights
    from .live import from_keras as from_keras
    from .objects import deserialize_keras_object as deserialize_keras_object
    from .objects import serialize_keras_object as serialize_keras_object
    from .registry import CustomObjectScope as CustomObjectScope
    from .registry import custom_object_scope as custom_object_scope
    from .registry import get_custom_objects as get_custom_objects
    from .registry import get_registered_name as get_registered_name
    from .registry import get_registered_object as get_registered_object
    from .registry import register_keras_serializable as register_keras_serializable
    from .save import save_model as save_model
    from .save import save_weights as save_weights

_HOMES = {
    "load_model": "keras_file",
    "load_weights": "keras_file",
    "save_model": "save",
    "save_weights": "save",
    "replacing": "atomic",
    "from_keras": "live",
    "register_keras_serializable": "registry",
    "custom_object_scope": "registry",
    "CustomObjectScope": "registry",
    "get_custom_objects": "registry",
    "get_registered_name": "registry",
    "get_registered_object": "registry",
    "serialize_keras_object": "objects",
    "deserialize_keras_object": "objects",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
