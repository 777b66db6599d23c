"""The progress bar of long work, in Keras' form."""

from __future__ import annotations

import os
import sys
import time
from typing import TextIO

from .. import config

_WIDTH = 20
_PATIENCE = 1.0  # seconds of work after which an "auto" bar appears
_INTERVAL = 0.05  # seconds between two pictures


class Progress:
    """Counts steps and shows how far the work is.

    Args:
        total: number of steps.
        verbose: 0 shows nothing; 1 a bar on the standard output; 2 one line at the end; "auto" a
            bar on the standard error, only for work of more than a second and only where a
            terminal or a notebook shows it.
    """

    def __init__(self, total: int, verbose: int | str) -> None:
        if verbose not in (0, 1, 2, "auto"):
            raise ValueError(f'`verbose` must be 0, 1, 2 or "auto". Received: {verbose!r}')
        self.total = total
        self._verbose = verbose
        self._start = self._shown = time.monotonic()
        self._drawn = False

    def advance(self, done: int) -> None:
        """Show that `done` of the steps are finished."""
        now = time.monotonic()
        elapsed = now - self._start
        if self._verbose == "auto" and not (
            config.is_interactive_logging_enabled() and _is_watched(self._stream)
        ):
            return
        patience = _PATIENCE if self._verbose == "auto" else 0.0
        if self._verbose not in (1, "auto") or (elapsed < patience and not self._drawn):
            return
        if done < self.total and now - self._shown < _INTERVAL:
            return
        self._shown = now
        self._drawn = True
        bar = "━" * (_WIDTH * done // max(self.total, 1))
        left = elapsed if done == self.total else elapsed / max(done, 1) * (self.total - done)
        line = f"{done}/{self.total} {bar:<{_WIDTH}} {_duration(left)} {self._pace(elapsed, done)}"
        self._stream.write("\r" + fit(f"{line:<72}", self._stream))
        self._stream.flush()

    def close(self) -> None:
        """End the picture."""
        elapsed = time.monotonic() - self._start
        if self._verbose == 2:
            pace = self._pace(elapsed, self.total)
            self._stream.write(f"{self.total}/{self.total} - {_duration(elapsed)} - {pace}\n")
        elif self._drawn:
            self._stream.write("\n")
        else:
            return
        self._stream.flush()

    @property
    def _stream(self) -> TextIO:
        return sys.stderr if self._verbose == "auto" else sys.stdout

    @staticmethod
    def _pace(elapsed: float, steps: int) -> str:
        step = elapsed / max(steps, 1)
        for unit, scale in (("s", 1.0), ("ms", 1e-3)):
            if step >= scale:
                return f"{step / scale:.0f}{unit}/step"
        return f"{step * 1e6:.0f}us/step"


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


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes else f"{rest}s"
