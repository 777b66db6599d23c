"""The steps of recurrent layers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _kernels
from .flow import Flow
from .values import Value


class Cell(NamedTuple):
    """What is done at each step of time. kind: a cell of csrc/cell.h, in small letters. activation,
    recurrent: their kernels, as (name, p, q, r). biases: (2, gates * units) of a GRU, for the
    input's product and the state's, or None."""

    kind: str
    activation: tuple
    recurrent: tuple
    units: int
    recurrent_kernel: Any
    biases: Any = None


class Run(NamedTuple):
    """How a cell goes over time: in which order, and what becomes of it. turned: the steps of the
    result are turned round, so that after a way back they are in the order of time. zeros: the
    result of a step that the mask skips is 0, not the one before. states: arrays that runs begin
    with and leave their last states in."""

    sequences: bool = False
    backwards: bool = False
    turned: bool = False
    zeros: bool = False
    states: list[np.ndarray] | None = None


class Place(NamedTuple):
    """Some columns of a result that several layers make. into: its value, None for a new one."""

    into: Value | None
    width: int
    at: int


def recurrent(
    flow: Flow,
    z: Value,
    cell: Cell,
    run: Run,
    *,
    mask: int | None = None,
    states: list[Value] | None = None,
    factors: Value | None = None,
    place: Place | None = None,
    ends: bool = False,
) -> list[Value]:
    """A cell over z (steps, gates * units), the product of its inputs: the result, and with ends
    the last states. mask: a value of the plan. states: to begin with, instead of zeros. factors:
    (gates, units), of the state in each gate's product."""
    steps, units = z.shape[0], cell.units
    place = place or Place(None, units, 0)
    h0, c0 = ([*states, None] if states else [None, None])[:2]
    made = _kernels.plan_recurrent(
        flow.plan,
        z.id,
        cell.kind,
        cell.activation,
        cell.recurrent,
        (steps, units),
        flow.weight(cell.recurrent_kernel),
        flow.weight(cell.biases, vector=True),
        sequences=run.sequences,
        backwards=run.backwards,
        turned=run.turned,
        zeros=run.zeros,
        mask=-1 if mask is None else mask,
        h0=-1 if h0 is None else h0.id,
        c0=-1 if c0 is None else c0.id,
        factors=-1 if factors is None else factors.id,
        place=(-1 if place.into is None else place.into.id, place.width, place.at),
        states=run.states,
        ends=ends,
    )
    if run.states is not None:
        flow.states += run.states
        flow.batch = len(run.states[0])
        flow.batch_reason = f"Layer '{flow.layer}', which is stateful,"
    y, h, c = made if ends else (made, -1, -1)
    shape = (steps, place.width) if run.sequences else (place.width,)
    result = z._replace(id=y, shape=shape, mask=None)
    return [result, *(result._replace(id=v, shape=(units,)) for v in (h, c) if v >= 0)]


def ones(flow: Flow, like: Value, shape: tuple[int, ...]) -> Value:
    """A constant of ones for each sample."""
    made = _kernels.plan_fill(flow.plan, flow.count(shape), 1.0)
    return like._replace(id=made, shape=shape, mask=None)


def pick(flow: Flow, values: list[Value], units: int) -> Value:
    """Of values (steps, len(values) * units), the i-th units of the i-th."""
    made = _kernels.plan_pick(flow.plan, [value.id for value in values], units)
    return values[0]._replace(id=made)
