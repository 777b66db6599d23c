"""Parts of a graph that learns, and what is kept of data that went through them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _plan
from ..regularizers import L1L2
from .way import Known, Way

_MOST_CHAINS = 32  # for one model, one for each shape of samples: each has the weights packed


class Part(NamedTuple):
    """Calls first .. next - 1: as plans, by what they end with, and the seam after them. kinds: of
    what is there when it begins."""

    first: int
    next: int
    kinds: dict[_plan.Ref, _plan.Kind]
    made: _plan.Emitted
    ways: dict[Any, Way]

    @property
    def forward(self) -> Way:
        return self.ways["forward"]

    @property
    def given(self) -> tuple[_plan.Ref, ...]:
        """What the plan gives."""
        return tuple(result.ref for result in self.forward.results)


class Passed(NamedTuple):
    """A part that data went through, and what the way back needs of that."""

    part: Part
    known: Known  # what was there before
    streams: list[tuple[int, int]]
    entries: list[Any]  # Tensors: what the seam took, what it gave, what it used, what it lost
    outputs: list[Any]
    leaves: list[Any]
    losses: list[Any]
    states: Sequence[np.ndarray] = ()  # that the plan began with
    made: Any = None  # what later parts take normalised
    seeds: Sequence[Any] = ()  # gradients of what was lost, where that is not the loss itself


def remember(chains: dict[Any, Any], key: Any, chain: Any) -> None:
    """Keep a chain for the next data of its kind, which was taken out while it ran; of too many
    the one goes that was used longest ago."""
    chains[key] = chain
    if len(chains) > _MOST_CHAINS:
        del chains[next(iter(chains))]


class Reshaped(Exception):
    """Data of another shape than a part was compiled for came out of a seam, or a variable that
    does not learn has changed since."""


def add_to(gradients: dict[_plan.Ref, np.ndarray], ref: _plan.Ref, part: np.ndarray) -> None:
    """Add a part to the gradient of an array."""
    known = gradients.get(ref)
    gradients[ref] = part if known is None else known + part


def penalized(layer: Any, made: Any, flow: Any) -> Any:
    """Let a plan see to the activity penalty of what a layer made, or Python."""
    penalty = layer.activity_regularizer
    if not isinstance(made, _plan.Seam) and isinstance(penalty, L1L2):
        for value in [made] if isinstance(made, _plan.Value) else made:
            flow.penalty(value, penalty.l1, penalty.l2)
        return made
    return _plan.observed(layer, made, flow)
