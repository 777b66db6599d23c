"""Products of large batches in each precision, against float64; on tiers without a unit for them
the same tests hold for gemm."""

import numpy as np
import pytest
from test_kernels import numbers
from tolerance import dot_bound, split_bound

import coreops
from coreops import _kernels, config, layers

PRECISIONS = _kernels.PRECISIONS


@pytest.fixture(params=PRECISIONS)
def precision(request):
    return request.param


def dense(x, kernel, bias=None, precision="highest", **act):
    plan = _kernels.Plan(np.float32, x.shape[1:], precision)
    y = plan.dense(0, 1, *numbers(plan, kernel, bias))
    if act:
        y = plan.act(y, **act)
    return plan.finish(y, (kernel.shape[1],)).run(x)[0]


def exact(x, kernel, bias=None):
    y = x.astype(np.float64) @ kernel.astype(np.float64)
    return y if bias is None else y + bias


def check(x, kernel, precision, bias=None):
    """Every element within what the precision promises."""
    error = np.abs(dense(x, kernel, bias, precision) - exact(x, kernel, bias))
    bound = split_bound(x, kernel, precision)
    if bias is not None:
        bound = bound + np.abs(bias) * np.finfo(np.float32).eps
    assert np.all(error <= bound), np.max(error / bound)


def normal(rng, *shape):
    return rng.normal(size=shape).astype(np.float32)


# around the rows and columns of a tile (16), of a block (32) and of k in a tile (32)
@pytest.mark.parametrize("k", [63, 64, 65, 97, 128, 257])
@pytest.mark.parametrize("n", [16, 17, 31, 32, 33, 48, 65, 81])
def test_edges(isa, precision, rng, k, n):
    kernel, bias = normal(rng, k, n), normal(rng, n)
    for m in (1, 15, 16, 17, 31, 32, 33, 49, 97):
        check(normal(rng, m, k), kernel, precision, bias)


def test_narrow_products_are_gemms(isa, precision, rng):
    for k, n in ((31, 64), (64, 15), (1, 1)):
        x, kernel = normal(rng, 64, k), normal(rng, k, n)
        assert np.all(
            np.abs(dense(x, kernel, None, precision) - exact(x, kernel))
            <= dot_bound(x, kernel, np.float32)
        )


HARD = {
    "wide exponents": lambda rng, shape: np.exp2(rng.uniform(-50, 50, shape)),
    "cancellation": lambda rng, shape: 1e4 + rng.normal(size=shape),
    "near overflow": lambda rng, shape: rng.normal(size=shape) * 1e18,
    "small": lambda rng, shape: rng.normal(size=shape) * 1e-18,
    "some subnormal": lambda rng, shape: np.where(
        rng.random(shape) < 0.5, 1e-40, rng.normal(size=shape)
    ),
    "sparse": lambda rng, shape: np.where(rng.random(shape) < 0.9, 0.0, rng.normal(size=shape)),
    "softmax tails": lambda rng, shape: np.exp(rng.normal(size=shape) * 20 - 60),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_distributions(isa, precision, rng, name):
    x = HARD[name](rng, (48, 130)).astype(np.float32)
    kernel = HARD[name](rng, (130, 40)).astype(np.float32)
    check(x, normal(rng, 130, 40), precision)
    check(normal(rng, 48, 130), kernel, precision)
    check(x, kernel, precision)


def test_rows_that_the_unit_cannot_do_are_gemms(isa, precision, rng):
    x, kernel = normal(rng, 64, 70), normal(rng, 70, 40)
    bad = [3, 17, 40, 63, 64 - 5]
    x[3, 5] = np.inf
    x[17, 69] = np.nan
    x[40] = 1e-42
    x[63, 0] = 3.4e38  # its nearest bfloat16 is infinity
    x[59] *= 1e-30
    with np.errstate(invalid="ignore"):
        expected = np.concatenate([dense(x[i : i + 1], kernel) for i in range(64)])
    got = dense(x, kernel, None, precision)
    np.testing.assert_array_equal(got[bad], expected[bad])
    good = np.setdiff1d(np.arange(64), bad)
    error = np.abs(got[good] - exact(x[good], kernel))
    assert np.all(error <= split_bound(x[good], kernel, precision))


@pytest.mark.parametrize("value", [np.inf, np.nan, 3.4e38])
def test_weights_that_the_unit_cannot_do_are_gemms(isa, precision, rng, value):
    x, kernel = normal(rng, 40, 64), normal(rng, 64, 32)
    kernel[7, 3] = value
    expected = np.concatenate([dense(x[i : i + 1], kernel) for i in range(40)])
    np.testing.assert_array_equal(dense(x, kernel, None, precision), expected)


@pytest.mark.parametrize("kind", ["linear", "relu", "tanh"])
def test_panels_with_a_column_of_small_weights_are_gemms(isa, precision, rng, kind):
    x, kernel = normal(rng, 40, 64), normal(rng, 64, 80)
    kernel[:, 39] *= np.float32(1e-30)
    expected = np.concatenate([dense(x[i : i + 1], kernel, kind=kind) for i in range(40)])
    y = dense(x, kernel, None, precision, kind=kind)
    np.testing.assert_array_equal(y[:, 32:64], expected[:, 32:64])
    np.testing.assert_allclose(y, expected, atol=0.3)


def test_signed_zeros_and_an_infinite_bias(isa, precision):
    x = np.zeros((32, 32), np.float32)
    bias = np.array([-np.inf, np.inf, np.nan, -0.0] * 8, np.float32)
    y = dense(x, np.ones((32, 32), np.float32), bias, precision)
    np.testing.assert_array_equal(y, np.tile(bias, (32, 1)))


@pytest.mark.parametrize("kind", ["relu", "tanh"])
def test_activations(isa, precision, rng, kind):
    x, kernel = normal(rng, 50, 64), normal(rng, 64, 40)
    x[11, 0] = np.inf  # gemm's row is activated once
    y = dense(x, kernel, None, precision)
    expected = np.maximum(y, 0) if kind == "relu" else np.tanh(y)
    np.testing.assert_allclose(dense(x, kernel, None, precision, kind=kind), expected, rtol=4e-7)


def test_a_row_does_not_depend_on_its_place(isa, precision, rng):
    x, kernel = normal(rng, 97, 64), normal(rng, 64, 40)
    y = dense(x, kernel, None, precision)
    order = rng.permutation(97)
    np.testing.assert_array_equal(dense(x[order], kernel, None, precision), y[order])


def test_batch_invariance(isa, precision, rng, batch_invariant):
    x, kernel = normal(rng, 97, 64), normal(rng, 64, 40)
    y = dense(x, kernel, None, precision)
    for m in (1, 2, 15, 16, 50):
        np.testing.assert_array_equal(dense(x[:m], kernel, None, precision), y[:m])


@pytest.fixture
def model(rng):
    made = coreops.Sequential(
        [coreops.Input((64,)), layers.Dense(96, "relu"), layers.Dense(48, "tanh"), layers.Dense(33)]
    )
    made.set_weights([normal(rng, *w.shape) / np.float32(8) for w in made.weights])
    return made


def test_a_model_in_each_precision(isa, rng, model):
    x = normal(rng, 300, 64)
    expected = model(x)
    tolerances = {"highest": 0, "high": 1e-4, "medium": 0.05}
    for precision, tolerance in tolerances.items():
        model.precision = precision
        np.testing.assert_allclose(model(x), expected, atol=tolerance)
        model.precision = None
        config.set_matmul_precision(precision)
        np.testing.assert_allclose(model(x), expected, atol=tolerance)
        config.set_matmul_precision("highest")
    np.testing.assert_array_equal(model(x), expected)


def test_a_models_precision_outranks_the_global_one(isa, rng, model):
    x = normal(rng, 300, 64)
    expected = model(x)
    config.set_matmul_precision("medium")
    try:
        model.precision = "highest"
        np.testing.assert_array_equal(model(x), expected)
    finally:
        config.set_matmul_precision("highest")


@pytest.fixture
def wide_model(rng):
    """Weights that threads share by columns when there are few rows; one column overflows."""
    made = coreops.Sequential([coreops.Input((400,)), layers.Dense(3001, "relu"), layers.Dense(9)])
    made.set_weights([normal(rng, *w.shape) / np.float32(20) for w in made.weights])
    kernel = made.layers[0].kernel.numpy().copy()
    kernel[:, 1000] = 3e38
    made.layers[0].kernel.assign(kernel)
    return made


@pytest.mark.parametrize(("name", "shape"), [("model", (2000, 64)), ("wide_model", (20, 400))])
def test_threads_do_not_change_the_bits(isa, precision, rng, request, name, shape):
    model = request.getfixturevalue(name)
    x = normal(rng, *shape)
    model.precision = precision
    before = coreops.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 8):
            coreops.set_num_threads(threads)
            results.append(model(x))
    finally:
        coreops.set_num_threads(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_changed_weights_are_packed_again(isa, rng, model):
    x = normal(rng, 64, 64)
    model(x)
    model.set_weights([2 * w for w in model.get_weights()])
    h = np.maximum(exact(x, *model.layers[0].get_weights()), 0)
    h = np.tanh(exact(h, *model.layers[1].get_weights()))
    np.testing.assert_allclose(model(x), exact(h, *model.layers[2].get_weights()), atol=1e-4)


def test_wrong_words():
    with pytest.raises(ValueError, match=r"matmul_precision.*'highest', 'high', 'medium'.*'low'"):
        config.set_matmul_precision("low")
    with pytest.raises(ValueError, match=r"precision must be one of.*'low'"):
        coreops.Sequential(precision="low")


def test_every_tier_says_what_it_multiplies_with(isa):
    names = {_kernels.matmul_name(p) for p in PRECISIONS}
    assert all(names)
    assert isa in ("amx", "avx512bf16") or names == {"fma"}
