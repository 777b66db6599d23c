"""Where a file keeps the variables of each layer: Keras' names for the objects inside a model.

The path of a layer is made of the attributes that lead to it, and of its class and its number
where a container holds it: "layers/sequential/layers/dense_1". Layer names play no part.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .._names import to_snake_case
from ..layers import Layer
from ..models import Functional, Model, Sequential

_OWN = {"_input_layer", "_layers", "_symbolic"}  # how a model holds what `layers` gives


class ClassCounter:
    """Class names in snake case: "dense", "dense_1", ... for each next object of a class."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def next(self, class_name: str) -> str:
        """Return the name for the next object of this class."""
        base = to_snake_case(class_name)
        count = self._counts.get(base, 0)
        self._counts[base] = count + 1
        return f"{base}_{count}" if count else base


def walk(layer: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (path, layer) for a layer and every layer below it, each at its first path only.

    Args:
        layer: where to begin.
        path: its own path.
    """
    return _Walk().layer(layer, path)


def within(objects: Iterable[Any] | None) -> set[int]:
    """Return the `id` of some layers, of what is in them, and of other objects."""
    found: set[int] = set()
    for item in objects or ():
        found |= {id(x) for x in (item._flatten_layers() if isinstance(item, Layer) else [item])}
    return found


def stored_arrays(layer: Any) -> dict[str, np.ndarray]:
    """Return what a file keeps of a layer, by name.

    Raises:
        ValueError: its `save_own_variables` stores something else than arrays of numbers, or under
            something else than a name.
    """
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    arrays = {name: np.asarray(value) for name, value in store.items()}
    for name, array in arrays.items():
        if not isinstance(name, str) or "/" in name or array.dtype.kind not in "biuf":
            raise ValueError(
                f"Layer '{layer.name}': save_own_variables() may store arrays of numbers under "
                f"names without '/'. Received: {name!r}: {store[name]!r}"
            )
    return arrays


def refuse_assets(model: Any) -> None:
    """Raise NotImplementedError where a layer keeps files of its own beside the weights, which
    would be lost without a word."""
    for layer in model._flatten_layers():
        for hook in ("save_assets", "load_assets"):
            if hasattr(layer, hook):
                raise NotImplementedError(
                    f"layer {layer.name!r}: `{type(layer).__name__}.{hook}` is not called: model "
                    "files hold no other files here. What belongs to the layer goes into its "
                    "`get_config`, or as arrays into `save_own_variables`."
                )


def loads_itself(layer: Any) -> bool:
    """Whether a layer has a `load_own_variables` of its class's own."""
    return type(layer).load_own_variables is not Layer.load_own_variables


class _Walk:
    def __init__(self) -> None:
        self.seen: set[int] = set()

    def layer(self, layer: Any, path: str) -> Iterator[tuple[str, Any]]:
        if id(layer) in self.seen:
            return
        self.seen.add(id(layer))
        yield path, layer
        prefix = f"{path}/" if path else ""
        for attribute, value in _held(layer):
            if isinstance(value, Layer):
                yield from self.layer(value, f"{prefix}{attribute}")
            else:
                yield from self.container(value, f"{prefix}{attribute}")

    def container(self, container: Any, path: str) -> Iterator[tuple[str, Any]]:
        """Walk over a list, tuple or dict; its parts are numbered per class, containers too."""
        if id(container) in self.seen:  # it holds itself
            return
        self.seen.add(id(container))
        counter = ClassCounter()
        for part in container.values() if isinstance(container, dict) else container:
            if isinstance(part, Layer):
                yield from self.layer(part, f"{path}/{counter.next(type(part).__name__)}")
            elif isinstance(part, (list, tuple, dict)):
                yield from self.container(part, f"{path}/{counter.next('container')}")


def _held(layer: Any) -> list[tuple[str, Any]]:
    """Return attribute and value of all that may hold layers, in the order of Keras' files."""
    held = {name: value for name, value in layer._holders.items() if name not in _OWN}
    if isinstance(layer, Model):
        held["layers"] = layer.layers
    first = "layers" if isinstance(layer, (Functional, Sequential)) else None
    return sorted(held.items(), key=lambda item: (item[0] != first, _rank(item[0])))


def _rank(attribute: str) -> str:
    return f"~{attribute}" if attribute.startswith("_") else attribute
