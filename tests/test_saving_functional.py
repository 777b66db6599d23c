"""Functional models in files: those of Keras, our own, and those that nobody should have made."""

from pathlib import Path

import numpy as np
import pytest
from keras_cases import h5py, keras_zip, weights  # noqa: F401

import coreops
from coreops import Model, layers
from coreops.saving import load_model
from coreops.saving.errors import ModelFileError

FILES = Path(__file__).parent / "data" / "functional_files"
CASES = ["residual", "siamese", "encoder", "words", "image", "operators", "attention"]


def flat(outputs):
    if isinstance(outputs, dict):
        return [outputs[key] for key in sorted(outputs)]
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def recorded(name):
    with np.load(FILES / "expected.npz") as records:
        xs, ys = (
            [records[key] for key in sorted(records) if key.startswith(f"{name}/{letter}")]
            for letter in "xy"
        )
    if name == "words":
        return dict(zip(["ids", "more"], xs, strict=True)), ys
    return xs if len(xs) > 1 else xs[0], ys


def check(model, name):
    x, expected = recorded(name)
    for outputs in (model(x), model.predict(x, verbose=0)):
        for one, other in zip(flat(outputs), expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("name", CASES)
def test_files_of_keras(name, tmp_path, h5py):  # noqa: F811
    model = load_model(FILES / f"{name}.keras")
    check(model, name)
    assert model.name == name
    model.save(tmp_path / "again.keras")
    again = load_model(tmp_path / "again.keras")
    check(again, name)
    assert again.get_config() == model.get_config()
    again.save_weights(tmp_path / "some.weights.h5")
    for variable in model.weights:
        variable.assign(np.zeros(variable.shape, variable.dtype))
    model.load_weights(tmp_path / "some.weights.h5")
    check(model, name)


@pytest.mark.parametrize("name", CASES)
def test_each_is_one_plan(name, h5py):  # noqa: F811
    model = load_model(FILES / f"{name}.keras")
    model(recorded(name)[0])
    segments = model._program(training=False).segments()
    seams = [segment for segment in segments if segment.seam is not None]
    seamed = name == "attention"
    assert not seams or seamed
    assert len(segments) == 1 or seamed


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras' NumPy backend
@pytest.mark.parity
@pytest.mark.parametrize("name", CASES)
def test_keras_reads_what_is_written(keras, name, tmp_path, h5py):  # noqa: F811
    model = load_model(FILES / f"{name}.keras")
    model.save(tmp_path / "ours.keras")
    theirs = keras.saving.load_model(tmp_path / "ours.keras")
    x, expected = recorded(name)
    for one, other in zip(flat(theirs(x)), expected, strict=True):
        np.testing.assert_allclose(np.asarray(one), other, rtol=1e-4, atol=1e-5)
    live = coreops.saving.from_keras(theirs)
    check(live, name)


def test_a_compiled_model_goes_on(tmp_path, h5py):  # noqa: F811
    x = coreops.Input((3,), name="x")
    h = layers.Dense(4, activation="tanh")(x)
    model = Model(x, {"p": layers.Dense(1)(h), "q": layers.Dense(2)(h)})
    model.compile("adam", {"p": "mse", "q": "mae"}, loss_weights={"p": 0.5, "q": 2.0},
                  metrics={"q": ["mse"]})  # fmt: skip
    rng = np.random.default_rng(0)
    values = rng.normal(size=(16, 3)).astype("float32")
    y = {"p": values[:, :1], "q": values[:, 1:]}
    model.fit(values, y, verbose=0)
    model.save(tmp_path / "m.keras")
    twin = load_model(tmp_path / "m.keras")
    for one in (model, twin):
        one.fit(values, y, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert twin.evaluate(values, y, verbose=0) == model.evaluate(values, y, verbose=0)


# --- what a file may say ------------------------------------------------------------------------


def tensor(source, node=0, index=0):
    return {
        "class_name": "__keras_tensor__",
        "config": {"shape": [None, 3], "dtype": "float32", "keras_history": [source, node, index]},
    }


def entry(class_name, name, *calls, **config):
    return {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {"name": name, **config},
        "name": name,
        "inbound_nodes": [{"args": [call], "kwargs": {}} for call in calls],
    }


def source(name="x", shape=(None, 3)):
    return entry("InputLayer", name, batch_shape=list(shape), dtype="float32")


def functional(*parts, inputs=("x", 0, 0), outputs=("y", 0, 0), name="f"):
    config = {"name": name, "layers": list(parts), "input_layers": list(inputs),
              "output_layers": list(outputs)}  # fmt: skip
    return {"module": "keras", "class_name": "Functional", "config": config}


def relu(name, *calls):
    return entry("ReLU", name, *calls)


def doubling(times):
    parts, last = [source()], "x"
    for i in range(times):
        parts.append(entry("Concatenate", f"c{i}", [tensor(last), tensor(last)], axis=-1))
        last = f"c{i}"
    return functional(*parts, outputs=(last, 0, 0))


def towers(depth):
    """Each model calls the one inside it twice."""
    inner = functional(source(), relu("y", tensor("x")))
    for i in range(depth):
        called = {
            **inner,
            "name": f"m{i}",
            "inbound_nodes": [
                {"args": [tensor("x")], "kwargs": {}},
                {"args": [tensor(f"m{i}")], "kwargs": {}},
            ],
        }
        called["config"] = {**called["config"], "name": f"m{i}"}
        inner = functional(source(), called, outputs=(f"m{i}", 2, 0))
    return inner


HOSTILE = {
    "a cycle": (
        functional(source(), relu("a", tensor("y")), relu("y", tensor("a"))),
        "loops.*'a', 'y'",
    ),
    "itself": (functional(source(), relu("y", tensor("y"))), "loops"),
    "an unknown layer": (functional(source(), relu("y", tensor("z"))), "loops|nothing"),
    "a call that is not there": (
        functional(source(), relu("y", tensor("x", 1))),
        "nothing|loops|no output",
    ),
    "an output that is not there": (
        functional(source(), relu("y", tensor("x", 0, 7))),
        "no output 7",
    ),
    "an end that is not there": (
        functional(source(), relu("y", tensor("x")), outputs=("q", 0, 0)),
        "no output",
    ),
    "a negative number": (functional(source(), relu("y", tensor("x", -1))), "not an output"),
    "a number that is none": (functional(source(), relu("y", tensor("x", "0"))), "not an output"),
    "two layers of one name": (
        functional(source(), relu("y", tensor("x")), relu("y", tensor("x"))),
        "twice",
    ),
    "an input from nowhere": (
        functional(source(), source("z"), relu("y", tensor("z"))),
        "[Dd]isconnected",
    ),
    "doubling without end": (doubling(60), "would give"),
    "towers": (towers(18), "100,000 calls|nested"),
    "code as an argument": (
        functional(
            source(),
            {**relu("y"), "inbound_nodes": [
                {"args": [tensor("x")],
                 "kwargs": {"f": {"class_name": "__lambda__", "config": {"code": "x"}}}}]},
        ),
        "no graph",
    ),
    "nodes of another kind": (
        functional(source(), {**relu("y"), "inbound_nodes": [7]}),
        "not a call",
    ),
    "layers of another kind": (functional(source(), 7), "not a serialised layer"),
    "an unknown layer class": (
        functional(source(), entry("Warp", "w", tensor("x")), entry("Bend", "y", tensor("w"))),
        "Warp(.|\n)*Bend",
    ),
    "an operation that may take any memory": (
        functional(
            source(),
            {**entry("Outer", "y", tensor("x")), "module": "keras.src.ops.numpy"},
        ),
        "'y'",
    ),
    "an operation that is none": (
        functional(
            source(),
            {**entry("Dense", "y", tensor("x")), "module": "keras.src.ops.numpy"},
        ),
        "'y'",
    ),
    "an option that no operation has": (
        functional(
            source(),
            {**entry("Mean", "y", tensor("x"), code="x"), "module": "keras.src.ops.numpy"},
        ),
        "unknown option code",
    ),
    "an operation that makes much": (
        functional(
            source("x", (None, 1 << 14, 1 << 14)),
            {**entry("Tile", "y", tensor("x"), repeats=[1, 1 << 14, 1]),
             "module": "keras.src.ops.numpy"},
        ),
        "more than",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_graphs_that_are_refused(case, tmp_path, h5py):  # noqa: F811
    config, match = HOSTILE[case]
    with pytest.raises(ModelFileError, match=match):
        load_model(keras_zip(tmp_path / "m.keras", config, weights(h5py)))


def test_operations_that_make_masks_are_left_out(tmp_path, h5py):  # noqa: F811
    ops = "keras.src.ops.numpy"
    config = functional(
        source("x", (None, 4, 3)),
        {**entry("NotEqual", "ne"), "module": ops,
         "inbound_nodes": [{"args": [tensor("x"), 0.0], "kwargs": {}}]},
        entry("Masking", "m", tensor("x"), mask_value=0.0),
        {**entry("Any", "any", tensor("ne"), axis=-1), "module": ops},
        {**relu("y"), "inbound_nodes": [
            {"args": [tensor("m")], "kwargs": {"mask": tensor("any")}}]},
    )  # fmt: skip
    model = load_model(keras_zip(tmp_path / "m.keras", config, weights(h5py, kernel=None)))
    x = np.ones((2, 4, 3), "float32")
    x[:, 2:] = 0
    np.testing.assert_array_equal(model(x)._keras_mask, x.any(-1))


@pytest.mark.parametrize(("compared", "own"), [(0, True), (2, False)])
def test_a_mask_that_no_layer_makes_stays(tmp_path, compared, own):
    """An operation like Embedding's own is left out; another is what the layer takes."""
    ids = coreops.Input((4,), dtype="int32")
    h = layers.Embedding(3, 2, mask_zero=True)(ids)
    h = layers.GlobalAveragePooling1D()(h, mask=coreops.ops.not_equal(ids, compared))
    model = Model(ids, h)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    x = np.array([[0, 1, 2, 1], [2, 2, 0, 1]])
    np.testing.assert_array_equal(again(x), model(x))
    kept = [layer for layer in again.operations if "not_equal" in layer.name]
    assert bool(kept) != own


def test_calls_in_the_form_of_keras_2(tmp_path, h5py):  # noqa: F811
    config = functional(
        source("a"),
        source("b"),
        {**entry("Add", "y"), "inbound_nodes": [[["a", 0, 0, {}], ["b", 0, 0, {}]]]},
        inputs=[["a", 0, 0], ["b", 0, 0]],
        outputs=[["y", 0, 0]],
    )
    model = load_model(keras_zip(tmp_path / "m.keras", config, weights(h5py, kernel=None)))
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(model([x, 2 * x]), 3 * x)
