"""Functions as losses, and what the kernels need to know of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from .. import config, ops
from .._arguments import check_numbers, check_numeric
from .._plan import as_array
from ..saving import objects
from . import probabilistic, regression, similarity
from .loss import Loss
from .reduction import factors, lacks_axis, per_position, same_rank

# Which options of a function its kernel takes; the kind of the kernel is the function's name.
_KERNELS: dict[Callable, tuple[str, ...]] = {
    regression.mean_squared_error: (),
    regression.mean_absolute_error: (),
    regression.mean_absolute_percentage_error: (),
    regression.mean_squared_logarithmic_error: (),
    regression.cosine_similarity: (),
    regression.huber: ("delta",),
    regression.log_cosh: (),
    similarity.hinge: (),
    similarity.squared_hinge: (),
    similarity.categorical_hinge: (),
    probabilistic.kl_divergence: (),
    probabilistic.poisson: (),
    probabilistic.binary_crossentropy: ("from_logits", "label_smoothing"),
    probabilistic.categorical_crossentropy: ("from_logits", "label_smoothing"),
    probabilistic.sparse_categorical_crossentropy: ("from_logits", "ignore_class"),
}
_DEFAULTS = {"delta": 1.0, "from_logits": False, "label_smoothing": 0.0, "ignore_class": None}
_EPSILON = 1e-7  # the kernels' fuzz factor
_SPARSE = probabilistic.sparse_categorical_crossentropy
_SIGNED = (similarity.hinge, similarity.squared_hinge)
# Options that are numbers, beside `alpha`, which may be one for each class.
_NUMBERS = {"beta", "delta", "gamma", "label_smoothing", "margin", "q"}
# What is not the mean of its elements' losses.
_OF_VECTORS = (
    regression.cosine_similarity,
    similarity.categorical_hinge,
    probabilistic.kl_divergence,
    probabilistic.categorical_crossentropy,
)


# Whose labels have the predictions' shape.
_ALIKE = (
    *(fn for fn in _KERNELS if fn is not _SPARSE),
    probabilistic.binary_focal_crossentropy,
    probabilistic.categorical_focal_crossentropy,
    similarity.dice,
    similarity.tversky,
)


class LossFunctionWrapper(Loss):
    """A function as a loss.

    Args:
        fn: function (y_true, y_pred, **kwargs) of `coreops.ops`, one value per sample or position.
        reduction, name, dtype: as in `Loss`.
        **kwargs: further arguments of `fn`.
    """

    def __init__(
        self,
        fn: Callable,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true, y_pred = same_rank(y_true, y_pred)
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def check_labels(self, shape: Sequence[int], pred_shape: Sequence[int]) -> None:
        if any(self.fn is fn for fn in _ALIKE):
            _check_alike(self.name, tuple(shape), tuple(pred_shape))

    def kernel(self) -> tuple[str, dict[str, Any]] | None:
        cls = type(self)
        if cls.call is not LossFunctionWrapper.call or cls.__call__ is not Loss.__call__:
            return None
        try:
            names = _KERNELS.get(self.fn)
        except TypeError:  # an unhashable callable
            return None
        given = self._fn_kwargs
        if names is None or given.get("axis", -1) != -1 or config.epsilon() != _EPSILON:
            return None
        return self.fn.__name__, {name: given.get(name, _DEFAULTS[name]) for name in names}

    def targets(self) -> str | None:
        if self.fn is _SPARSE:
            return "labels" if self._fn_kwargs.get("ignore_class") is None else None
        return None if self.fn in _SIGNED else "cast"

    def target(self, y_true: Any, shape: Sequence[int], dtype: Any) -> np.ndarray:
        if self.reduction in (None, "none"):
            raise ValueError(
                f"{self.name}: a model trains on one number. Expected a `reduction` such as "
                f"'sum_over_batch_size'. Received: reduction={self.reduction!r}"
            )
        if self.fn is _SPARSE:
            return sparse_target(self.name, y_true, shape, self._fn_kwargs.get("ignore_class"))
        target = dense_target(self.name, y_true, shape, dtype)
        if self.fn in _SIGNED:
            target = np.ascontiguousarray(similarity.signed_labels(target))
        return target

    def factor(
        self, target: np.ndarray, rank: int, dtype: Any, sample_weight: Any, mask: Any
    ) -> float | np.ndarray:
        dtype = np.dtype(dtype)
        if self.fn is not _SPARSE:
            rows = target.shape[:-1]
            if lacks_axis(rank, target.shape) and not per_position(rows, sample_weight, mask):
                return self._factors_of_means(rows, sample_weight, dtype)
            return factors(rows, sample_weight, mask, self.reduction, dtype)
        if self._fn_kwargs.get("ignore_class") is not None:
            valid = target >= 0
            mask = valid if mask is None else np.logical_and(valid, mask)
        return factors(target.shape, sample_weight, mask, self.reduction, dtype)

    def _factors_of_means(
        self, rows: tuple[int, ...], sample_weight: Any, dtype: np.dtype
    ) -> float | np.ndarray:
        """Return factors for positions whose mean over the last axis of `rows` is one value."""
        if self.fn in _OF_VECTORS:
            raise ValueError(
                f"{self.name}: expected labels of the predictions' shape {(*rows, 1)}. "
                f"Received: y_true.shape={rows}"
            )
        factor = factors(rows[:-1], sample_weight, None, self.reduction, dtype)
        positions = max(rows[-1], 1)
        if isinstance(factor, float):
            return factor / positions
        return np.repeat(factor[..., None] / positions, rows[-1], axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fn": objects.serialize_keras_object(self.fn),
            **objects.serialize_keras_object(self._fn_kwargs),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LossFunctionWrapper:
        if "fn" in config:
            config = objects.deserialize_keras_object(config)
        return cls(**config)

    def __repr__(self) -> str:
        name = getattr(self.fn, "__name__", self.fn)
        options = "".join(f", {key}={value!r}" for key, value in self._fn_kwargs.items())
        return f"<{type(self).__name__} {self.name}: {name}{options}>"


class NamedLoss(LossFunctionWrapper):
    """Base of the classes of known functions: a config holds the options, and no function."""

    def __init__(
        self, fn: Callable, reduction: str | None, name: str | None, dtype: Any, **options: Any
    ) -> None:
        super().__init__(fn, reduction, name, dtype, **options)
        check_numbers(self.name, **{key: options[key] for key in _NUMBERS & options.keys()})
        check_numeric(self.name, alpha=options.get("alpha", 0.0))
        self.__dict__.update(options)

    def get_config(self) -> dict[str, Any]:
        return {**Loss.get_config(self), **objects.serialize_keras_object(self._fn_kwargs)}


def dense_target(what: str, y_true: Any, shape: Sequence[int], dtype: Any) -> np.ndarray:
    """Return labels as a C-contiguous array of the predictions' shape.

    They may lack a last axis of size 1, or have one too many.
    """
    target, shape = as_array(y_true, what), tuple(shape)
    _check_alike(what, target.shape, shape)
    return np.ascontiguousarray(target.reshape(shape), dtype)


def _check_alike(what: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected and (*shape, 1) != expected and shape != (*expected, 1):
        raise ValueError(
            f"{what}: expected labels of the predictions' shape {expected}. "
            f"Received: y_true.shape={shape}"
        )


def sparse_target(
    what: str, y_true: Any, shape: Sequence[int], ignore_class: int | None
) -> np.ndarray:
    """Return class numbers as C-contiguous int32, one per row of the predictions; -1: ignored."""
    shape = tuple(shape)
    if prod(shape[-1:]) < 1:
        raise ValueError(
            f"{what}: expected predictions of at least one class, not of shape {shape}"
        )
    labels = probabilistic.class_numbers(
        ops.convert_to_tensor(y_true), shape, len(shape) - 1, ignore_class, what
    )
    return np.ascontiguousarray(labels)
