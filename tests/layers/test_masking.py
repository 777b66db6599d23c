"""Masking, and masks on their way through layers and models."""

import warnings

import numpy as np
import pytest
from layer_checks import assert_like_keras, run_layer_test

import coreops
from coreops.backend import get_keras_mask
from coreops.layers import Dense, Dropout, Flatten, Input, Lambda, Layer, Masking, Reshape
from coreops.models import Sequential


@pytest.fixture
def warn_policy():
    coreops.config.set_mask_policy("warn")
    yield
    coreops.config.set_mask_policy("raise")


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 2), (2, 3, 4, 5)])
@pytest.mark.parametrize("mask_value", [0.0, -1.0])
def test_layer(rng, shape, mask_value):
    x = rng.integers(-1, 1, size=shape).astype("float32")
    _, y = run_layer_test(
        Masking, {"mask_value": mask_value}, x, output_shape=shape, supports_masking=True
    )
    mask = (x != mask_value).any(-1)
    np.testing.assert_array_equal(y._keras_mask, mask)
    assert y._keras_mask.dtype == bool
    np.testing.assert_array_equal(y, x * mask[..., None])


def test_not_a_number_is_no_mask_value():
    y = Masking()(np.array([[[np.nan, 0], [0, 0]]], "float32"))
    np.testing.assert_array_equal(y._keras_mask, [[True, False]])
    assert np.isnan(y[0, 0, 0])


def test_rank_one():
    y = Masking()(np.array([0, 1, 0], "float32"))
    np.testing.assert_array_equal(y, [0, 1, 0])
    assert y._keras_mask.shape == ()


def test_integers_stay():
    y = Masking(2)(np.array([[[2, 2], [2, 3]]], "int32"))
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y, [[[0, 0], [2, 3]]])
    np.testing.assert_array_equal(y._keras_mask, [[False, True]])


def test_an_earlier_mask_is_replaced():
    x = np.array([[[1.0], [0.0]]], "float32")
    y = Masking()(x, mask=np.array([[False, False]]))
    np.testing.assert_array_equal(y._keras_mask, [[True, False]])


def test_slices_have_no_mask():
    y = Masking()(np.ones((2, 3, 4), "float32"))
    assert get_keras_mask(y) is not None
    assert get_keras_mask(y[:1]) is None
    assert get_keras_mask(y + 1) is None


def test_compute_mask():
    x = np.array([[[1.0], [0.0]]], "float32")
    np.testing.assert_array_equal(Masking().compute_mask(x), [[True, False]])
    assert Dense(2).compute_mask(x, None) is None
    mask = np.ones((1, 2), bool)
    assert Dense(2).compute_mask(x, mask) is mask


def test_a_mask_travels_to_the_end():
    model = Sequential([Input((3, 2)), Masking(), Dense(4, activation="tanh"), Dropout(0.5)])
    x = np.zeros((2, 3, 2), "float32")
    x[0, 1] = 1
    for _ in range(2):  # the second call takes the installed plan
        y = model(x)
        np.testing.assert_array_equal(y._keras_mask, [[False, True, False], [False] * 3])
    assert type(model.predict(x, verbose=0)) is np.ndarray
    y = model(x, training=True)
    np.testing.assert_array_equal(y._keras_mask[0], [False, True, False])


def test_a_mask_given_to_the_call():
    mask = np.array([[True, False]])
    x = np.ones((1, 2, 3), "float32")
    np.testing.assert_array_equal(Dense(2)(x, mask=mask)._keras_mask, mask)
    model = Sequential([Input((2, 3)), Dense(2)])
    np.testing.assert_array_equal(model(x, mask=mask)._keras_mask, mask)
    assert get_keras_mask(model(x)) is None


def test_the_error_names_both_layers_and_the_way_out():
    model = Sequential([Input((3, 2)), Masking(name="gaps"), Dense(2), Flatten(name="flat")])
    with pytest.raises(ValueError, match=r"'flat'.*'gaps'.*set_mask_policy\(\"warn\"\)"):
        model(np.ones((1, 3, 2), "float32"))
    with pytest.raises(ValueError, match="flat"):
        model.predict(np.ones((1, 3, 2), "float32"), verbose=0)


def test_the_warn_policy_drops_the_mask(warn_policy):
    model = Sequential([Input((3, 2)), Masking(), Reshape((6,)), Dense(2)])
    with pytest.warns(UserWarning, match="does not support masking and will therefore destroy"):
        y = model(np.ones((1, 3, 2), "float32"))
    assert get_keras_mask(y) is None


def test_a_models_own_policy():
    model = Sequential([Input((3, 2)), Masking(), Flatten()])
    model._mask_policy = "warn"
    with pytest.warns(UserWarning, match="destroy the mask"):
        assert model(np.ones((1, 3, 2), "float32")).shape == (1, 6)


def test_a_python_layer_without_support_refuses_too():
    class Plain(Layer):
        def call(self, inputs):
            return inputs

    x = Masking()(np.ones((1, 2, 3), "float32"))
    with pytest.raises(ValueError, match="plain"):
        Plain()(x)
    with pytest.raises(ValueError, match="masking"):
        Sequential([Input((2, 3)), Masking(), Plain()])(np.ones((1, 2, 3), "float32"))


def test_a_python_layer_receives_and_makes_masks():
    seen = []

    class Drop(Layer):
        def call(self, inputs, mask=None):
            seen.append(mask)
            return inputs

        def compute_mask(self, inputs, mask=None):
            return ~mask

    x = np.array([[[0.0], [1.0]]], "float32")
    for call in (lambda: Drop()(Masking()(x)), lambda: Sequential([Masking(), Drop()])(x)):
        np.testing.assert_array_equal(call()._keras_mask, [[True, False]])
        np.testing.assert_array_equal(seen[-1], [[False, True]])


def test_a_python_layer_may_insist_on_a_mask():
    class Mean(Layer):
        supports_masking = True

        def call(self, inputs, mask=None):
            kept = inputs * coreops.ops.cast(mask, "float32")[..., None]
            return coreops.ops.sum(kept, axis=1)

    inputs = Input((None, 2))
    y = Mean()(Masking()(inputs))
    assert y.shape == (None, 2)
    x = np.ones((1, 3, 2), "float32")
    x[0, 2] = 0
    np.testing.assert_array_equal(coreops.Model(inputs, y)(x), [[2, 2]])


def test_a_subclass_of_a_built_in_layer_may_change_the_mask():
    class Stop(Dense):
        def compute_mask(self, inputs, mask=None):
            return None

    model = Sequential([Input((2, 3)), Masking(), Stop(2), Flatten()])
    assert model(np.ones((1, 2, 3), "float32")).shape == (1, 4)


def test_lambda_with_a_mask():
    layer = Lambda(lambda x: x[:, :1], mask=lambda inputs, mask: mask[:, :1])
    assert layer.supports_masking
    x = np.array([[[1.0], [0.0]]], "float32")
    np.testing.assert_array_equal(layer(Masking()(x))._keras_mask, [[True]])
    fixed = Lambda(lambda x: x, mask=np.array([[True, False]]))
    np.testing.assert_array_equal(fixed(x)._keras_mask, [[True, False]])
    with pytest.raises(ValueError, match="lambda"):
        Lambda(lambda x: x)(Masking()(x))


@pytest.mark.parity
@pytest.mark.parametrize("kwargs", [{}, {"mask_value": -1.0}])
def test_as_keras(keras, rng, kwargs):
    x = rng.integers(-1, 1, size=(4, 3, 2)).astype("float32")
    ours, theirs = assert_like_keras(keras, "Masking", kwargs, x, roundings=0)
    np.testing.assert_array_equal(ours.compute_mask(x), np.asarray(theirs.compute_mask(x)))


@pytest.mark.parity
def test_the_warn_policy_as_keras(keras, rng, warn_policy):
    x = rng.integers(-1, 1, size=(4, 3, 2)).astype("float32")

    def build(package):
        return package.Sequential(
            [package.Input((3, 2)), package.layers.Masking(), package.layers.Flatten()]
        )

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.testing.assert_array_equal(build(coreops)(x), np.asarray(build(keras)(x)))


def test_a_python_layer_that_takes_a_mask_may_keep_it():
    class Count(Layer):
        def call(self, inputs, mask=None):
            return mask.sum(axis=1, keepdims=True).astype("float32")

    x = np.array([[[0.0], [1.0]]], "float32")
    for layer in (Count(), Lambda(lambda v, mask: mask.sum(axis=1, keepdims=True))):
        y = layer(Masking()(x))
        np.testing.assert_array_equal(y, [[1]])
        assert get_keras_mask(y) is None
        assert not layer.supports_masking
