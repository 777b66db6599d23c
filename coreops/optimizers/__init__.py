"""How weights learn: Keras' optimizers, each step of which is one pass over a weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..saving import objects, registry
from . import schedules as schedules
from .adam import Adam as Adam
from .adam import Adamax as Adamax
from .adam import AdamW as AdamW
from .adam import Nadam as Nadam
from .ftrl import Ftrl as Ftrl
from .momentum import SGD as SGD
from .momentum import Lion as Lion
from .optimizer import Optimizer as Optimizer
from .rmsprop import Adadelta as Adadelta
from .rmsprop import Adagrad as Adagrad
from .rmsprop import RMSprop as RMSprop

for _cls in (SGD, RMSprop, Adam, AdamW, Adagrad, Adadelta, Adamax, Nadam, Lion, Ftrl):
    registry.add("optimizers", _cls, _cls.__name__.lower())
del _cls


def get(identifier: Any) -> Optimizer | None:
    """Return the optimizer for None, a name in any case, a config or an optimizer.

    Raises:
        ValueError: for anything else, and for an unknown name (listing the legal ones).
    """
    if isinstance(identifier, str):
        identifier = {"class_name": identifier, "config": {}}
    found = deserialize(identifier) if isinstance(identifier, dict) else identifier
    if found is None or isinstance(found, Optimizer):
        return found
    raise ValueError(f"Could not interpret optimizer identifier: {identifier!r}")


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return the config of an optimizer."""
    return objects.serialize_keras_object(optimizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Return the optimizer of a config; ValueError if it is unknown.

    A class of ours is known in any case, and by whatever module and package an older Keras or
    another backend wrote.
    """
    name = config.get("class_name") if isinstance(config, dict) else None
    if isinstance(name, str):
        plain = name.removeprefix("Custom>").lower()
        custom = registry.get_registered_object(name, custom_objects)
        if custom is None and plain in registry.known("optimizers"):
            config = {"class_name": plain, "config": config.get("config")}
    try:
        return objects.from_identifier("optimizers", config, custom_objects)
    except TypeError as error:
        raise objects.unknown("optimizers", name or config) from error
