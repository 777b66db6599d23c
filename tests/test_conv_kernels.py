"""The steps of images on every tier that has kernels of its own for them: convolutions, pooling and
padding, and their gradients, against their twins in reference_conv.py."""

import numpy as np
import pytest
import reference_conv as reference
from test_kernels import run

from coreops import _kernels, _tape, layers

FULL = [tier for tier in _kernels.tiers() if tier in ("baseline", "avx2", "avx512")]


@pytest.fixture(params=FULL)
def isa(request):
    """Runs the test once on each of them."""
    before = _kernels.isa()
    _kernels.use_isa(request.param)
    yield request.param
    _kernels.use_isa(before)


def window(h, w, c, k=(3, 3), s=(1, 1), d=(1, 1), pad=((1, 1), (1, 1))):
    """The window of k pixels with so much padding before and after."""
    sizes = []
    for n, kernel, stride, apart, (before, after) in zip((h, w), k, s, d, pad, strict=True):
        sizes.append((n + before + after - (kernel - 1) * apart - 1) // stride + 1)
    return (h, w, c, *k, *s, *d, pad[0][0], pad[1][0], *sizes)


NONE = ((0, 0), (0, 0))
WINDOWS = [
    window(5, 7, 3),
    window(9, 33, 5),
    window(8, 16, 16),
    window(13, 17, 17, pad=NONE),
    window(9, 9, 4, s=(2, 2), pad=((0, 1), (0, 1))),
    window(12, 40, 8, s=(2, 3), pad=NONE),
    window(11, 19, 6, d=(2, 3), pad=((2, 2), (3, 3))),
    window(1, 30, 5, k=(1, 3), pad=((0, 0), (2, 0))),
    window(1, 19, 31, k=(1, 5), d=(1, 2), pad=((0, 0), (8, 0))),
    window(4, 4, 20, k=(5, 5), pad=((2, 2), (2, 2))),
    window(6, 23, 2, k=(1, 1), s=(2, 2), pad=NONE),
    window(2, 3, 1, k=(4, 4), pad=((2, 1), (1, 2))),
    window(7, 7, 8, k=(2, 2), s=(3, 3), pad=NONE),
]
each_window = pytest.mark.parametrize("w", WINDOWS, ids=lambda w: "-".join(map(str, w)))


def made(build, x, w, n):
    return run(x.dtype, x, build, (*w[-2:], n))


def conv(x, w, kernel, bias=None, groups=1, act=None):
    def build(plan):
        weights = plan.weight(kernel), -1 if bias is None else plan.weight(bias)
        y = _kernels.plan_conv(plan, 0, w, groups, *weights)
        return y if act is None else plan.act(y, act)

    return made(build, x, w, kernel.shape[-1])


def draw(rng, dtype, w, n, groups=1):
    h, wide, c, kh, kw = w[:5]
    x = rng.normal(size=(3, h, wide, c)).astype(dtype)
    kernel = rng.normal(size=(kh, kw, c // groups, n)).astype(dtype)
    return x, kernel, rng.normal(size=n).astype(dtype)


def bound(x, w, kernel, bias, groups=1):
    """k roundings of the sum of the products, the bias's among them."""
    eps, k = np.finfo(x.dtype).eps, kernel[..., 0].size
    size = reference.conv(np.abs(x), w, np.abs(kernel), np.abs(bias), groups)
    return (k + 2) * eps * size


@each_window
@pytest.mark.parametrize("n", [1, 7, 34])
def test_conv(isa, dtype, rng, w, n):
    x, kernel, bias = draw(rng, dtype, w, n)
    y = conv(x, w, kernel, bias)
    assert np.all(np.abs(y - reference.conv(x, w, kernel, bias)) <= bound(x, w, kernel, bias))
    # an image does not depend on the others, and an activation is one of the result
    assert np.array_equal(conv(x[2:], w, kernel, bias), y[2:])
    assert np.array_equal(conv(x, w, kernel, bias, act="relu"), np.maximum(y, 0))
    np.testing.assert_allclose(
        conv(x, w, kernel, bias, act="tanh"), np.tanh(y), rtol=8 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("groups", [2, 3])
def test_groups(isa, dtype, rng, groups):
    for w in (window(5, 19, 6), window(9, 9, 12, s=(2, 2), pad=NONE), window(3, 3, 6, d=(2, 2))):
        if min(w[-2:]) < 1:
            continue
        x, kernel, bias = draw(rng, dtype, w, 6 * groups, groups)
        y = conv(x, w, kernel, bias, groups)
        off = np.abs(y - reference.conv(x, w, kernel, bias, groups))
        assert np.all(off <= bound(x, w, kernel, bias, groups))


TILED = [window(16, 16, 16), window(10, 13, 33), window(9, 30, 20, pad=NONE), window(8, 8, 40)]


@pytest.mark.parametrize("w", TILED, ids=lambda w: "-".join(map(str, w[:3])))
@pytest.mark.parametrize("n", [16, 37])
def test_tiles(isa, dtype, rng, w, n):
    """3 by 3 by Winograd's way: the transforms have six roundings forth and eight back in each of
    two directions, the sum c, the weights and the bias two. That bound is of the worst case;
    of numbers that are drawn, it loses less than four times what the sum in order does."""
    x, kernel, bias = draw(rng, dtype, w, n)
    y, exact = conv(x, w, kernel, bias), reference.conv(x, w, kernel, bias)
    eps, c = np.finfo(dtype).eps, w[2]
    size = reference.tiles_size(x, w, kernel) + np.abs(bias)
    assert np.all(np.abs(y - exact) <= (c + 2 * (6 + 8) + 2) * eps / 2 * size)
    if dtype == np.float32:
        cells = reference.columns(x, w).astype(dtype).reshape(-1, 9 * c, 1)
        in_order = np.cumsum(cells * kernel.reshape(9 * c, n), axis=1)[:, -1].reshape(y.shape)
        lost, usual = y - exact, in_order + bias - exact
        assert np.sqrt(np.mean(lost**2)) <= 4 * np.sqrt(np.mean(usual**2))
    assert np.array_equal(conv(x[1:], w, kernel, bias), y[1:])
    assert np.array_equal(conv(x, w, kernel, bias, act="relu"), np.maximum(y, 0))


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf, "largest"])
def test_tiles_leave_what_is_not_finite_in_its_place(isa, dtype, rng, special):
    w = window(12, 12, 16)
    x, kernel, bias = draw(rng, dtype, w, 16)
    x[1, 6, 5, 3] = np.finfo(dtype).max if special == "largest" else special
    with np.errstate(all="ignore"):
        y = conv(x, w, kernel, bias)
        exact = reference.conv(x, w, kernel, bias)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(exact))
    away = np.ones(y.shape, bool)
    away[1, 5:8, 4:7] = False
    size = reference.tiles_size(np.where(away.any(-1, keepdims=True), x, 0), w, kernel)
    allowed = (16 + 2 * (6 + 8) + 2) * np.finfo(dtype).eps / 2 * (size + np.abs(bias))
    assert np.all(np.abs(y[away] - exact[away]) <= allowed[away])


def depthwise(x, w, kernel, bias=None, act=None):
    def build(plan):
        b = -1 if bias is None else plan.weight(bias)
        y = _kernels.plan_depthwise(plan, 0, w, plan.weight(kernel, vector=True), b)
        return y if act is None else plan.act(y, act)

    return made(build, x, w, w[2])


@each_window
def test_depthwise(isa, dtype, rng, w):
    x, kernel, bias = draw(rng, dtype, w, w[2])
    kernel = np.ascontiguousarray(kernel[:, :, 0])
    y = depthwise(x, w, kernel, bias)
    exact = reference.depthwise(x, w, kernel, bias)
    size = reference.depthwise(np.abs(x), w, np.abs(kernel), np.abs(bias))
    assert np.all(np.abs(y - exact) <= (kernel[..., 0].size + 2) * np.finfo(dtype).eps * size)
    assert np.array_equal(depthwise(x, w, kernel, bias, "relu"), np.maximum(y, 0))
    np.testing.assert_allclose(
        depthwise(x, w, kernel, bias, "tanh"), np.tanh(y), rtol=8 * np.finfo(dtype).eps
    )


@pytest.mark.parametrize("c", [1, 4, 8, 16, 19, 48])
@pytest.mark.parametrize("k", [(3, 1), (3, 2), (5, 1)], ids=str)
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_depthwise_in_tiles(isa, dtype, rng, c, k, stride):
    """Rows of all lengths around those of tiles, whose ends reach over the image."""
    size, apart = k
    for wide in range(1, 22):
        around = (size - 1) * apart // 2
        w = window(4, wide, c, (size,) * 2, (1, stride), (1, apart), ((1, 2), (around, around)))
        x, kernel, bias = draw(rng, dtype, w, c)
        kernel = np.ascontiguousarray(kernel[:, :, 0])
        y = depthwise(x, w, kernel, bias)
        large = reference.depthwise(np.abs(x), w, np.abs(kernel), np.abs(bias))
        allowed = (kernel[..., 0].size + 2) * np.finfo(dtype).eps * large
        assert np.all(np.abs(y - reference.depthwise(x, w, kernel, bias)) <= allowed)
        assert np.array_equal(depthwise(x, w, kernel, bias, "relu"), np.maximum(y, 0))


@pytest.mark.parametrize("special", [np.nan, np.inf, -0.0, 5e-324])
def test_depthwise_keeps_what_is_special_in_its_place(isa, dtype, rng, special):
    w = window(7, 21, 17)
    x, kernel, _ = draw(rng, dtype, w, 17)
    kernel = np.ascontiguousarray(kernel[:, :, 0])
    plain = depthwise(x, w, kernel)
    x[1, 3, 9, 4] = special
    with np.errstate(all="ignore"):
        y, exact = depthwise(x, w, kernel), reference.depthwise(x, w, kernel)
    near = np.zeros(y.shape, bool)
    near[1, 2:5, 8:11, 4] = True
    assert np.array_equal(y[~near], plain[~near])
    np.testing.assert_allclose(y[near], exact[near], rtol=1e-4, atol=1e-5)
    # padding counts for nothing, whatever the weight
    kernel[0, :, 2] = kernel[:, 0, 2] = np.inf
    y = depthwise(np.ones_like(x), w, kernel)
    assert np.all(np.isfinite(y[:, 0, 0]))
    assert np.all(np.isinf(y[:, 1:, :, 2]))


def product(x, kernel, bias, act):
    """The rows of x times a kernel."""

    def build(plan):
        y = plan.dense(0, x.shape[1], plan.weight(kernel), plan.weight(bias))
        return plan.act(y, act)

    return run(x.dtype, x, build, (x.shape[1], kernel.shape[1]))


SEPARABLE = [
    (window(32, 30, 24), 40),
    (window(9, 9, 64, s=(2, 2), pad=((0, 1), (0, 1))), 33),
    (window(3, 3, 96, pad=NONE), 64),
    (window(5, 40, 7, d=(1, 2), pad=((1, 1), (2, 2))), 5),
    (window(1, 50, 20, k=(1, 5), pad=((0, 0), (2, 2))), 64),
]


def separable(x, w, kernel, bias, across, shift, acts):
    def build(plan):
        weights = plan.weight(kernel, vector=True), plan.weight(bias)
        y = plan.act(_kernels.plan_depthwise(plan, 0, w, *weights), acts[0])
        y = plan.dense(y, w[-2] * w[-1], plan.weight(across), plan.weight(shift))
        return plan.act(y, acts[1])

    return made(build, x, w, across.shape[1])


@pytest.mark.parametrize(("w", "n"), SEPARABLE, ids=lambda v: str(v) if np.isscalar(v) else "")
@pytest.mark.parametrize("acts", [("relu", "relu"), ("linear", "tanh"), ("silu", "linear")])
def test_a_product_behind_a_depthwise_convolution(isa, dtype, rng, w, n, acts):
    """The two in one step make the bits that they make one after the other, for any threads."""
    x = rng.normal(size=(5, *w[:3])).astype(dtype)
    kernel = rng.normal(size=w[3:5] + w[2:3]).astype(dtype)
    bias, shift = rng.normal(size=w[2]).astype(dtype), rng.normal(size=n).astype(dtype)
    across = rng.normal(size=(w[2], n)).astype(dtype)
    deep = depthwise(x, w, kernel, bias, acts[0]).reshape(5, -1, w[2])
    expected = product(deep, across, shift, acts[1]).reshape(5, *w[-2:], n)
    for threads in (1, 2, 3, 8):
        _kernels.set_num_threads(threads)
        try:
            for batch in (5, 1):
                y = separable(x[:batch], w, kernel, bias, across, shift, acts)
                assert np.array_equal(y, expected[:batch])
        finally:
            _kernels.set_num_threads(1)


@each_window
@pytest.mark.parametrize("average", [False, True])
def test_pool(isa, dtype, rng, w, average):
    x = rng.normal(size=(3, *w[:3])).astype(dtype)
    y = made(lambda plan: _kernels.plan_pool(plan, 0, w, average), x, w, w[2])
    exact = reference.pool(x, w, average)
    if average:
        k = w[3] * w[4]
        size = reference.pool(np.abs(x), w, True)
        assert np.all(np.abs(y - exact) <= (k + 1) * np.finfo(dtype).eps * size)
    else:
        assert np.array_equal(y, exact)


@pytest.mark.parametrize("at", [(0, 0), (1, 1), (2, 3)])
def test_the_largest_of_a_window_with_nan_is_nan(isa, dtype, at):
    w = window(4, 6, 5, k=(2, 2), s=(2, 2), pad=NONE)
    x = np.ones((1, 4, 6, 5), dtype)
    x[0, *at, 2] = np.nan
    x[0, 0, 4] = -np.inf
    y = made(lambda plan: _kernels.plan_pool(plan, 0, w, False), x, w, 5)
    expected = np.ones((1, 2, 3, 5), dtype)
    expected[0, at[0] // 2, at[1] // 2, 2] = np.nan
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("pad", [((1, 2), (3, 0)), ((0, 0), (0, 0)), ((-1, -2), (2, -3))])
def test_pad(isa, dtype, rng, pad):
    w = window(6, 7, 5, k=(1, 1), pad=pad)
    x = rng.normal(size=(2, 6, 7, 5)).astype(dtype)
    y = made(lambda plan: _kernels.plan_pad(plan, 0, w), x, w, 5)
    assert np.array_equal(y, reference.columns(x, w)[:, :, :, 0, 0])


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_make_the_same_bits(isa, rng, threads):
    for w, n in ((window(64, 64, 16), 24), (window(50, 60, 3, s=(2, 2)), 40)):
        x, kernel, bias = draw(rng, np.float32, w, n)
        alone = [conv(x[:m], w, kernel, bias) for m in (1, 3)]
        _kernels.set_num_threads(threads)
        try:
            shared = [conv(x[:m], w, kernel, bias) for m in (1, 3)]
        finally:
            _kernels.set_num_threads(1)
        assert all(map(np.array_equal, alone, shared))


@pytest.mark.parametrize(
    "w",
    [
        (4, 4, 3, 0, 3, 1, 1, 1, 1, 0, 0, 2, 2),
        (4, 4, 3, 3, 3, 1, 0, 1, 1, 0, 0, 2, 2),
        (4, 4, -3, 3, 3, 1, 1, 1, 1, 0, 0, 2, 2),
        (5, 4, 3, 3, 3, 1, 1, 1, 1, 0, 0, 2, 2),
        (4, 4, 3, 3, 3, 1, 1, 1, 1, 0, 0, -1, 2),
    ],
)
def test_windows_that_are_none_are_refused(w):
    plan = _kernels.Plan(np.float32, (4, 4, 3))
    with pytest.raises(ValueError, match="does not fit"):
        _kernels.plan_pool(plan, 0, w, False)


def test_a_result_beyond_any_memory_is_refused():
    plan = _kernels.Plan(np.float32, (4, 4, 3))
    side = 2**28
    with pytest.raises(MemoryError):
        _kernels.plan_pad(plan, 0, (4, 4, 3, 1, 1, 1, 1, 1, 1, 0, 0, side, side))


# --------------------------------------------------------------------------------------- gradients


def gradients(layer, x, dy):
    """Of sum(dy * layer(x)), to x and to the layer's weights: the layer is one step of the tape."""
    layer.build((None, *x.shape[1:]))
    with _tape.recording(layer.weights) as weights:
        leaf = _tape.trace(x)
        y = layer(leaf)
    return [np.asarray(g) for g in _tape.gradients([y], [dy], [leaf, *weights])]


def shapes():
    """Images, strides, and padding."""
    for h, w, c in ((5, 9, 3), (6, 7, 17), (8, 20, 8), (1, 3, 33)):
        for strides, size in ((1, 3), (2, 2), (3, 2), (2, 4)):
            yield h, w, c, strides, size


each_shape = pytest.mark.parametrize(("h", "wide", "c", "strides", "size"), list(shapes()))


def same(h, wide, c, strides, size):
    """The window of a layer with padding "same"."""
    results = [-(-n // strides) for n in (h, wide)]
    totals = [max((m - 1) * strides + size - n, 0) for m, n in zip(results, (h, wide), strict=True)]
    before = [total // 2 for total in totals]
    return (h, wide, c, size, size, strides, strides, 1, 1, *before, *results)


def check(found, expected, size, dtype, terms):
    """Within so many roundings of what the sums are made of."""
    for one, other, large in zip(found, expected, size, strict=True):
        allowed = (terms + 2) * np.finfo(dtype).eps * large
        assert one.dtype == dtype
        assert np.all(np.abs(one.reshape(other.shape) - other) <= allowed)


@each_shape
@pytest.mark.parametrize("average", [False, True])
def test_gradient_of_pool(isa, dtype, rng, h, wide, c, strides, size, average):
    w = same(h, wide, c, strides, size)
    x = rng.integers(-2, 3, size=(2, h, wide, c)).astype(dtype)  # of which many are equal
    dy = rng.normal(size=(2, *w[-2:], c)).astype(dtype)
    make = layers.AveragePooling2D if average else layers.MaxPooling2D
    found = gradients(make(size, strides, "same", dtype=dtype.name), x, dy)
    expected = reference.pool_gradient(x, w, average, dy)
    large = reference.pool_gradient(x, w, average, np.abs(dy))
    check(found, [expected], [large], dtype, size**2)


@each_shape
def test_gradients_of_depthwise(isa, dtype, rng, h, wide, c, strides, size):
    w = same(h, wide, c, strides, size)
    x = rng.normal(size=(2, h, wide, c)).astype(dtype)
    dy = rng.normal(size=(2, *w[-2:], c)).astype(dtype)
    layer = layers.DepthwiseConv2D(size, strides, "same", use_bias=False, dtype=dtype.name)
    found = gradients(layer, x, dy)
    kernel = layer.get_weights()[0][..., 0]
    expected = reference.depthwise_gradients(x, w, kernel, dy)
    large = reference.depthwise_gradients(np.abs(x), w, np.abs(kernel), np.abs(dy))
    check(found, expected, large, dtype, 2 * h * wide + size**2)


@each_shape
def test_gradients_of_conv(isa, dtype, rng, h, wide, c, strides, size):
    w, groups = same(h, wide, c, strides, size), 1 if c % 3 or c == 3 else 3
    x = rng.normal(size=(2, h, wide, c)).astype(dtype)
    dy = rng.normal(size=(2, *w[-2:], 6)).astype(dtype)
    layer = layers.Conv2D(6, size, strides, "same", groups=groups, use_bias=False, dtype=dtype.name)
    found = gradients(layer, x, dy)
    kernel = layer.get_weights()[0]
    expected = reference.conv_gradients(x, w, kernel, dy, groups)
    large = reference.conv_gradients(np.abs(x), w, np.abs(kernel), np.abs(dy), groups)
    check(found, expected, large, dtype, 2 * h * wide + 6 * size**2)
