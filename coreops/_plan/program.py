"""Running layers: plans where there are kernels, Python where there is a seam."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .. import _kernels, config
from .emission import casts, emit_calls, observed, plan_dtype, run_seam
from .flow import Flow
from .graph import Graph, Ref
from .values import Item, Kind, Result

_MOST_SEGMENTS = 32  # that a program keeps: each shape of input has a copy of the packed weights
_scope = threading.local()


def current_training() -> bool | None:
    """Whether the call around this user function trains; None outside of any."""
    return getattr(_scope, "training", None)


@contextmanager
def python_scope(training: bool) -> Iterator[None]:
    """Around a user's function: layers that it calls train as the call around it does."""
    before = current_training()
    _scope.training = training
    _kernels.enter_scope()
    try:
        yield
    finally:
        _kernels.leave_scope()
        _scope.training = before


class Segment(NamedTuple):
    """Some calls as one plan, and the seam after them."""

    flow: Flow
    plan: _kernels.Plan | None  # None: nothing to do
    results: tuple[Result, ...]
    seam: Any  # None, or what a Seam runs
    many: bool  # it takes lists
    taken: tuple[Ref, ...]  # the arrays that the seam takes
    copied: frozenset[Ref]  # those of them that others have too
    given: tuple[Ref, ...]  # and gives
    training: bool  # how it behaves
    next: int  # the first call after it

    def steps(self) -> list[tuple[str, list[str], float]]:
        """Kind, layers and estimated nanoseconds of a sample, of each step. A step that took others
        in is that of several layers; a layer may have several, or none."""
        names = [name for name, _ in self.flow.marks]
        rows: list[tuple[str, list[str], float]] = []
        seen = 0  # layers
        for kind, value, ns in [] if self.plan is None else _kernels.plan_steps(self.plan):
            owner = sum(end <= value for _, end in self.flow.marks[:-1])
            rows.append((kind, names[min(seen, owner) : owner + 1], ns))
            seen = max(seen, owner + 1)
        return rows

    def is_stale(self) -> bool:
        """Whether a weight has changed since it was packed."""
        return self.flow.is_stale()


class Program:
    """A graph of layers, ready to run on batches.

    Plans are compiled at the first call for each shape and dtype, and again when a weight has
    changed. observe: whether activity penalties are added to the layers' losses. mask_policy: what
    happens when a mask meets a layer that cannot take it ("raise", "warn", None: the global one).
    precision: the least that products of float32 keep (None: the global one).
    """

    def __init__(
        self,
        graph: Graph,
        *,
        training: bool = False,
        observe: bool = True,
        mask_policy: str | None = None,
        precision: str | None = None,
    ) -> None:
        self._graph = graph
        self._live = graph.live()
        self._training = training
        self._observe = observe
        self._mask_policy = mask_policy
        self._precision = precision
        self._segments: dict[tuple[Any, ...], Segment] = {}

    def __call__(
        self,
        arrays: Sequence[np.ndarray],
        masks: Sequence[np.ndarray | None] | None = None,
        out: np.ndarray | None = None,
    ) -> list[Item]:
        """arrays: with a batch axis, in any layout; masks: of their time steps. Returns what comes
        out, each with its mask; out: None, or where to put it if it is one array."""
        graph = self._graph
        items = zip(arrays, masks or [None] * len(arrays), strict=True)
        known = dict(zip(graph.inputs, items, strict=True))
        index, end = 0, len(graph.calls)
        while index < end:
            segment = self._segment(index, known)
            index = segment.next
            self.run(segment, known, out if index == end else None)
            known = {ref: known[ref] for ref in self._live[index]}
        found = [known[ref] for ref in graph.outputs]
        found = [(_own(y, [*arrays, *(one for one, _ in found[:i])]), mask)
                 for i, (y, mask) in enumerate(found)]  # fmt: skip
        if out is not None and found[0][0] is not out:
            y, mask = found[0]
            if out.shape != y.shape:
                raise ValueError(f"out: expected shape {y.shape}, received {out.shape}")
            np.copyto(out, y, casting="same_kind")
            found[0] = out, mask
        return found

    def segments(self) -> list[Segment]:
        """What has been compiled, in the order of running it where it is for one input."""
        return list(self._segments.values())

    @property
    def outputs(self) -> tuple[Ref, ...]:
        """What comes out, as the graph numbers it."""
        return self._graph.outputs

    def single_segment(self, *arrays: np.ndarray, cast: bool = False) -> Segment | None:
        """The one segment that is the whole program for such arrays, if there is one and nothing
        of Python's in it, and it takes them as they are; with cast also integers as reals."""
        if not self._graph.calls:
            return None
        known = {ref: (x, None) for ref, x in zip(self._graph.inputs, arrays, strict=True)}
        segment = self._segment(0, known)
        whole = segment.next == len(self._graph.calls) and segment.seam is None
        if not whole or segment.plan is None:
            return None
        fits = segment.flow.inputs == [(ref, False) for ref in self._graph.inputs]
        dtype = segment.plan.dtype
        fits = fits and all(
            x.dtype == dtype or (cast and x.dtype.kind in "iu" and dtype.kind == "f")
            for x in arrays
        )
        fits = fits and not any(isinstance(result.at, Ref) for result in segment.results)
        return segment if fits else None

    def single_plan(self, *arrays: np.ndarray, cast: bool = False) -> _kernels.Plan | None:
        """The plan of that segment, if it takes a batch of any size, or itself knows of which."""
        segment = self.single_segment(*arrays, cast=cast)
        if segment is None or segment.plan is None:
            return None
        if segment.flow.batch != _kernels.plan_batch(segment.plan):
            return None
        if any(x.dtype != segment.plan.dtype for x in arrays):
            segment.plan.integers = 2
        return segment.plan

    def run(self, segment: Segment, known: dict[Ref, Item], out: np.ndarray | None = None) -> None:
        """Run one of the program's segments on arrays whose samples have its shapes; what it gives
        is added to `known`. out: where to put its only result."""
        made: list[Any] = []
        if segment.plan is not None:
            arrays = segment.flow.gather(known)
            streams = segment.flow.streams(len(arrays[0]))
            first = segment.results[0].ref == self._graph.outputs[0]
            out = out if first and segment.seam is None else None
            made = _kernels.run_plan(segment.plan, arrays, out, streams)
        before = dict(known)
        for ref, at, shape, mask, _ in segment.results:
            if isinstance(at, Ref):
                x = before[at][0]
                y = np.ascontiguousarray(x).reshape((*x.shape[:1], *shape))
            else:
                y = made[at]
            known[ref] = y, before[mask][1] if isinstance(mask, Ref) else _at(made, mask)
        if segment.seam is None:
            return
        taken = [known[ref] for ref in segment.taken]
        taken = [
            (x.copy() if ref in segment.copied or any(x is y for y, _ in taken[:i]) else x, mask)
            for i, (ref, (x, mask)) in enumerate(zip(segment.taken, taken, strict=True))
        ]
        with python_scope(segment.training):
            found = run_seam(segment, taken)
        for ref, (y, mask) in zip(segment.given, found, strict=True):
            known[ref] = (y if isinstance(y, np.ndarray) else np.asarray(y)), mask

    def _segment(self, index: int, known: dict[Ref, Item]) -> Segment:
        kinds = tuple(
            (known[ref][0].shape[1:], known[ref][0].dtype,
             None if known[ref][1] is None else known[ref][1].shape[1:])
            for ref in self._live[index]
        )  # fmt: skip
        precision = self._precision or config.matmul_precision()
        key = (index, kinds, precision, _kernels.isa())
        segment = self._segments.get(key)
        if segment is None or segment.is_stale():
            kinds_of = dict(zip(self._live[index], kinds, strict=True))
            segment = self._compile(index, kinds_of, precision, known)
            for oldest in list(self._segments)[: 1 - _MOST_SEGMENTS]:
                self._segments.pop(oldest, None)
            self._segments[key] = segment
        return segment

    def _compile(
        self, index: int, kinds: dict[Ref, Kind], precision: str, known: dict[Ref, Item]
    ) -> Segment:
        first = self._graph.calls[index]
        dtype = plan_dtype(first, [kinds[ref][1] for ref in first.inputs])
        shape = kinds[first.inputs[0]][0]
        flow = Flow(shape, dtype, training=self._training, precision=precision)
        flow.rows = len(np.atleast_1d(known[first.inputs[0]][0]))
        made = emit_calls(
            self._graph, index, kinds, flow, self._mask_policy, observed if self._observe else None
        )
        wanted = dict.fromkeys([*self._live[made.next], *made.taken])
        final = set(self._graph.outputs)
        copied = set(self._live[made.next])
        if made.layer is not None and not made.layer.takes_any:
            outside = flow.outside()
            for ref in made.taken:
                source = outside.get(made.values[ref].id)
                as_is = source is not None and not casts(made.layer, kinds[source][1].kind)
                (copied if as_is else final).add(ref)
        plan, results = flow.finish_all(
            {ref: made.values[ref] for ref in wanted if ref in made.values and ref not in kinds},
            final,
        )
        return Segment(
            flow, plan, results, made.seam, made.many,
            made.taken, frozenset(copied), made.given, made.training, made.next,
        )  # fmt: skip


def _at(made: list[Any], index: int | None) -> Any:
    return None if index is None else made[index]


def _own(y: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """y, or a copy if it may share memory with one of the others."""
    return y.copy() if any(np.may_share_memory(y, other) for other in others) else y
