"""The rules of coreops/ops/nn.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from .basic import Rule, as_axes, spread
from .elementwise import _nonzero
from .linalg import _norm
from .reduction import _mean, _var


def _scaled(dy: Any, y: Any, x: Any, axis: Any, least: float) -> np.ndarray:
    """Of x / sqrt(max(sum x^2, least)): where the sum decides, dy without its part along y."""
    square = np.sum(np.square(x), axis=as_axes(axis), keepdims=True)
    least = square.dtype.type(least)
    along = np.sum(dy * y, axis=as_axes(axis), keepdims=True)
    return (dy - np.where(square > least, along, 0) * y) / np.sqrt(np.maximum(square, least))
