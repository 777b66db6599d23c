"""The layers, under Keras' names."""

from collections.abc import Mapping
from typing import Any

from ..saving import objects, registry
from . import core
from .activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from .convolutional import (
    Conv1D,
    Conv2D,
    Convolution2D,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from .core.dense import Dense
from .core.einsum_dense import EinsumDense
from .core.identity import Identity
from .core.input_layer import Input, InputLayer
from .core.lambda_layer import Lambda
from .core.masking import Masking
from .cropping import Cropping1D, Cropping2D
from .embedding import Embedding
from .input_spec import InputSpec
from .layer import Layer
from .merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    merge,
    minimum,
    multiply,
    subtract,
)
from .noise import (
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
)
from .normalization import (
    BatchNormalization,
    LayerNormalization,
    Normalization,
    Rescaling,
    UnitNormalization,
)
from .operations import Operation as Operation
from .pooling import (
    AveragePooling1D,
    AveragePooling2D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    MaxPooling1D,
    MaxPooling2D,
)
from .regularization import ActivityRegularization, Dropout
from .reshaping import Flatten, Permute, RepeatVector, Reshape
from .resizing import UpSampling1D, UpSampling2D, ZeroPadding1D, ZeroPadding2D
from .rnn import GRU, LSTM, Bidirectional, SimpleRNN, TimeDistributed

# Other names that Keras has for them.
Convolution1D = Conv1D
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
MaxPool1D, MaxPool2D = MaxPooling1D, MaxPooling2D
AvgPool1D, AvgPool2D = AveragePooling1D, AveragePooling2D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AvgPool1D",
    "AvgPool2D",
    "BatchNormalization",
    "Bidirectional",
    "Concatenate",
    "Conv1D",
    "Conv2D",
    "Convolution1D",
    "Convolution2D",
    "Cropping1D",
    "Cropping2D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPooling1D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "SimpleRNN",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "Subtract",
    "TimeDistributed",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "add",
    "average",
    "concatenate",
    "core",
    "deserialize",
    "dot",
    "get",
    "maximum",
    "merge",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

for _layer in (
    *(Activation, ActivityRegularization, Dense, Dropout, ELU, Flatten, Identity, InputLayer),
    *(Bidirectional, GRU, LSTM, SimpleRNN, TimeDistributed),
    *(AlphaDropout, BatchNormalization, EinsumDense, Embedding, GaussianDropout, GaussianNoise),
    *(LayerNormalization, Normalization, Rescaling, SpatialDropout1D, SpatialDropout2D),
    *(Lambda, LeakyReLU, Masking, PReLU, Permute, ReLU, RepeatVector, Reshape, Softmax),
    *(Cropping1D, Cropping2D, DepthwiseConv1D, DepthwiseConv2D),
    *(UnitNormalization, UpSampling1D, UpSampling2D, ZeroPadding1D, ZeroPadding2D),
    *(Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract),
):
    registry.add("layers", _layer)
for _windows, _other in (
    *((Conv1D, "Convolution1D"), (Conv2D, "Convolution2D")),
    *((SeparableConv1D, "SeparableConvolution1D"), (SeparableConv2D, "SeparableConvolution2D")),
    *((MaxPooling1D, "MaxPool1D"), (MaxPooling2D, "MaxPool2D")),
    *((AveragePooling1D, "AvgPool1D"), (AveragePooling2D, "AvgPool2D")),
    *((GlobalAveragePooling1D, "GlobalAvgPool1D"), (GlobalAveragePooling2D, "GlobalAvgPool2D")),
    *((GlobalMaxPooling1D, "GlobalMaxPool1D"), (GlobalMaxPooling2D, "GlobalMaxPool2D")),
):
    registry.add("layers", _windows, _other)
del _layer, _other, _windows


def serialize(layer: Layer) -> dict[str, Any]:
    """Return the config of a layer, with its class."""
    return objects.serialize_keras_object(layer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """Return the layer that a config describes.

    Raises:
        TypeError: for an unknown class.
        ValueError: if what it describes is not a layer.
    """
    layer = objects.deserialize_keras_object(config, custom_objects, family="layers")
    if not isinstance(layer, Layer):
        raise ValueError(f"The config describes no layer. Received: config={config!r}")
    return layer


def get(identifier: Any) -> Layer | None:
    """Return the layer for a layer (itself), a config, or None.

    Raises:
        ValueError: for anything else.
    """
    if identifier is None or isinstance(identifier, Layer):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    raise ValueError(f"Could not interpret layer identifier: {identifier!r}")
