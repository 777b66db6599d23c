"""Identity: the inputs as they are."""

from __future__ import annotations

from typing import Any

from ..._symbolic import Shape
from ..layer import Layer


class Identity(Layer):
    """Returns its inputs.

    Args:
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        Any.

    Output shape:
        The input's.
    """

    _stateless = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def emit(self, flow: Any, x: Any) -> Any:
        return x

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)
