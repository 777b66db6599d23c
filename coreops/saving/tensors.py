"""The `.safetensors` file: a model for deployment, in one file that is mapped into memory.

A file is the length of a header (8 bytes), the header (JSON: name of each tensor to its type, shape
and place), and the values. Ours has the architecture in the header's `__metadata__`, and the names
that Keras' weight files have. Reading and writing take the standard library and NumPy alone.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from .archive import MAX_CONFIG_BYTES, parse_json
from .errors import ModelFileError, shorten
from .hdf5 import Stored, widened
from .paths import stored_arrays, walk
from .weights import Groups, grouped

MAX_HEADER_BYTES = 64 << 20
MAX_TENSORS = 200_000
_ALIGNMENT = 64  # of the first value: what a cache line holds
_METADATA = "__metadata__"
_CONFIG = "keras_config"
_TYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "V2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "<i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "<u1",
    "BOOL": "<u1",
}
_NAMES = {np.dtype(dtype): name for name, dtype in _TYPES.items() if name not in ("BOOL", "BF16")}


class TensorFile(NamedTuple):
    """What a `.safetensors` file holds. config: the model, None where there are but weights."""

    config: dict[str, Any] | None
    weights: Groups


def write_tensors(file: BinaryIO, model: Any, config: dict[str, Any]) -> None:
    """Write a model.

    Args:
        file: where to.
        model: a built model.
        config: its serialised form.
    """
    arrays = {}
    for path, layer in walk(model):
        for name, array in stored_arrays(layer).items():
            arrays[f"{path}/vars/{name}".lstrip("/")] = array
    # The widest types first: each value is then at a multiple of its size.
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    metadata = {"format": "keras", _CONFIG: json.dumps(config)}
    header: dict[str, Any] = {_METADATA: metadata}
    start = 0
    for name in order:
        array = arrays[name]
        header[name] = {
            "dtype": _NAMES[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, start + array.nbytes],
        }
        start += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(f"the model's config and names take more than {MAX_HEADER_BYTES:,} bytes.")
    file.write(struct.pack("<Q", len(text)) + text)
    for name in order:
        file.write(np.ascontiguousarray(arrays[name]).data)


def read_tensors(path: Path) -> TensorFile:
    """Map a file into memory and read its header; the values are read when they are used.

    Args:
        path: an existing regular file.

    Raises:
        ModelFileError: cut off, a header that is malformed, too long or too deep, unknown types,
            and tensors that overlap, leave holes or are not wholly in the file.
    """
    try:
        with path.open("rb") as file:
            header = _header(file, path.stat().st_size)
        start = len(header) + 8
        entries = parse_json(header, "its header")
        metadata = entries.pop(_METADATA, {})
        size = path.stat().st_size - start
        spans = [_span(name, entry, size) for name, entry in entries.items()]
        _check_cover(spans, size)
        values = np.memmap(path, np.uint8, "r", start) if size else np.zeros(0, np.uint8)
        weights = grouped({span.name: span.stored(values) for span in spans})
        return TensorFile(_config(metadata), weights)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None


def _header(file: BinaryIO, file_size: int) -> bytes:
    start = file.read(8)
    if len(start) < 8:
        raise ModelFileError("not a safetensors file: it has no header.")
    (length,) = struct.unpack("<Q", start)
    if length > min(MAX_HEADER_BYTES, file_size - 8):
        raise ModelFileError(f"a header of {length:,} bytes: cut off, or no safetensors file.")
    header = file.read(length)
    if len(header) != length or not header.startswith(b"{"):
        raise ModelFileError("not a safetensors file: its header is not JSON.")
    return header


class _Span(NamedTuple):
    """One tensor, before its values are looked at."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int

    def stored(self, values: np.ndarray) -> Stored:
        def read() -> np.ndarray:
            raw = np.asarray(values[self.begin : self.end])
            array = raw.view(self.dtype).reshape(self.shape)
            return widened(array) if self.dtype.kind == "V" else array

        return Stored(self.shape, self.dtype, read)


def _span(name: str, entry: Any, size: int) -> _Span:
    """Read one entry of the header."""
    keys = {"dtype", "shape", "data_offsets"}
    if not isinstance(entry, dict) or entry.keys() != keys or len(name) > 1000:
        raise ModelFileError(f"{shorten(name)} is not described as a tensor is.")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _TYPES:
        raise ModelFileError(f"{shorten(name)} has the unknown type {shorten(dtype, 60)}.")
    if not _are_sizes(shape) or len(shape) > 32:
        raise ModelFileError(f"{shorten(name)} has the shape {shorten(shape, 60)}.")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise ModelFileError(f"{shorten(name)} has the place {shorten(offsets, 60)}.")
    begin, end = offsets
    if end > size:
        raise ModelFileError(f"{shorten(name)} lies beyond the end of the file.")
    kind = np.dtype(_TYPES[dtype])
    if end - begin != math.prod(shape) * kind.itemsize:
        raise ModelFileError(
            f"{shorten(name)} of shape {shorten(shape, 60)} has {end - begin:,} bytes."
        )
    return _Span(name, kind, tuple(shape), begin, end)


def _are_sizes(values: Any) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 1 << 62 for value in values
    )


def _check_cover(spans: list[_Span], size: int) -> None:
    """Refuse tensors that share bytes, or bytes that belong to none."""
    if len(spans) > MAX_TENSORS:
        raise ModelFileError(f"more than {MAX_TENSORS:,} tensors.")
    reached = 0
    for span in sorted(spans, key=lambda span: (span.begin, span.end)):
        if span.begin != reached:
            what = "overlaps another tensor" if span.begin < reached else "comes after a hole"
            raise ModelFileError(f"{shorten(span.name)} {what}.")
        reached = span.end
    if reached != size:
        raise ModelFileError(f"{size - reached:,} bytes at the end belong to no tensor.")


def _config(metadata: Any) -> dict[str, Any] | None:
    text = metadata.get(_CONFIG) if isinstance(metadata, dict) else None
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > MAX_CONFIG_BYTES:
        raise ModelFileError("its config is no text, or too long.")
    return parse_json(text.encode("utf-8", "surrogatepass"), "its config")
