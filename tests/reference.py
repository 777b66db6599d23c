"""Slow, readable twins of the kernels, in NumPy and mostly in float64: what the tests believe."""

import numpy as np


# ------------------------------------------------------------------- dense, softmax, masks, moves


def dense(x, kernel, bias=None):
    """x (..., k) @ kernel (k, n) + bias (n,), in float64."""
    y = x.astype(np.float64) @ kernel.astype(np.float64)
    return y if bias is None else y + bias.astype(np.float64)


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
    """The word of element i of a stream: 64 elements take 16 counters, word by word."""
    group, j = divmod(i, 64)
    counter = group * 16 + j % 16
    low = (1 << 32) - 1
    words = philox4x32((counter & low, counter >> 32, call & low, call >> 32), (seed & low, seed >> 32))
    return words[j // 16]


def dropout(x, rate, seed, call, noise_shape=None):
    """Inverted dropout. noise_shape: sizes of x or 1, batch axis included."""
    noise = x.shape if noise_shape is None else noise_shape
    threshold = int(rate * 2**32 + 0.5)
    words = [philox_word(seed, call, i) for i in range(int(np.prod(noise)))]
    keep = (np.array(words, dtype=np.uint64) >= threshold).reshape(noise)
    scale = 1 / (1 - rate) if rate < 1 else 0.0
    return np.where(keep, x * x.dtype.type(scale), np.zeros((), x.dtype))
