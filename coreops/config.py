"""Process-wide settings: default float type, fuzz factor, image layout, mask policy.

The names are those of ``keras.config``; ``mask_policy``, ``matmul_precision`` and
``batch_invariant`` are ours. A setting affects what is built or called after it was changed.
"""

from __future__ import annotations

from typing import Any

from . import _kernels

_FLOATX = ("float16", "bfloat16", "float32", "float64")
_DATA_FORMATS = ("channels_last", "channels_first")
_MASK_POLICIES = ("raise", "warn")

_state: dict[str, Any] = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "mask_policy": "raise",
    "matmul_precision": "highest",
    "dtype_policy": None,
    "interactive_logging": True,
}


def _set(key: str, value: object, legal: tuple[str, ...]) -> None:
    if value not in legal:
        raise ValueError(f"Unknown {key}: expected one of {list(legal)}. Received: {value!r}")
    _state[key] = value


def backend() -> str:
    """Return the name of what computes."""
    return "coreops"


def floatx() -> str:
    """Return the default float type, as a string."""
    return _state["floatx"]


def compute_floatx() -> str:
    """Return the default float type as NumPy has it: "float32" stands in for "bfloat16"."""
    return "float32" if floatx() == "bfloat16" else floatx()


def set_floatx(value: str) -> None:
    """Set the default float type.

    Args:
        value: "float16", "bfloat16", "float32" or "float64".

    Raises:
        ValueError: for any other value.
    """
    _set("floatx", value, _FLOATX)


def epsilon() -> float:
    """Return the fuzz factor that keeps divisions away from zero (1e-7)."""
    return _state["epsilon"]


def set_epsilon(value: float) -> None:
    """Set the fuzz factor."""
    _state["epsilon"] = float(value)


def image_data_format() -> str:
    """Return the default place of the channel axis."""
    return _state["image_data_format"]


def set_image_data_format(data_format: str) -> None:
    """Set the default place of the channel axis.

    Args:
        data_format: "channels_last" or "channels_first" (case does not matter).

    Raises:
        ValueError: for any other value.
    """
    _set("image_data_format", standardize_data_format(data_format), _DATA_FORMATS)


def standardize_data_format(data_format: str | None) -> str:
    """Return `data_format` in lower case, the default for None; ValueError if unknown."""
    if data_format is None:
        return image_data_format()
    value = data_format.lower() if isinstance(data_format, str) else data_format
    if value not in _DATA_FORMATS:
        raise ValueError(
            f"Expected `data_format` to be one of {list(_DATA_FORMATS)}. Received: {data_format!r}"
        )
    return value


def mask_policy() -> str:
    """Return what happens when a mask reaches a layer that cannot take one."""
    return _state["mask_policy"]


def set_mask_policy(value: str) -> None:
    """Choose what happens when a mask reaches a layer that cannot take one.

    Args:
        value: "raise" (a ValueError that names both layers) or "warn" (Keras 3's UserWarning,
            and the mask is lost).

    Raises:
        ValueError: for any other value.
    """
    _set("mask_policy", value, _MASK_POLICIES)


def matmul_precision() -> str:
    """Return the least precision that products of float32 keep."""
    return _state["matmul_precision"]


def set_matmul_precision(value: str) -> None:
    """Set the least precision that products of float32 keep in models that name none.

    The words are those of JAX and PyTorch. A lower precision is used only on large batches and
    only where the CPU has something faster for it; sums are float32 always.

    Args:
        value: "highest" (all of float32), "high" (operands keep at least 16 of their 24 bits) or
            "medium" (8 bits, as bfloat16 has).

    Raises:
        ValueError: for any other value.
    """
    _set("matmul_precision", value, _kernels.PRECISIONS)
    _kernels.bump_epoch()


def is_batch_invariant() -> bool:
    """Return whether a sample's result has the same bits in a batch of any size."""
    return _kernels.is_batch_invariant()


def set_batch_invariant(value: bool) -> None:
    """Choose whether a sample's result has the same bits in a batch of any size.

    Without it (the default) large batches may be multiplied by another unit of the CPU than small
    ones, to the same accuracy but with other roundings. The bits never depend on the number of
    threads or on a sample's place in its batch.
    """
    _kernels.set_batch_invariant(bool(value))


def dtype_policy() -> Any:
    """Return the `DTypePolicy` of layers that name none: the one set, else that of `floatx()`."""
    from ._dtypes import get

    return get(_state["dtype_policy"] or floatx())


def set_dtype_policy(policy: Any) -> None:
    """Set the dtype policy of layers that name none.

    Args:
        policy: a `DTypePolicy`, its name or its config, or None for `floatx()` again.

    Raises:
        ValueError: if it stands for no policy.
    """
    from ._dtypes import get

    _state["dtype_policy"] = None if policy is None else get(policy).name


def enable_interactive_logging() -> None:
    """Let long work draw a progress bar (the default)."""
    _state["interactive_logging"] = True


def disable_interactive_logging() -> None:
    """Keep long work from drawing a progress bar."""
    _state["interactive_logging"] = False


def is_interactive_logging_enabled() -> bool:
    """Return whether long work may draw a progress bar."""
    return _state["interactive_logging"]
