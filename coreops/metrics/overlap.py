"""Intersection over union of classes, from a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config
from .._plan import KerasArray, as_array, mask_of
from .._warnings import warn
from ..losses.reduction import combine
from .metric import Metric


class IoU(Metric):
    """The mean over some classes of true positives / (labels + predictions - true positives).

    Args:
        num_classes: labels and predictions outside [0, num_classes) do not count.
        target_class_ids: the classes that the mean is over.
        name: as in `Metric`.
        dtype: of what is counted; by default "int32", which cuts off fractions of weights.
        ignore_class: a label that does not count, None for none.
        sparse_y_true: whether labels are class numbers; else the greatest along `axis` counts.
        sparse_y_pred: likewise of predictions.
        axis: the axis of the classes.

    Raises:
        ValueError: for a target class that is none of the classes.
    """

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name=name, dtype=dtype or "int")
        self.num_classes = num_classes
        self.target_class_ids = list(target_class_ids)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        bad = [i for i in self.target_class_ids if not 0 <= i < num_classes]
        if bad:
            raise ValueError(
                f"Expected `target_class_ids` in [0, {num_classes}). Received: {bad[0]}"
            )
        self.total_cm = self.add_variable(
            (num_classes, num_classes),
            "zeros",
            "int64" if "int" in self.dtype else "float64",
            name="total_confusion_matrix",
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        mask = mask_of(y_pred)
        true, pred = as_array(y_true, "y_true"), as_array(y_pred, "y_pred")
        true = true if self.sparse_y_true else true.argmax(self.axis)
        pred = pred if self.sparse_y_pred else pred.argmax(self.axis)
        if true.size != pred.size:
            raise ValueError(
                f"{self.name}: expected a label for each prediction. Received: "
                f"y_true.shape={np.shape(y_true)}, y_pred.shape={np.shape(y_pred)}"
            )
        shape = true.shape
        weight = combine(sample_weight, mask, shape, "sum", np.float64)
        true, pred = (x.astype(np.int64, copy=False).ravel() for x in (true, pred))
        n = self.num_classes
        counts = (true >= 0) & (true < n) & (pred >= 0) & (pred < n)
        if self.ignore_class is not None:
            counts &= true != self.ignore_class
        cells = (true * n + pred)[counts]
        if weight is not None:
            if self.total_cm.dtype == "int64" and (weight != np.trunc(weight)).any():
                warn(
                    f"{self.name} counts in {self.dtype}: fractions of weights are cut off. Pass "
                    "dtype='float32' to count them."
                )
            weight = np.broadcast_to(weight, shape).ravel()[counts].astype(self.total_cm.dtype)
        self.total_cm.assign_add(
            np.bincount(cells, weight, n * n).astype(self.total_cm.dtype).reshape(n, n)
        )

    def result(self) -> Any:
        cm = self.total_cm.value
        right = np.diag(cm)[self.target_class_ids].astype(np.float64)
        union = (cm.sum(0) + cm.sum(1))[self.target_class_ids] - right
        present = union > 1e-9
        epsilon = config.epsilon()
        shares = right[present] / (union[present] + epsilon)
        return np.float32(np.sum(shares) / (np.count_nonzero(present) + epsilon))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }

    def _config_without(self, *names: str) -> dict[str, Any]:
        return {key: value for key, value in IoU.get_config(self).items() if key not in names}


class BinaryIoU(IoU):
    """`IoU` of the classes 0 and 1, where predictions from the threshold on are class 1."""

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        found = as_array(y_pred, "y_pred") >= self.threshold
        super().update_state(y_true, KerasArray.attach(found, mask_of(y_pred)), sample_weight)

    def get_config(self) -> dict[str, Any]:
        base = Metric.get_config(self)
        return {**base, "target_class_ids": self.target_class_ids, "threshold": self.threshold}


class MeanIoU(IoU):
    """`IoU` of all classes."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        targets = range(num_classes)
        super().__init__(
            num_classes, targets, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis
        )

    def get_config(self) -> dict[str, Any]:
        return self._config_without("target_class_ids")


class OneHotIoU(IoU):
    """`IoU` of labels that are given one-hot."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )

    def get_config(self) -> dict[str, Any]:
        return self._config_without("sparse_y_true")


class OneHotMeanIoU(MeanIoU):
    """`IoU` of all classes, of labels that are given one-hot."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        return self._config_without("target_class_ids", "sparse_y_true")
