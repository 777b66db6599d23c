"""Wrapper: what the estimators share - their model, how it is fitted, what it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from ..callbacks import History
from ..models import Model, clone_model
from .seeding import seeded

# What `Model.fit` takes beside the data: scikit-learn may route it to `fit`.
_FIT_KEYWORDS = (
    "batch_size",
    "callbacks",
    "class_weight",
    "epochs",
    "initial_epoch",
    "shuffle",
    "steps_per_epoch",
    "validation_batch_size",
    "validation_data",
    "validation_freq",
    "validation_split",
    "validation_steps",
    "verbose",
)


class Wrapper(BaseEstimator):
    """Base of the estimators.

    A subclass says in `_target(X, y, first)` how targets are checked and what the model learns
    instead of them.

    Args:
        model: a compiled model, of which each fit trains a new copy with new weights; or a
            function `(X, y, **model_kwargs)` that returns one for data as `fit` gives it to it.
        warm_start: whether a fit goes on with the model of the one before, and the first one
            with `model` itself.
        model_kwargs: further arguments for the function.
        fit_kwargs: arguments for `Model.fit`; those of `fit` go before them.
        random_state: an int makes every fit draw the same initial weights, dropout masks and
            order of samples; also a `numpy.random.RandomState`. None draws from the stream that
            `utils.set_random_seed` determines. Keras does not have it.
    """

    model_: Model
    history_: History

    __metadata_request__fit = dict.fromkeys(_FIT_KEYWORDS)

    def __init__(
        self,
        model: Any,
        warm_start: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
        fit_kwargs: Mapping[str, Any] | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.warm_start = warm_start
        self.model_kwargs = model_kwargs
        self.fit_kwargs = fit_kwargs
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None, **kwargs: Any) -> Self:
        """Fit the model.

        Args:
            X: (samples, features) inputs.
            y: (samples,) targets, or (samples, outputs).
            sample_weight: weights of the samples.
            **kwargs: arguments for `Model.fit`.

        Returns:
            The estimator: `model_` is the fitted model, `history_` what `Model.fit` returned.

        Raises:
            ValueError: data that is not as said.
            TypeError: `model` is neither a model nor a function that returns one.
            RuntimeError: the model was compiled without a loss or an optimizer, or not at all.
        """
        goes_on = self.warm_start and hasattr(self, "model_")
        X, y = self._target(X, y, first=not goes_on)
        arguments = {**(self.fit_kwargs or {}), **kwargs}
        if sample_weight is not None:
            arguments["sample_weight"] = weights = column_or_1d(sample_weight)
            if not np.any(weights):
                raise ValueError(f"{type(self).__name__}: all weights in `sample_weight` are zero.")
        seed = None
        if self.random_state is not None:
            seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        with seeded(seed):
            model = self.model_ if goes_on else self._first_model(X, y)
            if not (model.compiled and model.loss and model.optimizer):
                raise RuntimeError(
                    f"{type(self).__name__}: the model must be compiled with a loss and an "
                    f"optimizer. Received: '{model.name}', compiled={model.compiled}, "
                    f"loss={model.loss!r}, optimizer={model.optimizer!r}"
                )
            self.history_ = model.fit(X, y, **arguments)
        self.model_ = model
        return self

    @property
    def epoch_(self) -> int:
        """How many epochs the fitted model was trained for, counted from its `initial_epoch`; 0
        before there is one."""
        history = getattr(self, "history_", None)
        return history.epoch[-1] + 1 if history is not None and history.epoch else 0

    def _first_model(self, X: np.ndarray, y: np.ndarray) -> Model:
        """Return the model that a fit begins with."""
        model = self.model
        if isinstance(model, Model):
            return model if self.warm_start else clone_model(model)
        if not callable(model):
            raise TypeError(
                f"{type(self).__name__}: `model` must be a model, or a function of X and y that "
                f"returns one. Received: {model!r} of type {type(model).__name__}"
            )
        made = model(X=X, y=y, **(self.model_kwargs or {}))
        if not isinstance(made, Model):
            raise TypeError(
                f"{type(self).__name__}: the function `model` must return a model. "
                f"Received: {made!r} of type {type(made).__name__}"
            )
        return made

    def _target(self, X: Any, y: Any, first: bool) -> tuple[np.ndarray, np.ndarray]:
        """Return the checked inputs, and what the model is to learn for them, 2-D at least."""
        raise NotImplementedError

    def _raw(self, X: Any) -> np.ndarray:
        """Return the model's outputs."""
        check_is_fitted(self)
        return self.model_.predict(validate_data(self, X, reset=False))
