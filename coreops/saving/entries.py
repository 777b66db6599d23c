"""What the serialised layers of an untrusted file are, before anything is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import _dtypes
from ..layers import Layer
from ..models import Model
from . import objects
from .errors import ModelFileError, shorten, shorten_text

MAX_LAYERS = 10_000
MAX_NESTING = 20
MAX_LAYER_NAME = 500


def check_counts(entry: Any) -> None:
    """Refuse too many layers, or models too deep in each other, before any layer is made."""
    level, count = [entry], 0
    for _ in range(MAX_NESTING):
        configs = [part.get("config") for part in level if isinstance(part, dict)]
        lists = [config.get("layers") for config in configs if isinstance(config, dict)]
        level = [part for parts in lists if isinstance(parts, list) for part in parts]
        count += len(level)
    if count > MAX_LAYERS or level:
        raise ModelFileError(
            f"more than {MAX_LAYERS:,} layers, or models nested more than {MAX_NESTING} deep."
        )


def malformed(entry: Any) -> str | None:
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


def is_sequential(entry: dict[str, Any]) -> bool:
    return entry["class_name"] == "Sequential" and str(entry.get("module", "keras")).startswith(
        "keras"
    )


def is_functional(entry: dict[str, Any]) -> bool:
    """Whether a serialised layer is a functional model of Keras."""
    return (
        entry["class_name"] in ("Functional", "Model")
        and str(entry.get("module", "keras")).startswith("keras")
        and "input_layers" in entry["config"]
    )


def is_read_like(cls: Any, base: Any) -> bool:
    """Whether a class is a model of the caller's that leaves reading to that base class of ours."""
    return (
        cls is not None
        and issubclass(cls, base)
        and cls.from_config.__func__ is base.from_config.__func__
    )


def layer_class(entry: dict[str, Any], custom: Mapping[str, Any]) -> type | None:
    """Return the class of a layer: one of ours, or one that the caller brought."""
    try:
        cls = objects.find_class(entry, dict(custom), "layers")
    except (TypeError, ValueError):
        return None
    return cls if isinstance(cls, type) and issubclass(cls, Layer) else None


def unavailable_mode(policy: Any) -> str | None:
    """Say what is wrong with a dtype policy's quantization mode, None if nothing is."""
    inner = policy.get("config") if isinstance(policy, dict) else None
    if isinstance(inner, dict) and "mode" in inner:
        try:
            _dtypes.check_mode(inner["mode"])
        except ValueError as error:
            return shorten_text(error)
    return None


def title_of(entry: dict[str, Any]) -> str:
    """Name a layer in messages: its own name and its class."""
    module = entry.get("module")
    path = f"{module}.{entry['class_name']}" if module else entry["class_name"]
    name = entry["config"].get("name")
    label = "an unnamed layer" if name is None else f"layer {shorten(name, 80)}"
    return f"{label} ({shorten(path)[1:-1]})"


def holds_model(value: Any, custom: Mapping[str, Any]) -> bool:
    """Whether there is a model anywhere in a config."""
    if isinstance(value, list):
        return any(holds_model(item, custom) for item in value)
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("class_name"), str):
        cls = layer_class(value, custom)
        if cls is not None and issubclass(cls, Model):
            return True
    return any(holds_model(item, custom) for item in value.values())


def plain(value: Any) -> Any:
    """Return a config without the build and compile information of nested objects."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        dropped = ("build_config", "compile_config") if "class_name" in value else ()
        return {key: plain(item) for key, item in value.items() if key not in dropped}
    return value


def function_name(value: Any) -> str | None:
    """Return the name in a function's config, None when it holds code or anything else."""
    if isinstance(value, dict) and value.get("class_name") == "function":
        value = value.get("config")
    return value if isinstance(value, str) else None


def reference_to(name: str) -> dict[str, Any]:
    return {"module": "builtins", "class_name": "function", "config": name}
