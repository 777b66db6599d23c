"""The steps of images and sequences: convolutions, pooling, padding. Values are (h, w, channels) or
(length, channels) here: `to_last` and `to_first` take other orders there and back."""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

from .. import _kernels
from .flow import Flow
from .values import Value

Sizes = tuple[int, ...]


class Windows(NamedTuple):
    """How a window goes over images, for each of their one or two axes: its pixels, its steps, the
    distance of its pixels, and the padding: "valid", "same", or "causal"."""

    size: Sizes
    strides: Sizes
    dilation: Sizes
    padding: str


def to_last(flow: Flow, x: Value, data_format: str) -> Value:
    """x with its channels at the end."""
    if data_format == "channels_last":
        return x
    made = flow.turned.get(x.id)
    if made is not None and made.shape == (*x.shape[1:], x.shape[0]):
        return made
    return flow.permute(x, (*range(2, len(x.shape) + 1), 1))


def to_first(flow: Flow, x: Value, data_format: str) -> Value:
    """x, whose channels are at the end, as the data format has them."""
    if data_format == "channels_last":
        return x
    made = flow.permute(x, (len(x.shape), *range(1, len(x.shape))))
    flow.turned[made.id] = x
    return made


def _padding(size: int, pixels: int, stride: int, apart: int, padding: str) -> tuple[int, int]:
    """The number of results along an axis, and of pixels of padding before it."""
    reach = (pixels - 1) * apart
    if padding == "valid":
        return max(-(-(size - reach) // stride), 0), 0
    results = -(-size // stride)
    if padding == "causal":
        return results, reach
    return results, max((results - 1) * stride + reach + 1 - size, 0) // 2


def _window(shape: Sizes, how: Windows) -> Sizes:
    """As the plan has it: (h, w, c, kh, kw, sh, sw, dh, dw, top, left, oh, ow)."""
    axes = list(zip(shape[:-1], how.size, how.strides, how.dilation, strict=True))
    axes = [(1, 1, 1, 1)] * (2 - len(axes)) + axes  # a sequence is an image of one row
    made = [_padding(*axis, how.padding) for axis in axes]
    size, pixels, stride, apart = zip(*axes, strict=True)
    results, before = zip(*made, strict=True)
    return (*size, shape[-1], *pixels, *stride, *apart, *before, *results)


def _result(x: Value, made: int, window: Sizes, channels: int) -> Value:
    image = window[-2:] if len(x.shape) == 3 else window[-1:]
    return x._replace(id=made, shape=(*image, channels))


def conv(
    flow: Flow, x: Value, how: Windows, kernel: Any, bias: Any = None, groups: int = 1
) -> Value:
    """x convolved with kernel (*size, channels / groups, n) + bias (n,)."""
    n = kernel.shape[-1]
    if groups == x.shape[-1] > 1:
        return depthwise(flow, x, how, kernel, bias, n // groups)
    w, b = flow.weight(kernel), flow.weight(bias)
    if groups == 1 and all(size == 1 for size in (*how.size, *how.strides)):
        y = flow.plan.dense(x.id, flow.count(x.shape[:-1]), w, b)
        return x._replace(id=y, shape=(*x.shape[:-1], n))
    window = _window(x.shape, how)
    return _result(x, _kernels.plan_conv(flow.plan, x.id, window, groups, w, b), window, n)


def depthwise(
    flow: Flow, x: Value, how: Windows, kernel: Any, bias: Any = None, multiplier: int = 1
) -> Value:
    """Each channel with its own `multiplier` kernels, side by side in kernel (*size, channels,
    multiplier), + bias (channels * multiplier,)."""
    if multiplier > 1:
        made = flow.plan.repeat(x.id, 1, multiplier)
        x = x._replace(id=made, shape=(*x.shape[:-1], x.shape[-1] * multiplier))
    window = _window(x.shape, how)
    w, b = flow.weight(kernel, vector=True), flow.weight(bias)
    y = _kernels.plan_depthwise(flow.plan, x.id, window, w, b)
    return _result(x, y, window, x.shape[-1])


def pool(flow: Flow, x: Value, how: Windows, *, average: bool) -> Value:
    """The largest pixel of each window, or the mean of those that are no padding."""
    window = _window(x.shape, how)
    y = _kernels.plan_pool(flow.plan, x.id, window, average)
    return _result(x, y, window, x.shape[-1])


def pad(flow: Flow, x: Value, padding: tuple[tuple[int, int], ...]) -> Value:
    """x with so many zeros before and after each of its axes but the last."""
    shape = tuple(n + sum(pair) for n, pair in zip(x.shape, padding, strict=False))
    image, before = (1, *x.shape)[-3:-1], (0, *(pair[0] for pair in padding))[-2:]
    window = (*image, x.shape[-1], *(1,) * 6, *before, *(1, *shape)[-2:])
    return x._replace(id=_kernels.plan_pad(flow.plan, x.id, window), shape=(*shape, x.shape[-1]))


def enlarge(flow: Flow, x: Value, times: Sizes) -> Value:
    """Each pixel so many times over, along each axis but the last."""
    sizes = list(x.shape)
    for axis in reversed(range(len(times))):
        if times[axis] > 1:
            run = prod(sizes[axis + 1 :])
            x = x._replace(id=flow.plan.repeat(x.id, run, times[axis]))
            sizes[axis] *= times[axis]
    return x._replace(shape=tuple(sizes))
