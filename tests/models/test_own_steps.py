"""Models whose class has a loss, metrics or steps of its own."""

import numpy as np
import pytest
from fit_scenarios import WEIGHTS, X, Y, own_class

import coreops
from coreops import Input, Model, Sequential, layers, metrics, ops, optimizers


def errors(self, x, y, y_pred, sample_weight=None, training=True):
    return ops.mean(ops.abs(y - y_pred))


def own(compiled=True, **parts):
    model = own_class(coreops, **parts)
    if compiled:
        model.compile(coreops.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


def test_the_step_itself_learns_as_fit_does():
    plain, wrapped = own(), own(train_step=lambda self, data: Model.train_step(self, data))
    for model in (plain, wrapped):
        model.fit(X, Y, sample_weight=WEIGHTS, epochs=3, verbose=0, shuffle=False)
    assert wrapped.history.history == plain.history.history
    np.testing.assert_array_equal(wrapped.get_weights()[0], plain.get_weights()[0])
    assert wrapped.train_on_batch(X, Y) == plain.train_on_batch(X, Y)


class Plain(optimizers.Optimizer):
    def update_step(self, gradient, variable, learning_rate):
        variable.assign_sub(float(learning_rate) * gradient)


@pytest.mark.parametrize("parts", [{}, {"compute_loss": errors}], ids=["compiled", "own loss"])
@pytest.mark.parametrize("make", [optimizers.SGD, optimizers.Ftrl, Plain])
def test_a_scaled_loss_makes_the_same_steps(make, parts):
    weights = []
    for factor in (None, 64.0):  # a power of two changes no digit
        model = own(**parts)
        model.compile(make(0.1, loss_scale_factor=factor), "mse")
        model.fit(X, Y, batch_size=4, verbose=0, shuffle=False)
        weights.append(model.get_weights()[0])
    np.testing.assert_array_equal(*weights)


def test_a_step_may_change_its_batch_and_its_logs():
    def train_step(self, data):
        x, y, weight = coreops.utils.unpack_x_y_sample_weight(data)
        assert weight is None
        return {**Model.train_step(self, (2 * x, y)), "mine": np.float32(len(x))}

    def test_step(self, data):
        return {"judged": len(data), **Model.test_step(self, data)}

    model, twin = own(train_step=train_step, test_step=test_step), own()
    history = model.fit(X, Y, batch_size=4, verbose=0, validation_data=(X, Y, WEIGHTS)).history
    assert history["mine"] == [3.0]
    assert type(history["mine"][0]) is float
    assert history["val_judged"] == [3]
    twin.set_weights(model.get_weights())
    named = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert named == {"judged": 2, **twin.evaluate(X, Y, verbose=0, return_dict=True)}
    model.set_weights(twin.get_weights())
    assert model.train_on_batch(X, Y)[:2] == twin.train_on_batch(2 * X, Y)


def test_what_is_predicted():
    model = own(predict_step=lambda self, data: {"odds": ops.exp(self(data)), "x": data})
    found = model.predict(X, batch_size=4)
    np.testing.assert_allclose(found["odds"], np.exp(model(X)), rtol=1e-6)
    np.testing.assert_array_equal(found["x"], X)


def test_metrics_that_the_class_holds():
    class Tracked(Model):
        def __init__(self):
            super().__init__()
            self.dense, self.tracker = layers.Dense(1), metrics.Mean(name="loss")
            self.resets = 0

        def call(self, x):
            return self.dense(x)

        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            loss = errors(self, x, y, y_pred)
            self.tracker.update_state(loss)
            return loss

        def reset_metrics(self):
            self.tracker.reset_state()
            self.resets += 1

        @property
        def metrics(self):
            return [self.tracker]

    model = Tracked()
    model.compile("sgd")
    history = model.fit(X, Y, batch_size=11, epochs=2, verbose=0).history
    assert list(history) == ["loss"]
    assert model.resets == 2
    loss = model.evaluate(X, Y, verbose=0)
    assert loss == pytest.approx(np.abs(model(X) - Y).mean())
    assert loss < history["loss"][1] < history["loss"][0]


def test_a_loss_of_a_model_with_seams_masks_and_several_outputs():
    """The gradient is that of differences."""

    class Own(Model):
        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            first, second = y_pred
            return ops.mean(first * y) + ops.sum(second * second) / 7 + 2 * sum(self.losses)

    inputs = Input((4, 3), dtype="float64")
    kwargs = {"dtype": "float64"}
    h = layers.GRU(3, return_sequences=True, **kwargs)(layers.Masking(**kwargs)(inputs))
    h = layers.Dense(3, activity_regularizer="l2", kernel_regularizer="l1", **kwargs)(h)
    h = layers.Lambda(lambda a: a * ops.sigmoid(a), mask=lambda a, mask: mask, **kwargs)(h)
    heads = [layers.GlobalAveragePooling1D(**kwargs)(h), layers.Activation("tanh", **kwargs)(h)]
    model = Own(inputs, heads)
    x = np.random.default_rng(1).normal(size=(5, 4, 3))
    x[1, 2:] = 0
    y = np.random.default_rng(2).normal(size=(5, 3))
    before = model.get_weights()
    model.compile(coreops.optimizers.SGD(1.0))
    model.train_on_batch(x, y)
    moved = [a - b for a, b in zip(before, model.get_weights(), strict=True)]
    model.set_weights(before)
    generator = np.random.default_rng(3)
    for number in range(len(before)):
        toward = generator.normal(size=before[number].shape)
        found = []
        for step in (-1e-6, 1e-6):
            moving = [*before]
            moving[number] = before[number] + step * toward
            model.set_weights(moving)
            found.append(model.test_on_batch(x, y))
        slope = (found[1] - found[0]) / 2e-6
        assert np.sum(moved[number] * toward) == pytest.approx(slope, rel=1e-5, abs=1e-7)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"compute_loss.*scalar"):
        own(compute_loss=lambda self, x, y, y_pred, sample_weight: y_pred - y).fit(X, Y, verbose=0)
    with pytest.raises(NotImplementedError, match=r"train_step\(self, data\).*'state'"):
        own(train_step=lambda self, state, data: (None, state)).fit(X, Y, verbose=0)
    model = own(compute_loss=lambda self, x, y, y_pred, sample_weight: ops.mean(y_pred) / 0.0)
    before = model.get_weights()
    with pytest.warns(RuntimeWarning, match="nothing is learnt"), np.errstate(divide="ignore"):
        model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_data_of_any_form():
    """Inputs and targets in dicts stay that when a part of them is kept for validation."""

    class Pair(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(1)

        def call(self, x):
            return self.dense(x["a"] + x["b"])

    class Judged(Pair):
        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            return errors(self, x["a"], y["y"], y_pred)

    x = {"a": X, "b": 2 * X}
    for kind, y in ((Pair, Y), (Judged, {"y": Y})):
        model = kind()
        model.compile("sgd", "mse")
        history = model.fit(x, y, validation_split=0.4, verbose=0).history
        assert sorted(history) == ["loss", "val_loss"]


def test_parts_are_known_in_subclasses_of_sequential_and_functional():
    class Chain(Sequential):
        compute_loss = errors

    inputs = Input((3,))
    chain = Chain([inputs, layers.Dense(1)])

    class Graph(Model):
        compute_loss = errors

    graph = Graph(inputs, chain.layers[-1].output)
    for model in (chain, graph):
        model.compile("sgd")
        loss = model.evaluate(X, Y, verbose=0)
        assert loss == pytest.approx(np.abs(model(X) - Y).mean(), rel=1e-6)
        assert model.fit(X, Y, epochs=9, verbose=0).history["loss"][-1] < loss


def test_targets_of_several_outputs_keep_their_order():
    """By names whose order is not that of the outputs, in a step and metrics of the class's own."""
    seen = []

    class Own(Model):
        def train_step(self, data):
            seen.append(sorted(data[1]))
            return Model.train_step(self, data)

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            seen.append([np.shape(one) for one in y])
            return Model.compute_metrics(self, x, y, y_pred, sample_weight)

    inputs = Input((3,))
    heads = [layers.Dense(2, name="z")(inputs), layers.Dense(1, name="a")(inputs)]
    y = {"a": Y, "z": np.ones((11, 2), "float32")}
    found = []
    for kind in (Own, Model):
        coreops.utils.set_random_seed(1)
        model = kind(inputs, heads)
        for layer in model.layers[1:]:
            layer.set_weights([np.full(w.shape, 0.1) for w in layer.weights])
        model.compile("sgd", "mse", metrics={"a": ["mae"]})
        model.fit(X, y, batch_size=11, verbose=0)
        found.append(model.history.history)
    assert found[0] == found[1]
    assert seen == [["a", "z"], [(11, 2), (11, 1)]]
