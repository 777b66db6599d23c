"""Pooling, ZeroPadding, Cropping and UpSampling: against their twins, and against real Keras."""

import numpy as np
import pytest
import reference_conv as reference
from layer_checks import assert_close, assert_like_keras, run_layer_test
from test_training import check_gradients, float64, prepare  # noqa: F401  # a fixture

from coreops import Sequential, layers

POOLS = ["MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"]
FORMATS = ("channels_last", "channels_first")
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


def draw(rng, axes, data_format="channels_last"):
    shape = (7, 10)[2 - axes :]
    shape = (*shape, 3) if data_format == "channels_last" else (3, *shape)
    return rng.normal(size=(2, *shape)).astype("float32")


def first(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("name", POOLS)
def test_pooling_like_keras(keras, rng, name, padding):
    x = draw(rng, int(name[-2]))
    for sizes in ((2, None), (3, 1), (2, 3)):
        kwargs = dict(zip(("pool_size", "strides"), sizes, strict=True), padding=padding)
        assert_like_keras(keras, name, kwargs, x)


@pytest.mark.parametrize("name", POOLS)
def test_pooling_of_channels_first(rng, name):
    x = draw(rng, int(name[-2]))
    make = getattr(layers, name)
    y = make(3, 2, padding="same", data_format="channels_first")(first(x))
    assert np.array_equal(y, first(make(3, 2, padding="same")(x)))


@pytest.mark.parametrize("name", ["MaxPooling2D", "AveragePooling1D"])
def test_what_every_layer_does(rng, name):
    axes = int(name[-2])
    x = draw(rng, axes)
    run_layer_test(
        getattr(layers, name),
        {"pool_size": 2, "strides": 3, "padding": "same"},
        x,
        output_shape=(2, 3, 4, 3) if axes == 2 else (2, 4, 3),
        supports_masking=False,
    )


@pytest.mark.parametrize("name", POOLS)
@pytest.mark.parametrize("fmt", FORMATS)
def test_gradients_of_pooling(float64, rng, name, fmt):  # noqa: F811
    shape = draw(rng, int(name[-2]), fmt).shape[1:]
    pool = getattr(layers, name)(3, 2, padding="same", data_format=fmt)
    # a weight for each element, so that the gradient of every pixel is seen
    stack = [layers.PReLU(alpha_initializer="normal"), pool, layers.Flatten(), layers.Dense(2)]
    x, y = rng.normal(size=(3, *shape)), rng.normal(size=(3, 2))
    model = prepare(lambda: Sequential([layers.Input(shape), *stack]), "mse", x, rng)
    check_gradients(model, x, y)


@pytest.mark.parametrize("average", [False, True])
def test_the_first_of_equal_pixels_has_the_gradient(average):
    x = np.tile([1.0, 1, 0, 1, 1, 1], 6).reshape(1, 6, 6, 1)
    make = layers.AveragePooling2D if average else layers.MaxPooling2D
    model = Sequential([layers.Input((6, 6, 1)), layers.PReLU("ones"), make(3, 2, "same")])
    model.compile(loss="mean_squared_error", optimizer="sgd")
    window = (6, 6, 1, 3, 3, 2, 2, 1, 1, 0, 0, 3, 3)
    # the slope of PReLU at -x has the gradient of the pixel times -x; of the loss, 2 (p - y) / 9
    y = reference.pool(-x, window, average)
    gradient = reference.pool_gradient(-x, window, average, 2 * (y - 5) / y.size)
    before = model.get_weights()[0]
    model.train_on_batch(-x.astype("float32"), np.full(y.shape, 5, "float32"))
    after = model.get_weights()[0]
    moved = np.asarray((before - after) / 0.01)
    assert_close(moved.astype("float32"), (gradient * -x)[0].astype("float32"), 200)


@pytest.mark.parametrize("fmt", FORMATS)
def test_zero_padding_like_keras(keras, rng, fmt):
    for padding in (1, (1, 2), ((1, 0), (2, 3)), 0):
        kwargs = {"padding": padding, "data_format": fmt}
        assert_like_keras(keras, "ZeroPadding2D", kwargs, draw(rng, 2, fmt))
    for padding in (1, (1, 2)):
        kwargs = {"padding": padding, "data_format": fmt}
        assert_like_keras(keras, "ZeroPadding1D", kwargs, draw(rng, 1, fmt))


@pytest.mark.parametrize("fmt", FORMATS)
def test_cropping_like_keras(keras, rng, fmt):
    for cropping in (1, (1, 2), ((1, 0), (0, 2)), 0):
        kwargs = {"cropping": cropping, "data_format": fmt}
        assert_like_keras(keras, "Cropping2D", kwargs, rng.normal(size=(2, 5, 6, 7)).astype("f4"))
    for cropping in (1, (0, 2)):
        assert_like_keras(keras, "Cropping1D", {"cropping": cropping}, draw(rng, 1))


def test_cropping_leaves_something():
    assert layers.Cropping2D(2).compute_output_shape((None, None, 5, 3)) == (None, None, 1, 3)
    short = layers.Cropping1D(2, name="cut"), (2, 4, 3)
    narrow = layers.Cropping2D(((0, 0), (3, 1)), name="cut"), (2, 4, 4, 3)
    for layer, shape in (short, narrow):
        with pytest.raises(ValueError, match=r"'cut': `cropping`.*cropping=.*input_shape="):
            layer(np.ones(shape, "float32"))


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_up_sampling_like_keras(keras, rng, fmt, interpolation):
    kwargs = {"size": (2, 3), "data_format": fmt, "interpolation": interpolation}
    assert_like_keras(keras, "UpSampling2D", kwargs, draw(rng, 2, fmt), roundings=40)


def test_up_sampling_of_sequences_like_keras(keras, rng):
    assert_like_keras(keras, "UpSampling1D", {"size": 3}, draw(rng, 1))


def test_integers_are_moved(rng):
    x = rng.integers(0, 255, size=(2, 4, 5, 3), dtype=np.uint8)
    padded = layers.ZeroPadding2D(((1, 0), (0, 2)))(x)
    assert padded.dtype == np.uint8
    assert np.array_equal(padded, np.pad(x, ((0, 0), (1, 0), (0, 2), (0, 0))))
    assert np.array_equal(layers.Cropping2D(((1, 0), (0, 2)))(padded), x)
    large = layers.UpSampling2D((2, 1))(x)
    assert large.dtype == np.uint8
    assert np.array_equal(large, np.repeat(x, 2, axis=1))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.ZeroPadding2D(((1, 0), (2, 1))),
        lambda: layers.Cropping2D(((1, 0), (1, 1))),
        lambda: layers.UpSampling2D((2, 3)),
        lambda: layers.UpSampling2D(2, interpolation="bilinear"),
        lambda: layers.UpSampling2D(2, "channels_first"),
    ],
)
def test_gradients_of_images_of_other_sizes(float64, rng, layer):  # noqa: F811
    stack = [layers.PReLU(alpha_initializer="normal"), layer(), layers.Flatten(), layers.Dense(2)]
    x, y = rng.normal(size=(3, 3, 4, 2)), rng.normal(size=(3, 2))
    model = prepare(lambda: Sequential([layers.Input((3, 4, 2)), *stack]), "mse", x, rng)
    check_gradients(model, x, y)


@pytest.mark.parametrize(
    ("name", "kwargs", "word"),
    [
        ("MaxPooling2D", {"pool_size": 0}, "pool_size"),
        ("MaxPooling2D", {"pool_size": (1, 2, 3)}, "pool_size"),
        ("AveragePooling1D", {"pool_size": 2, "strides": -1}, "strides"),
        ("AveragePooling2D", {"padding": "full"}, "padding"),
        ("MaxPooling1D", {"data_format": "ncw"}, "data_format"),
        ("ZeroPadding2D", {"padding": (1, 2, 3)}, "padding"),
        ("ZeroPadding2D", {"padding": -1}, "padding"),
        ("ZeroPadding1D", {"padding": "1"}, "padding"),
        ("Cropping2D", {"cropping": (1, 2, 3)}, "cropping"),
        ("Cropping1D", {"cropping": -1}, "cropping"),
        ("UpSampling2D", {"size": 0}, "size"),
        ("UpSampling2D", {"interpolation": "area"}, "interpolation"),
        ("UpSampling1D", {"size": 0}, "size"),
    ],
)
def test_wrong_arguments(name, kwargs, word):
    with pytest.raises(ValueError, match=word):
        getattr(layers, name)(**kwargs)


def test_up_sampling_of_sequences_takes_an_int():
    with pytest.raises(TypeError, match="size"):
        layers.UpSampling1D((2,))


def test_wrong_inputs():
    layer = layers.MaxPooling2D(3, name="pool")
    with pytest.raises(ValueError, match="pool"):
        layer(np.ones((2, 4, 4), "float32"))
    with pytest.raises(ValueError, match=r"pool.*larger than the input"):
        layer(np.ones((2, 4, 2, 1), "float32"))


def test_old_names():
    with pytest.warns(DeprecationWarning, match="old"):
        old = layers.MaxPooling1D(pool_length=3, stride=2, border_mode="same", name="a")
    assert old.get_config() == layers.MaxPooling1D(3, 2, "same", name="a").get_config()
    with pytest.warns(DeprecationWarning, match="old"):
        old = layers.ZeroPadding2D(2, dim_ordering="th", name="a")
    assert old.get_config() == layers.ZeroPadding2D(2, "channels_first", name="a").get_config()
    with pytest.warns(DeprecationWarning, match="old"):
        old = layers.UpSampling1D(length=3, name="a")
    assert old.get_config() == layers.UpSampling1D(3, name="a").get_config()
    assert layers.MaxPool2D is layers.MaxPooling2D
