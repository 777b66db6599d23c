"""SGD and Lion: steps along the gradient or its mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._arguments import check_numbers
from .optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, with momentum m = momentum m - learning_rate g, w += m.

    Args:
        learning_rate: see `Optimizer`, which has all the other arguments too.
        momentum: how much of the last step the next one keeps.
        nesterov: whether w += momentum m - learning_rate g instead.

    Raises:
        ValueError: for a momentum that is not a float in [0, 1].
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        if not isinstance(momentum, float) or not 0 <= momentum <= 1:
            raise ValueError(
                f"`momentum` must be a float between [0, 1]. Received: momentum={momentum!r}"
            )
        self.momentum = momentum
        self.nesterov = nesterov

    def _slot_names(self) -> Sequence[Mapping[str, float]]:
        return ({"momentum": 0.0},) if self.momentum else ()

    def _formula(self) -> tuple[str, float, float, float]:
        kind = "sgd_nesterov" if self.nesterov else "sgd_momentum"
        return kind if self.momentum else "sgd", self.momentum, 0.0, 0.0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}


class Lion(Optimizer):
    """Steps of one size: w -= learning_rate sign(beta_1 m + (1 - beta_1) g), then
    m = beta_2 m + (1 - beta_2) g.

    Args:
        learning_rate: see `Optimizer`, which has all the other arguments too.
        beta_1: the part of the mean gradient in a step, in (0, 1].
        beta_2: how much of it a step keeps.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        *common: Any,
        **named: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **named)
        check_numbers(self.name, beta_1=beta_1, beta_2=beta_2)
        if not 0 < beta_1 <= 1:
            raise ValueError(
                "Argument `beta_1` must be in the (0, 1] range. Otherwise, the optimizer "
                f"degenerates to SignSGD. Received: beta_1={beta_1}."
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def _slot_names(self) -> Sequence[Mapping[str, float]]:
        return ({"momentum": 0.0},)

    def _formula(self) -> tuple[str, float, float, float]:
        return "lion", self.beta_1, self.beta_2, 0.0

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}
