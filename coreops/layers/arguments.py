"""The arguments that layers have in common, and the shapes that windows over images lead to."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments import check_numbers
from .._symbolic import Shape


def sizes(layer: str, name: str, value: Any, count: int, *, least: int = 1) -> tuple[int, ...]:
    """Return an int, `count` times, or `count` ints, as a tuple.

    Raises:
        ValueError: it is neither, or an entry is less than `least`.
    """
    entries = (value,) * count if hasattr(value, "__index__") else value
    try:
        made = tuple(entry.__index__() for entry in entries)
    except (TypeError, AttributeError):
        made = ()
    if len(made) != count or any(entry < least for entry in made):
        raise ValueError(
            f"Layer '{layer}': `{name}` must be an int of at least {least}, or a tuple of {count} "
            f"of them. Received: {name}={value!r}"
        )
    return made


def sides(layer: str, name: str, value: Any) -> tuple[tuple[int, int], ...]:
    """Return an int, a pair of ints or a pair of pairs, for the sides of an image, as pairs: of
    rows and of columns.

    Raises:
        ValueError: it is none of these, or an entry is negative.
    """
    both = (value, value) if hasattr(value, "__index__") else value
    if not isinstance(both, (tuple, list)) or len(both) != 2:
        raise ValueError(
            f"Layer '{layer}': `{name}` must be an int, or a pair of ints or of pairs. "
            f"Received: {name}={value!r}"
        )
    rows, columns = (sizes(layer, name, pair, 2, least=0) for pair in both)
    return (rows[0], rows[1]), (columns[0], columns[1])


def padding(layer: str, value: Any, *, causal: bool = False) -> str:
    """Return "valid", "same" or, where that is allowed, "causal".

    Raises:
        ValueError: for anything else.
    """
    allowed = ("valid", "same", "causal") if causal else ("valid", "same")
    found = value.lower() if isinstance(value, str) else value
    if found not in allowed:
        raise ValueError(
            f"Layer '{layer}': `padding` must be one of {allowed}. Received: padding={value!r}"
        )
    return found


def positive(layer: str, name: str, value: Any) -> int:
    """Return a positive int.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, int) or value <= 0:
        raise ValueError(
            f"Layer '{layer}': `{name}` must be a positive int. Received: {name}={value!r}"
        )
    return int(value)


def fraction(layer: str, name: str, value: Any) -> None:
    """Check that an argument is a number from 0 to 1.

    Raises:
        TypeError: it is no number.
        ValueError: it is another one.
    """
    check_numbers(f"Layer '{layer}'", **{name: value})
    if not 0 <= value <= 1:
        raise ValueError(
            f"Layer '{layer}': `{name}` must be between 0 and 1. Received: {name}={value!r}"
        )


def mask_array(layer: str, mask: Any) -> np.ndarray:
    """Return the mask that a call of a layer was given as an array.

    Raises:
        TypeError: it has neither truth values nor numbers.
    """
    array = np.asarray(mask)
    if array.ndim == 0 or array.dtype.kind not in "biuf":
        raise TypeError(
            f"Layer '{layer}': `mask` should be an array of bools with a value for each sample or "
            f"step. Received: mask={mask!r}"
        )
    return array


def check_mask(layer: str, mask: Any, steps: int) -> None:
    """Check that the mask of a plan's value, if there is one, is that of so many steps.

    Raises:
        ValueError: it is not.
    """
    if mask is not None and mask.shape not in ((steps,), (steps, 1)):
        raise ValueError(
            f"Layer '{layer}': expected a mask of {steps} steps. Received one of shape "
            f"{(None, *mask.shape)}"
        )


def split_shape(shape: Shape, data_format: str) -> tuple[Shape, int | None]:
    """Return the sizes of the image, or the length of the sequence, and the number of channels, of
    a shape with the batch axis."""
    if data_format == "channels_last":
        return tuple(shape[1:-1]), shape[-1]
    return tuple(shape[2:]), shape[1]


def joined_shape(batch: int | None, image: Shape, channels: int | None, data_format: str) -> Shape:
    """Return the shape that `split_shape` takes apart."""
    if data_format == "channels_last":
        return (batch, *image, channels)
    return (batch, channels, *image)


def output_sizes(
    layer: str,
    image: Shape,
    window: tuple[int, ...],
    strides: tuple[int, ...],
    dilation: tuple[int, ...],
    padding: str,
) -> Shape:
    """Return the sizes of what windows over an image make of it; None where they are not known.

    Raises:
        ValueError: a window is larger than the image.
    """
    made: list[int | None] = []
    for size, pixels, stride, apart in zip(image, window, strides, dilation, strict=True):
        if size is None:
            made.append(None)
            continue
        whole = size if padding != "valid" else size - (pixels - 1) * apart
        made.append(max(-(-whole // stride), 0))
    if padding == "valid" and any(size == 0 for size in made):
        raise ValueError(
            f"Layer '{layer}': windows of {window} pixels, {dilation} apart, are larger than the "
            f"input, whose size is {image}"
        )
    return tuple(made)
