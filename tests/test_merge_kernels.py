"""The steps of several operands, on every tier against their twins in reference_merge.py."""

import numpy as np
import pytest
import reference_merge as reference
from test_kernels import SIZES, SPECIAL, unaligned

from coreops import _kernels

HOW = list(_kernels.MERGES)
WIDTHS = [1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 65]


def run(dtype, arrays, build, shape):
    """Arrays (batch, ...) through one step that build(plan, values) appends."""
    plan = _kernels.Plan(dtype, arrays[0].shape[1:])
    values = [0, *(_kernels.plan_input(plan, x.shape[1:]) for x in arrays[1:])]
    plan.finish(build(plan, values), shape)
    return _kernels.run_plan(plan, list(arrays))[0]


def merged(dtype, how, x, y):
    return run(dtype, (x, y), lambda p, v: _kernels.plan_merge(p, how, *v), x.shape[1:])


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("n", [1, 3, 16, 17, 65])
def test_merge(isa, dtype, rng, how, n):
    for m in SIZES:
        x, y = (unaligned(rng.normal(size=(m, n)).astype(dtype)) for _ in range(2))
        exact = reference.merge(how, x, y)
        error = np.abs(merged(dtype, how, x, y) - exact)
        # one rounding of the result
        assert np.all(error <= np.finfo(dtype).eps / 2 * np.abs(exact) + np.finfo(dtype).tiny)


@pytest.mark.parametrize("how", HOW)
def test_merge_of_special_values(isa, dtype, how):
    values = SPECIAL.astype(dtype)
    x, y = (a.reshape(1, -1) for a in np.meshgrid(values, values))
    exact = reference.merge(how, x, y)
    found = merged(dtype, how, np.ascontiguousarray(x), np.ascontiguousarray(y))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found, exact.astype(dtype))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("count", [1, 2, 8, 9, 20])
def test_concatenate(isa, dtype, rng, width, count):
    for positions in (1, 3):
        arrays = [
            unaligned(rng.normal(size=(5, positions, width + i % 3)).astype(dtype))
            for i in range(count)
        ]
        exact = reference.concatenate(arrays)
        found = run(
            dtype, arrays, lambda p, v, n=positions: _kernels.plan_concatenate(p, v, n),
            exact.shape[1:],
        )  # fmt: skip
        np.testing.assert_array_equal(found, exact)


@pytest.mark.parametrize("k", [1, 2, 7, 16, 17, 64, 65, 300])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (1, 5), (3, 2), (7, 9)])
def test_products(isa, dtype, rng, m, n, k):
    x, y = (unaligned(rng.normal(size=(4, s, k)).astype(dtype)) for s in (m, n))
    found = run(dtype, (x, y), lambda p, v: _kernels.plan_products(p, *v, m, n, k), (m, n))
    sizes = reference.products(np.abs(x), np.abs(y))
    error = np.abs(found - reference.products(x, y))
    assert np.all(error <= (k + 1) * np.finfo(dtype).eps * sizes)
    again = run(
        dtype, (x[2:].copy(), y[2:].copy()),
        lambda p, v: _kernels.plan_products(p, *v, m, n, k), (m, n),
    )  # fmt: skip
    np.testing.assert_array_equal(again, found[2:])


def test_products_of_several_samples(isa, dtype, rng):
    x, y = (rng.normal(size=(4, 3, s, 5)).astype(dtype) for s in (2, 7))
    found = run(dtype, (x, y), lambda p, v: _kernels.plan_products(p, *v, 2, 7, 5, 3), (3, 2, 7))
    for i in range(3):
        one, other = (np.ascontiguousarray(a[:, i]) for a in (x, y))
        alone = run(
            dtype, (one, other), lambda p, v: _kernels.plan_products(p, *v, 2, 7, 5), (2, 7)
        )
        np.testing.assert_array_equal(found[:, i], alone)


@pytest.mark.parametrize("width", WIDTHS)
def test_parts(isa, dtype, rng, width):
    x = unaligned(rng.normal(size=(5, 3, width)).astype(dtype))
    for at, n in ((0, width), (width // 2, width - width // 2), (width - 1, 1)):
        found = run(dtype, (x,), lambda p, v: _kernels.plan_part(p, 0, 3, at, n), (3, n))  # noqa: B023
        np.testing.assert_array_equal(found, x[..., at : at + n])


@pytest.mark.parametrize("width", [1, 16, 17])
def test_rows_by_a_mask(isa, dtype, rng, width):
    x, y = (rng.normal(size=(5, 3, width)).astype(dtype) for _ in "xy")
    mask = rng.random((5, 3)) < 0.5
    for others in (True, False):
        plan = _kernels.Plan(dtype, (3, width))
        given = _kernels.plan_input(plan, (3, width)) if others else -1
        by = _kernels.plan_input(plan, (3,), True)
        plan.finish(_kernels.plan_select(plan, by, 0, given), (3, width))
        found = _kernels.run_plan(plan, [x, y, mask] if others else [x, mask])[0]
        np.testing.assert_array_equal(found, np.where(mask[..., None], x, y if others else 0))


def branches(dtype, rng, widths, act, build=_kernels.plan_concatenate):
    """A plan of products of one input that are put side by side, and its steps."""
    plan = _kernels.Plan(dtype, (3, 9))
    made = []
    for n in widths:
        kernel, bias = rng.normal(size=(9, n)).astype(dtype), rng.normal(size=n).astype(dtype)
        made.append(plan.act(plan.dense(0, 3, plan.weight(kernel), plan.weight(bias)), act))
    y = build(plan, made, 3)
    plan.finish(y, (3, sum(widths)))
    return plan, [step[0] for step in _kernels.plan_steps(plan)]


@pytest.mark.parametrize("act", ["relu", "tanh"])
def test_products_are_made_where_they_go(isa, dtype, rng, act):
    """The bits are those of products that are copied. Short rows with an activation in a loop of
    its own are."""
    widths = [1, 64, 17, 130]
    state = rng.bit_generator.state
    plan, steps = branches(dtype, rng, widths, act)
    assert steps == ["dense"] * 4 + ["concatenate"] * (act == "tanh")
    rng.bit_generator.state = state

    def copied(plan, values, rows):
        values = [
            _kernels.plan_part(plan, v, rows, 0, n) for v, n in zip(values, widths, strict=True)
        ]
        return _kernels.plan_concatenate(plan, values, rows)

    other, steps = branches(dtype, rng, widths, act, copied)
    assert steps == ["dense"] * 4 + ["part"] * 4 + ["concatenate"]
    for rows in (0, 1, 2, 50):
        x = unaligned(rng.normal(size=(rows, 3, 9)).astype(dtype))
        np.testing.assert_array_equal(plan.run(x)[0], other.run(x)[0])


def test_what_is_read_elsewhere_is_copied(rng):
    """A value that comes out too, one that is put in twice, and an input."""
    plan = _kernels.Plan("float32", (9,))
    one, two, three = (
        plan.dense(0, 1, plan.weight(rng.normal(size=(9, n)).astype("float32"))) for n in (3, 4, 5)
    )
    y = _kernels.plan_concatenate(plan, [one, two, two, three, 0], 1)
    _kernels.plan_output(plan, one, (3,))
    plan.finish(y, (25,))
    x = rng.normal(size=(6, 9)).astype("float32")
    found, first = _kernels.run_plan(plan, [x])
    np.testing.assert_array_equal(found[:, :3], first)
    np.testing.assert_array_equal(found[:, 3:7], found[:, 7:11])
    np.testing.assert_array_equal(found[:, 16:], x)


def test_masks_are_joined(isa):
    rng = np.random.default_rng(0)
    plan = _kernels.Plan("float32", (3,))
    masks = [_kernels.plan_input(plan, (n,), True) for n in (5, 5)]
    either = _kernels.plan_either(plan, *masks)
    both = _kernels.plan_concatenate(plan, masks, 1)
    _kernels.plan_output(plan, both, (10,), True)
    plan.finish(0, (3,), either, (5,))
    x = rng.normal(size=(4, 3)).astype("float32")
    one, other = rng.random((2, 4, 5)) > 0.5
    y, some, after = _kernels.run_plan(plan, [x, one, other])
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(some, one | other)
    np.testing.assert_array_equal(after, np.concatenate([one, other], 1))


def test_a_value_that_comes_out_twice():
    plan = _kernels.Plan("float32", (3,))
    y = plan.act(0, "relu")
    _kernels.plan_output(plan, y, (3,))
    _kernels.plan_output(plan, 0, (3,))
    plan.finish(y, (3,))
    x = np.array([[1.0, -2.0, 3.0]], "float32")
    found = _kernels.run_plan(plan, [x])
    for one, exact in zip(found, (np.maximum(x, 0), np.maximum(x, 0), x), strict=True):
        np.testing.assert_array_equal(one, exact)
        assert not np.shares_memory(one, x)


def test_operands_that_do_not_fit():
    plan = _kernels.Plan("float32", (3,))
    other = _kernels.plan_input(plan, (4,))
    mask = _kernels.plan_input(plan, (3,), True)
    for step in (
        lambda: _kernels.plan_merge(plan, "add", 0, other),
        lambda: _kernels.plan_merge(plan, "add", 0, mask),
        lambda: _kernels.plan_merge(plan, "add", 0, 99),
        lambda: _kernels.plan_either(plan, mask, 0),
        lambda: _kernels.plan_concatenate(plan, [0, mask], 1),
        lambda: _kernels.plan_concatenate(plan, [0, other], 2),
        lambda: _kernels.plan_products(plan, 0, other, 1, 1, 3),
        lambda: _kernels.plan_part(plan, 0, 1, 2, 2),
        lambda: _kernels.plan_part(plan, mask, 1, 0, 1),
        lambda: _kernels.plan_select(plan, 0, 0),
        lambda: _kernels.plan_select(plan, mask, 0, other),
    ):
        with pytest.raises(ValueError, match="internal error"):
            step()
    plan.finish(0, (3,))
    with pytest.raises(ValueError, match="internal error"):
        _kernels.run_plan(plan, [np.zeros((1, 3), "float32")])
