"""Loss: the base class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import _dtypes, config, ops
from .._names import auto_name, to_snake_case
from .._plan import mask_of
from .reduction import reduce_weighted_values, standardize_reduction, with_axis


class Loss:
    """Base class: what training makes small.

    A subclass implements `call(y_true, y_pred)` with functions of `coreops.ops` and operators; it
    returns one loss per sample, or per position of it.

    Args:
        name: by default made from the name of the class.
        reduction: "sum_over_batch_size" or "mean" (sum of the weighted values / their number),
            "mean_with_sample_weight" (divided by the sum of the weights), "sum", "none" or None.
        dtype: in what to compute: a dtype policy or its name; by default `config.floatx()`.

    Raises:
        ValueError: for another reduction or dtype.
    """

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        self.name = name or auto_name(to_snake_case(type(self).__name__))
        self.reduction = standardize_reduction(reduction)
        self._dtype = _dtypes.get(dtype or config.floatx()).compute_dtype

    @property
    def dtype(self) -> str:
        """In what the loss is computed: "float32" or "float64"."""
        return self._dtype

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss of predictions.

        Args:
            y_true: what was to be predicted.
            y_pred: the predictions; positions that their mask excludes do not count.
            sample_weight: a factor per sample or per position; None: 1.
        """
        mask = mask_of(y_pred)
        y_pred = ops.convert_to_tensor(y_pred, self._dtype)
        y_true = ops.convert_to_tensor(y_true, self._dtype)
        values = self.call(with_axis(y_true, y_pred, sample_weight, mask), y_pred)
        own = mask_of(values)
        if own is not None:
            mask = own if mask is None else np.logical_and(own, mask)
        return reduce_weighted_values(values, sample_weight, mask, self.reduction, self._dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each sample, or position, by itself: what a subclass defines."""
        raise NotImplementedError(f"{type(self).__name__} does not implement call().")

    def check_labels(self, shape: Sequence[int], pred_shape: Sequence[int]) -> None:
        """Check the shape of a model's labels for predictions of a shape, batch first.

        Raises:
            ValueError: they do not belong together, though they might broadcast.
        """

    def widen(self, dtype: Any) -> None:
        """Compute in float64 from now on, if that is the type of a model's predictions."""
        if dtype == np.float64:
            self._dtype = "float64"

    def kernel(self) -> tuple[str, dict[str, Any]] | None:
        """Return the kind and options of the kernel that computes this loss, None if none does."""
        return None

    def targets(self) -> str | None:
        """Return what `target` does: "cast", to the predictions' type; "labels", to int32 once
        they are checked; None: more than that."""
        return None

    def prepare(
        self,
        y_true: Any,
        shape: Sequence[int],
        dtype: Any,
        sample_weight: Any = None,
        mask: Any = None,
    ) -> tuple[np.ndarray, float | np.ndarray]:
        """Return targets and weights as the kernel takes them: see `target` and `factor`."""
        target = self.target(y_true, shape, dtype)
        return target, self.factor(target, np.ndim(y_true), dtype, sample_weight, mask)

    def target(self, y_true: Any, shape: Sequence[int], dtype: Any) -> np.ndarray:
        """Return targets as the kernel takes them; only where `kernel()` names one.

        Args:
            y_true: the labels, as the user passed them.
            shape: the predictions' shape, batch first, of rank 2 or more.
            dtype: of the predictions.

        Returns:
            An array of `dtype` and the predictions' shape, a row of the last axis per value. For
            sparse labels int32, one per row, -1 where ignored.

        Raises:
            ValueError: for shapes that do not fit, labels that are out of range, or a loss that
                is not reduced to one number.
        """
        raise NotImplementedError(f"{type(self).__name__} has no kernel.")

    def factor(
        self, target: np.ndarray, rank: int, dtype: Any, sample_weight: Any, mask: Any
    ) -> float | np.ndarray:
        """Return what weighs the values: the reduced loss is the sum of weight * value.

        Args:
            target: what `target` made of labels of this rank.
            rank: see there.
            dtype: of the predictions.
            sample_weight, mask: as in a call.

        Returns:
            One float if it is the same for all, else an array with an element per row.

        Raises:
            ValueError: for weights that do not fit.
        """
        raise NotImplementedError(f"{type(self).__name__} has no kernel.")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds it from."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """Return a new object from such arguments."""
        return cls(**config)
