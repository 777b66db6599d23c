"""Batch normalisation between two plans of a step, which make its moments, and normalise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _kernels, _plan

if TYPE_CHECKING:
    from .learners import LearningChain


class Whole:
    """One call of a layer in a chain.

    spec: what the layer says of it. The moving averages are arrays of the workspace, as weights.
    """

    def __init__(self, chain: LearningChain, spec: _plan.Normalized, channels: int) -> None:
        hold, dtype = chain.workspace.hold, chain.workspace.dtype
        weights = spec.gamma, spec.beta
        for weight in weights:
            if chain.learns(weight):
                chain.number(weight)
        self._chain = chain
        self.kernel = _kernels.BatchNorm(
            channels, dtype, spec.epsilon, spec.fuzz,
            *(None if weight is None else hold(weight) for weight in weights),
            *(chain.given(weight) if chain.learns(weight) else None for weight in weights),
        )  # fmt: skip
        self.move = self.kernel, hold(spec.mean), hold(spec.variance), spec.momentum

    def approach(self) -> None:
        """Let the moving averages approach the batch's moments."""
        kernel, mean, variance, keep = self.move
        with self._chain.workspace.lock:
            kernel.move(mean, variance, keep)
            self._chain.learnt()
