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
from .emission import (
    Emitted,
    casts,
    emit_calls,
    emit_each,
    observed,
    refuse_mask,
    run_seam,
)
from .flow import Flow
from .graph import Graph, Ref
from .merging import merge
from .normalization import affine, embedding, gauss, layer_norm, pool
from .program import Program, current_training, python_scope
from .recurrent import Cell, Place, Run, ones, pick, recurrent
from .values import Derived, Item, Kind, Normalized, Result, Seam, Value

__all__ = [
    "Cell",
    "Derived",
    "Emitted",
    "Flow",
    "Graph",
    "Item",
    "KerasArray",
    "Kind",
    "Normalized",
    "Place",
    "Program",
    "Ref",
    "Result",
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
    "casts",
    "current_training",
    "deferring",
    "embedding",
    "emit_calls",
    "emit_each",
    "gauss",
    "layer_norm",
    "mask_of",
    "merge",
    "observed",
    "ones",
    "pick",
    "pool",
    "python_scope",
    "recurrent",
    "refuse_mask",
    "run_seam",
    "softmax_gradient",
]
