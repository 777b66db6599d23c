"""Metrics: results against Keras over several batches, weights, masks, names, configs, picking."""

import copy
import json
import pickle
import warnings

import numpy as np
import pytest
from label_cases import (
    binary,
    counts,
    distributions,
    logits,
    numbers,
    one_hot,
    signs,
    sparse,
)

from coreops import Variable, _tape, losses, metrics, ops
from coreops._names import to_snake_case
from coreops._plan import KerasArray
from coreops.saving import registry


def grid(rng, shape):
    """Probabilities on the thresholds, at 0 and at 1."""
    return rng.integers(0, 2, shape).astype(float), rng.integers(0, 9, shape) / 8


def classes(rng, shape):
    return rng.integers(0, 4, shape[:1]), rng.integers(0, 4, shape[:1])


def multi(rng, shape):
    return rng.integers(0, 2, (shape[0], 3)), rng.random((shape[0], 3))


def one_column(make):
    def made(rng, shape):
        return tuple(x.reshape(-1, 1) for x in make(rng, shape))

    return made


def case(name, options, make, **more):
    return pytest.param(name, options, make, more, id=f"{name}-{options}-{make.__name__}")


WIDE = {"width": 7}
CASES = [
    case("Accuracy", {}, classes),
    case("BinaryAccuracy", {}, binary),
    case("BinaryAccuracy", {"threshold": 0.25}, grid),
    case("CategoricalAccuracy", {}, one_hot),
    case("SparseCategoricalAccuracy", {}, sparse),
    case("TopKCategoricalAccuracy", {"k": 2}, one_hot),
    case("TopKCategoricalAccuracy", {}, one_hot, **WIDE),
    case("SparseTopKCategoricalAccuracy", {"k": 3}, sparse),
    case("MeanSquaredError", {}, numbers),
    case("RootMeanSquaredError", {}, numbers),
    case("MeanAbsoluteError", {}, numbers),
    case("MeanAbsolutePercentageError", {}, numbers),
    case("MeanSquaredLogarithmicError", {}, counts),
    case("CosineSimilarity", {}, numbers),
    case("CosineSimilarity", {"axis": 1}, numbers),
    case("LogCoshError", {}, numbers),
    case("KLDivergence", {}, distributions),
    case("Poisson", {}, counts),
    case("BinaryCrossentropy", {}, binary),
    case("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, logits(binary)),
    case("CategoricalCrossentropy", {"label_smoothing": 0.1}, one_hot),
    case("CategoricalCrossentropy", {"from_logits": True}, logits(one_hot)),
    case("SparseCategoricalCrossentropy", {}, sparse),
    case("SparseCategoricalCrossentropy", {"ignore_class": 1}, sparse),
    case("Hinge", {}, signs),
    case("SquaredHinge", {}, binary),
    case("CategoricalHinge", {}, one_hot),
    case("PearsonCorrelation", {}, numbers),
    case("PearsonCorrelation", {"axis": 0}, numbers, weighted=False),
    case("ConcordanceCorrelation", {}, numbers),
    *(
        case(name, options, make)
        for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives")
        for options in ({}, {"thresholds": [0.9, 0.25, 0.5]}, {"thresholds": 0.125})
        for make in (binary, grid)
    ),
    *(
        case(name, options, make)
        for name in ("Precision", "Recall")
        for options, make in (
            ({}, binary),
            ({"thresholds": [0.1, 0.7]}, binary),
            ({"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, grid),
            ({"top_k": 2}, one_hot),
            ({"class_id": 1}, one_hot),
            ({"class_id": 0, "top_k": 3, "thresholds": 0.2}, one_hot),
        )
    ),
    *(
        case("AUC", {"curve": curve, "summation_method": method, **options}, make)
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
        for options, make in (
            ({}, binary),
            ({"num_thresholds": 9}, grid),
            ({"thresholds": [0.3, 0.1, 0.8]}, binary),
            ({"multi_label": True, "num_thresholds": 20}, multi),
        )
    ),
    case("AUC", {"multi_label": True, "num_labels": 3, "label_weights": [1.0, 2, 4]}, multi),
    case("AUC", {"multi_label": True, "thresholds": [0.2, 0.9], "curve": "PR"}, multi),
    case("AUC", {"label_weights": [1.0, 2, 4]}, multi),
    case("AUC", {"from_logits": True}, logits(binary)),
    case("SensitivityAtSpecificity", {"specificity": 0.6}, binary),
    case("SpecificityAtSensitivity", {"sensitivity": 0.5, "num_thresholds": 1}, binary),
    case("PrecisionAtRecall", {"recall": 0.4, "num_thresholds": 9}, grid),
    case("RecallAtPrecision", {"precision": 0.7}, binary),
    case("RecallAtPrecision", {"precision": 0.5, "class_id": 1}, one_hot),
    *(
        case(name, {"average": average, **options}, multi)
        for name, options in (
            ("F1Score", {}),
            ("F1Score", {"threshold": 0.4}),
            ("FBetaScore", {"beta": 2.0, "threshold": 0.5}),
        )
        for average in (None, "micro", "macro", "weighted")
    ),
    case("R2Score", {}, numbers),
    case("R2Score", {"class_aggregation": None}, numbers),
    case("R2Score", {"class_aggregation": "variance_weighted_average"}, numbers),
    case("R2Score", {"num_regressors": 2}, numbers),
    case("R2Score", {"num_regressors": 1, "class_aggregation": None}, one_column(numbers)),
    case("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, classes),
    case("IoU", {"num_classes": 3, "target_class_ids": [1], "ignore_class": 0}, classes),
    case("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, one_column(binary)),
    case("MeanIoU", {"num_classes": 4}, classes),
    case("OneHotIoU", {"num_classes": 5, "target_class_ids": [0, 1]}, one_hot, width=5),
    case("OneHotMeanIoU", {"num_classes": 5, "sparse_y_pred": False}, one_hot, width=5),
]
NAMES = sorted({parameters.values[0] for parameters in CASES})


def both(keras, name, /, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = getattr(keras.metrics, name)(**options)
    return getattr(metrics, name)(**options), theirs


@pytest.mark.parity
@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning",
    "ignore:You are passing",
    "ignore:.*djusted R2",
    "ignore:More independent",
)
@pytest.mark.parametrize(("name", "options", "make", "more"), CASES)
def test_results_are_those_of_keras(keras, rng, name, options, make, more):
    for weighted in (False, True):
        if weighted and not more.get("weighted", True):
            continue
        ours, theirs = both(keras, name, **options)
        for _ in range(4):
            shape = (int(rng.integers(4, 40)), more.get("width", 5))
            y_true, y_pred = (x.astype("f4") for x in make(rng, shape))
            weight = rng.integers(0, 4, len(y_true)).astype("f4") if weighted else None
            ours.update_state(y_true, y_pred, weight)
            theirs.update_state(y_true, y_pred, weight)
            value, expected = ours.result(), np.asarray(theirs.result())
            assert value.dtype == expected.dtype
            np.testing.assert_allclose(value, expected, rtol=2e-5, atol=1e-6)
        ours.reset_state()
        theirs.reset_state()
        np.testing.assert_allclose(ours.result(), theirs.result(), rtol=1e-6)


# ---------------------------------------------------------------------------- the mean and its kin


def test_mean():
    mean = metrics.Mean()
    assert mean.result() == 0
    mean.update_state([1.0, 3.0])
    mean.update_state(5)
    assert mean.result() == 3
    mean.update_state([[1.0, 3], [5, 7]])  # two samples
    assert mean([], None) == (1 + 3 + 5 + 2 + 6) / 5
    mean.reset_state()
    mean.update_state([2.0, 4, 100], [3, 1, 0])
    assert mean.result() == 2.5
    mean.update_state([[2.0, 4], [6, 8]], [1, 0.5])
    assert np.isclose(mean.result(), (10 + 3 + 3.5) / 5.5)
    assert mean.result().dtype == np.float32
    assert metrics.Mean(dtype="float64")(0.1).dtype == np.float64
    assert np.isnan(metrics.Mean()([1.0, np.nan]))


def test_sum():
    total = metrics.Sum()
    assert total([1.0, 2.0], [2, 1]) == 4
    assert total([[1.0, 2.0], [3, 4]], [1, 0]) == 7
    total.reset_state()
    assert total.result() == 0


@pytest.mark.parity
def test_means_weigh_as_in_keras(keras, rng):
    for shape, weight in (
        ((6,), (6,)),
        ((6, 3), (6,)),
        ((6, 3), (6, 3)),
        ((6, 3, 2), (6, 3)),
        ((6,), (6, 1)),
        ((6, 3), (6, 1)),
    ):
        for name in ("Mean", "Sum"):
            ours, theirs = both(keras, name)
            for _ in range(3):
                values, weights = rng.random(shape).astype("f4"), rng.random(weight).astype("f4")
                ours.update_state(values, weights)
                theirs.update_state(values, weights)
                ours.update_state(values)
                theirs.update_state(values)
            if name == "Mean" or weight != (6, 1):
                assert np.isclose(ours.result(), theirs.result(), rtol=1e-5)


def test_long_sums_keep_their_digits():
    """2^24 is as far as float32 counts by ones."""
    mean = metrics.Mean()
    mean.update_state(np.ones(2**24))
    for _ in range(4):
        mean.update_state([1.0, 0.0])
    assert float(mean.count) == 2**24 + 8
    assert float(mean.total) == 2**24 + 4


def test_masks(rng):
    y_true, y_pred, weight = rng.integers(0, 3, (4, 5)), rng.random((4, 5, 3)), rng.random((4, 5))
    mask = rng.random((4, 5)) < 0.6
    masked = KerasArray.attach(y_pred, mask)
    hits = y_true == y_pred.argmax(-1)
    metric = metrics.SparseCategoricalAccuracy()
    assert np.isclose(metric(y_true, masked), hits[mask].mean())
    metric.reset_state()
    expected = np.average(hits[mask], weights=weight[mask])
    assert np.isclose(metric(y_true, masked, weight), expected)
    one_hot_true = np.eye(3)[y_true]
    for name in ("MeanSquaredError", "RootMeanSquaredError", "BinaryAccuracy", "Precision", "AUC"):
        theirs = getattr(metrics, name)()(one_hot_true[mask], y_pred[mask])
        assert np.isclose(getattr(metrics, name)()(one_hot_true, masked), theirs), name
    found = y_pred.argmax(-1)
    assert np.isclose(
        metrics.MeanIoU(3)(y_true, KerasArray.attach(found, mask)),
        metrics.MeanIoU(3)(y_true[mask], found[mask]),
    )


def test_weights_per_position_of_labels_that_lack_an_axis(rng):
    y_true, y_pred = rng.integers(0, 2, (4, 3)), rng.random((4, 3, 1))
    mask, weight = rng.random((4, 3)) < 0.6, rng.random((4, 3))
    errors, hits = np.square(y_true - y_pred[..., 0]), (y_pred[..., 0] > 0.5) == y_true
    masked = KerasArray.attach(y_pred, mask)
    for name, values in (("MeanSquaredError", errors), ("BinaryAccuracy", hits)):
        metric = getattr(metrics, name)()
        assert np.isclose(metric(y_true, masked), values[mask].mean())
        metric.reset_state()
        assert np.isclose(metric(y_true, y_pred, weight), np.average(values, weights=weight))


def test_copies_count_for_themselves(rng):
    for name, options, make, _ in (c.values for c in CASES if c.values[1] != {"axis": 0}):
        metric = getattr(metrics, name)(**options)
        metric.update_state(*make(rng, (6, 5)))
        again = pickle.loads(pickle.dumps(metric))
        copied = copy.deepcopy(metric)
        np.testing.assert_array_equal(again.result(), metric.result())
        again.reset_state()
        np.testing.assert_array_equal(copied.result(), metric.result())
        again.update_state(*make(rng, (6, 5)))


def test_shapes_of_labels(rng):
    y_true, y_pred = rng.integers(0, 3, 8), rng.random((8, 3)).astype("f4")
    expected = (y_true == y_pred.argmax(-1)).mean()
    for labels in (y_true, y_true[:, None], y_true.tolist(), y_true.astype("f8")):
        assert np.isclose(metrics.SparseCategoricalAccuracy()(labels, y_pred), expected)
    y_true, y_pred = rng.integers(0, 2, 8), rng.random((8, 1))
    expected = (y_true == (y_pred[:, 0] > 0.5)).mean()
    for labels in (y_true, y_true[:, None], y_true.astype(bool)):
        assert np.isclose(metrics.BinaryAccuracy()(labels, y_pred), expected)
        assert np.isclose(metrics.BinaryAccuracy()(labels, y_pred[:, 0]), expected)


def test_functions_give_values_per_sample(keras, rng):
    for name, make in (
        ("binary_accuracy", binary),
        ("categorical_accuracy", one_hot),
        ("sparse_categorical_accuracy", sparse),
        ("top_k_categorical_accuracy", one_hot),
        ("sparse_top_k_categorical_accuracy", sparse),
        ("pearson_correlation", numbers),
        ("concordance_correlation", numbers),
        ("mean_squared_error", numbers),
    ):
        for shape in ((7, 6), (3, 4, 6)):
            y_true, y_pred = (x.astype("f4") for x in make(rng, shape))
            value = getattr(metrics, name)(y_true, y_pred)
            expected = np.asarray(getattr(keras.metrics, name)(y_true, y_pred))
            assert value.dtype == np.float32
            np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
            assert value.shape == expected.shape
    ids = np.array([[3, 1, 2], [0, 4, 1]])
    found = metrics.sparse_top_k_categorical_accuracy([1, 1], ids, k=2, from_sorted_ids=True)
    np.testing.assert_array_equal(found, [1, 0])


def test_shapes_that_do_not_fit():
    for name, true, pred in (
        ("CategoricalAccuracy", (4, 3), (5, 3)),
        ("SparseCategoricalAccuracy", (5,), (4, 3)),
        ("SparseTopKCategoricalAccuracy", (5,), (4, 3)),
        ("Precision", (4, 2), (4, 3)),
        ("AUC", (4,), (4, 3)),
        ("F1Score", (4,), (4, 3)),
        ("R2Score", (4, 3), (4, 2)),
        ("Accuracy", (4, 2), (4, 3)),
        ("BinaryAccuracy", (4, 2), (4, 3)),
        ("RootMeanSquaredError", (4, 2), (4, 3)),
        ("PearsonCorrelation", (4, 2), (4, 3)),
    ):
        with pytest.raises(ValueError, match="Received"):
            getattr(metrics, name)().update_state(np.ones(true), np.ones(pred))
    with pytest.raises(ValueError, match="one value for the whole batch"):
        metrics.MeanMetricWrapper(losses.Huber())(np.ones((4, 1)), np.ones((4, 1)), np.ones(4))
    with pytest.raises(ValueError, match="class_id"):
        metrics.Recall(class_id=1).update_state(np.ones(4), np.ones(4))
    with pytest.raises(ValueError, match="expected a label for each"):
        metrics.MeanIoU(3).update_state(np.ones(4), np.ones(5))
    for multi_label in (False, True):
        auc = metrics.AUC(multi_label=multi_label, label_weights=[1, 2])
        with pytest.raises(ValueError, match="label_weights"):
            auc.update_state(np.ones((4, 3)), np.ones((4, 3)))
    auc = metrics.AUC(multi_label=True)
    assert auc.result() == 0
    with pytest.raises(ValueError, match="multi_label"):
        auc.update_state(np.ones(4), np.ones(4))
    auc.update_state(np.ones((4, 3)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="3 labels"):
        auc.update_state(np.ones((4, 2)), np.ones((4, 2)))


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: metrics.AUC(curve="roc curve"), "curve"),
        (lambda: metrics.AUC(summation_method="sum"), "summation_method"),
        (lambda: metrics.AUC(num_thresholds=1), "num_thresholds"),
        (lambda: metrics.AUC(num_labels=3), "num_labels"),
        (lambda: metrics.Precision(thresholds=[0.5, 1.5]), "thresholds"),
        (lambda: metrics.TruePositives(thresholds=[None]), "thresholds"),
        (lambda: metrics.PrecisionAtRecall(1.5), "recall"),
        (lambda: metrics.RecallAtPrecision(-1), "precision"),
        (lambda: metrics.SensitivityAtSpecificity(0.5, num_thresholds=0), "num_thresholds"),
        (lambda: metrics.F1Score(average="mean"), "average"),
        (lambda: metrics.FBetaScore(beta=1), "beta"),
        (lambda: metrics.FBetaScore(beta=-1.0), "beta"),
        (lambda: metrics.F1Score(threshold=1.5), "threshold"),
        (lambda: metrics.R2Score(class_aggregation="mean"), "class_aggregation"),
        (lambda: metrics.R2Score(num_regressors=-1), "num_regressors"),
        (lambda: metrics.IoU(3, [3]), "target_class_ids"),
    ],
)
def test_bad_arguments(make, word):
    with pytest.raises(ValueError, match=word):
        make()


@pytest.mark.filterwarnings("ignore:The adjusted R2")
def test_nan_and_empty(rng):
    precision = metrics.Precision()
    precision.update_state(np.ones((0, 1)), np.ones((0, 1)))
    precision.update_state([1, 1, 0], [np.nan, 0.9, 0.9])
    assert precision.result() == 0.5
    for name, options, make, _ in (c.values for c in CASES if c.values[1] != {"axis": 0}):
        metric = getattr(metrics, name)(**options)
        y_true, y_pred = make(rng, (6, 5))
        metric.update_state(y_true[:0], y_pred[:0])
        assert np.all(np.isfinite(metric.result()) | (name == "R2Score")), name


# -------------------------------------------------------------------------------- the base class


@registry.register_keras_serializable("test_metrics")
class Largest(metrics.Metric):
    def __init__(self, power=1, **keywords):
        super().__init__(**keywords)
        self.power = power
        self.greatest = self.add_weight(name="greatest")
        self.counts = [metrics.Sum(), metrics.Mean()]
        self.last = self.add_variable((2,), "ones", dtype="int32")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.greatest.assign(ops.maximum(self.greatest, ops.max(y_pred) ** self.power))
        self.counts[0].update_state(y_pred)

    def result(self):
        return self.greatest.value

    def get_config(self):
        return {**super().get_config(), "power": self.power}


def test_custom_metrics():
    metric = Largest(power=2)
    assert metric.name == "largest"
    assert Largest().name == "largest_1"
    assert metric([1], [3.0]) == 9
    assert [v.name for v in metric.variables] == ["greatest", "variable", "total", "total", "count"]
    assert metric.variables[0].dtype == "float32"
    assert isinstance(metric.greatest, Variable)
    np.testing.assert_array_equal(metric.last, [1, 1])
    metric.reset_state()
    assert metric.result() == 0
    assert metric.counts[0].result() == 0
    again = metrics.get(json.loads(json.dumps(metrics.serialize(metric))))
    assert type(again) is Largest
    assert (again.power, again.name) == (2, "largest")
    with pytest.raises(ValueError, match="shape"):
        metric.last.assign([1, 2, 3])


def test_what_a_subclass_must_do():
    class Bare(metrics.Metric):
        def __init__(self):
            self.total = self.add_weight()

    with pytest.raises(RuntimeError, match="super"):
        Bare()
    for call in (metrics.Metric().update_state, metrics.Metric().result):
        with pytest.raises(NotImplementedError):
            call()


def test_directions():
    assert metrics.MeanSquaredError()._direction == "down"
    assert metrics.AUC()._direction == "up"
    assert metrics.CategoricalAccuracy()._direction == "up"
    assert metrics.MeanMetricWrapper(losses.huber)._direction == "down"
    assert metrics.MeanMetricWrapper(losses.Huber())._direction == "down"
    assert metrics.MeanMetricWrapper(lambda t, p: p)._direction is None


# ------------------------------------------------------------------------------- names and configs


def test_names(keras):
    for name in NAMES:
        if "IoU" in name or "At" in name:  # have an argument without a default
            continue
        for alias in (name, to_snake_case(name)):
            assert type(metrics.get(alias)).__name__ == type(keras.metrics.get(alias)).__name__
    for alias in ("mse", "MSE", "mae", "MAE", "mape", "MAPE", "msle", "MSLE", "bce", "BCE"):
        assert metrics.get(alias).name == keras.metrics.get(alias).name
    assert metrics.get(None) is None
    assert metrics.get(losses.huber) is losses.huber
    for wrong in ("nothing", 3):
        with pytest.raises(ValueError, match="Could not interpret metric identifier"):
            metrics.get(wrong)
    with pytest.raises(
        ValueError, match=r"'acuracy'\. Did you mean 'accuracy'\? Known names: .*'auc'"
    ):
        metrics.get("acuracy")


def test_all_of_keras_is_here(keras):
    missing = {name for name in dir(keras.metrics) if not name.startswith("_")} - set(dir(metrics))
    assert missing == set()


@pytest.mark.parity
@pytest.mark.parametrize(("name", "options", "make", "more"), CASES)
def test_configs(keras, name, options, make, more):
    ours, theirs = both(keras, name, **options, name="mine")
    mine = json.loads(json.dumps(metrics.serialize(ours)))
    config = keras.metrics.serialize(theirs)
    if name == "AUC" and options.get("label_weights"):  # an array that is no JSON
        config["config"]["label_weights"] = [1.0, 2.0, 4.0]
    config = json.loads(json.dumps(config))
    if name == "CosineSimilarity":  # whose axis they forget
        del mine["config"]["axis"]
    assert mine == config
    again = metrics.deserialize(metrics.serialize(ours))
    assert type(again) is type(ours)
    assert again.get_config() == ours.get_config()
    legacy = {"class_name": name, "config": ours.get_config()}
    assert metrics.get(legacy).get_config() == ours.get_config()


def test_names_are_numbered(keras):
    keras.backend.clear_session()
    for name in ("AUC", "Precision", "TruePositives", "Mean", "AUC"):
        ours, theirs = both(keras, name)
        assert ours.name == theirs.name
    assert metrics.MeanIoU(2).name == "mean_io_u"
    assert metrics.MeanIoU(2).dtype == "int32"


def test_functions_in_configs(keras):
    for function in (losses.huber, metrics.binary_accuracy, metrics.pearson_correlation):
        metric = metrics.MeanMetricWrapper(function, name="mine")
        mine = json.loads(json.dumps(metrics.serialize(metric)))
        theirs = keras.metrics.MeanMetricWrapper(
            getattr(keras.metrics, function.__name__), name="mine"
        )
        assert mine == keras.metrics.serialize(theirs)
        assert metrics.deserialize(mine)._fn is function
        assert metrics.get(metrics.serialize(function)) is function


# ---------------------------------------------------------------------------------------- picking


def test_picking():
    def closeness(y_true, y_pred):
        return -ops.mean(ops.abs(y_true - y_pred), axis=-1)

    for true, pred, kind in (
        ((8, 1), (8, 1), "Binary"),
        ((8,), (8, 1), "Binary"),
        ((8,), (8, 4), "SparseCategorical"),
        ((8, 1), (8, 4), "SparseCategorical"),
        ((8, 3), (8, 3, 4), "SparseCategorical"),
        ((8, 4), (8, 4), "Categorical"),
        ((8, 1), (8, 3, 1), "Binary"),
    ):
        for word in ("accuracy", "acc", "Accuracy"):
            metric = metrics.pick(word, true, pred)
            assert type(metric).__name__ == f"{kind}Accuracy"
            assert metric.name == word
        loss = losses.pick("ce", true, pred)
        for word in ("crossentropy", "ce"):
            metric = metrics.pick(word, true, pred, loss)
            assert type(metric).__name__ == f"{kind}Crossentropy"
            assert metric.name == word
            assert not metric.from_logits
    loss = losses.BinaryCrossentropy(from_logits=True)
    assert metrics.pick("ce", (8, 1), (8, 1), loss).from_logits
    auc = metrics.AUC(name="area")
    assert metrics.pick(auc, (8,), (8, 1)) is auc
    assert auc.name == "area"
    assert metrics.pick("mse", (8,), (8, 1)).name == "mse"
    assert metrics.pick(closeness, (8,), (8, 1)).name == "closeness"
    assert metrics.pick(losses.Huber(), (8,), (8, 1)).name == "huber_loss"
    assert metrics.pick(metrics.Accuracy, (8,), (8, 1)).name == "accuracy"
    with pytest.raises(ValueError, match="None"):
        metrics.pick(None, (8,), (8, 1))


def test_variables_in_containers_are_the_metrics():
    class Own(metrics.Metric):
        def __init__(self):
            super().__init__(name="own")
            self.parts = {"a": [Variable(1.0)], "b": Variable(2.0)}
            self.inner = [metrics.Mean()]
            self.own = self.add_variable((), "ones", name="own")

        def update_state(self, values, sample_weight=None):
            self.own.assign_add(np.sum(values))

    metric = Own()
    assert len(metric.variables) == 5
    assert metric.variables[0] is metric.own
    metric.reset_state()
    assert [float(variable) for variable in metric.variables] == [0] * 5


def test_what_is_recorded_counts_by_its_values():
    x = _tape.trace(np.array([1.0, 3.0]))
    metric = metrics.Mean()
    metric.update_state(ops.square(x))
    metric.update_state(x, sample_weight=x)
    assert metric.result() == pytest.approx((10 + 10) / (2 + 4))
