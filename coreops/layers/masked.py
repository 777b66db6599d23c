"""A mask that a call was given as a symbolic tensor."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from .. import _plan, _tape
from .layer import Layer


class GivenMask(Layer):
    """Attaches its second input to the first, as the mask."""

    _stateless = takes_any = True

    def emit(self, flow: _plan.Flow, x: Any, mask: Any) -> _plan.Seam:
        return _plan.Seam([x, mask], _attached)


def _attached(arrays: list[Any], _: list[Any]) -> tuple[Any, np.ndarray]:
    return arrays[0], np.asarray(_tape.value_of(arrays[1])) != 0


@cache
def given_mask() -> GivenMask:
    """The one layer of the kind that there has to be."""
    layer = GivenMask(name="given_mask")
    layer.supports_masking = True
    return layer
