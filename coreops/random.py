"""Random arrays, drawn from Philox streams that a seed and a draw number identify."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _kernels, config
from ._names import auto_name
from ._variables import Variable
from .saving import registry

_WORD = (1 << 64) - 1


def make_default_seed() -> int:
    """Draw a seed from Python's generator, which `utils.set_random_seed` resets."""
    from random import randint

    return randint(1, 10**9)


class SeedGenerator(_kernels.Stream):
    """A stream of draws: a seed and the number of draws made from it.

    Args:
        seed: int, or None for one that `utils.set_random_seed` determines.
        name: by default "seed_generator", "seed_generator_1", ...

    Raises:
        ValueError: for a seed that is not an int.
    """

    _state: Variable | None = None  # made when somebody asks

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        if seed is not None and not isinstance(seed, int):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={seed!r}")
        self.name = auto_name("seed_generator") if name is None else name
        self._initial_seed = seed
        self.seed = (make_default_seed() if seed is None else seed) & _WORD

    @property
    def state(self) -> Variable:
        """The seed and the number of draws so far: where the stream stands. May be set."""
        if self._state is None:
            path = f"{self.name}/seed_generator_state"
            state = Variable([0, 0], None, "uint64", False, "seed_generator_state", path)
            state._source = _Place(self)
            self._state = state
        return self._state

    @state.setter
    def state(self, value: Any) -> None:
        seed, call = (int(part) for part in value)
        self.place = seed & _WORD, call

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that `from_config` rebuilds it from."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """Return a new object from such arguments."""
        return cls(**config)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_state": None, "place": self.place}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


class _Place:
    """Where the variable that is a stream's state has its value: in the stream."""

    def __init__(self, stream: SeedGenerator) -> None:
        self._stream = stream

    def pull(self, variable: Variable) -> None:
        place = np.array(self._stream.place, np.uint64)
        if not np.array_equal(place, variable._value):
            variable._replace(place)

    def push(self, variable: Variable) -> None:
        self._stream.state = variable._value


registry.add("random", SeedGenerator)

Seed = int | SeedGenerator | None
_global_generator: SeedGenerator | None = None


def reset_global_generator(stream: SeedGenerator | None = None) -> SeedGenerator | None:
    """Replace the stream of unseeded draws, and return the one before.

    Without another stream the next draw starts one from a new default seed.
    """
    global _global_generator
    before, _global_generator = _global_generator, stream
    return before


def numpy_generator(seed: Seed = None) -> np.random.Generator:
    """Return NumPy's generator for one draw.

    Args:
        seed: an int names a draw, the same each time; a SeedGenerator gives its next draw; None
            gives the next draw of the process-wide stream.

    Raises:
        ValueError: for anything else.
    """
    global _global_generator
    if seed is None:
        if _global_generator is None:
            _global_generator = SeedGenerator()
        seed = _global_generator
    if isinstance(seed, SeedGenerator):
        key = seed.key()
    elif isinstance(seed, int):
        key = seed & _WORD, 0
    else:
        raise ValueError(
            "Argument `seed` must be an integer or an instance of `SeedGenerator`. "
            f"Received: seed={seed!r}"
        )
    return np.random.Generator(np.random.Philox(key=np.array(key, np.uint64)))


def _float_dtype(dtype: Any) -> np.dtype:
    name = dtype or config.floatx()
    dtype = np.dtype("float32" if name == "bfloat16" else name)
    if dtype.kind != "f":
        raise ValueError(f"Expected `dtype` to be a float type. Received: dtype={name!r}")
    return dtype


def _standard(draw: str, generator: np.random.Generator, size: Any, dtype: np.dtype) -> np.ndarray:
    """Draw in the working precision: float64 for float64, else float32."""
    wide = np.float64 if dtype == np.float64 else np.float32
    return getattr(generator, draw)(size, dtype=wide)


def normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: Seed = None,
) -> np.ndarray:
    """Draw from the normal distribution."""
    kind = _float_dtype(dtype)
    draws = _standard("standard_normal", numpy_generator(seed), tuple(shape), kind)
    return (draws * stddev + mean).astype(kind, copy=False)


def truncated_normal(
    shape: Sequence[int],
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: Seed = None,
) -> np.ndarray:
    """Draw from the normal distribution, redrawing what is beyond two standard deviations."""
    kind = _float_dtype(dtype)
    generator = numpy_generator(seed)
    draws = np.asarray(_standard("standard_normal", generator, tuple(shape), kind))
    flat = draws.reshape(-1)
    while (beyond := np.flatnonzero(np.abs(flat) > 2.0)).size:
        flat[beyond] = _standard("standard_normal", generator, beyond.size, kind)
    return (flat.reshape(draws.shape) * stddev + mean).astype(kind, copy=False)


def uniform(
    shape: Sequence[int],
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: str | None = None,
    seed: Seed = None,
) -> np.ndarray:
    """Draw from [minval, maxval)."""
    kind = _float_dtype(dtype)
    draws = _standard("random", numpy_generator(seed), tuple(shape), kind)
    draws = (draws * (maxval - minval) + minval).astype(kind, copy=False)
    if maxval > minval:  # rounding may have reached the open end
        draws = np.minimum(draws, np.nextafter(kind.type(maxval), kind.type(minval)))
    return draws


def randint(
    shape: Sequence[int],
    minval: int,
    maxval: int,
    dtype: str | None = "int32",
    seed: Seed = None,
) -> np.ndarray:
    """Draw integers from [minval, maxval); ValueError if `dtype` is no integer type."""
    kind = np.dtype(dtype or "int32")
    if kind.kind not in "iu":
        raise ValueError(f"Expected `dtype` to be an integer type. Received: dtype={dtype!r}")
    draws = numpy_generator(seed).integers(int(minval), int(maxval), tuple(shape))
    return np.asarray(draws).astype(kind)


def gamma(
    shape: Sequence[int], alpha: Any, dtype: str | None = None, seed: Seed = None
) -> np.ndarray:
    """Draw from the gamma distribution of shape `alpha`, which broadcasts, and scale 1."""
    kind = _float_dtype(dtype)
    return np.asarray(numpy_generator(seed).gamma(alpha, size=tuple(shape))).astype(kind)


def beta(
    shape: Sequence[int], alpha: Any, beta: Any, dtype: str | None = None, seed: Seed = None
) -> np.ndarray:
    """Draw from the beta distribution; `alpha` and `beta` broadcast."""
    kind = _float_dtype(dtype)
    return np.asarray(numpy_generator(seed).beta(alpha, beta, tuple(shape))).astype(kind)


def binomial(
    shape: Sequence[int], counts: Any, probabilities: Any, dtype: str | None = None,
    seed: Seed = None,
) -> np.ndarray:  # fmt: skip
    """Draw how many of `counts` trials succeed, as reals; both arguments broadcast."""
    kind = _float_dtype(dtype)
    counts = np.asarray(counts).astype(np.int64)
    draws = numpy_generator(seed).binomial(counts, np.asarray(probabilities), tuple(shape))
    return np.asarray(draws).astype(kind)


def categorical(
    logits: Any, num_samples: int, dtype: str | None = "int32", seed: Seed = None
) -> np.ndarray:
    """Draw class numbers, (B, classes) unnormalised log-probabilities -> (B, num_samples)."""
    logits = np.asarray(logits, np.float64)
    if logits.ndim != 2:
        raise ValueError(f"Expected `logits` of rank 2. Received: logits.shape={logits.shape}")
    noise = numpy_generator(seed).gumbel(size=(logits.shape[0], num_samples, logits.shape[-1]))
    return np.argmax(logits[:, None, :] + noise, axis=-1).astype(dtype or "int32")


def dropout(
    inputs: Any,
    rate: float,
    noise_shape: Sequence[int | None] | None = None,
    seed: Seed = None,
) -> np.ndarray:
    """Zero elements with probability `rate` and scale the others by 1 / (1 - rate)."""
    from . import ops  # which are differentiated, if `inputs` is

    inputs = ops.convert_to_tensor(inputs)
    if rate <= 0.0:
        return inputs
    sizes = inputs.shape
    if noise_shape is not None:
        sizes = [s or dim for s, dim in zip(noise_shape, inputs.shape, strict=True)]
    keep = numpy_generator(seed).random(sizes, dtype=np.float32) >= rate
    scale = 0.0 if rate >= 1.0 else 1.0 / (1.0 - rate)
    return ops.where(keep, inputs * inputs.dtype.type(scale), inputs.dtype.type(0))


def shuffle(x: Any, axis: int = 0, seed: Seed = None) -> np.ndarray:
    """Return `x` with its slices along `axis` in random order."""
    return numpy_generator(seed).permutation(np.asarray(x), axis=axis)
