"""What weights start from: callables `(shape, dtype=None)` -> array.

Equal seeds give equal values: an int seed (or none) the same at every call of one object, a
`SeedGenerator` the next draw of its stream.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .._names import to_snake_case
from ..saving import objects, registry
from .base import Initializer as Initializer
from .constant import Constant as Constant
from .constant import Identity as Identity
from .constant import Ones as Ones
from .constant import Zeros as Zeros
from .random import GlorotNormal as GlorotNormal
from .random import GlorotUniform as GlorotUniform
from .random import HeNormal as HeNormal
from .random import HeUniform as HeUniform
from .random import LecunNormal as LecunNormal
from .random import LecunUniform as LecunUniform
from .random import Orthogonal as Orthogonal
from .random import RandomNormal as RandomNormal
from .random import RandomUniform as RandomUniform
from .random import TruncatedNormal as TruncatedNormal
from .random import VarianceScaling as VarianceScaling

constant, identity, ones, zeros = Constant, Identity, Ones, Zeros
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, orthogonal = VarianceScaling, Orthogonal
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
he_normal, he_uniform = HeNormal, HeUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal

for _cls, *_aliases in (
    (Constant,),
    (Identity, "IdentityInitializer"),
    (Ones, "one"),
    (Zeros, "zero"),
    (RandomNormal, "normal"),
    (RandomUniform, "uniform"),
    (TruncatedNormal,),
    (VarianceScaling,),
    (GlorotNormal,),
    (GlorotUniform,),
    (HeNormal,),
    (HeUniform,),
    (LecunNormal,),
    (LecunUniform,),
    (Orthogonal, "OrthogonalInitializer"),
):
    registry.add("initializers", _cls, to_snake_case(_cls.__name__), *_aliases)
del _cls, _aliases


def get(identifier: Any) -> Callable | None:
    """Return the initializer for None, a name, a config, a class, a callable or an array.

    An array stands for itself: the shape asked for must be its own.

    Raises:
        ValueError: for an unknown name (listing the legal ones) or an object not callable.
    """
    if isinstance(identifier, (np.ndarray, np.generic)):
        return _FromArray(identifier)
    return objects.get_instance("initializers", identifier)


class _FromArray:
    """An array in the role of an initializer."""

    def __init__(self, value: np.ndarray | np.generic) -> None:
        self.value = np.array(value)

    def __call__(self, shape: Any, dtype: str | None = None) -> np.ndarray:
        if tuple(shape) != self.value.shape:
            raise ValueError(
                f"Expected `shape` to be {self.value.shape}, that of the array given as the "
                f"initializer. Received: shape={tuple(shape)}"
            )
        return self.value.astype(dtype or self.value.dtype)


def serialize(initializer: Callable | None) -> dict[str, Any] | None:
    """Return the config of an initializer, None for None."""
    return objects.serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Callable:
    """Return the initializer of a config; TypeError if it is unknown."""
    return objects.from_identifier("initializers", config, custom_objects)
