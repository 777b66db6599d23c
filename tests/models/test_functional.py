"""Functional models: graphs of layers, against Keras."""

import collections
import copy
import pickle
import warnings

import numpy as np
import pytest
from layer_checks import share_weights

import coreops
from coreops import Model, Sequential, layers
from coreops.models import Functional

TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


def keras_of(keras):
    return keras.Input, keras.Model, keras.layers


OURS = coreops.Input, coreops.Model, layers


def data(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def residual(Input, Model, L):
    x = Input((6,), name="x")
    h = L.Dense(6, activation="relu", name="one")(x)
    h = L.Add(name="sum")([x, h])
    return Model(x, L.Dense(3, activation="softmax", name="two")(h), name="residual")


def shared(Input, Model, L):
    a, b = Input((4,), name="a"), Input((4,), name="b")
    twice = L.Dense(5, activation="tanh", name="shared")
    u, v = twice(a), twice(b)
    outs = [L.Dot(axes=1, name="dot")([u, v]), L.Concatenate(name="both")([u, v, a])]
    return Model([a, b], outs, name="siamese")


def twice_in_a_row(Input, Model, L):
    x = Input((4,), name="x")
    layer = L.Dense(4, activation="tanh", name="again")
    return Model(x, layer(layer(layer(x))), name="again_and_again")


def nested(Input, Model, L):
    i = Input((4,), name="inner_in")
    inner = Model(i, [L.Dense(3, name="p")(i), L.Dense(2, name="q")(i)], name="inner")
    x, y = Input((4,), name="x"), Input((4,), name="y")
    p, q = inner(x)
    r, s = inner(L.Subtract(name="difference")([x, y]))
    return Model([x, y], [L.Add(name="sum")([p, r]), L.Multiply(name="product")([q, s])], name="o")


def dicts(Input, Model, L):
    inputs = {"b": Input((3,), name="b"), "a": Input((2,), name="a")}
    h = L.Concatenate(name="join")([inputs["a"], inputs["b"]])
    outputs = {"z": L.Dense(2, name="zz")(h), "y": L.Dense(1, name="yy")(h)}
    return Model(inputs, outputs, name="dicts")


def deep(Input, Model, L):
    """Branches that skip different numbers of layers: Keras' order of layers is by depth."""
    x = Input((4,), name="x")
    a = L.Dense(4, name="a")(x)
    b = L.Dense(4, name="b")(a)
    c = L.Dense(4, name="c")(x)
    d = L.Average(name="mean")([a, b, c])
    return Model(x, [L.Maximum(name="top")([d, c]), b], name="deep")


def masked(Input, Model, L):
    x, y = Input((5, 3), name="x"), Input((5, 3), name="y")
    u, v = L.Masking(name="mx")(x), L.Masking(name="my")(y)
    whole = L.Add(name="sum")([u, v])
    parts = L.Concatenate(axis=1, name="after")([u, v])
    outs = [whole, parts, L.Multiply(name="product")([u, v]), L.Maximum(name="top")([u, v])]
    return Model([x, y], outs, name="masked")


BUILDERS = [residual, shared, twice_in_a_row, nested, dicts, deep, masked]
SHAPES = {
    residual: [(7, 6)],
    shared: [(7, 4), (7, 4)],
    twice_in_a_row: [(7, 4)],
    nested: [(7, 4), (7, 4)],
    dicts: [(7, 2), (7, 3)],  # by name: a, b
    deep: [(7, 4)],
    masked: [(7, 5, 3), (7, 5, 3)],
}


def inputs_of(build):
    arrays = data(*SHAPES[build])
    if build is masked:
        arrays[0][:, 3:] = 0
        arrays[1][:, :2] = 0
    if build is dicts:
        return dict(zip("ab", arrays, strict=True))
    return arrays[0] if len(arrays) == 1 else arrays


def flat(outputs):
    if isinstance(outputs, dict):
        return [outputs[key] for key in sorted(outputs)]
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def pair(keras, build):
    ours, theirs = build(*OURS), build(*keras_of(keras))
    share_weights(ours, theirs, seed=1)
    return ours, theirs


@pytest.mark.parity
@pytest.mark.parametrize("build", BUILDERS)
def test_like_keras(keras, build):
    ours, theirs = pair(keras, build)
    assert [w.path for w in ours.weights] == [w.path for w in theirs.weights]
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert ours.output_names == theirs.output_names
    assert [t.shape for t in ours.inputs] == [tuple(t.shape) for t in theirs.inputs]
    assert [t.shape for t in ours.outputs] == [tuple(t.shape) for t in theirs.outputs]
    x = inputs_of(build)
    expected = theirs(x)
    for outputs in (ours(x), ours.predict(x, verbose=0), ours.predict_on_batch(x), ours.call(x)):
        assert type(outputs) in (type(expected), np.ndarray, coreops._plan.KerasArray)
        for mine, other in zip(flat(outputs), flat(expected), strict=True):
            np.testing.assert_allclose(mine, np.asarray(other), **TOLERANCE)
    for mine, other in zip(flat(ours(x)), flat(expected), strict=True):
        mask = getattr(mine, "_keras_mask", None)
        wanted = keras.src.backend.get_keras_mask(other)
        assert (mask is None) == (wanted is None)
        if mask is not None:
            np.testing.assert_array_equal(mask, np.asarray(wanted))


@pytest.mark.parity
@pytest.mark.parametrize("build", BUILDERS)
def test_the_config_is_that_of_keras(keras, build):
    def plain(value):
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                return value["config"]["keras_history"]
            dropped = ("build_config", "shared_object_id", "quantization_config", "mask")
            return {k: plain(v) for k, v in value.items() if k not in dropped and v is not None}
        return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value

    ours, theirs = build(*OURS), build(*keras_of(keras))
    mine, other = ours.get_config(), theirs.get_config()
    for key in ("name", "trainable", "input_layers", "output_layers"):
        assert plain(mine[key]) == plain(other[key])
    for one, two in zip(mine["layers"], other["layers"], strict=True):
        for key in ("module", "class_name", "name", "inbound_nodes"):
            assert plain(one[key]) == plain(two[key])
    twin = keras.Model.from_config(copy.deepcopy(mine))
    twin.set_weights(ours.get_weights())
    back = Functional.from_config(other)
    back.set_weights(ours.get_weights())
    x = inputs_of(build)
    for again in (twin, back):
        for a, b in zip(flat(again(x)), flat(ours(x)), strict=True):
            np.testing.assert_allclose(np.asarray(a), b, **TOLERANCE)


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize(
    "copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy], ids=["pickle", "deepcopy"]
)
def test_copies(build, copied):
    model = build(*OURS)
    twin, x = copied(model), inputs_of(build)
    assert twin.get_config() == model.get_config()
    for a, b in zip(flat(twin(x)), flat(model(x)), strict=True):
        np.testing.assert_array_equal(a, b)
    again = Model(twin.inputs, twin.outputs)  # what it is made of still knows where it comes from
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]


def test_one_input_and_output_is_one_plan():
    model = residual(*OURS)
    (x,) = data((7, 6))
    y = model(x)
    program = model._program(training=False)
    assert program.single_plan(x) is not None
    np.testing.assert_array_equal(model._direct(x, 1e9), y)
    out = np.empty_like(y)
    assert model(x, out=out) is out


def test_a_seam_in_one_branch():
    x = coreops.Input((4,))
    a = layers.Dense(3)(x)
    b = layers.Lambda(lambda t: t[:, ::-1])(a)
    model = Model(x, [layers.Add()([a, b]), b])
    (values,) = data((5, 4))
    whole, turned = model(values)
    first = Model(x, a)(values)
    np.testing.assert_array_equal(turned, first[:, ::-1])
    np.testing.assert_allclose(whole, first + first[:, ::-1], rtol=1e-6)


def test_a_function_may_change_what_it_gets():
    def spoil(t):
        t[...] = 0
        return t + 1

    x = coreops.Input((3,))
    h = layers.Dense(3)(x)
    model = Model(x, [layers.Lambda(spoil, output_shape=(3,))(h), layers.ReLU()(h), h])
    (values,) = data((4, 3))
    ones, positive, plain = model(values)
    np.testing.assert_array_equal(ones, 1)
    np.testing.assert_array_equal(positive, np.maximum(plain, 0))
    assert plain.any()


def test_outputs_share_no_memory():
    x = coreops.Input((2, 3))
    flat_one = layers.Flatten()(x)
    model = Model(x, [x, flat_one, layers.Reshape((3, 2))(flat_one), x])
    (values,) = data((4, 2, 3))
    found = [values, *model(values)]
    for i, one in enumerate(found):
        for other in found[:i]:
            assert not np.shares_memory(one, other)


class Pair(layers.Layer):
    def build(self, left_shape, right_shape):
        self.w = self.add_weight(shape=(left_shape[-1], right_shape[-1]), name="w")

    def call(self, left, right):
        return left @ self.w * right


class Split(layers.Layer):
    def call(self, inputs):
        a, b = inputs
        return {"sum": a + b, "difference": a - b}


def test_custom_layers_of_several_inputs():
    a, b = coreops.Input((4,)), coreops.Input((3,))
    pair = Pair()
    made = pair(a, b)
    assert made.shape == (None, 3)
    split = Split()([made, b])
    assert set(split) == {"sum", "difference"}
    model = Model([a, b], [split["sum"], split["difference"]])
    u, v = data((5, 4), (5, 3))
    left = u @ np.asarray(pair.w) * v
    total, difference = model([u, v])
    np.testing.assert_allclose(total, left + v, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(difference, left - v, rtol=1e-5, atol=1e-6)


def test_a_model_cut_out_of_another():
    model = deep(*OURS)
    middle = Model(model.layers[0].output, model.outputs[1])
    (x,) = data((3, 4))
    np.testing.assert_array_equal(middle(x), model(x)[1])
    h = model.get_layer("a")._inbound_nodes[0].outputs[0]
    rest = Model(h, model.outputs[1])
    assert rest.inputs[0] is not h
    assert [layer.name for layer in rest.layers][1:] == ["b"]
    a = Model(model.inputs, h)
    np.testing.assert_allclose(rest(a(x)), model(x)[1], rtol=1e-6)


def test_recurrent_states_between_layers(keras):
    def build(Input, Model, L):
        x, y = Input((5, 3), name="x"), Input((4, 3), name="y")
        _, h, c = L.LSTM(6, return_state=True, name="encoder")(L.Masking(name="mask")(x))
        out = L.LSTM(6, return_sequences=True, name="decoder")(y, initial_state=[h, c])
        both = L.Bidirectional(L.GRU(2, name="g"), name="both")(out)
        return Model([x, y], L.Dense(2, name="head")(both))

    ours, theirs = pair(keras, build)
    x, y = data((3, 5, 3), (3, 4, 3))
    x[:, 3:] = 0
    np.testing.assert_allclose(ours([x, y]), np.asarray(theirs([x, y])), rtol=1e-4, atol=1e-5)
    segments = ours._program(training=False).segments()
    assert [segment.seam for segment in segments] == [None]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda x, y: Model(np.zeros((2, 3)), y), "symbolic"),
        (lambda x, y: Model(x, "y"), "symbolic"),
        (lambda x, y: Model([], y), "empty"),
        (lambda x, y: Model(coreops.Input((3,)), y), "[Dd]isconnected"),
        (lambda x, y: Model(x, layers.Dense(1, name="d")(layers.Dense(2, name="d")(y))), "'d'"),
    ],
)
def test_what_makes_no_model(make, match):
    x = coreops.Input((3,))
    with pytest.raises(ValueError, match=match):
        make(x, layers.Dense(2)(x))


def test_wrong_data():
    model = shared(*OURS)
    u, v = data((3, 4), (3, 4))
    for wrong, match in (
        (u, "2 input"),
        ([u, v, u], "2 input"),
        ({"a": u}, "names"),
        ([u, v[:, :3]], "incompatible shape"),
        ([u, v[:2]], r"batch sizes meet.*\(2, 4\)|same number of samples"),
    ):
        with pytest.raises(ValueError, match=match):
            model(wrong)
        with pytest.raises(ValueError, match=match):
            model.predict(wrong, verbose=0)
    with pytest.raises(ValueError, match="one argument"):
        model(u, v)


def test_keys_that_are_not_names_are_warned_of():
    x = coreops.Input((3,), name="x")
    with pytest.warns(UserWarning, match="names of the tensors"):
        Model({"other": x}, layers.Dense(1)(x))


def test_shapes():
    model = nested(*OURS)
    assert model.compute_output_shape([(5, 4), (5, 4)]) == [(5, 3), (5, 2)]
    assert model.input_shape == [(None, 4), (None, 4)]
    assert dicts(*OURS).output_shape == [(None, 1), (None, 2)]


def test_an_input_of_another_rank_or_type():
    x = coreops.Input((3, 1), name="x")
    model = Model(x, layers.Flatten()(x))
    assert model(np.ones((2, 3), "int64")).dtype == np.float32


@pytest.mark.parity
@pytest.mark.parametrize("build", [shared, nested, deep])
def test_summary(keras, build):
    def rows(model):
        lines = []
        model.summary(print_fn=lines.append, line_length=79)
        text = "\n".join(lines)
        lines = [line for line in text.splitlines() if "│" in line]
        return [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines]

    ours, theirs = rows(build(*OURS)), rows(build(*keras_of(keras)))
    assert [row[0] for row in ours if row[0]] == [row[0] for row in theirs if row[0]]
    joined = [" ".join(row[3] for row in some if len(row) > 3) for some in (ours, theirs)]
    assert "[0][0]" in joined[0]
    assert joined[0].split() == joined[1].split()


# --- learning -----------------------------------------------------------------------------------


def heads(Input, Model, L):
    x, y = Input((4,), name="x"), Input((3,), name="y")
    trunk = L.Dense(5, activation="tanh", name="trunk")
    h = L.Concatenate(name="join")([trunk(x), y])
    h = L.Add(name="skip")([h, L.Dense(8, name="wide")(h)])
    p = L.Dense(1, activation="sigmoid", name="p")(h)
    q = L.Dense(3, activation="softmax", name="q")(L.Maximum(name="max")([h, trunk_like(L, x)]))
    return Model([x, y], [p, q], name="heads")


def trunk_like(L, x):
    return L.Dense(8, name="like")(x)


def targets(n=24):
    rng = np.random.default_rng(2)
    x, y = data((n, 4), (n, 3), seed=3)
    p = (rng.random((n, 1)) > 0.5).astype("float32")
    q = rng.integers(0, 3, n).astype("int32")
    return [x, y], [p, q]


LOSSES = ["binary_crossentropy", "sparse_categorical_crossentropy"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of NumPy and Keras on JAX
@pytest.mark.parity
@pytest.mark.parametrize(
    "compiled",
    [
        {"loss": LOSSES},
        {"loss": LOSSES, "loss_weights": [0.5, 2.0], "metrics": [["mae"], ["accuracy"]]},
        {"loss": dict(zip("pq", LOSSES, strict=True)), "metrics": {"q": ["accuracy"]}},
        {"loss": [LOSSES[0], None]},
    ],
    ids=["losses", "weights", "dicts", "one loss"],
)
def test_training_like_keras(keras, compiled):
    x, y = targets()
    ours, theirs = pair(keras, heads)
    for model in (ours, theirs):
        model.compile("sgd", **compiled)
    keywords = {"epochs": 3, "batch_size": 8, "shuffle": False, "verbose": 0}
    history = ours.fit(x, y, **keywords).history
    if keras.backend.backend() != "numpy":
        expected = theirs.fit(x, y, **keywords).history
        assert set(history) == set(expected)
        for key in expected:
            np.testing.assert_allclose(history[key], expected[key], rtol=1e-4, err_msg=key)
        for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-5)
    theirs.set_weights(ours.get_weights())
    expected = theirs.evaluate(x, y, verbose=0, return_dict=True)
    found = ours.evaluate(x, y, verbose=0, return_dict=True)
    assert set(found) == set(expected)
    for key in expected:
        assert found[key] == pytest.approx(expected[key], rel=1e-4), key


def test_one_weight_for_the_losses_of_all_outputs():
    inputs = coreops.Input((4,))
    model = coreops.Model(inputs, [layers.Dense(1)(inputs), layers.Dense(1)(inputs)])
    model.compile("sgd", "mse", loss_weights=0.5)
    total, *losses = model.evaluate(np.ones((3, 4)), [np.ones(3), np.zeros(3)], verbose=0)
    assert total == pytest.approx(sum(losses) / 2)


def test_a_loss_that_weighs_nothing_is_still_told():
    """With its sample weights, in evaluation and in training, where nothing learns from it."""
    x, (p, q) = targets()
    model = heads(*OURS)
    model.compile("sgd", ["mse", LOSSES[1]], loss_weights=[0, 2])
    weights = [np.linspace(0, 3, len(p)), np.linspace(1, 2, len(q))]
    losses = coreops.losses
    found = zip((losses.mean_squared_error, losses.sparse_categorical_crossentropy),
                (p, q), model(x), weights, strict=True)  # fmt: skip
    expected = [np.mean(loss(true, pred) * weight) for loss, true, pred, weight in found]
    before = [w.numpy().copy() for w in model.get_layer("p").weights]
    keywords = {"sample_weight": weights, "batch_size": 24, "verbose": 0}
    for logs in (
        model.evaluate(x, [p, q], return_dict=True, **keywords),
        {key: value[0] for key, value in model.fit(x, [p, q], **keywords).history.items()},
    ):
        assert [logs["p_loss"], logs["q_loss"]] == pytest.approx(expected, rel=1e-5)
        assert logs["loss"] == pytest.approx(2 * logs["q_loss"], rel=1e-6)
    for weight, value in zip(model.get_layer("p").weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def loss_of(model, x, y):
    model._compilation.meet(y, flat(model(x)))
    return model._compilation.data_loss(y, flat(model(x)), None)[0]


def doubled(value):
    return value * 2


@pytest.mark.parametrize("seam", [False, True], ids=["one plan", "with a seam"])
@pytest.mark.parametrize("loss", ["mse", "kernel-free"])
def test_gradients_against_differences(monkeypatch, seam, loss):
    L = layers
    x, y = coreops.Input((3,), dtype="float64"), coreops.Input((3,), dtype="float64")
    kind = {"dtype": "float64"}
    one = L.Dense(3, activation="tanh", **kind)
    a, b = one(x), one(y)
    if seam:
        b = L.Lambda(doubled, **kind)(b)
    c = L.Multiply(**kind)([a, b, x])
    d = L.Subtract(**kind)([L.Average(**kind)([a, c]), L.Minimum(**kind)([b, y])])
    e = L.Concatenate(**kind)([d, a, c])
    f = L.Dot(axes=1, **kind)([L.Reshape((3, 3), **kind)(e), L.Reshape((3, 1), **kind)(b)])
    g = L.Add(**kind)([L.Dense(3, **kind)(e), L.Flatten(**kind)(f), L.Dense(1, **kind)(d)])
    model = Model([x, y], [g, L.Dense(2, **kind)(a)])

    def cubed(t, p):
        return coreops.ops.mean(coreops.ops.abs(t - p) ** 3, axis=-1)

    model.compile("sgd", "mse" if loss == "mse" else cubed, loss_weights=[1.0, 0.3])
    monkeypatch.setattr(coreops.config, "floatx", lambda: "float64")
    rng = np.random.default_rng(5)
    xs = [rng.normal(size=(4, 3)) for _ in range(2)]
    ys = [rng.normal(size=(4, 3)), rng.normal(size=(4, 2))]
    step = model._training_step()
    step(xs, ys, update=False)
    found = step.gradients()
    step.release()
    for variable, gradient in zip(model.trainable_variables, found, strict=True):
        value = variable.numpy().copy()
        wanted = np.zeros_like(value)
        for index in np.ndindex(value.shape):
            sides = []
            for sign in (1, -1):
                moved = value.copy()
                moved[index] += sign * 1e-6
                variable.assign(moved)
                sides.append(loss_of(model, xs, ys))
            wanted[index] = (sides[0] - sides[1]) / 2e-6
        variable.assign(value)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-8)


def test_data_in_every_form():
    x, (p, q) = targets()
    model = heads(*OURS)
    model.compile("adam", LOSSES)
    weights = {"p": np.linspace(0, 1, len(p)), "q": np.ones(len(q))}
    for inputs in (x, dict(zip("xy", x, strict=True))):
        for outputs in ([p, q], {"q": q, "p": p}):
            history = model.fit(inputs, outputs, sample_weight=weights, verbose=0,
                                validation_split=0.25)  # fmt: skip
            assert {"p_loss", "q_loss", "val_p_loss"} <= set(history.history)

    def batches():
        for i in range(0, 24, 8):
            yield tuple(a[i : i + 8] for a in x), (p[i : i + 8], q[i : i + 8])

    model.fit(batches(), verbose=0)
    assert len(model.train_on_batch(x, [p, q])) == 3
    assert len(model.test_on_batch(x, [p, q])) == 3
    outputs = model.predict(x, batch_size=5, verbose=0)
    assert [y.shape for y in outputs] == [(24, 1), (24, 3)]
    with pytest.raises(ValueError, match="outputs"):
        model.fit(x, [p], verbose=0)
    with pytest.raises(ValueError, match="keys"):
        model.fit(x, {"p": p, "r": q}, verbose=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": ["mse"]},
        {"loss": {"p": "mse", "r": "mse"}},
        {"loss": "mse", "metrics": ["mae"]},
    ],
    ids=str,
)
def test_wrong_arguments_of_compile(wrong):
    with pytest.raises(ValueError, match=r"outputs|keys"):
        heads(*OURS).compile("sgd", **wrong)


def test_cloned():
    model = nested(*OURS)
    clone = coreops.models.clone_model(model)
    clone.set_weights(model.get_weights())
    x = inputs_of(nested)
    for a, b in zip(clone(x), model(x), strict=True):
        np.testing.assert_array_equal(a, b)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = coreops.models.model_from_json(model.to_json())
    assert again.get_config() == model.get_config()


class Own(coreops.Model):
    """A model of the user's that makes its own graph."""

    def __init__(self, units=3, **kwargs):
        inputs = coreops.Input((4,))
        super().__init__(inputs, layers.Dense(units)(inputs), **kwargs)


class Ends(coreops.Model):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


@pytest.mark.parametrize("kind", ["own", "ends"])
def test_subclasses_of_functional_models_come_back(kind, rng, tmp_path):
    if kind == "own":
        model = Own(5, name="mine")
    else:
        inputs = coreops.Input((4,))
        model = Ends(inputs, layers.Dense(5)(inputs), name="mine")
    x = rng.normal(size=(3, 4)).astype("float32")
    assert type(model).from_config(model.get_config())(x).shape == (3, 5)
    model.save(tmp_path / "model.keras")
    again = coreops.saving.load_model(
        tmp_path / "model.keras", custom_objects={type(model).__name__: type(model)}
    )
    assert type(again) is type(model)
    assert again.name == "mine"
    np.testing.assert_array_equal(again(x), model(x))


def test_arguments_without_names_have_no_config():
    class Free(coreops.Model):
        def __init__(self, *sizes, **options):
            super().__init__(**options)
            self.inner = [layers.Dense(size) for size in sizes]

        def call(self, x):
            return x

    assert Free(name="free").get_config()["name"] == "free"
    with pytest.raises(NotImplementedError, match="get_config"):
        Free(1, 2).get_config()


def test_inputs_and_outputs_of_its_layers():
    model = residual(*OURS)
    u = inputs_of(residual)
    first = model.get_layer("sum")
    assert [x.shape for x in first.input] == [(None, 6), (None, 6)]
    both = Model(model.input, [first.output, model.output])
    np.testing.assert_array_equal(both(u)[1], model(u))
    end = Model(first.output, model.output)
    np.testing.assert_array_equal(end(both(u)[0]), model(u))


def test_tuples_of_outputs_stay_tuples():
    x = coreops.Input((3,))
    model = Model(x, (layers.Dense(1)(x), layers.Dense(2)(x)))
    (u,) = data((2, 3))
    assert type(model(u)) is tuple
    assert type(type(model).from_config(model.get_config())(u)) is tuple


@pytest.mark.parity
def test_lists_for_inputs_of_a_dict(keras):
    """A list stands for the inputs in the order of their names; where the dict has another one,
    nobody can know which is meant."""
    u, v = data((2, 3), (2, 3))
    for Input, make, L in (OURS, keras_of(keras)):
        a, b = Input((3,), name="a"), Input((3,), name="b")
        y = L.Subtract()([a, b])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            np.testing.assert_array_equal(np.asarray(make({"a": a, "b": b}, y)([u, v])), u - v)
        with pytest.raises(ValueError, match=r"[Ss]tructure|dict of inputs"):
            make({"b": b, "a": a}, y)([u, v])


class Named(Model):
    """Is given its graph, and something more."""

    def __init__(self, *args, label="none", **kwargs):
        super().__init__(*args, **kwargs)
        self.label = label

    def get_config(self):
        return {**super().get_config(), "label": self.label}


def test_a_class_may_have_more_than_a_graph(tmp_path):
    pytest.importorskip("h5py")
    x = coreops.Input((3,))
    model = Named(x, layers.Dense(2)(x), label="some")
    model.save(tmp_path / "m.keras")

    class Other(Named):  # of which there was no model yet
        pass

    for cls in (Named, Other):
        twin = coreops.saving.load_model(tmp_path / "m.keras", custom_objects={"Named": cls})
        assert type(twin) is cls
        assert twin.label == "some"
        np.testing.assert_array_equal(twin(np.ones((2, 3))), model(np.ones((2, 3))))


def test_a_config_with_layers_of_the_users():
    class Own(layers.Dense):
        pass

    x = coreops.Input((3,))
    config = Model(x, Own(2)(x)).get_config()
    model = Model.from_config(config, custom_objects={"Own": Own})
    assert isinstance(model, Functional)
    assert isinstance(model.layers[1], Own)


def test_nothing_in_a_structure_of_inputs():
    class Either(layers.Layer):
        def call(self, x):
            return x["a"] if x.get("b") is None else x["a"] + x["b"]

    (u,) = data((2, 3))
    np.testing.assert_array_equal(Either()({"a": u, "b": None}), u)


def test_outputs_in_a_named_tuple():
    pair = collections.namedtuple("Pair", "first second")
    inputs = coreops.Input((3,))
    model = Model(inputs, pair(layers.Dense(1)(inputs), layers.Dense(2)(inputs)))
    x = np.ones((4, 3), "float32")
    for made in (model(x), model.predict(x), model(coreops.Input((3,)))):
        assert type(made) is pair
        assert made.second.shape[1] == 2


def masked(kind):
    """A model with a mask of its own beside its data."""

    def build(Input, Model, L):
        x, mask = Input((5, 3), name="x"), Input((5,), dtype="bool", name="mask")
        h = L.Dense(3, name="before")(x)
        if kind == "model":
            i = Input((5, 3), name="i")
            y = Model(i, L.GRU(4, name="gru")(i), name="inner")(h, mask=mask)
        elif kind == "Bidirectional":
            y = L.Bidirectional(L.GRU(4, name="gru"), name="both")(h, mask=mask)
        else:
            y = getattr(L, kind)(*[4] * (kind == "LSTM"), name="masked")(h, mask=mask)
        return Model([x, mask], y, name="with_mask")

    return build


MASKED = ["LSTM", "Bidirectional", "GlobalAveragePooling1D", "BatchNormalization", "model"]


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")  # Keras: masks end at a model; its NumPy backend
@pytest.mark.parametrize("kind", MASKED)
def test_masks_that_are_inputs(keras, kind, tmp_path):
    theirs, ours = masked(kind)(*keras_of(keras)), masked(kind)(*OURS)
    share_weights(ours, theirs, seed=1)
    (x,) = data((4, 5, 3))
    inputs = [x, np.arange(5) < np.array([[1], [3], [5], [4]])]
    expected = np.asarray(theirs(inputs))
    np.testing.assert_allclose(ours(inputs), expected, **TOLERANCE)
    theirs.save(tmp_path / "theirs.keras")
    read = coreops.saving.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(read(inputs), expected, **TOLERANCE)


def test_masks_of_a_models_own_are_trained_with():
    """Steps that are masked do not count, and neither does what stands there."""
    model = masked("LSTM")(*OURS)
    model.compile("sgd", "mse")
    (x,) = data((4, 5, 3))
    mask, y = np.arange(5) < np.array([[1], [3], [5], [4]]), np.ones((4, 4), "float32")
    start = model.get_weights()
    losses = []
    for filled in (0, 9):
        model.set_weights(start)
        z = np.where(mask[..., None], x, np.float32(filled))
        losses.append([model.train_on_batch([z, mask], y) for _ in range(3)])
    np.testing.assert_allclose(*losses, rtol=1e-6)
    assert losses[0][2] < losses[0][0]


def test_masks_that_layers_tell_may_be_passed_on():
    ids = coreops.Input((4,), dtype="int32")
    embedding = layers.Embedding(3, 2, mask_zero=True)
    pooled = layers.GlobalAveragePooling1D()
    apart = Model(ids, pooled(layers.Dense(2)(embedding(ids)), mask=embedding.compute_mask(ids)))
    x = np.array([[0, 1, 2, 1], [2, 2, 0, 1]])
    expected = Sequential([embedding, apart.layers[-2], layers.GlobalAveragePooling1D()])(x)
    np.testing.assert_allclose(apart(x), expected, rtol=1e-6)
    assert layers.Masking().compute_mask(coreops.Input((4, 3))).shape == (None, 4)
