"""The kernels of normalisation, embedding, normal noise and global pooling, on every tier against
their twins in reference_norm.py. Bounds: a sum of n terms is off by n roundings of their sizes."""

import numpy as np
import pytest
import reference_norm as reference
from test_kernels import SIZES, unaligned

import coreops
from coreops import _kernels

SOME = [1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 97, 200]


def eps(dtype):
    return float(np.finfo(dtype).eps)


@pytest.mark.parametrize("run", [1, 2, 5, 16, 33])
@pytest.mark.parametrize("n", [1, 3, 5, 16, 17, 64, 65, 129])
def test_affine(isa, dtype, rng, n, run):
    for m in (0, 1, 2, 9):
        x, center = (unaligned(rng.normal(size=s).astype(dtype)) for s in ((m, n, run), n))
        scale, shift = (unaligned(rng.normal(size=n).astype(dtype)) for _ in range(2))
        for c, t in ((None, None), (center, None), (None, shift), (center, shift)):
            y = _kernels.affine(x, run, scale, c, t)
            exact = reference.affine(x, run, scale, c, t)
            size = (np.abs(x) + (0 if c is None else np.abs(c)[:, None])) * np.abs(scale)[:, None]
            size = size + (0 if t is None else np.abs(t)[:, None])
            assert np.all(np.abs(y - exact) <= 2 * eps(dtype) * size)
            if m > 2:  # a row does not depend on the others
                assert np.array_equal(_kernels.affine(x[2:].copy(), run, scale, c, t), y[2:])


def test_affine_of_special_values(isa, dtype):
    x = np.array([[np.nan, np.inf, -np.inf, 1.0, -0.0]], dtype)
    y = _kernels.affine(x, 1, np.full(5, 2, dtype))
    np.testing.assert_array_equal(y, 2 * x)
    assert np.signbit(y[0, 4])
    with pytest.raises(ValueError, match="runs of"):
        _kernels.affine(x, 2, np.ones(5, dtype))


@pytest.mark.parametrize("n", [*SOME, 1000])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-6])
def test_layer_norm(isa, dtype, rng, n, epsilon):
    x = unaligned((rng.normal(size=(5, n)) + 3).astype(dtype))
    gamma, beta = (unaligned(rng.normal(size=n).astype(dtype)) for _ in range(2))
    for g, b in ((None, None), (gamma, None), (None, beta), (gamma, beta)):
        y = _kernels.layer_norm(x, epsilon, g, b)
        exact = reference.layer_norm(x, epsilon, g, b)
        # the mean's error, n roundings of its size, over the deviation; and a few of the result
        wide = x.astype(np.float64)
        deviation = np.sqrt(wide.var(-1, keepdims=True) + epsilon)
        size = np.abs(wide).max(-1, keepdims=True) / deviation + np.abs(exact)
        size = size * (1 if g is None else np.maximum(np.abs(g), 1)) + 1
        assert np.all(np.abs(y - exact) <= (n / 2 + 8) * eps(dtype) * size)
        assert np.array_equal(_kernels.layer_norm(x[3:].copy(), epsilon, g, b), y[3:])


def test_layer_norm_of_a_far_mean(isa):
    """The variance is of differences, not a difference of squares."""
    x = (1000 + np.random.default_rng(0).normal(size=(3, 97))).astype(np.float32)
    y = _kernels.layer_norm(x, 1e-6)
    assert np.abs(y - reference.layer_norm(x, 1e-6)).max() < 2e-3
    assert np.abs(y.std(-1) - 1).max() < 1e-4


@pytest.mark.parametrize("n", SOME)
def test_layer_norm_gradient(isa, dtype, rng, n):
    x, dy = (unaligned(rng.normal(size=(4, n)).astype(dtype)) for _ in range(2))
    gamma = unaligned(rng.normal(size=n).astype(dtype))
    for g in (None, gamma):
        got = _kernels.layer_norm_gradient(x, dy, 1e-3, g)
        for actual, exact in zip(got, reference.layer_norm_gradient(x, dy, 1e-3, g), strict=True):
            # for one or two elements the deviation is nearly that of epsilon alone
            size = 40 * np.abs(dy).max() * max(1, np.abs(gamma).max()) * np.abs(x).max() ** 2
            assert np.all(np.abs(actual - exact) <= (n + 16) * eps(dtype) * size)
    twice = [_kernels.layer_norm_gradient(a, b, 1e-3, gamma) for a, b in ((x, dy), (x[2:], dy[2:]))]
    assert np.array_equal(twice[0][0][2:], twice[1][0])


def test_layer_norm_gradient_against_differences(isa, rng):
    x, dy, gamma, h = rng.normal(size=(1, 9)), rng.normal(size=(1, 9)), rng.normal(size=9), 1e-6
    value = lambda x: (_kernels.layer_norm(x, 1e-3, gamma) * dy).sum()  # noqa: E731
    found = [(value(x + e) - value(x - e)) / (2 * h) for e in h * np.eye(9)[:, None]]
    dx, _ = _kernels.layer_norm_gradient(x, dy, 1e-3, gamma)
    np.testing.assert_allclose(dx[0], found, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("m", [0, 1, 31, 32, 33, 100])
@pytest.mark.parametrize("n", [1, 3, 16, 17, 65, 130])
def test_channel_moments(isa, dtype, rng, m, n):
    """Squares are of differences, so that a far mean takes nothing away from them."""
    for far in (1, 1000):
        x = unaligned((rng.normal(size=(m, n)) + far).astype(dtype))
        mean, squares = rng.normal(size=n) + far, rng.random(n)
        for mask in (None, rng.random(m) < 0.6, np.zeros(m, bool)):
            for count in (0, 7):
                before = (mean, squares) if count else (np.zeros(n), np.zeros(n))
                got = _kernels.channel_moments(x, mask, count, *before)
                exact = reference.channel_moments(x, mask, count, *before)
                assert got[0] == exact[0]
                # each difference is off by a rounding of its size, and of that of the 32 rows' mean
                bound = 40 * eps(dtype) * (m + 1) * 16
                assert np.all(np.abs(got[1] - exact[1]) <= bound + 1e-13 * far)
                assert np.all(np.abs(got[2] - exact[2]) <= bound + 1e-10 * far)


def test_channel_moments_leave_masked_rows_out(isa, dtype):
    x = np.ones((40, 5), dtype)
    x[3] = np.nan
    count, mean, squares = _kernels.channel_moments(x, np.arange(40) != 3, 0, *np.zeros((2, 5)))
    assert count == 39
    assert np.array_equal(mean, np.ones(5))
    assert np.array_equal(squares, np.zeros(5))
    for value in (np.nan, np.inf):  # and others show
        x[3] = value
        _, mean, squares = _kernels.channel_moments(x, None, 0, *np.zeros((2, 5)))
        assert not np.isfinite(mean).any()
        assert np.isnan(squares).all()


@pytest.mark.parametrize("m", [0, 1, 31, 32, 33, 100])
@pytest.mark.parametrize("n", [1, 3, 16, 17, 65, 130])
def test_channel_sums(isa, dtype, rng, m, n):
    x, dy = (unaligned((rng.normal(size=(m, n)) + 1).astype(dtype)) for _ in range(2))
    center = unaligned(rng.normal(size=n).astype(dtype))
    got, exact = _kernels.channel_sums(x, dy, center), reference.channel_sums(x, dy, center)
    by, v = np.abs(dy).astype(np.float64), np.abs(x - center).astype(np.float64)
    for actual, expected, size in zip(got, exact, (by.sum(0), (v * by).sum(0)), strict=True):
        assert actual.dtype == np.float64
        assert np.all(np.abs(actual - expected) <= 36 * eps(dtype) * (size + 1e-300))


def test_batches_do_not_depend_on_threads(isa, rng):
    x, dy = (rng.normal(size=(5000, 40)).astype(np.float32) for _ in range(2))
    before, results = coreops.get_num_threads(), []
    for threads in (1, 2, 3):
        coreops.set_num_threads(threads)
        norm = _kernels.BatchNorm(40, "float32", 1e-3)
        y, dx = np.empty_like(x), np.empty_like(x)
        norm.forward(x, None, y)
        norm.back(x, None, dy, dx)
        results.append(y.tobytes() + dx.tobytes())
    coreops.set_num_threads(before)
    assert len(set(results)) == 1


@pytest.mark.parametrize("m", [1, 2, 33, 100])
@pytest.mark.parametrize("n", [1, 3, 16, 17, 65])
def test_batch_norm(isa, dtype, rng, m, n):
    x, dy = (unaligned((rng.normal(size=(m, n)) + 1).astype(dtype)) for _ in range(2))
    gamma, beta = (unaligned(rng.normal(size=n).astype(dtype)) for _ in range(2))
    some = rng.random(m) < 0.6
    some[0] = True
    for mask in (None, some, np.zeros(m, bool)):
        own = [np.ones(n, dtype), np.ones(n, dtype)]
        norm = _kernels.BatchNorm(n, dtype, 1e-3, 1e-7, gamma, beta, *own)
        y, dx = np.empty_like(x), np.empty_like(x)
        norm.forward(x, mask, y)
        norm.back(x, mask, dy, dx)
        got = (y, dx, own[0] - 1, own[1] - 1, norm.mean, norm.variance)
        exact = reference.batch_norm(x, dy, mask, gamma, beta, 1e-3, 1e-7)
        # sums of m terms of some units each, divided by deviations of at least 0.03
        bound = 36 * 30 * eps(dtype) * (m + 4)
        for actual, expected in zip(got, exact, strict=True):
            assert np.all(np.abs(actual - expected) <= bound * (1 + np.abs(expected)))
        moving = [np.full(n, 2, dtype), np.full(n, 3, dtype)]
        norm.move(*moving, 0.75)
        np.testing.assert_allclose(moving[0], 1.5 + norm.mean / 4, rtol=4 * eps(dtype))
        np.testing.assert_allclose(moving[1], 2.25 + norm.variance / 4, rtol=4 * eps(dtype))


def test_batch_norm_of_what_does_not_fit():
    norm = _kernels.BatchNorm(2, "float32", 1e-3)
    x = np.zeros((3, 2), np.float32)
    with pytest.raises(ValueError, match="expected a y"):
        norm.forward(x, None, x[:2].copy())
    with pytest.raises(ValueError, match="expected 2 channels"):
        norm.forward(np.zeros((2, 3), np.float32), None, np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="expected a gamma"):
        _kernels.BatchNorm(2, "float32", 1e-3, 0.0, np.ones(3, np.float32))


@pytest.mark.parametrize("n", [1, 5, 16, 33])
def test_channel_gradient(isa, dtype, rng, n):
    x, dy = (unaligned(rng.normal(size=(3, 7, n)).astype(dtype)) for _ in range(2))
    factors = [unaligned(rng.normal(size=n).astype(dtype)) for _ in range(4)]
    for mask in (None, rng.random((3, 7)) < 0.5):
        got = _kernels.channel_gradient(x, dy, *factors, mask)
        exact = reference.channel_gradient(x, dy, *factors, mask)
        center, a, b, c = (np.abs(f) for f in factors)
        size = a * np.abs(dy) + b * (np.abs(x) + center) + c
        assert np.all(np.abs(got - exact) <= 4 * eps(dtype) * size)


@pytest.mark.parametrize("m", [1, 2, 15, 16, 17, 63, 64, 65, 200, 5000])
@pytest.mark.parametrize("n", [1, 3, 16, 17, 65])
def test_mean_over(isa, dtype, rng, m, n):
    x = unaligned((rng.normal(size=(m, n)) + 1).astype(dtype))
    dy = unaligned(rng.normal(size=n).astype(dtype))
    mask = rng.random(m) < 0.5
    mask[0] = True
    for keep in (None, mask):
        size = reference.mean_over(np.abs(x), keep)
        error = np.abs(_kernels.mean_over(x, keep) - reference.mean_over(x, keep))
        assert np.all(error <= (min(m, 64) + m / 64 + 2) * eps(dtype) * size)
        dx = _kernels.mean_over_gradient(dy, m, keep)
        exact = reference.mean_over_gradient(dy, m, keep)
        np.testing.assert_allclose(dx, exact, rtol=eps(dtype))


def test_mean_over_nothing(isa, dtype):
    assert np.isnan(_kernels.mean_over(np.ones((3, 5), dtype), np.zeros(3, bool))).all()
    assert np.isnan(_kernels.mean_over(np.ones((0, 5), dtype))).all()


@pytest.mark.parametrize("m", [1, 2, 15, 16, 17, 33, 100])
@pytest.mark.parametrize("n", [1, 3, 16, 17, 65])
def test_max_over(isa, dtype, rng, m, n):
    x = unaligned(np.round(3 * rng.normal(size=(m, n))).astype(dtype))  # many ties
    dy = unaligned(rng.normal(size=n).astype(dtype))
    y = _kernels.max_over(x)
    assert np.array_equal(y, reference.max_over(x))
    dx = _kernels.max_over_gradient(x, y, dy)
    np.testing.assert_allclose(dx, reference.max_over_gradient(x, y, dy), rtol=eps(dtype))
    x[m // 2, n // 2] = np.nan
    assert np.array_equal(np.isnan(_kernels.max_over(x)), np.arange(n) == n // 2)
    x[:] = -np.inf
    assert np.array_equal(_kernels.max_over(x), np.full(n, -np.inf))


@pytest.mark.parametrize("n", [n for n in SIZES if n])
def test_rows_by_number(isa, dtype, rng, n):
    table = unaligned(rng.normal(size=(13, n)).astype(dtype))
    index = rng.integers(0, 13, (3, 9))
    index[0, 0] = 0
    numbers = (index + rng.choice([0, 0.75], index.shape) * (index > 0)).astype(dtype)
    for actual, exact in zip(
        _kernels.gather(table, numbers), reference.gather(table, index), strict=True
    ):
        assert np.array_equal(actual, exact)
    x, y = (unaligned(rng.normal(size=(m, n)).astype(dtype)) for m in (27, 5))
    exact = reference.scatter_add(index.ravel(), x, y, 4)
    _kernels.scatter_add(numbers.ravel(), x, y, 4)
    assert np.array_equal(y, exact)


@pytest.mark.parametrize("where", [0, 5, 40, 99])
@pytest.mark.parametrize("bad", [-1, 13, 2**31, -(2**31), 3e38, np.nan, np.inf])
def test_numbers_without_a_row(isa, dtype, where, bad):
    index = np.zeros(100, dtype)
    index[where] = bad
    with pytest.raises(IndexError, match="0 to 12"):
        _kernels.gather(np.zeros((13, 3), dtype), index)


@pytest.mark.parametrize("n", [0, 1, 3, 31, 33, 64, 65, 300])
@pytest.mark.parametrize("start", [0, 7, 63, 2**33 + 5])
def test_gauss(isa, dtype, rng, n, start):
    x = unaligned(rng.normal(size=n).astype(dtype))
    stream = (0x0123456789ABCDEF, 5)
    z = reference.normals(n, stream, start)
    # near u = 1 the words, rounded to reals, lie apart: sqrt(2^-24), times a few
    allowed = 2e-3 if dtype == np.float32 else 1e-7
    for times, exact in ((False, x + 0.5 * z), (True, x * (1 + 0.5 * z))):
        y = _kernels.gauss(x, stream, start, 0.5, times)
        assert np.all(np.abs(y - exact) <= allowed * np.maximum(1, np.abs(x)))
        assert np.quantile(np.abs(y - exact), 0.9) <= 1e-5 if n > 60 else True
    again = _kernels.gauss(x[n // 3 :].copy(), stream, start + n // 3, 0.5)
    assert np.array_equal(again, _kernels.gauss(x, stream, start, 0.5)[n // 3 :])


def test_normals_are_normal(isa, dtype):
    """A million of them: moments within five of their deviations, tails as often as they should."""
    n = 1_000_000
    z = _kernels.gauss(np.zeros(n, dtype), (3, 1), 0, 1.0).astype(np.float64)
    for power, moment, square in ((1, 0, 1), (2, 1, 3), (3, 0, 15), (4, 3, 105)):
        deviation = np.sqrt((square - moment**2) / n)
        assert abs((z**power).mean() - moment) < 5 * deviation
    for bound, share in ((1, 0.317310508), (2, 0.0455002639), (3, 0.0026997961)):
        assert abs((np.abs(z) > bound).mean() - share) < 5 * np.sqrt(share / n)
    assert abs((z[:-1] * z[1:]).mean()) < 5 / np.sqrt(n)
    pairs = z[: n // 64 * 64].reshape(-1, 64)
    assert abs((pairs[:, :32] * pairs[:, 32:]).mean()) < 10 / np.sqrt(n)
    assert 4.3 < np.abs(z).max() < 6.7
