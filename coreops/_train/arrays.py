"""Arrays as the user passes them: what they are, whether they fit together, how they are cut.

A batch is `(x, y, sample_weight)`: lists of contiguous arrays with the batch axis first, one for
each input or output of the model. `y` and `sample_weight` may be None, and so may what is in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _plan

Targets = list[np.ndarray | None] | None
Batch = tuple[list[np.ndarray], Targets, Targets]


class Options(NamedTuple):
    """What the caller asked for beside the data."""

    caller: str  # names the method in error messages
    real: np.dtype  # what floats of another size are cast to
    batch_size: int | None = None
    steps: int | None = None
    shuffle: bool | str = False
    seed: int = 0
    class_weight: Mapping[Any, float] | None = None
    arrange: Callable[[Any], list[Any]] | None = None  # what is passed as x as a list of inputs
    # Of a model of several outputs: their names, for such inputs; and which of them have a loss.
    outputs: Callable[[list[np.ndarray]], Sequence[str] | None] | None = None
    judged: Callable[[], Sequence[int]] | None = None
    # What takes "y" or "sample_weight" apart where they are not those of the outputs.
    free: Callable[[str, Any], list[Any]] | None = None


class Taken:
    """A batch that has been read, in place of the arrays."""

    __slots__ = ("batch",)

    def __init__(self, batch: Batch) -> None:
        self.batch = batch


def holds_batches(x: Any) -> bool:
    """Whether x is an iterable of batches, or a dataset."""
    return not is_arrays(x) and (hasattr(x, "__iter__") or hasattr(x, "num_batches"))


def is_arrays(x: Any) -> bool:
    """Whether x is an array, or a container of arrays or numbers, not an iterable of batches."""
    if isinstance(x, (list, tuple)):
        return not (x and all(isinstance(b, tuple) and b and hasattr(b[0], "shape") for b in x))
    if isinstance(x, (dict, str, bytes, int, float, complex, Taken)) or x is None:
        return True
    return hasattr(x, "__array__") or hasattr(x, "__dlpack__")


def split(
    x: Any, y: Any, sample_weight: Any, fraction: float, options: Options
) -> tuple[Taken, Taken]:
    """Cut the last part off arrays: (what to train on, what to validate on).

    Raises:
        ValueError: one of the two would be empty, or `x` is a generator.
    """
    if not is_arrays(x):
        raise ValueError(
            f"{options.caller}: `validation_split` takes the last part of arrays, and `x` is a "
            f"{type(x).__name__}. Pass `validation_data` instead."
        )
    batch = read_batch(x, y, sample_weight, options)
    count = len(batch[0][0])
    at = math.floor(count * (1.0 - fraction))
    if at in (0, count):
        raise ValueError(
            f"{options.caller}: `validation_split={fraction}` of {count} samples leaves "
            f"{at} to train on and {count - at} to validate on."
        )
    return Taken(cut(batch, 0, at)), Taken(cut(batch, at, count))


def cut(batch: Batch, begin: int, end: int) -> Batch:
    """Return some samples of a batch."""
    x, y, weight = batch
    rows = slice(begin, end)
    return [a[rows] for a in x], _rows_of(y, rows), _rows_of(weight, rows)


def _rows_of(arrays: Targets, rows: slice) -> Targets:
    return None if arrays is None else [None if a is None else a[rows] for a in arrays]


def unpack(data: Any, name: str) -> tuple[Any, Any, Any]:
    """Return (x, y, sample_weight) of `(x,)`, `(x, y)`, `(x, y, sample_weight)` or x alone, which
    may be a list of batches."""
    if not isinstance(data, (tuple, list)) or (isinstance(data, list) and not is_arrays(data)):
        return data, None, None
    if 1 <= len(data) <= 3:
        x, y, sample_weight = [*data, None, None][:3]
        return x, y, sample_weight
    raise ValueError(
        f"`{name}` must be (x,), (x, y) or (x, y, sample_weight). "
        f"Received: {len(data)} items of types {[type(item).__name__ for item in data]}"
    )


def only(x: Any) -> Any:
    """Return the array in a list or dict that holds but one; anything else as it is."""
    if isinstance(x, dict) and len(x) == 1:
        return next(iter(x.values()))
    if isinstance(x, (list, tuple)) and len(x) == 1 and hasattr(x[0], "ndim") and x[0].ndim > 0:
        return x[0]
    return x


def class_weights(y: np.ndarray, class_weight: Any, caller: str) -> np.ndarray:
    """Return the weight of each sample's class; 1 for a class that has none.

    Args:
        y: (n,) or (n, 1) labels, or (n, classes) one-hot rows.
        class_weight: mapping label -> weight.
        caller: names the method in error messages.

    Raises:
        ValueError: keys that are no integers, no mapping, or targets of another rank.
    """
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            f"{caller}: `class_weight` must map labels to weights. Received: {class_weight!r}"
        )
    try:
        table = {int(key): float(value) for key, value in class_weight.items()}
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{caller}: `class_weight` must map integers to numbers. Received: {class_weight!r}"
        ) from error
    if y.ndim > 2:
        raise ValueError(
            f"{caller}: `class_weight` needs one label per sample. Received: y.shape={y.shape}"
        )
    if y.ndim == 2:
        y = y[:, 0] if y.shape[1] == 1 else np.argmax(y, axis=-1)
    labels = np.round(y).astype(np.int64).tolist()
    return np.array([table.get(label, 1.0) for label in labels], np.float64)


def read_batch(x: Any, y: Any, weight: Any, options: Options) -> Batch:
    """Return what the user passed as contiguous arrays.

    Raises:
        ValueError: lengths that differ, several arrays for one, or both kinds of weights.
        TypeError: an array that does not hold numbers.
    """
    if isinstance(x, Taken):
        arrays, targets, weights = x.batch
    else:
        given = options.arrange(x) if options.arrange else [_the_array(x, "x", options.caller)]
        arrays = [_read(one, "x", options) for one in given]
        names = list((options.outputs and options.outputs(arrays)) or ())
        targets, weights = (
            for_outputs(value, name, names, options)
            for name, value in (("y", y), ("sample_weight", weight))
        )
        _check_lengths({"x": arrays, "y": targets, "sample_weight": weights}, options.caller)
    if options.class_weight is not None:
        weights = [_weights_of_classes(targets, weights, options)]
    return arrays, targets, weights


def _weights_of_classes(y: Targets, weights: Targets, options: Options) -> np.ndarray:
    caller = options.caller
    if weights is not None:
        raise ValueError(
            f"{caller}: `class_weight` and `sample_weight` cannot be given at the same time."
        )
    if y is None or y[0] is None:
        raise ValueError(f"{caller}: `class_weight` needs targets `y`.")
    if len(y) > 1:
        raise ValueError(f"{caller}: `class_weight` is for models of one output.")
    return class_weights(y[0], options.class_weight, caller).astype(options.real)


def for_outputs(value: Any, name: str, names: list[str], options: Options) -> Targets:
    """Return the targets or the weights that were passed, as arrays: one for each output, if they
    are those of the outputs."""
    if value is None:
        return None
    given = options.free(name, value) if options.free else _for_each(value, name, names, options)
    return [None if one is None else _read(one, name, options) for one in given]


def _for_each(value: Any, name: str, names: list[str], options: Options) -> list[Any]:
    """Return what was passed for each output; None where nothing was. There may be targets for
    those alone that have a loss."""
    caller = options.caller
    if not names:
        return [_the_array(value, name, caller)]
    if isinstance(value, dict):
        if not set(value) <= set(names) or (name == "y" and not value):
            raise ValueError(
                f"{caller}: `{name}` must have the keys {names}, the model's outputs. "
                f"Received: {list(value)}"
            )
        return [value.get(key) for key in names]
    if len(names) == 1:
        return [only(value)]
    if name == "sample_weight" and getattr(value, "ndim", 0) > 0:  # for all of them
        return [value] * len(names)
    given = list(value) if isinstance(value, (list, tuple)) else [value]
    judged = options.judged() if options.judged and name == "y" else ()
    if len(given) == len(judged) < len(names):
        items = iter(given)
        return [next(items) if i in judged else None for i in range(len(names))]
    if not isinstance(value, (list, tuple)) or len(value) != len(names):
        raise ValueError(
            f"{caller}: `{name}` must be a list or a dict with an array for each of the outputs "
            f"{names}. Received: {len(given)} of them"
        )
    return given


def _the_array(value: Any, name: str, caller: str) -> Any:
    """Return the one array that an argument is for a model of one input or output."""
    if isinstance(value := only(value), dict):
        raise ValueError(f"{caller}: `{name}` must be one array. Received: a dict of {list(value)}")
    if isinstance(value, (list, tuple)) and len(value) > 1 and getattr(value[0], "ndim", 0) > 1:
        raise ValueError(
            f"{caller}: `{name}` must be one array: the model has one. "
            f"Received: {len(value)} arrays"
        )
    return value


def _read(value: Any, name: str, options: Options) -> np.ndarray:
    array = np.asarray(_plan.as_array(value, f"{options.caller}: `{name}`"))
    if array.ndim == 0:
        raise ValueError(f"{options.caller}: `{name}` needs a batch axis. Received: {value!r}")
    if name == "sample_weight" or (array.dtype.kind == "f" and array.dtype != options.real):
        array = array.astype(options.real)
    return np.ascontiguousarray(array)


def _check_lengths(groups: dict[str, Any], caller: str) -> None:
    counts = [
        (name, len(a)) for name, arrays in groups.items() for a in arrays or () if a is not None
    ]
    if len({count for _, count in counts}) > 1:
        found = ", ".join(f"`{name}` {count}" for name, count in counts)
        raise ValueError(
            f"{caller}: all arrays must hold the same number of samples. Received: {found}"
        )
