"""The kernels of recurrent cells on every tier against their twin, through plans of one step."""

import numpy as np
import pytest
import reference_recurrent as twin
from test_kernels import unaligned

from coreops import _kernels

KINDS = sorted(twin.GATES)
COMMON = ("tanh", 0.0, 0.0, 0.0), ("sigmoid", 0.0, 0.0, 0.0)
OTHERS = ("softsign", 0.0, 0.0, 0.0), ("ramp", 1 / 6, 0.5, 0.0)
PATTERNS = ["none", "holes", "left", "right", "a whole row", "a whole step", "all"]


def mask_of(pattern, batch, steps, rng):
    """A mask (batch, steps), None for "none"."""
    mask = np.ones((batch, steps), bool)
    if pattern == "none":
        return None
    if pattern == "holes":
        mask = rng.random((batch, steps)) < 0.6
    if pattern == "left":
        mask = np.arange(steps) >= rng.integers(0, steps, batch)[:, None]
    if pattern == "right":
        mask = np.arange(steps) < rng.integers(0, steps + 1, batch)[:, None]
    if pattern == "a whole row":
        mask[batch // 2] = False
    if pattern == "a whole step":
        mask[:, steps // 2] = False
    if pattern == "all":
        mask[...] = False
    return mask


def masked_input(x, mask):
    """x with 7 in the steps that Masking(7) is to find."""
    return x if mask is None else np.where(mask[..., None], x, x.dtype.type(7))


def run(kind, x, kernel, r, *, biases=None, mask=None, acts=COMMON, sequences=True, **how):
    """x (batch, steps, f) through its product by the kernel and the cell; apart: the product is
    read by somebody else too, so that it does not join."""
    dtype, (_, steps, f), u = x.dtype, x.shape, len(r)
    apart = how.pop("apart", False)
    plan = _kernels.Plan(dtype, (steps, f))
    value, found = 0, -1
    if mask is not None:
        value, found = plan.masking(0, steps, f, 7.0)
    z = plan.dense(value, steps, plan.weight(kernel))
    if apart:
        z = plan.act(z, "relu_general", 1.0, np.inf)
        z = plan.permute(z, (steps, kernel.shape[1]), (1, 0))
        z = plan.permute(z, (kernel.shape[1], steps), (1, 0))
    bias = -1 if biases is None else plan.weight(biases, True)
    y = _kernels.plan_recurrent(
        plan, z, kind, *acts, (steps, u), plan.weight(r), bias, mask=found,
        sequences=sequences, **how,
    )  # fmt: skip
    plan.finish(y, (steps, u) if sequences else (u,))
    return plan.run(masked_input(x, mask))[0]


def data(rng, kind, dtype, batch, steps, f, u):
    gates = twin.GATES[kind]
    x = unaligned(rng.normal(size=(batch, steps, f)).astype(dtype))
    kernel = (rng.normal(size=(f, gates * u)) / np.sqrt(f)).astype(dtype)
    r = (rng.normal(size=(u, gates * u)) / np.sqrt(u)).astype(dtype)
    biases = rng.normal(size=(2, gates * u)).astype(dtype) if kind == "gru" else None
    return x, kernel, r, biases


def expected(kind, x, kernel, r, biases, mask=None, **how):
    if mask is not None:
        x = np.where(mask[..., None], x, 0)
    return twin.recurrent(
        kind, x.astype(np.float64) @ kernel.astype(np.float64), r, biases=biases, mask=mask, **how
    )


def bound(dtype, steps, depth):
    """States are at most 1, sums of the weights above about 1 deep; an error of one step is damped
    or kept by the next: the sum of those of all."""
    return 8 * np.finfo(dtype).eps * (depth + 4) * steps


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("u", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 130])
def test_sizes(isa, dtype, rng, kind, u):
    for batch, steps, f in [(1, 1, 1), (3, 4, 2), (7, 3, 5), (1, 12, 3)]:
        x, kernel, r, biases = data(rng, kind, dtype, batch, steps, f, u)
        y = run(kind, x, kernel, r, biases=biases)
        wanted = expected(kind, x, kernel, r, biases)[0]
        np.testing.assert_allclose(y, wanted, rtol=0, atol=bound(dtype, steps, u + f))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_masks(isa, rng, kind, pattern):
    dtype = np.dtype(np.float32)
    for batch, steps in [(1, 5), (4, 6), (9, 4)]:
        x, kernel, r, biases = data(rng, kind, dtype, batch, steps, 3, 5)
        mask = mask_of(pattern, batch, steps, rng)
        for how in [
            {},
            {"backwards": True},
            {"turned": True},
            {"backwards": True, "turned": True},
            {"zeros": True},
            {"apart": True},
        ]:
            twins = {name: value for name, value in how.items() if name != "apart"}
            wanted = expected(kind, x, kernel, r, biases, mask, **twins)
            allowed = bound(dtype, steps, 8)
            y = run(kind, x, kernel, r, biases=biases, mask=mask, **how)
            np.testing.assert_allclose(y, wanted[0], rtol=0, atol=allowed)
            y = run(kind, x, kernel, r, biases=biases, mask=mask, sequences=False, **how)
            np.testing.assert_allclose(y, wanted[1], rtol=0, atol=allowed)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("u", [3, 16, 140])
def test_other_activations(isa, dtype, rng, kind, u):
    x, kernel, r, biases = data(rng, kind, dtype, 3, 4, 2, u)
    y = run(kind, x, kernel, r, biases=biases, acts=OTHERS)
    wanted = expected(kind, x, kernel, r, biases, a="softsign", s="hard_sigmoid")[0]
    np.testing.assert_allclose(y, wanted, rtol=0, atol=2 * bound(dtype, 4, u + 2))


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_to_activate_agree(isa, dtype, rng, kind):
    """Chunks of vact do the sums in the order of the registers."""
    x, kernel, r, biases = data(rng, kind, dtype, 2, 3, 2, 150)
    common = run(kind, x, kernel, r, biases=biases)
    scaled = ("relu_general", 1.0, np.inf, 0.0)  # x, but not by the linear's name
    linear = run(kind, x, kernel, r, biases=biases, acts=(scaled, COMMON[1]))
    assert np.isfinite(common).all()
    assert np.isfinite(linear).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("u", [19, 70])  # a row's weights stay in L1, or do not
def test_bits_do_not_depend_on_the_batch(isa, dtype, rng, kind, u, batch_invariant):
    x, kernel, r, biases = data(rng, kind, dtype, 97, 11, 7, u)
    mask = mask_of("holes", 97, 11, rng)
    for how in ({}, {"apart": True}, {"backwards": True}, {"sequences": False}):
        whole = run(kind, x, kernel, r, biases=biases, mask=mask, **how)
        for rows in (slice(0, 1), slice(3, 5), slice(40, 46), slice(20, 60)):
            part = run(kind, x[rows], kernel, r, biases=biases, mask=mask[rows], **how)
            np.testing.assert_array_equal(part, whole[rows])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [2, 5, 20, 67])
def test_bits_do_not_depend_on_threads(isa, rng, kind, batch):
    """Work enough for a team, also of few rows: a thread may have one of them alone."""
    x, kernel, r, biases = data(rng, kind, np.dtype(np.float32), batch, 160 // batch, 30, 96)
    before = _kernels.get_num_threads()
    results = []
    for count in (1, 2, 3, 8):
        _kernels.set_num_threads(count)
        results += [run(kind, x, kernel, r, biases=biases) for _ in range(3)]
    _kernels.set_num_threads(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", ["none", "holes", "right"])
def test_large_batches(isa, rng, kind, pattern):
    """Enough rows for the units that multiply faster."""
    dtype = np.dtype(np.float32)
    x, kernel, r, biases = data(rng, kind, dtype, 67, 5, 70, 50)
    mask = mask_of(pattern, 67, 5, rng)
    wanted = expected(kind, x, kernel, r, biases, mask)
    y = run(kind, x, kernel, r, biases=biases, mask=mask)
    np.testing.assert_allclose(y, wanted[0], rtol=0, atol=bound(dtype, 5, 120))


@pytest.mark.parametrize("kind", KINDS)
def test_special_values(isa, dtype, rng, kind):
    """NaN stays in its row; what saturates stays finite."""
    x, kernel, r, biases = data(rng, kind, dtype, 4, 3, 2, 6)
    x[1, 1] = np.nan
    x[2] = np.finfo(dtype).max / 8
    y = run(kind, x, kernel, r, biases=biases)
    assert np.isnan(y[1, 1:]).any(axis=-1).all()
    assert np.isfinite(y[[0, 2, 3]]).all()
    assert np.isfinite(y[1, 0]).all()
