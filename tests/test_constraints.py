"""Constraints: projections against their formulas, names, configs."""

import json

import numpy as np
import pytest

from coreops import constraints
from coreops._variables import Variable
from coreops.saving import registry

EPSILON = 1e-7
ALL = [
    constraints.MaxNorm(1.5, axis=1),
    constraints.UnitNorm(axis=[0, 1]),
    constraints.NonNeg(),
    constraints.MinMaxNorm(0.5, 1.5, 0.75, 1),
]


@pytest.fixture
def w(rng, dtype):
    w = rng.normal(size=(6, 5)).astype(dtype) * np.array([0.01, 0.3, 1, 3, 0], dtype)
    return w


def norms(w, axis=0):
    return np.sqrt(np.sum(w.astype(np.float64) ** 2, axis=axis, keepdims=True))


def check(projected, expected, w):
    assert projected.dtype == w.dtype
    assert projected.shape == w.shape
    limit = (w.size + 8) * np.finfo(w.dtype).eps * np.abs(expected) + np.finfo(w.dtype).tiny
    assert np.all(np.abs(projected - expected) <= limit)


@pytest.mark.parametrize("axis", [0, 1, (0, 1), [0, 1], -1])
def test_max_norm(w, axis):
    over = tuple(axis) if isinstance(axis, list) else axis
    n = norms(w, over)
    check(constraints.MaxNorm(1.0, axis)(w), w * np.clip(n, 0, 1.0) / (EPSILON + n), w)


def test_unit_norm(w):
    check(constraints.UnitNorm()(w), w / (EPSILON + norms(w)), w)
    assert not np.any(constraints.UnitNorm()(w)[:, 4])


@pytest.mark.parametrize("rate", [1.0, 0.5, 0.0])
def test_min_max_norm(w, rate):
    n = norms(w)
    d = rate * np.clip(n, 0.5, 1.0) + (1 - rate) * n
    check(constraints.MinMaxNorm(0.5, 1.0, rate)(w), w * d / (EPSILON + n), w)


def test_non_neg(w):
    w[0, 0] = np.nan
    projected = constraints.NonNeg()(w)
    np.testing.assert_array_equal(projected, np.maximum(w, 0))
    assert projected.dtype == w.dtype


def test_defaults():
    assert constraints.MaxNorm().get_config() == {"max_value": 2, "axis": 0}
    assert constraints.UnitNorm().get_config() == {"axis": 0}
    assert constraints.NonNeg().get_config() == {}
    assert constraints.MinMaxNorm().get_config() == {
        "min_value": 0.0,
        "max_value": 1.0,
        "rate": 1.0,
        "axis": 0,
    }


def test_the_weight_is_left_alone():
    w = np.full((3, 2), 4, np.float32)
    for constraint in ALL:
        assert not np.shares_memory(constraint(w), w)
    np.testing.assert_array_equal(w, np.full((3, 2), 4))


def test_variables_and_lists_are_taken():
    expected = np.array([[3.0], [4.0]]) / 5
    for w in (Variable([[3.0], [4.0]]), [[3, 4]]):
        w = w if isinstance(w, Variable) else np.array(w).T
        projected = constraints.UnitNorm()(w)
        assert projected.dtype == np.float32
        np.testing.assert_allclose(projected, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("max_norm", "MaxNorm"),
        ("MaxNorm", "MaxNorm"),
        ("maxnorm", "MaxNorm"),
        ("unit_norm", "UnitNorm"),
        ("UnitNorm", "UnitNorm"),
        ("unitnorm", "UnitNorm"),
        ("non_neg", "NonNeg"),
        ("nonneg", "NonNeg"),
        ("NonNeg", "NonNeg"),
        ("min_max_norm", "MinMaxNorm"),
        ("MinMaxNorm", "MinMaxNorm"),
    ],
)
def test_names(name, cls):
    assert type(constraints.get(name)) is getattr(constraints, cls)


def test_objects_of_other_families_are_refused():
    with pytest.raises(ValueError, match="identifier"):
        constraints.get({"class_name": "Zeros", "config": {}})


def test_other_identifiers():
    assert constraints.get(None) is None
    assert constraints.get(np.abs) is np.abs
    assert isinstance(constraints.get(constraints.NonNeg), constraints.NonNeg)
    assert constraints.max_norm(3).max_value == constraints.maxnorm(3).max_value == 3
    for identifier in ("max", "", 3):
        with pytest.raises(ValueError, match="Could not interpret constraint"):
            constraints.get(identifier)
    with pytest.raises(ValueError, match=r"max_norm.*unit_norm"):
        constraints.get("max")


@pytest.mark.parametrize("constraint", ALL)
def test_configs_round_trip(constraint, rng):
    config = json.loads(json.dumps(constraints.serialize(constraint)))
    again = constraints.deserialize(config)
    assert type(again) is type(constraint)
    assert again.get_config() == config["config"]
    w = rng.normal(size=(3, 4))
    np.testing.assert_array_equal(again(w), constraint(w))


@registry.register_keras_serializable("test_constraints")
class Halve(constraints.Constraint):
    def __call__(self, w):
        return np.asarray(w) / 2


def test_custom_classes():
    assert isinstance(constraints.get(constraints.serialize(Halve())), Halve)
    np.testing.assert_array_equal(constraints.Constraint()(np.arange(3)), np.arange(3))


@pytest.mark.parity
@pytest.mark.parametrize("constraint", ALL)
def test_parity(keras, constraint, w):
    theirs = getattr(keras.constraints, type(constraint).__name__)(**constraint.get_config())
    assert constraints.serialize(constraint) == keras.constraints.serialize(theirs)
    if getattr(constraint, "axis", 0) == [0, 1]:
        return  # the NumPy backend does not take a list of axes
    np.testing.assert_allclose(constraint(w), np.asarray(theirs(w)), rtol=1e-5, atol=1e-9)
