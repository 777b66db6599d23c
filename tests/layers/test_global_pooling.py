"""GlobalAveragePooling and GlobalMaxPooling, 1D and 2D."""

import numpy as np
import pytest
from layer_checks import assert_like_keras, run_layer_test, with_mask

from coreops import Sequential, layers

CLASSES = ["GlobalAveragePooling1D", "GlobalMaxPooling1D"]
CLASSES += ["GlobalAveragePooling2D", "GlobalMaxPooling2D"]


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("channels", [1, 3, 17])
def test_pooling(keras, rng, name, keepdims, data_format, channels):
    sizes = (6,) if "1D" in name else (4, 5)
    first = data_format == "channels_first"
    shape = (3, channels, *sizes) if first else (3, *sizes, channels)
    x = rng.normal(size=shape).astype("float32")
    kwargs = {"keepdims": keepdims, "data_format": data_format}
    assert_like_keras(keras, name, kwargs, x)
    ones = (1,) * len(sizes) if keepdims else ()
    out = (3, channels, *ones) if first else (3, *ones, channels)
    if name != "GlobalAveragePooling1D":  # whose mask ends here
        run_layer_test(getattr(layers, name), kwargs, x, output_shape=out, supports_masking=False)
    assert getattr(layers, name)(**kwargs)(x.astype("int32")).dtype == np.float32


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("inside", [False, True])
def test_masked_steps_do_not_count(keras, rng, keepdims, data_format, inside):
    x = rng.normal(size=(4, 5, 5)).astype("float32")
    mask = np.array([[1, 0, 1, 1, 0], [0, 0, 1, 0, 0], [1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], bool)
    kwargs = {"keepdims": keepdims, "data_format": data_format}
    ours = layers.GlobalAveragePooling1D(**kwargs)
    theirs = keras.layers.GlobalAveragePooling1D(**kwargs)
    if inside:
        x[~mask] = 0
        y = Sequential([layers.Masking(), ours])(x)
    else:
        x[~mask if data_format == "channels_last" else ~np.ones_like(mask)] = np.nan
        y = ours(with_mask(x, mask)[0])
        np.testing.assert_array_equal(ours(x, mask), y)
    expected = np.asarray(theirs(x, mask=mask))
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(ours(x, mask=mask[..., None]), y)  # one for all of a step
    assert getattr(y, "_keras_mask", None) is None


def test_all_steps_masked_give_nan():
    x = np.zeros((2, 3, 4), "float32")
    assert np.isnan(Sequential([layers.Masking(), layers.GlobalAveragePooling1D()])(x)).all()
    with pytest.raises(ValueError, match="mask of 3 steps"):
        layers.GlobalAveragePooling1D()(x, mask=np.ones((2, 4), bool))


@pytest.mark.parametrize("name", CLASSES)
def test_refuses(name):
    cls = getattr(layers, name)
    layer = cls()
    with pytest.raises(ValueError, match=layer.name):
        layer(np.zeros((2, 3), "float32"))
    with pytest.raises(ValueError, match="data_format"):
        cls(data_format="last")
    shape = (2, 0, 3) if "1D" in name else (2, 0, 3, 3)
    with pytest.raises(ValueError, match="nothing to pool"):
        cls()(np.zeros(shape, "float32"))


@pytest.mark.parametrize("name", ["GlobalAveragePooling2D", "GlobalMaxPooling2D"])
def test_old_spellings(name):
    with pytest.warns(DeprecationWarning, match="data_format"):
        layer = getattr(layers, name)(dim_ordering="th")
    assert layer.data_format == "channels_first"
    with pytest.warns(DeprecationWarning, match="data_format"):
        assert layers.SpatialDropout2D(0.5, dim_ordering="th").data_format == "channels_first"


def test_nan_is_the_maximum(rng):
    x = rng.normal(size=(2, 9, 20)).astype("float32")
    x[0, 3, 5] = np.nan
    y = layers.GlobalMaxPooling1D()(x)
    assert np.isnan(y[0, 5])
    assert np.isnan(y).sum() == 1
