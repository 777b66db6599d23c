"""Epochs out of passes over the data."""

from __future__ import annotations

from collections.abc import Iterator

from .._warnings import warn
from .arrays import Batch
from .data import Source


class Feed:
    """Gives the batches of one epoch after another.

    An epoch is one pass over the data or, with `steps`, so many batches: epochs then go on where
    the one before stopped, and begin a new pass when the data ends with an epoch.
    """

    def __init__(self, source: Source, steps: int | None = None) -> None:
        self.source = source
        self.steps = steps
        self._passes = 0  # finished ones
        self._position = 0  # batches taken from the present one
        self._made = 0  # steps of the present epoch
        self._warned = False
        self._current: Iterator[Batch] | None = None
        self._ahead: Batch | None = None  # looked at, not taken

    @property
    def num_batches(self) -> int | None:
        """Batches of an epoch, None where only its end will tell."""
        return self.steps or self.source.num_batches

    @property
    def epoch_is_done(self) -> bool:
        """Whether the step that was made last is known to be the last of its epoch."""
        return self._made > 0 and self._made == self.num_batches

    @property
    def place(self) -> tuple[int, int, int]:
        """Where the feed stands: finished passes, batches taken from the present one, and steps
        made in the present epoch; after the last step of an epoch that is the next one."""
        if not self.epoch_is_done:
            return self._passes, self._position, self._made
        if self._position == self.source.num_batches:
            return self._passes + 1, 0, 0
        return self._passes, self._position, 0

    def go_to(self, passes: int, position: int, made: int) -> None:
        """Stand where `place` said; what can be read but once is read from where it is."""
        self._made = made
        if not self.source.once:
            self._passes, self._position = passes, position
            self._current = self._ahead = None

    def restart(self) -> None:
        """Begin a new pass, if the data can be read again."""
        self.go_to(self._passes, 0, 0)

    def peek(self) -> Batch | None:
        """Return the next batch without taking it, None at the end."""
        if self._ahead is None:
            if self._current is None:
                self._current = self.source.batches(self._passes, self._position)
            self._ahead = next(self._current, None)
        return self._ahead

    def is_empty(self) -> bool:
        """Whether there is no epoch to give: in this pass and in any other, no batch."""
        if self._made:  # one is under way
            return False
        if self.peek() is None and self._position and not self.source.once:
            self._end_pass()
        return self.peek() is None

    def is_over(self) -> bool:
        """Whether it is empty where more was expected, which is warned of."""
        over = self.is_empty()
        if over and not self._warned:
            self._warn()
        return over

    def epoch(self) -> Iterator[tuple[int, Batch]]:
        """Yield the next epoch's steps, counted from 0, and their batches; after `go_to` the rest
        of that epoch. Warns that the data ran out before all steps were made."""
        if self.steps is not None and self.is_over():
            return
        while (batch := self.peek()) is not None:
            self._ahead = None
            self._position += 1
            self._made += 1
            yield self._made - 1, batch
            if self._made == self.steps:
                break
        else:
            self._end_pass()
            if self.steps is not None:
                self._warn()
        self._made = 0
        if self._position == self.source.num_batches:
            self._end_pass()

    def _end_pass(self) -> None:
        if not self.source.once:
            self._current = None
            self._passes += 1
            self._position = 0

    def _warn(self) -> None:
        self._warned = True
        warn(
            "The input ran out of data before all steps were made. It must give "
            "`steps_per_epoch * epochs` batches; a generator that should go on forever has to "
            "loop."
        )
