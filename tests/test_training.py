"""A step of training: gradients against finite differences, updates against the optimizers on
arrays, and what a step leaves alone."""

import copy
import pickle

import numpy as np
import pytest

import coreops
from coreops import Sequential, constraints, layers, losses, ops, optimizers, regularizers


@pytest.fixture
def float64():
    coreops.config.set_floatx("float64")
    yield
    coreops.config.set_floatx("float32")


class Custom(layers.Layer):
    """A weight of its own, a layer inside, and a loss."""

    def build(self, shape):
        self.k = self.add_weight(shape=(shape[-1], 4), name="k", regularizer="l2")
        self.inner = layers.Dense(3, activation="tanh", activity_regularizer="l2")

    def call(self, x):
        h = ops.tanh(ops.matmul(x, self.k))
        self.add_loss(0.1 * ops.sum(h * h))
        return self.inner(h)


class Twice(coreops.Model):
    """One layer called twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b = layers.Dense(4, activation="relu"), layers.Dense(3)

    def call(self, x):
        h = self.a(x)
        return self.b(h) + self.b(ops.sin(h))


class FromConstants(layers.Layer):
    """A layer on what is no input: only its weights vary."""

    def __init__(self):
        super().__init__()
        self.inner = layers.Dense(4, activation="tanh")

    def call(self, x):
        return x * self.inner(np.ones((1, 2)))


class Cubic(regularizers.Regularizer):
    def __call__(self, w):
        return 0.1 * ops.sum(ops.abs(w) ** 3)


def antirectifier(x):
    x = x - ops.mean(x, axis=1, keepdims=True)
    x = ops.l2_normalize(x, axis=1)
    return ops.concatenate([ops.relu(x), ops.relu(-x)], axis=1)


def shared():
    layer = layers.Dense(5, activation="tanh")
    inner = [Sequential([layer], name="p"), Sequential([layer], name="q")]
    return Sequential([layers.Input((5,)), *inner, layers.Dense(3)])


def chain(*stack):
    return lambda: Sequential([layers.Input((5,)), *(make() for make in stack), layers.Dense(3)])


def dense(units=4, activation=None, **kwargs):
    return lambda: layers.Dense(units, activation=activation, **kwargs)


ACTIVATIONS = [
    "relu", "relu6", "leaky_relu", "elu", "celu", "selu", "sigmoid", "hard_sigmoid", "log_sigmoid",
    "silu", "hard_silu", "gelu", "exponential", "softplus", "softsign", "tanh", "hard_tanh",
    "tanh_shrink", "soft_shrink", "hard_shrink", "squareplus", "sparse_plus", "sparse_sigmoid",
    "mish", "softmax", "log_softmax", "sparsemax",
]  # fmt: skip
STACKS = {
    **{name: chain(dense(4, name), dense(4)) for name in ACTIVATIONS},
    "kernel and bias regularizers": chain(
        dense(4, "tanh", kernel_regularizer="l2", bias_regularizer=regularizers.L1L2(0.1, 0.2))
    ),
    "orthogonal regularizer": chain(dense(4, kernel_regularizer="orthogonal_regularizer")),
    "a regularizer of one's own": chain(dense(4, kernel_regularizer=Cubic())),
    "activity regularizers": chain(
        dense(4, "tanh", activity_regularizer="l1_l2"),
        lambda: layers.ActivityRegularization(0.1, 0.2),
    ),
    "an activity regularizer of one's own": chain(dense(4, activity_regularizer=Cubic())),
    "no bias": chain(dense(4, "tanh", use_bias=False)),
    "one unit": chain(dense(1, "tanh")),
    "wider than a panel": chain(dense(67, "tanh"), dense(33, "relu")),
    "layers of activation": chain(
        dense(),
        layers.ELU,
        layers.LeakyReLU,
        lambda: layers.ReLU(max_value=1.5, negative_slope=0.1),
    ),
    "PReLU": chain(dense(6), layers.PReLU),
    "PReLU, shared": chain(
        dense(6),
        lambda: layers.Reshape((2, 3)),
        lambda: layers.PReLU(shared_axes=[1]),
        lambda: layers.PReLU(shared_axes=[2]),
        layers.Flatten,
    ),
    "softmax over several axes": chain(
        dense(6), lambda: layers.Reshape((2, 3)), lambda: layers.Softmax(axis=1), layers.Flatten
    ),
    "softmax over the batch": chain(dense(), lambda: layers.Softmax(axis=0)),
    "permutations": chain(
        dense(24),
        lambda: layers.Reshape((2, 3, 4)),
        lambda: layers.Permute((3, 1, 2)),
        dense(4, "silu"),
        lambda: layers.Permute((2, 3, 1)),
        layers.Flatten,
    ),
    "repetition": chain(dense(), lambda: layers.RepeatVector(3), dense(2, "mish"), layers.Flatten),
    "masking inside": chain(
        dense(6),
        lambda: layers.Reshape((3, 2)),
        layers.Masking,
        dense(2),
        lambda: layers.Lambda(lambda x: ops.reshape(x, (-1, 6)), mask=lambda x, mask: None),
    ),
    "a lambda": chain(dense(), lambda: layers.Lambda(antirectifier)),
    "two lambdas": chain(lambda: layers.Lambda(ops.sin), dense(), lambda: layers.Lambda(ops.tanh)),
    "a layer of one's own": chain(dense(), Custom),
    "a layer on constants": chain(dense(), FromConstants),
    "a frozen layer": chain(dense(4, "tanh"), dense(4, "tanh", trainable=False)),
    "a frozen beginning": chain(dense(4, "tanh", trainable=False)),
    "a nested model": chain(lambda: Sequential([layers.Dense(4, "tanh"), layers.Dense(4)])),
    "a shared layer": shared,
    "a model of one's own": Twice,
    "no hidden layer": chain(),
}
LOSSES = [
    "mse", "mae", "mape", "msle", "huber", "log_cosh", "hinge", "squared_hinge",
    "categorical_hinge", "kl_divergence", "poisson", "cosine_similarity",
    "categorical_crossentropy", "binary_crossentropy",
    (losses.CategoricalCrossentropy, {"from_logits": True, "label_smoothing": 0.1}),
    (losses.BinaryCrossentropy, {"from_logits": True, "label_smoothing": 0.1}),
    (losses.Huber, {"delta": 0.3}), (losses.MeanSquaredError, {"reduction": "sum"}),
    (lambda: lambda t, p: ops.sum(ops.abs(t - p) ** 3, axis=-1), {}),
]  # fmt: skip


def prepare(make, loss, x, rng, optimizer="sgd"):
    """A compiled, built model with weights away from zero."""
    model = make()
    model.compile(optimizer, loss)
    model(x)
    for weight in model.weights:
        weight.assign(weight.numpy() + 0.1 * rng.normal(size=weight.shape))
    return model


def total_loss(model, x, y, weight=None):
    y, y_pred, weight = [y], [model(x)], [weight]
    model._compilation.meet(y, y_pred)
    return model._compilation.data_loss(y, y_pred, weight)[0] + float(sum(model.losses))


def check_gradients(model, x, y, weight=None, *, eps=1e-6):
    """The gradients of a step against central differences of the loss, in float64."""
    step = model._training_step()
    loss = step(x, y, weight, update=False)[0]
    found = step.gradients()
    before = model.get_weights()
    assert loss == pytest.approx(total_loss(model, x, y, weight), rel=1e-9, abs=1e-12)
    assert found
    for variable, gradient in zip(model.trainable_weights, found, strict=True):
        value = variable.numpy().copy()
        expected = np.zeros_like(value)
        for i in np.ndindex(value.shape):
            for sign in (1, -1):
                shifted = value.copy()
                shifted[i] += sign * eps
                variable.assign(shifted)
                expected[i] += sign * total_loss(model, x, y, weight) / (2 * eps)
        variable.assign(value)
        # differences lose eps(float64) * loss / eps
        scale = max(np.abs(expected).max(), 1e-2)
        assert np.abs(gradient - expected).max() <= 1e-6 * scale, variable.path
    for one, other in zip(before, model.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("name", STACKS)
def test_gradients_of_layers(float64, rng, name):
    coreops.utils.set_random_seed(5)
    x, y = rng.normal(size=(6, 5)), rng.normal(size=(6, 3))
    check_gradients(prepare(STACKS[name], "mse", x, rng), x, y)


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid"])
def test_gradients_of_losses(float64, rng, loss, activation):
    x, y = rng.normal(size=(6, 5)), rng.uniform(0.1, 0.9, size=(6, 3))
    y /= y.sum(-1, keepdims=True)
    loss = loss if isinstance(loss, str) else loss[0](**loss[1])
    last = activation or "softplus"  # positive, for those that take logarithms
    make = lambda: Sequential([layers.Input((5,)), layers.Dense(3, activation=last)])  # noqa: E731
    check_gradients(prepare(make, loss, x, rng), x, y, rng.uniform(0.5, 2, size=6))


@pytest.mark.parametrize("last", ["softmax", None])
@pytest.mark.parametrize("ignored", [None, 1])
def test_gradients_of_sparse_crossentropy(float64, rng, last, ignored):
    x, y = rng.normal(size=(8, 5)), rng.integers(0, 4, size=8)
    loss = losses.SparseCategoricalCrossentropy(from_logits=last is None, ignore_class=ignored)
    make = lambda: Sequential([layers.Input((5,)), layers.Dense(4, activation=last)])  # noqa: E731
    check_gradients(prepare(make, loss, x, rng), x, y)


def test_a_loss_of_python_is_as_wide_as_the_model():
    """That the layers compute in float64 is enough, as where the loss has a kernel."""
    x, y = np.full((1, 1), 1 / 3), np.ones((1, 1))
    model = Sequential([layers.Input((1,)), layers.Dense(1, dtype="float64")])
    model.set_weights([np.full((1, 1), 1e-9), np.ones(1)])
    for loss in ("mae", lambda y_true, y_pred: ops.abs(y_true - y_pred)):
        model.compile(optimizers.SGD(0.0), loss)
        assert model.evaluate(x, y, verbose=0) == pytest.approx(1e-9 / 3, rel=1e-6)
        assert model.train_on_batch(x, y) == pytest.approx(1e-9 / 3, rel=1e-6)


def test_gradients_where_steps_are_masked(float64, rng):
    x, y = rng.normal(size=(4, 3, 5)), rng.normal(size=(4, 3, 2))
    x[1, 1] = x[2] = 0

    def make():
        stack = [layers.Input((3, 5)), layers.Masking(), layers.Dense(4, "tanh"), layers.Dense(2)]
        return Sequential(stack)

    check_gradients(prepare(make, "mse", x, rng), x, y)
    check_gradients(prepare(make, "mse", x, rng), x, y, rng.uniform(0.5, 2, size=(4, 3)))


def test_gradients_of_dropout_are_those_of_its_mask(float64, rng):
    """Each step draws anew; the gradient is that of the draw of its own loss."""
    x, y = rng.normal(size=(6, 5)), rng.normal(size=(6, 3))
    stack = [layers.Input((5,)), layers.Dense(40), layers.Dropout(0.5, seed=3), layers.Dense(3)]
    model = Sequential(stack)
    model.compile("sgd", "mse")
    step = model._training_step()

    def loss():
        model.layers[1].seed_generator.call = 7
        return step(x, y, update=False)[0]

    loss()
    gradient, bias = step.gradients()[1], model.layers[0].bias
    for i in range(40):
        e = np.eye(40)[i] * 1e-6
        bias.assign(e)
        up = loss()
        bias.assign(-e)
        assert gradient[i] == pytest.approx((up - loss()) / 2e-6, rel=1e-6, abs=1e-9)
    assert 8 < np.count_nonzero(gradient) <= 40


def network(drop=0.0, seed=1, **kwargs):
    coreops.utils.set_random_seed(seed)
    stack = [layers.Input((20,)), layers.Dense(130, activation="relu", **kwargs)]
    stack += [layers.Dropout(drop, seed=2)] if drop else []
    stack += [layers.Dense(70, activation="gelu", **kwargs), layers.Dense(7, activation="softmax")]
    return Sequential(stack)


def test_tiers_agree(isa, rng):
    x, y = rng.normal(size=(37, 20)).astype("float32"), rng.integers(0, 7, 37)
    found = []
    weights = network().get_weights()
    for dtype in ("float32", "float64"):
        coreops.config.set_floatx(dtype)
        model = network()
        coreops.config.set_floatx("float32")
        model.set_weights(weights)
        model.compile("sgd", "sparse_categorical_crossentropy")
        step = model._training_step()
        found.append((step(x.astype(dtype), y, update=False)[0], step.gradients()))
    (loss, gradients), (exact, expected) = found
    assert loss == pytest.approx(exact, rel=1e-5)
    for one, other in zip(gradients, expected, strict=True):
        # sums of up to 130 products after sums of up to 130: some hundred eps of the largest
        assert np.abs(one - other).max() <= 300 * np.finfo("float32").eps * np.abs(other).max()


@pytest.mark.parametrize("batch", [1, 3, 64, 515])
def test_same_bits_for_any_number_of_threads(isa, rng, batch):
    x, y = rng.normal(size=(batch, 20)).astype("float32"), rng.integers(0, 7, batch)
    results = []
    threads = coreops.get_num_threads()
    for count in (1, 2, 3, 8):
        coreops.set_num_threads(count)
        model = network(0.3, kernel_regularizer="l2", kernel_constraint="max_norm")
        model.compile(optimizers.Adam(0.01, global_clipnorm=1.0), "sparse_categorical_crossentropy")
        logs = [model.train_on_batch(x, y) for _ in range(4)]
        results.append([logs, *model.get_weights()])
    coreops.set_num_threads(threads)
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            assert np.array_equal(one, two)


OPTIMIZERS = {
    "sgd": lambda: optimizers.SGD(0.1),
    "momentum": lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda: optimizers.Adam(0.01, amsgrad=True),
    "adamw": lambda: optimizers.AdamW(0.01),
    "rmsprop": lambda: optimizers.RMSprop(0.01, momentum=0.5, centered=True),
    "clipvalue": lambda: optimizers.Adagrad(0.1, clipvalue=0.01),
    "clipnorm": lambda: optimizers.Adadelta(1.0, clipnorm=0.1),
    "global_clipnorm": lambda: optimizers.Nadam(0.01, global_clipnorm=0.1),
    "ema": lambda: optimizers.Adamax(0.01, use_ema=True, ema_overwrite_frequency=3),
    "accumulation": lambda: optimizers.Lion(0.01, gradient_accumulation_steps=3),
    "schedule": lambda: optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
    "scaled": lambda: optimizers.SGD(0.1, loss_scale_factor=4.0, clipnorm=0.1),
    "ftrl": lambda: optimizers.Ftrl(0.1, loss_scale_factor=4.0, weight_decay=0.01),
}
CONSTRAINTS = [None, "non_neg", "max_norm", "unit_norm", constraints.MinMaxNorm(0.1, 0.3, 0.5),
               constraints.MaxNorm(0.5, axis=1)]  # fmt: skip


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_the_optimizer_on_arrays(rng, name, constraint):
    """The trainer's fused pass over pieces against `optimizer.apply` with whole gradients."""
    x, y = rng.normal(size=(33, 20)).astype("float32"), rng.integers(0, 7, 33)
    kwargs = {"kernel_constraint": constraint}
    if getattr(constraint, "axis", 0) == 0:
        kwargs["bias_constraint"] = constraint
    kwargs["kernel_regularizer"] = "l2"  # the sign of l1 would part weights near zero
    model, twin = network(**kwargs), network(**kwargs)
    for one in (model, twin):
        one.compile(OPTIMIZERS[name](), "sparse_categorical_crossentropy")
    for _ in range(7):
        model.train_on_batch(x, y)
        step = twin._training_step()
        step(x, y, update=False)
        scale = twin.optimizer.loss_scale_factor or 1  # the loss was to be multiplied by it
        twin.optimizer.apply([scale * g for g in step.gradients()], twin.trainable_weights)
    assert int(model.optimizer.iterations) == int(twin.optimizer.iterations)
    pairs = [*zip(model.weights, twin.weights, strict=True)]
    pairs += zip(model.optimizer.variables, twin.optimizer.variables, strict=True)
    for one, two in pairs:
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=2e-5, atol=2e-6, err_msg=one.path)


class Signed(optimizers.Optimizer):
    """An optimizer of a user's."""

    def update_step(self, gradient, variable, learning_rate):
        variable.assign_sub(float(learning_rate) * ops.sign(gradient))


def test_an_optimizer_of_ones_own(rng):
    x, y = rng.normal(size=(33, 20)).astype("float32"), rng.integers(0, 7, 33)
    model = network(kernel_regularizer="l2", kernel_constraint="max_norm")
    model.compile(Signed(0.01), "sparse_categorical_crossentropy")
    before = model.get_weights()
    losses_of = [model.train_on_batch(x, y) for _ in range(5)]
    assert losses_of[-1] < losses_of[0]
    bias = model.layers[0].bias.numpy() - before[1]
    assert np.allclose(np.round(bias / 0.01), bias / 0.01, atol=1e-4)


def test_weights_are_seen_and_set_between_steps(rng):
    x, y = rng.normal(size=(8, 20)).astype("float32"), rng.integers(0, 7, 8)
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy")
    start = model.get_weights()
    first = model.train_on_batch(x, y)
    kernel = model.layers[0].kernel
    seen, version = kernel.numpy(), kernel.version
    assert not seen.flags.writeable
    assert not np.array_equal(seen, start[0])
    kept = seen.copy()
    model.train_on_batch(x, y)
    assert np.array_equal(seen, kept)  # what was seen stays what it was
    assert kernel.version != version
    fresh = network()
    fresh.set_weights(model.get_weights())
    assert np.array_equal(model(x), fresh(x))
    model.set_weights(start)
    model.optimizer._iterations.assign(0)
    assert model.train_on_batch(x, y) == first


def test_models_that_share_layers_take_turns(rng):
    x, y = rng.normal(size=(8, 20)).astype("float32"), rng.integers(0, 7, 8)
    model = network()
    other = Sequential([layers.Input((20,)), *model.layers])
    for one in (model, other):
        one.compile("sgd", "sparse_categorical_crossentropy")
    twin = network()
    twin.compile("sgd", "sparse_categorical_crossentropy")
    for one in (model, other, other, model):
        assert one.train_on_batch(x, y) == twin.train_on_batch(x, y)
    assert all(map(np.array_equal, other.get_weights(), twin.get_weights()))


def test_copies_are_apart(rng):
    x, y = rng.normal(size=(8, 20)).astype("float32"), rng.integers(0, 7, 8)
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.train_on_batch(x, y)
    weights = model.get_weights()
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    model.train_on_batch(x, y)
    for twin in twins:
        assert all(map(np.array_equal, twin.get_weights(), weights))
        twin.train_on_batch(x, y)
        assert all(map(np.array_equal, twin.get_weights(), model.get_weights()))


def test_freezing_between_steps(rng):
    x, y = rng.normal(size=(8, 20)).astype("float32"), rng.integers(0, 7, 8)
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(x, y)
    model.layers[0].trainable = False
    before = model.get_weights()
    model.train_on_batch(x, y)
    changed = [not np.array_equal(*pair) for pair in zip(before, model.get_weights(), strict=True)]
    assert changed == [False, False, True, True, True, True]


def test_batches_of_any_size(rng):
    """Rooms for a batch are used again; short batches come between long ones."""
    model, twin = network(), network()
    for one in (model, twin):
        one.compile("sgd", "sparse_categorical_crossentropy")
    for batch in (5, 200, 1, 64, 3, 200):
        x, y = rng.normal(size=(batch, 20)).astype("float32"), rng.integers(0, 7, batch)
        twin._programs.clear()  # nothing to use again
        assert model.train_on_batch(x, y) == twin.train_on_batch(x, y)


def test_sequences_of_several_lengths(rng):
    stack = [layers.Input((None, 5)), layers.Dense(9, "tanh"), layers.Dense(2)]
    model = Sequential(stack)
    model.compile("sgd", "mse")
    for length in (3, 7, 3, 1):
        x, y = rng.normal(size=(4, length, 5)), rng.normal(size=(4, length, 2))
        loss = model.evaluate(x, y, verbose=0)
        assert model.train_on_batch(x, y) == pytest.approx(loss, rel=1e-5)


def test_nothing_to_learn(rng):
    model = Sequential([layers.Input((3,)), layers.Activation("tanh")])
    model.compile("sgd", "mse")
    x = rng.normal(size=(4, 3)).astype("float32")
    assert model.train_on_batch(x, x) == pytest.approx(np.mean((np.tanh(x) - x) ** 2), rel=1e-5)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([0, 1, 7, 2]), "7"),
        (np.array([0, -2, 1, 2]), "-2"),
        (np.zeros((4, 3)), "shape"),
    ],
)
def test_labels_that_do_not_fit_leave_the_weights_alone(rng, y, message):
    x = rng.normal(size=(4, 20)).astype("float32")
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.train_on_batch(x, np.arange(4))
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.train_on_batch(x, y)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert np.isfinite(model.train_on_batch(x, np.arange(4)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_loss_that_is_no_number_leaves_the_weights_alone(rng, bad):
    x, y = rng.normal(size=(4, 20)).astype("float32"), np.arange(4)
    model = network()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.train_on_batch(x, y)
    before = model.get_weights()
    x[2, 3] = bad
    with pytest.warns(RuntimeWarning, match="nothing is learnt"):
        model.train_on_batch(x, y)
    assert all(map(np.array_equal, before, model.get_weights()))
    x[2, 3] = 0
    assert np.isfinite(model.train_on_batch(x, y))


def test_numpy_in_a_lambda_is_refused():
    model = Sequential(
        [layers.Input((3,)), layers.Dense(3), layers.Lambda(np.exp, name="own"), layers.Dense(1)]
    )
    model.compile("sgd", "mse")
    before = model.get_weights()
    with pytest.raises(TypeError, match=r"Layer 'own'.*coreops\.ops"):
        model.train_on_batch(np.ones((4, 3)), np.ones((4, 3)))
    assert all(map(np.array_equal, before, model.get_weights()))


def test_quantized_layers_do_not_learn():
    model = network()
    with pytest.warns(UserWarning, match="InputLayer"):
        model.quantize("int8")
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(NotImplementedError, match="quantized"):
        model.train_on_batch(np.ones((2, 20)), np.zeros(2))


def test_inference_between_steps_does_not_disturb_them(rng):
    x, y = rng.normal(size=(8, 20)).astype("float32"), rng.integers(0, 7, 8)
    model, twin = network(0.2), network(0.2)
    for one in (model, twin):
        one.compile("adam", "sparse_categorical_crossentropy")
    for _ in range(3):
        model(x)
        model.predict(x, verbose=0)
        assert model.train_on_batch(x, y) == twin.train_on_batch(x, y)


def test_weights_that_were_not_trained_before_need_a_new_optimizer(rng):
    model = Sequential([layers.Input((3,)), layers.Dense(4), layers.Dense(1)])
    model.layers[0].trainable = False
    model.compile("adam", "mse")
    x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 1))
    model.fit(x, y, verbose=0)
    before = model.get_weights()
    model.layers[0].trainable = True
    with pytest.raises(
        ValueError, match="recreate a new optimizer instance: compile the model again"
    ):
        model.fit(x, y, verbose=0)
    for value, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, kept)
    model.compile("adam", "mse")
    model.fit(x, y, verbose=0)
    assert (model.get_weights()[0] != before[0]).any()
