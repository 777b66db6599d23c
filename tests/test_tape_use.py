"""The tape in use: variables, types, errors, conventions at kinks, functions of users."""

import gc
import inspect
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import mutually_broadcastable_shapes
from test_tape import RNG, check, values, words

import coreops
from coreops import _tape, activations, ops, regularizers
from coreops import backend as K
from coreops._variables import Variable


def gradient(function, x, seed=1.0):
    leaf = _tape.trace(x)
    return _tape.gradients([function(leaf)], [seed], [leaf])[0]


# --------------------------------------------------------------------------------- what users write


def antirectifier(x):
    x -= K.mean(x, axis=1, keepdims=True)
    x = K.l2_normalize(x, axis=1)
    pos = K.relu(x)
    neg = K.relu(-x)
    return K.concatenate([pos, neg], axis=1)


def attention(x):
    scores = ops.einsum("bqd,bkd->bqk", x, x) / ops.sqrt(ops.cast(x.shape[-1], x.dtype))
    return ops.matmul(ops.softmax(scores, axis=-1), x)


def layer_norm(x):
    mean, variance = ops.moments(x, axes=[-1], keepdims=True)
    return (x - mean) * ops.rsqrt(variance + 1e-3)


def crossentropy(x):
    p = ops.clip(ops.softmax(x), 1e-7, 1 - 1e-7)
    labels = ops.one_hot(ops.argmax(x, axis=-1), x.shape[-1], dtype=x.dtype)
    return -ops.sum(labels * ops.log(p), axis=-1)


def focal(x):
    p = ops.sigmoid(x)
    return ops.mean(ops.where(x > 0, -((1 - p) ** 2) * ops.log(p), -(p**2) * ops.log(1 - p)))


def branches(x):
    x = ops.cond(ops.sum(x) > 0, lambda: ops.exp(x), lambda: ops.sin(x))
    x = ops.while_loop(lambda y: ops.max(y) < 3, lambda y: y * 2 + 1, x)
    x = ops.fori_loop(0, 3, lambda i, y: y * (i + 1), x)
    return ops.switch(1, [ops.exp, ops.tanh], x * 0.01)


USERS = [antirectifier, crossentropy, focal, branches, layer_norm]


@pytest.mark.parametrize("function", USERS, ids=lambda f: f.__name__)
def test_functions_of_users(function):
    check(function, values(3, 4))


def test_attention():
    check(attention, values(2, 3, 4))


def test_the_old_backend():
    x = values(2, 3, 4)
    check(lambda x: K.batch_flatten(x), x)
    check(lambda x: K.repeat(x[0], 2), x)
    check(lambda x, y: K.batch_dot(x, y), x, values(2, 4, 3))
    check(lambda x, y: K.batch_dot(x, y, axes=(1, 2)), x, values(2, 5, 3))
    check(lambda x, y: K.batch_dot(x, y, axes=1), values(2, 3), values(2, 3))
    check(lambda x, b: K.bias_add(x, b), x, values(4))
    check(lambda x, b: K.bias_add(x, b, "channels_first"), x, values(3))
    check(lambda x, y: K.switch(np.array([True, False]), x, y), x, values(2, 3, 4))
    check(lambda x: K.switch(np.array(True), x, lambda: 0 * x), x)
    check(lambda x: K.switch(K.sum(x) > 0, lambda: x, lambda: 2 * x), x)
    check(lambda x: K.relu(x, alpha=0.1, max_value=1.5), x)
    check(lambda x: K.pow(K.reverse(x, 1), 2) + K.temporal_padding(x[:, :1]), x)
    check(lambda x: K.map_fn(lambda row: K.softmax(row), x), x)
    check(lambda x: K.gather(K.permute_dimensions(x, (2, 0, 1)), [0, 3, 0]), x)


def test_dropout_of_a_function():
    x = values(20, 30)
    mask = coreops.random.dropout(np.ones_like(x), 0.3, seed=5)
    np.testing.assert_array_equal(gradient(lambda x: K.dropout(x, 0.3, seed=5), x), mask)


@pytest.mark.parametrize("mode", ["rows", "columns"])
def test_regularizers(mode):
    check(regularizers.L1L2(0.1, 0.2), values(3, 4))
    check(regularizers.OrthogonalRegularizer(0.1, mode), values(3, 4))


# ---------------------------------------------------------------------------------------- variables


def test_variables_are_recorded():
    kernel, bias = Variable(values(4, 2), dtype="float64"), Variable(values(2), dtype="float64")
    other = Variable(values(2), dtype="float64")
    x = values(3, 4)
    with _tape.recording([kernel, bias]) as leaves:
        y = ops.matmul(x, kernel) + bias
        assert type(y) is _tape.Tensor
        assert type(other * 2) is np.ndarray
        assert kernel.value is _tape.leaf_of(kernel) is leaves[0]
        assert type(kernel.numpy()) is np.ndarray
        assert _tape.leaf_of(other) is None
        seed = RNG.normal(size=(3, 2))
        dkernel, dbias = _tape.gradients([y], [seed], leaves)
    np.testing.assert_allclose(dkernel, x.T @ seed, rtol=1e-12)
    np.testing.assert_allclose(dbias, seed.sum(0), rtol=1e-12)
    assert _tape.leaf_of(kernel) is None
    assert type(ops.matmul(x, kernel) + bias) is np.ndarray


USES = {
    "operator": lambda v: v * 2 + 1,
    "reflected": lambda v: 3 / v - 1,
    "array on the left": lambda v: np.arange(4.0) * v,
    "matrix on the left": lambda v: np.ones((2, 4)) @ v,
    "op": lambda v: ops.exp(v),
    "keyword": lambda v: ops.maximum(x1=v, x2=0.1),
    "list": lambda v: ops.concatenate([v, [1.0, 2.0], v]),
    "conversion": lambda v: ops.convert_to_tensor(v),
    "value": lambda v: ops.square(v.value),
    "item": lambda v: v[1:] * v[0],
    "unary": lambda v: -v + abs(v),
    "power": lambda v: v**2,
    "twice": lambda v: v * v + ops.sum(v),
    "activation": lambda v: activations.get("tanh")(v),
    "regularizer": lambda v: regularizers.L2(0.1)(v),
}


@pytest.mark.parametrize("name", USES)
def test_every_use_of_a_variable(name):
    start = values(4, low=0.3)
    variable = Variable(start, dtype="float64")
    with _tape.recording([variable]) as leaves:
        y = USES[name](variable)
    found = _tape.gradients([y], [1.0], leaves)[0]
    expected = np.zeros(4)
    for i in range(4):
        ends = []
        for step in (1e-6, -1e-6):
            variable.assign(start + step * (np.arange(4) == i))
            ends.append(np.sum(USES[name](variable)))
        expected[i] = (ends[0] - ends[1]) / 2e-6
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_variables_of_integers_stay_what_they_are():
    order, table = Variable(np.array([2, 0])), Variable(np.arange(3.0))
    with _tape.recording([order, table]) as leaves:
        y = ops.take(table, order) * np.arange(3.0)[order.value]
        assert type(order.value) is np.ndarray
    found = _tape.gradients([y], [1.0], leaves)
    assert found[0].tolist() == [0, 0]
    assert found[1].tolist() == [0, 0, 2]


def test_comparisons_of_variables_are_plain():
    variable = Variable(values(4))
    with _tape.recording([variable]):
        assert type(variable > 0) is np.ndarray
        assert (variable == variable).all()
        assert len(variable) == 4
        assert variable.shape == (4,)


def test_a_variable_is_assigned_what_was_traced():
    moving, kernel = Variable(np.zeros(3)), Variable(np.ones(3))
    with _tape.recording([kernel]):
        moving.assign(moving * 0.9 + kernel * 0.1)
        moving.assign_add(kernel)
        moving.assign_sub(kernel.value)
        moving.assign(kernel)
    np.testing.assert_array_equal(moving.numpy(), np.ones(3))


def test_recording_is_of_one_thread_and_ends_with_an_error():
    variable, seen = Variable(np.ones(2)), []

    def fail():
        with _tape.recording([variable]):
            thread = threading.Thread(target=lambda: seen.append(variable.value))
            thread.start()
            thread.join()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert type(seen[0]) is np.ndarray
    assert variable.value is variable.numpy()


def test_recordings_nest():
    a, b = Variable(np.ones(2)), Variable(np.ones(2))
    with _tape.recording([a]) as (outer,):
        with _tape.recording([b]) as (inner,):
            y = a * b
        assert type(b.value) is np.ndarray
        assert a.value is outer
    da, db = _tape.gradients([y], [2.0], [outer, inner])
    np.testing.assert_array_equal(da, [2, 2])
    np.testing.assert_array_equal(db, [2, 2])


# -------------------------------------------------------------------------------------- the machine


def test_gradients_of_what_does_not_depend():
    x, y = _tape.trace(np.ones((2, 3), np.float32)), _tape.trace(np.ones(3))
    found = _tape.gradients([ops.sum(x), np.ones(3), 2.0], [1, 1, 1], [x, y])
    assert [g.dtype for g in found] == [np.float32, np.float64]
    np.testing.assert_array_equal(found[1], np.zeros(3))
    assert _tape.gradients([y], [1.0], [y])[0].tolist() == [1, 1, 1]


def test_gradients_of_what_was_computed():
    x = _tape.trace(values(3))
    middle = ops.exp(x)
    last = ops.sum(middle * middle)
    dmiddle, dx = _tape.gradients([last, middle], [1.0, 3.0], [middle, x])
    np.testing.assert_allclose(dmiddle, 2 * middle.value + 3)
    np.testing.assert_allclose(dx, (2 * middle.value + 3) * middle.value)


def test_gradients_are_new_arrays():
    x, y = _tape.trace(np.ones(3)), _tape.trace(np.ones(3))
    seed = np.ones(3)
    dx, dy = _tape.gradients([x + y], [seed], [x, y])
    assert not np.shares_memory(dx, dy)
    assert not np.shares_memory(dx, seed)
    assert gradient(ops.transpose, np.ones((3, 4))).flags.c_contiguous
    assert gradient(ops.sum, np.ones((3, 4))).flags.writeable


def test_what_was_used_may_be_written_to():
    x, mask = _tape.trace(np.ones(3)), np.ones(3)
    y = x * mask + ops.multiply(x, mask)
    mask *= 5
    np.testing.assert_array_equal(_tape.gradients([y], [1.0], [x])[0], [2, 2, 2])


def test_arrays_with_masks():
    array = coreops._plan.KerasArray.attach(np.ones((2, 3)), np.ones((2, 3), bool))
    check(lambda x: array * x + ops.add(array, x), values(2, 3))
    assert type(_tape.trace(array).value) is np.ndarray


def test_stop_gradient():
    x = values(3)
    y = ops.stop_gradient(_tape.trace(x))
    assert type(y) is np.ndarray
    found = gradient(lambda x: ops.stop_gradient(ops.exp(x)) * x, x)
    np.testing.assert_allclose(found, np.exp(x), rtol=1e-15)


def test_external_steps():
    a, c = _tape.trace(values(2, 3)), np.arange(3.0)
    b = _tape.trace(values(3))

    def back(dy):
        return dy * b.value * c, None, dy * a.value * c, None

    y = _tape.external([a, c, b, a], a.value * b.value * c, back)
    da, db = _tape.gradients([ops.square(y)], [1.0], [a, b])
    ea, eb = _tape.gradients([ops.square(a * b * c)], [1.0], [a, b])
    np.testing.assert_allclose(da, ea)
    np.testing.assert_allclose(db, eb)
    assert _tape.external([c], c, back) is c
    assert _tape.value_of(y) is y.value
    assert _tape.value_of(c) is c


def test_nothing_is_left_behind():
    """No cycles: what was recorded goes when the last result does."""
    gc.disable()
    try:
        x = _tape.trace(np.ones(3))
        y = ops.split(ops.concatenate([ops.exp(x), x * 2]), 2)
        _tape.gradients(y, [1.0, 1.0], [x])
        kept = weakref.ref(y[0]._node)
        del x, y
        assert kept() is None
    finally:
        gc.enable()


def test_a_long_chain():
    x = y = _tape.trace(np.ones(1))
    for _ in range(5000):
        y = y + 0.001
    assert _tape.gradients([y], [1.0], [x])[0] == 1


def test_types_are_kept():
    for dtype in (np.float16, np.float32, np.float64):
        x = values(3, 4).astype(dtype)
        for function in (
            lambda x: ops.softmax(x) * 2, lambda x: ops.mean(x, axis=0), lambda x: x / [1, 2, 3, 4],
            lambda x: ops.matmul(x, ops.transpose(x)), lambda x: ops.gelu(x), lambda x: x[0] ** 2,
            lambda x: ops.max(x, axis=1), lambda x: ops.cast(x, "float64") * np.float64(2),
            lambda x: ops.repeat(x, 2, axis=0), lambda x: ops.erf(x), lambda x: ops.exp(x) - 1,
        ):  # fmt: skip
            assert gradient(function, x).dtype == dtype
    for function in (lambda x: ops.softmax(x) * 2, lambda x: ops.std(x) + ops.norm(x)):
        assert function(_tape.trace(values(3, 4).astype("f4"))).dtype == np.float32


def test_float32_gradients_are_close(rng):
    x = rng.normal(size=(20, 30))
    for function in (antirectifier, attention, layer_norm, ops.log_softmax, ops.gelu):
        shaped = x.reshape(2, 10, 30) if function is attention else x
        seed = rng.normal(size=function(1 * shaped).shape)
        wide, single = (gradient(function, shaped.astype(d), seed) for d in ("f8", "f4"))
        bound = 32 * np.finfo("f4").eps * np.abs(wide).max()  # some thirty roundings one by one
        np.testing.assert_allclose(single, wide, rtol=0, atol=bound)


def test_integers_have_no_gradient():
    x = _tape.trace(np.arange(4))
    assert type(x * 2) is np.ndarray
    assert type(ops.take(np.arange(8.0), x)) is np.ndarray
    assert type(ops.cast(x, "float32")) is np.ndarray
    y = _tape.trace(np.arange(4.0))
    assert type(ops.cast(y, "int32")) is np.ndarray
    assert _tape.gradients([y * x], [1.0], [x, y])[0].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "name",
    words(
        """sign floor ceil round trunc argmax argmin argsort isnan isfinite zeros_like ones_like
        shape size ndim dtype stop_gradient nonzero signbit count_nonzero any all"""
    ),
)
def test_steps_give_plain_arrays(name):
    x = values(3, 4)
    y, plain = getattr(ops, name)(_tape.trace(x)), getattr(ops, name)(x)
    assert type(y) is type(plain)
    np.testing.assert_equal(y, plain)


# ------------------------------------------------------------------------------------------- errors

NUMPY = {
    "exp": np.exp,
    "asarray": np.asarray,
    "array": np.array,
    "mean": np.mean,
    "concatenate": lambda x: np.concatenate([x, x]),
    "stack": lambda x: np.stack([x, x]),
    "maximum": lambda x: np.maximum(x, 0),
    "add.reduce": np.add.reduce,
    "where": lambda x: np.where(True, x, 0),
    "zeros_like": np.zeros_like,
    "float": lambda x: float(x[0]),
    "int": lambda x: int(x[0]),
    "convert_to_numpy": ops.convert_to_numpy,
    "list": lambda x: np.array([x, x]),
}


@pytest.mark.parametrize("name", NUMPY)
def test_numpy_functions_say_what_to_write(name):
    with pytest.raises(TypeError, match=r"coreops\.ops"):
        NUMPY[name](_tape.trace(np.ones(3)))
    variable = Variable(np.ones(3))
    with _tape.recording([variable]), pytest.raises(TypeError, match=r"coreops\.ops"):
        NUMPY[name](variable)


@pytest.mark.parametrize("name", ["svd", "eigh", "pinv", "i0", "nanstd", "qr"])
def test_ops_without_a_rule_say_so(name):
    with pytest.raises(NotImplementedError, match=rf"ops\.{name} has no gradient"):
        getattr(ops, name)(_tape.trace(values(3, 3)))


def test_arguments_without_a_rule_say_so():
    with pytest.raises(NotImplementedError, match=r"ops\.quantile has no gradient.*argument 1"):
        ops.quantile(np.ones(3), _tape.trace(np.array(0.5)))


def test_errors_of_ops_are_theirs():
    with pytest.raises(ValueError, match="-2"):
        ops.reshape(_tape.trace(np.ones(4)), (-2, 2))
    with pytest.raises(AttributeError, match=r"coreops\.ops\.argsort"):
        _tape.trace(np.ones(4)).argsort()
    with pytest.raises(AttributeError, match=r"'shpae'$"):
        _tape.trace(np.ones(4)).shpae  # noqa: B018
    with pytest.raises(TypeError, match="slice_update"):
        _tape.trace(np.ones(4))[0] = 2
    assert "shape=(4,)" in repr(_tape.trace(np.ones(4)))
    assert ops.is_tensor(_tape.trace(np.ones(4)))


def test_every_op_knows_of_the_tape():
    """With a Tensor as its first argument, an op records, gives plain arrays, or says why not."""
    free = words(
        """array arange bartlett blackman cond convert_to_numpy custom_gradient einsum empty eye
        fori_loop full geomspace hamming hanning identity is_tensor kaiser linspace logspace map
        meshgrid ones result_type scan switch tri vectorized_map while_loop zeros"""
    )
    for name, op in inspect.getmembers(ops, inspect.isfunction):
        made_of_others = op.__module__.endswith(".composed")
        if name not in free and not made_of_others and not hasattr(op, "__wrapped__"):
            assert type(op(*[_tape.trace(values(3, 4)), 0.5, 0.5][: _required(op)])) is _tape.Tensor


def _required(op):
    empty = inspect.Parameter.empty
    return sum(p.default is empty for p in inspect.signature(op).parameters.values())


# ----------------------------------------------------------------------------- conventions at kinks

TIES = {
    "maximum": (lambda np, x: np.maximum(x, np.array([0.0, 1.0, 0.0, 2.0])), [0.0, 1.0, -1.0, 5.0]),
    "minimum": (lambda np, x: np.minimum(x, np.array([0.0, 1.0, 0.0, 2.0])), [0.0, 1.0, -1.0, 5.0]),
    "clip": (lambda np, x: np.clip(x, 0.0, 1.0), [0.0, 1.0, -1.0, 0.5, 2.0]),
    "max": (lambda np, x: np.max(x), [2.0, 1.0, 2.0, 2.0]),
    "min": (lambda np, x: np.min(x, axis=0), [[2.0, 1.0], [2.0, 0.0]]),
    "prod": (lambda np, x: np.prod(x), [2.0, 0.0, 3.0]),
    "prod of zeros": (lambda np, x: np.prod(x), [2.0, 0.0, 0.0]),
    "cumprod": (lambda np, x: np.cumprod(x), [2.0, 0.0, 3.0, 4.0]),
    "median": (lambda np, x: np.median(x), [2.0, 2.0, 1.0, 4.0]),
    "sort": (lambda np, x: np.sort(x) * np.arange(3.0), [2.0, 2.0, 1.0]),
    "sqrt": (lambda np, x: np.sqrt(x), [0.0, 4.0]),
    "cbrt": (lambda np, x: np.cbrt(x), [0.0, 8.0]),
    "sinc": (lambda np, x: np.sinc(x), [0.0, 1.0]),
    "square": (lambda np, x: np.power(x, 2.0), [0.0, -1.0, 2.0]),
    "to the first": (lambda np, x: np.power(x, 1), [0.0, -1.0, 2.0]),
    "exponent": (lambda np, x: np.power(0.0, x), [0.0, 1.0, 2.0]),
    "ptp": (lambda np, x: np.ptp(x), [2.0, 2.0, 1.0]),
    "mod": (lambda np, x: np.mod(np.array([1.0, 0.0, -1.0]), x), [0.75, 0.75, 0.75]),
    "nan_to_num": (lambda np, x: np.nan_to_num(x), [float("nan"), 1.0, float("inf")]),
    "where": (lambda np, x: np.where(x > 0, x, 0.0), [0.0, 1.0, -1.0]),
    "fmax": (lambda np, x: np.fmax(x, 0.0), [0.0, 1.0, -1.0]),
    "logaddexp": (lambda np, x: np.logaddexp(x, x), [0.0, 700.0, -700.0]),
    "copysign": (lambda np, x: np.copysign(x, np.array([1.0, -1.0, 1.0])), [2.0, 3.0, -4.0]),
}


@pytest.mark.parametrize("name", TIES)
def test_conventions_are_those_of_jax(name):
    jax = pytest.importorskip("jax")
    function, x = TIES[name]
    with jax.enable_x64():
        expected = jax.grad(lambda x: jax.numpy.sum(function(jax.numpy, x)))(jax.numpy.array(x))
    np.testing.assert_allclose(gradient(lambda x: function(ops, x), np.array(x)), expected)


def test_conventions_of_our_own():
    """Where JAX has 1 for |x| at 0 and NaN for norms of nothing, these are 0."""
    zeros = np.zeros(4)
    for function in (ops.abs, ops.std, ops.norm, lambda x: ops.hypot(x, x)):
        np.testing.assert_array_equal(gradient(function, zeros), zeros)
    nothing = np.array([-np.inf, -np.inf])
    np.testing.assert_array_equal(gradient(ops.logsumexp, nothing), [0, 0])


# ----------------------------------------------------------------------------------- compositions

STEPS = [  # none of them makes large values much larger: differences would see nothing
    lambda x: ops.tanh(x) * 2,
    lambda x: ops.softplus(x) - 1,
    lambda x: x - ops.mean(x, axis=0, keepdims=True),
    lambda x: x * ops.sigmoid(x[:1]),
    lambda x: ops.concatenate([x[:, 1:], ops.sin(x[:, :1])], axis=1),
    lambda x: ops.matmul(x, ops.transpose(x)) @ x / (1 + ops.sum(x * x)),
    lambda x: ops.softmax(x, axis=0) + x,
    lambda x: ops.flip(ops.roll(x, 1, axis=1), 0),
    lambda x: ops.einsum("ij,kj->ik", x, x) @ x / (1 + ops.sum(x * x)),
    lambda x: x / ops.sqrt(1 + ops.sum(ops.square(x), axis=1, keepdims=True)),
    lambda x: ops.cumsum(x, axis=0) / 3,
    lambda x: ops.logsumexp(x, axis=1, keepdims=True) - x,
    lambda x: ops.sum(ops.stack(ops.split(x, 3, axis=1)) * 0.5, axis=0) + x,
    lambda x: ops.where(np.arange(12).reshape(4, 3) % 2 == 0, ops.exp(ops.tanh(x)), x),
    lambda x: ops.reshape(ops.reshape(x, (-1,))[::-1], (4, 3)),
    lambda x: ops.take(x, [1, 1, 0, 2], axis=0) + ops.var(x),
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(range(len(STEPS))), min_size=1, max_size=6), st.integers(0, 99))
def test_compositions(steps, seed):
    def function(x):
        for step in steps:
            x = STEPS[step](x)
        return x

    check(function, np.random.default_rng(seed).normal(size=(4, 3)), rel=1e-5)


@settings(max_examples=100, deadline=None)
@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3), st.integers(0, 8))
def test_broadcasting(shapes, op):
    function = (
        ops.add, ops.multiply, ops.divide, ops.maximum, ops.power, ops.hypot, ops.logaddexp,
        lambda a, b: ops.where(a > b, a, b), lambda a, b: ops.clip(a, 0.5, b),
    )[op]  # fmt: skip
    check(function, *(values(*shape, low=0.6) for shape in shapes.input_shapes))
