"""Merge layers against Keras."""

import numpy as np
import pytest

import coreops
from coreops import layers

ELEMENTWISE = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]


def arrays(*shapes):
    rng = np.random.default_rng(7)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def masks_of(kinds, steps=4, batch=3):
    rng = np.random.default_rng(8)
    return [None if kind == "-" else rng.random((batch, steps)) > 0.4 for kind in kinds]


def masked(keras, values, masks):
    """The values as ours and as Keras', each with its mask."""
    from keras import ops

    ours, theirs = [], []
    for x, mask in zip(values, masks, strict=True):
        ours.append(coreops._plan.KerasArray.attach(x, mask))
        tensor = ops.convert_to_tensor(x.copy())
        if mask is not None:
            keras.src.backend.set_keras_mask(tensor, ops.convert_to_tensor(mask))
        theirs.append(tensor)
    return ours, theirs


def check(keras, layer, twin, values, masks=None):
    masks = masks or [None] * len(values)
    ours, theirs = masked(keras, values, masks)
    found, expected = layer(ours), twin(theirs)
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-5, atol=1e-6)
    assert found.dtype == np.asarray(expected).dtype
    mask, wanted = coreops.backend.get_keras_mask(found), keras.src.backend.get_keras_mask(expected)
    assert (mask is None) == (wanted is None)
    if mask is not None:
        np.testing.assert_array_equal(mask, np.asarray(wanted))
    shapes = [x.shape for x in values]
    assert layer.compute_output_shape(shapes) == tuple(twin.compute_output_shape(shapes))
    config, other = layer.get_config(), twin.get_config()
    assert {k: config[k] for k in ("axis", "axes", "normalize") if k in config} == {
        k: other[k] for k in ("axis", "axes", "normalize") if k in other
    }
    assert config.keys() == other.keys()


@pytest.mark.parity
@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize(
    "shapes",
    [
        [(3, 4, 5)] * 2,
        [(3, 4, 5), (3, 1, 5)],
        [(3, 4, 1), (3, 1, 5)],
        [(3, 4, 5), (3, 5)],
        [(3, 2, 4, 5), (3, 4, 1)],
        [(3, 7)] * 5,
        [(3, 1), (3, 4), (3, 1)],
        [(3, 17)],
    ],
    ids=str,
)
def test_elementwise(keras, name, shapes):
    if name == "Subtract" and len(shapes) != 2:
        pytest.skip("takes two")
    check(keras, getattr(layers, name)(), getattr(keras.layers, name)(), arrays(*shapes))


@pytest.mark.parity
@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("kinds", ["mm", "m-", "-m"])
def test_masks(keras, name, kinds):
    values = arrays((3, 4, 5), (3, 4, 5))
    check(keras, getattr(layers, name)(), getattr(keras.layers, name)(), values, masks_of(kinds))


@pytest.mark.parity
@pytest.mark.parametrize("name", ["Multiply", "Maximum", "Minimum", "Add"])
def test_masks_of_three(keras, name):
    values = arrays(*[(3, 4, 5)] * 3)
    for kinds in ("mmm", "m-m"):
        layer, twin = getattr(layers, name)(), getattr(keras.layers, name)()
        check(keras, layer, twin, values, masks_of(kinds))


@pytest.mark.parity
@pytest.mark.parametrize("axis", [1, 2, -1, -2])
@pytest.mark.parametrize("kinds", ["--", "mm", "m-"])
def test_concatenate(keras, axis, kinds):
    shapes = [[3, 4, 5], [3, 4, 5]]
    if kinds == "--" or axis in (2, -1):
        shapes[1][axis] += 2
    values = arrays(*map(tuple, shapes))
    layer, twin = layers.Concatenate(axis=axis), keras.layers.Concatenate(axis=axis)
    check(keras, layer, twin, values, masks_of(kinds))


@pytest.mark.parity
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(
    ("axes", "shapes"),
    [
        (1, [(3, 4), (3, 4)]),
        (-1, [(3, 4), (3, 4)]),
        ((2, 2), [(3, 5, 4), (3, 6, 4)]),
        ((1, 2), [(3, 4, 5), (3, 6, 4)]),
        ((2, 1), [(3, 5, 4), (3, 4)]),
        ((1, 1), [(3, 4), (3, 4, 2)]),
        ((3, 1), [(3, 2, 5, 4), (3, 4, 6)]),
    ],
    ids=str,
)
def test_dot(keras, axes, shapes, normalize):
    layer, twin = (one.Dot(axes=axes, normalize=normalize) for one in (layers, keras.layers))
    values = arrays(*shapes)
    found, expected = layer(values), np.asarray(twin([x.copy() for x in values]))
    assert layer.compute_output_shape(shapes) == found.shape
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=1e-5, atol=1e-6)


def test_functional_forms():
    values = arrays((3, 4), (3, 4))
    for name in ELEMENTWISE:
        made = getattr(layers, name.lower())(values)
        np.testing.assert_array_equal(made, getattr(layers, name)()(values))
    np.testing.assert_array_equal(layers.concatenate(values, axis=1), np.concatenate(values, 1))
    np.testing.assert_allclose(layers.dot(values, axes=1)[:, 0], (values[0] * values[1]).sum(1),
                               rtol=1e-5, atol=1e-6)  # fmt: skip


def test_integers_stay_what_they_are():
    x = np.arange(6, dtype="int32").reshape(2, 3)
    assert layers.Add()([x, x]).dtype == np.int32
    np.testing.assert_array_equal(layers.Maximum()([x, x[:, ::-1]]), np.maximum(x, x[:, ::-1]))
    np.testing.assert_array_equal(layers.Concatenate()([x, x]), np.concatenate([x, x], 1))
    assert layers.Add()([x, x.astype("float32")]).dtype == np.float32


@pytest.mark.parametrize(
    ("make", "inputs", "match"),
    [
        (layers.Add, np.zeros((2, 3)), "list"),
        (layers.Add, [(2, 3), (2, 4)], "incompatible"),
        (layers.Add, [(2, 3), (3, 3)], "batch"),
        (layers.Subtract, [(2, 3)] * 3, "exactly 2"),
        (layers.Concatenate, [(2, 3), (2, 3, 4)], "matching shapes"),
        (lambda: layers.Concatenate(axis=1), [(2, 3, 4), (2, 3, 5)], "matching shapes"),
        (lambda: layers.Dot(axes=1), [(2, 3), (2, 4)], "incompatible"),
        (lambda: layers.Dot(axes=1), [(2, 3)] * 3, "2 inputs"),
        (lambda: layers.Dot(axes=0), [(2, 3)] * 2, "axes"),
        (lambda: layers.Dot(axes=(1, 2, 3)), None, "two ints"),
    ],
)
def test_what_does_not_fit(make, inputs, match):
    with pytest.raises(ValueError, match=match):
        make()(inputs if isinstance(inputs, np.ndarray) else list(map(np.zeros, inputs)))
    with pytest.raises(TypeError, match="int or a pair"):
        layers.Dot(axes="1")


def test_masks_that_are_passed():
    x, y = arrays((3, 4, 5), (3, 4, 5))
    one, other = masks_of("mm")
    layer = layers.Add()
    mask = layer([x, y], mask=[one, other])._keras_mask
    np.testing.assert_array_equal(mask, one | other)
    np.testing.assert_array_equal(layer.compute_mask([x, y], [one, other]), one | other)
    assert layer.compute_mask([x, y], [one, None]) is None
    for wrong in ([one], one):
        with pytest.raises(ValueError, match="mask"):
            layer.compute_mask([x, y], wrong)
