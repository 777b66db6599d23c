"""JAX: the whole case compiled by jit, with the weights as constants or as arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..cases import ADAM, LSTM, Activation, Case, Dense, Dropout, Masking, Permute, Weights
from ..images import NORMALIZE_EPSILON, Conv, Depthwise, Flatten, Normalize, Pool
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
        return fastest({name: partial(_build, case, a, [], [], k) for name, k in keys.items()})
    ways = {"constants": lambda: _build(case, a, constants)}
    if weights:
        ways["arguments"] = lambda: _build(case, a, [], constants)
    return fastest(ways)


def _build(case: Case, x: Any, constants: list[Any], *arguments: Any) -> Built:
    def run(x: Any, weights: Any = constants, key: Any = None) -> Any:
        return _forward(case, x, weights, key) if case.steps else jnp.copy(x)

    compiled = jax.jit(run)
    return Built(lambda: compiled(x, *arguments).block_until_ready())


def _forward(case: Case, x: Any, weights: Any, key: Any = None, names: Any = _NAMES) -> Any:
    """The case's steps one after the other; key: of the masks that Dropout draws."""
    pairs, mask = iter(weights), None
    for step in case.steps:
        if isinstance(step, Dense):
            kernel, bias = next(pairs)
            x = names[step.activation](x @ kernel + bias)
        elif isinstance(step, Activation):
            x = names[step.name](x)
        elif isinstance(step, Conv | Depthwise):
            x = _convolved(step, x, *next(pairs))
        elif isinstance(step, Normalize):
            x = names[step.activation](_normalized(x, *next(pairs)))
        elif isinstance(step, Pool):
            x = _pooled(step, x)
        elif isinstance(step, Flatten):
            x = x.reshape(len(x), -1)
        elif isinstance(step, Permute):
            x = jnp.transpose(x, (0, *step.dims))
        elif isinstance(step, Masking):
            mask = jnp.any(x != 0, axis=-1)
            x = x * mask[..., None]
        elif isinstance(step, LSTM):
            x = _lstm(x, mask, *next(pairs))
        elif isinstance(step, Dropout):
            key, own = jax.random.split(key)
            keep = jax.random.bernoulli(own, 1 - step.rate, x.shape)
            x = jnp.where(keep, x / (1 - step.rate), 0)
    return x


def _lstm(x: Any, mask: Any, kernel: Any, recurrent: Any, bias: Any) -> Any:
    """By scan; the input's product of all steps comes first."""
    z = jnp.swapaxes(x @ kernel + bias, 0, 1)
    on = None if mask is None else jnp.swapaxes(mask, 0, 1)[..., None]

    def step(state: Any, at: Any) -> Any:
        h, c = state
        product, keep = at
        i, f, g, o = jnp.split(product + h @ recurrent, 4, axis=-1)
        new = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        out = jax.nn.sigmoid(o) * jnp.tanh(new)
        if keep is not None:
            out, new = jnp.where(keep, out, h), jnp.where(keep, new, c)
        return (out, new), None

    zeros = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    return jax.lax.scan(step, (zeros, zeros), (z, on))[0][0]


def _convolved(step: Conv | Depthwise, x: Any, kernel: Any, bias: Any) -> Any:
    groups = x.shape[-1] if isinstance(step, Depthwise) else 1
    y = jax.lax.conv_general_dilated(
        x,
        kernel if groups == 1 else kernel[:, :, None],
        (step.strides, step.strides),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=groups,
    )
    return _NAMES[step.activation](y + bias)


def _normalized(x: Any, gamma: Any, beta: Any) -> Any:
    """Without moving averages, which the loss does not show."""
    scale = gamma / jnp.sqrt(x.var((0, 1, 2)) + NORMALIZE_EPSILON)
    return (x - x.mean((0, 1, 2))) * scale + beta


def _pooled(step: Pool, x: Any) -> Any:
    window = (1, step.size, step.size, 1)
    if step.average:
        return jax.lax.reduce_window(x, 0.0, jax.lax.add, window, window, "VALID") / step.size**2
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, window, "VALID")


def train(case: Case, x: np.ndarray, weights: Weights) -> Built:
    """A step that replaces its arguments, with Adam by hand."""
    kinds = ("threefry2x32", "rbg") if case.random else ("threefry2x32",)
    return fastest({kind: partial(_learning, case, x, weights, kind) for kind in kinds})


def _learning(case: Case, x: np.ndarray, weights: Weights, kind: str) -> Built:
    a, labels = jnp.asarray(x), jnp.asarray(case.labels())

    def loss_of(pairs: Any, key: Any) -> Any:
        y = _forward(case, a, pairs, key, {**_NAMES, "softmax": jax.nn.log_softmax})
        return -jnp.mean(jnp.take_along_axis(y, labels[:, None], 1))

    def learn(state: Any) -> Any:
        pairs, means, squares, count, key = state
        loss, gradients = jax.value_and_grad(loss_of)(pairs, jax.random.fold_in(key, count))
        count = count + 1
        b1, b2 = ADAM.beta_1, ADAM.beta_2
        rate = ADAM.rate * jnp.sqrt(1 - b2**count) / (1 - b1**count)
        each = jax.tree.map
        means = each(lambda m, g: m + (g - m) * (1 - b1), means, gradients)
        squares = each(lambda v, g: v + (g * g - v) * (1 - b2), squares, gradients)
        pairs = each(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) + ADAM.epsilon), pairs, means, squares
        )
        return (pairs, means, squares, count, key), loss

    compiled = jax.jit(learn, donate_argnums=0)
    state: Any = None

    def reset() -> None:
        nonlocal state
        pairs = [tuple(jnp.array(w) for w in pair) for pair in weights]
        zeros = [jax.tree.map(jnp.zeros_like, pairs) for _ in range(2)]
        state = pairs, *zeros, jnp.zeros((), jnp.float32), jax.random.key(1, impl=kind)

    def call() -> Any:
        nonlocal state
        state, loss = compiled(state)
        return jax.block_until_ready((state, loss))[1]

    reset()
    return Built(call, reset=reset)
