"""Optimizers against real Keras' on its NumPy backend, step by step, and what they promise."""

import copy
import inspect
import itertools
import json
import pickle
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coreops
from coreops import _kernels, optimizers
from coreops.optimizers import schedules

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # inside Keras

STEPS = 20
KINDS = {
    "sgd": ("SGD", {"learning_rate": 0.1}),
    "sgd_momentum": ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    "sgd_nesterov": ("SGD", {"learning_rate": 0.1, "momentum": 0.9, "nesterov": True}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.01}),
    "rmsprop_momentum": ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5}),
    "rmsprop_centered": ("RMSprop", {"learning_rate": 0.01, "centered": True}),
    "rmsprop_both": ("RMSprop", {"learning_rate": 0.01, "momentum": 0.5, "centered": True}),
    "adam": ("Adam", {"learning_rate": 0.01}),
    "adam_amsgrad": ("Adam", {"learning_rate": 0.01, "amsgrad": True, "beta_2": 0.9}),
    "adamw": ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.1}),
    "adagrad": ("Adagrad", {"learning_rate": 0.1}),
    "adadelta": ("Adadelta", {"learning_rate": 1.0}),
    "adamax": ("Adamax", {"learning_rate": 0.01}),
    "nadam": ("Nadam", {"learning_rate": 0.01}),
    "lion": ("Lion", {"learning_rate": 0.01}),
    "ftrl": ("Ftrl", {"learning_rate": 0.1, "l1_regularization_strength": 0.01, "beta": 0.1}),
    "ftrl_power": (
        "Ftrl",
        {
            "learning_rate": 0.1,
            "learning_rate_power": -0.3,
            "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.1,
        },
    ),
}
OPTIONS = {
    "none": {},
    "clipnorm": {"clipnorm": 0.7},
    "clipvalue": {"clipvalue": 0.3},
    "global_clipnorm": {"global_clipnorm": 1.0},
    "loss_scale_factor": {"loss_scale_factor": 8.0},
    "weight_decay": {"weight_decay": 0.05},
    "ema": {"use_ema": True, "ema_momentum": 0.8},
    "ema_overwrite": {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3},
    "accumulation": {"gradient_accumulation_steps": 3},
    "all": {
        "gradient_accumulation_steps": 2,
        "use_ema": True,
        "ema_overwrite_frequency": 4,
        "weight_decay": 0.05,
        "global_clipnorm": 0.5,
        "loss_scale_factor": 2.0,
    },
    "accumulation_clipnorm": {"gradient_accumulation_steps": 4, "clipnorm": 0.2},
}
SHAPES = {"kernel": (7, 5), "bias": (5,), "alpha": (3, 1, 4)}
# An option acts before or after a rule, whichever it is: every one with a rule of each make, and
# every rule with none and with all of them.
MAKES = ("sgd_momentum", "adam", "nadam", "ftrl")
PAIRS = [(k, o) for k in KINDS for o in OPTIONS if k in MAKES or o in ("none", "all")]


def variables(module, constraint=None):
    """The same weights for Keras and for us."""
    rng = np.random.default_rng(5)
    made = []
    for name, shape in SHAPES.items():
        value = rng.normal(size=shape).astype("float32")
        made.append(module.Variable(value, name=name, dtype="float32"))
        made[-1].constraint = constraint
    return made


def gradients(step):
    rng = np.random.default_rng(100 + step)
    return [rng.normal(size=shape).astype("float32") for shape in SHAPES.values()]


def both(keras, class_name, arguments, steps=STEPS, constraint=None, grads=gradients):
    """The weights and the optimizer after some steps of Keras, and ours."""
    keras.utils.clear_session()
    results = []
    for module in (keras, coreops):
        optimizer = getattr(module.optimizers, class_name)(**arguments)
        made = variables(module, constraint and constraint(module))
        for step in range(steps):
            given = grads(step)
            optimizer.apply(given, made)
        results.append(([np.asarray(v) for v in made], optimizer))
    return results


@pytest.mark.parity
@pytest.mark.parametrize(("kind", "option"), PAIRS)
def test_steps_follow_keras(keras, kind, option):
    class_name, arguments = KINDS[kind]
    (theirs, their_optimizer), (ours, optimizer) = both(
        keras, class_name, {**arguments, **OPTIONS[option]}
    )
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(b, a, atol=2e-6, rtol=2e-6)
    their_state, state = their_optimizer.variables, optimizer.variables
    assert [v.path for v in state] == [v.path for v in their_state]
    assert [v.dtype for v in state] == [v.dtype for v in their_state]
    for a, b in zip(their_state, state, strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), atol=2e-6, rtol=1e-5)


# What a trainer in C does: the kernels on arrays that it owns, penalties and constraints included.
PENALTIES = {"none": (0.0, 0.0), "l1": (0.02, 0.0), "l2": (0.0, 0.05), "l1_l2": (0.01, 0.02)}
CONSTRAINTS = {
    "none": lambda module: None,
    "non_neg": lambda module: module.constraints.NonNeg(),
    "max_norm": lambda module: module.constraints.MaxNorm(0.8),
    "unit_norm": lambda module: module.constraints.UnitNorm(),
    "min_max_norm": lambda module: module.constraints.MinMaxNorm(0.9, 1.1, rate=0.5),
}


def step_by_kernels(optimizer, learners, step, grads):
    """One step on arrays; weights and slots change in place."""
    rule = optimizer._rule(step)
    clips, all_at_once = rule.clips_norm
    sums = [
        rule.sum_of_squares(one.w, g, one.slots, l1=one.l1, l2=one.l2)
        for one, g in zip(learners, grads, strict=True)
    ]
    for one, g, total in zip(learners, grads, sums, strict=True):
        factor = rule.factor(sum(sums) if all_at_once else total) if clips else 1.0
        nonneg = isinstance(one.constraint, coreops.constraints.NonNeg)
        rule.apply(one.w, g, one.slots, l1=one.l1, l2=one.l2, factor=factor, nonneg=nonneg)
        norms = coreops.constraints._column_norms(one.constraint)
        if norms is not None:
            columns = one.w.reshape(len(one.w), -1)
            _kernels.rescale_columns(columns, *norms, coreops.config.epsilon())


class Learner(NamedTuple):
    w: np.ndarray
    slots: list[np.ndarray]
    l1: float
    l2: float
    constraint: Any


def follow_on_arrays(keras, kind, option, shapes, penalties, constraints):
    """A weight of each shape, with its penalty and its constraint."""
    class_name, arguments = KINDS[kind]
    arguments = {**arguments, **OPTIONS[option], "loss_scale_factor": None}
    factors = [PENALTIES[penalty] for penalty in penalties]

    def start(module):
        rng = np.random.default_rng(5)
        made = [module.Variable(rng.normal(size=s).astype("float32")) for s in shapes]
        for variable, name in zip(made, constraints, strict=True):
            variable.constraint = CONSTRAINTS[name](module)
        optimizer = getattr(module.optimizers, class_name)(**arguments)
        optimizer.build(made)
        return made, optimizer

    (theirs, oracle), (ours, optimizer) = start(keras), start(coreops)
    learners = [
        Learner(v.value.copy(), [s.value.copy() for s in optimizer._slots(v)], l1, l2, v.constraint)
        for v, (l1, l2) in zip(ours, factors, strict=True)
    ]
    for step in range(STEPS):
        rng = np.random.default_rng(100 + step)
        given = [rng.normal(size=shape).astype("float32") for shape in shapes]
        whole = [
            g + np.float32(l1) * np.sign(np.asarray(w)) + np.float32(2 * l2) * np.asarray(w)
            for g, w, (l1, l2) in zip(given, theirs, factors, strict=True)
        ]
        oracle.apply(whole, theirs)
        step_by_kernels(optimizer, learners, step, given)
    for a, one in zip(theirs, learners, strict=True):
        np.testing.assert_allclose(one.w, np.asarray(a), atol=1e-5, rtol=1e-5)


BY_RULE = [kind for kind in KINDS if not kind.startswith("ftrl")]


@pytest.mark.parity
@pytest.mark.parametrize("option", ["clipnorm", "global_clipnorm", "all"])
@pytest.mark.parametrize("kind", BY_RULE)
def test_kernels_on_arrays_follow_keras(keras, kind, option):
    names = ["l1_l2"] * len(SHAPES), ["unit_norm", "non_neg", "none"]
    follow_on_arrays(keras, kind, option, SHAPES.values(), *names)


@pytest.mark.parity
@pytest.mark.parametrize("kind", BY_RULE)
def test_every_penalty_goes_with_every_constraint(keras, kind):
    pairs = list(itertools.product(PENALTIES, CONSTRAINTS))
    shapes = [shape for shape, _ in zip(itertools.cycle(SHAPES.values()), pairs, strict=False)]
    follow_on_arrays(keras, kind, "none", shapes, *zip(*pairs, strict=True))


@pytest.mark.parity
@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("kind", ["adam", "ftrl"])
def test_constraints_follow_keras(keras, kind, constraint):
    class_name, arguments = KINDS[kind]
    (theirs, _), (ours, _) = both(keras, class_name, arguments, constraint=CONSTRAINTS[constraint])
    for a, b in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(b, a, atol=1e-5, rtol=1e-5)


@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(2, 9), st.integers(1, 40)),  # one number may be as small as epsilon
    bounds=st.tuples(st.floats(0.01, 1), st.floats(1, 10)),
    kind=st.sampled_from(sorted(KINDS.keys() - {"ftrl"})),  # whose first weights are as small too
    steps=st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_constraints_hold_after_every_step(seed, shape, bounds, kind, steps):
    rng = np.random.default_rng(seed)
    low, high = bounds
    class_name, arguments = KINDS[kind]
    made = [
        coreops.Variable(rng.normal(size=shape), dtype="float32", constraint=constraint)
        for constraint in (
            coreops.constraints.NonNeg(),
            coreops.constraints.MaxNorm(high),
            coreops.constraints.UnitNorm(),
            coreops.constraints.MinMaxNorm(low, high),
        )
    ]
    optimizer = getattr(optimizers, class_name)(**arguments)
    for _ in range(steps):
        optimizer.apply([rng.normal(size=shape).astype("float32") for _ in made], made)
        positive, *rest = (v.value.astype(np.float64) for v in made)
        assert np.all(positive >= 0)
        slack = (shape[0] + 8) * np.finfo(np.float32).eps
        for w, least, most in zip(rest, (0, 1, low), (high, 1, high), strict=True):
            norms = np.sqrt(np.sum(w**2, axis=0))
            assert np.all(norms <= most * (1 + slack))
            # over epsilon + norm: a column that was short stays a little below its bound
            assert np.all(norms >= least * (1 - slack) - 1e-3)


# ------------------------------------------------------------------------------------- schedules

SCHEDULES = {
    "exponential": ("ExponentialDecay", (0.1, 7, 0.5)),
    "exponential_stairs": ("ExponentialDecay", (0.1, 7, 0.5, True)),
    "inverse": ("InverseTimeDecay", (0.1, 7, 0.5)),
    "inverse_stairs": ("InverseTimeDecay", (0.1, 7, 0.5, True)),
    "piecewise": ("PiecewiseConstantDecay", ([5, 9, 20], [0.1, 0.05, 0.02, 0.01])),
    "polynomial": ("PolynomialDecay", (0.1, 7, 0.01, 2.0)),
    "polynomial_cycle": ("PolynomialDecay", (0.1, 7, 0.01, 0.5, True)),
    "cosine": ("CosineDecay", (0.1, 20, 0.1)),
    "cosine_warmup": ("CosineDecay", (0.01, 20, 0.1, "warm", 0.1, 8)),
    "restarts": ("CosineDecayRestarts", (0.1, 5)),
    "restarts_equal": ("CosineDecayRestarts", (0.1, 5, 1.0, 0.5, 0.1)),
    "restarts_longer": ("CosineDecayRestarts", (0.1, 4, 1.5, 0.9, 0.1)),
}


@pytest.mark.parity
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_follow_keras(keras, name):
    class_name, arguments = SCHEDULES[name]
    theirs = getattr(keras.optimizers.schedules, class_name)(*arguments)
    ours = getattr(schedules, class_name)(*arguments)
    for step in range(60):
        ends = name.startswith("restarts") and abs(ours(step) - ours(step - 1e-6)) > 1e-3
        if not ends:  # where a cosine ends, Keras' logarithm may take either
            np.testing.assert_allclose(float(ours(step)), float(theirs(step)), rtol=2e-6)
    config = schedules.serialize(ours)
    assert config == keras.optimizers.schedules.serialize(theirs)
    assert schedules.deserialize(json.loads(json.dumps(config))).get_config() == ours.get_config()
    oracle = keras.optimizers.schedules.deserialize(config)
    assert oracle.get_config() == theirs.get_config()


@pytest.mark.parity
@pytest.mark.parametrize("name", ["exponential", "cosine_warmup", "piecewise"])
@pytest.mark.parametrize("kind", ["sgd_momentum", "adamw", "nadam"])
def test_steps_on_a_schedule_follow_keras(keras, kind, name):
    class_name, arguments = KINDS[kind]
    schedule, values = SCHEDULES[name]
    results = []
    for module in (keras, coreops):
        rate = getattr(module.optimizers.schedules, schedule)(*values)
        given = {**arguments, "learning_rate": rate, "gradient_accumulation_steps": 2}
        optimizer = getattr(module.optimizers, class_name)(**given)
        made = variables(module)
        for step in range(STEPS):
            optimizer.apply(gradients(step), made)
        results.append([np.asarray(v) for v in [*made, *optimizer.variables]])
    # Keras takes 1 - beta_2^t from float32: a part of 6e-6 of the first steps, of 0.1 each
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(b, a, atol=5e-6, rtol=1e-5)


def test_schedules_that_cannot_be():
    for cls in (
        schedules.ExponentialDecay,
        schedules.InverseTimeDecay,
        schedules.PolynomialDecay,
        schedules.CosineDecay,
        schedules.CosineDecayRestarts,
    ):
        with pytest.raises(ValueError, match="must be > 0"):
            cls(0.1, 0, 0.5)
    with pytest.raises(ValueError, match="length of boundaries"):
        schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2])
    with pytest.raises(NotImplementedError):
        schedules.LearningRateSchedule()(0)
    assert np.isfinite(schedules.CosineDecayRestarts(0.1, 5, t_mul=0.5)(10_000))


# ------------------------------------------------------------------------------ configs and files


@pytest.mark.parity
@pytest.mark.parametrize("option", ["none", "ema_overwrite", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_configs_go_to_keras_and_back(keras, kind, option):
    class_name, arguments = KINDS[kind]
    arguments = {**arguments, **OPTIONS[option], "name": "one"}
    theirs = getattr(keras.optimizers, class_name)(**arguments)
    ours = getattr(optimizers, class_name)(**arguments)
    config = optimizers.serialize(ours)
    assert config == keras.optimizers.serialize(theirs)
    again = optimizers.get(json.loads(json.dumps(config)))
    assert type(again) is type(ours)
    assert again.get_config() == ours.get_config()
    assert keras.optimizers.get(json.loads(json.dumps(config))).get_config() == theirs.get_config()


@pytest.mark.parity
@pytest.mark.parametrize("name", sorted({name for name, _ in KINDS.values()}))
def test_arguments_by_place_are_those_of_keras(keras, name):
    """Those that all optimizers have come last, in one order."""
    ours, theirs = getattr(optimizers, name), getattr(keras.optimizers, name)
    last = {"ema_momentum": 0.75, "ema_overwrite_frequency": 3, "use_ema": True, "name": "mine",
            "weight_decay": 0.5, "clipvalue": 0.25, "loss_scale_factor": 2.0}  # fmt: skip
    places = [p for p in inspect.signature(theirs).parameters.values() if p.name != "kwargs"]
    values = [last.get(p.name, p.default) for p in places]
    expected = theirs(*values).get_config()
    found = ours(*values).get_config()
    assert {key: found[key] for key in expected} == pytest.approx(expected)


def test_names_and_configs_of_other_makes():
    for name in ("adam", "Adam", "ADAM"):
        assert type(optimizers.get(name)) is optimizers.Adam
    assert type(optimizers.get("rmsprop")) is optimizers.RMSprop
    assert optimizers.get(None) is None
    of_torch = {
        "module": "keras.src.backend.torch.optimizers.torch_adam",
        "class_name": "Adam",
        "config": {"learning_rate": 0.5, "name": "adam"},
        "registered_name": "Adam",
    }
    assert float(optimizers.get(of_torch).learning_rate) == 0.5
    of_keras_2 = {
        "class_name": "Custom>RMSprop",
        "config": {"lr": 0.25, "decay": 0.0, "jit_compile": False, "is_legacy_optimizer": False},
    }
    old = optimizers.get(of_keras_2)
    assert type(old) is optimizers.RMSprop
    assert float(old.learning_rate) == 0.25
    for unknown in ("none_such", {"class_name": "NoneSuch", "config": {}}, 3, optimizers.Adam):
        with pytest.raises(ValueError, match="Could not interpret optimizer identifier"):
            optimizers.get(unknown)
    with pytest.raises(ValueError, match="Did you mean 'adam'"):
        optimizers.get("addam")


def falling_rate():
    return 0.125


def test_callable_rates():
    optimizer = optimizers.SGD(falling_rate)
    made = [coreops.Variable(np.ones(3, "float32"))]
    optimizer.apply([np.ones(3)], made)
    np.testing.assert_array_equal(made[0].value, 0.875)
    assert len(optimizer.variables) == 1
    config = optimizers.serialize(optimizer)
    again = optimizers.deserialize(config, custom_objects={"falling_rate": falling_rate})
    assert again.learning_rate == 0.125


def test_a_rate_can_be_set():
    optimizer = optimizers.SGD(0.5)
    made = [coreops.Variable(np.zeros(2, "float32"))]
    optimizer.apply([np.ones(2)], made)
    optimizer.learning_rate = 0.25
    optimizer.apply([np.ones(2)], made)
    np.testing.assert_array_equal(made[0].value, -0.75)
    assert isinstance(optimizer.learning_rate, coreops.Variable)
    optimizer.learning_rate = schedules.PiecewiseConstantDecay([2], [1.0, 0.0])
    assert [v.name for v in optimizer.variables] == ["iteration"]
    optimizer.apply([np.ones(2)], made)
    optimizer.apply([np.ones(2)], made)
    np.testing.assert_array_equal(made[0].value, -1.75)
    with pytest.raises(TypeError, match="not settable"):
        optimizer.learning_rate = 0.5


def test_arguments_take_effect_when_they_change():
    optimizer = optimizers.SGD(1.0)
    made = [coreops.Variable(np.ones(2, "float32"))]
    optimizer.apply([np.zeros(2)], made)
    optimizer.weight_decay = 0.5
    optimizer.apply([np.zeros(2)], made)
    np.testing.assert_array_equal(made[0].value, 0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_state_is_saved_and_copied(kind):
    class_name, arguments = KINDS[kind]
    make = getattr(optimizers, class_name)
    first, made = make(**arguments), variables(coreops)
    for step in range(3):
        first.apply(gradients(step), made)
    store = {}
    first.save_own_variables(store)
    second, others = make(**arguments), [coreops.Variable(v.value, name=v.name) for v in made]
    second.build(others)
    second.load_own_variables(store)
    (third, copied), (fourth, pickled) = (
        copy.deepcopy((first, made)),
        pickle.loads(pickle.dumps((first, made))),
    )
    for optimizer, weights in ((first, made), (second, others), (third, copied), (fourth, pickled)):
        for step in range(3, 6):
            optimizer.apply(gradients(step), weights)
    for weights in (others, copied, pickled):
        for a, b in zip(made, weights, strict=True):
            np.testing.assert_array_equal(a.value, b.value)
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        make(**arguments).load_own_variables({**store, "99": 0})


# ------------------------------------------------------------------------------------- behaviour


class Halving(optimizers.Optimizer):
    """A user's own, as Keras' documentation has it."""

    def __init__(self, learning_rate=0.1, momentum=0.5, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momentums = self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient, variable, learning_rate):
        m = self.momentums[self._get_variable_index(variable)]
        rate = coreops.ops.cast(learning_rate, variable.dtype)
        self.assign(m, coreops.ops.subtract(m * self.momentum, gradient * rate))
        self.assign_add(variable, m)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_users_update_step_is_as_ours(option):
    own, ours = Halving(**OPTIONS[option]), optimizers.SGD(0.1, momentum=0.5, **OPTIONS[option])
    assert own._rule(0) is None
    results = []
    for optimizer in (own, ours):
        made = variables(coreops)
        for step in range(STEPS):
            optimizer.apply(gradients(step), made)
        results.append([*made, *optimizer.variables])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a.value, b.value, atol=2e-6, rtol=2e-6)


def test_a_subclass_of_ours_may_build_on_its_step():
    class Doubled(optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient * 2, variable, learning_rate)

    results = []
    for optimizer, scale in ((Doubled(0.01), 1), (optimizers.Adam(0.01), 2)):
        made = variables(coreops)
        for step in range(5):
            optimizer.apply([scale * g for g in gradients(step)], made)
        results.append([v.value for v in made])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_weights_without_gradient_stay_but_are_averaged():
    made = variables(coreops)
    optimizer = optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
    with pytest.warns(UserWarning, match="Gradients do not exist for variables"):
        optimizer.apply([gradients(0)[0], None, gradients(0)[2]], made)
    before = variables(coreops)
    np.testing.assert_array_equal(made[1].value, before[1].value)
    np.testing.assert_array_equal(optimizer._slots(made[1])[-1].value, made[1].value)
    optimizer.finalize_variable_values(made)
    np.testing.assert_array_equal(made[0].value, optimizer._slots(made[0])[-1].value)


def test_what_does_not_decay():
    made = variables(coreops)
    before = [v.value for v in made]
    optimizer = optimizers.SGD(1.0, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[made[2]], var_names=["bias"])
    optimizer.apply([np.zeros(v.shape) for v in made], made)
    np.testing.assert_array_equal(made[0].value, before[0] * np.float32(0.5))
    np.testing.assert_array_equal(made[1].value, before[1])
    np.testing.assert_array_equal(made[2].value, before[2])


def test_apply_gradients_and_scaled_losses():
    made = variables(coreops)
    optimizer = optimizers.SGD(0.5, loss_scale_factor=4.0)
    count = optimizer.apply_gradients(zip(gradients(0), made, strict=True))
    assert int(count) == int(optimizer.iterations) == 1
    expected = variables(coreops)[1].value - gradients(0)[1] * np.float32(0.5 / 4)
    np.testing.assert_array_equal(made[1].value, expected)
    assert optimizer.scale_loss(2.0) == 8.0
    assert int(optimizers.SGD(gradient_accumulation_steps=3).iterations) == 0


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_types(dtype):
    made = [coreops.Variable(np.ones((2, 3)), dtype=dtype)]
    optimizer = optimizers.Adam(0.5)
    optimizer.apply([np.ones((2, 3), dtype)], made)
    assert {v.dtype for v in (*made, *optimizer._slots(made[0]))} == {dtype}
    np.testing.assert_allclose(made[0].value, 0.5, rtol=2e-3 if dtype == "float16" else 1e-5)


def test_bad_arguments():
    for arguments, message in (
        ({"learning_rate": 1}, "`learning_rate` should be float"),
        ({"learning_rate": "fast"}, "`learning_rate` should be float"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "Only one of"),
        ({"gradient_accumulation_steps": 1}, "integer >= 2"),
        ({"use_ema": True, "ema_momentum": 2.0}, r"\[0, 1\]"),
        ({"use_ema": True, "ema_overwrite_frequency": 0.5}, "integer >= 1"),
        ({"momentum": 1}, "`momentum` must be a float"),
        ({"momentum": 1.5}, "`momentum` must be a float"),
        ({"lr": 0.1}, "not recognized"),
    ):
        with pytest.raises(ValueError, match=message):
            optimizers.SGD(**arguments)
    with pytest.raises(ValueError, match="beta_1"):
        optimizers.Lion(beta_1=0.0)
    with pytest.raises(ValueError, match="weight_decay"):
        optimizers.AdamW(weight_decay=None)
    with pytest.raises(ValueError, match="initial_accumulator_value"):
        optimizers.Ftrl(initial_accumulator_value=-1.0)
    with pytest.raises(ValueError, match="learning_rate_power"):
        optimizers.Ftrl(learning_rate_power=1.0)
    with pytest.warns(UserWarning, match="`decay` is no longer supported"):
        optimizers.SGD(decay=0.1)

    class Forgetful(optimizers.SGD):
        def __init__(self):
            self.rate = 1

    with pytest.raises(RuntimeError, match="super"):
        Forgetful()


def test_bad_steps_leave_the_weights():
    made = variables(coreops)
    before = [v.value for v in made]
    optimizer = optimizers.Adam()
    with pytest.raises(ValueError, match="must already be built"):
        optimizer.apply(gradients(0))
    optimizer.build(made)
    for grads, weights, message in (
        (gradients(0)[:2], None, "one gradient for each"),
        ([None] * 3, None, "No gradients provided"),
        ([*gradients(0)[:2], np.zeros((4, 3))], None, "expected|Expected a gradient of shape"),
        (gradients(0), variables(coreops), "Unknown variable"),
    ):
        with pytest.raises(ValueError, match=message):
            optimizer.apply(grads, weights)
    optimizer.apply([])
    with pytest.raises(NotImplementedError):
        optimizers.Optimizer(0.1).apply(gradients(0), made)
    assert int(optimizer.iterations) == 0
    for a, b in zip(made, before, strict=True):
        assert a.value is b
