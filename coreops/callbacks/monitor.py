"""Callbacks that watch a metric: EarlyStopping, ReduceLROnPlateau; and learning rates by epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .._warnings import warn
from .callback import Callback
from .progress import say


class MonitorCallback(Callback):
    """Base of callbacks that ask whether a metric improves.

    Args:
        monitor: a key of the logs.
        mode: "min" or "max", what is better; "auto" knows for the loss and for metrics of ours.
        baseline: what the first value has to beat, or None.
        min_delta: by how much, at least, a value must be better to count as an improvement.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        baseline: float | None = None,
        min_delta: float = 0,
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warn(f'{type(self).__name__}: there is no mode {mode!r}; "auto" is taken.')
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = baseline
        self.min_delta = abs(min_delta)
        self.monitor_op: Callable | None = None  # np.less or np.greater, once it is known

    def _set_monitor_op(self) -> None:
        """Find out what is better, if that is not known.

        Raises:
            ValueError: the mode is "auto", and the metric does not tell.
        """
        if self.monitor_op is not None:
            return
        mode = self.mode
        name = self.monitor.removeprefix("val_")
        if mode == "auto" and name == "loss":
            mode = "min"
        for metric in getattr(self.model, "metrics", ()) if mode == "auto" else ():
            if metric.name == name and getattr(metric, "_direction", None) in ("up", "down"):
                mode = "max" if metric._direction == "up" else "min"
        if mode == "auto":
            raise ValueError(
                f"{type(self).__name__}: whether monitor='{self.monitor}' should be large or small "
                "is not known: pass mode='max' or mode='min'."
            )
        self.monitor_op = np.less if mode == "min" else np.greater

    def _is_improvement(self, value: float, reference: float | None) -> bool:
        if reference is None:
            return True
        assert self.monitor_op is not None  # set before the first comparison
        delta = -self.min_delta if self.monitor_op is np.less else self.min_delta
        return bool(self.monitor_op(value - delta, reference))

    def _current(self, logs: dict[str, Any], purpose: str) -> Any:
        """The monitored value; None, with a warning, if the logs have none."""
        value = logs.get(self.monitor)
        if value is None:
            warn(
                f"{purpose} `{self.monitor}`, which is not available. "
                f"Available metrics are: {','.join(logs)}"
            )
        return value


class EarlyStopping(MonitorCallback):
    """Ends training when a metric has stopped to improve.

    Args:
        monitor: a key of the logs.
        min_delta: by how much, at least, a value must be better to count as an improvement.
        patience: epochs without an improvement after which training ends.
        verbose: 1 says so when it happens.
        mode: "min", "max" or "auto".
        baseline: a value that must be beaten within `patience` epochs, or None.
        restore_best_weights: whether the model gets the weights of its best epoch in the end.
        start_from_epoch: epochs before this one are not looked at.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._forget()

    def _forget(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_epoch = 0
        self.best_weights: list[np.ndarray] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._forget()

    def get_monitor_value(self, logs: dict[str, Any] | None) -> Any:
        """Return what is to improve, None if it is not known; a subclass may make it of several."""
        return self._current(logs or {}, "Early stopping depends on the metric")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._set_monitor_op()
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch
        self.wait += 1
        if self._is_improvement(current, self.best):
            self.best = current
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            say(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose > 0:
                say(f"The model gets the weights of epoch {self.best_epoch + 1} back, the best.")
            self.model.set_weights(self.best_weights)


class ReduceLROnPlateau(MonitorCallback):
    """Lowers the learning rate when a metric has stopped to improve.

    Args:
        monitor: a key of the logs.
        factor: what the rate is multiplied with; below 1.
        patience: epochs without an improvement after which that happens.
        verbose: 1 says so when it happens.
        mode: "min", "max" or "auto".
        min_delta: by how much, at least, a value must be better to count as an improvement.
        cooldown: epochs after it in which none is counted.
        min_lr: the lowest rate.
        **kwargs: ignored, as in Keras.

    Raises:
        ValueError: `factor` is 1 or more.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(
                f"ReduceLROnPlateau: `factor` must be below 1. Received: factor={factor}"
            )
        self.factor = factor
        self.min_lr = min_lr
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.cooldown_counter = 0
        self.wait = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.best = None
        self.cooldown_counter = 0
        self.wait = 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = {} if logs is None else logs
        logs["learning_rate"] = rate = learning_rate(self.model.optimizer)
        self._set_monitor_op()
        current = self._current(logs, "Reducing the learning rate depends on the metric")
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            # The rate is a float32: a lowest rate that float32 cannot hold is compared as one.
            if self.wait >= self.patience and rate > np.float32(self.min_lr):
                lower = max(rate * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = lower
                if self.verbose > 0:
                    say(f"\nEpoch {epoch + 1}: the learning rate is reduced to {lower}.")
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether epochs without an improvement are not counted."""
        return self.cooldown_counter > 0


class LearningRateScheduler(Callback):
    """Sets the learning rate before every epoch.

    Args:
        schedule: called as `(epoch, rate)`, or as `(epoch)`; returns the rate, a float.
        verbose: 1 says which it is.

    Raises:
        ValueError: (from `fit`) the schedule returned no float.
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        optimizer = self.model.optimizer
        try:
            rate = self.schedule(epoch, learning_rate(optimizer))
        except TypeError:  # of one argument
            rate = self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)):
            raise ValueError(
                "LearningRateScheduler: `schedule` must return a float. "
                f"Received: {rate!r} for epoch {epoch}"
            )
        optimizer.learning_rate = rate
        if self.verbose > 0:
            say(f"\nEpoch {epoch + 1}: the learning rate is set to {rate}.")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = learning_rate(self.model.optimizer)


def learning_rate(optimizer: Any) -> float:
    """Return the learning rate as a float; of a schedule that of the present step."""
    if not hasattr(optimizer, "learning_rate"):
        raise ValueError(f"The optimizer has no `learning_rate`: {optimizer!r}")
    return float(np.asarray(optimizer.learning_rate))
