"""Stepping: what a subclass may make its own of a step - the loss, the metrics, the step itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import _plan, _tape
from .._symbolic import leaves, repack
from .._train.arrays import Batch, for_outputs
from .._train.compiled import Compiled
from .._train.step import TrainingStep
from .._train.taped import TapedStep
from ..utils import pack_x_y_sample_weight, unpack_x_y_sample_weight
from .judging import Judge
from .tried import apart

_MOST_STEPS = 4  # of a model, for as many choices of weights that learn

_PARTS = (
    "compute_loss",
    "compute_metrics",
    "reset_metrics",
    "train_step",
    "test_step",
    "predict_step",
)


class Stepping(Judge):
    """A compiled layer that makes steps: of training, of judging and of predicting.

    Targets are those of the outputs, one array for each. Where the class has a loss or a step of
    its own they are what that takes: arrays in any structure, which go to it as they were passed.
    """

    _forms: Mapping[str, Any] = {}  # how such targets, and weights, are put together
    _foreign: str | None = None  # a step of the class that takes more than a batch
    _is_free = False  # whether the targets of a feed are such
    _loses = False  # whether those of a step are: it has its own loss
    _is_plain = True  # whether losses and metrics are those of `compile` alone

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        own = {name for name in _PARTS if getattr(cls, name) is not getattr(Stepping, name)}
        cls._own = frozenset(own)
        cls._is_free = bool(own & {"compute_loss", "train_step", "test_step"})
        cls._loses = "compute_loss" in own
        cls._is_plain = not own & {"compute_loss", "compute_metrics"}
        steps = (name for name in _PARTS if name in own and name.endswith("_step"))
        cls._foreign = next((name for name in steps if len(_needed(getattr(cls, name))) > 2), None)

    def _begin(self, compiled: Compiled) -> None:
        """Begin to count anew.

        Raises:
            NotImplementedError: the class has a step of a form that is not supported.
        """
        compiled.reset()
        if not self._own:
            return
        self.__dict__["_logs"] = None
        if self._foreign is not None:
            raise NotImplementedError(
                f"{type(self).__name__}: `{self._foreign}` takes a batch and returns logs: "
                f"`{self._foreign}(self, data)`. Received one that takes "
                f"{_needed(getattr(type(self), self._foreign))}, as Keras has it on JAX."
            )
        if "reset_metrics" in self._own:
            self.reset_metrics()

    # --- what may be overridden -------------------------------------------------------------

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return what training makes small: the loss that the model was compiled with, and its
        `losses`. A subclass may return another scalar, made by `coreops.ops`.

        Args:
            x: the inputs of a batch.
            y: its targets.
            y_pred: what the model makes of the inputs.
            sample_weight: weights of the samples, or None.
            training: whether the model learns from it.
        """
        compiled = self._must_be_compiled("compute_loss")
        targets, preds, weights = self._of_outputs("compute_loss", y, y_pred, sample_weight)
        compiled.meet(targets, preds)
        losses = compiled.losses(targets, preds, weights)
        self.__dict__["_asked"] = [float(_tape.value_of(loss)) for loss in losses]
        return sum(self.losses, compiled.weighed(losses))

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Count a batch in the metrics that the model was compiled with; return the loss and the
        metrics so far. A subclass may add to these."""
        compiled = self._must_be_compiled("compute_metrics")
        if compiled.has_metrics:
            targets, preds, weights = self._of_outputs("compute_metrics", y, y_pred, sample_weight)
            compiled.meet(targets, preds)
            compiled.measure(targets, preds, weights, list(map(_plan.mask_of, preds)))
        return self.get_metrics_result()

    def train_step(self, data: Any) -> dict[str, Any]:
        """Make a step of training on a batch: `(x, y, sample_weight)`, or what there is of it.
        Returns the loss and the metrics so far; a subclass may change the batch, and add to
        these."""
        batch = self._batch_of("train_step", *unpack_x_y_sample_weight(data), None)
        self._must_learn("train_step")
        self._make_step(self._training_step(), self._must_be_compiled("train_step"), batch)
        return self._results()

    def test_step(self, data: Any) -> dict[str, Any]:
        """Judge a batch, as `train_step` learns from one."""
        batch = self._batch_of("test_step", *unpack_x_y_sample_weight(data), None)
        self._counting(self._must_be_compiled("test_step"))(*batch)
        return self._results()

    def predict_step(self, data: Any) -> Any:
        """Return what the model makes of the inputs of a batch."""
        return self(unpack_x_y_sample_weight(data)[0], training=False)

    # --- how steps are made -----------------------------------------------------------------

    def _training_step(self) -> TrainingStep | TapedStep:
        """Return what trains the model as it is now: its layers, which of their weights learn, and
        what `compile` said last."""
        compiled = self._must_be_compiled("fit")
        steps = self._programs.get("steps", [])
        step = next((one for one in steps if one.is_current(compiled)), None)
        if step is None:
            kin = [one for one in steps if one.is_kin(compiled)]
            if not kin:
                self._drop_steps()
            kind = TapedStep if self._loses else TrainingStep
            step = kind(self, compiled, kin[0].workspace if kin else None)
            self._programs["steps"] = [*kin, step][-_MOST_STEPS:]
        self._programs["step"] = step
        return step

    def _train_on(self, step: Any, compiled: Compiled, batch: Batch) -> None:
        """Make a step on a batch out of a feed."""
        if self._is_free:
            self._keep(self.train_step(self._as_data(batch)))
        else:
            self._make_step(step, compiled, batch)

    def _make_step(self, step: Any, compiled: Compiled, batch: Batch) -> None:
        made = step.again(compiled, *batch)
        if made is None:
            self._learn(step, compiled, batch, batch[:2])
        else:
            self._count(compiled, made[0], batch, step.masks)

    def _learn(self, step: Any, compiled: Compiled, batch: Batch, given: tuple[Any, Any]) -> None:
        """Make a step unlike the last one, and count it. given: inputs and targets as they were
        passed."""
        x, y, weight = batch
        made = step(self._adapt_all(x), y, weight, given=given)
        self._count(compiled, made, batch, step.masks)

    def _examiner(self, compiled: Compiled) -> Any:
        if self._is_free:
            return lambda *batch: self._keep(self.test_step(self._as_data(batch)))
        return self._counting(compiled)

    def _forecaster(self) -> tuple[Callable[[list], list[np.ndarray]], Callable[[list], Any]]:
        if "predict_step" not in self._own:
            return super()._forecaster()
        made: Any = None

        def predict(batch: list[np.ndarray]) -> list[np.ndarray]:
            nonlocal made
            made = self.predict_step(self._as_data((batch, None, None)))
            return leaves(made)

        return predict, lambda flat: repack(made, flat)

    def _counting(self, compiled: Compiled) -> Any:
        """Return a function that judges a batch by what `compile` said, or by the class's own
        loss and metrics, and counts it."""
        if self._is_plain:
            return super()._examiner(compiled)

        def examine(x: Any, y: Any, weight: Any) -> None:
            batch = x, y, weight
            loss, losses, found = self._lose(x, y, weight, training=False)
            y_pred, masks = [y for y, _ in found], [mask for _, mask in found]
            self._count(compiled, (float(loss), losses, y_pred), batch, masks)

        return examine

    def _lose(
        self, x: Any, y: Any, weight: Any, training: bool
    ) -> tuple[Any, list[float], list[_plan.Item]]:
        """Return the loss of a batch by `compute_loss`, those of the outputs, and what came out.

        Raises:
            ValueError: the loss is no scalar.
        """
        compiled = self._must_be_compiled("fit")
        self.__dict__["_asked"] = None
        inputs, targets, weights = self._as_passed((x, y, weight), self._loses)
        arguments = {"x": inputs, "y": targets, "sample_weight": weights, "training": training}
        if "training" not in inspect.signature(self.compute_loss).parameters:
            del arguments["training"]
        self._clear_losses()
        try:
            with _plan.python_scope(training):  # where no call goes past the tape
                y_pred = self(inputs)
            loss = self.compute_loss(y_pred=y_pred, **arguments)
        finally:  # what was recorded would stay as long as they
            for layer in self._flatten_layers():
                layer.__dict__["_call_losses"] = [_tape.value_of(one) for one in layer._call_losses]
        if np.ndim(_tape.value_of(loss)):
            raise ValueError(
                f"{type(self).__name__}: `compute_loss` must return a scalar. "
                f"Received: {loss!r} of shape {loss.shape}"
            )
        found = [(np.asarray(_tape.value_of(one)), _plan.mask_of(one)) for one in leaves(y_pred)]
        return loss, self._asked or [0.0] * len(compiled.judged), found

    _asked: list[float] | None = None  # losses of the outputs, if `compute_loss` here was asked

    def _count(self, compiled: Compiled, made: Any, batch: Any, masks: Any) -> None:
        """Count a batch's loss, those of the outputs, and its predictions."""
        loss, losses, y_pred = made
        if self._is_plain:
            _, y, weight = batch
            compiled.meet(y, y_pred)
            compiled.update(loss, losses, y, y_pred, weight, masks)
            return
        compiled.count(loss, losses, len(y_pred[0]))
        x, y, weight = self._as_passed(batch, self._loses)
        found = [_plan.KerasArray.attach(*item) for item in zip(y_pred, masks, strict=True)]
        self._keep(self.compute_metrics(x, y, self._packed(found), weight))

    # --- batches as the class's own steps take them -------------------------------------------

    def _free(self, caller: str) -> Callable[[str, Any], list[Any]] | None:
        inside = caller in ("train_step", "test_step")
        return self._take_targets if (self._loses if inside else self._is_free) else None

    def _take_targets(self, name: str, value: Any) -> list[Any]:
        """Return targets or weights in a list, and remember their form."""
        form, flat = apart(value)
        self.__dict__["_forms"] = {**self._forms, name: form}
        return flat

    def _as_passed(self, batch: Any, free: bool) -> tuple[Any, Any, Any]:
        """Return inputs, targets and weights in the form in which they were passed or, where these
        are the outputs', in that of the outputs."""
        x, y, weight = batch
        return (
            self._put_together(x),
            self._formed("y", y, free),
            self._formed("sample_weight", weight, free),
        )

    def _formed(self, name: str, flat: Any, free: bool) -> Any:
        if flat is None:
            return None
        return repack(self._forms.get(name, 0), flat) if free else self._packed(flat)

    def _as_data(self, batch: Any) -> Any:
        return pack_x_y_sample_weight(*self._as_passed(batch, self._is_free))

    def _of_outputs(self, caller: str, y: Any, y_pred: Any, weight: Any) -> tuple[Any, Any, Any]:
        """Return targets, predictions and weights as lists, one for each output."""
        options = self._options(caller)._replace(free=None)
        names = list(self._output_keys or ())
        targets, weights = (
            for_outputs(value, name, names, options)
            for name, value in (("y", y), ("sample_weight", weight))
        )
        return targets, leaves(y_pred), weights


def _needed(step: Callable) -> list[str]:
    """Return the parameters that a function must be given."""
    parameters = inspect.signature(step).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind < p.VAR_POSITIONAL]
