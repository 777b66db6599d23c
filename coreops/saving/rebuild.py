"""From a serialised model and its stored variables to a live model.

Both are untrusted. `draft` makes every layer, unbuilt; `rebuild` assembles and builds them, and
each weight has to find its shape among the stored variables before it is allocated; `weights.fill`
copies the values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from .._symbolic import KerasTensor, as_shape
from .._variables import Blank
from ..models import Functional, Model
from ..models.graph_config import connect, options_of
from . import registry
from .draft import Draft, Drafter
from .errors import ModelFileError, shorten_text
from .legacy_weights import NameLists
from .paths import refuse_assets, walk
from .weights import Groups, Pool

MAX_SAMPLE_VALUES = 1 << 28
MAX_TRIED_VALUES = 1 << 22  # of a sample on which a model with a Python `call` is tried


def rebuild(
    entry: Any, groups: Groups | NameLists, custom_objects: Mapping[str, Any], what: str
) -> Any:
    """Return the model that `entry` describes, with the variables of `groups`.

    Args:
        entry: {"class_name", "config", ...} of the model.
        groups: its stored variables.
        custom_objects: name -> class or function.
        what: names the source in messages.

    Raises:
        ModelFileError: unsupported parts (all of them in one message), a config that describes no
            valid model, weights that do not fit it.
    """
    drafter = Drafter(custom_objects)
    try:
        draft = drafter.model(entry)
        with _lent(drafter.paths, groups), registry.CustomObjectScope(drafter.custom):
            model = _assemble(draft) if isinstance(draft, Draft) else _build(draft, entry)
            refuse_assets(model)
    except ModelFileError as error:
        raise ModelFileError(f"{what}: {error}") from error.__cause__
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError,
            NotImplementedError) as error:  # fmt: skip
        raise ModelFileError(f"{what}: no valid model: {shorten_text(error)}") from error
    groups.fill(model, what)
    return model


def _assemble(draft: Draft) -> Model:
    """Return the model of a draft; adding layers after an Input, or calling them, builds them."""
    parts = [_assemble(part) if isinstance(part, Draft) else part for part in draft.parts]
    name = draft.config.get("name")
    if draft.described is not None:
        layers = dict(zip(draft.names, parts, strict=True))
        options = options_of(draft.config) if draft.cls is not Functional else {}
        graph: Any = connect(draft.cls, draft.described, layers, name, _check_outputs, **options)
        graph._mask_policy = "warn"  # as where it comes from
        if draft.config.get("trainable", True) is False:
            graph._trainable = False
        return graph
    model = draft.cls(name=name)
    model._mask_policy = "warn"
    for part in parts:
        model.add(part)
        _check_size(part, getattr(part, "batch_shape", None) or getattr(model, "output_shape", ()))
    if draft.build_shape is not None and not model.built and parts:
        model.build(tuple(draft.build_shape))
    if draft.config.get("trainable", True) is False:
        model.trainable = False
    return model


def _check_outputs(layer: Any, outputs: list[KerasTensor]) -> None:
    for output in outputs:
        _check_size(layer, output.shape)


def _build(model: Model, entry: dict[str, Any]) -> Model:
    """Build a model of the caller's class, by trying it on small arrays, if its file says how."""
    model._mask_policy = "warn"
    build_config = entry.get("build_config")
    shape = build_config.get("input_shape") if isinstance(build_config, dict) else None
    if shape is None:
        return model
    shape = as_shape(shape)
    if math.prod(size for size in shape[1:] if size is not None) > MAX_TRIED_VALUES:
        raise ModelFileError(f"an input of shape {shape} is too large to try the model on.")
    model.build_from_config({"input_shape": shape})
    if model._python_call:
        try:
            model.compute_output_shape((None, *shape[1:]))
        except NotImplementedError as error:
            raise ModelFileError(shorten_text(error)) from error
    return model


def _check_size(part: Any, shape: Any) -> None:
    """Refuse a layer whose output for one sample is beyond reason; no weight stands for it."""
    if math.prod(size for size in shape[1:] if size is not None) > MAX_SAMPLE_VALUES:
        raise ModelFileError(
            f"layer {part.name!r} would give {shape[1:]} for each sample, more than "
            f"{MAX_SAMPLE_VALUES:,} values."
        )


@contextmanager
def _lent(paths: list[tuple[str, Any]], groups: Groups | NameLists) -> Iterator[None]:
    """While a model is built, let its layers create only weights that are stored for them.

    So a config can ask for no more memory than the file has values, and no initializer runs.
    """
    lent = []
    try:
        for root, top in paths:
            for path, layer in walk(top, root):
                layer.__dict__["add_weight"] = _weight_maker(layer, groups.pool(path))
                lent.append(layer)
        yield
    finally:
        for layer in lent:
            layer.__dict__.pop("add_weight", None)


def _weight_maker(layer: Any, pool: Pool) -> Any:
    def add_weight(shape: Any = None, initializer: Any = None, *args: Any, **options: Any) -> Any:
        wanted = () if shape is None else tuple(shape)
        if not pool.take(wanted):
            raise ModelFileError(
                f"layer {layer.name!r} ({type(layer).__name__}) needs a weight of shape {wanted}; "
                f"the shapes stored for it that are left are {pool}."
            )
        return type(layer).add_weight(layer, shape, _blank, *args, **options)

    return add_weight


def _blank(shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
    """One zero, as large as it is asked to be: the values come from the file."""
    return np.broadcast_to(np.zeros((), dtype), shape).view(Blank)
