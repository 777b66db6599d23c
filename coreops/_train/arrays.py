"""Arrays as the user passes them: what they are, whether they fit together, how they are cut.

A batch is `(x, y, sample_weight)`, contiguous arrays with the batch axis first; `y` and
`sample_weight` may be None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import _plan

Batch = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]


class Options(NamedTuple):
    """What the caller asked for beside the data."""

    caller: str  # names the method in error messages
    real: np.dtype  # what floats of another size are cast to
    batch_size: int | None = None
    steps: int | None = None
    shuffle: bool | str = False
    seed: int = 0
    class_weight: Mapping[Any, float] | None = None


def holds_batches(x: Any) -> bool:
    """Whether x is an iterable of batches, or a dataset."""
    return not is_arrays(x) and (hasattr(x, "__iter__") or hasattr(x, "num_batches"))


def is_arrays(x: Any) -> bool:
    """Whether x is an array, or a container of arrays or numbers, not an iterable of batches."""
    if isinstance(x, (list, tuple)):
        return not (x and all(isinstance(b, tuple) and b and hasattr(b[0], "shape") for b in x))
    if isinstance(x, (dict, str, bytes, int, float, complex)) or x is None:
        return True
    return hasattr(x, "__array__") or hasattr(x, "__dlpack__")


def split(
    x: Any, y: Any, sample_weight: Any, fraction: float, caller: str
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Cut the last part off arrays: (what to train on, what to validate on).

    Raises:
        ValueError: one of the two would be empty, or `x` is a generator.
    """
    if not is_arrays(x):
        raise ValueError(
            f"{caller}: `validation_split` takes the last part of arrays, and `x` is a "
            f"{type(x).__name__}. Pass `validation_data` instead."
        )
    arrays = [
        None if a is None else _plan.as_array(only(a), f"{caller}: `{name}`")
        for name, a in (("x", x), ("y", y), ("sample_weight", sample_weight))
    ]
    _check_lengths(arrays, caller)
    count = len(arrays[0])  # type: ignore[arg-type]  # x is there
    at = math.floor(count * (1.0 - fraction))
    if at in (0, count):
        raise ValueError(
            f"{caller}: `validation_split={fraction}` of {count} samples leaves "
            f"{at} to train on and {count - at} to validate on."
        )
    train = tuple(None if a is None else a[:at] for a in arrays)
    return train, tuple(None if a is None else a[at:] for a in arrays)


def unpack(data: Any, name: str) -> tuple[Any, Any, Any]:
    """Return (x, y, sample_weight) of `(x,)`, `(x, y)`, `(x, y, sample_weight)` or x alone."""
    if not isinstance(data, (tuple, list)) or not is_arrays(data):
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
    labels, where = np.unique(np.round(y).astype(np.int64), return_inverse=True)
    weights = np.array([table.get(int(label), 1.0) for label in labels], np.float64)
    return weights[where.reshape(-1)]


def read_batch(x: Any, y: Any, weight: Any, options: Options) -> Batch:
    """Return what the user passed as contiguous arrays.

    Raises:
        ValueError: lengths that differ, several arrays for one, or both kinds of weights.
        TypeError: an array that does not hold numbers.
    """
    caller, real = options.caller, options.real
    arrays: list[np.ndarray | None] = []
    for name, value in (("x", x), ("y", y), ("sample_weight", weight)):
        if value is None and name != "x":
            arrays.append(None)
            continue
        if isinstance(value := only(value), dict):
            raise ValueError(
                f"{caller}: `{name}` must be one array. Received: a dict of {list(value)}"
            )
        if isinstance(value, (list, tuple)) and len(value) > 1 and getattr(value[0], "ndim", 0) > 1:
            raise ValueError(
                f"{caller}: `{name}` must be one array: models of several inputs or outputs are "
                f"not supported. Received: {len(value)} arrays"
            )
        array = np.asarray(_plan.as_array(value, f"{caller}: `{name}`"))
        if array.ndim == 0:
            raise ValueError(f"{caller}: `{name}` needs a batch axis. Received: {value!r}")
        if name == "sample_weight" or (array.dtype.kind == "f" and array.dtype != real):
            array = array.astype(real)
        arrays.append(np.ascontiguousarray(array))
    _check_lengths(arrays, caller)
    if options.class_weight is not None:
        if arrays[2] is not None:
            raise ValueError(
                f"{caller}: `class_weight` and `sample_weight` cannot be given at the same time."
            )
        if arrays[1] is None:
            raise ValueError(f"{caller}: `class_weight` needs targets `y`.")
        arrays[2] = class_weights(arrays[1], options.class_weight, caller).astype(real)
    return arrays[0], arrays[1], arrays[2]  # type: ignore[return-value]  # x is there


def _check_lengths(arrays: list[Any], caller: str) -> None:
    names = ("x", "y", "sample_weight")
    counts = [f"`{name}` {len(a)}" for name, a in zip(names, arrays, strict=True) if a is not None]
    if len({len(a) for a in arrays if a is not None}) > 1:
        raise ValueError(
            f"{caller}: all arrays must hold as many samples. Received: {', '.join(counts)}"
        )
