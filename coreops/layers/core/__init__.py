"""The core layers, under the path that Keras 1 and 2 gave them: `layers.core.Dense`, ..."""

from ..activation import Activation
from ..regularization import ActivityRegularization, Dropout
from ..reshaping import Flatten, Permute, RepeatVector, Reshape
from .dense import Dense
from .identity import Identity
from .input_layer import Input, InputLayer
from .lambda_layer import Lambda
from .masking import Masking

__all__ = [
    "Activation",
    "ActivityRegularization",
    "Dense",
    "Dropout",
    "Flatten",
    "Identity",
    "Input",
    "InputLayer",
    "Lambda",
    "Masking",
    "Permute",
    "RepeatVector",
    "Reshape",
]
