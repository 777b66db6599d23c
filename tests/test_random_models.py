"""Random models that Keras has saved predict the same here, and so does Keras with what we save.
What they learn in a step is what differences of their loss say.

COREOPS_SEEDS=1000:3000 takes other seeds than the few of every run.
"""

import os

import numpy as np
import pytest
from keras_cases import h5py  # noqa: F401
from random_models import Maker, flat

from coreops import optimizers
from coreops.saving import from_keras, load_model

ROWS = 3


def seeds(usual):
    first, _, last = os.environ.get("COREOPS_SEEDS", usual).partition(":")
    return range(int(first), int(last or int(first) + 1))


def made(keras, seed, dtype, **options):
    """A model of that type, arrays for it, and what Keras makes of them."""
    keras.backend.clear_session()
    before = keras.config.dtype_policy(), keras.config.floatx()
    keras.config.set_dtype_policy(dtype)
    keras.config.set_floatx(dtype)
    try:
        maker = Maker(keras, seed, **options)
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
@pytest.mark.parametrize("seed", seeds("0:20"))
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


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parity
@pytest.mark.parametrize("seed", seeds("100:112"))
def test_a_step_follows_differences(keras, seed):
    """Of a few directions one at least crosses no kink, and there both agree."""
    theirs, x, y = made(keras, seed, "float64", noisy=False)
    rng = np.random.default_rng(seed)
    model = from_keras(theirs)
    x = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in x]
    y = [rng.normal(size=one.shape) for one in y]
    model.compile(optimizers.SGD(1.0), "mse")
    learn = model.trainable_weights
    before = [w.numpy().copy() for w in learn]

    def loss(far=0.0, way=before):
        for w, value, d in zip(learn, before, way, strict=True):
            w.assign(value + far * d)
        made = model.train_on_batch(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0])
        return made[0] if isinstance(made, list) else made

    if not np.isfinite(loss()):  # the mean of no steps at all
        return
    slopes = [value - w.numpy() for value, w in zip(before, learn, strict=True)]
    found = []
    for _ in range(4):
        way = [rng.normal(size=value.shape) for value in before]
        found.append(
            (
                (loss(1e-6, way) - loss(-1e-6, way)) / 2e-6,
                sum(np.sum(slope * d) for slope, d in zip(slopes, way, strict=True)),
            )
        )
        if abs(found[-1][0] - found[-1][1]) <= 1e-4 * (abs(found[-1][0]) + 1e-3):
            return
    raise AssertionError(f"differences and slopes: {found}")
