"""The activations over the whole range of float32, in units of the last place.

A normal run takes every STRIDE-th of the 2^32 floats and dense bands around every power of two
and every bend. `pytest -m exhaustive` takes all of them.
"""

import numpy as np
import pytest
import reference
from tolerance import ulps

from coreops import _kernels, activations

STRIDE = 1009  # a prime, so that all low bits of a float occur
CHUNK = 1 << 16  # floats at a time: their float64 twins stay in cache
BAND = 300  # neighbours on each side of an edge
# Where a function starts or ends to saturate, overflow or underflow, or bends.
EDGES = [0.5, 1, 3, 5, 5.375, 6, 7.9, 8.7, 9.01, 9.3125, 10, 11, 13.2, 14.2, 14.6, 17.3, 20, 40]
EDGES += [87.34, 88.72284, 89, 91, 103.28, 103.98, 104, 108.7, 111]
EDGES += [1.8e19, 8.5e37, 1.7e38, 3.4028235e38]

OTHERS = ("softmax", "log_softmax", "glu", "sparsemax", "linear")  # not of single elements
CASES = [(name, {}, twin) for name, twin in reference.ACTIVATIONS.items() if name not in OTHERS]
CASES += [case for case in reference.ACTIVATIONS_WITH_ARGUMENTS if case[0] not in OTHERS]
NAMES = [
    " ".join([name, *(f"{key}={arguments[key]}" for key in arguments)])
    for name, arguments, _ in CASES
]
each_case = pytest.mark.parametrize(("name", "arguments", "twin"), CASES, ids=NAMES)


def allowed(name):
    """Twice the half unit that rounding exp(x) once costs, and the same again where it is divided
    and multiplied."""
    return 2 if name == "exponential" else 4


def floats(bits):
    return bits.astype(np.uint32).view(np.float32)


def bands():
    """The floats around the edges and around all powers of two, of either sign."""
    powers = np.arange(0, 1 << 31, 1 << 23)
    centres = np.concatenate([np.array(EDGES, np.float32).view(np.uint32), powers])
    bits = np.unique(centres[:, None] + np.arange(-BAND, BAND + 1))
    bits = bits[(bits >= 0) & (bits < 1 << 31)]
    return floats(np.concatenate([bits, bits + (1 << 31)]))


def samples(stride):
    """Every stride-th float, in chunks."""
    step = CHUNK * stride
    for start in range(0, 1 << 32, step):
        yield floats(np.arange(start, min(start + step, 1 << 32), stride))


def errors(y, exact):
    """In units of the last place. Infinity counts as 2^128, which would be the next float: results
    on either side of the edge of overflow are neighbours."""
    clipped = np.clip(exact, -(2.0**128), 2.0**128)
    at_the_edge = np.abs(np.clip(y.astype(np.float64), -(2.0**128), 2.0**128) - clipped) / 2.0**104
    beyond = np.isinf(y) != np.isinf(exact.astype(np.float32))
    return np.where(beyond, at_the_edge, ulps(y, exact, np.float32))


def greatest_errors(chunks, name, arguments, twin):
    """{tier: (the greatest error in units of the last place, where)}"""
    function = getattr(activations, name)
    worst = dict.fromkeys(_kernels.tiers(), (0.0, 0.0))
    before = _kernels.isa()
    with np.errstate(all="ignore"):
        for x in chunks:
            exact = twin(x.astype(np.float64))
            rounded = exact.astype(np.float32)
            for tier in worst:
                _kernels.use_isa(tier)
                y = function(x, **arguments)
                # A result `steps` floats from the rounded one is at most steps + 1/2 units off.
                steps = np.abs(y.view(np.int32) - rounded.view(np.int32))
                (far,) = np.nonzero(steps > worst[tier][0] - 0.5)
                if far.size:
                    error = errors(y[far], exact[far])
                    at = np.argmax(np.where(np.isnan(error), np.inf, error))
                    if not error[at] <= worst[tier][0]:
                        worst[tier] = (float(error[at]), float(x[far[at]]))
    _kernels.use_isa(before)
    return worst


def check(chunks, name, arguments, twin, record_property):
    worst = greatest_errors(chunks, name, arguments, twin)
    record_property("greatest error", worst)
    print({tier: f"{error:.3f} at {x:.9g}" for tier, (error, x) in worst.items()})
    assert all(error <= allowed(name) for error, _ in worst.values()), worst


@each_case
def test_sampled(name, arguments, twin, record_property):
    check([*samples(STRIDE), bands()], name, arguments, twin, record_property)


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
@each_case
def test_all_floats(name, arguments, twin, record_property):
    check(samples(1), name, arguments, twin, record_property)


# ---------------------------------------------------------------------------------------- float64

# x, gelu(x), gelu(x, approximate=True) to 22 digits, by mpmath
GELU = [
    (-38.25, "-7.954786302218475474939e-319", "-7.297091251721382705165e-1760"),
    (-30.5, "-3.973960635193132870314e-203", "-1.280592715709813583608e-899"),
    (-21.0, "-6.886483839855975473445e-97", "-6.016648487631484674229e-301"),
    (-13.75, "-3.501404934464190880971e-42", "-1.121466658156586299135e-89"),
    (-8.375, "-2.312499632232406606067e-16", "-8.222948609482097450093e-24"),
    (-6.0, "-5.919525870226188844205e-9", "-8.439646700762297083699e-11"),
    (-3.125, "-0.002778204059713850185416", "-0.002415874897777788734843"),
    (-1.0, "-0.1586552539314570514148", "-0.158808009391723295218"),
    (-0.09375, "-0.04337380082293812191414", "-0.04337382609044174219918"),
    (0.296875, "0.1830884615439755969629", "0.1830860579475589699635"),
    (2.0, "1.954499736103641585599", "1.954597694087775018781"),
    (7.5, "7.499999999999760683125", "7.499999999999999995984"),
]


@pytest.mark.parametrize(("approximate", "column"), [(False, 1), (True, 2)])
def test_gelu_in_float64(isa, approximate, column):
    x = np.array([row[0] for row in GELU])
    exact = np.array([row[column] for row in GELU]).astype(np.longdouble)
    assert np.max(ulps(activations.gelu(x, approximate=approximate), exact, np.float64)) <= 4


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 2.0**-60, reason="longdouble is no wider")
@each_case
def test_float64(isa, rng, name, arguments, twin):
    if name == "gelu":  # its twin is only good to a double
        return
    x = np.concatenate([rng.normal(0, s, 4000) for s in (1e-8, 0.1, 1, 10, 200)])
    x = np.concatenate([x, np.linspace(-745, -700, 2000), [0, 5e-324, -3e-310]])
    if name == "tanh_shrink":  # nearer to 0 its twin is only good to a float
        x = x[np.abs(x) >= 1]
    with np.errstate(all="ignore"):
        exact = twin(x.astype(np.longdouble))
        worst = ulps(getattr(activations, name)(x, **arguments), exact, np.float64)
    assert np.max(worst) <= allowed(name), x[np.argmax(worst)]
