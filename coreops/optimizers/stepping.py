"""How a step is made: by the kernel that does all of it in one pass, or by a user's `update_step`.

Gradients here are the loss' whole gradients, penalties included; a trainer in C has the kernel
add those of the penalties.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import _kernels
from .._variables import Variable
from .._warnings import warn

if TYPE_CHECKING:
    from .optimizer import Optimizer

Pairs = list[tuple[np.ndarray, Variable]]


def apply(
    optimizer: Optimizer, grads: list[Any], trainable_variables: Iterable[Variable] | None
) -> None:
    """Make one step: see `Optimizer.apply`."""
    if not grads:
        return
    variables = _variables(optimizer, len(grads), trainable_variables)
    pairs = _given(grads, variables)
    step = int(optimizer._iterations)
    rule = optimizer._rule(step)
    if rule is None:
        _apply_in_python(optimizer, step, pairs)
    else:
        _apply_rule(optimizer, rule, pairs)
        updated = {variable for _, variable in pairs}
        _average(optimizer, step, [v for v in optimizer._trainable_variables if v not in updated])
    for _, variable in pairs:
        if variable.constraint is not None:
            variable.assign(variable.constraint(variable.value))
    optimizer._advance(step + 1)


def _variables(
    optimizer: Optimizer, count: int, trainable_variables: Iterable[Variable] | None
) -> list[Variable]:
    if trainable_variables is None:
        if not optimizer.built:
            raise ValueError(
                "When passing `grads` without `variables`, the optimizer must already be built on "
                "a list of variables. Call `optimizer.build(trainable_variables)` first."
            )
        variables = optimizer._trainable_variables
    else:
        variables = list(trainable_variables)
        if not optimizer.built:
            optimizer.build(variables)
            optimizer.built = True
    if count != len(variables):
        raise ValueError(
            f"Expected one gradient for each of {len(variables)} variables. "
            f"Received a list of {count} gradients."
        )
    optimizer._must_know(variables)
    return variables


def _given(grads: list[Any], variables: list[Variable]) -> Pairs:
    """Return the pairs that have a gradient, as an array of the weight's shape."""
    pairs = []
    missing = []
    for grad, variable in zip(grads, variables, strict=True):
        if grad is None:
            missing.append(variable.path)
            continue
        grad = np.asarray(grad)
        if grad.shape != variable.shape:
            raise ValueError(
                f"Expected a gradient of shape {variable.shape} for variable "
                f"'{variable.path}'. Received shape: {grad.shape}"
            )
        pairs.append((grad, variable))
    if not pairs:
        raise ValueError("No gradients provided for any variable.")
    if missing:
        warn(f"Gradients do not exist for variables {missing} when minimizing the loss.")
    return pairs


# ------------------------------------------------------------------------------------ the kernel


def make_rule(optimizer: Optimizer) -> _kernels.Rule | None:
    """Return the rule of the optimizer's arguments, None if no kernel has its formula."""
    formula = optimizer._formula()
    if formula is None:
        return None
    norm, all_at_once = _norm(optimizer)
    return _kernels.Rule(
        *formula,
        weight_decay=optimizer.weight_decay or 0.0,
        clip=_bound(None if norm < math.inf else optimizer.clipvalue),
        norm=norm,
        all_at_once=all_at_once,
        accumulate=optimizer.gradient_accumulation_steps or 1,
        averages=optimizer.use_ema,
        ema_momentum=optimizer.ema_momentum,
        overwrite_every=optimizer.ema_overwrite_frequency or 0,
    )


def _bound(value: float | None) -> float:
    """Return an argument that clips; those that are None or not positive do not."""
    return value if value and value > 0 else math.inf


def _norm(optimizer: Optimizer) -> tuple[float, bool]:
    """Return the greatest norm, and whether it is that of all gradients together."""
    own = _bound(optimizer.clipnorm)
    return (own, False) if own < math.inf else (_bound(optimizer.global_clipnorm), True)


def _real(array: Any, dtype: str) -> np.ndarray:
    """Return a copy in a type that kernels compute in."""
    return np.array(array, dtype=dtype if dtype in ("float32", "float64") else "float32", order="C")


def run(
    rule: _kernels.Rule,
    grad: np.ndarray,
    variable: Variable,
    slots: Sequence[Variable],
    **terms: Any,
) -> None:
    """Apply a rule to a variable and its slots."""
    w, g, *arrays = (_real(a, variable.dtype) for a in (variable.value, grad, *slots))
    rule.apply(w, g, arrays, **terms)
    variable.assign(w)
    for slot, array in zip(slots, arrays, strict=True):
        slot.assign(array)


def _apply_rule(optimizer: Optimizer, rule: _kernels.Rule, pairs: Pairs) -> None:
    scale = 1 / (optimizer.loss_scale_factor or 1.0)
    slots = [optimizer._slots(variable) for _, variable in pairs]
    factors = [1.0] * len(pairs)
    clips, all_at_once = rule.clips_norm
    if clips and not rule.gathers:
        sums = []
        for (grad, variable), own in zip(pairs, slots, strict=True):
            w, g, *arrays = (_real(a, variable.dtype) for a in (variable.value, grad, *own))
            sums.append(rule.sum_of_squares(w, g, arrays, scale=scale))
        sums = [sum(sums)] * len(sums) if all_at_once else sums
        factors = [rule.factor(total) for total in sums]
    for (grad, variable), own, factor in zip(pairs, slots, factors, strict=True):
        decays = optimizer._decays(variable)
        run(rule, grad, variable, own, scale=scale, factor=factor, decays=decays)


# ------------------------------------------------------------------------------------ in Python


def _apply_in_python(optimizer: Optimizer, step: int, pairs: Pairs) -> None:
    variables = [variable for _, variable in pairs]
    scale = optimizer.loss_scale_factor or 1.0
    grads = [grad.astype(v.dtype, copy=False) / v.value.dtype.type(scale) for grad, v in pairs]
    steps = optimizer.gradient_accumulation_steps or 1
    if steps > 1:
        gathered = [optimizer._gathered[optimizer._indices[v]] for v in variables]
        grads = [g + before.value for g, before in zip(grads, gathered, strict=True)]
        updates = (step + 1) % steps == 0
        for before, grad in zip(gathered, grads, strict=True):
            before.assign(np.zeros_like(grad) if updates else grad)
        grads = [grad / grad.dtype.type(steps) for grad in grads] if updates else []
    if grads:
        rate = optimizer.learning_rate
        for grad, variable in zip(_clipped(optimizer, grads), variables, strict=True):
            if optimizer.weight_decay is not None and optimizer._decays(variable):
                decay = variable.value.dtype.type(float(rate) * optimizer.weight_decay)
                variable.assign_sub(variable.value * decay)
            optimizer.update_step(grad, variable, rate)
    _average(optimizer, step, optimizer._trainable_variables)


def _clipped(optimizer: Optimizer, grads: list[np.ndarray]) -> list[np.ndarray]:
    norm, all_at_once = _norm(optimizer)
    if norm < math.inf:
        rule = _kernels.Rule("sgd", norm=norm, all_at_once=all_at_once)
        sums = [float(np.sum(np.square(grad, dtype=np.float64))) for grad in grads]
        sums = [sum(sums)] * len(sums) if all_at_once else sums
        pairs = zip(grads, sums, strict=True)
        return [grad * grad.dtype.type(rule.factor(total)) for grad, total in pairs]
    bound = _bound(optimizer.clipvalue)
    return [np.clip(grad, -bound, bound) for grad in grads] if bound < math.inf else grads


def _average(optimizer: Optimizer, step: int, variables: Iterable[Variable]) -> None:
    """Average these weights, as the kernel does those that it updates."""
    if not optimizer.use_ema:
        return
    updates = step // (optimizer.gradient_accumulation_steps or 1)
    every = optimizer.ema_overwrite_frequency
    for variable in variables:
        average = optimizer._averages[optimizer._indices[variable]]
        keep = average.value.dtype.type(optimizer.ema_momentum if updates else 0)
        average.assign(keep * average.value + (1 - keep) * variable.value)
        if every and (updates + 1) % every == 0:
            variable.assign(average.value)
