"""Training where it is easily got wrong: seams of odd shapes, arguments that change, weights that
others hold, several threads."""

import copy
import gc
import os
import pickle
import signal
import threading

import numpy as np
import pytest
from test_training import Cubic, check_gradients, float64, prepare  # noqa: F401

import coreops
from coreops import Sequential, callbacks, constraints, layers, ops, optimizers


class Rows(layers.Layer):
    """Rows cut into pieces, or several made one: the batch has another size from here on."""

    def __init__(self, size):
        super().__init__()
        self.size = size

    def call(self, x):
        return ops.reshape(x, (-1, self.size))


class Repeated(layers.Layer):
    """A stack with a seam in it, called twice in one computation."""

    def __init__(self):
        super().__init__()
        stack = [layers.Dense(3, "tanh", activity_regularizer=Cubic()), layers.Dense(3, "tanh")]
        self.inner = Sequential(stack)

    def call(self, x):
        return self.inner(self.inner(x))


class Flattened(layers.Layer):
    """A built-in layer without steps, called inside of Python."""

    def __init__(self):
        super().__init__()
        self.flatten = layers.Flatten()

    def call(self, x):
        return ops.tanh(self.flatten(x))


def given():
    return [layers.Input((2, 3))]


def first(units):
    return [*given(), layers.Reshape((6,)), layers.Dense(units, "tanh")]


STACKS = {
    "more rows, then as many": lambda: [*first(6), Rows(3), layers.Dense(4, "tanh"), Rows(8)],
    "fewer rows, then as many": lambda: [*first(6), Rows(12), layers.Dense(10, "tanh"), Rows(5)],
    "a penalty on more rows": lambda: [
        *first(6), Rows(3), layers.Dense(2, activity_regularizer="l2"), Rows(4)
    ],
    "a penalty between two seams": lambda: [
        *given(), layers.Dense(3), layers.Lambda(ops.tanh),
        layers.ActivityRegularization(l2=0.3), layers.Lambda(ops.sin), layers.Flatten()
    ],
    "a seam in a layer that is called twice": lambda: [*first(3), Repeated()],
    "a new shape before a seam": lambda: [*given(), layers.Flatten(), layers.Lambda(ops.tanh)],
    "a new shape between two seams": lambda: [
        *given(), layers.Lambda(ops.sin), layers.Flatten(), layers.Lambda(ops.tanh)
    ],
    "a new shape at the end": lambda: [
        *given(), layers.Dense(1), layers.Lambda(ops.tanh), layers.Flatten()
    ],
    "a new shape inside of Python": lambda: [*given(), layers.Dense(2), Flattened()],
}  # fmt: skip


@pytest.mark.parametrize("name", STACKS)
def test_gradients_through_changes_of_shape(float64, rng, name):  # noqa: F811
    coreops.utils.set_random_seed(5)
    x, y = rng.normal(size=(6, 2, 3)), rng.normal(size=(6, 2))
    make = lambda: Sequential([*STACKS[name](), layers.Dense(2)])  # noqa: E731
    check_gradients(prepare(make, "mse", x, rng), x, y)


def steps_agree(make, x, y, optimizer):
    """Three steps of a model against `optimizer.apply` with the gradients of its twin."""
    models = []
    for _ in range(2):
        coreops.utils.set_random_seed(3)
        models.append(make())
        models[-1].compile(optimizer(), "mse")
    model, twin = models
    twin._build_for([x])
    for _ in range(3):
        model.train_on_batch(x, y)
        step = twin._training_step()
        step(x, y, update=False)
        twin.optimizer.apply(step.gradients(), twin.trainable_weights)
    for one, two in zip(model.get_weights(), twin.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-5, atol=2e-6)


BOUNDS = [constraints.MaxNorm(0.1), constraints.UnitNorm(), constraints.MinMaxNorm(0.1, 0.3, 0.5)]


@pytest.mark.parametrize("bound", BOUNDS, ids=str)
def test_norms_of_columns_of_one_row(rng, bound):
    x, y = (rng.normal(size=(9, n)).astype("float32") for n in (1, 37))
    stack = lambda: [layers.Input((1,)), layers.Dense(37, kernel_constraint=bound)]  # noqa: E731
    steps_agree(lambda: Sequential(stack()), x, y, lambda: optimizers.SGD(0.1))


@pytest.mark.parametrize(
    "kwargs", [{"alpha_constraint": bound} for bound in BOUNDS] + [{"alpha_regularizer": Cubic()}]
)
def test_slopes_of_several_axes(rng, kwargs):
    x = rng.normal(size=(9, 2, 3)).astype("float32")
    make = lambda: Sequential([layers.Input((2, 3)), layers.PReLU("ones", **kwargs)])  # noqa: E731
    steps_agree(make, x, x, lambda: optimizers.SGD(0.1))


def small(optimizer="sgd", shape=(3,)):
    model = Sequential([layers.Input(shape), layers.Dense(2)])
    model.compile(optimizer, "mse")
    return model


X, Y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")


def test_gradients_are_asked_for_after_steps_of_several_shapes():
    step = small(shape=(None, 3))._training_step()
    data = [(np.ones((2, n, 3), "float32"), np.ones((2, n, 2), "float32")) for n in (2, 3)]
    for update in (True, False):
        losses = [step(x, y, update=update)[0] for x, y in data]
    assert np.isfinite(losses).all()


def test_norms_may_be_bounded_between_steps():
    model = small(optimizers.SGD(0.1))
    model.train_on_batch(X, Y)
    model.optimizer.clipnorm = 1e-9
    before = model.get_weights()
    model.train_on_batch(X, Y)
    for one, two in zip(before, model.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "value"), [("momentum", 0.9), ("use_ema", True), ("gradient_accumulation_steps", 3)]
)
def test_what_takes_more_variables_cannot_change_between_steps(name, value):
    model = small(optimizers.SGD(0.1))
    model.train_on_batch(X, Y)
    before = model.get_weights()
    setattr(model.optimizer, name, value)
    with pytest.raises(ValueError, match="0 variables for each weight"):
        model.train_on_batch(X, Y)
    assert all(map(np.array_equal, before, model.get_weights()))


def test_an_optimizer_of_other_weights_is_refused():
    optimizer = optimizers.Adam()
    model, other = small(optimizer), small(optimizer)
    model.train_on_batch(X, Y)
    before = other.get_weights()
    with pytest.raises(ValueError, match="Unknown variable"):
        other.train_on_batch(X, Y)
    assert all(map(np.array_equal, before, other.get_weights()))
    model.train_on_batch(X, Y)
    other.compile("adam", "mse")
    other.train_on_batch(X, Y)


def test_noise_for_another_batch_is_refused():
    stack = [layers.Input((3,)), layers.Dense(2), layers.Dropout(0.5, noise_shape=(3, 1))]
    model = Sequential(stack)
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="asks for a batch of 3, received 4"):
        model.train_on_batch(X, Y)
    model.train_on_batch(X[:3], Y[:3])


def test_a_step_leaves_nothing_recorded():
    class Adding(layers.Layer):
        def call(self, x):
            self.add_loss(ops.sum(x * x))
            return x

    model = Sequential([layers.Input((3,)), layers.Dense(2), Adding()])
    model.compile("sgd", "mse")
    model.train_on_batch(X, Y)
    assert not any(isinstance(loss, coreops._tape.Tensor) for loss in model.losses)


def test_a_mask_outlives_another_shape_of_a_seam():
    """The layers after a seam are compiled anew when its result has another shape."""
    width = 2

    def cut(x):
        return x[:, :, :width]

    stack = [
        layers.Input((3, 2)),
        layers.Masking(),
        layers.Lambda(cut, output_shape=lambda shape: shape, mask=lambda x, mask: mask),
        layers.Lambda(lambda x: x * 1.0, mask=lambda x, mask: mask),
    ]
    model = Sequential(stack)
    model.compile("sgd", "mse")
    x = np.ones((2, 3, 2), "float32")
    x[0, 1] = 0
    for width in (2, 1):
        model._training_step()(x, np.zeros((2, 3, width), "float32"))
        assert model._training_step().masks[0].tolist() == [[True, False, True], [True] * 3]


def test_plans_are_kept_for_so_many_shapes():
    model = small(shape=(None, 3))
    for n in range(1, 101):
        model.train_on_batch(np.ones((2, n, 3)), np.ones((2, n, 2)))
    gc.collect()
    assert len(model._training_step()._chains) == 32


def test_weights_are_whole_while_another_thread_trains():
    """All elements of each weight are equal between steps, and so is what other threads read."""
    size = 300
    stack = [layers.Input((size,)), layers.Dense(size, kernel_initializer="zeros")]
    model, other = Sequential(stack), Sequential([layers.Input((size,)), stack[1]])
    model.compile(optimizers.SGD(1e-4), "mse")
    x, y = np.ones((4, size), "float32"), np.ones((4, size), "float32")
    done, failures = threading.Event(), []

    def read():
        while not done.is_set():
            weight = stack[1].kernel.numpy()
            result = other.predict(x, verbose=0)
            if not ((weight == weight[0, 0]).all() and (result == result[0, 0]).all()):
                failures.append((weight, result))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(100):
        model.train_on_batch(x, y)
    done.set()
    for thread in threads:
        thread.join()
    assert not failures


def test_threads_that_train_one_model_take_turns(rng):
    model = small("sgd", shape=(None, 3))
    data = [
        (rng.normal(size=(n, m, 3)).astype("float32"), rng.normal(size=(n, m, 2)).astype("float32"))
        for n, m in ((1, 200), (300, 2), (7, 3))
    ]
    failures = []

    def train(x, y):
        try:
            for _ in range(50):
                assert np.isfinite(model._training_step()(x, y)[0])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=train, args=pair) for pair in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert int(model.optimizer.iterations) == 150


class Hook(callbacks.Callback):
    """Calls a function after every batch."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def on_train_batch_end(self, batch, logs=None):
        self.function(self.model, batch)


@pytest.mark.parametrize("make", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_in_the_middle_of_a_fit(make):
    model, found = small("adam"), []
    hook = Hook(lambda model, batch: found.append((make(model), model.get_weights())))
    model.fit(X, Y, batch_size=1, verbose=0, shuffle=False, callbacks=[hook])
    twin, weights = found[1]
    assert all(map(np.array_equal, twin.get_weights(), weights))
    for i in (2, 3):
        twin.train_on_batch(X[i : i + 1], Y[i : i + 1])
    assert all(map(np.array_equal, twin.get_weights(), model.get_weights()))


def test_a_fit_that_is_interrupted_keeps_what_it_learnt():
    def interrupt(model, batch):
        if batch == 1:
            raise KeyboardInterrupt

    model, twin = small("adam"), small("adam")
    twin.set_weights(model.get_weights())
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=1, verbose=0, shuffle=False, callbacks=[Hook(interrupt)])
    assert int(model.optimizer.iterations) == 2
    for i in range(4):
        twin.train_on_batch(X[i : i + 1], Y[i : i + 1])
    for i in (2, 3):
        model.train_on_batch(X[i : i + 1], Y[i : i + 1])
    assert all(map(np.array_equal, twin.get_weights(), model.get_weights()))


def test_a_step_that_fails_in_the_middle_is_not_noticed_later():
    """What a failed step has left of plans is not used again."""
    fails = []

    def seam(x):
        if fails:
            raise fails.pop()
        return ops.tanh(x)

    def make():
        coreops.utils.set_random_seed(1)
        stack = [layers.Input((3,)), layers.Dense(4), layers.Lambda(seam), layers.Dense(2)]
        model = Sequential(stack)
        model.compile("adam", "mse")
        model._build_for([X])
        return model

    model, twin = make(), make()
    fails.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        model.train_on_batch(X, Y)
    for _ in range(2):
        assert model.train_on_batch(X, Y) == twin.train_on_batch(X, Y)
    assert all(map(np.array_equal, twin.get_weights(), model.get_weights()))


def test_predictions_of_no_size_have_a_loss():
    model = Sequential([layers.Input((0, 3)), layers.Dense(2), layers.Flatten()])
    model.compile("sgd", lambda t, p: ops.sum((t - p) ** 2, axis=-1))
    assert model.train_on_batch(np.ones((4, 0, 3)), np.ones((4, 0))) == 0


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX's, where a test before loaded it
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_child_of_a_fork_goes_on(rng):
    x, y = rng.normal(size=(256, 64)).astype("float32"), rng.normal(size=(256, 8)).astype("float32")
    model = Sequential([layers.Input((64,)), layers.Dense(512, "tanh"), layers.Dense(8)])
    model.compile("adam", "mse")
    model.train_on_batch(x, y)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        loss = model.train_on_batch(x, y)
        os.write(write, np.float64(loss).tobytes() + model.predict(x, verbose=0)[0].tobytes())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        received = file.read()
    assert os.waitpid(child, 0)[1] == 0
    loss = model.train_on_batch(x, y)
    expected = np.float64(loss).tobytes() + model.predict(x, verbose=0)[0].tobytes()
    assert received == expected


def test_integers_reach_a_seam_as_they_are():
    """float32 has no 2^24 + 1."""

    class Table(layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=(2, 3), name="table")

        def call(self, x):
            return ops.take(self.table, x % 2, axis=0)

    stack = [layers.Input((4,), dtype="int32"), Table(), layers.Flatten(), layers.Dense(2)]
    model = Sequential(stack)
    model.compile("sgd", "mse")
    x, y = np.arange(8, dtype="int32").reshape(2, 4) + 2**24, np.ones((2, 2), "float32")
    before = model.evaluate(x, y, verbose=0)
    weights = model.get_weights()
    assert model.train_on_batch(x, y) == pytest.approx(before, rel=1e-5)
    assert not any(map(np.array_equal, weights, model.get_weights()))
