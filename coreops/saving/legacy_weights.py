"""Weights in the order of Keras' legacy HDF5 files: a list for each layer of the model, by name.

A list has a layer's trainable weights first, then the others, each through all that is inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from . import registry
from .errors import ModelFileError, shorten
from .hdf5 import Stored, Tree
from .legacy_graph import modern_name
from .legacy_layouts import converted
from .weights import Pool, adopt

_OPTIMIZER = "optimizer_weights"


class NameLists:
    """The weights of a legacy file.

    Args:
        lists: name of each layer, in the order of the model, to its weights in their order.
        top: the model's own weights.
        optimizer: the state of its optimizer; None if it is in another order than Keras 3's.
        origin: major version of Keras and backend that wrote weights of which only the model that
            they are for tells the layout; None where they have that of Keras 3.
    """

    def __init__(
        self,
        lists: list[tuple[str, list[Stored]]],
        top: list[Stored],
        optimizer: list[Stored] | None,
        origin: tuple[int, str] | None = None,
    ) -> None:
        self.lists = lists
        self._origin = origin
        self.top = top
        self.optimizer = optimizer
        everything = [stored for _, own in lists for stored in own]
        self._pool = Pool(stored.shape for stored in [*everything, *top])

    def pool(self, path: str) -> Pool:
        """Return what the layers may create: all of them together, what there is."""
        return self._pool

    def fill(
        self, model: Any, what: str, *, skip_mismatch: bool = False, by_name: bool = False
    ) -> None:
        """Put the weights into a built model; nothing is changed unless everything fits.

        Args:
            model: the model.
            what: names the source in messages.
            skip_mismatch: leave out, with a warning, the layers whose weights do not fit.
            by_name: match layers by name; those that only one side has are left alone. Otherwise
                the first layer with weights takes the first weights, and so on.

        Raises:
            ModelFileError: one message with every layer whose weights do not fit.
        """
        fitting: list[tuple[Any, Stored]] = []
        problems = []
        for label, variables, stored in self._pairs(model, by_name):
            wanted, got = [tuple(v.shape) for v in variables], [s.shape for s in stored]
            if wanted == got:
                fitting += zip(variables, stored, strict=True)
            else:
                problems.append(f"{label} has variables {wanted}, the file {got}")
        adopt(fitting, problems, what, skip_mismatch)

    def _pairs(self, model: Any, by_name: bool) -> Iterator[tuple[str, list[Any], list[Stored]]]:
        """Yield what a layer is called, its variables, and what is stored for them."""
        layers = [(layer, _in_order(layer)) for layer in model.layers]
        if by_name:
            own = {layer.name: (layer, variables) for layer, variables in layers}
            for name, stored in self.lists:
                name = modern_name(name)
                if stored and name in own:
                    layer, variables = own[name]
                    yield f"layer {name!r}", variables, self._converted(layer, stored)
            return
        weighted = [(layer, variables) for layer, variables in layers if variables]
        lists = [(name, stored) for name, stored in self.lists if stored]
        if len(weighted) != len(lists):
            unbuilt = [layer.name for layer, _ in layers if not layer.built]
            hint = f" Layers {unbuilt} are not built." if unbuilt else ""
            raise ModelFileError(
                f"the file has weights for {len(lists)} layers, the model has {len(weighted)} "
                f"layers with weights.{hint}"
            )
        for (layer, variables), (_, stored) in zip(weighted, lists, strict=True):
            yield f"layer {layer.name!r}", variables, self._converted(layer, stored)
        if self.top or model._own_variables:
            yield f"model {model.name!r}", model._own_variables, self.top

    def _converted(self, layer: Any, stored: list[Stored]) -> list[Stored]:
        if self._origin is None or registry.keras_module(type(layer)) is None:
            return stored
        entry = {"class_name": type(layer).__name__, "config": layer.get_config()}
        return converted(entry, stored, *self._origin)


def _in_order(layer: Any) -> list[Any]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def read_lists(
    tree: Tree, root: str, version: int, backend: str, layers: dict[str, dict[str, Any]] | None
) -> NameLists:
    """Return the weights below a group of a legacy file.

    Args:
        tree: the file.
        root: path of the group, "" for the whole file.
        version: the major version of Keras that wrote it.
        backend: the library that it computed with, "" where the file does not say.
        layers: name of a layer to its entry in the file's own config, by which its weights are
            brought into the layout of Keras 3; None if there is no config.

    Raises:
        ModelFileError: no list of names, or one with a name that is not there.
    """
    names = tree.attributes.texts(tree.groups[root], "layer_names")
    if names is None:
        raise ModelFileError("there is no list of layers: not a file of Keras.")
    lists = []
    for name in dict.fromkeys(names):
        stored = _list(tree, f"{root}/{name}".lstrip("/"))
        if layers is not None and name in layers:
            stored = converted(layers[name], stored, version, backend)
        lists.append((name, stored))
    top = f"{root}/top_level_model_weights".lstrip("/")
    return NameLists(
        lists,
        _list(tree, top) if top in tree.groups else [],
        _optimizer(tree) if _OPTIMIZER in tree.groups else [],
        (version, backend) if layers is None else None,
    )


def _optimizer(tree: Tree) -> list[Stored] | None:
    """Return the state of the optimizer, unless its class is of before Keras 2.11."""
    stored = _list(tree, _OPTIMIZER)
    return stored if not stored or "iteration" in _names(tree, _OPTIMIZER)[0] else None


def _list(tree: Tree, group: str) -> list[Stored]:
    """Return the datasets of a group in the order of its list of names."""
    stored = []
    for name in _names(tree, group):
        path = f"{group}/{name}"
        if path not in tree.datasets:
            raise ModelFileError(f"there is no weight {shorten(path)}.")
        stored.append(tree.datasets[path])
    return stored


def _names(tree: Tree, group: str) -> list[str]:
    if group not in tree.groups:
        raise ModelFileError(f"there is no group {shorten(group)}.")
    return tree.attributes.texts(tree.groups[group], "weight_names") or []
