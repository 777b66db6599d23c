"""Layers and what flows between them: what a program runs, and what a training chain learns
from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from .._symbolic import leaves, map_structure


class Ref(int):
    """The number of an array of a graph, where a call's arguments have it."""

    __slots__ = ()


class Call(NamedTuple):
    """One call of a layer. args, kwargs: what it is called with, a Ref for each array. training: as
    its layer behaves, None as the whole graph does. inputs, outputs: the arrays, in order."""

    layer: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    training: bool | None
    inputs: tuple[Ref, ...]
    outputs: tuple[Ref, ...]

    def filled(self, known: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments with known[ref] in place of each Ref."""
        return map_structure(
            lambda x: known[x] if isinstance(x, Ref) else x, (self.args, self.kwargs)
        )


class Graph:
    """Calls, each after those whose results it takes. Layers append themselves to one in `trace`.

    inputs: how many arrays go in. outputs: those that come out.
    """

    def __init__(self, inputs: int = 1) -> None:
        self.calls: list[Call] = []
        self.inputs = tuple(map(Ref, range(inputs)))
        self.outputs: tuple[Ref, ...] = ()
        self._count = inputs

    def call(
        self,
        layer: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        count: int = 1,
        training: bool | None = None,
    ) -> list[Ref]:
        """Append a call that gives `count` arrays; return these."""
        made = [Ref(self._count + i) for i in range(count)]
        self._count += count
        inputs = tuple(x for x in leaves((args, kwargs)) if isinstance(x, Ref))
        self.calls.append(Call(layer, args, kwargs, training, inputs, tuple(made)))
        return made

    def end(self, outputs: Sequence[Ref]) -> Graph:
        """Say what comes out. Returns the graph."""
        self.outputs = tuple(outputs)
        return self

    def live(self) -> list[tuple[Ref, ...]]:
        """For each number of calls made: the arrays that are there and will be read, or come
        out."""
        needed = set(self.outputs)
        found = [self.outputs]
        for call in reversed(self.calls):
            needed -= set(call.outputs)
            needed |= set(call.inputs)
            found.append(tuple(sorted(needed)))
        return found[::-1]
