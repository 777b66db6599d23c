"""From layers to steps: what a layer is told when it describes itself (`Flow`), and what runs the
description (`Program`)."""

from .arrays import KerasArray, as_array, mask_of
from .batch import afterwards, batch_normalize, deferring
from .eager import (
    activation_gradient,
    apply_activation,
    apply_permute,
    apply_softmax,
    softmax_gradient,
)
from .flow import Flow, Mask, Seam, Value
from .normalization import affine, embedding, gauss, layer_norm, pool
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
    "affine",
    "afterwards",
    "apply_activation",
    "apply_permute",
    "apply_softmax",
    "as_array",
    "batch_normalize",
    "current_training",
    "deferring",
    "embedding",
    "emit_layer",
    "gauss",
    "layer_norm",
    "mask_of",
    "observed",
    "ones",
    "pool",
    "python_scope",
    "recurrent",
    "refuse_mask",
    "softmax_gradient",
]
