"""HDF5 files that lead elsewhere, claim what they do not hold, or are not what Keras writes."""

import re
import struct

import numpy as np
import pytest
from keras_cases import (
    dense,
    h5py,  # noqa: F401 - fixture
    keras_zip,
    refuse,
    sequential,
    weights,
)

import coreops
from coreops.saving import load_weights
from coreops.saving.errors import ModelFileError

pytestmark = pytest.mark.usefixtures("h5py")


def hostile_weights(h5py, tmp_path):  # noqa: F811
    """Name -> (HDF5 bytes, part of the message)."""
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["kernel"] = np.full((3, 2), 42, np.float32)
    (tmp_path / "secret.bin").write_bytes(bytes(24))
    kernel = "layers/dense/vars/0"

    def replace(make):
        def fill(file):
            del file[kernel]
            make(file)

        return weights(h5py, fill)

    def external_storage(file):
        file.create_dataset(kernel, (3, 2), "f4", external=[(str(tmp_path / "secret.bin"), 0, 24)])

    def virtual(file):
        layout = h5py.VirtualLayout((3, 2), "f4")
        layout[:] = h5py.VirtualSource(str(secret), "kernel", (3, 2))
        file.create_virtual_dataset(kernel, layout)

    def link(value):
        return lambda file: file.__setitem__(kernel, value)

    def never_written(shape):
        return lambda file: file.create_dataset(kernel, shape, "f4")

    def cycle(file):
        file["layers/loop"] = file["layers"]

    def deep(file):
        group = file
        for _ in range(100):
            group = group.create_group("g")

    def committed(file):
        file[kernel] = np.dtype("f4")

    def compressed(file):
        file.create_dataset(kernel, data=np.ones((3, 2), np.float32), compression="gzip")

    def chunked(file):
        file.create_dataset(kernel, data=np.ones((3, 2), np.float32), chunks=(1, 1))

    def typed(dtype):
        return lambda file: file.create_dataset(kernel, data=np.zeros((3, 2), dtype))

    def strings(file):
        file.create_dataset(kernel, data=["a" * 100] * 6, dtype=h5py.string_dtype())

    return {
        "external link": (replace(link(h5py.ExternalLink(str(secret), "kernel"))), "external"),
        "soft link": (replace(link(h5py.SoftLink("/layers/dense/vars/1"))), "soft"),
        "soft link to itself": (replace(link(h5py.SoftLink(f"/{kernel}"))), "soft"),
        "external storage": (replace(external_storage), "another file"),
        "virtual dataset": (replace(virtual), "virtual"),
        "shape bomb": (replace(never_written((10**9, 10**6))), "more bytes than the file"),
        "shape overflow": (replace(never_written((2**40, 2**20))), "more bytes than the file"),
        "never written": (replace(never_written((3, 2))), "not wholly stored"),
        "two names for one dataset": (replace(lambda f: link(f["layers/dense/vars/1"])(f)), "two"),
        "cycle of groups": (weights(h5py, cycle), "two places"),
        "deep groups": (weights(h5py, deep), "deep"),
        "named type": (replace(committed), "neither"),
        "compressed": (replace(compressed), "compressed"),
        "chunked": (replace(chunked), "chunked"),
        "complex numbers": (replace(typed("c8")), "numbers"),
        "compound type": (replace(typed([("a", "f4"), ("b", "i4")])), "numbers"),
        "booleans": (replace(typed("?")), "numbers"),
        "large opaque": (replace(typed("V100")), "type"),
        "strings": (replace(strings), "numbers"),
        "null dataset": (
            replace(lambda f: f.create_dataset(kernel, data=h5py.Empty("f4"))),
            "type",
        ),
        "gap in the numbers": (
            replace(lambda f: f.move("layers/dense/vars/1", kernel[:-1] + "7")),
            "numbered",
        ),
        "another shape": (weights(h5py, kernel=(4, 2)), r"\(3, 2\)"),
        "no weights": (weights(h5py, kernel=None), "needs a weight"),
        "surplus layer": (
            weights(h5py, lambda f: f.create_dataset("layers/dense_1/vars/0", data=[1.0])),
            "no such layer",
        ),
        "surplus variable": (
            weights(h5py, lambda f: f.create_dataset("layers/dense/vars/2", data=[1.0])),
            "has variables",
        ),
        "long name": (weights(h5py, lambda f: f.create_group("n" * 5000)), "too long"),
        "not HDF5": (b"junk" * 100, "not an HDF5 file"),
        "magic alone": (b"\x89HDF\r\n\x1a\n", "damaged HDF5"),
        "cut in half": (weights(h5py)[: len(weights(h5py)) // 2], "HDF5"),
    }


HOSTILE_WEIGHTS = [
    "external link",
    "soft link",
    "soft link to itself",
    "external storage",
    "virtual dataset",
    "shape bomb",
    "shape overflow",
    "never written",
    "two names for one dataset",
    "cycle of groups",
    "deep groups",
    "named type",
    "compressed",
    "chunked",
    "complex numbers",
    "compound type",
    "booleans",
    "large opaque",
    "strings",
    "null dataset",
    "gap in the numbers",
    "another shape",
    "no weights",
    "surplus layer",
    "surplus variable",
    "long name",
    "not HDF5",
    "magic alone",
    "cut in half",
]


@pytest.mark.parametrize("case", HOSTILE_WEIGHTS)
def test_hostile_weights(case, tmp_path, h5py):  # noqa: F811
    data, match = hostile_weights(h5py, tmp_path)[case]
    refuse(keras_zip(tmp_path / "m.keras", sequential(dense()), data), match)
    model = coreops.Sequential([coreops.Input((3,)), coreops.layers.Dense(2)])
    before = model.get_weights()
    (tmp_path / "m.weights.h5").write_bytes(data)
    with pytest.raises(ModelFileError):
        load_weights(model, tmp_path / "m.weights.h5")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_index_that_leads_back_into_itself(h5py, tmp_path):  # noqa: F811
    """Which the library, asked about the group, would follow for ever."""
    good = weights(h5py)
    places = [match.start() for match in re.finditer(b"TREE", good)]
    assert places
    for place in places:
        data = good[: place + 16] + struct.pack("<Q", place) + good[place + 24 :]
        (tmp_path / "m.weights.h5").write_bytes(data)
        model = coreops.Sequential([coreops.Input((3,)), coreops.layers.Dense(2)])
        load_weights(model, tmp_path / "m.weights.h5")
        np.testing.assert_array_equal(model.layers[0].kernel.value, np.ones((3, 2)))


def test_all_hostile_weights_are_tested(tmp_path, h5py):  # noqa: F811
    assert set(HOSTILE_WEIGHTS) == set(hostile_weights(h5py, tmp_path))
