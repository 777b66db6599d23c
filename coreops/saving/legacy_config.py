"""Configs of Keras 1 and 2, translated into those of Keras 3: the loader knows no others.

Everything here is a function of configs alone: nothing is made, looked up or allocated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _legacy
from .errors import ModelFileError, shorten
from .legacy_graph import modern_graph, modern_name

MAX_NESTING = 20
_MODELS = ("Sequential", "Functional", "Model")
_INNER = ("layer", "forward_layer", "backward_layer", "cell")  # where wrappers keep layers

CLASSES = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "TimeDistributedDense": "Dense",
    "SeparableConvolution2D": "SeparableConv2D",
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "LSTMV2": "LSTM",
    "GRUV2": "GRU",
}
_RECURRENT = ("LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell", "RNN")
_DEPTHWISE = ("SeparableConv1D", "SeparableConv2D", "DepthwiseConv1D", "DepthwiseConv2D")
_OF_CONVOLUTIONS = ("groups", "kernel_initializer", "kernel_regularizer", "kernel_constraint")

# What Keras 2 wrote of the first layer of a model and of the way in which it computed. Other keys
# with no effect are left out by the loader itself.
_DROPPED = {
    "": ("batch_input_shape", "input_dtype", "create_input"),
    "Embedding": ("input_length", "dropout"),
    "BatchNormalization": ("renorm", "fused", "virtual_batch_size", "adjustment", "mode"),
    **dict.fromkeys(_RECURRENT, ("implementation", "input_dim", "input_length")),
    **dict.fromkeys(("Conv1D", "Conv2D"), ("input_dim", "input_length")),
    **dict.fromkeys(_DEPTHWISE, ("input_dim", "input_length", *_OF_CONVOLUTIONS)),
    "Dense": ("input_dim", "input_length"),
}
# Some of these mean something where they are not what is given here.
_ONLY = {
    "time_major": (False, None),
    "mode": (0, None),
    "groups": (1, None),
    "renorm": (False, None),
    "dropout": (0, 0.0, None),
}
_REGULARIZERS = {"WeightRegularizer": "L1L2", "ActivityRegularizer": "L1L2"}


def modern_model(entry: Any) -> dict[str, Any]:
    """Return a serialised model of Keras 1 or 2 in the form of Keras 3.

    Args:
        entry: {"class_name", "config", ...} from an untrusted file.

    Raises:
        ModelFileError: what Keras 3 has no words for, or no serialised model.
    """
    if not _is_entry(entry):
        raise ModelFileError(f"{shorten(entry, 60)} is not a serialised model.")
    return _layer(entry, 0)


def _is_entry(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("class_name"), str)
        and isinstance(value.get("config"), (dict, list))
    )


def _layer(entry: dict[str, Any], depth: int) -> dict[str, Any]:
    """Return a serialised layer or model."""
    if depth > MAX_NESTING:
        raise ModelFileError(f"models are nested more than {MAX_NESTING} deep.")
    class_name, config = entry["class_name"], entry["config"]
    if class_name in _MODELS and _is_of_keras(entry):
        return _model(entry, depth)
    if not isinstance(config, dict):
        return entry
    if class_name == "Merge":
        class_name, config = _merge(config)
    class_name = CLASSES.get(class_name, class_name)
    config = _legacy.modern_config(class_name, config)
    for key in ("", class_name):
        for name in _DROPPED.get(key, ()):
            value = config.pop(name, None)
            _refuse_meaning(entry, name, value)
    _refuse_meaning(entry, "time_major", config.pop("time_major", None))
    config = {key: _value(key, value) for key, value in config.items()}
    if "name" in config:
        config["name"] = modern_name(config["name"])
    change = _CHANGES.get(class_name)
    if change is not None:
        change(config, entry["class_name"])
    for key in _INNER:
        if _is_entry(config.get(key)):
            config[key] = _layer(config[key], depth + 1)
    if isinstance(config.get("cells"), list):
        cells = config["cells"]
        config["cells"] = [_layer(cell, depth + 1) if _is_entry(cell) else cell for cell in cells]
    return {**entry, "class_name": class_name, "config": config}


def _is_of_keras(entry: dict[str, Any]) -> bool:
    module = entry.get("module") or "keras"
    return isinstance(module, str) and module.partition(".")[0] in ("keras", "tf_keras")


def _refuse_meaning(entry: dict[str, Any], name: str, value: Any) -> None:
    if name in _ONLY and value not in _ONLY[name]:
        raise ModelFileError(
            f"{shorten(entry['class_name'], 60)}: the option {name}={shorten(value, 60)} of old "
            "versions of Keras is not available here."
        )


def _merge(config: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the class and the config of a Merge of Keras 1; one with a function is a Lambda."""
    if "layers" in config:
        raise ModelFileError(
            "a Sequential of Keras 1 that begins with a Merge of models is not available here: "
            "build it as a functional model and load its weights."
        )
    made: dict[str, Any] = {k: config[k] for k in ("name", "trainable") if k in config}
    found = _legacy.merge_by_mode(
        config.get("mode"), config.get("concat_axis", -1), config.get("dot_axes", -1)
    )
    if found is not None:
        class_name, options = found
        return class_name, made | options
    for old, new in (("mode", "function"), ("output_mask", "mask")):
        made |= {new: config.get(old), f"{new}_type": config.get(f"{old}_type")}
    return "Lambda", made | {"arguments": config.get("arguments")}


# --- models ---------------------------------------------------------------------------------------


def _model(entry: dict[str, Any], depth: int) -> dict[str, Any]:
    config = entry["config"]
    if isinstance(config, list):  # a Sequential before Keras 2.2.3
        config = {"layers": config}
    layers = config.get("layers")
    if not isinstance(layers, list):
        raise ModelFileError("a model's `layers` is not a list.")
    functional = entry["class_name"] != "Sequential"
    if not functional:
        layers = _with_input(layers)
    layers = [_layer(layer, depth + 1) if _is_entry(layer) else layer for layer in layers]
    config = {"name": None, **config, "layers": layers}
    config["name"] = modern_name(config["name"])
    if functional:
        config = modern_graph(config)
    elif config["name"] is None:
        config["name"] = "sequential"
    kept = {key: value for key, value in entry.items() if key not in ("registered_name", "module")}
    class_name = "Functional" if functional else "Sequential"
    return {**kept, "module": "keras", "class_name": class_name, "config": config}


def _with_input(layers: list[Any]) -> list[Any]:
    """Return the layers of a Sequential with the InputLayer that its first one stands for."""
    first: Any = layers[0] if layers else None
    if not _is_entry(first) or not isinstance(first["config"], dict):
        return layers
    config = first["config"]
    shape = config.get("batch_input_shape")
    if shape is None or first["class_name"] == "InputLayer":
        return layers
    name = f"{config.get('name')}_input"
    made = {"name": name, "batch_input_shape": shape, "dtype": config.get("input_dtype")}
    if made["dtype"] is None:
        made["dtype"] = config.get("dtype", "float32")
    return [{"class_name": "InputLayer", "config": made}, *layers]


# --- values ---------------------------------------------------------------------------------------


def _value(key: str, value: Any) -> Any:
    """Return the value of an option."""
    if key in ("activation", "recurrent_activation"):
        return _activation(value)
    if key.endswith(("_regularizer", "_constraint", "_initializer")):
        return _named(value)
    return value


def _activation(value: Any) -> Any:
    """Return an activation; what was hard_sigmoid before Keras 3 is another function there."""
    name = value
    if isinstance(value, dict) and isinstance(value.get("config"), str):
        name = value["config"]  # a function by name
    return "legacy_hard_sigmoid" if name == "hard_sigmoid" else value


def _named(value: Any) -> Any:
    """Return an initializer, regularizer or constraint."""
    if not isinstance(value, dict):
        return value
    if "class_name" not in value and isinstance(value.get("name"), str):  # Keras 1
        config = {key: item for key, item in value.items() if key != "name"}
        if "m" in config:
            config["max_value"] = config.pop("m")
        name = value["name"]
        return {"class_name": _REGULARIZERS.get(name, name), "config": config}
    inner = value.get("config")
    if isinstance(inner, dict) and "dtype" in inner:  # of TensorFlow 1
        return {**value, "config": {key: item for key, item in inner.items() if key != "dtype"}}
    return value


# --- single classes -------------------------------------------------------------------------------


def _input_layer(config: dict[str, Any], class_name: str) -> None:
    if "batch_shape" not in config and "shape" not in config:
        raise ModelFileError(f"{class_name} without a shape.")


def _lstm(config: dict[str, Any], class_name: str) -> None:
    forget = config.pop("forget_bias_init", None)
    if forget is not None:
        config["unit_forget_bias"] = forget in ("one", "ones")
    if class_name.startswith("CuDNN"):
        config["recurrent_activation"] = "sigmoid"


def _gru(config: dict[str, Any], class_name: str) -> None:
    if class_name.startswith("CuDNN"):
        config["recurrent_activation"] = "sigmoid"
        config["reset_after"] = True
    config.setdefault("reset_after", False)  # there was no other before it had a name


def _lambda(config: dict[str, Any], class_name: str) -> None:
    """Code is marked as such; where it came from is of no use."""
    for key in ("function", "output_shape", "mask"):
        if config.pop(f"{key}_type", None) == "lambda":
            config[key] = {"class_name": "__lambda__", "config": {"value": None}}
    for key in ("module", "output_shape_module"):
        config.pop(key, None)


def _zero_padding(config: dict[str, Any], class_name: str) -> None:
    """Keras 1 also took the four sides of an image in a row, and sides by name."""
    padding = config.get("padding")
    if isinstance(padding, dict):
        padding = [padding.get(f"{side}_pad", 0) for side in _SIDES[class_name]]
    if isinstance(padding, list) and len(padding) == 4:
        padding = [padding[:2], padding[2:]]
    config["padding"] = padding


def _batch_normalization(config: dict[str, Any], class_name: str) -> None:
    axis = config.get("axis")
    if isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]


_CHANGES: dict[str, Callable[[dict[str, Any], str], None]] = {
    "InputLayer": _input_layer,
    "LSTM": _lstm,
    "GRU": _gru,
    "GRUCell": _gru,
    "BatchNormalization": _batch_normalization,
    "Lambda": _lambda,
    "ZeroPadding1D": _zero_padding,
    "ZeroPadding2D": _zero_padding,
}
_SIDES = {"ZeroPadding1D": ("left", "right"), "ZeroPadding2D": ("top", "bottom", "left", "right")}
