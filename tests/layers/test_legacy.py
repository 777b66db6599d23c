"""Keras 1 and 2 spellings."""

import numpy as np
import pytest

from coreops import Input, Model, ops
from coreops.layers import (
    LSTM,
    Convolution1D,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    Masking,
    PReLU,
    merge,
)
from coreops.models import Sequential


@pytest.mark.parametrize(
    ("cls", "old", "new"),
    [
        (Dense, {"output_dim": 3}, {"units": 3}),
        (Dense, {"units": 3, "init": "ones"}, {"units": 3, "kernel_initializer": "ones"}),
        (
            Dense,
            {"units": 3, "W_regularizer": "l2", "b_constraint": "non_neg", "bias": True},
            {
                "units": 3,
                "kernel_regularizer": "l2",
                "bias_constraint": "non_neg",
                "use_bias": True,
            },
        ),
        (
            Dense,
            {"units": 3, "kernel_constraints": "non_neg", "bias_constraints": "non_neg"},
            {"units": 3, "kernel_constraint": "non_neg", "bias_constraint": "non_neg"},
        ),
        (Dropout, {"p": 0.25}, {"rate": 0.25}),
        (LeakyReLU, {"alpha": 0.25}, {"negative_slope": 0.25}),
        (PReLU, {"init": "ones"}, {"alpha_initializer": "ones"}),
    ],
)
def test_old_keywords(cls, old, new):
    with pytest.warns(DeprecationWarning, match="old spelling"):
        layer = cls(**old, name="a")
    assert layer.get_config() == cls(**new, name="a").get_config()


def test_both_spellings_at_once():
    with pytest.raises(ValueError, match=r"rate.*`p`"):
        Dropout(rate=0.5, p=0.5)


def test_a_subclass_may_have_the_old_names():
    class Mine(Dense):
        def __init__(self, output_dim, **kwargs):
            super().__init__(output_dim, **kwargs)

    assert Mine(output_dim=3).units == 3
    with pytest.warns(DeprecationWarning, match="use_bias"):
        assert not Mine(3, bias=False).use_bias


@pytest.mark.parametrize(
    ("kwargs", "shape"),
    [
        ({"input_shape": (4,)}, (None, 4)),
        ({"input_dim": 4}, (None, 4)),
        ({"input_dim": 4, "input_length": 7}, (None, 7, 4)),
        ({"batch_input_shape": (5, 4)}, (5, 4)),
        ({"input_shape": (4,), "batch_size": 5}, (5, 4)),
    ],
)
def test_the_first_layer_declares_the_input(kwargs, shape):
    with pytest.warns(DeprecationWarning, match="old form"):
        layer = Dense(3, **kwargs)
    assert set(kwargs).isdisjoint(layer.get_config())
    model = Sequential([layer])
    assert model.input_shape == shape
    assert model.output_shape == (*shape[:-1], 3)
    assert len(model.weights) == 2


def test_sequences_of_any_length():
    """`input_dim` alone is no shape of two axes where the layer goes through time."""
    with pytest.warns(DeprecationWarning, match="old form"):
        layers = [LSTM(3, input_dim=4), Convolution1D(3, 2, input_dim=4)]
    for layer, shape in zip(layers, [(None, 3), (None, None, 3)], strict=True):
        model = Sequential([layer])
        assert model.input_shape == (None, None, 4)
        assert model.output_shape == shape


def test_merge():
    """Keras 1's function is what today's layers are; with a function it is a Lambda."""
    shapes = [(3, 4), (3, 4)]
    xs = [np.arange(24, dtype="f4").reshape(2, 3, 4), np.ones((2, 3, 4), "f4")]
    a, b = xs

    def joined(tensors, scale):
        return ops.concatenate([scale * x for x in tensors], axis=-1)

    for options, wanted in (
        ({}, a + b),
        ({"mode": "mul"}, a * b),
        ({"mode": "ave"}, (a + b) / 2),
        ({"mode": "max"}, np.maximum(a, b)),
        ({"mode": "concat", "concat_axis": 1}, np.concatenate(xs, axis=1)),
        ({"mode": "dot", "dot_axes": [2, 2]}, a @ b.swapaxes(1, 2)),
        ({"mode": joined, "arguments": {"scale": 2}}, 2 * np.concatenate(xs, axis=-1)),
    ):
        inputs = [Input(shape) for shape in shapes]
        with pytest.warns(DeprecationWarning, match="old form"):
            model = Model(inputs, merge(inputs, name="m", **options))
        np.testing.assert_allclose(model(xs), wanted, rtol=1e-6)
    with pytest.warns(match="old form"), pytest.raises(ValueError, match="Invalid merge mode"):
        merge(xs, mode="average")


def test_merge_with_masks():
    def first(masks):
        return masks[0]

    x = Input((3, 2))
    with pytest.warns(DeprecationWarning, match="old form"):
        y = merge([Masking()(x), x], mode=lambda pair: pair[0] - pair[1], output_mask=first)
    model = Model(x, y)
    out = model(np.float32([[[1, 1], [0, 0], [1, 0]]]))
    assert out._keras_mask.tolist() == [[True, False, True]]


def test_a_later_layers_declaration_is_ignored():
    with pytest.warns(DeprecationWarning, match="input_dim"):
        model = Sequential([Dense(3, input_dim=4), Dense(2, input_dim=17)])
    assert model.layers[1].kernel.shape == (3, 2)


def test_initial_weights():
    kernel, bias = np.ones((4, 3)), np.arange(3)
    with pytest.warns(DeprecationWarning, match="set_weights"):
        layer = Dense(3, weights=[kernel, bias])
    layer.build((None, 4))
    np.testing.assert_array_equal(layer.get_weights()[0], kernel)
    np.testing.assert_array_equal(layer.get_weights()[1], bias)
    with pytest.warns(DeprecationWarning, match="set_weights"):
        layer = Dense(3, weights=[kernel])
    with pytest.raises(ValueError, match="2 arrays"):
        layer.build((None, 4))


def test_the_warning_points_at_the_line_that_caused_it():
    for make in (lambda: Dropout(p=0.5), lambda: Dense(3, input_dim=4)):
        with pytest.warns(DeprecationWarning, match="old") as caught:
            make()
        assert [warning.filename for warning in caught] == [__file__]


def test_new_spellings_do_not_warn():
    Dense(3, use_bias=False)
    Flatten()
