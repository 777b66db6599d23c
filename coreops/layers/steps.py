"""The steps of a built-in layer, for the Python `call` of a user's subclass."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import _plan

if TYPE_CHECKING:
    from .layer import Layer


class Steps:
    """A layer seen through the steps of its built-in base class.

    `super().call(x)` in a user's subclass of, say, Dense means Dense's own computation.
    """

    activity_regularizer: Callable | None = None  # the call around this one sees to it
    mixes_samples = takes_any = False
    name: str
    integer_input: str
    compute_dtype: str
    takes_mask: bool
    _prepare: Callable[..., None]
    _add_activity_loss: Callable[..., None]

    def __init__(self, layer: Layer, emit: Callable) -> None:
        self._layer, self._emit = layer, emit

    def emit(self, flow: _plan.Flow, x: _plan.Value) -> Any:
        return self._emit(self._layer, flow, x)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)
