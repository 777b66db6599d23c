"""Models, under Keras' names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..saving import registry
from .cloning import clone_model
from .functional import Functional
from .model import Model
from .sequential import Sequential

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]

registry.add("models", Sequential, module="keras")
registry.add("models", Functional, module="keras.src.models.functional")


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """Return a new model with the configuration that `Model.to_json` gave, in any version of Keras.

    Raises:
        TypeError: it names an unknown class.
        ValueError: it holds the code of a function, or is of an old version and cannot be read.
    """
    import json

    from ..saving import deserialize_keras_object
    from ..saving.legacy_config import modern_model

    config = json.loads(json_string)
    if isinstance(config, dict) and "keras_version" in config:  # which Keras 3 does not write
        config = modern_model(config)
    return deserialize_keras_object(config, custom_objects)


def load_model(filepath: Any, *args: Any, **kwargs: Any) -> Model:
    """Load a model file: `coreops.saving.load_model`."""
    from ..saving import load_model

    return load_model(filepath, *args, **kwargs)


def save_model(model: Model, filepath: Any, *args: Any, **kwargs: Any) -> None:
    """Save a model file: `coreops.saving.save_model`."""
    from ..saving import save_model

    save_model(model, filepath, *args, **kwargs)
