"""Losses: values against Keras, reductions, weights, masks, labels, names and configs."""

import warnings

import numpy as np
import pytest

from coreops import losses

pytestmark = pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")


def numbers(rng, shape):
    return rng.normal(size=shape), rng.normal(size=shape)


def distributions(rng, shape):
    return tuple(x / x.sum(-1, keepdims=True) for x in rng.random((2, *shape)))


def one_hot(rng, shape):
    return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])], distributions(rng, shape)[1]


def binary(rng, shape):
    return rng.integers(0, 2, shape).astype(float), rng.random(shape)


def counts(rng, shape):
    return rng.poisson(2.0, shape).astype(float), rng.random(shape) * 4


def sparse(rng, shape):
    return rng.integers(0, shape[-1], shape[:-1]), distributions(rng, shape)[1]


def logits(make):
    return lambda rng, shape: (make(rng, shape)[0], 3 * rng.normal(size=shape))


def signs(rng, shape):
    return rng.integers(0, 2, shape) * 2.0 - 1, rng.normal(size=shape)


def embeddings(rng, shape):
    x = rng.normal(size=shape)
    return rng.integers(0, 3, shape[:1]), x / np.linalg.norm(x, axis=-1, keepdims=True)


def case(name, options, make, ndims=(2, 3)):
    return pytest.param(name, options, make, ndims, id=f"{name}-{options}")


# Class, options, what makes labels and predictions, and of which rank predictions may be.
CASES = [
    case("MeanSquaredError", {}, numbers),
    case("MeanAbsoluteError", {}, numbers),
    case("MeanAbsolutePercentageError", {}, numbers),
    case("MeanSquaredLogarithmicError", {}, counts),
    case("MeanSquaredLogarithmicError", {}, numbers),
    case("CosineSimilarity", {}, numbers),
    case("CosineSimilarity", {"axis": 1}, numbers),
    case("Huber", {}, numbers),
    case("Huber", {"delta": 0.3}, numbers),
    case("LogCosh", {}, numbers),
    case("Hinge", {}, binary),
    case("Hinge", {}, signs),
    case("SquaredHinge", {}, binary),
    case("SquaredHinge", {}, numbers),
    case("CategoricalHinge", {}, one_hot),
    case("KLDivergence", {}, distributions),
    case("KLDivergence", {}, numbers),
    case("Poisson", {}, counts),
    case("BinaryCrossentropy", {}, binary),
    case("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, logits(binary)),
    case("BinaryCrossentropy", {"label_smoothing": 0.2, "axis": 1}, binary),
    case("BinaryFocalCrossentropy", {}, binary),
    case(
        "BinaryFocalCrossentropy",
        {"apply_class_balancing": True, "alpha": 0.4, "gamma": 1.5, "from_logits": True},
        logits(binary),
    ),
    case("CategoricalCrossentropy", {}, one_hot),
    case("CategoricalCrossentropy", {"label_smoothing": 0.1}, distributions),
    case("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.3}, logits(one_hot)),
    case("CategoricalCrossentropy", {"axis": 1}, one_hot),
    case("CategoricalFocalCrossentropy", {}, one_hot),
    case("CategoricalFocalCrossentropy", {"gamma": 1.0, "from_logits": True}, logits(one_hot)),
    case("SparseCategoricalCrossentropy", {}, sparse),
    case("SparseCategoricalCrossentropy", {"from_logits": True}, logits(sparse)),
    case("SparseCategoricalCrossentropy", {"ignore_class": 1}, sparse),
    case("SparseCategoricalCrossentropy", {"ignore_class": 0, "from_logits": True}, logits(sparse)),
    case("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, sparse),
    case("Dice", {}, binary),
    case("Dice", {"axis": -1}, binary),
    case("Tversky", {"alpha": 0.3, "beta": 0.6}, binary),
    case("Tversky", {"alpha": 0.3, "beta": 0.6, "axis": (0, 1)}, binary),
    case("Circle", {"gamma": 20.0}, embeddings, (2,)),
]
NAMES = sorted({parameters.values[0] for parameters in CASES})


def shape_of(rng, ndim):
    return tuple(int(n) for n in rng.integers(2, 7, ndim))


def both(keras, name, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = dict(options)
        if name == "Tversky":  # what they do with these is not what they say, until 3.16
            theirs |= {"alpha": options["beta"], "beta": options["alpha"]}
        theirs = getattr(keras.losses, name)(**theirs)
    return getattr(losses, name)(**options), theirs


@pytest.mark.parity
@pytest.mark.parametrize(("name", "options", "make", "ndims"), CASES)
def test_values_are_those_of_keras(keras, rng, dtype, name, options, make, ndims):
    for reduction in ("sum_over_batch_size", "mean_with_sample_weight", "sum", "none"):
        rtol = 2e-5 if "from_logits" in options else 5e-6  # Keras works in float32 everywhere
        for ndim in ndims * 3:
            ours, theirs = both(keras, name, **options, reduction=reduction, dtype=dtype.name)
            y_true, y_pred = (x.astype(dtype) for x in make(rng, shape_of(rng, ndim)))
            value = ours(y_true, y_pred)
            expected = np.asarray(theirs(y_true, y_pred))
            assert value.dtype == dtype
            assert np.shape(value) == expected.shape
            np.testing.assert_allclose(value, expected, rtol, rtol)
            weight = rng.random(np.shape(theirs.call(y_true, y_pred))).astype(dtype)
            value, expected = ours(y_true, y_pred, weight), theirs(y_true, y_pred, weight)
            if weight.ndim or reduction != "mean_with_sample_weight":
                np.testing.assert_allclose(value, expected, rtol, rtol)
