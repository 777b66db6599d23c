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
from .emission import emit_calls, masks_of, observed, refuse_mask, run_seam
from .flow import Flow, Item, Kind, Mask, Result, Seam, Value
from .graph import Call, Graph, Ref, chain
from .program import Program, current_training, python_scope

__all__ = [
    "Call",
    "Flow",
    "Graph",
    "Item",
    "KerasArray",
    "Kind",
    "Mask",
    "Program",
    "Ref",
    "Result",
    "Seam",
    "Value",
    "activation_gradient",
    "apply_activation",
    "apply_permute",
    "apply_softmax",
    "as_array",
    "chain",
    "current_training",
    "emit_calls",
    "mask_of",
    "masks_of",
    "observed",
    "python_scope",
    "refuse_mask",
    "run_seam",
    "softmax_gradient",
]
