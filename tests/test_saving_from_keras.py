"""`coreops.from_keras` against the live Keras model it was made from."""

import numpy as np
import pytest

import coreops

pytestmark = pytest.mark.parity


def assert_same(keras_model, x, **options):
    model = coreops.from_keras(keras_model, **options)
    wanted = np.asarray(keras_model(x))
    np.testing.assert_allclose(np.asarray(model(x)), wanted, rtol=1e-5, atol=1e-6)
    return model


@pytest.fixture
def x(rng):
    return rng.normal(size=(5, 6)).astype(np.float32)


def test_sequential(keras, x):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="gelu", kernel_regularizer="l2"),
            layers.Dropout(0.3),
            layers.Reshape((2, 4)),
            layers.PReLU("random_normal", shared_axes=[1]),
            layers.Permute((2, 1)),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ],
        name="live",
    )
    twin = assert_same(model, x)
    assert twin.name == "live"
    assert [layer.name for layer in twin.layers] == [layer.name for layer in model.layers]


def test_nested_and_functional(keras, x):
    layers = keras.layers
    inner = keras.Sequential([layers.Dense(4), layers.ReLU()])
    inputs = keras.Input((6,))
    outputs = layers.Dense(2)(inner(layers.Dense(5, "tanh")(inputs)))
    assert_same(keras.Model(inputs, outputs), x)
    chain = keras.Model(inputs, layers.Dense(3)(inputs), name="part")
    assert_same(keras.Sequential([keras.Input((6,)), chain, layers.Dense(2)]), x)


def test_subclasses(keras, x):
    class Plain(keras.Sequential):
        """Computes as any Sequential."""

    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.inner = keras.layers.Dense(2)

        def call(self, x):
            return self.inner(x)

    inner = Plain([keras.layers.Dense(3)])
    assert_same(Plain([keras.Input((6,)), inner, keras.layers.Dense(2)]), x)
    own = Own()
    own(x)
    with pytest.raises(ValueError, match="Own"):
        coreops.from_keras(own)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # Keras tries them on uninitialised memory
def test_functions_stay_live(keras, x):
    offset = 3.0
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Lambda(lambda t: t * 2 + offset),
            keras.layers.Dense(3, activation=lambda t: t * t),
            keras.layers.Activation(lambda t: -t),
            keras.layers.Lambda(keras.ops.square),
        ]
    )
    assert_same(model, x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside Keras
def test_file_of_this_keras(keras, x, tmp_path):
    """The recorded files are of one version of Keras; this one is of the version installed."""
    pytest.importorskip("h5py")
    layers = keras.layers
    inner = keras.Sequential([layers.Dense(4, "selu"), layers.Softmax()])
    model = keras.Sequential(
        [keras.Input((6,)), layers.Dense(5), inner, layers.LeakyReLU(), layers.Dense(2, "mish")]
    )
    model.save(tmp_path / "m.keras")
    twin = coreops.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(twin(x), np.asarray(model(x)), rtol=1e-5, atol=1e-6)


def test_weights_are_copies(keras, x):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    twin = coreops.from_keras(model)
    before = np.asarray(twin(x))
    model.set_weights([np.zeros((6, 2)), np.zeros(2)])
    np.testing.assert_array_equal(twin(x), before)


def test_masks_warn_as_in_keras(keras):
    layers = keras.layers
    with pytest.warns(UserWarning, match="does not support masking"):
        model = keras.Sequential(
            [keras.Input((4, 3)), layers.Masking(), layers.Flatten(), layers.Dense(2)]
        )
    with pytest.warns(UserWarning, match="does not support masking"):
        coreops.from_keras(model)(np.zeros((2, 4, 3), np.float32))


def test_unbuilt(keras):
    model = coreops.from_keras(keras.Sequential([keras.layers.Dense(2)]))
    assert not model.built


def test_unbuilt_behind_an_input(keras):
    def fails_on_small_arrays(x):
        raise NotImplementedError

    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Lambda(fails_on_small_arrays), keras.layers.Dense(2)]
    )
    with pytest.raises(ValueError, match="call it on data first"):
        coreops.from_keras(model)


def test_refusals_are_listed(keras):
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2DTranspose(2, 3, name="edges"),
            keras.layers.GroupNormalization(1, name="norm"),
            keras.layers.Flatten(),
        ]
    )
    with pytest.raises(ValueError, match=r"edges.*Conv2DTranspose") as caught:
        coreops.from_keras(model)
    assert "norm" in str(caught.value)


def test_branches(keras):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Add()([inputs, keras.layers.Dense(3)(inputs)]))
    x = np.ones((2, 3), np.float32)
    np.testing.assert_allclose(coreops.from_keras(model)(x), model(x), rtol=1e-6)


def test_not_a_model():
    with pytest.raises(TypeError, match="Keras 3 model"):
        coreops.from_keras([1, 2, 3])
