"""The progress bar of long work, in Keras' form."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

from .. import config
from .callback import Callback

_PATIENCE = 1.0  # seconds of work after which an "auto" bar appears
_INTERVAL = 0.05  # seconds between two pictures


class Progress:
    """Counts steps and shows how far the work is.

    Args:
        total: number of steps, None if only the end will tell.
        verbose: 0 shows nothing; 1 a bar on the standard output; 2 one line at the end; "auto" a
            bar on the standard error, only for work of more than a second and only where a
            terminal or a notebook shows it.
        width: of the bar, in characters.
        interval: seconds between two pictures, by default 0.05.
        unit: what a step is called.
    """

    def __init__(
        self,
        total: int | None,
        verbose: int | str,
        width: int = 20,
        interval: float | None = None,
        unit: str = "step",
    ) -> None:
        self.total = total
        self._width, self._unit = width, unit
        self._interval = _INTERVAL if interval is None else interval
        self._verbose = check_verbose(verbose)
        shown = self._verbose in (1, "auto") and config.is_interactive_logging_enabled()
        self._live = shown and _is_watched(self._stream)
        self._start = time.monotonic()
        self._shown = self._start - self._interval
        self._first: float | None = None  # when the first step was done
        self._drawn = 0  # width of the last picture

    def is_due(self) -> bool:
        """Whether somebody watches, and the last picture is old enough for another."""
        return self._live and time.monotonic() - self._shown >= self._interval

    def advance(self, done: int, values: Mapping[str, float] | None = None) -> None:
        """Show that `done` of the steps are finished, and what the metrics are by now."""
        now = time.monotonic()
        if self._first is None and done == 1:
            self._first = now
        if not self._live or now - self._shown < self._interval:
            return
        if self._verbose == "auto" and now - self._start < _PATIENCE and not self._drawn:
            return
        self._shown = now
        time_left = now - self._start
        if self.total:
            time_left = self._step_time(now, done) * (self.total - done)
        self._draw(done, f"{_duration(time_left)} {self._summary(now, done, values)}")

    def close(self, values: Mapping[str, float] | None = None) -> None:
        """End the picture: of finished work with its last `values`, or of work given up."""
        now = time.monotonic()
        total = self.total or 0
        if values is not None and (self._verbose in (1, 2) or self._drawn):
            end = f"{_duration(now - self._start)} "
            end += ("- " if self._verbose == 2 else "") + self._summary(now, total, values)
            if self._verbose == 2:
                self._write(f"{total}/{total} - {end}\n")
            else:
                self._draw(total, end)
        if self._drawn:
            self._write("\n")
            self._drawn = 0

    def _draw(self, done: int, rest: str) -> None:
        if self.total:
            bar = "━" * min(self._width * done // self.total, self._width)
            line = f"{done:{len(str(self.total))}d}/{self.total} {bar:<{self._width}} {rest}"
        else:
            line = f"{done:7d}/Unknown {rest}"
        self._write("\r" + fit(f"{line:<{self._drawn}}", self._stream))
        self._drawn = len(line)

    def _summary(self, now: float, done: int, values: Mapping[str, float] | None) -> str:
        shown = "".join(
            f" - {name}: {value:.4f}" if abs(value) > 1e-3 else f" - {name}: {value:.4e}"
            for name, value in (values or {}).items()
        )
        return f"{_pace(self._step_time(now, done))}/{self._unit}{shown}"

    def _step_time(self, now: float, done: int) -> float:
        """Seconds a step takes; the first one, which has much to prepare, is left out."""
        if self._first is not None and done > 1:
            return (now - self._first) / (done - 1)
        return (now - self._start) / max(done, 1)

    @property
    def _stream(self) -> TextIO:
        return sys.stderr if self._verbose == "auto" else sys.stdout

    def _write(self, text: str) -> None:
        _write(text, self._stream)


class ProgbarLogger(Callback):
    """Shows the progress and the metrics of `fit`, `evaluate` and `predict`."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = 0
        self.progbar: Progress | None = None
        self.target: int | None = None
        self.verbose = 1
        self.epochs = 1
        self.in_fit = False

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        self.verbose = 1 if params["verbose"] == "auto" else params["verbose"]
        self.epochs = params["epochs"]
        self.target = params["steps"]

    def is_due(self) -> bool:
        """Whether it would draw a picture now."""
        return self.progbar is not None and self.progbar.is_due()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        self.in_fit = True  # validations are silent

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._begin()
        if self.verbose and self.epochs > 1:
            say(f"Epoch {epoch + 1}/{self.epochs}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._end(logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._update(batch, logs)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not self.in_fit:
            self._begin()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        if not self.in_fit:
            self._end(logs)

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if not self.in_fit:
            self._update(batch, logs)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._begin()

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        self._end(logs)

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._update(batch, None)

    def _begin(self) -> None:
        self.seen = 0
        self.progbar = Progress(self.target, self.verbose)

    def _update(self, batch: int, logs: dict[str, Any] | None) -> None:
        self.seen = batch + 1
        if self.progbar is not None:
            self.progbar.advance(self.seen, logs)

    def _end(self, logs: dict[str, Any] | None) -> None:
        if self.progbar is not None:
            self.target = self.progbar.total = self.target or self.seen
            self.progbar.close(logs or {})


def check_verbose(verbose: Any) -> Any:
    """Return `verbose`; ValueError if it is none that there is."""
    if isinstance(verbose, str) and verbose == "auto":
        return verbose
    if verbose not in (0, 1, 2):
        raise ValueError(f'`verbose` must be 0, 1, 2 or "auto". Received: {verbose!r}')
    return int(verbose)


def say(message: str) -> None:
    """Print a line where the progress bar is."""
    _write(f"{message}\n", sys.stdout)


def _write(text: str, stream: TextIO | None) -> None:
    if stream is None or not config.is_interactive_logging_enabled():
        return
    try:
        stream.write(text)
    except UnicodeEncodeError:
        stream.write(text.replace("━", "=").encode("ascii", "replace").decode())
    stream.flush()


def fit(line: str, stream: TextIO) -> str:
    """Cut a line to the width of the terminal: a longer one would wrap at every redrawing."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError, AttributeError):  # no terminal
        return line
    return line[: columns - 1] if columns else line


def _is_watched(stream: TextIO | None) -> bool:
    """Whether somebody sees a line that is redrawn: in a terminal or, which is none, a notebook."""
    return stream is not None and (stream.isatty() or "ipykernel" in sys.modules)


def _pace(seconds: float) -> str:
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}" if minutes else f"{rest}s"
