"""From layers to steps: what a layer is told when it describes itself (`Flow`), and what runs the
description (`Program`)."""

from .arrays import KerasArray, as_array, mask_of
from .eager import (
    activation_gradient,
    apply_activation,
    apply_permute,
    apply_softmax,
    softmax_gradient,
)
from .flow import Flow, Mask, Seam, Value
from .program import (
    Program,
    current_training,
    emit_layer,
    observed,
    python_scope,
    refuse_mask,
)
from .recurrent import Cell, Place, Run, ones, recurrent

__all__ = [
    "Cell",
    "Flow",
    "KerasArray",
    "Mask",
    "Place",
    "Program",
    "Run",
    "Seam",
    "Value",
    "activation_gradient",
    "apply_activation",
    "apply_permute",
    "apply_softmax",
    "as_array",
    "current_training",
    "emit_layer",
    "mask_of",
    "observed",
    "ones",
    "python_scope",
    "recurrent",
    "refuse_mask",
    "softmax_gradient",
]
