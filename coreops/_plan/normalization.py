"""Steps of a plan by channels, by rows and by numbers of rows; normal noise; global pools."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels
from .flow import Flow
from .values import Derived, Mask, Value

if TYPE_CHECKING:
    from ..random import SeedGenerator


def affine(flow: Flow, x: Value, scale: Any, center: Any = None, shift: Any = None) -> Value:
    """(x - center) * scale + shift; arrays that broadcast to a sample, or None.

    In a plan that trains the shift may be a Variable that learns, if it has the sample's last axes.
    """
    given = {"scale": scale, "center": center, "shift": shift}
    rank = len(x.shape)
    found = [a.value() if isinstance(a, Derived) else a for a in given.values()]
    shapes = [(1,) * (rank - a.ndim) + a.shape for a in found if a is not None]
    varying = [i for i in range(rank) if any(shape[i] != 1 for shape in shapes)]
    first, last = (varying[0], varying[-1] + 1) if varying else (0, 0)
    channels, run = x.shape[first:last], prod(x.shape[last:])

    def fitted(a: np.ndarray) -> np.ndarray:
        a = a.reshape((1,) * (rank - a.ndim) + a.shape)
        a = a.reshape(a.shape[first:last])  # the axes around are of size 1
        return np.ascontiguousarray(np.broadcast_to(a, channels))

    numbers = {}
    for name, a in given.items():
        if isinstance(a, Derived):
            a = a.then(fitted)
        elif a is not None and not (flow.trains and flow.learns(a)):
            a = fitted(flow.value_of(a))
        numbers[name] = flow.weight(a, vector=True)
    y = _kernels.plan_affine(
        flow.plan, x.id, run, numbers["scale"], numbers["center"], numbers["shift"]
    )
    return x._replace(id=y)


def layer_norm(
    flow: Flow, x: Value, axes: Sequence[int], epsilon: float, gamma: Any, beta: Any
) -> Value:
    """Mean 0 and variance 1 over axes of a sample, counted without the batch, times gamma plus
    beta, which have these axes in order, or are None."""
    order = [a for a in range(len(x.shape)) if a not in axes] + sorted(axes)
    moved = flow.reorder(x, order)
    y = _kernels.plan_layer_norm(
        flow.plan,
        moved.id,
        prod(x.shape[a] for a in axes),
        epsilon,
        flow.weight(gamma, vector=True),
        flow.weight(beta, vector=True),
    )
    back = flow.reorder(moved._replace(id=y), [order.index(a) for a in range(len(order))])
    return back._replace(mask=x.mask)


def embedding(flow: Flow, x: Value, table: Any, *, masked: bool) -> Value | None:
    """The rows of a Variable whose numbers x has. masked: the result has a mask, which is False
    where x is 0. None if x is no input of the plan: numbers are checked before a plan runs."""
    if not flow.is_input(x):
        return None
    if flow.trains:  # the trainer has the table, which is another one after every step
        array, weight = np.empty((table.shape[0], 0), flow.plan.dtype), flow.weight(table)
    else:
        array = flow.value_of(table)
        weight = flow.weight(array)
    y, mask = _kernels.plan_embedding(flow.plan, x.id, weight, array, masked, flow.layer)
    made = Mask(mask, x.shape, flow.layer) if masked else None
    return x._replace(id=y, shape=(*x.shape, table.shape[1]), mask=made)


def gauss(
    flow: Flow, x: Value, deviation: float, generator: SeedGenerator, *, times: bool = False
) -> Value:
    """x plus normal noise, or times 1 plus it, with a new stream of the generator at each run."""
    y = _kernels.plan_gauss(flow.plan, x.id, deviation, times)
    flow.generators.append(generator)
    return x._replace(id=y)


def pool(flow: Flow, x: Value, kind: str, *, channels_first: bool) -> Value:
    """The "mean" or the "max" over all axes of a sample but that of the channels; the mean of the
    steps that a mask keeps."""
    shape, mask = x.shape, -1
    if kind == "mean" and x.mask is not None:
        mask = flow.mask_value(x.mask)
        if channels_first:
            x, shape, channels_first = flow.reorder(x, (1, 0)), shape[::-1], False
    channels = shape[0] if channels_first else shape[-1]
    positions = prod(shape[1:]) if channels_first else prod(shape[:-1])
    count, n = (flow.count((channels,)), 1) if channels_first else (flow.count(()), channels)
    if kind == "max":
        y = _kernels.plan_max_over(flow.plan, x.id, count, positions, n)
    else:
        y = _kernels.plan_mean_over(flow.plan, x.id, count, positions, n, mask)
    return x._replace(id=y, shape=(channels,), mask=None)
