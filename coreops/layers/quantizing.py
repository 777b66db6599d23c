"""Layers that can be quantized: the method, and the checks before any of them is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .. import _dtypes
from ..quantizers.quantization_config import resolve
from .state import LayerState


class Quantizable(LayerState):
    """The part of `Layer` that replaces its weights by quantized ones."""

    _is_quantized = False

    if TYPE_CHECKING:

        @property
        def dtype_policy(self) -> _dtypes.DTypePolicy: ...

    @property
    def quantization_mode(self) -> str | None:
        """How the weights are quantized, None if they are not."""
        return self.dtype_policy.quantization_mode

    def quantize(self, mode: Any = None, config: Any = None, *, type_check: bool = True) -> None:
        """Replace the weights of the built layer by quantized ones.

        Args:
            mode: "int8"; it may be left out where `config` is given.
            config: a `quantizers.QuantizationConfig`, by default the mode's.
            type_check: refuse subclasses, whose own computation is not known.

        Raises:
            NotImplementedError: the layer has no quantized form.
            ValueError: arguments that stand for no config that is available here; a layer that is
                not built, is quantized already, or computes in float16.
        """
        self._quantize(self._quantization(mode, config), type_check)

    def _quantization(self, mode: Any, config: Any) -> Any:
        """Return the config that `quantize(mode, config)` is to follow; ValueError as there."""
        config = resolve(mode, config)
        if not self.built:
            raise ValueError(
                f"Cannot quantize a layer that isn't yet built. Layer '{self.name}' (of type "
                f"'{type(self).__name__}') is not built yet."
            )
        if self._is_quantized:
            raise ValueError(
                f"Layer '{self.name}' is already quantized with dtype_policy="
                f"'{self.dtype_policy.name}'. Received: mode={config.mode}"
            )
        _dtypes.check_source(config.mode, self.dtype_policy.name)
        return config

    def _quantize(self, config: Any, type_check: bool) -> None:
        raise NotImplementedError(
            f"Layer {type(self).__name__} does not have a `quantize` method implemented."
        )


def is_wanted(layer: Any, filters: Any) -> bool:
    """Whether the `filters` of `Model.quantize` let a layer through."""
    if filters is None:
        return True
    if callable(filters):
        return filters(layer)
    patterns = [filters] if isinstance(filters, str) else filters
    return any(re.search(pattern, layer.name) for pattern in patterns)
