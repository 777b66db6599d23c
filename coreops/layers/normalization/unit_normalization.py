"""UnitNormalization: every vector with length 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import ops
from ..._arguments import check_axes, normalize_axes
from ..._plan import Seam, merging
from ..._symbolic import Shape
from ..layer import Layer

_EPSILON = 1e-12


class UnitNormalization(Layer):
    """Divides by the length: `inputs / max(sqrt(sum(inputs^2)), 1e-12)`.

    Args:
        axis: the axis, or axes, along which the vectors lie, counted with the batch axis.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any that has these axes.

    Output shape:
        The input's.

    Raises:
        TypeError: `axis` is neither an int nor a list of ints.
        ValueError: an axis that the input does not have, or twice.
    """

    integer_input = "cast"
    _stateless = True

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_axes(f"Layer '{self.name}'", axis=axis)
        self.axis: Any = list(axis) if isinstance(axis, (list, tuple)) else axis
        self.supports_masking = True

    def _axes(self, input_shape: Shape) -> list[int]:
        """The axes, counted from the first."""
        try:
            return list(normalize_axes(self.axis, len(input_shape)))
        except ValueError as error:
            raise ValueError(f"Layer '{self.name}': {error}") from None

    def emit(self, flow: Any, x: Any) -> Any:
        axes = self._axes((None, *x.shape))
        if axes == [len(x.shape)] and x.size:
            return merging.unit_rows(flow, x, _EPSILON**2)._replace(mask=x.mask)
        return Seam(x, lambda array, mask: (ops.normalize(array, axes, epsilon=_EPSILON), mask))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._axes(input_shape)
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
