"""Default names: "dense", "dense_1", ... one counter per prefix and process."""

from __future__ import annotations

import re
import threading

_lock = threading.Lock()
_counters: dict[str, int] = {}


def to_snake_case(name: str) -> str:
    """Return a class name in Keras' snake case: "LeakyReLU" -> "leaky_re_lu"."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def auto_name(prefix: str) -> str:
    """Return the next free default name of `prefix`: the prefix itself, then "prefix_1", ..."""
    number = next_uid(prefix) - 1
    return f"{prefix}_{number}" if number else prefix


def next_uid(prefix: str = "") -> int:
    """Return 1, 2, ... for successive calls with the same prefix."""
    with _lock:
        _counters[prefix] = uid = _counters.get(prefix, 0) + 1
    return uid


def reset_names() -> None:
    """Start all counters again."""
    with _lock:
        _counters.clear()
