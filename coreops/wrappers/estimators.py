"""SKLearnClassifier, SKLearnRegressor and SKLearnTransformer, as Keras 3 has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from .. import config
from .base import Wrapper

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]


class SKLearnClassifier(ClassifierMixin, Wrapper):
    """A model as a classifier: it learns the labels' one-hot rows. The arguments: `base.Wrapper`.

    The model has an output for each class, also where there are only two, and a loss such as
    "categorical_crossentropy". Labels may be of any kind.

    Attributes:
        classes_: the labels, sorted: what the model's outputs stand for.
        model_: the fitted model.
        history_: the History of the last fit.

    Example:

        def network(X, y, units=64):
            model = Sequential([
                layers.Input(X.shape[1:]),
                layers.Dense(units, activation="relu"),
                layers.Dense(y.shape[1], activation="softmax"),
            ])
            model.compile("adam", "categorical_crossentropy")
            return model

        SKLearnClassifier(network, model_kwargs={"units": 32}).fit(X, y, epochs=20)
    """

    classes_: np.ndarray

    def predict(self, X: Any) -> np.ndarray:
        """Return the label of the greatest output for each sample."""
        raw = self._raw(X)
        return self.classes_[np.argmax(raw, axis=-1)]

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the model's outputs, (samples, classes); for two classes, as scikit-learn has it
        and Keras has not, by how much the second exceeds the first, (samples,)."""
        raw = self._raw(X)
        return raw[:, 1] - raw[:, 0] if raw.shape[1:] == (2,) else raw

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, (samples, classes): the outputs of a model that
        ends with a softmax. An addition to what Keras has.

        Raises:
            ValueError: the model's outputs are no probabilities.
        """
        raw = self._raw(X)
        if np.any(raw < 0) or not np.allclose(np.sum(raw, axis=-1), 1, atol=1e-3):
            raise ValueError(
                f"{type(self).__name__}.predict_proba: the model's outputs are no probabilities. "
                "Let its last layer have the activation 'softmax'."
            )
        return raw

    def _target(self, X: Any, y: Any, first: bool) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, reset=first)
        check_classification_targets(y)
        classes, numbers = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of two classes at least. Received: only "
                f"one class, {classes[0]}"
            )
        if not first and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"{type(self).__name__}: with `warm_start=True` the classes must be those of the "
                f"fit before, {self.classes_}. Received: {classes}"
            )
        self.classes_ = classes
        return X, np.eye(len(classes), dtype=config.compute_floatx())[numbers]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # as good as the model
        return tags


class _NumberTarget(Wrapper):
    """The part of a wrapper whose model learns numbers; it shows one output as it was given."""

    _target_ndim: int

    def _target(self, X: Any, y: Any, first: bool) -> tuple[np.ndarray, np.ndarray]:
        X, y = validate_data(self, X, y, reset=first, multi_output=True, y_numeric=True)
        self._target_ndim = y.ndim
        return X, y.reshape(len(y), -1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


class SKLearnRegressor(RegressorMixin, _NumberTarget):
    """A model as a regressor, of targets (samples,) or (samples, outputs). The arguments:
    `base.Wrapper`.

    Targets of one axis reach the model as a column, and predictions come back in one axis.

    Attributes:
        model_: the fitted model.
        history_: the History of the last fit.

    Example:

        def network(X, y):
            model = Sequential([
                layers.Input(X.shape[1:]),
                layers.Dense(64, activation="relu"),
                layers.Dense(y.shape[1]),
            ])
            model.compile("adam", "mse")
            return model

        SKLearnRegressor(network, fit_kwargs={"epochs": 50}).fit(X, y)
    """

    def predict(self, X: Any) -> np.ndarray:
        """Return the model's outputs."""
        raw = self._raw(X)
        return raw[:, 0] if self._target_ndim == 1 and raw.shape[1:] == (1,) else raw

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.regressor_tags.poor_score = True  # as good as the model
        return tags


class SKLearnTransformer(TransformerMixin, _NumberTarget):
    """A model as a step of a pipeline that passes its outputs on. The arguments: `base.Wrapper`.

    Attributes:
        model_: the fitted model.
        history_: the History of the last fit.

    Example:

        make_pipeline(SKLearnTransformer(embedding), LogisticRegression())
    """

    def transform(self, X: Any) -> np.ndarray:
        """Return the model's outputs."""
        return self._raw(X)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # what the model computes in
        return tags
