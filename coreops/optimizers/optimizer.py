"""What all optimizers share: their arguments, their variables, and how a step goes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import _kernels, initializers
from .._arguments import check_numbers
from .._names import auto_name, to_snake_case
from .._variables import Variable
from .._warnings import warn
from ..saving import objects
from . import stepping
from .schedules import LearningRateSchedule
from .state import OptimizerState

# What Keras 1 and 2 wrote into configs besides.
_OLD_KEYS = ("decay", "jit_compile", "is_legacy_optimizer")


class Optimizer(OptimizerState):
    """Base class of the optimizers.

    A step clips the gradients, decays the weights, updates them, averages them and applies their
    constraints. A subclass of yours overrides `build`, which makes its variables, and
    `update_step`, in NumPy or `coreops.ops`.

    Args:
        learning_rate: a float, a schedule, or a callable without arguments.
        weight_decay: what is taken off every weight at a step, times the learning rate.
        clipnorm: the greatest norm of one gradient.
        clipvalue: the greatest absolute value of a gradient's elements.
        global_clipnorm: the greatest norm of all gradients together.
        use_ema: whether a moving average of the weights is kept.
        ema_momentum: how much of the average one update keeps.
        ema_overwrite_frequency: after how many updates the weights become their average; None:
            only in `finalize_variable_values`, which `fit` calls at its end.
        loss_scale_factor: what `apply` divides gradients by; a model's training multiplies before.
        gradient_accumulation_steps: how many steps make one update, with the mean of their
            gradients.
        name: by default the class's name in snake case.

    Raises:
        ValueError: for an argument outside its range, or one that no optimizer has.
    """

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._start(auto_name(to_snake_case(type(self).__name__)) if name is None else name)
        if kwargs.pop("decay", None) is not None:
            warn("Argument `decay` is no longer supported and will be ignored.")
        if kwargs:
            hint = " It is `learning_rate` now." if "lr" in kwargs else ""
            raise ValueError(f"Argument(s) not recognized: {kwargs}.{hint}")
        _check_arguments(
            clips={
                "clipnorm": clipnorm,
                "clipvalue": clipvalue,
                "global_clipnorm": global_clipnorm,
            },
            ema=(ema_momentum, ema_overwrite_frequency) if use_ema else None,
            steps=gradient_accumulation_steps,
        )
        numbers = {
            "clipnorm": clipnorm,
            "clipvalue": clipvalue,
            "global_clipnorm": global_clipnorm,
            "weight_decay": weight_decay,
            "loss_scale_factor": loss_scale_factor,
        }
        check_numbers(
            self.name, **{key: value for key, value in numbers.items() if value is not None}
        )
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._undecayed: set[Variable] = set()
        self._undecayed_names: re.Pattern[str] | None = None
        if not callable(learning_rate):
            if not isinstance(learning_rate, float):
                raise ValueError(
                    "Argument `learning_rate` should be float, or an instance of "
                    "LearningRateSchedule, or a callable (that returns the learning rate). "
                    f"Received instead: learning_rate={learning_rate!r}"
                )
            initial = initializers.Constant(learning_rate)
            learning_rate = self.add_variable((), initial, name="learning_rate")
        self._learning_rate = learning_rate

    # ----------------------------------------------------------------------- the learning rate

    @property
    def learning_rate(self) -> Any:
        """The rate of the next step: a Variable, unless a schedule or callable says it."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(self._iterations)
        return self._learning_rate if self._is_settable() else self._learning_rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        if callable(learning_rate):
            if self._is_settable():
                self._variables = [v for v in self._variables if v is not self._learning_rate]
            self._learning_rate = learning_rate
        elif self._is_settable():
            self._learning_rate.assign(learning_rate)
        else:
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object or a callable as "
                "its `learning_rate`, hence its learning rate is not settable. Create the "
                "optimizer with a float `learning_rate` to set it."
            )

    def _is_settable(self) -> bool:
        return isinstance(self._learning_rate, Variable)

    def _fixed_rate(self) -> float | None:
        """Return the learning rate until it is assigned to; None if every step has its own."""
        return float(self._learning_rate) if self._is_settable() else None

    def _rate(self, step: int) -> float:
        """Return the learning rate of the step that comes after `step` others."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return float(self._learning_rate(np.int32(step)))
        return float(self._learning_rate if self._is_settable() else self._learning_rate())

    # ------------------------------------------------------------------------------------ steps

    def apply(self, grads: Any, trainable_variables: Iterable[Variable] | None = None) -> None:
        """Make one step.

        Args:
            grads: an array, or None, for each weight.
            trainable_variables: the weights; by default those that the optimizer was built for.

        Raises:
            ValueError: if there is no gradient at all, or none or too many for a weight, or for
                a weight that the optimizer was not built for.
        """
        stepping.apply(self, list(grads), trainable_variables)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Variable:
        """Make one step with pairs (gradient, weight); return the variable that counts steps."""
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)
        return self._iterations

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update one weight by its gradient, which is clipped; the weight has decayed."""
        formula = self._formula()
        if formula is None:
            raise NotImplementedError(f"{type(self).__name__} must override `update_step()`.")
        rule = _kernels.Rule(*formula)
        rule.prepare(int(self.iterations), float(learning_rate))
        slots = [made[self._indices[variable]] for made in self._slot_lists]
        stepping.run(rule, np.asarray(gradient), variable, slots)

    def _formula(self) -> tuple[str, float, float, float] | None:
        """Return a rule's kind (csrc/update.h), p, q and epsilon; None if no kernel has it."""
        return None

    def _rule(self, step: int) -> _kernels.Rule | None:
        """Return the rule, ready for the step that comes after `step` others; None if only
        `apply` can do it. `_advance` is for the caller to say when the steps are made."""
        rule = self._its_rule()
        return None if rule is None else rule.prepare(step, self._rate(step))

    def _its_rule(self) -> _kernels.Rule | None:
        """Return the rule, which is the same until an argument is assigned to."""
        cls = type(self)
        if cls.update_step is not Optimizer.update_step or cls.apply is not Optimizer.apply:
            return None
        if self._made is None:
            object.__setattr__(self, "_made", stepping.make_rule(self))
        return self._made

    def assign(self, variable: Variable, value: Any) -> None:
        """Replace a variable's value."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable's value."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable's value."""
        variable.assign_sub(value)

    def scale_loss(self, loss: Any) -> Any:
        """Return the loss times `loss_scale_factor`."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """With `use_ema`, let the weights become their average."""
        if not self.use_ema:
            return
        if len(var_list) != len(self._averages):
            raise ValueError(
                f"The optimizer averages {len(self._averages)} weights. Received {len(var_list)}: "
                "check that it was called on your model."
            )
        for variable, average in zip(var_list, self._averages, strict=True):
            variable.assign(average)

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Let some weights not decay; to be called before the first step.

        Args:
            var_list: these weights.
            var_names: weights in whose name one of these patterns is found.
        """
        self._undecayed = set(var_list or ())
        names = set(var_names or ())
        self._undecayed_names = re.compile("|".join(sorted(names))) if names else None

    def _decays(self, variable: Variable) -> bool:
        """Return whether weight decay, if there is any, acts on the weight."""
        named = self._undecayed_names
        return variable not in self._undecayed and not (named and named.search(variable.name))

    # ----------------------------------------------------------------------------------- configs

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds it from."""
        rate = self._learning_rate
        settable = self._is_settable()
        return {
            "name": self.name,
            "learning_rate": float(rate) if settable else objects.serialize_keras_object(rate),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Optimizer:
        """Return the optimizer of a config, also one that an older Keras wrote."""
        config = {key: value for key, value in config.items() if key not in _OLD_KEYS}
        if "lr" in config:
            config["learning_rate"] = config.pop("lr")
        rate = config.get("learning_rate")
        if isinstance(rate, dict):
            config["learning_rate"] = objects.deserialize_keras_object(rate, custom_objects)
        elif isinstance(rate, int):
            config["learning_rate"] = float(rate)
        return cls(**config)


def _check_arguments(
    clips: Mapping[str, Any], ema: tuple[float, int | None] | None, steps: int | None
) -> None:
    if sum(bound is not None for bound in clips.values()) > 1:
        received = ", ".join(f"{name}={bound}" for name, bound in clips.items())
        raise ValueError(
            "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
            f"Received: {received}"
        )
    if steps and not steps >= 2:
        raise ValueError(
            "`gradient_accumulation_steps` must be an integer >= 2. "
            f"Received: gradient_accumulation_steps={steps}"
        )
    if ema is None:
        return
    momentum, every = ema
    check_numbers("optimizer", ema_momentum=momentum)
    if not 0 <= momentum <= 1:
        raise ValueError(
            f"`ema_momentum` must be in the range [0, 1]. Received: ema_momentum={momentum}"
        )
    if every and (not isinstance(every, int) or every < 1):
        raise ValueError(
            "`ema_overwrite_frequency` must be an integer >= 1 or None. "
            f"Received: ema_overwrite_frequency={every}"
        )
