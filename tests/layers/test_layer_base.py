"""Layer: names, dtypes, weights, losses, calls, subclasses, copies."""

import copy
import inspect
import pickle
import threading

import numpy as np
import pytest
from layer_checks import assert_close

import coreops
from coreops import layers, ops
from coreops.layers import Dense, Dropout, Identity, InputSpec, Layer
from coreops.models import Model, Sequential

X = np.arange(6, dtype="float32").reshape(2, 3)


class Scale(Layer):
    """x * factor, with one weight."""

    def __init__(self, start=2.0, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape):
        self.factor = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", regularizer="l2", name="factor"
        )

    def call(self, inputs):
        return inputs * self.factor * self.start


class Block(Layer):
    """Two layers, one of them in a list."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = Dense(4, activation="relu")
        self.rest = []
        self.rest.append(Dense(2))
        self.drop = Dropout(0.5, seed=1)

    def call(self, inputs, training=None):
        x = self.drop(self.first(inputs))
        for layer in self.rest:
            x = layer(x)
        return x


# --- names, dtypes, arguments ---------------------------------------------------------------


def test_names():
    assert [Dense(1).name, Dense(1).name, layers.LeakyReLU().name] == [
        "dense",
        "dense_1",
        "leaky_re_lu",
    ]
    assert layers.PReLU().name == "p_re_lu"
    assert layers.ELU().name == "elu"
    assert Dense(1, name="own").name == "own"
    coreops.backend.clear_session()
    assert Dense(1).name == "dense"
    assert repr(Dense(1)) == "<Dense name=dense_1, built=False>"


@pytest.mark.parametrize("name", ["a/b", 3, b"a"])
def test_malformed_names(name):
    with pytest.raises(ValueError, match="name"):
        Dense(1, name=name)


def test_base_arguments():
    with pytest.raises(ValueError, match=r"Dense.*nonsense"):
        Dense(1, nonsense=3)
    with pytest.raises(ValueError, match="trainable"):
        Dense(1, trainable=1)
    with pytest.raises(TypeError):
        Layer("positional")


@pytest.mark.parametrize("dtype", ["nonsense", "int32", 3, {}, {"config": {"l2": 0.1}}])
def test_unknown_dtypes(dtype):
    with pytest.raises(ValueError, match="float64"):
        Dense(1, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float64", np.float64, np.dtype("float64")])
def test_double_precision(dtype):
    layer = Dense(2, dtype=dtype)
    assert layer.compute_dtype == layer.variable_dtype == layer.dtype == "float64"
    y = layer(X)
    assert y.dtype == np.float64
    assert layer.kernel.dtype == "float64"
    assert layer.get_config()["dtype"]["config"] == {"name": "float64"}
    assert Dense.from_config(layer.get_config()).dtype_policy == layer.dtype_policy


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16"])
def test_half_precision_is_computed_in_float32(dtype):
    with pytest.warns(UserWarning, match="float32"):
        layer = Dense(2, dtype=dtype)
    assert layer(X.astype("float16")).dtype == np.float32
    assert layer.get_config()["dtype"]["config"] == {"name": dtype}


def test_the_dtype_policy_can_be_set():
    layer = Dense(2)
    assert layer(X).dtype == layer(X).dtype == np.float32
    layer.dtype_policy = "float64"
    assert layer(X).dtype == np.float64
    assert layer.compute_dtype == "float64"
    assert layer.kernel.dtype == "float32"
    with pytest.raises(ValueError, match="dtype policy"):
        layer.dtype_policy = "float33"


def test_float_types_are_cast_to_the_compute_dtype():
    for dtype in ("float16", "float32", "float64", ">f4"):
        assert Identity()(X.astype(dtype)).dtype == np.float32
    for dtype in ("int8", "uint32", "bool"):
        assert Identity()(X.astype(dtype)).dtype == dtype


# --- calls ----------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [3.0, [[1.0, 2.0]], [X, 3.0], "abc", True])
def test_only_arrays_positionally(x):
    with pytest.raises(ValueError, match=r"'ident'.*arrays"):
        Identity(name="ident")(x)


def test_other_malformed_calls():
    layer = Dense(2, name="head")
    with pytest.raises(ValueError, match="head"):
        layer(None)
    with pytest.raises(TypeError, match=r"head.*inputs"):
        layer()
    with pytest.raises(TypeError, match=r"head.*nonsense"):
        layer(X, nonsense=1)
    with pytest.raises(ValueError, match="head"):
        layer([X, X])
    with pytest.raises(TypeError, match=r"head.*numbers"):
        layer(np.array([["a"]]))
    with pytest.raises(TypeError, match=r"head.*numbers"):
        layer(np.array([[None]]))
    with pytest.raises(TypeError, match=r"head.*complex"):
        layer(X.astype(complex))
    with pytest.raises(ValueError, match="shape"):
        layer.build(3)
    with pytest.raises(NotImplementedError, match="call"):
        Layer()(X)
    with pytest.raises(NotImplementedError, match="compute_output_shape"):
        Layer().compute_output_shape((None, 3))


def test_kinds_of_arrays():
    class Exotic:
        dtype = object()  # such as PyTorch's

        def __array__(self, dtype=None, copy=None):
            return X

    expected = X + 0
    for x in (X, np.asfortranarray(X), X[::-1][::-1], coreops.Variable(X), memoryview(X), Exotic()):
        np.testing.assert_array_equal(Identity()(x), expected)
        np.testing.assert_array_equal(Dense(2, kernel_initializer="ones")(x).shape, (2, 2))
    read_only = X.copy()
    read_only.flags.writeable = False
    np.testing.assert_array_equal(Dense(2, kernel_initializer="ones")(read_only).shape, (2, 2))
    np.testing.assert_array_equal(Identity()(inputs=X), expected)


def test_signatures_are_those_of_init():
    taken = inspect.signature(layers.Conv2D).parameters
    assert list(taken)[:2] == ["filters", "kernel_size"]
    assert taken["padding"].default == "valid"
    assert list(inspect.signature(Scale).parameters) == ["start", "kwargs"]


def test_a_warning_names_the_line_that_led_to_it():
    with pytest.warns(UserWarning, match="bfloat16") as caught:
        Dense(2, dtype="bfloat16")
    with pytest.warns(UserWarning, match="mixed_float16") as also:
        coreops.DTypePolicy("mixed_float16")
    assert {warning.filename for warning in [*caught, *also]} == {__file__}


def test_input_spec():
    layer = Identity(name="ident")
    layer.input_spec = InputSpec(shape=(None, 3))
    layer(X)
    with pytest.raises(ValueError, match=r"'ident'.*\(None, 3\)"):
        layer(np.ones((2, 4), "float32"))
    layer.input_spec = InputSpec(max_ndim=2, axes={1: 3})
    layer(X)
    with pytest.raises(ValueError, match="max_ndim=2"):
        layer(np.ones((2, 3, 1), "float32"))
    layer.input_spec = InputSpec(dtype="int32")
    with pytest.raises(ValueError, match="int32"):
        layer(X)
    assert InputSpec.from_config(InputSpec(ndim=2, axes={-1: 3}).get_config()).axes == {-1: 3}
    with pytest.raises(TypeError, match="axes"):
        InputSpec(axes={"a": 1})
    with pytest.raises(ValueError, match="axis 3"):
        InputSpec(ndim=2, axes={3: 1})


def test_outputs_never_share_memory_with_inputs():
    class Same(Layer):
        def call(self, inputs):
            return inputs

    class InPlace(Layer):
        def call(self, inputs):
            inputs += 1
            return inputs

    before = X.copy()
    for layer in (Identity(), Same(), InPlace(), Sequential([Same()]), Sequential([InPlace()])):
        assert not np.shares_memory(layer(X), X)
        np.testing.assert_array_equal(X, before)


def test_many_threads_get_the_same_answer():
    model = Sequential([Dense(8, activation="tanh"), Dense(3)])
    x = np.linspace(-1, 1, 40, dtype="float32").reshape(10, 4)
    answers = []

    def work():
        answers.extend(model(x) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(model.weights) == 4
    assert len(answers) == 160
    for answer in answers:
        np.testing.assert_array_equal(answer, answers[0])


# --- weights --------------------------------------------------------------------------------


def test_weights_of_a_layer():
    layer = Scale(name="scale")
    assert layer.weights == []
    with pytest.raises(ValueError, match="not built"):
        layer.count_params()
    assert_close(layer(X), 2 * X)
    assert [w.path for w in layer.weights] == ["scale/factor"]
    assert layer.factor.trainable
    layer.set_weights([np.array([1, 2, 3])])
    assert_close(layer(X), 2 * X * np.array([1, 2, 3], "float32"))
    values = layer.get_weights()
    values[0][:] = 0
    assert layer.get_weights()[0].any()


def test_set_weights_errors_change_nothing():
    layer = Dense(2, name="head")
    layer.build((None, 3))
    before = layer.get_weights()
    with pytest.raises(ValueError, match=r"head.*2 arrays.*1"):
        layer.set_weights([np.ones((3, 2))])
    with pytest.raises(ValueError, match=r"head/bias.*\(2,\).*\(3,\)"):
        layer.set_weights([np.ones((3, 2)), np.ones(3)])
    for one, two in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, two)


def test_trainable_weights_come_first():
    class Two(Layer):
        def build(self, input_shape):
            self.a = self.add_weight(shape=(1,), trainable=False, name="a")
            self.b = self.add_weight(shape=(2,), name="b")

    layer = Two()
    layer.build((None, 3))
    assert [w.name for w in layer.weights] == ["b", "a"]
    assert [w.name for w in layer.trainable_weights] == ["b"]
    assert [w.name for w in layer.non_trainable_weights] == ["a"]
    layer.trainable = False
    assert layer.trainable_weights == []
    assert [w.name for w in layer.non_trainable_weights] == ["b", "a"]
    layer.trainable = True
    assert [w.name for w in layer.trainable_weights] == ["b"]


@pytest.mark.parametrize("inputs", [[X, X], {"a": X}])
def test_a_layer_of_one_array_refuses_several(inputs):
    with pytest.raises(ValueError, match=f"expects one array.*a {type(inputs).__name__} of"):
        Dense(1)(inputs)


def test_add_weight_errors():
    layer = Scale(name="scale")
    with pytest.raises(ValueError, match="keyword"):
        layer.add_weight("kernel")
    with pytest.raises(ValueError, match="`name` must be passed as a keyword"):
        layer.add_weight("kernel", shape=(2, 3))
    with pytest.raises(ValueError, match=r"scale.*\(None, 2\)"):
        layer.add_weight(shape=(None, 2), name="w")
    with pytest.raises(ValueError, match="a weight needs"):
        layer.add_weight(shape=(None, 2))
    with pytest.raises(ValueError, match="`dtype`"):
        layer.add_weight(shape=(2,), dtype="nope", name="w")
    layer(X)
    with pytest.raises(ValueError, match="already built"):
        layer.add_weight(shape=(2,), name="late")


def test_integer_weights_start_at_zero():
    class Counter(Layer):
        def build(self, input_shape):
            self.count = self.add_weight(shape=(), dtype="int32", trainable=False, name="count")

        def call(self, inputs):
            self.count.assign_add(1)
            return inputs

    layer = Counter()
    layer(X)
    layer(X)
    assert int(layer.count) == 2
    assert layer.count.dtype == "int32"


def test_layers_in_attributes_lists_and_dicts_are_tracked():
    block = Block(name="block")
    assert block(X).shape == (2, 2)
    assert [w.path for w in block.weights] == [
        "block/dense/kernel",
        "block/dense/bias",
        "block/dense_1/kernel",
        "block/dense_1/bias",
    ]
    block.trainable = False
    assert not block.first.trainable
    assert not block.rest[0].kernel.trainable
    block.more = {"head": Scale()}
    assert len(block._sublayers) == 4
    del block.more
    assert len(block._sublayers) == 3
    block.rest = ()
    assert len(block.weights) == 2


def test_variables_in_attributes_are_tracked():
    layer = Identity()
    layer.own = coreops.Variable(np.ones(3))
    layer.own = layer.own
    assert layer.weights == [layer.own]
    del layer.own
    assert layer.weights == []


# --- losses ---------------------------------------------------------------------------------


def test_losses_are_those_of_the_last_call():
    class Costly(Layer):
        def call(self, inputs):
            self.add_loss(ops.sum(inputs))
            return inputs

    layer = Costly()
    layer(X)
    layer(X)
    assert layer.losses == [15]
    model = Sequential([Costly(), Scale(), Costly()])
    model(X)
    assert [float(loss) for loss in model.losses] == [15, 30, pytest.approx(0.03)]
    model(X[:1])
    assert [float(loss) for loss in model.losses] == [3, 6, pytest.approx(0.03)]
    with pytest.raises(ValueError, match="add_loss"):
        layer.add_loss("much")


def test_activity_regularizer_of_python_layers():
    layer = Scale(activity_regularizer="l1")
    y = layer(X)
    assert layer.losses[0] == pytest.approx(0.01 * np.abs(y).sum() / 2)
    model = Sequential([layer])
    model(X)
    assert len(model.losses) == 2


# --- subclasses -----------------------------------------------------------------------------


def test_training_reaches_the_layers_inside():
    coreops.utils.set_random_seed(1)  # with other weights no unit might be above 0
    block = Block()
    x = np.ones((50, 3), "float32")
    np.testing.assert_array_equal(block(x), block(x))
    assert not np.array_equal(block(x, training=True), block(x, training=True))
    model = Sequential([block])
    np.testing.assert_array_equal(model(x), block(x))
    assert not np.array_equal(model(x, training=True), model(x, training=True))


def test_training_argument():
    seen = []

    class Watch(Layer):
        def call(self, inputs, training=None):
            seen.append(training)
            return inputs

    class Always(Watch):
        def call(self, inputs, training=True):
            return super().call(inputs, training)

    class Outer(Layer):
        def __init__(self):
            super().__init__()
            self.inner = Watch()

        def call(self, inputs):
            return self.inner(inputs)

    Watch()(X)
    Watch()(X, training=True)
    Outer()(X, training=True)
    Always()(X)
    Always()(X, training=False)
    assert seen == [False, True, True, True, False]


def test_several_inputs_and_outputs():
    class Mix(Layer):
        def call(self, inputs, scale=1, *, shift=0):
            a, b = inputs
            return [a * scale + shift, b]

    class Pair(Layer):
        def call(self, a, b):
            return {"sum": a + b}

    first, second = Mix()([X, X], scale=3, shift=1)
    assert_close(first, 3 * X + 1)
    assert_close(second, X)
    assert_close(Pair()(X, X)["sum"], 2 * X)
    assert_close(Pair()(X, b=X)["sum"], 2 * X)


class Several(Layer):
    """The input, several times over, in a tuple, a list or a dictionary."""

    def __init__(self, kind, mask_of=None, **kwargs):
        super().__init__(**kwargs)
        self.kind = kind
        self.mask_of = mask_of
        self.supports_masking = True

    def call(self, inputs):
        pair = (inputs, 2 * inputs)
        return {"a": pair[0], "b": pair[1]} if self.kind is dict else self.kind(pair)

    def compute_mask(self, inputs, mask=None):
        return mask if self.mask_of is None else self.mask_of(mask)


@pytest.mark.parametrize("kind", [tuple, list, dict])
@pytest.mark.parametrize("batch", [2, 5])
def test_masks_of_several_outputs(kind, batch):
    x, mask = np.ones((batch, 3, 4), "float32"), np.ones((batch, 3), bool)
    for mask_of, carry in (
        (None, [True, False]),
        (lambda mask: [None, mask], [False, True]),
        (lambda mask: {"a": mask, "b": mask}, [True, True]),
    ):
        if (kind is dict) < isinstance(mask_of and mask_of(mask), dict):
            continue
        y = Several(kind, mask_of)(x, mask=mask)
        assert type(y) is kind
        outputs = list(y.values()) if kind is dict else y
        assert [coreops.backend.get_keras_mask(one) is not None for one in outputs] == carry
        assert_close(outputs[1], 2 * x)
    assert type(Several(kind)(coreops.KerasTensor((None, 3)))) is kind


def test_super_call_is_the_built_in_computation():
    class Doubled(Dense):
        def call(self, inputs):
            return 2 * super().call(inputs)

    layer = Doubled(4, activation="relu", activity_regularizer="l1")
    expected = Dense(4, activation="relu")
    expected.build((None, 3))
    layer.build((None, 3))
    expected.set_weights(layer.get_weights())
    assert_close(layer(X), 2 * expected(X))
    assert_close(Sequential([layer])(X), 2 * expected(X))
    layer(X)
    assert len(layer.losses) == 1


def test_a_subclass_may_change_build_and_options():
    class Wide(Dense):
        def build(self, input_shape):
            super().build(input_shape)
            self.extra = self.add_weight(shape=(1,), name="extra")

    layer = Wide(2)
    layer(X)
    assert [w.name for w in layer.weights] == ["kernel", "bias", "extra"]


def test_forgotten_super_init():
    class Forgetful(Layer):
        def __init__(self):
            self.size = 3

        def call(self, inputs):
            return inputs

    with pytest.raises(RuntimeError, match=r"Forgetful.*super"):
        Forgetful()(X)


def test_config_of_a_subclass():
    layer = Scale(start=3.0, name="scale", dtype="float64")
    config = layer.get_config()
    assert config["start"] == 3.0
    again = Scale.from_config(config)
    assert (again.start, again.name, again.dtype) == (3.0, "scale", "float64")

    class Odd(Layer):
        def __init__(self, table):
            super().__init__()

    with pytest.raises(NotImplementedError, match=r"Odd.*get_config"):
        Odd(np.ones(3)).get_config()


def test_output_shape_of_a_python_layer_is_found():
    assert Scale().compute_output_shape is not None
    layer = Scale()
    symbolic = layer(layers.Input((3,)))
    assert symbolic.shape == (None, 3)
    assert layer.built
    assert Block()(layers.Input((3,))).shape == (None, 2)
    with pytest.raises(NotImplementedError, match="output shape"):
        Block().compute_output_shape((None, None))


def test_symbolic_calls_build():
    layer = Dense(4)
    y = layer(layers.Input((5, 3)))
    assert y.shape == (None, 5, 4)
    assert y.dtype == "float32"
    assert layer.kernel.shape == (3, 4)
    assert layers.Flatten()(layers.Input((2, 3), dtype="int32")).dtype == "int32"
    with pytest.raises(ValueError, match="size 3"):
        layer(layers.Input((5,)))
    with pytest.raises(TypeError, match="symbolic"):
        np.asarray(y)
    fresh = Dense(2)
    assert fresh.compute_output_spec(y).shape == (None, 5, 2)
    assert not fresh.built


# --- copies, models -------------------------------------------------------------------------


def test_copies_are_independent():
    layer = Scale()
    layer(X)
    twin = copy.deepcopy(layer)
    twin.set_weights([np.zeros(3)])
    assert_close(layer(X), 2 * X)
    assert_close(twin(X), 0 * X)


def test_models_are_copied_with_their_weights():
    model = Sequential([layers.Input((3,)), Dense(4, activation="tanh"), Dropout(0.5), Dense(2)])
    y = model(X)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(twin(X), y)
        twin.set_weights([np.zeros_like(w) for w in twin.get_weights()])
        assert not twin(X).any()
    np.testing.assert_array_equal(model(X), y)


def test_a_model_of_ones_own():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.hidden = Dense(4, activation="relu")
            self.head = Dense(2)

        def call(self, inputs):
            return self.head(self.hidden(inputs))

    net = Net()
    y = net(X)
    np.testing.assert_array_equal(net.predict(X, batch_size=1, verbose=0).shape, (2, 2))
    np.testing.assert_array_equal(net.predict_on_batch(X), y)
    assert [layer.name for layer in net.layers] == ["dense", "dense_1"]
    assert len(net.weights) == 4
    assert net.get_layer("dense_1") is net.head


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (Dense(2, name="mine"), ["kernel", "bias"]),
        (layers.EinsumDense("abc,cd->abd", (4, 2), bias_axes="d", name="mine"), ["kernel", "bias"]),
        (layers.Conv1D(2, 1, name="mine"), ["kernel", "bias"]),
        (layers.SeparableConv1D(2, 1, name="mine"), ["depthwise_kernel", "pointwise_kernel"]),
        (layers.Embedding(2, 3, name="mine"), ["embeddings"]),
        (layers.LayerNormalization(name="mine"), ["gamma", "beta"]),
        (layers.PReLU(name="mine"), ["alpha"]),
    ],
)
def test_weights_are_there_once_a_layer_is_built(layer, names):
    for name in names:
        with pytest.raises(AttributeError, match=rf"'{name}'. Layer 'mine' is not built.*build\("):
            getattr(layer, name)
    layer.build((None, 4, 3))
    assert all(any(getattr(layer, name) is w for w in layer.weights) for name in names)
    assert not Dense(2, use_bias=False).__dict__.keys() & {"kernel", "bias"}


@pytest.mark.parametrize("shape", [None, (), 5, "a", (None, -1)])
def test_what_is_no_shape_to_build_for(shape):
    model = Sequential([Dense(2, name="mine")], name="mine")
    for layer in (Dense(2, name="mine"), layers.LSTM(2, name="mine"), model):
        with pytest.raises(ValueError, match=r"'mine'.*shape"):
            layer.build(shape)


def test_build_config():
    layer = Dense(2)
    assert layer.get_build_config() is None
    layer(X)
    assert layer.get_build_config() == {"input_shape": (None, 3)}
    again = Dense(2)
    again.build_from_config({"input_shape": [None, 3]})
    assert again.kernel.shape == (3, 2)


def test_get_and_deserialize():
    layer = Dense(2)
    assert layers.get(layer) is layer
    assert layers.get(None) is None
    assert isinstance(layers.get(layers.serialize(layer)), Dense)
    assert layers.deserialize({"class_name": "Dense", "config": {"units": 3}}).units == 3
    with pytest.raises(ValueError, match="Dense"):
        layers.get("Dense")
    with pytest.raises(TypeError, match="Nonsense"):
        layers.deserialize({"class_name": "Nonsense", "config": {}})


def test_a_call_that_was_only_tried_leaves_no_trace():
    """Shapes are found by trying a Python `call`: nothing has happened then."""

    class Counts(layers.Layer):
        def __init__(self):
            super().__init__()
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)
            self.size = coreops.metrics.Mean()
            self.stream = coreops.random.SeedGenerator(1)

        def call(self, x):
            self.calls.assign_add(1)
            self.size.update_state(x)
            return x + coreops.random.normal((1,), seed=self.stream)

    layer = Counts()
    model = coreops.Sequential([coreops.Input((3,)), layer])
    assert layer.compute_output_shape((None, 3)) == (None, 3)
    assert (float(layer.calls), float(layer.size.count), layer.stream.call) == (0, 0, 0)
    model(np.ones((2, 3), "float32"))
    assert (float(layer.calls), float(layer.size.count), layer.stream.call) == (1, 2, 1)


def test_a_model_that_was_only_tried_is_as_before():
    class Counts(coreops.Model):
        def __init__(self):
            super().__init__()
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.calls.assign_add(1)
            return x

    model = Counts()
    model.compile("sgd", "mse")
    model.predict(np.ones((3, 2)), batch_size=2, verbose=0)
    assert float(model.calls) == 2


@pytest.mark.parametrize("mask", [5, "a", [None], np.array([1j])], ids=str)
@pytest.mark.parametrize("layer", [Dense(2, name="d"), Identity(name="d"), layers.Add(name="d")])
def test_masks_that_are_none(layer, mask):
    several = isinstance(layer, layers.Add)
    with pytest.raises(TypeError, match=r"'d': `mask` should be an array of bools .* Received: "):
        layer([X, X], mask=[mask, None]) if several else layer(X, mask=mask)


def test_metrics_of_layers():
    class Counting(Layer):
        def __init__(self):
            super().__init__()
            self.seen = [coreops.metrics.Mean(name="mean")]
            self.inner = Dense(1)
            self.inner.tracker = coreops.metrics.Sum(name="sum")

        def call(self, x):
            return self.inner(x)

    layer = Counting()
    assert [metric.name for metric in layer.metrics] == ["mean", "sum"]
    assert len(layer.metrics_variables) == 3
    assert Dense(2).metrics == Sequential([Dense(2)]).metrics == []
    assert Sequential([layer]).metrics == layer.metrics


def test_the_states_of_random_streams_are_variables():
    model = Sequential([coreops.Input((3,)), Dense(2), Dropout(0.5, seed=4), Dropout(0.5)])
    states = [layer.seed_generator.state for layer in model.layers[1:]]
    assert [id(v) for v in model.variables] == [id(v) for v in [*model.weights, *states]]
    assert [id(v) for v in model.non_trainable_variables] == [id(v) for v in states]
    assert model.non_trainable_weights == []
    model(np.ones((2, 3), "float32"), training=True)
    assert list(states[0]) == [4, 1]


def test_containers_may_hold_themselves():
    layer = Layer()
    layer.inner = [Dense(2)]
    layer.inner.append({"all": layer.inner})
    assert layer._sublayers == layer.inner[:1]
    assert layer.metrics == []


class Told(Layer):
    """Says what it is called with."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None, other=None, times=1):
        self.told = (inputs.dtype, *(None if x is None else x.dtype for x in (mask, other)))
        return ops.repeat(inputs, times, axis=1)


def test_a_mask_may_come_by_its_place():
    layer, mask = Told(), np.array([[True, False, True]] * 2)
    np.testing.assert_array_equal(layer(X, mask)._keras_mask, mask)
    assert layer.told == (X.dtype, bool, None)
    layer(X, None, np.arange(2))
    assert layer.told == (X.dtype, None, np.int64)
    layer(X, other=np.ones(2), times=1)  # reals in keywords are cast too
    assert layer.told == (X.dtype, None, X.dtype)


def test_a_python_call_gets_each_array_in_its_type():
    """In a model too, where a plan of reals goes before it."""
    x, kinds, mask = coreops.Input((3,)), coreops.Input((3,), dtype="int32"), coreops.Input((3,))
    layer = Told()
    y = layer(layers.Activation("relu")(x), other=kinds, mask=ops.greater(mask, 0))
    model = Model([x, kinds, mask], y)
    assert layer.told == ("float32", bool, "int32")
    numbers = np.ones((2, 3), "int32")
    made = model([X, numbers, X.astype("float64")])
    assert layer.told == ("float32", bool, "int32")
    np.testing.assert_array_equal(made._keras_mask, X > 0)


def test_arrays_of_the_caller_stay_as_they_are():
    class Greedy(Layer):
        def call(self, inputs):
            inputs[1][:] = 7
            return inputs[0]

    x, kinds = coreops.Input((3,)), coreops.Input((3,), dtype="int32")
    model = Model([x, kinds], Dense(1)(Greedy()([x, kinds])))
    numbers = np.ones((2, 3), "int32")
    model([X, numbers])
    model.compile("sgd", "mse")
    model.train_on_batch([X, numbers], np.ones((2, 1)))
    assert np.all(numbers == 1)


@pytest.mark.parametrize(
    ("call", "dtype", "made"),
    [
        (lambda x: ops.one_hot(x, 5), "int32", ((None, 3, 5), "float32")),
        (lambda x: np.arange(5)[x], "int32", ((None, 3), "int64")),
        (lambda x: ops.where(x, 1.0, 2.0), "bool", ((None, 3), "float32")),
        (lambda x: x * 2, "float64", ((None, 3), "float32")),
    ],
)
def test_a_symbolic_output_has_the_type_that_comes_out(call, dtype, made):
    layer = type("Own", (Layer,), {"call": lambda self, inputs: call(inputs)})()
    y = layer(coreops.Input((3,), dtype=dtype))
    assert (y.shape, y.dtype) == made


def test_arguments_that_are_no_arrays_tell_of_the_shape():
    assert Told()(coreops.Input((3,)), times=2).shape == (None, 6)
