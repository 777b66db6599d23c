"""Activations: values against the twins in reference.py, names, configs, plan steps."""

import numpy as np
import pytest
import reference

from coreops import activations, ops
from coreops.saving import registry

CASES = [(name, {}, twin) for name, twin in reference.ACTIVATIONS.items()]
CASES += reference.ACTIVATIONS_WITH_ARGUMENTS
ELEMENTWISE = sorted(
    set(reference.ACTIVATIONS) - {"softmax", "log_softmax", "glu", "sparsemax", "linear"}
)


def bound(y, dtype):
    """A few roundings: of the argument, where it is moved before the function is steep, and of
    the result."""
    return 8 * np.finfo(dtype).eps * np.maximum(np.abs(y), 1)


@pytest.fixture
def x(rng, dtype):
    """Values around every bend of every activation, and far out."""
    values = np.concatenate([rng.normal(0, 3, 150), np.linspace(-7, 7, 57), [0, -0.0, 30, -30, 80]])
    return rng.permutation(values)[:210].reshape(10, 3, 7).repeat(2, -1).astype(dtype)


@pytest.mark.parametrize(("name", "arguments", "twin"), CASES)
def test_values(isa, x, dtype, name, arguments, twin):
    y = getattr(activations, name)(x, **arguments)
    expected = twin(x.astype(np.float64))
    scale = np.max(np.abs(x)) if name == "sparsemax" else expected  # it subtracts sums of x
    assert y.dtype == dtype
    assert y.shape == expected.shape
    assert np.all(np.abs(y - expected) <= bound(scale, dtype))


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_values_far_out(isa, dtype, name):
    """Where exponentials leave the range of the type, and where they are 1 but for the last bit."""
    info = np.finfo(dtype)
    edge = np.log(float(info.max))
    sizes = [*np.linspace(edge - 3, edge + 3, 13), edge / 2, 2 * edge, 1e4, float(info.max) / 4]
    sizes += [float(info.tiny), float(info.tiny) / 8, float(info.eps), float(info.eps) / 2]
    x = np.array([*sizes, *(-s for s in sizes)], dtype)
    if name == "squareplus":  # it squares
        x = x[np.abs(x) < np.sqrt(info.max)]
    with np.errstate(all="ignore"):
        expected = reference.ACTIVATIONS[name](x.astype(np.longdouble))
        expected = np.where(np.abs(expected) > float(info.max), np.inf, expected)
        y = getattr(activations, name)(x)
        close = np.abs(y - expected) <= bound(expected, dtype)
    np.testing.assert_array_equal(close | (y == expected), True, err_msg=f"{x} -> {y}")


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nan_goes_through(isa, dtype, name):
    x = np.full(37, 0.5, dtype)
    x[::3] = np.nan
    np.testing.assert_array_equal(np.isnan(getattr(activations, name)(x)), np.isnan(x))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("relu", 0, np.inf),
        ("relu6", 0, 6),
        ("leaky_relu", -np.inf, np.inf),
        ("elu", -1, np.inf),
        ("sigmoid", 0, 1),
        ("hard_sigmoid", 0, 1),
        ("tanh", -1, 1),
        ("hard_tanh", -1, 1),
        ("softplus", 0, np.inf),
        ("log_sigmoid", -np.inf, 0),
        ("exponential", 0, np.inf),
    ],
)
def test_limits(isa, dtype, name, low, high):
    x = np.array([-np.inf, np.inf], dtype)
    np.testing.assert_array_equal(getattr(activations, name)(x), np.array([low, high], dtype))


def test_relu_with_a_threshold_takes_minus_infinity_to_zero(isa, dtype):
    x = np.array([-np.inf, 0.5, 3], dtype)
    for max_value, highest in ((None, 3), (2.0, 2)):
        y = activations.relu(x, threshold=1.0, max_value=max_value)
        np.testing.assert_array_equal(y, np.array([0, 0, highest], dtype))


def test_softmax_ignores_minus_infinity(isa, dtype):
    x = np.array([[0.0, -np.inf, 0.0]], dtype)
    np.testing.assert_array_equal(activations.softmax(x), np.array([[0.5, 0, 0.5]], dtype))


def test_softmax_of_large_values(isa, dtype):
    x = np.array([1e38, 1e38], dtype)
    np.testing.assert_array_equal(activations.softmax(x), np.array([0.5, 0.5], dtype))


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "sparsemax"])
def test_vectors_are_taken(name, rng, dtype):
    x = rng.normal(size=5).astype(dtype)
    expected = reference.ACTIVATIONS[name](x.astype(np.float64))
    assert np.all(np.abs(getattr(activations, name)(x) - expected) <= bound(expected, dtype))


def test_sparsemax_shares_ties_and_sums_to_one():
    y = activations.sparsemax(np.array([[1, 1, -5], [3, 3, 3]], np.float32))
    np.testing.assert_allclose(y, [[0.5, 0.5, 0], [1 / 3] * 3], rtol=1e-6)


def test_glu_of_an_odd_size():
    with pytest.raises(ValueError, match="even"):
        activations.glu(np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("name", [*ELEMENTWISE, "softmax", "log_softmax", "sparsemax"])
def test_empty_arrays(name):
    function = getattr(activations, name)
    assert function(np.zeros((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("kind", ["int32", "int64", "uint8", "bool"])
def test_integers(name, kind):
    x = np.array([0, 1, 1, 0], kind)
    y = getattr(activations, name)(x)
    kept = name in ("relu", "relu6", "hard_tanh")
    assert y.dtype == (x.dtype if kept else np.float32)
    expected = reference.ACTIVATIONS[name](x.astype(np.float64))
    assert np.all(np.abs(y - expected) <= bound(expected, np.float32))


def test_half_precision_is_computed_in_float32(rng):
    x = rng.normal(size=40).astype(np.float16)
    y = activations.tanh(x)
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y, activations.tanh(x.astype(np.float32)).astype(np.float16))


@pytest.mark.parametrize("layout", ["strided", "reversed", "fortran", "readonly", "list"])
def test_layouts(layout, rng):
    base = rng.normal(size=(8, 6)).astype(np.float32)
    x = {
        "strided": base[::2, ::3],
        "reversed": base[::-1, ::-1],
        "fortran": np.asfortranarray(base),
        "readonly": base,
        "list": base.tolist(),
    }[layout]
    base.flags.writeable = False
    np.testing.assert_array_equal(
        activations.tanh(x), activations.tanh(np.array(x, np.float32, order="C"))
    )


def test_the_input_is_left_alone(rng):
    x = rng.normal(size=(3, 4)).astype(np.float32)
    before = x.copy()
    for name in reference.ACTIVATIONS:
        y = getattr(activations, name)(x)
        np.testing.assert_array_equal(x, before)
        assert name == "linear" or not np.shares_memory(x, y)


@pytest.mark.parametrize("approximate", [False, True])
def test_a_lane_of_gelu_does_not_depend_on_its_neighbours(isa, dtype, rng, approximate):
    x = rng.normal(size=203).astype(dtype)
    whole = activations.gelu(x, approximate)
    x[rng.integers(0, x.size, 40)] = rng.uniform(-20, -4, 40)  # these may take another way
    mixed = activations.gelu(x, approximate)
    alone = np.concatenate([activations.gelu(x[i : i + 1], approximate) for i in range(x.size)])
    np.testing.assert_array_equal(mixed, alone)
    np.testing.assert_array_equal(mixed[x > -4], whole[x > -4])


# ------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize("name", [*reference.ACTIVATIONS, "threshold"])
def test_names_round_trip(name):
    function = activations.get(name)
    assert activations.serialize(function) == name
    assert activations.deserialize(name) is function
    assert activations.get(function) is function


@pytest.mark.parametrize(("alias", "name"), [("swish", "silu"), ("hard_swish", "hard_silu")])
def test_aliases(alias, name):
    assert activations.get(alias) is activations.deserialize(alias) is activations.get(name)
    assert activations.serialize(activations.get(alias)) == name


def test_none_is_linear():
    assert activations.get(None) is activations.linear


@pytest.mark.parametrize("module", ["builtins", "keras.activations"])
def test_function_configs(module):
    config = {
        "module": module,
        "class_name": "function",
        "config": "gelu",
        "registered_name": "gelu",
    }
    assert activations.get(config) is activations.gelu


def test_unknown_names_list_the_known_ones():
    for call in (activations.get, activations.deserialize):
        with pytest.raises(ValueError, match=r"'rleu'.*'relu'.*'tanh'"):
            call("rleu")


@pytest.mark.parametrize("identifier", [3, 1.5, [1]])
def test_what_is_not_callable(identifier):
    with pytest.raises(ValueError, match="Could not interpret"):
        activations.get(identifier)


def scaled(x):
    return 2 * x


def test_custom_functions_serialise_by_name():
    config = activations.serialize(scaled)
    assert config["config"] == "scaled"
    with pytest.raises(TypeError, match="scaled"):
        activations.deserialize(config)
    assert activations.deserialize(config, custom_objects={"scaled": scaled}) is scaled
    with registry.custom_object_scope({"scaled": scaled}):
        assert activations.get("scaled") is scaled


def test_registered_functions_serialise_by_registered_name():
    @registry.register_keras_serializable("test_activations")
    def tripled(x):
        return 3 * x

    config = activations.serialize(tripled)
    assert config["config"] == "test_activations>tripled"
    assert activations.get(config) is tripled


# ------------------------------------------------------------------------------------------ steps


@pytest.mark.parametrize("name", reference.ACTIVATIONS)
def test_steps_say_what_the_function_does(name, rng):
    from coreops import _plan

    x = rng.normal(0, 2, (5, 6)).astype(np.float32)
    function = getattr(activations, name)
    step = activations.step_of(function)
    if name in ("glu", "sparsemax"):
        assert step is None
        return
    kind, *parameters = step
    run = {"act": _plan.apply_activation, "softmax": _plan.apply_softmax}[kind]
    np.testing.assert_array_equal(run(x, *parameters), function(x))


def test_steps_of_the_ops_functions():
    assert activations.step_of(ops.relu) == activations.step_of(activations.relu)
    assert activations.step_of(ops.gelu)[1] == "gelu_tanh"
    assert activations.step_of(activations.gelu)[1] == "gelu"


def test_steps_of_other_callables():
    assert activations.step_of(None) == activations.step_of(activations.linear)
    assert activations.step_of(scaled) is None
    assert activations.step_of(np.tanh) is None
    assert activations.step_of(activations.threshold) is None


def test_the_old_hard_sigmoid():
    x = np.linspace(-4, 4, 33, dtype=np.float32)
    expected = np.clip(0.2 * x.astype(np.float64) + 0.5, 0, 1)
    assert np.all(np.abs(activations.legacy_hard_sigmoid(x) - expected) <= bound(expected, "f4"))
    assert activations.serialize(activations.legacy_hard_sigmoid) == "legacy_hard_sigmoid"
    assert activations.get("legacy_hard_sigmoid") is activations.legacy_hard_sigmoid
    assert activations.get("hard_sigmoid") is activations.hard_sigmoid
    assert activations.step_of(activations.legacy_hard_sigmoid) == ("act", "ramp", 0.2, 0.5, 0.0)


# ----------------------------------------------------------------------------------------- parity


# Keras' sparsemax leaves out part of the support: its results need not sum to 1.
@pytest.mark.parity
@pytest.mark.parametrize(
    ("name", "arguments"), [case[:2] for case in CASES if case[0] != "sparsemax"]
)
def test_parity(keras, x, dtype, name, arguments):
    theirs = np.asarray(getattr(keras.activations, name)(x, **arguments), np.float64)
    ours = getattr(activations, name)(x, **arguments)
    limit = 1e-5 if dtype == np.float32 else 1e-6  # Keras computes some in float32 or with float32
    assert np.all(np.abs(ours - theirs) <= limit * np.maximum(1, np.abs(theirs)))


@pytest.mark.parity
def test_the_families_are_the_same(keras):
    theirs = {n for n in dir(keras.activations) if callable(getattr(keras.activations, n))}
    theirs -= {"get", "serialize", "deserialize"}
    assert theirs <= set(registry.known("activations"))
    assert all(hasattr(activations, name) for name in theirs)
