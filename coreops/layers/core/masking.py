"""Masking: time steps to be skipped."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _plan, ops
from ..._arguments import check_numbers
from ..._symbolic import Shape
from ..layer import Layer


class Masking(Layer):
    """Masks the time steps whose features all equal `mask_value`.

    The mask, `any(x != mask_value, axis=-1)`, goes with the output to the layers after it; the
    masked steps themselves are set to 0. A mask that came with the input is replaced.

    Args:
        mask_value: the value that marks a step to skip.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, ..., features)`. NaN never equals the mask value.

    Output shape:
        The input's; its mask has the shape `(batch, ...)`.

    Raises:
        TypeError: `mask_value` is no number.
    """

    _stateless = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_numbers(f"Layer '{self.name}'", mask_value=mask_value)
        self.mask_value = mask_value
        self.supports_masking = True

    def emit(self, flow: Any, x: Any) -> Any:
        if x.is_real and x.shape:
            return flow.masking(x, self.mask_value, self.name)
        return _plan.Seam(x, self._zero_masked)

    def _zero_masked(self, array: np.ndarray, _: Any) -> tuple[np.ndarray, np.ndarray]:
        mask = self.compute_mask(array)
        return array * mask[..., None].astype(array.dtype), mask

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return `any(inputs != mask_value, axis=-1)`."""
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}
