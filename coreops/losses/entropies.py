"""Losses of probabilities as classes: functions, their options, how they are reduced."""

from __future__ import annotations

from typing import Any

from . import probabilistic
from .wrapper import NamedLoss

_MEAN = "sum_over_batch_size"


class KLDivergence(NamedLoss):
    """`kl_divergence` of a batch."""

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "kl_divergence", dtype: Any = None
    ) -> None:
        super().__init__(probabilistic.kl_divergence, reduction, name, dtype)


class Poisson(NamedLoss):
    """`poisson` of a batch."""

    def __init__(
        self, reduction: str | None = _MEAN, name: str | None = "poisson", dtype: Any = None
    ) -> None:
        super().__init__(probabilistic.poisson, reduction, name, dtype)


class BinaryCrossentropy(NamedLoss):
    """`binary_crossentropy` of a batch, with its options."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            probabilistic.binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class BinaryFocalCrossentropy(NamedLoss):
    """`binary_focal_crossentropy` of a batch, with its options."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            probabilistic.binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class CategoricalCrossentropy(NamedLoss):
    """`categorical_crossentropy` of a batch, with its options."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            probabilistic.categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class CategoricalFocalCrossentropy(NamedLoss):
    """`categorical_focal_crossentropy` of a batch, with its options."""

    def __init__(
        self,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = _MEAN,
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            probabilistic.categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(NamedLoss):
    """`sparse_categorical_crossentropy` of a batch, with its options."""

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = _MEAN,
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            probabilistic.sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


class CategoricalGeneralizedCrossEntropy(NamedLoss):
    """`categorical_generalized_cross_entropy` of a batch; ValueError unless 0 < q < 1."""

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = _MEAN,
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(f"Expected `q` to be in the interval (0, 1). Received: q={q}")
        function = probabilistic.categorical_generalized_cross_entropy
        super().__init__(function, reduction, name, dtype, q=q)
