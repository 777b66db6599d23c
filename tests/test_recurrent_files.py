"""Files with recurrent layers: those of real Keras, and those that real Keras is to read."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from keras_cases import h5py  # noqa: F401 - fixture

import coreops
from coreops import Sequential, layers
from coreops.saving import load_model

pytestmark = pytest.mark.usefixtures("h5py")
ARCHIVE = Path(__file__).parent / "data" / "recurrent_files.zip"
CASES = sorted(
    Path(name).stem for name in zipfile.ZipFile(ARCHIVE).namelist() if name.endswith(".keras")
)


@pytest.fixture(scope="module")
def expected():
    with zipfile.ZipFile(ARCHIVE) as archive:
        return dict(np.load(io.BytesIO(archive.read("expected.npz"))))


def extract(name, folder):
    with zipfile.ZipFile(ARCHIVE) as archive:
        return archive.extract(f"{name}.keras", folder)


@pytest.mark.parametrize("name", CASES)
def test_files_of_keras(name, expected, tmp_path):
    model = load_model(extract(name, tmp_path))
    x, wanted = expected[f"{name}/x"], expected[f"{name}/y"]
    actual = np.asarray(model(x))
    assert actual.dtype == wanted.dtype
    # Keras takes a part of its float64 cells through float32.
    np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=1e-5)
    again = tmp_path / "again.keras"
    model.save(again)
    copy = load_model(again)
    if name == "stateful":
        model.layers[-1].reset_state()
    np.testing.assert_array_equal(copy(x), model(x))


@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_keras_reads_what_we_write(keras, name, expected, tmp_path):
    model = load_model(extract(name, tmp_path))
    path = tmp_path / "ours.keras"
    model.save(path)
    theirs = keras.saving.load_model(path)
    x = expected[f"{name}/x"]
    y = np.asarray(theirs(x))
    np.testing.assert_allclose(y, np.asarray(model(x)), rtol=1e-5, atol=1e-5)


@pytest.mark.parity
def test_from_a_live_model(keras, rng):
    live = keras.Sequential(
        [
            keras.Input((5, 3)),
            keras.layers.Masking(),
            keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True)),
            keras.layers.TimeDistributed(keras.layers.Dense(3)),
            keras.layers.GRU(2),
        ]
    )
    x = rng.normal(size=(4, 5, 3)).astype("float32")
    x[1, 2:] = 0
    model = coreops.from_keras(live)
    np.testing.assert_allclose(model(x), np.asarray(live(x)), rtol=1e-5, atol=1e-6)


def test_weights_of_a_file(tmp_path, rng):
    def make():
        return Sequential([layers.Input((4, 2)), layers.Bidirectional(layers.LSTM(3))])

    model, other = make(), make()
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    x = rng.normal(size=(2, 4, 2)).astype("float32")
    np.testing.assert_array_equal(model(x), other(x))
