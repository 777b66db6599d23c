"""`replacing`: a file that changes from old to new at once, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

_PREFIX, _SUFFIX = ".coreops-", ".tmp"
_STALE_SECONDS = 24 * 3600  # a temporary file that nobody has written to for so long is no one's


@contextmanager
def replacing(filepath: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Write a file so that a reader, at any moment, finds the old one or the new one, whole.

    The block writes to a temporary file in the same directory. When it ends, the file is flushed to
    the disk and takes the place of `filepath`; when it raises, the file is removed and nothing has
    changed. A process that is killed leaves its temporary file behind; a later call removes it. A
    new file has the permissions that `open` would give it, a replaced one those that it had.

    Args:
        filepath: path of the file; a symbolic link is followed.

    Yields:
        The file: binary, empty, for reading and writing.

    Raises:
        FileNotFoundError: its directory does not exist.
        IsADirectoryError: it is a directory.
        ValueError: it exists and is a device, a pipe or a socket, or the path holds a NUL.
        PermissionError: the file, or its directory, may not be written.

    Example:

        with coreops.saving.replacing("state.json") as file:
            file.write(json.dumps(state).encode())
    """
    target = os.path.realpath(os.fspath(filepath))
    before = _existing(target, filepath)
    directory = os.path.dirname(target)
    _remove_stale(directory)
    temporary = os.path.join(directory, f"{_PREFIX}{os.urandom(8).hex()}{_SUFFIX}")
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666)
    except OSError as error:
        text = f"filepath={str(filepath)!r}: no file can be made in its directory"
        raise OSError(error.errno, f"{text} ({os.strerror(error.errno or 0)})") from None
    try:
        with open(descriptor, "w+b") as file:
            if before is not None:
                _take_over(descriptor, before)
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _flush_directory(directory)


def _existing(target: str, filepath: str | os.PathLike[str]) -> os.stat_result | None:
    """Return what is known of the file that will be replaced, None if there is none."""
    shown = f"filepath={str(filepath)!r}"
    directory = os.path.dirname(target)
    if not os.path.isdir(directory):
        raise FileNotFoundError(
            errno.ENOENT, f"{shown}: the directory {directory!r} does not exist"
        )
    try:
        before = os.stat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(before.st_mode):
        raise IsADirectoryError(errno.EISDIR, f"{shown} is a directory")
    if not stat.S_ISREG(before.st_mode):
        raise ValueError(f"{shown} is not a regular file.")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, f"{shown} may not be written")
    return before


def _take_over(descriptor: int, before: os.stat_result) -> None:
    """Give a file the owner, where that is allowed, and the permissions of another."""
    if hasattr(os, "fchown"):
        own = os.fstat(descriptor)
        if (own.st_uid, own.st_gid) != (before.st_uid, before.st_gid):
            with contextlib.suppress(OSError):
                os.fchown(descriptor, before.st_uid, before.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(before.st_mode))


def _remove_stale(directory: str) -> None:
    """Remove what processes that were killed left in a directory a day ago or earlier."""
    oldest = time.time() - _STALE_SECONDS
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < oldest:
                        os.unlink(entry.path)


def _flush_directory(directory: str) -> None:
    """Make the new name outlast a power failure, where the system offers it."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
