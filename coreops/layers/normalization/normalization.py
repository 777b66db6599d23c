"""Normalization: features with mean 0 and variance 1, by statistics of the data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ... import _plan, backend
from ..._arguments import check_axes
from ..._symbolic import Shape, as_shape
from ..layer import Layer
from .broadcasting import check_broadcast


class Normalization(Layer):
    """Computes `(x - mean) / sqrt(variance)`, with statistics that are given or `adapt` finds.

    Args:
        axis: the axes, counted with the batch axis, along which every element has its own mean and
            variance: an int, several, or None for one of all.
        mean: the mean, together with `variance`; None for `adapt`.
        variance: the variance.
        invert: compute `x * sqrt(variance) + mean` instead.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any that has these axes. Integers become floats.

    Output shape:
        The input's.

    Raises:
        TypeError: `axis` is neither an int nor a list of ints.
        ValueError: one of `mean` and `variance` without the other, of another shape, or of more
            axes than `axis` names, or of a shape that does not broadcast with the input; an axis
            that the input does not have, or that is to be adapted and is of unknown size.
    """

    integer_input = "cast"

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if axis is None:
            axis = ()
        check_axes(f"Layer '{self.name}'", axis=axis)
        self.axis = (axis,) if isinstance(axis, (int, np.integer)) else tuple(axis)
        self.input_mean, self.input_variance = mean, variance
        self.invert = invert
        self.supports_masking = True
        self.adapt_mean: Any = None
        self.adapt_variance: Any = None
        self.count: Any = None
        self._keep: tuple[int, ...] = ()
        if (mean is None) != (variance is None):
            raise ValueError(
                f"Layer '{self.name}': `mean` and `variance` must be given together. Received: "
                f"mean={mean}, variance={variance}"
            )
        if mean is not None and (
            np.shape(mean) != np.shape(variance) or np.ndim(mean) > len(self.axis)
        ):
            raise ValueError(
                f"Layer '{self.name}': `mean` and `variance` must have the same shape, of no more "
                f"axes than axis={self.axis} names. Received: shapes {np.shape(mean)} and "
                f"{np.shape(variance)}"
            )

    def build(self, input_shape: Shape) -> None:
        rank = len(input_shape)
        if any(not -rank <= axis < rank for axis in self.axis):
            raise ValueError(
                f"Layer '{self.name}': axis={self.axis} is out of bounds for an input of shape "
                f"{tuple(input_shape)}"
            )
        self._keep = tuple(sorted(axis % rank for axis in self.axis))
        shape = tuple(input_shape[axis] for axis in self._keep)
        if self.input_mean is not None:
            return
        if None in shape:
            raise ValueError(
                f"Layer '{self.name}': the axes {self.axis} must be of known size. Received an "
                f"input of shape {tuple(input_shape)}"
            )
        self.adapt_mean = self.add_weight(
            name="mean", shape=shape, initializer="zeros", trainable=False
        )
        self.adapt_variance = self.add_weight(
            name="variance", shape=shape, initializer="ones", trainable=False
        )
        self.count = self.add_weight(
            name="count", shape=(), dtype="int32", initializer="zeros", trainable=False
        )

    def adapt(self, data: Any) -> None:
        """Take the mean and the variance from data.

        Args:
            data: an array, or an iterable of batches: arrays, or tuples that begin with one.

        Raises:
            TypeError: it is neither.
            ValueError: no batches; a batch that does not fit the axes; a layer whose statistics
                were given.
        """
        if self.input_mean is not None:
            raise ValueError(
                f"Layer '{self.name}' was given its `mean`: there is nothing to adapt."
            )
        if hasattr(data, "shape"):
            batches: Iterable[Any] = [data]
        elif isinstance(data, Iterable) and not isinstance(data, (str, bytes, dict)):
            batches = data
        else:
            raise TypeError(
                f"Layer '{self.name}': adapt() takes an array, or an iterable of batches. "
                f"Received: {type(data).__name__}"
            )
        total = 0.0
        mean: Any = np.float64(0)
        variance: Any = np.float64(0)
        for batch in batches:
            batch = batch[0] if isinstance(batch, (list, tuple)) else batch
            if not hasattr(batch, "shape"):
                raise TypeError(
                    f"Layer '{self.name}': adapt() expects batches with a shape. Received: "
                    f"{type(batch).__name__}"
                )
            array = np.asarray(batch)
            self._take(array.shape)
            axes = tuple(axis for axis in range(array.ndim) if axis not in self._keep)
            count = float(np.prod([array.shape[axis] for axis in axes]))
            own = np.mean(array, axes, dtype=np.float64), np.var(array, axes, dtype=np.float64)
            total += count
            share = count / total
            moved = mean + (own[0] - mean) * share
            # of the two parts, each about the mean of both
            variance = (variance + (mean - moved) ** 2) * (1 - share)
            variance = variance + (own[1] + (own[0] - moved) ** 2) * share
            mean = moved
        if not total:
            raise ValueError(f"Layer '{self.name}': adapt() received no data.")
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def _take(self, shape: tuple[int, ...]) -> None:
        """Build the layer for a batch, or check that it fits."""
        if not self.built:
            self.build(as_shape((None, *shape[1:]) if 0 not in self.axis else shape))
        known = tuple(self._build_shape)
        if len(known) != len(shape) or any(known[axis] != shape[axis] for axis in self._keep):
            raise ValueError(
                f"Layer '{self.name}' was built for inputs of shape {known}. Received data of an "
                f"incompatible shape: {tuple(shape)}"
            )

    def emit(self, flow: Any, x: Any) -> Any:
        rank = len(x.shape) + 1
        full = [1] * rank
        if self.input_mean is None:
            own = (self.adapt_mean, self.adapt_variance)
            given = [flow.value_of(v, np.float64).reshape(v.shape) for v in own]
        else:
            given = [np.asarray(v, np.float64) for v in (self.input_mean, self.input_variance)]
        shape = given[0].shape
        for axis, size in zip(self._keep[len(self._keep) - len(shape) :], shape, strict=True):
            full[axis] = size
        mean, variance = (value.reshape(full) for value in given)
        check_broadcast(self, (None, *x.shape), mean=mean.shape, variance=variance.shape)
        deviation = np.maximum(np.sqrt(variance), backend.epsilon())
        fits = all(n in (1, size) for n, size in zip(full[1:], x.shape, strict=True))
        if full[0] != 1 or not fits:
            return _plan.Seam(x, lambda array, mask: self._apply(array, mean, deviation))
        mean, deviation = mean[0], deviation[0]
        if self.invert:
            return _plan.affine(flow, x, deviation, None, mean)
        return _plan.affine(flow, x, 1 / deviation, mean)

    def _apply(self, x: Any, mean: np.ndarray, deviation: np.ndarray) -> Any:
        check_broadcast(self, x.shape, mean=mean.shape, variance=deviation.shape)
        mean, deviation = mean.astype(x.dtype), deviation.astype(x.dtype)
        return x * deviation + mean if self.invert else (x - mean) / deviation

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "invert": self.invert,
            "mean": np.array(self.input_mean).tolist(),
            "variance": np.array(self.input_variance).tolist(),
        }
