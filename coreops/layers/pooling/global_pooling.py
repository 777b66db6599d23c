"""GlobalAveragePooling and GlobalMaxPooling: one value of each channel."""

from __future__ import annotations

from typing import Any

from ... import _legacy, _plan, config
from ..._symbolic import Shape
from ..arguments import check_mask
from ..input_spec import InputSpec
from ..layer import Layer


class _GlobalPooling(Layer):
    """One value of all positions for each channel."""

    integer_input = "cast"
    _stateless = True
    _kind: str
    _axes: int

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self._axes + 2)

    def emit(self, flow: Any, x: Any) -> Any:
        first = self.data_format == "channels_first"
        if 0 in x.shape[1:] if first else 0 in x.shape[:-1]:
            raise ValueError(
                f"Layer '{self.name}': there is nothing to pool in an input of shape "
                f"{(None, *x.shape)}"
            )
        y = _plan.pool(flow, x, self._kind, channels_first=first)
        if not self.keepdims:
            return y
        ones = (1,) * self._axes
        return y._replace(shape=(*y.shape, *ones) if first else (*ones, *y.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        ones = (1,) * (len(input_shape) - 2 if self.keepdims else 0)
        if self.data_format == "channels_first":
            return (*input_shape[:2], *ones)
        return (input_shape[0], *ones, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "data_format": self.data_format,
            "keepdims": self.keepdims,
        }


class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over all time steps; with a mask, over those that it keeps (NaN if it keeps none).

    Args:
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        keepdims: whether the axis of the steps stays, with size 1.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, steps, channels)`, or with "channels_first" `(batch, channels, steps)`.

    Output shape:
        `(batch, channels)`.

    Raises:
        ValueError: an unknown `data_format`, an input of another rank or without steps.
    """

    _kind, _axes = "mean", 1
    _mask_comes_second = True

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format, keepdims, **kwargs)
        self.supports_masking = True

    def emit(self, flow: Any, x: Any) -> Any:
        steps = x.shape[1 if self.data_format == "channels_first" else 0]
        check_mask(self.name, x.mask, steps)
        return super().emit(flow, x)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the steps are gone."""
        return None


class GlobalAveragePooling2D(_GlobalPooling):
    """The mean over all positions.

    Args:
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        keepdims: whether the axes of the positions stay, with size 1.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, rows, columns, channels)`, or with "channels_first"
        `(batch, channels, rows, columns)`.

    Output shape:
        `(batch, channels)`.

    Raises:
        ValueError: an unknown `data_format`, an input of another rank or without positions.
    """

    _kind, _axes = "mean", 2

    @_legacy.accepts_old_names
    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format, keepdims, **kwargs)


class GlobalMaxPooling1D(_GlobalPooling):
    """The maximum over all time steps.

    Args:
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        keepdims: whether the axis of the steps stays, with size 1.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, steps, channels)`, or with "channels_first" `(batch, channels, steps)`.

    Output shape:
        `(batch, channels)`.

    Raises:
        ValueError: an unknown `data_format`, an input of another rank or without steps.
    """

    _kind, _axes = "max", 1


class GlobalMaxPooling2D(_GlobalPooling):
    """The maximum over all positions.

    Args:
        data_format: "channels_last" or "channels_first"; None for `config.image_data_format()`.
        keepdims: whether the axes of the positions stay, with size 1.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, rows, columns, channels)`, or with "channels_first"
        `(batch, channels, rows, columns)`.

    Output shape:
        `(batch, channels)`.

    Raises:
        ValueError: an unknown `data_format`, an input of another rank or without positions.
    """

    _kind, _axes = "max", 2

    @_legacy.accepts_old_names
    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format, keepdims, **kwargs)
