"""What stands in a config for arrays, bytes, slices, the ellipsis and lambdas."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType
from typing import Any

import numpy as np

_ARRAY_DTYPES = (
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64"),
)


def short(value: Any) -> str:
    """Return a repr for an error message, cut where a hostile config made it long."""
    text = repr(value)
    return text if len(text) <= 200 else text[:197] + "..."


def _array(inner: Any) -> np.ndarray:
    dtype = inner.get("dtype") if isinstance(inner, dict) else None
    if dtype == "bfloat16":
        dtype = "float32"
    if dtype not in _ARRAY_DTYPES or "value" not in inner:
        raise ValueError(f"Malformed array in a config: {short(inner)}")
    try:
        return np.array(inner["value"], dtype=dtype)
    except (TypeError, OverflowError) as error:
        raise ValueError(f"Malformed array in a config: {short(inner)}") from error


def _bytes(inner: Any) -> bytes:
    value = inner.get("value") if isinstance(inner, dict) else None
    if not isinstance(value, str):
        raise ValueError(f"Malformed bytes in a config: {short(inner)}")
    return value.encode("utf-8")


def _slice(inner: Any) -> slice:
    bounds = [inner.get(k) for k in ("start", "stop", "step")] if isinstance(inner, dict) else "?"
    if not all(bound is None or isinstance(bound, int) for bound in bounds):
        raise ValueError(f"Malformed slice in a config: {short(inner)}")
    return slice(*bounds)


def _ellipsis(inner: Any) -> EllipsisType:
    return Ellipsis


def _lambda(inner: Any) -> Any:
    raise ValueError(
        "The config holds a Python lambda as code. Code from a config is never run here, whatever "
        "`safe_mode` says: pass the function as custom_objects={name: function}, name being "
        "that of the Lambda layer."
    )


# class_name -> the value of its inner config; ValueError for a malformed one.
SPECIAL: dict[str, Callable[[Any], Any]] = {
    "__tensor__": _array,
    "__numpy__": _array,
    "__bytes__": _bytes,
    "__slice__": _slice,
    "__ellipsis__": _ellipsis,
    "__lambda__": _lambda,
}
