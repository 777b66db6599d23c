"""What training makes small: classes that reduce to one number, and functions that do not.

The functions are written with `coreops.ops`; `Loss.kernel` says which of them a kernel computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._names import to_snake_case
from ..saving import objects, registry
from .distances import CategoricalHinge as CategoricalHinge
from .distances import Circle as Circle
from .distances import CosineSimilarity as CosineSimilarity
from .distances import Dice as Dice
from .distances import Hinge as Hinge
from .distances import Huber as Huber
from .distances import LogCosh as LogCosh
from .distances import MeanAbsoluteError as MeanAbsoluteError
from .distances import MeanAbsolutePercentageError as MeanAbsolutePercentageError
from .distances import MeanSquaredError as MeanSquaredError
from .distances import MeanSquaredLogarithmicError as MeanSquaredLogarithmicError
from .distances import SquaredHinge as SquaredHinge
from .distances import Tversky as Tversky
from .entropies import BinaryCrossentropy as BinaryCrossentropy
from .entropies import BinaryFocalCrossentropy as BinaryFocalCrossentropy
from .entropies import CategoricalCrossentropy as CategoricalCrossentropy
from .entropies import CategoricalFocalCrossentropy as CategoricalFocalCrossentropy
from .entropies import CategoricalGeneralizedCrossEntropy as CategoricalGeneralizedCrossEntropy
from .entropies import KLDivergence as KLDivergence
from .entropies import Poisson as Poisson
from .entropies import SparseCategoricalCrossentropy as SparseCategoricalCrossentropy
from .loss import Loss as Loss
from .probabilistic import binary_crossentropy as binary_crossentropy
from .probabilistic import binary_focal_crossentropy as binary_focal_crossentropy
from .probabilistic import categorical_crossentropy as categorical_crossentropy
from .probabilistic import categorical_focal_crossentropy as categorical_focal_crossentropy
from .probabilistic import (
    categorical_generalized_cross_entropy as categorical_generalized_cross_entropy,
)
from .probabilistic import kl_divergence as kl_divergence
from .probabilistic import poisson as poisson
from .probabilistic import sparse_categorical_crossentropy as sparse_categorical_crossentropy
from .regression import cosine_similarity as cosine_similarity
from .regression import huber as huber
from .regression import log_cosh as log_cosh
from .regression import mean_absolute_error as mean_absolute_error
from .regression import mean_absolute_percentage_error as mean_absolute_percentage_error
from .regression import mean_squared_error as mean_squared_error
from .regression import mean_squared_logarithmic_error as mean_squared_logarithmic_error
from .similarity import categorical_hinge as categorical_hinge
from .similarity import circle as circle
from .similarity import dice as dice
from .similarity import hinge as hinge
from .similarity import squared_hinge as squared_hinge
from .similarity import tversky as tversky
from .wrapper import LossFunctionWrapper as LossFunctionWrapper
from .wrapper import NamedLoss

for _function, *_aliases in (
    (mean_squared_error, "mse", "MSE"),
    (mean_absolute_error, "mae", "MAE"),
    (mean_absolute_percentage_error, "mape", "MAPE"),
    (mean_squared_logarithmic_error, "msle", "MSLE"),
    (cosine_similarity,),
    (huber,),
    (log_cosh, "logcosh"),
    (kl_divergence, "kld", "KLD", "kullback_leibler_divergence"),
    (poisson,),
    (binary_crossentropy, "bce", "BCE"),
    (binary_focal_crossentropy,),
    (categorical_crossentropy,),
    (categorical_focal_crossentropy,),
    (categorical_generalized_cross_entropy,),
    (sparse_categorical_crossentropy,),
    (hinge,),
    (squared_hinge,),
    (categorical_hinge,),
    (dice,),
    (tversky,),
    (circle,),
):
    registry.add("losses", _function, *_aliases)
for _cls in (Loss, *NamedLoss.__subclasses__()):
    registry.add("losses", _cls)
registry.add("losses", LossFunctionWrapper, module="keras.src.losses.losses")
del _function, _aliases, _cls


def get(identifier: Any) -> Callable | None:
    """Return the loss for None, a name, a config, a class or a callable.

    The name of a function gives the function, the name of a class an instance.

    Raises:
        ValueError: for an unknown name (listing the legal ones) or an object not callable.
    """
    return objects.get_instance("losses", identifier)


def serialize(loss: Callable | None) -> dict[str, Any] | None:
    """Return the config of a loss, None for None."""
    return objects.serialize_keras_object(loss)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable:
    """Return the loss of a name or a config; TypeError for an unknown config."""
    return objects.from_identifier("losses", config, custom_objects)


def pick(identifier: Any, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> Loss | None:
    """Return the `Loss` that `compile(loss=identifier)` stands for.

    "crossentropy" and "ce" are binary crossentropy for predictions of one column, sparse
    categorical for labels without an axis of the classes, else categorical.
    """
    if isinstance(identifier, str) and identifier.lower() in ("crossentropy", "ce"):
        loss: Any = {
            "binary": binary_crossentropy,
            "sparse": sparse_categorical_crossentropy,
            "categorical": categorical_crossentropy,
        }[kind_of_labels(y_true_shape, y_pred_shape)]
    else:
        loss = get(identifier)
    if loss is None or isinstance(loss, Loss):
        return loss
    name = identifier if isinstance(identifier, str) else name_of(loss)
    return LossFunctionWrapper(loss, name=name)


def kind_of_labels(y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> str:
    """Return what shapes say of the labels: "binary", "sparse" or "categorical"."""
    if y_pred_shape[-1] == 1:
        return "binary"
    one = y_true_shape[-1:] and y_true_shape[-1] == 1 and y_pred_shape[-1] > 1
    return "sparse" if len(y_true_shape) < len(y_pred_shape) or one else "categorical"


def name_of(obj: Any) -> str:
    """Return the name of a loss or metric: its own, else its function's or class' in snake case."""
    name = getattr(obj, "name", None)
    return name or to_snake_case(getattr(obj, "__name__", type(obj).__name__))
