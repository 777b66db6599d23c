"""Losses of probabilities, logits and counts: one value per sample and position."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import config, ops
from .._warnings import warn
from ..ops.composed import log_probabilities, probabilities
from .reduction import operands, with_mask


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """Sum of y_true * log(y_true / y_pred) over the last axis, both clipped to [epsilon, 1]."""
    y_true, y_pred = operands("kl_divergence", y_true, y_pred)
    y_true = ops.clip(y_true, config.epsilon(), 1.0)
    y_pred = ops.clip(y_pred, config.epsilon(), 1.0)
    return ops.sum(y_true * ops.log(y_true / y_pred), axis=-1)


def poisson(y_true: Any, y_pred: Any) -> Any:
    """Mean of y_pred - y_true * log(y_pred + epsilon) over the last axis."""
    y_true, y_pred = operands("poisson", y_true, y_pred)
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), axis=-1)


def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Mean of -t * log(p) - (1 - t) * log(1 - p) along `axis`.

    Args:
        y_true: t, in [0, 1].
        y_pred: p, clipped to [epsilon, 1 - epsilon].
        from_logits: whether `y_pred` holds x with p = sigmoid(x).
        label_smoothing: moves t towards 1/2 by this part.
        axis: over which the mean runs.
    """
    y_true, y_pred = _binary(y_true, y_pred, label_smoothing)
    return ops.mean(ops.binary_crossentropy(y_true, y_pred, from_logits), axis=axis)


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary crossentropy times (1 - probability of the true label)^gamma; Lin et al., 2018.

    Args:
        apply_class_balancing: whether labels 1 count `alpha` and labels 0 count 1 - `alpha`.
        gamma: how strongly what is predicted well already is left out.
    """
    y_true, y_pred = _binary(y_true, y_pred, label_smoothing)
    if from_logits:
        y_pred = ops.sigmoid(y_pred)
    right = y_true * y_pred + (1.0 - y_true) * (1.0 - y_pred)
    values = ops.power(1.0 - right, gamma) * ops.binary_crossentropy(y_true, y_pred)
    if apply_class_balancing:
        values = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * values
    return ops.mean(values, axis=axis)


def _binary(y_true: Any, y_pred: Any, label_smoothing: float) -> tuple[Any, Any]:
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    check_same_shape("binary crossentropy", y_true.shape, y_pred.shape)
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return y_true, y_pred


def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Sum of -t * log(p) along `axis`.

    Args:
        y_true: t, the probabilities of the classes.
        y_pred: p, divided by its sum and clipped to [epsilon, 1 - epsilon].
        from_logits: whether `y_pred` holds x with p = softmax(x).
        label_smoothing: moves t towards equal probabilities by this part.
        axis: the axis of the classes.
    """
    y_true, y_pred = _categorical(y_true, y_pred, label_smoothing, axis)
    return ops.categorical_crossentropy(y_true, y_pred, from_logits, axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Sum of -alpha * (1 - p)^gamma * t * log(p) along `axis`; Lin et al., 2018."""
    y_true, y_pred = _categorical(y_true, y_pred, label_smoothing, axis)
    if from_logits:
        y_pred = ops.softmax(y_pred, axis=axis)
    p = probabilities(y_pred, axis)
    values = alpha * ops.power(1.0 - p, gamma) * (-y_true * ops.log(p))
    return ops.sum(values, axis=axis)


def _categorical(y_true: Any, y_pred: Any, label_smoothing: float, axis: int) -> tuple[Any, Any]:
    check_axis(axis)
    y_pred = ops.convert_to_tensor(y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    check_same_shape("categorical crossentropy", y_true.shape, y_pred.shape)
    classes = y_pred.shape[axis]
    if classes == 1:
        warn(
            "Categorical crossentropy over one class is 0 always: expected predictions of shape "
            f"(batch, classes) with 2 classes or more. Received: y_pred.shape={y_pred.shape}. For "
            "two classes and one output use binary_crossentropy.",
            SyntaxWarning,
        )
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / classes
    return y_true, y_pred


def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """-log of the probability of the true class.

    Args:
        y_true: class numbers, in the shape of `y_pred` without `axis` or with 1 there.
        y_pred: probabilities, divided by their sum and clipped to [epsilon, 1 - epsilon].
        from_logits: whether `y_pred` holds logits instead.
        ignore_class: a number that is no class: its positions give 0 and leave the mean.
        axis: the axis of the classes.

    Raises:
        ValueError: for labels whose shape does not fit, or that are no classes.
    """
    check_axis(axis)
    y_pred = ops.convert_to_tensor(y_pred)
    axis = axis % max(y_pred.ndim, 1)
    labels = class_numbers(y_true, y_pred.shape, axis, ignore_class)
    valid = None
    if ignore_class is not None:
        valid = labels >= 0
        labels = np.where(valid, labels, 0)
        y_pred = ops.where(np.expand_dims(valid, axis), y_pred, 1.0)  # no 0 / 0
    log_p = log_probabilities(y_pred, from_logits, axis)
    values = -ops.squeeze(
        ops.take_along_axis(log_p, np.expand_dims(labels, axis), axis=axis), axis=axis
    )
    return values if valid is None else with_mask(ops.where(valid, values, 0.0), valid)


def class_numbers(
    y_true: Any,
    shape: tuple[int, ...],
    axis: int,
    ignore_class: int | None,
    what: str = "sparse_categorical_crossentropy",
) -> np.ndarray:
    """Return labels as int32, in the shape of the predictions without `axis`; -1: ignored."""
    labels = np.asarray(ops.convert_to_tensor(y_true))
    expected = shape[:axis] + shape[axis + 1 :]
    if not shape or (labels.shape != expected and not _fits(labels.shape, expected, axis)):
        raise ValueError(
            f"{what}: expected labels of shape {expected}, class numbers, for predictions of "
            f"shape {shape}. Received: y_true.shape={labels.shape}"
        )
    if labels.shape != expected:
        labels = labels.reshape(expected)
    classes = shape[axis]
    if ignore_class is None and labels.dtype.kind == "i":
        # Negative numbers are large as unsigned ones: one pass finds both kinds.
        unsigned = labels.view(f"u{labels.itemsize}")
        if not labels.size or unsigned.max() < classes:
            return labels.astype(np.int32, copy=False)
    with np.errstate(invalid="ignore"):  # NaN
        numbers = labels.astype(np.int32, copy=False)
    bad = (numbers < 0) | (numbers >= classes) | (numbers != labels)
    if ignore_class is not None:
        ignored = labels == ignore_class
        numbers, bad = np.where(ignored, np.int32(-1), numbers), bad & ~ignored
    if bad.any():
        raise ValueError(
            f"{what}: expected labels that are whole numbers from 0 to {classes - 1}, as the "
            f"predictions have {classes} classes. Received a label {labels[bad][0]}"
        )
    return numbers


def _fits(shape: tuple[int, ...], expected: tuple[int, ...], axis: int) -> bool:
    """Whether a shape is the expected one with a 1 where the classes are in the predictions."""
    return shape == (*expected[:axis], 1, *expected[axis:])


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """(1 - p^q) / q with p the probability of the true class; Zhang and Sabuncu, 2018."""
    y_pred = ops.convert_to_tensor(y_pred)
    labels = class_numbers(y_true, y_pred.shape, y_pred.ndim - 1, None)
    p = ops.squeeze(ops.take_along_axis(y_pred, labels[..., None], axis=-1), axis=-1)
    return (1.0 - ops.power(p, q)) / q


def check_axis(axis: Any) -> None:
    """Raise a ValueError for an axis that is a bool (`from_logits` in the wrong place)."""
    if isinstance(axis, bool):
        raise ValueError(f"Expected `axis` to be an int. Received: axis={axis}")


def check_same_shape(what: str, true: tuple[int, ...], pred: tuple[int, ...]) -> None:
    """Raise a ValueError unless the shapes are equal."""
    if true != pred:
        raise ValueError(
            f"{what}: expected labels of the predictions' shape {pred}. "
            f"Received: y_true.shape={true}"
        )
