"""RMSprop, Adagrad and Adadelta: steps along the gradient, over the size of gradients so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._arguments import check_numbers
from .optimizer import Optimizer


class RMSprop(Optimizer):
    """Gradients over the root of their mean square v.

    v = rho v + (1 - rho) g^2; i = learning_rate g / sqrt(v + epsilon); w -= i

    Args:
        learning_rate: see `Optimizer`, which has all the other arguments too.
        rho: how much of the mean square a step keeps.
        momentum: how much of the last step the next one keeps: m = momentum m + i; w -= m.
        epsilon: what keeps the division away from zero.
        centered: whether the variance of gradients stands in for their mean square.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        check_numbers(self.name, rho=rho, momentum=momentum, epsilon=epsilon)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def _slot_names(self) -> Sequence[Mapping[str, float]]:
        momentum = ({"momentum": 0.0},) if self.momentum > 0 else ()
        mean = ({"average_gradient": 0.0},) if self.centered else ()
        return ({"velocity": 0.0}, *momentum, *mean)

    def _formula(self) -> tuple[str, float, float, float]:
        kind = "rmsprop" + "_centered" * self.centered + "_momentum" * (self.momentum > 0)
        return kind, self.rho, self.momentum, self.epsilon

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


class Adagrad(Optimizer):
    """Gradients over the root of the sum a of their squares.

    a += g^2; w -= learning_rate g / sqrt(a + epsilon)

    Args:
        learning_rate: see `Optimizer`, which has all the other arguments too.
        initial_accumulator_value: what a starts from.
        epsilon: what keeps the division away from zero.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        start = initial_accumulator_value
        check_numbers(self.name, initial_accumulator_value=start, epsilon=epsilon)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def _slot_names(self) -> Sequence[Mapping[str, float]]:
        return ({"accumulator": self.initial_accumulator_value},)

    def _formula(self) -> tuple[str, float, float, float]:
        return "adagrad", 0.0, 0.0, self.epsilon

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }


class Adadelta(Optimizer):
    """Gradients over the root of their mean square a, times that of the steps' mean square b.

    a = rho a + (1 - rho) g^2; d = g sqrt((b + epsilon) / (a + epsilon));
    b = rho b + (1 - rho) d^2; w -= learning_rate d

    Args:
        learning_rate: see `Optimizer`, which has all the other arguments too.
        rho: how much of the mean squares a step keeps.
        epsilon: what keeps the division away from zero.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        check_numbers(self.name, rho=rho, epsilon=epsilon)
        self.rho = rho
        self.epsilon = epsilon

    def _slot_names(self) -> Sequence[Mapping[str, float]]:
        return ({"accumulated_grad": 0.0, "accumulated_delta_var": 0.0},)

    def _formula(self) -> tuple[str, float, float, float]:
        return "adadelta", self.rho, 0.0, self.epsilon

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}
