"""Every kernel on every tier against its twin in reference.py, through plans of one step."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from tolerance import dot_bound, ulps

from coreops import _kernels

# 0, 1, around vector widths (4 to 16) and register tiles (up to 14 rows, 32 columns), primes
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 13, 14, 15, 16, 17, 29, 31, 32, 33, 63, 64, 65, 97]
SPECIAL = np.array([np.nan, np.inf, -np.inf, -0.0, 0.0, 1e-45, -1e-40, 3.4e38, -3.4e38, 1.0])


def run(dtype, x, build, out_shape, mask=False):
    """x (batch, *shape) through one step that build(plan) appends."""
    plan = _kernels.Plan(dtype, x.shape[1:])
    y = build(plan)
    if mask:
        plan.finish(y[0], out_shape, y[1], out_shape[:-1])
        return plan.run(x)
    plan.finish(y, out_shape)
    return plan.run(x)[0]


def numbers(plan, *weights):
    """The plan's numbers of weights, -1 for None."""
    return [-1 if weight is None else plan.weight(weight) for weight in weights]


def unaligned(a):
    """A copy that starts one element past an aligned address."""
    buffer = np.empty(a.size + 65, a.dtype)
    start = (-buffer.ctypes.data // a.itemsize) % (64 // a.itemsize) + 1
    view = buffer[start : start + a.size].reshape(a.shape)
    view[...] = a
    return view


def dense(dtype, x, kernel, bias=None, **act):
    def build(plan):
        y = plan.dense(0, int(np.prod(x.shape[1:-1])), *numbers(plan, kernel, bias))
        return plan.act(y, **act) if act else y

    return run(dtype, x, build, (*x.shape[1:-1], kernel.shape[1]))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 64, 65, 130])
@pytest.mark.parametrize("k", [1, 2, 3, 16, 31, 257])
def test_dense(isa, dtype, rng, k, n):
    kernel = rng.normal(size=(k, n)).astype(dtype)
    bias = rng.normal(size=n).astype(dtype)
    for m in SIZES:
        x = unaligned(rng.normal(size=(m, k)).astype(dtype))
        error = np.abs(dense(dtype, x, kernel, bias) - reference.dense(x, kernel, bias))
        assert np.all(
            error <= dot_bound(x, kernel, dtype, terms=1) + np.abs(bias) * np.finfo(dtype).eps
        )


@pytest.mark.parametrize("n", [1, 37, 300])
def test_dense_of_deep_sums(isa, dtype, rng, n, batch_invariant):
    x = rng.normal(size=(19, 2999)).astype(dtype)
    kernel = rng.normal(size=(2999, n)).astype(dtype)
    bias = rng.normal(size=n).astype(dtype)
    y = dense(dtype, x, kernel, bias)
    error = np.abs(y - reference.dense(x, kernel, bias))
    assert np.all(
        error <= dot_bound(x, kernel, dtype, terms=1) + np.abs(bias) * np.finfo(dtype).eps
    )
    # pieces of k add up in the order of the whole
    assert np.array_equal(dense(dtype, x[:1], kernel, bias), y[:1])
    assert np.array_equal(dense(dtype, x, kernel, bias, kind="relu"), np.maximum(y, 0))
    np.testing.assert_allclose(
        dense(dtype, x, kernel, bias, kind="tanh"), np.tanh(y), rtol=8 * np.finfo(dtype).eps
    )


def test_weights_beyond_the_cache(isa, rng, batch_invariant):
    x = rng.normal(size=(400, 300)).astype(np.float32)
    kernel = rng.normal(size=(300, 700)).astype(np.float32)
    y = dense(np.float32, x, kernel)
    assert np.all(np.abs(y - reference.dense(x, kernel)) <= dot_bound(x, kernel, np.float32))
    assert np.array_equal(dense(np.float32, x[399:], kernel), y[399:])


def test_dense_of_no_features_is_the_bias(isa, dtype):
    y = dense(dtype, np.zeros((3, 0), dtype), np.zeros((0, 5), dtype), np.arange(5, dtype=dtype))
    assert np.array_equal(y, np.tile(np.arange(5, dtype=dtype), (3, 1)))


@pytest.mark.parametrize("special", SPECIAL)
def test_dense_carries_special_values(isa, dtype, special):
    x = np.ones((5, 7), dtype)
    x[2, 3] = special
    kernel = np.full((7, 3), 0.5, dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        expected = (x @ kernel).astype(dtype)
    np.testing.assert_allclose(dense(dtype, x, kernel), expected, rtol=16 * np.finfo(dtype).eps)


@pytest.mark.parametrize("kind", ["relu", "tanh", "sigmoid"])
def test_a_fused_activation_is_the_activation(isa, dtype, rng, kind):
    x = rng.normal(size=(37, 19)).astype(dtype)
    kernel = rng.normal(size=(19, 45)).astype(dtype)
    fused = dense(dtype, x, kernel, kind=kind)
    plain = dense(dtype, x, kernel)
    apart = run(dtype, plain, lambda p: p.act(0, kind), (45,))
    assert np.array_equal(fused, apart)


def test_a_row_does_not_depend_on_its_batch(isa, dtype, rng, batch_invariant):
    kernel = rng.normal(size=(61, 45)).astype(dtype)
    x = rng.normal(size=(33, 61)).astype(dtype)
    together = dense(dtype, x, kernel)
    for m in range(1, 33):
        assert np.array_equal(
            dense(dtype, np.ascontiguousarray(x[33 - m :]), kernel), together[33 - m :]
        )


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 8, 15, 16, 17, 33, 97, 1000])
def test_softmax(isa, dtype, rng, n, log):
    x = unaligned((rng.normal(size=(5, n)) * 10).astype(dtype))
    y = run(dtype, x, lambda p: p.softmax(0, n, log), (n,))
    wide = x.astype(np.longdouble)
    shifted = wide - wide.max(axis=1, keepdims=True)
    total = np.exp(shifted).sum(axis=1, keepdims=True)
    exact = shifted - np.log(total) if log else np.exp(shifted) / total
    # Roundings: the sum of n terms, the exponential (2 ulp), the division or logarithm; and x -
    # max, half an ulp of which is a relative error of the exponential.
    scale = np.maximum(np.abs(shifted), 1) if log else np.abs(exact) * (1 + np.abs(shifted))
    bound = (n / 2 + 4) * np.finfo(dtype).eps * scale + np.finfo(dtype).tiny
    assert np.all(np.abs(y - exact) <= bound)


def test_softmax_where_it_is(isa, dtype, rng):
    x = rng.normal(size=(7, 83)).astype(dtype)
    apart = run(dtype, np.maximum(x, 0), lambda p: p.softmax(0, 83), (83,))
    over = run(dtype, x, lambda p: p.softmax(p.act(0, "relu"), 83), (83,))
    np.testing.assert_array_equal(over, apart)


def test_softmax_of_extreme_rows(isa, dtype):
    x = np.array([[1e38, 1e38], [-np.inf, 0.0], [np.nan, 0.0], [-1e38, 1e38]], dtype)
    y = run(dtype, x, lambda p: p.softmax(0, 2), (2,))
    np.testing.assert_array_equal(y, np.array([[0.5, 0.5], [0, 1], [np.nan] * 2, [0, 1]], dtype))


@pytest.mark.parametrize("n", [n for n in SIZES if n])
def test_prelu(isa, dtype, rng, n):
    x = unaligned(rng.normal(size=(3, n)).astype(dtype))
    alpha = rng.normal(size=n).astype(dtype)
    y = run(dtype, x, lambda p: p.prelu(0, p.weight(alpha)), (n,))
    assert np.all(ulps(y, reference.prelu(x, alpha), dtype) <= 1)


@pytest.mark.parametrize("n", [n for n in SIZES if n])
@pytest.mark.parametrize("value", [0.0, -1.5, 0.1])
def test_masking(isa, dtype, rng, n, value):
    x = rng.normal(size=(6, 11, n)).astype(dtype)
    x[rng.random((6, 11)) < 0.4] = value
    x[0, 0, :] = value
    x[0, 0, n - 1] = np.nan
    x[0, 1, :] = value
    x[0, 1, 0] = 7
    x = unaligned(x)
    y, mask = run(dtype, x, lambda p: p.masking(0, 11, n, value), (11, n), mask=True)
    expected, expected_mask = reference.masking(x, value)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(mask, expected_mask)


def test_masking_without_features_masks_all(isa, dtype):
    y, mask = run(
        dtype, np.zeros((2, 3, 0), dtype), lambda p: p.masking(0, 3, 0, 0.0), (3, 0), mask=True
    )
    assert y.shape == (2, 3, 0)
    assert not mask.any()


def dropout(dtype, x, rate, stream, noise=None):
    plan = _kernels.Plan(dtype, x.shape[1:])
    sizes = x.shape[1:] if noise is None else noise[1:]
    shared = noise is not None and noise[0] == 1
    plan.finish(plan.dropout(0, rate, x.shape[1:], tuple(sizes), shared), x.shape[1:])
    return plan.run(x, streams=[stream])[0]


@pytest.mark.parametrize("n", [0, 1, 3, 15, 16, 17, 63, 64, 65, 200, 1009])
def test_dropout(isa, dtype, rng, n):
    x = unaligned(rng.normal(size=(3, n)).astype(dtype))
    stream = (0x0123456789ABCDEF, 5)
    np.testing.assert_array_equal(
        dropout(dtype, x, 0.3, stream), reference.dropout(x, 0.3, *stream)
    )


@pytest.mark.parametrize(
    "noise", [(4, 1, 6), (1, 5, 6), (4, 5, 1), (1, 1, 6), (4, 1, 1), (1, 1, 1), (1, 5, 1)]
)
def test_dropout_shares_its_noise(isa, dtype, rng, noise):
    x = rng.normal(size=(4, 5, 6)).astype(dtype)
    stream = (7, 2**40 + 3)
    np.testing.assert_array_equal(
        dropout(dtype, x, 0.5, stream, noise), reference.dropout(x, 0.5, *stream, noise)
    )


def test_dropout_of_everything_is_zero(isa, dtype):
    assert not dropout(dtype, np.ones((3, 50), dtype), 1.0, (1, 0)).any()


def test_philox_known_answers():
    """The generator's published test vectors (Random123, kat_vectors)."""
    ones = 0xFFFFFFFF
    assert reference.philox4x32((0, 0, 0, 0), (0, 0)) == (
        0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8,
    )  # fmt: skip
    assert reference.philox4x32((ones,) * 4, (ones, ones)) == (
        0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD,
    )  # fmt: skip


@pytest.mark.parametrize(
    "item", ["int8", "int16", "float32", "float64", "complex128", "clongdouble", "bool"]
)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_permute(item, data):
    rank = data.draw(st.integers(1, 6))
    shape = tuple(data.draw(st.lists(st.integers(0, 9), min_size=rank, max_size=rank)))
    axes = tuple(data.draw(st.permutations(range(rank))))
    dtype = np.dtype(item)
    x = np.random.default_rng(0).integers(0, 2, (2, *shape, dtype.itemsize), dtype=np.uint8)
    x = np.ascontiguousarray(x).view(np.uint8).reshape(2, *shape, dtype.itemsize)
    if dtype.kind != "b":
        x = np.random.default_rng(1).integers(0, 127, x.shape, dtype=np.uint8)
    x = x.view(dtype).reshape(2, *shape)
    out_shape = tuple(shape[a] for a in axes)
    for tier in _kernels.tiers():
        _kernels.use_isa(tier)
        y = run(dtype, x, lambda p: p.permute(0, shape, axes), out_shape)
        expected = np.transpose(x, (0, *(a + 1 for a in axes)))
        assert y.tobytes() == np.ascontiguousarray(expected).tobytes()
    _kernels.use_isa()


TRANSPOSED_SIZES = [*range(1, 18), 31, 32, 33, 47, 65, 100, 129, 300, 521]


@pytest.mark.parametrize("item", ["int8", "int16", "float32", "float64"])
@pytest.mark.parametrize("m", TRANSPOSED_SIZES)
def test_transpose(isa, rng, item, m):
    for n in TRANSPOSED_SIZES:
        x = unaligned(rng.integers(0, 100, (2, m, n)).astype(item))
        y = run(item, x, lambda p, n=n: p.permute(0, (m, n), (1, 0)), (n, m))
        np.testing.assert_array_equal(y, x.transpose(0, 2, 1))


@pytest.mark.parametrize("item", ["int8", "int16", "float32", "float64"])
@pytest.mark.parametrize("m", TRANSPOSED_SIZES)
def test_transpose_of_rows_apart(isa, rng, item, m):
    for n in TRANSPOSED_SIZES:
        x = unaligned(rng.integers(0, 100, (1, m, 2, n)).astype(item))
        y = run(item, x, lambda p, n=n: p.permute(0, (m, 2, n), (2, 1, 0)), (n, 2, m))
        np.testing.assert_array_equal(y, x.transpose(0, 3, 2, 1))


@pytest.mark.parametrize("n", [0, 1, 3, 64])
@pytest.mark.parametrize("times", [1, 2, 7])
@pytest.mark.parametrize("item", ["int16", "float32", "complex128", "clongdouble"])
def test_repeat(rng, n, times, item):
    x = rng.integers(0, 100, (5, n)).astype(item)
    y = run(item, x, lambda p: p.repeat(0, n, times), (times, n))
    np.testing.assert_array_equal(y, reference.repeat(x, times))
