"""Files with layers of images that real Keras wrote: what they compute, and what ours say."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from layer_checks import assert_close, plain

from coreops import layers
from coreops.saving import load_model

ARCHIVE = Path(__file__).parent / "data" / "image_files.zip"
CASES = ["plain", "groups_and_dilation", "separable", "channels_first", "sequences"]
# Keras' convolutions on NumPy go by JAX
pytestmark = pytest.mark.filterwarnings("ignore:.*__array__ implementation:DeprecationWarning")


@pytest.fixture
def recorded(tmp_path):
    """A case's file, its input and what Keras computed."""

    def find(case):
        with zipfile.ZipFile(ARCHIVE) as archive:
            path = tmp_path / f"{case}.keras"
            path.write_bytes(archive.read(path.name))
            with np.load(io.BytesIO(archive.read("expected.npz"))) as arrays:
                return path, arrays[f"{case}/x"], arrays[f"{case}/y"]

    return find


def test_all_cases_are_there():
    with zipfile.ZipFile(ARCHIVE) as archive:
        assert sorted(archive.namelist()) == sorted(
            [*(f"{c}.keras" for c in CASES), "expected.npz"]
        )


@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_keras(recorded, case):
    pytest.importorskip("h5py")
    path, x, y = recorded(case)
    assert_close(load_model(path)(x), y, 100)


@pytest.mark.parametrize("case", CASES)
def test_keras_reads_what_is_written(keras, recorded, case, tmp_path):
    pytest.importorskip("h5py")
    path, x, y = recorded(case)
    model, again = load_model(path), tmp_path / "again.keras"
    model.save(again)
    assert_close(load_model(again)(x), np.asarray(model(x)))
    theirs = keras.models.load_model(again)
    assert_close(np.asarray(theirs(x)), y, 100)
    for one, other in zip(model.layers, theirs.layers, strict=True):
        assert isinstance(one, layers.Layer)
        assert plain(one.get_config()) == plain(other.get_config())
