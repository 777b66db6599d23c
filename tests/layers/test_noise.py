"""GaussianNoise, GaussianDropout, AlphaDropout, SpatialDropout1D and 2D."""

import math

import numpy as np
import pytest
from layer_checks import assert_like_keras, plain, run_layer_test

from coreops import layers
from coreops.layers import (
    AlphaDropout,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout1D,
    SpatialDropout2D,
)

EACH = [
    (GaussianNoise, {"stddev": 0.5}, (4, 3)),
    (GaussianDropout, {"rate": 0.3}, (4, 3, 2)),
    (AlphaDropout, {"rate": 0.3}, (4, 3)),
    (SpatialDropout1D, {"rate": 0.3}, (4, 3, 2)),
    (SpatialDropout2D, {"rate": 0.3, "data_format": "channels_first"}, (4, 3, 2, 2)),
]


@pytest.mark.parametrize(("cls", "kwargs", "shape"), EACH)
def test_is_the_identity_outside_of_training(keras, rng, cls, kwargs, shape):
    x = rng.normal(size=shape).astype("float32")
    kwargs = {**kwargs, "seed": 3}
    _, y = run_layer_test(cls, kwargs, x, output_shape=shape, supports_masking=True)
    np.testing.assert_array_equal(y, x)
    assert_like_keras(keras, cls.__name__, kwargs, x)
    theirs = getattr(keras.layers, cls.__name__)(**kwargs)
    assert plain(cls.from_config(theirs.get_config()).get_config()) == plain(theirs.get_config())


@pytest.mark.parametrize(("cls", "kwargs", "shape"), EACH)
def test_a_seed_repeats_the_sequence(rng, cls, kwargs, shape):
    x = rng.normal(1, 1, size=shape).astype("float32")
    one, two = cls(seed=11, **kwargs), cls(seed=11, **kwargs)
    first, second = one(x, training=True), one(x, training=True)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(two(x, training=True), first)
    np.testing.assert_array_equal(two(x, training=True), second)


@pytest.mark.parametrize(("cls", "kwargs", "shape"), EACH)
def test_amounts(cls, kwargs, shape):
    name = next(iter(kwargs))
    for amount in (-0.1, 1.1):
        with pytest.raises(ValueError, match=name):
            cls(**{**kwargs, name: amount})
    with pytest.raises(TypeError):
        cls(**{**kwargs, name: "0.5"})
    x = np.ones(shape, "float32")
    np.testing.assert_array_equal(cls(**{**kwargs, name: 0})(x, training=True), x)
    if cls in (GaussianDropout, AlphaDropout):
        with pytest.raises(ValueError, match="rate=1"):
            cls(1.0)(x, training=True)
    with pytest.warns(DeprecationWarning, match=name):
        cls(**{"sigma" if name == "stddev" else "p": 0.5})


@pytest.mark.parametrize(("cls", "kwargs", "shape"), EACH)
def test_integers_stay_integers(cls, kwargs, shape):
    x = np.full(shape, 100, "int32")
    y = cls(**kwargs)(x, training=True)
    assert y.dtype == np.int32
    assert not np.array_equal(y, x) or cls is GaussianNoise


@pytest.mark.parametrize("n", [400_000])
def test_statistics(dtype, n):
    """Within five deviations of the estimates."""
    x = np.full((n // 100, 100), 2.0, dtype)
    noise = GaussianNoise(0.7, seed=1, dtype=dtype.name)(x, training=True).astype("float64") - 2
    assert abs(noise.mean()) < 5 * 0.7 / math.sqrt(n)
    assert abs(noise.std() - 0.7) < 5 * 0.7 / math.sqrt(2 * n)
    factor = GaussianDropout(0.2, seed=1, dtype=dtype.name)(x, training=True).astype("float64") / 2
    assert abs(factor.mean() - 1) < 5 * 0.5 / math.sqrt(n)
    assert abs(factor.std() - 0.5) < 5 * 0.5 / math.sqrt(2 * n)


@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_alpha_dropout_keeps_mean_and_variance(rng, rate):
    x = rng.normal(size=(4000, 100)).astype("float32")
    y = AlphaDropout(rate, seed=1)(x, training=True)
    assert abs(y.mean()) < 0.02
    assert abs(y.std() - 1) < 0.02
    floor = -1.7580993408473766
    a = ((1 - rate) * (1 + rate * floor**2)) ** -0.5
    b = -a * floor * rate
    dropped = np.isclose(y, a * floor + b, atol=1e-6)
    assert abs(dropped.mean() - rate) < 5 * math.sqrt(rate * (1 - rate) / x.size)
    np.testing.assert_allclose(y[~dropped], a * x[~dropped] + b, rtol=1e-5, atol=2e-6)


def test_alpha_dropout_shares_its_noise(rng):
    x = rng.normal(size=(6, 4, 5)).astype("float32")
    layer = AlphaDropout(0.5, noise_shape=(None, 1, 5), seed=1)
    y = layer(x, training=True)
    floor = -1.7580993408473766
    a = (0.5 * (1 + 0.5 * floor**2)) ** -0.5
    dropped = np.isclose(y, a * floor - 0.5 * a * floor, atol=1e-6)
    assert np.array_equal(dropped.all(1), dropped.any(1))
    assert 0.2 < dropped.mean() < 0.8
    with pytest.raises(ValueError, match="broadcast"):
        AlphaDropout(0.5, noise_shape=(3, 3))(x, training=True)


@pytest.mark.parametrize(
    ("layer", "shape", "axes"),
    [
        (SpatialDropout1D(0.5, seed=1), (20, 7, 9), (1,)),
        (SpatialDropout2D(0.5, seed=1), (20, 3, 4, 9), (1, 2)),
        (SpatialDropout2D(0.5, "channels_first", seed=1), (20, 9, 3, 4), (2, 3)),
    ],
)
def test_whole_channels_are_dropped(layer, shape, axes):
    y = layer(np.ones(shape, "float32"), training=True)
    sums = y.sum(axes)
    full = 2 * np.prod([shape[a] for a in axes])
    assert set(np.unique(sums)) == {0, full}
    assert 0.3 < (sums == 0).mean() < 0.7
    with pytest.raises(ValueError, match=layer.name):
        layer(np.ones(shape[:2], "float32"))


def test_threads_and_blocks_make_the_same_noise(rng):
    import coreops

    x = rng.normal(size=(700, 333)).astype("float32")
    before, found = coreops.get_num_threads(), []
    for threads in (1, 2):
        coreops.set_num_threads(threads)
        found.append(GaussianNoise(0.5, seed=3)(x, training=True))
    coreops.set_num_threads(before)
    np.testing.assert_array_equal(*found)
    with pytest.raises(ValueError, match="data_format"):
        layers.SpatialDropout2D(0.5, data_format="first")
