"""Weights as Keras stores them: HDF5 groups `<object>/vars` with datasets "0", "1", ...

The HDF5 library is h5py, imported when a file is opened. It would follow links into other files and
believe any size that a file declares; so the whole tree is checked before one value is read.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .archive import HDF5_MAGIC
from .errors import ModelFileError, shorten
from .paths import walk

if TYPE_CHECKING:
    import h5py

MAX_OBJECTS = 200_000
MAX_DEPTH = 64
MAX_NAME = 1_000
_ITEM_SIZES = {"f": (2, 4, 8), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "V": (2,)}


class Stored(NamedTuple):
    """One stored variable, known by its shape before its values are read."""

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


Groups = Mapping[str, list[Stored]]
"""Path of an object, "layers/dense_1", to its variables in order."""


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
def open_weights(data: bytes, what: str) -> Iterator[Groups]:
    """Open an HDF5 file held in memory; its variables can be read inside the `with` block.

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
    with _damage(what):
        file = h5py.File(io.BytesIO(data), "r")
    with file:
        with _damage(what):
            groups = _Scan(h5py, len(data)).run(file)
        yield groups


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Turn what h5py raises on a broken file into one class of error that names the file."""
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{what}: {error}") from error.__cause__
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{what} is a damaged HDF5 file: {shorten(str(error))}") from error


class _Scan:
    """One walk over a file's tree: refuses what is not plain, collects the variables."""

    def __init__(self, h5py: Any, budget: int) -> None:
        self.h5py = h5py
        self.file_size = self.budget = budget
        self.seen: set[int] = set()
        self.found: dict[str, dict[int, Stored]] = {}

    def run(self, root: h5py.File) -> Groups:
        """Return the variables of every object, in the order of their numbers."""
        pending = [("", root, 0)]
        while pending:
            path, group, depth = pending.pop()
            self.visit(group, path, depth)
            for name in group:
                child_path = f"{path}/{name}" if path else name
                child = self.child(group, name, child_path)
                if isinstance(child, self.h5py.Group):
                    pending.append((child_path, child, depth + 1))
                else:
                    self.visit(child, child_path, depth + 1)
                    self.dataset(child, child_path)
        return {path: _in_order(path, numbered) for path, numbered in self.found.items()}

    def visit(self, obj: Any, path: str, depth: int) -> None:
        """Count an object; each may be reached once only, so no hard link can form a cycle."""
        address = self.h5py.h5o.get_info(obj.id).addr
        if address in self.seen:
            raise ModelFileError(f"{shorten(path)} is linked from two places.")
        self.seen.add(address)
        if len(self.seen) > MAX_OBJECTS:
            raise ModelFileError(f"more than {MAX_OBJECTS:,} groups and datasets.")
        if depth > MAX_DEPTH:
            raise ModelFileError(f"groups are nested more than {MAX_DEPTH} deep.")

    def child(self, group: h5py.Group, name: str, path: str) -> Any:
        """Return what a hard link leads to; all other links are refused unopened."""
        if len(name) > MAX_NAME:
            raise ModelFileError(f"the name {shorten(name)} is too long.")
        link = group.get(name, getlink=True)
        if not isinstance(link, self.h5py.HardLink):
            raise ModelFileError(f"{shorten(path)} is a {type(link).__name__}, not stored data.")
        kind = group.get(name, getclass=True)
        if kind not in (self.h5py.Group, self.h5py.Dataset):
            raise ModelFileError(f"{shorten(path)} is neither a group nor a dataset.")
        return group[name]

    def dataset(self, dataset: h5py.Dataset, path: str) -> None:
        """Refuse a dataset that is not plain numbers inside this file, else note it."""
        where = shorten(path)
        creation = dataset.id.get_create_plist()
        if creation.get_external_count():
            raise ModelFileError(f"{where} keeps its values in another file.")
        layouts = (self.h5py.h5d.CONTIGUOUS, self.h5py.h5d.COMPACT)
        if creation.get_layout() not in layouts or creation.get_nfilters():
            raise ModelFileError(
                f"{where} is chunked, compressed or virtual, which Keras does not write."
            )
        classes = (self.h5py.h5t.INTEGER, self.h5py.h5t.FLOAT, self.h5py.h5t.OPAQUE)
        if dataset.id.get_type().get_class() not in classes:
            raise ModelFileError(f"{where} does not hold numbers.")
        dtype, shape = dataset.dtype, dataset.shape
        if shape is None or dtype.itemsize not in _ITEM_SIZES.get(dtype.kind, ()):
            raise ModelFileError(f"{where} has the unknown type {shorten(str(dtype))}.")
        size = math.prod(shape) * dtype.itemsize
        self.budget -= size
        if self.budget < 0:
            raise ModelFileError(
                f"{where} declares shape {shorten(shape)}: more bytes than the file has."
            )
        offset = dataset.id.get_offset()
        past_end = offset is not None and offset + size > self.file_size
        if dataset.id.get_storage_size() != size or past_end:
            raise ModelFileError(f"{where} of shape {shorten(shape)} is not wholly stored.")
        owner, _, number = path.rpartition("/")
        if owner.endswith("/vars") and number.isascii() and number.isdigit() and len(number) < 7:
            numbered = self.found.setdefault(owner.removesuffix("/vars"), {})
            numbered[int(number)] = Stored(tuple(map(int, shape)), dtype, lambda: _values(dataset))


def _in_order(path: str, numbered: dict[int, Stored]) -> list[Stored]:
    if sorted(numbered) != list(range(len(numbered))):
        raise ModelFileError(f"{shorten(path)}/vars is not numbered 0, 1, 2, ...")
    return [numbered[number] for number in range(len(numbered))]


def _values(dataset: h5py.Dataset) -> np.ndarray:
    """Read a dataset; bfloat16 (two opaque bytes) becomes float32, exactly."""
    with _damage(f"dataset {dataset.name}"):
        values = np.asarray(dataset[()])
    if values.dtype.kind == "V":
        bits = np.frombuffer(values.tobytes(), "<u2").astype(np.uint32) << 16
        return bits.view(np.float32).reshape(values.shape)
    return values


# --- weights into a model ---------------------------------------------------------------------


def _other_kind(variable: Any, stored: Stored) -> bool:
    """Whether one of them holds quantized weights and the other does not."""
    return (variable.dtype == "int8") != (stored.dtype == np.int8)


def fill(model: Any, groups: Groups, what: str, *, skip_mismatch: bool = False) -> None:
    """Put stored variables into a built model; nothing is changed unless everything fits.

    Args:
        model: the model.
        groups: the stored variables.
        what: names the source in messages.
        skip_mismatch: leave out, with a warning, the layers whose variables do not fit.

    Raises:
        ModelFileError: one message with every layer whose variables are missing, superfluous or of
            another shape.
    """
    fitting: list[tuple[Any, Stored]] = []
    problems = []
    places = list(walk(model))
    tops = {"layers", *(path.partition("/")[0] for path, _ in places if path)}
    unused = {path for path, stored in groups.items() if stored and path.partition("/")[0] in tops}
    for path, layer in places:
        variables = layer._stored_variables
        stored = groups.get(path, [])
        unused.discard(path)
        wanted, got = [tuple(v.shape) for v in variables], [s.shape for s in stored]
        mixed = any(map(_other_kind, variables, stored))
        if wanted == got and not mixed:
            fitting += zip(variables, stored, strict=True)
        elif not layer.built:
            problems.append(f"layer {layer.name!r} is not built, the file has {got}")
        elif wanted == got:  # an int8 kernel and its scale, or a kernel of reals and its bias
            types = [str(s.dtype) for s in stored]
            problems.append(
                f"layer {layer.name!r} has variables of {[v.dtype for v in variables]}, the file "
                f"of {types} ({path})"
            )
        else:
            problems.append(f"layer {layer.name!r} has variables {wanted}, the file {got} ({path})")
    problems += [
        f"the file has {path!r} with {[s.shape for s in groups[path]]}, the model has no such layer"
        for path in sorted(unused)
        # The states of Keras' random generators, and of optimizers of models inside this one.
        if not path.endswith(("seed_generator", "/optimizer"))
    ]
    if problems:
        message = f"{what}: the weights do not fit the model:\n  " + "\n  ".join(problems)
        if not skip_mismatch:
            raise ModelFileError(message)
        warnings.warn(message, stacklevel=3)
    for variable, values in fitting:
        variable.assign(values.read())
