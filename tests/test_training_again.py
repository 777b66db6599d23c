"""Steps like the last one: they are made without looking anything up, and are what they would be
otherwise, bit by bit, whatever has changed between two of them."""

import threading
import tracemalloc
import warnings

import numpy as np
import pytest

import coreops
from coreops import Sequential, layers, optimizers
from coreops._train.step import TrainingStep


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.fixture
def made(monkeypatch):
    """Counts of the steps that were like the last one, and what keeps all steps from that."""

    class Made:
        count = 0
        allowed = True

    real = TrainingStep.again

    def again(self, *args):
        found = real(self, *args) if Made.allowed else None
        Made.count += found is not None
        return found

    monkeypatch.setattr(TrainingStep, "again", again)
    return Made


def classifier(optimizer="adam", **kwargs):
    coreops.utils.set_random_seed(3)
    frozen = layers.Dense(7, activation="tanh", trainable=False, name="frozen")
    model = Sequential([
        layers.Input((6,)),
        frozen,
        layers.Dense(9, activation="relu", name="hidden"),
        layers.Dense(4, activation="softmax", name="last"),
    ])  # fmt: skip
    kwargs = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **kwargs}
    model.compile(optimizers.get(optimizer), **kwargs)
    return model


def data(rng, rows=10):
    return rng.normal(size=(rows, 6)).astype("float32"), rng.integers(0, 4, rows)


def both_ways(made, run):
    """What a function gives with steps like the last one, which there are, and without."""
    made.allowed, made.count = True, 0
    found = run()
    assert made.count
    made.allowed = False
    expected = run()
    return found, expected


def same(found, expected):
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a, b)


def trained(model, x, y, change=None, steps=3):
    """Losses of steps before and after a change, and all weights and state in the end."""
    out = [model.train_on_batch(x, y) for _ in range(steps)]
    if change is not None:
        change(model, x, y)
    out += [model.train_on_batch(x, y) for _ in range(steps)]
    return [*out, *model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]


def test_a_step_like_the_last_one_is_the_same(made, rng):
    x, y = data(rng)
    same(*both_ways(made, lambda: trained(classifier(), x, y)))
    made.allowed, made.count = True, 0
    model = classifier()
    for _ in range(5):
        model.train_on_batch(x, y)
    assert made.count == 4


def set_attribute(path, value):
    def change(model, x, y):
        *owners, name = path.split(".")
        target = model
        for owner in owners:
            target = target.get_layer(owner[1:]) if owner[0] == ":" else getattr(target, owner)
        setattr(target, name, value)

    return change


def assign(layer, which):
    def change(model, x, y):
        variable = getattr(model.get_layer(layer), which)
        variable.assign(variable.numpy() * 0.5 + 0.1)

    return change


def slots(model, x, y):
    for variable in model.optimizer.variables[2:]:
        variable.assign(variable.numpy() * 0.25)


def other_rows(model, x, y):
    model.train_on_batch(x[:7], y[:7])


def compiled_again(model, x, y):
    model.compile("sgd", "sparse_categorical_crossentropy")


def one_more_layer(model, x, y):
    model.add(layers.Dense(4, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy")


def trained_in_another(model, x, y):
    """Its layers, by other steps."""
    other = Sequential([layers.Input((6,)), *model.layers])
    other.compile("sgd", "sparse_categorical_crossentropy")
    for _ in range(3):
        other.train_on_batch(x, y)


CHANGES = {
    "a kernel is assigned to": assign("hidden", "kernel"),
    "a bias is assigned to": assign("last", "bias"),
    "a weight that does not learn is assigned to": assign("frozen", "kernel"),
    "all weights are set": lambda m, x, y: m.set_weights([w + 0.1 for w in m.get_weights()]),
    "a layer is frozen": set_attribute(":hidden.trainable", False),
    "a layer learns again": set_attribute(":frozen.trainable", True),
    "the model is frozen but for its end": lambda m, x, y: (
        set_attribute("trainable", False)(m, x, y),
        set_attribute(":last.trainable", True)(m, x, y),
    ),
    "a weight is frozen": set_attribute(":hidden.kernel.trainable", False),
    "an activation is another": set_attribute(":hidden.activation", coreops.activations.elu),
    "compiled again": compiled_again,
    "a layer more": one_more_layer,
    "the rate is assigned to": set_attribute("optimizer.learning_rate", 0.1),
    "the rate's variable is assigned to": lambda m, x, y: m.optimizer.learning_rate.assign(0.2),
    "the rate is a schedule": set_attribute(
        "optimizer.learning_rate", optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    ),
    "an argument of the optimizer": set_attribute("optimizer.beta_1", 0.5),
    "gradients are clipped": set_attribute("optimizer.clipnorm", 1e-3),
    "weights decay": set_attribute("optimizer.weight_decay", 0.1),
    "the steps are counted anew": lambda m, x, y: m.optimizer.iterations.assign(0),
    "the optimizer's state": slots,
    "another number of rows": other_rows,
    "weighted samples": lambda m, x, y: m.train_on_batch(x, y, sample_weight=np.arange(len(x))),
    "weighted classes": lambda m, x, y: m.train_on_batch(x, y, class_weight={1: 3.0}),
    "trained in another model": trained_in_another,
    "predictions": lambda m, x, y: m.predict(x, verbose=0),
    "an evaluation": lambda m, x, y: m.evaluate(x, y, verbose=0),
    "a reduction": lambda m, x, y: setattr(m._compilation.judged[0].loss, "reduction", "sum"),
    "threads": lambda m, x, y: coreops.set_num_threads(3),
}  # fmt: skip


@pytest.fixture
def threads():
    before = coreops.get_num_threads()
    yield
    coreops.set_num_threads(before)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_changes_between_steps_is_seen(made, rng, threads, name):
    x, y = data(rng)

    def run():
        model = classifier()
        if "learns again" in name or "frozen" in name:  # the state of all weights is there
            model.optimizer.build(model.weights)
        return trained(model, x, y, CHANGES[name])

    same(*both_ways(made, run))
    made.allowed = True
    if name not in ("predictions", "an evaluation", "threads"):  # that change what is learnt
        assert any(
            not np.array_equal(a, b)
            for a, b in zip(run(), trained(classifier(), x, y), strict=False)
        )


def test_another_tier_is_seen(made, rng):
    x, y = data(rng)
    tiers, before = coreops._kernels.tiers(), coreops._kernels.isa()

    def run():
        try:
            return trained(classifier(), x, y, lambda *_: coreops._kernels.use_isa(tiers[0]))
        finally:
            coreops._kernels.use_isa(before)

    same(*both_ways(made, run))


KINDS = {
    "float64": lambda x, y: (x.astype("float64"), y),
    "integers": lambda x, y: ((x * 10).astype("int64"), y),
    "booleans": lambda x, y: (x > 0, y),
    "columns first": lambda x, y: (np.asfortranarray(x), y),
    "every other row": lambda x, y: (np.repeat(x, 2, axis=0)[::2], np.repeat(y, 2)[::2]),
    "read only": lambda x, y: (np.frombuffer(x.tobytes(), "float32").reshape(x.shape), y),
    "big endian": lambda x, y: (x.astype(">f4"), y.astype(">i8")),
    "labels of int32": lambda x, y: (x, y.astype("int32")),
    "labels of uint8": lambda x, y: (x, y.astype("uint8")),
    "labels of uint64": lambda x, y: (x, y.astype("uint64")),
    "labels of float32": lambda x, y: (x, y.astype("float32")),
    "labels in a column": lambda x, y: (x, y[:, None]),
    "in lists": lambda x, y: ([x], [y]),
    "lists of numbers": lambda x, y: (x.tolist(), y.tolist()),
}


@pytest.mark.parametrize("second", KINDS)
@pytest.mark.parametrize("first", ["as they are", "float64", "labels in a column"])
def test_arrays_of_another_kind(made, rng, first, second):
    x, y = data(rng)
    before = KINDS.get(first, lambda x, y: (x, y))(x, y)
    after = KINDS[second](x, y)

    def run():
        model = classifier()
        out = [model.train_on_batch(*before) for _ in range(3)]
        out += [model.train_on_batch(*after) for _ in range(3)]
        return [*out, *model.get_weights()]

    same(*both_ways(made, run))


@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy", "hinge", "huber", "mae"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("shape", [(10,), (10, 1)])
@pytest.mark.parametrize("metrics", [None, ["mae"]])
def test_targets_of_every_kind(made, rng, loss, dtype, shape, metrics):
    x = data(rng)[0]
    y = (rng.uniform(size=shape) > 0.5).astype(dtype)
    y = y if dtype in ("bool", "int64") else y - y.dtype.type(1e-9)

    def run():
        coreops.utils.set_random_seed(1)
        model = Sequential([layers.Input((6,)), layers.Dense(1, activation="sigmoid")])
        model.compile("sgd", loss, metrics=metrics)
        return [*(model.train_on_batch(x, y) for _ in range(4)), *model.get_weights()]

    made.allowed = False
    expected = run()
    made.allowed = True
    same(np.hstack(run()[:4]), np.hstack(expected[:4]))
    same(run()[4:], expected[4:])


@pytest.mark.parametrize("bad", [4, -1, 2**32, -(2**32) + 1, 2**33 + 1])
def test_labels_out_of_range_are_an_error_of_every_step(made, rng, bad):
    x, y = data(rng)
    model = classifier()
    for _ in range(3):
        model.train_on_batch(x, y)
    before = model.get_weights()
    wrong = y.copy()
    wrong[3] = bad
    with pytest.raises(ValueError, match=f"Received a label {bad}"):
        model.train_on_batch(x, wrong)
    same(model.get_weights(), before)
    assert model.optimizer.iterations.numpy() == 3
    assert np.isfinite(model.train_on_batch(x, y)[0])


@pytest.mark.parametrize("rows", [0, 3])
def test_arrays_that_do_not_fit_are_an_error_of_every_step(rng, rows):
    x, y = data(rng)
    model = classifier()
    for _ in range(3):
        model.train_on_batch(x, y)
    before = model.get_weights()
    for given in ((x[:rows], y), (x[:, :5], y), (x, y[:rows]), (x, None), ([x, x], y)):
        with pytest.raises(ValueError, match=r"train_on_batch|expect|targets"):
            model.train_on_batch(*given)
    same(model.get_weights(), before)


def test_nothing_is_learnt_from_what_is_not_finite(made, rng):
    x, y = data(rng)
    wrong = x.copy()
    wrong[2, 3] = np.nan
    model = classifier()
    for _ in range(3):
        model.train_on_batch(x, y)
    before, made.count = model.get_weights(), 0
    with pytest.warns(RuntimeWarning, match="nothing is learnt"):
        assert np.isnan(model.train_on_batch(wrong, y)[0])
    assert made.count == 1
    same(model.get_weights(), before)
    assert model.optimizer.iterations.numpy() == 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(model.train_on_batch(x, y)[0])


def test_a_mask_that_comes_along_is_seen(made, rng):
    x = rng.normal(size=(5, 4, 3)).astype("float32")
    y = rng.normal(size=(5, 4, 2)).astype("float32")
    masked = layers.Masking(0.0)(np.where(rng.uniform(size=(5, 4, 1)) > 0.5, x, 0))

    def run():
        coreops.utils.set_random_seed(1)
        model = Sequential([layers.Input((4, 3)), layers.Dense(2)])
        model.compile("sgd", "mse")
        step = model._training_step
        out = [model.train_on_batch(x, y) for _ in range(3)]
        out += [step()([masked], [y])[0], *(model.train_on_batch(x, y) for _ in range(3))]
        return [*out, *model.get_weights()]

    same(*both_ways(made, run))


def test_a_weight_that_is_packed_into_a_plan_is_seen(made, rng):
    x, y = data(rng)

    def run():
        coreops.utils.set_random_seed(1)
        norm = layers.BatchNormalization(trainable=False)
        model = Sequential([layers.Input((6,)), norm, layers.Dense(4)])
        model.compile("sgd", "mse")
        target = np.eye(4, dtype="float32")[y]
        return trained(
            model, x, target, lambda *_: norm.moving_mean.assign(np.full(6, 0.5, "float32"))
        )

    same(*both_ways(made, run))


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        lambda: optimizers.RMSprop(0.01, centered=True),
        lambda: optimizers.Nadam(0.01),
        lambda: optimizers.Lion(0.01),
        lambda: optimizers.AdamW(0.01, weight_decay=0.1),
        lambda: optimizers.Adam(optimizers.schedules.InverseTimeDecay(0.1, 1, 0.5)),
        lambda: optimizers.Adam(iter([0.1, 0.2, 0.3] * 9).__next__),
        lambda: optimizers.Adam(0.01, global_clipnorm=0.01),
        lambda: optimizers.Adam(0.01, gradient_accumulation_steps=2),
        lambda: optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=2),
    ],
)
def test_every_optimizer(made, rng, optimizer):
    x, y = data(rng)
    same(*both_ways(made, lambda: trained(classifier(optimizer()), x, y)))


def test_a_layers_draws_go_on(made, rng):
    x, y = data(rng)

    def run():
        coreops.utils.set_random_seed(1)
        drop = layers.Dropout(0.5)
        model = Sequential([layers.Input((6,)), drop, layers.Dense(4)])
        model.compile("sgd", "mse")
        target = np.eye(4, dtype="float32")[y]
        return trained(model, x, target, lambda *_: setattr(drop.seed_generator, "seed", 99))

    same(*both_ways(made, run))


def test_several_inputs_and_outputs(made, rng):
    a, b = (rng.normal(size=(8, n)).astype("float32") for n in (3, 5))
    p, q = rng.integers(0, 2, (8, 1)), rng.normal(size=(8, 2)).astype("float32")

    def run(names=False, others=False):
        coreops.utils.set_random_seed(1)
        left, right = layers.Input((3,), name="a"), layers.Input((5,), name="b")
        h = layers.Concatenate()([layers.Dense(4, activation="relu")(left), right])
        h = layers.ActivityRegularization(0.01, 0.02)(h)
        ends = [
            layers.Dense(1, activation="sigmoid", name="p")(h),
            layers.Dense(2, kernel_regularizer="l2", name="q")(h),
            layers.Dense(2, name="r")(h),
        ]
        model = coreops.Model([left, right], ends)
        model.compile("adam", ["binary_crossentropy", "mse", None], loss_weights=[0.3, 2, 1])
        out = []
        for i in range(4):
            third = q if others and i == 3 else None
            y = {"q": q, "p": p, "r": third} if names else [p, q, third]
            weight = {"q": np.ones(8)} if names else [None, np.ones(8), None]
            out += model.train_on_batch({"b": b, "a": a} if names else [a, b], y, weight)
        return [*out, *model.get_weights()]

    same(*both_ways(made, run))
    same(*both_ways(made, lambda: run(others=True)))
    same(*both_ways(made, lambda: run(names=True)))
    same(run(names=True), run())
    made.allowed, made.count = True, 0
    run(names=True)
    assert made.count == 3


def test_a_number_without_a_row_leaves_the_weights(rng):
    model = Sequential([
        layers.Input((3,), dtype="int32"),
        layers.Embedding(5, 4),
        layers.Flatten(),
        layers.Dense(1),
    ])  # fmt: skip
    model.compile("adam", "mse")
    x, y = rng.integers(0, 5, (6, 3)).astype("int32"), np.ones((6, 1), "float32")
    for _ in range(3):
        model.train_on_batch(x, y)
    before = model.get_weights()
    with pytest.raises(IndexError, match=r"numbers from 0 to 4.*Received: 7"):
        model.train_on_batch(np.full_like(x, 7), y)
    same(model.get_weights(), before)
    assert model.optimizer.iterations.numpy() == 3
    model.train_on_batch(x, y)
    assert model.optimizer.iterations.numpy() == 4


def test_a_schedule_that_fails_leaves_the_weights(made, rng):
    x, y = data(rng)
    rates = iter([0.1, 0.1, 0.1])
    model = classifier(optimizers.Adam(lambda: next(rates)))
    for _ in range(3):
        model.train_on_batch(x, y)
    assert made.count == 2
    before = model.get_weights()
    with pytest.raises(StopIteration):
        model.train_on_batch(x, y)
    same(model.get_weights(), before)
    rates = iter([0.1] * 3)
    model.train_on_batch(x, y)
    assert model.optimizer.iterations.numpy() == 4


def test_samples_of_several_lengths_share_the_weights(made, rng):
    short, long = (rng.normal(size=(6, n, 3)).astype("float32") for n in (2, 5))
    y = rng.normal(size=(6, 1)).astype("float32")

    def run():
        coreops.utils.set_random_seed(1)
        model = Sequential([layers.Input((None, 3)), layers.LSTM(4), layers.Dense(1)])
        model.compile("adam", "mse")
        out = [model.train_on_batch(x, y) for x in (short, short, long, long, short, short)]
        return [*out, *model.get_weights()]

    same(*both_ways(made, run))


def test_a_step_makes_no_arrays(rng):
    """Not even one with a number for each sample."""
    model, (x, y) = classifier(metrics=None), data(rng, 4096)
    for _ in range(3):
        model.train_on_batch(x, y)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            model.train_on_batch(x, y)
        assert tracemalloc.get_traced_memory()[1] - before < 4 * len(x)
    finally:
        tracemalloc.stop()


def test_a_fit_is_the_same(made, rng):
    x, y = data(rng, 50)

    def run(**kwargs):
        model = classifier()
        history = model.fit(x, y, batch_size=8, epochs=3, verbose=0, **kwargs).history
        return [*history.values(), *model.get_weights()]

    same(*both_ways(made, run))
    same(*both_ways(made, lambda: run(validation_data=(x, y))))

    class Rates(coreops.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.optimizer.learning_rate = 0.01 / (batch + 1)

    same(*both_ways(made, lambda: run(callbacks=[Rates()])))


def test_a_thread_that_assigns_while_another_trains_is_heard(rng):
    x, y = data(rng, 500)
    model = classifier("sgd")
    model.train_on_batch(x, y)
    frozen, stop = model.get_layer("frozen"), threading.Event()

    def assign_on():
        while not stop.is_set():
            frozen.kernel.assign(frozen.kernel.numpy() * 0.999)

    worker = threading.Thread(target=assign_on)
    worker.start()
    for _ in range(200):
        model.train_on_batch(x, y)
    stop.set()
    worker.join()
    twin = classifier("sgd")
    twin.set_weights(model.get_weights())
    assert model.train_on_batch(x, y) == twin.train_on_batch(x, y)


def test_what_a_step_had_is_let_go(rng):
    import weakref

    x, y = data(rng)
    model = classifier()
    for _ in range(3):
        model.train_on_batch(x, y)
    seen = weakref.ref(x)
    del x
    assert seen() is None


# ------------------------------------------------------------------- batch normalisation between


def sequence():
    return Sequential([
        layers.Input((6,)),
        layers.Dense(8),
        layers.BatchNormalization(momentum=0.5),
        layers.ReLU(),
        layers.Dropout(0.25),
        layers.Dense(5, activity_regularizer="l2"),
        layers.BatchNormalization(scale=False),
        layers.Dense(4, activation="softmax"),
    ])  # fmt: skip


def residual():
    x = layers.Input((6,))
    h = layers.Dense(8, activation="relu")(x)
    g = layers.BatchNormalization(center=False)(h)
    g = layers.Add()([layers.Dense(8)(g), h])
    g = layers.BatchNormalization(gamma_regularizer="l2")(g)
    g = layers.Add()([g, h])
    return coreops.Model(x, layers.Dense(4, activation="softmax")(g))


def shared():
    norm, dense = layers.BatchNormalization(), layers.Dense(6, activation="tanh")
    stack = [layers.Input((6,)), dense, norm, dense, norm, layers.Dense(4, activation="softmax")]
    x = stack[0]
    for layer in stack[1:]:
        x = layer(x)
    return coreops.Model(stack[0], x)


def images():
    return Sequential([
        layers.Input((6,)),
        layers.Reshape((3, 2, 1)),
        layers.Conv2D(4, 2, padding="same"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(4, activation="softmax"),
    ])  # fmt: skip


NORMALISED = {make.__name__: make for make in (sequence, residual, shared, images)}
NORM_CHANGES = {
    "nothing": None,
    "averages": lambda m, x, y: norm_of(m).moving_mean.assign(
        np.ones_like(norm_of(m).moving_mean.numpy())
    ),
    "gamma or beta": lambda m, x, y: (
        norm_of(m).trainable_weights[0].assign(norm_of(m).trainable_weights[0].numpy() * 0.5 + 0.25)
    ),
    "momentum": lambda m, x, y: setattr(norm_of(m), "momentum", 0.125),
    "frozen": lambda m, x, y: setattr(norm_of(m), "trainable", False),
    "rows": lambda m, x, y: m.train_on_batch(x[:7], y[:7]),
    "nan": lambda m, x, y: m.train_on_batch(x * np.float32(np.nan), y),
    "predictions": lambda m, x, y: m.predict(x, verbose=0),
}


def norm_of(model):
    return next(one for one in model.layers if isinstance(one, layers.BatchNormalization))


def normalised(name, optimizer="adam"):
    coreops.utils.set_random_seed(3)
    model = NORMALISED[name]()
    model.compile(optimizer, "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_weights)
    return model


@pytest.mark.parametrize("change", NORM_CHANGES)
@pytest.mark.parametrize("name", NORMALISED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_batches_are_normalised_the_same(made, rng, name, change):
    x, y = data(rng)
    run = lambda: trained(normalised(name), x, y, NORM_CHANGES[change], steps=4)  # noqa: E731
    same(*both_ways(made, run))
    if change not in ("nothing", "nan", "predictions"):
        made.allowed = True
        pairs = zip(run(), trained(normalised(name), x, y, steps=4), strict=False)
        assert any(not np.array_equal(a, b) for a, b in pairs)


def test_a_network_with_normalisation_is_made_without_looking_up(made, rng):
    x, y = data(rng)
    model = normalised("sequence")
    for _ in range(6):
        model.train_on_batch(x, y)
    assert made.count == 4  # the first step finds where gradients go, the second writes down
    before = [v.numpy() for v in norm_of(model).non_trainable_weights]
    with pytest.warns(RuntimeWarning, match="nothing is learnt"):
        model.train_on_batch(x * np.float32(np.nan), y)
    assert made.count == 5
    same([v.numpy() for v in norm_of(model).non_trainable_weights], before)


@pytest.mark.parametrize("clip", [{}, {"clipnorm": 0.01}])
def test_a_fit_with_normalisation(made, rng, clip):
    x, y = data(rng, 50)

    def run():
        model = normalised("residual", optimizers.Adam(0.01, **clip))
        history = model.fit(x, y, batch_size=8, epochs=3, verbose=0).history
        return [*history.values(), *model.get_weights()]

    same(*both_ways(made, run))


def test_moving_averages_are_those_of_a_call(made, rng):
    """As the layer moves them when it is called alone."""
    x, y = data(rng)
    model = normalised("sequence", optimizers.SGD(0.0))
    first, norm = model.layers[0], norm_of(model)
    alone = layers.BatchNormalization(momentum=0.5)
    alone.build((None, 8))
    for i in range(5):
        model.train_on_batch(x + np.float32(i), y)
        alone(first(x + np.float32(i)), training=True)
    assert made.count
    for one, other in zip(norm.non_trainable_weights, alone.non_trainable_weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6)


def test_what_is_normalised_may_come_from_outside(made, rng):
    """Then it is another array at every step, which two plans read."""
    batches = [data(rng) for _ in range(6)]

    def run():
        coreops.utils.set_random_seed(3)
        x = layers.Input((6,))
        h = layers.Add()([layers.Dense(6)(x), layers.BatchNormalization()(x)])
        model = coreops.Model(x, layers.Dense(4, activation="softmax")(h))
        model.compile("adam", "sparse_categorical_crossentropy")
        return [*(model.train_on_batch(*batch) for batch in batches), *model.get_weights()]

    same(*both_ways(made, run))


# ------------------------------------------------------- weights, masks, targets of their own kind


def sequences(**kwargs):
    """A model whose outputs have masks."""
    coreops.utils.set_random_seed(3)
    model = Sequential([
        layers.Input((6, 1)),
        layers.Dropout(0.25),
        layers.Masking(0.0),
        layers.LSTM(4, return_sequences=True),
        layers.Dense(4, activation="softmax", activity_regularizer="l2"),
    ])  # fmt: skip
    kwargs = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **kwargs}
    model.compile("adam", **kwargs)
    return model


def ends():
    coreops.utils.set_random_seed(3)
    x = layers.Input((6,))
    h = layers.Dense(5, activation="tanh")(x)
    model = coreops.Model(x, [layers.Dense(4, activation="softmax")(h), layers.Dense(2)(h)])
    model.compile("adam", ["sparse_categorical_crossentropy", "mse"], loss_weights=[0.5, 2])
    return model


def signs():
    coreops.utils.set_random_seed(3)
    model = Sequential([layers.Input((6,)), layers.Dense(1, activation="tanh")])
    model.compile("sgd", "hinge", metrics=["mae"])
    return model


def ignoring(make, **kwargs):
    loss = coreops.losses.SparseCategoricalCrossentropy(ignore_class=2, **kwargs)
    return lambda: make(loss=loss)


def steps_of(rng, kind):
    """Arguments of six steps."""
    for _ in range(6):
        x, y = data(rng)
        weight, rest = rng.uniform(size=10).astype("float32"), {}
        if kind in ("masked", "masked, weighted", "masked, ignored"):
            x, y = np.round(x)[:, :, None], rng.integers(0, 4, (10, 6))
            weight = weight if kind == "masked" else rng.uniform(size=(10, 6))
        if kind == "signs":
            y = rng.integers(0, 2, (10, 1))
        if kind == "two outputs":
            y, weight = [y, x[:, :2].copy()], [weight, weight * 2]
        if kind == "classes":
            rest = {"class_weight": {0: 0.5, 3: 2.0}}
        elif kind not in ("ignored", "masked"):
            rest = {"sample_weight": weight}
        yield x, y, rest


WEIGHED = {
    "samples": lambda: classifier(weighted_metrics=["accuracy"]),
    "classes": classifier,
    "ignored": ignoring(classifier),
    "ignored, weighted": ignoring(classifier, reduction="mean_with_sample_weight"),
    "masked": sequences,
    "masked, weighted": lambda: sequences(weighted_metrics=["accuracy"]),
    "masked, ignored": ignoring(sequences),
    "signs": signs,
    "two outputs": ends,
}


@pytest.mark.parametrize("kind", WEIGHED)
def test_what_is_weighed_is_the_same(made, rng, kind):
    arguments = list(steps_of(rng, kind))

    def run():
        model = WEIGHED[kind]()
        out = [np.hstack(model.train_on_batch(x, y, **rest)) for x, y, rest in arguments]
        return [*out, *model.get_weights()]

    found, expected = both_ways(made, run)
    same(found, expected)
    made.allowed, made.count = True, 0
    run()
    assert made.count >= 4


def test_weights_that_come_and_go_are_seen(made, rng):
    x, y = data(rng)
    some = rng.uniform(size=10)
    given = [None, None, some, some, some.astype("float32"), some[:, None], list(some), None, None]

    def run():
        model = classifier(weighted_metrics=["accuracy"])
        out = [model.train_on_batch(x, y, sample_weight=weight) for weight in given]
        out += [model.train_on_batch(x, [y], class_weight={1: 5.0}) for _ in range(3)]
        with pytest.raises(ValueError, match="sample_weight"):
            model.train_on_batch(x, y, sample_weight=some[:5])
        with pytest.raises(ValueError, match="at the same time"):
            model.train_on_batch(x, y, sample_weight=some, class_weight={1: 5.0})
        return [*out, *model.get_weights()]

    same(*both_ways(made, run))


def test_a_label_to_be_ignored_is_still_checked(made, rng):
    x, y = data(rng)
    model = WEIGHED["ignored"]()
    for _ in range(3):
        model.train_on_batch(x, y)
    before, made.count = model.get_weights(), 0
    y[3] = 7
    with pytest.raises(ValueError, match="Received a label 7"):
        model.train_on_batch(x, y)
    same(model.get_weights(), before)
    y[3] = 2
    model.train_on_batch(x, y)


@pytest.mark.parametrize("kind", ["samples", "masked, weighted"])
def test_a_weighed_fit_is_the_same(made, rng, kind):
    _, (x, y, rest), *_ = steps_of(rng, kind)

    def run():
        model = WEIGHED[kind]()
        history = model.fit(x, y, batch_size=4, epochs=3, verbose=0, **rest).history
        return [*history.values(), *model.get_weights()]

    same(*both_ways(made, run))


def test_inputs_by_name(made, rng):
    a, b = (rng.normal(size=(8, n)).astype("float32") for n in (3, 5))
    y = rng.integers(0, 2, (8, 1))

    def run():
        coreops.utils.set_random_seed(1)
        left, right = layers.Input((3,), name="a"), layers.Input((5,), name="b")
        h = layers.Concatenate()([layers.Dense(4, activation="relu")(left), right])
        model = coreops.Model({"b": right, "a": left}, layers.Dense(1, activation="sigmoid")(h))
        model.compile("adam", "binary_crossentropy")
        out = [model.train_on_batch({"a": a, "b": b}, y) for _ in range(3)]
        out += [model.train_on_batch({"b": b * 2, "a": a + 1}, y) for _ in range(2)]
        with pytest.raises(ValueError, match="a"):
            model.train_on_batch({"b": b}, y)
        return [*out, *model.get_weights()]

    same(*both_ways(made, run))
    made.allowed, made.count = True, 0
    run()
    assert made.count == 4


# --------------------------------------------------------------------------- two models, one frozen


@pytest.mark.parametrize("norm", [False, True])
def test_two_models_that_train_in_turns(made, rng, norm):
    """What the one trains is frozen while the other does: neither makes its plans anew."""
    x, z = data(rng)[0], rng.normal(size=(10, 3)).astype("float32")
    y = np.ones((10, 1), "float32")

    def run():
        coreops.utils.set_random_seed(3)
        judge = Sequential([layers.Input((6,)), layers.Dense(8)])
        if norm:
            judge.add(layers.BatchNormalization())
        judge.add(layers.LeakyReLU())
        judge.add(layers.Dense(1, activation="sigmoid"))
        judge.compile("adam", "binary_crossentropy")
        judge.trainable = False
        maker = Sequential(
            [layers.Input((3,)), layers.Dense(5, activation="relu"), layers.Dense(6)]
        )
        both = Sequential([layers.Input((3,)), maker, judge])
        both.compile("adam", "binary_crossentropy")
        out = []
        for _ in range(6):
            judge.trainable = True
            out.append(judge.train_on_batch(x, y))
            judge.trainable = False
            out.append(both.train_on_batch(z, y))
        out.append(both.predict(z, verbose=0))
        return [*out, *judge.get_weights(), *maker.get_weights()]

    found, expected = both_ways(made, run)
    same(found, expected)
    made.allowed, made.count = True, 0
    run()
    assert made.count == 12 - 2 - norm  # a step writes itself down, the judge's second one here


def test_choices_of_weights_that_learn_are_kept(rng):
    """A model that is frozen and thawed in turns makes no plan anew, and learns the same."""
    x, y = data(rng)
    model = classifier()
    model.train_on_batch(x, y)
    start, state = model.get_weights(), [v.numpy() for v in model.optimizer.variables]
    hidden = model.get_layer("hidden")

    def run(keep):
        model.set_weights(start)
        for variable, value in zip(model.optimizer.variables, state, strict=True):
            variable.assign(value)
        out = []
        for turn in range(9):
            hidden.trainable = turn % 3 != 1
            if not keep:
                model._drop_steps()
            out.append(model.train_on_batch(x, y))
            if turn == 4:  # another model holds the weights for a while
                coreops.utils.set_random_seed(5)
                second = Sequential([layers.Input((7,)), hidden, layers.Dense(1)])
                second.compile("sgd", "mse")
                second.train_on_batch(x[:, :1] * np.ones(7, "f4"), y)
        return [*out, *model.get_weights(), *(v.numpy() for v in model.optimizer.variables)]

    found = run(True)
    assert len(model._programs["steps"]) == 2
    same(found, run(False))
