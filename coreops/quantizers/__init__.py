"""Quantizers and quantization configs, under Keras' names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..saving import objects
from .quantization_config import Int8QuantizationConfig, QuantizationConfig, resolve
from .quantizers import AbsMaxQuantizer, Quantizer, abs_max_quantize

__all__ = [
    "AbsMaxQuantizer",
    "Int8QuantizationConfig",
    "QuantizationConfig",
    "Quantizer",
    "abs_max_quantize",
    "deserialize",
    "get",
    "serialize",
]


def get(identifier: Any, **kwargs: Any) -> Any:
    """Return the quantizer for None, a name, a config, a class or a callable.

    Args:
        identifier: what stands for the quantizer.
        **kwargs: the arguments of a name or a class.

    Raises:
        ValueError: for an unknown name (listing the legal ones) or an object not callable.
    """
    found = objects.from_identifier("quantizers", identifier)
    if isinstance(found, type):
        found = found(**kwargs)
    if found is not None and not callable(found):
        raise ValueError(f"Could not interpret quantizer identifier: {identifier!r}")
    return found


def get_config(identifier: Any) -> QuantizationConfig | None:
    """Return the quantization config for None, its serialised form, or itself.

    Raises:
        TypeError, ValueError: for anything else, or a config of a mode that is not available.
    """
    config = deserialize(identifier) if isinstance(identifier, dict) else identifier
    if not (config is None or isinstance(config, QuantizationConfig)):
        raise ValueError(
            "`quantization_config` must be an instance of `QuantizationConfig` or None. "
            f"Received: {identifier!r}"
        )
    return None if config is None else resolve(None, config)


def serialize(quantizer: Any) -> Any:
    """Return the config of a quantizer, None for None."""
    return objects.serialize_keras_object(quantizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the quantizer of a config; TypeError if it is unknown."""
    return objects.from_identifier("quantizers", config, custom_objects)
