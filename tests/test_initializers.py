"""Initializers: distributions, seeds, shapes, configs."""

import json
import math

import numpy as np
import pytest

from coreops import config, initializers
from coreops.random import SeedGenerator
from coreops.saving import objects, registry

SCALED = {
    "GlorotUniform": (1.0, "fan_avg", "uniform"),
    "GlorotNormal": (1.0, "fan_avg", "truncated_normal"),
    "HeUniform": (2.0, "fan_in", "uniform"),
    "HeNormal": (2.0, "fan_in", "truncated_normal"),
    "LecunUniform": (1.0, "fan_in", "uniform"),
    "LecunNormal": (1.0, "fan_in", "truncated_normal"),
}
RANDOM = [*SCALED, "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling"]
RANDOM += ["Orthogonal"]
ALL = [*RANDOM, "Zeros", "Ones", "Constant", "Identity"]


def make(name, **arguments):
    return getattr(initializers, name)(**arguments)


# ---------------------------------------------------------------------------------- distributions


def test_constants():
    np.testing.assert_array_equal(initializers.Zeros()((2, 3)), np.zeros((2, 3), "f4"))
    np.testing.assert_array_equal(initializers.Ones()((2,)), np.ones(2, "f4"))
    np.testing.assert_array_equal(initializers.Constant(3)((2, 2)), np.full((2, 2), 3, "f4"))
    np.testing.assert_array_equal(initializers.Constant([1, 2])((3, 2)), [[1, 2]] * 3)
    assert initializers.Zeros()((2,)).dtype == np.float32


def test_identity():
    np.testing.assert_array_equal(initializers.Identity(2.0)((2, 3)), 2 * np.eye(2, 3))
    for shape in ((3,), (2, 2, 2)):
        with pytest.raises(ValueError, match="matrices"):
            initializers.Identity()(shape)


def check_moments(x, std, bound):
    """Mean 0 and standard deviation std, to five standard errors; nothing beyond the bound."""
    n = x.size
    assert abs(x.mean(dtype="f8")) < 5 * std / math.sqrt(n)
    assert abs(x.std(dtype="f8") - std) < 5 * std / math.sqrt(2 * n)
    assert np.abs(x).max() <= bound


@pytest.mark.parametrize(("name", "rule"), SCALED.items())
def test_scaled_variance(name, rule):
    shape, fans = (300, 100), {"fan_in": 300, "fan_avg": 200}
    scale, mode, distribution = rule
    variance = scale / fans[mode]
    x = make(name, seed=1)(shape)
    if distribution == "uniform":
        check_moments(x, math.sqrt(variance), math.sqrt(3 * variance))
    else:
        check_moments(x, math.sqrt(variance), 2.2737 * math.sqrt(variance))
    twin = initializers.VarianceScaling(*rule, seed=1)(shape)
    np.testing.assert_array_equal(x, twin)


def test_simple_distributions():
    check_moments(initializers.RandomNormal(seed=1)((200, 200)), 0.05, np.inf)
    check_moments(initializers.RandomUniform(seed=1)((200, 200)), 0.1 / math.sqrt(12), 0.05)
    x = initializers.TruncatedNormal(stddev=2.0, seed=1)((200, 200))
    check_moments(x, 2 * 0.879626, 4)
    untruncated = initializers.VarianceScaling(distribution="untruncated_normal", seed=1)
    x = untruncated((400, 100))
    check_moments(x, 0.05, np.inf)
    assert np.abs(x).max() > 2.2737 * 0.05


def test_truncation_is_exact():
    """Where a clipped or a once-redrawn normal would show: millions of values."""
    x = initializers.TruncatedNormal(stddev=1.0, seed=3)((4_000_000,))
    assert np.abs(x).max() <= 2
    assert np.count_nonzero(np.abs(x) == 2) <= 5


@pytest.mark.parametrize(
    ("shape", "fans"),
    [
        ((), (1, 1)),
        ((7,), (7, 7)),
        ((3, 5), (3, 5)),
        ((2, 3, 4, 5), (24, 30)),
        ((3, 4, 5), (12, 15)),
    ],
)
@pytest.mark.parametrize("mode", ["fan_in", "fan_out", "fan_avg"])
def test_fans(shape, fans, mode):
    limit = math.sqrt(3 / {"fan_in": fans[0], "fan_out": fans[1], "fan_avg": sum(fans) / 2}[mode])
    x = initializers.VarianceScaling(1.0, mode, "uniform", seed=2)(shape)
    unit = initializers.RandomUniform(-1, 1, seed=2)(shape)
    assert np.abs(x - unit * limit).max() <= 2 * np.finfo(np.float32).eps * limit


def test_fans_along_given_axes():
    x = initializers.VarianceScaling(
        1.0, "fan_in", "uniform", seed=2, input_axes=[0, 2], output_axes=[1]
    )((4, 5, 6))
    unit = initializers.RandomUniform(-1, 1, seed=2)((4, 5, 6))
    limit = math.sqrt(3 / 24)
    assert np.abs(x - unit * limit).max() <= 2 * np.finfo(np.float32).eps * limit


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_orthogonal(shape, dtype):
    x = initializers.Orthogonal(gain=2.0, seed=1)(shape, dtype).reshape(-1, shape[-1])
    product = x.T @ x if x.shape[0] >= x.shape[1] else x @ x.T
    n = len(product)
    assert x.dtype == dtype
    assert np.abs(product - 4 * np.eye(n)).max() <= 4 * 10 * n * np.finfo(dtype).eps


def test_orthogonal_needs_two_axes():
    with pytest.raises(ValueError, match="two or more"):
        initializers.Orthogonal()((4,))


# ------------------------------------------------------------------------------------------ seeds


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name):
    a, b, c = make(name, seed=1), make(name, seed=1), make(name, seed=2)
    x = a((4, 3))
    np.testing.assert_array_equal(a((4, 3)), x)
    np.testing.assert_array_equal(b((4, 3)), x)
    assert not np.array_equal(c((4, 3)), x)
    unseeded = make(name)
    np.testing.assert_array_equal(unseeded((4, 3)), unseeded((4, 3)))
    assert not np.array_equal(make(name)((4, 3)), unseeded((4, 3)))


@pytest.mark.parametrize("name", RANDOM)
def test_a_seed_generator_advances(name):
    init = make(name, seed=SeedGenerator(1))
    assert not np.array_equal(init((4, 3)), init((4, 3)))


@pytest.mark.parametrize("seed", ["1", 1.5, [1]])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ValueError, match=r"GlorotUniform.*integer"):
        initializers.GlorotUniform(seed=seed)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_dtypes(name, dtype):
    x = make(name)((3, 3), dtype=dtype)
    assert x.dtype == dtype
    assert x.shape == (3, 3)
    assert np.all(np.isfinite(x))


def test_the_default_dtype(monkeypatch):
    monkeypatch.setitem(config._state, "floatx", "float64")
    assert all(make(name)((2, 2)).dtype == np.float64 for name in ALL)


@pytest.mark.parametrize("name", [*RANDOM, "Zeros"])
def test_empty_shapes(name):
    assert make(name)((0, 3)).shape == (0, 3)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"scale": 0.0}, "scale"),
        ({"scale": -1}, "scale"),
        ({"mode": "fan"}, "fan_avg"),
        ({"distribution": "cauchy"}, "truncated_normal"),
        ({"distribution": 3}, "truncated_normal"),
    ],
)
def test_bad_arguments(arguments, match):
    with pytest.raises(ValueError, match=match):
        initializers.VarianceScaling(**arguments)


# ---------------------------------------------------------------------------------------- configs


@pytest.mark.parametrize("name", ALL)
def test_configs_round_trip(name):
    init = make(name, **({"seed": 3} if name in RANDOM else {}))
    config = json.loads(json.dumps(initializers.serialize(init)))
    assert config["module"] == "keras.initializers"
    assert config["class_name"] == name
    assert config["registered_name"] is None
    again = initializers.deserialize(config)
    assert type(again) is type(init)
    assert again.get_config() == init.get_config()
    np.testing.assert_array_equal(again((3, 3)), init((3, 3)))
    np.testing.assert_array_equal(init.clone()((3, 3)), init((3, 3)))


def test_the_axes_are_written_only_when_set():
    assert initializers.HeNormal(seed=1).get_config() == {"seed": 1}
    config = initializers.HeNormal(input_axes=(0,), output_axes=(1,)).get_config()
    assert config == {"seed": None, "input_axes": [0], "output_axes": [1]}
    full = {"seed": 1, "input_axes": None, "output_axes": None}
    assert initializers.HeNormal.from_config(full).get_config() == {"seed": 1}


def test_a_seed_generator_in_a_config():
    init = initializers.HeNormal(seed=SeedGenerator(7, name="g"))
    again = initializers.deserialize(json.loads(json.dumps(initializers.serialize(init))))
    assert isinstance(again.seed, SeedGenerator)
    np.testing.assert_array_equal(again((2, 2)), init((2, 2)))


def test_an_array_in_a_constant():
    init = initializers.Constant(np.array([1.0, 2.0]))
    again = initializers.deserialize(json.loads(json.dumps(initializers.serialize(init))))
    np.testing.assert_array_equal(again((3, 2)), init((3, 2)))


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("glorot_uniform", "GlorotUniform"),
        ("HeNormal", "HeNormal"),
        ("uniform", "RandomUniform"),
        ("normal", "RandomNormal"),
        ("zero", "Zeros"),
        ("one", "Ones"),
        ("zeros", "Zeros"),
        ("constant", "Constant"),
        ("orthogonal", "Orthogonal"),
        ("OrthogonalInitializer", "Orthogonal"),
        ("IdentityInitializer", "Identity"),
        ("identity", "Identity"),
        ("truncated_normal", "TruncatedNormal"),
        ("variance_scaling", "VarianceScaling"),
        ("lecun_normal", "LecunNormal"),
    ],
)
def test_names(name, cls):
    assert type(initializers.get(name)) is getattr(initializers, cls)


def test_objects_of_other_families_are_refused():
    with pytest.raises(ValueError, match="identifier"):
        initializers.get({"class_name": "L2", "config": {}})


def test_other_identifiers():
    assert initializers.get(None) is None
    assert isinstance(initializers.get(initializers.Zeros), initializers.Zeros)

    def mine(shape, dtype=None):
        return np.ones(shape, dtype)

    assert initializers.get(mine) is mine
    config = {"class_name": "RandomUniform", "config": {"minval": -1, "maxval": 1, "seed": 2}}
    assert initializers.get(config).maxval == 1


def test_an_array_is_its_own_initializer():
    init = initializers.get(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(init((2, 3), "float32"), np.arange(6).reshape(2, 3))
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        init((3, 2))


@pytest.mark.parametrize("identifier", ["glorot", "Glorot_Uniform", ""])
def test_unknown_names_list_the_known_ones(identifier):
    with pytest.raises(ValueError, match="glorot_uniform"):
        initializers.get(identifier)


def test_what_is_not_callable():
    with pytest.raises(ValueError, match="Could not interpret"):
        initializers.get(3)


def test_unknown_arguments_in_a_config():
    with pytest.raises(TypeError, match=r"Zeros.*valeu"):
        initializers.get({"class_name": "Zeros", "config": {"valeu": 1}})


@registry.register_keras_serializable("test_initializers")
class Halves(initializers.Initializer):
    def __call__(self, shape, dtype=None):
        return np.full(shape, 0.5, dtype)


def test_custom_classes():
    config = initializers.serialize(Halves())
    assert config["registered_name"] == "test_initializers>Halves"
    assert isinstance(initializers.deserialize(config), Halves)
    assert isinstance(initializers.get("test_initializers>Halves"), Halves)
    assert isinstance(objects.deserialize_keras_object(config), Halves)


# ----------------------------------------------------------------------------------------- parity


@pytest.mark.parity
@pytest.mark.parametrize("name", ALL)
def test_keras_reads_our_configs_and_we_read_keras(keras, name):
    ours = initializers.serialize(make(name))
    theirs = keras.initializers.serialize(getattr(keras.initializers, name)())
    assert keras.initializers.deserialize(ours).get_config() == theirs["config"]
    again = initializers.deserialize(theirs)
    assert initializers.serialize(again) == ours
    assert {key: ours[key] for key in ("module", "class_name", "registered_name")} == {
        key: theirs[key] for key in ("module", "class_name", "registered_name")
    }


@pytest.mark.parity
def test_the_families_are_the_same(keras):
    from keras.src.initializers import ALL_OBJECTS_DICT

    names = {
        n for n, cls in ALL_OBJECTS_DICT.items() if cls.__name__ not in ("STFT", "Initializer")
    }
    assert names <= set(registry.known("initializers"))
