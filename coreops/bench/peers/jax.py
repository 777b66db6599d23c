"""JAX: the whole case compiled by jit, with the weights as constants or as arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..cases import Activation, Case, Dense, Dropout, Masking, Permute, Weights
from . import Built, fastest

_NAMES: dict[str | None, Callable[[Any], Any]] = {
    None: lambda x: x,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "softmax": jax.nn.softmax,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
}


def start(threads: int) -> str:
    return jax.__version__  # XLA counts the cores that the process may use: see worker.py


def build(case: Case, x: np.ndarray, weights: Weights) -> Built:
    a, constants = jnp.asarray(x), [tuple(map(jnp.asarray, pair)) for pair in weights]
    if case.random:
        keys = {name: jax.random.key(1, impl=name) for name in ("threefry2x32", "rbg")}
        return fastest({name: partial(_build, case, a, [], k) for name, k in keys.items()})
    ways = {"constants": lambda: _build(case, a, constants)}
    if weights:
        ways["arguments"] = lambda: _build(case, a, [], constants)
    return fastest(ways)


def _build(case: Case, x: Any, constants: list[Any], *arguments: Any) -> Built:
    def run(x: Any, *arguments: Any) -> Any:
        pairs = iter(arguments[0] if arguments and not case.random else constants)
        for step, _, _ in case.walk():
            if isinstance(step, Dense):
                kernel, bias = next(pairs)
                x = _NAMES[step.activation](x @ kernel + bias)
            elif isinstance(step, Activation):
                x = _NAMES[step.name](x)
            elif isinstance(step, Permute):
                x = jnp.transpose(x, (0, *step.dims))
            elif isinstance(step, Masking):
                x = x * jnp.any(x != 0, axis=-1, keepdims=True)
            elif isinstance(step, Dropout):
                keep = jax.random.bernoulli(arguments[0], 1 - step.rate, x.shape)
                x = jnp.where(keep, x / (1 - step.rate), 0)
        return x if case.steps else jnp.copy(x)

    compiled = jax.jit(run)
    return Built(lambda: compiled(x, *arguments).block_until_ready())
