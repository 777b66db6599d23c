"""Layers that normalise, under Keras' names."""

from .batch_normalization import BatchNormalization
from .layer_normalization import LayerNormalization
from .normalization import Normalization
from .rescaling import Rescaling

__all__ = ["BatchNormalization", "LayerNormalization", "Normalization", "Rescaling"]
