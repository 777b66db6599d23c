"""What is measured while a model learns or is evaluated: objects that collect over batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._names import to_snake_case
from ..losses import binary_crossentropy as binary_crossentropy
from ..losses import binary_focal_crossentropy as binary_focal_crossentropy
from ..losses import categorical_crossentropy as categorical_crossentropy
from ..losses import categorical_focal_crossentropy as categorical_focal_crossentropy
from ..losses import categorical_hinge as categorical_hinge
from ..losses import hinge as hinge
from ..losses import huber as huber
from ..losses import kind_of_labels, name_of
from ..losses import kl_divergence as kl_divergence
from ..losses import log_cosh as log_cosh
from ..losses import mean_absolute_error as mean_absolute_error
from ..losses import mean_absolute_percentage_error as mean_absolute_percentage_error
from ..losses import mean_squared_error as mean_squared_error
from ..losses import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from ..losses import poisson as poisson
from ..losses import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from ..losses import squared_hinge as squared_hinge
from ..saving import objects, registry
from .accuracy import Accuracy as Accuracy
from .accuracy import BinaryAccuracy as BinaryAccuracy
from .accuracy import CategoricalAccuracy as CategoricalAccuracy
from .accuracy import SparseCategoricalAccuracy as SparseCategoricalAccuracy
from .accuracy import SparseTopKCategoricalAccuracy as SparseTopKCategoricalAccuracy
from .accuracy import TopKCategoricalAccuracy as TopKCategoricalAccuracy
from .accuracy import binary_accuracy as binary_accuracy
from .accuracy import categorical_accuracy as categorical_accuracy
from .accuracy import sparse_categorical_accuracy as sparse_categorical_accuracy
from .accuracy import sparse_top_k_categorical_accuracy as sparse_top_k_categorical_accuracy
from .accuracy import top_k_categorical_accuracy as top_k_categorical_accuracy
from .averages import Mean as Mean
from .averages import MeanMetricWrapper as MeanMetricWrapper
from .averages import Sum as Sum
from .confusion import FalseNegatives as FalseNegatives
from .confusion import FalsePositives as FalsePositives
from .confusion import Precision as Precision
from .confusion import Recall as Recall
from .confusion import TrueNegatives as TrueNegatives
from .confusion import TruePositives as TruePositives
from .correlation import ConcordanceCorrelation as ConcordanceCorrelation
from .correlation import PearsonCorrelation as PearsonCorrelation
from .correlation import concordance_correlation as concordance_correlation
from .correlation import pearson_correlation as pearson_correlation
from .curves import AUC as AUC
from .curves import PrecisionAtRecall as PrecisionAtRecall
from .curves import RecallAtPrecision as RecallAtPrecision
from .curves import SensitivityAtSpecificity as SensitivityAtSpecificity
from .curves import SpecificityAtSensitivity as SpecificityAtSensitivity
from .errors import BinaryCrossentropy as BinaryCrossentropy
from .errors import CategoricalCrossentropy as CategoricalCrossentropy
from .errors import CategoricalHinge as CategoricalHinge
from .errors import CosineSimilarity as CosineSimilarity
from .errors import Hinge as Hinge
from .errors import KLDivergence as KLDivergence
from .errors import LogCoshError as LogCoshError
from .errors import MeanAbsoluteError as MeanAbsoluteError
from .errors import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from .errors import MeanSquaredError as MeanSquaredError
from .errors import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from .errors import Poisson as Poisson
from .errors import RootMeanSquaredError as RootMeanSquaredError
from .errors import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from .errors import SquaredHinge as SquaredHinge
from .metric import Metric as Metric
from .overlap import BinaryIoU as BinaryIoU
from .overlap import IoU as IoU
from .overlap import MeanIoU as MeanIoU
from .overlap import OneHotIoU as OneHotIoU
from .overlap import OneHotMeanIoU as OneHotMeanIoU
from .scores import F1Score as F1Score
from .scores import FBetaScore as FBetaScore
from .scores import R2Score as R2Score

for _cls, *_aliases in (
    (Metric,),
    (Mean,),
    (Sum,),
    (MeanMetricWrapper,),
    (MeanSquaredError, "mse", "MSE"),
    (RootMeanSquaredError,),
    (MeanAbsoluteError, "mae", "MAE"),
    (MeanAbsolutePercentageError, "mape", "MAPE"),
    (MeanSquaredLogarithmicError, "msle", "MSLE"),
    (CosineSimilarity,),
    (LogCoshError,),
    (KLDivergence,),
    (Poisson,),
    (BinaryCrossentropy, "bce", "BCE"),
    (CategoricalCrossentropy,),
    (SparseCategoricalCrossentropy,),
    (Hinge,),
    (SquaredHinge,),
    (CategoricalHinge,),
    (Accuracy,),
    (BinaryAccuracy,),
    (CategoricalAccuracy,),
    (SparseCategoricalAccuracy,),
    (TopKCategoricalAccuracy,),
    (SparseTopKCategoricalAccuracy,),
    (TruePositives,),
    (FalsePositives,),
    (TrueNegatives,),
    (FalseNegatives,),
    (Precision,),
    (Recall,),
    (AUC,),
    (SensitivityAtSpecificity,),
    (SpecificityAtSensitivity,),
    (PrecisionAtRecall,),
    (RecallAtPrecision,),
    (F1Score,),
    (FBetaScore,),
    (R2Score,),
    (IoU,),
    (BinaryIoU,),
    (MeanIoU,),
    (OneHotIoU,),
    (OneHotMeanIoU,),
    (PearsonCorrelation,),
    (ConcordanceCorrelation,),
):
    registry.add("metrics", _cls, to_snake_case(_cls.__name__), *_aliases)
# Their names are those of the classes, by which `get` knows them: a table of their own.
for _function in (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    top_k_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    pearson_correlation,
    concordance_correlation,
):
    registry.add("metric_functions", _function, module="keras.metrics")
del _cls, _aliases, _function

_PICKED: dict[str, tuple[type, type]] = {
    "binary": (BinaryAccuracy, BinaryCrossentropy),
    "sparse": (SparseCategoricalAccuracy, SparseCategoricalCrossentropy),
    "categorical": (CategoricalAccuracy, CategoricalCrossentropy),
}


def get(identifier: Any) -> Callable | None:
    """Return the metric for None, a name, a config, a class or a callable.

    Raises:
        ValueError: for an unknown name (listing the legal ones) or an object not callable.
    """
    metric = objects.from_identifier("metrics", identifier)
    if isinstance(metric, type):
        metric = metric()
    if metric is not None and not callable(metric):
        raise ValueError(f"Could not interpret metric identifier: {identifier!r}")
    return metric


def serialize(metric: Callable | None) -> dict[str, Any] | None:
    """Return the config of a metric, None for None."""
    return objects.serialize_keras_object(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable:
    """Return the metric of a name or a config; TypeError for an unknown config."""
    return objects.from_identifier("metrics", config, custom_objects)


def pick(
    identifier: Any, y_true_shape: Sequence[int], y_pred_shape: Sequence[int], loss: Any = None
) -> Metric:
    """Return the `Metric` that `compile(metrics=[identifier])` stands for.

    "accuracy" and "acc" are BinaryAccuracy for predictions of one column,
    SparseCategoricalAccuracy for labels without an axis of the classes, else
    CategoricalAccuracy; "crossentropy" and "ce" are the crossentropies in their place.

    Args:
        identifier: a name, a metric, a loss, or a function of labels and predictions.
        y_true_shape, y_pred_shape: batch first.
        loss: the model's loss, from which a crossentropy takes `from_logits`.
    """
    word = identifier.lower() if isinstance(identifier, str) else None
    kind = kind_of_labels(y_true_shape, y_pred_shape) if word in _WORDS else ""
    metric: Any
    if word in ("accuracy", "acc"):
        metric = _PICKED[kind][0](name=identifier)
    elif word in ("crossentropy", "ce"):
        from_logits = bool(getattr(loss, "from_logits", False))
        metric = _PICKED[kind][1](name=identifier, from_logits=from_logits)
    else:
        metric = get(identifier)
    if metric is None:
        raise ValueError("Expected a metric. Received: None")
    name = identifier if isinstance(identifier, str) else name_of(metric)
    if not isinstance(metric, Metric):
        metric = MeanMetricWrapper(metric)
    metric.name = name
    return metric


_WORDS = ("accuracy", "acc", "crossentropy", "ce")
