"""`quantize("int8")`: Keras' semantics, its files, its numbers, and what is refused."""

import copy
import json
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import reference
from tolerance import dot_bound

import coreops
from coreops import Sequential, _kernels, layers, quantizers
from coreops.quantizers import AbsMaxQuantizer, Int8QuantizationConfig

FILES = Path(__file__).parent / "data" / "int8_files"
CASES = ["float64", "mlp", "narrow", "sequence", "some", "weights_only"]


def quantize(model, *args, **kwargs):
    """model.quantize, and the messages of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.quantize(*args, **kwargs)
    return [str(w.message) for w in caught if str(w.message).startswith("Layer")]


def mlp(keras=coreops):
    inner = keras.Sequential([keras.layers.Dense(9, use_bias=False, name="inner")], name="nested")
    return keras.Sequential(
        [
            keras.Input((11,)),
            keras.layers.Dense(13, activation="relu", name="first"),
            keras.layers.Dropout(0.3),
            inner,
            keras.layers.Activation("tanh"),
            keras.layers.Dense(4, name="last"),
        ],
        name="mlp",
    )


def built(**options):
    layer = layers.Dense(5, name="dense", **options)
    layer.build((None, 7))
    return layer


def dense(keras=coreops, **options):
    """A Dense layer of either library, with the same weights."""
    layer = keras.layers.Dense(5, name="dense", **options)
    layer.build((None, 70))
    rng = np.random.default_rng(4)
    layer.set_weights([rng.normal(size=w.shape).astype(w.dtype) for w in layer.weights])
    return layer


# --- what it does to a layer -------------------------------------------------------------------


def test_a_quantized_layer(rng):
    layer = dense()
    kernel, bias = layer.get_weights()
    layer.quantize("int8")
    assert layer.quantization_mode == "int8"
    assert repr(layer.dtype_policy) == '<QuantizedDTypePolicy "int8_from_float32">'
    assert (layer.dtype, layer.compute_dtype) == ("float32", "float32")
    assert [(w.path, w.shape, w.dtype, w.trainable) for w in layer.weights] == [
        ("dense/bias", (5,), "float32", True),
        ("dense/kernel", (70, 5), "int8", False),
        ("dense/kernel_scale", (5,), "float32", False),
    ]
    values, scale = quantizers.abs_max_quantize(kernel, axis=0)
    assert np.array_equal(layer.kernel.numpy(), values)
    assert np.array_equal(layer.kernel_scale.numpy(), scale[0])
    assert layer.count_params() == 70 * 5 + 5 + 5
    x = rng.normal(size=(6, 70)).astype(np.float32)
    expected = reference.dense_int8(x, values, scale[0], bias)
    np.testing.assert_array_equal(layer(x), expected)
    np.testing.assert_array_equal(layer(x), expected)  # by the installed plan


def test_the_error_is_that_of_seven_bits(isa, rng):
    layer = dense()
    x = rng.normal(size=(50, 70)).astype(np.float32)
    before, kernel = layer(x), layer.kernel.numpy()
    layer.quantize("int8")
    # Half a step in each factor: |x| / 254 of its row, |kernel| / 254 of its column.
    in_x = np.max(np.abs(x), axis=1, keepdims=True) / 254 * np.sum(np.abs(kernel), axis=0)
    in_kernel = np.sum(np.abs(x), axis=1, keepdims=True) * np.max(np.abs(kernel), axis=0) / 254
    assert np.all(np.abs(layer(x) - before) <= 1.01 * (in_x + in_kernel))
    assert np.abs(layer(x) - before).max() > 0


def test_the_same_bits_on_every_tier(rng):
    layer = dense(activation="relu")
    layer.quantize("int8")
    x = rng.normal(size=(50, 70)).astype(np.float32)
    results = []
    for tier in _kernels.tiers():
        _kernels.use_isa(tier)
        results.append(layer(x))
    _kernels.use_isa()
    assert all(np.array_equal(results[0], result) for result in results[1:])


def test_weights_can_be_set(rng):
    layer = dense()
    layer.quantize("int8")
    x = rng.normal(size=(3, 70)).astype(np.float32)
    layer(x)
    bias, kernel, scale = layer.get_weights()
    kernel = np.ascontiguousarray(-kernel[::-1])
    layer.set_weights([bias + 1, kernel, scale * 2])
    expected = reference.dense_int8(x, kernel, scale * 2, bias + 1)
    np.testing.assert_array_equal(layer(x), expected)


@pytest.mark.parametrize("options", [{"dtype": "float64"}, {"use_bias": False}])
def test_options_of_the_layer(rng, options):
    layer = dense(**options)
    layer.quantize("int8")
    x = rng.normal(size=(3, 70)).astype(layer.compute_dtype)
    bias = layer.bias.numpy() if layer.use_bias else None
    y = layer(x)
    assert y.dtype == layer.compute_dtype
    expected = reference.dense_int8(x, layer.kernel.numpy(), layer.kernel_scale.numpy(), bias)
    np.testing.assert_array_equal(y, expected)


def test_a_layer_that_is_int8_from_the_start():
    layer = built(dtype="int8_from_float32")
    assert [(w.name, w.dtype) for w in layer.weights] == [
        ("bias", "float32"),
        ("kernel", "int8"),
        ("kernel_scale", "float32"),
    ]
    assert not layer(np.ones((2, 7), np.float32)).any()
    with pytest.raises(ValueError, match="already quantized"):
        layer.quantize("int8")


def test_setting_a_quantized_policy_quantizes():
    layer = dense()
    layer.dtype_policy = "int8_from_float32"
    assert layer.kernel.dtype == "int8"
    assert layer.dtype_policy.name == "int8_from_float32"
    layer.dtype_policy = "int8_from_float32"  # again: nothing to do


def test_training_leaves_the_kernel_alone():
    layer = dense(kernel_regularizer="l2")
    assert len(layer.losses) == 1
    layer.quantize("int8")
    assert layer.losses == []
    layer.trainable = False
    layer.trainable = True
    assert [w.name for w in layer.trainable_weights] == ["bias"]


def test_copies(rng):
    layer = dense()
    layer.quantize("int8")
    x = rng.normal(size=(3, 70)).astype(np.float32)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(other(x), layer(x))
    other = layers.Dense.from_config(json.loads(json.dumps(layer.get_config())))
    other.build((None, 70))
    other.set_weights(layer.get_weights())
    np.testing.assert_array_equal(other(x), layer(x))
    assert other.get_config() == layer.get_config()


# --- which layers of a model -------------------------------------------------------------------


def test_a_model(rng):
    model = mlp()
    x = rng.normal(size=(40, 11)).astype(np.float32)
    model(x)
    messages = quantize(model, "int8")
    assert sorted(messages) == [
        f"Layer {name} does not have a `quantize` method implemented."
        for name in ("Activation", "Dropout", "InputLayer", "InputLayer")
    ]
    apart = x
    for layer in model.leaves():
        apart = layer(apart)
    np.testing.assert_array_equal(model(x), apart)
    np.testing.assert_array_equal(model.predict(x, batch_size=7, verbose=0), apart)
    assert [w.dtype for w in model.weights].count("int8") == 3


def test_quantizing_again_is_an_error():
    model = mlp()
    quantize(model, "int8")
    with pytest.raises(
        ValueError,
        match=r"Layer 'first' is already quantized with dtype_policy='int8_from_float32'. "
        "Received: mode=int8",
    ):
        quantize(model, "int8")


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ("first|last", ["first", "last"]),
        (["^in", "st$"], ["first", "inner", "last"]),
        (lambda layer: layer.name == "inner", ["inner"]),
    ],
)
def test_filters(filters, names):
    model = mlp()
    quantize(model, "int8", filters=filters)
    quantized = [layer.name for layer in model.leaves() if layer.quantization_mode]
    assert quantized == names


def test_subclasses_are_left_alone():
    class Mine(layers.Dense):
        pass

    model = Sequential([layers.Input((4,)), Mine(3)])
    assert "Layer Mine does not have a `quantize` method implemented." in quantize(model, "int8")
    assert model.layers[0].kernel.dtype == "float32"
    quantize(model, "int8", type_check=False)
    assert model.layers[0].kernel.dtype == "int8"
    assert model(np.ones((2, 4), np.float32)).shape == (2, 3)


def test_a_dense_layer_inside_a_python_layer(rng):
    class Outer(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(3)

        def build(self, shape):
            self.inner.build(shape)

        def call(self, x):
            return self.inner(x)

    model = Sequential([layers.Input((4,)), Outer()])
    model(np.ones((2, 4), np.float32))
    quantize(model, "int8")
    inner = model.layers[0].inner
    assert inner.kernel.dtype == "int8"
    x = rng.normal(size=(2, 4)).astype(np.float32)
    np.testing.assert_array_equal(model(x), inner(x))


def test_the_digits_keep_their_accuracy():
    """Within half a point of float32 on the held-out digits, which training never saw."""
    pytest.importorskip("h5py")
    data = Path(coreops.__file__).parent / "data"
    model = coreops.saving.load_model(data / "digits.keras")
    with np.load(data / "digits.npz") as held_out:
        images, labels = held_out["images"] / np.float32(16), held_out["labels"]
    before = np.mean(model(images).argmax(axis=1) == labels)
    quantize(model, "int8")
    after = np.mean(model(images).argmax(axis=1) == labels)
    assert after >= before - 0.005


# --- configs -----------------------------------------------------------------------------------


def test_inputs_that_stay_reals(rng):
    layer = dense()
    layer.quantize(config=Int8QuantizationConfig(activation_quantizer=None))
    x = rng.normal(size=(6, 70)).astype(np.float32)
    kernel = (layer.kernel.numpy() / layer.kernel_scale.numpy()).astype(np.float32)
    error = np.abs(layer(x) - reference.dense(x, kernel, layer.bias.numpy()))
    assert np.all(error <= dot_bound(x, kernel, np.float32, terms=2))


def test_a_quantizer_of_ones_own(rng):
    config = Int8QuantizationConfig(activation_quantizer=AbsMaxQuantizer(value_range=(-7, 7)))
    layer = dense(activation="relu")
    layer.quantize("int8", config)
    x = rng.normal(size=(6, 70)).astype(np.float32)
    q, row_scale = quantizers.abs_max_quantize(x, -1, (-7, 7))
    assert np.abs(q).max() == 7
    sums = (q.astype(int) @ layer.kernel.numpy().astype(int)).astype(np.float32)
    expected = sums / (layer.kernel_scale.numpy() * row_scale) + layer.bias.numpy()
    np.testing.assert_array_equal(layer(x), np.maximum(expected, 0))


def test_abs_max_quantizer():
    x = np.array([[0.5, -1.0, 2.0], [0.0, 0.0, 0.0]], np.float32)
    q, scale = AbsMaxQuantizer()(x)
    assert q.dtype == np.int8
    assert q.tolist() == [[32, -64, 127], [0, 0, 0]]  # 31.75, -63.5 (a tie), 127
    assert scale.shape == (2, 1)
    assert scale.dtype == np.float32
    assert AbsMaxQuantizer(axis=0)(x)[1].shape == (1, 3)
    assert AbsMaxQuantizer(axis=(0, 1))(x)[1].shape == (1, 1)
    assert AbsMaxQuantizer(axis=0)(x, axis=-1)[1].shape == (2, 1)
    with pytest.raises(ValueError, match=r"within the interval \[-128, 127\]"):
        AbsMaxQuantizer(value_range=(-300, 127))


@pytest.mark.parametrize(
    "quantizer", [AbsMaxQuantizer(), AbsMaxQuantizer(axis=0, value_range=(-8, 7), epsilon=1e-3)]
)
def test_quantizers_and_their_configs(quantizer):
    again = quantizers.deserialize(json.loads(json.dumps(quantizers.serialize(quantizer))))
    assert again.get_config() == quantizer.get_config()
    config = Int8QuantizationConfig(activation_quantizer=quantizer)
    again = quantizers.deserialize(json.loads(json.dumps(quantizers.serialize(config))))
    assert again.activation_quantizer.get_config() == quantizer.get_config()
    assert again.weight_quantizer is None


def test_get():
    assert quantizers.get(None) is None
    assert isinstance(quantizers.get("abs_max_quantizer"), AbsMaxQuantizer)
    assert quantizers.get("AbsMaxQuantizer", axis=1).axis == (1,)
    quantizer = AbsMaxQuantizer()
    assert quantizers.get(quantizer) is quantizer
    with pytest.raises(ValueError, match="Known names"):
        quantizers.get("no_such_quantizer")
    with pytest.raises(ValueError, match="Could not interpret"):
        quantizers.get(3)


def test_policies():
    policy = layers.Dense(3, dtype="int8_from_float64").dtype_policy
    assert (policy.compute_dtype, policy.variable_dtype) == ("float64", "float64")
    config = layers.Dense(3, dtype=policy).get_config()["dtype"]
    assert config == {
        "module": "keras.dtype_policies",
        "class_name": "QuantizedDTypePolicy",
        "config": {"mode": "int8", "source_name": "float64"},
        "registered_name": None,
    }
    again = layers.Dense(3, dtype=config).dtype_policy
    assert again == policy
    assert again != layers.Dense(3, dtype="float64").dtype_policy
    assert pickle.loads(pickle.dumps(policy)) == policy


def test_a_quantized_policy_for_all():
    coreops.config.set_dtype_policy("int8_from_float32")
    try:
        assert coreops.config.dtype_policy().name == "int8_from_float32"
        assert built().kernel.dtype == "int8"
    finally:
        coreops.config.set_dtype_policy(None)


# --- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either `mode` or `config`"),
        ({"mode": "int9"}, r"Invalid quantization mode. Expected one of \('int8', .*mode=int9"),
        ({"mode": 8}, "Invalid quantization mode"),
        ({"mode": "float8"}, "'float8' is not available in coreops. Available: 'int8'"),
        ({"mode": "int4"}, "'int4' is not available"),
        ({"mode": "gptq"}, "'gptq' is not available"),
        ({"mode": "awq"}, "'awq' is not available"),
        ({"config": "int4"}, "'int4' is not available"),
        ({"config": 3}, "must be an instance of `QuantizationConfig`"),
    ],
)
def test_what_cannot_be_quantized_to(arguments, message):
    for target in (dense(), mlp()):
        with pytest.raises(ValueError, match=message):
            target.quantize(**arguments)
        assert all(w.dtype == "float32" for w in target.weights)


def test_arguments_that_contradict_each_other():
    class Other(quantizers.QuantizationConfig):
        mode = "int4"

    with pytest.raises(ValueError, match=r"mode='int8' but config.mode='int4'"):
        mlp().quantize("int8", Other())
    with pytest.raises(ValueError, match="not available"):
        mlp().quantize(config=Other())


@pytest.mark.parametrize("arguments", [{"colour": 1}, {"filters": 3}])
def test_unknown_arguments_of_a_model(arguments):
    with pytest.raises(ValueError, match=r"Unrecognized keyword|`filters` argument must be"):
        mlp().quantize("int8", **arguments)


def test_unbuilt():
    for target in (layers.Dense(3), Sequential([layers.Dense(3)])):
        with pytest.raises(ValueError, match="Cannot quantize a layer that isn't yet built"):
            target.quantize("int8")


def test_layers_without_an_int8_form():
    with pytest.raises(NotImplementedError, match="Activation does not have a `quantize` method"):
        layers.Activation("relu").quantize("int8")


def test_float16_is_too_narrow():
    with pytest.warns(UserWarning, match="computed in float32"):
        layer = built(dtype="mixed_float16")
    with pytest.raises(ValueError, match="doesn't work well with compute_dtype='float16'"):
        layer.quantize("int8")
    with pytest.raises(ValueError, match="doesn't work well with compute_dtype='float16'"):
        built(dtype="int8_from_float16")


@pytest.mark.parametrize(
    "name", ["int8_from_", "int8_from_int8", "float8_from_float32", "a_from_b"]
)
def test_policies_that_are_none(name):
    with pytest.raises(ValueError, match=r"policy|mode"):
        layers.Dense(3, dtype=name)


def test_kernels_that_are_too_deep():
    layer = layers.Dense(1, name="deep")
    layer.build((None, _kernels.INT8_DEPTH + 1))
    layer.quantize("int8")
    with pytest.raises(ValueError, match=r"Layer 'deep': sums of more than 132104 products"):
        layer(np.ones((1, _kernels.INT8_DEPTH + 1), np.float32))


def test_configs_that_are_none():
    with pytest.raises(ValueError, match="must be an instance"):
        layers.Dense(3, quantization_config=3)
    with pytest.raises(TypeError, match="Could not locate"):
        layers.Dense(3, quantization_config={"class_name": "Mine", "config": {}})
    with pytest.raises(ValueError, match="output_dtype='int8'"):
        Int8QuantizationConfig(weight_quantizer=AbsMaxQuantizer(output_dtype="int32"))


# --- files that Keras quantized ----------------------------------------------------------------


@pytest.fixture(scope="module")
def records():
    pytest.importorskip("h5py")
    with np.load(FILES / "expected.npz") as stored:
        return dict(stored)


@pytest.mark.parametrize("name", CASES)
def test_files(isa, records, name):
    model = coreops.saving.load_model(FILES / f"{name}.keras")
    y, wanted = model(records[f"{name}/x"]), records[f"{name}/y"]
    assert y.dtype == ("float64" if name == "float64" else "float32")
    if name in ("sequence", "narrow"):  # quantized layers and relu alone: the same bits
        np.testing.assert_array_equal(y, wanted)
    elif name == "float64":  # which Keras' NumPy backend computes in float32
        np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)
    else:
        # tanh and softmax, or products of reals: a few ulp, which a later rounding to 8 bits would
        # turn into steps if one fell on the other side of a tie. None does in these files.
        np.testing.assert_allclose(y, wanted, rtol=1e-5, atol=1e-6)


def test_a_file_without_quantization_configs(records):
    model = coreops.saving.load_model(FILES / "older.keras")
    assert model.layers[0].quantization_config is None
    np.testing.assert_allclose(model(records["mlp/x"]), records["mlp/y"], rtol=1e-5, atol=1e-6)


def test_weights_files(records):
    x = records["mlp/x"]
    wanted = coreops.saving.load_model(FILES / "mlp.keras")(x)
    plain = coreops.saving.load_model(FILES / "plain.keras")
    with pytest.raises(ValueError, match="do not fit the model"):
        plain.load_weights(FILES / "mlp.weights.h5")
    quantize(plain, "int8")
    plain.load_weights(FILES / "mlp.weights.h5")
    np.testing.assert_array_equal(plain(x), wanted)
    plain.load_weights(FILES / "mlp.keras")
    np.testing.assert_array_equal(plain(x), wanted)
    with pytest.raises(ValueError, match="do not fit the model"):
        plain.load_weights(FILES / "plain.keras")


def test_int8_and_reals_of_the_same_shapes_are_told_apart(records, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "reals.weights.h5", "w") as file:
        group = file.create_group("layers/dense/vars")
        group["0"] = np.ones((4, 3), np.float32)
        group["1"] = np.ones(3, np.float32)
    model = Sequential([layers.Input((4,)), layers.Dense(3, use_bias=False)])
    quantize(model, "int8")
    with pytest.raises(ValueError, match=r"variables of \['int8', 'float32'\], the file of \['fl"):
        model.load_weights(tmp_path / "reals.weights.h5")


@pytest.mark.parametrize("mode", ["int4", "float8"])
def test_files_quantized_otherwise(records, mode):
    with pytest.raises(ValueError, match=f"layer 'dense'.*'{mode}.*' is not available.*'int8'"):
        coreops.saving.load_model(FILES / f"refused_{mode}.keras")


# --- beside real Keras -------------------------------------------------------------------------


def beside_keras(test):
    """What these tests have in common: Keras' NumPy backend warns a lot."""
    for text in ("ignore:__array__ implementation", "ignore:.custom_gradient. for the numpy"):
        test = pytest.mark.filterwarnings(text)(test)
    return pytest.mark.parity(test)


@pytest.fixture
def oracle(keras):
    """Real Keras with the semantics of quantization that is followed here."""
    if not hasattr(keras.quantizers, "Int8QuantizationConfig"):
        pytest.skip("real Keras is too old")
    return keras


@beside_keras
@pytest.mark.parametrize("batch", [1, 2, 33])
@pytest.mark.parametrize("options", [{}, {"use_bias": False}])
def test_a_layer_beside_keras(oracle, rng, batch, options):
    theirs, ours = dense(oracle, **options), dense(**options)
    quantize(theirs, "int8")
    quantize(ours, "int8")
    for a, b in zip(theirs.weights, ours.weights, strict=True):
        assert (a.path, a.dtype, a.trainable) == (b.path, b.dtype, b.trainable)
        np.testing.assert_array_equal(np.asarray(a.numpy()), b.numpy())
    x = (rng.normal(size=(batch, 70)) * 3).astype(ours.compute_dtype)
    expected = np.asarray(theirs(x))
    if oracle.backend.backend() == "numpy":
        np.testing.assert_array_equal(ours(x), expected)
    else:  # four roundings around an exact sum
        np.testing.assert_allclose(ours(x), expected, rtol=4 * np.finfo(expected.dtype).eps)


@beside_keras
def test_a_model_beside_keras(oracle, rng):
    theirs, ours = mlp(oracle), mlp()
    ours.set_weights(theirs.get_weights())
    assert sorted(quantize(theirs, "int8")) == sorted(quantize(ours, "int8"))
    assert theirs.count_params() == ours.count_params()
    assert [w.path for w in theirs.weights] == [w.path for w in ours.weights]
    x = rng.normal(size=(20, 11)).astype(np.float32)
    expected = np.asarray(theirs(x))
    twin = coreops.from_keras(theirs)
    np.testing.assert_array_equal(twin(x), ours(x))
    # A tanh that differs in its last bit may round to another of 127 steps in the last layer: one
    # step of one input.
    step = np.abs(ours.layers[-1].kernel.numpy() / ours.layers[-1].kernel_scale.numpy()).max() / 127
    assert np.abs(ours(x) - expected).max() <= 1.01 * step
    assert np.mean(np.abs(ours(x) - expected) > 1e-6) < 0.1


@beside_keras
def test_the_config_beside_keras(oracle):
    theirs, ours = dense(oracle), dense()
    quantize(theirs, "int8")
    quantize(ours, "int8")
    own, wanted = ours.get_config(), json.loads(json.dumps(theirs.get_config()))
    for key in ("dtype", "quantization_config"):
        assert json.loads(json.dumps(own[key])) == wanted[key]


@beside_keras
@pytest.mark.parametrize("axis", [0, -1, (0, 1)])
def test_the_quantizer_beside_keras(oracle, rng, axis):
    x = rng.normal(size=(20, 30)).astype(np.float32)
    for theirs, ours in zip(
        oracle.quantizers.abs_max_quantize(x, axis, to_numpy=True),
        quantizers.abs_max_quantize(x, axis),
        strict=True,
    ):
        np.testing.assert_array_equal(np.asarray(theirs), ours)
