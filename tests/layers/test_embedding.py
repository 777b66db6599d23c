"""Embedding."""

import numpy as np
import pytest
from layer_checks import assert_like_keras, plain

import coreops
from coreops import Sequential, layers, models, optimizers
from coreops.layers import Embedding


@pytest.mark.parametrize("item", ["int32", "int64", "uint8", "int8", "float32", "float64"])
@pytest.mark.parametrize("shape", [(3,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("mask_zero", [False, True])
def test_embedding_is_that_of_keras(keras, rng, item, shape, mask_zero):
    x = rng.integers(0, 7, shape).astype(item)
    kwargs = {"input_dim": 7, "output_dim": 5, "mask_zero": mask_zero}
    ours, theirs = assert_like_keras(keras, "Embedding", kwargs, x, roundings=0)
    assert ours.supports_masking is mask_zero
    mask = coreops.backend.get_keras_mask(ours(x))
    assert mask is None if not mask_zero else np.array_equal(mask, x != 0)
    assert ours.compute_output_shape((None, 4)) == (None, 4, 5)
    again = Embedding.from_config(theirs.get_config())
    assert plain(again.get_config()) == plain(ours.get_config())


def test_fractions_are_cut(keras):
    x = np.array([[0.5, 1.7, 2.999, -0.3]])
    layer = Embedding(3, 2, mask_zero=True)
    y = layer(x)
    np.testing.assert_array_equal(y, layer(np.array([[0, 1, 2, 0]])))
    assert np.array_equal(y._keras_mask, [[True] * 4])  # as Keras: what is not 0 is no 0


@pytest.mark.parametrize("bad", [-1, 7, 2**24 + 1, -(2**31), 2**31 - 1])
@pytest.mark.parametrize("item", ["int32", "int64", "float32"])
def test_numbers_without_a_row(rng, bad, item):
    x = rng.integers(0, 7, (40, 30)).astype(item)
    x[17, 5] = bad
    layer = Embedding(7, 5, name="words")
    model = Sequential([layer, layers.Flatten(), layers.Dense(2)])
    for what in (layer, model):
        with pytest.raises(IndexError, match=r"'words' takes numbers from 0 to 6. Received: -?\d"):
            what(x)
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(IndexError, match="'words'"):
        model.train_on_batch(x, np.zeros((40, 2), "float32"))
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_nan_is_no_number():
    with pytest.raises(IndexError, match="Received: nan"):
        Embedding(7, 5)(np.array([[np.nan]]))


def test_numbers_that_are_computed(rng):
    x = rng.integers(0, 7, (4, 3)).astype("float32")
    layer = Embedding(8, 5, mask_zero=True)
    model = Sequential([layers.Input((3,)), layers.Rescaling(1.0, 1.0), layer])
    y = model(x)
    np.testing.assert_array_equal(y, layer(x + 1))
    assert np.array_equal(y._keras_mask, x + 1 != 0)
    with pytest.raises(IndexError, match=r"from 0 to 7\. Received: \d+"):
        model(x + 7 - x.min())


def test_several_inputs_of_numbers(rng):
    """Users and items, as in a recommender: one plan, each checked by its own layer."""
    user, item = layers.Input((), dtype="int32"), layers.Input((3,), dtype="int64")
    people, things = Embedding(7, 4, name="people"), Embedding(9, 4, name="things", mask_zero=True)
    mean = layers.GlobalAveragePooling1D()(things(item))
    joined = layers.Concatenate()([people(user), layers.BatchNormalization()(mean)])
    model = models.Model([user, item], layers.Dense(1)(joined))
    who, what = rng.integers(0, 7, 5).astype("int32"), rng.integers(1, 9, (5, 3))
    rows = np.asarray(things(what)).mean(1) / np.sqrt(np.float32(1.001))
    features = np.concatenate([people(who), rows], 1)
    kernel, bias = model.layers[-1].get_weights()
    np.testing.assert_allclose(model([who, what]), features @ kernel + bias, rtol=1e-5, atol=1e-6)
    model.compile(optimizers.Adam(0.05), "mse")
    losses = [model.train_on_batch([who, what], np.ones((5, 1), "float32")) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]
    for bad in ([who + 7, what], [who, what + 9]):
        with pytest.raises(IndexError, match="people" if bad[1] is what else "things"):
            model(bad)


def test_masks_go_on(rng):
    x = rng.integers(0, 3, (4, 6))
    x[:, 0] = 1
    stack = [Embedding(3, 5, mask_zero=True), layers.Dense(4), layers.GlobalAveragePooling1D()]
    model = Sequential(stack)
    y = model(x)
    rows = stack[1](stack[0](x))
    expected = [row[keep].mean(0) for row, keep in zip(np.asarray(rows), x != 0, strict=True)]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="does not support masking"):
        Sequential([Embedding(3, 5, mask_zero=True), layers.Flatten()])(x)


def test_large_tables_are_not_copied(rng):
    layer = Embedding(3, 5)
    table = rng.normal(size=(3, 5)).astype("float32")
    layer(np.array([[1, 2]]))
    layer.set_weights([table])
    for steps in (1, 2, 3):  # a plan each
        x = rng.integers(0, 3, (4, steps))
        np.testing.assert_array_equal(layer(x), table[x])
    layer.embeddings.assign(2 * table)
    np.testing.assert_array_equal(layer(x), 2 * table[x])


def test_tables_with_more_rows_than_float32_has_integers():
    layer = Embedding(2**24 + 3, 1, embeddings_initializer="zeros")
    layer.build()
    table = np.zeros((2**24 + 3, 1), "float32")
    table[-3:, 0] = [1, 2, 3]
    layer.set_weights([table])
    np.testing.assert_array_equal(layer(np.array([2**24, 2**24 + 1, 2**24 + 2])), table[-3:])


def test_weights_and_old_names(rng):
    table = rng.normal(size=(4, 3)).astype("float32")
    for weights in (table, [table]):
        np.testing.assert_array_equal(Embedding(4, 3, weights=weights).embeddings, table)
    with pytest.warns(UserWarning, match="input_length"):
        Embedding(4, 3, input_length=5)
    with pytest.warns(DeprecationWarning, match="embeddings_initializer"):
        assert np.all(Embedding(4, 3, init="ones")(np.array([1])) == 1)
    with pytest.raises(AttributeError, match="built"):
        _ = Embedding(4, 3).embeddings


@pytest.mark.parametrize("size", [0, -1, 2.0, "3", None])
def test_sizes_are_positive_ints(size):
    for args in ((size, 3), (3, size)):
        with pytest.raises(ValueError, match="positive int"):
            Embedding(*args)


def test_types(rng):
    x = rng.integers(0, 4, (2, 3))
    assert Embedding(4, 3, dtype="float64")(x).dtype == np.float64
    assert Embedding(4, 3)(x[:0]).shape == (0, 3, 3)
    assert Embedding(4, 3)(np.zeros((2, 0), int)).shape == (2, 0, 3)
    symbolic = Embedding(4, 3)(layers.Input((5,), dtype="int32"))
    assert symbolic.shape == (None, 5, 3)
    assert symbolic.dtype == "float32"
