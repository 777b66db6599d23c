"""State trees: all that training changes in a model, as nested dicts by the paths of variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .._variables import Variable

_FORMATS = ("backend_tensor", "numpy_array")


def get_state_tree(model: Any, value_format: str) -> dict[str, dict[str, Any]]:
    """Return copies of a model's variables, by their kinds and the parts of their paths.

    Raises:
        ValueError: an unknown `value_format`, or two variables of one path.
    """
    if value_format not in _FORMATS:
        raise ValueError(
            f"Expected `value_format` to be one of {list(_FORMATS)}. Received: {value_format!r}"
        )
    tree: dict[str, dict[str, Any]] = {}
    for kind, variables in _kinds(model).items():
        tree[kind] = {}
        for path, variable in variables.items():
            *parts, name = path.split("/")
            inner = tree[kind]
            for part in parts:
                inner = inner.setdefault(part, {})
            inner[name] = np.array(variable.numpy())
    return tree


def set_state_tree(model: Any, tree: Mapping[str, Any]) -> None:
    """Give a model's variables the values of a tree; those that it does not name stay as they are.
    Metrics are left out that the model does not have, or not before its first batch, and so is the
    running mean of the loss, which begins with each epoch.

    Raises:
        ValueError: a kind or a path that the model does not have, a value of another shape. Nothing
            is changed then.
    """
    optimizer = model.optimizer
    if optimizer is not None and tree.get("optimizer_variables"):
        optimizer.build(model.trainable_variables)
    kinds, changes = _kinds(model), []
    for kind, inner in tree.items():
        if kind not in kinds:
            raise ValueError(
                f"A state tree has the keys {list(kinds)}. Received: {kind!r} for model "
                f"'{model.name}'"
            )
        for path, value in _flat(inner):
            variable = kinds[kind].get(path)
            if variable is None and kind == "metrics_variables":
                continue
            if variable is None or variable.shape != np.shape(value):
                expected = "none" if variable is None else f"one of shape {variable.shape}"
                raise ValueError(
                    f"Model '{model.name}': expected {expected} as {path!r} of {kind}. "
                    f"Received a value of shape {np.shape(value)}"
                )
            changes.append((variable, value))
    for variable, value in changes:
        variable.assign(value)


def _kinds(model: Any) -> dict[str, dict[str, Variable]]:
    optimizer = model.optimizer
    metrics = [(f"{m.name}/{v.name}", v) for m in model.metrics for v in m.variables]
    return {
        "trainable_variables": _by_path((v.path, v) for v in model.trainable_variables),
        "non_trainable_variables": _by_path((v.path, v) for v in model.non_trainable_weights),
        "optimizer_variables": _by_path((v.path, v) for v in optimizer.variables)
        if optimizer is not None
        else {},
        "metrics_variables": _by_path(metrics),
    }


def _by_path(pairs: Iterable[tuple[str, Variable]]) -> dict[str, Variable]:
    found: dict[str, Variable] = {}
    for path, variable in pairs:
        if path in found:
            raise ValueError(
                f"Two variables have the path {path!r}: give layers names of their own."
            )
        found[path] = variable
    return found


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}/")
        else:
            yield f"{path}{name}", value
