"""Integers that layers compute with: the second call of a kind goes to the plan without Python."""

import numpy as np
import pytest

from coreops import Sequential, layers
from coreops.layers import Layer

DTYPES = ["int8", "uint8", "int32", "int64", "uint64"]


def fast(call, x, monkeypatch):
    """What a call gives that must not reach Python; None if it does."""
    with monkeypatch.context() as context:
        context.setattr(Layer, "_call", lambda self, *args, **kwargs: None)
        return call(x)


@pytest.mark.parametrize("item", DTYPES)
@pytest.mark.parametrize("declared", ["float32", "int32", None])
def test_the_second_call_is_the_first(rng, monkeypatch, item, declared):
    x = rng.integers(0, 7, (5, 4)).astype(item)
    first = [] if declared is None else [layers.Input((4,), dtype=declared)]
    model = Sequential([*first, layers.Embedding(7, 3), layers.Flatten(), layers.Dense(2)])
    y = model(x)
    np.testing.assert_array_equal(fast(model, x, monkeypatch), y)
    np.testing.assert_array_equal(fast(model, np.asfortranarray(x[:3]), monkeypatch), y[:3])
    assert fast(model, x[:, :3], monkeypatch) is None
    assert fast(model, x > 3, monkeypatch) is None
    with pytest.raises(IndexError, match="from 0 to 6"):
        fast(model, x + np.array(7, item), monkeypatch)
    model.layers[-1].bias.assign([1, 2])
    np.testing.assert_allclose(model(x), y + np.array([1, 2]), rtol=1e-5, atol=1e-6)


def test_reals_are_cast_as_the_input_says(rng, monkeypatch):
    """After a call with integers too."""
    x = rng.uniform(0, 6, (5, 4)).astype("float32")
    whole = Sequential([layers.Input((4,), dtype="int32"), layers.Dense(2)])
    for _ in range(2):
        whole(x.astype("int32"))
        np.testing.assert_array_equal(whole(x), whole(x.astype("int32")))
    plain = Sequential([layers.Input((4,)), layers.Dense(2)])
    plain.set_weights(whole.get_weights())
    plain(x.astype("int32"))
    y = fast(plain, x, monkeypatch)
    assert not np.array_equal(y, whole(x))
    np.testing.assert_array_equal(plain(x.astype("int32")), whole(x))
    np.testing.assert_array_equal(plain(x), y)


def test_integers_that_stay_integers(rng):
    x = rng.integers(0, 7, (5, 4, 3))
    for layer in (layers.Flatten(), layers.Permute((2, 1)), layers.RepeatVector(2)):
        x = x if x.ndim == 3 and not isinstance(layer, layers.RepeatVector) else x[:, 0]
        layer(x.astype("float32"))
        for _ in range(2):
            assert layer(x).dtype == np.int64
    dense = layers.Dense(2)
    wide = np.full((2, 3), 2**53 + 1)
    for _ in range(2):
        assert dense(wide).dtype == np.float32
        np.testing.assert_array_equal(dense(wide), dense(wide.astype("float32")))
