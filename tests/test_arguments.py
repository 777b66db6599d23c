"""Arguments that are no numbers are refused where they are passed, by name."""

import numpy as np
import pytest

from coreops import constraints, initializers, layers, losses, optimizers

NO_NUMBERS = {
    initializers: [
        ("Constant", "value"), ("RandomNormal", "mean"), ("RandomNormal", "stddev"),
        ("TruncatedNormal", "stddev"), ("RandomUniform", "minval"), ("RandomUniform", "maxval"),
        ("VarianceScaling", "scale"), ("Orthogonal", "gain"), ("Identity", "gain"),
    ],
    constraints: [
        ("MaxNorm", "max_value"), ("MaxNorm", "axis"), ("UnitNorm", "axis"),
        ("MinMaxNorm", "min_value"), ("MinMaxNorm", "rate"),
    ],
    losses: [
        ("Huber", "delta"), ("BinaryCrossentropy", "label_smoothing"), ("Tversky", "alpha"),
        ("Tversky", "beta"), ("Circle", "gamma"), ("Circle", "margin"),
        ("CategoricalFocalCrossentropy", "alpha"),
    ],
    layers: [
        ("LayerNormalization", "epsilon"), ("BatchNormalization", "momentum"),
        ("BatchNormalization", "epsilon"), ("Rescaling", "scale"), ("Normalization", "axis"),
        ("LeakyReLU", "negative_slope"), ("ReLU", "max_value"), ("Concatenate", "axis"),
    ],
    optimizers: [
        ("SGD", "clipnorm"), ("SGD", "clipvalue"), ("SGD", "global_clipnorm"),
        ("SGD", "weight_decay"), ("Adam", "beta_1"), ("Adamax", "beta_2"), ("Nadam", "epsilon"),
        ("Lion", "beta_2"), ("RMSprop", "rho"), ("Adagrad", "initial_accumulator_value"),
        ("Adadelta", "rho"), ("Ftrl", "beta"), ("Ftrl", "l1_regularization_strength"),
    ],
}  # fmt: skip
CASES = [(room, *case) for room, cases in NO_NUMBERS.items() for case in cases]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[1]}-{case[2]}")
def test_no_number(case):
    room, name, argument = case
    for wrong in ("a", object()):
        match = rf".+: `{argument}` must be an? \w+.*Received: {argument}={wrong!r}"
        with pytest.raises(TypeError, match=match):
            getattr(room, name)(**{argument: wrong})


def test_numbers_of_every_kind():
    for number in (1, 0.5, True, np.float32(0.5), np.int64(1), np.array(0.5)):
        assert initializers.RandomNormal(0.0, number).stddev is number
        assert losses.Huber(number).delta is number
    assert layers.Rescaling([1, 2.0], offset=np.ones(2)).scale == [1, 2.0]
    assert losses.CategoricalFocalCrossentropy(alpha=[0.1, 0.2]).alpha == [0.1, 0.2]
