"""What an output is held against, as the kernel of its loss takes it."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels
from .workspace import aligned

if TYPE_CHECKING:
    from .judged import Judged

_LABELS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "bool")


class Aim:
    """Targets and weights of one output, for runs of so many samples.

    shape: of the predictions, batch first. weights: what a run reads, of each value its factor in
    the sum of all losses. factor: what the loss said of it, one float or an array.
    """

    def __init__(self, judged: Judged, shape: tuple[int, ...], dtype: np.dtype) -> None:
        assert judged.loss is not None
        self.judged, self.loss, self.shape = judged, judged.loss, shape
        self.weights = aligned((shape[0], prod(shape[1:-1])), dtype)
        self.factor: float | np.ndarray | None = None
        self._dtype = dtype
        self._rank = 0  # of the targets
        self._weight: np.ndarray | None = None  # of the samples
        self._mask: np.ndarray | None = None
        self._target: np.ndarray | None = None  # in a lesson
        self._place: _kernels.Place | None = None
        self._kinds: Any = None

    def take(self, y: np.ndarray, weight: np.ndarray | None, mask: Any) -> np.ndarray:
        """Make ready what goes with predictions that have this mask; return the target.

        Raises:
            ValueError: the arrays do not fit.
        """
        target = self.loss.target(y, self.shape, self._dtype)
        self._rank, self._weight, self._mask = y.ndim, weight, mask
        self._weigh(target)
        return target

    def _weigh(self, target: np.ndarray) -> None:
        factor = self.loss.factor(target, self._rank, self._dtype, self._weight, self._mask)
        if isinstance(factor, np.ndarray):
            np.multiply(factor, self.judged.weight, out=self.weights.reshape(factor.shape))
        elif isinstance(self.factor, np.ndarray) or factor != self.factor:
            self.weights[...] = factor * self.judged.weight
        self.factor, self._weight = factor, None

    def total(self, values: np.ndarray) -> float:
        """Return the loss that these values come to, not weighed against others."""
        factor: Any = self.factor
        return float(np.sum(values.reshape(np.shape(factor) or -1) * factor))

    # --- in a lesson --------------------------------------------------------------------------

    def learn(
        self,
        run: _kernels.Run,
        at: int,
        target: np.ndarray,
        like: np.ndarray,
        weight: np.ndarray | None,
    ) -> Any:
        """Prepare for arrays like those that were taken last.

        Args:
            run: what reads the target, which is its array number `at`.
            at: see there.
            target: what `take` returned.
            like: the targets as the user passed them, and so `weight`.
            weight: see there.

        Returns:
            What takes the targets of the next run: a Place if they are but cast, or are labels,
            else this itself; None if they have a longer way to go.
        """
        self._kinds = like.dtype, like.shape, None if weight is None else weight.shape
        kind = self.loss.targets()
        if like.size != target.size:
            return None
        if kind is None and (like.dtype.kind in "biu" or like.dtype == self._dtype):
            self._target = target.copy()
            self._place = _kernels.Place(run, at, self._target)
            return self
        # Nothing but its shape counts.
        self._target = np.broadcast_to(np.zeros((), target.dtype), target.shape)
        if kind == "cast" and like.dtype.kind in "biuf":
            return _kernels.Place(run, at, like)
        if kind == "labels" and like.dtype.name in _LABELS:
            return _kernels.Place(run, at, like, self.shape[-1])
        return None

    def again(self, y: Any) -> bool:
        """Take the targets of the next run, if they are like those before."""
        if type(y) is not np.ndarray or (y.dtype, y.shape) != self._kinds[:2]:
            return False
        assert self._target is not None
        assert self._place is not None
        self._target[...] = self.loss.target(y, self.shape, self._dtype)
        return self._place.take(self._target)

    def take_weight(self, weight: Any) -> np.ndarray | None:
        """Take the weights of the next run's samples, and return them; None if they are not like
        those before."""
        if type(weight) is not np.ndarray or weight.dtype.kind not in "biuf":
            return None
        if weight.shape != self._kinds[2]:
            return None
        self._weight = weight.astype(self._dtype, copy=False)
        return self._weight

    def weigh(self) -> None:
        """Weigh the values of the next run."""
        assert self._target is not None
        self._weigh(self._target)
