"""Keras files for the tests: the recorded ones, and a workshop for damaged and hostile ones."""

import io
import json
import time
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from coreops.saving import load_model
from coreops.saving.errors import ModelFileError

SECONDS = 5.0  # in which a bad file is refused, however large it claims to be
BYTES = 64 << 20

FILES = Path(__file__).parent / "data" / "keras_files"
METADATA = {"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}


@pytest.fixture(scope="session")
def h5py():
    """The library behind the extra `coreops[keras]`."""
    return pytest.importorskip("h5py")


@pytest.fixture(scope="session")
def expected():
    """Case name -> (input, what Keras computed for it)."""
    with np.load(FILES / "expected.npz") as records:
        names = sorted({key.partition("/")[0] for key in records.files})
        return {name: (records[f"{name}/x"], records[f"{name}/y"]) for name in names}


def layer(class_name, name, module="keras.layers", **config):
    """A serialised layer."""
    return {"module": module, "class_name": class_name, "config": {"name": name, **config}}


def sequential(*layers, shape=(None, 3), name="model", **config):
    """A serialised Sequential that starts with an InputLayer."""
    first = layer("InputLayer", "input", batch_shape=list(shape), dtype="float32")
    config = {"name": name, "layers": [first, *layers], **config}
    return {"module": "keras", "class_name": "Sequential", "config": config}


def dense(name="d", units=2, **config):
    """A serialised Dense; its group in a weights file is layers/dense."""
    return layer("Dense", name, units=units, **config)


def weights(h5py, fill=None, *, kernel=(3, 2), **file_options):
    """An HDF5 file with one Dense's weights; `fill(file)` may add to it or replace them."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", **file_options) as file:
        group = file.create_group("layers/dense/vars")
        if kernel is not None:
            group["0"] = np.ones(kernel, np.float32)
            group["1"] = np.zeros(kernel[-1], np.float32)
        if fill is not None:
            fill(file)
    return buffer.getvalue()


def keras_zip(path, config, weights, *, metadata=METADATA, compression=zipfile.ZIP_STORED, more=()):
    """Write a `.keras` archive; `config` and `metadata` may be raw bytes."""
    as_bytes = [
        part if isinstance(part, bytes) else json.dumps(part).encode()
        for part in (metadata, config)
    ]
    members = [("metadata.json", as_bytes[0]), ("config.json", as_bytes[1])]
    if weights is not None:
        members.append(("model.weights.h5", weights))
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in [*members, *more]:
            archive.writestr(name, data)
    return path


def refuse(path, match, **options):
    """Loading raises the one class of error, names the reason, and stays cheap."""
    tracemalloc.start()
    started = time.perf_counter()
    try:
        with pytest.raises(ModelFileError, match=match):
            load_model(path, **options)
        seconds, peak = time.perf_counter() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert seconds < SECONDS
    assert peak < BYTES
