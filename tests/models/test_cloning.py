"""clone_model: the same structure, other weights, as Keras has it."""

import numpy as np
import pytest

import coreops
from coreops import Model, layers
from coreops.layers import Dense, Input
from coreops.models import Sequential, clone_model

X = np.arange(6, dtype="float32").reshape(2, 3) / 6


def graph():
    x = Input((3,), name="x")
    inner = Sequential([Input((4,)), Dense(4, name="deep")], name="inner")
    h = Dense(4, name="first")(x)
    return Model(x, {"y": layers.Add(name="sum")([h, inner(h)])}, name="graph")


def test_weights_are_its_own():
    model = Sequential([Input((3,)), Dense(2)], name="one")
    twin = clone_model(model)
    assert twin.get_config() == model.get_config()
    twin.set_weights([np.zeros((3, 2)), np.zeros(2)])
    assert model.get_weights()[0].any()


def test_it_is_compiled_as_the_model_is():
    model = Sequential([Input((3,)), Dense(2)])

    def loss(y_true, y_pred):
        return coreops.ops.mean((y_true - y_pred) ** 2, axis=-1)

    metric = coreops.metrics.MeanAbsoluteError()
    model.compile(coreops.optimizers.Adam(0.25), loss, metrics=[metric])
    model.fit(X, np.ones((2, 2)), verbose=0)
    twin = clone_model(model)
    assert twin.optimizer is not model.optimizer
    assert float(twin.optimizer.learning_rate) == 0.25
    assert twin.loss is loss
    before = float(metric.result())
    twin.fit(X, np.zeros((2, 2)), verbose=0)
    assert list(twin.history.history) == ["loss", "mean_absolute_error"]
    assert float(metric.result()) == before
    assert not clone_model(Sequential([Dense(2)])).compiled


def test_layers_may_be_replaced():
    def biased(layer):
        config = layer.get_config()
        if "use_bias" in config:
            config["use_bias"] = False
        return type(layer).from_config(config)

    for model in (graph(), Sequential([Input((3,)), Dense(2)])):
        twin = clone_model(model, clone_function=biased)
        assert len(twin.get_weights()) < len(model.get_weights())
    assert clone_model(graph(), clone_function=biased).get_layer("inner").layers[0].use_bias
    twin = clone_model(graph(), clone_function=biased, recursive=True)
    assert not twin.get_layer("inner").layers[0].use_bias
    model = graph()
    shares = clone_model(model, clone_function=lambda layer: layer)
    np.testing.assert_array_equal(shares(X)["y"], model(X)["y"])


def test_calls_may_be_replaced():
    def call(layer, *args, **kwargs):
        y = layer(*args, **kwargs)
        return layers.ReLU()(y) if layer.name == "sum" else y

    model = graph()
    twin = clone_model(model, clone_function=lambda layer: layer, call_function=call)
    np.testing.assert_array_equal(twin(X)["y"], np.maximum(model(X)["y"], 0))


def test_it_may_stand_on_tensors():
    for model in (graph(), Sequential([Input((3,)), Dense(2)])):
        z = Input((3,), name="z")
        twin = clone_model(model, input_tensors=[z])
        assert twin.input.name == "z"
        twin.set_weights(model.get_weights())
        np.testing.assert_equal(twin(X), model(X))


class Own(Model):
    def call(self, x):
        return x


@pytest.mark.parametrize(
    ("model", "options", "match"),
    [
        (Own, {"clone_function": lambda layer: layer}, "clone_function"),
        (Own, {"input_tensors": [1]}, "input_tensors"),
        (Own, {"call_function": lambda layer, x: x}, "call_function"),
        (lambda: Sequential([Dense(2)]), {"call_function": lambda layer, x: x}, "call_function"),
        (graph, {"input_tensors": [Input((3,)), Input((3,))]}, "1 input"),
        (graph, {"input_tensors": [X]}, "symbolic"),
        (lambda: Dense(2), {}, "must be a model"),
    ],
)
def test_what_does_not_fit_the_model(model, options, match):
    with pytest.raises(ValueError, match=match):
        clone_model(model(), **options)
