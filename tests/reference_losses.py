"""Slow, readable twins of the loss kernel: Keras' formulas and their derivatives, in float64."""

import numpy as np
from reference import _sigmoid, _softplus


def _step(x):
    """The slope of max(x, 0): half at 0."""
    return (np.sign(x) + 1) / 2


def _cut(x, low, high):
    """x cut to low .. high, and the slope of that: half at the ends."""
    return np.clip(x, low, high), _step(x - low) * _step(high - x)


def _mean(term):
    """A loss that is the mean of terms: term(t, p, parameter, low, high) gives them and their
    slopes."""

    def loss(t, p, *arguments):
        terms, slopes = term(t, p, *arguments)
        return np.mean(terms, -1), slopes / p.shape[-1]

    return loss


def _squared(t, p, *_):
    return (p - t) ** 2, 2 * (p - t)


def _absolute(t, p, *_):
    return np.abs(p - t), np.sign(p - t)


def _percentage(t, p, _, low, __):
    size = np.maximum(np.abs(t), low)
    return 100 * np.abs(p - t) / size, 100 * np.sign(p - t) / size


def _squared_logarithmic(t, p, _, low, __):
    q = np.maximum(p, low) + 1
    e = np.log(q) - np.log(np.maximum(t, low) + 1)
    return e**2, 2 * e / q * _step(p - low)


def _huber(t, p, delta, *_):
    e = p - t
    far = np.abs(e) > delta
    return (
        np.where(far, delta * np.abs(e) - delta**2 / 2, e**2 / 2),
        np.where(far, delta * np.sign(e), e),
    )


def _log_cosh(t, p, *_):
    e = p - t
    return e + _softplus(-2 * e) - np.log(2), np.tanh(e)


def _hinge(t, p, *_):
    return np.maximum(1 - t * p, 0), -t * _step(1 - t * p)


def _squared_hinge(t, p, *_):
    margin = np.maximum(1 - t * p, 0)
    return margin**2, -2 * t * margin


def _poisson(t, p, _, low, __):
    return p - t * np.log(p + low), 1 - t / (p + low)


def _binary(t, p, smoothing, low, high):
    t = t * (1 - smoothing) + smoothing / 2
    c, slope = _cut(p, low, high)
    return -t * np.log(c) - (1 - t) * np.log(1 - c), ((1 - t) / (1 - c) - t / c) * slope


def _binary_of_logits(t, p, smoothing, *_):
    t = t * (1 - smoothing) + smoothing / 2
    return t * _softplus(-p) + (1 - t) * _softplus(p), _sigmoid(p) - t


def _divergence(t, p, _, low, __):
    s = np.clip(t, low, 1)
    c, slope = _cut(p, low, 1)
    return np.sum(s * np.log(s / c), -1), -s / c * slope


def _cosine(t, p, _, low, __):
    square = np.sum(p * p, -1, keepdims=True)
    norm_t = np.sqrt(np.maximum(np.sum(t * t, -1, keepdims=True), low**2))
    norm_p = np.sqrt(np.maximum(square, low**2))
    dot = np.sum(t * p, -1, keepdims=True) / (norm_t * norm_p)
    return -dot[..., 0], dot * p / norm_p**2 * _step(square - low**2) - t / (norm_t * norm_p)


def _categorical_hinge(t, p, *_):
    others = (1 - t) * p
    top = np.max(others, -1, keepdims=True)
    share = (others == top) / np.sum(others == top, -1, keepdims=True)
    margin = top - np.sum(t * p, -1, keepdims=True) + 1
    return np.maximum(margin, 0)[..., 0], _step(margin) * (share * (1 - t) - t)


def _categorical(t, p, smoothing, low, high):
    t = t * (1 - smoothing) + smoothing / p.shape[-1]
    total = np.sum(p, -1, keepdims=True)
    c, slope = _cut(p / total, low, high)
    g = -t / c * slope
    return -np.sum(t * np.log(c), -1), (g - np.sum(g * p / total, -1, keepdims=True)) / total


def _categorical_of_logits(t, p, smoothing, *_):
    t = t * (1 - smoothing) + smoothing / p.shape[-1]
    shifted = p - np.max(p, -1, keepdims=True)
    total = np.sum(np.exp(shifted), -1, keepdims=True)
    value = np.sum(t * (np.log(total) - shifted), -1)
    return value, np.exp(shifted) / total * np.sum(t, -1, keepdims=True) - t


def _sparse(dense):
    """With the class of each row, which has a target if it is one of 0 .. n - 1."""

    def loss(t, p, *arguments):
        return dense((np.arange(p.shape[-1]) == t[..., None]).astype(np.float64), p, *arguments)

    return loss


# (kind, from_logits) -> (t, p, parameter, low, high) -> (a value for each row, its gradient to p)
LOSSES = {
    ("mean_squared_error", False): _mean(_squared),
    ("mean_absolute_error", False): _mean(_absolute),
    ("mean_absolute_percentage_error", False): _mean(_percentage),
    ("mean_squared_logarithmic_error", False): _mean(_squared_logarithmic),
    ("huber", False): _mean(_huber),
    ("log_cosh", False): _mean(_log_cosh),
    ("hinge", False): _mean(_hinge),
    ("squared_hinge", False): _mean(_squared_hinge),
    ("kl_divergence", False): _divergence,
    ("poisson", False): _mean(_poisson),
    ("binary_crossentropy", False): _mean(_binary),
    ("binary_crossentropy", True): _mean(_binary_of_logits),
    ("cosine_similarity", False): _cosine,
    ("categorical_hinge", False): _categorical_hinge,
    ("categorical_crossentropy", False): _categorical,
    ("categorical_crossentropy", True): _categorical_of_logits,
    ("sparse_categorical_crossentropy", False): _sparse(_categorical),
    ("sparse_categorical_crossentropy", True): _sparse(_categorical_of_logits),
}


def loss(kind, target, prediction, weight=None, from_logits=False, p=0.0):
    """The values and their weighted gradient. epsilon = 1e-7 and 1 - epsilon are of the
    prediction's type, as Keras has them."""
    real = prediction.dtype.type
    t = target if target.dtype.kind == "i" else target.astype(np.float64)
    bounds = float(real(1e-7)), float(real(1 - 1e-7))
    twin = LOSSES[kind, from_logits]
    value, gradient = twin(t, prediction.astype(np.float64), p, *bounds)
    return value, gradient if weight is None else gradient * weight[..., None].astype(np.float64)
