"""The reverse tape: every rule against finite differences, conventions against JAX."""

import numpy as np
import pytest

from coreops import _tape, ops
from coreops._variables import Variable

STEP = 1e-5  # of central differences: their error is of the order of its square
RNG = np.random.default_rng(4)


def words(text):
    return text.split()


def values(*shape, low=-2.0, high=2.0):
    """Numbers in a range, no two so near to each other that the differences see a kink."""
    n = int(np.prod(shape))
    spread = low + (high - low) * (np.arange(n) + RNG.uniform(0.2, 0.8, n)) / max(n, 1)
    return RNG.permutation(spread).reshape(shape)


def leaves_of(structure):
    """The results of an op that are floats."""
    several = structure if isinstance(structure, (list, tuple)) else [structure]
    return [y for y in several if _tape.value_of(y).dtype.kind == "f"]


def check(function, *xs, rel=1e-6):
    """Compare the gradients of sum(w * function(*xs)) with central differences."""
    xs = [np.asarray(x, np.float64) for x in xs]
    tensors = [_tape.trace(x) for x in xs]
    outputs = leaves_of(function(*tensors))
    plain = leaves_of(function(*xs))
    weights = [RNG.normal(size=y.shape) for y in outputs]
    for y, expected in zip(outputs, plain, strict=True):
        assert type(y) is _tape.Tensor
        np.testing.assert_array_equal(y.value, expected)

    def total(*args):
        return sum(np.sum(w * y) for w, y in zip(weights, leaves_of(function(*args)), strict=True))

    found = _tape.gradients(outputs, weights, tensors)
    for i, (x, gradient) in enumerate(zip(xs, found, strict=True)):
        assert gradient.shape == x.shape
        assert gradient.dtype == np.float64
        assert gradient.flags.c_contiguous
        expected = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            ends = []
            for step in (STEP, -STEP):
                moved = x.copy()
                moved[place] += step
                ends.append(total(*xs[:i], moved, *xs[i + 1 :]))
            expected[place] = (ends[0] - ends[1]) / (2 * STEP)
        scale = np.max(np.abs(expected), initial=1.0)
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=rel * scale)


# ------------------------------------------------------------------------------------- elementwise

SMOOTH = words(
    """abs arcsinh arctan cbrt cos cosh deg2rad erf erfc exp exp2 expm1 fabs negative rad2deg
    reciprocal sin sinc sinh square tan tanh conj real nan_to_num"""
)
POSITIVE = words("sqrt rsqrt log log1p log2 log10")


@pytest.mark.parametrize("name", SMOOTH)
def test_unary(name):
    x = values(3, 4)
    check(getattr(ops, name), x * 0.7 if name == "tan" else x)


@pytest.mark.parametrize("name", POSITIVE)
def test_unary_of_positive_numbers(name):
    check(getattr(ops, name), values(3, 4, low=0.2))


@pytest.mark.parametrize("name", words("arcsin arccos arctanh"))
def test_unary_of_the_unit_interval(name):
    check(getattr(ops, name), values(3, 4, low=-0.9, high=0.9))


def test_arccosh():
    check(ops.arccosh, values(5, low=1.2, high=3))


BINARY = words(
    """add subtract multiply divide divide_no_nan maximum minimum fmax fmin mod fmod arctan2 hypot
    logaddexp logaddexp2"""
)
SHAPES = [((3, 4), (3, 4)), ((3, 4), (4,)), ((), (2, 3)), ((2, 1, 3), (4, 1)), ((0, 3), (1, 3)),
          ((1,), (1,))]  # fmt: skip


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
@pytest.mark.parametrize("name", BINARY)
def test_binary(name, shapes):
    a, b = values(*shapes[0]), values(*shapes[1], low=0.31, high=1.93)
    check(getattr(ops, name), a, b)


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_power(shapes):
    a, b = (values(*shape, low=0.3) for shape in shapes)
    check(ops.power, a, b)
    check(lambda a: ops.power(a, 3), values(*shapes[0]))
    check(lambda a: ops.power(a, 0), values(*shapes[0]))
    check(lambda b: ops.power(2, b), b)
    check(lambda a, b: a**b, a, b)


def test_copysign():
    signs = values(4)
    check(lambda a: ops.copysign(a, signs), values(4))


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_choosing(shapes):
    a, b = (values(*shape) for shape in shapes)
    chosen = RNG.random(np.broadcast_shapes(*shapes)) < 0.5
    check(lambda a, b: ops.where(chosen, a, b), a, b)
    check(lambda a, b: ops.where(chosen, x1=a, x2=b), a, b)
    check(lambda a: ops.where(a > 0, a, 0.0), a)
    check(lambda a, b: ops.select([chosen, ~chosen], [a, b], 7.0), a, b)
    check(lambda a, b: ops.select([chosen], [a], b), a, b)


def test_clip():
    check(lambda x: ops.clip(x, -1.0, 1.2), values(3, 5))
    check(ops.clip, values(3, 5), values(5, low=-1, high=-0.5), values(3, 1, low=0.5, high=1))
    check(lambda x: ops.clip(x, x_min=-1, x_max=1), values(3, 5))


OPERATORS = {
    "arithmetic": lambda a, b: (a + b) * a / b - a,
    "reflected": lambda a, b: 2.0 - (1 / b) + 3 * a - (2**b),
    "unary": lambda a, b: -a + abs(b) + (+a),
    "remainder": lambda a, b: a % b,
    "matmul": lambda a, b: a @ b,
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    check(OPERATORS[name], values(3, 3), values(3, 3, low=0.4))


def test_operators_of_arrays():
    """An ndarray, or a NumPy scalar, on the left leaves the work to the Tensor."""
    c = values(3, 3)
    check(lambda x: c + x, values(3, 3))
    check(lambda x: c @ x @ c, values(3, 3))
    check(lambda x: np.float64(3) * x, values(3, 3))
    check(lambda x: np.multiply(c, x) - np.divide(c, x), values(3, 3, low=0.3))

    def in_place(x):
        total = np.zeros((3, 3))
        total += x
        total *= 2
        return total

    check(in_place, values(3, 3))


# ------------------------------------------------------------------------------------- activations

ACTIVATIONS = words(
    """relu relu6 hard_tanh leaky_relu elu celu selu sigmoid hard_sigmoid sparse_sigmoid log_sigmoid
    silu hard_silu gelu softplus softsign tanh tanh_shrink soft_shrink hard_shrink squareplus
    sparse_plus mish exp softmax log_softmax sparsemax glu l2_normalize normalize"""
)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    check(getattr(ops, name), values(3, 4) * 3)


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), None])
def test_activations_over_axes(axis):
    x = values(2, 3, 4)
    check(lambda x: ops.softmax(x, axis), x)
    check(lambda x: ops.log_softmax(x, axis=axis), x)
    check(lambda x: ops.l2_normalize(x, axis), x)
    if axis not in ((0, 2), None):
        check(lambda x: ops.normalize(x, axis, order=3), x)
        check(lambda x: ops.normalize(x, axis, order=1), x)
    if isinstance(axis, int):
        check(lambda x: ops.sparsemax(x, axis), x)
        check(lambda x: ops.glu(x, axis), values(2, 4, 6))


def test_activations_with_arguments():
    from coreops import activations

    x = values(3, 5) * 2
    check(lambda x: activations.relu(x, 0.1, 2.0, 0.53), x)
    check(lambda x: activations.relu(x, max_value=2.0, threshold=0.53), x)
    check(activations.gelu, x)
    check(activations.exponential, x)
    check(activations.legacy_hard_sigmoid, x)
    check(activations.linear, x)
    check(lambda x: activations.get("swish")(x), x)
    check(lambda x: ops.threshold(x, 0.51, 3.0), x)
    check(lambda x: ops.elu(x, alpha=0.3), x)
    check(lambda x: ops.gelu(x, approximate=False), x)


def test_normalizing_what_is_nearly_nothing():
    check(lambda x: ops.l2_normalize(x * 1e-9, axis=1), values(2, 3))
    x = _tape.trace(np.zeros((2, 3)))
    for y in (ops.l2_normalize(x, axis=1), ops.normalize(x), ops.normalize(x, order=1)):
        assert np.all(np.isfinite(_tape.gradients([y], [1.0], [x])[0]))


# -------------------------------------------------------------------------------------- reductions

AXES = [None, 0, -1, (0, 2), [1, -1], (0, 1, 2), ()]
REDUCTIONS = words(
    "sum mean var std max min amax amin prod logsumexp ptp nansum nanmean nanmax nanmin median"
)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", AXES, ids=str)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, axis, keepdims):
    x = values(2, 3, 4)
    if axis == () and name in ("median", "std", "logsumexp", "ptp"):
        return  # NumPy does not take it, or nothing is left to derive
    if axis == (0, 1, 2) and name == "logsumexp" and not keepdims:
        x = values(1, 1, 4)
    check(lambda x: getattr(ops, name)(x, axis=axis, keepdims=keepdims), x)
    check(lambda x: getattr(ops, name)(x, axis, keepdims), x)


@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (3, 1)], ids=str)
@pytest.mark.parametrize("name", words("sum mean var prod logsumexp cumsum cumprod max"))
def test_reductions_of_awkward_shapes(name, shape):
    axis = 0 if name in ("mean", "var", "logsumexp", "max") else None
    if shape == () and axis == 0:
        axis = None
    if 0 in shape and axis == 0:
        axis = 1
    if name.startswith("cum") and shape == ():
        shape = (1, 1)
    check(lambda x: getattr(ops, name)(x, axis=axis), values(*shape))


@pytest.mark.parametrize("axis", [None, 0, 1, -1])
def test_running(axis):
    check(lambda x: ops.cumsum(x, axis=axis), values(3, 4))
    check(lambda x: ops.cumprod(x, axis=axis), values(3, 4))
    x = values(3, 4)
    x[1] = 0.0
    check(lambda x: ops.cumprod(x, axis=axis), x)
    check(lambda x: ops.prod(x, axis=axis), x)
    x[1, 1:] = 1.0
    check(lambda x: ops.prod(x, axis=axis), x)


def test_order():
    x = values(3, 6)
    for axis in (0, -1, None):
        check(lambda x, axis=axis: ops.sort(x, axis), x)
    check(lambda x: ops.top_k(x, 2), x)
    check(lambda x: ops.quantile(x, 0.3, axis=1), x)
    check(lambda x: ops.quantile(x, [0.1, 0.75, 1.0], axis=(0, 1), keepdims=True), x)
    check(lambda x: ops.percentile(x, 30, axis=0), x)
    for n in (1, 2):
        check(lambda x, n=n: ops.diff(x, n=n), x)
        check(lambda x, n=n: ops.diff(x, n, axis=0), x)


@pytest.mark.parametrize(
    ("axis", "shape"), [(None, (3, 4)), (0, (3, 4)), (0, (3,)), (-1, (4,)), ((1, 0), (4, 3))]
)
def test_average(axis, shape):
    weights = values(*shape, low=0.2)
    check(lambda x, w: ops.average(x, axis=axis, weights=w), values(3, 4), weights)
    check(lambda x, w: ops.average(x, axis, w), values(3, 4), weights)
    check(lambda x: ops.average(x, axis), values(3, 4))


def test_moments():
    for axes in ([0], (0, 1), [-1]):
        check(lambda x, axes=axes: ops.moments(x, axes), values(3, 4))
        check(lambda x, axes=axes: ops.moments(x, axes, keepdims=True), values(3, 4))


@pytest.mark.parametrize("name", words("segment_sum segment_max segment_min"))
def test_segments(name):
    ids = np.array([0, 1, 1, 0, 5])
    for shape in ((5,), (5, 3)):
        check(lambda x: getattr(ops, name)(x, ids, 2), values(*shape))


def test_segment_of_everything():
    check(lambda x: ops.segment_sum(x, np.array([1, 0, 1])), values(3, 2))


# ----------------------------------------------------------------------------------------- shapes

SHAPING = {
    "reshape": lambda x: ops.reshape(x, (-1, 6)),
    "ravel": ops.ravel,
    "transpose": ops.transpose,
    "transpose_axes": lambda x: ops.transpose(x, (1, -1, 0)),
    "permute": lambda x: ops.permute(x, axes=[2, 0, 1]),
    "moveaxis": lambda x: ops.moveaxis(x, 0, -1),
    "moveaxis_several": lambda x: ops.moveaxis(x, (0, 1), (-1, 0)),
    "swapaxes": lambda x: ops.swapaxes(x, 0, -1),
    "expand_dims": lambda x: ops.expand_dims(x, (0, -1)),
    "squeeze": lambda x: ops.squeeze(ops.expand_dims(x, 1), axis=1),
    "flip": ops.flip,
    "flip_axis": lambda x: ops.flip(x, axis=1),
    "fliplr": ops.fliplr,
    "flipud": ops.flipud,
    "roll": lambda x: ops.roll(x, 5),
    "roll_axis": lambda x: ops.roll(x, (1, -2), axis=(0, 2)),
    "rot90": lambda x: ops.rot90(x, 3, axes=(0, 2)),
    "repeat": lambda x: ops.repeat(x, 3, axis=1),
    "repeat_flat": lambda x: ops.repeat(x, 2),
    "repeat_each": lambda x: ops.repeat(x, [0, 3, 1], axis=1),
    "tile": lambda x: ops.tile(x, (2, 1, 3)),
    "broadcast_to": lambda x: ops.broadcast_to(x, (5, 2, 3, 4)),
    "pad": lambda x: ops.pad(x, ((1, 0), (0, 2), (1, 1))),
    "pad_all": lambda x: ops.pad(x, 2, constant_values=3.0),
    "pad_reflect": lambda x: ops.pad(x, ((1, 0), (2, 2), (1, 1)), mode="reflect"),
    "pad_edge": lambda x: ops.pad(x, 2, "edge"),
    "pad_wrap": lambda x: ops.pad(x, 2, "wrap"),
    "tril": ops.tril,
    "triu": lambda x: ops.triu(x, k=1),
    "diagonal": lambda x: ops.diagonal(x, 1, 0, 2),
    "diag": lambda x: ops.diag(x[0, 0], k=1) + ops.diag(x[0, 1], -1),
    "diag_of": lambda x: ops.diag(x[0]),
    "diagflat": ops.diagflat,
    "trace": ops.trace,
    "trace_axes": lambda x: ops.trace(x, 1, axis1=-1, axis2=0),
    "split": lambda x: ops.split(x, 2, axis=-1),
    "split_at": lambda x: ops.split(x, [1, 2], axis=1),
    "array_split": lambda x: ops.array_split(x, 2, axis=1),
    "hsplit": lambda x: ops.hsplit(x, 3),
    "vsplit": lambda x: ops.vsplit(x, 2),
    "dsplit": lambda x: ops.dsplit(x, [1]),
    "unstack": lambda x: ops.unstack(x, axis=1),
    "take": lambda x: ops.take(x, [[2, -1], [0, 2]], axis=1),
    "take_one": lambda x: ops.take(x, 1, axis=-1),
    "take_flat": lambda x: ops.take(x, [3, 3, -1]),
    "take_along_axis": lambda x: ops.take_along_axis(x, np.array([[[0], [2], [2]]] * 2), axis=2),
    "take_along_flat": lambda x: ops.take_along_axis(x, [0, 5, 5]),
    "slice": lambda x: ops.slice(x, (0, 1, 1), (2, 2, 1)),
    "item": lambda x: x[1],
    "items": lambda x: ops.get_item(x, (slice(None), -1, slice(None, None, -2))),
    "items_new": lambda x: x[:, None, ..., 0],
    "items_repeated": lambda x: x[[0, 1, 0]],
    "items_mixed": lambda x: x[:, [0, 2, 2], 1:],
    "items_masked": lambda x: x[x > 0],
    "cast": lambda x: ops.cast(x, "float64"),
    "copy": ops.copy,
    "convert": lambda x: ops.convert_to_tensor(x, "float64"),
    "saturate": lambda x: ops.saturate_cast(x, "float64"),
    "meshgrid": lambda x: ops.meshgrid(x[0, 0], x[0, 1], x[1, 2]),
    "meshgrid_ij": lambda x: ops.meshgrid(x[0, 0], x[0, 1], indexing="ij"),
    "iterated": lambda x: sum(row * i for i, row in enumerate(x)),
    "unpacked": lambda x: (lambda a, b: a * b)(*x),
    "map": lambda x: ops.map(lambda row: row * ops.sum(row), x),
    "methods": lambda x: x.reshape(6, 4).T.sum(axis=0).mean() * x.transpose(2, 0, 1).astype("f8"),
    "methods_of_order": lambda x: x.clip(-1, 1).cumsum(axis=1).take([1, 0], 2).repeat(2, axis=0),
    "method_dot": lambda x: x.dot(np.ones(4)) * x.argmax() + x.any() + x.round(1)[..., 0],
    "methods_more": lambda x: x.flatten() * x.ravel().max() + x.copy().std() - x.var() / x.min(),
}


@pytest.mark.parametrize("name", SHAPING)
def test_shaping(name):
    check(SHAPING[name], values(2, 3, 4))


@pytest.mark.parametrize("shape", [(0, 2), (1, 1), (1,)], ids=str)
def test_shaping_of_awkward_shapes(shape):
    x = values(*shape)
    for function in (
        ops.ravel, ops.transpose, ops.flip, lambda x: ops.pad(x, 1), lambda x: ops.tile(x, 2),
        lambda x: ops.repeat(x, 2, 0), lambda x: ops.roll(x, 1), lambda x: x[:0], lambda x: x[...],
        lambda x: ops.concatenate([x, x]), lambda x: ops.stack([x, x], -1),
        lambda x: ops.expand_dims(x, -1),
    ):  # fmt: skip
        check(function, x)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_joining(axis):
    a, b, c = values(2, 3), values(2, 3), values(2, 3)
    check(lambda a, b: ops.concatenate([a, c, b], axis), a, b)
    check(lambda a, b: ops.concatenate((b, a, a), axis=axis), a, b)
    check(lambda a, b: ops.stack([a, c, b], axis), a, b)
    check(lambda a, b: ops.append(a, b, axis), a, b)


def test_other_joining():
    a, b = values(2, 3), values(2, 3)
    for op in (ops.hstack, ops.vstack, ops.dstack):
        check(lambda a, b, op=op: op([a, b]), a, b)
        check(lambda a, b, op=op: op([a[0], b[1]]), a, b)
    check(ops.append, a, values(4))
    check(lambda a, b: ops.convert_to_tensor([a, b]), a, b)
    check(lambda a, b: ops.sum([ops.sum(a), ops.mean(b)]), a, b)
    check(lambda a: ops.concatenate(a), values(2, 3, 4))
    check(lambda a: ops.stack(a, axis=1), values(2, 3, 4))


def test_scattering():
    x, u = values(3, 4), values(2, 2)
    check(lambda x, u: ops.slice_update(x, (1, 0), u), x, u)
    check(lambda x, u: ops.scatter_update(x, [[0, 0], [2, 3]], u), x, values(2))
    check(lambda x, u: ops.scatter_update(x, [[0], [2]], u), x, values(2, 4))
    check(lambda x, u: ops.scatter_update(x, [[1], [2], [1]], u), x, values(3, 4))
    check(lambda x, u: ops.scatter_update(x, [[1], [2], [1]], u, reduction="add"), x, values(3, 4))
    check(lambda x: ops.slice(x, (2, -1), (2, 2)), x)
    check(lambda u: ops.scatter([[0], [2], [0]], u, (4, 2)), values(3, 2))


# --------------------------------------------------------------------------------------- products

MATMULS = [((3, 4), (4, 2)), ((4,), (4, 2)), ((3, 4), (4,)), ((4,), (4,)), ((5, 3, 4), (4, 2)),
           ((5, 3, 4), (5, 4, 2)), ((3, 4), (5, 4, 2)), ((2, 1, 3, 4), (5, 4, 2)),
           ((4,), (5, 4, 2)), ((5, 3, 4), (4,)), ((0, 4), (4, 2)), ((3, 0), (0, 2)),
           ((1, 1), (1, 1))]  # fmt: skip


@pytest.mark.parametrize("shapes", MATMULS, ids=str)
def test_matmul(shapes):
    a, b = (values(*shape) for shape in shapes)
    check(ops.matmul, a, b)
    check(lambda a, b: a @ b, a, b)


@pytest.mark.parametrize(
    "shapes", [((3, 4), (4, 2)), ((4,), (4,)), ((), (2, 3)), ((2, 3, 4), (5, 4, 2)),
               ((2, 4), (4,)), ((4,), (3, 4, 2))], ids=str,
)  # fmt: skip
def test_dot(shapes):
    check(ops.dot, *(values(*shape) for shape in shapes))


@pytest.mark.parametrize("shapes", [((3, 4), (2, 4)), ((4,), (3, 4)), ((2,), ()), ((4,), (4,))])
def test_inner_and_outer(shapes):
    a, b = (values(*shape) for shape in shapes)
    check(ops.inner, a, b)
    check(ops.outer, a, b)
    if a.size == b.size:
        check(ops.vdot, a, b)


@pytest.mark.parametrize("axes", [0, 1, 2, [[1, 2], [1, 0]], [[0], [2]], ((2, -2), (-3, 1))])
def test_tensordot(axes):
    a, b = values(2, 3, 4), values(4, 3, 2)
    if axes in (1, 2):
        b = values(4, 2) if axes == 1 else values(3, 4, 2)
    check(lambda a, b: ops.tensordot(a, b, axes), a, b)
    check(lambda a, b: ops.tensordot(a, b, axes=axes), a, b)


EINSUMS = {
    "ij,jk->ik": ((2, 3), (3, 4)),
    "ij,jk": ((2, 3), (3, 4)),
    "bij,bjk->bik": ((2, 2, 3), (2, 3, 4)),
    "...ij,jk->...ik": ((2, 5, 2, 3), (3, 4)),
    "...i,...i->...": ((5, 3), (2, 5, 3)),
    "...i,...i": ((5, 3), (2, 1, 3)),
    "ii->i": ((3, 3),),
    "ii": ((3, 3),),
    "ij->j": ((2, 3),),
    "ij->": ((2, 3),),
    "iij,j->i": ((3, 3, 2), (2,)),
    "i,j,k->kji": ((2,), (3,), (4,)),
    "ij,ik,kl->jl": ((2, 3), (2, 4), (4, 2)),
    "ab,cb->": ((2, 3), (4, 3)),
    "i, i -> i": ((3,), (3,)),
    "b...->...": ((3, 2, 2),),
}


@pytest.mark.parametrize("subscripts", EINSUMS)
def test_einsum(subscripts):
    xs = [values(*shape) for shape in EINSUMS[subscripts]]
    check(lambda *xs: ops.einsum(subscripts, *xs), *xs)


@pytest.mark.parametrize("order", [None, 1, 2, 3, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [0, -1])
def test_norm_of_vectors(order, axis):
    check(lambda x: ops.norm(x, order, axis), values(3, 4))
    check(lambda x: ops.norm(x, ord=order, axis=axis, keepdims=True), values(3, 4))
    check(lambda x: ops.norm(x, order), values(4))


def test_norm_of_everything():
    check(ops.norm, values(3, 4))
    check(ops.norm, values(2, 3, 4))
    check(lambda x: ops.norm(x, "fro", (0, 2)), values(2, 3, 4))
    with pytest.raises(NotImplementedError, match="norm"):
        check(lambda x: ops.norm(x, "nuc"), values(3, 4))


def test_linear_algebra():
    a = values(3, 3) + 3 * np.eye(3)
    check(ops.inv, a)
    check(ops.det, a)
    check(ops.logdet, a @ a.T)
    check(lambda a: ops.slogdet(a)[1], a)
    check(ops.solve, a, values(3, 2))
    check(ops.solve, a, values(3))
    check(lambda a: ops.cholesky(a @ ops.transpose(a)), a)
    check(lambda a: ops.cholesky(a @ ops.transpose(a), upper=True), a)
    check(ops.kron, values(2, 3), values(3, 2))
    check(ops.kron, values(2), values(3, 2))
    check(ops.cross, values(4, 3), values(4, 3))
    check(lambda a, b: ops.cross(a, b, axis=0), values(3, 2), values(3, 2))
    batch = values(2, 3, 3) + 3 * np.eye(3)
    check(ops.inv, batch)
    check(ops.det, batch)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, t: ops.binary_crossentropy(ops.sigmoid(t), ops.sigmoid(x)),
        lambda x, t: ops.binary_crossentropy(ops.sigmoid(t), x, from_logits=True),
        lambda x, t: ops.categorical_crossentropy(ops.softmax(t), ops.exp(x), axis=0),
        lambda x, t: ops.sparse_categorical_crossentropy([0, 2, 7], x, from_logits=True) + t[:, 0],
        lambda x, t: ops.layer_normalization(x, t[0], t[1], epsilon=0.1),
        lambda x, t: ops.batch_normalization(x, t[0], t[1] ** 2, -1, t[2], t[0]),
        lambda x, t: ops.rms_normalization(x, t[:, 0], axis=0),
        lambda x, t: ops.scan(lambda c, v: (c * v, c + v), t[0], x),
        lambda x, t: ops.solve_triangular(x[:, :3] + 3 * np.eye(3), t, lower=True),
        lambda x, t: ops.cholesky_inverse(x[:, :3] + 3 * np.eye(3)) * t[0, 0],
        lambda x, t: ops.matmul(x, ops.transpose(t)),
    ],
)
def test_what_is_made_of_others(function):
    check(function, values(3, 4), values(3, 4))


def test_a_gradient_of_ones_own():
    @ops.custom_gradient
    def clipped(x, factor):
        assert type(x) is np.ndarray
        return x * factor, lambda dy: (np.clip(dy, -1, 1), None)

    x = _tape.trace(np.array([1.0, 2.0]))
    y = clipped(x, 3.0)
    (gradient,) = _tape.gradients([y], [[5.0, -0.5]], [x])
    np.testing.assert_array_equal(y.value, [3, 6])
    np.testing.assert_array_equal(gradient, [1, -0.5])
    np.testing.assert_array_equal(clipped(np.ones(2), 2.0), [2, 2])
    variable = Variable([1.0, 2.0])
    with _tape.recording([variable]) as leaves:
        y = ops.custom_gradient(lambda v: (v * 2, lambda dy: dy * 7))(variable)
    (gradient,) = _tape.gradients([y], [1.0], list(leaves))
    np.testing.assert_array_equal(gradient, [7, 7])
