"""The gradient kernels on every tier: against their twins in reference.py, against differences of
the forward kernels, and with special values."""

import numpy as np
import pytest
import reference
from test_kernels import SIZES, SPECIAL, run, unaligned

from coreops import _kernels

# (kind, p, q, r): Keras' parameters, others whose slope still comes from y, and those that need x
CASES = [(kind, 0.0, 0.0, 0.0) for kind in sorted(_kernels.ACTIVATIONS)]
NEED_PARAMETERS = ("celu", "relu_general", "clip", "ramp", "selu", "squareplus")
CASES = [case for case in CASES if case[0] not in NEED_PARAMETERS]
CASES += [
    ("relu_general", 0.2, np.inf, 0.0),
    ("relu_general", 0.0, 1.5, 0.0),
    ("relu_general", -0.2, np.inf, 0.0),
    ("relu_general", 0.1, 2.0, 0.5),
    ("clip", 0.0, 6.0, 0.0),
    ("clip", -1.0, 1.0, 0.0),
    ("ramp", 0.2, 0.5, 0.0),
    ("ramp", -0.5, 0.5, 0.0),
    ("elu", 1.0, 0.0, 0.0),
    ("elu", 0.3, 0.0, 0.0),
    ("elu", -0.7, 0.0, 0.0),
    ("celu", 1.0, 0.0, 0.0),
    ("celu", 2.0, 0.0, 0.0),
    ("celu", -2.0, 0.0, 0.0),
    ("selu", 1.0507009873554805, 1.6732632423543772, 0.0),
    ("selu", -1.0, 1.5, 0.0),
    ("squareplus", 4.0, 0.0, 0.0),
    ("soft_shrink", 0.5, 0.0, 0.0),
    ("hard_shrink", 0.5, 0.0, 0.0),
    ("threshold", 0.5, -3.0, 0.0),
    ("over", 1.0, 0.0, 0.0),
    ("over", -3.0, 0.0, 0.0),
]
POSITIVE = ("sqrt", "log", "over")  # whose x is, and whose slopes have no bound
FROM_X = {
    *("gelu", "gelu_tanh", "silu", "hard_silu", "mish", "softsign", "tanh_shrink", "squareplus"),
    *("soft_shrink", "hard_shrink", "threshold", "sparse_plus", "absolute", "log", "over"),
}
UNUSUAL = [case for case in CASES if case[1] < 0 and case[0] in ("relu_general", "elu", "celu")]
UNUSUAL += [("relu_general", 0.1, 2.0, 0.5), ("selu", -1.0, 1.5, 0.0)]
each_case = pytest.mark.parametrize("case", CASES, ids=str)


def forward(x, case):
    return run(x.dtype, x, lambda plan: plan.act(0, *case), x.shape[1:])


def read(x, case):
    """What the gradient is computed from."""
    return forward(x, case) if _kernels.gradient_reads_output(*case) else x


def test_every_activation_has_a_twin():
    assert reference.SLOPES.keys() == _kernels.ACTIVATIONS.keys() == {c[0] for c in CASES}


@each_case
def test_what_the_slope_is_computed_from(case):
    assert _kernels.gradient_reads_output(*case) == (case[0] not in FROM_X and case not in UNUSUAL)


@each_case
def test_activation(isa, dtype, rng, case):
    """From y, the slope is off by a few roundings of its largest value, or of its own."""
    kind, *parameters = case
    for n in SIZES:
        x = unaligned((3 * rng.normal(size=(1, n))).astype(dtype))
        x = np.abs(x) if kind in POSITIVE else x
        dy = unaligned(rng.normal(size=(1, n)).astype(dtype))
        slope = reference.SLOPES[kind](x.astype(np.float64), *parameters)
        dx = _kernels.activation_gradient(*case, unaligned(read(x, case)), dy)
        allowed = 8 * np.finfo(dtype).eps * np.maximum(np.abs(slope), 1) * np.abs(dy)
        assert dx.shape == x.shape
        assert np.all(np.abs(dx - slope * dy) <= allowed)


@each_case
def test_activation_against_differences(isa, rng, case):
    x = rng.uniform(-8, 8, size=(1, 500))
    kind, p, q, r = case
    x = np.abs(x) + 0.1 if kind in POSITIVE else x
    bends = {0, 0.5, -0.5, 1, -1, 3, -3, p, -p, q, r} | {(b - q) / p for b in (0, 1) if p}
    x = x[:, np.min(np.abs(x - np.array([b for b in bends if np.isfinite(b)])[:, None]), 0) > 1e-3]
    h = 1e-5
    difference = (forward(x + h, case) - forward(x - h, case)) / (2 * h)
    slope = _kernels.activation_gradient(*case, read(x, case), np.ones_like(x))
    np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-9)


@each_case
def test_activation_of_special_values(isa, dtype, case):
    """NaN goes through, and nothing else becomes NaN: not even far out."""
    far = [1e-3, -50, 50, -95, 95, -104, 104, -120, 120, -1e4, 1e4, -1e30, 1e30]
    x = np.array([[*SPECIAL, *far]], dtype)
    dy = np.full_like(x, 2)
    with np.errstate(all="ignore"):
        y = read(x, case)
        dx = _kernels.activation_gradient(*case, y, dy)
        bound = np.inf if case[0] in POSITIVE else 1e8
        slope = reference.SLOPES[case[0]](np.clip(x.astype(np.float64), -bound, bound), *case[1:])
    if case[0] != "linear":
        assert np.isnan(dx[0, 0])
    most = np.finfo(dtype).max
    finite = ~np.isnan(y)
    np.testing.assert_allclose(
        np.clip(dx[finite], -most, most),
        np.clip(2 * slope[finite], -most, most),
        rtol=100 * np.finfo(dtype).eps,
        atol=8 * np.finfo(dtype).eps,
    )
    assert np.isnan(_kernels.activation_gradient(*case, y, np.full_like(x, np.nan))).all()


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33, 64, 97, 1000])
def test_softmax(isa, dtype, rng, n, log):
    x = (3 * rng.normal(size=(7, n))).astype(dtype)
    y = unaligned(run(dtype, x, lambda plan: plan.softmax(0, n, log), (n,)))
    dy = unaligned(rng.normal(size=(7, n)).astype(dtype))
    dx = _kernels.softmax_gradient(y, dy, log)
    size = np.abs(dy).astype(np.float64) * (1 if log else y)
    bound = (n + 4) * np.finfo(dtype).eps * size.sum(-1, keepdims=True)
    bound = bound * (np.exp(y) if log else y) + 4 * np.finfo(dtype).eps * size
    assert np.all(np.abs(dx - reference.softmax_gradient(y, dy, log)) <= bound)
    # a row does not depend on its place, nor on the other rows
    for row in range(7):
        alone = _kernels.softmax_gradient(y[row].copy(), dy[row].copy(), log)
        assert np.array_equal(alone, dx[row])


@pytest.mark.parametrize("log", [False, True])
def test_softmax_against_differences(isa, rng, log):
    x, dy, h = rng.normal(size=(1, 9)), rng.normal(size=(1, 9)), 1e-5

    def total(x):
        return run(x.dtype, x, lambda plan: plan.softmax(0, 9, log), (9,)) @ dy[0]

    steps = h * np.eye(9)
    difference = [((total(x + step) - total(x - step)) / (2 * h)).item() for step in steps]
    y = run(x.dtype, x, lambda plan: plan.softmax(0, 9, log), (9,))
    gradient = _kernels.softmax_gradient(y, dy, log)
    np.testing.assert_allclose(gradient[0], difference, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("n", SIZES)
def test_prelu(isa, dtype, rng, n):
    x, alpha, dy = (unaligned(rng.normal(size=n).astype(dtype)) for _ in range(3))
    if n > 2:
        x[:3] = [0, -0.0, np.nan]
    got = _kernels.prelu_gradient(x, alpha, dy)
    for actual, exact in zip(got, reference.prelu_gradient(x, alpha, dy), strict=True):
        keep = ~np.isnan(x)
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(actual[keep], exact[keep], rtol=eps)
        assert np.isnan(actual[~keep]).all()


def test_arrays_that_do_not_fit(dtype):
    x = np.zeros((2, 3), dtype)
    gradient = _kernels.activation_gradient
    with pytest.raises(ValueError, match="one shape"):
        gradient("relu", 0, 0, 0, x, np.zeros(6, dtype))
    with pytest.raises(TypeError, match="float32 or float64"):
        gradient("relu", 0, 0, 0, np.zeros(3, np.int32), np.zeros(3, np.int32))
    with pytest.raises(TypeError, match="arrays of float"):
        gradient("relu", 0, 0, 0, x, x.astype(np.float16))
    with pytest.raises(ValueError, match="contiguous"):
        gradient("relu", 0, 0, 0, x.T, x.T)
    with pytest.raises(ValueError, match="axis"):
        _kernels.softmax_gradient(np.zeros((), dtype), np.zeros((), dtype))
    assert _kernels.softmax_gradient(np.zeros((3, 0), dtype), np.zeros((3, 0), dtype)).size == 0


# -------------------------------------------------------------------------------------------- sums


@pytest.mark.parametrize("n", [*SIZES, 1000])
def test_sums_of_arrays(isa, dtype, rng, n):
    x, y = (unaligned(rng.normal(size=n).astype(dtype)) for _ in range(2))
    exact = x + y
    _kernels.add_into(x, y)
    assert np.array_equal(y, exact)
    assert _kernels.sum_squares(x) == reference.sum_squares(x)
    # the same bits wherever it starts
    assert _kernels.sum_squares(x.copy()) == _kernels.sum_squares(x)


@pytest.mark.parametrize("m", [0, 1, 2, 7, 100])
@pytest.mark.parametrize("n", [1, 3, 4, 15, 16, 17, 33, 129, 200])
def test_column_sums(isa, dtype, rng, m, n):
    x = unaligned(rng.normal(size=(m, n)).astype(dtype))
    assert np.array_equal(_kernels.column_sums(x), reference.column_sums(x))


@pytest.mark.parametrize("n", [n for n in SIZES if n])
def test_keep_rows(isa, dtype, rng, n):
    x = unaligned(rng.normal(size=(2, 5, n)).astype(dtype))
    x[0, :, 0] = np.nan
    mask = rng.random((2, 5)) < 0.5
    np.testing.assert_array_equal(_kernels.keep_rows(mask, x), reference.keep_rows(mask, x))


@pytest.mark.parametrize("n", [*SIZES, 1000])
@pytest.mark.parametrize(("l1", "l2"), [(0.01, 0.0), (0.0, 0.03), (0.01, 0.03)])
def test_penalty(isa, dtype, rng, n, l1, l2):
    x, dx = (unaligned(rng.normal(size=n).astype(dtype)) for _ in range(2))
    x[: n // 3] = 0
    exact, gradient = reference.penalty(x, l1, l2)
    assert abs(_kernels.penalty(x, l1, l2) - exact) <= (n + 4) * 2.0**-52 * exact
    before = dx.copy()
    assert _kernels.penalty(x, l1, l2, 0.5, dx) == _kernels.penalty(x, l1, l2)
    bound = 4 * np.finfo(dtype).eps * (np.abs(before) + np.abs(gradient))
    assert np.all(np.abs(dx - (before + 0.5 * gradient)) <= bound)


def test_a_factor_of_0_leaves_its_term_out(isa, dtype):
    x = np.array([np.inf, 1e200 if dtype == np.float64 else 1e30, 1], dtype)
    assert _kernels.penalty(x[1:].copy(), 1.0, 0.0) == float(x[1]) + 1
    assert _kernels.penalty(x, 0.0, 0.0) == 0
    assert np.isnan(_kernels.penalty(np.array([np.nan], dtype), 0.5, 0.0))


def test_sums_refuse_arrays_that_do_not_fit(dtype):
    x = np.zeros((2, 3), dtype)
    frozen = x.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        _kernels.add_into(x, frozen)
    with pytest.raises(ValueError, match="writeable"):
        _kernels.penalty(x, 1, 1, 1, frozen)
    with pytest.raises(ValueError, match="one shape"):
        _kernels.penalty(x, 1, 1, 1, x[0])
    with pytest.raises(ValueError, match="two axes"):
        _kernels.column_sums(x[0])
    with pytest.raises(ValueError, match="a mask of bool"):
        _kernels.keep_rows(np.ones(3, bool), x)
