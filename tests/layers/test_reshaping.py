"""Flatten, Reshape, Permute, RepeatVector."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from layer_checks import assert_like_keras, run_layer_test

from coreops import config
from coreops.layers import Flatten, Permute, RepeatVector, Reshape

DTYPES = ["float32", "int32", "int64", "uint8", "bool", "float64"]


def ramp(shape, dtype="float32"):
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def kept(dtype):
    """The dtype of a moved input: floats are cast to the compute dtype."""
    return "float32" if dtype.startswith("float") else dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("cls", "kwargs", "shape", "output_shape"),
    [
        (Flatten, {}, (3, 2, 4), (3, 8)),
        (Flatten, {"data_format": "channels_first"}, (3, 2, 4, 5), (3, 40)),
        (Flatten, {}, (3,), (3, 1)),
        (Reshape, {"target_shape": (4, -1)}, (3, 2, 6), (3, 4, 3)),
        (Reshape, {"target_shape": [12]}, (3, 2, 6), (3, 12)),
        (Reshape, {"target_shape": ()}, (3, 1), (3,)),
        (Permute, {"dims": (2, 1)}, (3, 2, 4), (3, 4, 2)),
        (Permute, {"dims": (3, 1, 2)}, (2, 3, 4, 5), (2, 5, 3, 4)),
        (RepeatVector, {"n": 3}, (2, 4), (2, 3, 4)),
    ],
)
def test_moves_any_dtype(cls, kwargs, shape, output_shape, dtype):
    run_layer_test(
        cls,
        kwargs,
        ramp(shape, dtype),
        output_shape=output_shape,
        supports_masking=False,
        output_dtype=kept(dtype),
    )


def test_values():
    x = ramp((2, 3, 4))
    np.testing.assert_array_equal(Flatten()(x), x.reshape(2, 12))
    np.testing.assert_array_equal(Flatten("channels_first")(x), x.transpose(0, 2, 1).reshape(2, 12))
    np.testing.assert_array_equal(Reshape((2, 6))(x), x.reshape(2, 2, 6))
    np.testing.assert_array_equal(Permute((2, 1))(x), x.transpose(0, 2, 1))
    np.testing.assert_array_equal(RepeatVector(2)(x[0]), np.repeat(x[0][:, None], 2, axis=1))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_permute_is_numpy_transpose(data):
    rank = data.draw(st.integers(1, 5))
    shape = data.draw(st.lists(st.integers(0, 5), min_size=rank + 1, max_size=rank + 1))
    dims = data.draw(st.permutations(range(1, rank + 1)))
    x = ramp(shape)
    np.testing.assert_array_equal(Permute(dims)(x), x.transpose(0, *dims))


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_reshape_with_a_free_axis(data):
    shape = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    axis = data.draw(st.integers(0, len(shape) - 1))
    target = data.draw(st.permutations(shape))
    free = [-1 if i == axis else n for i, n in enumerate(target)]
    x = ramp((2, *shape))
    layer = Reshape(free)
    np.testing.assert_array_equal(layer(x), x.reshape(2, *target))
    assert layer.compute_output_shape(x.shape) == (2, *target)


def test_open_shapes():
    assert Flatten().compute_output_shape((None, None, 3)) == (None, None)
    assert Flatten().compute_output_shape((None,)) == (None, 1)
    assert Reshape((3, -1)).compute_output_shape((None, 4, None)) == (None, 3, None)
    assert Reshape((3, -1)).compute_output_shape((None, 6)) == (None, 3, 2)
    assert Reshape((3, 2)).compute_output_shape((None, None)) == (None, 3, 2)
    assert Permute((2, 1)).compute_output_shape((None, None, 3)) == (None, 3, None)
    assert RepeatVector(4).compute_output_shape((None, None)) == (None, 4, None)


def test_zero_sizes():
    assert Reshape((0, 3))(np.ones((2, 0), "float32")).shape == (2, 0, 3)
    assert Reshape((-1, 3))(np.ones((2, 0), "float32")).shape == (2, 0, 3)
    assert Flatten()(np.ones((2, 0, 4), "float32")).shape == (2, 0)
    with pytest.raises(ValueError, match="target_shape"):
        Reshape((0, -1))(np.ones((2, 0), "float32"))


def test_the_default_data_format_is_the_global_one():
    config.set_image_data_format("channels_first")
    try:
        layer = Flatten()
    finally:
        config.set_image_data_format("channels_last")
    assert layer.get_config()["data_format"] == "channels_first"


@pytest.mark.parametrize("target", [(-1, -1), (-2, 3)])
def test_reshape_target_must_be_possible(target):
    with pytest.raises(ValueError, match="target_shape"):
        Reshape(target)


@pytest.mark.parametrize("target", [3, (2.5,), ("a",)])
def test_reshape_target_must_hold_ints(target):
    with pytest.raises(TypeError):
        Reshape(target)


@pytest.mark.parametrize(
    ("target", "shape"), [((4,), (2, 3)), ((2, -1), (2, 3)), ((0, -1), (2, 3))]
)
def test_reshape_must_fit(target, shape):
    layer = Reshape(target, name="fold")
    with pytest.raises(ValueError, match=r"'fold'.*\(3,\)"):
        layer(np.ones(shape, "float32"))
    with pytest.raises(ValueError, match="fold"):
        layer.compute_output_shape(shape)


@pytest.mark.parametrize("dims", [(1, 3), (0, 1), (1, 1), (2,), (-1, 1), (2.0, 1.0), "ab"])
def test_permute_dims_must_be_a_permutation(dims):
    with pytest.raises(ValueError, match="dims"):
        Permute(dims)


def test_permute_dims_must_be_iterable():
    with pytest.raises(TypeError):
        Permute(2)


@pytest.mark.parametrize("n", [2.0, "2", np.int64(2), True, None])
def test_repetitions_must_be_an_int(n):
    with pytest.raises(TypeError, match="`n`"):
        RepeatVector(n)


@pytest.mark.parametrize("n", [0, -1])
def test_repetitions_must_be_positive(n):
    with pytest.raises(ValueError, match="`n`"):
        RepeatVector(n)


def test_ranks_are_checked():
    with pytest.raises(ValueError, match="ndim=3"):
        Permute((2, 1))(np.ones((2, 3), "float32"))
    with pytest.raises(ValueError, match="ndim=2"):
        RepeatVector(2)(np.ones((2, 3, 4), "float32"))
    with pytest.raises(ValueError, match="min_ndim=1"):
        Flatten()(np.float32(3))
    with pytest.raises(ValueError, match="data_format"):
        Flatten("sideways")


@pytest.mark.parity
@pytest.mark.parametrize("dtype", ["float32", "int32"])
@pytest.mark.parametrize(
    ("name", "kwargs", "shape"),
    [
        ("Flatten", {}, (2, 3, 4)),
        ("Flatten", {"data_format": "channels_first"}, (2, 3, 4, 5)),
        ("Reshape", {"target_shape": (2, -1)}, (3, 4)),
        ("Permute", {"dims": (3, 1, 2)}, (2, 3, 4, 5)),
        ("RepeatVector", {"n": 3}, (2, 4)),
    ],
)
def test_as_keras(keras, name, kwargs, shape, dtype):
    assert_like_keras(keras, name, kwargs, ramp(shape, dtype), roundings=0)
