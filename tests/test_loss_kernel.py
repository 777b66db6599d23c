"""The loss kernel on every tier: against its twin in reference_losses.py, against differences of
its own values, and against real Keras with JAX."""

import importlib.util
import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
import reference_losses
from test_kernels import unaligned

from coreops import _kernels

# (kind, from_logits, p)
CASES = [
    (kind, logits, 1.0 if kind == "huber" else 0.0) for kind, logits in reference_losses.LOSSES
]
CASES += [
    ("huber", False, 0.3),
    ("binary_crossentropy", False, 0.1),
    ("binary_crossentropy", True, 0.2),
    ("categorical_crossentropy", False, 0.1),
    ("categorical_crossentropy", True, 0.3),
]
each_case = pytest.mark.parametrize("case", CASES, ids=str)
# around one and two vectors of 2 to 16 elements
WIDTHS = [1, 2, 3, 5, 8, 10, 15, 16, 17, 33, 100]
ROWS = [0, 1, 19]


def arguments(rng, case, m, n, dtype):
    """A target and a prediction that the loss is meant for."""
    kind, logits, _ = case
    wide = (rng.normal(size=(m, n)) * 2).astype(dtype)
    if "crossentropy" in kind or kind == "kl_divergence":
        t = rng.uniform(0, 1, (m, n))
        p = rng.uniform(0.02, 0.98, (m, n))
        if kind.startswith("categorical") and m:
            t[::2] = np.eye(n)[rng.integers(0, n, len(t[::2]))]
        if kind.startswith("sparse"):
            return rng.integers(-1, n + 1, m).astype(np.int32), wide if logits else p.astype(dtype)
        return t.astype(dtype), wide if logits else p.astype(dtype)
    if kind == "poisson" or "log" in kind:
        return rng.uniform(0, 3, (m, n)).astype(dtype), rng.uniform(0.05, 3, (m, n)).astype(dtype)
    if "hinge" in kind:
        low = 0 if kind.startswith("categorical") else -1
        return np.where(rng.random((m, n)) < 0.5, low, 1).astype(dtype), wide
    return rng.normal(size=(m, n)).astype(dtype), wide


def kernel(case, t, p, weight=None, gradient=True):
    kind, logits, parameter = case
    return _kernels.loss(kind, t, p, weight, gradient, logits, parameter)


def twin(case, t, p, weight=None):
    kind, logits, parameter = case
    with np.errstate(all="ignore"):
        return reference_losses.loss(kind, t, p, weight, logits, parameter)


def bounds(case, t, p, weight, value, gradient):
    """The largest errors of values and gradients. A sum of n terms has n roundings, and a term a
    dozen more, each of the largest term; a gradient is a difference of such, which may cancel."""
    n = p.shape[-1]
    roundings = (n + 12) * np.finfo(p.dtype).eps
    mean = case[0] not in ("kl_divergence", "categorical_hinge", "cosine_similarity")
    mean = mean and "categorical" not in case[0]
    size = np.full(len(p), 1 / n if mean else 1.0)
    if case[0] == "cosine_similarity":
        size /= np.linalg.norm(p.astype(np.float64), axis=-1)
    if "categorical_crossentropy" in case[0] and not case[1]:
        size /= np.sum(p, -1, dtype=np.float64)
    if weight is not None:
        size *= np.abs(weight)
    largest = np.max(np.abs(gradient), -1, initial=0) + 2 * size
    targets = n if "crossentropy" in case[0] else 1
    return roundings * (np.abs(value) + 4 * targets), roundings * largest[:, None]


def test_every_loss_has_a_twin():
    assert {kind for kind, _ in reference_losses.LOSSES} == _kernels.LOSSES.keys()


@each_case
def test_loss(isa, dtype, rng, case):
    for m, n in itertools.product(ROWS, WIDTHS):
        t, p = (unaligned(a) for a in arguments(rng, case, m, n, dtype))
        for weight in (None, unaligned(rng.normal(size=m).astype(dtype))):
            value, gradient = kernel(case, t, p, weight)
            exact, slope = twin(case, t, p, weight)
            of_value, of_gradient = bounds(case, t, p, weight, exact, slope)
            assert np.all(np.abs(value - exact) <= of_value)
            assert np.all(np.abs(gradient - slope) <= of_gradient)
            assert np.array_equal(kernel(case, t, p, weight, gradient=False), value)


@each_case
@pytest.mark.parametrize("n", [1, 3, 10, 16, 40])
def test_a_row_does_not_depend_on_its_batch(isa, dtype, rng, case, n):
    t, p = arguments(rng, case, 35, n, dtype)
    weight = rng.normal(size=35).astype(dtype)
    value, gradient = kernel(case, t, p, weight)
    for row in (1, 7, 18, 34):
        alone = kernel(case, t[row:].copy(), p[row:].copy(), weight[row:].copy())
        assert np.array_equal(alone[0], value[row:])
        assert np.array_equal(alone[1], gradient[row:])


@each_case
def test_loss_against_differences(isa, rng, case):
    m, n, h = 6, 9, 1e-6
    t, p = arguments(rng, case, m, n, np.float64)
    _, gradient = kernel(case, t, p)
    for j in range(n):
        step = h * np.eye(n)[j]
        values = [kernel(case, t, p + sign * step, gradient=False) for sign in (1, -1)]
        difference = (values[0] - values[1]) / (2 * h)
        np.testing.assert_allclose(gradient[:, j], difference, rtol=1e-6, atol=1e-8)


@each_case
@pytest.mark.parametrize("n", [1, 5, 16, 20])
def test_nan_goes_through(isa, dtype, rng, case, n):
    t, p = arguments(rng, case, 3, n, dtype)
    if t.dtype.kind == "i":
        t[:] = 0
    expected, slope = kernel(case, t, p)
    p[1, n - 1] = np.nan
    value, gradient = kernel(case, t, p)
    assert np.array_equal(np.isnan(value), [False, True, False])
    assert np.isnan(gradient[1, n - 1])
    keep = [0, 2]
    assert np.array_equal(value[keep], expected[keep])
    assert np.array_equal(gradient[keep], slope[keep])


def test_ties_share_the_slope(isa, dtype):
    t, p = np.zeros((1, 3), dtype), np.zeros((1, 3), dtype)
    t[0, 0] = 1
    gradient = kernel(("categorical_hinge", False, 0), t, p)[1]
    np.testing.assert_allclose(gradient, [[-1, 1 / 3, 1 / 3]], rtol=2 * np.finfo(dtype).eps)
    one = np.ones((1, 1), dtype)
    assert kernel(("hinge", False, 0), one, one)[1] == -0.5
    assert kernel(("kl_divergence", False, 0), one, one)[1] == -0.5
    assert kernel(("mean_absolute_error", False, 0), one, one)[1] == 0


@pytest.mark.parametrize("n", [1, 2, 10, 40])
def test_extreme_logits(isa, dtype, n):
    """Far from the target the loss is the distance, and nothing overflows."""
    p = np.zeros((2, n), dtype)
    p[:, 0] = [-1e4, 1e4]
    t = np.zeros((2, n), dtype)
    t[:, 0] = 1
    value, gradient = kernel(("binary_crossentropy", True, 0), t, p)
    np.testing.assert_allclose(value * n, np.array([1e4, 0]) + (n - 1) * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(gradient[:, 0] * n, [-1, 0], rtol=1e-6, atol=1e-30)
    for case, target in (
        (("categorical_crossentropy", True, 0), t),
        (("sparse_categorical_crossentropy", True, 0), np.zeros(2, np.int32)),
    ):
        value, gradient = kernel(case, target, p)
        expected = [1e4 + np.log(n - 1) if n > 1 else 0, 0]
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-30)
        np.testing.assert_allclose(gradient[:, 0], [-1 if n > 1 else 0, 0], atol=1e-30)


@pytest.mark.parametrize("kind", ["binary_crossentropy", "categorical_crossentropy"])
def test_no_slope_where_probabilities_are_cut(isa, dtype, kind):
    p = np.array([[0, 1], [1, 0]], dtype)
    t = np.array([[1, 0], [1, 0]], dtype)
    value, gradient = kernel((kind, False, 0), t, p)
    assert np.array_equal(gradient, np.zeros_like(p))
    np.testing.assert_allclose(value[0], -np.log(1e-7), rtol=0.02)


def test_classes_outside_are_no_targets(isa, dtype, rng):
    for n in (3, 40):
        p = rng.uniform(0.1, 1, (4, n)).astype(dtype)
        t = np.array([-1, n, 0, -(2**31)], np.int32)
        for logits in (False, True):
            value, gradient = kernel(("sparse_categorical_crossentropy", logits, 0), t, p)
            assert np.array_equal(value != 0, [False, False, True, False])
            assert np.array_equal(np.any(gradient, -1), [False, False, True, False])


PROGRAM = """
import sys
import jax
jax.config.update("jax_enable_x64", True)
import keras, numpy as np
keras.config.set_floatx("float64")
data = dict(np.load(sys.argv[1]))
out = {}
for name in {key.split("/")[0] for key in data}:
    kind, logits, p = name.split(" ")
    options = {"from_logits": logits == "True"} if "crossentropy" in kind else {}
    if kind == "huber":
        options["delta"] = float(p)
    elif "crossentropy" in kind and not kind.startswith("sparse"):
        options["label_smoothing"] = float(p)
    function = getattr(keras.losses, kind)
    t, x = jax.numpy.asarray(data[name + "/t"]), jax.numpy.asarray(data[name + "/p"])
    out[name + "/value"] = function(t, x, **options)
    out[name + "/gradient"] = jax.grad(lambda x: function(t, x, **options).sum())(x)
np.savez(sys.argv[2], **out)
"""


def test_losses_are_those_of_keras(tmp_path, rng):
    for needed in ("keras", "jax"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    data = {}
    for case in CASES:
        name = " ".join(map(str, case))
        t, p = arguments(rng, case, 20, 7, np.float64)
        if not case[1] and "crossentropy" in case[0]:
            p[:4] = rng.choice([0, 1e-8, 0.3, 1], (4, 7))
            p[:4, 0] = 0.5
        data[name + "/t"], data[name + "/p"] = t, p
    np.savez(tmp_path / "in.npz", **data)
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    files = [str(tmp_path / "in.npz"), str(tmp_path / "out.npz")]
    subprocess.run([sys.executable, "-c", PROGRAM, *files], env=environment, check=True)
    with np.load(tmp_path / "out.npz") as out:
        for case in CASES:
            name = " ".join(map(str, case))
            value, gradient = kernel(case, data[name + "/t"], data[name + "/p"])
            # Keras takes the mean in float32, also of float64
            np.testing.assert_allclose(value, out[name + "/value"], rtol=1e-6, atol=1e-12)
            np.testing.assert_allclose(gradient, out[name + "/gradient"], rtol=1e-6, atol=1e-12)


def test_arrays_that_do_not_fit(dtype):
    x = np.zeros((2, 3), dtype)
    for target, weight in ((x[:1], None), (x.astype(np.float16), None), (x, x), (x, [1, 2])):
        with pytest.raises(ValueError, match="expected a"):
            _kernels.loss("huber", target, x, weight)
    with pytest.raises(ValueError, match="target of int32"):
        _kernels.loss("sparse_categorical_crossentropy", np.zeros(2, np.int64), x)
    with pytest.raises(ValueError, match="contiguous"):
        _kernels.loss("huber", x.T, x.T)
    with pytest.raises(ValueError, match="axis"):
        _kernels.loss("huber", np.zeros((), dtype), np.zeros((), dtype))
