"""One step of training: a batch forward, its loss, the way back, and the update."""

from __future__ import annotations

import math
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels, _plan, _tape
from .chain import Part, Passed, Reshaped, remember
from .learners import Learners, LearningChain
from .workspace import Workspace

if TYPE_CHECKING:
    from ..layers import Layer
    from .compiled import Compiled


class TrainingStep:
    """Trains a model's weights on one batch after another.

    Between steps the weights live in arrays of the trainer; a Variable shows them when it is read,
    and they follow when it is assigned to. `mask` is the mask of the last output. One thread makes
    a step at a time.
    """

    def __init__(self, model: Layer, compiled: Compiled) -> None:
        self.leaves = model.leaves()
        self.variables = model.trainable_variables
        self.mask: np.ndarray | None = None
        self._mask_policy, self._compiled = model._mask_policy, compiled
        self._inside = list(model._flatten_layers()), model.weights
        self._state = self._look()
        self._optimizer: Any = compiled.optimizer
        wide = any(leaf.compute_dtype == "float64" for leaf in self.leaves)
        self._workspace = Workspace(np.dtype(np.float64 if wide else np.float32))
        self._learners: Learners | None = None
        self._chains: dict[Any, LearningChain] = {}
        self._weight: tuple[Any, np.ndarray] | None = None
        self._kernel: tuple[Any, Any] | None = None  # a loss, and what stands for it in a plan
        self._lock = threading.RLock()

    def is_current(self, compiled: Compiled) -> bool:
        """Whether this is what trains the model as it is now, and as it was compiled last."""
        return compiled is self._compiled and self._state == self._look()

    def _look(self) -> Any:
        """What the plans and the choice of weights that learn were made from."""
        layers, weights = self._inside
        return [
            [(layer._trainable, layer._revision, *map(id, layer._holders.values()))
             for layer in layers],
            [weight.trainable for weight in weights],
        ]  # fmt: skip

    def __call__(
        self, x: np.ndarray, y: Any, sample_weight: Any = None, *, update: bool = True
    ) -> tuple[float, np.ndarray]:
        """Train on one batch.

        Args:
            x: the inputs, batch first, in the form that the model's layers take.
            y: the labels.
            sample_weight: None, or a weight for each sample or position.
            update: False leaves the weights alone; their gradients are in `gradients()`.

        Returns:
            The loss with all penalties, before the update, and the predictions, which are good
            until the next step.

        Raises:
            ValueError: labels, weights or inputs that do not fit; the weights are as before.
        """
        with self._lock:
            mask = _plan.mask_of(x)
            x = np.ascontiguousarray(x, None if x.dtype.kind in "biu" else self._workspace.dtype)
            learners = self._ready()
            key = x.shape[1:], _kernels.isa()
            chain = self._chains.pop(key, None)  # back after the step, if that gets to its end
            if chain is None:
                chain = LearningChain(self.leaves, learners, self._mask_policy)
            try:
                made = self._finished(chain, x, mask, y, sample_weight, update)
            except Reshaped:
                chain = LearningChain(self.leaves, learners, self._mask_policy)
                made = self._finished(chain, x, mask, y, sample_weight, update)
            remember(self._chains, key, chain)
            return made

    def _finished(
        self, chain: LearningChain, x: np.ndarray, mask: Any, y: Any, weight: Any, update: bool
    ) -> tuple[float, np.ndarray]:
        """A step, and then what its layers have left to do, such as to move averages on."""
        with _plan.deferring() as updates:
            made = self._step(chain, x, mask, y, weight, update)
        if update and math.isfinite(made[0]):
            for one in updates:
                one()
        return made

    def _ready(self) -> Learners:
        """Return the variables with the optimizer's state, held by the workspace."""
        if self._workspace.lost:
            self.release()
        if self._learners is None:
            self._optimizer.build(self.variables)
            self._learners = Learners(self._workspace, self.variables, self._optimizer)
        return self._learners

    def _step(
        self,
        chain: LearningChain,
        x: np.ndarray,
        mask: np.ndarray | None,
        y: Any,
        sample_weight: Any,
        update: bool,
    ) -> tuple[float, np.ndarray]:
        total = 0.0
        passed: list[Passed] = []
        chain.clear_gradients()
        part = chain.part(0, x, mask)
        while part.next < chain.length or part.seam is not None:
            x, mask, one = chain.forward(part, x, mask)
            passed.append(one)
            total += float(one.part.ways["forward"].mean_penalty() or 0)
            total += sum(float(_tape.value_of(loss)) for loss in one.losses)
            if part.next == chain.length:
                break
            part = chain.part(part.next, x, mask)
        ended = part.seam is not None
        kernel = None if ended else self._kernel_of(y, (len(x), *part.ways["forward"].y.shape))
        if kernel is not None:
            loss, y_pred, gradient = self._to_loss(
                chain, part, kernel, x, mask, y, sample_weight, bool(passed)
            )
        else:
            if not ended:
                x, mask, one = chain.forward(part, x, mask)
                passed.append(one)
                total += float(one.part.ways["forward"].mean_penalty() or 0)
            loss, y_pred, gradient = self._by_tape(x, mask, y, sample_weight)
        for i in reversed(range(len(passed))):
            if gradient is None:
                break
            gradient = chain.back(passed[i], gradient, i > 0)
        total += loss + chain.trainer.penalty() + chain.penalize()
        if math.isfinite(total):
            self._learn(chain, update)
        else:
            warnings.warn(
                f"The loss of a batch is {total}: nothing is learnt from it, the weights stay as "
                "they are.",
                RuntimeWarning,
                stacklevel=2,
            )
        return total, y_pred

    def _kernel_of(self, y: Any, shape: tuple[int, ...]) -> Any:
        """Return the kernel of the loss for predictions of a shape, batch first; None: none."""
        compiled = self._compiled
        if not compiled.resolved:
            compiled.resolve(() if y is None else y.shape, shape)
        if compiled.loss is None or y is None or len(shape) < 2 or not shape[-1]:
            return None
        if self._kernel is None or self._kernel[0] is not compiled.loss:
            made = compiled.loss.kernel()
            self._kernel = compiled.loss, made and (made[0], _options(made[1]))
        return self._kernel[1]

    def _to_loss(
        self,
        chain: LearningChain,
        part: Part,
        kernel: tuple[str, dict[str, Any]],
        x: np.ndarray,
        mask: np.ndarray | None,
        y: Any,
        weight: Any,
        wanted: bool,
    ) -> tuple[float, np.ndarray, np.ndarray | None]:
        """The last part, its loss and its way back, in one run of one plan."""
        forward = part.ways["forward"]
        x = np.ascontiguousarray(x, self._workspace.dtype)
        streams = None
        if forward.y.mask is not None:  # the loss hangs on the mask, which hangs on the data
            _, mask, one = chain.forward(part, x, mask)
            streams = one.streams
        else:
            mask = None
        self.mask = mask
        shape = (len(x), *forward.y.shape)
        loss: Any = self._compiled.loss
        target, factor = loss.prepare(y, shape, self._workspace.dtype, weight, mask)
        factor = factor * self._compiled.loss_weight
        way = chain.way_to_loss(part, *kernel, wanted)
        chain.refresh()
        streams = way.flow.streams(len(x)) if streams is None else streams
        rows = (len(x), forward.y.size // max(shape[-1], 1))
        weights = self._weights(factor, rows)
        y_pred, values = way.buffer("y", shape), way.buffer("loss", rows)
        dx = way.buffer("dx", x.shape) if wanted else None
        way.flow.plan.train(
            x, y_pred, streams, target, weights, values, way.penalty(len(x)), None, dx
        )
        value = _kernels.weighted_sum(values, weights) + float(way.mean_penalty() or 0)
        return value, y_pred, dx

    def _weights(self, factor: float | np.ndarray, rows: tuple[int, int]) -> np.ndarray:
        """Return the factor of each value of the loss as an array."""
        if isinstance(factor, np.ndarray):
            return np.ascontiguousarray(factor, dtype=self._workspace.dtype)
        key = factor, rows
        if self._weight is None or self._weight[0] != key:
            self._weight = key, np.full(rows, factor, self._workspace.dtype)
        return self._weight[1]

    def _by_tape(
        self, y_pred: np.ndarray, mask: Any, y: Any, sample_weight: Any
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """A loss that no kernel has."""
        self.mask = mask
        entry = _tape.trace(y_pred)
        if mask is not None:
            entry._keras_mask = mask
        self._kernel_of(y, y_pred.shape)  # looks the loss up
        compiled = self._compiled
        if compiled.loss is None:
            return 0.0, y_pred, np.zeros_like(y_pred)
        if y is None:
            raise ValueError("The loss needs targets: `y` is None.")
        loss = compiled.loss(y, entry, sample_weight) * compiled.loss_weight
        gradient = _tape.gradients([loss], [1], [entry])[0]
        return float(_tape.value_of(loss)), y_pred, gradient

    def _learn(self, chain: LearningChain, update: bool) -> None:
        optimizer, learners = self._optimizer, self._learners
        assert learners is not None
        made = int(optimizer._iterations)
        rule = optimizer._rule(made) if update and learners.by_rule else None
        if rule is None or rule.clips_norm[0]:
            chain.ask_gradients()
        if rule is not None:
            with self._workspace.lock:
                chain.trainer.learn(rule)
                chain.learnt()
            optimizer._advance(made + 1)
            learners.constrain()
            return
        chain.trainer.learn(None)
        if update:
            optimizer.apply([learners.gradient(v) for v in self.variables], self.variables)

    def gradients(self) -> list[np.ndarray]:
        """Return the gradients of the loss and all penalties with respect to the trainable
        variables, from a step without an update."""
        assert self._learners is not None
        return [self._learners.whole_gradient(variable) for variable in self.variables]

    def pull(self) -> None:
        """Bring all Variables up to date."""
        self._workspace.pull_all()

    def release(self) -> None:
        """Let the Variables go, each with its last value."""
        with self._lock:
            self._workspace.release()
            self._learners = None
            self._chains.clear()


def _options(options: dict[str, Any]) -> dict[str, Any]:
    """Return a loss's options as the kernels take them."""
    p = options.get("delta", options.get("label_smoothing", 0.0))
    return {"from_logits": bool(options.get("from_logits", False)), "p": float(p)}
