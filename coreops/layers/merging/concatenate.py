"""Concatenate: arrays one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import _plan, ops
from ..._plan import merging
from ..._symbolic import Shape
from .base import Merge


class Concatenate(Merge):
    """Puts arrays one after the other along an axis.

    It is called on a list of arrays that differ in that axis alone. Where any of them has a mask,
    so has the output; an array without one counts as not masked.

    Args:
        axis: the axis, counted with the batch axis.
        **kwargs: base layer keywords: `name`, `dtype`.

    Raises:
        TypeError: `axis` is no int.
        ValueError: arrays of other shapes.
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, (int, np.integer)):
            raise TypeError(f"Layer '{self.name}': `axis` must be an int. Received: axis={axis!r}")
        self.axis = axis

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = self._shapes(input_shape)
        first = shapes[0]
        rank = len(first)
        if any(len(shape) != rank for shape in shapes) or not -rank <= self.axis < rank:
            raise ValueError(self._mismatch(shapes))
        axis = self.axis % rank
        made = list(first)
        for shape in shapes[1:]:
            for i, size in enumerate(shape):
                known = made[i]
                if i == axis:
                    made[i] = None if size is None or known is None else known + size
                elif known is None:
                    made[i] = size
                elif size not in (None, known):
                    raise ValueError(self._mismatch(shapes))
        return tuple(made)

    def _mismatch(self, shapes: list[Shape]) -> str:
        return (
            f"Layer '{self.name}': a `Concatenate` layer requires inputs with matching shapes "
            f"except for the concatenation axis {self.axis}. Received: input_shape={shapes}"
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        self._all_masked(inputs, mask)
        if mask is None or all(one is None for one in mask):
            return None
        full = []
        for x, one in zip(inputs, mask, strict=True):
            if one is None:
                full.append(ops.ones(x.shape, dtype="bool"))
            elif one.ndim < x.ndim:
                full.append(ops.broadcast_to(ops.expand_dims(one, -1), x.shape))
            else:
                full.append(one)
        return ops.any(ops.concatenate(full, axis=self.axis), axis=-1)

    def emit(self, flow: Any, values: Sequence[Any]) -> Any:
        self.compute_output_shape([(None, *x.shape) for x in values])
        axis = self.axis % (len(values[0].shape) + 1) - 1
        masks = [x.mask for x in values]
        some = any(mask is not None for mask in masks)
        plain = all(
            mask is not None and mask.shape == x.shape[:-1]
            for mask, x in zip(masks, values, strict=True)
        )
        if axis < 0 or (some and not plain) or len({x.dtype for x in values}) > 1:
            return _plan.Seam(list(values), self._compute)
        made = merging.concatenate(flow, values, axis)
        if not some:
            return made
        if axis == len(values[0].shape) - 1:
            return made._replace(mask=merging.either(flow, masks))
        return made._replace(mask=merging.concatenated_masks(flow, masks, axis))

    def _compute(self, arrays: list[Any], masks: list[Any]) -> tuple[Any, Any]:
        return ops.concatenate(arrays, axis=self.axis), self.compute_mask(arrays, masks)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis, **kwargs)(inputs)`"""
    return Concatenate(axis=axis, **kwargs)(inputs)
