"""Functional models as configurations, in Keras' form, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .._symbolic import KerasTensor, leaves, map_structure
from ..layers import InputLayer
from ..layers.signatures import takes_inputs_and_outputs
from .described import Described, Source, describe

if TYPE_CHECKING:
    from ..layers import Layer
    from .functional import Functional

_OWN_KEYS = ("name", "trainable", "dtype", "layers", "input_layers", "output_layers")


# --- to a configuration -------------------------------------------------------------------------


def config_of(model: Functional) -> dict[str, Any]:
    """Return the configuration of a functional model."""
    from ..saving.objects import serialize_keras_object

    own = {id(node) for node in model._topology.nodes}
    numbers: dict[int, int] = {}  # of calls among those of their layer in this model
    calls: dict[int, list[Any]] = {}
    for layer in model._layers:
        calls[id(layer)] = [node for node in layer._inbound_nodes if id(node) in own]
        numbers.update((id(node), number) for number, node in enumerate(calls[id(layer)]))

    def tensor(x: Any) -> Any:
        if not isinstance(x, KerasTensor):
            return serialize_keras_object(x)
        assert x.node is not None
        history = [x.node.layer.name, numbers[id(x.node)], x.index]
        inner = {"shape": list(x.shape), "dtype": x.dtype, "keras_history": history}
        return {"class_name": "__keras_tensor__", "config": inner}

    def end(x: Any) -> list[Any]:
        # Keras counts one call more of a functional model, which it was made by.
        first = hasattr(x.node.layer, "_inputs_struct")
        return [x.node.layer.name, numbers[id(x.node)] + first, x.index]

    entries = []
    for layer in model._layers:
        entry = serialize_keras_object(layer)
        entry["name"] = layer.name
        entry["inbound_nodes"] = [
            {"args": _listed(tensor, node.args), "kwargs": _listed(tensor, node.kwargs)}
            for node in calls[id(layer)]
            if node.inputs
        ]
        entries.append(entry)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": entries,
        "input_layers": map_structure(end, model._inputs_struct),
        "output_layers": map_structure(end, model._outputs_struct),
    }


def _listed(fn: Callable[[Any], Any], value: Any) -> Any:
    """fn of the leaves, with lists for tuples, as JSON has them; None stays."""
    if isinstance(value, dict):
        return {key: _listed(fn, item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_listed(fn, item) for item in value]
    return fn(value) if value is not None else None


def options_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the configuration of a class of the caller's holds besides the graph."""
    return {key: value for key, value in config.items() if key not in _OWN_KEYS}


# --- from a configuration -----------------------------------------------------------------------


def is_graph(cls: type | None, config: Mapping[str, Any]) -> bool:
    """Whether a configuration is that of a functional model, of which the class can be made."""
    there = {"layers", "input_layers", "output_layers"} <= config.keys()
    return there and cls is not None and takes_inputs_and_outputs(cls)


def connect(
    cls: type[Functional],
    described: Described,
    layers: Mapping[str, Layer],
    name: Any,
    check: Callable[[Layer, list[KerasTensor]], None] | None = None,
    **options: Any,
) -> Functional:
    """Call the layers as a configuration says, which builds them; return the model.

    Args:
        cls: class of the model.
        described: what the configuration says.
        layers: the layers by name.
        name: name of the model.
        check: called with each layer and what a call of it gave.
        **options: what a class of the caller's takes besides.

    Raises:
        ValueError: a call on what is not there; whatever the layers raise.
    """
    known: dict[tuple[str, int], list[KerasTensor]] = {
        (key, 0): leaves(layer.output)
        for key, layer in layers.items()
        if isinstance(layer, InputLayer)
    }

    def find(value: Any) -> Any:
        if not isinstance(value, Source):
            return value
        outputs = known.get((value.layer, value.node), [])
        if value.index >= len(outputs):
            raise ValueError(
                f"there is no output {value.index} of call {value.node} of layer {value.layer!r}"
            )
        return outputs[value.index]

    for key, number, args, kwargs in described.calls:
        layer = layers[key]
        args, kwargs = map_structure(find, (args, kwargs))
        made = layer(*args, **{key: x for key, x in kwargs.items() if x is not None})
        known[key, number] = leaves(made)
        if check is not None:
            check(layer, known[key, number])
    inputs, outputs = (map_structure(find, end) for end in (described.inputs, described.outputs))
    return cls(inputs=inputs, outputs=outputs, name=name, **options)


def from_config(
    cls: type[Functional], config: dict[str, Any], custom_objects: Mapping[str, Any] | None
) -> Functional:
    """Return a new model with a configuration that `config_of` gave, or Keras."""
    from ..layers import deserialize

    described = describe(config)
    layers = {
        entry.get("name", entry["config"].get("name")): deserialize(
            {key: entry[key] for key in entry.keys() - {"name", "inbound_nodes", "build_config"}},
            custom_objects,
        )
        for entry in config["layers"]
        if entry.get("name", entry["config"].get("name")) not in described.dropped
    }
    model = connect(cls, described, layers, config.get("name"), **options_of(config))
    if config.get("trainable") is False:
        model.trainable = False
    return model
