"""Functional models that are plain chains, read as Sequential models."""

from __future__ import annotations

from typing import Any

from .errors import shorten

_NAMES = ("Functional", "Model")


def is_functional(entry: dict[str, Any]) -> bool:
    """Whether a serialised layer is a functional model of Keras."""
    return (
        entry["class_name"] in _NAMES
        and str(entry.get("module", "keras")).startswith("keras")
        and "input_layers" in entry["config"]
    )


def as_sequential(entry: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Rewrite a functional model as a Sequential with the same layers in the same order.

    Returns:
        The Sequential's entry, and what stands against it: empty when each layer is called once,
        on the output of the one before, from the only input to the only output.
    """
    config = entry["config"]
    name = shorten(config.get("name"), 80)
    problems, layers, last = [], [], None
    for inner in config["layers"] if isinstance(config.get("layers"), list) else ():
        if not isinstance(inner, dict):
            problems.append(f"model {name}: {shorten(inner, 60)} is not a layer")
            continue
        source = _source(inner)
        label = inner.get("name")
        if source != last:
            problems.append(
                f"model {name}: layer {shorten(label, 80)} does not simply follow the layer before "
                "it; only functional models without branches are loaded"
            )
        last = label
        layers.append({key: value for key, value in inner.items() if key != "inbound_nodes"})
    if _ends(config.get("output_layers")) != last:
        problems.append(f"model {name}: its output is not that of its last layer")
    sequential = {
        "module": "keras",
        "class_name": "Sequential",
        "file_class": entry["class_name"],
        "config": {
            "name": config.get("name"),
            "trainable": config.get("trainable", True),
            "layers": layers,
        },
    }
    return sequential, problems


def _source(layer: dict[str, Any]) -> Any:
    """Return the name of the one layer whose output this one takes, None for an input.

    Anything else (several calls, several arguments, a mask) gives a value equal to no name.
    """
    nodes: Any = layer.get("inbound_nodes")
    if nodes == []:
        return None
    try:
        (node,) = nodes
        (tensor,) = node["args"]
        options = {key: value for key, value in node.get("kwargs", {}).items() if key != "training"}
        history = tensor["config"]["keras_history"]
        plain = tensor["class_name"] == "__keras_tensor__" and history[2] == 0
        if plain and not any(value is not None for value in options.values()):
            return history[0]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        pass
    return object()


def _ends(outputs: Any) -> Any:
    """Return the name of the only output layer: ["out", 0, 0] or [["out", 0, 0]]."""
    if isinstance(outputs, list) and len(outputs) == 1:
        (outputs,) = outputs
    return outputs[0] if isinstance(outputs, list) and outputs else None
