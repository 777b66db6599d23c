"""Whole models, from the call to the answer."""

import numpy as np
import pytest

import coreops
from coreops import layers

both = pytest.mark.parametrize("who", ["coreops", "numpy"])


def mlp(sizes, last):
    model = coreops.Sequential([layers.Input((sizes[0],))])
    for units in sizes[1:-1]:
        model.add(layers.Dense(units, activation="relu"))
    model.add(layers.Dense(sizes[-1], activation=last))
    weights = model.get_weights()

    def pure_numpy(x):
        for kernel, bias in zip(weights[0:-2:2], weights[1:-2:2], strict=True):
            x = np.maximum(x @ kernel + bias, 0)
        x = x @ weights[-2] + weights[-1]
        if last == "softmax":
            x = np.exp(x - x.max(axis=-1, keepdims=True))
            x /= x.sum(axis=-1, keepdims=True)
        return x

    return model, pure_numpy


@both
@pytest.mark.parametrize("batch", [1, 64, 2048])
@pytest.mark.parametrize(
    ("sizes", "last"),
    [((16, 64, 64, 1), None), ((10, 32, 2), None), ((784, 512, 512, 10), "softmax")],
    ids=["16-64-64-1", "10-32-2", "784-512-512-10"],
)
def test_mlp(versus, rng, who, sizes, last, batch):
    model, pure_numpy = mlp(sizes, last)
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)

    def check(a, b):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

    versus(who, lambda: model(x), lambda: pure_numpy(x), check)


@both
@pytest.mark.parametrize("batch", [1, 256])
def test_masked_sequence(versus, rng, who, batch):
    """Masking, a dense layer over the time steps, and the axes swapped for what follows."""
    dense = layers.Dense(32, activation="tanh")
    model = coreops.Sequential([layers.Input((50, 16)), layers.Masking(), dense])
    kernel, bias = dense.get_weights()
    x = rng.normal(size=(batch, 50, 16)).astype(np.float32)
    x[:, 40:] = 0

    def pure_numpy():
        masked = x * np.any(x != 0, axis=-1, keepdims=True)
        return np.tanh(masked @ kernel + bias)

    def check(a, b):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)

    versus(who, lambda: model(x), pure_numpy, check)
