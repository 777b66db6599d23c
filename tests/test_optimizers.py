"""Optimizers against real Keras' on its NumPy backend, step by step, and what they promise."""

import copy
import json
import pickle

import numpy as np
import pytest

import coreops
from coreops import optimizers
from coreops.optimizers import schedules

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

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
@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("kind", KINDS)
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
