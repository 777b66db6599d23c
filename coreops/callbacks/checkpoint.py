"""Callbacks that write files: ModelCheckpoint and BackupAndRestore.

Every file changes at once: a process that is killed at any moment leaves the old one or the new
one, whole.
"""

from __future__ import annotations

import os
from typing import Any

from .._warnings import warn
from .callback import Callback
from .monitor import MonitorCallback
from .progress import say


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, as training goes on.

    Args:
        filepath: the file; `{epoch:02d}`, `{batch}` and the keys of the logs are filled in. It
            ends in ".weights.h5" for weights only, else in ".keras", or in ".h5" for a file of
            Keras 2's.
        monitor: the key of the logs that `save_best_only` looks at.
        verbose: 1 says when something is saved.
        save_best_only: whether to save only when the monitored value improves.
        save_weights_only: whether to save the weights alone.
        mode: "min", "max" or "auto".
        save_freq: "epoch", or the number of batches after which to save.
        initial_value_threshold: the value that the first one has to beat, or None.

    Raises:
        ValueError: another ending, or another `save_freq`.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: int | str = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        self.verbose = verbose
        self.filepath = os.fspath(filepath)
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = check_frequency(save_freq)
        self._counter = BatchCounter()
        self._epoch = 0
        of_weights = self.filepath.endswith(".weights.h5")
        if of_weights != save_weights_only or not self.filepath.endswith((".keras", ".h5")):
            ending = "'.weights.h5'" if save_weights_only else "'.keras' or '.h5'"
            raise ValueError(
                f"ModelCheckpoint: with save_weights_only={save_weights_only}, `filepath` must end "
                f"in {ending}. Received: filepath={self.filepath!r}"
            )
        if save_freq == "epoch":
            skip_batches(self, ModelCheckpoint)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._counter.is_time(batch, self.save_freq):
            self._save(self._epoch, batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, None, logs or {})

    def _save(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> None:
        path = self._path(epoch, batch, logs)
        if self.save_best_only and not self._is_best(epoch, logs, path):
            return
        if self.verbose > 0 and not self.save_best_only:
            say(f"\nEpoch {epoch + 1}: saving model to {path}")
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path, overwrite=True)

    def _is_best(self, epoch: int, logs: dict[str, Any], path: str) -> bool:
        self._set_monitor_op()
        current = logs.get(self.monitor)
        if current is None:
            warn(
                f"The best model can be told only by `{self.monitor}`, which is not available: "
                "it is saved."
            )
            return True
        before = "None" if self.best is None else f"{self.best:.5f}"
        better = self._is_improvement(current, self.best)
        if self.verbose > 0:
            now = f"improved from {before} to {current:.5f}, saving model to {path}"
            if not better:
                now = f"did not improve from {before}"
            say(f"\nEpoch {epoch + 1}: {self.monitor} {now}")
        if better:
            self.best = current
        return better

    def _path(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> str:
        fields = {"epoch": epoch + 1, **({} if batch is None else {"batch": batch + 1}), **logs}
        try:
            return self.filepath.format(**fields)
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint: the logs have no {error} for filepath={self.filepath!r}. "
                f"They have: {sorted(fields)}"
            ) from None


class BackupAndRestore(Callback):
    """Lets a training that was interrupted go on where its last backup was made.

    A backup holds the weights, the optimizer's state, the place in the data and in its order, and
    where the random streams of the layers stood: for arrays, the rest of the training gives what
    it would have given without the interruption.

    Args:
        backup_dir: a directory for the files, of this training alone.
        save_freq: "epoch", or the number of batches after which to make a backup.
        double_checkpoint: whether to keep the last backup but one, for the case that the last one
            cannot be read.
        delete_checkpoint: whether the directory is removed when training ends.

    Raises:
        ValueError: no `backup_dir`, or another `save_freq`.
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: int | str = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError("BackupAndRestore: `backup_dir` must not be empty.")
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = check_frequency(save_freq)
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._counter = BatchCounter()
        self._epoch = 0
        self._saved: dict[str, Any] | None = None  # what the file of the last backup says
        if save_freq == "epoch":
            skip_batches(self, BackupAndRestore)

    @property
    def _metadata_path(self) -> str:
        return os.path.join(self.backup_dir, "training_metadata.json")

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._counter = BatchCounter()
        if not os.path.exists(self._metadata_path):
            return
        import json

        with open(self._metadata_path, encoding="utf-8") as file:
            self._saved = saved = json.load(file)
        try:
            self._restore(saved)
        except (OSError, ValueError):  # gone, or damaged
            if not saved.get("previous"):
                raise
            self._restore(saved["previous"])

    def _restore(self, saved: dict[str, Any]) -> None:
        self.model.load_weights(os.path.join(self.backup_dir, saved["weights"]))
        self.model._resume(saved["state"])

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if self._counter.is_time(batch, self.save_freq):
            self._save(self._epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch + 1)

    def _save(self, epoch: int) -> None:
        """Write the weights under a name that is free, then the file that says so."""
        import json

        from ..saving.atomic import replacing

        os.makedirs(self.backup_dir, exist_ok=True)
        before = self._saved
        previous = {k: v for k, v in before.items() if k != "previous"} if before else None
        used = {saved["weights"] for saved in (before, (before or {}).get("previous")) if saved}
        names = ("latest.weights.h5", "latest-1.weights.h5", "latest-2.weights.h5")
        name = next(name for name in names if name not in used)
        self.model.save_weights(os.path.join(self.backup_dir, name), overwrite=True)
        self._saved = {"weights": name, "state": self.model._resumable(epoch)}
        if self.double_checkpoint:
            self._saved["previous"] = previous
        with replacing(self._metadata_path) as file:
            file.write(json.dumps(self._saved).encode())
        for other in used - {name, (self._saved.get("previous") or {}).get("weights")}:
            os.unlink(os.path.join(self.backup_dir, other))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        import shutil

        if self.delete_checkpoint and os.path.exists(self.backup_dir):
            shutil.rmtree(self.backup_dir)


class BatchCounter:
    """Counts batches; `steps_per_execution` may leave some out of what is called."""

    def __init__(self) -> None:
        self._since = 0
        self._last: int | None = None

    def is_time(self, batch: int, frequency: Any) -> bool:
        """Whether, with this batch, so many have passed since the last time."""
        if frequency == "epoch":
            return False
        new_epoch = self._last is None or batch <= self._last
        self._since += batch + 1 if new_epoch else batch - (self._last or 0)
        self._last = batch
        if self._since < frequency:
            return False
        self._since = 0
        return True


def check_frequency(save_freq: Any) -> Any:
    if save_freq != "epoch" and (not isinstance(save_freq, int) or save_freq < 1):
        raise ValueError(
            f'`save_freq` must be "epoch" or a positive int. Received: save_freq={save_freq!r}'
        )
    return save_freq


def skip_batches(callback: Callback, cls: type[Callback]) -> None:
    """Let an instance have no hook for batches, unless a subclass of `cls` has one of its own."""
    if type(callback).on_train_batch_end is cls.on_train_batch_end:
        nothing = Callback.on_train_batch_end.__get__(callback)
        callback.on_train_batch_end = nothing  # type: ignore[method-assign]
