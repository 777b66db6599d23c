"""The steps of a plan that trains, as layers describe them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels
from .._plan import Derived, Flow, Kind, Ref, Seam, Value
from .._variables import Variable
from ..ops import nn

if TYPE_CHECKING:
    from .chain import Chain


class TrainingFlow(Flow):
    """Builds a plan whose weights are those of a chain's trainer."""

    plan: _kernels.TrainingPlan
    trains = True

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype, chain: Chain) -> None:
        plan = _kernels.TrainingPlan(dtype, shape).attach(chain.trainer)
        super().__init__(shape, dtype, training=chain.training, plan=plan)
        self._chain = chain
        self.penalties: list[tuple[float, float]] = []
        self.ends = False
        self.looks = False  # at what goes through it, which is a reason to run it

    def fresh(self, shape: tuple[int, ...]) -> TrainingFlow:
        return TrainingFlow(shape, self.plan.dtype, self._chain)

    def learns(self, weight: Any) -> bool:
        return self._chain.learns(weight)

    def derived(self, make: Callable[..., np.ndarray], *variables: Any) -> Any:
        return Derived(make, variables)

    def weight(
        self, weight: Any, *, vector: bool = False, dtype: Any = None, rows: int = -1
    ) -> int:
        if isinstance(weight, Derived):
            return self.plan.learning(self._chain.frozen.add(weight))
        if not isinstance(weight, Variable):
            return super().weight(weight, vector=vector, dtype=dtype, rows=rows)
        key = id(weight), vector
        if key not in self._numbers:
            number = self.plan.learning(self._chain.number(weight, vector=vector, rows=rows))
            self._numbers[key] = number, weight
        return self._numbers[key][0]

    def dense(
        self, x: Value, kernel: Any, bias: Any = None, scale: Any = None, rows: int = -1
    ) -> Value:
        if scale is not None:
            raise self._quantized()
        return super().dense(x, kernel, bias, rows=rows)

    def dense_int8(self, x: Value, kernel: Any, scale: Any, bias: Any = None) -> Value:
        raise self._quantized()

    def _quantized(self) -> NotImplementedError:
        return NotImplementedError(
            f"Layer '{self.layer}' is quantized: its weights cannot be trained. Train the model "
            "before it is quantized."
        )

    def prelu(self, x: Value, alpha: Any) -> Value | Seam:
        shape = alpha.shape
        while shape and shape[0] == 1:
            shape = shape[1:]
        if shape == x.shape[len(x.shape) - len(shape) :]:
            return super().prelu(x, alpha)
        return Seam(x, lambda array, mask: nn.relu(array) - alpha * nn.relu(-array))

    def softmax(self, x: Value, axis: int | Sequence[int] = -1, log: bool = False) -> Value | Seam:
        made = super().softmax(x, axis, log)
        if not isinstance(made, Seam):
            return made
        function = nn.log_softmax if log else nn.softmax
        return Seam(x, lambda array, mask: function(array, axis))

    def take(self, ref: Ref, kind: Kind) -> Value:
        x, norm = super().take(ref, kind), self._chain.norms.get(ref)
        return x if norm is None else x._replace(id=self.plan.normalized(x.id, norm))

    def refs(self) -> set[Ref]:
        """What of outside the plan takes."""
        return {ref for ref, is_mask in self.inputs if not is_mask}

    def learn(self, y: Value, number: int, kind: str, options: dict[str, Any]) -> None:
        """Learn from a loss of y, the plan's loss number `number`."""
        n = y.shape[-1] if y.shape else 1
        self.plan.learn(y.id, kind, y.size // n if n else 0, n, **options)
        self.more += [("target", number), ("weight", number), ("loss", number)]
        self.ends = True

    def learn_from(self, y: Value, ref: Ref) -> None:
        """Learn from a gradient of y, which is array `ref`; or of what that is normalised to."""
        self.ends = True
        norm = self._chain.norms.get(ref)
        if norm is None:
            self.plan.learn_from(y.id)
            self.more.append(("gradient", ref))
            return
        mask, made = self._mask_of(y), not self.is_input(y)
        self.plan.learn_from_normalized(y.id, mask, norm, made)
        self.more += [("gradient", ref), ("made", ref)][: 1 + made]

    def moments(self, y: Value, norm: _kernels.BatchNorm) -> None:
        """Let runs make the moments of y, for plans that take it normalised."""
        self.plan.moments(y.id, self._mask_of(y), norm)
        self.looks = True

    def _mask_of(self, y: Value) -> int:
        return -1 if y.mask is None else self.mask_value(y.mask)

    def want(self, ref: Ref) -> None:
        """Ask for the gradient of an array that the plan takes."""
        self.plan.want(self._taken[ref, False])
        self.more.append(("wanted", ref))

    def finish_alone(self, values: Iterable[Value]) -> Value | None:
        """End a plan that nobody takes anything of: if it is for its own sake, with the first
        value as its result, or without one."""
        if self.penalties or self.ends:
            y = next(iter(values))._replace(mask=None)
            self.finish(y, masked=False)
            return y
        if self.looks:
            self.close()
        return None

    def close(self) -> None:
        """End a plan that has no results: it takes gradients back."""
        self._numbers.clear()
        self.plan.close()

    def penalty(self, x: Value, l1: float, l2: float) -> None:
        """Learn from l1 * sum |x| + l2 * sum x^2, divided by the batch size, too."""
        self.plan.penalty(x.id, l1, l2)
        self.penalties.append((l1, l2))
