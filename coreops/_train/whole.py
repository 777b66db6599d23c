"""Batch normalisation between two plans of a step: of a whole batch at once, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _plan
from .workspace import aligned

if TYPE_CHECKING:
    from .learners import LearningChain


class Whole:
    """One call of a layer in a chain, for batches of one shape.

    spec: what the layer says of it. The moving averages are arrays of the workspace, as weights.
    """

    def __init__(
        self, chain: LearningChain, spec: _plan.Normalized, shape: tuple[int, ...]
    ) -> None:
        hold, dtype = chain.workspace.hold, chain.workspace.dtype
        self.shape, self._chain = shape, chain
        self.kernel = _kernels.BatchNorm(shape, dtype, spec.epsilon, spec.fuzz)
        self.y, self.dx = aligned(shape, dtype), aligned(shape, dtype)
        weights = spec.gamma, spec.beta
        self._weights = [None if v is None else hold(v) for v in weights]
        self._gradients = [chain.given(v) if chain.learns(v) else None for v in weights]
        self.move = self.kernel, hold(spec.mean), hold(spec.variance), spec.momentum

    def forward(self, x: np.ndarray, mask: Any) -> np.ndarray:
        """Normalise a batch."""
        keep = None if mask is None else np.ascontiguousarray(mask, np.bool_)
        arrays: Any = np.ascontiguousarray(x, self.y.dtype), keep, *self._weights, self.y
        self.kernel.forward(*arrays)
        if self._chain.script is not None:
            self._chain.script.normalised(self, arrays, False)
        return self.y

    def back(self, dy: np.ndarray) -> np.ndarray:
        """Take a gradient back; those of gamma and beta are added to the learners'."""
        arrays: Any = dy, self.dx, *self._gradients
        self.kernel.back(*arrays)
        if self._chain.script is not None:
            self._chain.script.normalised(self, arrays, True)
        self.kernel.let_go()
        return self.dx

    def approach(self) -> None:
        """Let the moving averages approach the batch's moments."""
        kernel, mean, variance, keep = self.move
        with self._chain.workspace.lock:
            kernel.move(mean, variance, keep)
            self._chain.learnt()
