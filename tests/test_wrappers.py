"""Models as estimators of scikit-learn: its own checks, and what they do not ask."""

import pickle
import random
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("sklearn", minversion="1.6")

import sklearn
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_classifiers_train, parametrize_with_checks

import coreops
from coreops import Sequential, layers
from coreops.wrappers import SKLearnClassifier, SKLearnRegressor, SKLearnTransformer


def network(X, y, loss="mse", units=(16,), activation=None, optimizer="rmsprop"):
    """A network for data of any size; functions of a module can be pickled."""
    model = Sequential(
        [
            layers.Input(X.shape[1:]),
            *[layers.Dense(size, activation="relu") for size in units],
            layers.Dense(y.shape[1], activation=activation),
        ]
    )
    model.compile(optimizer, loss)
    return model


def classifier(**changes):
    kwargs = {"loss": "categorical_crossentropy", "activation": "softmax", "units": (20, 20)}
    arguments = {"model_kwargs": kwargs, "fit_kwargs": {"epochs": 5, "verbose": 0}}
    return SKLearnClassifier(network, **{**arguments, **changes})


def regressor(**changes):
    return SKLearnRegressor(network, **{"fit_kwargs": {"verbose": 0}, **changes})


def transformer(**changes):
    return SKLearnTransformer(network, **{"fit_kwargs": {"verbose": 0}, **changes})


def fixed_model(outputs=2, dropout=0.2):
    model = Sequential(
        [
            layers.Input((4,)),
            layers.Dense(8, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(outputs, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


# --- scikit-learn's own checks --------------------------------------------------------------

BATCHES = (
    "a step's mean is over the samples of a batch, as in Keras: a sample of weight 2 is not two "
    "samples, which are in other batches"
)
BOTH_COLUMNS = "decision_function has a column for each class also for two classes, as in Keras"
EXPECTED = {
    "SKLearnClassifier": {
        "check_sample_weight_equivalence_on_dense_data": BATCHES,
        "check_classifiers_classes": BOTH_COLUMNS,
        "check_classifiers_train": BOTH_COLUMNS,
    },
    "SKLearnRegressor": {
        "check_sample_weight_equivalence_on_dense_data": BATCHES,
        "check_regressor_multioutput": "it wants float64, the model computes in float32",
    },
    "SKLearnTransformer": {"check_sample_weight_equivalence_on_dense_data": BATCHES},
}


@parametrize_with_checks(
    [classifier(), regressor(), transformer()],
    expected_failed_checks=lambda estimator: EXPECTED[type(estimator).__name__],
)
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


class LabelsOnly(SKLearnClassifier):
    """A classifier without what two of the checks expect otherwise."""

    @property
    def decision_function(self):
        raise AttributeError
