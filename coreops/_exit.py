"""Exit codes of the command line, and the exception that carries one."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2  # argparse's own
NO_FILE = 3
BAD_MODEL = 4
BAD_INPUT = 5
CANNOT_WRITE = 6
NEEDS_PACKAGE = 7
INTERRUPTED = 130


class CommandError(Exception):
    """Ends a command with a message and an exit code, without a traceback."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code
