"""InputSpec: what a layer expects of its inputs, and the check that says so in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._symbolic import Shape, as_shape


class InputSpec:
    """The rank, dtype, shape and axis sizes that a layer accepts.

    Args:
        dtype: expected dtype name.
        shape: expected shape with the batch axis; None entries match anything.
        ndim: expected rank.
        max_ndim: largest rank.
        min_ndim: smallest rank.
        axes: dictionary axis -> expected size.
        allow_last_axis_squeeze: accept a missing or an additional last axis of size 1.
        name: name of the input, for messages.
        optional: whether None is accepted.

    Raises:
        TypeError: `axes` has keys that are not integers.
        ValueError: an axis beyond the given rank.
    """

    def __init__(
        self,
        dtype: str | None = None,
        shape: Sequence[int | None] | None = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: Mapping[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = dtype
        self.shape = None if shape is None else as_shape(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional
        try:
            self.axes = {int(axis): size for axis, size in dict(axes or {}).items()}
        except (TypeError, ValueError):
            raise TypeError(
                f"InputSpec: `axes` must be a dict with integer keys. Received: axes={axes}"
            ) from None
        rank = self.ndim if self.ndim is not None else max_ndim
        if self.axes and rank is not None and max(self.axes) >= rank:
            raise ValueError(
                f"InputSpec: axis {max(self.axes)} is beyond the rank {rank}. Received: axes={axes}"
            )

    def __repr__(self) -> str:
        keys = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes")
        values = ((key, getattr(self, key)) for key in keys)
        return f"InputSpec({', '.join(f'{key}={value}' for key, value in values if value)})"

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds it from."""
        keys = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {key: getattr(self, key) for key in keys}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """Return a new object from such arguments."""
        return cls(**config)

    def mismatch(self, shape: Shape, dtype: Any = None) -> str | None:
        """Return what is wrong with an input as "expected ..., found ...", or None."""
        rank = len(shape)
        if self.ndim is not None and rank != self.ndim and not self.allow_last_axis_squeeze:
            return f"expected ndim={self.ndim}, found ndim={rank}"
        if self.max_ndim is not None and rank > self.max_ndim:
            return f"expected max_ndim={self.max_ndim}, found ndim={rank}"
        if self.min_ndim is not None and rank < self.min_ndim:
            return f"expected min_ndim={self.min_ndim}, found ndim={rank}"
        if self.dtype is not None and dtype is not None and str(dtype) != self.dtype:
            return f"expected dtype={self.dtype}, found dtype={dtype}"
        for axis, size in self.axes.items():
            if size is not None and not -rank <= axis < rank:
                return f"expected axis {axis} to have size {size}, found no such axis"
            if size is not None and shape[axis] not in (size, None):
                return f"expected axis {axis} to have size {size}, found {shape[axis]}"
        if self.shape is not None and not self._matches(self.shape, shape):
            return f"expected shape={self.shape}, found shape={shape}"
        return None

    def _matches(self, expected: Shape, shape: Shape) -> bool:
        if self.allow_last_axis_squeeze:
            expected = expected[:-1] if expected[-1:] == (1,) else expected
            shape = shape[:-1] if shape[-1:] == (1,) else shape
        return len(expected) == len(shape) and all(
            want is None or size is None or want == size
            for want, size in zip(expected, shape, strict=True)
        )


def check_inputs(
    spec: InputSpec | Sequence[InputSpec] | None, shapes: list[Shape], dtypes: list[Any], owner: str
) -> None:
    """Check the shapes and dtypes of a layer's inputs against its `input_spec`.

    Args:
        spec: the layer's `input_spec`; None accepts everything.
        shapes: one shape per input, batch axis first.
        dtypes: one dtype, or its name, per input.
        owner: name of the layer, for the message.

    Raises:
        ValueError: naming the layer, what it expects and what came.
    """
    if not spec:
        return
    specs: list[InputSpec] = [spec] if isinstance(spec, InputSpec) else list(spec)
    if len(specs) != len(shapes):
        raise ValueError(
            f"Layer '{owner}' expects {len(specs)} input(s), but it received {len(shapes)} "
            f"with shapes {shapes}."
        )
    for index, (one, shape, dtype) in enumerate(zip(specs, shapes, dtypes, strict=True)):
        wrong = None if one is None else one.mismatch(shape, dtype)
        if wrong:
            raise ValueError(
                f"Input {index} of layer '{owner}' is incompatible with the layer: {wrong}. "
                f"Full shape received: {shape}"
            )
