"""Bidirectional and TimeDistributed: against real Keras, and what they promise beyond."""

import json

import numpy as np
import pytest
from layer_checks import built_alike, plain, run_layer_test
from test_recurrent import close
from test_recurrent_kernels import PATTERNS, mask_of

import coreops
from coreops import Sequential, layers

MODES = ["concat", "sum", "mul", "ave", None]


def without_build(config):
    """Keras writes the shape that a layer inside was built for; it needs none to load."""
    if isinstance(config, dict):
        return {key: without_build(v) for key, v in config.items() if key != "build_config"}
    return config


@pytest.mark.parity
@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("sequences", [False, True])
def test_bidirectional_like_keras(keras, rng, name, mode, sequences):
    def make(library):
        inner = getattr(library, name)(4, return_sequences=sequences, name="inner")
        return library.Bidirectional(inner, merge_mode=mode, name="layer")

    ours, theirs = built_alike(keras, make, (3, 6, 2))
    assert without_build(plain(ours.get_config())) == without_build(plain(theirs.get_config()))
    x = rng.normal(size=(3, 6, 2)).astype("float32")
    for pattern in PATTERNS:
        mask = mask_of(pattern, 3, 6, rng)
        y, expected = ours(x, mask=mask), theirs(x, mask=mask)
        if mode is None:
            for one, other in zip(y, expected, strict=True):
                close(one, other)
            continue
        close(y, expected)
        if mask is not None:
            model = Sequential([layers.Input((6, 2)), layers.Masking(7.0), ours])
            given = np.where(mask[..., None], x, np.float32(7))
            close(model(given), expected)
            kept = coreops.backend.get_keras_mask(model(given))
            assert (kept is not None) is sequences


@pytest.mark.parity
@pytest.mark.parametrize("mode", ["concat", None])
def test_bidirectional_states_like_keras(keras, rng, mode):
    def make(library):
        inner = library.LSTM(4, return_sequences=True, return_state=True, name="inner")
        return library.Bidirectional(inner, merge_mode=mode, name="layer")

    ours, theirs = built_alike(keras, make, (3, 5, 2))
    x = rng.normal(size=(3, 5, 2)).astype("float32")
    states = [rng.normal(size=(3, 4)).astype("float32") for _ in range(4)]
    for options in ({}, {"initial_state": states}):
        y, expected = ours(x, **options), theirs(x, **options)
        assert len(y) == len(expected)
        for one, other in zip(y, expected, strict=True):
            close(one, other)


@pytest.mark.parity
def test_bidirectional_of_two_layers(keras, rng):
    def make(library):
        return library.Bidirectional(
            library.LSTM(4, name="a"),
            backward_layer=library.GRU(4, go_backwards=True, activation="relu", name="b"),
            name="layer",
        )

    ours, theirs = built_alike(keras, make, (3, 5, 2))
    x = rng.normal(size=(3, 5, 2)).astype("float32")
    close(ours(x), theirs(x))


@pytest.mark.parity
@pytest.mark.parametrize("mode", ["concat", "sum", None])
def test_bidirectional_whose_first_layer_goes_backwards(keras, rng, mode):
    """The second layer's steps are turned round whichever way it goes, as in Keras."""

    def make(library):
        options = {"return_sequences": True, "zero_output_for_mask": True}
        return library.Bidirectional(
            library.LSTM(4, go_backwards=True, name="a", **options),
            backward_layer=library.GRU(4, name="b", **options),
            merge_mode=mode,
            name="layer",
        )

    ours, theirs = built_alike(keras, make, (3, 5, 2))
    x = rng.normal(size=(3, 5, 2)).astype("float32")
    for mask in (None, rng.random((3, 5)) < 0.6):
        y, expected = ours(x, mask=mask), theirs(x, mask=mask)
        for one, other in zip(y, expected, strict=True):
            close(one, other)


def test_bidirectional_contract(rng):
    x = rng.normal(size=(3, 5, 4)).astype("float32")
    run_layer_test(
        layers.Bidirectional,
        {"layer": layers.LSTM(6, return_sequences=True)},
        x,
        output_shape=(3, 5, 12),
        weight_shapes=[(4, 24), (6, 24), (24,)] * 2,
        supports_masking=True,
    )
    layer = layers.Bidirectional(layers.LSTM(2, name="x"))
    assert (layer.forward_layer.name, layer.backward_layer.name) == ("forward_x", "backward_x")
    assert layer.backward_layer.go_backwards
    stateful = layers.Bidirectional(layers.GRU(2, stateful=True))
    first, second = stateful(x), stateful(x)
    assert not np.array_equal(first, second)
    assert len(stateful.states) == 2
    stateful.reset_states()
    np.testing.assert_array_equal(stateful(x), first)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "LSTM"}, "must be a layer"),
        ({"layer": layers.Dense(2)}, "recurrent"),
        ({"layer": layers.LSTM(2), "merge_mode": "add"}, "merge_mode"),
        ({"layer": layers.LSTM(2), "backward_layer": 3}, "backward_layer"),
        ({"layer": layers.LSTM(2), "backward_layer": layers.LSTM(2)}, "backwards"),
        (
            {
                "layer": layers.LSTM(2),
                "backward_layer": layers.LSTM(2, go_backwards=True, return_sequences=True),
            },
            "return_sequences",
        ),
    ],
)
def test_bidirectional_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        layers.Bidirectional(**options)


CHILDREN = {
    "dense": lambda library: library.Dense(3, activation="relu", name="inner"),
    "softmax": lambda library: library.Dense(3, activation="softmax", name="inner"),
    "flatten": lambda library: library.Flatten(name="inner"),
    "lstm": lambda library: library.LSTM(3, name="inner"),
    "permute": lambda library: library.Permute((2, 1), name="inner"),
    "conv": lambda library: library.Conv1D(2, 2, strides=2, activation="tanh", name="inner"),
    "channels first": lambda library: library.Conv1D(
        2, 2, padding="same", data_format="channels_first", name="inner"
    ),
    "separable": lambda library: library.SeparableConv1D(4, 2, depth_multiplier=2, name="inner"),
    "pool": lambda library: library.MaxPooling1D(2, name="inner"),
    "pool all": lambda library: library.GlobalAveragePooling1D(
        data_format="channels_first", name="inner"
    ),
    "pad": lambda library: library.ZeroPadding1D((1, 2), name="inner"),
    "crop": lambda library: library.Cropping1D((0, 1), name="inner"),
    "unit": lambda library: library.UnitNormalization(name="inner"),
    "enlarge": lambda library: library.UpSampling1D(2, name="inner"),
    "layer norm": lambda library: library.LayerNormalization(axis=1, name="inner"),
    "batch norm": lambda library: library.BatchNormalization(axis=1, name="inner"),
    "einsum": lambda library: library.EinsumDense("abc,cd->adb", (4, 3), name="inner"),
    "softmax over steps": lambda library: library.Softmax(axis=1, name="inner"),
    "both ways": lambda library: library.Bidirectional(library.GRU(2, name="inner")),
    "each of each": lambda library: library.TimeDistributed(library.RepeatVector(2), name="inner"),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras' NumPy backend
@pytest.mark.parity
@pytest.mark.parametrize("child", CHILDREN)
def test_time_distributed_like_keras(keras, rng, child):
    shape = (2, 4, 3, 5)
    ours, theirs = built_alike(
        keras, lambda library: library.TimeDistributed(CHILDREN[child](library), name="t"), shape
    )
    assert without_build(plain(ours.get_config())) == without_build(plain(theirs.get_config()))
    x = rng.normal(size=shape).astype("float32")
    close(ours(x), theirs(x))
    model = Sequential([layers.Input(shape[1:]), ours])
    assert model.output_shape == (None, *theirs.compute_output_shape(shape)[1:])
    close(model(x), theirs(x))
    assert is_one_plan(model)


@pytest.mark.parity
@pytest.mark.parametrize("activation", ["linear", "own"])
def test_penalties_on_outputs_under_time_distributed(keras, activation):
    """One of the layer does not count, one of the wrapper does, and so do those within a model."""

    def penalties(library):
        layers = library.layers
        make = lambda: layers.Dense(  # noqa: E731
            2, activation={"own": lambda x: x * 2}.get(activation), activity_regularizer="l2"
        )
        x = np.ones((2, 3, 4), "float32")
        found = []
        for layer in (
            layers.TimeDistributed(make()),
            layers.TimeDistributed(make(), activity_regularizer="l1"),
            layers.TimeDistributed(library.Sequential([layers.Input((4,)), make()])),
        ):
            layer.build(x.shape)
            for weight in layer.weights:
                weight.assign(np.full(weight.shape, 0.5))
            y = layer(x)
            found.append([float(loss) for loss in layer.losses])
            if library is coreops:  # a step of a model counts the same
                model = Sequential([layers.Input((3, 4)), layer])
                model.compile("sgd", "mse")
                loss = model.evaluate(x, y, verbose=0)
                assert loss == pytest.approx(sum(found[-1]), rel=1e-6)
        return found

    ours, theirs = penalties(coreops), penalties(keras)
    assert list(map(len, ours)) == [0, 1, 3]
    for one, other in zip(ours, theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-6)


def is_one_plan(model):
    """Whether what was called has no seam."""
    segments = model._program(training=False).segments()
    return len(segments) == 1 and segments[0].seam is None


@pytest.mark.parametrize("child", [layers.Dense(2), layers.Lambda(lambda x: x)])
def test_a_mask_has_all_steps(child):
    layer = layers.TimeDistributed(child)
    for shape in ((4, 6), (4, 1), (4, 6, 2)):
        with pytest.raises(ValueError, match="a mask of 5 steps"):
            layer(np.zeros((4, 5, 3), "f4"), mask=np.ones(shape, bool))


@pytest.mark.filterwarnings("ignore")  # masks that a reshape drops
@pytest.mark.parity
@pytest.mark.parametrize("child", ["lstm", "both ways", "mean", "model"])
def test_each_step_has_its_part_of_a_mask(keras, rng, child):
    """Words of sentences of a text: the mask of the words of a sentence is that of its step."""

    def model_of(library):
        layers = library.layers
        inner = {
            "lstm": lambda: layers.LSTM(3),
            "both ways": lambda: layers.Bidirectional(layers.SimpleRNN(2), merge_mode="sum"),
            "mean": layers.GlobalAveragePooling1D,
            "model": lambda: library.Sequential(
                [layers.Input((4, 5)), layers.Dense(3, "tanh"), layers.GRU(2), layers.Dense(2)]
            ),
        }[child]()
        words = library.Input((3, 4), dtype="int32")
        y = layers.TimeDistributed(inner)(layers.Embedding(9, 5, mask_zero=True)(words))
        return library.Model(words, layers.Flatten()(y))

    ours, theirs = model_of(coreops), model_of(keras)
    ours.set_weights([rng.normal(size=w.shape) for w in ours.weights])
    theirs.set_weights(ours.get_weights())
    ours._mask_policy = "warn"
    words = rng.integers(0, 3, (5, 3, 4))
    words[0, 1] = 0
    close(ours(words), theirs(words))
    assert is_one_plan(ours)


@pytest.mark.parity
@pytest.mark.parametrize("both", [False, True])
def test_a_step_counts_where_one_of_its_parts_does(keras, rng, both):
    """Sentences after their words: a sentence without words is skipped."""

    def model_of(library):
        layers = library.layers
        words = library.Input((3, 4), dtype="int32")
        y = layers.TimeDistributed(layers.LSTM(3))(layers.Embedding(9, 5, mask_zero=True)(words))
        last = layers.GRU(2)
        return library.Model(words, (layers.Bidirectional(last) if both else last)(y))

    ours, theirs = model_of(coreops), model_of(keras)
    ours.set_weights([rng.normal(size=w.shape) for w in ours.weights])
    theirs.set_weights(ours.get_weights())
    words = rng.integers(0, 3, (5, 3, 4))
    words[0, 1] = words[1, 2] = words[2] = 0
    close(ours(words), theirs(words))
    assert is_one_plan(ours)


def test_batches_are_normalised_step_by_step(rng):
    """As Keras does: each step has its moments, and moves the averages."""
    make = lambda: layers.BatchNormalization(momentum=0.5)  # noqa: E731
    inner, alone = make(), make()
    layer = layers.TimeDistributed(inner)
    x = (rng.normal(size=(6, 3, 2)) + np.arange(3)[:, None]).astype("float32")
    mask = rng.random((6, 3)) < 0.7
    made = layer(x, training=True, mask=mask)
    for i in range(3):
        step = alone(np.ascontiguousarray(x[:, i]), training=True, mask=mask[:, i])
        np.testing.assert_array_equal(made[:, i], step)
    for one, other in zip(inner.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_depends_on_a_batch_is_called_step_by_step(rng):
    x = rng.normal(size=(4, 3, 2)).astype("float32")
    layer = layers.TimeDistributed(layers.Lambda(lambda x: x - coreops.ops.mean(x, axis=0)))
    np.testing.assert_allclose(layer(x), x - x.mean(0), rtol=0, atol=1e-6)
    assert layer(x[:, :0]).shape == (4, 0, 2)
    assert layers.TimeDistributed(layers.Dense(5))(x[:, :0]).shape == (4, 0, 5)
    carried = layers.TimeDistributed(layers.LSTM(2, stateful=True))
    y = carried(np.repeat(x[:, :1, :, None], 2, axis=1))
    assert not np.array_equal(y[:, 0], y[:, 1])


def test_time_distributed_contract(rng):
    x = rng.normal(size=(3, 5, 4)).astype("float32")
    run_layer_test(
        layers.TimeDistributed,
        {"layer": layers.Dense(6)},
        x,
        output_shape=(3, 5, 6),
        weight_shapes=[(4, 6), (6,)],
        supports_masking=True,
    )
    inner = Sequential([layers.Input((4,)), layers.Dense(3, "tanh"), layers.RepeatVector(2)])
    layer = layers.TimeDistributed(inner)
    y = layer(x)
    assert y.shape == (3, 5, 2, 3)
    np.testing.assert_array_equal(y[:, 2], inner(np.ascontiguousarray(x[:, 2])))
    again = layers.TimeDistributed.from_config(json.loads(json.dumps(layer.get_config())))
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), y)
    masked = Sequential([layers.Input((5, 4)), layers.Masking(), layer, layers.TimeDistributed(
        layers.Flatten()), layers.LSTM(2)])  # fmt: skip
    assert masked(x).shape == (3, 2)
    with pytest.raises(ValueError, match="must be a layer"):
        layers.TimeDistributed(3)
    with pytest.raises(ValueError, match="3 axes"):
        layers.TimeDistributed(layers.Dense(2))(x[0])


def test_time_distributed_names_the_layer_that_does_not_fit():
    layer = layers.TimeDistributed(layers.Dense(3, name="inner"))
    layer(np.zeros((2, 5, 4), "float32"))
    message = r"layer 'inner' is incompatible.*axis -1 to have size 4, found 6"
    with pytest.raises(ValueError, match=message):
        layer(np.zeros((2, 5, 6), "float32"))


def test_time_distributed_draws_for_every_step():
    layer = layers.TimeDistributed(layers.Dropout(0.5, seed=1))
    y = layer(np.ones((40, 3, 8), "float32"), training=True)
    assert 0.4 < np.mean(y == 0) < 0.6
    assert not np.array_equal(y[:, 0], y[:, 1])
    np.testing.assert_array_equal(layer(np.ones((2, 3, 8), "float32")), 1)


def test_time_distributed_convolution(rng):
    x = rng.normal(size=(2, 3, 6, 6, 2)).astype("float32")
    conv = layers.Conv2D(4, 3, activation="relu")
    layer = layers.TimeDistributed(conv)
    y = layer(x)
    assert y.shape == (2, 3, 4, 4, 4)
    np.testing.assert_array_equal(y[1], conv(np.ascontiguousarray(x[1])))
