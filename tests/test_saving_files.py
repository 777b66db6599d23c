"""Files that real Keras wrote, against what Keras itself computed with them."""

import pickle
import warnings
import zipfile

import numpy as np
import pytest
from keras_cases import (
    FILES,
    expected,  # noqa: F401 - fixture
    h5py,  # noqa: F401 - fixture
    keras_zip,
    layer,
    sequential,
    weights,
)

import coreops
from coreops.saving import load_model, load_weights

pytestmark = pytest.mark.usefixtures("h5py")

# Rounding grows with every layer of a chain; exact where nothing is computed.
EXACT = {"flatten_channels_first", "reshape", "integers"}
HALF = {"mixed_float16": 2e-3, "bfloat16": 2e-2}  # Keras computes these in half precision
MASKS_DROPPED = {"masking_then_flatten"}
CASES = sorted(
    path.stem
    for path in FILES.glob("*.keras")
    if not path.stem.startswith(("refused_", "unbuilt", "old_keys"))
)


def square(x):
    return x * x


def load(name, **options):
    custom = {"square": square} if name == "lambda_named" else None
    with warnings.catch_warnings():
        if name in HALF:
            warnings.simplefilter("ignore", UserWarning)
        return load_model(FILES / f"{name}.keras", custom_objects=custom, **options)


def assert_close(actual, wanted, name=""):
    """Equal to 1e-5 of the largest value, or what the case's type allows."""
    assert actual.shape == wanted.shape
    if name in EXACT:
        np.testing.assert_array_equal(actual, wanted)
        return
    wanted = np.asarray(wanted, np.float64)
    finite = np.abs(wanted[np.isfinite(wanted)])
    bound = HALF.get(name, 1e-12 if actual.dtype == np.float64 else 1e-5)
    scale = max(1.0, finite.max()) if finite.size else 1.0
    np.testing.assert_allclose(actual, wanted, rtol=bound, atol=bound * scale)


@pytest.mark.parametrize("name", CASES)
def test_equals_keras(name, expected):  # noqa: F811
    x, wanted = expected[name]
    model = load(name)
    if name in MASKS_DROPPED:
        with pytest.warns(UserWarning, match="does not support masking"):
            actual = np.asarray(model(x))
    else:
        actual = np.asarray(model(x))
    assert_close(actual, wanted, name)
    if wanted.dtype in (np.float32, np.float64) and name not in HALF:
        assert actual.dtype == wanted.dtype


@pytest.mark.parametrize("name", ["dense_rank3", "masking", "nested", "float64"])
def test_predict_equals_call(name, expected):  # noqa: F811
    x, wanted = expected[name]
    assert_close(np.asarray(load(name).predict(x, batch_size=2, verbose=0)), wanted, name)


def test_names_and_weights_survive():
    model = load("names")
    assert model.name == "модель"
    assert [layer.name for layer in model.layers] == ["größe 出力", "a.b:c"]
    assert [w.shape for w in model.weights] == [(4, 3), (3,)]


def test_options_survive():
    first, second, *_, last = load("options").layers
    assert isinstance(first.kernel_initializer, coreops.initializers.Orthogonal)
    assert isinstance(first.kernel_constraint, coreops.constraints.MaxNorm)
    assert isinstance(second.kernel_regularizer, coreops.regularizers.OrthogonalRegularizer)
    assert first.get_config()["kernel_regularizer"]["config"]["l2"] == pytest.approx(0.02)
    assert (last.l1, last.l2) == (0.01, 0.02)


def test_unbuilt_model_stays_unbuilt():
    model = load("unbuilt")
    assert not model.built
    assert model.weights == []
    assert model(np.ones((2, 4), np.float32)).shape == (2, 2)


def test_keys_that_early_keras_3_did_not_write(expected):  # noqa: F811
    x, wanted = expected["compiled"]
    assert_close(load("old_keys")(x), wanted)


def test_file_that_was_compressed_on_the_way(tmp_path, expected):  # noqa: F811
    with (
        zipfile.ZipFile(FILES / "dense_activations.keras") as source,
        zipfile.ZipFile(tmp_path / "m.keras", "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            target.writestr(name, source.read(name))
    x, wanted = expected["dense_activations"]
    assert_close(load_model(str(tmp_path / "m.keras"))(x), wanted)


def test_masks_behave_as_in_keras():
    assert load("masking")._mask_policy == "warn"


def test_not_a_number_in_weights_is_kept(expected):  # noqa: F811
    (kernel, _), (_, wanted) = load("special_weights").get_weights(), expected["special_weights"]
    assert np.isnan(kernel[0, 0])
    assert np.isinf(kernel[1, 1])
    assert np.isnan(wanted).any()


def test_loaded_model_keeps_no_trace_of_loading():
    model = load("nested")
    assert not any("add_weight" in vars(layer) for layer in [model, *model.layers])
    again = pickle.loads(pickle.dumps(model))
    x = np.ones((2, 4), np.float32)
    np.testing.assert_array_equal(again(x), model(x))


def test_config_round_trip():
    model = load("relu_options")
    twin = coreops.Sequential.from_config(model.get_config())
    x = np.linspace(-4, 4, 60, dtype=np.float32).reshape(10, 6)
    np.testing.assert_array_equal(twin(x), model(x))


def test_chain():
    model = load("chain")
    assert isinstance(model, coreops.models.Functional)
    assert model.name == "chain"
    assert [layer.name for layer in model.layers] == ["features", "first", "dropout", "second"]


def test_lambda_takes_a_function_by_its_registered_or_plain_or_layer_name(expected):  # noqa: F811
    x, wanted = expected["lambda_named"]
    for name in ("square", "tests>square", "squared"):
        model = load_model(FILES / "lambda_named.keras", custom_objects={name: square})
        assert_close(model(x), wanted)
    with coreops.saving.custom_object_scope({"tests>square": square}):
        assert_close(load_model(FILES / "lambda_named.keras")(x), wanted)


def test_anonymous_lambda_takes_a_function_by_its_layer_name():
    model = load_model(FILES / "refused_lambda.keras", custom_objects={"plus_one": lambda x: x + 1})
    np.testing.assert_array_equal(model(np.zeros((2, 3), np.float32)), np.ones((2, 3)))


def test_custom_layer(tmp_path, h5py):  # noqa: F811
    class Scale(coreops.layers.Layer):
        def __init__(self, start=1.0, **kwargs):
            super().__init__(**kwargs)
            self.start = start

        def build(self, input_shape):
            self.moved = self.add_weight(shape=(1,), trainable=False, name="moved")
            self.factor = self.add_weight(shape=input_shape[-1:], name="factor")

        def call(self, x):
            return x * self.factor + self.moved

        def get_config(self):
            return {**super().get_config(), "start": self.start}

    def fill(file):
        file["layers/scale/vars/0"] = np.array([2, 3, 4], np.float32)  # trainable ones come first
        file["layers/scale/vars/1"] = np.array([10], np.float32)

    entry = layer("Scale", "scale", module="my.package", start=2.0)
    path = keras_zip(tmp_path / "m.keras", sequential(entry), weights(h5py, fill, kernel=None))
    model = load_model(path, custom_objects={"Scale": Scale})
    np.testing.assert_array_equal(model(np.ones((1, 3), np.float32)), [[12, 13, 14]])
    assert model.layers[0].start == 2.0


@pytest.mark.parametrize("suffix", [".weights.h5", ".keras"])
@pytest.mark.parametrize("name", ["dense_rank3", "compiled", "nested"])
def test_load_weights(name, suffix, expected):  # noqa: F811
    x, wanted = expected[name]
    model = load(name)
    for variable in model.weights:
        variable.assign(np.zeros(variable.shape))
    before = np.asarray(model(x))
    model.load_weights(FILES / f"{name}{suffix}")
    assert_close(model(x), wanted)
    assert not np.array_equal(before, model(x))


def test_load_weights_that_do_not_fit_changes_nothing():
    model = coreops.Sequential(
        [coreops.Input((4, 3)), coreops.layers.Dense(5), coreops.layers.Dense(3, name="odd")]
    )
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"layer 'odd' has variables \[\(5, 3\), \(3,\)\]"):
        load_weights(model, FILES / "dense_rank3.weights.h5")
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    with pytest.warns(UserWarning, match="odd"):
        load_weights(model, FILES / "dense_rank3.weights.h5", skip_mismatch=True)
    assert not np.array_equal(before[0], model.get_weights()[0])
    np.testing.assert_array_equal(before[2], model.get_weights()[2])


def test_load_weights_lists_missing_and_superfluous_layers():
    model = coreops.Sequential([coreops.Input((4, 3)), coreops.layers.PReLU(name="slopes")])
    with pytest.raises(ValueError, match="slopes") as caught:
        load_weights(model, FILES / "dense_rank3.weights.h5")
    assert "layers/dense_1" in str(caught.value)


def test_load_weights_of_an_unbuilt_model():
    model = coreops.Sequential([coreops.layers.Dense(5), coreops.layers.Dense(2)])
    with pytest.raises(ValueError, match="not built"):
        load_weights(model, FILES / "dense_rank3.weights.h5")
