"""What functions make of symbolic tensors: shapes and dtypes, without computing anything large."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from itertools import zip_longest
from math import prod
from typing import Any

import numpy as np

from ..._symbolic import KerasTensor, Shape, leaves, map_structure
from ...ops._arrays import numpy_dtype
from . import table

# A function is tried on arrays without elements. Sizes that nobody knows are these: functions that
# cut an axis into equal parts can do so.
_SIZES = (5040, 10080)
_SMALL = (12, 24)  # and then, where there have to be elements
_MOST_VALUES = 1 << 22  # of the arrays on which it is tried then


def output_spec(
    name: str, run: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Return the symbolic output, or a structure of them, of a function.

    Args:
        name: of the function.
        run: calls it, with arrays in place of the symbolic tensors.
        args: what it is called with.
        options: its configuration.

    Raises:
        ValueError: the shapes do not suit the function, or it could not be found out what it makes.
    """
    if name in table.ELEMENTWISE:
        shape = _broadcast([_shape_of(x) for x in args if x is not None])
        return KerasTensor(shape, _dtype(run, args))
    if name in table.REDUCING:
        shape = tuple(args[0].shape)
        dtype = _dtype(run, args[:1])
        return KerasTensor(_reduced(shape, options.get("axis"), options.get("keepdims")), dtype)
    if name == "unstack":
        return _unstacked(args[0], options)
    exact = _EXACT.get(name)
    if exact is not None:
        shape = exact([_shape_of(x) for x in args], options)
        dtype = _OWN_DTYPE[name](args[0], options) if name in _OWN_DTYPE else _dtype(run, args)
        return KerasTensor(shape, dtype)
    return _tried(name, run, args)


def _shape_of(x: Any) -> Shape:
    return tuple(x.shape) if isinstance(x, KerasTensor) else np.shape(x)


def _dtype(run: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """Return the dtype of a result that depends on nothing but dtypes and numbers of axes."""

    def one(x: Any) -> Any:
        is_array = isinstance(x, (KerasTensor, np.ndarray))
        return np.ones((1,) * len(x.shape), _numpy(x.dtype)) if is_array else x

    with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
        return np.asarray(run(*map_structure(one, args))).dtype.name


def _numpy(dtype: Any) -> Any:
    return "float32" if dtype == "bfloat16" else dtype


def _broadcast(shapes: Sequence[Shape]) -> Shape:
    made: list[int | None] = []
    for sizes in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):
        known = {size for size in sizes if size not in (1, None)}
        if len(known) > 1:
            raise ValueError(f"Shapes that do not broadcast. Received: {list(shapes)}")
        made.append(known.pop() if known else None if None in sizes else 1)
    return tuple(made[::-1])


def _reduced(shape: Shape, axis: Any, keepdims: Any) -> Shape:
    axes = range(len(shape)) if axis is None else np.atleast_1d(axis)
    gone = {int(a) % max(len(shape), 1) for a in axes}
    if keepdims:
        return tuple(1 if i in gone else size for i, size in enumerate(shape))
    return tuple(size for i, size in enumerate(shape) if i not in gone)


def _matmul(shapes: Sequence[Shape], options: dict[str, Any]) -> Shape:
    x, y = shapes
    inner = x[-1], y[-2] if len(y) > 1 else y[-1]
    if None not in inner and inner[0] != inner[1]:
        raise ValueError(f"matmul: shapes {x} and {y} do not fit.")
    return (*_broadcast([x[:-2], y[:-2]]), *x[-2:-1], *(y[-1:] if len(y) > 1 else ()))


def _einsum(shapes: Sequence[Shape], options: dict[str, Any]) -> Shape:
    terms, arrow, out = options["subscripts"].replace(" ", "").partition("->")
    terms = terms.split(",")
    if not arrow or "." in out or len(terms) != len(shapes):
        raise ValueError(
            "einsum: symbolic tensors need an equation with an arrow and without an ellipsis, with "
            f"a term for each. Received: {options['subscripts']!r} for {len(shapes)} of them"
        )
    sizes: dict[str, int | None] = {}
    for term, shape in zip(terms, shapes, strict=True):
        if len(term) != len(shape):
            raise ValueError(f"einsum: the term {term!r} does not fit the shape {shape}.")
        for letter, size in zip(term, shape, strict=True):
            if sizes.get(letter) in (None, 1):
                sizes[letter] = size
    return tuple(sizes[letter] for letter in out)


def _padded(shapes: Sequence[Shape], options: dict[str, Any]) -> Shape:
    shape, width = shapes[0], options["pad_width"]
    widths = np.broadcast_to(np.asarray(width), (len(shape), 2)).tolist()
    return tuple(
        None if size is None else size + sum(around)
        for size, around in zip(shape, widths, strict=True)
    )


def _broadcast_to(shapes: Sequence[Shape], options: dict[str, Any]) -> Shape:
    shape = tuple(options["shape"])
    if _broadcast([shapes[0], shape]) != shape:
        raise ValueError(f"broadcast_to: the shape {shapes[0]} does not broadcast to {shape}.")
    return shape


def _one_hot(shapes: Sequence[Shape], options: dict[str, Any]) -> Shape:
    shape = list(shapes[0])
    shape.insert(options["axis"] % (len(shape) + 1), options["num_classes"])
    return tuple(shape)


def _multi_hot(shapes: Sequence[Shape], options: dict[str, Any]) -> Shape:
    return _reduced(_one_hot(shapes, options), 1 if len(shapes[0]) > 1 else 0, False)


def _repeated(shapes: Sequence[Shape], options: dict[str, Any]) -> Shape:
    shape, axis, times = shapes[0], options["axis"], options["repeats"]
    if axis is None:
        shape, axis = (None if None in shape else prod(shape),), 0  # type: ignore[arg-type]
    axis %= len(shape)
    size = shape[axis]
    if np.size(times) not in (1, size) and size is not None:
        raise ValueError(
            f"repeat: axis {axis} of shape {shape} needs one number or {size}. Received: {times}"
        )
    if np.size(times) > 1:
        size = int(np.sum(times))
    elif size is not None:
        size *= int(np.reshape(times, ()))
    return (*shape[:axis], size, *shape[axis + 1 :])


def _tiled(shapes: Sequence[Shape], options: dict[str, Any]) -> Shape:
    times = np.atleast_1d(options["repeats"]).tolist()
    pairs = zip_longest(shapes[0][::-1], times[::-1], fillvalue=1)
    return tuple(None if size is None else size * n for size, n in pairs)[::-1]


def _segments(shapes: Sequence[Shape], options: dict[str, Any]) -> Shape:
    if options["num_segments"] is None:
        raise ValueError(
            "The number of segments of symbolic tensors: `num_segments` must be given."
        )
    return (options["num_segments"], *shapes[0][1:])


def _unstacked(x: KerasTensor, options: dict[str, Any]) -> list[KerasTensor]:
    axis = options["axis"] % len(x.shape)
    size, count = x.shape[axis], options["num"]
    if count is None:
        count = size
    if count is None or (size is not None and count != size):
        raise ValueError(
            f"unstack: axis {axis} of shape {x.shape} must be of known size, or that of `num`. "
            f"Received: num={options['num']}"
        )
    return [KerasTensor(x.shape[:axis] + x.shape[axis + 1 :], x.dtype) for _ in range(count)]


_SEGMENTS = ("segment_max", "segment_min", "segment_prod", "segment_sum")
_EXACT = {
    **dict.fromkeys(_SEGMENTS, _segments),
    "broadcast_to": _broadcast_to,
    "einsum": _einsum,
    "matmul": _matmul,
    "multi_hot": _multi_hot,
    "one_hot": _one_hot,
    "pad": _padded,
    "repeat": _repeated,
    "tile": _tiled,
}


def _kept(x: KerasTensor, options: dict[str, Any]) -> str:
    return x.dtype


def _asked(x: KerasTensor, options: dict[str, Any]) -> str:
    return numpy_dtype(options["dtype"]).name


# Functions that could make much of little are not run to find out the type.
_OWN_DTYPE: dict[str, Callable[[KerasTensor, dict[str, Any]], str]] = {
    **dict.fromkeys(("broadcast_to", "repeat", "tile", *_SEGMENTS), _kept),
    **dict.fromkeys(("multi_hot", "one_hot"), _asked),
}


def _tried(name: str, run: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Find the output out by running the function: two runs that differ in the unknown sizes tell
    which sizes of the output depend on them, and so does an axis of size 0."""
    failure: Exception | None = None
    for sizes, empty in ((_SIZES, True), (_SMALL, False)):
        try:
            stand_in = partial(_stand_in, empty=empty)
            with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
                first, second = (
                    run(*map_structure(partial(stand_in, size=size), args)) for size in sizes
                )
            return _common(first, second, empty and any(map(_is_cut, leaves(args))))
        except (ValueError, TypeError, IndexError, ArithmeticError) as error:
            failure = error
    shapes = [_shape_of(x) for x in leaves(args) if isinstance(x, KerasTensor)]
    raise ValueError(f"ops.{name} does not fit symbolic tensors of shapes {shapes}: {failure}")


def _stand_in(x: Any, *, size: int, empty: bool) -> Any:
    if not isinstance(x, KerasTensor):
        return x
    shape = list(x.shape)
    if empty and None in shape:
        shape[shape.index(None)] = 0
    elif empty and _is_cut(x):
        shape[0] = 0
    known = tuple(size if n is None else n for n in shape)
    if prod(known) > _MOST_VALUES:
        raise ValueError(f"an array of shape {x.shape} is too large to try it on")
    values = np.ones((), _numpy(x.dtype))
    if len(known) > 1 and 0 not in known:  # matrices that have an inverse, where they are square
        values = np.eye(*known[-2:], dtype=values.dtype)
    return np.broadcast_to(values, known)


def _is_cut(x: Any) -> bool:
    """Whether what stands for `x` has an axis of size 0 that tells nothing."""
    if not isinstance(x, KerasTensor):
        return False
    return None in x.shape or prod(x.shape) > _MOST_VALUES  # type: ignore[arg-type]


def _common(first: Any, second: Any, cut: bool) -> Any:
    if isinstance(first, (list, tuple)):
        made = [_common(one, two, cut) for one, two in zip(first, second, strict=True)]
        return made if isinstance(first, list) else tuple(made)
    first, second = np.asarray(first), np.asarray(second)
    shapes = zip(first.shape, second.shape, strict=True)
    shape = [None if one != two or (cut and one == 0) else one for one, two in shapes]
    return KerasTensor(shape, first.dtype.name)
