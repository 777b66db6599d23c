"""What comes in as an array, and the mask that an array may carry."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import config
from .._symbolic import Symbolic
from .._variables import Traced

# DLPack's numbers of the devices whose memory the CPU reads: kDLCPU, kDLCUDAHost, kDLROCMHost.
_HOST_DEVICES = (1, 3, 11)


class KerasArray(np.ndarray):
    """An ndarray with the Keras mask of its time steps, as `_keras_mask`.

    Only an output that has a mask is one of these. What NumPy makes of it (a slice, a sum) has no
    mask, as it is no longer the layer's output.
    """

    _keras_mask: np.ndarray | None = None

    @classmethod
    def attach(cls, array: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        """The array with the mask attached; the plain array if there is no mask."""
        if mask is None:
            return array
        carrier = array.view(cls)
        carrier._keras_mask = mask
        return carrier


def mask_of(x: Any) -> np.ndarray | None:
    """The mask attached to x, None if there is none."""
    return getattr(x, "_keras_mask", None)


def as_array(x: Any, what: str) -> np.ndarray:
    """x as a plain ndarray of numbers, not copied where that can be avoided.

    x: an ndarray, a Variable, anything with the buffer protocol, `__array__` or (on the CPU)
    `__dlpack__`, or a nested list of numbers, whose floats become `config.floatx()` and whose ints
    int32, as in Keras. what: how error messages name it.

    Raises TypeError for an object that is no array or for a dtype that holds no numbers,
    ValueError for a ragged list or an array on another device.
    """
    if type(x) is not np.ndarray:
        x = _convert(x, what)
    if x.dtype.kind not in "biufc":
        raise TypeError(f"{what}: expected an array of numbers, received dtype {x.dtype}")
    return x


def _convert(x: Any, what: str) -> np.ndarray:
    if isinstance(x, (list, tuple, int, float)):
        return _from_python(x, what)
    if isinstance(x, str) or x is None:
        raise TypeError(f"{what}: expected an array, received {x!r}")
    if not hasattr(x, "__array__") and hasattr(x, "__dlpack__"):
        device = x.__dlpack_device__()[0]
        if device not in _HOST_DEVICES:
            raise ValueError(
                f"{what}: expected an array in the CPU's memory, received a "
                f"{type(x).__name__} on DLPack device {int(device)}"
            )
        return np.from_dlpack(x)
    try:
        return np.asarray(x)
    except (Traced, Symbolic):
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise type(error)(
            f"{what}: {type(x).__name__} cannot be read as an array: {error}"
        ) from error


def _from_python(x: Any, what: str) -> np.ndarray:
    try:
        array = np.asarray(x)
    except (Traced, Symbolic):
        raise
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{what}: expected a rectangular array, received a ragged sequence"
        ) from error
    real = np.float64 if config.floatx() == "float64" else np.float32
    narrow = {"f": real, "i": np.int32}.get(array.dtype.kind)
    if narrow is None or _holds_arrays(x):
        return array
    return array.astype(narrow)


def _holds_arrays(x: Any) -> bool:
    """Whether the leaves of a nested list have dtypes of their own."""
    while isinstance(x, (list, tuple)) and x:
        x = x[0]
    return hasattr(x, "dtype")
