"""SwapEMAWeights: judging a model by the moving averages of its weights."""

from __future__ import annotations

from typing import Any

from .callback import Callback


class SwapEMAWeights(Callback):
    """Puts the moving averages of the weights into the model while it is evaluated or predicts.

    The optimizer must keep them: `use_ema=True`.

    Args:
        swap_on_epoch: whether they are there at the end of an epoch too, for what other callbacks
            save; those stand after this one.

    Raises:
        ValueError: (from `fit`) the optimizer keeps no averages.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._swapped = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.swap_on_epoch:
            self._swap(False)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if not self.swap_on_epoch:
            return
        self._swap(True)
        if self.params and epoch == self.params["epochs"] - 1:
            # `fit` ends with the averages for weights: they are there already.
            for variable, average in self._pairs():
                average.assign(variable.value)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._swap(True)

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        self._swap(False)

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        self._swap(True)

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        self._swap(False)

    def _pairs(self) -> list[tuple[Any, Any]]:
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            raise ValueError(
                "SwapEMAWeights: the optimizer must keep moving averages, `use_ema=True`. "
                f"Received: {optimizer!r}"
            )
        return list(zip(optimizer._trainable_variables, optimizer._averages, strict=True))

    def _swap(self, averages: bool) -> None:
        """Let the model have the averages, or its own weights."""
        if averages == self._swapped:
            return
        for variable, average in self._pairs():
            own = variable.value
            variable.assign(average.value)
            average.assign(own)
        self._swapped = averages
