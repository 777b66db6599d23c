"""Files that coreops writes: real Keras reads them, and finds what it would have written."""

import json
import os
import sys
import warnings
import zipfile

import numpy as np
import pytest
from keras_cases import h5py  # noqa: F401 - fixture

import coreops
from coreops.saving import load_model, load_weights

pytestmark = [
    pytest.mark.usefixtures("h5py"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # inside Keras
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # it tries uninitialised memory
    pytest.mark.filterwarnings("ignore:.*numpy backend"),  # int8 there
]

# Keys that Keras 3.15 writes and Keras 3.0 refuses; they are left out where they say nothing.
LEFT_OUT = {"input_axes", "output_axes", "quantization_config"}


def all_options(K):
    """Every layer, with options that are not the default."""
    layers, init = K.layers, K.initializers
    return [
        K.Input((4, 6), name="in"),
        layers.Dense(
            8,
            activation="relu",
            kernel_initializer=init.HeNormal(seed=3),
            bias_initializer=init.Constant(0.1),
            kernel_regularizer=K.regularizers.L1L2(1e-3, 1e-2),
            bias_regularizer="l2",
            activity_regularizer=K.regularizers.L1(2**-13),
            kernel_constraint=K.constraints.MinMaxNorm(0.1, 2.0, rate=0.9, axis=0),
            bias_constraint="non_neg",
            name="first",
        ),
        layers.Dropout(0.25, noise_shape=(None, 1, 8), seed=5),
        layers.Dense(
            5, use_bias=False, kernel_regularizer=K.regularizers.OrthogonalRegularizer(0.25)
        ),
        layers.PReLU(
            "random_uniform",
            alpha_regularizer=K.regularizers.L2(0.1),
            alpha_constraint=K.constraints.MaxNorm(3, axis=1),
            shared_axes=[1],
        ),
        layers.LeakyReLU(negative_slope=0.2),
        layers.ELU(alpha=0.5),
        layers.ReLU(max_value=4.0, negative_slope=0.1, threshold=0.2),
        layers.Activation("tanh"),
        layers.ActivityRegularization(l1=0.1, l2=0.2),
        layers.Permute((2, 1)),
        layers.Reshape((-1, 2)),
        layers.Identity(),
        layers.Softmax(axis=-2),
        layers.Flatten(),
        layers.RepeatVector(3),
        layers.Flatten(data_format="channels_first"),
        layers.Dense(4, activation=K.activations.gelu, trainable=False),
        layers.Dense(3, activation="softmax", dtype="float32"),
    ]


def masked(K):
    layers = K.layers
    return [K.Input((4, 6)), layers.Masking(-1.0), layers.Dense(3, "relu"), layers.Dropout(0.5)]


def nested(K):
    layers = K.layers
    inmost = K.Sequential([layers.Dense(3), layers.Dense(3)], name="inmost")
    inner = K.Sequential([layers.Dense(4, "tanh"), inmost, layers.PReLU()], name="внутри")
    return [K.Input((5,)), layers.Dense(4), inner, layers.Dense(4), K.Sequential([layers.Dense(2)])]


def many(K):
    return [K.Input((3,)), *(K.layers.Dense(3, name=f"größe {i}") for i in range(12))]


def double(K):
    return [
        K.Input((3,), dtype="float64"),
        K.layers.Dense(4, dtype="float64"),
        K.layers.Dense(2, dtype="float64"),
    ]


def fixed_batch(K):
    return [K.Input(batch_shape=(6, 5)), K.layers.Dense(3)]


def without_input(K):
    return [K.layers.Dense(3), K.layers.Dense(2)]


CASES = [all_options, masked, nested, many, double, fixed_batch]


def make(case, K, name="model"):
    K.backend.clear_session()  # so that both count names from the start
    return K.Sequential(case(K), name=name)


def random_weights(model, rng):
    for variable in model.weights:
        variable.assign(rng.normal(size=variable.shape) / 3)


def sample(model, rng):
    """Exact in float32, to which Keras' Sequential converts."""
    x = rng.normal(size=(6, *model.input_shape[1:])).astype(np.float32)
    return x.astype(model.inputs[0].dtype)


def run(model, x):
    return np.asarray(model(x))


def contents(file):
    """Everything in an HDF5 file: paths, attributes, types, shapes, values."""
    found = {}

    def visit(name, item):
        values = item[()].tolist() if hasattr(item, "shape") else None
        attributes = {key: np.asarray(value).tolist() for key, value in item.attrs.items()}
        found[name] = (attributes, str(getattr(item, "dtype", "")), values)

    file.visititems(visit)
    return found


def members(path):
    with zipfile.ZipFile(path) as archive:
        return archive.infolist(), {name: archive.read(name) for name in archive.namelist()}


def without(config, keys):
    if isinstance(config, dict):
        return {key: without(value, keys) for key, value in config.items() if key not in keys}
    if isinstance(config, list):
        return [without(value, keys) for value in config]
    return config


# --- beside Keras -------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_keras_reads_what_coreops_writes(keras, case, rng, tmp_path):
    model = make(case, coreops)
    random_weights(model, rng)
    x = sample(model, rng)
    model.save(tmp_path / "m.keras")
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(run(theirs, x), run(model, x), rtol=0, atol=1e-6)
    theirs = make(case, keras)
    model.save_weights(tmp_path / "m.weights.h5")
    theirs.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_allclose(run(theirs, x), run(model, x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_there_and_back(keras, case, rng, tmp_path):
    """Keras -> file -> coreops -> file -> Keras: nothing is lost on the way."""
    theirs = make(case, keras)
    random_weights(theirs, rng)
    x = sample(theirs, rng)
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    ours.save(tmp_path / "ours.keras")
    again = keras.saving.load_model(tmp_path / "ours.keras")
    np.testing.assert_array_equal(run(again, x), run(theirs, x))
    np.testing.assert_array_equal(run(load_model(tmp_path / "ours.keras"), x), run(ours, x))


@pytest.mark.parametrize("case", CASES)
def test_the_file_is_the_one_that_keras_writes(keras, case, h5py, tmp_path):  # noqa: F811
    """The same members, configs, groups, attributes, types and values."""
    ours, theirs = make(case, coreops), make(case, keras)
    theirs.set_weights(ours.get_weights())
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    (our_entries, our_data), (their_entries, their_data) = (
        members(tmp_path / name) for name in ("ours.keras", "theirs.keras")
    )
    for ours_, theirs_ in zip(our_entries, their_entries, strict=True):
        assert ours_.filename == theirs_.filename
        assert ours_.compress_type == theirs_.compress_type == zipfile.ZIP_STORED
        assert ours_.external_attr == theirs_.external_attr
        assert ours_.date_time == (1980, 1, 1, 0, 0, 0)
    assert json.loads(our_data["metadata.json"]).keys() == {"keras_version", "date_saved"}
    our_config, their_config = (
        without(json.loads(data["config.json"]), {*LEFT_OUT, "shared_object_id"})
        for data in (our_data, their_data)
    )
    assert our_config == their_config
    for name, model in (("ours", ours), ("theirs", theirs)):
        model.save_weights(tmp_path / f"{name}.weights.h5")
        (tmp_path / f"{name}.h5").write_bytes(
            (our_data if model is ours else their_data)["model.weights.h5"]
        )
    for suffix in ("weights.h5", "h5"):
        with (
            h5py.File(tmp_path / f"ours.{suffix}") as our_file,
            h5py.File(tmp_path / f"theirs.{suffix}") as their_file,
        ):
            assert contents(our_file) == contents(their_file)


@pytest.mark.parametrize("case", CASES)
def test_legacy_file(keras, case, h5py, rng, tmp_path):  # noqa: F811
    ours, theirs = make(case, coreops), make(case, keras)
    random_weights(ours, rng)
    theirs.set_weights(ours.get_weights())
    x = sample(ours, rng)
    ours.save(tmp_path / "ours.h5")
    theirs.save(tmp_path / "theirs.hdf5")
    read = keras.saving.load_model(tmp_path / "ours.h5")
    np.testing.assert_allclose(run(read, x), run(ours, x), rtol=0, atol=1e-6)
    with (
        h5py.File(tmp_path / "ours.h5") as our_file,
        h5py.File(tmp_path / "theirs.hdf5") as their_file,
    ):
        assert contents(our_file) == contents(their_file)
        assert our_file.attrs.keys() == their_file.attrs.keys()
        our_config, their_config = (
            without(json.loads(file.attrs["model_config"]), LEFT_OUT)
            for file in (our_file, their_file)
        )
        assert our_config == their_config


def test_legacy_file_with_long_lists_of_names(keras, tmp_path):
    """Attributes of more than 64 KiB are split."""
    layers = [coreops.layers.Dense(1, name=f"{'long' * 500}_{i}") for i in range(40)]
    model = coreops.Sequential([coreops.Input((1,)), *layers])
    model.save(tmp_path / "m.h5")
    read = keras.saving.load_model(tmp_path / "m.h5")
    for own, other in zip(model.get_weights(), read.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)


def test_unbuilt(keras, tmp_path):
    model = make(without_input, coreops)
    with pytest.warns(UserWarning, match="not built"):
        model.save(tmp_path / "m.keras")
    assert not load_model(tmp_path / "m.keras").built
    assert not keras.saving.load_model(tmp_path / "m.keras").built
    with pytest.raises(ValueError, match="not built"):
        model.save_weights(tmp_path / "m.weights.h5")
    assert os.listdir(tmp_path) == ["m.keras"]
    model(np.ones((2, 4), np.float32))
    model.save(tmp_path / "m.keras")
    assert keras.saving.load_model(tmp_path / "m.keras").built


def test_quantized(keras, rng, tmp_path):
    if not hasattr(keras.quantizers, "Int8QuantizationConfig"):
        pytest.skip("a Keras without quantization configs")
    model = make(nested, coreops)
    random_weights(model, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of layers that have no quantized form
        model.quantize("int8")
    x = sample(model, rng)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    again = load_model(tmp_path / "m.keras")
    assert [layer.dtype_policy for layer in again._flatten_layers()] == [
        layer.dtype_policy for layer in model._flatten_layers()
    ]
    np.testing.assert_array_equal(again(x), model(x))
    again.load_weights(tmp_path / "m.weights.h5")
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    assert theirs.layers[0].quantization_mode == "int8"
    np.testing.assert_allclose(run(theirs, x), run(model, x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16"])
@pytest.mark.filterwarnings("ignore:The dtype policy")
def test_half_types(keras, policy, tmp_path):
    """Computed in float32 here; Keras rounds what it reads to the type in the config."""
    layers = coreops.layers
    model = coreops.Sequential([coreops.Input((3,)), layers.Dense(4, dtype=policy, name="half")])
    model.save(tmp_path / "m.keras")
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    assert theirs.layers[0].dtype_policy.name == policy
    for own, read in zip(model.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(np.asarray(read.numpy(), np.float32), own, rtol=2**-8)
    again = load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


# --- what a user brings along -------------------------------------------------------------------


def squared(x):
    return x * x


def custom(K):
    """A registered layer with sublayers in attributes and containers, private ones too."""

    class Block(K.layers.Layer):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.wide = K.layers.Dense(units)
            self._hidden = K.layers.Dense(units)
            self.parts = [K.layers.Dense(units), [K.layers.Dense(units), K.layers.PReLU()]]
            self.by_name = {"b": K.layers.Dense(units), "a": K.layers.Dense(units)}
            self.again = self.parts[0]

        def build(self, input_shape):
            self.shift = self.add_weight(shape=(self.units,), name="shift", initializer="zeros")
            shape = input_shape
            for layer in self.chain():
                if not layer.built:
                    layer.build(shape)
                shape = (*shape[:-1], self.units)

        def chain(self):
            first, (second, third) = self.parts
            return [self.wide, self._hidden, first, second, third, *self.by_name.values()]

        def call(self, x):
            for layer in self.chain():
                x = layer(x)
            return x + self.shift

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], self.units)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return Block


def test_custom_layer(keras, rng, tmp_path, h5py):  # noqa: F811
    ours, theirs = custom(coreops), custom(keras)
    coreops.saving.register_keras_serializable("tests", "Block")(ours)
    keras.saving.register_keras_serializable("tests", "Block")(theirs)
    try:
        model = coreops.Sequential([coreops.Input((4,)), ours(3), coreops.layers.Dense(2)])
        random_weights(model, rng)
        x = sample(model, rng)
        model.save(tmp_path / "m.keras")
        twin = keras.saving.load_model(tmp_path / "m.keras")
        np.testing.assert_allclose(run(twin, x), run(model, x), rtol=0, atol=1e-6)
        np.testing.assert_array_equal(run(load_model(tmp_path / "m.keras"), x), run(model, x))
        twin.save_weights(tmp_path / "theirs.weights.h5")
        model.save_weights(tmp_path / "ours.weights.h5")
        with (
            h5py.File(tmp_path / "ours.weights.h5") as a,
            h5py.File(tmp_path / "theirs.weights.h5") as b,
        ):
            assert contents(a).keys() == contents(b).keys()
        random_weights(model, rng)
        twin.set_weights(model.get_weights())
        model.load_weights(tmp_path / "theirs.weights.h5")
        assert not np.array_equal(run(twin, x), run(model, x))
    finally:
        coreops.saving.get_custom_objects().pop("tests>Block")


def two_paths(K):
    """A subclassed model; in Keras' files its layers are found in more than one way."""

    class TwoPaths(K.Model):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.second = K.layers.Dense(units)
            self._first = K.layers.Dense(4, activation="relu")
            self.by_name = {"a": K.layers.Dense(units), "b": [K.layers.PReLU()]}
            self.alone = K.Sequential([K.layers.Dense(units)])

        def call(self, x):
            x = self.second(self._first(x))
            return self.by_name["b"][0](self.by_name["a"](x)) + self.alone(x)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return TwoPaths


def test_subclassed_model(keras, rng, tmp_path, h5py):  # noqa: F811
    ours, theirs = two_paths(coreops), two_paths(keras)
    keras.saving.register_keras_serializable("tests", "TwoPaths")(theirs)
    coreops.saving.register_keras_serializable("tests", "TwoPaths")(ours)
    x = rng.normal(size=(5, 6)).astype(np.float32)
    try:
        model = ours(3, name="two")
        model(x)
        random_weights(model, rng)
        model.save(tmp_path / "ours.keras")
        model.save_weights(tmp_path / "ours.weights.h5")
        twin = keras.saving.load_model(tmp_path / "ours.keras")
        np.testing.assert_allclose(run(twin, x), run(model, x), rtol=0, atol=1e-6)
        twin.save(tmp_path / "theirs.keras")
        twin.save_weights(tmp_path / "theirs.weights.h5")
        for name in ("ours.keras", "theirs.keras"):
            again = load_model(tmp_path / name)
            assert isinstance(again, ours)
            np.testing.assert_array_equal(run(again, x), run(model, x))
        random_weights(again, rng)
        again.load_weights(tmp_path / "theirs.weights.h5")
        np.testing.assert_array_equal(run(again, x), run(model, x))
        with (
            h5py.File(tmp_path / "ours.weights.h5") as our_file,
            h5py.File(tmp_path / "theirs.weights.h5") as their_file,
        ):
            assert [kept[1:] for kept in contents(our_file).values()] == [
                kept[1:] for kept in contents(their_file).values()
            ]
            assert list(contents(our_file)) == list(contents(their_file))
    finally:
        coreops.saving.get_custom_objects().pop("tests>TwoPaths")
    with pytest.raises(ValueError, match=r"TwoPaths.*custom_objects"):
        load_model(tmp_path / "ours.keras")


def test_subclassed_sequential(tmp_path, rng):
    class Stack(coreops.Sequential):
        def double(self, x):
            return 2 * np.asarray(self(x))

    model = Stack([coreops.Input((3,)), coreops.layers.Dense(2), Stack([coreops.layers.Dense(1)])])
    random_weights(model, rng)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras", custom_objects={"Stack": Stack})
    assert isinstance(again, Stack)
    assert isinstance(again.layers[1], Stack)
    x = sample(model, rng)
    np.testing.assert_array_equal(again.double(x), model.double(x))


def test_lambda(tmp_path):
    layers = coreops.layers
    model = coreops.Sequential([coreops.Input((3,)), layers.Lambda(squared), layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras", custom_objects={"squared": squared})
    x = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(again(x), model(x))


def test_anonymous_lambda(tmp_path):
    double = coreops.layers.Lambda(lambda x: x * 2, name="double")
    model = coreops.Sequential([coreops.Input((3,)), double])
    with pytest.warns(UserWarning, match="lambda"):
        model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"custom_objects=\{'double': function\}"):
        load_model(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras", custom_objects={"double": lambda x: x * 2})
    np.testing.assert_array_equal(again(np.ones((1, 3), np.float32)), [[2, 2, 2]])


# --- coreops alone ------------------------------------------------------------------------------


def test_the_bytes_do_not_depend_on_the_time(tmp_path):
    model = make(nested, coreops)
    for name in ("a", "b"):
        model.save(tmp_path / f"{name}.keras")
        model.save_weights(tmp_path / f"{name}.weights.h5")
    for member in ("config.json", "model.weights.h5"):
        assert members(tmp_path / "a.keras")[1][member] == members(tmp_path / "b.keras")[1][member]
    assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()


def test_all_the_ways_to_say_it(tmp_path):
    model = make(double, coreops)
    random_weights(model, np.random.default_rng(0))
    saved = model.get_weights()
    model.save(str(tmp_path / "a.keras"))
    coreops.saving.save_model(model, tmp_path / "b.keras")
    coreops.models.save_model(model, tmp_path / "c.keras", overwrite=False)
    coreops.saving.save_weights(model, tmp_path / "d.weights.h5")
    for name in ("a.keras", "b.keras", "c.keras", "d.weights.h5"):
        random_weights(model, np.random.default_rng(1))
        assert not np.array_equal(saved[0], model.get_weights()[0])
        model.load_weights(tmp_path / name)
        assert all(map(np.array_equal, saved, model.get_weights()))


def test_chain_from_a_functional_model(keras, tmp_path, rng):
    """It is saved as the Sequential that it is here; its weights as those of the original."""
    inputs = keras.Input((4,))
    chain = keras.Model(inputs, keras.layers.Dense(3)(keras.layers.Dense(2)(inputs)), name="part")
    theirs = keras.Sequential([keras.Input((4,)), chain, keras.layers.Dense(2)])
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    random_weights(ours, rng)
    x = sample(ours, rng)
    ours.save(tmp_path / "ours.keras")
    twin = keras.saving.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(run(twin, x), run(ours, x), rtol=0, atol=1e-6)
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_allclose(run(theirs, x), run(ours, x), rtol=0, atol=1e-6)
    wanted = run(ours, x)
    for name in ("ours.keras", "ours.weights.h5"):
        random_weights(ours, rng)
        load_weights(ours, tmp_path / name)
        np.testing.assert_array_equal(run(ours, x), wanted)


@pytest.mark.parametrize("name", ["m", "m.h", "m.pb", ".keras", ".h5", "m.keras.zip", ""])
def test_other_extensions(tmp_path, name):
    with pytest.raises(ValueError, match=r"`filepath` must be .* '\.keras'.*Received"):
        make(double, coreops).save(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_model_is_no_weights_file(tmp_path):
    with pytest.raises(ValueError, match=r"call `save_weights`.*m\.weights\.h5"):
        make(double, coreops).save(tmp_path / "m.weights.h5")


@pytest.mark.parametrize("name", ["m.h5", "m.keras", ".weights.h5", "weights.h5"])
def test_other_extensions_for_weights(tmp_path, name):
    with pytest.raises(ValueError, match=r"`filepath` must be .* '\.weights\.h5'"):
        make(double, coreops).save_weights(tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_overwrite(tmp_path):
    model = make(double, coreops)
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    before = (tmp_path / "m.keras").read_bytes()
    with pytest.raises(ValueError, match=r"exists already: filepath=.*overwrite=True"):
        model.save(tmp_path / "m.keras", overwrite=False)
    with pytest.raises(ValueError, match="exists already"):
        model.save_weights(tmp_path / "m.weights.h5", overwrite=False)
    assert (tmp_path / "m.keras").read_bytes() == before


def test_paths_that_cannot_be_written(tmp_path):
    model = make(double, coreops)
    with pytest.raises(FileNotFoundError, match=r"filepath=.*directory .*none' does not exist"):
        model.save(tmp_path / "none" / "m.keras")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        model.save_weights(tmp_path / "none" / "m.weights.h5")
    (tmp_path / "d.keras").mkdir()
    with pytest.raises(IsADirectoryError, match="filepath="):
        model.save(tmp_path / "d.keras")
    with pytest.raises(TypeError, match=r"`filepath` must be a path\. Received: 7"):
        model.save(7)


def test_layer_twice(tmp_path):
    layer = coreops.layers.Dense(3, name="shared")
    model = coreops.Sequential([coreops.Input((3,)), layer, coreops.layers.ReLU(), layer])
    with pytest.raises(ValueError, match="'shared' occurs twice"):
        model.save(tmp_path / "m.keras")


def test_config_that_is_no_json(tmp_path):
    class Odd(coreops.layers.Layer):
        def call(self, x):
            return x

        def get_config(self):
            return {**super().get_config(), "odd": {1, 2}}

    model = coreops.Sequential([coreops.Input((3,)), Odd()])
    with pytest.raises(TypeError, match="set"):
        model.save(tmp_path / "m.keras")
    assert os.listdir(tmp_path) == []


def test_without_h5py(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"Writing.*pip install 'coreops\[keras\]'"):
        make(double, coreops).save(tmp_path / "m.keras")
    with pytest.raises(ImportError, match=r"Writing.*pip install 'coreops\[keras\]'"):
        make(double, coreops).save_weights(tmp_path / "m.weights.h5")
    assert os.listdir(tmp_path) == []


class Halved(coreops.layers.Dense):
    """Stores half of its bias, and something that is no weight."""

    count = 0

    def save_own_variables(self, store):
        store["0"], store["half"] = self.kernel.numpy(), self.bias.numpy() / 2
        store["count"] = self.count

    def load_own_variables(self, store):
        self.kernel.assign(store["0"])
        self.bias.assign(store["half"] * 2)
        self.count = int(store["count"])


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.safetensors"])
def test_a_layer_may_store_what_it_likes(tmp_path, name, rng):
    def made():
        parts = [coreops.Input((3,)), Halved(2), coreops.layers.Dense(2)]
        return coreops.Sequential(parts)

    model = made()
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    model.layers[0].count = 5
    if name == "m.weights.h5":
        model.save_weights(tmp_path / name)
        again = made()
        again.load_weights(tmp_path / name)
    else:
        model.save(tmp_path / name)
        again = coreops.saving.load_model(tmp_path / name, custom_objects={"Halved": Halved})
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.layers[0].count == 5


def test_what_a_layer_stores_is_checked(tmp_path):
    for stored in ({"a/b": 1.0}, {"a": "text"}, {1: 1.0}):
        own = type("Own", (coreops.layers.Dense,), {})
        own.save_own_variables = lambda self, store, stored=stored: store.update(stored)
        model = coreops.Sequential([coreops.Input((3,)), own(2, name="apart")])
        with pytest.raises(ValueError, match="Layer 'apart': save_own_variables"):
            model.save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_files_of_a_layers_own_are_refused(tmp_path):
    """What it would have stored must not be lost without a word."""
    own = type("Own", (coreops.layers.Dense,), {"save_assets": lambda self, directory: None})
    model = coreops.Sequential([coreops.Input((3,)), own(2, name="apart")])
    with pytest.raises(NotImplementedError, match=r"layer 'apart': `Own\.save_assets`.*get_config"):
        model.save(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())
    model.save_weights(tmp_path / "m.weights.h5")
    del own.save_assets
    model.save(tmp_path / "m.keras")
    own.load_assets = lambda self, directory: None
    with pytest.raises(ValueError, match=r"Own\.load_assets"):
        load_model(tmp_path / "m.keras", custom_objects={"Own": own})


def test_variables_of_a_layers_own_as_in_files():
    one, other = coreops.layers.Dense(2), coreops.layers.Dense(2, use_bias=False)
    store = {}
    for layer in (one, other):
        layer.build((None, 3))
    one.save_own_variables(store)
    assert sorted(store) == ["0", "1"]
    twin = coreops.layers.Dense(2)
    twin.build((None, 3))
    twin.load_own_variables(store)
    np.testing.assert_array_equal(twin.kernel, one.kernel)
    with pytest.raises(ValueError, match=r"1 variables.*2"):
        other.load_own_variables(store)


def test_a_list_that_holds_itself(tmp_path):
    class Ring(coreops.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.ring = [coreops.layers.Dense(2)]
            self.ring.append(self.ring)

        def call(self, inputs):
            return self.ring[0](inputs)

    model = coreops.Sequential([coreops.Input((3,)), Ring()])
    model.save_weights(tmp_path / "m.weights.h5")
    start = model.get_weights()
    model.set_weights([w + 1 for w in start])
    model.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], start[0])


def test_weights_of_some_layers(tmp_path):
    def made():
        inner = coreops.Sequential([coreops.Input((3,)), coreops.layers.Dense(2)], name="inner")
        return coreops.Sequential([coreops.Input((3,)), inner, coreops.layers.Dense(2)])

    model, path = made(), tmp_path / "some.weights.h5"
    for skipped_when_saved in (False, True):
        skipped = [model.layers[0]] if skipped_when_saved else None
        model.save_weights(path, objects_to_skip=skipped)
        twin = made()
        before = twin.layers[0].get_weights()
        twin.load_weights(path, objects_to_skip=[twin.layers[0]])
        for one, other in zip(
            twin.get_weights(), [*before, *model.layers[1].get_weights()], strict=True
        ):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="do not fit"):
        made().load_weights(path)
    model.save(tmp_path / "some.keras", zipped=True, save_format="keras")
    with pytest.raises(ValueError, match="objects_to_skip"):
        model.load_weights(tmp_path / "some.keras", objects_to_skip=[])


def test_the_optimizer_may_be_skipped(tmp_path):
    def made(steps):
        model = coreops.Sequential([coreops.Input((3,)), coreops.layers.Dense(2)])
        model.compile("adam", "mse")
        for _ in range(steps):
            model.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
        return model

    model, path = made(3), tmp_path / "m.weights.h5"
    model.save_weights(path)
    twin = made(1)
    twin.load_weights(path, objects_to_skip=[twin.optimizer])
    assert int(twin.optimizer.iterations) == 1
    twin.load_weights(path)
    assert int(twin.optimizer.iterations) == 3
    model.save_weights(path, objects_to_skip=[model.optimizer])
    twin = made(1)
    twin.load_weights(path)
    assert int(twin.optimizer.iterations) == 1


@pytest.mark.parametrize(
    "options", [{"zipped": False}, {"save_format": "h5"}, {"save_format": "tf"}, {"signatures": 1}]
)
def test_arguments_of_save(options, tmp_path):
    model = coreops.Sequential([coreops.Input((3,)), coreops.layers.Dense(2)])
    with pytest.raises(ValueError, match="Received"):
        model.save(tmp_path / "m.keras", **options)
    assert not list(tmp_path.iterdir())
