"""A serialised model as unbuilt layers: what the config of an untrusted file may ask for.

Making a layer allocates nothing and runs nothing of the file's. All that cannot be made - layers,
options, functions - is gathered, so that one message can name everything.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from ..layers import Layer, Operation
from ..models import Functional, Model, Sequential
from ..models.described import MAX_CALLS, Described, describe, is_operation
from ..models.graph_config import is_graph
from . import objects, registry
from .entries import (
    check_counts,
    function_name,
    holds_model,
    is_functional,
    is_read_like,
    is_sequential,
    layer_class,
    malformed,
    plain,
    reference_to,
    title_of,
    unavailable_mode,
)
from .errors import ModelFileError, shorten, shorten_text
from .paths import ClassCounter

# Every layer takes these; other keywords have to stand in the signature of its __init__.
_BASE_OPTIONS = {"name", "trainable", "dtype", "activity_regularizer"}
# Keys that some version of Keras 3 writes for what is not used: without effect when off.
_OFF: tuple[Any, ...] = (None, False, {}, [])
_LAMBDA_FUNCTIONS = ("function", "output_shape", "mask")


class Draft:
    """A model to be: its config and its parts, which are layers or further drafts. described: the
    graph of a functional model, whose parts then have names."""

    def __init__(self, entry: dict[str, Any], cls: Any, described: Described | None) -> None:
        self.cls = cls
        self.config: dict[str, Any] = entry["config"]
        self.build_shape = self.config.get("build_input_shape")
        self.described = described
        self.names: list[Any] = []
        self.parts: list[Any] = []

    def calls(self) -> int:
        """Return the number of calls that a call of the model is made of."""
        sizes = [part.calls() if isinstance(part, Draft) else 1 for part in self.parts]
        if self.described is None:
            return sum(sizes)
        size = dict(zip(self.names, sizes, strict=True))
        return sum(size.get(name, 1) for name, _, _, _ in self.described.calls)


class Drafter:
    """Makes the layers of one serialised model and gathers what cannot be made.

    Args:
        custom_objects: name -> class or function of what is not ours.
    """

    def __init__(self, custom_objects: Mapping[str, Any]) -> None:
        self.custom = dict(custom_objects)
        self.problems: list[str] = []
        self.paths: list[tuple[str, Any]] = []  # (path in the weights file, layer)

    def model(self, entry: Any) -> Any:
        """Return the draft of a whole model, or the caller's own model, unbuilt.

        Raises:
            ModelFileError: it is none of these, or one message that lists every layer and option
                that cannot be rebuilt.
        """
        check_counts(entry)
        draft = self.part(entry, "")
        if isinstance(draft, Draft) and not self.problems and draft.calls() > MAX_CALLS:
            raise ModelFileError(f"a call of the model is made of more than {MAX_CALLS:,} calls.")
        if not self.problems and not isinstance(draft, (Draft, Model)):
            self.problems.append(
                f"{title_of(entry)} is not a model that is loaded here: a Sequential, a functional "
                "model, or a class in custom_objects"
            )
        if self.problems:
            raise ModelFileError(
                "this model cannot be loaded here:\n  - " + "\n  - ".join(self.problems)
            )
        return draft

    def part(self, entry: Any, path: str) -> Any:
        """Return a layer or a draft, or None after noting why there is none."""
        fault = malformed(entry)
        if fault:
            self.problems.append(f"{shorten(entry, 80)}: {fault}")
            return None
        cls: Any = Sequential
        described = None
        if is_functional(entry):
            cls = Functional
        elif not is_sequential(entry):
            cls = layer_class(entry, self.custom)
            if not is_read_like(cls, Model if is_graph(cls, entry["config"]) else Sequential):
                return self.leaf(entry, path)
        layers = entry["config"].get("layers")
        if not isinstance(layers, list):
            self.problems.append(f"{title_of(entry)}: `layers` is not a list")
            return None
        if not issubclass(cls, Sequential):
            described = self.graph(entry, layers)
            if described is None:
                return None
        draft = Draft(entry, cls, described)
        counter = ClassCounter()
        prefix = f"{path}/layers" if path else "layers"
        for inner in layers:
            name = inner.get("class_name") if isinstance(inner, dict) else None
            name = name if isinstance(name, str) else "?"
            uncounted = name == "InputLayer"
            if described is not None:
                own_name = inner.get("name", inner["config"].get("name"))
                if own_name in described.dropped:
                    continue
                draft.names.append(own_name)
                name = "Functional" if is_functional(inner) else name
                uncounted = uncounted or is_operation(inner)
                inner = {key: inner[key] for key in inner.keys() - {"inbound_nodes", "name"}}
            inner_path = prefix if uncounted else f"{prefix}/{counter.next(name)}"
            draft.parts.append(self.part(inner, inner_path))
        return draft

    def graph(self, entry: dict[str, Any], layers: list[Any]) -> Described | None:
        """Return the graph of a functional model, or None after noting what is wrong with it."""
        faults = [f"{shorten(x, 80)}: {fault}" for x in layers if (fault := malformed(x))]
        self.problems += faults
        if faults:
            return None
        try:
            return describe(entry["config"])
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            self.problems.append(f"{title_of(entry)}: no graph: {shorten_text(error)}")
            return None

    def leaf(self, entry: dict[str, Any], path: str) -> Any:
        """Return one layer, or None after noting everything that is wrong with it."""
        title = title_of(entry)
        config = plain(entry["config"])
        if entry["class_name"] == "Lambda":
            config = self.bind_functions(title, config)
        cls = layer_class(entry, self.custom)
        if cls is None or (issubclass(cls, Operation) and not cls.is_bounded()):
            self.problems.append(f"{title}: coreops has no such layer, nor has custom_objects")
            return None
        fault = unavailable_mode(config.get("dtype"))
        if fault:
            self.problems.append(f"{title}: {fault}")
            return None
        known = len(self.problems)
        own = registry.keras_module(cls) is not None
        if own:
            config = self.known_options(title, cls, config)
        for key in config.keys() - {"dtype"}:  # a policy, which every layer reads by itself
            self.nested(title, key, config[key], own)
        if len(self.problems) > known:
            return None
        try:
            layer = objects.deserialize_keras_object(
                {**entry, "config": config, "build_config": None}, self.custom, family="layers"
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            self.problems.append(f"{title}: {shorten_text(error)}")
            return None
        self.paths.append((path, layer))
        return layer

    def known_options(self, title: str, cls: type, config: dict[str, Any]) -> dict[str, Any]:
        """Return the config without foreign keys; one that means something is a problem."""
        if issubclass(cls, Operation):
            allowed = {"name", *cls.option_names()}
        else:
            allowed = _BASE_OPTIONS | inspect.signature(cls.__init__).parameters.keys()
        for key in config.keys() - allowed - {"input_shape"}:  # of a first layer, after its Input
            if not any(config[key] is off or config[key] == off for off in _OFF):
                self.problems.append(f"{title}: unknown option {key}={shorten(config[key], 60)}")
        return {key: value for key, value in config.items() if key in allowed}

    def nested(self, title: str, key: str, value: Any, own: bool) -> None:
        """Note an initializer, regularizer, ... that cannot be rebuilt."""
        if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
            return
        if holds_model(value, self.custom):  # making it would build it, of any size
            if own:
                self.problems.append(f"{title}: option {key} holds a model")
            return
        family = "layers" if key.endswith("layer") else None  # of a wrapper
        try:
            made = objects.deserialize_keras_object(value, self.custom, family=family)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            self.problems.append(f"{title}: option {key}: {shorten_text(error)}")
            return
        if isinstance(made, Layer) and key.endswith(("initializer", "regularizer", "constraint")):
            self.problems.append(f"{title}: option {key} is a layer")

    def bind_functions(self, title: str, config: dict[str, Any]) -> dict[str, Any]:
        """Replace the functions of a Lambda by the caller's; code in a file is never run.

        They are found under the name in the file, or under the layer's: "name" for the function,
        "name_mask" and "name_output_shape" for the other two.
        """
        bound = dict(config)
        for key in _LAMBDA_FUNCTIONS:
            value = config.get(key)
            if key == "function":
                own_name = config.get("name")
            elif isinstance(value, dict):
                own_name = f"{config.get('name')}_{key}"
            else:
                continue
            candidates = [function_name(value), own_name]
            for name in filter(None, candidates):
                found = registry.get_registered_object(name, self.custom)
                found = found or self.custom.get(name.rpartition(">")[2])
                if found is not None:
                    bound[key] = reference_to(name)
                    self.custom.setdefault(name, found)
                    break
            else:
                if isinstance(value, dict) and value.get("class_name") == "function":
                    continue  # perhaps one of our own, by name
                self.problems.append(
                    f"{title}: option {key} is Python code, which is never run from a file; pass "
                    f"custom_objects={{{own_name!r}: function}}"
                )
                bound[key] = None if key != "function" else reference_to("linear")
        return bound
