"""Slow, readable twins of the kernels, in NumPy and mostly in float64: what the tests believe."""

import math

import numpy as np

# ------------------------------------------------------------------- dense, softmax, masks, moves


def dense(x, kernel, bias=None):
    """x (..., k) @ kernel (k, n) + bias (n,), in float64."""
    y = x.astype(np.float64) @ kernel.astype(np.float64)
    return y if bias is None else y + bias.astype(np.float64)


def dense_int8(x, kernel, scale, bias=None):
    """x quantized row by row @ kernel (k, n) of int8, over both scales, + bias: an exact sum, and
    around it Keras' operations on reals of x's type, each rounded by itself."""
    real = x.dtype.type
    row_scale = real(127) / (np.max(np.abs(x), axis=-1, keepdims=True) + real(1e-7))
    q = np.clip(np.round(x * row_scale), -127, 127)
    sums = q.astype(np.float64) @ kernel.astype(np.float64)  # below 2^31, so exact
    y = sums.astype(x.dtype) / (scale * row_scale)
    return y if bias is None else y + bias


def prelu(x, alpha):
    x = x.astype(np.float64)
    return np.maximum(x, 0) + alpha.astype(np.float64) * np.minimum(x, 0)


def masking(x, mask_value):
    """The time steps where some feature differs from mask_value, and x with the others zeroed."""
    mask = np.any(x != x.dtype.type(mask_value), axis=-1)
    return np.where(mask[..., None], x, np.zeros((), x.dtype)), mask


def repeat(x, n):
    return np.repeat(x[:, None], n, axis=1)


# ----------------------------------------------------------------------------------------- dropout


def philox4x32(counter, key, rounds=10):
    """Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011):
    four 32-bit words from a counter of four and a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(rounds):
        high0, low0 = divmod(0xD2511F53 * c0, 1 << 32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 1 << 32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B9) % (1 << 32), (k1 + 0xBB67AE85) % (1 << 32)
    return c0, c1, c2, c3


def philox_word(seed, call, i):
    """Word i of a stream: 64 words take 16 counters, word by word."""
    group, j = divmod(i, 64)
    counter = group * 16 + j % 16
    low = (1 << 32) - 1
    where = (counter & low, counter >> 32, call & low, call >> 32)
    words = philox4x32(where, (seed & low, seed >> 32))
    return words[j // 16]


def dropout_word(seed, call, i):
    """The word of element i: 64 have words with the halves exchanged, 64 the same words."""
    group, j = divmod(i, 128)
    word = philox_word(seed, call, group * 64 + j % 64)
    return word if j >= 64 else word >> 16 | (word & 0xFFFF) << 16


def dropout(x, rate, seed, call, noise_shape=None):
    """Inverted dropout. noise_shape: sizes of x or 1, batch axis included."""
    noise = x.shape if noise_shape is None else noise_shape
    threshold = int(rate * 2**32 + 0.5)
    words = [dropout_word(seed, call, i) for i in range(int(np.prod(noise)))]
    keep = (np.array(words, dtype=np.uint64) >= threshold).reshape(noise)
    scale = 1 / (1 - rate) if rate < 1 else 0.0
    return np.where(keep, x * x.dtype.type(scale), np.zeros((), x.dtype))


# ------------------------------------------------------------------------------------- activations


def _sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def _softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _elu(x, alpha=1.0):
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))


def _gelu(x):
    """x Phi(x), which is x / 2 near 0, and 0 or x far out."""
    y = np.where(np.abs(x) < 2.0**-60, x / 2, np.where(x > -40, x, x * 0.0))
    curved = (np.abs(x) >= 2.0**-60) & (np.abs(x) < 40)
    erfc = [math.erfc(-t / math.sqrt(2)) for t in x[curved].tolist()]
    y[curved] *= np.array(erfc) / 2
    return y


def _tanh_shrink(x):
    """By its series where the difference would cancel."""
    z = x * x
    series = x * (z / 3 * (1 - z * (2 / 5 - z * 17 / 105)))
    return np.where(np.abs(x) < 0.02, series, x - np.tanh(x))


def _squareplus(x, b=4):
    root = np.sqrt(x * x + b)
    return np.where(x < 0, b / 2 / (root - np.minimum(x, 0)), (x + root) / 2)


def _halves(x, axis=-1):
    return np.split(x, 2, axis)


def _softmax(x, axis=-1):
    e = np.exp(x - np.max(x, axis, keepdims=True))
    return e / np.sum(e, axis, keepdims=True)


def _log_softmax(x, axis=-1):
    d = x - np.max(x, axis, keepdims=True)
    return d - np.log(np.sum(np.exp(d), axis, keepdims=True))


def _sparsemax(x, axis=-1):
    """The projection onto the simplex, its threshold found by bisection."""
    low, high = np.min(x, axis, keepdims=True) - 1, np.max(x, axis, keepdims=True)
    for _ in range(200):
        middle = (low + high) / 2
        above = np.sum(np.maximum(x - middle, 0), axis, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.maximum(x - low, 0)


# Name -> the function with its default arguments, on float64.
ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),
    "relu6": lambda x: np.clip(x, 0, 6),
    "elu": _elu,
    "celu": _elu,
    "selu": lambda x: 1.0507009873554805 * _elu(x, 1.6732632423543772),
    "sigmoid": _sigmoid,
    "hard_sigmoid": lambda x: np.clip((x + 3) / 6, 0, 1),
    "silu": lambda x: x * _sigmoid(x),
    "hard_silu": lambda x: x * np.clip((x + 3) / 6, 0, 1),
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanh": np.tanh,
    "tanh_shrink": _tanh_shrink,
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "exponential": np.exp,
    "gelu": _gelu,
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "log_sigmoid": lambda x: -_softplus(-x),
    "glu": lambda x: _halves(x)[0] * _sigmoid(_halves(x)[1]),
    "squareplus": _squareplus,
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "hard_shrink": lambda x: np.where(np.abs(x) <= 0.5, 0, x),
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "sparsemax": _sparsemax,
}

# The same with arguments: (name, keywords, twin).
ACTIVATIONS_WITH_ARGUMENTS = [
    ("relu", {"negative_slope": 0.1}, lambda x: np.where(x > 0, x, 0.1 * x)),
    ("relu", {"max_value": 1.5}, lambda x: np.clip(x, 0, 1.5)),
    ("relu", {"threshold": 1.0}, lambda x: np.where(x <= 1, 0, x)),
    (
        "relu",
        {"negative_slope": 0.5, "max_value": 2.0, "threshold": 0.25},
        lambda x: np.where(x > 0.25, np.minimum(x, 2), 0.5 * (x - 0.25)),
    ),
    ("leaky_relu", {"negative_slope": 0.01}, lambda x: np.where(x > 0, x, 0.01 * x)),
    ("elu", {"alpha": 0.3}, lambda x: _elu(x, 0.3)),
    ("celu", {"alpha": 2.0}, lambda x: np.where(x > 0, x, 2 * np.expm1(np.minimum(x, 0) / 2))),
    (
        "gelu",
        {"approximate": True},
        lambda x: x * _sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)),
    ),
    ("glu", {"axis": 0}, lambda x: _halves(x, 0)[0] * _sigmoid(_halves(x, 0)[1])),
    ("squareplus", {"b": 0.5}, lambda x: _squareplus(x, 0.5)),
    ("soft_shrink", {"threshold": 1.0}, lambda x: np.sign(x) * np.maximum(np.abs(x) - 1, 0)),
    ("hard_shrink", {"threshold": 1.0}, lambda x: np.where(np.abs(x) <= 1, 0, x)),
    (
        "threshold",
        {"threshold": 0.5, "default_value": -3.0},
        lambda x: np.where(x <= 0.5, -3, x),
    ),
    ("softmax", {"axis": 0}, lambda x: _softmax(x, 0)),
    ("softmax", {"axis": (0, 2)}, lambda x: _softmax(x, (0, 2))),
    ("log_softmax", {"axis": 1}, lambda x: _log_softmax(x, 1)),
    ("sparsemax", {"axis": 0}, lambda x: _sparsemax(x, 0)),
]


# --------------------------------------------------------------------------------------- gradients


def _gate_slope(x, u, du):
    """Of x sigmoid(u)."""
    return _sigmoid(u) + x * _sigmoid(u) * _sigmoid(-u) * du


def _gelu_slope(x):
    erfc = np.array([math.erfc(-t / math.sqrt(2)) for t in x.ravel().tolist()]).reshape(x.shape)
    return erfc / 2 + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _mish_slope(x):
    t = np.tanh(_softplus(x))
    return t + x * (1 - t * t) * _sigmoid(x)


def _gelu_tanh_slope(x):
    c = 2 * math.sqrt(2 / math.pi)
    return _gate_slope(x, c * (x + 0.044715 * x**3), c * (1 + 3 * 0.044715 * x**2))


# Kind -> the slope at x, with parameters p, q and r: csrc/activation.h. At a bend: the flat side's,
# or the one's below.
SLOPES = {
    "linear": lambda x, p, q, r: np.ones_like(x),
    "relu": lambda x, p, q, r: np.where(x > 0, 1.0, 0),
    "relu_general": lambda x, p, q, r: np.where(x > r, np.where(x < q, 1.0, 0), p),
    "clip": lambda x, p, q, r: np.where((x > p) & (x < q), 1.0, 0),
    "ramp": lambda x, p, q, r: np.where((p * x + q > 0) & (p * x + q < 1), p, 0),
    "hard_silu": lambda x, p, q, r: np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5)),
    "elu": lambda x, p, q, r: np.where(x > 0, 1, p * np.exp(np.minimum(x, 0))),
    "celu": lambda x, p, q, r: np.where(x > 0, 1, np.exp(np.minimum(x, 0) / p)),
    "selu": lambda x, p, q, r: p * np.where(x > 0, 1, q * np.exp(np.minimum(x, 0))),
    "sigmoid": lambda x, p, q, r: _sigmoid(x) * _sigmoid(-x),
    "log_sigmoid": lambda x, p, q, r: _sigmoid(-x),
    "silu": lambda x, p, q, r: _gate_slope(x, x, 1),
    "tanh": lambda x, p, q, r: 1 - np.tanh(x) ** 2,
    "tanh_shrink": lambda x, p, q, r: np.tanh(x) ** 2,
    "exponential": lambda x, p, q, r: np.exp(x),
    "softplus": lambda x, p, q, r: _sigmoid(x),
    "mish": lambda x, p, q, r: _mish_slope(x),
    "gelu": lambda x, p, q, r: _gelu_slope(x),
    "gelu_tanh": lambda x, p, q, r: _gelu_tanh_slope(x),
    "softsign": lambda x, p, q, r: 1 / (1 + np.abs(x)) ** 2,
    "squareplus": lambda x, p, q, r: (1 + x / np.sqrt(x * x + p)) / 2,
    "soft_shrink": lambda x, p, q, r: np.where(np.abs(x) <= p, 0.0, 1),
    "hard_shrink": lambda x, p, q, r: np.where(np.abs(x) <= p, 0.0, 1),
    "threshold": lambda x, p, q, r: np.where(x <= p, 0.0, 1),
    "sparse_plus": lambda x, p, q, r: np.clip((x + 1) / 2, 0, 1),
    "absolute": lambda x, p, q, r: np.sign(x),
    "sqrt": lambda x, p, q, r: 0.5 / np.sqrt(x),
    "log": lambda x, p, q, r: 1 / x,
    "over": lambda x, p, q, r: -p / x / x,
}


def softmax_gradient(y, dy, log):
    """From softmax's result y, or its logarithm's."""
    y, dy = y.astype(np.float64), dy.astype(np.float64)
    if log:
        return dy - np.exp(y) * np.sum(dy, -1, keepdims=True)
    return y * (dy - np.sum(dy * y, -1, keepdims=True))


def prelu_gradient(x, alpha, dy):
    x, alpha, dy = x.astype(np.float64), alpha.astype(np.float64), dy.astype(np.float64)
    return dy * np.where(x > 0, 1, alpha), dy * np.minimum(x, 0)


def column_sums(x):
    """Row after row, in the type of x."""
    y = np.zeros(x.shape[1], x.dtype)
    for row in x:
        y = y + row
    return y


def keep_rows(mask, x):
    return np.where(mask[..., None], x, np.zeros((), x.dtype))


def penalty(x, l1, l2):
    """The value, and its gradient."""
    x = x.astype(np.float64)
    value = (l1 * np.sum(np.abs(x)) if l1 else 0) + (l2 * np.sum(x * x) if l2 else 0)
    return value, l1 * np.sign(x) + 2 * l2 * x


def sum_squares(x):
    """Of 16 lanes that take the elements in turn, added pairwise: in that order, in float64."""
    lanes = np.zeros(16)
    for i, v in enumerate(x.astype(np.float64)):
        lanes[i % 16] += v * v
    for width in (8, 4, 2, 1):
        lanes = lanes[:width] + lanes[width:]
    return lanes[0]


# ------------------------------------------------------------------------------------ the roofline


def peak_fma(n, a, b, dtype, lanes, chains=12):
    """The sum over all lanes of x = a * x + b, n times over, from x = j in the lanes of chain j."""
    x = np.arange(chains, dtype=dtype)
    for _ in range(n):
        x = (np.float64(a) * x + b).astype(dtype)
    return float(x.sum() * lanes)
