"""Weights of Keras 1, of Theano and of cuDNN's layers, brought into the layout of Keras 3.

Shapes are known before values are read: so each change is one of a shape and one of an array.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .errors import ModelFileError
from .hdf5 import Stored

_CONVOLUTIONS = (
    *("Conv1D", "Convolution1D", "AtrousConvolution1D"),
    *("Conv2D", "Convolution2D", "AtrousConvolution2D"),
)
_CUDNN = {"LSTM": 4, "CuDNNLSTM": 4, "GRU": 3, "CuDNNGRU": 3}  # gates
# Where Keras 1 had each gate's kernel, of 12 or 9 arrays; recurrent kernels and biases follow it.
_GATES = {"LSTM": (0, 6, 3, 9), "GRU": (0, 3, 6)}


def converted(
    entry: dict[str, Any], stored: list[Stored], version: int, backend: str
) -> list[Stored]:
    """Return the weights of one layer in the layout of Keras 3.

    Args:
        entry: the layer in the config of the file that has the weights, or of Keras 3.
        stored: its weights.
        version: the major version of Keras that wrote them.
        backend: the library that it computed with; "" is Theano where channels come first.

    Raises:
        ModelFileError: they have not the shapes that such a layer has.
    """
    class_name, config = entry.get("class_name"), entry.get("config")
    inner = config.get("layer") if isinstance(config, dict) else None
    if class_name == "Bidirectional" and isinstance(inner, dict):
        half = len(stored) // 2
        parts = stored[:half], stored[half:]
        return [new for part in parts for new in converted(inner, part, version, backend)]
    if class_name == "TimeDistributed" and isinstance(inner, dict):
        return converted(inner, stored, version, backend)
    if not isinstance(config, dict):
        return stored
    try:
        if class_name in _CUDNN and len(stored) == 3 and _is_of_cudnn(class_name, stored):
            return _from_cudnn(stored, _CUDNN[class_name])
        if version == 1 and class_name in _GATES and len(stored) == 3 * len(_GATES[class_name]):
            return _from_gates(stored, _GATES[class_name])
        if class_name in _CONVOLUTIONS and stored:
            return [_kernel(stored[0], config, class_name, version, backend), *stored[1:]]
    except (IndexError, ValueError) as error:
        name = config.get("name")
        raise ModelFileError(f"layer {name!r}: weights of no {class_name}: {error}") from None
    return stored


def _changed(sources: Sequence[Stored], shape: Sequence[int], change: Callable) -> Stored:
    """Return what `change` makes of the arrays of some variables."""

    def read() -> np.ndarray:
        return np.ascontiguousarray(change(*(source.read() for source in sources)))

    return Stored(tuple(shape), sources[0].dtype, read)


def _from_gates(stored: list[Stored], gates: Sequence[int]) -> list[Stored]:
    """Join arrays that are a gate's each along their last axis."""
    joined = []
    for part in range(3):
        sources = [stored[gate + part] for gate in gates]
        shape = sources[0].shape
        if any(source.shape != shape for source in sources):
            raise ValueError("the gates differ in shape")
        joined.append(
            _changed(
                sources, (*shape[:-1], shape[-1] * len(gates)), lambda *a: np.concatenate(a, -1)
            )
        )
    return joined


def _is_of_cudnn(class_name: str, stored: list[Stored]) -> bool:
    """Whether weights are cuDNN's: those that were saved of another layer tell by two biases."""
    return class_name.startswith("CuDNN") or stored[2].shape == (2 * stored[0].shape[-1],)


def _from_cudnn(stored: list[Stored], gates: int) -> list[Stored]:
    """cuDNN keeps each gate's kernels transposed, and two biases, of which the LSTM needs the sum.

    The kernel of the input is the transposed one in the memory of its shape here.
    """
    kernel, recurrent, bias = stored
    features, width = kernel.shape
    units = width // gates
    if recurrent.shape != (units, width) or bias.shape != (2 * width,) or units * gates != width:
        raise ValueError("the shapes do not belong together")

    def turned(k: np.ndarray) -> np.ndarray:
        return np.hstack([gate.reshape(units, features).T for gate in np.hsplit(k, gates)])

    def transposed(k: np.ndarray) -> np.ndarray:
        return np.hstack([gate.T for gate in np.hsplit(k, gates)])

    if gates == 4:
        biases = _changed([bias], (width,), lambda b: b[:width] + b[width:])
    else:
        biases = _changed([bias], (2, width), lambda b: b.reshape(2, width))
    return [
        _changed([kernel], kernel.shape, turned),
        _changed([recurrent], recurrent.shape, transposed),
        biases,
    ]


def _kernel(
    kernel: Stored, config: dict[str, Any], class_name: str, version: int, backend: str
) -> Stored:
    """Return the kernel of a convolution: (sizes, in, out), not flipped."""
    first = config.get("data_format") == "channels_first" or config.get("dim_ordering") == "th"
    if version == 1 and class_name.endswith("1D"):
        kernel = _one_dimensional(kernel, config)
    elif version == 1 and first:
        sizes = [kernel.shape[axis] for axis in (2, 3, 1, 0)]
        kernel = _changed([kernel], sizes, lambda k: k.transpose(2, 3, 1, 0))
    if backend == "theano" or (first and not backend):  # which slides the kernel from its end
        axes = tuple(range(len(kernel.shape) - 2))
        kernel = _changed([kernel], kernel.shape, lambda k: np.flip(k, axes))
    return kernel


def _one_dimensional(kernel: Stored, config: dict[str, Any]) -> Stored:
    """Keras 1 had (length, 1, in, out), and before 1.2 (out, in, length, 1)."""
    filters = config.get("nb_filter", config.get("filters"))
    a, b, c, d = kernel.shape
    if (b, d) == (1, filters):
        return _changed([kernel], (a, c, d), lambda k: k[:, 0])
    if (a, d) != (filters, 1):
        raise ValueError(f"a kernel of shape {kernel.shape}")
    return _changed([kernel], (c, b, a), lambda k: k[..., 0].transpose(2, 1, 0))
