"""Layers that normalise, under Keras' names."""

from .batch_normalization import BatchNormalization
from .layer_normalization import LayerNormalization
from .normalization import Normalization
from .rescaling import Rescaling
from .unit_normalization import UnitNormalization

__all__ = [
    "BatchNormalization",
    "LayerNormalization",
    "Normalization",
    "Rescaling",
    "UnitNormalization",
]
