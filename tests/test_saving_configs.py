"""Configs that name what they should not, ask for what there is not, or make no sense."""

import contextlib
import copy
import random
import sys

import numpy as np
import pytest
from keras_cases import (
    FILES,
    dense,
    h5py,  # noqa: F401 - fixture
    keras_zip,
    layer,
    refuse,
    sequential,
    weights,
)

import coreops
from coreops.saving import load_model, load_weights
from coreops.saving.archive import read_archive
from coreops.saving.errors import ModelFileError
from coreops.saving.rebuild import rebuild
from coreops.saving.weights import open_weights

pytestmark = pytest.mark.usefixtures("h5py")

LAMBDA_CODE = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}}


HOSTILE_CONFIGS = {
    "giant units": (sequential(dense(units=10**12)), r"\(3, 1000000000000\)"),
    "giant float units": (sequential(dense(units=1e12)), "units"),
    "giant input": (sequential(dense(), shape=(None, 10**15)), "'input' would give"),
    "giant repeat": (
        sequential(layer("RepeatVector", "r", n=10**15)),
        "'r' would give",
    ),
    "giant slopes": (
        sequential(layer("PReLU", "p"), shape=(None, 10**4, 10**4)),
        r"'p' \(PReLU\) needs a weight",
    ),
    "giant build config": (
        sequential({**dense(units=10**10), "build_config": {"input_shape": [None, 10**10]}}),
        "needs a weight",
    ),
    "more weights than stored": (sequential(dense(), dense("d2")), "'d2'"),
    "too many layers": (sequential(*[dense(f"d{i}") for i in range(20_000)]), "10,000 layers"),
    "lambda code": (
        sequential(layer("Lambda", "run_me", function=LAMBDA_CODE)),
        "custom_objects={'run_me': function}",
    ),
    "legacy lambda code": (
        sequential(layer("Lambda", "run_me", function=["4wEAAAA=", None, None])),
        "never run",
    ),
    "lambda code as mask": (
        sequential(layer("Lambda", "l", function="relu", mask=LAMBDA_CODE)),
        "custom_objects={'l_mask': function}",
    ),
    "lambda by import path": (
        sequential(
            layer(
                "Lambda",
                "l",
                function={"module": "os", "class_name": "function", "config": "system"},
            )
        ),
        "system",
    ),
    "module os": (sequential(layer("system", "x", module="os")), r"os\.system"),
    "builtins eval": (sequential(layer("eval", "x", module="builtins")), r"builtins\.eval"),
    "our own internals": (
        sequential(layer("runtime_info", "x", module="coreops")),
        r"coreops\.runtime_info",
    ),
    "Keras internals": (
        sequential(layer("get_file", "x", module="keras.utils", origin="file:///etc/passwd")),
        "get_file",
    ),
    "switch safe mode off": (
        sequential(layer("enable_unsafe_deserialization", "x", module="keras.config")),
        "enable_unsafe",
    ),
    "function as a layer": (
        sequential({"module": "builtins", "class_name": "function", "config": "open", "name": "x"}),
        "not an object",
    ),
    "registered name points elsewhere": (
        sequential({**layer("Nothing", "x"), "registered_name": "builtins>exec"}),
        "Nothing",
    ),
    "layer that reads a file": (
        sequential(layer("StringLookup", "x", vocabulary="/etc/passwd")),
        "StringLookup",
    ),
    "layer that loads a model": (
        sequential(layer("TFSMLayer", "x", filepath="/tmp/evil")),
        "TFSMLayer",
    ),
    "activation by import": (
        sequential(dense(activation={"module": "os", "class_name": "system", "config": {}})),
        "option activation",
    ),
    "activation as code": (sequential(dense(activation=LAMBDA_CODE)), "option activation"),
    "initializer by import": (
        sequential(
            dense(
                kernel_initializer={
                    "module": "subprocess",
                    "class_name": "Popen",
                    "config": {"args": "true"},
                }
            )
        ),
        "option kernel_initializer",
    ),
    "initializer that is a layer": (
        sequential(
            dense(
                kernel_initializer={
                    "module": "keras.layers",
                    "class_name": "Dense",
                    "config": {"units": 10**9},
                    "build_config": {"input_shape": [None, 10**9]},
                }
            )
        ),
        "is a layer",
    ),
    "initializer that is a model": (
        sequential(dense(kernel_initializer=sequential(dense(units=10**8), shape=(None, 100)))),
        "holds a model",
    ),
    "quantizer that is a model": (
        sequential(
            dense(
                quantization_config={
                    "module": "keras.quantizers",
                    "class_name": "Int8QuantizationConfig",
                    "config": {"weight_quantizer": sequential(dense(units=10**8))},
                }
            )
        ),
        "holds a model",
    ),
    "path in a name": (sequential(dense("../../escape")), "not a layer name"),
    "NUL in a name": (sequential(dense("a\0b")), "not a layer name"),
    "number as a name": (sequential(dense(7)), "not a layer name"),
    "unknown option": (sequential(dense(teleport=True)), "unknown option teleport"),
    "quantized": (sequential(dense(quantization_config={"a": 1})), "quantization_config"),
    "weights smuggled in": (sequential(dense(weights=[[1.0]])), "unknown option weights"),
    "wrong types": (sequential(dense(units=[1], use_bias={})), "'d'"),
    "negative input": (sequential(dense(), shape=(None, -3)), "input"),
    "input of text": (sequential(dense(), shape=(None, "x")), "input"),
    "layers is no list": (
        {"class_name": "Sequential", "config": {"name": "m", "layers": {"a": 1}}},
        "not a list",
    ),
    "layer is no object": (sequential(7, None, "Dense"), "not a serialised layer"),
    "no model": (dense(), "not a model"),
    "nothing": ({}, "not a serialised layer"),
    "same name twice": (sequential(dense(), dense()), "already has a layer"),
    "unknown dtype": (sequential(dense(dtype="int7_from_float32")), "quantization mode"),
    "int8 without its weights": (sequential(dense(dtype="int8_from_float32")), "needs a weight"),
    "quantized by a layer": (
        sequential(
            dense(
                quantization_config={
                    "module": "keras.quantizers",
                    "class_name": "Int8QuantizationConfig",
                    "config": {"activation_quantizer": dense()},
                }
            )
        ),
        "option quantization_config",
    ),
}


@pytest.mark.parametrize("case", HOSTILE_CONFIGS, ids=str)
def test_hostile_config(case, tmp_path, h5py):  # noqa: F811
    config, match = HOSTILE_CONFIGS[case]
    refuse(keras_zip(tmp_path / "m.keras", config, weights(h5py)), match)
    refuse(keras_zip(tmp_path / "m.keras", config, weights(h5py)), match, safe_mode=False)


def test_models_nested_too_deep(tmp_path, h5py):  # noqa: F811
    entry = dense()
    for depth in range(40):
        entry = sequential(entry, name=f"m{depth}")
    refuse(keras_zip(tmp_path / "m.keras", entry, weights(h5py)), "nested|deep")


def test_functional_cycle(tmp_path, h5py):  # noqa: F811
    def node(source):
        tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [source, 0, 0]}}
        return [{"args": [tensor], "kwargs": {}}]

    layers = [
        {**dense("a"), "name": "a", "inbound_nodes": node("b")},
        {**dense("b"), "name": "b", "inbound_nodes": node("a")},
    ]
    config = {"name": "f", "layers": layers, "input_layers": [], "output_layers": [["b", 0, 0]]}
    entry = {"module": "keras", "class_name": "Functional", "config": config}
    refuse(keras_zip(tmp_path / "m.keras", entry, weights(h5py)), "loops")


def test_what_keras_writes_beside_a_layers_own_options(tmp_path, h5py):  # noqa: F811
    """ELU(input_shape=(3,)) keeps that; AlphaDropout of `tf.keras` has a module of its own."""
    first = layer("ELU", "e", alpha=1.0, input_shape=[3])
    second = layer("AlphaDropout", "a", module="keras._legacy.layers", rate=0.5)
    path = keras_zip(tmp_path / "m.keras", sequential(first, second, dense()), weights(h5py))
    model = load_model(path)
    assert [type(part).__name__ for part in model.layers] == ["ELU", "AlphaDropout", "Dense"]


STRAY_VALUES = [
    *(None, True, -1, 0, 2**31, 10**30, 1.5, float("nan"), float("inf"), "", "relu", "../x"),
    *([], [None, 3], [[1, 2], [3]], {}, LAMBDA_CODE),
    {"class_name": "Zeros", "config": {}},
    {"module": "os", "class_name": "system", "config": {}},
    {"class_name": "__numpy__", "config": {"value": [1, [2]], "dtype": "float32"}},
]


def places(value):
    """Yield every (container, key) inside a JSON value."""
    for key in value if isinstance(value, dict) else range(len(value)):
        yield value, key
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["options", "prelu", "nested", "chain", "dropout", "softmax_axis"])
def test_configs_changed_at_random(name):
    """Whatever stands where: a model, or the one class of error."""
    archive = read_archive(FILES / f"{name}.keras")
    rng = random.Random(name)
    with open_weights(archive.weights, name) as groups:
        for _ in range(150):
            config = copy.deepcopy(archive.config)
            for _ in range(rng.choice((1, 1, 2, 4))):
                container, key = rng.choice(list(places(config)))
                container[key] = copy.deepcopy(rng.choice(STRAY_VALUES))
            with contextlib.suppress(ModelFileError):
                rebuild(config, groups, {}, name)


# --- one message for everything ---
def test_every_unsupported_part_is_named_at_once():
    with pytest.raises(ModelFileError) as caught:
        load_model(FILES / "refused_layers.keras")
    message = str(caught.value)
    for part in ("edges", "Conv2DTranspose", "memory", "GroupNormalization"):
        assert part in message
    assert "Dense" not in message


def test_layers_options_and_functions_in_one_message(tmp_path, h5py):  # noqa: F811
    config = sequential(
        layer("ConvLSTM1D", "first", filters=3),
        dense("second", teleport=1, kernel_regularizer={"class_name": "Odd", "config": {}}),
        layer("Lambda", "third", function=LAMBDA_CODE),
        sequential(layer("Attention", "fourth"), name="inner"),
    )
    with pytest.raises(ModelFileError) as caught:
        load_model(keras_zip(tmp_path / "m.keras", config, weights(h5py)))
    message = str(caught.value)
    for part in ("first", "ConvLSTM1D", "teleport", "Odd", "third", "fourth", "Attention"):
        assert part in message


def test_message_quotes_little_of_the_file(tmp_path, h5py):  # noqa: F811
    config = sequential(layer("X" * 100_000, "n", value="y" * 100_000))
    with pytest.raises(ModelFileError) as caught:
        load_model(keras_zip(tmp_path / "m.keras", config, weights(h5py)))
    assert len(str(caught.value)) < 2_000


# --- nothing runs ---
_watched: list[tuple] = []
_watching = False


def _watch(event, arguments):
    if _watching:
        _watched.append((event, arguments))


FORBIDDEN = ("exec", "marshal.", "pickle.", "subprocess.", "os.", "socket.", "ctypes.", "urllib.")


@pytest.mark.parametrize("case", HOSTILE_CONFIGS, ids=str)
def test_nothing_runs_and_no_other_file_is_opened(case, tmp_path, h5py):  # noqa: F811
    global _watching
    if _watch not in _hooks:
        sys.addaudithook(_watch)
        _hooks.append(_watch)
    path = keras_zip(tmp_path / "m.keras", HOSTILE_CONFIGS[case][0], weights(h5py))
    with pytest.raises(ModelFileError):
        load_model(path)  # whatever is imported on first use is imported now
    _watched.clear()
    _watching = True
    try:
        with pytest.raises(ModelFileError):
            load_model(path)
    finally:
        _watching = False
    opened = [str(arguments[0]) for event, arguments in _watched if event == "open"]
    assert set(opened) <= {str(path)}
    assert not [event for event, _ in _watched if event.startswith(FORBIDDEN)]


_hooks: list = []


def test_load_weights_of_a_closed_world_needs_no_config(tmp_path, h5py):  # noqa: F811
    """The config of a .keras file is not even interpreted when only its weights are wanted."""
    path = keras_zip(tmp_path / "m.keras", HOSTILE_CONFIGS["module os"][0], weights(h5py))
    model = coreops.Sequential([coreops.Input((3,)), coreops.layers.Dense(2)])
    load_weights(model, path)
    np.testing.assert_array_equal(model.get_weights()[0], np.ones((3, 2)))
