"""Dtype policies, under Keras' names."""

from ._dtypes import DTypePolicy, QuantizedDTypePolicy, get, serialize

__all__ = [
    "DTypePolicy",
    "FloatDTypePolicy",
    "QuantizedDTypePolicy",
    "deserialize",
    "get",
    "serialize",
]

deserialize = get
FloatDTypePolicy = DTypePolicy
