"""What `compile` settles: the optimizer, the loss, the metrics, and how far they have counted."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _plan, losses, metrics, optimizers

if TYPE_CHECKING:
    from ..losses import Loss
    from ..metrics import Metric

_PENDING_BYTES = 1 << 20  # of predictions that wait for somebody to ask for the metrics


class Compiled:
    """The arguments of one `compile`, and the state of its loss and metrics.

    Loss and metrics are looked up when the first targets and predictions are there, whose shapes
    say what "accuracy" and "crossentropy" mean.

    Raises:
        ValueError: an unknown optimizer, loss weights that are no number, metrics in no container.
    """

    def __init__(
        self, optimizer: Any, loss: Any, loss_weights: Any, user: Any, weighted: Any
    ) -> None:
        self.optimizer = optimizers.get(optimizer)
        self._user_loss = _one(loss, "loss")
        weight = _one(loss_weights, "loss_weights")
        if weight is not None and not isinstance(weight, (int, float, np.number)):
            raise ValueError(f"compile: `loss_weights` must be a float. Received: {loss_weights!r}")
        self.loss_weight = 1.0 if weight is None else float(weight)
        self._user_metrics = _listed(user, "metrics")
        self._user_weighted = _listed(weighted, "weighted_metrics")
        self.has_loss = self._user_loss is not None
        self.loss: Loss | None = None
        self.resolved = False
        self._named: dict[str, Metric] = {}  # by the key of the logs
        self._plain: list[Metric] = []
        self._weighted: list[Metric] = []
        self._batchwise: list[Metric] = []  # not to be measured over several batches at once
        self._tracker = metrics.Mean(name="loss")
        self._total = 0.0  # of the loss, over samples
        self._count = 0
        self._pending = Pending()
        self._waiting: list[Any] | None = None  # of another process, until the metrics are known

    def resolve(self, y_shape: tuple[int, ...], pred_shape: tuple[int, ...]) -> None:
        """Look up loss and metrics for targets and predictions of these shapes, batch first.

        Raises:
            ValueError: an unknown loss or metric.
        """
        self.loss = losses.pick(self._user_loss, y_shape, pred_shape)
        self._plain, self._weighted = (
            [metrics.pick(item, y_shape, pred_shape, self.loss) for item in items]
            for items in (self._user_metrics, self._user_weighted)
        )
        self._named = dict(_keys(self._plain, self._weighted))
        self._batchwise = [m for m in self._named.values() if not _is_per_sample(m)]
        self.resolved = True
        if self._waiting is not None:
            self.count_on(self._waiting)
            self._waiting = None

    def meet(self, y: np.ndarray | None, y_pred: np.ndarray) -> None:
        """Look up loss and metrics, if that has not been done, for this batch."""
        if not self.resolved:
            self.resolve(() if y is None else y.shape, y_pred.shape)

    @property
    def metrics(self) -> list[Metric]:
        """The mean of the loss, and the metrics once they are known."""
        self._flush()
        self._tracker.reset_state()
        if self._count:
            self._tracker.update_state(self._total / self._count, sample_weight=self._count)
        return [self._tracker, *self._plain, *self._weighted]

    @property
    def names(self) -> list[str]:
        """The keys of the logs, in the order of compile."""
        if self.resolved:
            return ["loss", *self._named]
        return ["loss", *map(_name_of, [*self._user_metrics, *self._user_weighted])]

    def data_loss(self, y: Any, y_pred: np.ndarray, weight: Any) -> float:
        """Return the loss of a batch, weighed, without penalties; 0 if there is no loss.

        Raises:
            ValueError: the targets are missing, or do not fit.
        """
        if self.loss is None:
            return 0.0
        if y is None:
            raise ValueError("The loss needs targets: `y` is None.")
        return float(self.loss(y, y_pred, weight)) * self.loss_weight

    def is_mean_over_samples(self) -> bool:
        """Whether loss and metrics of many samples are the means of those of their parts, each
        counting as much as it has samples."""
        if self._batchwise:
            return False
        if self.loss is None:
            return True
        kernel = self.loss.kernel()
        mean = self.loss.reduction in ("sum_over_batch_size", "mean")
        return mean and kernel is not None and kernel[1].get("ignore_class") is None

    def update(
        self,
        loss: float,
        y: np.ndarray | None,
        y_pred: np.ndarray,
        weight: np.ndarray | None = None,
        mask: np.ndarray | None = None,
    ) -> None:
        """Count a batch: its loss, and its predictions, which are copied if they must wait."""
        count = len(y_pred)
        self._total += loss * count
        self._count += count
        if not self._named:
            return
        if y is None:
            raise ValueError("compile: `metrics` were asked for, and there are no targets `y`.")
        if mask is not None or self._batchwise:
            self._flush()
            self._measure(y, _plan.KerasArray.attach(y_pred, mask), weight)
            return
        weight = weight if self._weighted else None
        if not self._pending.take(y, y_pred, weight):
            self._flush()
            if not self._pending.take(y, y_pred, weight):
                self._measure(y, y_pred, weight)

    def results(self) -> dict[str, float]:
        """Return the loss and the metrics of what was counted, in the order of their names."""
        self._flush()
        loss = self._total / self._count if self._count else 0.0
        logs: dict[str, Any] = {"loss": loss}
        for key, metric in self._named.items():
            result = metric.result()
            if isinstance(result, dict):
                logs.update((name, _plain_value(value)) for name, value in result.items())
            else:
                logs[key] = _plain_value(result)
        return dict(sorted(logs.items()))

    def reset(self) -> None:
        """Begin to count anew."""
        self._total, self._count = 0.0, 0
        self._pending.clear()
        for metric in self._named.values():
            metric.reset_state()

    def counted(self) -> list[Any]:
        """Return how far the counting is, as plain lists and numbers."""
        self._flush()
        return [self._total, self._count, [v.numpy().tolist() for v in self._variables()]]

    def count_on(self, counted: list[Any]) -> None:
        """Go on where `counted` was asked: now, or when the metrics are known."""
        self._total, self._count, values = counted
        if self.resolved:
            for variable, value in zip(self._variables(), values, strict=True):
                variable.assign(value)
        elif values:
            self._waiting = counted

    def _variables(self) -> list[Any]:
        return [variable for metric in self._named.values() for variable in metric.variables]

    def in_order(self, logs: dict[str, float]) -> Any:
        """Return the values in the order of compile: a list, or the loss if it is alone."""
        known = self.names
        values = [logs[name] for name in known if name in logs]
        values += [logs[name] for name in logs if name not in known]
        return values[0] if len(values) == 1 else values

    def _flush(self) -> None:
        pending = self._pending
        if pending.rows:
            y, y_pred, weight = pending.content()
            pending.clear()
            self._measure(y, y_pred, weight)

    def _measure(self, y: np.ndarray, y_pred: np.ndarray, weight: np.ndarray | None) -> None:
        for metric in self._plain:
            metric.update_state(y, y_pred)
        for metric in self._weighted:
            metric.update_state(y, y_pred, weight)


class Pending:
    """Predictions and their targets that wait to be measured together: few updates of many rows
    cost less than many of few."""

    def __init__(self) -> None:
        self.rows = 0
        self._size = 0
        self._kind: Any = None
        self._arrays: list[np.ndarray | None] = []

    def take(self, y: np.ndarray, y_pred: np.ndarray, weight: np.ndarray | None) -> bool:
        """Copy a batch; False if there is no room for it, or rows of another kind wait."""
        kind = (
            y.shape[1:], y.dtype, y_pred.shape[1:], y_pred.dtype,
            None if weight is None else weight.shape[1:],
        )  # fmt: skip
        if kind != self._kind:
            if self.rows:
                return False
            row = (y.nbytes + y_pred.nbytes) // max(len(y), 1)
            self._size = max(_PENDING_BYTES // max(row, 1), len(y))
            self._arrays = [
                None if a is None else np.empty((self._size, *a.shape[1:]), a.dtype)
                for a in (y, y_pred, weight)
            ]
            self._kind = kind
        end = self.rows + len(y)
        if end > self._size:
            return False
        for room, array in zip(self._arrays, (y, y_pred, weight), strict=True):
            if room is not None:
                room[self.rows : end] = array
        self.rows = end
        return True

    def content(self) -> list[Any]:
        return [None if a is None else a[: self.rows] for a in self._arrays]

    def clear(self) -> None:
        self.rows = 0


def _one(value: Any, name: str) -> Any:
    """The loss of a model of one output, taken out of its list or dict."""
    if isinstance(value, dict) and not {"class_name", "config"} <= value.keys():
        value = list(value.values())
    if not isinstance(value, (list, tuple)):
        return value
    if len(value) != 1:
        raise ValueError(
            f"compile: `{name}` must be one: models of several outputs are not supported. "
            f"Received: {value!r}"
        )
    return value[0]


def _listed(value: Any, name: str) -> list[Any]:
    """The metrics of a model of one output, out of lists and dicts."""
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


def _keys(plain: list[Metric], weighted: list[Metric]) -> Iterator[tuple[str, Metric]]:
    """The keys of the logs: the metrics' names, told apart where they repeat."""
    used: dict[str, int] = {}
    for prefix, items in (("", plain), ("weighted_", weighted)):
        for metric in items:
            name = metric.name if metric.name not in used else prefix + metric.name
            repeats = used.get(name, 0)
            used[name] = repeats + 1
            yield (f"{name}_{repeats}" if repeats else name), metric


def _name_of(item: Any) -> str:
    return item if isinstance(item, str) else losses.name_of(item)


def _is_per_sample(metric: Metric) -> bool:
    """Whether batches may be measured together: the result is the same."""
    function = getattr(metric, "_fn", None)
    package = __name__.partition(".")[0]
    if not type(metric).__module__.startswith(metrics.__name__):
        return False
    if function is None:
        return True
    return isinstance(function, FunctionType) and function.__module__.startswith(f"{package}.")


def _plain_value(value: Any) -> Any:
    """A result as Python's float; one of several numbers as it is."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array
