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
    """Slices of steps of 1, and single elements, along axes of a sample."""
    keys = list(key) if isinstance(key, (list, tuple)) else [key]
    if not isinstance(x, Value) or not x.size or keys.count(Ellipsis) > 1:
        return None
    if Ellipsis in keys:
        i = keys.index(Ellipsis)
        keys[i : i + 1] = [slice(None)] * (len(x.shape) + 2 - len(keys))
    known = all(isinstance(one, (slice, int, np.integer)) for one in keys)
    if not known or keys[:1] != [slice(None)] or len(keys) > len(x.shape) + 1:
        return None
    shape = []
    for axis, one in enumerate(keys[1:]):
        size = x.shape[axis]
        if isinstance(one, slice):
            first, last, step = one.indices(size)
            if step != 1:
                return None
            last = max(first, last)
            shape.append(last - first)
        else:
            first = int(one) % size
            last = first + 1
        x = merging.part(flow, x, axis, first, last)
    return flow.reshape(x, (*shape, *x.shape[len(keys) - 1 :]))
