"""Dropout and ActivityRegularization."""

import math

import numpy as np
import pytest
from layer_checks import assert_close, assert_like_keras, run_layer_test

from coreops import models, utils
from coreops.layers import ActivityRegularization, Dense, Dropout, Input, Lambda


def test_is_the_identity_outside_of_training(rng):
    x = rng.normal(size=(4, 3, 5)).astype("float32")
    _, y = run_layer_test(
        Dropout, {"rate": 0.5, "seed": 3}, x, output_shape=x.shape, supports_masking=True
    )
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(Dropout(0.0)(x, training=True), x)


@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_keeps_integers_outside_of_training(dtype):
    x = np.ones((2, 3), dtype)
    assert Dropout(0.5)(x).dtype == dtype
    assert Dropout(0.5)(x, training=True).dtype == dtype


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_drops_that_fraction_and_scales_the_rest(rate, dtype):
    n = 40000
    x = np.full((n // 100, 100), 3.0, dtype)
    y = Dropout(rate, seed=7, dtype=dtype.name)(x, training=True)
    assert y.dtype == dtype
    kept = y != 0
    assert_close(y[kept], np.full(kept.sum(), 3 / (1 - rate), dtype))
    # Six standard deviations of a binomial: one failure in 10^9 seeds.
    assert abs(kept.mean() - (1 - rate)) < 6 * math.sqrt(rate * (1 - rate) / n)


def test_rate_one_gives_zeros():
    y = Dropout(1)(np.full((3, 4), np.float32(2)), training=True)
    np.testing.assert_array_equal(y, np.zeros((3, 4)))


def test_a_seed_repeats_the_sequence():
    x = np.ones((20, 30), "float32")
    one, two = Dropout(0.5, seed=11), Dropout(0.5, seed=11)
    first, second = one(x, training=True), one(x, training=True)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(two(x, training=True), first)
    np.testing.assert_array_equal(two(x, training=True), second)
    assert not np.array_equal(Dropout(0.5, seed=12)(x, training=True), first)


def test_without_a_seed_the_global_one_counts():
    x = np.ones((20, 30), "float32")
    draws = []
    for seed in (1, 1, 2):
        utils.set_random_seed(seed)
        draws.append(Dropout(0.5)(x, training=True))
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize(
    ("noise_shape", "shared"),
    [
        ((6, 1, 5), (1,)),
        ((None, 1, None), (1,)),
        ((1, 4, 5), (0,)),
        ((5,), (0, 1)),
        ((4, 1), (0, 2)),
    ],
)
def test_noise_is_shared_along_axes_of_one(noise_shape, shared):
    x = np.ones((6, 4, 5), "float32")
    layer = Dropout(0.5, noise_shape=noise_shape, seed=4)
    assert layer.noise_shape == tuple(noise_shape)
    y = layer(x, training=True)
    first = y
    for axis in shared:
        first = np.take(first, [0], axis)
    np.testing.assert_array_equal(y, np.broadcast_to(first, y.shape))
    assert 0 < (first == 0).sum() < first.size


@pytest.mark.parametrize("noise_shape", [(4, 3), (2, 2), (1, 2, 3, 4)])
def test_noise_must_broadcast_to_the_input(noise_shape):
    with pytest.raises(ValueError, match=r"^Layer 'drop': noise_shape"):
        Dropout(0.5, noise_shape=noise_shape, name="drop")(
            np.ones((2, 3), "float32"), training=True
        )


@pytest.mark.parametrize("rate", [-0.1, 1.5, math.nan])
def test_rate_must_be_a_fraction(rate):
    with pytest.raises(ValueError, match="rate"):
        Dropout(rate)


@pytest.mark.parametrize("rate", ["a", None])
def test_rate_must_be_a_number(rate):
    with pytest.raises(TypeError, match="'drop': `rate`"):
        Dropout(rate, name="drop")


@pytest.mark.parametrize("noise_shape", ["ab", 3, (1, 2.0), (1, 0), (1, -1), (True,)])
def test_malformed_noise_shapes(noise_shape):
    with pytest.raises(ValueError, match="noise_shape"):
        Dropout(0.5, noise_shape=noise_shape)


def test_seed_must_be_an_int():
    with pytest.raises(ValueError, match="seed"):
        Dropout(0.5, seed=1.5)


def test_training_comes_from_the_call_around():
    x = np.ones((30, 30), "float32")
    inner = Dropout(0.5, seed=1)
    model = models.Sequential([Input((30,)), Lambda(lambda v: inner(v)), Dropout(0.0)])
    np.testing.assert_array_equal(model(x), x)
    assert (model(x, training=True) == 0).any()
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    assert (Dropout(0.5)(x, training=True) == 0).any()


def test_training_mode_does_not_stick():
    x = np.ones((30, 30), "float32")
    model = models.Sequential([Input((30,)), Dropout(0.5)])
    for _ in range(2):
        np.testing.assert_array_equal(model(x), x)
        assert (model(x, training=True) == 0).any()


def test_activity_regularization(rng):
    x = rng.normal(size=(4, 3)).astype("float32")
    layer, y = run_layer_test(
        ActivityRegularization,
        {"l1": 0.5, "l2": 0.25},
        x,
        output_shape=x.shape,
        supports_masking=True,
    )
    np.testing.assert_array_equal(y, x)
    (loss,) = layer.losses
    assert loss == pytest.approx((0.5 * np.abs(x).sum() + 0.25 * (x**2).sum()) / 4, rel=1e-5)
    layer(x[:2])
    assert len(layer.losses) == 1
    assert set(layer.get_config()) == {"name", "trainable", "dtype", "l1", "l2"}


def test_activity_regularization_without_factors():
    layer = ActivityRegularization(None, None)
    layer(np.ones((2, 3), "float32"))
    assert layer.losses == [0]
    layer(np.ones((0, 3), "float32"))
    assert layer.losses == [0]


@pytest.mark.parametrize("factor", [-1, math.nan, math.inf, "a"])
def test_factors_must_be_finite_and_not_negative(factor):
    with pytest.raises(ValueError, match="l1"):
        ActivityRegularization(factor)
    with pytest.raises(ValueError, match="l2"):
        ActivityRegularization(l2=factor)


def test_losses_of_a_model(rng):
    x = rng.normal(size=(8, 3)).astype("float32")
    model = models.Sequential(
        [
            Input((3,)),
            Dense(2, kernel_regularizer="l2", activity_regularizer="l1"),
            ActivityRegularization(l2=1.0),
        ]
    )
    assert len(model.losses) == 1
    y = model(x)
    activity, after, kernel = model.losses
    assert activity == pytest.approx(0.01 * np.abs(y).sum() / 8, rel=1e-5)
    assert after == pytest.approx((y**2).sum() / 8, rel=1e-5)
    assert kernel == pytest.approx(0.01 * (model.weights[0].numpy() ** 2).sum(), rel=1e-5)
    model(x)
    assert len(model.losses) == 3
    model.predict(x, verbose=0)
    assert len(model.losses) == 3
    model.trainable = False
    assert len(model.losses) == 2


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("Dropout", {"rate": 0.25, "seed": 3, "noise_shape": (None, 1, 4)}),
        ("ActivityRegularization", {"l1": 0.5, "l2": 0.25}),
    ],
)
def test_as_keras(keras, rng, name, kwargs):
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    ours, theirs = assert_like_keras(keras, name, kwargs, x, roundings=0)
    np.testing.assert_allclose(ours.losses, [float(v) for v in theirs.losses], rtol=1e-5)


def deviations(count, chance, of):
    """How many standard deviations a count of `of` draws is from what is expected."""
    return abs(count - chance * of) / math.sqrt(chance * (1 - chance) * of)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5])
def test_statistics_of_many_draws(rate):
    """10^8 draws: the fraction, the mean, and neighbours of several distances that know nothing of
    each other; those 64 apart share a word (csrc/philox.h). 4.5 standard deviations each."""
    n, calls = 5_000_000, 20
    layer = Dropout(rate, seed=11)
    x = np.ones(n, "float32")
    distances = (1, 2, 16, 32, 63, 64, 128, 192, 1024, n // 2)
    dropped, pairs, before = 0, dict.fromkeys(distances, 0), None
    repeats = 0
    for _ in range(calls):
        y = layer(x, training=True)
        assert set(np.unique(y[:1000])) == {0, np.float32(1 / (1 - rate))}
        gone = y == 0
        dropped += np.count_nonzero(gone)
        for distance in pairs:
            pairs[distance] += np.count_nonzero(gone[distance:] & gone[:-distance])
        if before is not None:
            repeats += np.count_nonzero(gone & before)
        before = gone

    assert deviations(dropped, rate, n * calls) < 4.5
    assert abs((n * calls - dropped) / (1 - rate) / (n * calls) - 1) < 6e-4 * math.sqrt(
        rate / (1 - rate)
    )
    for distance, count in pairs.items():  # pairs overlap, which at most doubles their variance
        assert deviations(count, rate**2, (n - distance) * calls) < 4.5 * math.sqrt(2), distance
    assert deviations(repeats, rate**2, n * (calls - 1)) < 4.5


def test_a_rate_below_the_half_of_a_word():
    """Words have 32 bits: 10^7 draws at a rate of 10^-5 drop 100 elements, or 55 to 145."""
    y = Dropout(1e-5, seed=1)(np.ones(10_000_000, "float32"), training=True)
    assert deviations(np.count_nonzero(y == 0), 1e-5, y.size) < 4.5
