"""What a file says about training: how the model was compiled, and its optimizer's state."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import registry
from .draft import holds_model, plain
from .errors import shorten_text
from .weights import Groups

# Options of metrics that say how much memory these take.
_SIZES = {"num_thresholds": 100_000, "num_classes": 10_000}


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
        _check_sizes(config)
        if holds_model(config, custom_objects):
            raise ValueError("a model takes part in the training of another.")
        with registry.CustomObjectScope(custom_objects):
            model.compile_from_config(config)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
        warnings.warn(
            f"{what}: the model is not compiled, since its file asks for what is not known here: "
            f"{shorten_text(error).rstrip('.')}. Load it with custom_objects={{name: object}}, or "
            "call `model.compile(...)`.",
            stacklevel=3,
        )


def restore_optimizer(model: Any, groups: Groups, what: str) -> None:
    """Give the optimizer of a compiled model the state that a file has, if it has one.

    A state that does not fit is left out with a warning.
    """
    optimizer = getattr(model, "optimizer", None)
    stored = groups.get("optimizer")
    if optimizer is None or not stored:
        return
    if not optimizer.built:
        optimizer.build(model.trainable_variables)
    wanted = [(tuple(v.shape), _is_integer(v.dtype)) for v in optimizer.variables]
    if len(stored) < len(wanted) and not any(s.shape for s in stored):
        return  # it had not made a step, nor therefore what a step needs
    if wanted != [(s.shape, _is_integer(s.dtype)) for s in stored]:
        warnings.warn(
            f"{what}: the state of the optimizer does not fit '{optimizer.name}' and is left out: "
            f"expected {[shape for shape, _ in wanted]}, found {[s.shape for s in stored]}.",
            stacklevel=3,
        )
        return
    optimizer.load_own_variables({str(i): variable.read() for i, variable in enumerate(stored)})


def _is_integer(dtype: Any) -> bool:
    return np.dtype(dtype).kind in "iu"


def _check_sizes(config: Any) -> None:
    """Refuse a metric that would take memory out of proportion to its file."""
    if isinstance(config, list):
        for item in config:
            _check_sizes(item)
    elif isinstance(config, dict):
        for key, value in config.items():
            if key in _SIZES and isinstance(value, (int, float)) and value > _SIZES[key]:
                raise ValueError(f"{key}={value} is more than {_SIZES[key]:,}.")
            _check_sizes(value)
