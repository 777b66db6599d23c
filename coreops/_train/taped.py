"""A step of training whose loss is a model's own: a function in Python."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _plan, _tape
from .batch import Made, Targets, warn_of

if TYPE_CHECKING:
    from .compiled import Compiled


class TapedStep:
    """Trains a model that has a `compute_loss` of its own: all that leads to the loss is recorded,
    the model's call as one step. It is used as a TrainingStep is."""

    workspace = None

    def __init__(self, model: Any, compiled: Compiled, _: Any) -> None:
        self.masks: list[np.ndarray | None] = []
        self._model, self._compiled = model, compiled
        self._lock = threading.RLock()

    def is_current(self, compiled: Compiled) -> bool:
        """Whether this is what trains the model as it was compiled last."""
        return compiled is self._compiled

    is_kin = is_current

    def __call__(
        self,
        x: Sequence[np.ndarray],
        y: Targets,
        sample_weight: Targets = None,
        *,
        given: Any = None,
    ) -> Made:
        """Train on one batch. Returns the loss, before the update, those of the outputs, if the
        model has asked for them, and the predictions.

        Raises:
            ValueError: the loss is no scalar.
        """
        model = self._model
        with self._lock:
            variables = model.trainable_variables
            with _plan.deferring() as updates, _tape.recording(variables) as leaves:
                loss, losses, found = model._lose(x, y, sample_weight, training=True)
            total = float(_tape.value_of(loss))
            if math.isfinite(total):
                gradients = _tape.gradients([model.optimizer.scale_loss(loss)], [1], leaves)
                model.optimizer.apply(gradients, variables)
                for one in updates:
                    one()
            else:
                warn_of(total)
            self.masks = [mask for _, mask in found]
            return total, losses, [y_pred for y_pred, _ in found]

    def again(self, *_: Any) -> None:
        """Make no step: each is recorded anew."""

    def pull(self) -> None:
        """Do nothing: the Variables are up to date."""

    def release(self) -> None:
        """Do nothing, likewise."""
