"""Dense."""

import numpy as np
import pytest
from layer_checks import assert_close, assert_like_keras, run_layer_test
from tolerance import dot_bound

from coreops import constraints, layers, regularizers
from coreops.layers import Dense


@pytest.mark.parametrize("shape", [(4, 3), (4, 5, 3), (2, 3, 4, 3), (1, 3)])
@pytest.mark.parametrize("activation", [None, "relu", "tanh", "softmax"])
def test_every_rank_and_activation(rng, shape, activation):
    x = rng.normal(size=shape).astype("float32")
    run_layer_test(
        Dense,
        {"units": 6, "activation": activation},
        x,
        output_shape=(*shape[:-1], 6),
        weight_shapes=[(3, 6), (6,)],
        supports_masking=True,
    )


def test_computes_the_product_within_the_rounding_bound(rng, dtype):
    x = rng.normal(size=(7, 19)).astype(dtype)
    layer = Dense(5, dtype=dtype.name)
    y = layer(x)
    kernel, bias = layer.get_weights()
    exact = x.astype("float64") @ kernel.astype("float64") + bias
    assert y.dtype == dtype
    assert np.all(np.abs(y - exact) <= dot_bound(x, kernel, dtype, terms=1))


def test_without_bias():
    layer = Dense(2, use_bias=False)
    layer.build((None, 3))
    assert [w.name for w in layer.weights] == ["kernel"]
    assert layer.bias is None


def test_initializers_regularizers_constraints():
    layer = Dense(
        2,
        kernel_initializer="ones",
        bias_initializer="zeros",
        kernel_regularizer=regularizers.L2(0.5),
        bias_regularizer="l1",
        activity_regularizer=regularizers.L1(0.25),
        kernel_constraint="max_norm",
        bias_constraint=constraints.NonNeg(),
    )
    x = np.ones((4, 3), "float32")
    assert_close(layer(x), np.full((4, 2), 3, "float32"))
    activity, kernel, bias = layer.losses
    assert activity == pytest.approx(0.25 * 4 * 2 * 3 / 4)
    assert kernel == pytest.approx(0.5 * 6)
    assert bias == 0
    assert isinstance(layer.kernel.constraint, constraints.MaxNorm)
    assert isinstance(layer.bias.constraint, constraints.NonNeg)
    assert layer.get_config()["activity_regularizer"]["class_name"] == "L1"


def test_integers_are_computed_as_floats():
    layer = Dense(2, kernel_initializer="ones")
    assert_close(layer(np.arange(6).reshape(2, 3)), np.array([[3, 3], [12, 12]], "float32"))
    assert layer(np.ones((2, 3), bool)).dtype == np.float32


@pytest.mark.parametrize("units", [0, -3, 2.0, "3", None, np.int64(3)])
def test_units_must_be_a_positive_int(units):
    with pytest.raises(ValueError, match="units"):
        Dense(units)


def test_true_is_one_unit():
    layer = Dense(True)
    assert layer(np.ones((2, 3), "float32")).shape == (2, 1)
    assert layer.get_config()["units"] == 1


def test_units_are_needed():
    with pytest.raises(TypeError, match="units"):
        Dense()


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("activation", "nonsense"),
        ("kernel_initializer", "nonsense"),
        ("bias_regularizer", "nonsense"),
        ("kernel_constraint", "nonsense"),
        ("nonsense", 1),
    ],
)
def test_unknown_names_and_keywords(argument, value):
    with pytest.raises(ValueError, match="nonsense"):
        Dense(2, **{argument: value})


def test_wrong_shapes_name_the_layer_and_both_shapes():
    layer = Dense(2, name="head")
    with pytest.raises(ValueError, match=r"'head'.*min_ndim=2.*ndim=1"):
        layer(np.ones(3, "float32"))
    layer(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match=r"'head'.*size 3, found 4.*\(2, 4\)"):
        layer(np.ones((2, 4), "float32"))
    with pytest.raises(ValueError, match="last axis"):
        Dense(2).build((None, None))
    with pytest.raises(ValueError, match="already built"):
        layer.build((None, 4))


def test_changes_of_a_built_layer_take_effect():
    layer = Dense(2, kernel_initializer="ones", use_bias=False)
    x = -np.ones((1, 3), "float32")
    assert_close(layer(x), np.full((1, 2), -3, "float32"))
    layer.activation = layers.ReLU()
    assert_close(layer(x), np.zeros((1, 2), "float32"))
    layer.kernel.assign(-np.ones((3, 2)))
    assert_close(layer(x), np.full((1, 2), 3, "float32"))
    layer.set_weights([np.zeros((3, 2))])
    assert_close(layer(x), np.zeros((1, 2), "float32"))


def test_out_is_written_and_returned(rng):
    layer = Dense(4)
    x = rng.normal(size=(3, 2)).astype("float32")
    expected = layer(x)
    out = np.empty((3, 4), "float32")
    assert layer(x, out=out) is out
    np.testing.assert_array_equal(out, expected)
    with pytest.raises(ValueError, match="out"):
        layer(x, out=np.empty((3, 5), "float32"))


@pytest.mark.parity
@pytest.mark.parametrize("shape", [(4, 3), (2, 5, 3)])
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"activation": "gelu"},
        {"activation": "log_softmax", "use_bias": False},
        {"kernel_regularizer": "l2", "kernel_constraint": "unit_norm"},
        {"activity_regularizer": "l1", "bias_initializer": "ones"},
    ],
)
def test_as_keras(keras, rng, shape, kwargs):
    x = rng.normal(size=shape).astype("float32")
    ours, theirs = assert_like_keras(keras, "Dense", {"units": 4, **kwargs}, x, roundings=24)
    assert len(ours.losses) == len(theirs.losses)
    np.testing.assert_allclose(ours.losses, [float(v) for v in theirs.losses], rtol=1e-5)
