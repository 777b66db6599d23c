"""Bounds on rounding errors, from the arithmetic and not from taste."""

import numpy as np


def dot_bound(a, b, dtype, terms=0):
    """The largest error of a (m, k) @ b (k, n) plus `terms` more additions, elementwise.

    Higham, Accuracy and Stability of Numerical Algorithms, 3.1: |error| <= gamma_n * |a| @ |b| with
    gamma_n = n u / (1 - n u), n the number of roundings on the way, in any order of summation.
    """
    u = np.finfo(dtype).eps / 2
    n = 2 * a.shape[-1] + terms + 1
    gamma = n * u / (1 - n * u)
    return gamma * (np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64)))


def split_bound(a, b, precision):
    """The largest error of a (m, k) @ b (k, n) from bfloat16 parts (kernels/gemm_tiles_tpl.h).

    Operands of p parts are off by 2^-8p at most, and so are the products that are left out, of
    which there are at most two. What underflows is bounded by the greatest elements.
    """
    k = a.shape[-1]
    size = np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    tops = np.abs(a).max(1, keepdims=True).astype(np.float64) * np.abs(b).max(0)
    parts = {"highest": 3, "high": 2, "medium": 1}[precision]
    lost = 4 * 2.0 ** (-8 * parts)
    return dot_bound(a, b, np.float32, terms=6) + lost * size + 2.0**-27 * k * tops


def ulps(actual, exact, dtype):
    """The distance of actual from exact (a wider type) in units of the last place of dtype."""
    exact = np.asarray(exact)
    rounded = exact.astype(dtype)
    with np.errstate(all="ignore"):
        unit = np.spacing(np.maximum(np.abs(rounded), np.finfo(dtype).tiny)).astype(exact.dtype)
        distance = np.abs(np.asarray(actual).astype(exact.dtype) - exact) / unit
    same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
    return np.where(same, 0.0, distance)
