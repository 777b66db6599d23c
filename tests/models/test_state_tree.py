"""State trees: what training changes in a model, taken out and put into another."""

import numpy as np
import pytest

import coreops
from coreops import layers

X = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
KINDS = [
    "trainable_variables",
    "non_trainable_variables",
    "optimizer_variables",
    "metrics_variables",
]


def made(k, fitted=True):
    k.utils.set_random_seed(3)
    model = k.Sequential(
        [
            k.layers.Input((3,)),
            k.layers.Dense(2, name="a"),
            k.layers.BatchNormalization(name="b"),
        ],
        name="m",
    )
    model.compile(k.optimizers.Adam(name="adam"), "mse", metrics=["mae"])
    if fitted:
        model.fit(X, X[:, :2], batch_size=2, verbose=0, shuffle=False)
    return model


def shapes(tree):
    return {k: shapes(v) if isinstance(v, dict) else np.shape(v) for k, v in tree.items()}


def state(model):
    return [*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]


def test_a_tree_brings_a_model_to_where_another_is():
    model, twin = made(coreops), made(coreops, fitted=False)
    tree = model.get_state_tree()
    assert list(tree) == KINDS
    twin.set_state_tree(tree)
    for one, other in zip(state(model), state(twin), strict=True):
        np.testing.assert_array_equal(one, other)
    for one in (model, twin):
        one.fit(X, X[:, :2], verbose=0, shuffle=False)
    for one, other in zip(state(model), state(twin), strict=True):
        np.testing.assert_array_equal(one, other)
    taken = tree["trainable_variables"]["m"]["a"]["kernel"]
    assert not np.array_equal(taken, model.layers[0].kernel.numpy())  # a copy


def test_a_model_goes_back_to_where_it_was():
    model = made(coreops)
    tree, before = model.get_state_tree(), state(model)
    for _ in range(2):
        model.fit(X, X[:, :2], batch_size=2, verbose=0, shuffle=False)
        after = state(model)
        model.set_state_tree(tree)
        for one, other in zip(before, state(model), strict=True):
            np.testing.assert_array_equal(one, other)
    model.fit(X, X[:, :2], batch_size=2, verbose=0, shuffle=False)
    for one, other in zip(after, state(model), strict=True):
        np.testing.assert_array_equal(one, other)


def test_metrics_are_in_it():
    model = made(coreops)
    result, tree = model.get_metrics_result(), model.get_state_tree(value_format="numpy_array")
    assert set(tree["metrics_variables"]) == {"loss", "mae"}
    assert len(model.metrics_variables) == 4
    model.reset_metrics()
    model.set_state_tree({"metrics_variables": tree["metrics_variables"]})
    assert model.get_metrics_result()["mae"] == result["mae"] != 0


@pytest.mark.parity
def test_the_form_of_keras(keras):
    model, other = made(coreops), made(keras, fitted=False)
    other.optimizer.build(other.trainable_variables)
    tree = model.get_state_tree()
    theirs = shapes(other.get_state_tree())
    for kind in KINDS[:3]:
        assert shapes(tree[kind]) == theirs[kind]


@pytest.mark.parametrize(
    "tree",
    [
        {"weights": {}},
        {"trainable_variables": {"m": {"c": {"kernel": 0}}}},
        {"trainable_variables": {"m": {"a": {"bias": np.ones(2), "kernel": np.zeros((2, 3))}}}},
    ],
)
def test_what_does_not_fit_changes_nothing(tree):
    model = made(coreops, fitted=False)
    with pytest.raises(ValueError, match=r"'m'"):
        model.set_state_tree(tree)
    np.testing.assert_array_equal(model.layers[0].bias.numpy(), 0)
    with pytest.raises(ValueError, match="value_format"):
        model.get_state_tree("list")


def test_names_that_occur_twice():
    model = coreops.Sequential([layers.Input((2,)), layers.Dense(2, name="a")], name="m")
    model.compile("sgd", "mse")
    model.layers[0].kernel.path = model.layers[0].bias.path
    with pytest.raises(ValueError, match="path"):
        model.get_state_tree()
