"""What the documentation of Keras 1 shows of its core layers, with coreops for keras."""

import numpy as np
import pytest

import coreops as keras
from coreops import backend as K
from coreops.layers import Lambda
from coreops.layers.core import (
    Activation,
    ActivityRegularization,
    Dense,
    Dropout,
    Flatten,
    Masking,
    Permute,
    RepeatVector,
    Reshape,
)
from coreops.models import Sequential

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_the_path_that_it_names():
    for name in (
        *("Dense", "Activation", "Dropout", "Flatten", "Reshape", "Permute", "RepeatVector"),
        *("Lambda", "ActivityRegularization", "Masking"),
    ):
        assert getattr(keras.layers.core, name) is getattr(keras.layers, name)


def test_reshape():
    model = Sequential()
    model.add(Reshape((3, 4), input_shape=(12,)))
    assert model.output_shape == (None, 3, 4)
    model.add(Reshape((6, 2)))
    assert model.output_shape == (None, 6, 2)
    model.add(Reshape((-1, 2, 2)))
    assert model.output_shape == (None, 3, 2, 2)
    x = np.arange(24, dtype="float32").reshape(2, 12)
    np.testing.assert_array_equal(model(x), x.reshape(2, 3, 2, 2))


def test_permute():
    model = Sequential()
    model.add(Permute((2, 1), input_shape=(10, 64)))
    assert model.output_shape == (None, 64, 10)
    x = np.arange(2 * 640, dtype="float32").reshape(2, 10, 64)
    np.testing.assert_array_equal(model(x), x.transpose(0, 2, 1))


def test_repeat_vector():
    model = Sequential()
    model.add(Dense(32, input_dim=32))
    assert model.output_shape == (None, 32)
    model.add(RepeatVector(3))
    assert model.output_shape == (None, 3, 32)
    assert model(np.ones((2, 32), "float32")).shape == (2, 3, 32)


def test_lambda():
    model = Sequential()
    model.add(Lambda(lambda x: x**2))
    x = np.array([[1.0, -2.0]], "float32")
    np.testing.assert_array_equal(model(x), [[1, 4]])


def test_antirectifier():
    def antirectifier(x):
        x -= K.mean(x, axis=1, keepdims=True)
        x = K.l2_normalize(x, axis=1)
        pos = K.relu(x)
        neg = K.relu(-x)
        return K.concatenate([pos, neg], axis=1)

    def antirectifier_output_shape(input_shape):
        shape = list(input_shape)
        assert len(shape) == 2
        shape[-1] *= 2
        return tuple(shape)

    model = Sequential()
    model.add(Dense(5, input_shape=(4,)))
    model.add(Lambda(antirectifier, output_shape=antirectifier_output_shape))
    assert model.output_shape == (None, 10)
    x = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
    before = x.copy()
    y = model(x)
    np.testing.assert_array_equal(x, before)
    assert y.shape == (3, 10)
    assert (y >= 0).all()
    np.testing.assert_allclose((y**2).sum(axis=1), 1, rtol=1e-5)
    found = Lambda(antirectifier)
    assert found.compute_output_shape((None, 5)) == (None, 10)


def test_dense_and_activation():
    model = Sequential()
    model.add(Dense(32, input_shape=(16,)))
    model.add(Activation("relu"))
    model.add(Dense(4, kernel_constraints="max_norm", bias_constraints="non_neg"))
    assert model.output_shape == (None, 4)
    assert model.layers[-1].get_config()["kernel_constraint"]["class_name"] == "MaxNorm"
    # More than two axes: the same kernel at every position.
    assert Dense(8)(np.ones((2, 10, 16), "float32")).shape == (2, 10, 8)


def test_dropout_noise_shape():
    batch_size, timesteps, features = 4, 6, 5
    layer = Dropout(0.5, noise_shape=(batch_size, 1, features), seed=2)
    y = layer(np.ones((batch_size, timesteps, features), "float32"), training=True)
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))


def test_flatten():
    model = Sequential()
    model.add(Activation("linear", input_shape=(64, 32, 32)))
    model.add(Flatten())
    assert model.output_shape == (None, 65536)


def test_activity_regularization():
    layer = ActivityRegularization(l1=0.01, l2=0.1)
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(layer(x), x)
    assert layer.losses[0] == pytest.approx((0.01 * 6 + 0.1 * 6) / 2)


def test_masking():
    timesteps, features = 8, 3
    x = np.ones((2, timesteps, features), "float32")
    x[:, 3, :] = 0.0
    x[:, 5, :] = 0.0
    model = Sequential()
    model.add(Masking(mask_value=0.0, input_shape=(timesteps, features)))
    mask = model(x)._keras_mask
    np.testing.assert_array_equal(np.flatnonzero(~mask[0]), [3, 5])
    # A layer that cannot take the mask raises, as it says.
    model.add(Flatten())
    with pytest.raises(ValueError, match="masking"):
        model(x)
