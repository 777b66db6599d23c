"""The old backend: names, defaults, and the examples that use it."""

import numpy as np
import pytest

from coreops import _plan, config, layers
from coreops import backend as K
from coreops._variables import Variable


def words(text):
    """The words of a text, a list that reads more easily."""
    return text.split()


@pytest.fixture
def x(rng):
    return rng.normal(size=(3, 4)).astype(np.float32)


def test_the_antirectifier(x):
    """The example of the original Lambda documentation: halves of the normalised deviations."""

    def antirectifier(x):
        x -= K.mean(x, axis=1, keepdims=True)
        x = K.l2_normalize(x, axis=1)
        return K.concatenate([K.relu(x), K.relu(-x)], axis=1)

    def output_shape(input_shape):
        shape = list(input_shape)
        shape[-1] *= 2
        return tuple(shape)

    wide = x.astype(np.float64) - x.astype(np.float64).mean(1, keepdims=True)
    wide /= np.sqrt((wide**2).sum(1, keepdims=True))
    expected = np.concatenate([np.maximum(wide, 0), np.maximum(-wide, 0)], 1)
    y = antirectifier(x.copy())
    assert y.dtype == np.float32
    assert y.shape == output_shape(x.shape) == (3, 8)
    np.testing.assert_allclose(y, expected, atol=16 * np.finfo(np.float32).eps)


def test_settings():
    assert K.epsilon() == 1e-7
    assert K.floatx() == "float32"
    assert K.image_data_format() == "channels_last"
    assert K.backend() == "coreops"
    with pytest.raises(ValueError, match="float64"):
        K.set_floatx("int8")


def test_the_default_axes(x):
    assert K.concatenate([x, x]).shape == (3, 8)
    assert K.expand_dims(x).shape == (3, 4, 1)
    np.testing.assert_array_equal(K.argmax(x), np.argmax(x, -1))
    np.testing.assert_array_equal(K.argmin(x), np.argmin(x, -1))
    np.testing.assert_array_equal(K.cumsum(x), np.cumsum(x, 0))
    np.testing.assert_array_equal(K.cumprod(x), np.cumprod(x, 0))
    np.testing.assert_allclose(K.sum(K.softmax(x), axis=-1), np.ones(3), rtol=1e-6)
    assert K.stack([x, x]).shape == (2, 3, 4)


def test_relu(x):
    np.testing.assert_array_equal(K.relu(x), np.maximum(x, 0))
    y = K.relu(x, alpha=0.5, max_value=1.0, threshold=0.25)
    expected = np.where(x > 0.25, np.minimum(x, 1), 0.5 * (x - 0.25))
    np.testing.assert_allclose(y, expected, rtol=1e-6)


def test_shapes(x):
    cube = np.arange(24.0, dtype="f4").reshape(2, 3, 4)
    assert K.int_shape(cube) == K.shape(cube) == (2, 3, 4)
    assert (K.ndim(cube), K.dtype(cube), K.count_params(cube)) == (3, "float32", 24)
    assert K.repeat(x, 5).shape == (3, 5, 4)
    np.testing.assert_array_equal(K.repeat(x, 5)[:, 3], x)
    np.testing.assert_array_equal(K.repeat_elements(x, 2, 1), np.repeat(x, 2, 1))
    assert K.batch_flatten(cube).shape == (2, 12)
    assert K.batch_flatten(cube[:0]).shape == (0, 12)
    assert K.flatten(cube).shape == (24,)
    np.testing.assert_array_equal(K.permute_dimensions(cube, (0, 2, 1)), cube.transpose(0, 2, 1))
    np.testing.assert_array_equal(K.reverse(x, 1), x[:, ::-1])
    np.testing.assert_array_equal(K.gather(x, [2, 0]), x[[2, 0]])
    assert K.temporal_padding(cube, (1, 2)).shape == (2, 6, 4)
    assert K.squeeze(K.expand_dims(x, 1), 1).shape == x.shape
    assert K.reshape(x, (-1, 2)).shape == (6, 2)
    with pytest.raises(ValueError, match="rank 2"):
        K.repeat(cube, 2)


@pytest.mark.parametrize(
    ("a", "b", "axes", "equation"),
    [
        ((2, 3), (2, 3), None, "bi,bi->b"),
        ((2, 3, 4), (2, 4, 5), None, "bij,bjk->bik"),
        ((2, 3, 4), (2, 5, 4), 2, "bij,bkj->bik"),
        ((2, 3, 4), (2, 5, 3), (1, 2), "bij,bki->bjk"),
        ((2, 3, 4), (2, 4), (2, 1), "bij,bj->bi"),
        ((2, 3), (2, 3, 5), (1, 1), "bi,bij->bj"),
        ((2, 3, 4), (2, 5, 4), (-1, -1), "bij,bkj->bik"),
        ((2, 3, 4, 5), (2, 5, 6), (3, 1), "bhij,bjk->bhik"),
    ],
)
def test_batch_dot(rng, a, b, axes, equation):
    a, b = rng.normal(size=a), rng.normal(size=b)
    expected = np.einsum(equation, a, b)
    expected = expected[:, None] if expected.ndim == 1 else expected
    np.testing.assert_allclose(K.batch_dot(a, b, axes), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("a", "b", "axes"),
    [((3,), (3,), None), ((2, 3), (4, 3), None), ((2, 3), (2, 4), 1), ((2, 2), (2, 2), 0)],
)
def test_batch_dot_refuses(a, b, axes):
    with pytest.raises(ValueError, match="batch"):
        K.batch_dot(np.zeros(a), np.zeros(b), axes)


def test_dot_contracts_last_and_second_to_last(rng):
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(4, 3, 5))
    assert K.dot(a, b).shape == (2, 4, 5)


def test_elementwise(x):
    np.testing.assert_array_equal(K.pow(x, 2), x**2)
    np.testing.assert_array_equal(K.clip(x, -1, 1), np.clip(x, -1, 1))
    np.testing.assert_array_equal(K.greater(x, 0), x > 0)
    assert K.cast(x, "int32").dtype == np.int32
    assert K.cast_to_floatx([1, 2]).dtype == np.float32
    np.testing.assert_array_equal(K.one_hot([1], 2), [[0, 1]])
    np.testing.assert_array_equal(K.bias_add(x, np.ones(4, "f4")), x + 1)
    image = np.zeros((1, 2, 3, 3), np.float32)
    assert K.bias_add(image, [1.0, 2.0], "channels_first")[0, 1, 0, 0] == 2


def test_switch(x):
    np.testing.assert_array_equal(K.switch(x > 0, x, -x), np.abs(x))
    np.testing.assert_array_equal(K.switch(True, x, lambda: 1 / 0), x)
    np.testing.assert_array_equal(K.switch(False, lambda: 1 / 0, lambda: x), x)
    rows = np.array([True, False, True])
    np.testing.assert_array_equal(K.switch(rows, x, x * 0), np.where(rows[:, None], x, 0))


def test_phases():
    assert K.learning_phase() == 0
    assert K.in_train_phase(1, 2) == K.in_test_phase(2, 1) == 2
    assert K.in_train_phase(lambda: 1, lambda: 2, training=True) == 1
    with _plan.python_scope(True):
        assert K.learning_phase() == 1
        assert K.in_train_phase(1, 2) == K.in_test_phase(2, 1) == 1


def test_variables():
    v = K.variable([[1, 2]], name="v")
    assert isinstance(v, Variable)
    assert v.dtype == "float32"
    K.set_value(v, [[3, 4]])
    K.update_add(v, 1)
    K.update_sub(v, [[0, 1]])
    np.testing.assert_array_equal(K.get_value(v), [[4, 4]])
    K.batch_set_value([(v, [[1, 1]])])
    K.update(v, K.eval(v) * 2)
    np.testing.assert_array_equal(K.batch_get_value([v])[0], [[2, 2]])
    np.testing.assert_array_equal(K.constant(2, shape=(2,)), np.full(2, 2, np.float32))
    assert K.eye(2).shape == (2, 2)
    assert K.arange(3).dtype == np.int32


def test_random_arrays():
    np.testing.assert_array_equal(K.random_normal((3,), seed=1), K.random_normal((3,), seed=1))
    assert np.all(np.abs(K.truncated_normal((1000,), seed=1)) <= 2)
    u = K.random_uniform((1000,), 2, 3, seed=1)
    assert np.all((u >= 2) & (u < 3))
    assert abs(K.random_bernoulli((10000,), 0.3, seed=1).mean() - 0.3) < 0.025
    assert set(np.unique(K.dropout(np.ones(100, "f4"), 0.5, seed=1))) == {0, 2}


def test_sessions():
    first = K.get_uid("dense")
    assert K.get_uid("dense") == first + 1
    K.clear_session()
    assert K.get_uid("dense") == 1


def test_types():
    assert K.is_float_dtype("float16")
    assert K.is_float_dtype("bfloat16")
    assert not K.is_float_dtype("int32")
    assert K.is_int_dtype("uint8")
    assert K.standardize_dtype(None) == config.floatx()


def test_masks(x):
    assert K.get_keras_mask(x) is None
    y = layers.Masking()(np.array([[[1, 2], [0, 0]]], np.float32))
    np.testing.assert_array_equal(K.get_keras_mask(y), [[True, False]])


def test_symbolic_tensors(x):
    symbol = layers.Input((3, 4))
    assert K.is_keras_tensor(symbol)
    assert not K.is_keras_tensor(x)
    assert K.int_shape(symbol) == (None, 3, 4)


def test_map_fn(x):
    np.testing.assert_array_equal(K.map_fn(lambda row: row.sum(), x), [row.sum() for row in x])


@pytest.mark.parity
def test_the_names_of_keras(keras):
    """What is left out: convolution, pooling, images, sparse arrays, losses, gradients."""
    import inspect

    from keras.src.legacy import backend as theirs

    names = {n for n, f in vars(theirs).items() if inspect.isfunction(f) and n[0] != "_"}
    assert names - set(dir(K)) <= set(
        words(
            """batch_normalization binary_crossentropy binary_focal_crossentropy
            categorical_crossentropy categorical_focal_crossentropy conv1d conv2d
            conv2d_transpose conv3d ctc_batch_cost ctc_decode ctc_label_dense_to_sparse
            depthwise_conv2d foldl foldr gradients in_top_k is_sparse moving_average_update
            name_scope pool2d pool3d random_normal_variable random_uniform_variable
            resize_images resize_volumes rnn separable_conv2d sparse_categorical_crossentropy
            spatial_2d_padding spatial_3d_padding to_dense keras_export"""
        )
    )
