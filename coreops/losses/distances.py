"""Losses of numbers and margins as classes: functions, their options, how they are reduced."""

from __future__ import annotations

from typing import Any

from . import regression, similarity
from .wrapper import NamedLoss

_MEAN = "sum_over_batch_size"


class MeanSquaredError(NamedLoss):
    """`mean_squared_error` of a batch."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(regression.mean_squared_error, reduction, name, dtype)


class MeanAbsoluteError(NamedLoss):
    """`mean_absolute_error` of a batch."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(regression.mean_absolute_error, reduction, name, dtype)


class MeanAbsolutePercentageError(NamedLoss):
    """`mean_absolute_percentage_error` of a batch."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(regression.mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(NamedLoss):
    """`mean_squared_logarithmic_error` of a batch."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(regression.mean_squared_logarithmic_error, reduction, name, dtype)


class LogCosh(NamedLoss):
    """`log_cosh` of a batch."""

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "log_cosh", dtype: Any = None
    ) -> None:
        super().__init__(regression.log_cosh, reduction, name, dtype)


class Hinge(NamedLoss):
    """`hinge` of a batch."""

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "hinge", dtype: Any = None
    ) -> None:
        super().__init__(similarity.hinge, reduction, name, dtype)


class SquaredHinge(NamedLoss):
    """`squared_hinge` of a batch."""

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "squared_hinge", dtype: Any = None
    ) -> None:
        super().__init__(similarity.squared_hinge, reduction, name, dtype)


class CategoricalHinge(NamedLoss):
    """`categorical_hinge` of a batch."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "categorical_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(similarity.categorical_hinge, reduction, name, dtype)


class CosineSimilarity(NamedLoss):
    """`cosine_similarity` of a batch, with its options."""

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            regression.cosine_similarity,
            reduction,
            name,
            dtype,
            axis=axis,
        )


class Huber(NamedLoss):
    """`huber` of a batch, with its options."""

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = _MEAN,
        name: str | None = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            regression.huber,
            reduction,
            name,
            dtype,
            delta=delta,
        )


class Dice(NamedLoss):
    """`dice` of a batch, with its options."""

    def __init__(
        self,
        reduction: str | None = _MEAN,
        name: str | None = "dice",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            similarity.dice,
            reduction,
            name,
            dtype,
            axis=axis,
        )


class Tversky(NamedLoss):
    """`tversky` of a batch, with its options."""

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = _MEAN,
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            similarity.tversky,
            reduction,
            name,
            dtype,
            alpha=alpha,
            beta=beta,
            axis=axis,
        )


class Circle(NamedLoss):
    """`circle` of a batch, with its options."""

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = _MEAN,
        name: str | None = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            similarity.circle,
            reduction,
            name,
            dtype,
            gamma=gamma,
            margin=margin,
            remove_diagonal=remove_diagonal,
        )
