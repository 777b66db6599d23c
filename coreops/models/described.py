"""The graph in the configuration of a functional model, which may come from anywhere."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any, NamedTuple

from .._symbolic import leaves

MAX_CALLS = 100_000  # in a model that a config describes, those in nested models included


class Source:
    """An output of a layer's call, where a configuration has it."""

    __slots__ = ("index", "layer", "node")

    def __init__(self, layer: str, node: int, index: int) -> None:
        self.layer, self.node, self.index = layer, node, index


_Calls = dict[tuple[str, int], tuple[list[Any], dict[str, Any]]]


class Described(NamedTuple):
    """What a configuration says of a graph. calls: (layer's name, number of its call, arguments,
    keywords), each after those whose results it takes."""

    calls: list[tuple[str, int, list[Any], dict[str, Any]]]
    inputs: Any
    outputs: Any
    dropped: frozenset[str]  # layers that do nothing but make masks


def describe(config: Mapping[str, Any]) -> Described:
    """Return the graph in the configuration of a functional model, which may come from anywhere.

    Raises:
        ValueError: it describes no graph, or one with loops or too many calls.
    """
    entries: dict[str, Mapping[str, Any]] = {}
    for entry in config["layers"]:
        name = entry.get("name", entry["config"].get("name"))
        if not isinstance(name, str) or name in entries:
            raise ValueError(f"the name {name!r} is used twice, or is none")
        entries[name] = entry
    nested = {name for name, entry in entries.items() if "input_layers" in entry["config"]}
    holders = {name for name, entry in entries.items() if "layers" in entry["config"]}
    calls: _Calls = {}
    for name, entry in entries.items():
        nodes = entry.get("inbound_nodes") or []
        if not isinstance(nodes, list) or len(calls) + len(nodes) > MAX_CALLS:
            raise ValueError(f"layer {name!r}: no list of calls, or too many")
        for number, node in enumerate(nodes):
            calls[name, number] = _read_call(node, holders)
    operations = {name for name, entry in entries.items() if is_operation(entry)}
    ends = {key: _read_ends(config[key], nested) for key in ("input_layers", "output_layers")}
    makers = {name: _makes_masks(entry) for name, entry in entries.items()}
    calls = _without_own_masks(calls, operations, makers)
    dropped = _mask_makers(calls, operations, ends["output_layers"])
    calls = {key: call for key, call in calls.items() if key[0] not in dropped}
    sources = {name for name, entry in entries.items() if entry["class_name"] == "InputLayer"}
    order = _in_order(calls, sources, list(entries))
    return Described(order, ends["input_layers"], ends["output_layers"], frozenset(dropped))


def is_operation(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a configuration is a function of `keras.ops`."""
    return str(entry.get("module")).startswith("keras.src.ops.")


def _read_call(node: Any, holders: set[str]) -> tuple[list[Any], dict[str, Any]]:
    """Return the arguments of a call, with Sources in them."""
    if isinstance(node, dict):
        args, kwargs = node.get("args", []), node.get("kwargs", {})
        if not isinstance(args, (list, tuple)) or not isinstance(kwargs, dict):
            raise ValueError(f"a call without arguments: {str(node)[:80]}")
        return _sources_in(list(args)), _sources_in(kwargs)
    if not isinstance(node, list) or not node:
        raise ValueError(f"not a call: {str(node)[:80]}")
    found, kwargs = [], {}
    for item in node:  # Keras 2: [layer, number of its call, output, keywords] for each array
        if not isinstance(item, list) or not 3 <= len(item) <= 4:
            raise ValueError(f"not a call: {str(node)[:80]}")
        source = _source(item[:3])
        source.node -= source.layer in holders and source.node > 0
        found.append(source)
        if len(item) == 4 and isinstance(item[3], dict):
            kwargs = {key: value for key, value in item[3].items() if value is not None}
    return [found[0] if len(found) == 1 else found], kwargs


def _sources_in(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_sources_in(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__keras_tensor__":
        inner = value.get("config")
        return _source(inner.get("keras_history") if isinstance(inner, dict) else None)
    if "class_name" in value:
        from ..saving.objects import deserialize_keras_object
        from ..saving.special import SPECIAL

        if value["class_name"] not in SPECIAL:
            raise ValueError(f"an argument of the kind {str(value['class_name'])[:60]!r}")
        return deserialize_keras_object(value)
    return {key: _sources_in(item) for key, item in value.items()}


def _source(history: Any) -> Source:
    if (
        isinstance(history, (list, tuple))
        and len(history) == 3
        and isinstance(history[0], str)
        and all(type(number) is int and number >= 0 for number in history[1:])
    ):
        return Source(*history)
    raise ValueError(f"not an output of a layer: {str(history)[:80]}")


def _read_ends(value: Any, nested: set[str]) -> Any:
    """Return the structure of inputs or outputs, with Sources."""
    if isinstance(value, (list, tuple)):
        if len(value) == 3 and isinstance(value[0], str):
            source = _source(value)
            source.node -= source.layer in nested and source.node > 0
            return source
        return type(value)([_read_ends(item, nested) for item in value])
    if isinstance(value, dict):
        return {key: _read_ends(item, nested) for key, item in value.items()}
    raise ValueError(f"not an input or output: {str(value)[:80]}")


def _makes_masks(entry: Mapping[str, Any]) -> set[Any]:
    """Return what a layer compares with what it is called on, to make a mask of that: a number, or
    None where it may make one in another way."""
    config, name = entry["config"], entry["class_name"]
    if name == "Embedding":
        return {0} if config.get("mask_zero") else set()
    if name == "Masking":
        return {_number(config.get("mask_value", 0))}
    own = not str(entry.get("module", "keras")).startswith("keras")
    may = own or name == "Concatenate" or (name == "Lambda" and config.get("mask"))
    return {None} if may else set()


def _number(value: Any) -> Any:
    return value if isinstance(value, (int, float)) else None


def _without_own_masks(calls: _Calls, operations: set[str], makers: dict[str, set[Any]]) -> _Calls:
    """Return calls without the masks that layers find by themselves, which Keras writes too: those
    that operations make of nothing but what layers read that make such masks."""
    read: dict[tuple[str, int, int], set[Any]] = {}
    for (name, _), (args, _) in calls.items():
        for source in _all_sources(args) if makers.get(name) else ():
            read.setdefault((source.layer, source.node, source.index), set()).update(makers[name])
    readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    pending = []  # operations that read something else, or results of such
    for place, (args, kwargs) in calls.items():
        compared = _number(args[1]) if len(args) > 1 else None
        for source in _all_sources([args, kwargs]) if place[0] in operations else ():
            if source.layer in operations:
                readers.setdefault((source.layer, source.node), []).append(place)
            elif not {None, compared} & read.get((source.layer, source.node, source.index), set()):
                pending.append(place)
    others: set[tuple[str, int]] = set()
    while pending:
        place = pending.pop()
        if place not in others:
            others.add(place)
            pending += readers.get(place, ())

    def is_own(source: Source) -> bool:
        return source.layer in operations and (source.layer, source.node) not in others

    return {
        place: (args, {k: v for k, v in kwargs.items()
                       if k != "mask" or not all(map(is_own, _all_sources(v)))})
        for place, (args, kwargs) in calls.items()
    }  # fmt: skip


def _mask_makers(calls: _Calls, operations: set[str], ends: Any) -> set[str]:
    """Return the operations that made nothing but masks which layers find by themselves. ends: what
    comes out of the model."""
    taken: dict[str, set[str]] = {}  # by name: whose results are taken
    for (name, _), call in calls.items():
        taken.setdefault(name, set()).update(source.layer for source in _all_sources(call))
    used = {source.layer for source in _all_sources(ends)} & operations
    pending = [name for name in taken if name not in operations or name in used]
    while pending:
        found = (taken.get(pending.pop(), set()) & operations) - used
        used |= found
        pending += found
    return operations - used


def _all_sources(value: Any) -> list[Source]:
    return [source for source in leaves(value) if isinstance(source, Source)]


def _in_order(
    calls: _Calls,
    sources: set[str],
    names: list[str],
) -> list[tuple[str, int, list[Any], dict[str, Any]]]:
    """Return the calls, each after those whose results it takes.

    Raises:
        ValueError: a call takes the results of itself, or of none.
    """
    rank = {name: number for number, name in enumerate(names)}
    waiting: dict[tuple[str, int], int] = {}
    readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for key, (args, kwargs) in calls.items():
        needed = {(s.layer, s.node) for s in _all_sources([args, kwargs])}
        needed = {source for source in needed if source[0] not in sources}
        if key[1]:
            needed.add((key[0], key[1] - 1))  # the calls of a layer keep their order
        waiting[key] = len(needed)
        for source in needed:
            readers.setdefault(source, []).append(key)
    ready = [(rank[key[0]], key[1], key) for key, count in waiting.items() if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        _, _, key = heapq.heappop(ready)
        order.append((*key, *calls[key]))
        for reader in readers.get(key, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heapq.heappush(ready, (rank[reader[0]], reader[1], reader))
    if len(order) < len(calls):
        left = sorted({key[0] for key, count in waiting.items() if count})
        raise ValueError(f"loops, or calls on what nothing makes, at the layers {left[:10]}")
    return order
