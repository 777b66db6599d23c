"""The update kernels on every tier against their twins in reference_update.py."""

import itertools

import numpy as np
import pytest
import reference_update as reference

from coreops import _kernels

SIZES = [0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 65, 97, 130]
NUMBERS = {"p": 0.9, "q": 0.97, "epsilon": 1e-4}
RATE = 0.05
# How the rule is made, how the weight is treated, the number of the step.
CASES = {
    "plain": ({}, {}, 0),
    "later": ({}, {"scale": 0.5, "factor": 0.3}, 41),
    "penalised": ({}, {"l1": 0.1, "l2": 0.2, "scale": 1 / 32}, 2),
    "clipped": ({"clip": 0.4}, {}, 2),
    "decays": ({"weight_decay": 0.5}, {}, 2),
    "kept from decay": ({"weight_decay": 0.5}, {"decays": False}, 2),
    "nonneg": ({}, {"nonneg": True}, 2),
    "first average": ({"averages": True, "ema_momentum": 0.9}, {}, 0),
    "average": ({"averages": True, "ema_momentum": 0.9, "overwrite_every": 2}, {}, 2),
    "overwrites": ({"averages": True, "ema_momentum": 0.9, "overwrite_every": 2}, {}, 3),
    "gathers": ({"accumulate": 3}, {"l1": 0.1, "scale": 0.5, "nonneg": True}, 4),
    "uses": ({"accumulate": 3}, {"l2": 0.1, "scale": 0.5}, 5),
    "all": (
        {
            "accumulate": 2,
            "averages": True,
            "ema_momentum": 0.5,
            "overwrite_every": 3,
            "clip": 0.5,
            "weight_decay": 0.1,
        },
        {"l1": 0.01, "l2": 0.02, "scale": 0.25, "factor": 0.7, "nonneg": True},
        5,
    ),
}


def unaligned(a):
    """A copy that starts one element past an aligned address."""
    buffer = np.empty(a.size + 65, a.dtype)
    start = (-buffer.ctypes.data // a.itemsize) % (64 // a.itemsize) + 1
    view = buffer[start : start + a.size].reshape(a.shape)
    view[...] = a
    return view


def operands(rng, kind, arguments, n, dtype):
    """A weight, its gradient and its slots. All of an element's have one sign, so that nothing
    cancels but the weight and its step, and the variance is not small against the mean square."""
    sign = rng.choice([-1.0, 1.0], n)
    w, g, m = (sign * rng.uniform(0.2, 2, n) for _ in range(3))
    size = rng.uniform(4, 9, n)
    values = {"m": m, "mean": m / 2, "v": size, "top": size, "u": size, "d": size}
    extra = [m] * (arguments.get("accumulate", 1) > 1) + [w * 0.8] * arguments.get("averages", 0)
    slots = [values[name] for name in reference.SLOTS[kind]] + extra
    return [unaligned(a.astype(dtype)) for a in (w, g, *slots)]


@pytest.mark.parametrize("kind", reference.SLOTS)
def test_update(isa, dtype, rng, kind):
    for (arguments, weight, step), n in itertools.product(CASES.values(), SIZES):
        arguments = {**NUMBERS, **arguments}
        rule = _kernels.Rule(kind, **arguments).prepare(step, RATE)
        w, g, *slots = operands(rng, kind, arguments, n, dtype)
        before = [a.copy() for a in (w, *slots)]
        given = g.copy()
        exact_w, exact = reference.update(kind, w, g, slots, step, RATE, arguments, weight)
        rule.apply(w, g, slots, **weight)
        np.testing.assert_array_equal(g, given)
        for y, y0, x in zip((w, *slots), before, (exact_w, *exact), strict=True):
            # At most 16 roundings of what is no larger than before and after together; of the
            # weight a part may have gone when it was clipped at 0.
            size = np.abs(y0) + np.abs(x) + RATE
            assert np.all(np.abs(y - x) <= 16 * np.finfo(dtype).eps * size)


@pytest.mark.parametrize("kind", reference.SLOTS)
def test_an_element_depends_on_itself_alone(isa, dtype, rng, kind):
    for case in ("plain", "all"):
        arguments, weight, step = CASES[case]
        arguments = {**NUMBERS, **arguments}
        rule = _kernels.Rule(kind, **arguments).prepare(step, RATE)
        whole = operands(rng, kind, arguments, 131, dtype)
        pieces = [a.copy() for a in whole]
        rule.apply(whole[0], whole[1], whole[2:], **weight)
        for start, end in itertools.pairwise([0, 1, 3, 16, 33, 64, 100, 131]):
            w, g, *slots = (a[start:end] for a in pieces)
            rule.apply(w, g, slots, **weight)
        for a, b in zip(whole, pieces, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", reference.SLOTS)
def test_special_values_stay_where_they_are(isa, dtype, rng, kind):
    specials = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40]
    cases = ["plain", "penalised", "clipped", "nonneg"]
    for case, where, special in itertools.product(cases, "wg", specials):
        arguments, weight, step = CASES[case]
        arguments = {**NUMBERS, **arguments}
        rule = _kernels.Rule(kind, **arguments).prepare(step, RATE)
        w, g, *slots = operands(rng, kind, arguments, 21, dtype)
        (w if where == "w" else g)[[3, 20]] = special
        with np.errstate(invalid="ignore"):
            exact_w, exact = reference.update(kind, w, g, slots, step, RATE, arguments, weight)
        rule.apply(w, g, slots, **weight)
        for y, x in zip((w, *slots), (exact_w, *exact), strict=True):
            np.testing.assert_allclose(y, x, rtol=1e-4, atol=1e-5)


def test_a_step_of_zero_gradient_and_size_does_not_divide_by_zero(isa, dtype):
    for kind, names in reference.SLOTS.items():
        w = np.ones(5, dtype)
        slots = [np.zeros(5, dtype) for _ in names]
        _kernels.Rule(kind, **NUMBERS).prepare(0, RATE).apply(w, np.zeros(5, dtype), slots)
        np.testing.assert_array_equal(w, 1)


def test_a_momentum_that_dies_away_ends_at_zero(isa, dtype):
    """Nothing of it is left in the subnormals, on any tier; squares go on."""
    least = np.finfo(dtype).tiny
    for kind, names in reference.SLOTS.items():
        slots = [np.full(35, least, dtype) for _ in names]
        _kernels.Rule(kind, **NUMBERS).prepare(7, RATE).apply(
            np.ones(35, dtype), np.zeros(35, dtype), slots
        )
        for name, slot in zip(names, slots, strict=True):
            assert np.all((slot == 0) if name in ("m", "mean") else (slot > 0)), (kind, name)


def test_centered_variance_below_zero_is_zero(isa, dtype):
    w, g = np.zeros(3, dtype), np.full(3, 1000, dtype)
    slots = [np.full(3, 1e6, dtype), np.full(3, 1000 * (1 + 1e-3), dtype)]
    rule = _kernels.Rule("rmsprop_centered", p=0.9, epsilon=1e-7).prepare(0, 1e-3)
    rule.apply(w, g, slots)
    assert np.all(np.isfinite(w))


@pytest.mark.parametrize("n", [*SIZES, 1000, 5003])
def test_sum_of_squares(isa, dtype, rng, n):
    w, g, gathered = (unaligned(rng.normal(size=n).astype(dtype)) for _ in range(3))
    for accumulate, slots in ((1, []), (3, [gathered])):
        rule = _kernels.Rule("sgd", accumulate=accumulate)
        for terms in ({}, {"l1": 0.1, "l2": 0.3, "scale": 0.5}):
            exact = reference.gradient(
                *(a.astype(np.float64) for a in (w, g, slots[0] if slots else np.zeros(n))),
                accumulate=accumulate,
                **terms,
            )
            # Six roundings of real on the way to a gradient, doubled by the square.
            sizes = reference.gradient(
                *(np.abs(a.astype(np.float64)) for a in (w, g, slots[0] if slots else g * 0)),
                accumulate=accumulate,
                **terms,
            )
            bound = 12 * np.finfo(dtype).eps * np.sum(sizes**2)
            total = rule.sum_of_squares(w, g, slots, **terms)
            assert abs(total - np.sum(exact**2)) <= bound


def test_sum_of_squares_is_in_double(isa):
    g = np.full(1 << 20, 1e-3, np.float32)
    total = _kernels.Rule("sgd").sum_of_squares(g, g)
    np.testing.assert_allclose(total, g.size * float(g[0]) ** 2, rtol=1e-11)
    assert _kernels.Rule("sgd").sum_of_squares(g[:3], np.full(3, 1e30, np.float32)) > 1e60


def test_factor():
    own, together = (_kernels.Rule("sgd", norm=2.0, all_at_once=flag) for flag in (False, True))
    for rule in (own, together):
        assert rule.factor(4.0) == rule.factor(1.0) == rule.factor(0.0) == 1
        assert rule.factor(16.0) == 0.5
        assert np.isnan(rule.factor(np.nan))
    assert own.factor(np.inf) == 0
    assert np.isnan(together.factor(np.inf))
    assert _kernels.Rule("sgd").factor(1e9) == 1


@pytest.mark.parametrize("n", [0, 1, 3, 15, 16, 17, 33, 64, 65, 130, 131])
@pytest.mark.parametrize("k", [0, 1, 2, 7, 64])
def test_rescale_columns(isa, dtype, rng, k, n):
    for norm in ((0.0, 1.5, 1.0), (1.0, 1.0, 1.0), (0.9, 1.2, 0.3)):
        w = unaligned((rng.normal(size=(k, n)) * rng.uniform(0, 2, n)).astype(dtype))
        w[:, n // 2 :][:, :1] = 0
        exact = reference.rescale_columns(w, *norm, 1e-7)
        alone = [np.ascontiguousarray(w[:, j : j + 1]) for j in range(n)]
        _kernels.rescale_columns(w, *norm, 1e-7)
        assert np.all(np.abs(w - exact) <= (k + 8) * np.finfo(dtype).eps * np.abs(exact))
        for j, column in enumerate(alone):
            _kernels.rescale_columns(column, *norm, 1e-7)
            np.testing.assert_array_equal(column[:, 0], w[:, j])


def test_rescale_carries_nan_in_its_column_alone(isa, dtype):
    w = np.ones((4, 35), dtype)
    w[2, 3] = np.nan
    _kernels.rescale_columns(w, 0, 1, 1, 1e-7)
    assert np.all(np.isnan(w[:, 3]))
    assert np.all(np.isfinite(np.delete(w, 3, axis=1)))


def test_arrays_that_do_not_fit():
    rule = _kernels.Rule("adam", **NUMBERS)
    a = np.zeros((3, 4), np.float32)
    readonly = a.copy()
    readonly.flags.writeable = False
    for w, g, slots in (
        (a, a, [a]),
        (a, a, [a, a[:2]]),
        (a, a.astype(np.float64), [a, a]),
        (a.astype(np.float16), a, [a, a]),
        (a[:, ::2], a[:, ::2], [a[:, ::2]] * 2),
        (a, a, [a, None]),
        (readonly, a, [a, a]),
        (a, a, [a, readonly]),
    ):
        with pytest.raises(ValueError, match=r"expected|takes"):
            rule.apply(w, g, slots)
    with pytest.raises(ValueError, match="matrix"):
        _kernels.rescale_columns(readonly, 0, 1, 1, 0)
    with pytest.raises(ValueError, match="nothing"):
        _kernels.Rule("nothing")
    rule.apply(a.copy(), readonly, [a.copy(), a.copy()])
