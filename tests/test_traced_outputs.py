"""Layers of several outputs called inside of a function that is trained."""

import numpy as np
import pytest

import coreops
from coreops import Model, layers, ops


def two_heads():
    x = coreops.Input((5,), dtype="float64")
    h = layers.Dense(4, activation="tanh", dtype="float64")(x)
    outs = [layers.Dense(3, dtype="float64")(h), layers.Dense(3, dtype="float64")(x), h, h]
    return Model(x, outs)


class OfModel(layers.Layer):
    def __init__(self, use):
        super().__init__(dtype="float64")
        self.inner, self.use = two_heads(), use

    def call(self, x):
        return self.use(self.inner(x))


class OfStates(layers.Layer):
    def __init__(self, make, use):
        super().__init__(dtype="float64")
        self.inner, self.use = make(), use

    def call(self, x):
        return self.use(self.inner(ops.reshape(x, (-1, 5, 1))))


def lstm():
    return layers.LSTM(3, return_sequences=True, return_state=True, dtype="float64")


def both():
    return layers.Bidirectional(layers.GRU(2, return_state=True, dtype="float64"), dtype="float64")


CASES = {
    "all": lambda: OfModel(lambda y: ops.concatenate([y[0] * y[1], y[2] + y[3]], 1)),
    "one": lambda: OfModel(lambda y: y[1]),
    "twice the same": lambda: OfModel(lambda y: y[2] * y[3]),
    "states": lambda: OfStates(lstm, lambda y: ops.mean(y[0], 1) * y[1] + y[2]),
    "the last state": lambda: OfStates(lstm, lambda y: y[2]),
    "both directions": lambda: OfStates(both, lambda y: y[0][:, :2] + y[1] * y[2]),
}


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_differences(case, rng):
    x = rng.normal(size=(6, 5))
    inputs = coreops.Input((5,), dtype="float64")
    layer = CASES[case]()
    first = layers.Dense(5, dtype="float64")
    model = Model(inputs, layers.Dense(2, dtype="float64")(layer(first(inputs))))
    target = rng.normal(size=(6, 2))
    model.compile(coreops.optimizers.SGD(1.0), loss="mse")
    model.set_weights([rng.normal(size=w.shape, scale=0.6) for w in model.weights])
    before = model.get_weights()
    model.train_on_batch(x, target)
    steps = [old - new for old, new in zip(before, model.get_weights(), strict=True)]
    moved_some = 0
    for number, step in enumerate(steps):
        for place in ((0,) * step.ndim, tuple(n - 1 for n in step.shape)):
            found = []
            for sign in (1, -1):
                moved = [w.copy() for w in before]
                moved[number][place] += sign * 1e-6
                model.set_weights(moved)
                found.append(np.mean((model(x) - target) ** 2))
            wanted = (found[0] - found[1]) / 2e-6
            np.testing.assert_allclose(step[place], wanted, rtol=1e-5, atol=1e-8)
            moved_some += abs(wanted) > 1e-3
    assert moved_some > 4
