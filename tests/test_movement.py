"""What moves data: results that go past the cache, small planes, rows, noise that is shared; and
plans that are kept for the next call."""

import numpy as np
import pytest
import reference
from test_kernels import dropout, run

from coreops import _kernels, layers, ops
from coreops._plan import eager

# Bytes of a result that is past the cache on most machines: a share of at most 32 MiB.
PAST_CACHE = 9 << 20


def pattern(shape, item):
    """Elements of which no two near each other are equal."""
    numbers = np.arange(np.prod(shape), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (numbers >> np.uint64(20)).astype(item).reshape(shape)


def at(a, elements):
    """A copy that starts so many elements past the start of a line."""
    buffer = np.empty(a.size + 256, a.dtype)
    start = (-buffer.ctypes.data // a.itemsize) % (64 // a.itemsize) + elements
    view = buffer[start : start + a.size].reshape(a.shape)
    view[...] = a
    return view


def permuted(x, axes, out_elements=0):
    """x by a plan, into memory so many elements past the start of a line, with guards around."""
    shape = tuple(x.shape[1 + a] for a in axes)
    guarded = at(np.full(x.size + 128, 77, x.dtype), out_elements)
    y = guarded[64 : 64 + x.size].reshape(len(x), *shape)
    plan = _kernels.Plan(x.dtype, x.shape[1:])
    plan.finish(plan.permute(0, x.shape[1:], axes), shape)
    plan.run(x, out=y)
    assert (guarded[:64] == 77).all()
    assert (guarded[64 + x.size :] == 77).all()
    return y


@pytest.mark.parametrize("item", ["uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize(
    ("m", "n"), [(1024, 1024), (520, 1027), (192, 500), (1001, 1003), (64, 2048)]
)
@pytest.mark.parametrize("away", [(0, 0), (1, 3)], ids=str)
def test_transposes_past_the_cache(isa, item, m, n, away):
    batch = PAST_CACHE // (m * n * np.dtype(item).itemsize) + 1
    x = at(pattern((batch, m, n), item), away[0])
    np.testing.assert_array_equal(permuted(x, (1, 0), away[1]), x.transpose(0, 2, 1))


@pytest.mark.parametrize("shape", [(3, 300, 3000), (300, 3, 3000), (3000, 3, 300)])
@pytest.mark.parametrize("axes", [(2, 1, 0), (1, 2, 0), (2, 0, 1), (1, 0, 2), (0, 2, 1)])
def test_planes_and_rows_with_gaps_past_the_cache(isa, shape, axes):
    x = pattern((1, *shape), np.uint32)
    np.testing.assert_array_equal(permuted(x, axes, 1), x.transpose(0, *(a + 1 for a in axes)))


@pytest.mark.parametrize("item", ["uint8", "uint16", "uint32", "uint64"])
@pytest.mark.parametrize("batch", [1, 2, 400])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((2, 2), (1, 0)),
        ((3, 5), (1, 0)),
        ((2, 3, 4), (2, 1, 0)),
        ((2,) * 10, tuple(range(9, -1, -1))),  # one stretch
        ((2,) * 13, tuple(range(12, -1, -1))),  # more than one
        ((3, 2500, 3), (2, 1, 0)),  # parts of an axis, the last of them short
        ((2, 5000), (1, 0)),
        ((4, 7, 3), (1, 0, 2)),  # rows of 3
        ((4, 7, 100), (1, 0, 2)),
    ],
    ids=str,
)
def test_small_planes(isa, item, batch, shape, axes):
    if np.prod(shape) > 2000:
        batch = min(batch, 3)
    x = at(pattern((batch, *shape), item), 1)
    np.testing.assert_array_equal(permuted(x, axes), x.transpose(0, *(a + 1 for a in axes)))


@pytest.mark.parametrize("n", [*range(1, 20), 31, 32, 63, 64, 65, 127, 200, 255, 256, 257, 1000])
def test_rows_of_any_width(isa, rng, n):
    x = rng.integers(0, 255, (2, n), dtype=np.uint8)
    y = run(np.uint8, x, lambda plan: plan.repeat(0, n, 7), (7, n))
    np.testing.assert_array_equal(y, reference.repeat(x, 7))


def test_copies_past_the_cache(isa, rng):
    x = rng.random((10, 1 << 20), dtype=np.float32)
    y = run(np.float32, x, lambda plan: 0, x.shape[1:])
    np.testing.assert_array_equal(y, x)
    assert not np.shares_memory(y, x)
    short = x[:2, :100].copy()
    y = run(np.float32, short, lambda plan: plan.repeat(0, 100, 50_000), (50_000, 100))
    np.testing.assert_array_equal(y, reference.repeat(short, 50_000))


@pytest.mark.parametrize("elements", [0, 3])
def test_dropout_past_the_cache(isa, rng, elements):
    x = rng.random((PAST_CACHE // 80_012 + 1, 20_003), dtype=np.float32) + 1
    y = at(x, elements)
    plan = _kernels.Plan(np.float32, x.shape[1:])
    plan.finish(plan.dropout(0, 0.25, x.shape[1:], x.shape[1:], False), x.shape[1:])
    plan.run(x, out=y, streams=[(3, 9)])
    np.testing.assert_array_equal(y[:1], reference.dropout(x[:1], 0.25, 3, 9))
    np.testing.assert_array_equal(y[:9], plan.run(x[:9], streams=[(3, 9)])[0])
    kept = y != 0
    np.testing.assert_array_equal(y[-9:], x[-9:] * np.float32(1 / 0.75) * kept[-9:])
    assert abs(kept.mean() - 0.75) < 1.4e-3  # 5 deviations


@pytest.mark.parametrize("n", range(1, 18))
@pytest.mark.parametrize("m", [1, 2, 9, 64, 65, 130])
def test_masking_of_narrow_rows(isa, dtype, rng, m, n):
    x = rng.integers(0, 2, (2, m, n)).astype(dtype) * (rng.random((2, m, 1)) < 0.6)
    x[0, 0, 0] = np.nan
    x[1, :, n // 2] *= -0.0
    plan = _kernels.Plan(dtype, (m, n))
    value, mask = plan.masking(0, m, n, 0.0)
    plan.finish(value, (m, n), mask, (m,))
    y, made = plan.run(at(x, 1))
    expected, kept = reference.masking(x, 0.0)
    np.testing.assert_array_equal(made, kept)
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    ("shape", "noise"),
    [
        ((40, 4), (40, 1)),
        ((40, 4), (1, 4)),
        ((300, 7), (1, 7)),  # the spread words have room for a part
        ((9, 40), (9, 1)),  # a long run for each word
        ((3, 1100), (1, 1100)),  # more words than are drawn at once
        ((3, 4, 5, 6), (3, 1, 5, 1)),
        ((3, 4, 5, 6), (1, 4, 1, 6)),
        ((2, 3, 4, 2, 3), (2, 1, 4, 1, 3)),
    ],
    ids=str,
)
@pytest.mark.parametrize("share_batch", [False, True])
def test_shared_noise(isa, dtype, rng, shape, noise, share_batch):
    x = rng.normal(size=(3, *shape)).astype(dtype)
    noise = (1 if share_batch else 3, *noise)
    np.testing.assert_array_equal(
        dropout(dtype, x, 0.4, (11, 2), noise), reference.dropout(x, 0.4, 11, 2, noise)
    )


def test_a_transpose_that_was_seen_builds_no_plan():
    x = np.arange(24.0).reshape(2, 3, 4)
    eager._plan.cache_clear()
    eager._permutation.cache_clear()
    for _ in range(3):
        np.testing.assert_array_equal(ops.transpose(x, (0, 2, 1)), x.transpose(0, 2, 1))
        np.testing.assert_array_equal(ops.transpose(x, (2, 0, 1)), x.transpose(2, 0, 1))
    assert eager._plan.cache_info().misses == 2
    # another batch needs no other plan, and a view no other result
    np.testing.assert_array_equal(ops.transpose(x[:1], (0, 2, 1)), x[:1].transpose(0, 2, 1))
    np.testing.assert_array_equal(ops.transpose(x.T, (0, 2, 1)), x.T.transpose(0, 2, 1))
    assert eager._plan.cache_info().misses == 3
    assert eager._permutation.cache_info().maxsize == 256


def test_training_calls_again():
    layer = layers.Dropout(0.5, seed=3)
    x = np.ones((4, 6), np.float32)
    first, second = layer(x, training=True), layer(x, training=True)
    np.testing.assert_array_equal(first, reference.dropout(x, 0.5, layer.seed_generator.seed, 1))
    np.testing.assert_array_equal(second, reference.dropout(x, 0.5, layer.seed_generator.seed, 2))
    assert layer(x.astype(np.float64), training=True).dtype == np.float32
    assert layer(np.ones((2, 5), np.float32), training=True).shape == (2, 5)
    out = np.empty_like(x)
    assert layer(x, training=True, out=out) is out
    layer.rate = 0.0
    np.testing.assert_array_equal(layer(x, training=True), x)
    np.testing.assert_array_equal(layer(x), x)
