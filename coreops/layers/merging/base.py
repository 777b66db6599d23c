"""Merge: what the layers have in common that combine several arrays element by element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import _plan, ops
from ..._plan import merging
from ..._symbolic import Shape, is_shape
from ..layer import Layer


class Merge(Layer):
    """Base of the layers that are called on a list of arrays.

    Args:
        **kwargs: base layer keywords: `name`, `dtype`.
    """

    _several = True
    _how = ""  # for the kernels
    minds_masks = False  # what is masked does not count: Python sees to it

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def _arranged(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(args) != 1 or not isinstance(args[0], (list, tuple)) or not args[0]:
            raise ValueError(
                f"Layer '{self.name}' should be called on a list of at least 1 input. "
                f"Received: {args[0] if len(args) == 1 else args!r} (not a list of arrays)"
            )
        return (list(args[0]),)

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(self._shapes(input_shape))

    def _shapes(self, input_shape: Any) -> list[Shape]:
        if is_shape(input_shape) or not all(is_shape(shape) for shape in input_shape):
            raise ValueError(
                f"Layer '{self.name}' should be called on a list of inputs. Received: "
                f"input_shape={input_shape} (not a list of shapes)"
            )
        return [tuple(shape) for shape in input_shape]

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """Return the shape of the result for a list of shapes.

        Raises:
            ValueError: shapes that do not broadcast, or batches of different sizes.
        """
        shapes = self._shapes(input_shape)
        batches = {shape[0] for shape in shapes if shape} - {None}
        if len(batches) > 1:
            raise ValueError(
                f"Layer '{self.name}' cannot merge arrays with different batch sizes. "
                f"Received: {shapes}"
            )
        rank = max(map(len, shapes))
        made: list[int | None] = [1] * (rank - 1)
        for shape in shapes:
            for i, size in enumerate(shape[1:], start=rank - len(shape)):
                if made[i] == 1:
                    made[i] = size
                elif size is None or made[i] is None:
                    made[i] = None
                elif size not in (1, made[i]):
                    raise ValueError(
                        f"Layer '{self.name}': inputs have incompatible shapes. Received: {shapes}"
                    )
        return (batches.pop() if batches else None, *made)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the logical or of the masks, None unless every input has one.

        Raises:
            ValueError: `inputs` and `mask` are no lists of one length.
        """
        if not self._all_masked(inputs, mask):
            return None
        made = mask[0]
        for one in mask[1:]:
            made = ops.logical_or(made, one)
        return made

    def _all_masked(self, inputs: Any, mask: Any) -> bool:
        if mask is None:
            return False
        for name, value in (("mask", mask), ("inputs", inputs)):
            if not isinstance(value, (list, tuple)):
                raise ValueError(f"`{name}` should be a list. Received: {name}={value!r}")
        if len(mask) != len(inputs):
            raise ValueError(
                "The lists `inputs` and `mask` should have the same length. Received: "
                f"{len(inputs)} inputs and {len(mask)} masks"
            )
        return all(one is not None for one in mask)

    def emit(self, flow: Any, values: Sequence[Any]) -> Any:
        self.compute_output_shape([(None, *x.shape) for x in values])
        masks = [x.mask for x in values]
        some = any(mask is not None for mask in masks)
        both = all(mask is not None for mask in masks)
        rows = {mask.shape for mask in masks if mask is not None}
        minds = some and self.minds_masks
        if (
            not all(x.is_real for x in values)
            or (both and len(rows) > 1)
            or (
                minds
                and {(*shape, values[0].shape[-1]) for shape in rows} != {x.shape for x in values}
            )
        ):
            return _plan.Seam(list(values), self._compute)
        made = self._emit_masked(flow, values) if minds else merging.merge(flow, self._how, values)
        return made._replace(mask=merging.either(flow, masks) if both else None)

    def _emit_masked(self, flow: Any, values: Sequence[Any]) -> Any:
        """The steps of values of one shape, of which some have masks of their rows, where these
        mean something."""
        raise NotImplementedError

    def _compute(self, arrays: list[Any], masks: list[Any]) -> tuple[Any, Any]:
        """The same on arrays: what has no kernels."""
        rank = max(x.ndim for x in arrays)
        for i, x in enumerate(arrays):
            if x.ndim < rank:
                shape = (x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:])
                arrays[i] = ops.reshape(x, shape)
        return self._merge(arrays, masks), self.compute_mask(arrays, masks)

    def _merge(self, arrays: list[Any], masks: list[Any]) -> Any:
        made = arrays[0]
        for x in arrays[1:]:
            made = getattr(ops, self._how)(made, x)
        return made


def spread(mask: Any, x: Any) -> Any:
    """A mask of time steps, for each element of x."""
    return ops.broadcast_to(ops.expand_dims(mask, -1), x.shape)
