"""The means of loss functions as metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import losses
from .._plan import as_array, mask_of
from ..losses.reduction import check_broadcast, combine, same_rank
from ..losses.regression import cosine
from .averages import Mean, NamedMean


class MeanSquaredError(NamedMean):
    """Mean of (y_true - y_pred)^2."""

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_squared_error, name, dtype, "down")


class RootMeanSquaredError(Mean):
    """Root of the mean of (y_true - y_pred)^2."""

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        mask = mask_of(y_pred)
        y_true = as_array(y_true, "y_true").astype(self.dtype, copy=False)
        y_pred = as_array(y_pred, "y_pred").astype(self.dtype, copy=False)
        y_true, y_pred = same_rank(y_true, y_pred)
        check_broadcast(self.name, y_true.shape, y_pred.shape)
        values = np.square(y_pred - y_true)
        if mask is not None:
            sample_weight = combine(sample_weight, mask, values.shape, "sum", np.float64)
        super().update_state(values, sample_weight)

    def result(self) -> Any:
        return np.sqrt(super().result())


class MeanAbsoluteError(NamedMean):
    """Mean of |y_true - y_pred|."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(losses.mean_absolute_error, name, dtype, "down")


class MeanAbsolutePercentageError(NamedMean):
    """100 * mean of |y_true - y_pred| / |y_true|."""

    def __init__(
        self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None
    ) -> None:
        super().__init__(losses.mean_absolute_percentage_error, name, dtype, "down")


class MeanSquaredLogarithmicError(NamedMean):
    """Mean of (log(y_true + 1) - log(y_pred + 1))^2."""

    def __init__(
        self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None
    ) -> None:
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype, "down")


class CosineSimilarity(NamedMean):
    """Mean of the cosines between labels and predictions: 1 for equal directions."""

    def __init__(
        self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1
    ) -> None:
        super().__init__(cosine, name, dtype, "up", axis=axis)


class LogCoshError(NamedMean):
    """Mean of log(cosh(y_pred - y_true))."""

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(losses.log_cosh, name, dtype, "down")


class KLDivergence(NamedMean):
    """Mean of sum y_true * log(y_true / y_pred)."""

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(losses.kl_divergence, name, dtype, "down")


class Poisson(NamedMean):
    """Mean of y_pred - y_true * log(y_pred)."""

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(losses.poisson, name, dtype, "down")


class BinaryCrossentropy(NamedMean):
    """Mean of `losses.binary_crossentropy`."""

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing}
        super().__init__(losses.binary_crossentropy, name, dtype, "down", **options)


class CategoricalCrossentropy(NamedMean):
    """Mean of `losses.categorical_crossentropy`."""

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        options = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, "down", **options)


class SparseCategoricalCrossentropy(NamedMean):
    """Mean of `losses.sparse_categorical_crossentropy`. What is ignored has the loss 0 and, where
    samples have weights, no weight."""

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, "down", **options)


class Hinge(NamedMean):
    """Mean of max(1 - y_true * y_pred, 0)."""

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(losses.hinge, name, dtype, "down")


class SquaredHinge(NamedMean):
    """Mean of max(1 - y_true * y_pred, 0)^2."""

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(losses.squared_hinge, name, dtype, "down")


class CategoricalHinge(NamedMean):
    """Mean of `losses.categorical_hinge`."""

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(losses.categorical_hinge, name, dtype, "down")
