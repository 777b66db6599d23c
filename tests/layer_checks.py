"""What every layer must do, checked by one call; and the comparison with real Keras."""

import copy
import json
import pickle
import warnings

import numpy as np
import pytest

import coreops
from coreops import layers, models

# Keys that Keras writes and that say nothing as long as they have these values.
SILENT = {"quantization_config": None, "input_axes": None, "output_axes": None}


def bound(expected, roundings=8):
    """Largest error after that many roundings of values as large as the largest expected one."""
    expected = np.asarray(expected)
    eps = np.finfo(expected.dtype).eps if expected.dtype.kind == "f" else 0.0
    finite = np.abs(expected[np.isfinite(expected)])
    return roundings * eps * max(1.0, float(finite.max(initial=0.0)))


def assert_close(actual, expected, roundings=8):
    """Assert equal shapes, dtypes, and values up to the rounding of that many operations."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=0, atol=bound(expected, roundings))


def plain(config):
    """A config as JSON gives it back, without Keras' silent keys; its floats as float32."""

    def strip(value):
        if isinstance(value, dict):
            return {
                key: strip(item)
                for key, item in value.items()
                if not (key in SILENT and item == SILENT[key])
            }
        if isinstance(value, float):
            return float(np.float32(value))
        return [strip(item) for item in value] if isinstance(value, list) else value

    return strip(json.loads(json.dumps(config)))


def with_mask(x, mask=None):
    """x with a mask attached, every second step masked by default."""
    if mask is None:
        mask = np.indices(x.shape[:-1]).sum(0) % 2 == 0
    return coreops._plan.KerasArray.attach(x, mask), mask


def run_layer_test(
    cls, kwargs, x, *, output_shape, weight_shapes=(), supports_masking, output_dtype="float32"
):
    """Check construction, shapes, weights, config, copies, masks and use inside a model.

    Returns the layer and its output for `x`.
    """
    layer = cls(**kwargs)
    before = x.copy()

    # Shapes, known and with an open batch axis, and the symbolic call.
    open_shape = (None, *x.shape[1:])
    assert tuple(layer.compute_output_shape(x.shape)) == output_shape
    symbolic = cls(**kwargs)(layers.Input(x.shape[1:], dtype=x.dtype.name))
    assert symbolic.shape == (None, *output_shape[1:])
    assert symbolic.dtype == output_dtype

    # The call.
    y = layer(x)
    assert y.shape == output_shape
    assert y.dtype == output_dtype
    assert layer.built
    np.testing.assert_array_equal(x, before)
    assert not np.shares_memory(y, x)
    np.testing.assert_array_equal(layer(x), y)
    np.testing.assert_array_equal(layer(np.asfortranarray(x)), y)
    if x.dtype == np.float32:
        np.testing.assert_array_equal(layer(x.astype(np.float64)), y)
    empty = layer(x[:0])
    assert empty.shape == (0, *output_shape[1:])
    assert empty.dtype == output_dtype

    # Weights.
    assert [w.shape for w in layer.weights] == list(weight_shapes)
    assert [a.shape for a in layer.get_weights()] == list(weight_shapes)
    assert layer.count_params() == sum(int(np.prod(shape)) for shape in weight_shapes)

    # Config and copies.
    config = layer.get_config()
    again = cls.from_config(json.loads(json.dumps(config)))
    assert plain(again.get_config()) == plain(config)
    assert again.name == layer.name
    assert plain(layers.deserialize(layers.serialize(layer)).get_config()) == plain(config)
    again(x)
    again.set_weights(layer.get_weights())
    for twin in (again, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin(x), y)

    # In a model; and built from a shape alone.
    model = models.Sequential([layers.Input(x.shape[1:], dtype=x.dtype.name), layer])
    assert model.output_shape == (None, *output_shape[1:])
    np.testing.assert_array_equal(model(x), y)
    np.testing.assert_array_equal(model.predict(x, batch_size=2, verbose=0), y)
    fresh = cls(**kwargs)
    fresh.build(open_shape)
    assert [w.shape for w in fresh.weights] == list(weight_shapes)

    # Masks.
    assert layer.supports_masking is supports_masking
    if x.ndim > 1 and not isinstance(layer, layers.Softmax | layers.Masking):
        masked, mask = with_mask(x)
        if supports_masking:
            np.testing.assert_array_equal(coreops.backend.get_keras_mask(layer(masked)), mask)
        else:
            with pytest.raises(ValueError, match=layer.name):
                layer(masked)
            coreops.config.set_mask_policy("warn")
            try:
                with pytest.warns(UserWarning, match="destroy the mask information"):
                    lost = cls.from_config(config)(masked)
            finally:
                coreops.config.set_mask_policy("raise")
            assert coreops.backend.get_keras_mask(lost) is None
    return layer, y


def share_weights(ours, theirs, *, seed, scale=1.0):
    """Give our layer or model and Keras' the same random weights."""
    rng = np.random.default_rng(seed)
    arrays = [(scale * rng.normal(size=w.shape)).astype(w.dtype) for w in ours.weights]
    ours.set_weights(arrays)
    theirs.set_weights(arrays)


def built_alike(keras, make, shape):
    """What make(library's layers) makes, ours and Keras', built for a shape, with the same
    weights."""
    ours, theirs = make(layers), make(keras.layers)
    for layer in (ours, theirs):
        layer.build(shape)
    assert [(w.path, tuple(w.shape)) for w in theirs.weights] == [
        (w.path, w.shape) for w in ours.weights
    ]
    share_weights(ours, theirs, seed=4, scale=0.5)
    assert ours.compute_output_shape(shape) == theirs.compute_output_shape(shape)
    return ours, theirs


def assert_like_keras(keras, name, kwargs, x, *, roundings=8, call=None):
    """Check config, weights' names and shapes, and output against Keras' layer of that name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours = getattr(layers, name)(name="layer", **kwargs)
        theirs = getattr(keras.layers, name)(name="layer", **kwargs)
        call = call or {}
        y = ours(x, **call)
        expected = np.asarray(theirs(x, **call))
    assert [(w.name, tuple(w.shape)) for w in theirs.weights] == [
        (w.name, w.shape) for w in ours.weights
    ]
    if ours.weights:
        share_weights(ours, theirs, seed=5)
        y, expected = ours(x, **call), np.asarray(theirs(x, **call))
    assert plain(ours.get_config()) == plain(theirs.get_config())
    assert tuple(ours.compute_output_shape(x.shape)) == tuple(theirs.compute_output_shape(x.shape))
    assert_close(np.asarray(y), expected, roundings)
    return ours, theirs
