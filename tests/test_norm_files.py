"""Models with normalisation, embeddings, noise and global pooling that real Keras made and saved:
what they predict, and how they go on learning (tests/data/make_norm_files.py)."""

from pathlib import Path

import numpy as np
import pytest

from coreops import models, optimizers

FILES = Path(__file__).parent / "data" / "norm_files"
CASES = sorted(path.stem for path in FILES.glob("*.keras"))


@pytest.fixture(scope="module")
def expected():
    with np.load(FILES / "expected.npz") as records:
        return dict(records)


@pytest.mark.parametrize("name", CASES)
def test_predictions(expected, isa, tmp_path, name):
    model = models.load_model(FILES / f"{name}.keras")
    x, wanted = expected[name + "/x"], expected[name + "/y"]
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "again.keras")
    again = models.load_model(tmp_path / "again.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize(
    "name", [name for name in CASES if name not in ("images", "noises", "inverted")]
)
def test_twenty_steps(expected, name):
    model = models.load_model(FILES / f"{name}.keras")
    model.compile(optimizers.SGD(0.05, momentum=0.5), "mse")
    x, t = expected[name + "/x"], expected[name + "/t"]
    losses = [model.train_on_batch(x, t) for _ in range(20)]
    np.testing.assert_allclose(losses, expected[name + "/losses"], rtol=1e-4)
    for i, weight in enumerate(model.get_weights()):
        wanted = expected[f"{name}/{i}"]
        np.testing.assert_allclose(weight, wanted, rtol=1e-3, atol=1e-4, err_msg=str(i))
