"""Layers that move data without computing: Flatten, Reshape, Permute, RepeatVector."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Any

from .. import config
from .._symbolic import Shape, is_known
from .input_spec import InputSpec
from .layer import Layer


class Flatten(Layer):
    """Flattens every sample to one axis.

    Args:
        data_format: "channels_last" or "channels_first" (the channel axis is moved to the end
            before flattening); None for `config.image_data_format()`.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, d1, ..., dn)`, rank 1 or more.

    Output shape:
        `(batch, d1 * ... * dn)`; `(batch, 1)` for rank 1.

    Raises:
        ValueError: an unknown `data_format`; a scalar input.
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def emit(self, flow: Any, x: Any) -> Any:
        rank = len(x.shape)
        if self.data_format == "channels_first" and rank > 1:
            x = flow.permute(x, (*range(2, rank + 1), 1))
        return flow.reshape(x, (prod(x.shape),))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *dims = input_shape
        return (batch, prod(dims) if is_known(dims) else None)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """Gives every sample another shape of the same size.

    Args:
        target_shape: tuple of ints without the batch axis; one of them may be -1, which is
            computed from the others.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, ...)`.

    Output shape:
        `(batch, *target_shape)`.

    Raises:
        TypeError: `target_shape` is not iterable or holds something else than ints.
        ValueError: more than one -1, an entry below -1, or a size that does not fit the input.
    """

    _stateless = True

    def __init__(self, target_shape: Iterable[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        target = tuple(target_shape)
        if not all(hasattr(dim, "__index__") for dim in target):
            raise TypeError(
                f"Layer '{self.name}': `target_shape` must hold ints. Received: {target}"
            )
        target = tuple(int(dim) for dim in target)
        if target.count(-1) > 1 or any(dim < -1 for dim in target):
            raise ValueError(
                f"Layer '{self.name}': `target_shape` holds non-negative ints and at most one -1. "
                f"Received: target_shape={target}"
            )
        self.target_shape = target

    def emit(self, flow: Any, x: Any) -> Any:
        return flow.reshape(x, self._resolve(x.shape))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *self._resolve(tuple(input_shape[1:])))

    def _resolve(self, shape: Shape) -> Shape:
        """Return the target for samples of `shape`, with -1 replaced."""
        target = self.target_shape
        if not is_known(shape):
            return tuple(None if dim == -1 else dim for dim in target)
        size, known = prod(shape), prod(dim for dim in target if dim != -1)
        if -1 in target:
            fits = known > 0 and size % known == 0  # beside a 0, -1 could be anything
            target = tuple(size // max(known, 1) if dim == -1 else dim for dim in target)
        else:
            fits = size == known
        if not fits:
            raise ValueError(
                f"Layer '{self.name}': samples of shape {shape} ({size} elements) cannot be "
                f"reshaped to target_shape={self.target_shape}"
            )
        return target

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Layer):
    """Permutes the axes of every sample.

    Args:
        dims: permutation of 1 ... n, the axes without the batch axis: axis i of the output is
            axis `dims[i]` of the input.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, d1, ..., dn)`.

    Output shape:
        The same axes in the new order: `Permute((2, 1))` gives `(batch, d2, d1)`.

    Raises:
        TypeError: `dims` is not iterable.
        ValueError: `dims` is no permutation of 1 ... n; an input of another rank than n + 1.
    """

    def __init__(self, dims: Iterable[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        is_int = all(hasattr(dim, "__index__") for dim in self.dims)
        if not is_int or sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"Layer '{self.name}': `dims` must be a permutation of 1 ... n, each once. "
                f"Received: dims={self.dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def emit(self, flow: Any, x: Any) -> Any:
        return flow.permute(x, self.dims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *(input_shape[dim] for dim in self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """Repeats every sample n times.

    Args:
        n: number of repetitions, a positive int.
        **kwargs: base layer keywords: `name`, `dtype`.

    Input shape:
        `(batch, features)`.

    Output shape:
        `(batch, n, features)`.

    Raises:
        TypeError: `n` is no int.
        ValueError: `n` is not positive; an input of another rank than 2.
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int) or isinstance(n, bool):
            raise TypeError(
                f"Layer '{self.name}': `n` must be an int. Received: {n!r} of type "
                f"{type(n).__name__}"
            )
        if n <= 0:
            raise ValueError(f"Layer '{self.name}': `n` must be positive. Received: n={n}")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def emit(self, flow: Any, x: Any) -> Any:
        return flow.repeat(x, self.n)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}
