"""Losses of margins, overlaps and embeddings."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import config, ops
from .reduction import operands, with_mask


def hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of max(1 - y_true * y_pred, 0) over the last axis; labels 0 and 1 count as -1 and 1."""
    y_true, y_pred = _signed("hinge", y_true, y_pred)
    return ops.mean(ops.maximum(1.0 - y_true * y_pred, 0.0), axis=-1)


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of max(1 - y_true * y_pred, 0)^2 over the last axis; labels as in `hinge`."""
    y_true, y_pred = _signed("squared_hinge", y_true, y_pred)
    return ops.mean(ops.square(ops.maximum(1.0 - y_true * y_pred, 0.0)), axis=-1)


def _signed(what: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    y_true, y_pred = operands(what, y_true, y_pred)
    return signed_labels(y_true), y_pred


def signed_labels(y_true: Any) -> Any:
    """Return labels with -1 for 0, if all of them are 0 or 1."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
    return 2.0 * y_true - 1.0 if binary else y_true


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """max(wrong - right + 1, 0) over the last axis.

    right is the sum of y_true * y_pred, wrong the maximum of (1 - y_true) * y_pred.
    """
    y_true, y_pred = operands("categorical_hinge", y_true, y_pred)
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """1 - 2 * sum(t p) / (sum(t) + sum(p)) over `axis` (None: all)."""
    y_true, y_pred = operands("dice", y_true, y_pred)
    common = ops.sum(y_true * y_pred, axis=axis)
    both = ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis)
    return 1.0 - 2.0 * common / (both + config.epsilon())


def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None
) -> Any:
    """1 - c / (c + alpha * f + beta * m) over `axis` (None: all).

    c = sum(t p) is what is common, f = sum((1 - t) p) what is found falsely and
    m = sum(t (1 - p)) what is missed.
    """
    y_true, y_pred = operands("tversky", y_true, y_pred)
    common = ops.sum(y_true * y_pred, axis=axis)
    false = ops.sum((1.0 - y_true) * y_pred, axis=axis)
    missed = ops.sum(y_true * (1.0 - y_pred), axis=axis)
    return 1.0 - common / (common + false * alpha + missed * beta + config.epsilon())


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Any:
    """Circle loss of embeddings; Sun et al., 2020.

    softplus of logsumexp(-gamma * a (margin - d)) over the references of the same label plus
    logsumexp(gamma * b (1 - margin - d)) over the others, with d = max(1 - y_pred . reference, 0),
    a = max(margin + d, 0) and b = max(1 + margin - d, 0).

    Args:
        y_true: labels, one per sample.
        y_pred: embeddings of length 1.
        ref_labels, ref_embeddings: what to compare with, by default the batch itself.
        remove_diagonal: whether a sample is not compared with itself.
        gamma, margin: the scale, and how far pairs are to be from the border.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    labels = np.asarray(ops.cast(y_true, "int32")).reshape(-1, 1)
    references = y_pred if ref_embeddings is None else ops.convert_to_tensor(ref_embeddings)
    others = labels if ref_labels is None else np.asarray(ops.cast(ref_labels, "int32"))
    alike = labels == others.reshape(1, -1)
    unlike = np.logical_not(alike)
    if remove_diagonal:
        alike = np.logical_and(alike, np.eye(*alike.shape) == 0)
    distance = ops.maximum(1.0 - ops.matmul(y_pred, ops.transpose(references)), 0.0)
    if alike.shape != distance.shape:
        raise ValueError(
            f"circle: expected a label for each of {distance.shape} embeddings and references. "
            f"Received: {alike.shape} labels"
        )
    near = -gamma * ops.maximum(margin + distance, 0.0) * (margin - distance)
    far = gamma * ops.maximum(1.0 + margin - distance, 0.0) * (1.0 - margin - distance)
    pull = ops.logsumexp(ops.where(alike, near, float("-inf")), axis=1)
    push = ops.logsumexp(ops.where(unlike, far, float("-inf")), axis=1)
    values = ops.softplus(pull + push)
    return with_mask(values, np.asarray(values > 0))
