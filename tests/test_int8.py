"""The int8 kernels on every tier: the same bits as their twin in reference.py."""

import numpy as np
import pytest
import reference
from test_kernels import numbers, run, unaligned

from coreops import _kernels

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 13, 14, 15, 16, 17, 29, 31, 32, 33, 63, 64, 65, 97]


def weights(rng, k, n, dtype):
    """A kernel with all that int8 has, its scales, a bias."""
    kernel = rng.integers(-128, 128, (k, n)).astype(np.int8)
    return kernel, rng.uniform(50, 2000, n).astype(dtype), rng.normal(size=n).astype(dtype)


def dense_int8(dtype, x, kernel, scale, bias=None, **act):
    def build(plan):
        y = plan.dense_int8(0, int(np.prod(x.shape[1:-1])), *numbers(plan, kernel, scale, bias))
        return plan.act(y, **act) if act else y

    return run(dtype, x, build, (*x.shape[1:-1], kernel.shape[1]))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 64, 65, 130])
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 16, 31, 64, 257])
def test_dense_int8(isa, dtype, rng, k, n):
    kernel, scale, bias = weights(rng, k, n, dtype)
    for m in SIZES:
        x = unaligned(rng.normal(size=(m, k)).astype(dtype))
        y = dense_int8(dtype, x, kernel, scale, bias)
        np.testing.assert_array_equal(y, reference.dense_int8(x, kernel, scale, bias))
    y = dense_int8(dtype, x, kernel, scale)
    np.testing.assert_array_equal(y, reference.dense_int8(x, kernel, scale))


@pytest.mark.parametrize("magnitude", [1e-42, 1e-20, 1e-7, 1.0, 1e20, 3e38])
def test_any_magnitude(isa, dtype, rng, magnitude):
    kernel, scale, bias = weights(rng, 50, 20, dtype)
    x = (rng.uniform(-1, 1, size=(9, 50)) * magnitude).astype(dtype)
    x[4] = 0
    with np.errstate(over="ignore"):
        expected = reference.dense_int8(x, kernel, scale, bias)
    np.testing.assert_array_equal(dense_int8(dtype, x, kernel, scale, bias), expected)


def test_ties_go_to_even(isa, dtype):
    top = dtype.type(127) - dtype.type(1e-7)  # whose scale is 1
    x = np.array([[top, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.5, 126.5, -126.5]], dtype)
    kernel = np.eye(10, dtype=np.int8)
    y = dense_int8(dtype, x, kernel, np.ones(10, dtype))
    assert y.tolist() == [[127, 0, 2, 2, 0, -2, -2, 4, 126, -126]]


def test_the_longest_sums_fit(isa, dtype):
    k = _kernels.INT8_DEPTH
    x = np.ones((2, k), dtype)
    x[1] = -1
    kernel = np.full((k, 3), -128, np.int8)
    kernel[:, 1] = 127
    one = np.ones(3, dtype)
    y = dense_int8(dtype, x, kernel, one)
    np.testing.assert_array_equal(y, reference.dense_int8(x, kernel, one))
    assert y[1, 0] > 0 > y[0, 0]
    plan = _kernels.Plan(dtype, (k + 1,))
    with pytest.raises(ValueError, match="does not fit"):
        plan.dense_int8(0, 1, *numbers(plan, np.zeros((k + 1, 3), np.int8), one))


@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 3, 40, 99])
def test_a_row_that_is_not_finite_is_nan(isa, dtype, rng, special, place):
    kernel, scale, bias = weights(rng, 100, 37, dtype)
    x = rng.normal(size=(5, 100)).astype(dtype)
    expected = reference.dense_int8(x, kernel, scale, bias)
    x[2, place] = special
    expected[2] = np.nan
    np.testing.assert_array_equal(dense_int8(dtype, x, kernel, scale, bias), expected)


def test_no_features_no_columns_no_rows(isa, dtype):
    bias = np.arange(5, dtype=dtype)
    y = dense_int8(dtype, np.zeros((3, 0), dtype), np.zeros((0, 5), np.int8), bias + 1, bias)
    assert np.array_equal(y, np.tile(bias, (3, 1)))
    y = dense_int8(dtype, np.ones((3, 7), dtype), np.zeros((7, 0), np.int8), bias[:0])
    assert y.shape == (3, 0)
    y = dense_int8(dtype, np.ones((0, 7), dtype), np.zeros((7, 5), np.int8), bias + 1, bias)
    assert y.shape == (0, 5)


@pytest.mark.parametrize("kind", ["relu", "tanh", "sigmoid"])
def test_a_fused_activation_is_the_activation(isa, dtype, rng, kind):
    x = rng.normal(size=(37, 19)).astype(dtype)
    given = weights(rng, 19, 45, dtype)
    plain = dense_int8(dtype, x, *given)
    apart = run(dtype, plain, lambda p: p.act(0, kind), (45,))
    assert np.array_equal(dense_int8(dtype, x, *given, kind=kind), apart)


def test_a_row_does_not_depend_on_batch_or_threads(isa, dtype, rng):
    given = weights(rng, 61, 45, dtype)
    x = rng.normal(size=(1501, 61)).astype(dtype)
    before = _kernels.get_num_threads()
    try:
        _kernels.set_num_threads(4)
        together = dense_int8(dtype, x, *given)
    finally:
        _kernels.set_num_threads(before)
    np.testing.assert_array_equal(together, reference.dense_int8(x, *given))
    for m in range(1, 33):
        assert np.array_equal(dense_int8(dtype, x[-m:], *given), together[-m:])


@pytest.mark.parametrize("batch", [1, 5])
def test_a_few_rows_share_out_columns(rng, batch):
    """One row by a matrix that several threads have to read."""
    given = weights(rng, 1200, 8201, np.float32)
    x = rng.normal(size=(batch, 1200)).astype(np.float32)
    expected = reference.dense_int8(x, *given)
    before = _kernels.get_num_threads()
    try:
        for threads in (1, 2, 3):
            _kernels.set_num_threads(threads)
            y = dense_int8(np.dtype(np.float32), x, *given, kind="relu")
            np.testing.assert_array_equal(y, np.maximum(expected, 0))
    finally:
        _kernels.set_num_threads(before)


def test_positions_of_a_sample(isa, dtype, rng):
    given = weights(rng, 33, 18, dtype)
    x = rng.normal(size=(4, 6, 5, 33)).astype(dtype)
    y = dense_int8(dtype, x, *given)
    np.testing.assert_array_equal(y, reference.dense_int8(x, *given))


def test_a_chain_with_steps_of_reals(isa, rng):
    """Quantized rows and the values of other steps share an arena."""
    plan = _kernels.Plan("float32", (40,))
    first, second, third = (weights(rng, k, n, np.float32) for k, n in [(40, 70), (30, 9), (9, 9)])
    kernel = rng.normal(size=(70, 30)).astype(np.float32)
    y = plan.act(plan.dense_int8(0, 1, *numbers(plan, *first)), "relu")
    y = plan.dense_int8(
        plan.softmax(plan.dense(y, 1, plan.weight(kernel)), 30), 1, *numbers(plan, *second)
    )
    plan.finish(plan.dense_int8(y, 1, *numbers(plan, *third)), (9,))
    x = rng.normal(size=(333, 40)).astype(np.float32)

    def step(x, build, n):
        return run("float32", x, build, (n,))

    y = step(x, lambda p: p.act(p.dense_int8(0, 1, *numbers(p, *first)), "relu"), 70)
    y = step(y, lambda p: p.softmax(p.dense(0, 1, p.weight(kernel)), 30), 30)
    y = step(
        step(y, lambda p: p.dense_int8(0, 1, *numbers(p, *second)), 9),
        lambda p: p.dense_int8(0, 1, *numbers(p, *third)),
        9,
    )
    np.testing.assert_array_equal(plan.run(x)[0], y)


@pytest.mark.parametrize(
    ("kernel", "scale", "bias"),
    [
        (np.zeros((4, 3), np.int16), np.ones(3, np.float32), None),
        (np.zeros((3, 4), np.int8).T, np.ones(3, np.float32), None),
        (np.zeros((4, 3), np.int8), np.ones(4, np.float32), None),
        (np.zeros((4, 3), np.int8), np.ones(3, np.float64), None),
        (np.zeros((4, 3), np.int8), np.ones(3, np.float32), np.ones(2, np.float32)),
        (np.zeros((5, 3), np.int8), np.ones(3, np.float32), None),
    ],
)
def test_operands_are_checked(kernel, scale, bias):
    plan = _kernels.Plan("float32", (4,))
    with pytest.raises(ValueError, match=r"expected|does not fit"):
        plan.dense_int8(0, 1, *numbers(plan, kernel, scale, bias))
    with pytest.raises(TypeError, match="float32 or float64"):
        _kernels.Plan("int32", (4,)).weight(kernel)


def test_steps_take_weights_of_their_own_kind_only():
    plan = _kernels.Plan("float32", (4,))
    w, scale = numbers(plan, np.zeros((4, 3), np.int8), np.ones(3, np.float32))
    real = plan.weight(np.zeros((4, 3), np.float32))
    for step in (
        lambda: plan.dense(0, 1, w),
        lambda: plan.dense(0, 1, 7),
        lambda: plan.dense(0, 1, -1),
        lambda: plan.dense(0, 1, real, real),
        lambda: plan.dense_int8(0, 1, real, scale),
        lambda: plan.dense_int8(0, 1, w, -1),
        lambda: plan.prelu(0, w),
        lambda: plan.prelu(0, 7),
    ):
        with pytest.raises(ValueError, match="does not fit"):
            step()
