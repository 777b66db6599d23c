"""How often predictions are right.

The functions give 1 or 0 per sample and position; the classes count without that detour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import config, ops
from .._plan import as_array, mask_of
from ..losses.reduction import check_broadcast, same_rank
from .averages import NamedMean


def accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where y_true equals y_pred."""
    return _numbers(_equal(y_true, y_pred))


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> np.ndarray:
    """1 where the label is that of the prediction: 1 above the threshold, else 0."""
    return _numbers(_binary(y_true, y_pred, threshold))


def categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where both are greatest at the same place of the last axis."""
    return _numbers(_categorical(y_true, y_pred))


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where the prediction is greatest at the class that the label numbers."""
    return _numbers(_sparse_categorical(y_true, y_pred))


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """1 where the greatest label is among the k greatest predictions."""
    return _numbers(_top_k(y_true, y_pred, k))


def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> np.ndarray:
    """1 where the class that the label numbers is among the k greatest predictions.

    Args:
        y_true: class numbers.
        y_pred: predictions; with `from_sorted_ids` class numbers, the most likely first.
        k: how many may be looked at.
    """
    return _numbers(_sparse_top_k(y_true, y_pred, k, from_sorted_ids))


def _numbers(hits: np.ndarray) -> np.ndarray:
    return hits.astype(config.compute_floatx())


def _arrays(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    return as_array(y_true, "y_true"), as_array(y_pred, "y_pred")


def _alike(what: str, y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays that broadcast and, where a last axis 1 does it, of one rank."""
    y_true, y_pred = same_rank(*_arrays(y_true, y_pred))
    check_broadcast(what, y_true.shape, y_pred.shape)
    return y_true, y_pred


def _equal(y_true: Any, y_pred: Any) -> np.ndarray:
    y_true, y_pred = _alike("accuracy", y_true, y_pred)
    return y_true.astype(y_pred.dtype, copy=False) == y_pred


def _binary(y_true: Any, y_pred: Any, threshold: float) -> np.ndarray:
    y_true, y_pred = _alike("binary_accuracy", y_true, y_pred)
    return (y_pred > threshold) == y_true


def _categorical(y_true: Any, y_pred: Any) -> np.ndarray:
    y_true, y_pred = _arrays(y_true, y_pred)
    return _compare(y_true.argmax(-1), y_pred.argmax(-1), y_true, y_pred)


def _sparse_categorical(y_true: Any, y_pred: Any) -> np.ndarray:
    y_true, y_pred = _arrays(y_true, y_pred)
    labels, found = y_true, y_pred.argmax(-1)
    if labels.ndim == y_pred.ndim and labels.shape[-1] == 1:
        labels = labels[..., 0]
    hits = _compare(labels, found, y_true, y_pred)
    return hits[..., 0] if hits.ndim > 1 and hits.shape[-1] == 1 else hits


def _compare(
    labels: np.ndarray, found: np.ndarray, y_true: np.ndarray, y_pred: np.ndarray
) -> np.ndarray:
    """labels == found; ValueError unless their shapes are equal."""
    if labels.shape != found.shape:
        raise ValueError(
            "Accuracy: expected a label for each prediction. Received: "
            f"y_true.shape={y_true.shape}, y_pred.shape={y_pred.shape}"
        )
    return labels == found


def _top_k(y_true: Any, y_pred: Any, k: int) -> np.ndarray:
    return _sparse_top_k(as_array(y_true, "y_true").argmax(-1), y_pred, k, False)


def _sparse_top_k(y_true: Any, y_pred: Any, k: int, from_sorted_ids: bool) -> np.ndarray:
    y_true, y_pred = _arrays(y_true, y_pred)
    labels, rows = y_true.reshape(-1), y_pred.reshape(-1, y_pred.shape[-1])
    if len(labels) != len(rows):
        _compare(y_true, y_pred[..., 0], y_true, y_pred)
    if from_sorted_ids:
        hits = (labels[:, None] == rows[:, :k]).any(axis=1)
    else:
        hits = ops.in_top_k(labels.astype(np.int32), rows, k)
    return hits.reshape(y_true.shape)


class _Hits(NamedMean):
    """The share of hits: like the mean of the function's values, but counted as bools."""

    def __init__(
        self,
        fn: Callable,
        hits: Callable[..., np.ndarray],
        name: str | None,
        dtype: Any,
        **options: Any,
    ) -> None:
        super().__init__(fn, name, dtype, "up", **options)
        self._hits = hits

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        if sample_weight is not None or mask_of(y_pred) is not None:
            super().update_state(y_true, y_pred, sample_weight)
            return
        hits = self._hits(y_true, y_pred, **self._fn_kwargs)
        self._add(np.count_nonzero(hits), hits.size, hits.shape)


class Accuracy(_Hits):
    """How often predictions equal labels."""

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, _equal, name, dtype)


class BinaryAccuracy(_Hits):
    """How often predictions are on the labels' side of the threshold."""

    def __init__(
        self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, _binary, name, dtype, threshold=threshold)


class CategoricalAccuracy(_Hits):
    """How often the greatest prediction is that of the label, given one-hot."""

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, _categorical, name, dtype)


class SparseCategoricalAccuracy(_Hits):
    """How often the greatest prediction is that of the label, given as a number."""

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, _sparse_categorical, name, dtype)


class TopKCategoricalAccuracy(_Hits):
    """How often the label, given one-hot, is among the k greatest predictions."""

    def __init__(
        self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, _top_k, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(_Hits):
    """How often the label, given as a number, is among the k greatest predictions."""

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        options = {"k": k, "from_sorted_ids": from_sorted_ids}
        super().__init__(sparse_top_k_categorical_accuracy, _sparse_top_k, name, dtype, **options)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if not config["from_sorted_ids"]:
            del config["from_sorted_ids"]
        return config
