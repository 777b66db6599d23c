"""What a file says about training: how the model was compiled, and its optimizer's state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._warnings import warn
from . import registry
from .entries import holds_model, plain
from .errors import shorten_text
from .hdf5 import Stored
from .legacy_weights import NameLists
from .weights import Groups

MAX_METRIC_VALUES = 1 << 22  # that the metrics of a file may keep, all together


def compile_as_saved(
    model: Any, entry: dict[str, Any], custom_objects: Mapping[str, Any], what: str
) -> None:
    """Compile a model as its file says; leave it as it is, with a warning, where that cannot be.

    Args:
        model: the model.
        entry: its serialised form, from an untrusted file.
        custom_objects: name -> class or function of what is not ours.
        what: names the source in messages.
    """
    config = entry.get("compile_config")
    if not config:
        return
    try:
        config = plain(config)
        if _metric_values(config) > MAX_METRIC_VALUES:
            raise ValueError(f"its metrics keep more than {MAX_METRIC_VALUES:,} values.")
        if holds_model(config, custom_objects):
            raise ValueError("a model takes part in the training of another.")
        with registry.CustomObjectScope(custom_objects):
            model.compile_from_config(config)
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
    ) as error:
        warn(
            f"{what}: the model is not compiled, since its file asks for what is not known here: "
            f"{shorten_text(error).rstrip('.')}. Load it with custom_objects={{name: object}}, or "
            "call `model.compile(...)`."
        )


def restore_optimizer(model: Any, groups: Groups | NameLists, what: str) -> None:
    """Give the optimizer of a compiled model the state that a file has, if it has one.

    A state that does not fit is left out with a warning. So is, as in Keras, any state while the
    optimizer is not built: who compiles anew and loads weights keeps the new learning rate.
    """
    optimizer = getattr(model, "optimizer", None)
    stored = groups.optimizer
    if optimizer is None or stored == []:
        return
    if stored is None:
        warn(f"{what}: the state of the optimizer is left out; its order is of before Keras 2.11.")
        return
    fault = None
    if len(stored) + 1 == len(optimizer.variables):  # Keras 2 kept no learning rate
        rate = optimizer.variables[1]
        stored = [stored[0], Stored(rate.shape, np.dtype(rate.dtype), rate.numpy), *stored[1:]]
    wanted = [(tuple(v.shape), _is_integer(v.dtype)) for v in optimizer.variables]
    if not optimizer.built:
        fault = "is not built: call `model.optimizer.build(model.trainable_variables)` first"
    elif wanted != [(s.shape, _is_integer(s.dtype)) for s in stored]:
        shapes = [shape for shape, _ in wanted]
        fault = f"expects variables {shapes}, the file has {[s.shape for s in stored]}"
    if fault and not _made_a_step(stored):
        return
    if fault:
        warn(f"{what}: the state of the optimizer is left out; '{optimizer.name}' {fault}.")
        return
    optimizer.load_own_variables({str(i): variable.read() for i, variable in enumerate(stored)})


def _made_a_step(stored: list[Stored]) -> bool:
    """Whether the optimizer that a file keeps had begun: the first variable counts its steps."""
    first = stored[0]
    counts = first.shape == () and _is_integer(first.dtype)
    return not counts or bool(first.read() != 0)


def _is_integer(dtype: Any) -> bool:
    return np.dtype(dtype).kind in "iu"


def _metric_values(config: Any) -> float:
    """Return about how many values the metrics in a config keep, by their options of size."""
    if isinstance(config, list):
        return sum(map(_metric_values, config))
    if not isinstance(config, dict):
        return 0
    thresholds, labels, classes = (
        max(value, 1) if isinstance(value := config.get(f"num_{what}"), (int, float)) else 0
        for what in ("thresholds", "labels", "classes")
    )
    own = max(thresholds, 1) * max(labels, 1) + classes * classes
    return own + sum(map(_metric_values, config.values()))
