"""Follow the regularized leader: the one optimizer that no kernel has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._arguments import check_numbers
from .._variables import Variable
from .optimizer import Optimizer


class Ftrl(Optimizer):
    """Follow the regularized leader, which sets weights of little use to zero.

    With n the sum of squares before and after the step, k = -learning_rate_power, and
    l2 = l2_regularization_strength + beta / (2 learning_rate):
    z += g + 2 l2_shrinkage w - (n_after^k - n_before^k) / learning_rate w;
    w = (clip(z, -l1, l1) - z) / (n_after^k / learning_rate + 2 l2)

    Args:
        learning_rate: see `Optimizer`, which has all the other arguments too.
        learning_rate_power: at most 0; 0 for a fixed rate.
        initial_accumulator_value: what n starts from.
        l1_regularization_strength: l1.
        l2_regularization_strength: its part of l2.
        l2_shrinkage_regularization_strength: a penalty on the weights' size.
        beta: its part of l2.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        check_numbers(self.name, learning_rate_power=learning_rate_power, beta=beta)
        if learning_rate_power > 0:
            raise ValueError(
                "`learning_rate_power` needs to be negative or zero. "
                f"Received: learning_rate_power={learning_rate_power}."
            )
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        for name in ("initial_accumulator_value", *_STRENGTHS):
            value = getattr(self, name)
            check_numbers(self.name, **{name: value})
            if value < 0:
                raise ValueError(
                    f"`{name}` needs to be positive or zero. Received: {name}={value}."
                )
        self.beta = beta

    def _slot_names(self) -> Sequence[Mapping[str, float]]:
        return ({"accumulator": self.initial_accumulator_value, "linear": 0.0},)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        i = self._indices[variable]
        squares, linear = (made[i] for made in self._slot_lists)
        real = variable.value.dtype.type
        rate = real(float(learning_rate))
        l1, l2, shrinkage = (real(getattr(self, name)) for name in _STRENGTHS)
        l2 += real(self.beta) / (2 * rate)
        before, after = squares.value, squares.value + np.square(gradient)
        power = real(-self.learning_rate_power)
        drift = (after**power - before**power) / rate
        z = linear.value + (gradient + 2 * shrinkage * variable.value - drift * variable.value)
        squares.assign(after)
        linear.assign(z)
        variable.assign((np.clip(z, -l1, l1) - z) / (after**power / rate + 2 * l2))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            **{name: getattr(self, name) for name in _STRENGTHS},
            "beta": self.beta,
        }


_STRENGTHS = (
    "l1_regularization_strength",
    "l2_regularization_strength",
    "l2_shrinkage_regularization_strength",
)
