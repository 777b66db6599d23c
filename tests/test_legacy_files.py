"""Files of Keras 1 and 2, against what Keras itself computed; and the legacy files of Keras 3."""

import io
import json
import warnings
import zipfile

import numpy as np
import pytest
from keras_cases import FILES, h5py, refuse  # noqa: F401 - fixture

import coreops
from coreops.saving import load_model, load_weights
from coreops.saving.errors import ModelFileError
from coreops.saving.hdf5 import Stored
from coreops.saving.legacy_config import modern_model
from coreops.saving.legacy_layouts import converted

pytestmark = pytest.mark.usefixtures("h5py")

with zipfile.ZipFile(FILES.parent / "legacy_files.zip") as archive:
    MEMBERS = {name: archive.read(name) for name in archive.namelist()}
RECORDS = np.load(io.BytesIO(MEMBERS["expected.npz"]))
NAMES = sorted({key.partition("/")[0] for key in RECORDS.files})


def square(x):
    return x * x


def arrays(name, kind):
    """The inputs (x) or outputs (y) of a case."""
    return [RECORDS[key] for key in sorted(RECORDS.files) if key.startswith(f"{name}/{kind}")]


def member(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(MEMBERS[name])
    return path


def load(path, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*the state of the optimizer")
        return load_model(path, custom_objects={"squared": square}, **options)


def assert_equal_outputs(model, name):
    inputs, wanted = arrays(name, "x"), arrays(name, "y")
    outputs = model(inputs[0] if len(inputs) == 1 else inputs)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    for output, y in zip(outputs, wanted, strict=True):
        bound = 1e-12 if y.dtype == np.float64 else 1e-5
        np.testing.assert_allclose(output, y, rtol=bound, atol=bound * max(1, np.abs(y).max()))


# --- Keras 2 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("name", NAMES)
def test_equals_keras_2(name, suffix, tmp_path):
    model = load(member(tmp_path, f"{name}.{suffix}"))
    assert_equal_outputs(model, name)


@pytest.mark.parametrize("name", ["hard_sigmoid", "gru", "convolution", "normalized", "shared"])
@pytest.mark.parametrize("suffix", [".keras", ".h5", ".safetensors"])
def test_converted(name, suffix, tmp_path):
    """Saved again in any form, it still computes what Keras 2 did."""
    load(member(tmp_path, f"{name}.h5")).save(tmp_path / f"new{suffix}")
    assert_equal_outputs(load(tmp_path / f"new{suffix}"), name)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["lstm", "wrapped", "convolution", "shared"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_3_reads_what_was_converted(keras, name, suffix, tmp_path):
    """Also where it refuses the file itself."""
    load(member(tmp_path, f"{name}.h5")).save(tmp_path / f"new{suffix}")
    assert_equal_outputs(keras.saving.load_model(tmp_path / f"new{suffix}"), name)


@pytest.mark.parametrize("name", ["dense", "nested", "lstm", "normalized", "branches"])
@pytest.mark.parametrize("kind", ["h5", "weights-only.h5", "weights.h5"])
def test_load_weights(name, kind, tmp_path):
    model = load(member(tmp_path, f"{name}.keras"), compile=False)
    for variable in model.weights:
        variable.assign(np.zeros(variable.shape))
    path = tmp_path / f"w.{kind}"  # Keras before 2.13 had but one format for any name
    path.write_bytes(MEMBERS[f"{name}.{'h5' if kind == 'h5' else 'weights-only.h5'}"])
    model.load_weights(path)
    assert_equal_outputs(model, name)


@pytest.mark.parametrize("name", ["nested", "lstm", "branches", "hard_sigmoid", "named_lambda"])
def test_json_of_keras_2(name, tmp_path):
    """What its `to_json` gave is that config and the version."""
    with zipfile.ZipFile(io.BytesIO(MEMBERS[f"{name}.keras"])) as archive:
        entry = json.loads(archive.read("config.json"))
    text = json.dumps(
        {key: entry[key] for key in ("class_name", "config")} | {"keras_version": "2.21.0"}
    )
    model = coreops.models.model_from_json(text, {"squared": square})
    model.load_weights(member(tmp_path, f"{name}.h5"))
    assert_equal_outputs(model, name)


def test_old_hard_sigmoid(tmp_path):
    """0.2 x + 0.5 and not x / 6 + 0.5: Keras 3 itself reads such a file wrongly."""
    model = load(member(tmp_path, "hard_sigmoid.h5"))
    x = np.array([[1.0, -1.0, 2.0, 0.5]], np.float32)
    first = model.layers[0]
    np.testing.assert_allclose(
        first(x), np.clip(0.2 * (x @ first.kernel.value + first.bias.value) + 0.5, 0, 1), rtol=1e-6
    )
    model.save(tmp_path / "again.keras")  # it keeps its meaning in a file of Keras 3's form
    assert_equal_outputs(load_model(tmp_path / "again.keras"), "hard_sigmoid")


def test_compiled_as_it_was(tmp_path):
    for suffix in ("h5", "keras"):
        model = load(member(tmp_path, f"dense.{suffix}"))
        assert type(model.optimizer).__name__ == "Adam"
        assert int(model.optimizer.iterations) == 2
        assert float(model.optimizer.learning_rate) == pytest.approx(0.001)
        assert np.abs(model.optimizer.variables[2].numpy()).max() > 0
        x = arrays("dense", "x")[0]
        model.fit(x, np.eye(2)[[0, 1, 0]], verbose=0)
        model = load(member(tmp_path, f"losses_as_objects.{suffix}"))
        assert model.optimizer.momentum == 0.9
        assert model.loss.get_config()["from_logits"] is True


def test_optimizer_in_an_old_order_begins_anew(tmp_path):
    path = member(tmp_path, "legacy_optimizer.h5")
    with pytest.warns(UserWarning, match=r"before Keras 2\.11"):
        model = load_model(path)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    assert int(model.optimizer.iterations) == 0
    model.fit(np.ones((2, 4)), np.ones((2, 3)), verbose=0)


def test_code_of_a_lambda_is_refused(tmp_path):
    for suffix in ("h5", "keras"):
        path = member(tmp_path, f"named_lambda.{suffix}")
        refuse(path, "custom_objects={'squared': function}")
        refuse(path, "never run", safe_mode=False)


def test_hdf5_under_the_name_of_an_archive(tmp_path):
    """What tf.keras before 2.12 wrote for `model.save("m.keras")`."""
    path = tmp_path / "m.keras"
    path.write_bytes(MEMBERS["dense.h5"])
    assert_equal_outputs(load(path), "dense")


def test_weights_by_name(tmp_path):
    layers = coreops.layers
    model = coreops.Sequential(
        [coreops.Input((4,)), layers.Dense(5, name="dense"), layers.Dense(7, name="other")]
    )
    other = model.layers[1].get_weights()
    path = member(tmp_path, "dense.weights-only.h5")
    with pytest.raises(ModelFileError, match=r"'other' has variables \[\(5, 7\), \(7,\)\]"):
        load_weights(model, path)
    load_weights(model, path, by_name=True)
    original = load(member(tmp_path, "dense.h5"))
    np.testing.assert_array_equal(model.get_weights()[0], original.get_weights()[0])
    np.testing.assert_array_equal(model.layers[1].get_weights()[0], other[0])
    with pytest.warns(UserWarning, match="do not fit"):
        load_weights(model, path, skip_mismatch=True)
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(ValueError, match="legacy"):
        load_weights(model, tmp_path / "m.weights.h5", by_name=True)


def test_another_number_of_layers(tmp_path):
    model = coreops.Sequential([coreops.Input((4,)), coreops.layers.Dense(5)])
    with pytest.raises(ModelFileError, match="weights for 2 layers, the model has 1"):
        load_weights(model, member(tmp_path, "dense.weights-only.h5"))
    with pytest.raises(ModelFileError, match="load_weights"):
        load_model(member(tmp_path, "dense.weights-only.h5"))


# --- Keras 1 and the first versions of Keras 2 ----------------------------------------------------


def write(h5py, path, layers, weights, version="1.2.2"):  # noqa: F811
    """A file in the form of Keras 1: names of a fixed length, lists as configs."""
    config = {"class_name": "Sequential", "config": layers}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = np.bytes_(version)
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["model_config"] = np.bytes_(json.dumps(config))
        root = file.create_group("model_weights")
        root.attrs["layer_names"] = np.array(list(weights), "S")
        for name, values in weights.items():
            group = root.create_group(name)
            names = [f"{name}_{i}" for i in range(len(values))]
            group.attrs["weight_names"] = np.array(names, "S") if names else np.zeros(0)
            for key, value in zip(names, values, strict=True):
                group[key] = value
    return path


def test_keras_1(h5py, rng, tmp_path):  # noqa: F811
    kernel, bias = rng.normal(size=(4, 3)).astype("f4"), rng.normal(size=3).astype("f4")
    layers = [
        {
            "class_name": "Dense",
            "config": {
                "name": "dense_1",
                "trainable": True,
                "batch_input_shape": [None, 4],
                "input_dtype": "float32",
                "input_dim": None,
                "output_dim": 3,
                "init": "glorot_uniform",
                "activation": "hard_sigmoid",
                "W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.01},
                "b_regularizer": None,
                "activity_regularizer": None,
                "W_constraint": {"name": "MaxNorm", "m": 2, "axis": 0},
                "b_constraint": None,
                "bias": True,
            },
        },
        {"class_name": "Dropout", "config": {"name": "dropout_1", "trainable": True, "p": 0.3}},
    ]
    weights = {"dense_1": [kernel, bias], "dropout_1": []}
    model = load_model(write(h5py, tmp_path / "m.h5", layers, weights))
    x = rng.normal(size=(5, 4)).astype("f4")
    wanted = np.clip(0.2 * (x @ kernel + bias) + 0.5, 0, 1)
    np.testing.assert_allclose(model(x), wanted, rtol=1e-5, atol=1e-6)
    assert model.layers[0].kernel_regularizer.get_config()["l2"] == pytest.approx(0.01)
    assert model.layers[0].kernel_constraint.max_value == 2
    assert model.layers[1].rate == 0.3
    assert model.input_shape == (None, 4)


def fake(**configs):
    """A Sequential of Keras 2 whose layers are given as class=config."""
    layers = [
        {"class_name": name, "config": {"name": name.lower(), **config}}
        for name, config in configs.items()
    ]
    return {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}


def translated(**configs):
    """The configs after translation, by class."""
    layers = modern_model(fake(**configs))["config"]["layers"]
    return {layer["class_name"]: layer["config"] for layer in layers}


def test_recurrent_configs():
    made = translated(
        LSTM={
            "batch_input_shape": [None, 4, 3],
            "output_dim": 5,
            "inner_activation": "hard_sigmoid",
            "inner_init": "orthogonal",
            "forget_bias_init": "one",
            "dropout_W": 0.1,
            "dropout_U": 0.2,
            "consume_less": "cpu",
            "input_dim": 3,
            "input_length": None,
        },
        GRU={"units": 2, "implementation": 1, "time_major": False},
        SimpleRNN={"units": 2, "recurrent_activation": None},
    )
    assert made["InputLayer"] == {
        "name": "lstm_input",
        "batch_shape": [None, 4, 3],
        "dtype": "float32",
    }
    assert made["LSTM"] == {
        "name": "lstm",
        "units": 5,
        "recurrent_activation": "legacy_hard_sigmoid",
        "recurrent_initializer": "orthogonal",
        "unit_forget_bias": True,
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
    }
    assert made["GRU"] == {"name": "gru", "units": 2, "reset_after": False}
    with pytest.raises(ModelFileError, match="time_major=True"):
        translated(LSTM={"units": 2, "time_major": True})


def test_other_configs():
    made = translated(
        Convolution2D={
            "nb_filter": 8,
            "nb_row": 3,
            "nb_col": 2,
            "border_mode": "same",
            "subsample": [2, 2],
            "dim_ordering": "th",
            "bias": False,
            "init": "he_normal",
        },
        BatchNormalization={"axis": [3], "mode": 0, "gamma_init": "one"},
        Embedding={"input_dim": 9, "output_dim": 4, "init": "uniform", "input_length": 7},
        Bidirectional={
            "layer": {"class_name": "CuDNNGRU", "config": {"units": 2, "name": "g"}},
        },
        LeakyReLU={"alpha": 0.2},
        ZeroPadding1D={"padding": {"left_pad": 1, "right_pad": 2}},
        ZeroPadding2D={"padding": [1, 2, 3, 4]},
        AtrousConvolution1D={"atrous_rate": 2, "nb_filter": 3, "filter_length": 2},
        TimeDistributedDense={"output_dim": 3, "input_dim": 2, "input_length": None},
        Lambda={"function": "relu", "function_type": "function", "module": "os"},
    )
    assert made["Conv2D"] == {
        "name": "convolution2d",
        "filters": 8,
        "kernel_size": [3, 2],
        "padding": "same",
        "strides": [2, 2],
        "data_format": "channels_first",
        "use_bias": False,
        "kernel_initializer": "he_normal",
    }
    assert made["BatchNormalization"]["axis"] == 3
    assert made["BatchNormalization"]["gamma_initializer"] == "one"
    assert "input_length" not in made["Embedding"]
    assert made["Embedding"]["embeddings_initializer"] == "uniform"
    inner = made["Bidirectional"]["layer"]
    assert inner["class_name"] == "GRU"
    assert inner["config"]["reset_after"] is True
    assert made["LeakyReLU"] == {"name": "leakyrelu", "negative_slope": 0.2}
    assert "module" not in made["Lambda"]
    assert made["ZeroPadding1D"]["padding"] == [1, 2]
    assert made["ZeroPadding2D"]["padding"] == [[1, 2], [3, 4]]
    assert made["Conv1D"]["dilation_rate"] == 2
    assert made["Dense"] == {"name": "timedistributeddense", "units": 3}
    with pytest.raises(ModelFileError, match="renorm=True"):
        translated(BatchNormalization={"renorm": True})


def test_merges_of_keras_1():
    raw = {"mode_type": "raw", "concat_axis": -1, "dot_axes": [2, 1], "output_mask": None}
    entry = fake(**{f"Merge_{mode}": {"mode": mode, **raw} for mode in ("sum", "concat", "cos")})
    code = {"mode": ["4wEA", None, None], "mode_type": "lambda", "arguments": {"a": 2}}
    entry["config"]["layers"] += fake(Merge=code)["config"]["layers"]
    for layer in entry["config"]["layers"]:
        layer["class_name"] = "Merge"
    total, joined, cosine, own = modern_model(entry)["config"]["layers"]
    assert total == {"class_name": "Add", "config": {"name": "merge_sum"}}
    assert joined == {"class_name": "Concatenate", "config": {"name": "merge_concat", "axis": -1}}
    assert cosine["class_name"] == "Dot"
    assert cosine["config"] == {"name": "merge_cos", "axes": [2, 1], "normalize": True}
    assert own["class_name"] == "Lambda"
    assert own["config"]["function"]["class_name"] == "__lambda__"
    assert own["config"]["arguments"] == {"a": 2}
    with pytest.raises(ModelFileError, match="begins with a Merge"):
        translated(Merge={"mode": "sum", "mode_type": "raw", "layers": []})


def test_graph_configs():
    """[layer, call, output, options] becomes the arguments of a call."""

    def layer(name, class_name, nodes):
        return {
            "class_name": class_name,
            "name": name,
            "config": {"name": name},
            "inbound_nodes": nodes,
        }

    entry = {
        "class_name": "Model",
        "config": {
            "name": "m",
            "layers": [
                layer("a", "Add", [[["x", 0, 0, {}], ["y", 0, 0, {}]]]),
                layer("b", "Dense", [[["a", 0, 0, {"training": False}]], [["x", 1, 0]]]),
                {**layer("n", "Sequential", [[["a", 0, 0, {}]]]), "config": {"layers": []}},
                layer("d", "Dense", [[["n", 1, 0, {}]]]),
                layer("e", "Add", [[["a", 0, 0, {}]]]),
                layer("c", "GRU", [[["x", 0, 0, {"mask": ["a", 0, 0]}], ["y", 0, 0]]]),
            ],
            "input_layers": [["x", 0, 0]],
            "output_layers": [["c", 0, 0]],
        },
    }
    a, b, _, d, e, c = (part["inbound_nodes"] for part in modern_model(entry)["config"]["layers"])

    def tensor(*history):
        return {"class_name": "__keras_tensor__", "config": {"keras_history": list(history)}}

    assert a == [{"args": [[tensor("x", 0, 0), tensor("y", 0, 0)]], "kwargs": {}}]
    assert b[0] == {"args": [tensor("a", 0, 0)], "kwargs": {"training": False}}
    assert b[1] == {"args": [tensor("x", 1, 0)], "kwargs": {}}
    assert d == [{"args": [tensor("n", 0, 0)], "kwargs": {}}]  # the first call of a model was 1
    assert e == [{"args": [[tensor("a", 0, 0)]], "kwargs": {}}]
    wanted = {"mask": tensor("a", 0, 0), "initial_state": [tensor("y", 0, 0)]}
    assert c == [{"args": [tensor("x", 0, 0)], "kwargs": wanted}]


def test_names_with_a_slash(h5py, rng, tmp_path):  # noqa: F811
    """As in Keras 2's DenseNet; in an HDF5 file they are groups in groups."""
    kernel, bias = rng.normal(size=(4, 3)).astype("f4"), rng.normal(size=3).astype("f4")
    config = {"name": "block/one", "units": 3, "batch_input_shape": [None, 4]}
    layers = [{"class_name": "Dense", "config": config}]
    path = write(h5py, tmp_path / "m.h5", layers, {"block/one": [kernel, bias]}, "2.2.4")
    model = load_model(path)
    assert model.layers[0].name == "block_one"
    np.testing.assert_array_equal(model.layers[0].kernel.value, kernel)
    model.layers[0].kernel.assign(kernel * 2)
    model.load_weights(path, by_name=True)
    np.testing.assert_array_equal(model.layers[0].kernel.value, kernel)


# --- layouts of weights ---------------------------------------------------------------------------


def laid_out(class_name, arrays, *, version=2, backend="tensorflow", **config):
    """The arrays of a layer in today's layout."""
    stored = [Stored(array.shape, array.dtype, lambda array=array: array) for array in arrays]
    entry = {"class_name": class_name, "config": {"name": "l", **config}}
    made = converted(entry, stored, version, backend)
    values = [one.read() for one in made]
    assert [one.shape for one in made] == [value.shape for value in values]
    return values


def test_gates_of_keras_1(rng):
    """LSTM: input, cell, forget, output, each W, U, b; GRU: update, reset, cell."""
    shapes = [(3, 2), (2, 2), (2,)]
    lstm = [rng.normal(size=shape) for _ in "icfo" for shape in shapes]
    for part, made in enumerate(laid_out("LSTM", lstm, version=1)):
        i, c, f, o = lstm[part::3]
        np.testing.assert_array_equal(made, np.concatenate([i, f, c, o], axis=-1))
    gru = [rng.normal(size=shape) for _ in "zrh" for shape in shapes]
    for part, made in enumerate(laid_out("GRU", gru, version=1)):
        np.testing.assert_array_equal(made, np.concatenate(gru[part::3], axis=-1))
    inner = {"class_name": "LSTM", "config": {"units": 2}}
    both = laid_out("Bidirectional", [*lstm, *lstm], version=1, layer=inner)
    np.testing.assert_array_equal(both[0], both[3])
    with pytest.raises(ModelFileError, match="differ in shape"):
        laid_out("LSTM", [*lstm[:9], np.zeros((4, 2)), *lstm[10:]], version=1)


@pytest.mark.parametrize(("name", "gates"), [("CuDNNLSTM", 4), ("CuDNNGRU", 3)])
def test_weights_of_cudnn(name, gates, rng):
    """cuDNN has, gate by gate, the transposed kernels in row-major order, and two biases."""
    features, units = 5, 3
    kernel, recurrent = (rng.normal(size=(n, gates * units)) for n in (features, units))
    bias = rng.normal(size=2 * gates * units)
    made = laid_out(name, [kernel, recurrent, bias])
    for gate in range(gates):
        part = slice(gate * units, (gate + 1) * units)
        flat = kernel[:, part].ravel()  # what cuDNN reads as (units, features)
        wanted = [[flat[u * features + f] for u in range(units)] for f in range(features)]
        np.testing.assert_array_equal(made[0][:, part], wanted)
        np.testing.assert_array_equal(made[1][:, part], recurrent[:, part].T)
    if gates == 4:
        np.testing.assert_array_equal(made[2], bias[: 4 * units] + bias[4 * units :])
    else:
        np.testing.assert_array_equal(made[2], bias.reshape(2, -1))
    with pytest.raises(ModelFileError, match="do not belong together"):
        laid_out(name, [kernel, recurrent, bias[:-1]])


def test_kernels_of_convolutions(rng):
    kernel, bias = rng.normal(size=(3, 2, 4, 5)), rng.normal(size=5)
    (made, _) = laid_out("Conv2D", [kernel, bias], backend="theano")
    np.testing.assert_array_equal(made, kernel[::-1, ::-1])
    (made, _) = laid_out(
        "Convolution2D", [kernel.transpose(3, 2, 0, 1), bias], version=1, dim_ordering="th"
    )
    np.testing.assert_array_equal(made, kernel)
    flat = kernel[:, 0]
    (made, _) = laid_out("Convolution1D", [flat[:, None], bias], version=1, nb_filter=5)
    np.testing.assert_array_equal(made, flat)
    first = flat.transpose(2, 1, 0)[..., None]
    (made, _) = laid_out("Convolution1D", [first, bias], version=1, nb_filter=5)
    np.testing.assert_array_equal(made, flat)
    with pytest.raises(ModelFileError, match="kernel of shape"):
        laid_out("Convolution1D", [kernel, bias], version=1, nb_filter=7)
    (made, _) = laid_out("Conv2D", [kernel, bias])
    assert made is kernel
    turned = [kernel.transpose(3, 2, 0, 1), bias]
    (made, _) = laid_out("Convolution2D", turned, version=1, backend="", dim_ordering="th")
    np.testing.assert_array_equal(made, kernel[::-1, ::-1])  # a backend that is not named
    (made, _) = laid_out("Convolution2D", [kernel, bias], version=1, backend="", dim_ordering="tf")
    assert made is kernel


def test_weights_alone_are_laid_out_for_the_model(h5py, rng, tmp_path):  # noqa: F811
    """The file does not say what its layers are: gates of Keras 1, two biases, flipped kernels."""
    K = coreops.layers
    kernel = rng.normal(size=(3, 2, 4, 5)).astype("f4")
    gates = [rng.normal(size=size).astype("f4") for _ in "icfo" for size in ((4, 3), (3, 3), 3)]
    cudnn = [rng.normal(size=size).astype("f4") for size in ((4, 9), (3, 9), 18)]
    for layer, shape, version, values, wanted in (
        (K.Conv2D(5, (3, 2), use_bias=False), (6, 6, 4), "2.2.4", [kernel], [kernel[::-1, ::-1]]),
        (
            K.Conv2D(5, (3, 2), use_bias=False, data_format="channels_first"),
            (4, 6, 6),
            "1.2.2",
            [kernel.transpose(3, 2, 0, 1)],
            [kernel[::-1, ::-1]],
        ),
        (K.LSTM(3), (None, 4), "1.2.2", gates, laid_out("LSTM", gates, version=1)),
        (K.GRU(3), (None, 4), "2.2.4", cudnn, laid_out("CuDNNGRU", cudnn)),
    ):
        path = tmp_path / f"{layer.name}{version}.h5"
        with h5py.File(path, "w") as file:
            if version[0] == "2":  # the first did not write these
                file.attrs["keras_version"], file.attrs["backend"] = version, "theano"
            file.attrs["layer_names"] = np.array(["of_another_name"], "S")
            group = file.create_group("of_another_name")
            group.attrs["weight_names"] = np.array([f"w{i}" for i in range(len(values))], "S")
            for number, value in enumerate(values):
                group[f"w{number}"] = value
        model = coreops.Sequential([K.Input(shape), layer])
        model.load_weights(path)
        for variable, value in zip(model.weights, wanted, strict=True):
            np.testing.assert_array_equal(variable.value, value)


# --- Keras 3's own legacy files -------------------------------------------------------------------


def stack(K):
    layers = K.layers
    inner = K.Sequential([layers.Dense(4, "hard_sigmoid"), layers.PReLU()], name="inner")
    parts = [layers.Dense(5, "relu"), inner, layers.Identity(), layers.Dense(2)]
    return K.Sequential([K.Input((6,)), *parts], name="s")


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")
def test_keras_3_legacy_file(keras, rng, tmp_path):
    theirs = stack(keras)
    theirs.compile("adam", "mse", metrics=["mae"])
    theirs.save(tmp_path / "m.h5")
    theirs.save_weights(tmp_path / "w.weights.h5")
    ours = load_model(tmp_path / "m.h5")
    x = rng.normal(size=(5, 6)).astype(np.float32)
    np.testing.assert_allclose(ours(x), np.asarray(theirs(x)), rtol=1e-5, atol=1e-6)
    assert type(ours.optimizer).__name__ == "Adam"
    ours.fit(x, np.ones((5, 2)), verbose=0)


def test_our_own_legacy_file(rng, tmp_path):
    model = stack(coreops)
    model.compile("adam", "mse")
    x = rng.normal(size=(5, 6)).astype(np.float32)
    model.fit(x, np.ones((5, 2)), verbose=0)
    model.save(tmp_path / "m.hdf5")
    twin = load_model(tmp_path / "m.hdf5")
    np.testing.assert_array_equal(twin(x), model(x))
    for ours, theirs in zip(model.optimizer.variables, twin.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    again = stack(coreops)
    again.load_weights(tmp_path / "m.hdf5")
    np.testing.assert_array_equal(again(x), model(x))


def test_long_lists_of_names_are_in_parts(tmp_path):
    layers = [coreops.layers.Dense(1, name=f"layer_{i:03}_" + "n" * 400) for i in range(200)]
    model = coreops.Sequential([coreops.Input((1,)), *layers])
    model.save(tmp_path / "m.h5")
    x = np.ones((2, 1), np.float32)
    np.testing.assert_array_equal(load_model(tmp_path / "m.h5")(x), model(x))
