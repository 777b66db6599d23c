"""Slow, readable twins of the steps of several operands."""

import numpy as np


def merge(how, x, y):
    x, y = x.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        return {
            "add": np.add,
            "subtract": np.subtract,
            "multiply": np.multiply,
            "divide": np.divide,
            "maximum": np.maximum,
            "minimum": np.minimum,
        }[how](x, y)


def concatenate(arrays):
    """Arrays (batch, positions, n of its own)."""
    return np.concatenate(arrays, axis=-1)


def products(x, y):
    """(batch, m, k) and (batch, n, k) to (batch, m, n)."""
    return np.einsum("bik,bjk->bij", x.astype(np.float64), y.astype(np.float64))
