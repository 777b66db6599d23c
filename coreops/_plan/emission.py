"""From the calls of a graph to the steps of one plan, as far as that reaches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from .. import _kernels, config
from .._symbolic import leaves, map_structure
from .._warnings import warn
from .flow import Flow
from .graph import Call, Graph, Ref
from .values import Item, Kind, Mask, Normalized, Seam, Value

if TYPE_CHECKING:

    class Leaf(Protocol):
        """What a plan asks of a layer."""

        name: str
        integer_input: str
        activity_regularizer: Callable | None
        mixes_samples: bool
        takes_any: bool

        @property
        def compute_dtype(self) -> str: ...
        @property
        def takes_mask(self) -> bool: ...
        def emit(self, flow: Flow, *args: Any, **kwargs: Any) -> Any: ...
        def _prepare(self, shape: Any) -> None: ...
        def _add_activity_loss(self, output: np.ndarray) -> None: ...


_COMPUTE = {"float64": np.dtype(np.float64)}


class Emitted(NamedTuple):
    """What calls became. values: what they gave in the plan, and what of outside they took. seam:
    what Python runs then (None: nothing), with the arrays that it takes and gives. next: the first
    call that is left."""

    values: dict[Ref, Value]
    seam: Callable[..., Any] | None
    many: bool  # it takes lists
    taken: tuple[Ref, ...]
    given: tuple[Ref, ...]
    training: bool
    layer: Any  # that the seam belongs to
    next: int
    whole: Normalized | None = None  # what the seam is, if it can be done without Python


def emit_calls(
    graph: Graph,
    index: int,
    kinds: dict[Ref, Kind],
    flow: Flow,
    mask_policy: str | None,
    after: Callable[[Any, Any, Flow], Any] | None,
    stop: int | None = None,
    *,
    mixed: bool = False,
) -> Emitted:
    """Let the calls from `index` on emit their steps, until one is Python's, or needs a plan of
    another type, or there are none left before `stop`.

    kinds: the arrays that are there. after: changes what a layer made. mixed: whether arrays of all
    types are taken as what the plan computes.
    """
    training = flow.training
    flow.mask_policy = mask_policy
    values: dict[Ref, Value] = {}
    stop = len(graph.calls) if stop is None else stop
    first = index
    while index < stop:
        call = graph.calls[index]
        dtypes = {ref: values[ref].dtype if ref in values else kinds[ref][1] for ref in call.inputs}
        if not mixed and not _fits(call, dtypes, values, flow.plan.dtype):
            break
        if call.layer.mixes_samples and index > first:
            break  # it takes arrays of several numbers of rows
        for ref in call.inputs:
            if ref not in values:
                values[ref] = flow.take(ref, kinds[ref])
        flow.training = training if call.training is None else call.training
        made = _emit(call, flow, values)
        if after is not None and call.layer.activity_regularizer is not None:
            made = after(call.layer, made, flow)
        index += 1
        if isinstance(made, Seam):
            one = isinstance(made.x, Value)
            taken = _entered([made.x] if isinstance(made.x, Value) else made.x, values)
            return Emitted(
                values, made.fn, not one, taken, call.outputs, flow.training, call.layer, index,
                made.whole,
            )  # fmt: skip
        results = [made] if isinstance(made, Value) else list(made)
        values.update(zip(call.outputs, results, strict=True))
    flow.training = training
    return Emitted(values, None, False, (), (), training, None, index)


def _entered(taken: Sequence[Value], values: dict[Ref, Value]) -> tuple[Ref, ...]:
    """Give what a seam takes numbers of its own: a layer may have made steps before it."""
    refs = []
    for value in taken:
        ref = Ref(-1 - len(values))
        values[ref] = value
        refs.append(ref)
    return tuple(refs)


def casts(layer: Leaf, kind: str) -> bool:
    """Whether a layer takes arrays of a kind of dtype in its compute dtype, not as they are."""
    return kind == "f" or (layer.integer_input == "cast" and kind in "biu")


def plan_dtype(call: Call, dtypes: Sequence[np.dtype]) -> np.dtype:
    """What the arrays of a call are cast to: the compute dtype of its layer if one is a float, or
    if the layer computes; half types are computed in float32."""
    layer = call.layer
    if any(casts(layer, dtype.kind) for dtype in dtypes):
        return _COMPUTE.get(layer.compute_dtype, np.dtype(np.float32))
    return np.dtype(dtypes[0]).newbyteorder("=") if dtypes else np.dtype(np.float32)


def _fits(
    call: Call, dtypes: dict[Ref, np.dtype], values: dict[Ref, Value], dtype: np.dtype
) -> bool:
    """Whether a call can be part of a plan of this dtype: what is in the plan already is not
    cast."""
    wanted = plan_dtype(call, list(dtypes.values()))
    return wanted == dtype and all(
        values[ref].dtype == dtype for ref in call.inputs if ref in values
    )


def emit_each(layer: Any, x: Value, mask: Mask | None, flow: Flow) -> Value | None:
    """The steps that a layer, or a model, is on each of the samples along the first axis of x, of
    which each has its part of the mask. None if they are not all of the plan. A penalty of the
    layer itself does not count."""
    graph = Graph()
    outputs = layer.trace(graph, graph.inputs, {})
    for call in graph.calls:
        one = call.layer
        if (
            (one.activity_regularizer is not None and one is not layer)
            or one.mixes_samples
            or getattr(one, "stateful", False)
        ):
            return None
    if len(outputs) != 1:
        return None
    graph.end(outputs)
    if flow.trains:  # steps that nobody reads would run
        trial = flow.fresh(x.shape)
        entered = trial.take(Ref(0), (x.shape, x.dtype, None if mask is None else mask.shape))
        if _emit_each(graph, entered, entered.mask, trial) is None:
            return None
    return _emit_each(graph, x, mask, flow)


def _emit_each(graph: Graph, x: Value, mask: Mask | None, flow: Flow) -> Value | None:
    if mask is not None:
        mask = Mask(flow.mask_value(mask), mask.shape[1:], mask.source)
    values = {graph.inputs[0]: x._replace(shape=x.shape[1:], mask=mask)}
    lead, training = flow.lead, flow.training
    flow.lead = (*lead, x.shape[0])
    try:
        for call in graph.calls:
            dtypes = {ref: values[ref].dtype for ref in call.inputs}
            if not flow.trains and not _fits(call, dtypes, values, flow.plan.dtype):
                return None
            flow.training = training if call.training is None else call.training
            made = _emit(call, flow, values)
            if isinstance(made, Seam):
                return None
            results = [made] if isinstance(made, Value) else list(made)
            values.update(zip(call.outputs, results, strict=True))
    finally:
        flow.lead, flow.training = lead, training
    made = values[graph.outputs[0]]
    return made._replace(shape=(x.shape[0], *made.shape), mask=None)


def _emit(call: Call, flow: Flow, values: dict[Ref, Value]) -> Any:
    """One layer's steps, after what every layer has in common: its weights are there, and no mask
    reaches it that it cannot take."""
    layer = call.layer
    first, *more = map_structure(
        lambda x: (None, *values[x].shape) if isinstance(x, Ref) else x, call.args
    )
    layer._prepare(first, None, *more)
    taken = {ref: values[ref] for ref in call.inputs}
    if not layer.takes_mask:
        masks = [value.mask for value in taken.values() if value.mask is not None]
        if masks:
            refuse_mask(layer, masks[0].source, flow.mask_policy)
        taken = {ref: value._replace(mask=None) for ref, value in taken.items()}
    flow.layer = layer.name
    args, kwargs = call.filled(taken)
    made = layer.emit(flow, *args, **kwargs)
    before = flow.marks[-1][1] if flow.marks else 1
    values_now = _kernels.plan_values(flow.plan, before)
    if values_now > before:
        flow.marks.append((layer.name, values_now))
    return made


def refuse_mask(layer: Leaf, source: str, policy: str | None) -> None:
    """What happens when the mask of `source` reaches a layer that cannot take one: a ValueError
    naming both, or under the policy "warn" (None: the global one) Keras' warning."""
    if (policy or config.mask_policy()) == "warn":
        warn(
            f"Layer '{layer.name}' (of type {type(layer).__name__}) was passed an input with a "
            "mask attached to it. However, this layer does not support masking and will "
            "therefore destroy the mask information."
        )
        return
    raise ValueError(
        f"Layer '{layer.name}' ({type(layer).__name__}) does not support masking, and received "
        f"the mask of '{source}'. Remove one of the two, or let the mask be dropped with "
        'coreops.config.set_mask_policy("warn").'
    )


def observed(layer: Leaf, made: Any, flow: Flow) -> Seam:
    """The activity penalty of the layer's output, added to its losses when the output is there."""
    x, fn = (made.x, made.fn) if isinstance(made, Seam) else (made, None)

    def observe(array: Any, mask: Any) -> Any:
        result = array if fn is None else fn(array, mask)
        output = result[0] if isinstance(result, tuple) else result
        for y in leaves(output):
            layer._add_activity_loss(y)
        return result if fn is not None else (array, mask)

    return Seam(x, observe)


def run_seam(made: Any, taken: Sequence[Item]) -> list[Item]:
    """Run what a seam has for arrays with their masks; return what it gives, in order."""
    arrays, masks = [x for x, _ in taken], [mask for _, mask in taken]
    if made.many:
        result = made.seam(arrays, masks)
        kept: Any = None
    else:
        result = made.seam(arrays[0], masks[0])
        kept = masks[0]
    output, mask = result if isinstance(result, tuple) else (result, kept)
    outputs = leaves(output)
    return list(zip(outputs, _masks_of(mask, output, len(outputs)), strict=True))


def _masks_of(mask: Any, output: Any, count: int) -> list[Any]:
    """Return the masks of so many arrays of a structure; one mask belongs to the first."""
    if isinstance(output, (list, tuple, dict)) and type(mask) is type(output):
        found: list[Any] = []
        _flatten(mask, output, found)
        if len(found) == count:
            return found
    first = next(iter(leaves(mask)), None)
    return [first, *[None] * (count - 1)]


def _flatten(mask: Any, output: Any, found: list[Any]) -> None:
    if isinstance(output, dict):
        for key in sorted(output):
            _flatten((mask or {}).get(key), output[key], found)
    elif isinstance(output, (list, tuple)):
        masks = mask if isinstance(mask, (list, tuple)) else [None] * len(output)
        for one, item in zip(masks, output, strict=False):
            _flatten(one, item, found)
    elif output is not None:
        found.append(mask)
