"""The legacy whole-model `.h5` file: one HDF5 file with the configuration in its attributes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import numpy as np

from .hdf5 import need_h5py
from .serialize import map_layers

_ATTRIBUTE_LIMIT = 64_512  # bytes; HDF5 keeps an attribute in a header of 64 KiB


def legacy_file(model: Any, config: dict[str, Any], keras_version: str) -> memoryview:
    """Return the whole file for a model.

    Args:
        model: the model, a Sequential.
        config: its serialised form; what was compiled is saved if it is in there.
        keras_version: the version that the file names.
    """
    optimizer = model.optimizer if config.get("compile_config") else None
    attributes = {
        "keras_version": keras_version,
        "backend": "numpy",
        "model_config": json.dumps(_legacy_entry(config)).encode(),
    }
    if optimizer is not None:
        attributes["training_config"] = json.dumps(_training_config(config)).encode()
    buffer = io.BytesIO()
    with need_h5py("Writing").File(buffer, "w") as file:
        for key, text in attributes.items():
            file.attrs[key] = text
        weights = file.create_group("model_weights")
        _set_names(weights, "layer_names", [layer.name for layer in model.layers])
        for key in ("backend", "keras_version"):
            weights.attrs[key] = attributes[key]
        for layer in sorted(model.layers, key=lambda layer: layer.name):
            variables = [*layer.trainable_weights, *layer.non_trainable_weights]
            _add_variables(weights.create_group(layer.name), variables)
        _add_variables(weights.create_group("top_level_model_weights"), model._own_variables)
        if optimizer is not None:
            _add_variables(file.create_group("optimizer_weights"), optimizer.variables)
    return buffer.getbuffer()


def _legacy_entry(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a serialised layer without modules: Keras 2's form."""
    config = map_layers(entry, _legacy_entry)["config"]
    node: dict[str, Any] = {
        key: entry[key] for key in ("name", "inbound_nodes") if key in entry
    }  # of a graph
    return {"class_name": entry["registered_name"] or entry["class_name"], "config": config, **node}


def _training_config(config: dict[str, Any]) -> dict[str, Any]:
    compiled = dict(config["compile_config"])
    optimizer = compiled.pop("optimizer")
    name = optimizer["registered_name"] or optimizer["class_name"]
    return {**compiled, "optimizer_config": {"class_name": name, "config": optimizer["config"]}}


def _add_variables(group: Any, variables: Iterable[Any]) -> None:
    """Write variables under their paths, which make groups, and the list of these."""
    variables = list(variables)
    _set_names(group, "weight_names", [variable.path for variable in variables])
    for variable in variables:
        group.create_dataset(variable.path, data=variable.value)


def _set_names(group: Any, key: str, names: list[str]) -> None:
    """Write a list of names as an attribute, or as several, numbered, when it is long."""
    encoded = [name.encode() for name in names]
    parts, pieces = [np.asarray(encoded)], 1
    while any(part.nbytes > _ATTRIBUTE_LIMIT for part in parts):
        pieces += 1
        parts = np.array_split(np.asarray(encoded), pieces)
    if pieces == 1:
        group.attrs[key] = encoded
        return
    for number, part in enumerate(parts):
        group.attrs[f"{key}{number}"] = part
