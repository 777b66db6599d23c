"""What the layers that compute with constants ask of their shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._symbolic import Shape


def check_broadcast(layer: Any, shape: Shape, **given: tuple[int, ...]) -> None:
    """Raise a ValueError unless arrays broadcast with a layer's input.

    Args:
        layer: the layer.
        shape: the input's, None where unknown.
        **given: the shape of each array, by the name of the layer's argument.
    """
    try:
        np.broadcast_shapes(tuple(1 if size is None else size for size in shape), *given.values())
    except ValueError:
        names = " and ".join(f"`{name}`" for name in given)
        received = ", ".join(f"{name}.shape={made}" for name, made in given.items())
        raise ValueError(
            f"Layer '{layer.name}': expected {names} to broadcast with the input of shape {shape}. "
            f"Received: {received}"
        ) from None
