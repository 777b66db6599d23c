"""Sequential: structure, building, shapes, calls, configuration."""

import json

import numpy as np
import pytest

import coreops
from coreops import layers
from coreops.layers import (
    Activation,
    Dense,
    Dropout,
    Flatten,
    Input,
    InputLayer,
    Lambda,
    Layer,
    Masking,
    Permute,
    Reshape,
)
from coreops.models import Model, Sequential, model_from_json

X = np.arange(6, dtype="float32").reshape(2, 3) / 6


def net(name="net"):
    return Sequential([Input((3,)), Dense(4, activation="relu"), Dropout(0.5), Dense(1)], name=name)


# --- structure ------------------------------------------------------------------------------


def test_with_an_input_layers_are_built_as_they_are_added():
    model = Sequential(name="net")
    assert not model.built
    model.add(Input((3,)))
    assert not hasattr(model, "input_shape")
    model.add(Dense(4))
    assert model.built
    assert model.output_shape == (None, 4)
    model.add(Dense(2))
    assert model.output_shape == (None, 2)
    assert [w.path for w in model.weights] == [
        "net/dense/kernel",
        "net/dense/bias",
        "net/dense_1/kernel",
        "net/dense_1/bias",
    ]
    assert isinstance(model, Model)
    assert isinstance(model, Layer)
    assert coreops.Sequential is Sequential


def test_without_an_input_weights_come_with_the_first_call():
    model = Sequential([Dense(4), Dense(2)], name="net")
    assert model.weights == []
    assert not model.built
    for name in ("input_shape", "output_shape", "inputs", "outputs", "input", "output"):
        assert not hasattr(model, name)
    with pytest.raises(ValueError, match="not built"):
        model.count_params()
    assert model(X).shape == (2, 2)
    assert model.built
    assert model.input_shape == (None, 3)
    assert model.output_shape == (None, 2)
    assert next(w.path for w in model.weights) == "net/dense/kernel"
    assert model.count_params() == 16 + 10


def test_build():
    model = Sequential([Dense(4), Dense(2)])
    model.build((None, 3))
    assert model.inputs[0].shape == (None, 3)
    assert model.outputs[0].shape == (None, 2)
    model.build((None, 3))
    model.build()
    with pytest.raises(ValueError, match=r"\(None, 3\).*\(None, 7\)"):
        model.build((None, 7))
    with pytest.raises(ValueError, match="no layers"):
        Sequential().build((None, 3))
    with pytest.raises(ValueError, match="no layers"):
        Sequential()(X)
    with pytest.raises(ValueError, match="shape"):
        Sequential([Dense(1)]).build(3)


def test_a_layer_whose_shape_only_data_can_tell():
    def stubborn(x):
        assert len(x) > 100
        return x[:, :2]

    model = Sequential([Input((3,)), Dense(4), Lambda(stubborn), Dense(2)])
    assert not hasattr(model, "output_shape")
    x = np.ones((101, 3), "float32")
    assert model(x).shape == (101, 2)
    assert model.built
    assert len(model.weights) == 4
    np.testing.assert_array_equal(model.predict(x, batch_size=101, verbose=0), model(x))


def test_add_errors_leave_the_model_as_it_was():
    class Pair(Layer):
        def call(self, a, b):
            return a + b

    model = net()
    for bad, message in (
        (3, "only layers"),
        (layers.Dense, "only layers"),
        (Dense(1, name="dense"), "'dense'"),
        (Input((4,)), "first"),
        (InputLayer((4,)), "first"),
        (Pair(), "one input"),
        (Permute((2, 1)), "ndim=3"),
        (Reshape((5,)), "reshape"),
    ):
        with pytest.raises(ValueError, match=message):
            model.add(bad)
        assert len(model.layers) == 3
        assert model.output_shape == (None, 1)
    with pytest.raises(TypeError):
        Sequential(3)
    with pytest.raises(ValueError, match="only layers"):
        Sequential(["dense"])


def test_one_layer_twice():
    layer = Dense(3)
    model = Sequential([Input((3,)), layer, layer])
    assert len(model.weights) == 2
    np.testing.assert_allclose(model(X), layer(layer(X)), rtol=1e-6)


def test_pop():
    model = net()
    before = model(X)
    last = model.pop()
    assert last.name == "dense_1"
    assert model.output_shape == (None, 4)
    assert model(X).shape == (2, 4)
    model.add(last)
    np.testing.assert_array_equal(model(X), before)
    for _ in range(3):
        model.pop()
    assert not model.built
    with pytest.raises(IndexError, match="'net' has no layers"):
        model.pop()
    model.add(Dense(2))
    assert model(X).shape == (2, 2)


def test_layers_cannot_be_assigned():
    model = net()
    assert [layer.name for layer in model.layers] == ["dense", "dropout", "dense_1"]
    model.layers.clear()
    assert len(model.layers) == 3
    with pytest.raises(AttributeError, match="add"):
        model.layers = []


def test_get_layer():
    model = net()
    assert model.get_layer("dropout") is model.layers[1]
    assert model.get_layer(index=-1) is model.layers[2]
    for kwargs in ({}, {"name": "nonsense"}, {"index": 3}, {"name": "dense", "index": 0}):
        with pytest.raises(ValueError, match="layer"):
            model.get_layer(**kwargs)


# --- calls ----------------------------------------------------------------------------------


def test_a_model_is_its_layers():
    model = net()
    one, _, two = model.layers
    np.testing.assert_allclose(model(X), two(one(X)), rtol=1e-6)
    assert model(X[:0]).shape == (0, 1)
    assert model.compute_output_shape((7, 3)) == (7, 1)
    assert Sequential([Dense(4), Dense(2)]).compute_output_shape((7, 3)) == (7, 2)
    assert model(Input((3,))).shape == (None, 1)


def test_inputs_are_cast_to_the_input_dtype():
    model = Sequential([Input((3,)), Flatten()])
    for dtype in ("int32", "bool", "float64", "float16"):
        assert model(X.astype(dtype)).dtype == np.float32
    assert Sequential([Flatten()])(X.astype("int32")).dtype == np.float32
    whole = Sequential([Input((3,), dtype="int32"), Flatten()])
    assert whole(X.astype("int64")).dtype == np.int32
    np.testing.assert_array_equal(whole(X * 6 + 0.7), [[0, 1, 2], [3, 4, 5]])
    double = Sequential([Input((3,), dtype="float64"), Activation("tanh", dtype="float64")])
    assert double(X).dtype == np.float64
    inner = Sequential([Input((3,)), Flatten()])
    outer = Sequential([Input((3,), dtype="int32"), inner])
    assert outer(X.astype("int32")).dtype == np.float32


def test_rank_may_be_off_by_an_axis_of_one():
    model = net()
    np.testing.assert_array_equal(model(X[..., None]), model(X))
    np.testing.assert_array_equal(model.predict(X[..., None], verbose=0), model(X))
    column = Sequential([Input((3, 1)), Dense(2)])
    np.testing.assert_array_equal(column(X), column(X[..., None]))
    outer = Sequential([Input((3, 1)), Sequential([Input((3,)), Dense(2)])])
    assert outer(X[..., None]).shape == (2, 2)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (2, 1, 3), (2, 3, 2), ()])
def test_other_shapes_are_refused(shape):
    model = net("classifier")
    for call in (model, model.predict, model.predict_on_batch):
        with pytest.raises(ValueError, match=r"'classifier'|'dense'"):
            call(np.ones(shape, "float32"))


def test_a_list_of_one_input_is_that_input():
    model = net()
    expected = model(X)
    for x in ([X], (X,)):
        for run in (model, model.predict_on_batch, model.predict):
            np.testing.assert_array_equal(run(x), expected)
    assert model([Input((3,))]).shape == (None, 1)
    np.testing.assert_array_equal(model.predict([X[0]]), expected[:1])  # one sample


def test_only_arrays():
    model = net("classifier")
    np.testing.assert_array_equal(model(X.tolist()), model(X))
    with pytest.raises(ValueError, match=r"classifier.*ragged"):
        model([[1.0, 2.0, 3.0], [1.0]])
    with pytest.raises(TypeError, match="classifier"):
        model(np.array([["a", "b", "c"]]))
    with pytest.raises(ValueError, match="classifier"):
        model(X, X)


def test_changes_reach_the_model():
    model = net()
    model(X)
    model.layers[-1].set_weights([np.zeros((4, 1)), np.ones(1)])
    np.testing.assert_array_equal(model(X), [[1], [1]])
    model.layers[-1].activation = lambda x: -x
    np.testing.assert_array_equal(model(X), [[-1], [-1]])
    outer = Sequential([Input((3,)), model])
    np.testing.assert_array_equal(outer(X), [[-1], [-1]])
    model.add(Activation("relu"))
    np.testing.assert_array_equal(outer(X), [[0], [0]])
    model.pop()
    np.testing.assert_array_equal(outer(X), [[-1], [-1]])


def test_out():
    model = net()
    out = np.empty((2, 1), "float32")
    assert model(X, out=out) is out
    np.testing.assert_array_equal(out, model(X))
    seam = Sequential([Input((3,)), Lambda(lambda x: x + 1)])
    out = np.empty((2, 3), "float32")
    assert seam(X, out=out) is out
    np.testing.assert_array_equal(out, X + 1)


# --- nesting --------------------------------------------------------------------------------


def test_models_nest():
    inner = Sequential([Dense(4, activation="relu"), Lambda(lambda x: x + 1)], name="inner")
    model = Sequential([Input((3,)), inner, Dense(2)], name="outer")
    assert model.output_shape == (None, 2)
    assert next(w.path for w in model.weights) == "outer/inner/dense/kernel"
    assert len(model.leaves()) == 4
    expected = model.layers[1](inner.layers[0](X) + 1)
    np.testing.assert_allclose(model(X), expected, rtol=1e-6)
    inner.trainable = False
    assert len(model.trainable_weights) == 2
    first = Sequential([net(), Dense(2)])
    assert first.input_shape == (None, 3)
    assert first.built


def test_a_nested_model_may_still_be_without_layers():
    inner = Sequential([Input((3,))])
    outer = Sequential([inner])
    assert not outer.built
    with pytest.raises(ValueError, match="no layers"):
        outer(np.ones((2, 3), "float32"))
    inner.add(Dense(2))
    assert outer(np.ones((2, 3), "float32")).shape == (2, 2)
    outer.add(Dense(5))
    assert outer.output_shape == (None, 5)


def test_masks_flow_through_nested_models():
    inner = Sequential([Masking()])
    model = Sequential([Input((2, 3)), inner, Dense(2)])
    x = np.zeros((1, 2, 3), "float32")
    np.testing.assert_array_equal(model(x)._keras_mask, [[False, False]])


def test_a_subclass_with_its_own_call():
    class Twice(Sequential):
        def call(self, inputs):
            return 2 * super().call(inputs)

    model = Twice([Input((3,)), Dense(2)])
    np.testing.assert_allclose(model(X), 2 * model.layers[0](X), rtol=1e-6)
    outer = Sequential([Input((3,)), model])
    np.testing.assert_array_equal(outer(X), model(X))
    np.testing.assert_array_equal(model.predict(X, verbose=0), model(X))


# --- configuration --------------------------------------------------------------------------


def test_config_round_trip():
    inner = Sequential([Dense(2, activation="tanh")], name="inner")
    model = Sequential([Input((3,), name="pixels"), Dense(4), inner], name="net")
    config = json.loads(json.dumps(model.get_config()))
    assert config["build_input_shape"] == [None, 3]
    assert [layer["class_name"] for layer in config["layers"]] == [
        "InputLayer",
        "Dense",
        "Sequential",
    ]
    again = Sequential.from_config(config)
    assert again.name == "net"
    assert again.get_config() == model.get_config()
    again.set_weights(model.get_weights())
    np.testing.assert_array_equal(again(X), model(X))
    assert model_from_json(model.to_json(indent=2)).get_config() == model.get_config()


def test_config_of_an_unbuilt_model():
    model = Sequential([Dense(4)], name="net")
    config = model.get_config()
    assert "build_input_shape" not in config
    again = Sequential.from_config(config)
    assert not again.built
    again = Sequential.from_config({**config, "build_input_shape": [None, 3]})
    assert again.input_shape == (None, 3)


@pytest.mark.parametrize("config", [{"layers": []}, {"name": "net"}, {}])
def test_malformed_configs(config):
    with pytest.raises(ValueError, match="name"):
        Sequential.from_config(config)


def test_custom_layers_in_a_config():
    class Shift(Layer):
        def __init__(self, by=1, **kwargs):
            super().__init__(**kwargs)
            self.by = by

        def call(self, inputs):
            return inputs + self.by

    model = Sequential([Input((3,)), Shift(by=2)])
    config = json.loads(json.dumps(model.get_config()))
    with pytest.raises(TypeError, match=r"Shift.*custom_objects"):
        Sequential.from_config(config)
    again = Sequential.from_config(config, custom_objects={"Shift": Shift})
    np.testing.assert_array_equal(again(X), X + 2)


# --- real Keras -----------------------------------------------------------------------------


def build(package):
    return package.Sequential(
        [
            package.Input((4, 3)),
            package.layers.Dense(5, activation="gelu"),
            package.layers.Permute((2, 1)),
            package.layers.Flatten(),
            package.layers.Dropout(0.5),
            package.layers.Dense(4, activation="softmax"),
            package.layers.RepeatVector(2),
            package.layers.Reshape((4, -1)),
        ],
        name="net",
    )


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras' variables under NumPy 2
def test_as_keras(keras, rng):
    from layer_checks import assert_close, plain

    keras.backend.clear_session()
    theirs, ours = build(keras), build(coreops)
    assert plain(ours.get_config()) == plain(json.loads(json.dumps(theirs.get_config())))
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    ours.set_weights([np.asarray(weight.value) for weight in theirs.weights])
    x = rng.normal(size=(6, 4, 3)).astype("float32")
    expected = theirs.predict(x, verbose=0)
    # Two products of 3 and 20 terms, and two activations of a few roundings each.
    assert_close(ours(x), expected, roundings=64)
    assert_close(ours.predict(x, verbose=0), expected, roundings=64)
    assert ours.output_shape == theirs.output_shape
    assert ours.count_params() == theirs.count_params()


@pytest.mark.parity
def test_keras_reads_our_config(keras):
    model = build(coreops)
    again = keras.models.model_from_json(model.to_json())
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert again.output_shape == model.output_shape


def test_the_dtype_policy_of_layers_that_name_none():
    coreops.config.set_dtype_policy("float64")
    try:
        assert coreops.config.dtype_policy().name == "float64"
        assert Dense(2)(np.ones((1, 3))).dtype == np.float64
    finally:
        coreops.config.set_dtype_policy(None)
    assert Dense(2)(np.ones((1, 3))).dtype == np.float32


def test_many_shapes_do_not_pile_up():
    model = Sequential([Input((None, 4)), Dense(8)])
    for steps in range(1, 100):
        assert model(np.ones((2, steps, 4), np.float32)).shape == (2, steps, 8)
    assert len(model._program(False)._segments) <= 32


@pytest.mark.parity
def test_other_sizes_than_those_it_was_built_for(keras, rng):
    """Only the rank is checked, as in Keras: the layers know what they take."""
    for first in ([], [(5, 2)]):
        theirs = keras.Sequential(
            [*map(keras.Input, first), keras.layers.LSTM(3), keras.layers.Dense(2)]
        )
        ours = Sequential([*map(Input, first), layers.LSTM(3), Dense(2)])
        for steps in (5, 8, 3):
            x = rng.normal(size=(2, steps, 2)).astype("float32")
            expected = np.asarray(theirs(x))
            ours(x)
            ours.set_weights([np.asarray(weight.value) for weight in theirs.weights])
            np.testing.assert_allclose(ours(x), expected, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(ours.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-6)
        with pytest.raises(ValueError, match="expected axis -1 to have size 2"):
            ours(np.ones((2, 5, 3), "float32"))
        with pytest.raises(ValueError, match="incompatible shape"):
            ours(np.ones((2, 5), "float32"))


def test_a_bidirectional_layer_says_what_does_not_fit():
    model = Sequential([Input((5, 2)), layers.Bidirectional(layers.GRU(2))])
    with pytest.raises(ValueError, match=r"'bidirectional.*expected axis -1 to have size 2"):
        model(np.ones((1, 5, 3), "float32"))


def test_a_model_that_comes_first_brings_its_input():
    for inner in (
        Sequential([Input((3,), dtype="int32"), layers.Embedding(4, 2)]),
        functional(Input((3,), dtype="int32"), layers.Embedding(4, 2)),
    ):
        model = Sequential([inner, Flatten(), Dense(1)])
        assert model.built
        assert model.input_shape == (None, 3)
        assert model.inputs[0].dtype == "int32"


def functional(x, *parts):
    y = x
    for part in parts:
        y = part(y)
    return Model(x, y)


def test_inputs_and_outputs_of_its_layers():
    model = Sequential([Input((3,)), Dense(4, name="a"), Dense(2, name="b")])
    inner = Model(model.input, model.get_layer("a").output)
    end = Model(model.get_layer("b").input, model.get_layer("b").output)
    np.testing.assert_array_equal(end(inner(X)), model(X))
    with pytest.raises(AttributeError, match="'alone' has no output"):
        _ = Dense(2, name="alone").output
    assert not hasattr(Dense(2), "input")
