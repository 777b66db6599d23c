"""Dot: products of the samples of two arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import _plan, ops
from ..._plan import merging
from ..._symbolic import Shape
from .base import Merge

_LEAST_SQUARE = 1e-12  # the least sum of squares that a normalized sample is divided by


class Dot(Merge):
    """Sums of products of two arrays, sample by sample, over an axis of each.

    It is called on a list of two arrays. The result has the axes of the first, then of the second,
    without the two that were summed over; `(batch, 1)` if none is left. It has no mask.

    Args:
        axes: the axis, counted with the batch axis, or a pair of them.
        normalize: whether the arrays are first scaled to a Euclidean norm of 1 along the axis: the
            result is then their cosine.
        **kwargs: base layer keywords: `name`, `dtype`.

    Raises:
        TypeError: `axes` is neither an int nor a list or tuple.
        ValueError: not two ints; arrays whose axes are of different sizes.
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int):
            if not isinstance(axes, (list, tuple)):
                raise TypeError(
                    f"Layer '{self.name}': `axes` should be an int or a pair. "
                    f"Received: axes={axes!r}"
                )
            if len(axes) != 2 or not all(isinstance(axis, int) for axis in axes):
                raise ValueError(
                    f"Layer '{self.name}': `axes` should hold two ints. Received: axes={axes!r}"
                )
        self.axes = axes
        self.normalize = normalize

    def _axes(self, shapes: list[Shape]) -> tuple[int, int]:
        """Return the axes of two shapes, counted from the batch axis."""
        pair = [self.axes] * 2 if isinstance(self.axes, int) else self.axes
        for axis, shape in zip(pair, shapes, strict=True):
            if not -len(shape) <= axis < len(shape) or axis % len(shape) == 0:
                raise ValueError(
                    f"Layer '{self.name}': axes={self.axes} must be among the axes of the samples. "
                    f"Received: shapes {shapes}"
                )
        return pair[0] % len(shapes[0]), pair[1] % len(shapes[1])

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = self._shapes(input_shape)
        if len(shapes) != 2:
            raise ValueError(
                f"Layer '{self.name}': a `Dot` layer should be called on a list of 2 inputs. "
                f"Received: input_shape={input_shape}"
            )
        axes = self._axes(shapes)
        sizes = [shape[axis] for shape, axis in zip(shapes, axes, strict=True)]
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(
                f"Layer '{self.name}': incompatible input shapes: axis values {sizes[0]} (at axis "
                f"{axes[0]}) != {sizes[1]} (at axis {axes[1]}). Full input shapes: {shapes}"
            )
        first, second = (
            [size for i, size in enumerate(shape) if i not in (0, axis)]
            for shape, axis in zip(shapes, axes, strict=True)
        )
        batch = shapes[0][0] if shapes[0][0] is not None else shapes[1][0]
        return (batch, *((*first, *second) or (1,)))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return None: the result has no mask."""
        return None

    def emit(self, flow: Any, values: Sequence[Any]) -> Any:
        shapes: list[Shape] = [(None, *x.shape) for x in values]
        self.compute_output_shape(shapes)
        if not all(x.is_real for x in values):
            return _plan.Seam(list(values), self._compute)
        first, second = self._axes(shapes)
        least = _LEAST_SQUARE if self.normalize else None
        return merging.products(flow, values[0], values[1], (first - 1, second - 1), least)

    def _compute(self, arrays: list[Any], masks: list[Any]) -> tuple[Any, Any]:
        axes = self._axes([x.shape for x in arrays])
        turned, rest = [], []
        for x, axis in zip(arrays, axes, strict=True):
            if self.normalize:
                square = ops.sum(ops.square(x), axis=axis, keepdims=True)
                x = ops.multiply(x, ops.rsqrt(ops.maximum(square, _LEAST_SQUARE)))
            order = [0, *(i for i in range(1, x.ndim) if i != axis), axis]
            rest.append([x.shape[i] for i in order[1:-1]])
            turned.append(ops.reshape(ops.transpose(x, order), (x.shape[0], -1, x.shape[axis])))
        made = ops.matmul(turned[0], ops.transpose(turned[1], (0, 2, 1)))
        return ops.reshape(made, (len(arrays[0]), *((*rest[0], *rest[1]) or (1,)))), None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """`Dot(axes, **kwargs)(inputs)`"""
    return Dot(axes=axes, **kwargs)(inputs)
