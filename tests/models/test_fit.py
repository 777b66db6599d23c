"""compile, fit, evaluate and their kin."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import fit_scenarios
import numpy as np
import pytest
import trained_networks
from fit_scenarios import WEIGHTS, X, Y, linear, recorder

import coreops
from coreops._train.step import TrainingStep
from coreops.layers import Dense, Input, Lambda
from coreops.models import Model, Sequential


@pytest.fixture
def model():
    return linear(coreops, metrics=["mae"])


# --- real Keras -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real():
    if not all(importlib.util.find_spec(name) for name in ("keras", "jax")):
        pytest.skip("real Keras with JAX is not installed")
    script = Path(fit_scenarios.__file__)
    env = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run(
        [sys.executable, script.name], cwd=script.parent, env=env, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def same(ours, theirs, path=""):
    """Assert that two structures are equal, floats up to float32's roundings of a few steps."""
    if isinstance(theirs, dict):
        assert list(ours) == list(theirs), path
        for key in theirs:
            same(ours[key], theirs[key], f"{path}/{key}")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), (path, ours, theirs)
        for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            same(a, b, f"{path}/{index}")
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5, nan_ok=True), path
    else:
        assert ours == theirs, path


@pytest.mark.filterwarnings("ignore:The loss of a batch")
@pytest.mark.parity
@pytest.mark.parametrize("scenario", fit_scenarios.SCENARIOS, ids=lambda s: s.__name__)
def test_as_keras(real, scenario):
    same(json.loads(json.dumps(scenario(coreops))), real[scenario.__name__])


@pytest.mark.parametrize("make", trained_networks.NETWORKS, ids=lambda make: make.__name__)
def test_networks_learn_what_keras_has_learnt(make):
    record = json.loads(trained_networks.RECORD.read_text())
    same(json.loads(json.dumps(trained_networks.trained(coreops, make))), record[make.__name__])


# --- compile --------------------------------------------------------------------------------


def test_compile_is_known_afterwards():
    model = Sequential([Input((3,)), Dense(1)])
    assert not model.compiled
    assert model.optimizer is None
    assert model.loss is None
    assert model.metrics == model.metrics_names == []
    assert model.get_compile_config() == {}
    model.reset_metrics()
    model.compile("adam", "mse", metrics=["mae", "accuracy"], weighted_metrics=["mae"])
    assert model.compiled
    assert model.optimizer.name.startswith("adam")
    assert model.loss == "mse"
    assert model.metrics_names == ["loss", "mae", "accuracy", "mae"]
    assert [m.name for m in model.metrics] == ["loss"]
    values = model.evaluate(X, Y, verbose=0)
    assert model.metrics_names == ["loss", "mae", "accuracy", "weighted_mae"]
    assert len(values) == 4
    assert [float(m.result()) for m in model.metrics] == pytest.approx(values)
    assert [type(m).__name__ for m in model.metrics][2] == "BinaryAccuracy"
    model.reset_metrics()
    assert [float(m.result()) for m in model.metrics] == [0, 0, 0, 0]


def test_compiling_again_starts_afresh():
    model = linear(coreops, metrics=["mae"])
    model.compile("sgd", "mse")
    assert model.metrics_names == ["loss"]
    assert isinstance(model.evaluate(X, Y, verbose=0), float)


def test_names_that_repeat_are_told_apart():
    model = linear(
        coreops,
        metrics=["mse", coreops.metrics.MeanSquaredError(name="mse")],
        weighted_metrics=["mse", coreops.metrics.MeanSquaredError(name="mse")],
    )
    logs = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert list(logs) == ["loss", "mse", "mse_1", "weighted_mse", "weighted_mse_1"]


@pytest.mark.parametrize("loss", ["mse", ["mse"], [["mse"]], {"dense": "mse"}])
def test_one_loss_in_a_container(loss):
    model = linear(coreops, loss=loss, loss_weights=[2.0], metrics={"output": ["mse"]})
    loss, mse = model.evaluate(X, Y, verbose=0)
    assert loss == pytest.approx(2 * mse)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"optimizer": "nonsense"}, "nonsense"),
        ({"loss": ["mse", "mae"]}, "`loss`"),
        ({"loss_weights": "1"}, "loss_weights"),
        ({"metrics": "mae"}, "`metrics`"),
        ({"weighted_metrics": 3}, "weighted_metrics"),
        ({"steps_per_execution": 0}, "steps_per_execution"),
        ({"loss": {"nope": "mse"}}, r"keys \['output'\] in `loss`.*\['nope'\]"),
        ({"loss": {}}, r"keys \['output'\] in `loss`"),
    ],
)
def test_malformed_compile(kwargs, message):
    model = Sequential([Input((3,)), Dense(1, name="output")])
    for one in (model, coreops.Model(model.inputs, model.outputs)):
        with pytest.raises(ValueError, match=message):
            one.compile(**kwargs)


@pytest.mark.parametrize("kwargs", [{"loss": "nonsense"}, {"loss": "mse", "metrics": ["nonsense"]}])
def test_unknown_losses_and_metrics_are_found_at_first_use(kwargs):
    model = linear(coreops, **kwargs)
    for run in (model.fit, model.evaluate, model.train_on_batch):
        with pytest.raises(ValueError, match="nonsense"):
            run(X, Y)


def test_without_a_loss_something_else_must_be_there():
    model = linear(coreops, loss=None)
    for run in (model.fit, model.train_on_batch):
        with pytest.raises(ValueError, match="nothing to learn"):
            run(X, Y)
    model = Sequential([Input((3,)), Dense(1, kernel_regularizer="l2")])
    model.compile("sgd")
    history = model.fit(X, epochs=2, verbose=0).history["loss"]
    assert history[1] < history[0]
    model.compile(None, "mse")
    with pytest.raises(ValueError, match="without an optimizer"):
        model.fit(X, Y)
    assert model.evaluate(X, Y, verbose=0) > 0


def test_compile_config_round_trip():
    model = linear(coreops, metrics=["mae", coreops.metrics.MeanSquaredError(name="second")])
    config = json.loads(json.dumps(model.get_compile_config()))
    again = Sequential([Input((3,)), Dense(1)])
    again.compile_from_config(config)
    assert again.optimizer.built
    assert again.metrics_names == ["loss", "mae", "second"]
    assert again.get_compile_config() == model.get_compile_config()


def test_compiling_and_training_leave_plans_alone(model):
    model.predict(X, verbose=0)
    program = model._program(False)
    model.stop_training = True
    model.optimizer = coreops.optimizers.SGD()
    assert model._program(False) is program


# --- fit ------------------------------------------------------------------------------------


def test_history_holds_python_floats(model):
    history = model.fit(X, Y, epochs=2, verbose=0)
    assert list(history.history) == ["loss", "mae"]
    assert {type(v) for values in history.history.values() for v in values} == {float}
    assert history.model is model
    assert model.history is history
    assert model.fit(X, Y, epochs=0, verbose=0).history == {}


def test_shuffling_repeats_with_the_seed():
    def run(seed):
        coreops.utils.set_random_seed(seed)
        model = linear(coreops)
        return model.fit(X, Y, batch_size=2, epochs=3, verbose=0).history["loss"]

    assert run(1) == run(1)
    assert run(1) != run(2)


@pytest.mark.parametrize("shuffle", [True, False, "batch"])
def test_every_sample_comes_once_per_epoch(monkeypatch, shuffle):
    seen = []

    real = TrainingStep.__call__

    def step(self, x, y, sample_weight=None, **given):
        assert x[0].flags.c_contiguous
        rows = x[0][:, 0].tolist(), y[0][:, 0].tolist(), sample_weight[0]
        seen.extend(zip(*rows, strict=True))
        return real(self, x, y, sample_weight, **given)

    monkeypatch.setattr(TrainingStep, "__call__", step)
    monkeypatch.setattr(TrainingStep, "again", lambda *_: None)
    linear(coreops).fit(
        X, Y, sample_weight=WEIGHTS, batch_size=4, epochs=2, verbose=0, shuffle=shuffle
    )
    rows = list(zip(X[:, 0].tolist(), Y[:, 0].tolist(), WEIGHTS, strict=True))
    first, second = seen[:11], seen[11:]
    assert sorted(first) == sorted(second) == sorted(rows)
    assert (first == rows) == (shuffle is False)
    assert (first == second) == (shuffle is False)
    if shuffle == "batch":
        assert sorted(first[:4]) == sorted(rows[:4])


def test_kinds_of_data_give_the_same():
    def loss(x, y=None, **kwargs):
        model = linear(coreops)
        return model.fit(x, y, verbose=0, shuffle=False, **kwargs).history["loss"]

    expected = loss(X, Y)
    assert loss([X], [Y]) == expected
    assert loss({"x": X}, {"y": Y}) == expected
    assert loss(X.astype("float64"), Y.astype("float64")) == expected
    assert loss(np.asfortranarray(X), Y[:, 0]) == expected
    assert loss(X.tolist(), Y.tolist()) == expected
    assert loss(iter([(X, Y)])) == expected
    assert loss([(X, Y)]) == expected
    assert loss(((x, y) for x, y in [(X, Y)]), steps_per_epoch=1) == expected


def test_the_first_fit_builds():
    model = Sequential([Dense(2)])
    model.compile("sgd", "mse")
    model.fit(X, np.zeros((11, 2)), verbose=0)
    assert model.input_shape == (None, 3)
    assert model.optimizer.built


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"epochs": -1}, "epochs"),
        ({"epochs": 1.5}, "epochs"),
        ({"initial_epoch": None}, "initial_epoch"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": True}, "batch_size"),
        ({"steps_per_epoch": 0}, "`steps_per_epoch`"),
        ({"validation_batch_size": -1}, "validation_batch_size"),
        ({"validation_split": 1.0}, "validation_split"),
        ({"validation_split": 0.999}, "0 to train on and 11 to validate on"),
        ({"validation_freq": 0}, "validation_freq"),
        ({"validation_freq": "often"}, "validation_freq"),
        ({"validation_data": (X, Y, WEIGHTS, 1)}, "validation_data"),
        ({"validation_data": (X, Y[:3])}, "`x` 11, `y` 3"),
        ({"verbose": 3}, "verbose"),
        ({"shuffle": "yes"}, "shuffle"),
        ({"callbacks": [1]}, "callbacks"),
        ({"y": Y[:9]}, "`x` 11, `y` 9"),
        ({"sample_weight": WEIGHTS[:4]}, "`x` 11, `y` 11, `sample_weight` 4"),
        ({"sample_weight": WEIGHTS, "class_weight": {0: 1}}, "class_weight"),
        ({"class_weight": [1, 2]}, "class_weight"),
        ({"class_weight": {"a": 2}}, "class_weight"),
        ({"x": X[:0], "y": Y[:0]}, "no samples"),
        ({"x": [X, X]}, "`x` must be one array"),
        ({"x": {"a": X, "b": X}}, "`x` must be one array"),
        ({"x": 3.0}, "`x` needs a batch axis"),
        ({"x": object(), "y": None}, "`x` must be an array, a generator"),
        ({"x": iter([(X, Y)])}, "`y` must come with each batch"),
        ({"x": iter([]), "y": None}, "yields no batch"),
        ({"x": iter([(X, Y, WEIGHTS, 1)]), "y": None}, "a batch must be"),
        ({"x": iter([(X, Y[:2])]), "y": None}, "`x` 11, `y` 2"),
        ({"x": iter([(X, Y)]), "y": None, "validation_split": 0.1}, "validation_split"),
        ({"x": X[:, :2]}, "shape"),
        ({"y": None}, "targets"),
    ],
)
def test_malformed_arguments(model, kwargs, message):
    with pytest.raises(ValueError, match=message):
        model.fit(**{"x": X, "y": Y, "verbose": 0, **kwargs})
    model.fit(X, Y, verbose=0)


def test_what_holds_no_numbers(model):
    with pytest.raises(TypeError, match="validation_split"):
        model.fit(X, Y, validation_split="half")
    for kwargs in ({"x": None}, {"x": "abc"}, {"y": np.array(["a"] * 11)}):
        with pytest.raises((TypeError, ValueError), match=r"fit: `[xy]`"):
            model.fit(**{"x": X, "y": Y, **kwargs})
    with pytest.raises(TypeError, match="unexpected"):
        model.fit(X, Y, nonsense=1)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_before_compile(method):
    with pytest.raises(ValueError, match=rf"compile.*{method}"):
        getattr(Sequential([Input((3,)), Dense(1)]), method)(X, Y)


def test_what_is_gone_says_what_stands_for_it(model):
    with pytest.raises(AttributeError, match=r"fit_generator.*`fit` takes generators"):
        model.fit_generator(iter([]))
    assert not hasattr(model, "predict_classes")
    with pytest.raises(ValueError, match=r"'lr'.*`learning_rate`"):
        coreops.optimizers.SGD(lr=0.1)


def test_the_old_name_of_epochs(model):
    with pytest.warns(DeprecationWarning, match="nb_epoch"):
        history = model.fit(X, Y, nb_epoch=3, verbose=0)
    assert history.epoch == [0, 1, 2]


def test_a_generator_that_raises(model):
    def broken():
        yield X, Y
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError, match="the disk is gone"):
        model.fit(broken(), verbose=0)
    after = linear(coreops)
    after.fit(X, Y, verbose=0, shuffle=False)
    np.testing.assert_array_equal(model.get_weights()[0], after.get_weights()[0])
    model.fit(X, Y, verbose=0)


def test_a_batch_without_samples(model):
    for learn in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match="batch 1 of `x` holds no samples"):
            learn(iter([(X, Y), (X[:0], Y[:0])]), verbose=0)
    after = linear(coreops)
    after.fit(X, Y, verbose=0, shuffle=False)
    np.testing.assert_array_equal(model.get_weights()[0], after.get_weights()[0])


def test_a_generator_that_ends_early(model):
    record = recorder(coreops)
    with pytest.warns(UserWarning, match="ran out of data") as warnings:
        history = model.fit(
            iter([(X, Y)] * 5), steps_per_epoch=3, epochs=4, verbose=0, callbacks=[record]
        )
    assert len(warnings) == 1
    assert history.epoch == [0, 1]
    batches = [number for name, number, _ in record.calls if name == "on_train_batch_end"]
    assert batches == [0, 1, 2, 0, 1]
    assert record.calls[-1][0] == "on_train_end"
    with pytest.warns(UserWarning, match="ran out of data"):
        assert model.fit(iter([(X, Y)] * 5), epochs=2, verbose=0).epoch == [0]


def test_a_validation_without_data_is_left_out(model):
    """Its loss would be 0, the best there is."""
    best = coreops.callbacks.EarlyStopping(restore_best_weights=True, patience=9)
    with pytest.warns(UserWarning, match="ran out of data|not available") as warnings:
        history = model.fit(
            X, Y, epochs=3, verbose=0, callbacks=[best], validation_data=iter([(X, Y)])
        ).history
    assert len(warnings) == 3  # one of the data, two of the callback
    assert [len(history["loss"]), len(history["val_loss"])] == [3, 1]
    assert best.best == history["val_loss"][0] > 0


def test_an_interrupt_pulls_the_weights(model, monkeypatch):
    pulled = []
    monkeypatch.setattr(TrainingStep, "pull", lambda self: pulled.append(1))
    calls = recorder(coreops)

    def interrupt(batch, logs):
        raise KeyboardInterrupt

    callback = coreops.callbacks.LambdaCallback(on_train_batch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, verbose=0, callbacks=[callback, calls])
    assert pulled
    assert calls.calls[-1][0] == "on_train_batch_begin"  # no on_train_end, as in Keras
    assert model.fit(X, Y, verbose=0).epoch == [0]


def test_data_that_another_pass_can_read():
    class Data:
        passes = 0

        def __iter__(self):
            Data.passes += 1
            for start in range(0, 11, 4):
                yield X[start : start + 4], Y[start : start + 4]

    model = linear(coreops)
    history = model.fit(Data(), epochs=3, validation_data=Data(), verbose=0)
    expected = linear(coreops).fit(
        X, Y, batch_size=4, epochs=3, validation_data=(X, Y), shuffle=False, verbose=0
    )
    same(history.history, expected.history)
    assert Data.passes == 3 + 3 + 1  # of the validation one was begun to see whether there is any


# --- metrics --------------------------------------------------------------------------------


def test_metrics_of_ones_own_see_every_batch():
    sizes = []

    def size(y_true, y_pred):
        sizes.append(len(y_pred))
        return coreops.ops.mean(y_true - y_pred, axis=-1)

    class Batches(coreops.metrics.Metric):
        def __init__(self):
            super().__init__(name="batches")
            self.count = self.add_weight(name="count")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.count.assign_add(1)

        def result(self):
            return self.count.numpy()

    model = linear(coreops, metrics=[size, Batches(), "mae"])
    logs = model.evaluate(X, Y, batch_size=4, verbose=0, return_dict=True)
    assert sizes == [4, 4, 3]
    assert logs["batches"] == 3
    assert logs["mae"] == pytest.approx(np.abs(model(X) - Y).mean(), rel=1e-6)


def test_predictions_wait_to_be_measured_together(monkeypatch):
    updates = []
    real = coreops.metrics.MeanAbsoluteError.update_state

    def update(self, y_true, y_pred, sample_weight=None):
        updates.append(len(y_pred))
        real(self, y_true, y_pred, sample_weight)

    monkeypatch.setattr(coreops.metrics.MeanAbsoluteError, "update_state", update)
    model = linear(coreops, metrics=["mae"])
    one = model.fit(X, Y, batch_size=2, verbose=0, shuffle=False).history["mae"]
    assert updates == [11]
    watcher = coreops.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)
    model = linear(coreops, metrics=["mae"])
    two = model.fit(X, Y, batch_size=2, verbose=0, shuffle=False, callbacks=[watcher])
    assert updates[1:] == [2, 2, 2, 2, 2, 1]
    assert one == pytest.approx(two.history["mae"], rel=1e-6)


def test_penalties_are_part_of_the_loss():
    model = Sequential(
        [
            Input((3,)),
            Dense(1, kernel_regularizer="l2", activity_regularizer=coreops.regularizers.L1(0.5)),
        ]
    )
    model.compile("sgd", "mse", metrics=["mse"])
    loss, mse = model.evaluate(X, Y, batch_size=11, verbose=0)
    model(X)
    assert loss == pytest.approx(mse + sum(map(float, model.losses)), rel=1e-6)
    assert model.test_on_batch(X, Y)[0] == pytest.approx(loss, rel=1e-6)
    before = model.losses
    model.evaluate(X, Y, batch_size=4, verbose=0)
    assert len(before) == 2


def test_the_mask_of_the_output_counts():
    x = np.array([[[1.0], [2.0]], [[3.0], [0.0]]], "float32")
    model = Sequential([Input((2, 1)), coreops.layers.Masking()])
    model.compile("sgd", "mse", metrics=["mae"])
    loss, mae = model.evaluate(x, x + 1, verbose=0)
    assert (loss, mae) == (1.0, 1.0)
    assert model.evaluate(x, 2 * x + 1, verbose=0)[0] == pytest.approx((4 + 9 + 16) / 3)


@pytest.mark.parametrize("batch_size", [1, 7, 32])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum"])
def test_many_batches_are_judged_at_once(rng, batch_size, reduction, monkeypatch):
    x = rng.normal(size=(100, 3)).astype("float32")
    y, weight = x[:, :1], np.abs(x[:, 2])
    loss = coreops.losses.MeanSquaredError(reduction=reduction)
    model = linear(coreops, loss=loss, metrics=["mae"], weighted_metrics=["mae"])
    batches = []
    watch = coreops.callbacks.LambdaCallback(on_test_batch_end=lambda b, logs: batches.append(b))
    kwargs = {"sample_weight": weight, "batch_size": batch_size, "verbose": 0}
    expected = model.evaluate(x, y, callbacks=[watch], **kwargs)
    assert batches == list(range(-(-100 // batch_size)))
    sizes = []
    update = coreops._train.compiled.Compiled.update
    monkeypatch.setattr(
        coreops._train.compiled.Compiled,
        "update",
        lambda self, loss, losses, y, *rest: (
            sizes.append(len(y[0])) or update(self, loss, losses, y, *rest)
        ),
    )
    # Sums of 100 terms, taken in another order.
    assert model.evaluate(x, y, **kwargs) == pytest.approx(expected, rel=100 * 2**-23)
    assert sizes == [100] if reduction != "sum" else max(sizes) == batch_size


def test_a_model_with_a_seam_is_judged():
    model = Sequential([Input((3,)), Lambda(lambda x: x * 2), Dense(1)])
    model.compile("sgd", "mse")
    expected = np.square(model(X) - Y).mean()
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(expected, rel=1e-6)


# --- predict --------------------------------------------------------------------------------


def test_predict_from_batches(model):
    expected = model.predict(X, verbose=0)
    batches = [(X[:4], Y[:4]), (X[4:],)]
    np.testing.assert_allclose(model.predict(iter(batches), verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(model.predict(batches, steps=1), expected[:4], rtol=1e-6)
    with pytest.raises(ValueError, match="yields no batch"):
        model.predict(iter([]))


def test_predict_can_be_stopped():
    class Stop(coreops.callbacks.Callback):
        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = batch == 1

    model = Sequential([Input((3,)), Dense(1)])
    assert model.predict(X, batch_size=2, callbacks=[Stop()], verbose=0).shape == (4, 1)


def test_hooks_around_several_steps_of_predict():
    seen = []

    class Seen(coreops.callbacks.Callback):
        def on_predict_batch_begin(self, batch, logs=None):
            seen.append(batch)

        def on_predict_batch_end(self, batch, logs=None):
            seen.append((batch, logs["outputs"].shape))

    model = Sequential([Input((3,)), Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=2)
    x = np.ones((5, 3))
    assert model.predict(x, batch_size=2, callbacks=[Seen()], verbose=0).shape == (5, 1)
    assert seen == [0, (1, (4, 1)), 2, (3, (1, 1))]


# --- models with a `call` in Python that take or give several arrays ---------------------------


class Several(coreops.Model):
    """What goes in and comes out are lists or dicts, as `form` says."""

    def __init__(self, form):
        super().__init__()
        self.form = form
        self.one = Dense(2, kernel_initializer="ones")
        self.two = Dense(3, kernel_initializer="ones")

    def call(self, inputs):
        a, b = inputs.values() if isinstance(inputs, dict) else inputs
        made = self.one(a), self.two(b)
        return dict(zip(("z", "b"), made, strict=True)) if self.form is dict else self.form(made)


def in_form(form, *arrays, keys):
    return dict(zip(keys, arrays, strict=True)) if form is dict else form(arrays)


@pytest.mark.parametrize("form", [list, tuple, dict])
@pytest.mark.parametrize("loss", ["mse", ["mse", "mae"]])
def test_python_models_of_several_arrays_learn_as_graphs_do(form, loss, rng):
    a, b = rng.normal(size=(2, 8, 4)).astype("float32")
    y = rng.normal(size=(8, 2)), rng.normal(size=(8, 3))
    own = Several(form)
    x = in_form(form, a, b, keys=("p", "q"))
    inputs = [Input((4,), name=name) for name in ("p", "q")]
    outputs = [
        Dense(units, kernel_initializer="ones", name=name)(one)
        for units, name, one in zip((2, 3), ("z", "b"), inputs, strict=True)
    ]
    graph = Model(inputs, outputs)
    graph_loss, targets = loss, in_form(form, *y, keys=("z", "b"))
    if form is dict and loss != "mse":
        loss = dict(zip(("z", "b"), loss, strict=True))
    own.compile("sgd", loss, metrics=in_form(form, ["mae"], ["mse"], keys=("z", "b")))
    graph.compile("sgd", graph_loss, metrics=[["mae"], ["mse"]])
    kwargs = {"epochs": 2, "batch_size": 4, "shuffle": False, "verbose": 0}
    logs = own.fit(x, targets, validation_data=(x, targets), **kwargs).history
    expected = graph.fit([a, b], list(y), validation_data=([a, b], list(y)), **kwargs).history
    np.testing.assert_allclose(logs["val_loss"], expected["val_loss"], rtol=1e-5)
    assert len(logs) == len(expected)
    if form is dict:
        assert logs.keys() == expected.keys()
    predicted = own.predict(x, verbose=0)
    assert type(predicted) is (dict if form is dict else form)
    parts = predicted.values() if form is dict else predicted
    order = (1, 0) if form is dict else (0, 1)  # a dict's values come by key, sorted
    for one, at in zip(parts, order, strict=True):
        np.testing.assert_allclose(one, graph.predict([a, b], verbose=0)[at], rtol=1e-5)
    found = own.train_on_batch(x, targets, return_dict=True)
    again = graph.train_on_batch([a, b], list(y), return_dict=True)
    np.testing.assert_allclose(found["loss"], again["loss"], rtol=1e-5)
    assert len(own.evaluate(x, targets, verbose=0)) == len(own.metrics_names)


def test_outputs_without_names_are_told_apart_by_their_losses():
    model = Several(list)
    model.compile("sgd", ["mse", "mse"], metrics=[["mae"], ["mae"]])
    x, y = [np.ones((4, 4))] * 2, [np.ones((4, 2)), np.ones((4, 3))]
    logs = model.evaluate(x, y, return_dict=True, verbose=0)
    assert list(logs) == ["loss", "mae", "mae_1", "mse_loss", "mse_loss_1"]
    assert logs["loss"] == pytest.approx(logs["mse_loss"] + logs["mse_loss_1"])


def test_batches_of_several_arrays():
    model = Several(dict)
    model.compile("sgd", "mse")
    x = {"p": np.ones((4, 4)), "q": np.ones((4, 4))}
    y = {"z": np.ones((4, 2)), "b": np.ones((4, 3))}
    logs = model.fit(((x, y) for _ in range(3)), verbose=0).history
    assert list(logs) == ["b_loss", "loss", "z_loss"]
    with pytest.raises(ValueError, match="keys"):
        model.fit(x, {"z": y["z"], "other": y["b"]}, verbose=0)
    with pytest.raises(ValueError, match="one for each output"):
        model.compile("sgd", {"z": ["mse", "mae"], "b": "mse"})


# --- metrics that layers hold --------------------------------------------------------------------


class Watched(coreops.Model):
    def __init__(self):
        super().__init__()
        self.inner = Dense(1, kernel_initializer="ones", use_bias=False)
        self.size = coreops.metrics.Mean(name="size")
        self.more = {"list": [coreops.metrics.Sum(name="total")]}

    def call(self, x):
        y = self.inner(x)
        self.size.update_state(y)
        self.more["list"][0].update_state(coreops.ops.abs(y))
        return y


def test_metrics_that_layers_update_are_in_the_logs():
    model = Watched()
    own = coreops.metrics.MeanAbsoluteError(name="mae")
    model.compile(coreops.optimizers.SGD(0.0), "mse", metrics=[own])
    x = np.arange(8.0).reshape(4, 2)
    sums = x.sum(1)
    logs = model.fit(x, np.zeros(4), epochs=2, batch_size=2, verbose=0).history
    assert list(logs) == ["loss", "mae", "size", "total"]
    np.testing.assert_allclose(logs["size"], [sums.mean()] * 2)  # each epoch begins anew
    np.testing.assert_allclose(logs["total"], [sums.sum()] * 2)
    assert [metric.name for metric in model.metrics] == ["loss", "mae", "size", "total"]
    assert model.metrics_names == ["loss", "mae", "size", "total"]
    found = model.evaluate(x[:2], np.zeros(2), return_dict=True, verbose=0)
    assert found["total"] == pytest.approx(sums[:2].sum())
    assert model.get_metrics_result() == found
    model.reset_metrics()
    assert model.get_metrics_result()["size"] == 0


@pytest.mark.parametrize("loss", ["mse", "huber", "kl_divergence", "hinge", "dice"])
@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
@pytest.mark.parametrize("shape", [(3, 1), (3, 2), (3, 3, 1, 1)])
def test_labels_of_other_shapes_are_refused_everywhere(loss, method, shape):
    """Also those that would broadcast: nobody means that."""
    model = Sequential([Input((3,)), Dense(3)])
    model.compile("sgd", loss)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"labels of the predictions' shape \(3, 3\)"):
        getattr(model, method)(np.ones((3, 3)), np.ones(shape))
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_targets_of_those_outputs_alone_that_have_a_loss():
    inputs = Input((3,))
    model = Model(inputs, [Dense(units, name=f"d{units}")(inputs) for units in (1, 2, 3)])
    x, y = np.ones((4, 3)), [np.ones((4, units)) for units in (1, 2, 3)]
    model.compile("sgd", [None, "mse", None])
    expected = model.evaluate(x, y, verbose=0)
    assert model.evaluate(x, y[1], verbose=0) == expected
    assert model.test_on_batch(x, [y[1]]) == expected
    model.compile("sgd", {"d1": "mse", "d3": "mae"})
    assert model.evaluate(x, [y[0], y[2]], verbose=0) == model.evaluate(x, y, verbose=0)
    with pytest.raises(ValueError, match="for each of the outputs"):
        model.evaluate(x, y[0], verbose=0)
