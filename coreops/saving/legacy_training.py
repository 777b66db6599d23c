"""How Keras 1 and 2 wrote what a model was compiled with, translated into Keras 3's form."""

from __future__ import annotations

from typing import Any

_SHARED = ("loss", "loss_weights", "metrics", "weighted_metrics")
# Without effect here, or only for optimizers that had them.
_DROPPED = ("decay", "jit_compile", "is_legacy_optimizer", "schedule_decay")
_BY_SHAPE = ("accuracy", "acc", "crossentropy", "ce")  # metrics that depend on what they meet


def modern_compile(config: Any) -> dict[str, Any] | None:
    """Return a `compile_config` from that of Keras 2, or from a `training_config`.

    Args:
        config: from an untrusted file.
    """
    if not isinstance(config, dict):
        return None
    made = {key: config[key] for key in _SHARED if config.get(key) is not None}
    made["optimizer"] = _optimizer(config.get("optimizer_config", config.get("optimizer")))
    if "loss" in made:
        made["loss"] = _each(made["loss"], _loss)
    for key in ("metrics", "weighted_metrics"):
        if key in made:
            made[key] = _metrics(made[key])
    return made


def _optimizer(entry: Any) -> Any:
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        return entry
    name = entry.get("class_name")
    if isinstance(name, str):
        name = name.removeprefix("Custom>")
    config = {key: value for key, value in entry["config"].items() if key not in _DROPPED}
    if config.get("epsilon", 0) is None:
        del config["epsilon"]
    made = {**entry, "class_name": name, "config": config}
    if made.get("module") == "keras.optimizers.legacy":
        made["module"] = "keras.optimizers"
    return made


def _each(value: Any, change: Any) -> Any:
    """Apply a change to each object of a list or a dictionary, or to the one that it is."""
    if isinstance(value, list):
        return [_each(item, change) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _each(item, change) for key, item in value.items()}
    return change(value)


def _loss(entry: Any) -> Any:
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        return entry
    config = {key: value for key, value in entry["config"].items() if key != "fn"}
    if config.get("reduction") == "auto":
        config["reduction"] = "sum_over_batch_size"
    return {**entry, "config": config}


def _metrics(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]  # of the only output
    return _each(value, _metric)


def _metric(entry: Any) -> Any:
    """Return a metric; a function that was wrapped stands for itself."""
    if not isinstance(entry, dict) or not isinstance(entry.get("config"), dict):
        return entry
    config = entry["config"]
    function = config.get("fn")
    if entry.get("class_name") == "MeanMetricWrapper" and isinstance(function, str):
        return config["name"] if config.get("name") in _BY_SHAPE else function
    return {**entry, "config": {key: value for key, value in config.items() if key != "fn"}}
