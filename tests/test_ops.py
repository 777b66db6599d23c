"""Array functions: values against NumPy, dtypes by Keras' rules, parity with keras.ops."""

import math

import numpy as np
import pytest
from tolerance import ulps

import coreops
from coreops import _symbolic, config, ops
from coreops._tape import trace
from coreops._variables import Variable

INTS = ["int8", "uint8", "int32", "int64"]


def words(text):
    """The words of a text, a list that reads more easily."""
    return text.split()


def same(actual, expected, dtype):
    actual = np.asarray(actual)
    assert actual.dtype == dtype
    np.testing.assert_array_equal(actual, np.asarray(expected))


# ------------------------------------------------------------------------------------- conversion


def test_python_numbers_take_the_default_types():
    for value, dtype in (
        (1, "int32"),
        (1.5, "float32"),
        (True, "bool"),
        ([1, 2], "int32"),
        ([[1.0, 2.0]], "float32"),
        ([1, 2.5], "float32"),
    ):
        x = ops.convert_to_tensor(value)
        assert type(x) is np.ndarray
        assert x.dtype == dtype
        np.testing.assert_array_equal(x, value)
    assert ops.convert_to_tensor([1, 2], dtype="float64").dtype == np.float64


def test_arrays_come_through_as_they_are(rng):
    x = rng.normal(size=(3, 4))
    assert ops.convert_to_tensor(x) is x
    assert ops.convert_to_numpy(Variable(x)).dtype == np.float32
    subclass = x.view(type("Sub", (np.ndarray,), {}))
    assert type(ops.add(subclass, 1)) is np.ndarray


@pytest.mark.parametrize("value", ["text", None, [[1], [2, 3]], [object()], np.array(["a"])])
def test_what_is_no_array(value):
    with pytest.raises((TypeError, ValueError), match=r"(?s)array operation.*ops.sqrt\("):
        ops.sqrt(value)


def test_errors_name_the_op_and_what_it_was_given():
    x, y = np.ones((4, 5)), np.ones((4, 3))
    given = r"<array of shape \(4, 5\), float64>, <array of shape \(4, 3\), float64>"
    with pytest.raises(ValueError, match=rf"(?s)broadcast.*ops.subtract\({given}\)"):
        ops.subtract(x, y)
    with pytest.raises(ValueError, match=rf"(?s)broadcast.*ops.subtract\({given}\)"):
        trace(x) - y
    with pytest.raises(TypeError, match=rf"(?s).*ops.concatenate\(\[{given}\], axis='a'\)"):
        ops.concatenate([x, y], axis="a")
    with pytest.raises(ValueError, match="sum") as caught:  # the innermost one
        ops.vectorized_map(lambda row: ops.sum(row, axis=7), x)
    assert len(caught.value.__notes__) == 1


def test_casts():
    same(ops.cast([1.7, -1.7], "int32"), [1, -1], "int32")
    same(ops.cast([1, 0], "bool"), [True, False], "bool")
    assert ops.cast([1], "bfloat16").dtype == np.float32
    assert ops.cast([1], np.dtype("float64")).dtype == np.float64
    assert ops.cast([1], "float").dtype == np.float32
    with pytest.raises(ValueError, match="float33"):
        ops.cast([1], "float33")
    same(ops.saturate_cast(np.array([-5, 300]), "uint8"), [0, 255], "uint8")
    same(ops.saturate_cast([1e20, -1e20], "int32"), [2**31 - 1, -(2**31)], "int32")
    same(ops.saturate_cast(np.array([1e39]), "float32"), np.finfo("f4").max, "float32")


# ------------------------------------------------------------------------------------------ dtypes


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "maximum", "minimum"])
def test_promotion(name):
    op, one = (
        getattr(ops, name),
        {d: np.ones(3, d) for d in [*INTS, "float16", "float32", "float64"]},
    )
    for a, b, result in (
        ("int32", "int32", "int32"),
        ("int32", "int64", "int64"),
        ("int8", "uint8", "int16"),
        ("int32", "float16", "float16"),
        ("int64", "float32", "float32"),
        ("float16", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("int64", "float64", "float64"),
    ):
        assert op(one[a], one[b]).dtype == op(one[b], one[a]).dtype == result
    for a in one:
        assert op(one[a], 2).dtype == op(2, one[a]).dtype == a
        assert op(one[a], 2.5).dtype == (a if a.startswith("f") else "float32")
    assert op(1, 2).dtype == np.int32
    assert op(1, 2.0).dtype == np.float32
    assert op(np.ones(2, bool), 2).dtype == np.int32


def test_the_default_float_type_is_used(monkeypatch):
    monkeypatch.setitem(config._state, "floatx", "float64")
    for y in (
        ops.divide(np.ones(2, "int32"), 2),
        ops.mean(np.ones(2, "int32")),
        ops.zeros((2,)),
        ops.sqrt(np.ones(2, "int32")),
        ops.add(np.ones(2, "int32"), 0.5),
    ):
        assert y.dtype == np.float64


@pytest.mark.parametrize("dtype", [*INTS, "bool"])
def test_integers_become_floats_where_results_are_fractional(dtype):
    x = np.array([[1, 0], [1, 1]], dtype)
    for name in ("exp", "sqrt", "sin", "mean", "var", "std", "median", "floor", "logsumexp"):
        assert getattr(ops, name)(x).dtype == np.float32, name
    assert ops.divide(x, x | True if dtype == "bool" else np.ones_like(x)).dtype == np.float32


def test_sums_keep_their_type_but_small_integers_widen():
    for dtype, result in (
        ("bool", "int32"),
        ("int8", "int32"),
        ("uint8", "uint32"),
        ("int32", "int32"),
        ("int64", "int64"),
        ("float16", "float16"),
        ("float32", "float32"),
        ("float64", "float64"),
    ):
        x = np.ones((3, 4), dtype)
        assert ops.sum(x).dtype == ops.prod(x).dtype == result
        assert ops.max(x).dtype == ops.min(x).dtype == dtype
    assert ops.sum(np.full(1000, 100, "int8")) == 100_000


def test_half_precision_is_averaged_in_float32():
    x = np.full(4096, 32.0, np.float16)
    assert ops.mean(x) == 32
    assert ops.mean(x).dtype == np.float16


def test_result_type():
    assert ops.result_type("int32", "float16") == "float16"
    assert ops.result_type("int32", float) == "float32"
    assert ops.result_type(int, float) == "float32"
    assert ops.result_type(np.ones(2, "int8"), "uint8") == "int16"


# ------------------------------------------------------------------------------------- elementwise

UNARY = words(
    """abs negative sign ceil floor trunc round square reciprocal expm1 log log10 log1p log2 sqrt
    exp2 cbrt sin cos tan arcsin arccos arctan sinh cosh arcsinh arctanh isnan isinf isfinite
    signbit deg2rad rad2deg sinc"""
)


@pytest.mark.parametrize("name", UNARY)
def test_unary(name, rng, dtype):
    x = rng.uniform(0.05, 0.95, size=(5, 7)).astype(dtype)
    expected = getattr(np, name)(x)
    same(getattr(ops, name)(x), expected, expected.dtype)
    same(getattr(ops, name)(x.tolist()), getattr(np, name)(x.astype("f4")), expected.dtype
         if expected.dtype == bool else "float32")  # fmt: skip


@pytest.mark.parametrize(("name", "twin"), [("exp", np.exp), ("tanh", np.tanh)])
def test_unary_by_kernels(name, twin, rng, dtype):
    x = rng.normal(0, 3, size=(5, 37)).astype(dtype)
    y = getattr(ops, name)(x)
    assert y.dtype == dtype
    assert np.max(ulps(y, twin(x.astype(np.longdouble)), dtype)) <= 4


def test_error_functions(rng, dtype):
    x = rng.normal(size=(3, 4)).astype(dtype)
    for op, twin in ((ops.erf, math.erf), (ops.erfc, math.erfc)):
        y = op(x)
        assert y.dtype == dtype
        assert np.max(ulps(y, np.vectorize(twin)(x.astype("f8")), dtype)) <= 1
    assert ops.erf(np.float32(0.5)).dtype == np.float32


BINARY = words(
    """add subtract multiply divide power mod floor_divide maximum minimum fmax fmin arctan2 hypot
    logaddexp equal not_equal less less_equal greater greater_equal"""
)


@pytest.mark.parametrize("name", BINARY)
def test_binary(name, rng, dtype):
    a = rng.uniform(0.5, 2, size=(4, 1, 3)).astype(dtype)
    b = rng.uniform(0.5, 2, size=(5, 3)).astype(dtype)
    expected = getattr(np, name)(a, b)
    same(getattr(ops, name)(a, b), expected, expected.dtype)
    same(getattr(ops, name)(a, 1.5), getattr(np, name)(a, dtype.type(1.5)), expected.dtype)


def test_other_elementwise(dtype):
    x = np.array([-2, -1, 0, 1, 2], dtype)
    same(ops.clip(x, -1, 1), [-1, -1, 0, 1, 1], dtype)
    same(ops.divide_no_nan(x, np.array([1, 0, 0, 2, 4], dtype)), [-2, 0, 0, 0.5, 0.5], dtype)
    same(ops.where(x > 0, x, 7), [7, 7, 7, 1, 2], dtype)
    same(ops.where(x > 0, 1, 0), [0, 0, 0, 1, 1], "int32")
    same(ops.nan_to_num(np.array([np.nan, np.inf], dtype), posinf=9), [0, 9], dtype)
    same(ops.select([x < 0, x > 0], [-1.0, x], 5), [-1, -1, 5, 1, 2], dtype)
    same(ops.rsqrt(np.array([4, 16], dtype)), [0.5, 0.25], dtype)
    same(ops.isclose(x, x + 1e-9), [True] * 5, "bool")
    assert ops.allclose(x, x)
    same(ops.isin(x, [1, 2]), [False, False, False, True, True], "bool")
    same(ops.logical_and(x, x > 1), [False, False, False, False, True], "bool")
    assert [list(i) for i in ops.where(x > 0)] == [[3, 4]]


# -------------------------------------------------------------------------------------- reductions


@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), [1, 2]])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("name", words("""sum prod mean var std max min any all"""))
def test_reductions(name, axis, keepdims, rng, dtype):
    x = rng.normal(size=(3, 4, 5)).astype(dtype)
    over = tuple(axis) if isinstance(axis, list) else axis
    expected = getattr(np, name)(x, axis=over, keepdims=keepdims)
    same(getattr(ops, name)(x, axis=axis, keepdims=keepdims), expected, expected.dtype)


@pytest.mark.parametrize("axis", [None, 0, (0, 1), -1])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis, keepdims, rng, dtype):
    x = rng.normal(0, 50, size=(3, 4)).astype(dtype)
    wide = x.astype(np.longdouble)
    expected = np.log(np.sum(np.exp(wide), axis=axis, keepdims=keepdims))
    y = ops.logsumexp(x, axis, keepdims)
    assert y.dtype == dtype
    assert y.shape == expected.shape
    assert np.max(np.abs(y - expected) / np.spacing(np.abs(expected).astype(dtype))) <= 8


def test_logsumexp_of_infinities():
    assert ops.logsumexp(np.array([-np.inf, -np.inf], np.float32)) == -np.inf
    assert ops.logsumexp(np.array([np.inf, 1], np.float32)) == np.inf
    assert ops.logsumexp(np.array([1000, 1000], np.float32)) == np.float32(1000 + math.log(2))


def test_searching(dtype):
    x = np.array([[3, 1, 3, 2], [0, 5, 5, 4]], dtype)
    same(ops.argmax(x, axis=-1), [0, 1], "int32")
    same(ops.argmin(x, axis=0, keepdims=True), [[1, 0, 0, 0]], "int32")
    same(ops.argsort(x), [[1, 3, 0, 2], [0, 3, 1, 2]], "int32")
    values, indices = ops.top_k(x, 3)
    same(values, [[3, 3, 2], [5, 5, 4]], dtype)
    same(indices, [[0, 2, 3], [1, 2, 3]], "int32")
    same(ops.in_top_k([1, 0], x, 2), [False, False], "bool")
    same(ops.in_top_k([2, 3], x, 3), [True, True], "bool")
    same(ops.searchsorted(np.array([1, 2, 3], dtype), [2.5, 0]), [2, 0], "int32")
    same(ops.count_nonzero(x, axis=1), [4, 3], "int32")
    same(ops.nonzero(x[1])[0], [1, 2, 3], "int32")
    with pytest.raises(ValueError, match="top_k"):
        ops.top_k(x, 5)


def test_running_and_counting(dtype):
    x = np.array([1, 2, 3], dtype)
    same(ops.cumsum(x), [1, 3, 6], dtype)
    same(ops.cumprod(x), [1, 2, 6], dtype)
    same(ops.cumsum(np.array([True, True])), [1, 2], "int32")
    same(ops.diff(x), [1, 1], dtype)
    same(ops.bincount([1, 1, 3]), [0, 2, 0, 1], "int32")
    same(ops.bincount([[0, 1], [2, 2]]), [[1, 1, 0], [0, 0, 2]], "int32")
    same(ops.unique([3, 1, 3]), [1, 3], "int32")
    values, counts = ops.unique([3, 1, 3], return_counts=True, size=3)
    same(values, [1, 3, 1], "int32")
    same(counts, [1, 2, 0], "int32")
    same(ops.segment_sum(x, [0, 2, 2]), [1, 0, 5], dtype)
    same(ops.segment_max(x, [0, 0, 1], 2), [2, 3], dtype)
    same(ops.quantile(x, [0.0, 0.5]), [1, 2], dtype)
    same(ops.average(x, weights=[1, 0, 1]), 2, dtype)


# ---------------------------------------------------------------------------------------- shapes


@pytest.mark.parametrize("axes", [None, (0, 2, 1), (2, 0, 1), (-1, 0, 1), [1, 0, 2]])
@pytest.mark.parametrize("kind", ["bool", "int16", "float32", "float64", "complex128", "U3"])
def test_transpose(axes, kind):
    x = np.arange(24).reshape(2, 3, 4).astype(kind)
    if kind == "U3":
        with pytest.raises(TypeError):
            ops.transpose(x, axes)
        return
    y = ops.transpose(x, axes)
    assert y.flags.c_contiguous
    assert not np.shares_memory(x, y)
    same(y, np.transpose(x, axes), kind)
    same(ops.permute(x, axes), y, kind)


@pytest.mark.parametrize("axes", [(0, 1), (0, 0, 1), (0, 1, 3)])
def test_transpose_refuses_what_is_no_permutation(axes):
    with pytest.raises(ValueError, match=r"axes|axis"):
        ops.transpose(np.zeros((2, 3, 4)), axes)


def test_joining_and_splitting():
    a, b = np.ones((2, 3), "int32"), np.zeros((2, 3), "float32")
    assert ops.concatenate([a, b]).dtype == ops.stack([a, b]).dtype == np.float32
    assert ops.concatenate([a, b], axis=-1).shape == (2, 6)
    assert ops.stack([a, b], axis=1).shape == (2, 2, 3)
    assert ops.hstack([a, b]).shape == (2, 6)
    assert ops.vstack([a, b]).shape == (4, 3)
    assert ops.append(a, b).shape == (12,)
    assert [p.shape for p in ops.split(a, 3, axis=1)] == [(2, 1)] * 3
    assert [p.shape for p in ops.split(a, [1], axis=1)] == [(2, 1), (2, 2)]
    assert [p.shape for p in ops.array_split(a, 2, axis=1)] == [(2, 2), (2, 1)]
    assert len(ops.unstack(a, axis=1)) == 3


def test_indexing():
    x = np.arange(12.0, dtype="f4").reshape(3, 4)
    same(ops.take(x, [2, -1, 0], axis=0), x[[2, -1, 0]], "float32")
    same(ops.take(x, 5), 5, "float32")
    same(ops.take_along_axis(x, [[1], [0], [3]], axis=1), [[1], [4], [11]], "float32")
    same(ops.get_item(x, (slice(None), 1)), x[:, 1], "float32")
    same(ops.slice(x, (1, 1), (2, 2)), x[1:, 1:3], "float32")
    same(ops.slice_update(x, (1, 1), [[0.0, 0.0]])[1], [4, 0, 0, 7], "float32")
    same(ops.scatter([[0], [2], [0]], [1.0, 2.0, 3.0], (4,)), [4, 0, 2, 0], "float32")
    same(ops.scatter_update(x, [[0, 0], [2, 3]], [9.0, 8.0])[[0, 2], [0, 3]], [9, 8], "float32")
    np.testing.assert_array_equal(x, np.arange(12).reshape(3, 4))


def test_reshaping():
    x = np.arange(6.0, dtype="f4").reshape(2, 3)
    assert ops.reshape(x, (-1, 2)).shape == (3, 2)
    assert ops.reshape(x, -1).shape == (6,)
    with pytest.raises(ValueError, match="-2"):
        ops.reshape(x, (-2, 2))
    assert ops.expand_dims(x, (0, -1)).shape == (1, 2, 3, 1)
    assert ops.squeeze(ops.expand_dims(x, 0)).shape == (2, 3)
    assert ops.repeat(x, 2, axis=1).shape == (2, 6)
    assert ops.tile(x, (2, 1)).shape == (4, 3)
    assert ops.flip(x, 0)[0, 0] == 3
    assert ops.pad(x, ((1, 0), (0, 2)), constant_values=7).shape == (3, 5)
    assert ops.broadcast_to(x, (4, 2, 3)).flags.writeable
    assert ops.moveaxis(x, 0, 1).shape == ops.swapaxes(x, 0, 1).shape == (3, 2)
    assert (ops.ndim(x), ops.size(x), ops.shape(x), ops.dtype(x)) == (2, 6, (2, 3), "float32")
    same(ops.tril(x), np.tril(x), "float32")
    with pytest.raises(ValueError, match="constant"):
        ops.pad(x, 1, mode="reflect", constant_values=1)


def test_making_arrays():
    same(ops.zeros((2,)), [0, 0], "float32")
    same(ops.ones((2,), "int8"), [1, 1], "int8")
    same(ops.full((2,), 3), [3, 3], "float32")
    same(ops.full_like(np.zeros(2, "int64"), 3), [3, 3], "int64")
    same(ops.zeros_like([1, 2]), [0, 0], "int32")
    same(ops.eye(2), np.eye(2), "float32")
    same(ops.identity(2, "int32"), np.eye(2), "int32")
    same(ops.arange(3), [0, 1, 2], "int32")
    same(ops.arange(0, 1, 0.5), [0, 0.5], "float32")
    same(ops.arange(3, dtype="float64"), [0, 1, 2], "float64")
    same(ops.linspace(0, 1, 3), [0, 0.5, 1], "float32")
    same(ops.tri(2), [[1, 0], [1, 1]], "float32")
    same(ops.meshgrid([1, 2], [3])[0], [[1, 2]], "int32")


# --------------------------------------------------------------------------------------- products


def test_products(rng, dtype):
    a, b = rng.normal(size=(2, 3, 4)).astype(dtype), rng.normal(size=(2, 4, 5)).astype(dtype)
    same(ops.matmul(a, b), a @ b, dtype)
    same(ops.dot(a[0], b[0]), a[0] @ b[0], dtype)
    assert ops.tensordot(a, b, axes=[[2], [1]]).shape == (2, 3, 2, 5)
    y = ops.einsum("bij,bjk->bik", a, b)
    np.testing.assert_allclose(y, a @ b, rtol=0, atol=20 * np.finfo(dtype).eps)
    assert y.dtype == dtype
    assert ops.matmul(a, np.ones((4, 2), "int32")).dtype == dtype
    same(ops.outer([1, 2], [1.0, 3.0]), [[1, 3], [2, 6]], "float32")
    same(ops.trace(np.eye(3, dtype=dtype)), 3, dtype)
    np.testing.assert_allclose(ops.norm(np.array([3, 4], dtype)), 5)
    np.testing.assert_allclose(ops.inv(np.diag(np.array([2, 4], dtype))), np.diag([0.5, 0.25]))
    np.testing.assert_allclose(ops.solve(np.diag([2.0, 4.0]), np.ones(2)), [0.5, 0.25])


# -------------------------------------------------------------------------------------------- nn


def test_normalising(rng, dtype):
    x = rng.normal(size=(3, 4)).astype(dtype)
    wide = x.astype(np.float64)
    expected = wide / np.sqrt(np.sum(wide**2, axis=-1, keepdims=True))
    for y in (ops.normalize(x), ops.l2_normalize(x, axis=-1)):
        assert y.dtype == dtype
        np.testing.assert_allclose(y, expected, rtol=8 * np.finfo(dtype).eps)
    np.testing.assert_allclose(
        ops.normalize(x, order=1), wide / np.abs(wide).sum(-1, keepdims=True),
        rtol=8 * np.finfo(dtype).eps,
    )  # fmt: skip
    assert not np.any(ops.l2_normalize(np.zeros((2, 3), dtype), axis=1))
    for order in (0, -1, "a", 1.5):
        with pytest.raises(ValueError, match="order"):
            ops.normalize(x, order=order)
    mean, var = ops.moments(x, axes=[0])
    np.testing.assert_allclose(mean, wide.mean(0), atol=4 * np.finfo(dtype).eps)
    np.testing.assert_allclose(var, wide.var(0), rtol=16 * np.finfo(dtype).eps)


def test_one_hot():
    same(ops.one_hot([0, 2, -1, 3], 3), [[1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]], "float32")
    assert ops.one_hot([[0, 1]], 3, axis=1).shape == (1, 3, 2)
    same(ops.one_hot([1], 2, dtype="int32"), [[0, 1]], "int32")
    for wrong in (-3, 2.0, "a"):
        with pytest.raises(ValueError, match=rf"`num_classes`.*num_classes={wrong!r}"):
            ops.one_hot([1], wrong)
    same(ops.multi_hot([[0, 2], [1, 1]], 3), [[1, 0, 1], [0, 1, 0]], "float32")


def test_softmax_axes(rng):
    x = rng.normal(size=(3, 4)).astype(np.float32)
    np.testing.assert_allclose(ops.sum(ops.softmax(x, axis=None)), 1, rtol=1e-6)
    np.testing.assert_allclose(ops.sum(ops.softmax(x, axis=0), axis=0), np.ones(4), rtol=1e-6)


def test_gelu_approximates_by_default(rng):
    x = rng.normal(size=100).astype(np.float32)
    same(ops.gelu(x), ops.gelu(x, approximate=True), "float32")
    assert np.any(ops.gelu(x) != ops.gelu(x, approximate=False))


# ----------------------------------------------------------------------------------- control flow


def test_control_flow():
    assert ops.cond(True, lambda: 1, lambda: 2) == 1
    assert ops.switch(5, [lambda x: x, lambda x: -x], 3) == -3
    assert ops.while_loop(lambda i: i < 5, lambda i: i + 2, 0) == 6
    assert ops.while_loop(lambda i, j: i < 5, lambda i, j: (i + 1, j * 2), (0, 1)) == (5, 32)
    assert ops.while_loop(lambda i: True, lambda i: i + 1, 0, maximum_iterations=3) == 3
    assert ops.fori_loop(0, 4, lambda i, v: v + i, 0) == 6
    same(ops.map(lambda r: r * 2, np.ones((2, 3), "f4")), np.full((2, 3), 2), "float32")


# ----------------------------------------------------------------------------------------- parity


@pytest.mark.parity
@pytest.mark.parametrize("kind", ["bool", "int8", "uint8", "int32", "float16", "float32"])
@pytest.mark.parametrize(
    "name",
    words(
        """abs ceil floor square exp log1p sqrt isnan cumsum sum prod mean var std max min argmax
        argmin median any all count_nonzero sort argsort average sin transpose flip ravel trace
        relu norm"""
    ),
)
def test_parity_of_one_argument(keras, name, kind):
    x = np.array([[1, 0], [1, 1]], kind)
    theirs, ours = np.asarray(getattr(keras.ops, name)(x)), np.asarray(getattr(ops, name)(x))
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(
        ours, theirs, rtol=2 * np.finfo("f2").eps if kind == "float16" else 1e-6
    )


@pytest.mark.parity
@pytest.mark.parametrize(
    "name",
    words(
        """add subtract multiply divide power floor_divide maximum minimum equal less logical_and
        hypot arctan2 dot outer append isclose"""
    ),
)
@pytest.mark.parametrize("a", ["int8", "int32", "float16", "float32"])
@pytest.mark.parametrize("b", ["int32", "uint8", "float16", "float32", 2, 2.5])
def test_parity_of_two_arguments(keras, name, a, b):
    a = np.array([[1, 2], [3, 4]], a)
    b = np.array([[4, 3], [2, 1]], b) if isinstance(b, str) else b
    theirs, ours = np.asarray(getattr(keras.ops, name)(a, b)), getattr(ops, name)(a, b)
    if isinstance(b, np.ndarray) or (a.dtype.itemsize == 4):  # else its backends differ
        assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=4 * np.finfo("f2").eps)


@pytest.mark.parity
def test_the_names_of_keras(keras):
    """What is left out: convolution, pooling, attention, signals, images, tracing."""
    theirs = {n for n in dir(keras.ops) if callable(getattr(keras.ops, n))}
    assert theirs - set(dir(ops)) <= set(
        words(
            """adaptive_average_pool adaptive_max_pool associative_scan average_pool cdist conv
            conv_transpose ctc_decode ctc_loss depth_to_space depthwise_conv
            dot_product_attention erfinv extract_sequences fft fft2 fold ifft2 irfft
            istft jvp lu_factor max_pool polar psnr rearrange rfft separable_conv space_to_depth
            stft unfold vectorize view_as_complex view_as_real"""
        )
    )


def test_trapezoid():
    y = np.arange(12.0, dtype="f4").reshape(3, 4) ** 2
    x = np.cumsum(np.arange(1.0, 13.0, dtype="f4").reshape(3, 4), axis=0)
    for axis, steps in ((0, x), (1, x), (-1, x[0]), (0, x[:, 0]), (0, None)):
        expected = np.trapezoid(y, steps, axis=axis)
        np.testing.assert_allclose(ops.trapezoid(y, steps, axis=axis), expected, rtol=1e-6)


def test_targets_that_are_not_among_the_best():
    scores = np.array([[1.0, np.nan, 0.5], [3, 2, 1], [3, 2, 1], [3, 2, 1]])
    found = ops.in_top_k([1, 0, 5, -1], scores, k=2)
    np.testing.assert_array_equal(found, [False, True, False, False])
    assert not ops.in_top_k([0], np.zeros((1, 0)), k=1).any()


def test_blocks():
    x = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(ops.slice(x, (1, 1), (-1, 2)), x[1:, 1:3])
    np.testing.assert_array_equal(ops.slice(x, (2, -1), (2, 2)), x[1:, 2:])  # moved back
    changed = ops.slice_update(x, (2, 3), [[-1, -2]])
    np.testing.assert_array_equal(changed[2], [8, 9, -1, -2])
    for starts, shape in [((0, 0), (4, 1)), ((0,), (1,)), ((0, 0), (1, -2))]:
        with pytest.raises(ValueError, match="block"):
            ops.slice(x, starts, shape)


@pytest.mark.parametrize(
    ("reduction", "expected"), [(None, 3), ("add", 6), ("mul", 6), ("max", 3), ("min", 1)]
)
def test_scattered_updates(reduction, expected):
    found = ops.scatter_update([1.0, 1, 1], [[1], [1]], [2.0, 3], reduction)
    np.testing.assert_array_equal(found, [1, expected, 1])


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.segment_sum(np.ones((3, 2)), np.zeros((3, 1), int)),
        lambda: ops.segment_max(np.ones((3, 2)), [0, 1], 2),
        lambda: ops.histogram(np.ones((2, 2))),
        lambda: ops.where([True], [1.0]),
        lambda: ops.unstack(np.ones((2, 3)), num=3),
        lambda: ops.scatter_update([1.0], [[0]], [1.0], "mean"),
        lambda: ops.map(lambda x: x, np.ones((0, 2))),
    ],
)
def test_arguments_that_do_not_fit(call):
    with pytest.raises(ValueError, match=r"Received|map|unstack"):
        call()


def test_names_of_arguments():
    assert ops.bitwise_and(x=6, y=3) == 2
    assert ops.prod(np.ones(2, "int8"), dtype="float64").dtype == np.float64
    np.testing.assert_array_equal(ops.rot90(array=np.eye(2)), np.eye(2)[::-1])
    np.testing.assert_allclose(ops.kaiser(5, beta=2.0), np.kaiser(5, 2.0), rtol=1e-6)
    upper = ops.cholesky([[4.0, 2], [2, 5]], upper=True)
    np.testing.assert_allclose(upper, [[2, 1], [0, 2]])
    doubled = ops.vectorized_map(function=lambda x: x * 2, elements=np.arange(3))
    np.testing.assert_array_equal(doubled, [0, 2, 4])
    assert ops.cast(1, None).dtype == "float32"
    assert ops.result_type() == "float32"


def test_places_among_nan():
    x = np.array([[np.nan, 5, np.nan], [np.nan, np.nan, np.nan], [1, 0, np.nan]])
    np.testing.assert_array_equal(ops.nanargmax(x, axis=1), [1, -1, 0])
    np.testing.assert_array_equal(ops.nanargmin(x, axis=0, keepdims=True), [[2, 2, -1]])
    assert ops.nanargmax(x) == 1
    assert ops.nanargmin([3, 1, 2]).dtype == "int32"
    mean, var = ops.moments(np.array([60000, -60000], "float16"), [0])
    assert (mean, var) == (0, np.finfo("float16").max)


def test_types_of_products():
    x = np.full(200, 100, "int8")
    assert ops.matmul(x, x) == 2_000_000
    assert ops.einsum("i,i->", x, x) == 2_000_000
    assert ops.matmul(x, x.astype("int16")).dtype == "int16"
    assert ops.correlate(x[:2], x[:2]).dtype == "float32"
    assert ops.vander(x[:2]).dtype == "int8"
    assert ops.unravel_index(x[:2], (20, 10))[1].dtype == "int8"


def test_maps_of_several_arrays():
    pair = {"a": np.arange(6.0).reshape(3, 2), "b": np.arange(3.0)}
    total, double = ops.map(lambda x: (x["a"].sum() + x["b"], x["b"] * 2), pair)
    np.testing.assert_array_equal(total, [1, 6, 11])
    np.testing.assert_array_equal(double, [0, 2, 4])


COMPOSED = {
    "binary": lambda o, x, t: o.binary_crossentropy(t, o.sigmoid(x)),
    "binary logits": lambda o, x, t: o.binary_crossentropy(t, x, from_logits=True),
    "categorical": lambda o, x, t: o.categorical_crossentropy(t, o.exp(x), axis=1),
    "categorical logits": lambda o, x, t: o.categorical_crossentropy(t, x, from_logits=True),
    "sparse": lambda o, x, t: o.sparse_categorical_crossentropy([[0, 4, 1]] * 2, o.exp(x)),
    "sparse logits": lambda o, x, t: o.sparse_categorical_crossentropy(
        [[[0], [4], [-1]]] * 2, x, from_logits=True
    ),
    "batch": lambda o, x, t: o.batch_normalization(
        x, t[0, :, 0], t[1, :, 0], 1, offset=t[0, :, 1], scale=t[0, :, 2]
    ),
    "layer": lambda o, x, t: o.layer_normalization(x, t[0, :, 0], t[1, :, 0], axis=1),
    "layer without": lambda o, x, t: o.layer_normalization(x, axis=(1, 2), epsilon=0.1),
    "rms": lambda o, x, t: o.rms_normalization(x, t[0, 0]),
    "ldexp": lambda o, x, t: o.ldexp(x, [0, 1, -1, 2, 5]),
    "inverse": lambda o, x, t: o.cholesky_inverse(x[1, :3, :3] + 2 * o.eye(3)),
    "inverse upper": lambda o, x, t: o.cholesky_inverse(x[0, :3, :3] + 2 * o.eye(3), upper=True),
    "triangular": lambda o, x, t: o.solve_triangular(x[:, :3, :3] + 2 * o.eye(3), x[:, :3, 3:]),
    "triangular lower": lambda o, x, t: o.solve_triangular(
        x[0, :3, :3] + 2 * o.eye(3), x[0, :3, 4], lower=True
    ),
    "triangular vectors": lambda o, x, t: o.solve_triangular(
        x[:, :3, :3] + 2 * o.eye(3), x[:, :, 4]
    ),
    "rank": lambda o, x, t: o.matrix_rank(o.stack([o.eye(3), o.ones((3, 3))])),
    "nan quantile": lambda o, x, t: o.nanquantile(o.log(x), 0.3, axis=-1, keepdims=True),
    "nan percentile": lambda o, x, t: o.nanpercentile(o.log(x), [30, 60]),
    "scan": lambda o, x, t: o.scan(lambda c, v: (c + v, c * v), t[0], x),
    "scan back": lambda o, x, t: o.scan(lambda c, v: (c + v, c), t[0], x, reverse=True)[1],
    "scan counted": lambda o, x, t: o.scan(lambda c, _: (c + 1, c), x, length=3),
}


@pytest.mark.parity
@pytest.mark.parametrize("case", COMPOSED)
def test_parity_of_what_is_composed(keras, case):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2, 3, 5)).astype("float32")
    t = rng.uniform(0.1, 0.9, size=(2, 3, 5)).astype("float32")
    with np.errstate(invalid="ignore"):  # the logarithms of negative numbers, to have NaNs
        found, expected = COMPOSED[case](ops, x, t), COMPOSED[case](keras.ops, x, t)
    for one, other in zip(*map(_symbolic.leaves, (found, expected)), strict=True):
        other = np.asarray(other)
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("case", ["layer", "rms"])
def test_what_is_composed_stands_in_graphs(case):
    x, value = coreops.Input((3, 5)), np.linspace(-1, 1, 30, dtype="float32").reshape(2, 3, 5)
    t = np.full((2, 3, 5), 0.25, "float32")
    model = coreops.Model(x, COMPOSED[case](ops, x, t))
    np.testing.assert_allclose(model(value), COMPOSED[case](ops, value, t), rtol=1e-5, atol=1e-6)
    target = coreops.Input((3, 5))
    assert ops.categorical_crossentropy(target, x).shape == (None, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ops.binary_crossentropy(np.ones(3), np.ones((3, 1))),
        lambda: ops.categorical_crossentropy(1.0, 1.0),
        lambda: ops.sparse_categorical_crossentropy([1, 2, 3], np.ones((2, 4))),
        lambda: ops.scan(lambda c, x: (c, x), 0, np.ones(3), length=4),
        lambda: ops.scan(lambda c, x: (c, x), 0),
    ],
)
def test_composed_of_what_does_not_fit(call):
    with pytest.raises(ValueError, match="Received"):
        call()
