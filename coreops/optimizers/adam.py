"""Adam and its kin: steps along the mean gradient, over the mean size of gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import _kernels
from .._arguments import check_numbers
from .._variables import Variable
from .optimizer import Optimizer


class Adam(Optimizer):
    """Adaptive moments.

    m += (1 - beta_1) (g - m); v += (1 - beta_2) (g^2 - v);
    w -= learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)

    Args:
        learning_rate: see `Optimizer`, which has all the other arguments too.
        beta_1: how much of the mean gradient m a step keeps.
        beta_2: how much of the mean square v a step keeps.
        epsilon: what keeps the division away from zero.
        amsgrad: whether the greatest v so far stands in for v.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        check_numbers(self.name, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def _slot_names(self) -> Sequence[Mapping[str, float]]:
        moments = {"momentum": 0.0, "velocity": 0.0}
        return (moments, {"velocity_hat": 0.0}) if self.amsgrad else (moments,)

    def _formula(self) -> tuple[str, float, float, float]:
        kind = "adam_amsgrad" if self.amsgrad else "adam"
        return kind, self.beta_1, self.beta_2, self.epsilon

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }


class AdamW(Adam):
    """`Adam` with weights that decay."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        *common: Any,
        **named: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, *common, **named
        )


class Adamax(Optimizer):
    """Adam with the greatest gradient for the mean square.

    m += (1 - beta_1) (g - m); u = max(beta_2 u, |g|);
    w -= learning_rate / (1 - beta_1^t) m / (u + epsilon)

    Args:
        learning_rate: see `Optimizer`, which has all the other arguments too.
        beta_1: how much of the mean gradient m a step keeps.
        beta_2: how much of the greatest gradient u a step keeps.
        epsilon: what keeps the division away from zero.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        check_numbers(self.name, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def _slot_names(self) -> Sequence[Mapping[str, float]]:
        return ({"momentum": 0.0, "norm": 0.0},)

    def _formula(self) -> tuple[str, float, float, float]:
        return "adamax", self.beta_1, self.beta_2, self.epsilon

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


class Nadam(Optimizer):
    """Adam that looks one step of its momentum ahead, with a momentum that grows from
    beta_1 / 2 to beta_1.

    Args:
        learning_rate: see `Optimizer`, which has all the other arguments too.
        beta_1, beta_2, epsilon: as in `Adam`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        check_numbers(self.name, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        dtype = variables[0].dtype if variables else None
        self._u_product = self.add_variable((), "ones", dtype)

    def _slot_names(self) -> Sequence[Mapping[str, float]]:
        return ({"momentum": 0.0, "velocity": 0.0},)

    def _formula(self) -> tuple[str, float, float, float]:
        return "nadam", self.beta_1, self.beta_2, self.epsilon

    def _follow(self, steps: int) -> None:
        rule = self._made or _kernels.Rule(*self._formula())
        updates = steps // (self.gradient_accumulation_steps or 1)
        self._u_product.assign(rule.nadam_product(updates))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }
