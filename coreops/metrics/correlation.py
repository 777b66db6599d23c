"""Correlations between labels and predictions, along an axis of each sample."""

from __future__ import annotations

from typing import Any

from .. import config, ops
from ..losses.regression import arguments
from .averages import NamedMean


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The covariance divided by both standard deviations, along `axis`."""
    y_true, y_pred = arguments("pearson_correlation", y_true, y_pred)
    return ops.mean(_standardize(y_true, axis) * _standardize(y_pred, axis), axis=axis)


def _standardize(x: Any, axis: int) -> Any:
    return _center(x, axis) / ops.std(x, axis=axis, keepdims=True)


def _center(x: Any, axis: int) -> Any:
    return x - ops.mean(x, axis=axis, keepdims=True)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """2 * covariance / (both variances + the squared difference of the means), along `axis`."""
    y_true, y_pred = arguments("concordance_correlation", y_true, y_pred)
    shift = ops.mean(y_true, axis=axis) - ops.mean(y_pred, axis=axis)
    both = ops.var(y_true, axis=axis) + ops.var(y_pred, axis=axis) + ops.square(shift)
    covariance = ops.mean(_center(y_true, axis) * _center(y_pred, axis), axis=axis)
    return 2.0 * covariance / (both + config.epsilon())


class PearsonCorrelation(NamedMean):
    """Mean of `pearson_correlation`."""

    def __init__(
        self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(pearson_correlation, name, dtype, "up", axis=axis)


class ConcordanceCorrelation(NamedMean):
    """Mean of `concordance_correlation`."""

    def __init__(
        self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(concordance_correlation, name, dtype, "up", axis=axis)
