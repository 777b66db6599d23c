"""Reverse-mode differentiation over `coreops.ops`: what Lambda layers, custom layers, losses and
regularizers written in Python are trained with.

An op computes as it always does. Where it meets a `Tensor`, NumPy cannot have the array: the
`Traced` that this raises sends the op here, which runs it on the values and keeps, beside the
result, how a gradient goes back. Ops on plain arrays pay nothing but the call of a wrapper.
"""

from . import operators as _operators  # noqa: F401 - gives Tensor its operators
from .recording import leaf_of as leaf_of
from .recording import recorded as recorded
from .recording import recording as recording
from .tensor import Tensor as Tensor
from .tensor import Traced as Traced
from .tensor import external as external
from .tensor import externals as externals
from .tensor import gradients as gradients
from .tensor import trace as trace
from .tensor import value_of as value_of
