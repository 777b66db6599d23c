"""From a serialised model and its stored variables to a live model.

A config is untrusted. Three passes: `draft` makes every layer, unbuilt, which allocates nothing, and
notes all that cannot be made; `assemble` builds the model, and each weight has to ask the stored variables
for its shape first; `weights.fill` copies the values.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import objects, registry
from .chain import as_sequential, is_functional
from .errors import ModelFileError, shorten
from .weights import ClassCounter, Groups, fill, walk

MAX_LAYERS = 10_000
MAX_NESTING = 20
MAX_LAYER_NAME = 500

# Every layer takes these; other keywords have to stand in the signature of its __init__.
_BASE_OPTIONS = {"name", "trainable", "dtype", "activity_regularizer"}
# Keys that some version of Keras 3 writes for what is not used: without effect when off.
_OFF = (None, False, {}, [])
_LAMBDA_FUNCTIONS = ("function", "output_shape", "mask")


class Draft:
    """A Sequential to be: its config and its parts, which are layers or further drafts."""

    def __init__(self, entry: dict[str, Any], path: str) -> None:
        self.config: dict[str, Any] = entry["config"]
        self.file_class: str = entry.get("file_class", "Sequential")
        self.build_shape = self.config.get("build_input_shape")
        self.path = path
        self.parts: list[Any] = []


class Drafter:
    """Makes the layers of one serialised model and gathers what cannot be made.

    Args:
        custom_objects: name -> class or function of what is not ours.
    """

    def __init__(self, custom_objects: Mapping[str, Any]) -> None:
        self.custom = dict(custom_objects)
        self.problems: list[str] = []
        self.paths: list[tuple[str, Any]] = []  # (path in the weights file, layer)
        self.count = 0

    def model(self, entry: Any) -> Draft:
        """Return the draft of a whole model.

        Raises:
            ModelFileError: it is no Sequential and no functional chain, or one message that lists
                every layer and option that cannot be rebuilt.
        """
        draft = self.part(entry, "", 0)
        if not self.problems and not isinstance(draft, Draft):
            self.problems.append(
                f"{_title(entry)} is not a model that is loaded here: a Sequential, or a functional "
                "model in which each layer follows the one before"
            )
        if self.problems:
            raise ModelFileError(
                "the model needs what coreops does not have:\n  - " + "\n  - ".join(self.problems)
            )
        return draft

    def part(self, entry: Any, path: str, depth: int) -> Any:
        """Return a layer or a draft, or None after noting why there is none."""
        self.count += 1
        if self.count > MAX_LAYERS or depth > MAX_NESTING:
            raise ModelFileError(
                f"more than {MAX_LAYERS:,} layers, or models nested more than {MAX_NESTING} deep."
            )
        fault = _malformed(entry)
        if fault:
            self.problems.append(f"{shorten(entry, 80)}: {fault}")
            return None
        if is_functional(entry):
            entry, faults = as_sequential(entry)
            if faults:
                self.problems += faults
        elif not _is_sequential(entry):
            return self.leaf(entry, path)
        draft = Draft(entry, path)
        counter = ClassCounter()
        prefix = f"{path}/layers" if path else "layers"
        layers = entry["config"].get("layers")
        if not isinstance(layers, list):
            self.problems.append(f"{_title(entry)}: `layers` is not a list")
            return None
        for inner in layers:
            name = inner.get("class_name") if isinstance(inner, dict) else None
            name = name if isinstance(name, str) else "?"
            inner_path = f"{prefix}/{counter.next(name)}" if name != "InputLayer" else prefix
            draft.parts.append(self.part(inner, inner_path, depth + 1))
        return draft

    def leaf(self, entry: dict[str, Any], path: str) -> Any:
        """Return one layer, or None after noting everything that is wrong with it."""
        title = _title(entry)
        config = _plain(entry["config"])
        if entry["class_name"] == "Lambda":
            config = self.bind_functions(title, config)
        cls = _layer_class(entry, self.custom)
        if cls is None:
            self.problems.append(f"{title}: no such layer here, nor in custom_objects")
            return None
        known = len(self.problems)
        if registry.keras_module(cls):
            config = self.known_options(title, cls, config)
        for key, value in config.items():
            self.nested(title, key, value)
        if len(self.problems) > known:
            return None
        try:
            layer = objects.deserialize_keras_object(
                {**entry, "config": config, "build_config": None}, self.custom
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            self.problems.append(f"{title}: {shorten_text(error)}")
            return None
        self.paths.append((path, layer))
        return layer

    def known_options(self, title: str, cls: type, config: dict[str, Any]) -> dict[str, Any]:
        """Return the config without foreign keys; one that means something is a problem."""
        parameters = inspect.signature(cls.__init__).parameters
        allowed = _BASE_OPTIONS | parameters.keys()
        for key in config.keys() - allowed:
            if not any(config[key] is off or config[key] == off for off in _OFF):
                self.problems.append(f"{title}: unknown option {key}={shorten(config[key], 60)}")
        return {key: value for key, value in config.items() if key in allowed}

    def nested(self, title: str, key: str, value: Any) -> None:
        """Note an initializer, regularizer, ... that cannot be rebuilt."""
        if not isinstance(value, dict) or not isinstance(value.get("class_name"), str):
            return
        try:
            objects.deserialize_keras_object(value, self.custom)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            self.problems.append(f"{title}: option {key}: {shorten_text(error)}")

    def bind_functions(self, title: str, config: dict[str, Any]) -> dict[str, Any]:
        """Replace the functions of a Lambda by the caller's: under their own or the layer's name.

        Code in a file is never run.
        """
        bound = dict(config)
        for key in _LAMBDA_FUNCTIONS:
            value = config.get(key)
            if key == "function":
                candidates = [_function_name(value), config.get("name")]
            elif isinstance(value, dict):
                candidates = [_function_name(value)]
            else:
                continue
            for name in filter(None, candidates):
                found = registry.get_registered_object(name, self.custom)
                found = found or self.custom.get(name.rpartition(">")[2])
                if found is not None:
                    bound[key] = _reference(name)
                    self.custom.setdefault(name, found)
                    break
            else:
                if isinstance(value, dict) and value.get("class_name") == "function":
                    continue  # perhaps one of our own, by name
                wanted = config.get("name") if key == "function" else "..."
                self.problems.append(
                    f"{title}: option {key} is Python code, which is never run from a file; pass "
                    f"custom_objects={{{wanted!r}: function}}"
                )
                bound[key] = None if key != "function" else _reference("linear")
        return bound


def rebuild(entry: Any, groups: Groups, custom_objects: Mapping[str, Any], what: str) -> Any:
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
            model = _assemble(draft)
    except ModelFileError as error:
        raise ModelFileError(f"{what}: {error}") from error.__cause__
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError) as error:
        raise ModelFileError(f"{what}: no valid model: {shorten_text(error)}") from error
    fill(model, groups, what)
    return model


def _assemble(draft: Draft) -> Any:
    """Return the Sequential of a draft; adding layers after an Input builds them."""
    from ..models import Sequential

    parts = [_assemble(part) if isinstance(part, Draft) else part for part in draft.parts]
    model = Sequential(name=draft.config.get("name"))
    if draft.file_class != "Sequential":
        model.__dict__["_file_class"] = draft.file_class
    for part in parts:
        model.add(part)
    if draft.build_shape is not None and not model.built and parts:
        model.build(_shape(draft.build_shape))
    if draft.config.get("trainable", True) is False:
        model.trainable = False
    return model


@contextmanager
def _lent(paths: list[tuple[str, Any]], groups: Groups) -> Iterator[None]:
    """While a model is built, let its layers create only weights that are stored for them.

    So a config can ask for no more memory than the file has values, and no initializer runs.
    """
    lent = []
    try:
        for root, top in paths:
            for path, layer in walk(top, root):
                layer.__dict__["add_weight"] = _weight_maker(layer, groups.get(path, []))
                lent.append(layer)
        yield
    finally:
        for layer in lent:
            layer.__dict__.pop("add_weight", None)


def _weight_maker(layer: Any, stored: list[Any]) -> Any:
    shapes = [variable.shape for variable in stored]

    def add_weight(shape: Any = None, initializer: Any = None, *args: Any, **options: Any) -> Any:
        wanted = () if shape is None else tuple(shape)
        if wanted not in shapes:
            raise ModelFileError(
                f"layer {layer.name!r} ({type(layer).__name__}) needs a weight of shape {wanted}; "
                f"the shapes stored for it are {[variable.shape for variable in stored]}."
            )
        shapes.remove(wanted)
        return type(layer).add_weight(layer, shape, _blank, *args, **options)

    return add_weight


def _blank(shape: tuple[int, ...], dtype: Any = None) -> np.ndarray:
    return np.broadcast_to(np.zeros((), dtype), shape)


# --- reading entries ----------------------------------------------------------------------------


def _malformed(entry: Any) -> str | None:
    """Say what keeps an entry from being a serialised layer, None if nothing does."""
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
        return "not a serialised layer"
    config = entry.get("config")
    if not isinstance(config, dict):
        return "its `config` is not an object"
    name = config.get("name")
    if name is not None and (
        not isinstance(name, str) or not 0 < len(name) <= MAX_LAYER_NAME or {"/", "\0"} & set(name)
    ):
        return f"not a layer name: {shorten(name, 60)}"
    return None


def _is_sequential(entry: dict[str, Any]) -> bool:
    return entry["class_name"] == "Sequential" and str(entry.get("module", "keras")).startswith(
        "keras"
    )


def _layer_class(entry: dict[str, Any], custom: Mapping[str, Any]) -> type | None:
    """Return the class of a layer: one of ours, or one that the caller brought."""
    from ..layers import Layer

    try:
        cls = objects._find_class(entry, dict(custom), "layers")
    except (TypeError, ValueError):
        return None
    return cls if isinstance(cls, type) and issubclass(cls, Layer) else None


def _title(entry: dict[str, Any]) -> str:
    """Name a layer in messages: its own name and its class."""
    module = entry.get("module")
    path = f"{module}.{entry['class_name']}" if module else entry["class_name"]
    return f"layer {shorten(entry['config'].get('name'), 80)} ({shorten(path, 120)[1:-1]})"


def _plain(value: Any) -> Any:
    """Return a config without the build and compile information of nested objects."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        dropped = ("build_config", "compile_config") if "class_name" in value else ()
        return {key: _plain(item) for key, item in value.items() if key not in dropped}
    return value


def _shape(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _function_name(value: Any) -> str | None:
    """Return the name in a function's config, None when it holds code or anything else."""
    if isinstance(value, dict) and value.get("class_name") == "function":
        value = value.get("config")
    return value if isinstance(value, str) else None


def _reference(name: str) -> dict[str, Any]:
    return {
        "module": "builtins", "class_name": "function", "config": name, "registered_name": "function",
    }  # fmt: skip


def shorten_text(error: BaseException, limit: int = 300) -> str:
    """Return an error's message on one line, cut to `limit` characters."""
    text = " ".join(str(error.args[0] if error.args else error).split())
    return text if len(text) <= limit else text[: limit - 3] + "..."
