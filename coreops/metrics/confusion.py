"""Counts of right and wrong decisions at thresholds, and what is made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config
from .._plan import as_array, mask_of
from ..losses.reduction import combine, same_rank
from .metric import Metric, ratio

_BELOW_ALL = -1e10  # what predictions are that are not among the k greatest
COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")


class Thresholds:
    """Counts labels and predictions above each of some thresholds.

    Thresholds that divide [0, 1] evenly are compared by multiplication, as Keras does; a
    prediction on one of them may fall on either side.

    Args:
        values: the thresholds, in any order.
        even: whether they are 0, 1 / (n - 1), ..., 1, where the ends may lie just outside.
    """

    def __init__(self, values: Sequence[float], even: bool | None = None) -> None:
        self.values = list(values)
        self._even = is_even(self.values) if even is None else even
        self._all_positive = self.values[0] < 0.0 or self.values[-1] > 1.0
        self._order = np.argsort(self.values, kind="stable")
        self._sorted = np.asarray(self.values)[self._order]

    def __len__(self) -> int:
        return len(self.values)

    def above(self, pred: np.ndarray, weights: Sequence[np.ndarray], columns: int) -> np.ndarray:
        """Return how much of each weight lies above each threshold, and its sum.

        Args:
            pred: n predictions; with columns > 1 those of row i and column j at i * columns + j.
            weights: arrays of n weights.
            columns: how many columns are counted for themselves.

        Returns:
            Shape (weights, thresholds + 1, columns); the sums come first.
        """
        size = len(self) + 1
        bins = self._bins(pred)
        if columns > 1:
            bins = bins + size * (np.arange(len(bins)) % columns)
        found = [np.bincount(bins, w, size * columns) for w in weights]
        counts = np.reshape(found, (len(weights), columns, size)).swapaxes(1, 2)
        result = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
        if not self._even:
            result[:, 1 + self._order] = result[:, 1:].copy()
        return result

    def _bins(self, pred: np.ndarray) -> np.ndarray:
        """Return how many of the sorted thresholds each prediction exceeds."""
        if not self._even:
            bins = np.searchsorted(self._sorted.astype(pred.dtype), pred, side="left")
            bins[np.isnan(pred)] = 0
            return bins
        bins = np.ceil(np.clip(pred, 0.0, 1.0) * pred.dtype.type(len(self) - 1))
        bins = np.nan_to_num(bins, copy=False).astype(np.intp)
        return np.maximum(bins, 1) if self._all_positive else bins


def is_even(thresholds: Sequence[float]) -> bool:
    """Return whether thresholds divide [0, 1] evenly, up to epsilon."""
    n = len(thresholds)
    return n > 2 and np.allclose(thresholds, np.arange(n) / (n - 1), atol=config.epsilon())


def parse_thresholds(thresholds: Any, default: float) -> list[float]:
    """Return thresholds as a list; ValueError for one outside [0, 1]."""
    if thresholds is None:
        return [default]
    found = list(thresholds) if isinstance(thresholds, (list, tuple)) else [thresholds]
    bad = [t for t in found if t is None or not 0 <= t <= 1]
    if bad:
        raise ValueError(f"Expected `thresholds` in [0, 1]. Received: {bad}")
    return found


class Confusion(Metric):
    """Base of the metrics that count decisions at thresholds.

    Args:
        counts: which of true_positives, false_positives, true_negatives and false_negatives
            are kept; they become attributes, made by `build`.
        thresholds: a prediction above one of them counts as positive.
        name, dtype: as in `Metric`.
        top_k: by default every prediction may be positive; else the k greatest of a row.
        class_id: by default all columns count; else this one.
    """

    true_positives: Any
    false_positives: Any
    true_negatives: Any
    false_negatives: Any

    def __init__(
        self,
        counts: Sequence[str],
        thresholds: Thresholds,
        name: str | None,
        dtype: Any,
        top_k: int | None = None,
        class_id: int | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._counts = tuple(counts)
        self._thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id

    def build(self, columns: int | None = None) -> None:
        """Make the variables, of shape (thresholds,) or (thresholds, columns)."""
        shape = (len(self._thresholds),) if columns is None else (len(self._thresholds), columns)
        for name in self._counts:
            setattr(self, name, self._zeros(name, shape))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._count(y_true, y_pred, sample_weight)

    def _count(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any,
        label_weights: np.ndarray | None = None,
        by_column: bool = False,
    ) -> None:
        mask = mask_of(y_pred)
        pred = as_array(y_pred, "y_pred").astype(self.dtype, copy=False)
        true, pred = same_rank(as_array(y_true, "y_true"), pred)
        if true.shape != pred.shape:
            raise ValueError(
                f"{self.name}: expected labels of the predictions' shape {pred.shape}. "
                f"Received: y_true.shape={true.shape}"
            )
        if self.top_k is not None:
            pred = _keep_top_k(pred, self.top_k)
        if self.class_id is not None:
            if pred.ndim == 1:
                raise ValueError(
                    f"{self.name}: `class_id` needs predictions of shape (batch, classes). "
                    f"Received: y_pred.shape={pred.shape}"
                )
            true, pred = (np.take(x, [self.class_id], axis=-1) for x in (true, pred))
        positive = (true != 0).astype(np.float64).ravel()
        negative = 1.0 - positive
        weight = combine(sample_weight, mask, pred.shape, "sum", np.float64)
        if label_weights is not None:
            weight = label_weights if weight is None else weight * label_weights
        if weight is not None:
            weight = np.broadcast_to(weight, pred.shape).ravel()
            positive, negative = positive * weight, negative * weight
        columns = pred.shape[-1] if by_column else 1
        self._add(self._thresholds.above(pred.ravel(), (positive, negative), columns))

    def _add(self, above: np.ndarray) -> None:
        (all_true, tp), (all_false, fp) = ((a[0], a[1:]) for a in above)
        found = (tp, fp, all_false - fp, all_true - tp)
        for name, count in zip(COUNTS, found, strict=True):
            if name in self._counts:
                variable = getattr(self, name)
                variable.assign_add(count.reshape(variable.shape))

    def _or_scalar(self, values: Any) -> Any:
        """Return a value per threshold, or the value if there is one threshold."""
        values = self._result(values)
        return values[0] if len(self._thresholds) == 1 else values


def _keep_top_k(pred: np.ndarray, k: int) -> np.ndarray:
    """Return predictions of which all but the k greatest of a row are below every threshold."""
    places = np.argsort(-pred, axis=-1, kind="stable")[..., :k]
    kept = np.full_like(pred, _BELOW_ALL)
    np.put_along_axis(kept, places, np.take_along_axis(pred, places, -1), -1)
    return kept


class _OneCount(Confusion):
    _counted: str

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        found = Thresholds(parse_thresholds(thresholds, 0.5))
        super().__init__((self._counted,), found, name, dtype)
        self.init_thresholds = thresholds
        self.thresholds = found.values
        self.build()

    def result(self) -> Any:
        return self._or_scalar(getattr(self, self._counted))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


class TruePositives(_OneCount):
    """How many labels 1 are predicted above each threshold (default: 0.5)."""

    _counted = "true_positives"


class FalsePositives(_OneCount):
    """How many labels 0 are predicted above each threshold (default: 0.5)."""

    _counted = "false_positives"


class TrueNegatives(_OneCount):
    """How many labels 0 are predicted at or below each threshold (default: 0.5)."""

    _counted = "true_negatives"


class FalseNegatives(_OneCount):
    """How many labels 1 are predicted at or below each threshold (default: 0.5)."""

    _counted = "false_negatives"


class _Share(Confusion):
    _others: str

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        found = Thresholds(parse_thresholds(thresholds, 0.5 if top_k is None else _BELOW_ALL))
        counts = ("true_positives", self._others)
        super().__init__(counts, found, name, dtype, top_k, class_id)
        self._direction = "up"
        self.init_thresholds = thresholds
        self.thresholds = found.values
        self.build()

    def result(self) -> Any:
        right, others = self.true_positives.value, getattr(self, self._others).value
        return self._or_scalar(ratio(right, right + others))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


class Precision(_Share):
    """The share of what is predicted as positive that is positive.

    Args:
        thresholds: number or list of numbers in [0, 1]; by default 0.5, with `top_k` none.
        top_k: only the k greatest predictions of a row count as positive.
        class_id: only this column counts.
        name, dtype: as in `Metric`.
    """

    _others = "false_positives"


class Recall(_Share):
    """The share of what is positive that is predicted so; arguments as in `Precision`."""

    _others = "false_negatives"
