"""Random stacks of layers against real Keras: the same shapes, masks, dtypes and numbers."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import coreops

pytestmark = pytest.mark.parity

ELEMENTWISE = ["relu", "tanh", "sigmoid", "gelu", "elu", "selu", "softplus", "silu", "softmax"]


def a_layer(draw, keras, shape):
    """A layer of real Keras that takes samples of this shape."""
    layers = keras.layers
    size = int(np.prod(shape))
    choices = [
        "dense",
        "activation",
        "dropout",
        "leaky",
        "prelu",
        "softmax",
        "relu",
        "flat",
        "norm",
    ]
    if len(shape) == 1:
        choices += ["repeat"]
    if size > 1:
        choices += ["reshape", "permute"]
    kind = draw(st.sampled_from(choices))
    if kind == "dense":
        activation = draw(st.sampled_from([None, *ELEMENTWISE]))
        return layers.Dense(
            draw(st.integers(1, 40)),
            activation=activation,
            use_bias=draw(st.booleans()),
            bias_initializer="random_normal",
        )
    if kind == "activation":
        return layers.Activation(draw(st.sampled_from(ELEMENTWISE)))
    if kind == "dropout":
        return layers.Dropout(draw(st.floats(0, 1)))
    if kind == "leaky":
        return layers.LeakyReLU(negative_slope=draw(st.floats(0, 1)))
    if kind == "prelu":
        shared = draw(st.sampled_from([None, [1], [len(shape)]]))
        return layers.PReLU(alpha_initializer="random_normal", shared_axes=shared)
    if kind == "softmax":
        return layers.Softmax(axis=draw(st.integers(1, len(shape))))
    if kind == "relu":
        return layers.ReLU(max_value=draw(st.sampled_from([None, 0.7])), negative_slope=0.1)
    if kind == "norm":
        return layers.ActivityRegularization(l1=0.1)
    if kind == "flat":
        return layers.Flatten()
    if kind == "repeat":
        return layers.RepeatVector(draw(st.integers(1, 4)))
    if kind == "permute":
        return layers.Permute(draw(st.permutations(range(1, len(shape) + 1))))
    divisors = [d for d in range(1, size + 1) if size % d == 0]
    return layers.Reshape((draw(st.sampled_from(divisors)), -1))


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis")
@given(data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_stacks(keras, data):
    keras.backend.clear_session()
    coreops.backend.clear_session()
    shape = tuple(data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3)))
    oracle = keras.Sequential([keras.layers.Input(shape)])
    for _ in range(data.draw(st.integers(1, 6))):
        oracle.add(
            a_layer(data.draw, keras, (oracle.output_shape if oracle.layers else (0, *shape))[1:])
        )
    model = coreops.from_keras(oracle)
    assert model.output_shape == oracle.output_shape
    assert model.count_params() == oracle.count_params()
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    x = rng.normal(size=(data.draw(st.sampled_from([1, 2, 17])), *shape))
    layout = data.draw(st.sampled_from(["plain", "double", "fortran", "reversed", "strided"]))
    x = {
        "plain": lambda: x.astype(np.float32),
        "double": lambda: x,
        "fortran": lambda: np.asfortranarray(x.astype(np.float32)),
        "reversed": lambda: x.astype(np.float32)[..., ::-1],
        "strided": lambda: np.repeat(x.astype(np.float32), 2, axis=0)[::2],
    }[layout]()
    expected = np.asarray(oracle(np.ascontiguousarray(x)))
    for actual in (model(x), model(x), model.predict(x, verbose=0)):
        assert actual.dtype == expected.dtype
        # float32 through at most six layers on both sides
        np.testing.assert_allclose(
            actual, expected, rtol=1e-4, atol=1e-5 * (1 + np.abs(expected).max())
        )


@pytest.mark.parametrize("steps", [[], [0], [3, 5], [0, 1, 2, 3, 4, 5, 6, 7]])
def test_masks_reach_the_output(keras, rng, steps):
    oracle = keras.Sequential(
        [
            keras.layers.Input((8, 3)),
            keras.layers.Masking(0.0),
            keras.layers.Dense(4, "tanh", bias_initializer="random_normal"),
            keras.layers.Dropout(0.5),
            keras.layers.Activation("sigmoid"),
        ]
    )
    model = coreops.from_keras(oracle)
    x = rng.normal(size=(5, 8, 3)).astype(np.float32)
    x[:, steps] = 0.0
    expected, actual = oracle(x), model(x)
    eps = np.finfo(np.float32).eps
    np.testing.assert_allclose(actual, np.asarray(expected), rtol=32 * eps, atol=8 * eps)
    np.testing.assert_array_equal(actual._keras_mask, np.any(x != 0, axis=-1))
