"""The outer wrapping of a model file: the zip archive of `.keras` and the JSON inside it.

A file is untrusted. Only members with fixed names are read, never extracted to disk; their sizes
are checked before and their lengths after reading. All together unpack to no more than twice the
file and a little: Keras itself packs nothing.
"""

from __future__ import annotations

import json
import os
import re
import stat
import struct
import zipfile
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from .errors import ModelFileError, ModelFileNotFoundError, shorten

MAX_MEMBERS = 10_000
MAX_DIRECTORY_BYTES = 2 << 20
MAX_CONFIG_BYTES = 16 << 20
MAX_METADATA_BYTES = 64 << 10
MAX_RATIO = 100  # unpacked : packed
SPARE_BYTES = 64 << 20  # that members may unpack to beyond twice the file
MAX_JSON_DEPTH = 200
MAX_JSON_VALUES = 1_000_000

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK\x03\x04"
_ZIP_END = b"PK\x05\x06"
_LOCAL_HEADER_BYTES = 30
_READ = ("config.json", "metadata.json", "model.weights.h5")
_BAD_ZIP = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError,
    ValueError, OverflowError, OSError,
)  # fmt: skip
_JSON_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


class Archive(NamedTuple):
    """What a `.keras` file holds."""

    config: dict[str, Any]
    weights: bytes | None
    """The inner HDF5 file; None when the archive has none."""
    version: int
    """Of Keras: 2 or 3."""


def regular_file(filepath: str | os.PathLike[str]) -> Path:
    """Return the path of an existing regular file.

    Raises:
        ModelFileNotFoundError: nothing is there.
        ModelFileError: a directory, device, pipe or socket.
    """
    path = Path(os.fspath(filepath))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ModelFileNotFoundError(f"File not found: filepath={str(path)!r}.") from None
    except ValueError:  # an embedded NUL
        raise ModelFileError(f"Not a file name: {str(path)!r}") from None
    if stat.S_ISDIR(mode):
        raise ModelFileError(
            f"{path} is a directory. coreops reads single files: save the model as one, with "
            "`model.save('name.keras')` in Keras 3."
        )
    if not stat.S_ISREG(mode):
        raise ModelFileError(f"{path} is not a regular file.")
    return path


def read_archive(path: Path) -> Archive:
    """Read a `.keras` file.

    Args:
        path: an existing regular file.

    Raises:
        ModelFileError: not a zip archive, damaged, encrypted, oversized or ambiguous members, no
            config.json, JSON that is malformed or too large, another major version of Keras.
    """
    with path.open("rb") as file:
        magic = file.read(8)
        if not magic.startswith(_ZIP_MAGIC):
            raise ModelFileError(_not_a_zip(path, magic))
        try:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                members = _members(archive, path.stat().st_size)
                config = _read(archive, members, "config.json", MAX_CONFIG_BYTES)
                metadata = _read(archive, members, "metadata.json", MAX_METADATA_BYTES)
                weights = _read(archive, members, "model.weights.h5", None)
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from None
        except _BAD_ZIP as error:
            raise ModelFileError(
                f"{path} is a damaged or truncated zip archive: {shorten(str(error))}"
            ) from error
    if config is None:
        raise ModelFileError(f"{path} is a zip archive without config.json: not a Keras model.")
    version = 3
    if metadata is not None:
        version = _version(path, parse_json(metadata, f"{path}, metadata.json"))
    return Archive(parse_json(config, f"{path}, config.json"), weights, version)


def _not_a_zip(path: Path, magic: bytes) -> str:
    if magic == HDF5_MAGIC:
        return (
            f"{path} is an HDF5 file, not the zip archive that Keras 3 writes as `.keras`. "
            "If it holds weights alone, name it `.weights.h5` and use `load_weights`."
        )
    if not magic:
        return f"{path} is empty."
    return f"{path} is not a Keras file: it does not start like a zip archive."


def _check_directory(file: BinaryIO) -> None:
    """Refuse a list of members that is too long to be read."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    file.seek(0)
    end = tail.rfind(_ZIP_END)
    if 0 <= end <= len(tail) - 22:
        (listed,) = struct.unpack_from("<I", tail, end + 12)
        if listed > MAX_DIRECTORY_BYTES:
            raise ModelFileError(
                f"the list of members has {listed:,} bytes, more than {MAX_DIRECTORY_BYTES:,}."
            )


def _members(archive: zipfile.ZipFile, archive_size: int) -> dict[str, zipfile.ZipInfo]:
    """Return name -> entry; none may share another's name or bytes, be a link or lead out of the
    archive, or be larger than it."""
    entries = archive.infolist()
    if len(entries) > MAX_MEMBERS:
        raise ModelFileError(f"the archive has {len(entries)} members, more than {MAX_MEMBERS}.")
    members = {entry.filename: entry for entry in entries}
    if len(members) < len(entries):
        raise ModelFileError("two members of the archive have the same name.")
    if any(entry.compress_size > archive_size for entry in entries):
        raise ModelFileError("a member claims to be larger than the whole archive: damaged.")
    reached = archive.start_dir
    for entry in sorted(entries, key=lambda entry: entry.header_offset, reverse=True):
        end = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size
        if end + len(entry.filename) > reached:
            raise ModelFileError(f"member {shorten(entry.filename)} overlaps what comes after it.")
        reached = entry.header_offset
        steps = entry.filename.replace("\\", "/").split("/")
        if entry.filename.startswith("/") or ".." in steps or ":" in steps[0]:
            raise ModelFileError(f"member {shorten(entry.filename)} leads out of the archive.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ModelFileError(f"member {shorten(entry.filename)} is a link.")
    unpacked = sum(members[name].file_size for name in _READ if name in members)
    if unpacked > 2 * archive_size + SPARE_BYTES:
        packed = any(members[name].compress_type for name in _READ if name in members)
        hint = " Save it without compression." if packed else ""
        raise ModelFileError(f"its members would unpack to {unpacked:,} bytes.{hint}")
    return members


def _read(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], name: str, limit: int | None
) -> bytes | None:
    """Read one member whole, or return None when it is not there."""
    entry = members.get(name)
    if entry is None:
        return None
    if entry.flag_bits & 0x1:
        raise ModelFileError(f"{name} is encrypted.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ModelFileError(f"{name} uses a compression that Keras files do not have.")
    if limit is not None and entry.file_size > limit:
        raise ModelFileError(f"{name} has {entry.file_size:,} bytes, more than {limit:,}.")
    if entry.file_size > MAX_RATIO * entry.compress_size:
        raise ModelFileError(
            f"{name} would unpack {entry.compress_size:,} bytes to {entry.file_size:,}, "
            f"more than {MAX_RATIO} times as many."
        )
    with archive.open(entry) as member:
        data = member.read(entry.file_size)
        if len(data) != entry.file_size or member.read(1):
            raise ModelFileError(f"{name} has not the size that the archive states.")
    return data


def _version(path: Path, metadata: dict[str, Any]) -> int:
    version = metadata.get("keras_version", "3")
    major = version.partition(".")[0] if isinstance(version, str) else None
    if major not in ("2", "3"):
        raise ModelFileError(
            f"{path} was written by Keras {shorten(version)}. coreops reads the `.keras` files of "
            "Keras 2 and 3."
        )
    return int(major)


def parse_json(data: bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object of bounded depth and size whose keys are unique.

    Args:
        data: UTF-8 text.
        what: names the source in messages.

    Raises:
        ModelFileError: malformed, too deep, too many values, a duplicate key, not an object.
    """
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_JSON_VALUES:
        raise ModelFileError(f"{what}: more than {MAX_JSON_VALUES:,} values.")
    depth = 0
    for token in _JSON_TOKEN.finditer(data):
        symbol = data[token.start()]
        if symbol in b"[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise ModelFileError(f"{what}: nested more than {MAX_JSON_DEPTH} deep.")
        elif symbol in b"]}":
            depth -= 1
    try:
        parsed = json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except ModelFileError as error:
        raise ModelFileError(f"{what}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{what}: not valid JSON: {shorten(str(error))}") from error
    if not isinstance(parsed, dict):
        raise ModelFileError(f"{what}: expected a JSON object, found {type(parsed).__name__}.")
    return parsed


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        keys = sorted(key for key, _ in pairs)
        twice = next(one for one, other in pairwise(keys) if one == other)
        raise ModelFileError(f"the key {shorten(twice)} occurs twice in one object.")
    return result
