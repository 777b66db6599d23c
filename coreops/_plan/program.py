"""Running layers: plans where there are kernels, Python where there is a seam."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from .. import _kernels, config
from .flow import Flow, Mask, Seam, Value

if TYPE_CHECKING:

    class Leaf(Protocol):
        """What a program asks of a layer."""

        name: str
        integer_input: str
        activity_regularizer: Callable | None

        @property
        def compute_dtype(self) -> str: ...
        @property
        def takes_mask(self) -> bool: ...
        def emit(self, flow: Flow, x: Value) -> Any: ...
        def _prepare(self, shape: Any) -> None: ...
        def _add_activity_loss(self, output: np.ndarray) -> None: ...


_MOST_SEGMENTS = 32  # that a program keeps: each shape of input has a copy of the packed weights
_scope = threading.local()
_COMPUTE = {"float64": np.dtype(np.float64)}


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
    """Some layers as one plan, and the seam after them."""

    dtype: np.dtype  # what the input is cast to
    flow: Flow
    plan: _kernels.Plan
    keeps_mask: bool  # the mask that came in goes out
    seam: Any  # None, or what a Seam runs
    next: int  # the first layer after it

    def steps(self) -> list[tuple[str, list[str], float]]:
        """Kind, layers and estimated nanoseconds of a sample, of each step. A step that took others
        in is that of several layers; a layer may have several, or none."""
        names = [name for name, _ in self.flow.marks]
        rows = []
        seen = 0  # layers
        for kind, value, ns in _kernels.plan_steps(self.plan):
            owner = sum(end <= value for _, end in self.flow.marks[:-1])
            rows.append((kind, names[min(seen, owner) : owner + 1], ns))
            seen = max(seen, owner + 1)
        return rows

    def is_stale(self) -> bool:
        """Whether a weight has changed since it was packed."""
        return self.flow.is_stale()


class Program:
    """Layers, one after the other, ready to run on batches.

    Plans are compiled at the first call for each shape and dtype, and again when a weight has
    changed. observe: whether activity penalties are added to the layers' losses. mask_policy: what
    happens when a mask meets a layer that cannot take it ("raise", "warn", None: the global one).
    precision: the least that products of float32 keep (None: the global one).
    """

    def __init__(
        self,
        leaves: Sequence[Leaf],
        *,
        training: bool = False,
        observe: bool = True,
        mask_policy: str | None = None,
        precision: str | None = None,
    ) -> None:
        self._leaves = tuple(leaves)
        self._training = training
        self._observe = observe
        self._mask_policy = mask_policy
        self._precision = precision
        self._segments: dict[tuple[Any, ...], Segment] = {}

    def __call__(
        self, x: np.ndarray, mask: np.ndarray | None = None, out: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """x: an array with a batch axis, in any layout; mask: of its time steps. Returns the output
        (`out`, if that is given) and its mask."""
        index, y = 0, x
        while True:
            segment = self._segment(index, y, mask)
            index = segment.next
            last = index == len(self._leaves)
            y, mask = self.run(segment, y, mask, out if last else None)
            if last:
                break
        if out is not None and y is not out:
            if out.shape != y.shape:
                raise ValueError(f"out: expected shape {y.shape}, received {out.shape}")
            np.copyto(out, y, casting="same_kind")
            y = out
        return y, mask

    def segments(self) -> list[Segment]:
        """What has been compiled, in the order of running it where it is for one input."""
        return list(self._segments.values())

    def single_segment(self, x: np.ndarray) -> Segment | None:
        """The one segment that is the whole program for arrays such as x, if there is one and
        nothing of Python's in it."""
        segment = self._segment(0, x, None)
        whole = segment.next == len(self._leaves) and segment.seam is None
        return segment if whole and segment.dtype == x.dtype else None

    def single_plan(self, x: np.ndarray) -> _kernels.Plan | None:
        """The plan of that segment, if it takes a batch of any size, or itself knows of which."""
        segment = self.single_segment(x)
        if segment is None or segment.flow.batch != _kernels.plan_batch(segment.plan):
            return None
        return segment.plan

    def run(
        self, segment: Segment, x: np.ndarray, mask: np.ndarray | None, out: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """One of the program's segments, on an array whose samples have its shape."""
        streams = segment.flow.streams(len(x))
        x = np.ascontiguousarray(x, dtype=segment.dtype)
        y, made = segment.plan.run(x, None if segment.seam else out, streams)
        mask = mask if segment.keeps_mask else made
        if segment.seam is not None:
            with python_scope(self._training):
                result = segment.seam(y, mask)
            y, mask = result if isinstance(result, tuple) else (result, mask)
            if not isinstance(y, np.ndarray):
                y = np.asarray(y)
        return y, mask

    def _segment(self, index: int, x: np.ndarray, mask: np.ndarray | None) -> Segment:
        masked = None if mask is None else mask.shape[1:]
        precision = self._precision or config.matmul_precision()
        key = (index, x.shape[1:], x.dtype, masked, precision, _kernels.isa())
        segment = self._segments.get(key)
        if segment is None or segment.is_stale():
            segment = self._compile(index, x, mask, precision)
            for oldest in list(self._segments)[: 1 - _MOST_SEGMENTS]:
                self._segments.pop(oldest, None)
            self._segments[key] = segment
        return segment

    def _compile(
        self, index: int, x: np.ndarray, mask: np.ndarray | None, precision: str
    ) -> Segment:
        dtype = np.dtype(x.dtype).newbyteorder("=")
        if index < len(self._leaves):
            dtype = _wanted_dtype(self._leaves[index], dtype)
        flow = Flow(x.shape[1:], dtype, training=self._training, precision=precision)
        flow.rows = len(x)
        incoming = None if mask is None else Mask(None, mask.shape[1:], "the input")
        value = Value(0, x.shape[1:], dtype, incoming)
        seam = None
        while index < len(self._leaves):
            layer = self._leaves[index]
            if _wanted_dtype(layer, value.dtype) != value.dtype:
                break
            made = emit_layer(layer, flow, value, self._mask_policy)
            if self._observe and layer.activity_regularizer is not None:
                made = observed(layer, made)
            index += 1
            if isinstance(made, Seam):
                value, seam = made
                break
            value = made
        keeps = value.mask is not None and value.mask.id is None
        return Segment(dtype, flow, flow.finish(value), keeps, seam, index)


def emit_layer(layer: Leaf, flow: Flow, x: Value, mask_policy: str | None) -> Value | Seam:
    """One layer's steps, after what every layer has in common: its weights are there, and no mask
    reaches it that it cannot take."""
    layer._prepare((None, *x.shape))
    if x.mask is not None and not layer.takes_mask:
        refuse_mask(layer, x.mask.source, mask_policy)
        x = x._replace(mask=None)
    flow.layer = layer.name
    made = layer.emit(flow, x)
    before = flow.marks[-1][1] if flow.marks else 1
    values = _kernels.plan_values(flow.plan, before)
    if values > before:
        flow.marks.append((layer.name, values))
    return made


def refuse_mask(layer: Leaf, source: str, policy: str | None) -> None:
    """What happens when the mask of `source` reaches a layer that cannot take one: a ValueError
    naming both, or under the policy "warn" (None: the global one) Keras' warning."""
    if (policy or config.mask_policy()) == "warn":
        warnings.warn(
            f"Layer '{layer.name}' (of type {type(layer).__name__}) was passed an input with a "
            "mask attached to it. However, this layer does not support masking and will "
            "therefore destroy the mask information.",
            UserWarning,
            stacklevel=5,
        )
        return
    raise ValueError(
        f"Layer '{layer.name}' ({type(layer).__name__}) does not support masking, and received "
        f"the mask of '{source}'. Remove one of the two, or let the mask be dropped with "
        'coreops.config.set_mask_policy("warn").'
    )


def _wanted_dtype(layer: Leaf, dtype: np.dtype) -> np.dtype:
    """What an input of this dtype is cast to before the layer: its compute dtype if it is a float,
    or if the layer computes; half types are computed in float32."""
    if dtype.kind == "f" or (layer.integer_input == "cast" and dtype.kind in "biu"):
        return _COMPUTE.get(layer.compute_dtype, np.dtype(np.float32))
    return dtype


def observed(layer: Leaf, made: Value | Seam) -> Seam:
    """The activity penalty of the layer's output, added to its losses when the output is there."""
    x, fn = made if isinstance(made, Seam) else (made, None)

    def observe(array: np.ndarray, mask: np.ndarray | None) -> Any:
        result = array if fn is None else fn(array, mask)
        output = result[0] if isinstance(result, tuple) else result
        layer._add_activity_loss(output)
        return result

    return Seam(x, observe)
