"""Compilable: what `compile` says of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..layers import Layer

if TYPE_CHECKING:
    from .._train.compiled import Compiled
    from ..callbacks import History

# Of these no plan knows: setting them makes none out of date.
_STATE = {
    "history",
    "jit_compile",
    "optimizer",
    "run_eagerly",
    "steps_per_execution",
    "stop_evaluating",
    "stop_predicting",
    "stop_training",
}


class Compilable(Layer):
    """A layer with an optimizer, a loss and metrics."""

    optimizer: Any = None
    history: History | None = None
    stop_training = stop_evaluating = stop_predicting = False
    run_eagerly = False
    jit_compile: Any = True
    steps_per_execution = 1
    _compilation: Compiled | None = None
    _own: frozenset[str] = frozenset()  # the parts of a step that the class defines itself
    _compile_arguments: Mapping[str, Any] = {}
    _output_keys: list[str] | None = None  # the names of the outputs of a model of several

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _STATE:
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Settle how the model is trained.

        Args:
            optimizer: an optimizer or its name.
            loss: a loss, its name, or a function of targets and predictions.
            loss_weights: a factor for it, or one for each of several.
            metrics: list of metrics, names, or functions of targets and predictions.
            weighted_metrics: the same; these get the sample weights.
            run_eagerly: accepted as in Keras.
            steps_per_execution: so many batches pass between two calls of batch hooks.
            jit_compile: accepted as in Keras; every model is compiled.
            auto_scale_loss: accepted as in Keras; nothing is computed in half precision.

        Raises:
            ValueError: an unknown optimizer, a malformed argument. Losses and metrics are looked
                up when they are first used.
        """
        from .._train.compiled import Compiled

        if not isinstance(steps_per_execution, (int, np.integer)) or steps_per_execution < 1:
            raise ValueError(
                "compile: `steps_per_execution` must be a positive int. "
                f"Received: {steps_per_execution!r}"
            )
        made = Compiled(optimizer, loss, loss_weights, metrics, weighted_metrics)
        if self._knows_outputs:
            made.expect(self._loss_keys)
        if jit_compile == "auto":
            jit_compile = not run_eagerly
        self._compilation = made
        self.optimizer = made.optimizer
        self.run_eagerly = run_eagerly
        self.jit_compile = bool(jit_compile)
        self.steps_per_execution = int(steps_per_execution)
        self.stop_training = False
        self.__dict__["_compile_arguments"] = {
            "optimizer": made.optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": int(steps_per_execution),
            "jit_compile": self.jit_compile,
        }

    @property
    def _knows_outputs(self) -> bool:
        return True

    @property
    def _loss_keys(self) -> list[str] | None:
        """What losses may be called by in a dict, None for a model of one output without a name."""
        return self._output_keys

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compilation is not None

    @property
    def loss(self) -> Any:
        """The loss as it was passed to `compile`."""
        return self._compile_arguments.get("loss")

    @property
    def metrics(self) -> list[Any]:
        """The mean of the loss and, once the first batch told which they are, the metrics."""
        return self._compilation.metrics if self._compilation is not None else super().metrics

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns, in its order."""
        return self._compilation.names if self._compilation is not None else []

    def get_metrics_result(self) -> dict[str, Any]:
        """Return the loss and the metrics of what was counted since they began, by name."""
        return self._compilation.results() if self._compilation is not None else {}

    def reset_metrics(self) -> None:
        """Let the metrics begin anew."""
        if self._compilation is not None:
            self._compilation.reset()

    def get_compile_config(self) -> dict[str, Any]:
        """Return the arguments of `compile` as a config, empty before it was called."""
        from ..saving.objects import serialize_keras_object

        return {key: serialize_keras_object(v) for key, v in self._compile_arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` returned."""
        from ..saving.objects import deserialize_keras_object

        self.compile(**{key: deserialize_keras_object(value) for key, value in config.items()})
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_weights)

    def _must_be_compiled(self, caller: str) -> Compiled:
        if self._compilation is None:
            raise ValueError(
                f"Model '{self.name}': call `compile(optimizer, loss)` before `{caller}()`."
            )
        return self._compilation

    def _must_learn(self, caller: str) -> None:
        compiled = self._must_be_compiled(caller)
        if compiled.optimizer is None:
            raise ValueError(f"{caller}: the model was compiled without an optimizer.")
        if not (
            compiled.has_loss
            or self._own & {"compute_loss", "train_step"}
            or any(variable.regularizer for variable in self.trainable_weights)
            or any(x.activity_regularizer or x._python_call for x in self._flatten_layers())
        ):
            raise ValueError(f"{caller}: there is nothing to learn: pass a `loss` to `compile()`.")
