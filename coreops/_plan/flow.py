"""The steps of a plan, as a layer describes them.

A layer's `emit(flow, x)` receives a `Value` (a layer of several inputs a list of them), calls the
methods of `Flow` and returns a `Value`, a list of them, or a `Seam` where the rest is Python's to
do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels
from .._arguments import normalize_axes
from .graph import Ref
from .values import Item, Kind, Mask, Result, Seam, Value

if TYPE_CHECKING:
    from ..random import SeedGenerator


class Flow:
    """Builds one plan. shape: of its first input. training: whether the layers behave as in
    training. precision: the least that products of float32 keep. plan: an empty one to build on, by
    default a new one."""

    trains = False

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: np.dtype,
        *,
        training: bool = False,
        precision: str = "highest",
        plan: _kernels.Plan | None = None,
    ) -> None:
        self.training = training
        self.plan = _kernels.Plan(dtype, shape, precision) if plan is None else plan
        self.layer = ""  # the name of the layer that is emitting
        self.mask_policy: str | None = None  # for masks that meet a layer that cannot take them
        # The axes that a sample of the plan has before those of the layer that is emitting, which
        # takes each of what lies along them as a sample: steps of time.
        self.lead: tuple[int, ...] = ()
        self.marks: list[tuple[str, int]] = []  # layers that made values, and how many there were
        self.rows: int | None = None  # of the arrays that it is made for, if there are any already
        self.batch: int | None = None  # the only batch size that fits, if there is one
        self.batch_reason = ""
        self.generators: list[SeedGenerator] = []
        self.states: list[np.ndarray] = []  # which a run begins with, and leaves its own in
        self.read: list[tuple[Any, int]] = []  # the variables that were packed, with their versions
        # The plan's numbers of weights, by what these are, which has to live until they are packed.
        self._numbers: dict[Any, tuple[int, Any]] = {}
        # What images.to_first has turned, by its result: to_last takes it from here.
        self.turned: dict[int, Value] = {}
        # What goes in, in the plan's order, and which of it are masks.
        self.inputs: list[tuple[Ref, bool]] = []
        self.more: list[Any] = []  # of what further arrays of a run are for, in the plan's order
        self._taken: dict[tuple[Ref, bool], int] = {}
        self.first: Value | None = None  # of the results

    def fresh(self, shape: tuple[int, ...]) -> Flow:
        """Another flow of this kind, to try something on."""
        return Flow(shape, self.plan.dtype, training=self.training)

    def count(self, shape: Sequence[int]) -> int:
        """How many elements of that shape a sample of the plan has."""
        return prod((*self.lead, *shape))

    def take(self, ref: Ref, kind: Kind) -> Value:
        """An array from outside, as an input of the plan."""
        shape, _, masked = kind
        mask = None if masked is None else Mask(None, masked, "the input", ref)
        return Value(self._input(ref, shape, False), shape, self.plan.dtype, mask)

    def _input(self, ref: Ref, shape: tuple[int, ...], is_mask: bool) -> int:
        key = ref, is_mask
        if key not in self._taken:
            # The first input is there from the beginning.
            made = 0
            if self.inputs:
                made = _kernels.plan_input(self.plan, shape, is_mask)
                self.more.append(key)
            self._taken[key] = made
            self.inputs.append(key)
        return self._taken[key]

    def mask_value(self, mask: Mask) -> int:
        """The plan's value of a mask, which becomes an input of the plan if it comes from
        outside."""
        return self._input(mask.of, mask.shape, True) if mask.id is None else mask.id

    def is_input(self, x: Value) -> bool:
        """Whether it is an array from outside as it comes, which is there before the plan runs."""
        return x.id == 0 or x.id in self._taken.values()

    def outside(self) -> dict[int, Ref]:
        """Numbers of values that are arrays from outside as they come, with these."""
        return {id: ref for (ref, _), id in self._taken.items()}

    def gather(self, known: dict[Ref, Item]) -> list[np.ndarray]:
        """Return the plan's inputs, out of arrays with their masks.

        Raises:
            ValueError: they are not of as many samples.
        """
        arrays = [
            np.ascontiguousarray(known[ref][1], np.bool_)
            if is_mask
            else np.ascontiguousarray(known[ref][0], self.plan.dtype)
            for ref, is_mask in self.inputs
        ]
        if len({len(array) for array in arrays}) > 1:
            ends = dict.fromkeys(name for name, _ in self.marks[:1] + self.marks[-1:])
            raise ValueError(
                f"Arrays of different batch sizes meet in {' to '.join(map(repr, ends))}: expected "
                "as many samples in each. Received arrays of shapes "
                f"{[array.shape for array in arrays]}"
            )
        return arrays

    def finish(self, y: Value, *, masked: bool = True) -> _kernels.Plan:
        """End the plan: y is its result, and so is y's mask if it is the plan's own."""
        mask = y.mask
        self._numbers.clear()
        if not masked or mask is None or mask.id is None:
            return self.plan.finish(y.id, y.shape)
        return self.plan.finish(y.id, y.shape, mask.id, mask.shape)

    def finish_all(
        self, values: dict[Ref, Value], final: set[Ref]
    ) -> tuple[_kernels.Plan | None, tuple[Result, ...]]:
        """End the plan, and say what it leaves: these values, with their masks. What is but an
        input is no result of the plan unless it is among the final ones; without results there is
        no plan."""
        outside = self.outside()
        results: list[Result] = []
        masks: dict[int, int] = {}  # numbers of results
        first: Value | None = None
        count = 0
        for ref, y in values.items():
            mask: int | Ref | None = None if y.mask is None else y.mask.of
            at: int | Ref = outside.get(y.id, Ref(0))
            if ref in final or y.id not in outside:
                at, count = count, count + 1
                if first is None:
                    first = y
                else:
                    _kernels.plan_output(self.plan, y.id, y.shape)
                    self.more.append(at)
                if y.mask is not None and y.mask.id is not None and count == 1:
                    masks[y.mask.id], count = count, count + 1
            if y.mask is not None and y.mask.id is not None:
                mask = masks.get(y.mask.id)
                if mask is None:
                    mask = masks[y.mask.id] = count
                    _kernels.plan_output(self.plan, y.mask.id, y.mask.shape, True)
                    self.more.append(count)
                    count += 1
            masked = None if y.mask is None else y.mask.shape
            results.append(Result(ref, at, y.shape, mask, masked))
        self.first = first
        return None if first is None else self.finish(first), tuple(results)

    def streams(self, batch: int) -> list[tuple[int, int]]:
        """Return the next draw of each of the generators, for a run of the plan.

        Raises:
            ValueError: the plan does not take a batch of this size.
        """
        if self.batch not in (None, batch):
            raise ValueError(
                f"{self.batch_reason} asks for a batch of {self.batch}, received {batch}"
            )
        return [generator.key() for generator in self.generators]

    def is_stale(self) -> bool:
        """Whether a variable has changed since it was packed."""
        return any(variable.version != version for variable, version in self.read)

    def learns(self, weight: Any) -> bool:
        """Whether it is one of the variables that the plan gives gradients for."""
        return False

    def value_of(self, weight: Any, dtype: Any = None) -> np.ndarray:
        """The value of a variable, on which the plan depends from now on, or of an array, in the
        plan's type or in another."""
        version = getattr(weight, "version", None)
        if version is not None:
            self.read.append((weight, version))
            weight = weight.numpy()  # also where its uses are recorded
        return np.ascontiguousarray(np.asarray(weight), dtype=dtype or self.plan.dtype)

    def derived(self, make: Callable[..., np.ndarray], *variables: Any) -> Any:
        """What is made of the values of variables, in float64, for a step that takes arrays."""
        return make(*(self.value_of(variable, np.float64) for variable in variables))

    def weight(
        self, weight: Any, *, vector: bool = False, dtype: Any = None, rows: int = -1
    ) -> int:
        """The plan's number of a variable, or of an array of constants, for the steps that take
        it: (k, n), or a vector, as which one of more axes is taken if that is said. rows: how many
        of its first axes together are k, by default all but the last. None: -1."""
        if weight is None:
            return -1
        key = id(weight), vector
        if key not in self._numbers:
            array = self.value_of(weight, dtype)
            if rows > 0:
                array = array.reshape(prod(array.shape[:rows]), prod(array.shape[rows:]))
            number = self.plan.weight(array, vector)
            self._numbers[key] = number, weight
        return self._numbers[key][0]

    def dense(
        self, x: Value, kernel: Any, bias: Any = None, scale: Any = None, rows: int = -1
    ) -> Value:
        """x (..., k) @ kernel (k, n) + bias (n,), over the last axis: (..., n). scale: (n,), what
        the kernel was multiplied by and is divided by here. rows: how many axes of the kernel are
        k, the others being n, if it has more than two."""
        if scale is not None:
            kernel = self.value_of(kernel) / self.value_of(scale)
        w, b = self.weight(kernel, rows=rows), self.weight(bias, vector=True)
        y = self.plan.dense(x.id, self.count(x.shape[:-1]), w, b)
        return x._replace(id=y, shape=(*x.shape[:-1], prod(kernel.shape[rows:])))

    def dense_int8(self, x: Value, kernel: Any, scale: Any, bias: Any = None) -> Value:
        """x, quantized row by row, @ kernel (k, n) of int8 over both scales, + bias (n,). Raises
        ValueError for a k whose sums may not fit into 32 bits."""
        if kernel.shape[0] > _kernels.INT8_DEPTH:
            raise ValueError(
                f"Layer '{self.layer}': sums of more than {_kernels.INT8_DEPTH} products of int8 "
                f"may not fit into 32 bits. Received a kernel of shape {kernel.shape}"
            )
        w, s, b = self.weight(kernel, dtype=np.int8), self.weight(scale), self.weight(bias)
        y = self.plan.dense_int8(x.id, self.count(x.shape[:-1]), w, s, b)
        return x._replace(id=y, shape=(*x.shape[:-1], kernel.shape[1]))

    def activation(self, x: Value, fn: Callable[[Any], Any]) -> Value | Seam:
        """fn(x): a step if fn is one of ours, else a seam."""
        from ..activations import step_of

        step = step_of(fn)
        if step is None or not x.is_real:
            return Seam(x, lambda array, mask: fn(array))
        if step[0] == "softmax":
            return self.softmax(x, step[1], log=step[2])
        return self.act(x, *step[1:])

    def act(self, x: Value, kind: str, p: float = 0.0, q: float = 0.0, r: float = 0.0) -> Value:
        """An activation of csrc/activation.h, elementwise."""
        return x if kind == "linear" else x._replace(id=self.plan.act(x.id, kind, p, q, r))

    def softmax(self, x: Value, axis: int | Sequence[int] = -1, log: bool = False) -> Value | Seam:
        """Softmax, or its logarithm, over axes counted with the batch axis. A seam when the batch
        axis is among them: rows are not independent then."""
        rank = len(x.shape) + 1
        axes = normalize_axes(axis, rank)
        if 0 in axes:
            from .eager import apply_softmax

            return Seam(x, lambda array, mask: apply_softmax(array, axis, log=log))
        inner = [a - 1 for a in axes]
        order = [a for a in range(rank - 1) if a not in inner] + inner
        n = prod(x.shape[a] for a in inner)
        moved = self.reorder(x, order)
        soft = moved._replace(id=self.plan.softmax(moved.id, n, log))
        back = self.reorder(soft, [order.index(a) for a in range(rank - 1)])
        return back._replace(mask=x.mask)

    def prelu(self, x: Value, alpha: Any) -> Value | Seam:
        """max(x, 0) + alpha * min(x, 0); alpha broadcasts to x."""
        shape = alpha.shape
        while shape and shape[0] == 1:
            shape = shape[1:]
        tail = x.shape[len(x.shape) - len(shape) :]
        if shape != tail:
            alpha = np.ascontiguousarray(np.broadcast_to(self.value_of(alpha).reshape(shape), tail))
        return x._replace(id=self.plan.prelu(x.id, self.weight(alpha, vector=True)))

    def masking(self, x: Value, mask_value: float, source: str = "masking") -> Value:
        """Zeroes the time steps whose features all equal mask_value; they are the mask."""
        shape = x.shape[:-1]
        y, mask = self.plan.masking(x.id, self.count(shape), x.shape[-1], mask_value)
        return x._replace(id=y, mask=Mask(mask, shape, source))

    def dropout(
        self,
        x: Value,
        rate: float,
        noise_shape: Sequence[int | None] | None,
        generator: SeedGenerator,
    ) -> Value:
        """Inverted dropout with a new stream of the generator at each run. noise_shape: as in
        Keras, with the batch axis; None entries take the input's size, 1 shares the noise.
        Raises ValueError when it does not broadcast to x."""
        full: tuple[int | None, ...] = (None, *x.shape)
        noise = full if noise_shape is None else tuple(noise_shape)
        noise = (1,) * (len(full) - len(noise)) + noise
        sizes = tuple(s if n is None else n for n, s in zip(noise[1:], x.shape, strict=False))
        if len(noise) != len(full) or any(
            n not in (1, s) for n, s in zip(sizes, x.shape, strict=True)
        ):
            raise ValueError(
                f"Layer '{self.layer}': noise_shape={noise_shape} does not broadcast to the "
                f"input's shape {full}"
            )
        if noise[0] not in (None, 1):
            self.batch = noise[0]
            self.batch_reason = f"Layer '{self.layer}': noise_shape={noise_shape}"
        sizes, share = (*self.lead, *sizes), noise[0] == 1
        y = self.plan.dropout(x.id, rate, (*self.lead, *x.shape), sizes, share)
        self.generators.append(generator)
        return x._replace(id=y)

    def reshape(self, x: Value, shape: tuple[int, ...]) -> Value:
        """x with another shape of the same size: no step."""
        return x._replace(shape=shape)

    def permute(self, x: Value, dims: Sequence[int]) -> Value:
        """Keras' dims: axis i of the result is axis dims[i] of x, from 1."""
        return self.reorder(x, [d - 1 for d in dims])

    def reorder(self, x: Value, axes: Sequence[int]) -> Value:
        """The same from 0."""
        shape = tuple(x.shape[a] for a in axes)
        moving = [a for a in axes if x.shape[a] != 1]
        if moving != sorted(moving):
            whole, n = (*self.lead, *x.shape), len(self.lead)
            order = (*range(n), *(a + n for a in axes))
            x = x._replace(id=self.plan.permute(x.id, whole, order))
        return x._replace(shape=shape)

    def repeat(self, x: Value, n: int) -> Value:
        """(F,) n times over: (n, F)."""
        return x._replace(id=self.plan.repeat(x.id, x.size, n), shape=(n, *x.shape))
