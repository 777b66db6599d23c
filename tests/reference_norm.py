"""Slow twins of the kernels of normalisation, embedding, normal noise and global pooling."""

import numpy as np
from reference import philox_word


def affine(x, run, scale, center=None, shift=None):
    """x as (..., channels, run), in float64."""
    rows = x.astype(np.float64).reshape(-1, scale.size, run)
    rows = (rows - (0 if center is None else center.astype(np.float64)[:, None])) * scale[
        :, None
    ].astype(np.float64)
    return (rows + (0 if shift is None else shift.astype(np.float64)[:, None])).reshape(x.shape)


def layer_norm(x, epsilon, gamma=None, beta=None):
    x = x.astype(np.float64)
    d = x - x.mean(-1, keepdims=True)
    y = d / np.sqrt((d * d).mean(-1, keepdims=True) + epsilon)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta


def layer_norm_gradient(x, dy, epsilon, gamma=None):
    """By the chain rule, one row after the other."""
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    dx, dgamma = np.empty_like(x), np.empty_like(x)
    n = x.shape[-1]
    for row, of, to, scaled in zip(x, dy, dx, dgamma, strict=True):
        d = row - row.mean()
        scale = 1 / np.sqrt((d * d).mean() + epsilon)
        slope = scale * (np.eye(n) - 1 / n) - scale**3 * np.outer(d, d) / n
        to[:] = slope @ (of if gamma is None else of * gamma)
        scaled[:] = of * d * scale
    return dx, dgamma


def channel_moments(x, mask, count, mean, squares):
    """In float64: how many rows, their mean and the squared differences from it, of rows known by
    these and those of x."""
    v = x.astype(np.float64).reshape(-1, x.shape[-1])
    v = v if mask is None else v[mask.reshape(-1)]
    both = count + len(v)
    if both == 0:
        return both, mean, squares
    all_of_them = (count * mean + v.sum(0)) / both
    own = ((v - all_of_them) ** 2).sum(0)
    return both, all_of_them, squares + count * (mean - all_of_them) ** 2 + own


def channel_sums(x, dy, center):
    """In float64: sums over the rows, and of products."""
    v, d = (t.astype(np.float64).reshape(-1, x.shape[-1]) for t in (x, dy))
    return d.sum(0), ((v - center) * d).sum(0)


def batch_norm(x, dy, mask, gamma, beta, epsilon, fuzz):
    """What becomes of rows, the gradients of them, gamma and beta, the mean and the variance."""
    x, dy, gamma, beta = (a.astype(np.float64) for a in (x, dy, gamma, beta))
    kept = np.ones(len(x), bool) if mask is None else mask
    weight = kept.sum() + (0 if mask is None else fuzz)
    mean = x[kept].sum(0) / weight
    variance = ((x[kept] - mean) ** 2).sum(0) / weight
    scale = 1 / np.sqrt(variance + epsilon)
    normal = (x - mean) * scale
    dx = gamma * scale * dy
    dx[kept] -= gamma * scale / weight * (dy.sum(0) + normal[kept] * (dy * normal).sum(0))
    return normal * gamma + beta, dx, (dy * normal).sum(0), dy.sum(0), mean, variance


def channel_gradient(x, dy, center, a, b, c, mask=None):
    x, dy, center, a, b, c = (t.astype(np.float64) for t in (x, dy, center, a, b, c))
    of_batch = b * (x - center) + c
    return a * dy + (of_batch if mask is None else np.where(mask[..., None], of_batch, 0))


def mean_over(x, mask=None):
    x = x.astype(np.float64)
    keep = np.ones(len(x), bool) if mask is None else mask
    with np.errstate(invalid="ignore"):
        return x[keep].sum(0) / np.float64(keep.sum())


def mean_over_gradient(dy, m, mask=None):
    keep = np.ones(m, bool) if mask is None else mask
    with np.errstate(all="ignore"):
        share = dy.astype(np.float64) / np.float64(keep.sum())
    return np.where(keep[:, None], share, 0)


def max_over(x):
    return np.max(x, axis=0, initial=-np.inf)


def max_over_gradient(x, y, dy):
    same = x == y
    with np.errstate(all="ignore"):
        return same * (dy.astype(np.float64) / same.sum(0))


def gather(table, index):
    return table[index], index != 0


def scatter_add(index, x, y, first=0):
    """In the order of the rows, in the type of y."""
    y = y.copy()
    for i, row in zip(index, x, strict=True):
        if 0 <= i - first < len(y):
            y[i - first] += row
    return y


def normals(n, stream, start=0):
    """The normals of elements start .. of a stream: two of each pair of words of a group of 64."""
    made = []
    for i in range(start, start + n):
        group, j = divmod(i, 64)
        first, second = (philox_word(*stream, group * 64 + j % 32 + at) for at in (0, 32))
        u = ((first >> 1) + 0.5) / 2**31
        angle = 2 * np.pi * second / 2**32
        made.append(np.sqrt(-2 * np.log(u)) * (np.cos(angle) if j < 32 else np.sin(angle)))
    return np.array(made)
