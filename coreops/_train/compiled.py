"""What `compile` settles: the optimizer, and what is asked of each output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import metrics, optimizers
from ..metrics import Metric
from .judged import Judged, results_of, told_apart

Arrays = Sequence[np.ndarray]
Perhaps = Sequence[np.ndarray | None] | None


class Compiled:
    """The arguments of one `compile`, and the state of the losses and metrics.

    Raises:
        ValueError: an unknown optimizer.
    """

    def __init__(
        self, optimizer: Any, loss: Any, loss_weights: Any, user: Any, weighted: Any
    ) -> None:
        self.optimizer = optimizers.get(optimizer)
        self._arguments = loss, loss_weights, user, weighted
        self.has_loss = loss is not None
        self.has_metrics = bool(user or weighted)
        self.judged: list[Judged] = []
        self.resolved = False
        self._apart: dict[str, Judged] = {}  # whose losses are in the logs, by the key there
        self.own: list[Metric] = []  # of the model's layers, which update them themselves
        self._tracker = metrics.Mean(name="loss")
        self._total = 0.0  # of the loss, over samples
        self._count = 0
        self._waiting: list[Any] | None = None  # of another process, until the metrics are known

    def expect(self, outputs: Sequence[str] | None) -> None:
        """Say for which outputs this is. outputs: the names of those of a model that has several,
        empty for those without one; None for one.

        Raises:
            ValueError: arguments that do not fit them.
        """
        names = list(outputs or ())
        loss, loss_weights, user, weighted = self._arguments
        found = zip(
            _each(loss, "loss", names, shared=True),
            _each(loss_weights, "loss_weights", names, shared=not isinstance(loss_weights, dict)),
            _each(user, "metrics", names),
            _each(weighted, "weighted_metrics", names),
            names or [""],
            strict=True,
        )
        self.judged = [
            Judged(
                _one(one, "loss"),
                _number(_one(weight, "loss_weights")),
                _listed(_held(plain, names), "metrics"),
                _listed(_held(other, names), "weighted_metrics"),
                f"{name}_" if name and len(names) > 1 else "",
            )
            for one, weight, plain, other, name in found
        ]
        with_loss = [judged for judged in self.judged if judged.user_loss is not None]
        self.has_loss = bool(with_loss)
        # Keras names the loss of each output where more than one has a loss.
        keys = [judged.loss_key for judged in with_loss]
        self._apart = dict(zip(told_apart(keys), with_loss, strict=True)) if len(keys) > 1 else {}

    def with_loss(self) -> list[int]:
        """Return which of the outputs have a loss."""
        return [i for i, judged in enumerate(self.judged) if judged.user_loss is not None]

    def meet(self, y: Perhaps, y_pred: Arrays) -> None:
        """Look up losses and metrics, if that has not been done, for this batch."""
        if not self.resolved:
            self.resolve(
                [() if one is None else one.shape for one in y or [None] * len(self.judged)],
                [one.shape for one in y_pred],
            )

    def resolve(self, y_shapes: Sequence[Any], pred_shapes: Sequence[Any]) -> None:
        """Look up losses and metrics for targets and predictions of these shapes, batch first.

        Raises:
            ValueError: an unknown loss or metric, another number of targets than of outputs.
        """
        if not self.judged:
            self.expect([""] * len(pred_shapes))
        if not len(y_shapes) == len(pred_shapes) == len(self.judged):
            raise ValueError(
                f"The model gives {len(pred_shapes)} outputs, and was compiled for "
                f"{len(self.judged)}. Received: {len(y_shapes)} targets"
            )
        for judged, y_shape, pred_shape in zip(self.judged, y_shapes, pred_shapes, strict=True):
            judged.resolve(y_shape, pred_shape)
        keys = iter(told_apart(key for judged in self.judged for key in judged.named))
        for judged in self.judged:
            judged.named = {next(keys): metric for metric in judged.named.values()}
        self.resolved = True
        if self._waiting is not None:
            self.count_on(self._waiting)
            self._waiting = None

    @property
    def metrics(self) -> list[Metric]:
        """The mean of the loss, and the metrics once they are known."""
        for judged in self.judged:
            judged.flush()
        self._tracker.reset_state()
        if self._count:
            self._tracker.update_state(self._total / self._count, sample_weight=self._count)
        found = [[*judged.plain, *judged.weighted] for judged in self.judged]
        return [self._tracker, *(metric for some in found for metric in some), *self.own]

    @property
    def names(self) -> list[str]:
        """The keys of the logs, in the order of compile."""
        found = [judged.named if self.resolved else judged.names for judged in self.judged]
        own = [metric.name for metric in self.own]
        known = ["loss", *self._apart, *(name for names in found for name in names)]
        return known + [name for name in own if name not in known]

    def data_loss(self, y: Perhaps, y_pred: Arrays, weight: Perhaps) -> tuple[float, list[float]]:
        """Return the loss of a batch, weighed, without penalties; and those of the outputs.

        Raises:
            ValueError: targets are missing, or do not fit.
        """
        found = [float(value) for value in self.losses(y, y_pred, weight)]
        return self.weighed(found), found

    def losses(self, y: Perhaps, y_pred: Sequence[Any], weight: Perhaps) -> list[Any]:
        """Return the losses of the outputs, which are recorded where the predictions are."""
        return [
            judged.data_loss(one, pred, factor)
            for judged, one, pred, factor in zip(
                self.judged, self.each(y), y_pred, self.each(weight), strict=True
            )
        ]

    def weighed(self, losses: Sequence[Any]) -> Any:
        """Return the sum of the outputs' losses, each with its weight."""
        return sum(value * judged.weight for value, judged in zip(losses, self.judged, strict=True))

    def each(self, arrays: Perhaps) -> Sequence[Any]:
        """Return an array, or None, for each output."""
        return [None] * len(self.judged) if arrays is None else arrays

    def is_mean_over_samples(self) -> bool:
        """Whether losses and metrics of many samples are the means of those of their parts, each
        counting as much as it has samples."""
        return all(judged.is_mean_over_samples() for judged in self.judged)

    def update(
        self,
        loss: float,
        losses: Sequence[float],
        y: Perhaps,
        y_pred: Arrays,
        weight: Perhaps = None,
        masks: Perhaps = None,
    ) -> None:
        """Count a batch: its loss, those of the outputs, and the predictions."""
        self.count(loss, losses, len(y_pred[0]))
        if self.has_metrics:
            self.measure(y, y_pred, weight, masks)

    def count(self, loss: float, losses: Sequence[float], count: int) -> None:
        """Count the loss of so many samples, and those of the outputs."""
        self._total += loss * count
        self._count += count
        for i, judged in enumerate(self.judged):
            judged.total += losses[i] * count

    def measure(
        self, y: Perhaps, y_pred: Arrays, weight: Perhaps = None, masks: Perhaps = None
    ) -> None:
        """Count the predictions of a batch in the metrics."""
        for i, judged in enumerate(self.judged):
            if judged.named:
                one, factor, mask = (None if a is None else a[i] for a in (y, weight, masks))
                judged.update(one, y_pred[i], factor, mask)

    def results(self) -> dict[str, float]:
        """Return the losses and the metrics of what was counted, in the order of their names."""
        logs: dict[str, Any] = {"loss": self._total / self._count if self._count else 0.0}
        for key, judged in self._apart.items():
            logs[key] = judged.total / self._count if self._count else 0.0
        for judged in self.judged:
            if judged.named:
                logs.update(judged.results())
        for metric in self.own:
            logs.update(results_of(metric, metric.name))
        return dict(sorted(logs.items())) if len(logs) > 1 else logs

    def reset(self) -> None:
        """Begin to count anew."""
        self._total, self._count = 0.0, 0
        for judged in self.judged:
            judged.reset()
        for metric in self.own:
            metric.reset_state()

    def counted(self) -> list[Any]:
        """Return how far the counting is, as plain lists and numbers."""
        for judged in self.judged:
            judged.flush()
        totals = [self._total, *(judged.total for judged in self.judged)]
        return [totals, self._count, [v.numpy().tolist() for v in self._variables()]]

    def count_on(self, counted: list[Any]) -> None:
        """Go on where `counted` was asked: now, or when the metrics are known."""
        (self._total, *totals), self._count, values = counted
        for judged, total in zip(self.judged, totals, strict=False):
            judged.total = total
        if self.resolved:
            for variable, value in zip(self._variables(), values, strict=True):
                variable.assign(value)
        elif values:
            self._waiting = counted

    def _variables(self) -> list[Any]:
        metrics = [metric for judged in self.judged for metric in judged.named.values()]
        return [variable for metric in [*metrics, *self.own] for variable in metric.variables]

    def in_order(self, logs: dict[str, float]) -> Any:
        """Return the values in the order of compile: a list, or the loss if it is alone."""
        if len(logs) == 1:
            return next(iter(logs.values()))
        known = self.names
        values = [logs[name] for name in known if name in logs]
        return values + [logs[name] for name in logs if name not in known]


def _each(value: Any, what: str, names: list[str], *, shared: bool = False) -> list[Any]:
    """Return what an argument of `compile` says for each output.

    shared: one that is no list or dict is for all of them.
    """
    described = isinstance(value, dict) and {"class_name", "config"} <= value.keys()
    if len(names) < 2 and not (shared and isinstance(value, dict) and any(names)):
        return [value]  # what a dict calls the only output counts for its loss alone, as in Keras
    if value is None or not isinstance(value, (list, tuple, dict)) or described:
        if value is not None and not shared:
            raise ValueError(
                f"compile: `{what}` must be a list or a dict with an item for each of the outputs "
                f"{names}. Received: {value!r}"
            )
        return [value] * len(names)
    if isinstance(value, dict):
        unknown = sorted(value.keys() - set(names))
        if unknown or (shared and not value):
            raise ValueError(
                f"compile: expected keys {names} in `{what}`. Received: {sorted(value)}"
            )
        return [value.get(name) for name in names]
    if len(value) != len(names):
        raise ValueError(
            f"compile: `{what}` must have an item for each of the outputs {names}. "
            f"Received: {value!r}"
        )
    return list(value)


def _number(weight: Any) -> float:
    if weight is not None and not isinstance(weight, (int, float, np.number)):
        raise ValueError(f"compile: `loss_weights` must be floats. Received: {weight!r}")
    return 1.0 if weight is None else float(weight)


def _one(value: Any, name: str) -> Any:
    """What one output has, taken out of its list or dict."""
    if isinstance(value, dict) and not {"class_name", "config"} <= value.keys():
        value = list(value.values())
    if not isinstance(value, (list, tuple)):
        return value
    if len(value) != 1:
        raise ValueError(f"compile: `{name}` must be one for each output. Received: {value!r}")
    return _one(value[0], name)


def _held(value: Any, names: list[str]) -> Any:
    """One metric of one output of several, in a list."""
    return [value] if len(names) > 1 and value and not isinstance(value, (list, tuple)) else value


def _listed(value: Any, name: str) -> list[Any]:
    """The metrics of one output, out of lists and dicts."""
    if not value:
        return []
    if not isinstance(value, (list, tuple, dict)):
        raise ValueError(
            f"compile: `{name}` must be a list, a tuple or a dict. "
            f"Received: {value!r} of type {type(value).__name__}"
        )
    found: list[Any] = []
    for item in value.values() if isinstance(value, dict) else value:
        found += _listed(item, name) if isinstance(item, (list, tuple)) else [item]
    return found
