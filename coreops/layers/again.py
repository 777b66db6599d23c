"""Calls on several arrays like the last one, which go straight to its plan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _plan

if TYPE_CHECKING:
    from .layer import Layer

_KEY = "again"


def remember(layer: Layer, program: _plan.Program, arrays: list[np.ndarray], epoch: int) -> None:
    """Remember how a call on such arrays was answered, if that was one plan with nothing beside it.
    epoch: at which the plan was known to be up to date."""
    segment = program.single_segment(*arrays)
    if segment is None or segment.plan is None or segment.plan.masked or segment.flow.generators:
        return
    masked = any(result.mask is not None for result in segment.results)
    observed = any(leaf.activity_regularizer for leaf in layer.leaves())
    if masked or observed or segment.flow.batch is not None:
        return
    kinds = [(x.dtype, x.shape[1:]) for x in arrays]
    layer._programs[_KEY] = epoch, segment.plan, kinds


def answer(layer: Layer, given: Any) -> Any:
    """Answer a call on a list or dict of arrays like the last one; None if anything is not."""
    known = layer._programs.get(_KEY)
    if known is None or known[0] != _kernels.epoch() or _plan.current_training() is not None:
        return None
    _, plan, kinds = known
    (flat,) = layer._arranged((given,))
    if not isinstance(flat, list) or len(flat) != len(kinds):
        return None
    for x, (dtype, shape) in zip(flat, kinds, strict=True):
        fits = type(x) is np.ndarray and x.dtype == dtype and x.shape[1:] == shape and x.ndim
        if not fits or not x.flags.carray or len(x) != len(flat[0]):
            return None
    return layer._packed(_kernels.run_plan(plan, flat))
