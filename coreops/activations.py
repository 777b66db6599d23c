"""The activations: functions of an array, looked up by name, computed by kernels.

Those that `keras.ops` has with the same arguments are the very functions of `coreops.ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any

import numpy as np

from .ops import nn
from .ops._arrays import activation
from .ops.nn import celu as celu
from .ops.nn import elu as elu
from .ops.nn import glu as glu
from .ops.nn import hard_shrink as hard_shrink
from .ops.nn import hard_sigmoid as hard_sigmoid
from .ops.nn import hard_silu as hard_silu
from .ops.nn import hard_tanh as hard_tanh
from .ops.nn import leaky_relu as leaky_relu
from .ops.nn import log_sigmoid as log_sigmoid
from .ops.nn import log_softmax as log_softmax
from .ops.nn import mish as mish
from .ops.nn import relu6 as relu6
from .ops.nn import selu as selu
from .ops.nn import sigmoid as sigmoid
from .ops.nn import silu as silu
from .ops.nn import soft_shrink as soft_shrink
from .ops.nn import softmax as softmax
from .ops.nn import softplus as softplus
from .ops.nn import softsign as softsign
from .ops.nn import sparse_plus as sparse_plus
from .ops.nn import sparse_sigmoid as sparse_sigmoid
from .ops.nn import sparsemax as sparsemax
from .ops.nn import squareplus as squareplus
from .ops.nn import tanh as tanh
from .ops.nn import tanh_shrink as tanh_shrink
from .ops.nn import threshold as threshold
from .saving import objects, registry


def linear(x: Any) -> Any:
    """x itself."""
    return x


def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> np.ndarray:
    """min(x, max_value) where x > threshold, else negative_slope * (x - threshold).

    Without a slope, what is not above the threshold gives 0; `max_value` None is no bound.
    Integers stay integers where the arguments have their defaults.
    """
    if negative_slope == 0.0 and max_value is None and threshold == 0.0:
        return nn.relu(x)
    for step in relu_steps(negative_slope, max_value, threshold):
        x = activation(x, *step)
    return x


def relu_steps(
    negative_slope: float, max_value: float | None, threshold: float
) -> list[tuple[str, float, float, float]]:
    """Return the kernels that make up `relu` with these arguments, each (kind, p, q, r).

    Without a slope they are others than with a slope of 0, which would turn -inf into NaN.
    """
    if negative_slope:
        bound = np.inf if max_value is None else max_value
        return [("relu_general", negative_slope, bound, threshold)]
    if threshold == 0.0:
        return [("relu", 0.0, 0.0, 0.0) if max_value is None else ("clip", 0.0, max_value, 0.0)]
    steps = [("threshold", threshold, 0.0, 0.0)]
    return steps if max_value is None else [*steps, ("clip", 0.0, max_value, 0.0)]


def exponential(x: Any) -> np.ndarray:
    """e^x."""
    return activation(x, "exponential")


def gelu(x: Any, approximate: bool = False) -> np.ndarray:
    """x * Phi(x), Phi being the normal distribution function, or its tanh approximation."""
    return nn.gelu(x, approximate)


def legacy_hard_sigmoid(x: Any) -> np.ndarray:
    """min(max(x / 5 + 1 / 2, 0), 1): what files older than Keras 3 mean by "hard_sigmoid".

    It has a name of its own in configs, which Keras 3, where no function is like it, refuses.
    """
    return activation(x, "ramp", 0.2, 0.5)


swish, hard_swish = silu, hard_silu

# What a plan does for an activation with its default arguments. The others are NumPy
# compositions, which a plan calls like a user's function.
_STEPS: dict[Callable, tuple] = {
    linear: ("act", "linear", 0.0, 0.0, 0.0),
    relu: ("act", "relu", 0.0, 0.0, 0.0),
    nn.relu: ("act", "relu", 0.0, 0.0, 0.0),
    relu6: ("act", "clip", 0.0, 6.0, 0.0),
    hard_tanh: ("act", "clip", -1.0, 1.0, 0.0),
    leaky_relu: ("act", "relu_general", 0.2, np.inf, 0.0),
    elu: ("act", "elu", 1.0, 0.0, 0.0),
    celu: ("act", "celu", 1.0, 0.0, 0.0),
    selu: ("act", "selu", nn.SELU_SCALE, nn.SELU_ALPHA, 0.0),
    sigmoid: ("act", "sigmoid", 0.0, 0.0, 0.0),
    hard_sigmoid: ("act", "ramp", 1.0 / 6.0, 0.5, 0.0),
    legacy_hard_sigmoid: ("act", "ramp", 0.2, 0.5, 0.0),
    sparse_sigmoid: ("act", "ramp", 0.5, 0.5, 0.0),
    log_sigmoid: ("act", "log_sigmoid", 0.0, 0.0, 0.0),
    silu: ("act", "silu", 0.0, 0.0, 0.0),
    hard_silu: ("act", "hard_silu", 0.0, 0.0, 0.0),
    gelu: ("act", "gelu", 0.0, 0.0, 0.0),
    nn.gelu: ("act", "gelu_tanh", 0.0, 0.0, 0.0),
    exponential: ("act", "exponential", 0.0, 0.0, 0.0),
    softplus: ("act", "softplus", 0.0, 0.0, 0.0),
    softsign: ("act", "softsign", 0.0, 0.0, 0.0),
    tanh: ("act", "tanh", 0.0, 0.0, 0.0),
    tanh_shrink: ("act", "tanh_shrink", 0.0, 0.0, 0.0),
    soft_shrink: ("act", "soft_shrink", 0.5, 0.0, 0.0),
    hard_shrink: ("act", "hard_shrink", 0.5, 0.0, 0.0),
    squareplus: ("act", "squareplus", 4.0, 0.0, 0.0),
    sparse_plus: ("act", "sparse_plus", 0.0, 0.0, 0.0),
    mish: ("act", "mish", 0.0, 0.0, 0.0),
    softmax: ("softmax", -1, False),
    log_softmax: ("softmax", -1, True),
}

for _function in (*_STEPS, glu, sparsemax, threshold):
    if _function not in (nn.relu, nn.gelu):
        registry.add("activations", _function)
registry.add("activations", silu, "swish")
registry.add("activations", hard_silu, "hard_swish")
del _function


def step_of(function: Callable | None) -> tuple | None:
    """Return the plan step of an activation with its default arguments.

    Returns:
        ("act", kind, p, q, r) with a kind of csrc/activation.h, ("softmax", axis, log), or None
        for any other callable. None as the function counts as `linear`.
    """
    try:
        return _STEPS.get(linear if function is None else function)
    except TypeError:  # an unhashable callable
        return None


def get(identifier: Any) -> Callable:
    """Return the activation for None (linear), a name, a config or a callable.

    Raises:
        ValueError: for an unknown name (listing the legal ones) or an object not callable.
    """
    if identifier is None:
        return linear
    activation = objects.from_identifier("activations", identifier)
    if not callable(activation):
        raise ValueError(f"Could not interpret activation identifier: {identifier!r}")
    return activation


def serialize(activation: Callable) -> str | dict[str, Any]:
    """Return the name of one of our activations, the config of any other callable."""
    if registry.known("activations").get(getattr(activation, "__name__", "")) is activation:
        return activation.__name__
    config = objects.serialize_keras_object(activation)
    if isinstance(activation, FunctionType) and config["class_name"] == "function":
        config["config"] = registry.get_registered_name(activation)
    return config


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable:
    """Return the activation of a name or a config.

    Raises:
        ValueError: for an unknown name, listing the legal ones.
        TypeError: for an unknown config.
    """
    return objects.from_identifier("activations", config, custom_objects)
