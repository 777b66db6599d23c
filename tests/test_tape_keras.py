"""Gradients of functions on `keras.ops`, run by real Keras on JAX, and by coreops."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.parity

X = np.random.default_rng(7).normal(size=(2, 4, 6))
W = np.random.default_rng(8).normal(size=(6, 3))
MASK = np.random.default_rng(9).random((2, 4, 6)) < 0.5


def antirectifier(o, x):
    x = x - o.mean(x, axis=1, keepdims=True)
    x = x / o.sqrt(o.maximum(o.sum(o.square(x), axis=1, keepdims=True), 1e-12))
    return o.concatenate([o.relu(x), o.relu(-x)], axis=1)


def attention(o, x):
    scores = o.einsum("bqd,bkd->bqk", x, x) / 6**0.5
    scores = o.where(o.tril(o.ones((4, 4))) > 0, scores, -1e9)
    return o.matmul(o.softmax(scores), x)


def batch_norm(o, x):
    mean, variance = o.moments(x, axes=[0, 1], keepdims=True)
    return (x - mean) * o.rsqrt(variance + 1e-3)


def crossentropy(o, x):
    labels = o.one_hot(o.argmax(x, axis=-1), 6, dtype="float64")
    p = o.clip(o.softmax(x), 1e-7, 1 - 1e-7)
    return -o.sum(labels * o.log(p), axis=-1)


def huber(o, x):
    e = o.abs(x)
    return o.mean(o.where(e <= 0.5, 0.5 * o.square(e), 0.5 * e - 0.125), axis=-1)


def cosine(o, x):
    return -o.sum(o.normalize(x, axis=-1) * o.normalize(x[::-1], axis=-1), axis=-1)


def dice(o, x):
    p = o.sigmoid(x)
    y = o.cast(x > 0, p.dtype)
    both = o.sum(p * y, axis=(1, 2))
    return 1 - (2 * both + 1) / (o.sum(p, axis=(1, 2)) + o.sum(y, axis=(1, 2)) + 1)


def recurrent(o, x):
    state = x[:, 0] * 0
    for t in range(4):
        state = o.tanh(o.matmul(x[:, t], W) @ W.T + state)
    return state


def top(o, x):
    chosen, _ = o.top_k(x, 3)
    return o.logsumexp(chosen, axis=-1) + o.max(x, axis=1)[:, :4]


WHOLE = [antirectifier, attention, batch_norm, crossentropy, huber, cosine, dice, recurrent, top]
ONE = """relu relu6 elu selu celu gelu silu hard_silu softplus softsign sigmoid hard_sigmoid
    log_sigmoid hard_tanh tanh tanh_shrink soft_shrink hard_shrink squareplus sparse_plus glu
    softmax log_softmax leaky_relu exp expm1 sin cos arctan sinh arcsinh erf square abs cumsum
    cumprod sort ravel flip transpose sum mean var std max min prod logsumexp norm median"""
SEVERAL = {
    "gelu exact": lambda o, x: o.gelu(x, approximate=False),
    "clip": lambda o, x: o.clip(x, -0.5, 0.5),
    "power": lambda o, x: o.power(o.abs(x), 2.5) + 2.0**x,
    "where": lambda o, x: o.where(MASK, o.exp(x), x / 3),
    "divide_no_nan": lambda o, x: o.divide_no_nan(x, o.relu(x)),
    "take": lambda o, x: o.take(x, [3, 0, 3], axis=1),
    "take_along_axis": lambda o, x: o.take_along_axis(x, o.argsort(x, axis=-1), axis=-1),
    "slice": lambda o, x: o.slice(x, (0, 1, 2), (2, 2, 3)),
    "slice_update": lambda o, x: o.slice_update(x, (0, 1, 2), x[:, :1, :2] ** 2),
    "scatter_update": lambda o, x: o.scatter_update(x, [[0, 1, 2], [1, 3, 5]], x[0, 0, :2] ** 2),
    "scatter": lambda o, x: o.scatter(np.array([[1], [0], [1], [2]]), x[0], (3, 6)) ** 2,
    "segment_sum": lambda o, x: o.segment_sum(x[0], np.array([0, 0, 1, 2]), 3) ** 2,
    "segment_max": lambda o, x: o.segment_max(x[0], np.array([0, 0, 1, 2]), 3),
    "tensordot": lambda o, x: o.tensordot(x, W, axes=1),
    "dot": lambda o, x: o.dot(x, W),
    "outer": lambda o, x: o.outer(x[0, 0], x[1, 1]),
    "split": lambda o, x: o.multiply(*o.split(x, 2, axis=-1)),
    "stack": lambda o, x: o.stack([x, x**2], axis=1),
    "pad": lambda o, x: o.pad(x, ((0, 0), (1, 2), (0, 1)), mode="reflect"),
    "repeat": lambda o, x: o.repeat(x, 2, axis=1) ** 2,
    "tile": lambda o, x: o.tile(x, (1, 2, 1)) ** 2,
    "roll": lambda o, x: o.roll(x, 2, axis=1) * x,
    "average": lambda o, x: o.average(x, axis=1, weights=np.array([1.0, 2.0, 0.5, 1.0])),
    "quantile": lambda o, x: o.quantile(x, 0.3, axis=1),
    "logaddexp": lambda o, x: o.logaddexp(x, 2 * x),
    "arctan2": lambda o, x: o.arctan2(x, x[::-1]),
    "stop_gradient": lambda o, x: o.stop_gradient(o.exp(x)) * x,
    "cond": lambda o, x: o.cond(o.sum(x) > 0, lambda: x**2, lambda: x**3),
    "map": lambda o, x: o.map(lambda row: row * o.sum(row), x),
    "norms": lambda o, x: o.norm(x, axis=1) + o.norm(x, ord=1, axis=1) + o.norm(x, ord=3, axis=1),
    "normalize": lambda o, x: o.normalize(x, axis=1, order=1) + o.normalize(x, axis=2, order=3),
    "linear algebra": lambda o, x: o.inv(x[0, :, :4]) @ x[1] + o.det(x[1, :, 1:5]),
    "solve": lambda o, x: o.solve(x[0, :, :4], x[1]),
    "cast": lambda o, x: o.cast(o.cast(x, "float32"), "float64") ** 2,
}


def keras_cases():
    named = {name: (lambda o, x, name=name: getattr(o, name)(x)) for name in ONE.split()}
    return {**{f.__name__: f for f in WHOLE}, **SEVERAL, **named}


def run_keras(path):
    """In a process of its own, whose Keras runs on JAX: write all gradients of sum(f(x) * cos)."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import keras

    keras.config.set_floatx("float64")

    def total(x, function):
        y = function(keras.ops, x)
        return keras.ops.sum(y * np.cos(np.arange(y.size)).reshape(y.shape))

    def gradients(x):  # compiled as one, which takes a fifth of the time
        return {name: jax.grad(total)(x, function) for name, function in keras_cases().items()}

    np.savez(path, **jax.jit(gradients)(jax.numpy.array(X)))


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    for name in ("keras", "jax"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")
    path = tmp_path_factory.mktemp("keras") / "gradients.npz"
    script = f"import test_tape_keras; test_tape_keras.run_keras({str(path)!r})"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=Path(__file__).parent, check=True
    )
    return np.load(path)


@pytest.mark.parametrize("name", keras_cases())
def test_gradients_are_those_of_keras(expected, name, monkeypatch):
    from coreops import _tape, config, ops

    monkeypatch.setitem(config._state, "floatx", "float64")
    leaf = _tape.trace(X)
    y = keras_cases()[name](ops, leaf)
    seed = np.cos(np.arange(y.size)).reshape(y.shape)
    found = _tape.gradients([y], [seed], [leaf])[0]
    bound = 1e-6 * (1 + np.abs(expected[name]).max())  # Keras rounds some results to float32
    np.testing.assert_allclose(found, expected[name], rtol=0, atol=bound)
