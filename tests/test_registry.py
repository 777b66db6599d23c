"""The closed world: what configs can name, and what hostile ones cannot."""

import contextlib
import json
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coreops import DTypePolicy, Sequential, activations, initializers, layers, regularizers
from coreops.saving import objects, registry
from coreops.saving.objects import deserialize_keras_object, serialize_keras_object


class Point:
    def __init__(self, x, y=0):
        self.x, self.y = x, y

    def get_config(self):
        return {"x": self.x, "y": self.y}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def plain(x):
    return x


@pytest.fixture(autouse=True)
def _clean():
    before = dict(registry._custom), dict(registry._custom_names)
    yield
    for table, old in zip((registry._custom, registry._custom_names), before, strict=True):
        table.clear()
        table.update(old)


# --------------------------------------------------------------------------------------- registry


def test_registering_a_class():
    assert registry.register_keras_serializable("pack", "Spot")(Point) is Point
    assert registry.get_registered_name(Point) == "pack>Spot"
    assert registry.get_registered_object("pack>Spot") is Point
    assert registry.get_custom_objects()["pack>Spot"] is Point


def test_the_default_package():
    registry.register_keras_serializable()(plain)
    assert registry.get_registered_name(plain) == "Custom>plain"


def test_classes_need_get_config():
    with pytest.raises(ValueError, match="get_config"):
        registry.register_keras_serializable()(type("Nothing", (), {}))


def test_names_of_the_unregistered():
    assert registry.get_registered_name(plain) == "plain"
    assert registry.get_registered_object("plain") is None
    assert registry.get_registered_object("plain", {"plain": plain}) is plain
    assert registry.get_registered_object("plain", None, {"plain": plain}) is plain


def test_scopes_nest():
    with registry.custom_object_scope({"a": 1, "b": 2}):
        with registry.CustomObjectScope({"b": 3}):
            assert registry.get_registered_object("a") == 1
            assert registry.get_registered_object("b") == 3
        assert registry.get_registered_object("b") == 2
    assert registry.get_registered_object("a") is None


def test_scopes_close_on_errors():
    with pytest.raises(RuntimeError), registry.custom_object_scope({"a": 1}):
        raise RuntimeError
    assert registry.get_registered_object("a") is None


def test_scopes_belong_to_their_thread():
    seen = []
    with registry.custom_object_scope({"a": 1}):
        thread = threading.Thread(target=lambda: seen.append(registry.get_registered_object("a")))
        thread.start()
        thread.join()
    assert seen == [None]


# --------------------------------------------------------------------------------------- objects


@pytest.mark.parametrize(
    "value",
    [
        None,
        1,
        2.5,
        True,
        "text",
        [1, [2.0, "x"]],
        {"a": {"b": [1, None]}},
        {"class_name": 3},
        b"bytes",
        slice(1, None, 2),
        Ellipsis,
    ],
)
def test_values_round_trip(value):
    config = json.loads(json.dumps(serialize_keras_object(value)))
    assert deserialize_keras_object(config) == value


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool", "uint8"])
def test_arrays_round_trip(dtype):
    x = np.array([[1, 0], [3, 4]], dtype)
    again = deserialize_keras_object(json.loads(json.dumps(serialize_keras_object(x))))
    np.testing.assert_array_equal(again, x)
    assert again.dtype == dtype


def test_numpy_scalars_become_numbers():
    assert serialize_keras_object({"a": np.float32(0.5), "b": np.array(2)}) == {"a": 0.5, "b": 2}
    assert serialize_keras_object((1, 2)) == (1, 2)
    assert serialize_keras_object(np.dtype("float32")) == "float32"


def test_our_objects():
    config = serialize_keras_object(initializers.HeNormal(seed=1))
    assert config == {
        "module": "keras.initializers",
        "class_name": "HeNormal",
        "config": {"seed": 1},
        "registered_name": None,
    }
    assert isinstance(deserialize_keras_object(config), initializers.HeNormal)


def test_our_functions():
    config = serialize_keras_object(activations.relu)
    assert config == {
        "module": "builtins",
        "class_name": "function",
        "config": "relu",
        "registered_name": "function",
    }
    assert deserialize_keras_object(config) is activations.relu


def test_custom_classes():
    config = serialize_keras_object(Point(1, [2]))
    assert config["registered_name"] == config["class_name"] == "Point"
    with pytest.raises(TypeError, match="custom_objects"):
        deserialize_keras_object(config)
    for again in (
        deserialize_keras_object(config, custom_objects={"Point": Point}),
        deserialize_keras_object({**config, "module": None}, {"Point": Point}),
        deserialize_keras_object(
            {k: config[k] for k in ("class_name", "config")}, {"Point": Point}
        ),
    ):
        assert (again.x, again.y) == (1, [2])


def test_registered_classes():
    registry.register_keras_serializable("pack", "Spot")(Point)
    config = serialize_keras_object(Point(1))
    assert config["registered_name"] == "pack>Spot"
    assert isinstance(deserialize_keras_object(config), Point)


def test_objects_inside_objects_know_the_custom_ones():
    class Pair(Point):
        @classmethod
        def from_config(cls, config):
            return cls(*map(deserialize_keras_object, (config["x"], config["y"])))

        def get_config(self):
            return {"x": self.x, "y": self.y}

    config = serialize_keras_object(Pair(Point(1), Point(2)))
    pair = deserialize_keras_object(config, custom_objects={"Pair": Pair, "Point": Point})
    assert (pair.x.x, pair.y.x) == (1, 2)


def test_legacy_configs():
    config = {"class_name": "L2", "config": {"l2": 0.5}}
    assert regularizers.deserialize(config).l2 == 0.5
    assert deserialize_keras_object(config).l2 == 0.5
    again = deserialize_keras_object({"class_name": "GlorotUniform", "config": {"seed": None}})
    assert isinstance(again, initializers.GlorotUniform)


def test_functions_that_lost_their_package():
    """Keras 3.0 to 3.6 wrote the bare name of a registered function."""
    registry.register_keras_serializable("pack")(plain)
    config = {"module": "builtins", "class_name": "function", "config": "plain"}
    assert deserialize_keras_object({**config, "registered_name": "function"}) is plain


def test_a_name_stands_for_its_custom_object():
    assert deserialize_keras_object("plain", {"plain": plain}) is plain
    assert deserialize_keras_object(["plain", "other"], {"plain": plain}) == [plain, "other"]


@pytest.mark.parametrize(
    ("module", "name", "cls"),
    [
        ("keras.src.initializers.random_initializers", "HeNormal", initializers.HeNormal),
        ("keras.src.initializers.constant_initializers", "Identity", initializers.Identity),
        ("keras.src.layers.core.identity", "Identity", layers.Identity),
        ("keras.src.models.sequential", "Sequential", Sequential),
        ("keras.layers", "Identity", layers.Identity),
        ("keras", "Sequential", Sequential),
        ("keras.models", "Sequential", Sequential),
        ("keras", "DTypePolicy", DTypePolicy),
        (None, "DTypePolicy", DTypePolicy),
    ],
)
def test_where_classes_are_found(module, name, cls):
    config = {"module": module, "class_name": name, "registered_name": name}
    assert objects.find_class(config, {}, None) is cls


def test_what_has_no_config():
    with pytest.raises(TypeError, match="get_config"):
        serialize_keras_object(object())
    bad = type("Bad", (), {"get_config": lambda self: [1]})
    with pytest.raises(TypeError, match="must return a dict"):
        serialize_keras_object(bad())
    loop = []
    loop.append(loop)
    endless = type("Endless", (), {"get_config": lambda self: {"loop": loop}})
    with pytest.raises(ValueError, match=r"Endless.get_config\(\) gives what holds itself"):
        serialize_keras_object([endless()])


def test_lambdas_are_written_without_their_code():
    with pytest.warns(UserWarning, match="custom_objects"):
        config = serialize_keras_object(lambda x: x)
    assert config == {"class_name": "__lambda__", "config": {"value": None}}


# ---------------------------------------------------------------------------------------- hostile


@pytest.mark.parametrize("safe_mode", [True, False, None])
def test_lambdas_are_refused(safe_mode):
    config = {"class_name": "__lambda__", "config": {"value": "4wEAAAAAAAAA"}}
    with pytest.raises(ValueError, match=r"custom_objects=\{name: function\}"):
        deserialize_keras_object(config, safe_mode=safe_mode)


def function(module, name, registered_name="function"):
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": registered_name,
    }


def instance(module, name, registered_name=None, **config):
    return {
        "module": module,
        "class_name": name,
        "config": config,
        "registered_name": registered_name,
    }


@pytest.mark.parametrize(
    "config",
    [
        function("os", "system"),
        function("builtins", "eval"),
        function("builtins", "exec"),
        function("keras.utils", "get_file"),
        function("keras.config", "enable_unsafe_deserialization"),
        function("keras.saving", "load_model"),
        function("coreops.saving", "load_model"),
        function("numpy", "load"),
        function("keras.ops", "__builtins__"),
        function("keras.activations", "registry"),
        function("keras.activations", "get"),
        function("../../x", "relu"),
        function(["keras"], "relu"),
        instance("subprocess", "Popen", args=["true"]),
        instance("keras.initializers", "Initializers"),
        instance("keras.initializers", "L2"),
        instance("keras.layers", "L2"),
        instance("keras.src.utils.file_utils", "get_file"),
        instance("keras.layers", "TFSMLayer", filepath="/tmp/x"),
        instance("antigravity", "HeNormal"),
        instance({"a": 1}, "HeNormal"),
        instance("", "HeNormal"),
    ],
)
def test_what_is_not_known_cannot_be_reached(config):
    loaded = set(sys.modules)
    with pytest.raises(TypeError, match="Could not locate"):
        deserialize_keras_object(config)
    assert "antigravity" not in set(sys.modules) - loaded


@pytest.mark.parametrize("name", ["Custom>Evil", "Other>HeNormal", "os.system", ["x"], 3])
def test_a_registered_name_cannot_redirect_what_is_ours(name):
    registry.register_keras_serializable("Custom", "Evil")(Point)
    config = instance("keras.initializers", "HeNormal", name, seed=3)
    with pytest.raises(ValueError, match=r"keras.initializers.HeNormal .*registered_name="):
        deserialize_keras_object(config)
    for known in ("", None, "HeNormal", "Custom>HeNormal"):  # the last by Keras 2
        found = deserialize_keras_object({**config, "registered_name": known})
        assert type(found) is initializers.HeNormal


@pytest.mark.parametrize(
    "config",
    [
        instance("keras.initializers", "HeNormal") | {"config": [1, 2]},
        instance("keras.initializers", "HeNormal") | {"config": "x"},
        instance("keras.initializers", "HeNormal") | {"config": 3},
        instance("keras.initializers", "HeNormal", nonsense=3),
        function("builtins", 3),
        function("builtins", {"class_name": "function"}),
        {"class_name": ["x"], "config": {}},
        {"class_name": None, "config": {}},
        object(),
        {"class_name": "Zeros", "config": object()},
    ],
)
def test_configs_of_the_wrong_type(config):
    with pytest.raises(TypeError):
        deserialize_keras_object(config)


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "__numpy__", "config": {"value": [1], "dtype": "object"}},
        {"class_name": "__numpy__", "config": {"value": [1], "dtype": "O"}},
        {"class_name": "__numpy__", "config": {"value": [1]}},
        {"class_name": "__numpy__", "config": {"dtype": "float32"}},
        {"class_name": "__numpy__", "config": [1]},
        {"class_name": "__tensor__", "config": {"value": [[1], [2, 3]], "dtype": "float32"}},
        {"class_name": "__tensor__", "config": {"value": {"a": 1}, "dtype": "float32"}},
        {"class_name": "__tensor__", "config": {"value": [10**30], "dtype": "int32"}},
        {"class_name": "__bytes__", "config": {"value": 3}},
        {"class_name": "__bytes__", "config": 3},
        {"class_name": "__slice__", "config": {"start": "a"}},
        {"class_name": "__slice__", "config": 3},
        {"class_name": "__typespec__", "config": {}, "spec_name": "x"},
        {"class_name": "__import__", "config": "os"},
    ],
)
def test_malformed_special_values(config):
    with pytest.raises(ValueError, match=r"Malformed|cannot be rebuilt|inhomogeneous"):
        deserialize_keras_object(config)


@pytest.mark.parametrize("wrap", [lambda c: [c], lambda c: {"a": c}])
def test_deep_nesting_is_refused(wrap):
    config = 1
    for _ in range(objects.MAX_DEPTH + 1):
        config = wrap(config)
    with pytest.raises(ValueError, match="nests"):
        deserialize_keras_object(config)
    assert deserialize_keras_object([[1]]) == [[1]]  # the depth is counted from 0 again


def test_nesting_through_from_config_is_refused():
    class Nest(Point):
        @classmethod
        def from_config(cls, config):
            return cls(deserialize_keras_object(config["x"]))

    config = 1
    for _ in range(5000):
        config = instance(None, "Nest", "Nest", x=config)
    with pytest.raises(ValueError, match="nests"):
        deserialize_keras_object(config, {"Nest": Nest})


NAMES = ["HeNormal", "L2", "MaxNorm", "Constant", "Dense", "Lambda", "Sequential", "function"]
NAMES += ["x", "__numpy__", "__slice__", "__bytes__", "__ellipsis__", "__lambda__", "__tensor__"]
KEYS = [
    "module",
    "class_name",
    "config",
    "registered_name",
    "build_config",
    "value",
    "dtype",
    "seed",
]
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats()
    | st.text(max_size=3)
    | st.sampled_from(
        [*NAMES, "keras.layers", "keras", "keras.src.x", "builtins", "float32", "relu"]
    )
)


def containers(children):
    typical = st.fixed_dictionaries(
        {"class_name": st.sampled_from(NAMES), "config": children},
        optional={"module": children, "registered_name": children, "build_config": children},
    )
    return (
        typical
        | st.lists(children, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), children, max_size=4)
    )


@given(st.recursive(LEAVES, containers, max_leaves=12))
@settings(max_examples=500, deadline=None)
def test_any_json_is_an_object_or_a_clear_error(config):
    with contextlib.suppress(TypeError, ValueError):
        deserialize_keras_object(json.loads(json.dumps(config)))


def test_messages_stay_short():
    for config in (
        instance("keras.layers", "x" * 100_000),
        instance("keras.initializers", "HeNormal", nonsense="y" * 100_000),
        instance("z" * 100_000, "w"),
    ):
        with pytest.raises(TypeError) as caught:
            deserialize_keras_object(config)
        assert len(str(caught.value)) < 2000
