"""F scores and the coefficient of determination."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import config
from .._plan import as_array
from .._warnings import warn
from ..losses.reduction import combine, same_rank
from .metric import Metric


def _matrices(metric: Metric, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and predictions of one shape (batch, columns)."""
    true = as_array(y_true, "y_true").astype(metric.dtype, copy=False)
    pred = as_array(y_pred, "y_pred").astype(metric.dtype, copy=False)
    true, pred = same_rank(true, pred)
    if true.ndim != 2 or true.shape != pred.shape:
        raise ValueError(
            f"{metric.name} expects labels and predictions of one shape (batch, columns). "
            f"Received: y_true.shape={true.shape}, y_pred.shape={pred.shape}"
        )
    return true, pred


class FBetaScore(Metric):
    """(1 + beta^2) * precision * recall / (beta^2 * precision + recall).

    Args:
        average: None (a score per column), "micro" (one score over all columns), "macro" (the
            mean of the columns') or "weighted" (by how many labels each has).
        beta: a float > 0: how much recall counts.
        threshold: predictions above it are positive; None: the greatest of a row.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: for other arguments.
    """

    _direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                "Expected `average` to be one of [None, 'micro', 'macro', 'weighted']. "
                f"Received: average={average!r}"
            )
        if not isinstance(beta, float) or not beta > 0:
            raise ValueError(f"Expected `beta` to be a float > 0. Received: beta={beta!r}")
        if threshold is not None and (not isinstance(threshold, float) or not 0 < threshold <= 1):
            raise ValueError(
                "Expected `threshold` to be a float with 0 < threshold <= 1. "
                f"Received: threshold={threshold!r}"
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold

    def _build(self, columns: int) -> None:
        shape = () if self.average == "micro" else (columns,)
        self.true_positives = self._zeros("true_positives", shape)
        self.false_positives = self._zeros("false_positives", shape)
        self.false_negatives = self._zeros("false_negatives", shape)
        self.intermediate_weights = self._zeros("intermediate_weights", shape)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        true, pred = _matrices(self, y_true, y_pred)
        if not self._variables:
            self._build(pred.shape[1])
        if self.threshold is None:
            found = (pred >= pred.max(axis=-1, keepdims=True)) & (np.abs(pred) > 1e-9)
        else:
            found = pred > self.threshold
        weight = combine(sample_weight, None, pred.shape, "sum", np.float64)
        axis = None if self.average == "micro" else 0
        for variable, share in (
            (self.true_positives, found * true),
            (self.false_positives, found * (1.0 - true)),
            (self.false_negatives, ~found * true),
            (self.intermediate_weights, true),
        ):
            share = share if weight is None else share * weight
            variable.assign_add(np.sum(share, axis=axis, dtype=np.float64))

    def result(self) -> Any:
        if not self._variables:
            return self._result(0.0)
        epsilon, square = config.epsilon(), self.beta**2
        right = self.true_positives.value
        precision = right / (right + self.false_positives + epsilon)
        recall = right / (right + self.false_negatives + epsilon)
        scores = (1 + square) * precision * recall / (square * precision + recall + epsilon)
        if self.average == "weighted":
            labels = self.intermediate_weights.value
            return self._result(np.sum(scores * labels) / (np.sum(labels) + epsilon))
        return self._result(scores if self.average is None else np.mean(scores))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "average": self.average,
            "beta": self.beta,
            "threshold": self.threshold,
        }


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall; arguments as in `FBetaScore`."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config


class R2Score(Metric):
    """The coefficient of determination: 1 - squared error / variance of the labels.

    Args:
        class_aggregation: None (a score per column), "uniform_average" or
            "variance_weighted_average".
        num_regressors: the number of independent variables, for the adjusted score; 0: not
            adjusted.
        name, dtype: as in `Metric`.

    Raises:
        ValueError: for other arguments.
    """

    _direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        legal = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in legal:
            raise ValueError(
                f"Expected `class_aggregation` to be one of {list(legal)}. "
                f"Received: class_aggregation={class_aggregation!r}"
            )
        if num_regressors < 0:
            raise ValueError(
                f"Expected `num_regressors` >= 0. Received: num_regressors={num_regressors}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self._zeros("num_samples")
        self._built = False

    def _build(self, columns: int) -> None:
        self.squared_sum = self._zeros("squared_sum", (columns,))
        self.sum = self._zeros("sum", (columns,))
        self.total_mse = self._zeros("residual", (columns,))
        self.count = self._zeros("count", (columns,))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        true, pred = _matrices(self, y_true, y_pred)
        if not self._built:
            self._build(true.shape[1])
        true, pred = true.astype(np.float64), pred.astype(np.float64)
        weight = combine(sample_weight, None, true.shape, "sum", np.float64)
        weight = np.broadcast_to(1.0 if weight is None else weight, true.shape)
        self.sum.assign_add(np.sum(true * weight, axis=0))
        self.squared_sum.assign_add(np.sum(true * true * weight, axis=0))
        self.total_mse.assign_add(np.sum(np.square(true - pred) * weight, axis=0))
        self.count.assign_add(np.sum(weight, axis=0))
        self.num_samples.assign_add(true.size)

    def result(self) -> Any:
        if not self._built:
            return self._result(0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            total = self.squared_sum.value - np.square(self.sum.value) / self.count.value
            scores = 1 - self.total_mse.value / total
        scores = np.where(np.isinf(scores), 0.0, scores)
        if self.class_aggregation == "uniform_average":
            scores = np.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = np.sum(total * scores) / np.sum(total)
        if self.num_regressors:
            scores = self._adjusted(scores)
        return self._result(scores)

    def _adjusted(self, scores: np.ndarray) -> np.ndarray:
        freedom = float(self.num_samples) - self.num_regressors - 1
        if freedom <= 0:
            warn(
                f"The adjusted R2 score needs more than {self.num_regressors + 1} samples: this "
                "is the standard one."
            )
            return scores
        return 1 - (1 - scores) * (float(self.num_samples) - 1) / freedom

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }
