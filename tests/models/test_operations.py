"""Operators and functions of `ops` between symbolic tensors, against Keras."""

import copy
import pickle

import numpy as np
import pytest
from layer_checks import share_weights

import coreops
from coreops import Model, layers
from coreops.layers.operations import table
from coreops.models import Functional
from coreops.saving import load_model

C = np.arange(1, 7, dtype="float32") / 4
MATRIX = np.linspace(-1, 1, 18, dtype="float32").reshape(6, 3)

# What is made of x (4, 6) and y (4, 6); those of the first list are steps of one plan.
STEPS = {
    "residual": lambda o, x, y: x + y,
    "difference": lambda o, x, y: x - y,
    "product": lambda o, x, y: x * y,
    "constants": lambda o, x, y: 1 - (x * 2.0 + 0.5) / 4 - 3 + 2 * y,
    "arrays": lambda o, x, y: o.subtract(C, x) * C / C + C[None] - y * np.ones((4, 1), "float32"),
    "square": lambda o, x, y: x**2 - o.square(y),
    "negative": lambda o, x, y: -x,
    "named": lambda o, x, y: o.multiply(o.add(x, 1.0), o.subtract(y, C)),
    "broadcast": lambda o, x, y: x * o.mean(y, 1, keepdims=True),
    "extremes": lambda o, x, y: o.minimum(o.maximum(x, y), o.maximum(x, 0.1)),
    "clip": lambda o, x, y: o.clip(x, -0.5, 0.5) + o.minimum(y, 0.3),
    "relu": lambda o, x, y: o.relu(x) + o.relu6(4 * y) + o.leaky_relu(x) + o.elu(y, 0.7),
    "smooth": lambda o, x, y: o.sigmoid(x) * o.tanh(y) + o.silu(x) - o.softplus(y),
    "gelu": lambda o, x, y: o.gelu(x) + o.gelu(y, approximate=False),
    "others": lambda o, x, y: o.selu(x) + o.celu(y, 0.5) + o.hard_sigmoid(x) + o.hard_silu(y)
    + o.softsign(x) + o.squareplus(y) + o.log_sigmoid(x) + o.sparse_plus(x) + o.hard_tanh(y),
    "shrink": lambda o, x, y: o.hard_shrink(x, 0.4) + o.soft_shrink(y) + o.tanh_shrink(x)
    + o.threshold(y, 0.1, -1.0) + o.sparse_sigmoid(x),
    "exp": lambda o, x, y: o.exp(x) + o.softmax(y) - o.log_softmax(x, axis=1),
    "reshape": lambda o, x, y: o.reshape(o.reshape(x, (-1, 24)) + 1, (-1, 2, 3, 4)),
    "axes": lambda o, x, y: o.expand_dims(o.transpose(x, (0, 2, 1)), (1, 3)),
    "moved": lambda o, x, y: o.swapaxes(x, 1, 2) + o.moveaxis(y, 1, -1),
    "squeeze": lambda o, x, y: o.squeeze(o.expand_dims(x, 2), 2),
    "concatenate": lambda o, x, y: o.concatenate([x, y, x], axis=-1),
    "over time": lambda o, x, y: o.concatenate([x, y], axis=1),
    "stack": lambda o, x, y: o.stack([x, y], axis=2),
    "mean": lambda o, x, y: o.mean(x, axis=-1, keepdims=True)
    + o.mean(y, axis=(1, 2), keepdims=True),
    "sum": lambda o, x, y: o.sum(x, axis=1) - o.max(y, axis=1) + o.amax(x, axis=1),
    "dense": lambda o, x, y: x @ MATRIX + o.matmul(y, MATRIX),
    "products": lambda o, x, y: o.matmul(x, o.transpose(y, (0, 2, 1))),
    "quotient": lambda o, x, y: x / (o.abs(y) + 1) + x / (y**2 + 1),
    "items": lambda o, x, y: x[:, 0] + y[:, -1] + x[:, 1:3, :][..., 1, :],
    "split": lambda o, x, y: o.stack(o.split(x, 3, axis=-1), axis=1) + o.expand_dims(y, 1)[..., :2],
    "roots": lambda o, x, y: o.sqrt(o.abs(x) + 0.1) - o.log(o.absolute(y) + 0.5),
    "over": lambda o, x, y: 1 / (x**2 + 1) - 2.5 / (y**2 + 1) * o.rsqrt(x**2 + 1)
    + o.reciprocal(y**2 + 2),
    "new axes": lambda o, x, y: x[:, None, :, ::1][..., None] * y[..., None][:, None],
    "every second": lambda o, x, y: x[:, ::3, 1::2] + y[:, ::3, ::2][..., -3:]
    + x[:, 1::2, 2::2][..., :1] - y[:, 3:, ::5][..., 1:],
    "cast": lambda o, x, y: o.stop_gradient(o.copy(o.cast(x, "float32"))),
}  # fmt: skip
# Python computes these, or parts of them.
SEAMS = {
    "backwards": lambda o, x, y: o.divide(C, x**2 + 1) + y[:, 0, ::-1][:, None],
    "powers": lambda o, x, y: o.sqrt(o.abs(x)) + o.abs(y) ** 1.5 + o.power(2.0, x) + 2**y,
    "functions": lambda o, x, y: o.sin(x) * o.cos(y) + o.log(o.abs(x) + 1)
    + o.log1p(o.square(x)) + o.expm1(y) + o.erf(x) + o.arctan2(x, y) + o.floor(y) + o.sign(x),
    "comparisons": lambda o, x, y: o.where(x > y, x, 0.0) + o.cast(o.logical_not(y <= 0), "float32")
    + o.where((x < 0) | (y >= 0.5), 1.0, y) + o.where(~(x > 0) & (y > 0), x, y),
    "integers": lambda o, x, y: o.cast(o.argmax(x, axis=-1), "float32") + o.cast(
        o.cast(y[:, :, 0] * 10, "int32") % 3, "float32") // 2,
    "rest": lambda o, x, y: o.flip(x, axis=1) + o.roll(y, 1, axis=2) + o.cumsum(x, axis=1),
    "tiled": lambda o, x, y: o.tile(x, (1, 2, 1)) + o.repeat(y, 2, axis=1),
    "pad": lambda o, x, y: o.pad(x, ((0, 0), (1, 0), (0, 2)))
    + o.pad(y, ((0, 0), (0, 1), (2, 0)), constant_values=1.5),
    "take": lambda o, x, y: o.take(x, np.array([3, 0, 0]), axis=1)
    + o.take_along_axis(y, o.argsort(x, axis=1), axis=1)[:, :3],
    "reduced": lambda o, x, y: o.std(x, axis=1) + o.var(y, axis=1) + o.min(x, axis=1)
    + o.prod(y, axis=1) + o.logsumexp(x, axis=1) + o.sum(o.sort(x, axis=1), axis=1),
    "einsum": lambda o, x, y: o.einsum("btd,bsd->bts", x, y),
    "norms": lambda o, x, y: o.normalize(x, axis=-1) + o.normalize(y, axis=1, order=1),
    "one hot": lambda o, x, y: o.one_hot(o.argmax(x, axis=-1), 6) * y,
    "top": lambda o, x, y: o.top_k(x, 2)[0] + o.moments(y, axes=[2], keepdims=True)[0],
    "between samples": lambda o, x, y: x - o.mean(y, axis=0, keepdims=True) + o.max(y),
    "from first": lambda o, x, y: x - y[0],
    "attention": lambda o, x, y: o.matmul(
        o.softmax(o.matmul(x, o.swapaxes(y, -1, -2)) / 2.5), y),
}  # fmt: skip
CASES = STEPS | SEAMS


def build(case, Input, Model, L, ops):
    x, y = Input((4, 6), name="x"), Input((4, 6), name="y")
    h = L.Dense(6, name="first")(x)
    return Model([x, y], CASES[case](ops, h, y), name="m")


def ours(case):
    return build(case, coreops.Input, Model, layers, coreops.ops)


def theirs(keras, case):
    return build(case, keras.Input, keras.Model, keras.layers, keras.ops)


def pair(keras, case):
    coreops.backend.clear_session()
    keras.utils.clear_session()
    mine, other = ours(case), theirs(keras, case)
    share_weights(mine, other, seed=1, scale=0.5)
    return mine, other


def inputs(n=5, dtype="float32"):
    rng = np.random.default_rng(7)
    return [rng.normal(size=(n, 4, 6)).astype(dtype) for _ in "xy"]


def check(model, expected, xs):
    found = model(xs)
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(np.asarray(found), expected, rtol=2e-5, atol=2e-6)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras' NumPy backend
@pytest.mark.parametrize("case", CASES)
def test_like_keras(keras, case, tmp_path):
    mine, other = pair(keras, case)
    xs = inputs()
    expected = np.asarray(other(xs))
    check(mine, expected, xs)
    assert mine.output_shape == other.output_shape
    assert [op.name for op in mine.operations] == [op.name for op in other.operations]
    assert [layer.name for layer in mine.layers] == [layer.name for layer in other.layers]
    other.save(tmp_path / "theirs.keras")
    check(load_model(tmp_path / "theirs.keras"), expected, xs)
    mine.save(tmp_path / "ours.keras")
    back = keras.saving.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(np.asarray(back(xs)), expected, rtol=2e-5, atol=2e-6)
    check(load_model(tmp_path / "ours.keras"), expected, xs)


@pytest.mark.parity
@pytest.mark.parametrize("case", CASES)
def test_the_config_is_that_of_keras(keras, case):
    def plain(value):
        if value == "__tensor__":  # what Keras' NumPy backend calls an array
            return "__numpy__"
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items() if k not in ("shape", "dtype", "name")}
        return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value

    mine, other = pair(keras, case)
    entries = zip(mine.get_config()["layers"], other.get_config()["layers"], strict=True)
    for one, two in entries:
        for key in ("module", "class_name", "registered_name", "name", "inbound_nodes"):
            assert plain(one[key]) == plain(two[key]), one["name"]
        if one["module"].startswith("keras.src.ops"):
            assert plain(one["config"]) == plain(two["config"])


@pytest.mark.parametrize("case", STEPS)
def test_steps_make_one_plan(case):
    model = ours(case)
    model(inputs())
    segments = model._program(training=False).segments()
    assert [segment.seam for segment in segments] == [None]


@pytest.mark.parametrize("case", CASES)
def test_copies(case):
    model, xs = ours(case), inputs()
    expected = model(xs)
    for twin in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        Functional.from_config(model.get_config()),
    ):
        twin.set_weights(model.get_weights())
        np.testing.assert_array_equal(twin(xs), expected)
    np.testing.assert_array_equal(Model(model.inputs, model.outputs)(xs), expected)


DISCRETE = ["integers", "one hot", "cast"]  # no gradient gets to the weights


@pytest.mark.parametrize("case", [case for case in CASES if case not in DISCRETE])
def test_training_follows_differences(case):
    coreops.config.set_floatx("float64")
    try:
        model = ours(case)
    finally:
        coreops.config.set_floatx("float32")
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(size=w.shape, scale=0.5) for w in model.weights])
    xs = inputs(3, "float64")
    target = rng.normal(size=np.shape(model(xs)))
    model.compile(coreops.optimizers.SGD(1.0), loss="mse")

    def loss():
        return float(np.mean((np.asarray(model(xs)) - target) ** 2))

    before = model.get_weights()
    model.train_on_batch(xs, target)
    steps = [old - new for old, new in zip(before, model.get_weights(), strict=True)]
    model.set_weights(before)
    for number, (weight, step) in enumerate(zip(before, steps, strict=True)):
        for place in [(0,) * weight.ndim, tuple(n - 1 for n in weight.shape)]:
            found = []
            for sign in (1, -1):
                moved = [w.copy() for w in before]
                moved[number][place] += sign * 1e-6
                model.set_weights(moved)
                found.append(loss())
            np.testing.assert_allclose(
                step[place], (found[0] - found[1]) / 2e-6, rtol=1e-4, atol=1e-7
            )


@pytest.mark.parity
def test_every_function_has_the_class_of_keras(keras):
    """The same options, in the place where Keras looks."""
    import importlib
    import inspect

    for name, module in table.MODULES.items():
        theirs = getattr(importlib.import_module(module), table.class_name(name))
        cls = coreops.layers.operations.operation.class_of(name)
        assert cls.__name__ == theirs.__name__
        options = [
            p
            for p in inspect.signature(theirs.__init__).parameters
            if p not in ("self", "name", "kwargs")
        ]
        assert cls.option_names() == options, name
        called = list(inspect.signature(theirs.call).parameters)[1:]
        assert len(cls._taken()) == len([p for p in called if p != "kwargs"]), name


UNARY = sorted(
    name for name in table.ELEMENTWISE | table.REDUCING
    if len(coreops.layers.operations.operation.class_of(name)._taken()) == 1
    and name not in ("cast", "saturate_cast", "clip", "threshold")
    and not name.startswith("bitwise")
)  # fmt: skip


@pytest.mark.parity
@pytest.mark.parametrize("name", UNARY)
@pytest.mark.parametrize("dtype", ["float32", "int32", "bool"])
def test_dtypes_and_shapes(keras, name, dtype):
    def spec(Input, ops):
        made = getattr(ops, name)(Input((3, 5), dtype=dtype))
        return tuple(made.shape), str(made.dtype)

    try:
        expected = spec(keras.Input, keras.ops)
    except (TypeError, ValueError, NotImplementedError, AttributeError):
        pytest.skip("Keras has no such combination")
    value = (np.arange(30).reshape(2, 3, 5) % 3).astype(dtype)
    try:
        with np.errstate(all="ignore"):
            same = getattr(coreops.ops, name)(value)
    except TypeError:
        pytest.skip("nor has NumPy")
    x = coreops.Input((3, 5), dtype=dtype)
    made = getattr(coreops.ops, name)(x)
    assert made.node.layer._op in (name, {"abs": "absolute", "conj": "conjugate"}.get(name))
    with np.errstate(all="ignore"):
        found = Model(x, made)(value)
    np.testing.assert_array_equal(found, same)
    assert made.shape == expected[0]
    if same.dtype.name == expected[1]:  # where eager functions differ, so do symbolic ones
        assert made.dtype == expected[1]


def test_shapes_that_nobody_knows():
    x, ops = coreops.Input((None, 6)), coreops.ops
    assert (x + 1).shape == (None, None, 6)
    assert ops.mean(x, axis=1).shape == (None, 6)
    assert ops.reshape(x, (-1, 3, 4)).shape == (None, 3, 4)
    assert ops.concatenate([x, x], axis=1).shape == (None, None, 6)
    assert ops.transpose(x, (2, 0, 1)).shape == (6, None, None)
    assert [y.shape for y in ops.split(x, 4, axis=1)] == [(None, None, 6)] * 4
    assert x[:, 3].shape == (None, 6)
    assert x[0].shape == (None, 6)
    assert ops.matmul(x, np.ones((6, 2))).shape == (None, None, 2)
    assert ops.pad(x, ((0, 0), (1, 1), (0, 2))).shape == (None, None, 8)
    fixed = coreops.Input(batch_shape=(8, 4))
    assert ops.reshape(fixed, (-1, 2)).shape == (16, 2)
    assert (fixed * 2).shape == (8, 4)


def test_what_is_large_is_not_tried():
    x, ops = coreops.Input((1 << 14, 1 << 14)), coreops.ops
    assert ops.concatenate([x, x]).shape == (None, 1 << 14, 1 << 14)
    assert ops.matmul(x, x).shape == (None, 1 << 14, 1 << 14)
    assert ops.tile(x, (1, 1 << 14, 1)).shape == (None, 1 << 28, 1 << 14)


@pytest.mark.parametrize(
    "make",
    [
        lambda o, x: x + np.ones((2, 5)),
        lambda o, x: o.mean(x, axis=4),
        lambda o, x: o.matmul(x, np.ones((4, 2))),
        lambda o, x: o.concatenate([x, x[:, :1]], axis=2),
        lambda o, x: o.split(x, 4, axis=2),
        lambda o, x: o.unstack(x, num=4, axis=1),
        lambda o, x: o.unstack(x, axis=0),
        lambda o, x: o.repeat(x, [1, 2], axis=1),
        lambda o, x: o.segment_sum(x, x[:, 0, 0]),
    ],
)
def test_shapes_that_do_not_fit(make):
    with pytest.raises((ValueError, IndexError)):
        make(coreops.ops, coreops.Input((3, 6)))


def test_what_has_no_place_in_a_graph():
    x = coreops.Input((3,))
    for use in (np.exp, np.asarray, coreops.ops.unique, coreops.ops.convert_to_numpy):
        with pytest.raises(TypeError, match="Lambda"):
            use(x)
    with pytest.raises(TypeError):
        bool(x > 0)
    with pytest.raises(TypeError):
        iter(x)


def test_masks_end_at_functions():
    x = coreops.Input((4, 3))
    model = Model(x, layers.Masking()(x) + 1)
    y = model(np.zeros((2, 4, 3), "float32"))
    assert getattr(y, "_keras_mask", None) is None
    np.testing.assert_array_equal(y, 1)


def test_inside_of_other_models():
    x = coreops.Input((3,))
    inner = Model(x, coreops.ops.relu(x - 1) + x, name="inner")
    y = coreops.Input((3,))
    outer = Model(y, inner(y) * inner(2 * y), name="outer")
    (v,) = [np.random.default_rng(0).normal(size=(4, 3)).astype("float32")]

    def twice(u):
        return np.maximum(u - 1, 0) + u

    np.testing.assert_allclose(outer(v), twice(v) * twice(2 * v), rtol=1e-6)
    assert [segment.seam for segment in outer._program(training=False).segments()] == [None]
    back = Functional.from_config(outer.get_config())
    np.testing.assert_array_equal(back(v), outer(v))


def test_doubles():
    x = coreops.Input((3,), dtype="float64")
    model = Model(x, x / 3 + 1)
    v = np.arange(6.0).reshape(2, 3)
    assert model.output.dtype == "float64"
    np.testing.assert_allclose(model(v), v / 3 + 1, rtol=1e-15)


def test_options_that_a_file_leaves_out_have_their_defaults():
    cls = coreops.layers.operations.operation.class_of("prod")
    one = cls.from_config({"name": "p", "axis": 1, "dtype": None})
    assert one.get_config() == {"name": "p", "axis": 1, "keepdims": False, "dtype": None}
    with pytest.raises(TypeError, match="options"):
        cls(code="x")


def test_what_is_known_of_a_symbolic_tensor():
    x, ops = coreops.Input((3, None), dtype="int32"), coreops.ops
    assert ops.shape(x) == (None, 3, None)
    assert ops.dtype(x) == "int32"
    assert ops.ndim(x) == 3
    assert x[5].shape == (3, None)
    assert ops.convert_to_tensor(x) is x
    assert ops.convert_to_tensor(x, "float32").dtype == "float32"
    assert x.reshape(newshape=(-1, 3)).shape == (None, 3)
    assert x[:, :1].squeeze(axis=1).shape == (None, None)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda o, x: o.one_hot(x[..., 0], 5), (4, 3, 5)),
        (lambda o, x: o.one_hot(x[..., 0], 5, axis=0), (5, 4, 3)),
        (lambda o, x: o.multi_hot(x[..., 0], 5), (4, 5)),
        (lambda o, x: o.repeat(x, 2), (48,)),
        (lambda o, x: o.repeat(x, [1, 2, 3, 4], axis=-3), (10, 3, 2)),
        (lambda o, x: o.tile(x, (2, 1, 1, 3)), (2, 4, 3, 6)),
        (lambda o, x: o.broadcast_to(x, (5, 4, 3, 2)), (5, 4, 3, 2)),
        (lambda o, x: o.inv(o.cast(x[:, :2], "float32")), (4, 2, 2)),
        (lambda o, x: o.qr(o.cast(x, "float32"))[0], (4, 3, 2)),
        (lambda o, x: o.svd(o.cast(x, "float32"))[1], (4, 2)),
        (lambda o, x: o.slice(x, (0, 1, 0), (-1, 2, 1)), (4, 2, 1)),
        (lambda o, x: o.segment_sum(x, [0, 1, 1, 0], num_segments=7), (7, 3, 2)),
        (lambda o, x: o.isin(x, [1, 2]), (4, 3, 2)),
        (lambda o, x: o.unstack(x[:, :, None], axis=-2)[0], (4, 3, 2)),
        (lambda o, x: o.slice(x, x[:1, 0, 0] * [1, 1, 1], (2, 1, 1)), (2, 1, 1)),
        (lambda o, x: o.matrix_rank(x), (4,)),
        (lambda o, x: o.allclose(x, x), ()),
        (lambda o, x: o.split(x, [0], axis=1)[0], (4, 0, 2)),
        (lambda o, x: o.nanmean(o.cast(x, "float32"), axis=1), (4, 2)),
    ],
)
def test_shapes_by_rules(make, shape):
    assert make(coreops.ops, coreops.Input(batch_shape=(4, 3, 2), dtype="int32")).shape == shape
