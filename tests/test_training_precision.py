"""Steps of training in each precision of products, against float64; on tiers without a unit for one
the same tests hold for gemm."""

from typing import NamedTuple

import numpy as np
import pytest
from tolerance import split_bound

import coreops
from coreops import _kernels, config, layers
from coreops.optimizers import SGD

PRECISIONS = _kernels.PRECISIONS


@pytest.fixture(params=PRECISIONS)
def precision(request):
    return request.param


class Near(NamedTuple):
    """A matrix, and how far from it the computed one may be."""

    value: np.ndarray
    error: np.ndarray

    def product(self, other, precision):
        made = split_bound(self.value, other.value, precision)
        x, y = np.abs(self.value), np.abs(other.value)
        carried = self.error @ (y + other.error) + x @ other.error
        return Near(self.value @ other.value, 1.01 * (made + carried))

    @property
    def turned(self):
        return Near(self.value.T, self.error.T)


def exactly(x):
    return Near(x.astype(np.float64), np.zeros(x.shape))


def learnt(model, x, y, **options):
    """The gradients of one step, as SGD at rate 1 applies them."""
    before = model.get_weights()
    model.train_on_batch(x, y, **options)
    return [w - v for w, v in zip(before, model.get_weights(), strict=True)]


def two_products(rng, k, u, n, precision):
    """y = x w1 w2 of the mean squared error."""
    model = coreops.Sequential(
        [
            coreops.Input((k,)),
            layers.Dense(u, use_bias=False),
            layers.Dense(n, use_bias=False),
        ],
        precision=precision,
    )
    model.compile(SGD(1.0), "mse")
    for w in model.weights:
        w.assign(rng.normal(size=w.shape) / 8)
    return model


def expected_of(x, target, weights, precision, factor=1.0):
    """The gradients of the two products' weights."""
    w1, w2 = map(exactly, weights)
    h = exactly(x).product(w1, precision)
    y = h.product(w2, precision)
    scale, eps = 2 * factor / target.size, np.finfo(np.float32).eps
    dy = scale * (y.value - target)
    dy = Near(dy, scale * y.error + 4 * eps * np.abs(dy))
    return [
        exactly(x).turned.product(dy.product(w2.turned, precision), precision),
        h.turned.product(dy, precision),
    ]


def check(got, expected, rate, weights):
    for g, near, w in zip(got, expected, weights, strict=True):
        of_update = np.finfo(np.float32).eps * (np.abs(w) + np.abs(rate * near.value))
        assert np.all(np.abs(g - rate * near.value) <= rate * near.error + of_update)


# around the rows and columns of a tile, its depth of 32 and the fewest rows that go there
@pytest.mark.parametrize(
    ("batch", "k", "u", "n"),
    [(1, 65, 49, 33), (63, 64, 48, 17), (64, 97, 81, 65), (97, 130, 64, 48), (130, 33, 129, 100)],
)
def test_gradients_of_both_products(isa, precision, rng, batch, k, u, n):
    model = two_products(rng, k, u, n, precision)
    weights = model.get_weights()
    x = rng.normal(size=(batch, k)).astype(np.float32)
    target = rng.normal(size=(batch, n)).astype(np.float32)
    got = learnt(model, x, target)
    check(got, expected_of(x, target, weights, precision), 1.0, weights)


def test_a_unit_that_is_there_is_used(isa, rng):
    x, y = rng.normal(size=(128, 96)).astype(np.float32), np.zeros((128, 64), np.float32)
    found = {}
    for precision in PRECISIONS:
        rng = np.random.default_rng(1)
        for gradient in learnt(two_products(rng, 96, 128, 64, precision), x, y):
            found.setdefault(_kernels.matmul_name(precision), []).append(gradient)
    gradients = [found[name][:2] for name in found]
    for i, some in enumerate(gradients):
        for others in gradients[i + 1 :]:
            assert all(np.any(a != b) for a, b in zip(some, others, strict=True))


def test_gradients_that_the_unit_cannot_do_are_gemms(isa, precision, rng, batch_invariant):
    """Their elements are too small for bfloat16; the products of rows are gemm's here anyway."""
    model = two_products(rng, 96, 64, 64, precision)
    model.compile(SGD(1e20), "mse")
    weights = model.get_weights()
    x = rng.normal(size=(64, 96)).astype(np.float32)
    target = rng.normal(size=(64, 64)).astype(np.float32)
    got = learnt(model, x, target, sample_weight=np.full(64, 1e-20, np.float32))
    check(got, expected_of(x, target, weights, "highest", 1e-20), 1e20, weights)


def network(rng, precision=None, rate=0.2):
    model = coreops.Sequential(
        [
            coreops.Input((96,)),
            layers.Dense(160, "relu", kernel_constraint=coreops.constraints.MaxNorm(2.0)),
            layers.Dropout(rate, seed=1),
            layers.Dense(80, "tanh", kernel_regularizer="l2"),
            layers.Dense(48),
        ],
        precision=precision,
    )
    model.compile("adam", "mse")
    for w in model.weights:
        w.assign(rng.normal(size=w.shape) / 8)
    return model


def data(rng, batch=96):
    return (rng.normal(size=(batch, n)).astype(np.float32) for n in (96, 48))


def steps(model, x, y, count=3):
    losses = [model.train_on_batch(x, y) for _ in range(count)]
    return [*losses, *model.get_weights()]


def same(some, others):
    return all(np.array_equal(a, b) for a, b in zip(some, others, strict=True))


def test_threads_do_not_change_the_bits(isa, precision):
    before, found = coreops.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 8):
            coreops.set_num_threads(threads)
            rng = np.random.default_rng(2)
            found.append(steps(network(rng, precision), *data(rng, 300)))
    finally:
        coreops.set_num_threads(before)
    assert all(same(found[0], one) for one in found[1:])


@pytest.mark.parametrize("frozen", [False, True])
def test_weights_that_were_assigned_are_packed_again(isa, precision, rng, frozen):
    def fresh():
        model = network(rng, precision, rate=0)
        model.layers[0].trainable = not frozen
        model.compile(SGD(0.1), "mse")
        return model

    model, (x, y) = fresh(), data(rng)
    steps(model, x, y)  # prepared, and the same from now on
    start = [2 * w for w in model.get_weights()]
    model.set_weights(start)
    got, again = steps(model, x, y), fresh()
    again.set_weights(start)
    assert same(got, steps(again, x, y))


@pytest.mark.parametrize("globally", [False, True])
def test_the_precision_may_change_between_steps(isa, rng, globally):
    def choose(model, precision):
        if globally:
            config.set_matmul_precision(precision)
        else:
            model.precision = precision

    start, (x, y) = network(rng).get_weights(), data(rng)
    found = []
    try:
        for words in (("highest",) * 3, ("medium",) * 3, ("highest", "medium", "highest")):
            model = network(rng)
            model.set_weights(start)
            found.append([])
            for word in words:
                choose(model, word)
                found[-1] += steps(model, x, y)
    finally:
        config.set_matmul_precision("highest")
    other = _kernels.matmul_name("medium") != _kernels.matmul_name("highest")
    n = len(found[0]) // 3
    assert same(found[0][:n], found[2][:n])
    assert same(found[0][n:], found[2][n:]) != other
    assert same(found[0][n:], found[1][n:]) != other


TOLERANCES = {"highest": 1e-5, "high": 1e-3, "medium": 0.1}


@pytest.mark.parametrize("masked", [False, True])
def test_recurrent_layers(isa, precision, rng, masked):
    x = rng.normal(size=(64, 4, 64)).astype(np.float32)
    x[::3, 2:] = 0
    y = rng.normal(size=(64, 4, 48)).astype(np.float32)
    weights, found = None, []
    for word in ("highest", precision):
        model = coreops.Sequential([coreops.Input((4, 64)), layers.Masking(0.0 if masked else 9.0)])
        for layer in (layers.LSTM, layers.SimpleRNN):
            model.add(layer(64, return_sequences=True))
        model.add(layers.TimeDistributed(layers.Dense(48)))
        model.compile(SGD(1.0), "mse")
        model.precision = word
        weights = weights or model.get_weights()
        model.set_weights(weights)
        found.append(learnt(model, x, y))
    for expected, got in zip(*found, strict=True):
        size = np.sqrt(np.mean(expected**2))
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCES[precision] * 10 * size)


class Doubled(layers.Layer):
    """Computes in Python, but for its product."""

    def __init__(self):
        super().__init__()
        self.inside = layers.Dense(64, use_bias=False)

    def call(self, x):
        return 2 * self.inside(x)


def test_two_uses_of_a_weight_and_a_product_on_the_tape(isa, precision, rng):
    found = []
    x, y, w = (rng.normal(size=(n, 64)).astype(np.float32) for n in (80, 80, 64))
    for word in ("highest", precision):
        a, twice = coreops.Input((64,)), layers.Dense(64, use_bias=False)
        model = coreops.Model(a, Doubled()(twice(twice(a))))
        model.compile(SGD(1.0), "mse")
        model.set_weights([w / 8, w.T / 8])
        config.set_matmul_precision(word)
        try:
            found.append(learnt(model, x, y))
        finally:
            config.set_matmul_precision("highest")
    for expected, got in zip(*found, strict=True):
        size = np.sqrt(np.mean(expected**2))
        np.testing.assert_allclose(got, expected, rtol=0, atol=TOLERANCES[precision] * 10 * size)
