"""What wrappers around a layer share."""

from __future__ import annotations

from typing import Any

from ..layer import Layer


def checked_layer(owner: str, layer: Any, argument: str = "layer") -> Layer:
    """Return the layer, which must be one.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(layer, Layer):
        raise ValueError(f"{owner}: `{argument}` must be a layer. Received: {layer!r}")
    return layer
