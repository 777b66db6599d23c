"""One layer at a time."""

import numpy as np
import pytest

from coreops import layers

both = pytest.mark.parametrize("who", ["coreops", "numpy"])


def close(atol):
    return lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=atol)


@both
@pytest.mark.parametrize(
    ("batch", "k", "units"),
    [
        (1, 784, 512),
        (1, 1024, 1024),
        (4, 512, 512),
        (16, 512, 512),
        (32, 13, 64),
        (256, 512, 512),
        (4096, 64, 64),
        (512, 1024, 10),
    ],
)
def test_dense_relu(versus, rng, who, batch, k, units):
    layer = layers.Dense(units, activation="relu")
    layer.build((None, k))
    kernel, bias = layer.get_weights()
    x = rng.normal(size=(batch, k)).astype(np.float32)
    versus(who, lambda: layer(x), lambda: np.maximum(x @ kernel + bias, 0), close(1e-4))


@both
@pytest.mark.parametrize("shape", [(32, 64), (256, 1024), (1024, 4096)])
def test_dropout_training(versus, rng, who, shape):
    layer = layers.Dropout(0.3)
    x = rng.normal(size=shape).astype(np.float32)
    generator = np.random.default_rng(1)
    scale = np.float32(1 / 0.7)

    def pure_numpy():
        return np.where(generator.random(shape, dtype=np.float32) >= 0.3, x * scale, np.float32(0))

    def check(a, b):
        for result in (a, b):
            kept = result != 0
            np.testing.assert_allclose(result[kept], (x * scale)[kept], rtol=1e-6)
            # six standard deviations of a binomial share
            assert abs(kept.mean() - 0.7) < 6 * np.sqrt(0.21 / x.size)

    versus(who, lambda: layer(x, training=True), pure_numpy, check)


@both
@pytest.mark.parametrize(
    ("shape", "dims"),
    [
        ((32, 10, 64), (2, 1)),
        ((32, 128, 256), (2, 1)),
        ((8, 64, 64, 64), (2, 3, 1)),
        ((16, 48, 48, 3), (3, 1, 2)),
        ((2, 1024, 1024), (2, 1)),
    ],
)
def test_permute(versus, rng, who, shape, dims):
    layer = layers.Permute(dims)
    x = rng.normal(size=shape).astype(np.float32)
    axes = (0, *dims)
    versus(
        who,
        lambda: layer(x),
        lambda: np.ascontiguousarray(x.transpose(axes)),
        np.testing.assert_array_equal,
    )


@both
@pytest.mark.parametrize("shape", [(1, 20, 8), (64, 200, 64), (256, 50, 3)])
def test_masking(versus, rng, who, shape):
    layer = layers.Masking()
    x = rng.normal(size=shape).astype(np.float32)
    x[rng.random(shape[:2]) < 0.3] = 0

    def pure_numpy():
        return x * np.any(x != 0, axis=-1, keepdims=True)

    versus(who, lambda: layer(x), pure_numpy, np.testing.assert_array_equal)


@both
@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "gelu", "softmax"])
def test_activation(versus, rng, who, name):
    layer = layers.Activation(name)
    x = rng.normal(size=(256, 512)).astype(np.float32)

    def gelu():
        # NumPy has no erf: the tanh form, which is close to it, is what one would write
        return 0.5 * x * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))

    def softmax():
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    pure_numpy = {
        "relu": lambda: np.maximum(x, 0),
        "sigmoid": lambda: 1 / (1 + np.exp(-x)),
        "tanh": lambda: np.tanh(x),
        "gelu": gelu,
        "softmax": softmax,
    }[name]
    versus(who, lambda: layer(x), pure_numpy, close(1e-3 if name == "gelu" else 1e-6))
