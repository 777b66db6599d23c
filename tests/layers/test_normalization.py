"""BatchNormalization, LayerNormalization, Normalization, Rescaling and UnitNormalization."""

import numpy as np
import pytest
from layer_checks import assert_like_keras, plain, run_layer_test, with_mask

import coreops
from coreops import Sequential, initializers, layers
from coreops.layers import BatchNormalization, LayerNormalization, Normalization, Rescaling

# Keras' variables and NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")
SHAPES = [(4, 5), (4, 3, 5), (2, 3, 4, 5)]


# ------------------------------------------------------------------------------ BatchNormalization


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_normalization(rng, shape):
    x = rng.normal(size=shape).astype("float32")
    run_layer_test(
        BatchNormalization,
        {},
        x,
        output_shape=shape,
        weight_shapes=[(5,)] * 4,
        supports_masking=True,
    )


BATCH_CASES = [
    ((4, 5), {}),
    ((4, 3, 5), {"axis": 1, "epsilon": 0.1}),
    ((2, 3, 4, 5), {"axis": 1, "momentum": 0.5}),
    ((2, 3, 4, 5), {"axis": -2, "scale": False}),
    ((4, 5), {"center": False, "gamma_regularizer": "l2", "gamma_constraint": "non_neg"}),
    ((4, 5), {"scale": False, "center": False}),
    ((4, 5), {"beta_initializer": "random_normal", "moving_variance_initializer": "zeros"}),
    ((4, 5), {"renorm": True, "renorm_clipping": {"rmax": 2.0, "rmin": 0.5, "dmax": 1.0}}),
]


@pytest.mark.parametrize(("shape", "kwargs"), BATCH_CASES)
def test_batch_normalization_is_that_of_keras(keras, rng, shape, kwargs):
    x = rng.normal(1, 2, size=shape).astype("float32")
    ours, theirs = assert_like_keras_shifted(keras, "BatchNormalization", kwargs, x)
    before = [w.copy() for w in ours.get_weights()]
    y, expected = np.asarray(ours(x, training=True)), np.asarray(theirs(x, training=True))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert not all(np.array_equal(a, b) for a, b in zip(before, ours.get_weights(), strict=True))
    # and by the new averages
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-4, atol=1e-5)


def assert_like_keras_shifted(keras, name, kwargs, x):
    """With positive weights: variances are not negative."""
    ours = getattr(layers, name)(name="layer", **kwargs)
    theirs = getattr(keras.layers, name)(name="layer", **kwargs)
    ours(x), theirs(x)
    rng = np.random.default_rng(5)
    arrays = [rng.uniform(0.5, 2, size=w.shape).astype(w.dtype) for w in ours.weights]
    ours.set_weights(arrays)
    theirs.set_weights(arrays)
    assert [(w.name, w.shape) for w in ours.weights] == [
        (w.name, tuple(w.shape)) for w in theirs.weights
    ]
    assert plain(ours.get_config()) == plain(theirs.get_config())
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-5, atol=1e-5)
    return ours, theirs


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_moments_of_masked_positions(keras, rng, axis):
    x = rng.normal(1, 2, size=(4, 3, 5)).astype("float32")
    mask = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1]], bool)
    if axis == 1:
        mask = np.broadcast_to(mask, (4, 3))
    x[~mask] = 100
    ours, theirs = BatchNormalization(axis=axis), keras.layers.BatchNormalization(axis=axis)
    y, expected = ours(x, training=True, mask=mask), theirs(x, training=True, mask=mask)
    np.testing.assert_allclose(y, np.asarray(expected), rtol=1e-5, atol=1e-4)
    assert np.array_equal(y._keras_mask, mask)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    few = mask[:, :1] if axis == -1 else mask[:1]  # for all positions, or all samples
    y, expected = (layer(x, training=True, mask=few) for layer in (ours, theirs))
    np.testing.assert_allclose(y, np.asarray(expected), rtol=1e-5, atol=1e-4)
    for wrong in (mask[:, 0], mask[:, :2]):
        with pytest.raises(ValueError, match="one axis less"):
            ours(x, training=True, mask=wrong)


def test_batch_normalization_of_types(rng):
    x = rng.normal(size=(6, 5))
    wide = BatchNormalization(dtype="float64")
    assert wide(x, training=True).dtype == np.float64
    expected = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
    np.testing.assert_allclose(wide(x, training=True), expected, rtol=1e-12)
    assert BatchNormalization()(np.arange(10).reshape(2, 5)).dtype == np.float32
    empty = BatchNormalization()
    assert empty(np.zeros((0, 5), "float32"), training=True).shape == (0, 5)
    assert np.array_equal(empty.moving_mean, np.zeros(5))


def test_a_far_mean_is_not_lost(rng):
    x = (1e4 + rng.normal(size=(500, 3))).astype("float32")
    y = BatchNormalization(epsilon=1e-6)(x, training=True)
    wide = x.astype(np.float64)
    expected = (wide - wide.mean(0)) / np.sqrt(wide.var(0) + 1e-6)
    np.testing.assert_allclose(y, expected, atol=1e-3)


def stack_of(before, after, dtype, rng):
    model = Sequential([layers.Input((19,), dtype=dtype.name), *before, *after])
    for w in model.weights:
        w.assign(rng.uniform(0.5, 2, size=w.shape))
    return model


def by_layers(model, x):
    """In float64, one layer after the other."""
    y = x.astype(np.float64)
    for layer in model.layers:
        twin = type(layer).from_config({**layer.get_config(), "dtype": "float64"})
        twin(y)
        twin.set_weights(layer.get_weights())
        y = np.asarray(twin(y))
    return y


JOINED = {
    "behind a product": lambda d: [layers.Dense(37, dtype=d), BatchNormalization(dtype=d)],
    "without a bias": lambda d: [
        layers.Dense(37, use_bias=False, dtype=d),
        BatchNormalization(dtype=d),
        layers.ReLU(dtype=d),
    ],
    "two": lambda d: [
        layers.Dense(37, dtype=d),
        BatchNormalization(dtype=d),
        Rescaling(2.0, 1.0, dtype=d),
    ],
    "behind an activation": lambda d: [
        layers.Dense(37, "relu", dtype=d),
        BatchNormalization(dtype=d),
        layers.Dense(5, "tanh", dtype=d),
    ],
    "between products": lambda d: [
        layers.Dense(37, dtype=d),
        BatchNormalization(center=False, dtype=d),
        layers.Dense(5, use_bias=False, dtype=d),
    ],
    "before a product": lambda d: [
        BatchNormalization(scale=False, dtype=d),
        layers.Dense(5, dtype=d),
        layers.Dense(3, dtype=d),
    ],
    "before the product of several positions": lambda d: [
        layers.Dense(36, dtype=d),
        layers.Reshape((4, 9), dtype=d),
        layers.ReLU(dtype=d),
        BatchNormalization(dtype=d),
        layers.Flatten(dtype=d),
        layers.Dense(5, dtype=d),
    ],
    "both convolutions of a separable one": lambda d: [
        layers.Dense(36, dtype=d),
        layers.Reshape((3, 3, 4), dtype=d),
        layers.DepthwiseConv2D(3, padding="same", use_bias=False, dtype=d),
        BatchNormalization(dtype=d),
        layers.ReLU(6, dtype=d),
        layers.Conv2D(23, 1, dtype=d),
        BatchNormalization(dtype=d),
        layers.ReLU(dtype=d),
    ],
    "an axis that is not the last": lambda d: [
        layers.Dense(36, dtype=d),
        layers.Reshape((4, 9), dtype=d),
        BatchNormalization(axis=1, dtype=d),
        layers.Dense(5, dtype=d),
    ],
}


@pytest.mark.parametrize("name", JOINED)
def test_it_joins_products(isa, dtype, rng, name):
    model = stack_of([], JOINED[name](dtype.name), dtype, rng)
    x = rng.normal(size=(23, 19)).astype(dtype)
    y = by_layers(model, x)
    # sums of 37 products after sums of 19, of terms that are larger than what they add up to
    assert np.abs(np.asarray(model(x)) - y).max() <= 300 * np.finfo(dtype).eps * np.abs(y).max()
    # the variables stay what they are, and are looked at again
    weights = model.get_weights()
    model.set_weights([2 * w for w in weights])
    again = by_layers(model, x)
    assert np.abs(np.asarray(model(x)) - again).max() <= 600 * np.finfo(dtype).eps * np.abs(y).max()
    model.set_weights(weights)
    assert np.abs(np.asarray(model(x)) - y).max() <= 300 * np.finfo(dtype).eps * np.abs(y).max()


def test_batch_normalization_refuses():
    with pytest.raises(TypeError):
        BatchNormalization(axis=[1, 2])
    assert BatchNormalization.from_config({"axis": [3], "fused": None}).axis == 3
    for kwargs, x in (({"axis": 3}, (2, 3)), ({"axis": -3}, (2, 3))):
        with pytest.raises(ValueError, match="out of bounds"):
            BatchNormalization(**kwargs)(np.zeros(x, "float32"))
    with pytest.raises(ValueError, match="synchronized"):
        BatchNormalization(synchronized=True)
    for clipping in ({"low": 1}, {"rmax": 1, "rmin": 2}, {"dmax": -1}):
        with pytest.raises(ValueError, match=r"renorm_clipping|dmax"):
            BatchNormalization(renorm=True, renorm_clipping=clipping)
    layer = BatchNormalization()
    layer(np.zeros((2, 3), "float32"))
    with pytest.raises(ValueError, match=layer.name):
        layer(np.zeros((2, 4), "float32"))
    with pytest.warns(DeprecationWarning, match="gamma_initializer"):
        layer = BatchNormalization(gamma_init="zeros")
    assert isinstance(layer.gamma_initializer, initializers.Zeros)


# ------------------------------------------------------------------------------ LayerNormalization


@pytest.mark.parametrize(
    ("shape", "kwargs", "weights"),
    [
        ((4, 5), {}, [(5,)] * 2),
        ((4, 3, 5), {"axis": 1}, [(3,)] * 2),
        ((4, 3, 5), {"axis": [2, 1], "epsilon": 0.1}, [(3, 5)] * 2),
        ((2, 3, 4, 5), {"axis": (1, -1), "center": False}, [(3, 5)]),
        ((2, 3, 4, 5), {"axis": 2, "scale": False, "beta_initializer": "ones"}, [(4,)]),
    ],
)
def test_layer_normalization(keras, rng, shape, kwargs, weights):
    x = rng.normal(1, 2, size=shape).astype("float32")
    run_layer_test(
        LayerNormalization,
        kwargs,
        x,
        output_shape=shape,
        weight_shapes=weights,
        supports_masking=True,
    )
    # of Keras 3.15, which takes negative axes as they come: 3.16 sorts them
    axes = np.sort(np.atleast_1d(kwargs.get("axis", -1)) % x.ndim).tolist()
    ours, _ = assert_like_keras(
        keras, "LayerNormalization", {**kwargs, "axis": axes}, x, roundings=40
    )
    assert ours.axis == axes


@pytest.mark.filterwarnings("ignore:.*rms_scaling", "ignore:Exception encountered")
def test_layer_normalization_by_deviation_alone(keras, rng):
    x = rng.normal(1, 2, size=(4, 3, 5)).astype("float32")
    theirs = keras.layers.LayerNormalization(rms_scaling=True)
    ours = LayerNormalization(rms_scaling=True)
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)
    assert [w.name for w in ours.weights] == ["gamma"]


def test_layer_normalization_over_the_batch(rng):
    x = rng.normal(size=(4, 5))
    y = LayerNormalization(axis=0, center=False, scale=False, dtype="float64")(x)
    np.testing.assert_allclose(y, (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), rtol=1e-12)


def test_axes_that_are_refused():
    for cls in (LayerNormalization, BatchNormalization):
        with pytest.raises(TypeError, match="axis"):
            cls(axis="last")
    for axis in (2, [1, -1], -3):
        with pytest.raises(ValueError, match="axis"):
            LayerNormalization(axis=axis)(np.zeros((2, 3), "float32"))
    layer = LayerNormalization()
    layer(np.zeros((2, 3), "float32"))
    with pytest.raises(ValueError, match=layer.name):
        layer(np.zeros((2, 4), "float32"))


# ----------------------------------------------------------------------------------- Normalization


@pytest.mark.parametrize(
    ("kwargs", "shape"),
    [
        ({}, (5,)),
        ({"axis": 1}, (3,)),
        ({"axis": (1, 2)}, (3, 5)),
        ({"axis": [2, 1], "invert": True}, (3, 5)),
        ({"axis": None}, ()),
    ],
)
def test_normalization_by_data(keras, rng, kwargs, shape):
    data = rng.normal(3, 2, size=(40, 3, 5)).astype("float32")
    x = rng.normal(3, 2, size=(4, 3, 5)).astype("float32")
    ours, theirs = Normalization(name="n", **kwargs), keras.layers.Normalization(name="n", **kwargs)
    ours.adapt(data)
    theirs.adapt(data)
    assert [w.shape for w in ours.weights] == [shape, shape, ()]
    assert [(w.name, w.dtype) for w in ours.weights] == [(w.name, w.dtype) for w in theirs.weights]
    assert plain(ours.get_config()) == plain(theirs.get_config())
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-5, atol=1e-5)
    again = Normalization.from_config(ours.get_config())
    again.adapt([data[:7], (data[7:9],), data[9:]])
    np.testing.assert_allclose(again(x), ours(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("kwargs", "size"),
    [
        ({"mean": 1.0, "variance": 4.0}, 3),
        ({"mean": [1.0, 2, 3, 4, 5], "variance": [1.0, 2, 3, 4, 5]}, 3),
        ({"axis": None, "mean": 0.5, "variance": 0.0}, 3),
        ({"axis": (1, 2), "mean": [1.0, 2, 3, 4, 5], "variance": [1.0] * 5, "invert": True}, 3),
    ],
)
def test_normalization_by_what_is_given(keras, rng, kwargs, size):
    x = rng.normal(3, 2, size=(4, size, 5)).astype("float32")
    assert_like_keras(keras, "Normalization", kwargs, x)
    run_layer_test(Normalization, kwargs, x, output_shape=x.shape, supports_masking=True)


def test_normalization_takes_the_mean_away_first():
    """The difference of large numbers is exact, a product minus a product is not."""
    x = np.array([[1e6 - 1], [1e6], [1e6 + 1]], "float32")
    model = Sequential([layers.Input((1,)), Normalization(mean=1e6, variance=1.0), layers.Dense(1)])
    model.layers[1].set_weights([np.ones((1, 1)), np.zeros(1)])
    np.testing.assert_array_equal(model(x), [[-1], [0], [1]])


def test_normalization_refuses(rng):
    with pytest.raises(ValueError, match="together"):
        Normalization(mean=1.0)
    with pytest.raises(ValueError, match="same shape"):
        Normalization(mean=1.0, variance=[1.0])
    with pytest.raises(ValueError, match="no more axes"):
        Normalization(mean=[[1.0]], variance=[[1.0]])
    with pytest.raises(ValueError, match="out of bounds"):
        Normalization(axis=3)(np.zeros((2, 3), "float32"))
    with pytest.raises(ValueError, match="known size"):
        Normalization(axis=1).build((None, None, 3))
    layer = Normalization()
    for data, error in (("text", TypeError), (3, TypeError), ([3], TypeError), ([], ValueError)):
        with pytest.raises(error, match=layer.name):
            layer.adapt(data)
    layer.adapt(rng.normal(size=(4, 3)))
    with pytest.raises(ValueError, match="incompatible"):
        layer.adapt(rng.normal(size=(4, 5)))
    with pytest.raises(ValueError, match="nothing to adapt"):
        Normalization(mean=1.0, variance=1.0).adapt(np.ones((2, 2)))


# --------------------------------------------------------------------------------------- Rescaling


@pytest.mark.parametrize("item", ["float32", "uint8"])
@pytest.mark.parametrize(
    "kwargs",
    [
        {"scale": 1 / 127.5, "offset": -1},
        {"scale": 2},
        {"scale": [1.0, 2.0, 3.0], "offset": [0.0, 1.0, 2.0]},
        {"scale": np.array([1.0, 2.0, 3.0])},
    ],
)
def test_rescaling(keras, rng, kwargs, item):
    x = rng.integers(0, 256, size=(2, 4, 5, 3)).astype(item)
    run_layer_test(Rescaling, kwargs, x, output_shape=x.shape, supports_masking=True)
    if isinstance(kwargs["scale"], np.ndarray):  # which its NumPy backend writes as a tensor
        kwargs = {**kwargs, "scale": kwargs["scale"].tolist()}
    assert_like_keras(keras, "Rescaling", kwargs, x)


def test_rescaling_of_leading_channels(rng):
    x = rng.normal(size=(2, 3, 4, 5)).astype("float32")
    coreops.config.set_image_data_format("channels_first")
    try:
        y = Rescaling([1.0, 2.0, 3.0], 1.0)(x)
    finally:
        coreops.config.set_image_data_format("channels_last")
    expected = x * np.array([1, 2, 3], "float32").reshape(3, 1, 1) + 1
    np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-6)


def test_rescaling_that_does_not_broadcast():
    for options in ({"scale": [1.0, 2.0, 3.0]}, {"scale": 1.0, "offset": [1.0, 2.0, 3.0]}):
        layer = Rescaling(**options, name="odd")
        with pytest.raises(ValueError, match=r"Layer 'odd': expected .*shape \(None, 4\)"):
            layer(np.zeros((2, 4), "float32"))


@pytest.mark.parametrize(("axis", "shape"), [(-1, (2, 4)), ((1, 2), (2, 4, 5)), (0, (4, 2))])
def test_statistics_that_do_not_broadcast(axis, shape):
    layer = Normalization(axis, mean=[1.0, 2.0, 3.0], variance=[1.0, 2.0, 3.0], name="odd")
    with pytest.raises(ValueError, match=r"Layer 'odd': expected `mean` .*Received: mean.shape"):
        layer(np.zeros(shape, "float32"))


def test_statistics_of_each_sample():
    x = np.ones((3, 2), "float32")
    y = Normalization(0, mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 1.0])(x)
    np.testing.assert_allclose(y, np.repeat([[0.0], [-0.5], [-2.0]], 2, axis=1))


def test_rescaling_by_more_than_a_sample(rng):
    x = rng.normal(size=(2, 1)).astype("float32")
    np.testing.assert_array_equal(Rescaling([2.0, 3.0])(x), x * np.array([2, 3], "float32"))


def test_masks_pass(rng):
    x, mask = with_mask(rng.normal(size=(2, 3, 4)).astype("float32"))
    for layer in (BatchNormalization(), LayerNormalization(), Rescaling(2), Normalization()):
        assert np.array_equal(layer(x)._keras_mask, mask)


# ------------------------------------------------------------------------------- UnitNormalization


@pytest.mark.parametrize("axis", [-1, 2, 1, [1, 2], (-1, -2), 0])
def test_unit_normalization_is_that_of_keras(keras, rng, axis):
    x = rng.normal(size=(4, 3, 5)).astype("float32")
    x[1] = 0
    x[2, 1] *= 1e-20
    ours, _ = assert_like_keras(keras, "UnitNormalization", {"axis": axis}, x)
    kwargs = {"output_shape": x.shape, "supports_masking": True}
    if axis != 0:  # whose result depends on the batch
        run_layer_test(layers.UnitNormalization, {"axis": axis}, x, **kwargs)
    model = Sequential([layers.Input((3, 5)), layers.Dense(5), ours, layers.Dense(1)])
    model.compile("sgd", "mse")
    before = model.layers[0].get_weights()[0]
    model.train_on_batch(x, np.ones((4, 3, 1)))
    assert np.isfinite(model.get_weights()[0]).all()
    assert np.any(model.get_weights()[0] != before)


def test_unit_normalization_by_axes_that_are_not_there():
    with pytest.raises(ValueError, match="'unit'"):
        layers.UnitNormalization(axis=3, name="unit")(np.ones((2, 3), "float32"))
