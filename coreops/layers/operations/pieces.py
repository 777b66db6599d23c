"""Parts of symbolic tensors as steps of a plan; where one returns None, Python computes."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from ..._plan import Flow, Value, merging


def split(flow: Flow, x: Value, indices_or_sections: Any, axis: int = 0) -> list[Value] | None:
    """Equal parts along an axis of a sample, or parts that end before given places."""
    at = axis % (len(x.shape) + 1) - 1
    if at < 0 or not x.size:
        return None
    size = x.shape[at]
    if isinstance(indices_or_sections, (int, np.integer)):
        ends = list(range(0, size + 1, size // int(indices_or_sections)))
    else:
        ends = [slice(0, int(i)).indices(size)[1] for i in indices_or_sections]
        ends = [0, *ends, size]
    if ends != sorted(ends):
        return None
    return [merging.part(flow, x, at, first, last) for first, last in pairwise(ends)]


def get_item(flow: Flow, x: Any, key: Any) -> Value | None:
    """Slices that go forward, single elements and new axes, along axes of a sample."""
    keys = list(key) if isinstance(key, (list, tuple)) else [key]
    if not isinstance(x, Value) or not x.size or keys.count(Ellipsis) > 1:
        return None
    if Ellipsis in keys:
        i = keys.index(Ellipsis)
        taken = len(keys) - 1 - keys.count(None)
        keys[i : i + 1] = [slice(None)] * (len(x.shape) + 1 - taken)
    known = all(one is None or isinstance(one, (slice, int, np.integer)) for one in keys)
    count = len(keys) - keys.count(None)
    if not known or keys[:1] != [slice(None)] or count > len(x.shape) + 1:
        return None
    shape: list[int] = []
    axis = 0
    for one in keys[1:]:
        if one is None:
            shape.append(1)
            continue
        size = x.shape[axis]
        if isinstance(one, slice):
            places = range(*one.indices(size))
            if places.step < 0:
                return None
            shape.append(len(places))
        else:
            places = range(int(one) % size, int(one) % size + 1)
        x = _elements(flow, x, axis, places)
        axis += 1
    return flow.reshape(x, (*shape, *x.shape[axis:]))


def _elements(flow: Flow, x: Value, axis: int, places: range) -> Value:
    """What is at some places along an axis. Steps longer than 1 are parts of an axis that is cut
    into pieces as long as they."""
    first, step, count = places.start, places.step, len(places)
    if step == 1 or count < 2:
        return merging.part(flow, x, axis, first, first + count)
    size = x.shape[axis]
    whole = count if count * step <= size else count - 1
    begin = min(first, size - whole * step)
    cut = merging.part(flow, x, axis, begin, begin + whole * step)
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    pieces = flow.reshape(cut, (*before, whole, step, *after))
    made = merging.part(flow, pieces, axis + 1, first - begin, first - begin + 1)
    made = flow.reshape(made, (*before, whole, *after))
    if whole == count:
        return made
    last = merging.part(flow, x, axis, places[-1], places[-1] + 1)
    return merging.concatenate(flow, [made, last], axis)
