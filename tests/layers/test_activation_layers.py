"""Activation, ReLU, LeakyReLU, ELU, PReLU, Softmax."""

import numpy as np
import pytest
from layer_checks import assert_close, assert_like_keras, run_layer_test, with_mask

from coreops import activations, ops
from coreops.layers import (
    ELU,
    Activation,
    Identity,
    Input,
    LeakyReLU,
    Masking,
    PReLU,
    ReLU,
    Softmax,
)
from coreops.models import Sequential

VALUES = np.array([[-3.0, -1.0, -0.0, 0.5], [1.0, 2.0, 7.0, -0.25]], "float32")


@pytest.mark.parametrize(
    ("cls", "kwargs", "weight_shapes"),
    [
        (Activation, {"activation": "tanh"}, []),
        (Activation, {"activation": None}, []),
        (ReLU, {}, []),
        (ReLU, {"max_value": 6.0, "negative_slope": 0.1, "threshold": 1.0}, []),
        (LeakyReLU, {"negative_slope": 0.2}, []),
        (ELU, {"alpha": 0.5}, []),
        (PReLU, {}, [(3, 4)]),
        (PReLU, {"shared_axes": [1]}, [(1, 4)]),
        (Softmax, {"axis": 1}, []),
        (Softmax, {"axis": [1, 2]}, []),
        (Identity, {}, []),
    ],
)
def test_layer(rng, cls, kwargs, weight_shapes):
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    run_layer_test(
        cls,
        kwargs,
        x,
        output_shape=x.shape,
        weight_shapes=weight_shapes,
        supports_masking=True,
    )


def test_relu_has_no_negative_zeros_and_no_new_nans():
    x = np.array([[-np.inf, -1.0, 0.5, 3.0]], "float32")
    for layer in (ReLU(threshold=1.0), ReLU(threshold=1.0, max_value=2.0), ReLU(max_value=2.0)):
        y = layer(x)
        expected = [[0, 0, 0.5 * (layer.threshold == 0), layer.max_value or 3]]
        assert_close(y, np.array(expected, "float32"))
        assert not np.signbit(y).any()


def test_prelu_shares_axes_named_by_numpy():
    assert PReLU(shared_axes=np.int64(1)).get_config()["shared_axes"] == [1]


def test_formulas():
    x = VALUES
    assert_close(ReLU()(x), np.maximum(x, 0))
    assert_close(ReLU(max_value=1.0)(x), np.clip(x, 0, 1))
    assert_close(
        ReLU(max_value=2, negative_slope=0.5, threshold=1)(x),
        np.where(x > 1, np.minimum(x, 2), np.float32(0.5) * (x - 1)),
    )
    assert_close(LeakyReLU()(x), np.where(x >= 0, x, np.float32(0.3) * x))
    assert_close(ELU(2.0)(x), np.where(x > 0, x, 2 * np.expm1(x)))
    layer = PReLU(alpha_initializer="ones")
    assert_close(layer(x), x)
    layer.set_weights([np.array([0, 0.5, 1, 2], "float32")])
    assert_close(layer(x), np.where(x > 0, x, x * layer.get_weights()[0]))
    e = np.exp(x - x.max(-1, keepdims=True))
    assert_close(Softmax()(x), e / e.sum(-1, keepdims=True))


def test_not_a_number_stays():
    x = np.array([[np.nan, 1.0]], "float32")
    for layer in (Activation("relu"), ReLU(max_value=1.0), LeakyReLU(), ELU(), PReLU()):
        assert np.isnan(layer(x)[0, 0])


def test_a_callable_is_a_seam():
    x = VALUES
    layer = Activation(lambda v: v * 2)
    assert_close(layer(x), x * 2)
    model = Sequential([layer, Activation("relu"), Activation(ops.square)])
    assert_close(model(x), np.maximum(x * 2, 0) ** 2)


def test_integers():
    x = np.array([[-3, 2, 5]], "int32")
    for layer in (Activation("linear"), Activation("relu"), ReLU(), ReLU(max_value=4), Identity()):
        assert layer(x).dtype == np.int32
    np.testing.assert_array_equal(ReLU(max_value=4)(x), [[0, 2, 4]])
    for layer in (Activation("sigmoid"), ReLU(negative_slope=0.5), LeakyReLU(), ELU(), PReLU()):
        assert layer(x).dtype == np.float32
    assert_close(LeakyReLU(0.5)(x), np.array([[-1.5, 2, 5]], "float32"))
    assert Softmax()(x).dtype == np.float32


@pytest.mark.parametrize("name", ["linear", "relu", "relu6", "tanh", "softmax", "gelu"])
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_symbolic_calls_tell_the_type(name, dtype):
    layer = Activation(name)
    x = np.ones((2, 3), dtype)
    assert layer(Input((3,), dtype=dtype)).dtype == layer(x).dtype.name
    assert_close(layer(x), activations.get(name)(x))


def test_double_precision(rng):
    x = rng.normal(size=(3, 5))
    for layer in (Activation("gelu", dtype="float64"), Softmax(dtype="float64")):
        y = layer(x)
        assert y.dtype == np.float64
    assert_close(Activation("tanh", dtype="float64")(x), np.tanh(x))


@pytest.mark.parametrize("shape", [(2, 4), (1, 4), (4,), (2, 1)])
@pytest.mark.parametrize("kind", [bool, "float32"])
def test_softmax_mask(rng, shape, kind):
    x = rng.normal(size=(2, 4)).astype("float32")
    mask = rng.random(shape) > 0.4
    y = Softmax()(x, mask=mask.astype(kind))
    np.testing.assert_array_equal(Softmax()(x, mask.astype(kind)), y)
    e = np.exp(np.where(mask, x, -1e9) - np.where(mask, x, -1e9).max(-1, keepdims=True))
    assert_close(y, np.where(mask, e / e.sum(-1, keepdims=True), 0).astype("float32"))


def test_softmax_with_everything_masked_is_zero():
    y = Softmax()(np.ones((2, 3), "float32"), mask=np.zeros((2, 3), bool))
    np.testing.assert_array_equal(y, np.zeros((2, 3)))


@pytest.mark.parametrize("shape", [(2, 4, 1), (3, 4), (2,)])
def test_softmax_mask_must_broadcast(shape):
    with pytest.raises(ValueError, match=r"'soft'.*mask"):
        Softmax(name="soft")(np.ones((2, 4), "float32"), mask=np.ones(shape, bool))


def test_softmax_axes():
    x = np.ones((2, 3, 4), "float32")
    assert_close(Softmax(axis=0)(x), np.full(x.shape, 0.5, "float32"))
    assert_close(Softmax(axis=(1, -1))(x), np.full(x.shape, 1 / 12, "float32"))
    with pytest.raises(ValueError, match=r"'soft'.*axis=3"):
        Softmax(axis=3, name="soft")(x)


def test_masks_pass_through():
    x, mask = with_mask(np.ones((2, 3, 4), "float32"))
    for layer in (Activation("relu"), ELU(), PReLU()):
        np.testing.assert_array_equal(layer(x)._keras_mask, mask)
    model = Sequential([Masking(), LeakyReLU()])
    x = np.array([[[0.0, 0], [1, 1]]], "float32")
    np.testing.assert_array_equal(model(x)._keras_mask, [[False, True]])


@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [
        (ReLU, {"max_value": -1}),
        (ReLU, {"negative_slope": -1}),
        (ReLU, {"negative_slope": None}),
        (ReLU, {"threshold": -1}),
        (ReLU, {"threshold": None}),
        (LeakyReLU, {"negative_slope": None}),
        (LeakyReLU, {"negative_slope": -0.5}),
    ],
)
def test_factors_must_not_be_negative(cls, kwargs):
    with pytest.raises(ValueError, match=next(iter(kwargs))):
        cls(**kwargs)


def test_activation_errors():
    with pytest.raises(ValueError, match="nonsense"):
        Activation("nonsense")
    with pytest.raises(TypeError):
        Activation()


@pytest.mark.parametrize(
    ("cls", "kwargs"),
    [
        (ELU, {"alpha": None}),
        (ELU, {"alpha": "a"}),
        (Softmax, {"axis": 1.5}),
        (Softmax, {"axis": [1, None]}),
        (PReLU, {"shared_axes": ["a"]}),
        (Masking, {"mask_value": None}),
    ],
)
def test_arguments_of_the_wrong_type(cls, kwargs):
    with pytest.raises(TypeError, match=next(iter(kwargs))):
        cls(**kwargs)


def test_prelu_checks_the_axes_of_alpha():
    layer = PReLU(shared_axes=1)
    assert layer.get_config()["shared_axes"] == [1]
    layer(np.ones((2, 3, 4), "float32"))
    layer(np.ones((2, 7, 4), "float32"))
    with pytest.raises(ValueError, match="axis 2"):
        layer(np.ones((2, 3, 5), "float32"))
    for axis in (0, 3, -1):
        with pytest.raises(ValueError, match="'slopes': `shared_axes` must be from 1 to 2"):
            PReLU(shared_axes=axis, name="slopes")(np.ones((2, 3, 4), "float32"))


@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        *(
            ("Activation", {"activation": name})
            for name in ("relu", "gelu", "softplus", "selu", "hard_sigmoid", "mish", "log_softmax")
        ),
        ("ReLU", {}),
        ("ReLU", {"max_value": 1.0, "negative_slope": 0.25, "threshold": 0.5}),
        ("LeakyReLU", {}),
        ("ELU", {"alpha": 0.3}),
        ("PReLU", {"alpha_initializer": "ones", "alpha_regularizer": "l2"}),
        ("PReLU", {"shared_axes": [1], "alpha_constraint": "non_neg"}),
        ("Softmax", {}),
        ("Softmax", {"axis": (1, 2)}),
        ("Identity", {}),
    ],
)
def test_as_keras(keras, rng, name, kwargs):
    x = (3 * rng.normal(size=(3, 4, 5))).astype("float32")
    # Keras' own results carry the rounding of its NumPy formulas.
    assert_like_keras(keras, name, kwargs, x, roundings=32)


@pytest.mark.parity
def test_softmax_mask_as_keras(keras, rng):
    x = rng.normal(size=(3, 4, 5)).astype("float32")
    mask = rng.random((3, 4, 5)) > 0.5
    assert_like_keras(keras, "Softmax", {"axis": -1}, x, roundings=16, call={"mask": mask})


@pytest.mark.parametrize("name", ["relu", "tanh", "softmax", "silu"])
def test_an_activation_layer_is_the_function(rng, name):
    x = rng.normal(size=(3, 4)).astype("float32")
    np.testing.assert_array_equal(Activation(name)(x), activations.get(name)(x))
