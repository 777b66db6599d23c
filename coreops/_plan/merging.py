"""Steps of several operands, as merge layers describe them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod

import numpy as np

from .. import _kernels
from .flow import Flow
from .values import Mask, Value


def merge(flow: Flow, how: str, values: Sequence[Value]) -> Value:
    """The values, of shapes that broadcast, folded element by element from the left. how: "add",
    "subtract", "multiply", "maximum", "minimum" or "average". Without a mask."""
    rank = max(len(x.shape) for x in values)
    shapes = [(1,) * (rank - len(x.shape)) + x.shape for x in values]
    step = "add" if how == "average" else how
    result, shape = values[0], shapes[0]
    for x, other in zip(values[1:], shapes[1:], strict=True):
        full = tuple(b if a == 1 else a for a, b in zip(shape, other, strict=True))
        result = stretch(flow, result._replace(shape=shape), full)
        x = stretch(flow, x._replace(shape=other), full)
        result = result._replace(id=_kernels.plan_merge(flow.plan, step, result.id, x.id))
        shape = full
    if how == "average":
        result = result._replace(id=_kernels.plan_scale(flow.plan, result.id, 1 / len(values)))
    return result._replace(shape=shape, mask=None)


def stretch(flow: Flow, x: Value, shape: tuple[int, ...]) -> Value:
    """x with its axes of size 1 as long as those of a shape of as many axes."""
    made = x.shape
    for axis, (size, wanted) in enumerate(zip(x.shape, shape, strict=True)):
        if size != wanted:
            inner = prod(made[axis + 1 :])
            x = x._replace(id=flow.plan.repeat(x.id, inner, wanted))
            made = (*made[:axis], wanted, *made[axis + 1 :])
    return x._replace(shape=made)


def either(flow: Flow, masks: Sequence[Mask]) -> Mask:
    """The mask that is True where one of several of one shape is."""
    first = masks[0]
    if all(mask == first for mask in masks):
        return first
    ids = [flow.mask_value(mask) for mask in masks]
    made = reduce(lambda x, y: _kernels.plan_either(flow.plan, x, y), ids)
    return Mask(made, first.shape, flow.layer)


def of_steps(flow: Flow, mask: Mask | None) -> Mask | None:
    """A mask of the first axis: of a step whether one of its parts counts."""
    if mask is None or len(mask.shape) < 2 or not mask.shape[0]:
        return mask
    steps = mask.shape[:1]
    made = _kernels.plan_any(flow.plan, flow.mask_value(mask), flow.count(steps))
    return Mask(made, steps, mask.source)


def concatenate(flow: Flow, values: Sequence[Value], axis: int) -> Value:
    """The values one after the other along an axis of a sample, from 0. Without a mask."""
    first = values[0]
    shape = list(first.shape)
    shape[axis] = sum(x.shape[axis] for x in values)
    if len(values) == 1 or not prod(shape):
        any_empty = next((x for x in values if not x.size), first)
        return any_empty._replace(shape=tuple(shape), mask=None)
    ids = [x.id for x in values if x.size]
    made = _kernels.plan_concatenate(flow.plan, ids, flow.count(shape[:axis]))
    return first._replace(id=made, shape=tuple(shape), mask=None)


def part(flow: Flow, x: Value, axis: int, start: int, stop: int) -> Value:
    """The elements start .. stop - 1 along an axis of a sample, from 0. Without a mask."""
    run = prod(x.shape[axis + 1 :])
    shape = (*x.shape[:axis], stop - start, *x.shape[axis + 1 :])
    if shape == x.shape:
        return x._replace(mask=None)
    rows = flow.count(x.shape[:axis])
    made = _kernels.plan_part(flow.plan, x.id, rows, start * run, (stop - start) * run)
    return x._replace(id=made, shape=shape, mask=None)


def select(flow: Flow, mask: Mask, x: Value, y: Value | None = None) -> Value:
    """x where the mask of its rows is True, y or zeros elsewhere. Without a mask."""
    at = flow.mask_value(mask)
    made = _kernels.plan_select(flow.plan, at, x.id, -1 if y is None else y.id)
    return x._replace(id=made, mask=None)


def unit_rows(flow: Flow, x: Value, least: float) -> Value:
    """x over the root of the sum of squares along its last axis, which is at least `least`."""
    n, rows = x.shape[-1], flow.count(x.shape[:-1])
    square = _kernels.plan_merge(flow.plan, "multiply", x.id, x.id)
    mean = _kernels.plan_mean_over(flow.plan, square, rows, n, 1, -1)
    total = x._replace(id=_kernels.plan_scale(flow.plan, mean, float(n)))
    root = flow.act(flow.act(total, "clip", least, np.inf), "sqrt")
    norm = flow.plan.repeat(root.id, 1, n)
    return x._replace(id=_kernels.plan_merge(flow.plan, "divide", x.id, norm), mask=None)


def concatenated_masks(flow: Flow, masks: Sequence[Mask], axis: int) -> Mask:
    """Masks one after the other along an axis of theirs."""
    shape = list(masks[0].shape)
    shape[axis] = sum(mask.shape[axis] for mask in masks)
    ids = [flow.mask_value(mask) for mask in masks]
    made = _kernels.plan_concatenate(flow.plan, ids, flow.count(shape[:axis]))
    return Mask(made, tuple(shape), flow.layer)


def products(
    flow: Flow, x: Value, y: Value, axes: tuple[int, int], least: float | None = None
) -> Value:
    """The sums of products over an axis of x and one of y, both of a sample, from 0. least: both
    have a norm of 1 along these axes before; the sums of squares count as no less than this."""
    k = x.shape[axes[0]]
    rows = tuple(n for i, n in enumerate(x.shape) if i != axes[0])
    columns = tuple(n for i, n in enumerate(y.shape) if i != axes[1])
    x, y = _last(flow, x, axes[0]), _last(flow, y, axes[1])
    if least is not None:
        x, y = unit_rows(flow, x, least), unit_rows(flow, y, least)
    sizes = prod(rows), prod(columns), k, flow.count(())
    made = _kernels.plan_products(flow.plan, x.id, y.id, *sizes)
    return x._replace(id=made, shape=(*rows, *columns) or (1,), mask=None)


def _last(flow: Flow, x: Value, axis: int) -> Value:
    order = [i for i in range(len(x.shape)) if i != axis]
    return flow.reorder(x, [*order, axis])
