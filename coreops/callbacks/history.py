"""Callbacks that record: History, CSVLogger; and those of a line or two."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from typing import Any, TextIO

import numpy as np

from .callback import Callback
from .progress import say


class History(Callback):
    """Records the logs of all epochs; `fit` returns it.

    Attributes:
        history: dict from the name of each metric to its values, one per epoch.
        epoch: the numbers of the epochs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch.append(epoch)
        for key, value in (logs or {}).items():
            self.history.setdefault(key, []).append(value)
        self.model.history = self


class CSVLogger(Callback):
    """Writes the logs of each epoch to a file, as a row of comma separated values.

    Args:
        filename: the file.
        separator: what stands between the values.
        append: whether to add to a file that exists, without a second header.
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        super().__init__()
        self.sep = separator
        self.filename = os.fspath(filename)
        self.append = append
        self.writer: Any = None
        self.keys: list[str] | None = None
        self.append_header = True
        self.csv_file: TextIO | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._close()
        if self.append and os.path.exists(self.filename):
            self.append_header = os.path.getsize(self.filename) == 0
        # Open from here to on_train_end, beyond any block of code.
        self.csv_file = open(  # noqa: SIM115
            self.filename, "a" if self.append else "w", newline="", encoding="utf-8"
        )
        self.keys = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        assert self.csv_file is not None  # opened at the beginning
        if self.keys is None:
            self.keys = sorted(logs)
            if self.keys and not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
        if self.writer is None:
            import csv

            self.writer = csv.DictWriter(
                self.csv_file, ["epoch", *self.keys], delimiter=self.sep, lineterminator="\n"
            )
            if self.append_header:
                self.writer.writeheader()
        row = {key: _cell(logs.get(key, "NA")) for key in self.keys}
        self.writer.writerow({"epoch": epoch, **row})
        self.csv_file.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        self._close()

    def _close(self) -> None:
        if self.csv_file is not None and not self.csv_file.closed:
            self.csv_file.close()
        self.writer = None


def _cell(value: Any) -> Any:
    is_list = isinstance(value, Iterable) and not isinstance(value, str)
    if is_list and np.ndim(value):
        return f'"[{", ".join(map(str, value))}]"'
    return value


class LambdaCallback(Callback):
    """Calls the functions that it is given in the hooks of those names.

    Args:
        on_epoch_begin: called as `(epoch, logs)`, as is `on_epoch_end`.
        on_epoch_end: see there.
        on_train_begin: called as `(logs)`, as is `on_train_end`.
        on_train_end: see there.
        on_train_batch_begin: called as `(batch, logs)`, as is `on_train_batch_end`.
        on_train_batch_end: see there.
        **kwargs: any other hook, or attribute.
    """

    def __init__(
        self,
        on_epoch_begin: Callable | None = None,
        on_epoch_end: Callable | None = None,
        on_train_begin: Callable | None = None,
        on_train_end: Callable | None = None,
        on_train_batch_begin: Callable | None = None,
        on_train_batch_end: Callable | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        given = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
        }
        self.__dict__.update(kwargs)
        self.__dict__.update({hook: call for hook, call in given.items() if call is not None})


class TerminateOnNaN(Callback):
    """Stops training when the loss is not finite.

    Args:
        raise_error: whether to raise instead, which leaves out the `on_train_end` of all callbacks.

    Raises:
        RuntimeError: (from `fit`) if that was asked for.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(f"The loss of batch {batch} is {loss}, a NaN or infinite.")
        say(f"Batch {batch}: the loss is {loss}: training stops.")
        self.model.stop_training = True
