"""LSTM, GRU and SimpleRNN: against real Keras, and what they promise beyond."""

import copy
import itertools
import json
import pickle
import warnings

import numpy as np
import pytest
from layer_checks import built_alike, plain, run_layer_test, with_mask
from test_recurrent_kernels import PATTERNS, mask_of

import coreops
from coreops import Sequential, constraints, layers, ops, regularizers

CLASSES = ["LSTM", "GRU", "SimpleRNN"]
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}
STATES = {"LSTM": 2, "GRU": 1, "SimpleRNN": 1}
each_class = pytest.mark.parametrize("name", CLASSES)


def close(actual, expected, steps=8):
    """float32 on both sides, some ten roundings of values below 1 in each step. Keras' NumPy
    backend takes a part of float64 layers through float32: test_recurrent_kernels.py is
    stricter."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    atol = 16 * np.finfo(np.float32).eps * steps
    np.testing.assert_allclose(actual, expected, rtol=0, atol=atol)


def pair(keras, name, shape, **kwargs):
    """Our layer and Keras', built for samples of this shape, with the same weights."""
    ours, theirs = built_alike(
        keras, lambda library: getattr(library, name)(name="layer", **kwargs), shape
    )
    assert plain(ours.get_config()) == plain(theirs.get_config())
    return ours, theirs


OPTIONS = [
    {},
    {"return_sequences": True},
    {"go_backwards": True},
    {"go_backwards": True, "return_sequences": True},
    {"return_state": True},
    {"return_state": True, "return_sequences": True, "go_backwards": True},
    {"use_bias": False, "return_sequences": True},
    {"unroll": True, "return_sequences": True},
    {"activation": "relu"},
    {"activation": None, "recurrent_activation": "hard_sigmoid"},
    {"activation": "gelu", "recurrent_activation": "relu", "return_sequences": True},
    {"activation": "softmax", "return_sequences": True},
    {"zero_output_for_mask": True, "return_sequences": True},
    {"zero_output_for_mask": True, "go_backwards": True},
    {"reset_after": False, "return_sequences": True},
    {"reset_after": False, "use_bias": False, "go_backwards": True},
    {"implementation": 1},
    {"dtype": "float64", "return_sequences": True},
]


@pytest.mark.parity
@each_class
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_like_keras(keras, rng, name, options):
    options = dict(options)
    if name != "GRU" and "reset_after" in options:
        pytest.skip("an option of GRU")
    if name == "SimpleRNN":
        options.pop("recurrent_activation", None)
        options.pop("implementation", None)
    ours, theirs = pair(keras, name, (3, 6, 4), units=5, **options)
    x = rng.normal(size=(3, 6, 4)).astype(options.get("dtype", "float32"))
    patterns = ["none"] if options.get("unroll") else PATTERNS
    for pattern in patterns:
        mask = mask_of(pattern, 3, 6, rng)
        y, expected = ours(x, mask=mask), theirs(x, mask=mask)
        if not options.get("return_state"):
            y, expected = [y], [expected]
        assert len(y) == len(expected)
        for one, other in zip(y, expected, strict=True):
            close(one, other)
        if mask is not None and not options.get("return_state"):
            # The same mask by the way of the kernels.
            given = np.where(mask[..., None], x, np.float32(7))
            model = Sequential([layers.Input((6, 4), dtype=x.dtype.name)])
            model.add(layers.Masking(7.0, dtype=x.dtype.name))
            model.add(ours)
            close(model(given), expected[0])
            kept = coreops.backend.get_keras_mask(model(given))
            if ours.return_sequences:
                np.testing.assert_array_equal(kept, mask)
            else:
                assert kept is None


@pytest.mark.parity
@each_class
@pytest.mark.parametrize("pattern", PATTERNS)
def test_initial_state_like_keras(keras, rng, name, pattern):
    ours, theirs = pair(keras, name, (3, 6, 4), units=5, return_sequences=True, return_state=True)
    x = rng.normal(size=(3, 6, 4)).astype("float32")
    states = [rng.normal(size=(3, 5)).astype("float32") for _ in range(STATES[name])]
    mask = mask_of(pattern, 3, 6, rng)
    y, *ends = ours(x, initial_state=states, mask=mask)
    expected, *their_ends = theirs(x, initial_state=states, mask=mask)
    expected = np.asarray(expected).copy()
    if mask is not None:  # Keras gives the initial state on NumPy, zeros on TensorFlow and Torch
        for row, on in zip(expected, mask, strict=True):
            row[: int(np.argmax(on)) if on.any() else len(on)] = 0
    close(y, expected)
    for one, other in zip(ends, their_ends, strict=True):
        close(one, other)
    close(ours([x, *states], mask=mask)[0], expected)
    close(ours(x, states if len(states) > 1 else states[0], mask=mask)[0], expected)


@each_class
def test_layer_contract(name, rng):
    x = rng.normal(size=(3, 5, 4)).astype("float32")
    gates, units = GATES[name], 6
    bias = (2, 18) if name == "GRU" else (gates * units,)
    shapes = [(4, gates * units), (units, gates * units), bias]
    run_layer_test(
        getattr(layers, name),
        {"units": units, "return_sequences": True},
        x,
        output_shape=(3, 5, 6),
        weight_shapes=shapes,
        supports_masking=True,
    )
    layer = getattr(layers, name)(units)
    assert layer(x).shape == (3, 6)
    assert coreops.backend.get_keras_mask(layer(with_mask(x)[0])) is None
    assert [w.name for w in layer.weights] == ["kernel", "recurrent_kernel", "bias"]
    assert layer(np.ones((2, 3, 4), "int32")).dtype == np.float32


@each_class
def test_config_round_trip_of_every_argument(name):
    options = {
        "units": 3,
        "activation": "relu",
        "use_bias": False,
        "kernel_initializer": "ones",
        "recurrent_initializer": "identity",
        "bias_initializer": "ones",
        "kernel_regularizer": regularizers.L2(0.1),
        "recurrent_regularizer": "l1",
        "bias_regularizer": "l2",
        "activity_regularizer": "l1_l2",
        "kernel_constraint": constraints.MaxNorm(1),
        "recurrent_constraint": "unit_norm",
        "bias_constraint": "non_neg",
        "dropout": 0.25,
        "recurrent_dropout": 0.5,
        "seed": 3,
        "return_sequences": True,
        "return_state": True,
        "go_backwards": True,
        "stateful": True,
        "unroll": True,
        "zero_output_for_mask": True,
    }
    if name != "SimpleRNN":
        options["recurrent_activation"] = "hard_sigmoid"
    if name == "GRU":
        options["reset_after"] = False
    if name == "LSTM":
        options["unit_forget_bias"] = False
    layer = getattr(layers, name)(**options)
    config = layer.get_config()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    missing = {"seed"} if name == "SimpleRNN" else set()
    assert options.keys() - config.keys() == missing


def test_biases_as_they_begin():
    lstm = layers.LSTM(2, bias_initializer=coreops.initializers.Constant(3.0))
    lstm.build((None, 4, 1))
    np.testing.assert_array_equal(lstm.get_weights()[2], [3, 3, 1, 1, 3, 3, 3, 3])
    plain_bias = layers.LSTM(2, unit_forget_bias=False)
    plain_bias.build((None, 4, 1))
    np.testing.assert_array_equal(plain_bias.get_weights()[2], 0)
    for reset_after, shape in ((True, (2, 6)), (False, (6,))):
        gru = layers.GRU(2, reset_after=reset_after)
        gru.build((None, 4, 1))
        assert gru.get_weights()[2].shape == shape


@each_class
def test_regularizers_and_constraints(name):
    layer = getattr(layers, name)(
        3, kernel_regularizer="l2", recurrent_regularizer="l1", bias_regularizer="l2"
    )
    layer.build((None, 4, 2))
    assert len(layer.losses) == 3
    kernel, recurrent, _ = layer.get_weights()
    assert layer.losses[0] == pytest.approx(0.01 * np.sum(kernel**2), rel=1e-5)
    assert layer.losses[1] == pytest.approx(0.01 * np.sum(np.abs(recurrent)), rel=1e-5)
    assert [w.constraint for w in layer.weights] == [None] * 3


@each_class
@pytest.mark.parametrize("units", [0, -1, 2.5, "3", None])
def test_units_that_are_refused(name, units):
    with pytest.raises(ValueError, match="units"):
        getattr(layers, name)(units)


@each_class
def test_inputs_that_are_refused(name):
    layer = getattr(layers, name)(3)
    with pytest.raises(ValueError, match="ndim=3"):
        layer(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match="at least one step"):
        layer(np.ones((2, 0, 4), "float32"))
    layer(np.ones((2, 3, 4), "float32"))
    with pytest.raises(ValueError, match="axis -1"):
        layer(np.ones((2, 3, 5), "float32"))
    with pytest.raises(ValueError, match="state"):
        layer(np.ones((2, 3, 4), "float32"), initial_state=[np.zeros((2, 3))] * 3)
    both = layers.Bidirectional(layer.from_config(layer.get_config()))
    for refuses, count in ((layer, layer.cell.states), (both, 2 * layer.cell.states)):
        for shape in ((2, 4), (2, 3, 3)):
            with pytest.raises(ValueError, match=rf"'{refuses.name}'.*initial_state.*\(None, 3\)"):
                refuses(np.ones((2, 3, 4), "float32"), initial_state=[np.zeros(shape)] * count)
        for shape in ((2, 2), (2, 4, 3), (2,)):
            with pytest.raises(ValueError, match=f"'{refuses.name}'.*mask of 3 steps"):
                refuses(np.ones((2, 3, 4), "float32"), mask=np.ones(shape, bool))
    with pytest.raises(ValueError, match="last axis"):
        getattr(layers, name)(3).build((None, 4, None))
    if name != "SimpleRNN":
        with pytest.raises(ValueError, match="use_cudnn"):
            getattr(layers, name)(3, use_cudnn="yes")


# ------------------------------------------------------------------------------------------ states


@each_class
def test_a_stateful_model_goes_on_from_batch_to_batch(name, rng):
    x, y = rng.normal(size=(6, 3, 4)).astype("float32"), np.zeros((6, 4), "float32")
    layer = getattr(layers, name)(4, stateful=True)
    model = Sequential([layers.Input(batch_shape=(2, 3, 4)), layer])
    model.compile("sgd", "mse")
    expected = np.concatenate([model(x[i : i + 2]) for i in range(0, 6, 2)])
    layer.reset_state()
    np.testing.assert_array_equal(model.predict(x, batch_size=2, verbose=0), expected)
    layer.reset_state()
    loss = model.evaluate(x, y, batch_size=2, verbose=0)
    np.testing.assert_allclose(loss, np.mean(expected**2), rtol=1e-5)


@each_class
@pytest.mark.parametrize("masked", [False, True])
def test_a_stateful_layer_goes_on(name, rng, masked):
    x = rng.normal(size=(2, 6, 3)).astype("float32")
    if masked:
        x[0, 2] = x[1, 4] = 0
    whole = getattr(layers, name)(4, return_sequences=True)
    stack = [layers.Input((6, 3)), layers.Masking(), whole]
    expected = np.asarray(Sequential(stack)(x))
    layer = getattr(layers, name)(4, return_sequences=True, stateful=True)
    model = Sequential([layers.Input(batch_shape=(2, None, 3)), layers.Masking(), layer])
    model.set_weights(whole.get_weights())
    for steps in ([0, 1, 2, 3, 4, 5], [0, 3, 6], [0, 1, 6]):
        for _ in range(2):  # the second time by the installed plan
            layer.reset_states()
            got = [np.asarray(model(x[:, a:b])) for a, b in _spans(steps)]
            made = np.concatenate(got, axis=1)
            on = np.any(x != 0, axis=-1)
            np.testing.assert_array_equal(made[on], expected[on])


def _spans(steps):
    edges = sorted({0, *steps, 6})
    return list(itertools.pairwise(edges))


@each_class
def test_states_of_a_stateful_layer(name, rng):
    x = rng.normal(size=(2, 1, 3)).astype("float32")
    layer = getattr(layers, name)(4, stateful=True)
    first = layer(x)
    assert len(layer.states) == STATES[name]
    np.testing.assert_array_equal(layer.states[0].numpy(), first)
    assert len(layer.weights) == 3
    second = layer(x)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(layer.states[0].numpy(), second)
    layer.reset_states()
    np.testing.assert_array_equal(layer.states[0].numpy(), 0)
    np.testing.assert_array_equal(layer(x), first)
    np.testing.assert_array_equal(layer(x), second)
    layer.reset_states([np.full((2, 4), 0.5)] * STATES[name])
    np.testing.assert_array_equal(layer.states[-1].numpy(), 0.5)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        twin.reset_state()
        np.testing.assert_array_equal(twin(x), first)
        np.testing.assert_array_equal(layer.states[-1].numpy(), 0.5)
    with pytest.raises(ValueError, match="stateful"):
        layer(x[:1])
    with pytest.raises(ValueError, match="stateful"):
        getattr(layers, name)(4, stateful=True)(layers.Input((3, 2)))


@pytest.mark.parity
@each_class
def test_stateful_like_keras(keras, rng, name):
    ours, theirs = pair(keras, name, (3, 2, 4), units=5, stateful=True, return_state=True)
    for _ in range(3):
        x = rng.normal(size=(3, 2, 4)).astype("float32")
        for one, other in zip(ours(x), theirs(x), strict=True):
            close(one, other)


# ----------------------------------------------------------------------------------------- dropout


@each_class
def test_dropout_is_one_draw_for_all_steps(name):
    layer = getattr(layers, name)(4, return_sequences=True, dropout=0.5, activation="linear")
    layer.build((None, 6, 8))
    kernel, recurrent, bias = (np.zeros_like(w) for w in layer.get_weights())
    if name == "SimpleRNN":
        kernel[:4] = np.eye(4)
        layer.set_weights([kernel, recurrent, bias])
        y = layer(np.ones((50, 6, 8), "float32"), training=True)
        assert set(np.unique(y)) == {0.0, 2.0}
        np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1], y.shape))
        assert 0.4 < np.mean(y > 0) < 0.6
    x = np.ones((3, 6, 8), "float32")
    layer.set_weights([w + 0.3 for w in (kernel, recurrent, bias)])
    np.testing.assert_array_equal(layer(x), layer(x))
    assert not np.array_equal(layer(x, training=True), layer(x, training=True))


@each_class
@pytest.mark.parametrize("rates", [(0.0, 0.5), (0.5, 0.5), (1.0, 0.0), (-1.0, 7.0)])
def test_rates(name, rng, rates):
    layer = getattr(layers, name)(4, dropout=rates[0], recurrent_dropout=rates[1])
    assert (layer.dropout, layer.recurrent_dropout) == tuple(np.clip(rates, 0, 1))
    x = rng.normal(size=(30, 3, 8)).astype("float32")
    still, drawn = layer(x), layer(x, training=True)
    varies = any(0 < rate < 1 for rate in rates) or name == "SimpleRNN"
    assert np.array_equal(still, drawn) is not varies
    assert np.isfinite(drawn).all()


# --------------------------------------------------------------------------------------- spellings


def test_old_spellings():
    with pytest.warns(DeprecationWarning, match="old spelling|old form|no effect"):
        layer = layers.LSTM(
            output_dim=3,
            init="uniform",
            inner_init="orthogonal",
            inner_activation="hard_sigmoid",
            W_regularizer="l2",
            U_regularizer="l1",
            b_regularizer="l2",
            dropout_W=0.1,
            dropout_U=0.2,
            consume_less="gpu",
            input_shape=(5, 2),
        )
    config = layer.get_config()
    assert config["units"] == 3
    assert config["recurrent_activation"] == "hard_sigmoid"
    assert (config["dropout"], config["recurrent_dropout"]) == (0.1, 0.2)
    assert config["recurrent_regularizer"]["class_name"] == "L1"
    assert "consume_less" not in config


def test_the_seeds_masking_example(rng):
    """As Keras 1's documentation has it: steps 3 and 5 of the samples are missing."""
    samples, timesteps, features = 32, 10, 8
    x = rng.normal(size=(samples, timesteps, features)).astype("float32")
    x[:, 3, :] = x[:, 5, :] = 0.0
    model = Sequential()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model.add(layers.Masking(mask_value=0.0, input_shape=(timesteps, features)))
        model.add(layers.LSTM(32))
    y = model(x)
    assert y.shape == (samples, 32)
    left = [t for t in range(timesteps) if t not in (3, 5)]
    short = Sequential([layers.Input((8, features)), model.layers[1]])
    np.testing.assert_array_equal(y, short(np.ascontiguousarray(x[:, left])))


def test_what_python_computes_is_what_the_kernels_compute(rng):
    """An activation of one's own goes step by step; the same one by its name does not."""
    x = rng.normal(size=(4, 7, 3)).astype("float32")
    for name in CLASSES:
        kernels = getattr(layers, name)(5, return_sequences=True)
        python = getattr(layers, name)(5, return_sequences=True, activation=lambda v: ops.tanh(v))
        for layer in (kernels, python):
            layer.build((None, 7, 3))
        python.set_weights(kernels.get_weights())
        close(python(x), kernels(x))
