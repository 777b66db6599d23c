"""Seeds, session state and label helpers, under `keras.utils` names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import random
from ._datasets import PyDataset, Sequence, split_dataset, timeseries_dataset_from_array
from ._names import reset_names
from ._symbolic import KerasTensor
from .config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from .saving.objects import deserialize_keras_object, serialize_keras_object
from .saving.registry import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
)

if TYPE_CHECKING:
    from .callbacks.progbar import Progbar

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and our own random numbers.

    What draws without a seed of its own repeats from here on: initial weights, dropout masks,
    `coreops.random`.

    Raises:
        ValueError: for a seed that is not an int, or not from 0 to 2**32 - 1.
    """
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(
            f"Expected `seed` to be an integer from 0 to 2**32 - 1. Received: seed={seed!r}"
        )
    import random as python_random

    python_random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the legacy state is what users draw from
    random.reset_global_generator()


def clear_session(free_memory: bool = True) -> None:
    """Start default names again at "dense", and the stream of unseeded draws anew."""
    reset_names()
    random.reset_global_generator()


def standardize_dtype(dtype: Any) -> str:
    """Return the name of a dtype, the default float type for None; ValueError if unknown."""
    from .config import floatx
    from .ops._arrays import numpy_dtype

    if dtype is None:
        return floatx()
    return "bfloat16" if dtype == "bfloat16" else numpy_dtype(dtype).name


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Return class numbers as one-hot rows, of float64 as in Keras.

    Args:
        x: integers of any shape; a last axis of size 1 is dropped.
        num_classes: by default the greatest number + 1.

    Raises:
        ValueError: for a number outside [0, num_classes).
    """
    from . import ops

    x = np.asarray(x).astype(np.int64)
    if x.ndim > 1 and x.shape[-1] == 1:
        x = x[..., 0]
    if num_classes is None:
        num_classes = int(x.max(initial=-1)) + 1
    if x.size and not (x.min() >= 0 and x.max() < num_classes):
        raise ValueError(
            f"to_categorical: expected class numbers in [0, {num_classes}). "
            f"Received numbers from {x.min()} to {x.max()}"
        )
    return ops.one_hot(x, num_classes, dtype="float64")


def normalize(x: Any, axis: int | tuple[int, ...] = -1, order: int = 2) -> np.ndarray:
    """Return x / its norm along `axis`; what has norm 0 stays 0."""
    x = np.asarray(x)
    norms = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norms == 0, norms.dtype.type(1), norms)


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Return sequences of several lengths as one array, batch axis first.

    Args:
        sequences: lists or arrays; their steps may be arrays of one shape.
        maxlen: the length of all; by default that of the longest.
        dtype: of the result; for strings, `object`.
        padding: where what is missing goes, "pre" before or "post" behind.
        truncating: where what is too long is cut, likewise.
        value: what is put there.

    Raises:
        ValueError: sequences without a length, steps of several shapes, or another `padding` or
            `truncating`.
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ValueError(f'pad_sequences: `{name}` must be "pre" or "post". Received: {side!r}')
    if not hasattr(sequences, "__len__") or not all(hasattr(s, "__len__") for s in sequences):
        raise ValueError(
            "pad_sequences: `sequences` must be a list of sequences. "
            f"Received: {sequences!r:.80} of type {type(sequences).__name__}"
        )
    dtype = np.dtype(dtype)
    if isinstance(value, str) and dtype.kind not in "OUS":
        raise ValueError(
            f"pad_sequences: `value` is a string, and the result is of {dtype}: pass dtype=object. "
            f"Received: value={value!r}"
        )
    length = max(map(len, sequences), default=0) if maxlen is None else maxlen
    shape = next((np.shape(s)[1:] for s in sequences if len(s)), ())
    made = np.full((len(sequences), length, *shape), value, dtype)
    for row, sequence in zip(made, sequences, strict=True):
        count = min(len(sequence), length)
        if not count:
            continue
        kept = np.asarray(sequence[-count:] if truncating == "pre" else sequence[:count], dtype)
        if kept.shape[1:] != shape:
            raise ValueError(
                f"pad_sequences: all steps must have one shape. Expected: {shape}. "
                f"Received: {kept.shape[1:]}"
            )
        row[length - count if padding == "pre" else 0 :][:count] = kept
    return made


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Return a batch as `fit` takes it, as short as it can be; x alone is not wrapped."""
    if y is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """Return `(x, y, sample_weight)` of a batch, None for what it does not have.

    Raises:
        ValueError: a tuple or a list of another length.
    """
    from ._train.arrays import unpack

    return unpack(tuple(data) if isinstance(data, list) else data, "data")


def is_keras_tensor(x: Any) -> bool:
    """Return whether `x` is a symbolic tensor, such as `Input` returns."""
    return isinstance(x, KerasTensor)


def __getattr__(name: str) -> Any:
    if name != "Progbar":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .callbacks.progbar import Progbar

    return Progbar
