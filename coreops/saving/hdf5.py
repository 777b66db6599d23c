"""HDF5 files from others: what is in them, checked before one value is read.

The library is h5py, imported when a file is opened. It would follow links into other files and
believe any size that a file declares; so the whole tree is walked first, and what Keras never
writes is refused. What is known of an object comes from the links to it: to ask the library
(`h5o.get_info`) lets it run through a group's index, endlessly where that leads back into itself.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from .archive import HDF5_MAGIC
from .attributes import Attributes
from .errors import ModelFileError, shorten
from .headers import Headers

MAX_OBJECTS = 200_000
MAX_DEPTH = 64
MAX_NAME = 1_000
_ITEM_SIZES = {"f": (2, 4, 8), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "V": (2,)}


class Stored(NamedTuple):
    """One stored variable, known by its shape before its values are read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


class Tree(NamedTuple):
    """What an HDF5 file holds."""

    datasets: dict[str, Stored]
    """Path of a dataset, "layers/dense/vars/0", to what it holds."""
    groups: dict[str, int]
    """Path of a group, "" for the first, to the place of its header in the file."""
    attributes: Attributes


def need_h5py(doing: str = "Reading") -> Any:
    """Import h5py, or raise the ImportError that says how to install it."""
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f"{doing} Keras' model files needs h5py: pip install 'coreops[keras]'"
        ) from error
    return h5py


@contextmanager
def open_tree(data: bytes, what: str) -> Iterator[Tree]:
    """Open an HDF5 file held in memory; its datasets can be read inside the `with` block.

    Args:
        data: the whole file.
        what: names the source in messages.

    Raises:
        ImportError: h5py is missing.
        ModelFileError: not HDF5, damaged, or with anything that Keras does not write: links,
            cycles, external or virtual storage, chunks, filters, foreign types, sizes beyond the
            file's.
    """
    if not data.startswith(HDF5_MAGIC):
        raise ModelFileError(f"{what} is not an HDF5 file.")
    h5py = need_h5py()
    with damage(what):
        scan = _Scan(h5py, data)
        file = h5py.File(io.BytesIO(data), "r")
    with file:
        with damage(what):
            tree = scan.run(file.id)
        yield tree


@contextmanager
def damage(what: str) -> Iterator[None]:
    """Turn what h5py raises on a broken file into one class of error that names the file."""
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{what}: {error}") from error.__cause__
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{what} is a damaged HDF5 file: {shorten(str(error))}") from error


class _Scan:
    """One walk over a file's tree: refuses what is not plain, notes the rest."""

    def __init__(self, h5py: Any, data: bytes) -> None:
        self.h5py = h5py
        self.file_size = self.budget = len(data)
        self.seen: set[int] = set()
        self.headers = Headers(data)
        self.headers.check(self.headers.root)
        self.tree = Tree({}, {"": self.headers.root}, Attributes(self.headers))

    def run(self, root: Any) -> Tree:
        """Return what there is below a group."""
        pending = [("", root, 0)]
        self.seen.add(self.headers.root)
        while pending:
            path, group, depth = pending.pop()
            for name in group:
                text = name.decode("utf-8", "surrogateescape")
                child_path = f"{path}/{text}" if path else text
                address = self.link(group, name, child_path)
                self.visit(address, child_path, depth + 1)
                child = self.h5py.h5o.open(group, name)
                if isinstance(child, self.h5py.h5g.GroupID):
                    self.tree.groups[child_path] = address
                    pending.append((child_path, child, depth + 1))
                elif isinstance(child, self.h5py.h5d.DatasetID):
                    self.dataset(child, child_path)
                else:
                    raise ModelFileError(f"{shorten(child_path)} is neither a group nor a dataset.")
        return self.tree

    def visit(self, address: int, path: str, depth: int) -> None:
        """Count an object, before it is opened, and look at its header; each may be reached once
        only, so no hard link can form a cycle."""
        if address in self.seen:
            raise ModelFileError(f"{shorten(path)} is linked from two places.")
        self.seen.add(address)
        if len(self.seen) > MAX_OBJECTS:
            raise ModelFileError(f"more than {MAX_OBJECTS:,} groups and datasets.")
        if depth > MAX_DEPTH:
            raise ModelFileError(f"groups are nested more than {MAX_DEPTH} deep.")
        self.headers.check(address)

    def link(self, group: Any, name: bytes, path: str) -> int:
        """Return where a hard link leads; all other links are refused unopened."""
        if len(name) > MAX_NAME:
            raise ModelFileError(f"the name {shorten(name)} is too long.")
        kinds = self.h5py.h5l
        info = group.links.get_info(name)
        kind = info.type
        if kind != kinds.TYPE_HARD:
            label = {kinds.TYPE_SOFT: "soft", kinds.TYPE_EXTERNAL: "external"}.get(kind, "foreign")
            raise ModelFileError(f"{shorten(path)} is a link ({label}), not stored data.")
        return info.u

    def dataset(self, dataset: Any, path: str) -> None:
        """Refuse a dataset that is not plain numbers inside this file, else note it."""
        where = shorten(path)
        creation = dataset.get_create_plist()
        if creation.get_external_count():
            raise ModelFileError(f"{where} keeps its values in another file.")
        layouts = (self.h5py.h5d.CONTIGUOUS, self.h5py.h5d.COMPACT)
        if creation.get_layout() not in layouts or creation.get_nfilters():
            raise ModelFileError(
                f"{where} is chunked, compressed or virtual, which Keras does not write."
            )
        classes = (self.h5py.h5t.INTEGER, self.h5py.h5t.FLOAT, self.h5py.h5t.OPAQUE)
        kind, space = dataset.get_type(), dataset.get_space()
        if kind.get_class() not in classes:
            raise ModelFileError(f"{where} does not hold numbers.")
        dtype, shape = kind.dtype, None
        if space.get_simple_extent_type() != self.h5py.h5s.NULL:
            shape = space.get_simple_extent_dims()
        if shape is None or dtype.itemsize not in _ITEM_SIZES.get(dtype.kind, ()):
            raise ModelFileError(f"{where} has the unknown type {shorten(str(dtype))}.")
        size = math.prod(shape) * dtype.itemsize
        self.budget -= size
        if self.budget < 0:
            raise ModelFileError(
                f"{where} declares shape {shorten(shape)}: more bytes than the file has."
            )
        offset = dataset.get_offset()
        past_end = offset is not None and offset + size > self.file_size
        if dataset.get_storage_size() != size or past_end:
            raise ModelFileError(f"{where} of shape {shorten(shape)} is not wholly stored.")
        shape = tuple(map(int, shape))
        self.tree.datasets[path] = Stored(shape, dtype, lambda: self.values(dataset, shape, dtype))

    def values(self, dataset: Any, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Read a dataset; bfloat16 (two opaque bytes) becomes float32, exactly."""
        values = np.empty(shape, dtype)
        with damage("a dataset"):
            if values.size:
                dataset.read(self.h5py.h5s.ALL, self.h5py.h5s.ALL, values, dataset.get_type())
        return widened(values) if dtype.kind == "V" else values


def widened(values: np.ndarray) -> np.ndarray:
    """Return values of bfloat16, held as two bytes each, as float32."""
    bits = np.frombuffer(values.tobytes(), "<u2").astype(np.uint32) << 16
    return bits.view(np.float32).reshape(values.shape)
