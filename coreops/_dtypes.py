"""Dtype policies: in which type a layer computes and in which it keeps its weights."""

from __future__ import annotations

import warnings
from typing import Any

from . import config
from .saving import registry

_HALF = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")
_POLICIES = ("float32", "float64", *_HALF)


class DTypePolicy:
    """Names the type of a layer's computation and of its weights.

    Half-precision policies are read, kept in configs and computed in float32: this is the
    precision that they only approximate.

    Args:
        name: "float32", "float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16",
            or None for `config.floatx()`.

    Raises:
        ValueError: for any other name.
    """

    __slots__ = ("name",)

    def __init__(self, name: str | None = None) -> None:
        name = config.floatx() if name is None else name
        if name not in _POLICIES:
            raise ValueError(
                f"Cannot interpret {name!r} as a dtype policy: expected one of {list(_POLICIES)}."
            )
        if name in _HALF:
            warnings.warn(
                f"The dtype policy '{name}' is computed in float32 here.", UserWarning, stacklevel=3
            )
        self.name = name

    @property
    def compute_dtype(self) -> str:
        """Type of the computation and of the outputs: "float32" or "float64"."""
        return "float64" if self.name == "float64" else "float32"

    @property
    def variable_dtype(self) -> str:
        """Type of the weights: "float32" or "float64"."""
        return self.compute_dtype

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


registry.add("dtype_policies", DTypePolicy, module="keras")


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
        identifier = inner.get("name", inner) if isinstance(inner, dict) else inner
    elif not isinstance(identifier, str):
        identifier = getattr(identifier, "__name__", None) or str(identifier)
    return DTypePolicy(identifier)


def serialize(policy: DTypePolicy) -> dict[str, Any]:
    """Return the dictionary that Keras 3 writes for a policy."""
    return {
        "module": "keras",
        "class_name": "DTypePolicy",
        "config": policy.get_config(),
        "registered_name": None,
    }
