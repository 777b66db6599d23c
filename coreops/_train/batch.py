"""What a step of training is given, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _tape
from .._warnings import warn
from .parts import Passed

Targets = Sequence[np.ndarray | None] | None
Made = tuple[float, list[float], list[np.ndarray]]


class Batch(NamedTuple):
    """What the outputs of a batch are held against: for each of them, or None."""

    y: Targets
    weight: Targets


def several(arrays: Any) -> Any:
    """A list of arrays, also for one."""
    return [arrays] if isinstance(arrays, np.ndarray) else arrays


def penalties(passed: Passed) -> float:
    """Return the penalties on what the layers of a part gave, and what they added to the loss."""
    total = float(passed.part.forward.mean_penalty() or 0)
    return total + sum(float(_tape.value_of(loss)) for loss in passed.losses)


def options(options: dict[str, Any]) -> dict[str, Any]:
    """Return a loss's options as the kernels take them."""
    p = options.get("delta", options.get("label_smoothing", 0.0))
    return {"from_logits": bool(options.get("from_logits", False)), "p": float(p)}


def warn_of(total: float) -> None:
    """Say that a loss is no number to learn from."""
    warn(
        f"The loss of a batch is {total}: nothing is learnt from it, the weights stay as they are.",
        RuntimeWarning,
    )
