"""Array files of the command line: reading and atomic writing of .npy, .npz and .csv."""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ._exit import BAD_INPUT, CANNOT_WRITE, NO_FILE, USAGE, CommandError

OUTPUT_KEY = "predictions"
_NPY_MAGIC = b"\x93NUMPY"
_DAMAGED = (
    ValueError, EOFError, OverflowError, NotImplementedError, RuntimeError, zipfile.BadZipFile,
    zlib.error, SyntaxError, tokenize.TokenError,
)  # fmt: skip


def read_array(path: str, key: str | None = None) -> np.ndarray:
    """Read the samples of an array file; pickled objects are never loaded.

    Args:
        path: .npy (mapped, not read), .npz or .csv, with or without a header line.
        key: name of the array inside an .npz; not needed when it holds a single one.

    Raises:
        CommandError: no such file, another extension, damaged or not numeric, no such key.
    """
    readers = {".npy": _read_npy, ".npz": _read_npz, ".csv": _read_csv}
    reader = readers.get(Path(path).suffix.lower())
    if reader is None:
        raise CommandError(f"{path}: the input must be .npy, .npz or .csv", USAGE)
    if key is not None and reader is not _read_npz:
        raise CommandError("--key is for .npz files", USAGE)
    try:
        array = reader(path, key)
    except FileNotFoundError:
        raise CommandError(f"no such input file: {path}", NO_FILE) from None
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror or error}", NO_FILE) from None
    except _DAMAGED as error:
        raise CommandError(f"{path} holds no numeric array: {error}", BAD_INPUT) from None
    if array.ndim == 0 or array.dtype.kind not in "fiub":
        raise CommandError(
            f"{path} holds {array.dtype} of shape {array.shape}, not one number array with a row "
            "per sample",
            BAD_INPUT,
        )
    return array


def _read_npy(path: str, key: str | None) -> np.ndarray:
    with open(path, "rb") as file:
        magic = file.read(len(_NPY_MAGIC))
        if not magic:
            raise ValueError("it is empty")
        if magic != _NPY_MAGIC:
            raise ValueError("not an .npy file")
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _read_npz(path: str, key: str | None) -> np.ndarray:
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("not an .npz archive, or a damaged one")
        file.seek(0)
        arrays = np.load(file, allow_pickle=False)
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise ValueError("not an .npz archive")
        names = arrays.files
        if not names:
            raise ValueError("an archive with nothing in it")
        if key is None and len(names) != 1:
            raise CommandError(f"{path} holds {names}: choose one with --key", USAGE)
        if key is not None and key not in names:
            raise CommandError(f"{path} has no array {key!r}; it holds {names}", BAD_INPUT)
        array = arrays[names[0] if key is None else key]
        if not isinstance(array, np.ndarray):
            raise ValueError(f"{key or names[0]!r} in it is no array")
        return array


def _read_csv(path: str, key: str | None) -> np.ndarray:
    with open(path, encoding="utf-8-sig") as file:
        lines = list(file)
    start = next((i for i, line in enumerate(lines) if line.strip()), None)
    if start is not None:
        numbers = [_is_number(cell) for cell in lines[start].split(",")]
        if not any(numbers):
            lines[start] = "\n"  # a header
        elif not all(numbers):
            raise ValueError(_first_fault(lines))
    if not any(line.strip() for line in lines):
        raise ValueError("it has no rows of numbers")
    try:
        return np.loadtxt(lines, delimiter=",", ndmin=2, comments=None)
    except ValueError as error:
        raise ValueError(_first_fault(lines) or error) from None


def _first_fault(lines: list[str]) -> str | None:
    """Say which cell is no number, or which line is longer or shorter than those before."""
    width = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        cells = line.rstrip("\n").split(",")
        for column, cell in enumerate(cells, 1):
            if not _is_number(cell):
                return f"line {number}, column {column} is not a number: {cell.strip()[:40]!r}"
        if width is not None and len(cells) != width:
            return f"line {number} has {len(cells)} columns, those before it have {width}"
        width = len(cells)
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def writer_for(path: str) -> Callable[[BinaryIO, np.ndarray], None]:
    """Return what writes an array in the format of a file name.

    Raises:
        CommandError: another extension than .npy, .npz, .csv, or no such folder.
    """
    writers: dict[str, Any] = {
        ".npy": _write_npy,
        ".npz": lambda file, y: np.savez_compressed(file, **{OUTPUT_KEY: y}),
        ".csv": _write_csv,
    }
    target = Path(path)
    writer = writers.get(target.suffix.lower())
    if writer is None:
        raise CommandError(f"{path}: the output must be .npy, .npz or .csv", USAGE)
    if not target.parent.is_dir():
        raise CommandError(f"cannot write {path}: no such folder", CANNOT_WRITE)
    if target.exists() and not target.is_file():
        raise CommandError(f"cannot write {path}: not a regular file", CANNOT_WRITE)
    return writer


def write_array(path: str, y: np.ndarray) -> None:
    """Write an array; the file appears whole, or an existing one stays as it was.

    Raises:
        CommandError: the disk is full, no permission, a .csv for more than two axes.
    """
    from .saving.atomic import replacing

    write = writer_for(path)
    try:
        with replacing(path) as file:
            write(file, y)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else error
        raise CommandError(f"cannot write {path}: {reason}", CANNOT_WRITE) from None


class _Sink:
    """A file of which NumPy sees `write` alone: it forgets why writing to a real one failed."""

    def __init__(self, file: BinaryIO) -> None:
        self.write = file.write


def _write_npy(file: BinaryIO, y: np.ndarray) -> None:
    np.lib.format.write_array(_Sink(file), y, allow_pickle=False)


def _write_csv(file: BinaryIO, y: np.ndarray) -> None:
    if y.ndim > 2:
        raise CommandError(
            f"the result has shape {y.shape}; a .csv holds at most two axes: write .npy or .npz",
            CANNOT_WRITE,
        )
    digits = {"float64": "%.17g", "float32": "%.9g"}.get(y.dtype.name, "%g")
    np.savetxt(file, y, fmt="%d" if y.dtype.kind in "iub" else digits, delimiter=",")
