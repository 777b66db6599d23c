"""The default dtype policy, under the names of `keras.mixed_precision`."""

from ._dtypes import DTypePolicy
from .config import dtype_policy, set_dtype_policy

__all__ = [
    "DTypePolicy",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

Policy = DTypePolicy
global_policy, set_global_policy = dtype_policy, set_dtype_policy
