"""Progbar: a progress bar for loops of one's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .progress import Progress


class Progbar:
    """Shows how far a loop is, and the means of values over its steps.

    Args:
        target: the number of steps, None if it is not known.
        width: of the bar, in characters.
        verbose: 0 shows nothing, 1 a bar, 2 one line at the end.
        interval: seconds between two pictures.
        stateful_metrics: names of values that are shown as they are, not averaged.
        stateless_metrics: instead, names of the values that are averaged.
        unit_name: what a step is called.

    Raises:
        ValueError: both kinds of names, or another `verbose`.

    Example:

        bar = coreops.utils.Progbar(len(batches))
        for number, batch in enumerate(batches, 1):
            bar.update(number, [("loss", model.train_on_batch(*batch))])
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ) -> None:
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(
                "Progbar takes `stateful_metrics` or `stateless_metrics`. Received: both"
            )
        self.target = target
        self._kept = set(stateful_metrics or ())
        self._averaged = None if stateless_metrics is None else set(stateless_metrics)
        self._sums: dict[str, tuple[float, int]] = {}  # over so many steps
        self._seen = 0
        self._progress = Progress(target, verbose, width, interval, unit_name)

    def update(
        self,
        current: int,
        values: Iterable[tuple[str, Any]] | None = None,
        finalize: bool | None = None,
    ) -> None:
        """Show that `current` steps are done.

        Args:
            current: how many.
            values: names with what they were in the steps since the last update.
            finalize: whether that was the last; by default, whether the target is reached. Values
                that come with it are shown as they are.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        steps = max(current - self._seen, 1)
        for name, value in values or ():
            goes_on = self._is_averaged(name) and not finalize
            total, count = self._sums.get(name, (0.0, 0)) if goes_on else (0.0, 0)
            self._sums[name] = total + float(np.mean(value)) * steps, count + steps
        self._seen = current
        shown = {name: total / count for name, (total, count) in self._sums.items()}
        if finalize:
            self._progress.total = self.target or current
            self._progress.close(shown)
        else:
            self._progress.advance(current, shown)

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Show that `n` more steps are done."""
        self.update(self._seen + n, values)

    def _is_averaged(self, name: str) -> bool:
        return name not in self._kept if self._averaged is None else name in self._averaged
