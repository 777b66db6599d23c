"""Dtype policies, under Keras' names."""

from ._dtypes import DTypePolicy, QuantizedDTypePolicy, get, serialize

__all__ = ["DTypePolicy", "QuantizedDTypePolicy", "deserialize", "get", "serialize"]

deserialize = get
