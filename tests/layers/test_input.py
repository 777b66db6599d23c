"""Input and InputLayer."""

import numpy as np
import pytest

from coreops import KerasTensor, layers
from coreops.layers import Input, InputLayer


def test_input():
    x = Input((3, None), name="pixels")
    assert x.shape == (None, 3, None)
    assert x.dtype == "float32"
    assert x.name == "pixels"
    assert x.ndim == 3
    assert Input((3,), batch_size=4, dtype="int32").shape == (4, 3)
    assert Input(batch_shape=(2, 3), dtype=np.float64).dtype == "float64"
    assert Input(()).shape == (None,)
    assert "shape=(None, 3, None)" in repr(x)


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"shape": (3,), "batch_shape": (None, 3)},
        {"batch_shape": (None, 3), "batch_size": 2},
        {"shape": 3},
        {"shape": (-1,)},
        {"shape": (2.0,)},
        {"shape": "ab"},
        {"shape": (3,), "dtype": "nonsense"},
        {"shape": (3,), "dtype": "S"},
        {"shape": (3,), "dtype": [("x", "f4")]},
        {"shape": (3,), "dtype": {}},
        {"shape": (3,), "sparse": True},
        {"shape": (3,), "ragged": True},
    ],
)
def test_malformed(kwargs):
    with pytest.raises(ValueError):  # noqa: PT011 - the messages differ
        Input(**kwargs)


def test_input_layer():
    layer = InputLayer((3,), name="first")
    assert layer.batch_shape == (None, 3)
    assert layer.built
    assert layer.output.shape == (None, 3)
    assert layer.get_config() == {
        "batch_shape": (None, 3),
        "dtype": "float32",
        "sparse": False,
        "ragged": False,
        "name": "first",
        "optional": False,
    }
    again = InputLayer.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    for described in (layer, layer.output):
        assert described.sparse is described.ragged is False
    with pytest.warns(DeprecationWarning, match="input_shape"):
        assert InputLayer(input_shape=(3,)).batch_shape == (None, 3)
    with pytest.warns(DeprecationWarning, match="batch_input_shape"):
        assert InputLayer(batch_input_shape=(2, 3)).batch_shape == (2, 3)
    assert layers.deserialize(layers.serialize(layer)).batch_shape == (None, 3)


def test_from_an_existing_tensor():
    tensor = KerasTensor((None, 3), np.dtype("int32"))
    assert tensor.dtype == "int32"
    again = Input(tensor=tensor)
    assert (again.shape, again.dtype) == ((None, 3), "int32")
    assert InputLayer(batch_shape=[None, 3], dtype=np.int32, input_tensor=tensor).dtype == "int32"
    for kwargs in ({"batch_shape": (None, 4)}, {"dtype": "int64"}, {"shape": (3,)}):
        with pytest.raises(ValueError, match="Received"):
            InputLayer(input_tensor=tensor, **kwargs)
    with pytest.raises(ValueError, match="symbolic"):
        InputLayer(input_tensor=np.ones((2, 3)))


@pytest.mark.parity
def test_config_as_keras(keras):
    for kwargs in ({"shape": (3, None)}, {"batch_shape": (2, 3), "dtype": "int32"}):
        ours, theirs = InputLayer(name="i", **kwargs), keras.layers.InputLayer(name="i", **kwargs)
        assert ours.get_config() == theirs.get_config()
