"""Callback, and the list that fit calls them through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class Callback:
    """Base class of callbacks: override the hooks that should do something.

    Attributes:
        params: dict with `verbose`, `epochs` and `steps`.
        model: the model that is trained, evaluated or predicts. Setting its `stop_training` ends
            `fit` after the batch or the epoch.

    `logs` are the metrics up to now, as Python floats, the loss among them.
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] | None = None
        self._model: Any = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Keep what `fit` says of itself in `params`: `epochs`, `steps`, `verbose`."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Keep the model, which `model` gives."""
        self._model = model

    @property
    def model(self) -> Any:
        """The model that is fitted, evaluated or predicts."""
        return self._model

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called when `fit` begins."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called when `fit` ends, with the logs of its last epoch."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after an epoch and its validation, whose logs begin with "val_"."""

    def on_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The old name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """The old name of `on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before a step of `fit`, counted from 0 in its epoch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after a step of `fit`."""
        self.on_batch_end(batch, logs=logs)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called when `evaluate`, or a validation in `fit`, begins."""

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called when it ends."""

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before each of its batches."""

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after each of its batches."""

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Called when `predict` begins."""

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """Called when it ends."""

    def on_predict_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called before each of its batches."""

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Called after each of its batches, with `logs["outputs"]`."""


_OLD_NAMES = {"on_train_batch_begin": "on_batch_begin", "on_train_batch_end": "on_batch_end"}


def is_overridden(callback: Any, hook: str) -> bool:
    """Whether a callback does something in that hook."""
    own = getattr(getattr(callback, hook), "__func__", None) is not getattr(Callback, hook)
    return own or (hook in _OLD_NAMES and is_overridden(callback, _OLD_NAMES[hook]))


class CallbackList(Callback):
    """Calls several callbacks, one after the other.

    Args:
        callbacks: a callback, or lists of them.
        add_history: whether to add a `History` if there is none.
        add_progbar: whether to add a `ProgbarLogger` if there is none.
        model: the model.
        **params: go to the callbacks' `set_params`.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        from .history import History
        from .progress import ProgbarLogger

        super().__init__()
        self.callbacks = list(_flat(callbacks))
        for callback in self.callbacks:
            if not hasattr(callback, "on_train_begin"):
                raise ValueError(
                    f"`callbacks` must hold instances of Callback. Received: {callback!r}"
                )
        self._history = self._last(History)
        if self._history is None and add_history:
            self._history = History()
            self.callbacks.append(self._history)
        self.progbar = self._last(ProgbarLogger)
        if self.progbar is None and add_progbar:
            self.progbar = ProgbarLogger()
            self.callbacks.append(self.progbar)
        self.set_model(model)
        self.set_params(params)

    def _last(self, cls: type) -> Any:
        return next((c for c in reversed(self.callbacks) if isinstance(c, cls)), None)

    def append(self, callback: Any) -> None:
        """Add a callback."""
        self.callbacks.append(callback)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        if model is None:
            return
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def watches(self, hook: str) -> bool:
        """Whether any callback but the progress bar does something in that hook."""
        return any(
            callback is not self.progbar and is_overridden(callback, hook)
            for callback in self.callbacks
        )


def _flat(callbacks: Any) -> Iterator[Any]:
    if isinstance(callbacks, (list, tuple)):
        for item in callbacks:
            yield from _flat(item)
    elif callbacks is not None:
        yield callbacks


def _forwarded(hook: str, counted: bool) -> Any:
    """The list's method for a hook: it calls that of every callback."""
    if counted:

        def call_counted(self: CallbackList, number: int, logs: Any = None) -> None:
            logs = {} if logs is None else logs
            for callback in self.callbacks:
                getattr(callback, hook)(number, logs)

        return call_counted

    def call(self: CallbackList, logs: Any = None) -> None:
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, hook)(logs)

    return call


for _hook in [name for name in vars(Callback) if name.startswith("on_")]:
    _made = _forwarded(_hook, "batch" in _hook or "epoch" in _hook)
    _made.__name__ = _hook
    _made.__qualname__ = f"CallbackList.{_hook}"
    _made.__doc__ = f"Call `{_hook}` of each callback."
    setattr(CallbackList, _hook, _made)
