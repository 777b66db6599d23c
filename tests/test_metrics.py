"""Metrics: results against Keras over several batches, weights, masks, names, configs, picking."""

import warnings

import numpy as np
import pytest
from test_losses import (
    binary,
    counts,
    distributions,
    logits,
    numbers,
    one_hot,
    signs,
    sparse,
)

from coreops import metrics


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
    case("SparseCategoricalCrossentropy", {"ignore_class": 1}, sparse, weighted_only=True),
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
    case("R2Score", {"num_regressors": 2}, one_column(numbers), weighted=False),
    case("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, classes),
    case("IoU", {"num_classes": 3, "target_class_ids": [1], "ignore_class": 0}, classes),
    case("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, one_column(binary)),
    case("MeanIoU", {"num_classes": 4}, classes),
    case("OneHotIoU", {"num_classes": 5, "target_class_ids": [0, 1]}, one_hot, width=5),
    case("OneHotMeanIoU", {"num_classes": 5, "sparse_y_pred": False}, one_hot, width=5),
]
NAMES = sorted({parameters.values[0] for parameters in CASES})


def both(keras, name, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        theirs = getattr(keras.metrics, name)(**options)
    return getattr(metrics, name)(**options), theirs


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore:You are passing")
@pytest.mark.parametrize(("name", "options", "make", "more"), CASES)
def test_results_are_those_of_keras(keras, rng, name, options, make, more):
    for weighted in (False, True):
        if weighted and not more.get("weighted", True):
            continue
        if not weighted and more.get("weighted_only"):
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
