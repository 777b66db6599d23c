"""Sums and means over all that was seen."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .._plan import as_array, mask_of
from ..losses.reduction import combine, with_axis
from ..saving import objects
from .metric import Metric


def _weighted(values: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return values times their weights, and the weights in the values' shape. The values' mask
    counts where there are weights, as in Keras."""
    mask = None if sample_weight is None else mask_of(values)
    values = as_array(values, "metric")
    weight = combine(sample_weight, mask, values.shape, "sum", np.float64)
    if weight is None:
        return values, None
    if weight.ndim > values.ndim:
        raise ValueError(
            "A metric of one value for the whole batch cannot weigh its samples. Received: "
            f"sample_weight.shape={weight.shape}"
        )
    weight = np.broadcast_to(weight, values.shape)
    return values * weight, weight


class Sum(Metric):
    """The weighted sum of all values."""

    def __init__(self, name: str | None = "sum", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self._zeros("total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, _ = _weighted(values, sample_weight)
        self.total.assign_add(np.add.reduce(values, None, np.float64))

    def result(self) -> Any:
        return self._result(self.total)


class Mean(Metric):
    """The weighted mean of all values; 0 before the first.

    Each sample counts by its weight: values of several positions enter with their mean.
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self._zeros("total")
        self.count = self._zeros("count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, weight = _weighted(values, sample_weight)
        self._add(
            np.add.reduce(values, None, np.float64),
            values.size if weight is None else np.add.reduce(weight, None, np.float64),
            values.shape,
        )

    def _add(self, total: Any, count: Any, shape: tuple[int, ...]) -> None:
        """Add sums over values and weights of a shape, batch first."""
        positions = prod(shape[1:]) or 1
        self.total.add(total / positions)
        self.count.add(count / positions)

    def result(self) -> Any:
        count = float(self.count)
        return self._result(float(self.total) / count if count else 0.0)


class MeanMetricWrapper(Mean):
    """The weighted mean of a function of labels and predictions.

    Args:
        fn: function or loss (y_true, y_pred, **kwargs).
        name, dtype: as in `Metric`.
        **kwargs: further arguments of `fn`.
    """

    def __init__(
        self, fn: Callable, name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if objects.is_of_family("losses", fn):
            self._direction = "down"

    def update_state(  # type: ignore[override]  # what a mean is of
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        mask = mask_of(y_pred)
        if mask is not None or sample_weight is not None:
            y_true = with_axis(y_true, as_array(y_pred, "y_pred"), sample_weight, mask)
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        if mask is not None:
            shape = np.shape(values)
            sample_weight = combine(sample_weight, mask, shape, "sum", np.float64)
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fn": objects.serialize_keras_object(self._fn),
            **objects.serialize_keras_object(self._fn_kwargs),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MeanMetricWrapper:
        if "fn" in config:
            config = objects.deserialize_keras_object(config)
        return cls(**config)


class NamedMean(MeanMetricWrapper):
    """Base of the classes of known functions: a config holds the options, and no function."""

    def __init__(
        self, fn: Callable, name: str | None, dtype: Any, direction: str | None, **options: Any
    ) -> None:
        super().__init__(fn, name, dtype, **options)
        self._direction = direction
        self.__dict__.update(options)

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), **objects.serialize_keras_object(self._fn_kwargs)}
