"""Slow, readable twins of the steps of images, in NumPy and in float64. A window is that of
csrc/window.h: (h, w, c, kh, kw, sh, sw, dh, dw, top, left, oh, ow)."""

import numpy as np


def taps(window):
    """Yield, for each result and each tap inside the image: result, tap and pixel."""
    h, w, _, kh, kw, sh, sw, dh, dw, top, left, oh, ow = window
    for y, x, ky, kx in np.ndindex(oh, ow, kh, kw):
        py, px = y * sh - top + ky * dh, x * sw - left + kx * dw
        if 0 <= py < h and 0 <= px < w:
            yield (y, x), (ky, kx), (py, px)


def columns(x, window):
    """x (n, h, w, c) to (n, oh, ow, kh, kw, c): the pixels of each window, 0 for padding."""
    _, _, c, kh, kw, *_, oh, ow = window
    made = np.zeros((len(x), oh, ow, kh, kw, c))
    for (y, i), (ky, kx), (py, px) in taps(window):
        made[:, y, i, ky, kx] = x[:, py, px]
    return made


def conv(x, window, kernel, bias=None, groups=1):
    """kernel (kh, kw, c / groups, n), to (n, oh, ow, n)."""
    cells, kernel = columns(x, window), kernel.astype(np.float64)
    size, filters = kernel.shape[2], kernel.shape[3] // groups
    parts = [
        np.einsum(
            "nyxklc,klcf->nyxf",
            cells[..., g * size : (g + 1) * size],
            kernel[..., g * filters : (g + 1) * filters],
        )
        for g in range(groups)
    ]
    y = np.concatenate(parts, -1)
    return y if bias is None else y + bias.astype(np.float64)


def depthwise(x, window, kernel, bias=None):
    """kernel (kh, kw, c), to (n, oh, ow, c)."""
    y = np.einsum("nyxklc,klc->nyxc", columns(x, window), kernel.astype(np.float64))
    return y if bias is None else y + bias.astype(np.float64)


def pool(x, window, average):
    """The largest pixel or the mean of each window, without its padding."""
    there = columns(np.ones_like(x), window) > 0
    cells = columns(x, window)
    if average:
        return cells.sum((3, 4)) / there.sum((3, 4))
    return np.where(there, cells, -np.inf).max((3, 4))


def pool_gradient(x, window, average, dy):
    """Of equal largest pixels the first one in the window has it."""
    there, cells = columns(np.ones_like(x), window) > 0, columns(x, window)
    dx = np.zeros(x.shape)
    n, oh, ow, kh, kw, c = cells.shape
    if average:
        share = there / there.sum((3, 4), keepdims=True)
    else:
        flat = np.where(there, cells, -np.inf).reshape(n, oh, ow, kh * kw, c)
        share = (flat.argmax(3)[:, :, :, None] == np.arange(kh * kw)[:, None]).reshape(cells.shape)
    for (y, i), (ky, kx), (py, px) in taps(window):
        dx[:, py, px] += share[:, y, i, ky, kx] * dy[:, y, i]
    return dx


def spread(parts, window, x_shape):
    """The gradients of the columns (n, oh, ow, kh, kw, c), each added to its pixel."""
    dx = np.zeros(x_shape)
    for (y, i), (ky, kx), (py, px) in taps(window):
        dx[:, py, px] += parts[:, y, i, ky, kx]
    return dx


def conv_gradients(x, window, kernel, dy, groups=1):
    """The gradients to x and to kernel (kh, kw, c / groups, n) of what dy is the gradient of."""
    cells, dx, dw = columns(x, window), np.zeros(x.shape), np.zeros(kernel.shape)
    size, filters = kernel.shape[2], kernel.shape[3] // groups
    for g in range(groups):
        inputs = np.s_[..., g * size : (g + 1) * size]
        own = np.s_[..., g * filters : (g + 1) * filters]
        dw[own] = np.einsum("nyxklc,nyxf->klcf", cells[inputs], dy[own])
        parts = np.einsum("nyxf,klcf->nyxklc", dy[own], kernel[own].astype(np.float64))
        dx[inputs] = spread(parts, window, x[inputs].shape)
    return dx, dw


def depthwise_gradients(x, window, kernel, dy):
    """The same for kernel (kh, kw, c)."""
    parts = np.einsum("nyxc,klc->nyxklc", dy, kernel.astype(np.float64))
    return spread(parts, window, x.shape), np.einsum("nyxklc,nyxc->klc", columns(x, window), dy)


# ------------------------------------------------------------------------------ tiles of 4 by 4

P, Q = 0.6875, 1.375
POINTS = (0, P, -P, Q, -Q)


def transforms():
    """The matrices of Winograd's tiles: six pixels to the values of a polynomial at POINTS and at
    infinity, three weights to those of theirs, and six products to four results."""
    pixels, weights = np.zeros((6, 6)), np.zeros((6, 3))
    for i, point in enumerate(POINTS):
        others = [other for other in POINTS if other != point]
        pixels[i, :5] = np.poly(others)[::-1]
        weights[i] = point ** np.arange(3) / np.prod([point - other for other in others])
    pixels[5] = np.poly(POINTS)[::-1]
    weights[5, 2] = 1
    results = np.array([[point**i for point in POINTS] + [i == 3] for i in range(4)], float)
    return pixels, weights, results


def tiles_size(x, window, kernel):
    """What roundings of convolutions in tiles are relative to: the sums of the same products with
    every number and every matrix replaced by its absolute values."""
    h, w, c, *_, top, left, oh, ow = window
    pixels, weights, results = map(np.abs, transforms())
    down, across = -(-oh // 4), -(-ow // 4)
    whole = np.zeros((len(x), 4 * down + 2, 4 * across + 2, c))
    whole[:, top : top + h, left : left + w] = np.abs(x)[:, : 4 * down + 2, : 4 * across + 2]
    transformed = np.einsum("ai,bj,ijcf->abcf", weights, weights, np.abs(kernel))
    y = np.zeros((len(x), 4 * down, 4 * across, kernel.shape[-1]))
    for i, j in np.ndindex(down, across):
        patch = whole[:, 4 * i : 4 * i + 6, 4 * j : 4 * j + 6]
        sums = np.einsum("ai,bj,nijc,abcf->nabf", pixels, pixels, patch, transformed, optimize=True)
        tile = np.einsum("ia,jb,nabf->nijf", results, results, sums)
        y[:, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4] = tile
    return y[:, :oh, :ow]
