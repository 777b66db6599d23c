"""Conv1D, Conv2D, DepthwiseConv and SeparableConv: against their twins, and against real Keras."""

import json

import numpy as np
import pytest
import reference_conv as reference
from layer_checks import assert_close, assert_like_keras, run_layer_test
from test_training import check_gradients, float64, prepare  # noqa: F401  # a fixture

import coreops
from coreops import Sequential, layers, models, optimizers

# Keras' convolutions on NumPy go by JAX
pytestmark = pytest.mark.filterwarnings("ignore:.*__array__ implementation:DeprecationWarning")

KINDS = [
    ("Conv2D", {"filters": 4, "kernel_size": 3}),
    ("Conv2D", {"filters": 4, "kernel_size": (2, 3), "strides": 2}),
    ("Conv2D", {"filters": 8, "kernel_size": 3, "dilation_rate": (2, 1)}),
    ("Conv2D", {"filters": 6, "kernel_size": 3, "groups": 2}),
    ("Conv2D", {"filters": 12, "kernel_size": 3, "groups": 6}),
    ("Conv2D", {"filters": 5, "kernel_size": 1}),
    ("Conv2D", {"filters": 5, "kernel_size": 1, "strides": 3, "use_bias": False}),
    ("Conv1D", {"filters": 4, "kernel_size": 3}),
    ("Conv1D", {"filters": 6, "kernel_size": 4, "strides": 2, "groups": 3}),
    ("Conv1D", {"filters": 5, "kernel_size": 2, "dilation_rate": 3}),
    ("DepthwiseConv2D", {"kernel_size": 3}),
    ("DepthwiseConv2D", {"kernel_size": (3, 2), "strides": 2, "depth_multiplier": 2}),
    ("DepthwiseConv1D", {"kernel_size": 3, "dilation_rate": 2}),
    ("SeparableConv2D", {"filters": 7, "kernel_size": 3, "depth_multiplier": 2}),
    ("SeparableConv1D", {"filters": 7, "kernel_size": 3, "strides": 2, "use_bias": False}),
]
FORMATS = ("channels_last", "channels_first")


def draw(rng, name, data_format="channels_last"):
    """An input with six channels."""
    shape = (13,) if name.endswith("1D") else (9, 11)
    shape = (*shape, 6) if data_format == "channels_last" else (6, *shape)
    return rng.normal(size=(2, *shape)).astype("float32")


def to_first(x):
    """x with its channels behind the batch."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def roundings(kwargs, name):
    size = kwargs["kernel_size"]
    taps = np.prod(size) if isinstance(size, tuple) else size ** (1 if name.endswith("1D") else 2)
    return int(taps) * 6 * (2 if name.startswith("Separable") else 1) * 3


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("name", "kwargs"), KINDS, ids=str)
def test_like_keras(keras, rng, name, kwargs, padding):
    x = draw(rng, name)
    kwargs = {**kwargs, "padding": padding, "activation": "relu"}
    assert_like_keras(keras, name, kwargs, x, roundings=roundings(kwargs, name))


@pytest.mark.parametrize(("name", "kwargs"), KINDS, ids=str)
@pytest.mark.parametrize("activation", [None, "softmax"])
def test_channels_first(rng, name, kwargs, activation):
    """The same numbers in another place; softmax is over the last axis, whichever that is."""
    x = draw(rng, name)
    last = getattr(layers, name)(**kwargs, padding="same")
    other = getattr(layers, name)(
        **kwargs, padding="same", data_format="channels_first", activation=activation
    )
    expected = to_first(last(x))
    other.build((None, *to_first(x).shape[1:]))
    other.set_weights(last.get_weights())
    if activation is not None:
        expected = layers.Softmax()(expected)
    assert_close(other(to_first(x)), np.asarray(expected))
    assert other.compute_output_shape(to_first(x).shape) == expected.shape


def test_channels_first_like_keras(keras, rng):
    x = draw(rng, "Conv2D", "channels_first")
    kwargs = {"filters": 4, "kernel_size": 3, "data_format": "channels_first", "padding": "same"}
    assert_like_keras(keras, "Conv2D", kwargs, x, roundings=200)


@pytest.mark.parametrize(
    "kwargs", [{"kernel_size": 3}, {"kernel_size": 2, "dilation_rate": 3}, {"strides": 2}], ids=str
)
def test_causal(keras, rng, kwargs):
    kwargs = {"kernel_size": 4, "filters": 4, "padding": "CAUSAL", **kwargs}
    layer, _ = assert_like_keras(keras, "Conv1D", kwargs, draw(rng, "Conv1D"), roundings=100)
    x = draw(rng, "Conv1D")
    later = x.copy()
    later[:, 8:] += 1
    kept = 8 // layer.strides[0]
    assert np.array_equal(layer(x)[:, :kept], layer(later)[:, :kept])


def test_what_every_layer_does(rng):
    x = draw(rng, "Conv2D")
    run_layer_test(
        layers.Conv2D,
        {"filters": 4, "kernel_size": (3, 2), "activation": "tanh", "padding": "same"},
        x,
        output_shape=(2, 9, 11, 4),
        weight_shapes=[(3, 2, 6, 4), (4,)],
        supports_masking=False,
    )
    run_layer_test(
        layers.SeparableConv1D,
        {"filters": 4, "kernel_size": 5, "strides": 3, "data_format": "channels_first"},
        to_first(draw(rng, "Conv1D")),
        output_shape=(2, 4, 3),
        weight_shapes=[(5, 6, 1), (1, 6, 4), (4,)],
        supports_masking=False,
    )
    run_layer_test(
        layers.DepthwiseConv2D,
        {"kernel_size": 3, "depth_multiplier": 2, "depthwise_regularizer": "l2"},
        x,
        output_shape=(2, 7, 9, 12),
        weight_shapes=[(3, 3, 6, 2), (12,)],
        supports_masking=False,
    )


def test_large_images_by_the_twin(rng, dtype):
    """By tiles, in bands, and with a bias."""
    x = rng.normal(size=(2, 40, 52, 16)).astype(dtype)
    layer = layers.Conv2D(24, 3, padding="same", dtype=dtype.name, bias_initializer="normal")
    y = layer(x)
    kernel, bias = layer.get_weights()
    window = (40, 52, 16, 3, 3, 1, 1, 1, 1, 1, 1, 40, 52)
    size = reference.tiles_size(x, window, kernel) + np.abs(bias)
    off = np.abs(y - reference.conv(x, window, kernel, bias))
    assert np.all(off <= (16 + 2 * (6 + 8) + 2) * np.finfo(dtype).eps / 2 * size)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize(("name", "kwargs"), KINDS, ids=str)
def test_gradients(float64, rng, name, kwargs, fmt):  # noqa: F811
    shape = draw(rng, name, fmt).shape
    shape = tuple(n if n == 6 else 5 for n in shape[1:])
    make = getattr(layers, name)
    fixed = {**kwargs, "padding": "same", "data_format": fmt}
    stack = [
        make(**fixed, activation="tanh"),
        make(**{**fixed, "groups": 1} if "groups" in fixed else fixed),
        layers.Flatten(),
        layers.Dense(2),
    ]
    x, y = rng.normal(size=(3, *shape)), rng.normal(size=(3, 2))
    model = prepare(lambda: Sequential([layers.Input(shape), *stack]), "mse", x, rng)
    check_gradients(model, x, y)


def test_training_lowers_the_loss(rng):
    x = rng.normal(size=(64, 8, 8, 1)).astype("float32")
    y = (x.mean((1, 2, 3)) > 0).astype("int32")
    model = Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(8, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    losses = model.fit(x, y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    ("fmt", "shape", "flat"),
    [("channels_first", (64, 32, 32), 65536), ("channels_last", (3, 32, 64), 6144)],
)
def test_the_seeds_example(fmt, shape, flat):
    """As written, with Theano's order of axes and with ours."""
    coreops.config.set_image_data_format(fmt)
    try:
        model = models.Sequential()
        with pytest.warns(DeprecationWarning, match="old"):
            first = layers.Convolution2D(64, 3, 3, border_mode="same", input_shape=(3, 32, 32))
        model.add(first)
        assert model.output_shape == (None, *shape)
        model.add(layers.Flatten())
        assert model.output_shape == (None, flat)
        model.add(layers.Dense(10))
        assert model(np.ones((2, 3, 32, 32), "float32")).shape == (2, 10)
    finally:
        coreops.config.set_image_data_format("channels_last")


def test_an_order_of_axes_under_its_old_name():
    with pytest.warns(DeprecationWarning, match="old"):
        old = layers.Conv2D(4, 3, dim_ordering="th", name="a")
    assert (
        old.get_config() == layers.Conv2D(4, 3, data_format="channels_first", name="a").get_config()
    )


def test_three_ints_are_rows_and_columns_under_the_old_name():
    with pytest.warns(DeprecationWarning, match="old form"):
        old = layers.Convolution2D(64, 3, 2, name="a")
    assert old.get_config() == layers.Conv2D(64, (3, 2), name="a").get_config()
    assert layers.Conv2D(64, 3, 2).strides == (2, 2)
    assert layers.Convolution2D(64, 3, strides=2).kernel_size == (3, 3)
    with pytest.warns(DeprecationWarning, match="old"):
        old = layers.Conv2D(nb_filter=3, nb_row=2, nb_col=4, subsample=(2, 2), name="a")
    assert old.get_config() == layers.Conv2D(3, (2, 4), strides=2, name="a").get_config()
    with pytest.warns(DeprecationWarning, match="old"):
        old = layers.Convolution1D(3, filter_length=4, subsample_length=2, bias=False, name="a")
    assert old.get_config() == layers.Conv1D(3, 4, 2, use_bias=False, name="a").get_config()


@pytest.mark.parametrize("name", ["Convolution2D", "Conv2D"])
def test_configs_of_the_old_name(name):
    config = {"class_name": name, "config": layers.Conv2D(3, 2, name="a").get_config()}
    made = layers.deserialize(json.loads(json.dumps(config)))
    assert type(made) is layers.Conv2D
    assert layers.serialize(made)["class_name"] == "Conv2D"


WRONG = [
    ("filters", {"filters": 0}),
    ("filters", {"filters": 2.5}),
    ("groups", {"groups": 0}),
    ("groups", {"filters": 4, "groups": 3}),
    ("kernel_size", {"kernel_size": 0}),
    ("kernel_size", {"kernel_size": (3, 3, 3)}),
    ("kernel_size", {"kernel_size": "3"}),
    ("strides", {"strides": (1, 0)}),
    ("dilation_rate", {"dilation_rate": -1}),
    ("strides", {"strides": 2, "dilation_rate": 2}),
    ("padding", {"padding": "full"}),
    ("padding", {"padding": "causal"}),
    ("data_format", {"data_format": "nchw"}),
    ("nonsense", {"activation": "nonsense"}),
    ("nonsense", {"nonsense": 1}),
]


@pytest.mark.parametrize(("word", "kwargs"), WRONG, ids=str)
def test_wrong_arguments(word, kwargs):
    with pytest.raises(ValueError, match=word):
        layers.Conv2D(**{"filters": 4, "kernel_size": 3, **kwargs})


@pytest.mark.parametrize("name", ["DepthwiseConv2D", "SeparableConv2D"])
def test_wrong_multipliers(name):
    first = {} if name.startswith("Depthwise") else {"filters": 2}
    with pytest.raises(ValueError, match="depth_multiplier"):
        getattr(layers, name)(kernel_size=3, depth_multiplier=0, **first)


def test_wrong_inputs():
    layer = layers.Conv2D(4, 3, groups=2, name="edges")
    for shape in [(2, 8, 8), (2, 8, 8, 8, 2)]:
        with pytest.raises(ValueError, match="edges"):
            layer(np.ones(shape, "float32"))
    with pytest.raises(ValueError, match=r"edges.*groups"):
        layer(np.ones((2, 8, 8, 3), "float32"))
    with pytest.raises(ValueError, match=r"edges.*larger than the input"):
        layer(np.ones((2, 2, 8, 2), "float32"))
    with pytest.raises(ValueError, match=r"edges.*channels"):
        layer.build((None, 8, 8, None))
    assert layer(np.ones((2, 8, 8, 2), "float32")).shape == (2, 6, 6, 4)
    assert layer(np.ones((2, 5, 3, 2), "uint8")).shape == (2, 3, 1, 4)
    with pytest.raises(ValueError, match=r"edges.*found 4"):
        layer(np.ones((2, 8, 8, 4), "float32"))
    assert layer.compute_output_shape((None, None, 8, 2)) == (None, None, 6, 4)


def test_channels_stay_where_they_are_between_layers(rng):
    """A convolution that follows another one takes its result before that was turned."""
    x = rng.normal(size=(2, 6, 9, 9)).astype("float32")
    stack = [
        layers.Conv2D(5, 3, data_format="channels_first", activation="relu"),
        layers.MaxPooling2D(2, data_format="channels_first"),
        layers.Conv2D(4, 2, data_format="channels_first"),
    ]
    model = Sequential([layers.Input(x.shape[1:]), *stack])
    expected = x
    for layer in stack:
        expected = layer(expected)
    assert np.array_equal(model(x), expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_threads(rng, threads):
    x = rng.normal(size=(1, 64, 64, 8)).astype("float32")
    model = Sequential(
        [layers.Input(x.shape[1:]), layers.Conv2D(32, 3), layers.DepthwiseConv2D(3, padding="same")]
    )
    expected = model(x)
    coreops.set_num_threads(threads)
    try:
        assert np.array_equal(model(x), expected)
    finally:
        coreops.set_num_threads(1)
