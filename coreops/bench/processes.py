"""The parent's end of a worker: start it, ask it, notice when it dies."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from .peers import ENVIRONMENT, CannotDo, Peer

# The same modules as the parent's, wherever those came from.
_START = "import sys; sys.path = {path!r}; from {package}.worker import main; main(sys.argv[1:])"


class Failed(Exception):
    """The library raised an exception, gave no answer in time, or its process died."""


class Worker:
    """One library in a process of its own.

    Args:
        peer: the library.
        threads: how many it may use.
        cores: where its process stays; anywhere if empty.
        patience: seconds to wait for an answer.

    Raises:
        Failed: it does not start.
    """

    def __init__(
        self, peer: Peer, threads: int = 1, cores: Sequence[int] = (), patience: float = 120
    ) -> None:
        self._patience = patience
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        ours, theirs = multiprocessing.Pipe()
        self._pipe = ours
        settings = {**ENVIRONMENT, **peer.environment}
        environment = {k: v.format(threads=threads) for k, v in settings.items()}
        module = peer.module if "." in peer.module else f"{__package__}.peers.{peer.module}"
        arguments = [str(theirs.fileno()), module, str(threads), *map(str, cores)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START.format(path=sys.path, package=__package__), *arguments],
            env={**os.environ, **environment},
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        theirs.close()
        try:
            self.version: str = self.ask("start")
        except BaseException:
            self.close()
            raise

    def ask(self, command: str, *arguments: Any) -> Any:
        """Send a command and return its answer.

        Raises:
            CannotDo: the library does not have it.
            Failed: for any other reason; `alive` tells whether another command makes sense.
        """
        try:
            self._pipe.send((command, *arguments))
            if not self._pipe.poll(self._patience):
                self.close()
                raise Failed(f"no answer to {command!r} in {self._patience:g} s")
            kind, value = self._pipe.recv()
        except (EOFError, OSError):
            raise Failed(self._last_words()) from None
        if kind == "ok":
            return value
        raise CannotDo(value) if kind == "cannot" else Failed(value)

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None and not self._pipe.closed

    def close(self) -> None:
        """End the process."""
        self._pipe.close()  # it leaves by itself when its read ends
        try:
            self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        said = f": {lines[-1][:200]}" if lines else ""
        return f"its process died ({self._process.poll()}){said}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
