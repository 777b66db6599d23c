"""Recurrent layers that learn: gradients against finite differences in float64."""

import numpy as np
import pytest
from test_recurrent_kernels import PATTERNS, mask_of
from test_training import check_gradients, float64, prepare  # noqa: F401

import coreops
from coreops import Sequential, layers

CELLS = {
    "lstm": (layers.LSTM, {}),
    "gru": (layers.GRU, {}),
    "gru before": (layers.GRU, {"reset_after": False}),
    "simple": (layers.SimpleRNN, {}),
}
each_cell = pytest.mark.parametrize("cell", CELLS)


def layer(cell, units=3, **kwargs):
    cls, options = CELLS[cell]
    return cls(units, **options, **kwargs)


def model_of(*stack, shape=(4, 2)):
    return lambda: Sequential([layers.Input(shape), *(make() for make in stack)])


def check(make, x, rng):
    model = make()
    y = rng.normal(size=np.shape(model(x)))
    check_gradients(prepare(lambda: model, "mse", x, rng), x, y)


OPTIONS = [
    {},
    {"return_sequences": True},
    {"go_backwards": True, "return_sequences": True},
    {"use_bias": False},
    {"activation": "softsign", "recurrent_activation": "hard_sigmoid"},
    {"activation": "gelu", "recurrent_activation": "silu"},
    {"kernel_regularizer": "l2", "recurrent_regularizer": "l1_l2", "bias_regularizer": "l2"},
    {"activity_regularizer": "l2"},
    {"trainable": False},
]


@each_cell
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options(float64, rng, cell, options):  # noqa: F811
    options = dict(options)
    if cell == "simple":
        options.pop("recurrent_activation", None)
    last = [lambda: layers.Dense(2)]
    make = model_of(lambda: layers.Dense(2), lambda: layer(cell, **options), *last)
    check(make, rng.normal(size=(3, 4, 2)), rng)


@each_cell
@pytest.mark.parametrize("zeros", [False, True])
def test_masks(float64, rng, cell, zeros):  # noqa: F811
    """All patterns in one batch."""
    rows = [mask_of(pattern, 3, 4, rng) for pattern in PATTERNS[1:]]
    mask = np.concatenate(rows)
    x = rng.normal(size=(*mask.shape, 2))
    x[~mask] = 0
    first = {"return_sequences": True, "zero_output_for_mask": zeros}
    make = model_of(
        layers.Masking,
        lambda: layer(cell, 2, **first),
        lambda: layer(cell, 3, go_backwards=True, zero_output_for_mask=zeros),
        lambda: layers.Dense(2),
    )
    check(make, x, rng)


@each_cell
def test_wide_layers(float64, rng, cell):  # noqa: F811
    """More than a chunk of units: some of the elements, against differences of the loss."""
    x, y = rng.normal(size=(2, 3, 2)), rng.normal(size=(2, 131))
    model = prepare(model_of(lambda: layer(cell, 131), shape=(3, 2)), "mse", x, rng)
    step = model._training_step()
    step(x, y, update=False)
    for variable, gradient in zip(model.trainable_weights, step.gradients(), strict=True):
        value = variable.numpy().copy()
        for at in rng.integers(0, value.size, 6):
            i = np.unravel_index(at, value.shape)
            found = []
            for sign in (1, -1):
                shifted = value.copy()
                shifted[i] += sign * 1e-6
                variable.assign(shifted)
                found.append(step(x, y, update=False)[0])
            variable.assign(value)
            expected = (found[0] - found[1]) / 2e-6
            assert gradient[i] == pytest.approx(expected, rel=1e-5, abs=1e-9)


@each_cell
@pytest.mark.parametrize("rates", [(0.4, 0.0), (0.0, 0.4), (0.3, 0.4)])
def test_dropout(float64, rng, cell, rates):  # noqa: F811
    """The gradient is that of the draw of its own loss, which is one for all steps of time."""
    x, y = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 2))
    make = model_of(
        lambda: layers.Dense(5),
        lambda: (
            layer(cell, 4, dropout=rates[0], recurrent_dropout=rates[1], seed=3)
            if cell != "simple"
            else layer(cell, 4, dropout=rates[0], recurrent_dropout=rates[1])
        ),
        lambda: layers.Dense(2),
    )
    model = prepare(make, "mse", x, rng)
    generator = model.layers[1].cell.seed_generator
    generator.seed = 3
    step = model._training_step()

    def loss():
        generator.call = 11
        return step(x, y, update=False)[0]

    loss()
    for variable, gradient in zip(model.trainable_weights, step.gradients(), strict=True):
        value, expected = variable.numpy().copy(), np.zeros(variable.shape)
        for i in np.ndindex(value.shape):
            for sign in (1, -1):
                shifted = value.copy()
                shifted[i] += sign * 1e-6
                variable.assign(shifted)
                expected[i] += sign * loss() / 2e-6
        variable.assign(value)
        scale = max(np.abs(expected).max(), 1e-2)
        assert np.abs(gradient - expected).max() <= 1e-6 * scale, variable.path


WRAPPERS = {
    "bidirectional": lambda: layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
    "bidirectional, sum": lambda: layers.Bidirectional(layers.GRU(2), merge_mode="sum"),
    "bidirectional, mul": lambda: layers.Bidirectional(
        layers.SimpleRNN(2, return_sequences=True), merge_mode="mul"
    ),
    "bidirectional, ave": lambda: layers.Bidirectional(layers.LSTM(2), merge_mode="ave"),
    "each step": lambda: layers.TimeDistributed(layers.Dense(3, activation="tanh")),
    "a model in each step": lambda: layers.TimeDistributed(
        Sequential([layers.Input((2,)), layers.Reshape((2, 1)), layers.LSTM(2)])
    ),
    "both ways in each step": lambda: layers.TimeDistributed(
        Sequential(
            [
                layers.Input((2,)),
                layers.Reshape((2, 1)),
                layers.Bidirectional(layers.GRU(2, reset_after=False)),
            ]
        )
    ),
    "a convolution in each step": lambda: layers.TimeDistributed(
        Sequential(
            [
                layers.Input((2,)),
                layers.Reshape((2, 1)),
                layers.Conv1D(3, 2, padding="same", activation="tanh"),
                layers.BatchNormalization(trainable=False),
                layers.Flatten(),
            ]
        )
    ),
    "an activation without kernel": lambda: layers.LSTM(2, activation="softmax"),
    "a function": lambda: layers.GRU(2, activation=coreops.ops.sin, return_sequences=True),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers(float64, rng, name):  # noqa: F811
    x = rng.normal(size=(3, 4, 2))
    x[0, 2:] = 0
    masking = [] if "step" in name else [layers.Masking]
    check(model_of(lambda: layers.Dense(2, use_bias=False), *masking, WRAPPERS[name],
                   lambda: layers.Dense(2)), x, rng)  # fmt: skip


@each_cell
def test_fit_learns(rng, cell):
    """The sign of the first of eight steps is to be remembered."""
    coreops.utils.set_random_seed(3)
    x = rng.normal(size=(256, 8, 1)).astype("float32")
    y = (x[:, 0, 0] > 0).astype("float32")
    stack = [layers.Input((8, 1)), layer(cell, 16), layers.Dense(1, activation="sigmoid")]
    model = Sequential(stack)
    model.compile(coreops.optimizers.Adam(0.02), "binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x, y, epochs=30, verbose=0).history
    assert history["accuracy"][-1] > 0.85


@each_cell
def test_bits_do_not_depend_on_threads(rng, cell):
    x = rng.normal(size=(70, 9, 5)).astype("float32")
    y = rng.normal(size=(70, 1)).astype("float32")
    found = []
    before = coreops.get_num_threads()
    for threads in (1, 2, 3):
        coreops.set_num_threads(threads)
        coreops.utils.set_random_seed(3)
        model = Sequential([layers.Input((9, 5)), layer(cell, 20), layers.Dense(1)])
        model.compile("adam", "mse")
        model.fit(x, y, epochs=2, verbose=0, shuffle=False)
        found.append(model.get_weights())
    coreops.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


class Encoder(layers.Layer):
    """Calls recurrent layers by itself, which give several arrays."""

    def __init__(self, wrap):
        super().__init__()
        self.inner = wrap(layers.LSTM(2, return_state=True))
        self.after = layers.GRU(2)

    def call(self, x):
        y, *states = self.inner(x)
        return self.after(x, initial_state=y) + states[-1]


@pytest.mark.parametrize("wrap", [lambda one: one, lambda one: layers.Bidirectional(one, "sum")])
def test_states_within_a_function(float64, rng, wrap):  # noqa: F811
    check(model_of(lambda: Encoder(wrap), lambda: layers.Dense(2)), rng.normal(size=(3, 4, 2)), rng)


def encoder_and_decoder():
    """The last states of one layer are where another begins."""
    x = layers.Input((4, 2))
    _, *states = layers.LSTM(3, return_state=True)(x)
    y = layers.LSTM(3, return_sequences=True)(x, initial_state=states)
    y, h = layers.GRU(3, return_state=True)(y, initial_state=states[0])
    both = layers.Bidirectional(layers.SimpleRNN(3), merge_mode="ave")(x, initial_state=[y, h])
    return coreops.Model(x, layers.Dense(2)(layers.Add()([both, h])))


def test_states_between_layers(float64, rng):  # noqa: F811
    check(encoder_and_decoder, rng.normal(size=(3, 4, 2)), rng)


@pytest.mark.parametrize("cls", [layers.LSTM, layers.GRU, layers.SimpleRNN])
@pytest.mark.parametrize("between", ["a Lambda", "normalisation", "a mask"])
def test_states_go_on_once_a_step(cls, between):
    """Also where the plan runs forward twice."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4, 5, 3)).astype("float32")
    x[1, 3:] = 0
    y = rng.normal(size=(4, 5, 2)).astype("float32")

    def model(through):
        coreops.utils.set_random_seed(1)
        stack = [layers.Masking(0.0)] if between == "a mask" else []
        stack += [cls(4, stateful=True, return_sequences=True), *through, layers.Dense(2)]
        made = Sequential([layers.Input(batch_shape=(4, 5, 3)), *stack])
        made.compile(coreops.optimizers.SGD(0.0), "mse")
        return made, next(one for one in stack if isinstance(one, cls))

    seams = {
        "a Lambda": lambda: [layers.Lambda(lambda x: x * 1.0)],
        "normalisation": lambda: [layers.BatchNormalization()],
        "a mask": list,
    }
    trained, inside = model(seams[between]())
    plain, alone = model([])
    for _ in range(3):
        loss = trained.train_on_batch(x, y)
        expected = plain.test_on_batch(x, y)
        if between != "normalisation":
            assert loss == pytest.approx(expected, rel=1e-5)
        for one, other in zip(inside.states, alone.states, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
