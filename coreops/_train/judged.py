"""One output of a model as `compile` says: its loss, its metrics, and how far they have counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _plan, losses, metrics

if TYPE_CHECKING:
    from ..losses import Loss
    from ..metrics import Metric

_PENDING_BYTES = 1 << 20  # of predictions that wait for somebody to ask for the metrics


class Judged:
    """What is asked of one output.

    Loss and metrics are looked up when the first targets and predictions are there, whose shapes
    say what "accuracy" and "crossentropy" mean. prefix: of the metrics' keys in the logs.
    """

    def __init__(
        self, user_loss: Any, weight: float, user: list[Any], weighted: list[Any], prefix: str
    ) -> None:
        self.user_loss = user_loss
        self.weight = weight
        self.prefix = prefix
        self._user_metrics, self._user_weighted = user, weighted
        self.loss: Loss | None = None
        self.named: dict[str, Metric] = {}  # by the key of the logs
        self.plain: list[Metric] = []
        self.weighted: list[Metric] = []
        self.total = 0.0  # of the loss, over samples
        self._batchwise: list[Metric] = []  # not to be measured over several batches at once
        self._pending = Pending()

    def resolve(self, y_shape: tuple[int, ...], pred_shape: tuple[int, ...]) -> None:
        """Look up loss and metrics for targets and predictions of these shapes, batch first.

        Raises:
            ValueError: an unknown loss or metric.
        """
        self.loss = losses.pick(self.user_loss, y_shape, pred_shape)
        self.plain, self.weighted = (
            [metrics.pick(item, y_shape, pred_shape, self.loss) for item in items]
            for items in (self._user_metrics, self._user_weighted)
        )
        keyed = _keys(self.plain, self.weighted)
        self.named = {self.prefix + key: metric for key, metric in keyed}
        self._batchwise = [m for m in self.named.values() if not _is_per_sample(m)]

    @property
    def loss_key(self) -> str:
        """What the loss is called where each output's is in the logs: by the output's name or, if
        that has none, by its own."""
        return f"{self.prefix or _name_of(self.user_loss) + '_'}loss"

    @property
    def names(self) -> list[str]:
        """The keys of the metrics before they are known."""
        items = [*self._user_metrics, *self._user_weighted]
        return [self.prefix + _name_of(item) for item in items]

    def data_loss(self, y: Any, y_pred: Any, weight: Any) -> Any:
        """Return the loss of a batch, not weighed against others, without penalties; 0 if there is
        no loss. It is recorded if the predictions are.

        Raises:
            ValueError: the targets are missing, or do not fit.
        """
        if self.loss is None:
            return 0.0
        if y is None:
            raise ValueError("The loss needs targets: `y` is None.")
        self.loss.check_labels(y.shape, y_pred.shape)
        if self.loss is not self.user_loss:
            self.loss.widen(y_pred.dtype)
        return self.loss(y, y_pred, weight)

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
        y: np.ndarray | None,
        y_pred: np.ndarray,
        weight: np.ndarray | None = None,
        mask: np.ndarray | None = None,
    ) -> None:
        """Count a batch's predictions, which are copied if they must wait; only where there are
        metrics."""
        if y is None:
            raise ValueError("compile: `metrics` were asked for, and there are no targets `y`.")
        if mask is not None or self._batchwise:
            self.flush()
            self._measure(y, _plan.KerasArray.attach(y_pred, mask), weight)
            return
        weight = weight if self.weighted else None
        if not self._pending.take(y, y_pred, weight):
            self.flush()
            if not self._pending.take(y, y_pred, weight):
                self._measure(y, y_pred, weight)

    def results(self) -> Iterator[tuple[str, Any]]:
        """Yield the keys and the values of the metrics."""
        self.flush()
        for key, metric in self.named.items():
            yield from results_of(metric, key, self.prefix)

    def reset(self) -> None:
        """Begin to count anew."""
        self.total = 0.0
        self._pending.clear()
        for metric in self.named.values():
            metric.reset_state()

    def flush(self) -> None:
        """Measure what waits."""
        pending = self._pending
        if pending.rows:
            y, y_pred, weight = pending.content()
            pending.clear()
            self._measure(y, y_pred, weight)

    def _measure(self, y: np.ndarray, y_pred: np.ndarray, weight: np.ndarray | None) -> None:
        for metric in self.plain:
            metric.update_state(y, y_pred)
        for metric in self.weighted:
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


def _keys(plain: list[Metric], weighted: list[Metric]) -> Iterator[tuple[str, Metric]]:
    """The keys of the logs: the metrics' names, told apart where they repeat."""
    used: dict[str, int] = {}
    for prefix, items in (("", plain), ("weighted_", weighted)):
        for metric in items:
            name = metric.name if metric.name not in used else prefix + metric.name
            repeats = used.get(name, 0)
            used[name] = repeats + 1
            yield (f"{name}_{repeats}" if repeats else name), metric


def told_apart(keys: Iterable[str]) -> list[str]:
    """Return the keys, with a number where one was there before."""
    found: list[str] = []
    for key in keys:
        numbered = (f"{key}_{number}" for number in count(1))
        found.append(key if key not in found else next(k for k in numbered if k not in found))
    return found


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


def results_of(metric: Metric, key: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield a metric's results for the logs: one by its key, several by their own names."""
    result = metric.result()
    if isinstance(result, dict):
        yield from ((prefix + name, plain_value(value)) for name, value in result.items())
    else:
        yield key, plain_value(result)


def plain_value(value: Any) -> Any:
    """A result as Python's float; one of several numbers as it is."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array
