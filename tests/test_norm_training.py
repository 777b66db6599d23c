"""Training of normalisation, embedding, noise and global pooling: gradients against differences of
a step's own loss, and moving averages."""

import numpy as np
import pytest

import coreops
from coreops import Sequential, layers, ops


@pytest.fixture
def float64():
    coreops.config.set_floatx("float64")
    yield
    coreops.config.set_floatx("float32")


def check_gradients(model, x, y, *, eps=1e-5):
    """Of all weights that learn, against central differences of the loss of a step, which is made
    again with the same noise."""
    coreops.utils.set_random_seed(3)
    model.compile("sgd", "mse")
    model(x)
    rng = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(weight.numpy() + 0.3 * rng.normal(size=weight.shape))
    step = model._training_step()

    def loss():
        for layer in model._flatten_layers():
            if hasattr(layer, "seed_generator"):
                layer.seed_generator.call = 4
        return step([x], [y], update=False)[0]

    loss()
    found = [gradient.copy() for gradient in step.gradients()]
    before = model.get_weights()
    assert found
    for variable, gradient in zip(model.trainable_weights, found, strict=True):
        value = variable.numpy().copy()
        expected = np.zeros_like(value)
        for i in np.ndindex(value.shape):
            for sign in (1, -1):
                moved = value.copy()
                moved[i] += sign * eps
                variable.assign(moved)
                expected[i] += sign * loss() / (2 * eps)
        variable.assign(value)
        scale = max(np.abs(expected).max(), 1e-2)
        assert np.abs(gradient - expected).max() <= 1e-6 * scale, variable.path
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def pooled(*stack, shape=(6, 4), end=lambda: layers.Activation("linear")):
    return lambda: Sequential(
        [layers.Input(shape), *(make() for make in stack), layers.Flatten(), layers.Dense(2), end()]
    )


def branched():
    """What is normalised is read as it is, too, and the result in two plans."""
    x = layers.Input((6, 4))
    raw = layers.Dense(3, activation="tanh")(x)
    once = layers.BatchNormalization()(raw)
    twice = layers.BatchNormalization()(layers.Dense(3)(once))
    y = layers.Multiply()([layers.Add()([raw, once]), twice])
    return coreops.Model(x, layers.Dense(2)(layers.Flatten()(y)))


def dense(units=3, activation="tanh"):
    return lambda: layers.Dense(units, activation=activation)


def wide(cls, *args, **kwargs):
    return lambda: cls(*args, **kwargs)


def drop_mask(make):
    """A layer that passes no mask on, behind one that does."""
    return lambda: Sequential(
        [make(), layers.Lambda(lambda x: ops.reshape(x, (-1, 18)), mask=lambda x, mask: None)]
    )


STACKS = {
    "batch": pooled(dense(), layers.BatchNormalization, dense()),
    "batch, first": pooled(layers.BatchNormalization, dense()),
    "batch, twice": pooled(dense(), layers.BatchNormalization, layers.BatchNormalization),
    "batch, behind Python": pooled(
        dense(), wide(layers.Lambda, ops.square), layers.BatchNormalization, dense()
    ),
    "batch, last": pooled(dense(), shape=(6, 4), end=layers.BatchNormalization),
    "batch, read in two plans": lambda: branched(),
    "batch, other axis": pooled(dense(), wide(layers.BatchNormalization, axis=1)),
    "batch, no scale": pooled(dense(), wide(layers.BatchNormalization, scale=False)),
    "batch, no center": pooled(dense(), wide(layers.BatchNormalization, center=False)),
    "batch, regularized": pooled(
        dense(), wide(layers.BatchNormalization, gamma_regularizer="l2", beta_regularizer="l1")
    ),
    "batch, frozen": pooled(dense(), wide(layers.BatchNormalization, trainable=False), dense()),
    "batch of masked steps": pooled(
        layers.Masking,
        drop_mask(lambda: Sequential([layers.Dense(3), layers.BatchNormalization()])),
    ),
    "batch of masked steps, other axis": pooled(
        layers.Masking,
        drop_mask(lambda: Sequential([layers.Dense(3), layers.BatchNormalization(axis=1)])),
    ),
    "layer": pooled(dense(5), layers.LayerNormalization, dense()),
    "layer, all axes": pooled(dense(5), wide(layers.LayerNormalization, axis=[1, 2])),
    "layer, other axis": pooled(dense(5), wide(layers.LayerNormalization, axis=1)),
    "layer, no scale": pooled(dense(5), wide(layers.LayerNormalization, scale=False)),
    "layer, no center": pooled(dense(5), wide(layers.LayerNormalization, center=False)),
    "rescaling": pooled(dense(), wide(layers.Rescaling, [1.0, 2.0, 3.0], [0.5, 0.0, 1.0])),
    "normalization": pooled(dense(), wide(layers.Normalization, mean=0.5, variance=2.0), dense()),
    "average": pooled(dense(), layers.GlobalAveragePooling1D),
    "average, channels first": pooled(
        dense(), wide(layers.GlobalAveragePooling1D, data_format="channels_first")
    ),
    "average of masked steps": pooled(layers.Masking, dense(), layers.GlobalAveragePooling1D),
    "average of masked steps, channels first": pooled(
        layers.Masking,
        dense(6),
        wide(layers.GlobalAveragePooling1D, data_format="channels_first"),
    ),
    "maximum": pooled(dense(), layers.GlobalMaxPooling1D),
    "maximum, channels first": pooled(
        dense(), wide(layers.GlobalMaxPooling1D, data_format="channels_first")
    ),
    "images": pooled(
        wide(layers.Reshape, (2, 3, 4)),
        dense(),
        wide(layers.SpatialDropout2D, 0.3, seed=1),
        wide(layers.GlobalAveragePooling2D, keepdims=True),
    ),
    "noise": pooled(dense(), wide(layers.GaussianNoise, 0.5, seed=1), dense()),
    "gaussian dropout": pooled(dense(), wide(layers.GaussianDropout, 0.3, seed=1), dense()),
    "alpha dropout": pooled(dense(), wide(layers.AlphaDropout, 0.3, seed=1), dense()),
    "spatial dropout": pooled(dense(), wide(layers.SpatialDropout1D, 0.3, seed=1), dense()),
    "einsum": pooled(
        dense(), wide(layers.EinsumDense, "abc,cd->abd", (6, 3), "tanh", bias_axes="d"), dense()
    ),
    "einsum, turned": pooled(
        dense(), wide(layers.EinsumDense, "abc,cd->adb", (3, 6), bias_axes="db"), dense()
    ),
    "einsum, bias of some": pooled(
        dense(), wide(layers.EinsumDense, "abc,cd->abd", (6, 3), bias_axes="b"), dense()
    ),
    "einsum, bias of all": pooled(
        dense(), wide(layers.EinsumDense, "abc,cd->abd", (6, 3), bias_axes="bd"), dense()
    ),
    "einsum, heads": pooled(
        dense(),
        wide(layers.EinsumDense, "abc,cde->abde", (6, 3, 2), bias_axes="de"),
        wide(layers.EinsumDense, "abde,dec->abc", (6, 3), "tanh", bias_axes="c"),
        dense(),
    ),
}


@pytest.mark.parametrize("name", STACKS)
def test_gradients(float64, rng, name):
    x, y = rng.normal(size=(5, 6, 4)), rng.normal(size=(5, 2))
    x[0, 1] = x[1, 3:] = x[2, :2] = 0
    check_gradients(STACKS[name](), x, y)


EMBEDDINGS = {
    "one": [layers.Flatten],
    "masked": [layers.GlobalAveragePooling1D],
    "then more": [layers.LayerNormalization, dense(3), layers.GlobalMaxPooling1D],
}


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32", "uint8"])
@pytest.mark.parametrize("name", EMBEDDINGS)
def test_gradients_of_embeddings(float64, rng, name, dtype):
    x, y = rng.integers(0, 7, (5, 4)).astype(dtype), rng.normal(size=(5, 2))
    x[:, 0] = 3
    embedding = layers.Embedding(9, 3, mask_zero=name == "masked", embeddings_regularizer="l2")
    stack = [layers.Input((4,), dtype=dtype), embedding, *(make() for make in EMBEDDINGS[name])]
    check_gradients(Sequential([*stack, layers.Dense(2)]), x, y)


def test_gradients_of_numbers_that_are_computed(float64, rng):
    """They are looked up in Python, between two plans."""
    x, y = rng.normal(size=(5, 4)), rng.normal(size=(5, 2))
    stack = [layers.Input((4,)), layers.Rescaling(0.0, 2.5), layers.Embedding(5, 3)]
    check_gradients(Sequential([*stack, layers.Flatten(), layers.Dense(2)]), x, y)


def test_an_embedding_learns_the_same_in_any_number_of_threads(isa, rng):
    x, y = rng.integers(0, 5000, (64, 50)), rng.normal(size=(64, 3)).astype("float32")
    found = []
    before = coreops.get_num_threads()
    for threads in (1, 2, 3):
        coreops.set_num_threads(threads)
        coreops.utils.set_random_seed(1)
        stack = [layers.Embedding(5000, 33), layers.LayerNormalization()]
        stack += [layers.BatchNormalization(), layers.GlobalAveragePooling1D(), layers.Dense(3)]
        model = Sequential([layers.Input((50,), dtype="int32"), *stack])
        model.compile("adam", "mse")
        for _ in range(3):
            model.train_on_batch(x, y)
        found.append(b"".join(w.tobytes() for w in model.get_weights()))
    coreops.set_num_threads(before)
    assert len(set(found)) == 1


@pytest.mark.parametrize("precision", ["highest", "medium"])
@pytest.mark.parametrize("make", [dense(8), wide(layers.LSTM, 8), wide(layers.SimpleRNN, 8)])
def test_chunks_of_a_batch_stay_whole(isa, rng, make, precision):
    """However many rows a layer before wants to have at once: 323 of them are more than that."""
    x, y = rng.normal(size=(323, 4, 3)).astype("float32"), rng.normal(size=(323, 2))
    found, before = [], coreops.get_num_threads()
    for threads in (1, 2, 3):
        coreops.set_num_threads(threads)
        coreops.utils.set_random_seed(1)
        norm, last = layers.BatchNormalization(momentum=0), layers.Dense(2)
        model = Sequential([layers.Input((4, 3)), make(), norm, layers.Flatten(), last])
        model.precision = precision
        model.compile("sgd", "mse")
        h = model.layers[0](x).astype(np.float64)
        axes = tuple(range(h.ndim - 1))
        normal = (h - h.mean(axes)) / np.sqrt(h.var(axes) + 1e-3)
        error = normal.reshape(323, -1) @ last.kernel.numpy() - y
        dy = (error @ last.kernel.numpy().T / error.size * 2).reshape(h.shape)
        model.train_on_batch(x, y)
        rtol = 1e-4 if precision == "highest" else 2e-2
        for one, exact in (
            (norm.moving_mean, h.mean(axes)),
            (norm.moving_variance, h.var(axes)),
            (norm.beta, -0.01 * dy.sum(axes)),
            (norm.gamma, 1 - 0.01 * (dy * normal).sum(axes)),
        ):
            np.testing.assert_allclose(
                one.numpy(), exact, rtol=rtol, atol=rtol * np.abs(exact).max()
            )
        found.append(b"".join(w.tobytes() for w in model.get_weights()))
    coreops.set_num_threads(before)
    assert len(set(found)) == 1


def test_plans_are_made_once(rng, monkeypatch):
    """What learns does not make the plans of the next step stale."""
    stack = [layers.Embedding(9, 4), layers.BatchNormalization(), layers.LayerNormalization()]
    stack += [layers.EinsumDense("abc,cd->abd", (None, 3), bias_axes="d")]
    stack += [layers.GlobalAveragePooling1D(), layers.Dense(1)]
    model = Sequential([layers.Input((6,), dtype="int32"), *stack])
    model.compile("adam", "mse")
    x, y = rng.integers(0, 9, (8, 6)), rng.normal(size=(8, 1)).astype("float32")
    model.train_on_batch(x, y)
    monkeypatch.setattr(coreops._plan.Flow, "__init__", None)
    for _ in range(3):
        model.train_on_batch(x, y)


# -------------------------------------------------------------------------------- moving averages


def batch_model(**kwargs):
    return Sequential([layers.Input((3,)), layers.BatchNormalization(**kwargs), layers.Dense(1)])


def test_moving_averages_move_once_a_step(rng):
    model = batch_model(momentum=0.75)
    model.compile("sgd", "mse")
    x, y = rng.normal(2, 3, (50, 3)).astype("float32"), rng.normal(size=(50, 1)).astype("float32")
    norm = model.layers[0]
    for made in range(1, 4):
        model.train_on_batch(x, y)
        share = 0.75**made
        np.testing.assert_allclose(norm.moving_mean.numpy(), x.mean(0) * (1 - share), rtol=1e-5)
        expected = x.var(0) * (1 - share) + share
        np.testing.assert_allclose(norm.moving_variance.numpy(), expected, rtol=1e-5)
    model.evaluate(x, y, verbose=0)
    model.predict(x, verbose=0)
    np.testing.assert_allclose(norm.moving_mean.numpy(), x.mean(0) * (1 - share), rtol=1e-5)
    shift = x.mean(0) * (1 - share)
    normal = (x - shift) / np.sqrt(expected + 1e-3)
    normal = normal * norm.gamma.numpy() + norm.beta.numpy()
    kernel, bias = model.layers[1].get_weights()
    np.testing.assert_allclose(model(x), normal @ kernel + bias, rtol=1e-4, atol=1e-5)


def test_a_step_that_fails_moves_nothing(rng):
    model = batch_model()
    model.compile("sgd", "mse")
    before = model.get_weights()
    x = rng.normal(size=(5, 3)).astype("float32")
    with pytest.raises(ValueError, match="y"):
        model.train_on_batch(x, np.zeros((4, 1), "float32"))
    with pytest.warns(RuntimeWarning, match="nothing is learnt"):
        model.train_on_batch(x, np.full((5, 1), np.nan, "float32"))
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_frozen_layer_goes_by_its_averages(rng):
    model = batch_model()
    norm = model.layers[0]
    x, y = rng.normal(2, 3, (50, 3)).astype("float32"), rng.normal(size=(50, 1)).astype("float32")
    assert not np.allclose(norm(x, training=True), norm(x))
    norm.trainable = False
    np.testing.assert_array_equal(norm(x, training=True), norm(x))
    model.compile("sgd", "mse")
    model.train_on_batch(x, y)
    averages = norm.get_weights()
    model.train_on_batch(x, y)
    for one, other in zip(averages, norm.get_weights(), strict=True):
        assert np.array_equal(one, other)
    # assigned to from outside, they count at the next step
    norm.moving_mean.assign(x.mean(0))
    loss = model.evaluate(x, y, verbose=0)
    assert model.train_on_batch(x, y) == pytest.approx(loss, rel=1e-5)
    norm.trainable = True
    assert not np.allclose(norm(x, training=True), norm(x))


def test_a_custom_layer_around_it(rng):
    class Around(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.BatchNormalization(momentum=0.5)

        def call(self, x):
            return ops.tanh(self.inner(x))

    x, y = rng.normal(2, 3, (50, 3)).astype("float32"), rng.normal(size=(50, 1)).astype("float32")
    model = Sequential([layers.Input((3,)), Around(), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.train_on_batch(x, y)
    norm = model.layers[0].inner
    np.testing.assert_allclose(norm.moving_mean.numpy(), x.mean(0) / 2, rtol=1e-5)
    assert np.any(norm.gamma.numpy() != 1)


def test_heads_are_trained_in_one_plan(rng, monkeypatch):
    def fail(*_):
        raise AssertionError("Python computed")

    monkeypatch.setattr(layers.EinsumDense, "_by_ops", fail)
    heads = layers.EinsumDense("abc,cde->abde", (None, 3, 2), bias_axes="de")
    joined = layers.EinsumDense("abde,dec->abc", (None, 4), bias_axes="c")
    model = Sequential([layers.Input((5, 4)), heads, joined, layers.Flatten(), layers.Dense(1)])
    model.compile("adam", "mse")
    before = model.get_weights()
    x = rng.normal(size=(8, 5, 4)).astype("float32")
    model.train_on_batch(x, rng.normal(size=(8, 1)))
    assert all((old != new).all() for old, new in zip(before, model.get_weights(), strict=True))
