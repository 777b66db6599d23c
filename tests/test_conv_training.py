"""Gradients of convolutions on every tier, against their twins in reference_conv.py: each way that
they take, and the same bits for any number of threads."""

import numpy as np
import pytest
import reference_conv as reference
from test_conv_kernels import check, gradients, isa  # noqa: F401  # a fixture

import coreops
from coreops import Sequential, _kernels, layers
from coreops._plan.images import Windows, _window

CASES = {
    "valid": ((7, 9, 5), 4, {}),
    "an even kernel": ((6, 7, 3), 5, {"kernel_size": (2, 4), "padding": "same"}),
    "strides": ((9, 10, 4), 35, {"strides": (2, 3), "padding": "same"}),
    "strides beyond the kernel": ((11, 7, 3), 3, {"kernel_size": 2, "strides": 3}),
    "one pixel with strides": ((5, 8, 6), 7, {"kernel_size": 1, "strides": 2}),
    "dilation": ((9, 12, 17), 4, {"dilation_rate": (2, 3), "padding": "same"}),
    "a kernel that reaches beyond both sides": (
        (4, 3, 2), 3, {"kernel_size": 5, "dilation_rate": 2, "padding": "same"}
    ),
    "groups": ((6, 9, 6), 9, {"groups": 3, "padding": "same"}),
    "groups, strides": ((7, 8, 4), 6, {"groups": 2, "strides": 2, "padding": "same"}),
    "groups, dilation": ((9, 8, 4), 6, {"groups": 2, "dilation_rate": 2}),
    "wider than a panel": ((5, 5, 30), 67, {"padding": "same"}),
}  # fmt: skip


def window_of(layer, x):
    """As the plan has it."""
    how = Windows(layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding)
    return _window(x.shape[1:], how)


@pytest.mark.parametrize("name", CASES)
def test_gradients_of_conv(isa, dtype, rng, name):  # noqa: F811
    shape, filters, kwargs = CASES[name]
    x = rng.normal(size=(3, *shape)).astype(dtype)
    kwargs = {"kernel_size": 3, **kwargs}
    layer = layers.Conv2D(filters, dtype=dtype.name, **kwargs)
    window, groups = window_of(layer, x), layer.groups
    dy = rng.normal(size=(3, *window[-2:], filters)).astype(dtype)
    found = gradients(layer, x, dy)
    kernel = layer.get_weights()[0]
    expected = *reference.conv_gradients(x, window, kernel, dy, groups), dy.sum((0, 1, 2))
    large = reference.conv_gradients(np.abs(x), window, np.abs(kernel), np.abs(dy), groups)
    terms = dy[..., 0].size + kernel[..., 0, :].size
    check(found, expected, (*large, np.abs(dy).sum((0, 1, 2))), dtype, terms)


@pytest.mark.parametrize("kwargs", [{"padding": "causal"}, {"padding": "causal", "strides": 2},
                                    {"dilation_rate": 3}], ids=str)  # fmt: skip
def test_gradients_of_sequences(isa, dtype, rng, kwargs):  # noqa: F811
    x = rng.normal(size=(2, 19, 5)).astype(dtype)
    layer = layers.Conv1D(6, 4, dtype=dtype.name, **kwargs)
    window = window_of(layer, x)
    dy = rng.normal(size=(2, window[-1], 6)).astype(dtype)
    found = gradients(layer, x, dy)
    image, kernel, d = x[:, None], layer.get_weights()[0][None], dy[:, None]
    expected = *reference.conv_gradients(image, window, kernel, d), d.sum((0, 1, 2))
    large = reference.conv_gradients(np.abs(image), window, np.abs(kernel), np.abs(d))
    check(found, expected, (*large, np.abs(d).sum((0, 1, 2))), dtype, 2 * d.size)


@pytest.mark.parametrize("kwargs", [{"dilation_rate": 2}, {"strides": 2}, {"kernel_size": (1, 5)},
                                    {"kernel_size": (4, 2)}, {"strides": 3, "padding": "same"}],
                         ids=str)  # fmt: skip
@pytest.mark.parametrize("c", [1, 5, 16, 33])
def test_gradients_of_depthwise(isa, dtype, rng, kwargs, c):  # noqa: F811
    x = rng.normal(size=(2, 9, 13, c)).astype(dtype)
    layer = layers.DepthwiseConv2D(dtype=dtype.name, **{"kernel_size": 3, **kwargs})
    window = window_of(layer, x)
    dy = rng.normal(size=(2, *window[-2:], c)).astype(dtype)
    found = gradients(layer, x, dy)
    kernel = layer.get_weights()[0][..., 0]
    expected = *reference.depthwise_gradients(x, window, kernel, dy), dy.sum((0, 1, 2))
    large = reference.depthwise_gradients(np.abs(x), window, np.abs(kernel), np.abs(dy))
    check(found, expected, (*large, np.abs(dy).sum((0, 1, 2))), dtype, dy[..., 0].size + 25)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 5)], ids=str)
@pytest.mark.parametrize("strides", [1, 2])
def test_gradients_of_depthwise_on_less_than_a_window(isa, dtype, rng, shape, strides):  # noqa: F811
    """What a window reaches beyond the image adds nothing, not even NaN."""
    x = rng.normal(size=(3, *shape, 17)).astype(dtype)
    layer = layers.DepthwiseConv2D(3, strides, padding="same", dtype=dtype.name)
    window = window_of(layer, x)
    dy = rng.normal(size=(3, *window[-2:], 17)).astype(dtype)
    found = gradients(layer, x, dy)
    kernel = layer.get_weights()[0][..., 0]
    expected = *reference.depthwise_gradients(x, window, kernel, dy), dy.sum((0, 1, 2))
    large = reference.depthwise_gradients(np.abs(x), window, np.abs(kernel), np.abs(dy))
    check(found, expected, (*large, np.abs(dy).sum((0, 1, 2))), dtype, dy[..., 0].size + 25)
    x[0, 0, 0, 2] = np.inf
    layer = layers.DepthwiseConv2D(3, strides, padding="same", dtype=dtype.name)
    with np.errstate(all="ignore"):
        odd = ~np.isfinite(gradients(layer, x, dy)[1].reshape(3, 3, 17))
    assert odd[:, :, 2].any()
    assert not np.delete(odd, 2, axis=2).any()


def in_order(x, dy, window, kernel):
    """The gradients by sums in order, in the type of x: strides are 1."""
    h, w, c, kh, kw, *_, top, left, oh, ow = window
    n, taps = dy.shape[-1], kh * kw
    around = (oh, ow, n, kh, kw, 1, 1, 1, 1, kh - 1 - top, kw - 1 - left, h, w)
    turned = kernel[::-1, ::-1].transpose(0, 1, 3, 2).reshape(taps * n, c)
    cells = reference.columns(dy, around).astype(x.dtype).reshape(-1, taps * n, 1)
    dx = np.concatenate([np.cumsum(part * turned, axis=1)[:, -1] for part in cells[:, None]])
    cells = reference.columns(x, window).astype(x.dtype).reshape(-1, taps * c)
    dw = np.zeros((taps * c, n), x.dtype)
    for cell, row in zip(cells, dy.reshape(-1, n), strict=True):
        dw += np.outer(cell, row)
    return dx, dw


TILED = [((16, 16, 16), 16), ((10, 13, 33), 20), ((9, 30, 20), 37), ((8, 8, 40), 32)]


@pytest.mark.parametrize(("shape", "filters"), TILED, ids=str)
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_gradients_in_tiles(isa, dtype, rng, shape, filters, padding):  # noqa: F811
    """Winograd's way loses less than four times what sums in order do; in float64 it is there to
    twelve places."""
    x = rng.normal(size=(5, *shape)).astype(dtype)
    layer = layers.Conv2D(filters, 3, padding=padding, use_bias=False, dtype=dtype.name)
    window = window_of(layer, x)
    dy = rng.normal(size=(5, *window[-2:], filters)).astype(dtype)
    found = gradients(layer, x, dy)
    kernel = layer.get_weights()[0]
    expected = reference.conv_gradients(x, window, kernel, dy)
    for one, other in zip(found, expected, strict=True):
        limit = 1e-12 if dtype == np.float64 else 1e-4
        assert np.abs(one - other).max() <= limit * np.abs(other).max()
    if dtype == np.float32:
        usual = in_order(x, dy, window, kernel)
        for one, other, by_sum in zip(found, expected, usual, strict=True):
            lost, least = one - other, by_sum.reshape(other.shape) - other
            assert np.sqrt(np.mean(lost**2)) <= 4 * np.sqrt(np.mean(least**2))


@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_channel(isa, dtype, rng, special):  # noqa: F811
    x = rng.normal(size=(2, 16, 16, 16)).astype(dtype)
    x[1, 6, 5, 3] = special
    layer = layers.Conv2D(16, 3, padding="same", use_bias=False, dtype=dtype.name)
    dy = rng.normal(size=(2, 16, 16, 16)).astype(dtype)
    with np.errstate(all="ignore"):
        _, found = gradients(layer, x, dy)
    odd = ~np.isfinite(found)
    assert odd[:, :, 3].all()
    assert not np.delete(odd, 3, axis=2).any()


def network(seed=3, normed=False):
    coreops.utils.set_random_seed(seed)
    stack = [layers.Input((18, 15, 3)), layers.Conv2D(20, 3, padding="same", activation="relu")]
    stack += [layers.Conv2D(24, 3, padding="same", activation="gelu"), layers.MaxPooling2D(2)]
    stack += [layers.DepthwiseConv2D(3, strides=2, padding="same", activation="relu")]
    stack += [layers.Conv2D(16, 3, strides=2, padding="same", groups=2), layers.Flatten()]
    if normed:
        stack[-1:] = [layers.BatchNormalization(), layers.ReLU(), layers.Flatten()]
        stack.insert(2, layers.BatchNormalization())
    return Sequential([*stack, layers.Dense(4, activation="softmax")])


@pytest.mark.parametrize(
    ("batch", "normed"), [(1, False), (3, False), (40, False), (3, True), (40, True)]
)
def test_same_bits_for_any_number_of_threads(isa, rng, batch, normed):  # noqa: F811
    x = rng.normal(size=(batch, 18, 15, 3)).astype("float32")
    y = rng.integers(0, 4, batch)
    results, threads = [], coreops.get_num_threads()
    for count in (1, 2, 3, 8):
        coreops.set_num_threads(count)
        model = network(normed=normed)
        model.compile("adam", "sparse_categorical_crossentropy")
        losses = [model.train_on_batch(x, y) for _ in range(3)]
        results.append([losses, *model.get_weights()])
    coreops.set_num_threads(threads)
    for other in results[1:]:
        assert all(map(np.array_equal, results[0], other))


@pytest.mark.parametrize("activation", [None, "relu"])
def test_a_plan_that_takes_gradients_back_makes_nothing_else(rng, activation):
    """Before a batch normalisation results are not made again, whether they are a convolution's or
    an activation's: the one convolution of the way back is that of its image's gradient."""
    convs = [layers.Conv2D(16, 3, activation=activation) for _ in range(2)]
    stack = [layers.Input((8, 8, 3)), convs[0], layers.BatchNormalization()]
    stack += [layers.ReLU(), convs[1], layers.BatchNormalization(), layers.Flatten()]
    model = Sequential([*stack, layers.Dense(4, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.train_on_batch(rng.normal(size=(4, 8, 8, 3)), rng.integers(0, 4, 4))
    (chain,) = model._programs["step"]._chains.values()
    ways = [way for part in chain._parts.values() for key, way in part.ways.items()
            if isinstance(key, frozenset)]  # fmt: skip
    found = [[name for name, *_ in _kernels.plan_steps(way.flow.plan)] for way in ways]
    assert sorted(names.count("conv") for names in found) == [0, 1]


def test_weights_that_are_assigned_are_packed_anew(rng):
    """Each form of them: a second model with the same weights gives the same."""
    x, y = rng.normal(size=(4, 18, 15, 3)).astype("float32"), rng.integers(0, 4, 4)
    first, second = network(1), network(2)
    for model in (first, second):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.train_on_batch(x, y)
    second.set_weights(first.get_weights())
    assert first.train_on_batch(x, y) == second.train_on_batch(x, y)
    assert all(map(np.array_equal, first.get_weights(), second.get_weights()))


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_step_writes_no_columns(rng, kernel):
    """What is kept for the gradients of kernels are pixels and gradients, once; sums of chunks take
    half of that at most, and what a thread has beside does not grow with the batch."""
    sizes, rows = (8, 16, 24), 96
    model = Sequential([layers.Input((16, 16, sizes[0]))])
    for filters in sizes[1:]:
        model.add(layers.Conv2D(filters, kernel, padding="same", activation="relu"))
    model.add(layers.GlobalMaxPooling2D())
    model.compile("sgd", "mse")
    trained = {}
    for batch in (rows, 2 * rows):
        x, y = (
            rng.normal(size=(batch, *shape)).astype("float32") for shape in ((16, 16, 8), (24,))
        )
        model.train_on_batch(x, y)
        (chain,) = model._programs["step"]._chains.values()
        ((way,),) = ([w for k, w in p.ways.items() if k == "losses"] for p in chain._parts.values())
        trained[batch] = chain.trainer.bytes, way.flow.plan.arena_bytes(batch)
    (few, arena), (many, same_arena) = trained.values()
    pixels = [16 * 16 * size * 4 for size in sizes]
    kept = pixels[0] + 2 * pixels[1] + pixels[2]  # of an image: what goes in, and gradients
    assert few <= 1.5 * rows * kept
    assert many - few <= 1.5 * rows * kept
    assert arena == same_arena
