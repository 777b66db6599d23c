"""Areas under curves over thresholds, and points on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config, ops
from .._plan import KerasArray, mask_of
from .confusion import COUNTS, Confusion, Thresholds, is_even
from .metric import ratio

_CURVES = ("ROC", "PR", "PRGAIN")
_METHODS = ("interpolation", "majoring", "minoring")


def _grid(n: int) -> list[float]:
    """0, 1 / (n - 1), ..., 1."""
    return [i / (n - 1) for i in range(n)]


class AUC(Confusion):
    """The area under a curve over thresholds, by a Riemann sum.

    Args:
        num_thresholds: how many thresholds divide [0, 1].
        curve: "ROC" (recall over false positive rate), "PR" (precision over recall) or "PRGAIN"
            (precision gain over recall gain).
        summation_method: "interpolation" (trapezoids; for "PR" between the counts, after Davis
            and Goadrich, 2006), "minoring" or "majoring" (rectangles below or above).
        name, dtype: as in `Metric`.
        thresholds: numbers in [0, 1] in place of `num_thresholds`; the ends are added.
        multi_label: whether each column has a curve of its own, the result being their mean.
        num_labels: the number of columns, if `multi_label` is to have variables at once.
        label_weights: weights of the columns; without `multi_label` of their predictions.
        from_logits: whether predictions are logits.

    Raises:
        ValueError: for an unknown curve or method, fewer than 2 thresholds, or `num_labels`
            without `multi_label`.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        self.curve = _choice("curve", curve, _CURVES, str.upper)
        self.summation_method = _choice("summation_method", summation_method, _METHODS, str.lower)
        if num_labels and not multi_label:
            raise ValueError("`num_labels` is needed only with `multi_label`.")
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(
                "Expected `num_thresholds` to be an integer > 1. "
                f"Received: num_thresholds={num_thresholds}"
            )
        inner = _grid(num_thresholds)[1:-1] if thresholds is None else sorted(thresholds)
        even = thresholds is None or is_even([0.0, *inner, 1.0])
        epsilon = config.epsilon()
        found = Thresholds([-epsilon, *inner, 1.0 + epsilon], even)
        super().__init__(COUNTS, found, name, dtype)
        self._direction = "up"
        self._init_thresholds = None if thresholds is None else inner
        self.num_thresholds = len(found)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = (
            None if label_weights is None else np.asarray(label_weights, self.dtype)
        )
        self._from_logits = from_logits
        if not multi_label or num_labels:
            self.build(num_labels)

    @property
    def thresholds(self) -> list[float]:
        """All thresholds, the first just below 0 and the last just above 1."""
        return list(self._thresholds.values)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        weights = self.label_weights
        if weights is not None and weights.shape not in ((), np.shape(y_pred)[-1:]):
            raise ValueError(
                f"{self.name}: expected a weight in `label_weights` for each of the labels. "
                f"Received: label_weights={weights}, y_pred.shape={np.shape(y_pred)}"
            )
        if self._from_logits:
            mask = mask_of(y_pred)
            y_pred = KerasArray.attach(ops.sigmoid(y_pred), mask)
        if not self.multi_label:
            self._count(y_true, y_pred, sample_weight, weights)
            return
        shape = np.shape(y_pred)
        if len(shape) != 2:
            raise ValueError(
                f"{self.name}: `multi_label` needs predictions of shape (batch, labels). "
                f"Received: y_pred.shape={shape}"
            )
        if not self._variables:
            self.build(shape[1])
        if shape[1] != self.true_positives.shape[1]:
            raise ValueError(
                f"{self.name}: expected {self.true_positives.shape[1]} labels. "
                f"Received: y_pred.shape={shape}"
            )
        self._count(y_true, y_pred, sample_weight, by_column=True)

    def result(self) -> Any:
        if not self._variables:
            return self._result(0.0)
        tp, fp, tn, fn = (getattr(self, name).value for name in COUNTS)
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._total(_interpolated(tp, fp, fn))
        if self.curve == "ROC":
            x, y = ratio(fp, fp + tn), ratio(tp, tp + fn)
        elif self.curve == "PR":
            x, y = ratio(tp, tp + fn), ratio(tp, tp + fp)
        else:
            odds = ratio(tp + fn, tn + fp)
            x = np.where(tp == 0, 0.0, np.maximum(1.0 - odds * ratio(fn, tp), 0.0))
            y = np.where(tp == 0, 1.0, 1.0 - odds * ratio(fp, tp))
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2
        else:
            pick = np.minimum if self.summation_method == "minoring" else np.maximum
            heights = pick(y[:-1], y[1:])
        return self._total((x[:-1] - x[1:]) * heights)

    def _total(self, terms: np.ndarray) -> Any:
        """Return the sum over the thresholds, averaged over the labels."""
        areas = terms.sum(axis=0)
        if self.multi_label:
            weights = 1.0 if self.label_weights is None else self.label_weights
            weights = np.broadcast_to(weights, areas.shape)
            areas = ratio(np.sum(areas * weights), np.sum(weights))
        return self._result(areas)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self._from_logits,
        }
        if self._init_thresholds is not None:
            config["thresholds"] = self._init_thresholds
        return config


def _choice(argument: str, value: Any, legal: tuple[str, ...], normal: Any) -> str:
    found = normal(getattr(value, "value", value))
    if found not in legal:
        raise ValueError(
            f"Expected `{argument}` to be one of {list(legal)}. Received: {argument}={value!r}"
        )
    return found


def _interpolated(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """Return the areas between neighbouring points of the PR curve.

    Between two points true positives grow linearly with all positives p: tp = a + b p. The
    integral of precision over recall is that of (a + b p) / p times b over tp + fn.
    """
    p = tp + fp
    d_tp, d_p = tp[:-1] - tp[1:], p[:-1] - p[1:]
    b = ratio(d_tp, np.maximum(d_p, 0.0))
    a = tp[1:] - b * p[1:]
    both = (p[:-1] > 0) & (p[1:] > 0)
    growth = np.where(both, ratio(p[:-1], p[1:]), 1.0)
    return ratio(b * (d_tp + a * np.log(growth)), tp[1:] + fn[1:])


class _BestPoint(Confusion):
    """The best of one rate at the thresholds where another one reaches a value."""

    _argument: str

    def __init__(
        self,
        value: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: Any,
    ) -> None:
        if not 0 <= value <= 1:
            raise ValueError(
                f"Expected `{self._argument}` to be in [0, 1]. Received: {self._argument}={value}"
            )
        if num_thresholds <= 0:
            raise ValueError(
                "Expected `num_thresholds` to be an integer > 0. "
                f"Received: num_thresholds={num_thresholds}"
            )
        one = num_thresholds == 1
        found = Thresholds([0.5] if one else _grid(num_thresholds), not one)
        super().__init__(COUNTS, found, name, dtype, class_id=class_id)
        self._direction = "up"
        self.value = value
        self.num_thresholds = num_thresholds
        self.thresholds = found.values
        setattr(self, self._argument, value)
        self.build()

    def _rates(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the rate that is bounded and the one that is sought, per threshold."""
        raise NotImplementedError

    def _rate(self, right: str, wrong: str) -> np.ndarray:
        count = getattr(self, right).value
        return ratio(count, count + getattr(self, wrong).value)

    def result(self) -> Any:
        bounded, sought = self._rates()
        return self._result(np.max(sought[bounded >= self.value], initial=0.0))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_id": self.class_id,
            "num_thresholds": self.num_thresholds,
            self._argument: self.value,
        }


class SensitivityAtSpecificity(_BestPoint):
    """The greatest sensitivity at thresholds of at least some specificity.

    Args:
        specificity: the least share of negatives that are predicted so, in [0, 1].
        num_thresholds: how many thresholds divide [0, 1].
        class_id: only this column counts.
        name, dtype: as in `Metric`.
    """

    _argument = "specificity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[np.ndarray, np.ndarray]:
        specificity = self._rate("true_negatives", "false_positives")
        return specificity, self._rate("true_positives", "false_negatives")


class SpecificityAtSensitivity(_BestPoint):
    """The greatest specificity at thresholds of at least some sensitivity."""

    _argument = "sensitivity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[np.ndarray, np.ndarray]:
        sensitivity = self._rate("true_positives", "false_negatives")
        return sensitivity, self._rate("true_negatives", "false_positives")


class PrecisionAtRecall(_BestPoint):
    """The greatest precision at thresholds of at least some recall."""

    _argument = "recall"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[np.ndarray, np.ndarray]:
        recall = self._rate("true_positives", "false_negatives")
        return recall, self._rate("true_positives", "false_positives")


class RecallAtPrecision(_BestPoint):
    """The greatest recall at thresholds of at least some precision."""

    _argument = "precision"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def _rates(self) -> tuple[np.ndarray, np.ndarray]:
        precision = self._rate("true_positives", "false_positives")
        return precision, self._rate("true_positives", "false_negatives")
