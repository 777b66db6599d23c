"""Lambda."""

import numpy as np
import pytest
from layer_checks import assert_close, run_layer_test

from coreops import ops
from coreops.layers import Dense, Flatten, Input, Lambda, Masking
from coreops.models import Sequential
from coreops.saving import custom_object_scope

X = np.arange(6, dtype="float32").reshape(2, 3)


def double(x):
    return 2 * x


def scaled(x, factor=1, training=None):
    return x * factor + bool(training)


def halves(shape):
    return (shape[0], shape[1] // 2)


def test_layer():
    with custom_object_scope({"double": double}):
        run_layer_test(Lambda, {"function": double}, X, output_shape=(2, 3), supports_masking=False)


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (lambda x: x**2, (None, 3), (None, 3)),
        (lambda x: x[:, :2], (None, 5), (None, 2)),
        (lambda x: ops.concatenate([x, x], axis=1), (None, None, 3), (None, None, 3)),
        (lambda x: x.reshape(len(x), -1), (None, 4, 3), (None, 12)),
        (lambda x: x.reshape(len(x), -1), (None, None, 3), (None, None)),
        (lambda x: ops.mean(x, axis=0), (None, 4), (4,)),
        (lambda x: x[:, ::2], (None, 6), (None, 3)),
        (lambda x: x[:, 5:7], (None, None), (None, 2)),
        (lambda x: ops.sum(x), (None, 4), ()),
        (lambda x: [x, x[:, 0]], (None, 4), [(None, 4), (None,)]),
    ],
)
def test_the_output_shape_is_found_by_trying(function, shape, expected):
    assert Lambda(function).compute_output_shape(shape) == expected


def test_functions_that_cannot_be_tried():
    def stubborn(x):
        raise RuntimeError("only real data")

    layer = Lambda(stubborn, name="stubborn")
    with pytest.raises(NotImplementedError, match=r"stubborn.*only real data.*output_shape"):
        layer.compute_output_shape((None, 3))


def test_output_shape_given():
    assert Lambda(double, output_shape=(7,)).compute_output_shape((None, 3)) == (None, 7)
    assert Lambda(double, output_shape=(7, 2)).compute_output_shape((4, 3)) == (4, 7, 2)
    assert Lambda(double, output_shape=halves).compute_output_shape((None, 6)) == (None, 3)
    several = Lambda(double, output_shape={"a": (7,), "b": [(2, 7), (1,)]})
    expected = {"a": (4, 7), "b": [(4, 2, 7), (4, 1)]}
    assert several.compute_output_shape((4, 3)) == expected
    pair = Lambda(lambda x: (x, x), output_shape=lambda shape: (shape, shape))
    assert [y.shape for y in pair(Input((3,)))] == [(None, 3)] * 2
    # It describes the output and does not change it.
    assert Lambda(double, output_shape=(7,))(X).shape == (2, 3)


def test_arguments_and_context():
    assert_close(Lambda(scaled, arguments={"factor": 3})(X), 3 * X)
    assert_close(Lambda(scaled)(X, training=True), X + 1)
    model = Sequential([Input((3,)), Lambda(scaled, arguments={"factor": 3})])
    assert_close(model(X), 3 * X)
    assert_close(model(X, training=True), 3 * X + 1)


def test_several_inputs():
    assert_close(Lambda(lambda xs: xs[0] - xs[1])([X, X]), 0 * X)
    y = Lambda(lambda xs: xs[0] + xs[1])([Input((3,)), Input((3,))])
    assert y.shape == (None, 3)


def test_the_callers_array_does_not_change():
    def in_place(x):
        x -= x.mean(axis=1, keepdims=True)
        x[:] = x * 2
        return x

    x = X.copy()
    expected = 2 * (X - X.mean(axis=1, keepdims=True))
    models = [
        Lambda(in_place),
        Sequential([Lambda(in_place)]),
        Sequential([Input((3,)), Lambda(in_place)]),
    ]
    for model in models:
        assert_close(model(x), expected)
        np.testing.assert_array_equal(x, X)
    assert_close(models[-1].predict(x, verbose=0), expected)
    np.testing.assert_array_equal(x, X)


def test_between_layers(rng):
    x = rng.normal(size=(5, 3)).astype("float32")
    one, two = Dense(4, activation="relu"), Dense(2)
    model = Sequential([Input((3,)), one, Lambda(lambda v: v[:, ::2] + 1), two])
    assert model.output_shape == (None, 2)
    assert two.kernel.shape == (2, 2)
    np.testing.assert_array_equal(model(x), two(one(x)[:, ::2] + 1))
    np.testing.assert_array_equal(model(x), model(x))


def test_other_results():
    assert Lambda(lambda x: 3)(X) == 3
    assert Lambda(lambda x: x[0, 0])(X) == 0
    assert Lambda(lambda x: x > 2)(X).dtype == bool


@pytest.mark.parametrize("function", [3, None, "relu"])
def test_the_function_must_be_callable(function):
    with pytest.raises(TypeError, match="callable"):
        Lambda(function)
    with pytest.raises(TypeError, match=r"'own'.*`arguments` must be a dict.*arguments=5"):
        Lambda(scaled, arguments=5, name="own")


def test_errors_of_the_function_come_out():
    with pytest.raises(ZeroDivisionError):
        Lambda(lambda x: 1 / 0)(X)


def test_config_names_functions():
    layer = Lambda(scaled, output_shape=halves, arguments={"factor": 3}, name="own")
    config = layer.get_config()
    assert config["function"]["config"] == "scaled"
    assert config["output_shape"]["config"] == "halves"
    assert config["arguments"] == {"factor": 3}
    assert "mask" not in config
    known = {"scaled": scaled, "halves": halves}
    for again in (
        Lambda.from_config(config, custom_objects=known),
        _in_scope(config, known),
    ):
        assert again.function is scaled
        assert again.compute_output_shape((None, 6)) == (None, 3)
        assert_close(again(X), 3 * X)
    with pytest.raises(TypeError, match=r"scaled.*custom_objects"):
        Lambda.from_config(config)
    assert Lambda(double, output_shape=(3, 2)).get_config()["output_shape"] == (3, 2)


def _in_scope(config, known):
    with custom_object_scope(known):
        return Lambda.from_config(config)


def test_config_keeps_the_type_of_the_output_shape():
    layer = Lambda(double, output_shape=(3,))
    again = Lambda.from_config(layer.get_config(), custom_objects={"double": double})
    assert again.get_config() == layer.get_config()


def test_config_of_masks():
    def keep(inputs, mask):
        return mask

    config = Lambda(double, mask=keep).get_config()
    again = Lambda.from_config(config, custom_objects={"double": double, "keep": keep})
    assert again.supports_masking
    fixed = Lambda(double, mask=np.array([True, False])).get_config()
    again = Lambda.from_config(fixed, custom_objects={"double": double})
    np.testing.assert_array_equal(again.compute_mask(X), [True, False])


@pytest.mark.parametrize("safe_mode", [True, False, None])
def test_code_in_a_config_is_never_run(safe_mode):
    code = {"class_name": "__lambda__", "config": {"code": "4wAA", "defaults": None}}
    config = {"name": "own", "function": code}
    with pytest.raises(ValueError, match="lambda"):
        Lambda.from_config(config, safe_mode=safe_mode)
    with pytest.raises(ValueError, match="lambda"):
        Lambda.from_config({"function": code}, custom_objects={"double": double})
    again = Lambda.from_config(config, custom_objects={"own": double})
    assert again.function is double


def test_a_lambda_writes_a_placeholder():
    with pytest.warns(UserWarning, match="lambda"):
        config = Lambda(lambda x: x).get_config()
    with pytest.raises(ValueError, match="lambda"):
        Lambda.from_config(config)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # Keras traces with whatever is in memory
def test_shapes_and_values_as_keras(keras):
    for function in (lambda x: x**2, lambda x: x[:, :2], lambda x: x[:, None]):
        ours, theirs = Lambda(function), keras.layers.Lambda(function)
        np.testing.assert_array_equal(ours(X), np.asarray(theirs(X)))
        shape = theirs.compute_output_shape((None, 3))
        assert ours.compute_output_shape((None, 3)) == tuple(shape)


def test_a_function_with_a_mask_parameter_takes_the_mask_inside_a_model():
    def count(x, mask):
        return x * mask.sum(axis=1, keepdims=True)[..., None].astype(x.dtype)

    model = Sequential([Input((3, 2)), Masking(), Lambda(count), Flatten()])
    x = np.ones((1, 3, 2), np.float32)
    x[0, 1] = 0
    np.testing.assert_array_equal(model(x), (x * 2).reshape(1, 6))
