"""Products and linear algebra. Dense layers have kernels; these are NumPy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ._arrays import accumulator, array, axes, fractional, named, pair, promote, recorded


def _product(function: Callable, name: str) -> Callable[..., np.ndarray]:
    def op(x1: Any, x2: Any) -> np.ndarray:
        return function(*pair(x1, x2))

    return named(op, name, f"`numpy.{name}` in the arguments' common dtype.")


def _matrix(function: Callable) -> Callable:
    def op(x: Any) -> Any:
        return function(fractional(x))

    return named(op, function, f"`numpy.linalg.{function.__name__}`; integers give floats.")


dot = _product(np.dot, "dot")
inner = _product(np.inner, "inner")
outer = _product(np.outer, "outer")
vdot = _product(np.vdot, "vdot")
kron = _product(np.kron, "kron")

det = _matrix(np.linalg.det)
eig = _matrix(np.linalg.eig)
eigh = _matrix(np.linalg.eigh)
inv = _matrix(np.linalg.inv)
slogdet = _matrix(np.linalg.slogdet)


@recorded
def matmul(x1: Any, x2: Any) -> np.ndarray:
    """`numpy.matmul` in the arguments' common dtype; of int8 it gives int32."""
    x1, x2 = pair(x1, x2)
    return np.matmul(x1, x2, dtype=np.int32 if x1.dtype == np.int8 else None)


@recorded
def cholesky(x: Any, upper: bool = False) -> np.ndarray:
    """The lower triangular L of x = L L^T, or the upper one, its transpose."""
    return np.linalg.cholesky(fractional(x), upper=upper)


@recorded
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> np.ndarray:
    """The sum of products over axes: a number of them, or two lists."""
    return np.tensordot(*pair(x1, x2), axes=axes)


@recorded
def cross(
    x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> np.ndarray:
    """The cross product of vectors of 3 components."""
    return np.cross(*pair(x1, x2), axisa, axisb, axisc, axis)


@recorded
def einsum(subscripts: str, *operands: Any, **kwargs: Any) -> np.ndarray:
    """The sum of products that `subscripts` spell, in the operands' common dtype; of int8 it gives
    int32."""
    kwargs.setdefault("optimize", True)
    arrays = promote(*operands)
    if arrays[0].dtype == np.int8:
        arrays = [x.astype(np.int32) for x in arrays]
    return np.einsum(subscripts, *arrays, **kwargs)


@recorded
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> np.ndarray:
    """The sum of the diagonal."""
    x = array(x)
    return np.trace(x, offset, axis1, axis2, dtype=accumulator(x))


@recorded
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> np.ndarray:
    """`numpy.linalg.norm`; integers give floats."""
    x = fractional(x)
    return np.asarray(np.linalg.norm(x, ord, axes(axis), keepdims), x.dtype)[()]


@recorded
def solve(a: Any, b: Any) -> np.ndarray:
    """The solution x of a x = b."""
    a, b = (fractional(x) for x in promote(a, b))
    return np.linalg.solve(a, b)


@recorded
def lstsq(a: Any, b: Any, rcond: float | None = None) -> np.ndarray:
    """The x of least |a x - b|."""
    a, b = (fractional(x) for x in promote(a, b))
    return np.linalg.lstsq(a, b, rcond=rcond)[0]


@recorded
def pinv(x: Any, rcond: float | None = None) -> np.ndarray:
    """The Moore-Penrose inverse."""
    x = fractional(x)
    return np.linalg.pinv(x) if rcond is None else np.linalg.pinv(x, rcond)


@recorded
def qr(x: Any, mode: Literal["reduced", "complete"] = "reduced") -> tuple[np.ndarray, np.ndarray]:
    """The orthonormal and the upper triangular factor of x."""
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: expected `mode` 'reduced' or 'complete'. Received: mode={mode!r}")
    q, r = np.linalg.qr(fractional(x), mode)
    return q, r


@recorded
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """The singular value decomposition of x."""
    x = fractional(x)
    if compute_uv:
        return np.linalg.svd(x, full_matrices)
    return np.linalg.svd(x, full_matrices, False)


@recorded
def matrix_rank(x: Any, tol: float | None = None) -> np.ndarray:
    """The number of singular values above a tolerance, as int32."""
    x = fractional(x)
    return np.asarray(np.linalg.matrix_rank(x, tol)).astype(np.int32)


@recorded
def logdet(x: Any) -> np.ndarray:
    """The logarithm of the determinant of a positive definite matrix."""
    return slogdet(x)[1]


@recorded
def vander(x: Any, N: int | None = None, increasing: bool = False) -> np.ndarray:
    """The powers of a vector as columns; keeps the dtype."""
    x = array(x)
    return np.vander(x, N, increasing).astype(x.dtype, copy=False)


@recorded
def corrcoef(x: Any) -> np.ndarray:
    """The correlation coefficients between rows."""
    x = fractional(x)
    return np.corrcoef(x).astype(x.dtype)


@recorded
def correlate(x1: Any, x2: Any, mode: Literal["valid", "same", "full"] = "valid") -> np.ndarray:
    """The cross-correlation of two vectors; integers give floats."""
    x1, x2 = pair(x1, x2)
    return np.correlate(fractional(x1), fractional(x2), mode)


@recorded
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> np.ndarray:
    """The integral along an axis by the trapezoidal rule."""
    y = np.moveaxis(fractional(y), axis, -1)
    steps = dx
    if x is not None:
        x = fractional(x)
        steps = np.diff(x if x.ndim == 1 else np.moveaxis(x, axis, -1))
    return np.sum((y[..., 1:] + y[..., :-1]) * steps / 2, axis=-1, dtype=y.dtype)
