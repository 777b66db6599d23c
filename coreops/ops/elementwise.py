"""Elementwise arithmetic, comparison and logic, under NumPy's names."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import _plan
from ._arrays import array, fractional, named, pair, promote, recorded


def _unary(ufunc: Callable, name: str | None = None) -> Callable[..., np.ndarray]:
    """Make an op that keeps the dtype."""

    def op(x: Any) -> np.ndarray:
        return ufunc(array(x))

    return named(op, name or ufunc, f"Elementwise `numpy.{ufunc.__name__}`; keeps the dtype.")


def _fractional(ufunc: Callable) -> Callable[..., np.ndarray]:
    """Make an op whose result is a float, whatever comes in."""

    def op(x: Any) -> np.ndarray:
        return ufunc(fractional(x))

    return named(op, ufunc, f"Elementwise `numpy.{ufunc.__name__}`; integers give floats.")


def _binary(ufunc: Callable, name: str | None = None) -> Callable[..., np.ndarray]:
    """Make an op of two arguments in their common dtype."""

    def op(x1: Any, x2: Any) -> np.ndarray:
        return ufunc(*pair(x1, x2))

    return named(
        op, name or ufunc, f"Elementwise `numpy.{ufunc.__name__}` in the arguments' common dtype."
    )


def _bitwise(ufunc: Callable, name: str | None = None) -> Callable[..., np.ndarray]:
    """Make an op of two arguments of integers, which Keras calls x and y."""

    def op(x: Any, y: Any) -> np.ndarray:
        return ufunc(*pair(x, y))

    return named(op, name or ufunc, f"Elementwise `numpy.{ufunc.__name__}` of integers.")


def _binary_fractional(ufunc: Callable, name: str | None = None) -> Callable[..., np.ndarray]:
    """Make an op of two arguments whose result is a float."""

    def op(x1: Any, x2: Any) -> np.ndarray:
        x1, x2 = pair(x1, x2)
        return ufunc(fractional(x1), fractional(x2))

    return named(op, name or ufunc, f"Elementwise `numpy.{ufunc.__name__}`; integers give floats.")


abs = absolute = _unary(np.absolute, "absolute")
negative = _unary(np.negative)
sign = _unary(np.sign)
conj = conjugate = _unary(np.conjugate)
isfinite = _unary(np.isfinite)
isinf = _unary(np.isinf)
isnan = _unary(np.isnan)
isneginf = _unary(np.isneginf)
isposinf = _unary(np.isposinf)
isreal = _unary(np.isreal)
signbit = _unary(np.signbit)
trunc = _unary(np.trunc)
real = _unary(np.real)
imag = _unary(np.imag)
logical_not = _unary(np.logical_not)
bitwise_not = bitwise_invert = _unary(np.bitwise_not, "bitwise_not")

arccos = _fractional(np.arccos)
arccosh = _fractional(np.arccosh)
arcsin = _fractional(np.arcsin)
arcsinh = _fractional(np.arcsinh)
arctan = _fractional(np.arctan)
arctanh = _fractional(np.arctanh)
cbrt = _fractional(np.cbrt)
ceil = _fractional(np.ceil)
cos = _fractional(np.cos)
cosh = _fractional(np.cosh)
deg2rad = _fractional(np.deg2rad)
exp2 = _fractional(np.exp2)
expm1 = _fractional(np.expm1)
fabs = _fractional(np.fabs)
floor = _fractional(np.floor)
i0 = _fractional(np.i0)
log = _fractional(np.log)
log10 = _fractional(np.log10)
log1p = _fractional(np.log1p)
log2 = _fractional(np.log2)
rad2deg = _fractional(np.rad2deg)
reciprocal = _fractional(np.reciprocal)
sin = _fractional(np.sin)
sinc = _fractional(np.sinc)
sinh = _fractional(np.sinh)
sqrt = _fractional(np.sqrt)
tan = _fractional(np.tan)

add = _binary(np.add)
subtract = _binary(np.subtract)
multiply = _binary(np.multiply)
power = _binary(np.power)
mod = _binary(np.mod, "mod")
floor_divide = _binary(np.floor_divide)
maximum = _binary(np.maximum)
minimum = _binary(np.minimum)
fmax = _binary(np.fmax)
fmin = _binary(np.fmin)
fmod = _binary(np.fmod)
gcd = _binary(np.gcd)
lcm = _binary(np.lcm)
bitwise_and = _bitwise(np.bitwise_and)
bitwise_or = _bitwise(np.bitwise_or)
bitwise_xor = _bitwise(np.bitwise_xor)
bitwise_left_shift = left_shift = _bitwise(np.left_shift, "left_shift")
bitwise_right_shift = right_shift = _bitwise(np.right_shift, "right_shift")
equal = _binary(np.equal)
not_equal = _binary(np.not_equal)
greater = _binary(np.greater)
greater_equal = _binary(np.greater_equal)
less = _binary(np.less)
less_equal = _binary(np.less_equal)
logical_and = _binary(np.logical_and)
logical_or = _binary(np.logical_or)
logical_xor = _binary(np.logical_xor)

divide = true_divide = _binary_fractional(np.divide, "divide")
arctan2 = _binary_fractional(np.arctan2)
copysign = _binary_fractional(np.copysign)
heaviside = _binary_fractional(np.heaviside)
hypot = _binary_fractional(np.hypot)
logaddexp = _binary_fractional(np.logaddexp)
logaddexp2 = _binary_fractional(np.logaddexp2)
nextafter = _binary_fractional(np.nextafter)


@recorded
def exp(x: Any) -> np.ndarray:
    """e^x, by the kernel of `activations.exponential`."""
    return _plan.apply_activation(x, "exponential")


@recorded
def square(x: Any) -> np.ndarray:
    """x * x; bools give integers."""
    x = array(x)
    return np.square(x.astype(np.int32) if x.dtype.kind == "b" else x)


@recorded
def rsqrt(x: Any) -> np.ndarray:
    """1 / sqrt(x)."""
    x = fractional(x)
    return x.dtype.type(1) / np.sqrt(x)


@recorded
def divide_no_nan(x1: Any, x2: Any) -> np.ndarray:
    """x1 / x2, and 0 where x2 is 0."""
    x1, x2 = (fractional(x) for x in promote(x1, x2))
    zero = x2 == 0
    return np.where(zero, x1.dtype.type(0), x1 / np.where(zero, x2.dtype.type(1), x2))


@recorded
def clip(x: Any, x_min: Any, x_max: Any) -> np.ndarray:
    """min(max(x, x_min), x_max) in the dtype of x; bools give integers."""
    x = array(x)
    x = x.astype(np.int32) if x.dtype.kind == "b" else x
    return np.clip(x, x_min, x_max).astype(x.dtype, copy=False)


@recorded
def round(x: Any, decimals: int = 0) -> np.ndarray:
    """Round half to even at a number of decimals."""
    return np.round(array(x), decimals)


@recorded
def nan_to_num(
    x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> np.ndarray:
    """Replace NaN and the infinities by numbers."""
    return np.nan_to_num(array(x), nan=nan, posinf=posinf, neginf=neginf)


@recorded
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, else x2; without them the indices where it holds."""
    condition = array(condition)
    if x1 is None and x2 is None:
        return np.where(condition)
    if x1 is None or x2 is None:
        raise ValueError("where: `x1` and `x2` must be given together. Received: one of them")
    return np.where(condition, *promote(x1, x2))


@recorded
def select(condlist: Any, choicelist: Any, default: Any = 0) -> np.ndarray:
    """The choice of the first condition that holds, else the default."""
    choices = promote(*choicelist, default)
    return np.select([array(c) for c in condlist], choices[:-1], choices[-1])


@recorded
def isclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> np.ndarray:
    """|x1 - x2| <= atol + rtol * |x2|."""
    return np.isclose(*pair(x1, x2), rtol, atol, equal_nan)


@recorded
def allclose(
    x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Whether `isclose` holds everywhere."""
    return np.allclose(*pair(x1, x2), rtol, atol, equal_nan)


@recorded
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> np.ndarray:
    """Whether each element of x1 is one of those of x2."""
    return np.isin(*pair(x1, x2), assume_unique=assume_unique, invert=invert)


@recorded
def angle(x: Any) -> np.ndarray:
    """The angle of complex numbers in radians."""
    return np.angle(fractional(x))


@recorded
def erf(x: Any) -> np.ndarray:
    """The error function, element by element through `math.erf`."""
    x = fractional(x)
    return np.asarray(_erf(x), dtype=object).astype(x.dtype)


@recorded
def erfc(x: Any) -> np.ndarray:
    """1 - erf(x), accurate where erf(x) is near 1."""
    x = fractional(x)
    return np.asarray(_erfc(x), dtype=object).astype(x.dtype)


_erf, _erfc = np.frompyfunc(math.erf, 1, 1), np.frompyfunc(math.erfc, 1, 1)
