"""Batch renormalisation (Ioffe, 2017): batch normalisation corrected towards moving averages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ... import _plan, _tape, initializers, ops

if TYPE_CHECKING:
    from .batch_normalization import BatchNormalization

_BOUNDS = {"rmax", "rmin", "dmax"}


def checked(clipping: dict[str, float] | None, name: str) -> dict[str, float]:
    """Return the bounds of the corrections; ValueError for others, or in the wrong order."""
    clipping = clipping or {}
    unknown = set(clipping) - _BOUNDS
    if unknown:
        raise ValueError(
            f"Layer '{name}': `renorm_clipping` takes the keys {sorted(_BOUNDS)}. "
            f"Received: {clipping}"
        )
    rmax, rmin, dmax = (clipping.get(key) for key in ("rmax", "rmin", "dmax"))
    if rmax is not None and rmin is not None and rmax < rmin:
        raise ValueError(
            f"Layer '{name}': `renorm_clipping` asks for rmin <= rmax. Received: {clipping}"
        )
    if dmax is not None and dmax < 0:
        raise ValueError(f"Layer '{name}': `dmax` must not be negative. Received: {clipping}")
    return clipping


def build(layer: BatchNormalization, shape: tuple[int | None, ...]) -> None:
    """Add the averages that the corrections go by."""

    def deviation(shape: Any, dtype: Any = None) -> np.ndarray:
        variance: Any = initializers.get(layer.moving_variance_initializer)
        return np.sqrt(variance(shape, dtype=dtype))

    for name, initializer in (
        ("moving_stddev", deviation),
        ("renorm_mean", layer.moving_mean_initializer),
        ("renorm_stddev", deviation),
    ):
        weight = layer.add_weight(name=name, shape=shape, initializer=initializer, trainable=False)
        setattr(layer, name, weight)


def normalize(layer: Any, x: Any, mean: Any, variance: Any) -> Any:
    """Normalise x by the moments of the batch, then by the corrections r and d, which are constants
    to the gradient: `((x - mean) / deviation * r + d) * gamma + beta`."""
    wide = [np.asarray(_tape.value_of(v), np.float64) for v in (mean, variance)]
    deviation = np.sqrt(wide[1] + layer.epsilon)
    known = np.maximum(layer.renorm_stddev.numpy(), np.sqrt(layer.epsilon))
    r, d = deviation / known, (wide[0] - layer.renorm_mean.numpy()) / known
    clip = layer.renorm_clipping
    r = np.clip(r, clip.get("rmin", -np.inf), clip.get("rmax", np.inf))
    bound = clip.get("dmax", np.inf)
    d = np.clip(d, -bound, bound)

    def update() -> None:
        for weight, value, keep in (
            (layer.renorm_mean, wide[0], layer.renorm_momentum),
            (layer.renorm_stddev, deviation, layer.renorm_momentum),
            (layer.moving_mean, wide[0], layer.momentum),
            (layer.moving_stddev, deviation, layer.momentum),
        ):
            weight.assign(weight.numpy() * keep + value * (1 - keep))
        moved = layer.moving_stddev.numpy()
        layer.moving_variance.assign(np.maximum(moved * moved - layer.epsilon, 0))

    _plan.afterwards(update)
    shape = [-1 if axis == layer.axis % x.ndim else 1 for axis in range(x.ndim)]
    scale = ops.rsqrt(ops.reshape(variance, shape) + layer.epsilon)
    y = (x - ops.reshape(mean, shape)) * scale
    y = y * r.astype(x.dtype).reshape(shape) + d.astype(x.dtype).reshape(shape)
    if layer.scale:
        y = y * ops.reshape(layer.gamma.value, shape)
    return y + ops.reshape(layer.beta.value, shape) if layer.center else y
