"""What files say about training: how a model was compiled, and how far its optimizer got."""

import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from keras_cases import (
    BYTES,
    dense,
    h5py,  # noqa: F401 - fixture
    keras_zip,
    sequential,
    weights,
)

import coreops
from coreops.saving import load_model

pytestmark = [
    pytest.mark.usefixtures("h5py"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # inside Keras
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # it tries uninitialised memory
    pytest.mark.filterwarnings("ignore:.*numpy backend"),
]


def schedule(K):
    return K.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5, staircase=True)


OPTIMIZERS = {
    "sgd": lambda K: K.optimizers.SGD(0.01),
    "momentum": lambda K: K.optimizers.SGD(0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda K: K.optimizers.Adam(clipnorm=1.0),
    "amsgrad": lambda K: K.optimizers.Adam(amsgrad=True, beta_1=0.8),
    "adamw": lambda K: K.optimizers.AdamW(global_clipnorm=2.0),
    "adamax": lambda K: K.optimizers.Adamax(),
    "nadam": lambda K: K.optimizers.Nadam(),
    "rmsprop": lambda K: K.optimizers.RMSprop(momentum=0.5, centered=True),
    "adagrad": lambda K: K.optimizers.Adagrad(),
    "adadelta": lambda K: K.optimizers.Adadelta(),
    "lion": lambda K: K.optimizers.Lion(),
    "ema": lambda K: K.optimizers.Adam(use_ema=True, ema_momentum=0.9),
    "accumulated": lambda K: K.optimizers.Adam(gradient_accumulation_steps=2),
    "scheduled": lambda K: K.optimizers.Adam(schedule(K), clipvalue=0.5),
}


def stack(K):
    K.backend.clear_session()
    layers = K.layers
    inner = K.Sequential([layers.Dense(4, activation="tanh"), layers.PReLU()], name="inner")
    return K.Sequential(
        [K.Input((5,)), layers.Dense(4), inner, layers.Dense(2, trainable=False), layers.Dense(3)]
    )


def step(model, seed):
    """One step with gradients that are the same in both libraries."""
    rng = np.random.default_rng(seed)
    variables = model.trainable_variables
    gradients = [rng.normal(size=v.shape).astype(np.float32) for v in variables]
    if not model.optimizer.built:
        model.optimizer.build(variables)
    model.optimizer.apply(gradients, variables)


def assert_same(ours, theirs):
    """Weights and the optimizer's state, to the rounding of a few steps."""
    for own, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-5, atol=1e-6)
    pairs = zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True)
    for own, other in pairs:
        np.testing.assert_allclose(own.numpy(), other.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_goes_on_in_the_other_library(keras, name, tmp_path):
    theirs = stack(keras)
    theirs.compile(OPTIMIZERS[name](keras), "mse", metrics=["mae"])
    for seed in range(3):
        step(theirs, seed)
    theirs.save(tmp_path / "theirs.keras")
    ours = load_model(tmp_path / "theirs.keras")
    assert_same(ours, theirs)
    for model in (ours, theirs):
        for seed in range(3, 6):
            step(model, seed)
    assert_same(ours, theirs)
    ours.save(tmp_path / "ours.keras")
    theirs = keras.saving.load_model(tmp_path / "ours.keras")
    assert_same(ours, theirs)
    for model in (ours, theirs):
        for seed in range(6, 9):
            step(model, seed)
    assert_same(ours, theirs)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_file_is_the_one_that_keras_writes(keras, name, tmp_path, h5py):  # noqa: F811
    ours, theirs = stack(coreops), stack(keras)
    theirs.set_weights(ours.get_weights())
    for model, library in ((ours, coreops), (theirs, keras)):
        model.compile(OPTIMIZERS[name](library), "mse", metrics=["mae"], jit_compile=False)
        step(model, 0)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    found = []
    for file in ("ours.keras", "theirs.keras"):
        with zipfile.ZipFile(tmp_path / file) as archive:
            config = json.loads(archive.read("config.json"))["compile_config"]
            with h5py.File(archive.open("model.weights.h5")) as inner:
                group = inner["optimizer/vars"]
                shapes = {key: (str(value.dtype), value.shape) for key, value in group.items()}
                found.append((config, dict(group.attrs), shapes))
    assert found[0] == found[1]


def test_a_fit_goes_on_from_a_file(tmp_path, rng):
    """To the bit, as if it had not been interrupted."""
    x, y = (rng.normal(size=(40, n)).astype(np.float32) for n in (5, 3))
    whole = stack(coreops)
    whole.compile(coreops.optimizers.Adam(0.01), "mse", metrics=["mae"])
    start = whole.get_weights()
    whole.fit(x, y, epochs=4, shuffle=False, verbose=0)
    model = stack(coreops)
    model.set_weights(start)
    model.compile(coreops.optimizers.Adam(0.01), "mse", metrics=["mae"])
    for _ in range(4):
        model.fit(x, y, shuffle=False, verbose=0)
        model.save(tmp_path / "m.keras")
        model = load_model(tmp_path / "m.keras")
    for own, other in zip(model.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    assert model.evaluate(x, y, verbose=0) == whole.evaluate(x, y, verbose=0)


def test_weights_file_keeps_the_state(keras, tmp_path):
    theirs = stack(keras)
    theirs.compile("adam", "mse")
    step(theirs, 0)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    ours = stack(coreops)
    ours.compile("adam", "mse")
    ours.optimizer.build(ours.trainable_variables)
    ours.load_weights(tmp_path / "theirs.weights.h5")
    assert_same(ours, theirs)
    for model in (ours, theirs):
        step(model, 1)
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    assert_same(ours, theirs)


def test_a_new_optimizer_keeps_its_learning_rate(tmp_path):
    """Weights for another training; in Keras, too, an optimizer that is not built stays new."""
    model = stack(coreops)
    model.compile(coreops.optimizers.Adam(0.1), "mse")
    step(model, 0)
    model.save_weights(tmp_path / "m.weights.h5")
    other = stack(coreops)
    other.compile(coreops.optimizers.Adam(0.001), "mse")
    with pytest.warns(UserWarning, match=r"'adam' is not built.*optimizer\.build"):
        other.load_weights(tmp_path / "m.weights.h5")
    assert float(other.optimizer.learning_rate) == pytest.approx(0.001)
    np.testing.assert_array_equal(other.get_weights()[0], model.get_weights()[0])


def test_legacy_file(keras, tmp_path, h5py):  # noqa: F811
    """It has what Keras' own has, which Keras compiles and whose optimizer's state it drops."""
    loss = "mean_squared_error"  # of "mse" Keras makes a file that it cannot read
    ours, theirs = stack(coreops), stack(keras)
    theirs.set_weights(ours.get_weights())
    for model in (ours, theirs):
        model.compile("adam", loss, metrics=["mae"], jit_compile=False)
        step(model, 0)
    ours.save(tmp_path / "ours.h5")
    theirs.save(tmp_path / "theirs.h5")
    read = keras.saving.load_model(tmp_path / "ours.h5")
    assert read.compiled
    for own, other in zip(ours.get_weights(), read.get_weights(), strict=True):
        np.testing.assert_array_equal(own, other)
    with (
        h5py.File(tmp_path / "ours.h5") as our_file,
        h5py.File(tmp_path / "theirs.h5") as their_file,
    ):
        groups = [file["optimizer_weights"] for file in (our_file, their_file)]
        names, theirs_ = (list(group.attrs["weight_names"]) for group in groups)
        assert names == theirs_
        for name in names:
            np.testing.assert_allclose(groups[0][name][()], groups[1][name][()], rtol=1e-5)
        configs = [json.loads(file.attrs["training_config"]) for file in (our_file, their_file)]
        assert configs[0] == configs[1]


def test_without_the_optimizer(keras, tmp_path):
    model = stack(coreops)
    model.compile("adam", "mse")
    step(model, 0)
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name, include_optimizer=False)
        assert not keras.saving.load_model(tmp_path / name).compiled
    assert not load_model(tmp_path / "m.keras").compiled
    model.save(tmp_path / "m.keras")
    assert not load_model(tmp_path / "m.keras", compile=False).compiled


def test_compiled_and_never_trained(keras, tmp_path):
    ours, theirs = stack(coreops), stack(keras)
    for model in (ours, theirs):
        model.compile("adam", "mse")
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    for name in ("ours.keras", "theirs.keras"):
        model = load_model(tmp_path / name)
        assert model.compiled
        assert int(model.optimizer.iterations) == 0
        step(model, 0)
    with pytest.warns(UserWarning, match="Skipping variable loading"):  # Keras, of its own too
        assert keras.saving.load_model(tmp_path / "ours.keras").compiled


def test_nested_models_keep_their_own_compilation_to_themselves(keras, tmp_path):
    inner = coreops.Sequential([coreops.layers.Dense(2)])
    model = coreops.Sequential([coreops.Input((3,)), inner])
    inner.compile("adam", "mae")
    step(inner, 0)
    model.save(tmp_path / "ours.keras")
    assert not load_model(tmp_path / "ours.keras").compiled
    theirs = keras.saving.load_model(tmp_path / "ours.keras")
    assert not theirs.compiled
    assert_same(inner, theirs.layers[0])
    theirs.save(tmp_path / "theirs.keras")
    for name in ("ours.keras", "theirs.keras"):
        again = load_model(tmp_path / name)
        assert not again.layers[0].compiled
        model.load_weights(tmp_path / name)
    model.save(tmp_path / "plain.keras", include_optimizer=False)
    assert not keras.saving.load_model(tmp_path / "plain.keras").layers[0].compiled


# --- what the file asks for and is not there ----------------------------------------------------


def own_loss(y_true, y_pred):
    return coreops.ops.mean(coreops.ops.square(y_true - y_pred), axis=-1)


def test_custom_loss(tmp_path):
    model = stack(coreops)
    model.compile("adam", own_loss)
    step(model, 0)
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match=r"not compiled.*own_loss.*custom_objects"):
        again = load_model(tmp_path / "m.keras")
    assert not again.compiled
    assert again.optimizer is None
    again = load_model(tmp_path / "m.keras", custom_objects={"own_loss": own_loss})
    assert again.loss is own_loss
    assert_same(again, model)


def with_compile_config(tmp_path, h5py, config, fill=None):  # noqa: F811
    entry = {**sequential(dense()), "compile_config": config}
    return keras_zip(tmp_path / "m.keras", entry, weights(h5py, fill))


ADAM = {"module": "keras.optimizers", "class_name": "Adam", "config": {"learning_rate": 0.01}}
GIANT = sequential(dense(units=10**8), shape=(None, 100))
REFUSED = {
    "unknown optimizer": {"optimizer": {"module": "my", "class_name": "Mine", "config": {}}},
    "optimizer by import": {"optimizer": {"module": "os", "class_name": "system", "config": {}}},
    "unknown name": {"optimizer": "teleport"},
    "code as a loss": {"optimizer": ADAM, "loss": {"class_name": "__lambda__", "config": {}}},
    "function by import": {
        "optimizer": ADAM,
        "loss": {"module": "os", "class_name": "function", "config": "system"},
    },
    "a model as a loss": {"optimizer": ADAM, "loss": GIANT},
    "a layer as an optimizer": {"optimizer": dense(units=10**8)},
    "giant metric": {
        "optimizer": ADAM,
        "metrics": [
            {"module": "keras.metrics", "class_name": "AUC", "config": {"num_thresholds": 10**12}}
        ],
    },
    "many metrics": {
        "optimizer": ADAM,
        "metrics": [
            {"module": "keras.metrics", "class_name": "AUC", "config": {"num_thresholds": 10**5}}
        ]
        * 100,
    },
    "unknown argument": {"optimizer": ADAM, "teleport": True},
    "wrong type": {"optimizer": ADAM, "steps_per_execution": "many"},
    "no optimizer's arguments": {
        "optimizer": {"module": "keras.optimizers", "class_name": "Adam", "config": {"x": 1}}
    },
    "a list": ["adam"],
    "a name": "adam",
    "deep": {"optimizer": {"class_name": "Adam", "config": {"learning_rate": [[[[[[{}]]]]]]}}},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_known_leaves_the_model_uncompiled(case, tmp_path, h5py):  # noqa: F811
    path = with_compile_config(tmp_path, h5py, REFUSED[case])
    tracemalloc.start()
    try:
        with pytest.warns(UserWarning, match="not compiled"):
            model = load_model(path)
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()
    assert not model.compiled
    assert model(np.ones((1, 3), np.float32)).tolist() == [[3, 3]]
    assert not load_model(path, compile=False).compiled


def test_the_torch_backends_optimizer(tmp_path, h5py):  # noqa: F811
    """Keras names an internal module there."""
    module = "keras.src.backend.torch.optimizers.torch_adam"
    adam = {**ADAM, "module": module, "registered_name": "Adam"}
    path = with_compile_config(tmp_path, h5py, {"optimizer": adam, "loss": "mse"})
    model = load_model(path)
    assert isinstance(model.optimizer, coreops.optimizers.Adam)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)


STATES = {
    "another number": {0: np.int32(3), 1: np.float32(0.1), 2: np.zeros((3, 2), np.float32)},
    "other shapes": {
        0: np.int32(3),
        1: np.float32(0.1),
        **{i: np.zeros((2, 3), np.float32) for i in range(2, 6)},
    },
    "other types": {
        0: np.float32(np.nan),
        1: np.float32(0.1),
        **{i: np.zeros(shape, np.float32) for i, shape in enumerate([(3, 2)] * 2 + [(2,)] * 2, 2)},
    },
}


@pytest.mark.parametrize("case", STATES)
def test_state_that_does_not_fit(case, tmp_path, h5py):  # noqa: F811
    def fill(file):
        for key, value in STATES[case].items():
            file[f"optimizer/vars/{key}"] = value

    path = with_compile_config(tmp_path, h5py, {"optimizer": ADAM, "loss": "mse"}, fill)
    with pytest.warns(UserWarning, match="state of the optimizer is left out"):
        model = load_model(path)
    assert model.compiled
    assert int(model.optimizer.iterations) == 0
    load_model(path, compile=False)


def test_state_without_a_compiled_model(tmp_path):
    model = stack(coreops)
    model.compile("adam", "mse")
    step(model, 0)
    model.save_weights(tmp_path / "m.weights.h5")
    plain = stack(coreops)
    plain.load_weights(tmp_path / "m.weights.h5")
    assert plain.optimizer is None
