"""The graph of a functional model of Keras 1 and 2, translated into that of Keras 3.

There a call of a layer is a list of [layer, call, output, options], one for each tensor that goes
in; here it is {"args", "kwargs"} with tensors in them, as in the call itself. `names` are those of
the layers, each with whether it is a model.
"""

from __future__ import annotations

from typing import Any

from .errors import ModelFileError, shorten

_CONSTANT = "_CONSTANT_VALUE"
# Given a list, these take its first tensor, and the rest as their state.
_TAKE_STATES = ("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional")
_TAKE_LISTS = ("Add", "Average", "Concatenate", "Maximum", "Minimum", "Multiply")


def modern_name(name: Any) -> Any:
    """Return a layer's name: Keras 3 has none with a slash, as in "conv1/bn"."""
    return name.replace("/", "_") if isinstance(name, str) else name


def modern_graph(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config of a functional model, whose layers have been translated.

    Raises:
        ModelFileError: a call that cannot be read.
    """
    layers = config["layers"]
    names = {
        modern_name(layer.get("name")): isinstance(layer.get("config"), dict)
        and "layers" in layer["config"]
        for layer in layers
        if isinstance(layer, dict)
    }
    made = []
    for layer in layers:
        if isinstance(layer, dict):
            layer = {**layer, "name": modern_name(layer.get("name"))}
        nodes = layer.get("inbound_nodes") if isinstance(layer, dict) else None
        if isinstance(nodes, list):
            class_name = layer.get("class_name")
            calls = [_call(node, class_name, names) for node in nodes]
            layer = {**layer, "inbound_nodes": calls}
        made.append(layer)
    ends = {key: _ends(config.get(key)) for key in ("input_layers", "output_layers")}
    return {**config, **ends, "layers": made}


def _ends(value: Any) -> Any:
    """Return references to the inputs or outputs of a model."""
    if _is_reference(value):
        return [modern_name(value[0]), *value[1:]]
    if isinstance(value, list):
        return [_ends(item) for item in value]
    if isinstance(value, dict):
        return {key: _ends(item) for key, item in value.items()}
    return value


def _call(node: Any, class_name: Any, names: dict[Any, bool]) -> dict[str, Any]:
    """Return one call of a layer."""
    if isinstance(node, dict) and "args" in node:
        return node
    options: dict[str, Any] = {}
    if _is_reference(node):
        node = [node]
    first = _structure(node, names, options)
    state = None
    if isinstance(first, list):
        if class_name in _TAKE_STATES and len(first) > 1:
            first, *state = first
        elif len(first) == 1 and class_name not in _TAKE_LISTS:
            first = first[0]
    options = {key: _option(value, names) for key, value in options.items()}
    if state is not None:
        options["initial_state"] = state
    return {"args": [first], "kwargs": options}


def _is_reference(value: Any) -> bool:
    """Whether a value is [layer, call, output] or [layer, call, output, options]."""
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and isinstance(value[1], int)
    )


def _structure(value: Any, names: dict[Any, bool], options: dict[str, Any]) -> Any:
    """Return the first argument of a call, which may be nested; gather the others, which stand
    beside each of its tensors."""
    if isinstance(value, dict):
        return {key: _structure(item, names, options) for key, item in value.items()}
    if not _is_reference(value):
        if not isinstance(value, list):
            raise ModelFileError(f"not a call of a layer: {shorten(value, 60)}")
        return [_structure(item, names, options) for item in value]
    if len(value) == 4:
        if not isinstance(value[3], dict):
            raise ModelFileError(f"not the options of a call: {shorten(value[3], 60)}")
        options.update(value[3])
    if value[0] == _CONSTANT:
        return value[2]
    return _tensor(value, names)


def _option(value: Any, names: dict[Any, bool]) -> Any:
    """Return another argument of a call: tensors in it are known by the names of layers."""
    if _is_reference(value) and len(value) == 3 and modern_name(value[0]) in names:
        return _tensor(value, names)
    if isinstance(value, list):
        return [_option(item, names) for item in value]
    if isinstance(value, dict):
        return {key: _option(item, names) for key, item in value.items()}
    return value


def _tensor(reference: list[Any], names: dict[Any, bool]) -> dict[str, Any]:
    """Return an output of a layer; a model's calls are counted from 1, but not in Keras 3."""
    name, call, output = modern_name(reference[0]), reference[1], reference[2]
    history = [name, call - 1 if names.get(name) and call > 0 else call, output]
    return {"class_name": "__keras_tensor__", "config": {"keras_history": history}}
