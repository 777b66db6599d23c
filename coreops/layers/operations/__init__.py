"""Functions of `coreops.ops` as calls between symbolic tensors."""

from . import operators as _operators  # noqa: F401 - gives KerasTensor its operators
from .operation import Operation as Operation
