"""Pooling."""

from .windows import AveragePooling1D, AveragePooling2D, MaxPooling1D, MaxPooling2D

__all__ = ["AveragePooling1D", "AveragePooling2D", "MaxPooling1D", "MaxPooling2D"]
