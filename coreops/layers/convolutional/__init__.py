"""Convolutions."""

from .conv import Conv1D, Conv2D, Convolution2D
from .depthwise import DepthwiseConv1D, DepthwiseConv2D
from .separable import SeparableConv1D, SeparableConv2D

__all__ = [
    "Conv1D",
    "Conv2D",
    "Convolution2D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "SeparableConv1D",
    "SeparableConv2D",
]
