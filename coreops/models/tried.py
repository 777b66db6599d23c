"""Tried: models with a `call` in Python, of which data and a call tell what goes in and out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._symbolic import in_order, leaves, map_structure, repack
from .._train.arrays import only
from ..layers.probe import undone
from .compiling import Compilable


def apart(data: Any) -> tuple[Any, list[Any]]:
    """Return how arrays that were passed are put together, 0 for one; and the arrays in a list."""
    data = data if isinstance(data, dict) else only(data)
    flat = leaves(data) if isinstance(data, (list, tuple, dict)) else []
    if flat and all(getattr(leaf, "ndim", 0) > 0 for leaf in flat):
        return map_structure(lambda _: 0, data), flat
    return 0, [data]


class Tried(Compilable):
    """A layer that may take and give lists and dicts of arrays: `_form` is how its inputs are put
    together, `_made` how its outputs are, None before the first of them are there."""

    _made: Any = None

    @property
    def _is_tried(self) -> bool:
        """Whether nothing but a call tells what comes out."""
        return self._python_call

    @property
    def _knows_outputs(self) -> bool:
        return self._made is not None or not self._is_tried

    def _take_apart(self, x: Any) -> list[Any]:
        """Return what was passed as data for the inputs in a list, and remember its form."""
        form, flat = apart(x)
        if form != self._form:
            self._drop_steps()
            self.__dict__["_form"] = form
        return flat

    def _drop_steps(self) -> None:
        """Forget what trained the model, and let its weights go."""
        self._programs.pop("step", None)
        for step in self._programs.pop("steps", ()):
            step.release()

    def _put_together(self, x: list[Any]) -> Any:
        """Return inputs in the form in which they are passed."""
        return repack(self._form, x)

    def _try(self, x: list[np.ndarray]) -> None:
        """Learn from a call on a batch what comes out, if that is not known."""
        if not self._is_tried or self._made is not None or not len(x[0]):
            return
        with undone(self):
            made = self(repack(self._form, x))
        flat = leaves(made)
        named = isinstance(made, dict) and len(flat) == len(made)
        state = self.__dict__
        state["_made"] = map_structure(lambda _: 0, made)
        state["_output_count"] = len(flat)
        state["_wraps_output"] = isinstance(made, dict)
        if named or len(flat) > 1:
            state["_output_keys"] = in_order(made) if named else [""] * len(flat)
        self._programs.clear()
        if self._compilation is not None:
            self._compilation.expect(self._output_keys)

    def _outputs_of(self, x: list[np.ndarray]) -> Sequence[str] | None:
        """Return what targets of the outputs go by, None for one output. x: a batch of inputs."""
        self._try(x)
        return self._output_keys

    def _packed(self, outputs: list[Any]) -> Any:
        return super()._packed(outputs) if self._made is None else repack(self._made, outputs)
