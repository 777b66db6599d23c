"""Random models that Keras has saved predict the same here, and so does Keras with what we save.

COREOPS_SEEDS=1000:3000 takes other seeds than the few of every run.
"""

import os

import numpy as np
import pytest
from keras_cases import h5py  # noqa: F401
from random_models import Maker, flat

from coreops.saving import load_model

ROWS = 3


def seeds():
    first, _, last = os.environ.get("COREOPS_SEEDS", "0:32").partition(":")
    return range(int(first), int(last or int(first) + 1))


def made(keras, seed, dtype):
    """A model of that type, arrays for it, and what Keras makes of them."""
    keras.backend.clear_session()
    before = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy(dtype)
    keras.config.set_floatx(dtype)
    try:
        maker = Maker(keras, seed)
        model = maker.model()
        maker.fill(model)
        x = maker.data(model, ROWS)
        given = [a.astype(dtype) if a.dtype.kind == "f" else a for a in x]
        return model, x, flat(model(given if len(given) > 1 else given[0], training=False))
    finally:
        keras.config.set_dtype_policy(before[0])
        keras.config.set_floatx(before[1])


def close(ours, single, double):
    """Ours is as near to the exact result as Keras in float32, but for a factor: roundings of
    other orders of summation, and outputs that a few elements alone are compared in."""
    eps = np.finfo(np.float32).eps
    for y, one, exact in zip(flat(ours), single, double, strict=True):
        assert y.shape == one.shape
        assert y.dtype == one.dtype
        known = np.isfinite(exact)  # the mean of no steps at all is NaN
        scale = np.abs(exact[known]).max(initial=0)
        lost = np.abs(one - exact)[known].max(initial=0)
        np.testing.assert_allclose(y, exact, rtol=0, atol=32 * lost + 64 * eps * scale)


@pytest.mark.filterwarnings("ignore")  # Keras' of its NumPy backend, ours of masks that are dropped
@pytest.mark.parity
@pytest.mark.parametrize("seed", seeds())
def test_there_and_back(keras, seed, tmp_path, h5py):  # noqa: F811
    _, _, double = made(keras, seed, "float64")
    theirs, x, single = made(keras, seed, "float32")
    x = x if len(x) > 1 else x[0]
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    close(ours(x), single, double)
    close(ours.predict(x, verbose=0), single, double)
    ours.save(tmp_path / "ours.keras")
    again = keras.saving.load_model(tmp_path / "ours.keras")
    for y, one in zip(flat(again(x, training=False)), single, strict=True):
        np.testing.assert_array_equal(y, one)
