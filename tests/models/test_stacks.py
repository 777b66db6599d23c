"""Any stack of layers, in any memory layout, is its layers one after the other."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreops import layers
from coreops.models import Sequential


def _splits(draw, size):
    """A shape of that size."""
    first = draw(st.sampled_from([d for d in range(1, size + 1) if size % d == 0]))
    return (first, -1) if draw(st.booleans()) else (size // first, first)


def _layer(draw, shape):
    """A layer that takes samples of that shape."""
    kinds = ["dense", "activation", "softmax", "prelu", "dropout", "identity", "lambda"]
    kinds += ["flatten", "reshape", "permute", "repeat"] if math.prod(shape) <= 200 else []
    kind = draw(st.sampled_from(kinds))
    match kind:
        case "dense":
            activation = draw(st.sampled_from([None, "relu", "tanh", "softmax", "sigmoid"]))
            return layers.Dense(draw(st.integers(1, 9)), activation, use_bias=draw(st.booleans()))
        case "activation":
            return layers.Activation(draw(st.sampled_from(["relu", "elu", "softsign", "linear"])))
        case "softmax":
            return layers.Softmax(axis=draw(st.integers(1, len(shape))))
        case "prelu":
            return layers.PReLU("ones", shared_axes=[draw(st.integers(1, len(shape)))])
        case "dropout":
            return layers.Dropout(0.5)
        case "lambda":
            return layers.Lambda(lambda x: x * 2 - 1)
        case "flatten":
            return layers.Flatten(draw(st.sampled_from(["channels_first", "channels_last"])))
        case "reshape":
            return layers.Reshape(_splits(draw, math.prod(shape)))
        case "permute":
            return layers.Permute(draw(st.permutations(range(1, len(shape) + 1))))
        case "repeat" if len(shape) == 1:
            return layers.RepeatVector(draw(st.integers(1, 4)))
    return layers.Identity()


def _stack(draw):
    """A model and the shape of its samples."""
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=1, max_size=3)))
    model = Sequential([layers.Input(shape)])
    for _ in range(draw(st.integers(1, 6))):
        model.add(_layer(draw, model.output_shape[1:] if model.layers else shape))
    return model, shape


def _laid_out(x, layout):
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "strided":
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    return x[::-1].copy()[::-1] if layout == "reversed" else x


@settings(deadline=None, max_examples=150)
@given(
    st.data(),
    st.integers(0, 40),
    st.sampled_from(["C", "F", "strided", "reversed"]),
    st.integers(0, 2**32 - 1),
)
def test_a_stack_is_its_layers(data, batch, layout, seed):
    model, shape = _stack(data.draw)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(batch, *shape)).astype("float32")
    model.set_weights([rng.normal(size=w.shape) / 2 for w in model.weights])
    expected = x
    for layer in model.layers:
        expected = layer(expected)
    y = model(_laid_out(x, layout))
    assert y.shape == (batch, *model.output_shape[1:]) == expected.shape
    assert y.dtype == np.float32
    # The same kernels in the same order on the same rows: fusing changes no bit.
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(model(x), y)
    np.testing.assert_array_equal(model.predict(x, verbose=0), y)
    np.testing.assert_array_equal(model(x, training=False), y)


@pytest.mark.parametrize("copies", [1, 3])
def test_a_row_does_not_depend_on_its_place(rng, copies):
    model = Sequential([layers.Input((5,)), layers.Dense(7, "tanh"), layers.Dense(3, "softmax")])
    x = rng.normal(size=(11, 5)).astype("float32")
    y = model(np.tile(x, (copies, 1)))
    np.testing.assert_array_equal(model(np.tile(x[::-1], (copies, 1))), y[::-1])
