"""The rules of coreops/ops/linalg.py."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from .basic import Each, Rule, as_axes, spread
from .elementwise import _nonzero
from .reduction import extreme


def _adjoint(x: Any) -> np.ndarray:
    return np.swapaxes(x, -1, -2)


def _matrices(dy: Any, a: Any, b: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The gradient and the factors of a product with vectors as the matrices they stand for."""
    if np.ndim(a) == 1:
        a, dy = np.reshape(a, (1, -1)), np.expand_dims(dy, -1 if np.ndim(b) == 1 else -2)
    if np.ndim(b) == 1:
        b, dy = np.reshape(b, (-1, 1)), np.expand_dims(dy, -1)
    return dy, np.asarray(a), np.asarray(b)


def _matmul_first(dy: Any, y: Any, a: Any, b: Any) -> np.ndarray:
    dy, _, wide = _matrices(dy, a, b)
    da = dy @ _adjoint(wide)
    return da[..., 0, :] if np.ndim(a) == 1 else da


def _matmul_second(dy: Any, y: Any, a: Any, b: Any) -> np.ndarray:
    dy, wide, _ = _matrices(dy, a, b)
    if np.ndim(b) <= 2:  # one matrix for all: one product
        k, n = wide.shape[-1], dy.shape[-1]
        rows = np.broadcast_to(wide, (*dy.shape[:-1], k))
        count = math.prod(dy.shape[:-1])
        return np.reshape(rows.reshape(count, k).T @ dy.reshape(count, n), np.shape(b))
    return _adjoint(wide) @ dy


def _tensordot(side: int, dy: Any, a: Any, b: Any, axes: Any) -> np.ndarray:
    """da or db: the gradient times the other factor, over the axes which that one kept."""
    if isinstance(axes, (int, np.integer)):
        axes = (range(-axes, 0), range(axes)) if axes else ((), ())
    summed = [
        [int(i) % np.ndim(x) for i in np.atleast_1d(np.asarray(part, int))]
        for x, part in zip((a, b), axes, strict=True)
    ]
    kept = [
        [i for i in range(np.ndim(x)) if i not in part]
        for x, part in zip((a, b), summed, strict=True)
    ]
    n, other = len(kept[0]), 1 - side
    of_other = range(n, n + len(kept[1])) if side == 0 else range(n)
    product = np.tensordot(dy, (a, b)[other], (list(of_other), kept[other]))
    # Its axes: those that this factor kept, then those summed, in the order of the other factor.
    order = np.argsort(summed[other])
    return np.transpose(product, np.argsort([*kept[side], *(summed[side][i] for i in order)]))


def _dot_axes(a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return ((), ())
    return ((-1,), (-1 if np.ndim(b) == 1 else -2,))


def _inner_axes(a: Any, b: Any) -> Any:
    return ((), ()) if np.ndim(a) == 0 or np.ndim(b) == 0 else ((-1,), (-1,))


def _product(axes_of: Any) -> Rule:
    return (
        lambda dy, y, a, b: _tensordot(0, dy, a, b, axes_of(a, b)),
        lambda dy, y, a, b: _tensordot(1, dy, a, b, axes_of(a, b)),
    )


def _kron(side: int, dy: Any, a: Any, b: Any) -> np.ndarray:
    n = max(np.ndim(a), np.ndim(b))
    shapes = [(*(1,) * (n - np.ndim(x)), *np.shape(x)) for x in (a, b)]
    apart = np.reshape(dy, [size for pair in zip(*shapes, strict=True) for size in pair])
    other = np.reshape((a, b)[1 - side], shapes[1 - side])
    mine, others = list(range(side, 2 * n, 2)), list(range(1 - side, 2 * n, 2))
    return np.reshape(
        np.einsum(apart, list(range(2 * n)), other, others, mine), np.shape((a, b)[side])
    )


def _einsum(position: int, dy: Any, y: Any, subscripts: str, *xs: Any, **_: Any) -> Any:
    """One operand's gradient: the same sum with result and operand exchanged."""
    terms, out = _spelled(subscripts, xs)
    k = position - 1
    others = [(t, x) for i, (t, x) in enumerate(zip(terms, xs, strict=True)) if i != k]
    elsewhere = set(out).union(*(t for t, _ in others))
    present = [label for label in dict.fromkeys(terms[k]) if label in elsewhere]
    absent = [label for label in dict.fromkeys(terms[k]) if label not in elsewhere]
    spelling = ",".join([out, *(t for t, _ in others)]) + "->" + "".join(present)
    part = np.einsum(spelling, dy, *(x for _, x in others), optimize=True)
    dx = np.zeros(np.shape(xs[k]), y.dtype)
    # A view of dx: its diagonal where a label repeats itself.
    view = np.einsum(terms[k] + "->" + "".join([*absent, *present]), dx)
    ones = tuple(i for i, n in enumerate(part.shape) if n != 1 and view.shape[len(absent) + i] == 1)
    view[...] = np.sum(part, axis=ones, keepdims=True)
    return dx


def _spelled(subscripts: str, xs: Any) -> tuple[list[str], str]:
    """The terms and the result of an einsum, with letters for "..." and the result written out."""
    given, arrow, out = subscripts.replace(" ", "").partition("->")
    free = [c for c in string.ascii_letters if c not in given]
    terms, most = [], ""
    for term, x in zip(given.split(","), xs, strict=True):
        if "..." in term:
            hidden = "".join(free[: np.ndim(x) - len(term) + 3][::-1])  # aligned at the right
            term, most = term.replace("...", hidden), max(most, hidden, key=len)
        terms.append(term)
    if not arrow:
        letters = given.replace("...", "").replace(",", "")
        out = "..." + "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    return terms, out.replace("...", most)


def _cross(dy: Any, y: Any, a: Any, b: Any, *axes: Any, **named: Any) -> list:
    """da = b x dy and db = dy x a, for vectors of 3 components."""
    names = dict(zip(("axisa", "axisb", "axisc", "axis"), axes, strict=False), **named)
    axis = names.get("axis")
    ia, ib, ic = (names.get(k, -1) if axis is None else axis for k in ("axisa", "axisb", "axisc"))
    if np.shape(a)[ia] != 3 or np.shape(b)[ib] != 3:
        raise NotImplementedError("ops.cross has a gradient for vectors of 3 components only")
    a, b = np.moveaxis(a, ia, -1), np.moveaxis(b, ib, -1)
    dy = np.moveaxis(dy, ic, -1)
    pairs = ((np.cross(b, dy), a, ia), (np.cross(dy, a), b, ib))
    return [np.moveaxis(_summed(g, x.shape), -1, i) for g, x, i in pairs]


def _summed(gradient: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    gradient = np.sum(gradient, axis=tuple(range(gradient.ndim - len(shape))))
    ones = tuple(i for i, n in enumerate(shape) if n == 1 != gradient.shape[i])
    return np.sum(gradient, axis=ones, keepdims=True)


def _trace(dy: Any, y: Any, x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> np.ndarray:
    dx = np.zeros(np.shape(x), y.dtype)
    turned = np.moveaxis(dx, (axis1, axis2), (-2, -1))
    turned += np.eye(turned.shape[-2], turned.shape[-1], offset, y.dtype) * np.expand_dims(
        dy, (-2, -1)
    )
    return dx


def _norm(
    dy: Any, y: Any, x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False
) -> np.ndarray:
    """0 where the norm is 0."""
    axis = as_axes(axis)
    matrix = (isinstance(axis, tuple) and len(axis) == 2) or (axis is None and np.ndim(x) == 2)
    if (matrix and ord not in (None, "fro")) or ord == 0:
        raise NotImplementedError(f"ops.norm has no gradient for ord={ord!r} of this shape")
    dy = spread(dy, x, axis, keepdims)
    if matrix or ord is None or ord == 2:
        return dy * x / _nonzero(spread(y, x, axis, keepdims))
    if ord == 1:
        return dy * np.sign(x)
    if abs(ord) == np.inf:
        return extreme(dy, spread(y, x, axis, keepdims), np.abs(x), axis, True) * np.sign(x)
    ratio = np.abs(x) / _nonzero(spread(y, x, axis, keepdims))
    return dy * np.sign(x) * np.power(_nonzero(ratio), ord - 1)


def _solve(dy: Any, y: Any, a: Any, b: Any) -> np.ndarray:
    return np.linalg.solve(_adjoint(a), dy)


def _solve_matrix(dy: Any, y: Any, a: Any, b: Any) -> np.ndarray:
    db = _solve(dy, y, a, b)
    return -db[..., :, None] * y[..., None, :] if np.ndim(b) == 1 else -db @ _adjoint(y)


def _cholesky(dy: Any, y: Any, x: Any, upper: bool = False) -> np.ndarray:
    """Giles, 2008: with P = lower half of L^T dL, diagonal halved, L^-T (P + P^T) L^-1 / 2."""
    if upper:
        dy, y = _adjoint(dy), _adjoint(y)
    half = np.tril(_adjoint(y) @ dy)
    both = half + _adjoint(half)
    diagonal = np.einsum("...ii->...i", both)
    diagonal /= 2
    return np.linalg.solve(_adjoint(y), _adjoint(np.linalg.solve(_adjoint(y), both))) / 2


def _logdet(dy: Any, x: Any) -> np.ndarray:
    return np.expand_dims(dy, (-2, -1)) * _adjoint(np.linalg.inv(x))


RULES: dict[str, Rule] = {
    "matmul": (_matmul_first, _matmul_second),
    "dot": _product(_dot_axes),
    "inner": _product(_inner_axes),
    "outer": (
        lambda dy, y, a, b: np.reshape(dy @ np.ravel(b), np.shape(a)),
        lambda dy, y, a, b: np.reshape(np.ravel(a) @ dy, np.shape(b)),
    ),
    "vdot": (
        lambda dy, y, a, b: dy * np.reshape(b, np.shape(a)),
        lambda dy, y, a, b: dy * np.reshape(a, np.shape(b)),
    ),
    "kron": (
        lambda dy, y, a, b: _kron(0, dy, a, b),
        lambda dy, y, a, b: _kron(1, dy, a, b),
    ),
    "tensordot": (
        lambda dy, y, a, b, axes=2: _tensordot(0, dy, a, b, axes),
        lambda dy, y, a, b, axes=2: _tensordot(1, dy, a, b, axes),
    ),
    "einsum": Each(_einsum),
    "cross": (
        lambda *args, **named: _cross(*args, **named)[0],
        lambda *args, **named: _cross(*args, **named)[1],
    ),
    "trace": _trace,
    "norm": _norm,
    "solve": (_solve_matrix, _solve),
    "cholesky": _cholesky,
    "inv": lambda dy, y, x: -_adjoint(y) @ dy @ _adjoint(y),
    "det": lambda dy, y, x: _logdet(dy * y, x),
    "slogdet": lambda dy, y, x: _logdet(dy[1], x),
    "logdet": lambda dy, y, x: _logdet(dy, x),
}
