"""Losses: values against Keras, reductions, weights, masks, labels, names and configs."""

import itertools
import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from label_cases import (
    binary,
    counts,
    distributions,
    embeddings,
    logits,
    numbers,
    one_hot,
    signs,
    sparse,
)

from coreops import _kernels, config, losses, ops
from coreops._plan import KerasArray
from coreops._tape import gradients, trace
from coreops.losses.reduction import REDUCTIONS
from coreops.saving import registry


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
        logits(binary, most=5),  # it takes log(1 - p), of which float32 keeps less and less
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


def both(keras, name, /, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = dict(options)
        if name == "Tversky":  # what they do with these is not what they say, until 3.16
            theirs |= {"alpha": options["beta"], "beta": options["alpha"]}
        theirs = getattr(keras.losses, name)(**theirs)
    return getattr(losses, name)(**options), theirs


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # Keras', of what it drops
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


def slope(function, x):
    """The gradient of a function by differences of fourth order, element by element."""
    result = np.empty_like(x)
    for i in np.ndindex(x.shape):
        values = {}
        for step in (-2, -1, 1, 2):
            moved = x.copy()
            moved[i] += step * 1e-3
            values[step] = float(function(moved))
        result[i] = (8 * (values[1] - values[-1]) - (values[2] - values[-2])) / 12e-3
    return result


@pytest.mark.parametrize(("name", "options", "make", "ndims"), CASES)
def test_gradients(rng, name, options, make, ndims):
    for ndim in ndims:
        loss = getattr(losses, name)(**options, dtype="float64")
        y_true, y_pred = make(rng, (4, 3, 5)[3 - ndim :])
        # Away from kinks and from where differences are poor: labels are multiples of 1/16,
        # predictions 1/32 off, and no probability is small.
        if make is counts or name == "MeanSquaredLogarithmicError":
            y_pred = np.abs(y_pred) + 0.5
        elif make in (binary, one_hot, distributions, sparse):
            y_pred = 0.7 * y_pred + 0.15
        if make not in (embeddings, one_hot):
            y_pred = np.round(y_pred * 16) / 16 + 1 / 32
        if make is numbers:
            y_true = np.round(y_true * 16) / 16
        weight = rng.random(np.shape(loss.call(y_true, y_pred)))
        leaf = trace(y_pred)
        found = gradients([loss(y_true, leaf, weight)], [1.0], [leaf])[0]
        expected = slope(lambda p: loss(y_true, p, weight), y_pred)  # noqa: B023
        assert np.abs(expected).max() > 0
        assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max()


# --------------------------------------------------------------------- reductions, weights, masks


def test_ranks_that_differ_by_one(keras, rng):
    for name in ("MeanSquaredError", "BinaryCrossentropy", "Hinge", "Poisson"):
        ours, theirs = both(keras, name)
        for true, pred in (
            ((6,), (6, 1)),
            ((6, 1), (6,)),
            ((6, 4), (6, 4, 1)),
            ((6, 4, 1), (6, 4)),
            ((6,), (6,)),
        ):
            y_true, y_pred = rng.integers(0, 2, true), rng.random(pred).astype("f4")
            assert np.isclose(ours(y_true, y_pred), theirs(y_true.astype("f4"), y_pred), rtol=1e-5)


def test_what_may_be_passed():
    mse = losses.MeanSquaredError()
    assert mse([1, 2], [[2], [4]]) == 2.5
    assert mse([1.0, 2.0], [2.0, 4.0], [2, 0]) == 2.5  # one value, whose weights are summed
    assert mse(np.ones((2, 1)), ops.zeros((2, 1)), 0.5) == 0.5
    assert mse(np.ones((2, 1)), np.zeros((2, 1), "f8")).dtype == np.float32
    assert losses.MeanSquaredError(dtype="float64")([1.0], [0.5]).dtype == np.float64
    assert losses.mean_squared_error([[1, 2]], [[3, 3]]) == 2.5
    assert losses.mean_squared_error(np.ones(4), np.zeros(4, "f4")).dtype == np.float32


def test_reductions():
    values, weight = np.array([[1.0, 2], [3, 4]]), np.array([[1.0, 0], [2, 3]])
    y_true = np.zeros((2, 2, 1))
    y_pred = np.sqrt(values)[..., None]
    for reduction, expected in (
        ("sum_over_batch_size", 19 / 4),
        ("mean", 19 / 4),
        ("mean_with_sample_weight", 19 / 6),
        ("sum", 19),
    ):
        value = losses.MeanSquaredError(reduction)(y_true, y_pred, weight)
        assert np.isclose(value, expected)
        assert np.ndim(value) == 0
    for reduction in ("none", None):
        value = losses.MeanSquaredError(reduction)(y_true, y_pred, weight)
        np.testing.assert_allclose(value, values * weight, rtol=1e-6)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_weights_broadcast_over_trailing_axes(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    rank = data.draw(st.integers(0, len(shape)))
    sizes = [data.draw(st.sampled_from([1, n])) for n in shape[:rank]]
    if data.draw(st.booleans()) and rank == len(shape):
        sizes.append(1)
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    values, weight = rng.random(shape), rng.random(sizes)
    wide = weight.reshape(*sizes, *[1] * (len(shape) - len(sizes))) if rank < len(shape) else weight
    wide = np.broadcast_to(wide[..., 0] if wide.ndim > len(shape) else wide, shape)
    for reduction, divisor in (
        ("sum_over_batch_size", values.size),
        ("mean_with_sample_weight", wide.sum()),
        ("sum", 1.0),
    ):
        loss = losses.LossFunctionWrapper(lambda t, p: p, reduction, dtype="float64")
        assert np.isclose(loss(values, values, weight), (values * wide).sum() / divisor)


@pytest.mark.parametrize("shape", [(3,), (4, 2), (4, 3, 3), (4, 3, 1, 1)])
def test_weights_that_do_not_fit(shape):
    with pytest.raises(ValueError, match=r"sample_weight of shape .* does not fit .*\(4, 3\)"):
        losses.MeanSquaredError()(np.ones((4, 3, 2)), np.ones((4, 3, 2)), np.ones(shape))


def test_masks(rng):
    y_true, y_pred, weight = rng.random((4, 3, 2)), rng.random((4, 3, 2)), rng.random((4, 3))
    mask = np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]], bool)
    masked = KerasArray.attach(y_pred, mask)
    values = np.square(y_true - y_pred).mean(-1)
    for reduction, expected in (
        ("sum_over_batch_size", values[mask].mean()),
        ("mean_with_sample_weight", values[mask].mean()),
        ("sum", values[mask].sum()),
    ):
        assert np.isclose(losses.MeanSquaredError(reduction)(y_true, masked), expected)
    for reduction, divisor in (
        ("sum_over_batch_size", mask.sum()),
        ("mean_with_sample_weight", weight[mask].sum()),
        ("sum", 1.0),
    ):
        expected = (values * weight)[mask].sum() / divisor
        assert np.isclose(losses.MeanSquaredError(reduction)(y_true, masked, weight), expected)
    nothing = KerasArray.attach(y_pred, np.zeros((4, 3), bool))
    assert losses.MeanSquaredError()(y_true, nothing) == 0


def test_weights_per_position_of_labels_that_lack_an_axis(rng):
    """Their values are per position too, not means over the positions."""
    y_true, y_pred = rng.random((4, 3)), rng.random((4, 3, 1))
    mask, weight = rng.random((4, 3)) < 0.6, rng.random((4, 3))
    errors = np.square(y_true - y_pred[..., 0])
    mse = losses.MeanSquaredError()
    assert np.isclose(mse(y_true, KerasArray.attach(y_pred, mask)), errors[mask].mean())
    assert np.isclose(mse(y_true, y_pred, weight), (errors * weight).mean())


def test_weights_of_samples_may_have_an_axis_of_size_1(rng):
    """So they are no weights per position, though both have as many axes."""
    y_true, y_pred, weight = rng.random((4, 3)), rng.random((4, 3, 1)), rng.random((4, 1))
    errors = np.square(y_true - y_pred[..., 0])
    mse = losses.MeanSquaredError(reduction="sum", dtype="float64")
    assert np.isclose(mse(y_true, y_pred, weight), (errors.mean(1) * weight[:, 0]).sum())
    _, factor = mse.prepare(y_true, y_pred.shape, "float64", weight)
    assert np.isclose(np.sum(factor * errors), mse(y_true, y_pred, weight))


def test_ignored_labels_leave_the_mean(rng):
    y_true, y_pred = sparse(rng, (20, 4))
    loss = losses.SparseCategoricalCrossentropy(ignore_class=2)
    kept = y_true != 2
    expected = losses.SparseCategoricalCrossentropy()(y_true[kept], y_pred[kept])
    assert np.isclose(loss(y_true, y_pred), expected)
    assert np.isclose(loss(y_true[:, None], y_pred), expected)
    y_true = np.where(kept, y_true, -1)
    assert np.isclose(
        losses.SparseCategoricalCrossentropy(ignore_class=-1)(y_true, y_pred), expected
    )
    assert losses.SparseCategoricalCrossentropy(ignore_class=1)([1, 1], y_pred[:2]) == 0
    leaf = trace(y_pred)
    slopes = gradients([loss(y_true + (y_true < 0) * 3, leaf)], [1.0], [leaf])[0]
    assert not slopes[~kept].any()
    assert slopes[kept].any(axis=1).all()


def test_the_mask_of_a_traced_prediction(rng):
    y_true, y_pred = numbers(rng, (4, 3, 2))
    mask = rng.random((4, 3)) < 0.5
    leaf = trace(y_pred)
    leaf._keras_mask = mask
    value = losses.MeanSquaredError()(y_true, leaf)
    assert np.isclose(
        value.value, losses.MeanSquaredError()(y_true, KerasArray.attach(y_pred, mask))
    )
    assert not gradients([value], [1.0], [leaf])[0][~mask].any()


def test_an_empty_batch():
    for name in ("MeanSquaredError", "BinaryCrossentropy", "CategoricalCrossentropy"):
        assert getattr(losses, name)()(np.ones((0, 3)), np.ones((0, 3))) == 0
    assert losses.SparseCategoricalCrossentropy()(np.ones(0, int), np.ones((0, 3))) == 0


@pytest.mark.parametrize("name", ["Binary", "Categorical"])
def test_certain_predictions(name):
    """Probabilities 0 and 1 count as epsilon and 1 - epsilon."""
    loss = getattr(losses, f"{name}Crossentropy")(dtype="float64")
    certain = np.eye(2)
    assert np.isclose(loss(certain, certain), -np.log(1 - 1e-7), rtol=1e-6)
    assert np.isclose(loss(certain, certain[::-1]), -np.log(1e-7), rtol=1e-6)


def test_nan_stays_nan(rng):
    for parameters in CASES:
        name, options, make, ndims = parameters.values
        y_true, y_pred = make(rng, (6, 5) if ndims == (2,) else (6, 4, 5))
        y_pred[0, 0] = np.nan
        kept = {"ignore_class": None} if "ignore_class" in options else {}
        with np.errstate(invalid="ignore"):
            assert np.isnan(getattr(losses, name)(**{**options, **kept})(y_true, y_pred)), name


# ----------------------------------------------------------------------------------------- labels


# Losses whose labels need only broadcast with the predictions.
BROADCAST = [
    "MeanSquaredError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredLogarithmicError",
    "CosineSimilarity",
    "Huber",
    "LogCosh",
    "Hinge",
    "SquaredHinge",
    "CategoricalHinge",
    "KLDivergence",
    "Poisson",
    "Dice",
    "Tversky",
]


def test_shapes_of_labels_that_do_not_fit():
    for loss, true, pred in (
        ("CategoricalCrossentropy", (4,), (4, 3)),
        ("CategoricalCrossentropy", (4, 1), (4, 3)),
        ("BinaryCrossentropy", (4, 1), (4, 3)),
        ("SparseCategoricalCrossentropy", (4, 3), (4, 3)),
        ("SparseCategoricalCrossentropy", (5,), (4, 3)),
        *((loss, (4, 2), (4, 3)) for loss in BROADCAST),
    ):
        with pytest.raises(ValueError, match=r"expected labels.*Received: y_true.shape="):
            getattr(losses, loss)()(np.zeros(true), np.ones(pred))
    for name in ("huber", "hinge", "poisson"):  # which say who they are
        with pytest.raises(ValueError, match=rf"^{name}: .*\(4, 3\).*\(4, 2\)"):
            getattr(losses, name)(np.zeros((4, 2)), np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"circle: expected a label for each of \(4, 4\)"):
        losses.Circle()(np.zeros(5), np.ones((4, 3)))


@pytest.mark.parametrize("label", [3, -1, 0.5, np.nan, 2**31, 1e30])
def test_labels_that_are_no_classes(label):
    y_pred = np.full((3, 3), 1 / 3)
    for ignored in (None, 1):
        loss = losses.SparseCategoricalCrossentropy(ignore_class=ignored, name="mine")
        for call in (loss, lambda t, p: loss.prepare(t, p.shape, "float32")):  # noqa: B023
            with pytest.raises(ValueError, match=r"from 0 to 2, .*3 classes"):
                call(np.array([0, label, 1]), y_pred)
        assert loss.prepare([[0.0], [2.0], [1.0]], (3, 3), "float32")[0].shape == (3,)


def test_one_class_is_suspicious():
    with pytest.warns(SyntaxWarning, match="binary_crossentropy"):
        losses.CategoricalCrossentropy()(np.ones((4, 1)), np.ones((4, 1)))
    with pytest.raises(ValueError, match="axis"):
        losses.categorical_crossentropy(np.ones((4, 2)), np.ones((4, 2)), axis=True)


# ------------------------------------------------------------------------------------ the kernels


def with_kernel():
    for parameters in CASES:
        name, options, make, _ = parameters.values
        loss = getattr(losses, name)(**options, dtype="float64")
        if loss.kernel() is not None:
            yield loss, make


def test_which_losses_have_kernels():
    assert losses.MeanSquaredError().kernel() == ("mean_squared_error", {})
    assert losses.Huber(0.5).kernel() == ("huber", {"delta": 0.5})
    assert losses.CategoricalCrossentropy(True, 0.1).kernel() == (
        "categorical_crossentropy",
        {"from_logits": True, "label_smoothing": 0.1},
    )
    assert losses.SparseCategoricalCrossentropy(ignore_class=3).kernel() == (
        "sparse_categorical_crossentropy",
        {"from_logits": False, "ignore_class": 3},
    )
    assert losses.pick("mse", (4, 1), (4, 1)).kernel() == ("mean_squared_error", {})
    kinds = {loss.kernel()[0] for loss, _ in with_kernel()}
    assert len(kinds) == 15
    for loss in (
        losses.CosineSimilarity(axis=1),
        losses.Dice(),
        losses.LossFunctionWrapper(lambda t, p: p),
        losses.Loss(),
        type("Mine", (losses.MeanSquaredError,), {"call": lambda self, t, p: p})(),
    ):
        assert loss.kernel() is None
    config.set_epsilon(1e-5)
    try:
        assert losses.MeanSquaredError().kernel() is None
    finally:
        config.set_epsilon(1e-7)


def test_prepared_targets_and_weights_give_the_loss(rng):
    """The loss is the sum of weight * value over the rows of what `prepare` returns."""
    for loss, make in with_kernel():
        for reduction in ("sum_over_batch_size", "mean_with_sample_weight", "sum"):
            loss.reduction = reduction
            for shape in ((6, 5), (4, 3, 5), (6, 1), (4, 3, 1)):
                joint = loss.kernel()[0] in ("cosine_similarity", "kl_divergence")
                if shape[-1] == 1 and (joint or make not in (numbers, binary, signs, counts)):
                    continue
                y_true, y_pred = make(rng, shape)
                y_true = y_true[..., 0] if shape[-1] == 1 else y_true
                mask = rng.random(shape[:-1]) < 0.7
                rows, samples = rng.random(shape[:-1]), rng.random(shape[0])
                for w, m in itertools.product((None, samples, rows), (None, mask)):
                    target, factor = loss.prepare(y_true, shape, "float64", w, m)
                    assert target.flags.c_contiguous
                    if target.dtype == np.int32:
                        rows = y_pred.reshape(-1, shape[-1])
                        valid = target.ravel() >= 0
                        values = np.zeros(target.size)
                        plain = losses.SparseCategoricalCrossentropy(
                            loss.from_logits, reduction="none", dtype="float64"
                        )
                        values[valid] = plain(target.ravel()[valid], rows[valid])
                        values = values.reshape(target.shape)
                    else:
                        assert target.dtype == np.float64
                        assert target.shape == shape
                        values = loss.fn(target, y_pred, **loss._fn_kwargs)
                    expected = loss(y_true, KerasArray.attach(y_pred, m), w)
                    assert np.isclose(np.sum(factor * values), expected, rtol=1e-12)
                    assert isinstance(factor, float) or factor.shape == values.shape


def test_kernels_compute_what_the_functions_do(rng, isa):
    """The loss and its gradient, by the kernel and by the tape."""
    for loss, make in with_kernel():
        kind, options = loss.kernel()
        given = {
            "from_logits": options.get("from_logits", False),
            "p": options.get("delta", options.get("label_smoothing", 0.0)),
        }
        for shape in ((6, 5), (4, 3, 9)):
            y_true, y_pred = make(rng, shape)
            mask, weight = rng.random(shape[:-1]) < 0.7, rng.random(shape[:-1])
            leaf = trace(y_pred)
            leaf._keras_mask = mask
            expected = loss(y_true, leaf, weight)
            slopes = gradients([expected], [1.0], [leaf])[0]
            target, factor = loss.prepare(y_true, shape, "float64", weight, mask)
            values, found = _kernels.loss(kind, target, y_pred, factor, gradient=True, **given)
            assert np.isclose(np.sum(values * factor), expected.value, rtol=1e-12)
            np.testing.assert_allclose(found, slopes, rtol=1e-9, atol=1e-12)


def test_hinge_labels_are_signed(rng):
    y_true, _ = binary(rng, (6, 3))
    target, _ = losses.Hinge().prepare(y_true.astype(bool), (6, 3), "float32")
    np.testing.assert_array_equal(target, 2 * y_true - 1)
    target, _ = losses.SquaredHinge().prepare(target, (6, 3), "float32")
    np.testing.assert_array_equal(target, 2 * y_true - 1)


def test_what_cannot_be_prepared():
    mse = losses.MeanSquaredError(name="mine")
    for true in ((4, 2), (5, 3), (4,), (4, 3, 2), (3, 4)):
        with pytest.raises(ValueError, match=r"mine: expected labels of .*\(4, 3\).*Received"):
            mse.prepare(np.ones(true), (4, 3), "float32")
    with pytest.raises(ValueError, match=r"expected labels.*\(4, 3, 1\)"):
        losses.CosineSimilarity().prepare(np.ones((4, 3)), (4, 3, 1), "float32")
    with pytest.raises(ValueError, match="sample_weight"):
        mse.prepare(np.ones((4, 3)), (4, 3), "float32", np.ones(3))
    with pytest.raises(ValueError, match="reduction"):
        losses.MeanSquaredError(None).prepare(np.ones((4, 3)), (4, 3), "float32")
    with pytest.raises(TypeError, match="array of numbers"):
        mse.prepare(np.array([["a"] * 3] * 4), (4, 3), "float32")
    with pytest.raises(NotImplementedError, match="no kernel"):
        losses.Loss().prepare(1, (1,), "float32")


# ------------------------------------------------------------------------------- names and configs


def test_names(keras):
    for name in (
        *("mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE", "kld", "KLD", "bce", "BCE"),
        *(
            "hinge",
            "huber",
            "log_cosh",
            "poisson",
            "dice",
            "circle",
            "sparse_categorical_crossentropy",
        ),
    ):
        ours = losses.get(name)
        assert ours.__name__ == keras.losses.get(name).__name__
        assert ours is getattr(losses, ours.__name__)
    for name in NAMES:
        if name != "CategoricalGeneralizedCrossEntropy":
            assert losses.get(name).name == keras.losses.get(name).name
    assert losses.get("logcosh") is losses.log_cosh
    assert losses.get(None) is None
    assert isinstance(losses.get(losses.Huber), losses.Huber)
    for wrong in ("nothing", 3, {"class_name": "Dense", "config": {}}):
        with pytest.raises((ValueError, TypeError)):
            losses.get(wrong)
    with pytest.raises(ValueError, match="Could not interpret loss identifier: 'nothing'"):
        losses.get("nothing")


def test_all_of_keras_is_here(keras):
    missing = {name for name in dir(keras.losses) if not name.startswith("_")} - set(dir(losses))
    assert missing == {"CTC", "ctc"}


@pytest.mark.parity
@pytest.mark.parametrize(("name", "options", "make", "ndims"), CASES)
def test_configs(keras, name, options, make, ndims):
    ours, theirs = both(keras, name, **options, reduction="sum", name="mine")
    mine = json.loads(json.dumps(losses.serialize(ours)))
    config = keras.losses.serialize(theirs)
    config["config"] = json.loads(json.dumps(config["config"]))
    if name == "Tversky":
        config["config"] |= {key: ours.get_config()[key] for key in ("alpha", "beta")}
    # Up to 3.15 some leave out an option.
    assert {**mine, "config": None} == {**config, "config": None}
    assert config["config"].items() <= mine["config"].items()
    assert getattr(keras.losses, name).from_config(mine["config"]).name == "mine"
    again = losses.deserialize(mine)
    assert type(again) is type(ours)
    assert again.get_config().keys() == ours.get_config().keys()
    assert again.kernel() == ours.kernel()
    legacy = {"class_name": name, "config": mine["config"]}
    assert losses.get(legacy).get_config() == again.get_config()


def test_functions_in_configs():
    for function in (losses.huber, losses.mean_squared_error, losses.dice):
        config = json.loads(json.dumps(losses.serialize(function)))
        assert losses.get(config) is function
    wrapper = losses.LossFunctionWrapper(losses.huber, "sum", "mine", delta=2.0)
    again = losses.deserialize(json.loads(json.dumps(losses.serialize(wrapper))))
    assert (again.fn, again.reduction, again.name) == (losses.huber, "sum", "mine")
    assert again.kernel() == ("huber", {"delta": 2.0})
    assert "huber" in repr(again)


def test_bad_arguments():
    for reduction in ("average", 3, "SUM"):
        with pytest.raises(ValueError, match=r"`reduction`.*Received"):
            losses.Loss(reduction=reduction)
    with pytest.raises(ValueError, match=r"`q`.*\(0, 1\)"):
        losses.CategoricalGeneralizedCrossEntropy(q=1)
    with pytest.raises(ValueError, match="dtype policy"):
        losses.Loss(dtype="int8")
    assert "mean" in REDUCTIONS


@registry.register_keras_serializable("test_losses")
class Distance(losses.Loss):
    def __init__(self, power=2.0, **keywords):
        super().__init__(**keywords)
        self.power = power

    def call(self, y_true, y_pred):
        return ops.mean(ops.power(ops.abs(y_true - y_pred), self.power), axis=-1)

    def get_config(self):
        return {**super().get_config(), "power": self.power}


def test_custom_losses(rng):
    y_true, y_pred = numbers(rng, (5, 3))
    loss = Distance(name="far")
    assert np.isclose(loss(y_true, y_pred), losses.MeanSquaredError()(y_true, y_pred))
    again = losses.get(json.loads(json.dumps(losses.serialize(loss))))
    assert type(again) is Distance
    assert (again.power, again.name, again.kernel()) == (2.0, "far", None)
    assert Distance().name == "distance"
    assert Distance().name == "distance_1"
    with pytest.raises(NotImplementedError, match="call"):
        losses.Loss()([1.0], [1.0])


def test_labels_may_be_traced_as_predictions_are(rng):
    """As where a layer is called on both, and adds a loss of them."""
    y_true, y_pred = binary(rng, (4, 3))
    for loss in (losses.BinaryCrossentropy(), losses.MeanSquaredError()):
        made = loss(trace(y_true), trace(y_pred), np.ones(4))
        assert made.value == pytest.approx(loss(y_true, y_pred), rel=1e-6)


def test_picking():
    def mine(y_true, y_pred):
        return ops.mean(y_pred - y_true, axis=-1)

    for true, pred, kind in (
        ((8, 1), (8, 1), "binary"),
        ((8,), (8, 1), "binary"),
        ((8,), (8, 4), "sparse_categorical"),
        ((8, 1), (8, 4), "sparse_categorical"),
        ((8, 4), (8, 4), "categorical"),
        ((8, 3), (8, 3, 4), "sparse_categorical"),
    ):
        for word in ("crossentropy", "ce"):
            loss = losses.pick(word, true, pred)
            assert loss.fn.__name__ == f"{kind}_crossentropy"
            assert loss.name == word
    assert losses.pick(None, (8,), (8, 1)) is None
    assert losses.pick("mse", (8,), (8, 1)).name == "mse"
    assert losses.pick(mine, (8,), (8, 1)).name == "mine"
    loss = losses.Huber()
    assert losses.pick(loss, (8,), (8, 1)) is loss
    assert losses.pick(losses.Huber, (8,), (8, 1)).name == "huber_loss"
