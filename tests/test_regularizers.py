"""Regularizers: penalties, validation, names, configs."""

import json

import numpy as np
import pytest

from coreops import regularizers
from coreops._variables import Variable
from coreops.saving import registry


@pytest.fixture
def w(rng, dtype):
    return rng.normal(size=(6, 4)).astype(dtype)


def close(value, expected, w):
    """A sum of w.size terms of one sign, and a few more roundings."""
    return abs(float(value) - expected) <= (w.size + 8) * np.finfo(w.dtype).eps * abs(expected)


def test_penalties(w):
    wide = w.astype(np.float64)
    l1, l2 = np.abs(wide).sum(), np.square(wide).sum()
    for regularizer, expected in (
        (regularizers.L1(0.3), 0.3 * l1),
        (regularizers.L2(0.3), 0.3 * l2),
        (regularizers.L1L2(0.1, 0.2), 0.1 * l1 + 0.2 * l2),
        (regularizers.L1L2(l2=0.2), 0.2 * l2),
        (regularizers.L1L2(l1=0.2), 0.2 * l1),
        (regularizers.L1L2(), 0.0),
        (regularizers.L1(), 0.01 * l1),
        (regularizers.L2(None), 0.01 * l2),
    ):
        value = regularizer(w)
        assert np.ndim(value) == 0
        assert value.dtype == w.dtype
        assert close(value, expected, w)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_orthogonal(w, mode):
    vectors = w.astype(np.float64) if mode == "rows" else w.astype(np.float64).T
    n, total = len(vectors), 0.0
    for i in range(n):
        for j in range(i):
            cosine = vectors[i] @ vectors[j]
            total += abs(cosine / np.linalg.norm(vectors[i]) / np.linalg.norm(vectors[j]))
    value = regularizers.OrthogonalRegularizer(0.5, mode)(w)
    assert value.dtype == w.dtype
    assert close(value, 0.5 * total / (n * (n - 1) / 2), w)


def test_orthogonal_corner_cases():
    regularizer = regularizers.OrthogonalRegularizer()
    assert regularizer(np.eye(4, dtype="f4")) == 0
    assert regularizer(np.ones((1, 4), "f4")) == 0
    assert regularizer(np.zeros((3, 4), "f4")) == 0
    for shape in ((4,), (2, 3, 4)):
        with pytest.raises(ValueError, match="rank 2"):
            regularizer(np.ones(shape))


def test_what_may_be_penalised():
    expected = np.float32(0.01) * np.float32(14)
    for w in ([1, 2, 3], np.array([1, 2, 3]), Variable([1, 2, 3])):
        value = regularizers.L2()(w)
        assert value.dtype == np.float32
        assert value == expected


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "0.1", [0.1]])
def test_bad_factors(value):
    for make in (
        regularizers.L1,
        regularizers.L2,
        lambda v: regularizers.L1L2(l2=v),
        regularizers.OrthogonalRegularizer,
    ):
        with pytest.raises(ValueError, match=r"finite number >= 0.*Received"):
            make(value)


def test_a_bad_mode():
    with pytest.raises(ValueError, match="'rows' or 'columns'"):
        regularizers.OrthogonalRegularizer(mode="diagonals")


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("L1", {"l1": 0.01}),
        ("l1", {"l1": 0.01}),
        ("L2", {"l2": 0.01}),
        ("l2", {"l2": 0.01}),
        ("L1L2", {"l1": 0.0, "l2": 0.0}),
        ("l1l2", {"l1": 0.0, "l2": 0.0}),
        ("l1_l2", {"l1": 0.01, "l2": 0.01}),
        ("orthogonal_regularizer", {"factor": 0.01, "mode": "rows"}),
        ("OrthogonalRegularizer", {"factor": 0.01, "mode": "rows"}),
    ],
)
def test_names(name, config):
    assert regularizers.get(name).get_config() == config


def test_function_forms():
    assert regularizers.l1(0.1).get_config() == {"l1": 0.1}
    assert regularizers.l2(0.1).get_config() == {"l2": 0.1}
    assert regularizers.l1_l2(l1=0.1, l2=0.2).get_config() == {"l1": 0.1, "l2": 0.2}
    assert regularizers.orthogonal_regularizer(0.1).factor == 0.1


ALL = [
    regularizers.L1(0.5),
    regularizers.L2(0.5),
    regularizers.L1L2(0.5, 0.25),
    regularizers.OrthogonalRegularizer(0.5, "columns"),
]


@pytest.mark.parametrize("regularizer", ALL)
def test_configs_round_trip(regularizer):
    config = json.loads(json.dumps(regularizers.serialize(regularizer)))
    again = regularizers.deserialize(config)
    assert type(again) is type(regularizer)
    assert again.get_config() == regularizer.get_config()
    legacy = {key: config[key] for key in ("class_name", "config")}
    assert regularizers.get(legacy).get_config() == regularizer.get_config()


def test_objects_of_other_families_are_refused():
    with pytest.raises(ValueError, match="identifier"):
        regularizers.get({"class_name": "Zeros", "config": {}})


def test_other_identifiers():
    def mine(x):
        return 0.0

    assert regularizers.get(None) is None
    assert regularizers.get(mine) is mine
    assert isinstance(regularizers.get(regularizers.L2), regularizers.L2)
    for identifier in ("l3", "", 3):
        with pytest.raises(ValueError, match="Could not interpret regularizer"):
            regularizers.get(identifier)
    with pytest.raises(ValueError, match=r"l1_l2.*orthogonal_regularizer"):
        regularizers.get("l3")


@registry.register_keras_serializable("test_regularizers")
class Count(regularizers.Regularizer):
    def __call__(self, x):
        return np.float32(np.size(x))

    def get_config(self):
        return {}


def test_custom_classes():
    assert isinstance(regularizers.get(regularizers.serialize(Count())), Count)
    with pytest.raises(NotImplementedError, match="get_config"):
        regularizers.Regularizer().get_config()


@pytest.mark.parity
@pytest.mark.parametrize("regularizer", ALL)
def test_parity(keras, regularizer, w):
    theirs = getattr(keras.regularizers, type(regularizer).__name__)(**regularizer.get_config())
    ours, config = regularizers.serialize(regularizer), keras.regularizers.serialize(theirs)
    assert ours == config
    if getattr(regularizer, "mode", "") == "columns":
        return  # Keras normalises the wrong axis
    assert np.isclose(regularizer(w), np.asarray(theirs(w)), rtol=1e-5)
