"""Variables, names, settings, seeds."""

import copy
import pickle
import random as python_random
import threading

import numpy as np
import pytest

import coreops
from coreops import _kernels, config, random, utils
from coreops._names import auto_name, reset_names, to_snake_case
from coreops._variables import Variable


def test_a_variable_from_an_array():
    v = Variable([[1.0, 2], [3, 4]], name="kernel", path="model/dense/kernel")
    assert (v.name, v.path, v.shape, v.dtype, v.ndim, v.size, len(v)) == (
        *("kernel", "model/dense/kernel"),
        *((2, 2), "float32", 2, 4, 2),
    )
    assert v.trainable
    assert v.regularizer is None
    assert v.constraint is None
    np.testing.assert_array_equal(np.asarray(v), v.numpy())


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, "float32"),
        (3, "int32"),
        ([[1, 2], [3, 4]], "int32"),
        ([True, False], "bool"),
        (np.zeros(2), "float32"),
        (np.zeros(2, np.int64), "int64"),
        (np.zeros(2, np.uint8), "uint8"),
    ],
)
def test_the_type_of_a_variable_that_was_given_none(value, dtype):
    assert Variable(value).dtype == dtype
    assert Variable(value, dtype="float64").dtype == "float64"


def test_a_variable_from_the_name_of_an_initializer():
    v = Variable("ones", shape=(2, 3))
    assert v.dtype == "float32"
    np.testing.assert_array_equal(v, np.ones((2, 3)))
    with pytest.raises(ValueError, match="nonsense"):
        Variable("nonsense", shape=(2, 3))


@pytest.mark.parametrize("value", [None, [None, 1], ["a"]])
def test_a_variable_holds_numbers(value):
    with pytest.raises(TypeError, match="'v': expected numbers"):
        Variable(value, dtype="float32", name="v")


def test_a_variable_from_an_initializer():
    v = Variable(lambda shape, dtype: np.full(shape, 7, dtype), (2, 3), "float64", trainable=False)
    assert v.shape == (2, 3)
    assert v.dtype == "float64"
    assert not v.trainable
    assert v.name == v.path == "variable"


def test_the_value_is_not_the_callers_array():
    mine = np.zeros(3, np.float32)
    v = Variable(mine)
    mine[:] = 1
    np.testing.assert_array_equal(v, np.zeros(3))


def test_assignments_make_new_arrays():
    v = Variable(np.zeros(3))
    old, epoch = v.numpy(), v.version
    v.assign([1, 2, 3])
    assert v.version == epoch + 1
    assert v.value.flags.c_contiguous
    assert not v.value.flags.writeable
    np.testing.assert_array_equal(old, [0, 0, 0])
    np.testing.assert_array_equal(v, [1, 2, 3])
    v.assign_add(1)
    np.testing.assert_array_equal(v, [2, 3, 4])
    v.assign_sub([2, 2, 2])
    np.testing.assert_array_equal(v, [0, 1, 2])
    assert v.dtype == "float32"


def test_assignments_tell_the_plans(monkeypatch):
    calls = []
    monkeypatch.setattr(_kernels, "bump_epoch", lambda: calls.append(1))
    Variable(np.zeros(3)).assign(np.ones(3))
    assert calls == [1]


def test_fortran_order_is_straightened():
    v = Variable(np.zeros((2, 3)))
    v.assign(np.asfortranarray(np.arange(6).reshape(2, 3)))
    assert v.value.flags.c_contiguous


def test_numpy_cannot_write_into_a_variable():
    v = Variable(np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        v.numpy()[0] = 1


@pytest.mark.parametrize("value", [np.zeros((3, 1)), np.zeros(4), 1.0])
def test_another_shape_is_refused(value):
    v = Variable(np.zeros(3), path="m/d/bias")
    with pytest.raises(ValueError, match=r"m/d/bias.*\(3,\)"):
        v.assign(value)
    assert v.version == 0


@pytest.mark.parametrize(
    "arguments",
    [
        {"initializer": np.zeros(3), "name": "a/b"},
        {"initializer": np.zeros(3), "name": 5},
        {"initializer": np.zeros(3), "shape": (4,)},
        {"initializer": lambda shape, dtype: np.zeros(5), "shape": (4,)},
        {"initializer": np.zeros},
        {"initializer": lambda shape, dtype: None, "shape": (None, 3)},
    ],
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError, match=r"name|shape"):
        Variable(**arguments)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))])
def test_copies(duplicate):
    v = Variable(np.arange(3.0), trainable=False, path="m/b")
    w = duplicate(v)
    np.testing.assert_array_equal(w, v)
    assert (w.name, w.path, w.trainable, w.dtype) == (v.name, "m/b", False, "float32")
    assert not w.value.flags.writeable
    w.assign([7, 8, 9])
    np.testing.assert_array_equal(v, [0, 1, 2])


def test_arithmetic():
    v = Variable(np.array([1.0, 2.0, 4.0]))
    x = np.array([1, 1, 2], np.float32)
    for result, expected in (
        (v + 1, [2, 3, 5]),
        (1 - v, [0, -1, -3]),
        (v * v, [1, 4, 16]),
        (x / v, [1, 0.5, 0.5]),
        (v**2, [1, 4, 16]),
        (v @ x, 11),
        (x @ v, 11),
        (-v, [-1, -2, -4]),
        (abs(v), [1, 2, 4]),
        (+v, [1, 2, 4]),
        (Variable([1, 0]) & 3, [True, False]),
        (1 ^ Variable([1, 0]), [False, True]),
        (round(Variable([1.4, 2.6])), [1, 3]),
        (~Variable([True, False]), [False, True]),
        (v > 1, [False, True, True]),
        (v[1:], [2, 4]),
        (np.sqrt(v), np.sqrt([1, 2, 4]).astype("f4")),
    ):
        np.testing.assert_array_equal(result, expected)
    assert (v + 1).dtype == np.float32


@pytest.mark.parametrize("value", [0.0, 1.0, [1.0, 2.0]])
def test_variables_are_neither_true_nor_false(value):
    with pytest.raises(TypeError, match="truth value"):
        bool(Variable(value))


def test_a_variable_says_what_it_is():
    v = Variable(np.zeros((2, 3)), path="m/k")
    assert repr(v) == "<Variable path=m/k, shape=(2, 3), dtype=float32>"
    assert float(Variable(2.5)) == 2.5
    assert int(Variable(2, dtype="int32")) == 2


# ------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Dense", "dense"),
        ("LeakyReLU", "leaky_re_lu"),
        ("PReLU", "p_re_lu"),
        ("ReLU", "re_lu"),
        ("ELU", "elu"),
        ("GRU", "gru"),
        ("SimpleRNN", "simple_rnn"),
        ("Conv2D", "conv2d"),
        ("SpatialDropout1D", "spatial_dropout1d"),
        ("EinsumDense", "einsum_dense"),
        ("MaxPooling2D", "max_pooling2d"),
    ],
)
def test_snake_case(name, expected):
    assert to_snake_case(name) == expected


def test_names_count_up_and_start_again():
    assert [auto_name("dense") for _ in range(3)] == ["dense", "dense_1", "dense_2"]
    assert auto_name("flatten") == "flatten"
    reset_names()
    assert auto_name("dense") == "dense"
    utils.clear_session()
    assert auto_name("dense") == "dense"


def test_names_are_unique_across_threads():
    names = []
    threads = [
        threading.Thread(target=lambda: names.extend(auto_name("t") for _ in range(200)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(names)) == 1600


# --------------------------------------------------------------------------------------- settings


@pytest.fixture
def settings():
    before = dict(config._state)
    yield
    config._state.update(before)


@pytest.mark.usefixtures("settings")
def test_settings():
    assert (config.floatx(), config.epsilon(), config.image_data_format()) == (
        "float32",
        1e-7,
        "channels_last",
    )
    config.set_floatx("float64")
    config.set_epsilon(1e-3)
    config.set_image_data_format("channels_first")
    config.set_mask_policy("warn")
    assert config.floatx() == "float64"
    assert config.epsilon() == 1e-3
    assert config.image_data_format() == "channels_first"
    assert config.mask_policy() == "warn"
    config.set_floatx("bfloat16")
    assert config.compute_floatx() == "float32"


@pytest.mark.parametrize(
    ("setter", "value", "legal"),
    [
        (config.set_floatx, "float8", "float16"),
        (config.set_floatx, None, "float16"),
        (config.set_image_data_format, "channels", "channels_first"),
        (config.set_mask_policy, "ignore", "warn"),
    ],
)
def test_unknown_settings_list_the_legal_ones(setter, value, legal):
    with pytest.raises(ValueError, match=legal):
        setter(value)


# ------------------------------------------------------------------------------------------ seeds


def test_seed_generators_count_their_draws():
    a, b = random.SeedGenerator(3), random.SeedGenerator(3)
    assert [a.next(), a.next(), a.call] == [1, 2, 2]
    x, y = random.normal((4,), seed=a), random.normal((4,), seed=a)
    assert not np.array_equal(x, y)
    b.next(), b.next()
    np.testing.assert_array_equal(random.normal((4,), seed=b), x)


def test_seed_generators_round_trip():
    a = random.SeedGenerator(3)
    assert a.get_config() == {"seed": 3, "name": "seed_generator"}
    assert random.SeedGenerator.from_config(a.get_config()).seed == 3
    a.next()
    b = pickle.loads(pickle.dumps(a))
    assert (b.seed, b.next()) == (3, 2)


@pytest.mark.parametrize("seed", ["1", 1.5, [1]])
def test_seeds_are_integers(seed):
    with pytest.raises(ValueError, match="integer"):
        random.SeedGenerator(seed)
    with pytest.raises(ValueError, match="integer"):
        random.normal((2,), seed=seed)
    with pytest.raises(ValueError, match="integer"):
        utils.set_random_seed(seed)
    for outside in (-1, 2**32):  # which NumPy does not take
        with pytest.raises(ValueError, match=rf"2\*\*32 - 1.*{outside}"):
            utils.set_random_seed(outside)


@pytest.mark.parametrize("seed", [-1, 2**63, 2**70])
def test_any_integer_is_a_seed(seed):
    assert 0 <= random.SeedGenerator(seed).seed < 2**64
    assert np.all(np.isfinite(random.normal((3,), seed=seed)))


def test_set_random_seed_repeats_everything():
    def draw():
        utils.set_random_seed(5)
        drawn = random.SeedGenerator().seed, python_random.random(), np.random.rand()  # noqa: NPY002
        return drawn, random.uniform((3,))

    (first, x), (second, y) = draw(), draw()
    assert first == second
    np.testing.assert_array_equal(x, y)
    assert not np.array_equal(random.uniform((3,)), x)


def test_draws_in_threads_are_all_different():
    generator, calls = random.SeedGenerator(1), []
    threads = [
        threading.Thread(target=lambda: calls.extend(generator.next() for _ in range(200)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(calls) == list(range(1, 1601))


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "bfloat16"])
def test_draws(kind):
    n = 20000
    expected_dtype = "float32" if kind == "bfloat16" else kind
    x = random.normal((n,), 1.0, 2.0, kind, seed=1).astype("f8")
    assert abs(x.mean() - 1) < 5 * 2 / n**0.5
    assert abs(x.std() - 2) < 5 * 2 / (2 * n) ** 0.5
    u = random.uniform((n,), -1, 3, kind, seed=1)
    assert u.dtype == expected_dtype
    assert u.min() >= -1
    assert u.max() < 3
    assert abs(u.astype("f8").mean() - 1) < 5 * 4 / (12 * n) ** 0.5
    t = random.truncated_normal((n,), 0.0, 0.5, kind, seed=1)
    assert np.all(np.abs(t) <= 1)
    # the variance of a normal cut at 2: 1 - 4 phi(2) / (2 Phi(2) - 1)
    assert abs(t.astype("f8").std() - 0.5 * 0.879626) < 5 * 0.5 / (2 * n) ** 0.5


def test_other_draws():
    i = random.randint((1000,), 2, 5, seed=1)
    assert i.dtype == np.int32
    assert set(i) == {2, 3, 4}
    c = random.categorical(np.log([[0.2, 0.8], [1.0, 1e-30]]), 4000, seed=2)
    assert c.shape == (2, 4000)
    assert abs(c[0].mean() - 0.8) < 0.05
    assert c[1].max() == 0
    x = np.arange(24.0).reshape(6, 4)
    assert sorted(random.shuffle(x, seed=3)[:, 0]) == sorted(x[:, 0])
    d = random.dropout(np.ones((100, 100), np.float32), 0.25, seed=4)
    assert set(np.unique(d)) == {0, np.float32(1 / 0.75)}
    assert abs((d == 0).mean() - 0.25) < 5 * (0.25 * 0.75) ** 0.5 / 100
    d = random.dropout(np.ones((5, 6, 7), np.float32), 0.5, (None, 1, None), seed=4)
    assert np.all(d == d[:, :1])


def test_draws_of_other_distributions():
    n = 20000
    g = random.gamma((n, 2), [0.5, 3.0], seed=1)
    assert g.dtype == np.float32
    assert np.all(abs(g.mean(0) - [0.5, 3]) < 5 * np.sqrt(np.array([0.5, 3]) / n))
    b = random.beta((n,), 2.0, 3.0, "float64", seed=2)
    assert b.dtype == np.float64
    assert abs(b.mean() - 0.4) < 5 * (0.04 / n) ** 0.5
    k = random.binomial((n, 2), np.array([4.0, 10.0]), [0.5, 0.1], seed=3)
    assert k.dtype == np.float32
    assert set(k[:, 0]) == {0, 1, 2, 3, 4}
    assert np.all(abs(k.mean(0) - [2, 1]) < 5 * np.sqrt(np.array([1, 0.9]) / n))
    np.testing.assert_array_equal(random.beta((3,), 2.0, 3.0, seed=2), b[:3].astype("f4"))
    for draw in (random.gamma, random.beta, random.binomial):
        with pytest.raises(ValueError, match="float type"):
            draw((2,), *[1] * (1 if draw is random.gamma else 2), dtype="int32")


# ------------------------------------------------------------------------------------------ utils


def test_malformed_draws():
    with pytest.raises(ValueError, match="integer type"):
        random.randint((2,), 0, 5, dtype="float32")
    for shape in ((5,), (2, 5, 5)):
        with pytest.raises(ValueError, match="rank 2"):
            random.categorical(np.zeros(shape), 3)


def test_to_categorical():
    np.testing.assert_array_equal(
        utils.to_categorical([[0], [2], [1]]), np.eye(3, dtype="f4")[[0, 2, 1]]
    )
    made = utils.to_categorical([0, 1], 4)
    assert (made.shape, made.dtype) == ((2, 4), np.float64)  # as in Keras
    with pytest.raises(ValueError, match="class numbers"):
        utils.to_categorical([0, 5], 3)


def test_normalize():
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(utils.normalize(x), [[0.6, 0.8], [0, 0]])


def test_standardize_dtype():
    assert utils.standardize_dtype(None) == "float32"
    assert utils.standardize_dtype(np.int64) == "int64"
    assert utils.standardize_dtype("bfloat16") == "bfloat16"
    with pytest.raises(ValueError, match="Unknown dtype"):
        utils.standardize_dtype("float33")


def test_comparing_compares_elements_and_a_key_is_itself():
    one, other = Variable(np.zeros(3)), Variable(np.zeros(3))
    assert (one == 0).all()
    assert not (one != np.zeros(3)).any()
    assert len({one: 1, other: 2}) == 2


@pytest.mark.parametrize(
    ("made", "dtype"),
    [
        (lambda v, i: v + i, "float32"),
        (lambda v, i: i - v, "float32"),
        (lambda v, i: v * np.float32(2), "float32"),
        (lambda v, i: i * 2.5, "float32"),
        (lambda v, i: i / i, "float32"),
        (lambda v, i: 3 // i, "int32"),
        (lambda v, i: v**i, "float32"),
    ],
)
def test_arithmetic_has_the_types_of_the_ops(made, dtype):
    reals, integers = Variable([1.0, 2.0]), Variable([1, 2])
    assert made(reals, integers).dtype == dtype


def test_the_state_of_a_seed_generator():
    stream = coreops.random.SeedGenerator(7)
    first = coreops.random.normal((3,), seed=stream)
    assert list(stream.state) == [7, 1]
    again = coreops.random.normal((3,), seed=stream)
    stream.state = [7, 0]
    for expected in (first, again):
        np.testing.assert_array_equal(coreops.random.normal((3,), seed=stream), expected)
    copied = coreops.random.SeedGenerator()
    copied.state = stream.state
    np.testing.assert_array_equal(
        coreops.random.normal((3,), seed=copied), coreops.random.normal((3,), seed=stream)
    )


def test_a_state_is_a_variable():
    stream = coreops.random.SeedGenerator(7, name="draws")
    state = stream.state
    assert state is stream.state
    assert (state.path, state.trainable) == ("draws/seed_generator_state", False)
    before = state.version
    coreops.random.normal((3,), seed=stream)
    assert list(state.numpy()) == [7, 1]
    assert state.version != before
    state.assign([8, 5])
    assert stream.key() == (8, 6)
    twin = pickle.loads(pickle.dumps(stream))
    twin.state = [1, 1]
    assert list(state) == [8, 6]


def test_other_names_of_keras():
    assert coreops.layers.GlobalAvgPool2D is coreops.layers.GlobalAveragePooling2D
    entry = {"class_name": "GlobalMaxPool1D", "config": {"name": "g"}}
    assert isinstance(coreops.layers.deserialize(entry), coreops.layers.GlobalMaxPooling1D)
    assert coreops.preprocessing.sequence.pad_sequences is coreops.utils.pad_sequences
    assert coreops.config.backend() == coreops.backend.backend() == "coreops"
    coreops.mixed_precision.set_global_policy("float64")
    try:
        assert coreops.mixed_precision.global_policy() == coreops.mixed_precision.Policy("float64")
        assert coreops.layers.Dense(2).dtype == "float64"
    finally:
        coreops.mixed_precision.set_global_policy(None)
    assert coreops.dtype_policies.FloatDTypePolicy("float64").compute_dtype == "float64"
    assert coreops.layers.Dense(2).input_dtype == "float32"
    assert Variable([1.0], autocast=False, aggregation="mean").trainable
    assert coreops.layers.Layer().add_weight((2,), aggregation="mean").shape == (2,)
    assert coreops.utils.is_keras_tensor(coreops.KerasTensor((2,), record_history=False))
    assert not coreops.utils.is_keras_tensor(np.zeros(2))
    with pytest.raises(ValueError, match="sparse"):
        coreops.KerasTensor((2,), sparse=True)
    with pytest.raises(TypeError, match="name"):
        coreops.DTypePolicy(32)
