"""Dtype policies: in which type a layer computes and in which it keeps its weights."""

from __future__ import annotations

from typing import Any

from . import config
from ._warnings import warn
from .saving import registry

_HALF = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")
_POLICIES = ("float32", "float64", *_HALF)
_QUANTIZATION_MODES = ("int8", "float8", "int4", "gptq", "awq")  # Keras'; the first is ours


class DTypePolicy:
    """Names the type of a layer's computation and of its weights.

    Half-precision policies are read, kept in configs and computed in float32: this is the
    precision that they only approximate.

    Args:
        name: "float32", "float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16",
            or None for `config.floatx()`.

    Raises:
        ValueError: for any other name.
        TypeError: for a name that is no string.
    """

    __slots__ = ("name",)

    def __init__(self, name: str | None = None) -> None:
        name = config.floatx() if name is None else name
        if not isinstance(name, str):
            raise TypeError(
                f"A dtype policy's `name` must be a string, such as 'float32'. Received: {name!r}"
            )
        if name not in _POLICIES:
            raise ValueError(
                f"Cannot interpret {name!r} as a dtype policy: expected one of {list(_POLICIES)}."
            )
        if name in _HALF:
            warn(f"The dtype policy '{name}' is computed in float32 here.")
        self.name = name

    @property
    def compute_dtype(self) -> str:
        """Type of the computation and of the outputs: "float32" or "float64"."""
        return "float64" if self.name == "float64" else "float32"

    @property
    def variable_dtype(self) -> str:
        """Type of the weights: "float32" or "float64"."""
        return self.compute_dtype

    @property
    def quantization_mode(self) -> str | None:
        """How the weights are quantized, None if they are not."""
        return None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds it from."""
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """Return a new object from such arguments."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self.name}">'


def check_mode(mode: Any) -> None:
    """Raise a ValueError for what is no quantization mode, or one that is not available here."""
    if not isinstance(mode, str) or mode.partition("/")[0] not in _QUANTIZATION_MODES:
        raise ValueError(
            f"Invalid quantization mode. Expected one of {_QUANTIZATION_MODES}. "
            f"Received: mode={mode}"
        )
    if mode != "int8":
        raise ValueError(
            f"Quantization mode '{mode}' is not available in coreops. Available: 'int8'."
        )


class QuantizedDTypePolicy(DTypePolicy):
    """The policy of a layer whose weights are quantized.

    Its name is that of the mode and of the policy that says in which type the rest is computed:
    "int8_from_float32".

    Args:
        mode: "int8".
        source_name: name of the other policy, by default that of `config.dtype_policy()`.

    Raises:
        ValueError: another mode, an unknown policy, or one that computes in float16, whose range
            is too small.
    """

    __slots__ = ("_mode", "_source")

    def __init__(self, mode: str, source_name: str | None = None) -> None:
        source_name = config.dtype_policy().name if source_name is None else source_name
        check_mode(mode)
        check_source(mode, source_name)
        self._mode = mode
        self._source = DTypePolicy(source_name)
        self.name = f"{mode}_from_{source_name}"

    @property
    def compute_dtype(self) -> str:
        return self._source.compute_dtype

    @property
    def quantization_mode(self) -> str:
        return self._mode

    def get_config(self) -> dict[str, Any]:
        return {"mode": self._mode, "source_name": self._source.name}


def check_source(mode: str, source_name: str) -> None:
    """Raise a ValueError if what a policy computes in does not go with a quantization mode."""
    if source_name in ("float16", "mixed_float16"):
        raise ValueError(
            f"Quantization mode='{mode}' doesn't work well with compute_dtype='float16'. Consider "
            "loading model/layer with another dtype policy such as 'mixed_bfloat16' before "
            "calling `quantize()`."
        )


registry.add("dtype_policies", DTypePolicy, module="keras")
registry.add("dtype_policies", QuantizedDTypePolicy)


def get(identifier: Any) -> DTypePolicy:
    """Return the policy for a name, a NumPy dtype, a policy, its config dict, or None.

    Raises:
        ValueError: if it stands for no policy.
    """
    if identifier is None:
        return config.dtype_policy()
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        inner = identifier.get("config", identifier)
        if isinstance(inner, dict) and "mode" in inner:
            return QuantizedDTypePolicy(inner["mode"], inner.get("source_name"))
        identifier = inner.get("name", inner) if isinstance(inner, dict) else inner
    if not isinstance(identifier, str):
        identifier = getattr(identifier, "__name__", None) or str(identifier)
    if "_from_" in identifier:
        return QuantizedDTypePolicy(*identifier.split("_from_", 1))
    return DTypePolicy(identifier)


def serialize(policy: DTypePolicy) -> dict[str, Any]:
    """Return the dictionary that Keras 3 writes for a policy."""
    return {
        "module": registry.keras_module(type(policy)),
        "class_name": type(policy).__name__,
        "config": policy.get_config(),
        "registered_name": None,
    }
