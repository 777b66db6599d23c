"""Functions between symbolic tensors as steps of a plan; where one returns None, Python computes.

Each takes what its function takes in a call, a Value for each symbolic tensor, and the options.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, prod
from typing import Any

import numpy as np

from ... import _kernels
from ..._plan import Flow, Value, affine, merging
from ...ops import nn
from . import pieces

_SCALARS = (bool, int, float, np.number, np.bool_)


def _is_one_shape(*xs: Any) -> bool:
    """Whether all are symbolic tensors of one number of axes, whose first is the samples'."""
    return all(isinstance(x, Value) for x in xs) and len({len(x.shape) for x in xs}) == 1


def _constant(flow: Flow, x: Any, like: Any) -> np.ndarray | None:
    """A constant as an array that broadcasts to a sample of a symbolic tensor, if it does."""
    if isinstance(x, _SCALARS):
        return np.asarray(x, flow.plan.dtype)
    if not isinstance(x, np.ndarray) or not isinstance(like, Value):
        return None
    rank = len(like.shape)
    if x.ndim == rank + 1 and x.shape[0] == 1:
        x = x[0]
    sizes = zip(x.shape[::-1], like.shape[::-1], strict=False)
    fits = x.ndim <= rank and all(n in (1, size) for n, size in sizes)
    return x.astype(flow.plan.dtype) if fits else None


def _scaled(flow: Flow, x: Value, factor: np.ndarray) -> Value:
    if factor.ndim:
        return affine(flow, x, factor)
    return x._replace(id=_kernels.plan_scale(flow.plan, x.id, float(factor)))


def _shifted(flow: Flow, x: Value, shift: np.ndarray, factor: int = 1) -> Value:
    return affine(flow, x, np.asarray(factor, shift.dtype), None, shift)


def _commuting(flow: Flow, kind: str, x1: Any, x2: Any, by_constant: Any) -> Value | None:
    """A merge of two values, or `by_constant` of the value and the constant, on whichever side."""
    if _is_one_shape(x1, x2):
        return merging.merge(flow, kind, [x1, x2])
    x, c = (x1, x2) if isinstance(x1, Value) else (x2, x1)
    constant = _constant(flow, c, x)
    return None if constant is None else by_constant(flow, x, constant)


def _add(flow: Flow, x1: Any, x2: Any) -> Value | None:
    return _commuting(flow, "add", x1, x2, _shifted)


def _subtract(flow: Flow, x1: Any, x2: Any) -> Value | None:
    if _is_one_shape(x1, x2):
        return merging.merge(flow, "subtract", [x1, x2])
    if isinstance(x1, Value):
        shift = _constant(flow, x2, x1)
        return None if shift is None else _shifted(flow, x1, -shift)
    shift = _constant(flow, x1, x2)
    if shift is None:
        return None
    return _shifted(flow, x2, shift, -1)


def _multiply(flow: Flow, x1: Any, x2: Any) -> Value | None:
    return _commuting(flow, "multiply", x1, x2, _scaled)


def _divide(flow: Flow, x1: Any, x2: Any) -> Value | None:
    if _is_one_shape(x1, x2):
        return merging.merge(flow, "divide", [x1, x2])
    if isinstance(x1, _SCALARS) and isinstance(x2, Value):
        return flow.act(x2, "over", float(x1))
    divisor = _constant(flow, x2, x1)
    if divisor is None or not divisor.all():
        return None
    return _scaled(flow, x1, 1 / divisor)


def _power(flow: Flow, x1: Any, x2: Any) -> Value | None:
    is_square = isinstance(x2, _SCALARS) and x2 == 2 and isinstance(x1, Value)
    return _square(flow, x1) if is_square else None


def _square(flow: Flow, x: Value) -> Value:
    return merging.merge(flow, "multiply", [x, x])


def _negative(flow: Flow, x: Value) -> Value:
    return _scaled(flow, x, np.asarray(-1.0))


def _extreme(how: str) -> Callable[..., Value | None]:
    def step(flow: Flow, x1: Any, x2: Any) -> Value | None:
        if _is_one_shape(x1, x2):
            return merging.merge(flow, how, [x1, x2])
        x, c = (x1, x2) if isinstance(x1, Value) else (x2, x1)
        if not isinstance(c, _SCALARS) or flow.trains:  # gradients of ties are others
            return None
        low, high = (c, inf) if how == "maximum" else (-inf, c)
        return flow.act(x, "clip", float(low), float(high))

    return step


def _clip(flow: Flow, x: Value, x_min: Any, x_max: Any) -> Value | None:
    if not isinstance(x_min, _SCALARS) or not isinstance(x_max, _SCALARS) or flow.trains:
        return None
    return flow.act(x, "clip", float(x_min), float(x_max))


def _cast(flow: Flow, x: Value, dtype: Any) -> Value | None:
    return x if dtype == flow.plan.dtype.name else None


def _stop_gradient(flow: Flow, variable: Value) -> Value | None:
    return None if flow.trains else variable


def _softmax(log: bool) -> Callable[..., Any]:
    def step(flow: Flow, x: Value, axis: Any = -1) -> Any:
        if axis is None or 0 in _axes(axis, x):
            return None
        return flow.softmax(x, axis, log)

    return step


def _axes(axis: Any, x: Value) -> list[int]:
    """Axes as numbers from 0, the samples'."""
    return [int(a) % (len(x.shape) + 1) for a in np.atleast_1d(axis)]


# --- other shapes ---------------------------------------------------------------------------------


def _reshape(flow: Flow, x: Value, newshape: Any) -> Value | None:
    rows, *shape = newshape
    if rows != -1 or prod(shape) != x.size or not x.size:
        return None
    return flow.reshape(x, tuple(shape))


def _expand_dims(flow: Flow, x: Value, axis: Any) -> Value | None:
    rank = len(x.shape) + 1
    shape = list(x.shape)
    for a in sorted(int(a) % (rank + np.size(axis)) for a in np.atleast_1d(axis)):
        if a == 0:
            return None
        shape.insert(a - 1, 1)
    return flow.reshape(x, tuple(shape))


def _squeeze(flow: Flow, x: Value, axis: Any = None) -> Value | None:
    if axis is None:  # the samples' too, if there is but one
        return None
    gone = _axes(axis, x)
    if 0 in gone or any(x.shape[a - 1] != 1 for a in gone):
        return None
    return flow.reshape(x, tuple(n for i, n in enumerate(x.shape, 1) if i not in gone))


def _transpose(flow: Flow, x: Value, axes: Any = None) -> Value | None:
    order = [] if axes is None else _axes(axes, x)
    if not order or order[0] != 0:
        return None
    return flow.permute(x, order[1:])._replace(mask=None)


def _swapaxes(flow: Flow, x: Value, axis1: int, axis2: int) -> Value | None:
    order = list(range(len(x.shape) + 1))
    i, j = _axes([axis1, axis2], x)
    order[i], order[j] = j, i
    return _transpose(flow, x, order)


def _moveaxis(flow: Flow, x: Value, source: Any, destination: Any) -> Value | None:
    moved = np.moveaxis(np.empty(tuple(range(len(x.shape) + 1))), source, destination)
    return _transpose(flow, x, moved.shape)  # an axis of the size of its number, for each


def _concatenate(flow: Flow, xs: Any, axis: int = -1) -> Value | None:
    if not isinstance(xs, (list, tuple)) or not _is_one_shape(*xs) or _axes(axis, xs[0]) == [0]:
        return None
    return merging.concatenate(flow, xs, _axes(axis, xs[0])[0] - 1)


def _stack(flow: Flow, x: Any, axis: int = 0) -> Value | None:
    if not isinstance(x, (list, tuple)) or not _is_one_shape(*x):
        return None
    at = axis % (len(x[0].shape) + 2) - 1
    if at < 0:
        return None
    apart = [flow.reshape(one, (*one.shape[:at], 1, *one.shape[at:])) for one in x]
    return merging.concatenate(flow, apart, at)


# --- along axes -----------------------------------------------------------------------------------


def _over(how: str) -> Callable[..., Value | None]:
    """The mean, sum or maximum over axes of a sample that are neighbours."""

    def step(
        flow: Flow, x: Value, axis: Any = None, keepdims: bool = False, initial: Any = None
    ) -> Value | None:
        axes = [] if axis is None or initial is not None else sorted(_axes(axis, x))
        if not axes or axes[0] == 0 or axes != list(range(axes[0], axes[-1] + 1)) or not x.size:
            return None
        first, last = axes[0] - 1, axes[-1]
        before, over, after = x.shape[:first], x.shape[first:last], x.shape[last:]
        sizes = flow.count(before), prod(over), prod(after)
        if how == "max":
            made = _kernels.plan_max_over(flow.plan, x.id, *sizes)
        else:
            made = _kernels.plan_mean_over(flow.plan, x.id, *sizes, -1)
            if how == "sum":
                made = _kernels.plan_scale(flow.plan, made, float(sizes[1]))
        shape = (*before, *((1,) * len(over) if keepdims else ()), *after)
        return x._replace(id=made, shape=shape)

    return step


def _matmul(flow: Flow, x1: Any, x2: Any) -> Value | None:
    if not isinstance(x1, Value):
        return None
    if isinstance(x2, np.ndarray) and x2.ndim == 2:
        return flow.dense(x1, x2.astype(flow.plan.dtype))
    if isinstance(x2, Value) and len(x1.shape) == len(x2.shape) == 2:
        return merging.products(flow, x1, x2, (1, 0))
    return None


def _activation(kind: str, *names: str) -> Callable[..., Value]:
    """An activation, whose parameters are options of those names."""

    def step(flow: Flow, x: Value, **options: Any) -> Value:
        return flow.act(x, kind, *(float(options[name]) for name in names))

    return step


def _fixed(kind: str, *parameters: float) -> Callable[..., Value]:
    return lambda flow, x: flow.act(x, kind, *parameters)


def _gelu(flow: Flow, x: Value, approximate: bool = True) -> Value:
    return flow.act(x, "gelu_tanh" if approximate else "gelu")


def _leaky_relu(flow: Flow, x: Value, negative_slope: float = 0.2) -> Value:
    return flow.act(x, "relu_general", negative_slope, inf, 0.0)


STEPS: dict[str, Callable[..., Any]] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "true_divide": _divide,
    "power": _power,
    "square": _square,
    "negative": _negative,
    "maximum": _extreme("maximum"),
    "minimum": _extreme("minimum"),
    "clip": _clip,
    "cast": _cast,
    "copy": lambda flow, x: x,
    "stop_gradient": _stop_gradient,
    "reshape": _reshape,
    "expand_dims": _expand_dims,
    "squeeze": _squeeze,
    "transpose": _transpose,
    "swapaxes": _swapaxes,
    "moveaxis": _moveaxis,
    "concatenate": _concatenate,
    "split": pieces.split,
    "get_item": pieces.get_item,
    "stack": _stack,
    "mean": _over("mean"),
    "sum": _over("sum"),
    "max": _over("max"),
    "amax": _over("max"),
    "matmul": _matmul,
    "softmax": _softmax(False),
    "log_softmax": _softmax(True),
    "exp": _fixed("exponential"),
    "abs": _fixed("absolute"),
    "absolute": _fixed("absolute"),
    "sqrt": _fixed("sqrt"),
    "log": _fixed("log"),
    "reciprocal": _fixed("over", 1.0),
    "rsqrt": lambda flow, x: flow.act(flow.act(x, "sqrt"), "over", 1.0),
    "relu": _fixed("relu"),
    "relu6": _fixed("clip", 0.0, 6.0),
    "hard_tanh": _fixed("clip", -1.0, 1.0),
    "hard_sigmoid": _fixed("ramp", 1.0 / 6.0, 0.5),
    "sparse_sigmoid": _fixed("ramp", 0.5, 0.5),
    "selu": _fixed("selu", nn.SELU_SCALE, nn.SELU_ALPHA),
    "leaky_relu": _leaky_relu,
    "gelu": _gelu,
    "elu": _activation("elu", "alpha"),
    "celu": _activation("celu", "alpha"),
    "soft_shrink": _activation("soft_shrink", "threshold"),
    "hard_shrink": _activation("hard_shrink", "threshold"),
    "threshold": _activation("threshold", "threshold", "default_value"),
    "squareplus": _activation("squareplus", "b"),
}
STEPS |= {
    kind: _fixed(kind)
    for kind in (
        "sigmoid", "log_sigmoid", "silu", "hard_silu", "softplus", "softsign", "tanh",
        "tanh_shrink", "sparse_plus", "mish",
    )
}  # fmt: skip
