"""Legacy HDF5 files of Keras 1, 2 and 3: whole models, and weights by the names of layers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from .archive import MAX_CONFIG_BYTES, parse_json
from .errors import ModelFileError, shorten
from .hdf5 import Tree, damage, open_tree
from .legacy_config import modern_model
from .legacy_training import modern_compile
from .legacy_weights import NameLists, read_lists

_WEIGHTS = "model_weights"
_OPERATIONS = ("NotEqual", "Any", "ExpandDims", "Squeeze", "LogicalOr", "BroadcastTo", "Where")


class LegacyFile(NamedTuple):
    """What a legacy file holds. entry: the model in Keras 3's form, None where there are but
    weights."""

    entry: dict[str, Any] | None
    weights: NameLists


@contextmanager
def open_legacy(data: bytes, what: str, *, weights_only: bool = False) -> Iterator[LegacyFile]:
    """Open a legacy file held in memory; its weights can be read inside the `with` block.

    Args:
        data: the whole file.
        what: names the source in messages.
        weights_only: leave its config alone.

    Raises:
        ImportError: h5py is missing.
        ModelFileError: not HDF5, damaged, or with anything that Keras does not write.
    """
    with open_tree(data, what) as tree:
        with damage(what):
            file = _read(tree, weights_only)
        yield file


def _read(tree: Tree, weights_only: bool) -> LegacyFile:
    whole = _WEIGHTS in tree.groups
    head = tree.groups[""]
    keras_version = tree.attributes.text(head, "keras_version") or "1"
    version = major_version(keras_version)
    backend = tree.attributes.text(head, "backend") or ""
    raw = _json(tree, "model_config")
    if raw is None and not weights_only:
        raise ModelFileError(
            "there is no model in this file: build the model and call `model.load_weights(path)`."
        )
    entry, layers = None, None if raw is None else _by_name(raw)
    if raw is not None and not weights_only:
        training = _json(tree, "training_config")
        entry = _with_operations(raw) if version >= 3 else modern_model(raw)
        entry = {**entry, "compile_config": modern_compile(training)}
    lists = read_lists(tree, _WEIGHTS if whole else "", version, backend, layers)
    return LegacyFile(entry, lists)


def _with_operations(entry: Any) -> Any:
    """Return a model of Keras 3, whose layers are without modules in this format, with those of the
    operations that stand among them and make masks."""
    if not isinstance(entry, dict):
        return entry
    if entry.get("class_name") in _OPERATIONS and "module" not in entry:
        return {**entry, "module": "keras.src.ops.numpy"}
    config = entry.get("config")
    if isinstance(config, dict) and isinstance(config.get("layers"), list):
        layers = [_with_operations(layer) for layer in config["layers"]]
        return {**entry, "config": {**config, "layers": layers}}
    return entry


def major_version(text: str) -> int:
    """Return the first number of a version.

    Raises:
        ModelFileError: it is none, or that of a Keras which is not yet known.
    """
    number = text.partition(".")[0]
    if number not in ("1", "2", "3"):
        raise ModelFileError(f"it was written by Keras {shorten(text, 60)}, which is not known.")
    return int(number)


def _json(tree: Tree, name: str) -> dict[str, Any] | None:
    """Return an attribute of the whole file, a text of JSON."""
    text = tree.attributes.text(tree.groups[""], name)
    if text is None:
        return None
    data = text.encode()
    if len(data) > MAX_CONFIG_BYTES:
        raise ModelFileError(f"{name} has {len(data):,} bytes, more than {MAX_CONFIG_BYTES:,}.")
    return parse_json(data, name)


def _by_name(entry: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the layers of a model, as the file has them, by their names."""
    config = entry.get("config")
    layers = config.get("layers") if isinstance(config, dict) else config
    found = {}
    for layer in layers if isinstance(layers, list) else ():
        inner = layer.get("config") if isinstance(layer, dict) else None
        name = layer.get("name") if isinstance(layer, dict) else None
        name = inner.get("name") if name is None and isinstance(inner, dict) else name
        if isinstance(name, str):
            found[name] = layer
    return found
