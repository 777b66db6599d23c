"""Dense with weights of 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import _dtypes
from ..._plan import Flow, Seam, Value
from ..._variables import Variable
from ...quantizers import AbsMaxQuantizer, Int8QuantizationConfig

if TYPE_CHECKING:
    from .dense import Dense

_STANDARD = AbsMaxQuantizer()  # what the kernels do


def build(layer: Dense, input_dim: int) -> None:
    """Create kernel and scale of a Dense layer that is int8 from the start."""
    layer.kernel = layer.add_weight(
        name="kernel",
        shape=(input_dim, layer.units),
        initializer="zeros",
        dtype="int8",
        trainable=False,
    )
    layer.kernel_scale = layer.add_weight(
        name="kernel_scale", shape=(layer.units,), initializer="ones", trainable=False
    )


def quantize(layer: Dense, config: Any) -> None:
    """Replace the kernel of a built Dense layer by its int8 form and a scale for each unit."""
    old = layer.kernel
    values, scale = (config.weight_quantizer or AbsMaxQuantizer(axis=0))(old.numpy(), to_numpy=True)
    kernel = Variable(
        values, shape=old.shape, dtype="int8", trainable=False, name="kernel", path=old.path
    )
    kernel_scale = Variable(
        np.squeeze(scale, axis=0),
        shape=(layer.units,),
        dtype=layer.variable_dtype,
        trainable=False,
        name="kernel_scale",
        path=f"{old.path.removesuffix(old.name)}kernel_scale",
    )
    layer._trained[:] = [own for own in layer._trained if own is not old]
    layer._fixed += [kernel, kernel_scale]
    layer.quantization_config = config
    layer.kernel_scale = kernel_scale
    layer.kernel = kernel  # last: its type is what `emit` goes by, perhaps in another thread
    if layer.dtype_policy.quantization_mode is None:
        layer._dtype_policy = _dtypes.QuantizedDTypePolicy(config.mode, layer.dtype_policy.name)


def emit(layer: Dense, flow: Flow, x: Value) -> Value | Seam:
    """The steps of an int8 Dense layer before its activation. The kernels have the quantizer that
    Keras uses by default. With another one the layer is a seam, activation included; without any,
    the inputs meet a kernel of reals."""
    config = layer.quantization_config or Int8QuantizationConfig()
    quantizer, kernel, scale = config.activation_quantizer, layer.kernel, layer.kernel_scale
    if quantizer is None:
        return flow.dense(x, kernel, layer.bias, scale)
    if type(quantizer) is AbsMaxQuantizer and _arguments(quantizer) == _arguments(_STANDARD):
        return flow.dense_int8(x, kernel, scale, layer.bias)

    def run(array: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
        q, row_scale = quantizer(array, axis=-1)
        sums = q.astype(np.float64) @ kernel.numpy().astype(np.float64)  # exact, and fast in BLAS
        y = sums.astype(array.dtype) / (scale.numpy().astype(array.dtype) * row_scale)
        if layer.bias is not None:
            y = y + layer.bias.numpy().astype(array.dtype)
        return layer.activation(y)

    return Seam(x, run)


def _arguments(quantizer: AbsMaxQuantizer) -> tuple[Any, ...]:
    return quantizer.value_range, quantizer.epsilon, quantizer.output_dtype
