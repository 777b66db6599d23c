"""Add, Subtract, Multiply, Average, Maximum, Minimum: layers and their functional forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import _plan, ops
from ..._plan import merging
from .base import Merge, spread


class Add(Merge):
    """Adds arrays, of shapes that broadcast, element by element.

    It is called on a list of arrays. Axes of size 1 stretch; an array of fewer axes gets axes of
    size 1 after the batch axis. The output has a mask where every input has one: their logical or.
    What is masked is added like anything else.

    Args:
        **kwargs: base layer keywords: `name`, `dtype`.
    """

    _how = "add"


class Subtract(Merge):
    """Subtracts the second of two arrays from the first; otherwise as `Add`."""

    _how = "subtract"

    def compute_output_shape(self, input_shape: Any) -> Any:
        if len(self._shapes(input_shape)) != 2:
            raise ValueError(
                f"Layer '{self.name}' (Subtract) should be called on exactly 2 inputs. "
                f"Received: input_shape={input_shape}"
            )
        return super().compute_output_shape(input_shape)


class Multiply(Merge):
    """Multiplies arrays; otherwise as `Add`, but that a masked time step counts as 1, and that the
    result is 0 where all inputs are masked."""

    _how = "multiply"
    minds_masks = True

    def _emit_masked(self, flow: Any, values: Sequence[Any]) -> Any:
        ones = _plan.ones(flow, values[0], values[0].shape)
        masks = [x.mask for x in values]
        counted = [x if x.mask is None else merging.select(flow, x.mask, x, ones) for x in values]
        made = merging.merge(flow, "multiply", counted)
        some = None not in masks
        return merging.select(flow, merging.either(flow, masks), made) if some else made

    def _merge(self, arrays: list[Any], masks: list[Any]) -> Any:
        full = [None if m is None else spread(m, x) for m, x in zip(masks, arrays, strict=True)]
        made: Any = None
        for mask, x in zip(full, arrays, strict=True):
            if mask is not None:
                x = ops.where(mask, x, ops.ones_like(x))
            made = x if made is None else ops.multiply(made, x)
        if any(mask is None for mask in full):
            return made
        some = full[0]
        for mask in full[1:]:
            some = ops.logical_or(some, mask)
        return ops.where(some, made, ops.zeros_like(made))


class Average(Merge):
    """The mean of arrays; otherwise as `Add`."""

    _how = "average"

    def _merge(self, arrays: list[Any], masks: list[Any]) -> Any:
        made = arrays[0]
        for x in arrays[1:]:
            made = ops.add(made, x)
        return ops.divide(made, len(arrays))


class _Extreme(Merge):
    """Of two time steps of which one is masked, the other is taken."""

    minds_masks = True

    def _emit_masked(self, flow: Any, values: Sequence[Any]) -> Any:
        made, known = values[0], values[0].mask
        for x in values[1:]:
            mask = x.mask
            if mask is not None:
                x = merging.select(flow, mask, x, made)
            if known is not None:
                made = merging.select(flow, known, made, x)
            both = mask is not None and known is not None
            known = merging.either(flow, [known, mask]) if both else None
            made = merging.merge(flow, self._how, [made, x])
        return made

    def _merge(self, arrays: list[Any], masks: list[Any]) -> Any:
        made: Any = None
        known: Any = None
        for mask, x in zip(masks, arrays, strict=True):
            mask = None if mask is None else spread(mask, x)
            if made is None:
                made, known = x, mask
                continue
            if mask is not None:
                x = ops.where(mask, x, made)
            if known is not None:
                made = ops.where(known, made, x)
            both = mask is not None and known is not None
            known = ops.logical_or(known, mask) if both else None
            made = getattr(ops, self._how)(made, x)
        return made


class Maximum(_Extreme):
    """The maximum of arrays; otherwise as `Add`, but that of two time steps of which one is masked
    the other is taken."""

    _how = "maximum"


class Minimum(_Extreme):
    """The minimum of arrays; otherwise as `Maximum`."""

    _how = "minimum"


def add(inputs: Any, **kwargs: Any) -> Any:
    """`Add(**kwargs)(inputs)`"""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """`Subtract(**kwargs)(inputs)`"""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """`Multiply(**kwargs)(inputs)`"""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """`Average(**kwargs)(inputs)`"""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """`Maximum(**kwargs)(inputs)`"""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """`Minimum(**kwargs)(inputs)`"""
    return Minimum(**kwargs)(inputs)
