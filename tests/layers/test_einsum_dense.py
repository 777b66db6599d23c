"""EinsumDense."""

import warnings

import numpy as np
import pytest
from layer_checks import plain, run_layer_test

from coreops import Sequential, initializers, layers
from coreops.layers import EinsumDense

CASES = [  # the equation, the input, the output, the letters of the bias
    ("ab,bc->ac", (3, 5), 4, "c"),
    ("ab,bc->ac", (3, 5), (4,), None),
    ("ab,cb->ac", (3, 5), 4, "c"),
    ("abc,cd->abd", (3, 6, 5), (6, 4), "d"),
    ("abc,cd->abd", (3, 6, 5), (6, 4), "bd"),
    ("abc,cd->abd", (3, 6, 5), (6, 4), "b"),
    ("abc,cd->adb", (3, 6, 5), (4, 6), "d"),
    ("abc,cde->abde", (3, 6, 5), (6, 2, 4), "de"),
    ("abc,dce->adbe", (3, 6, 5), (2, 6, 4), "de"),
    ("abcd,cde->abe", (3, 2, 6, 5), (2, 4), "e"),
    ("abcd,dce->abe", (3, 2, 6, 5), (2, 4), "e"),
    ("abc,bd->acd", (3, 6, 5), (5, 4), "d"),
    ("abc,bcd->abd", (3, 6, 5), (6, 4), None),
    ("abc,bc->abc", (3, 6, 5), (6, 5), None),
    ("abc,d->abcd", (3, 6, 5), (6, 5, 4), "d"),
    ("abc,ce->abe", (3, 1, 5), (1, 4), "e"),
    ("...x,xy->...y", (3, 5), 4, "y"),
    ("...x,xy->...y", (3, 2, 6, 5), 4, "y"),
    ("...xy,yz->...xz", (3, 2, 6, 5), (6, 4), "xz"),
    ("ab...,bc->ac...", (3, 5, 2, 6), 4, "c"),
    ("abc...,bd->adc...", (3, 5, 2, 6), (4, 2), "dc"),
]


@pytest.mark.parametrize(("equation", "shape", "output_shape", "bias_axes"), CASES)
def test_it_is_that_of_keras(keras, rng, isa, equation, shape, output_shape, bias_axes):
    x = rng.normal(size=shape).astype("float32")
    kwargs = {"equation": equation, "output_shape": output_shape, "bias_axes": bias_axes}
    ours = EinsumDense(name="e", activation="tanh", **kwargs)
    theirs = keras.layers.EinsumDense(name="e", activation="tanh", **kwargs)
    ours(x), theirs(x)
    arrays = [rng.normal(size=w.shape).astype("float32") for w in ours.weights]
    assert [(w.name, w.shape) for w in ours.weights] == [
        (w.name, tuple(w.shape)) for w in theirs.weights
    ]
    ours.set_weights(arrays)
    theirs.set_weights(arrays)
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-4, atol=1e-5)
    assert plain(ours.get_config()) == plain(theirs.get_config())
    assert ours.compute_output_shape(shape) == ours(x).shape  # Keras turns elided axes round
    again = EinsumDense.from_config(theirs.get_config())
    again.build(shape)
    again.set_weights(arrays)
    np.testing.assert_array_equal(again(x), ours(x))


def test_a_layer(rng):
    x = rng.normal(size=(3, 6, 5)).astype("float32")
    kwargs = {"equation": "abc,cd->abd", "output_shape": (None, 4), "bias_axes": "d"}
    run_layer_test(
        EinsumDense,
        kwargs,
        x,
        output_shape=(3, 6, 4),
        weight_shapes=[(5, 4), (4,)],
        supports_masking=False,
    )


def test_it_is_a_dense_layer(rng):
    x = rng.normal(size=(3, 6, 5)).astype("float32")
    one = EinsumDense("abc,cd->abd", (6, 4), bias_axes="d", activation="gelu")
    other = layers.Dense(4, "gelu")
    one(x), other(x)
    other.set_weights(one.get_weights())
    np.testing.assert_array_equal(one(x), other(x))


@pytest.mark.parametrize(
    ("equation", "shape", "output_shape", "fans"),
    [
        ("abc,cde->abde", (3, 6, 5), (6, 2, 4), (5, 8)),
        ("abcd,cde->abe", (3, 2, 6, 5), (2, 4), (30, 4)),
    ],
)
def test_fans_are_those_of_the_equation(equation, shape, output_shape, fans):
    layer = EinsumDense(equation, output_shape, kernel_initializer=initializers.GlorotUniform(1))
    layer.build(shape)
    bound = np.sqrt(6 / sum(fans))
    assert 0.8 * bound < np.abs(layer.kernel.numpy()).max() <= bound


def test_refuses():
    for equation in ("ab,bc", "a->b", "ab,bc,cd->ad", "...ab,bc->ac", "ab,bc->ac ", 5):
        with pytest.raises(ValueError, match="form"):
            EinsumDense(equation, 4)
    x = np.zeros((3, 6, 5), "float32")
    for equation, shape, bias, match in (
        ("abc,cd->abe", (6, 4), None, "'e' is neither"),
        ("abc,cde->abd", (6, 4), None, "'e' is neither"),
        ("abc,cd->abd", (7, 4), None, "'b' is 6"),
        ("abc,cd->abd", (6, 4), "c", "the bias has 'c'"),
        ("ab,bc->ac", 4, None, "received an input"),
        ("abc,cd->abd", (4,), None, "has not its axes"),
    ):
        with pytest.raises(ValueError, match=match):
            EinsumDense(equation, shape, bias_axes=bias)(x)
    layer = EinsumDense("abc,cd->abd", (None, 4))
    layer(x)
    layer(np.zeros((3, 7, 5), "float32"))
    with pytest.raises(ValueError, match="expected 5 elements"):
        layer(np.zeros((3, 6, 4), "float32"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert layer(x.astype("int32")).dtype == np.float32


def test_a_kernel_of_one_axis_learns(rng):
    model = Sequential([EinsumDense("ab,b->a", ())])
    x = rng.normal(size=(8, 3)).astype("float32")
    y = x @ np.array([1, -2, 3], "float32")
    model.compile("sgd", "mse")
    losses = model.fit(x, y, epochs=90, verbose=0).history["loss"]
    assert losses[-1] < losses[0] / 2
    np.testing.assert_allclose(model.predict(x), x @ model.get_weights()[0], rtol=1e-5)
