"""Write the files of Keras 2 that the loader's tests read, with tf_keras on TensorFlow.

    python tests/data/make_legacy_files.py

Every case is one small model with random weights, saved in three ways: as a whole-model
``<case>.h5``, as ``<case>.keras`` in the form of Keras 2, and, in a few cases, as a weights-only
``<case>.weights-only.h5``. They are members of ``legacy_files.zip``, since most of an HDF5 file
this small is padding. Beside them stands ``expected.npz`` with the inputs, ``<case>/x0``,
``<case>/x1``, ..., and what Keras 2 itself computed for them, ``<case>/y0``, .... The tests need no
TensorFlow.
"""

import io
import os
import tempfile
import warnings
import zipfile
from pathlib import Path

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tf_keras as keras
from tf_keras import layers

TARGET = Path(__file__).resolve().parent / "legacy_files.zip"
WEIGHTS_ONLY = ("dense", "nested", "lstm", "normalized", "branches")
CASES = {}


def case(make):
    """Enter a function that returns a model, or a model and its inputs."""
    CASES[make.__name__] = make
    return make


def normal(*shape, seed=7):
    return np.random.default_rng(seed).normal(size=shape, scale=2.0).astype(np.float32)


def gaps():
    """(3, 6, 4): steps 2 and 4 of the first sample and all of the last sample are masked by 0."""
    x = normal(3, 6, 4)
    x[0, [2, 4]] = 0.0
    x[2] = 0.0
    return x


def square(x):
    """The function behind the Lambda; a reader has to bring its own."""
    return x * x


def chain(shape, *stack):
    return keras.Sequential([keras.Input(shape), *stack])


# --- layers without state in time ---
@case
def dense():
    """Compiled and trained, so that the file has optimizer slots."""
    model = chain(
        (4,),
        layers.Dense(5, activation="relu", kernel_regularizer="l2", bias_constraint="non_neg"),
        layers.Dropout(0.2),
        layers.Dense(2, activation="softmax"),
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    model.fit(normal(8, 4), np.eye(2)[np.arange(8) % 2], batch_size=4, verbose=0)
    return model


@case
def losses_as_objects():
    model = chain((4,), layers.Dense(3))
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(), "mae"],
    )
    model.fit(normal(8, 4), np.arange(8) % 3, batch_size=4, verbose=0)
    return model


@case
def legacy_optimizer():
    model = chain((4,), layers.Dense(3))
    model.compile(keras.optimizers.legacy.Adam(0.01, decay=0.001), "mse")
    model.fit(normal(8, 4), normal(8, 3), batch_size=4, verbose=0)
    return model


@case
def hard_sigmoid():
    return chain(
        (4,), layers.Dense(5, activation="hard_sigmoid"), layers.Activation("hard_sigmoid")
    )


@case
def activations():
    return chain(
        (6,),
        layers.Dense(6, activation="swish"),
        layers.LeakyReLU(alpha=0.1),
        layers.Dense(6, activation="gelu"),
        layers.ELU(0.5),
        layers.PReLU(alpha_initializer="random_normal"),
        layers.ReLU(max_value=4.0, negative_slope=0.1),
        layers.Dense(6, activation="selu"),
        layers.Softmax(),
    )


@case
def first_layer_has_the_shape():
    return keras.Sequential([layers.Dense(3, input_shape=(5, 4)), layers.Dense(2)])


@case
def without_input():
    model = keras.Sequential([layers.Dense(3), layers.Dense(2)])
    model(normal(2, 4))
    return model, [normal(3, 4)]


@case
def shapes():
    return chain(
        (4, 6),
        layers.Permute((2, 1)),
        layers.Reshape((3, -1)),
        layers.Flatten(),
        layers.RepeatVector(2),
        layers.ActivityRegularization(l1=0.01),
        layers.Dense(3),
    )


@case
def nested():
    inner = keras.Sequential([layers.Dense(4, "tanh"), layers.PReLU()], name="inner")
    return chain((5,), layers.Dense(3), inner, keras.Sequential([layers.Dense(2)]))


@case
def named_lambda():
    return chain((4,), layers.Dense(3), layers.Lambda(square, name="squared"))


@case
def float64():
    stack = [layers.Dense(3, "tanh", dtype="float64"), layers.Dense(2, dtype="float64")]
    model = keras.Sequential([keras.Input((4,), dtype="float64"), *stack])
    return model, [np.random.default_rng(3).normal(size=(5, 4))]


@case
def masking():
    model = chain((6, 4), layers.Masking(), layers.Dense(3, "relu"))
    return model, [gaps()]


# --- sequences ---
@case
def lstm():
    model = chain((6, 4), layers.Masking(), layers.LSTM(5, return_sequences=True), layers.LSTM(3))
    return model, [gaps()]


@case
def lstm_options():
    return chain(
        (6, 4),
        layers.LSTM(
            5,
            activation="relu",
            recurrent_activation="hard_sigmoid",
            use_bias=False,
            unit_forget_bias=False,
            go_backwards=True,
            kernel_regularizer="l2",
            recurrent_constraint="max_norm",
            dropout=0.1,
            recurrent_dropout=0.2,
            implementation=1,
            return_sequences=True,
        ),
    )


@case
def gru():
    model = chain(
        (6, 4),
        layers.Masking(),
        layers.GRU(5, return_sequences=True),
        layers.GRU(3, reset_after=False, recurrent_activation="hard_sigmoid"),
    )
    return model, [gaps()]


@case
def simple_rnn():
    model = chain((6, 4), layers.Masking(), layers.SimpleRNN(5))
    return model, [gaps()]


@case
def wrapped():
    model = chain(
        (6, 4),
        layers.Masking(),
        layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
        layers.Bidirectional(layers.GRU(2, return_sequences=True), merge_mode="sum"),
        layers.TimeDistributed(layers.Dense(3, "tanh")),
    )
    return model, [gaps()]


@case
def stateful():
    model = keras.Sequential(
        [layers.LSTM(3, stateful=True, batch_input_shape=(2, 4, 3)), layers.Dense(2)]
    )
    return model, [normal(2, 4, 3)]


@case
def embedding():
    model = keras.Sequential(
        [layers.Embedding(10, 4, mask_zero=True, input_length=5), layers.LSTM(3)]
    )
    x = np.array([[1, 2, 0, 3, 0], [4, 9, 5, 6, 7], [0, 0, 0, 0, 0]], np.int32)
    return model, [x]


# --- images ---
@case
def convolution():
    return chain(
        (9, 8, 3),
        layers.ZeroPadding2D(1),
        layers.Conv2D(4, 3, strides=2, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(2, padding="same"),
        layers.Conv2D(3, (2, 1), padding="same", use_bias=False),
        layers.SpatialDropout2D(0.2),
        layers.UpSampling2D(2),
        layers.AveragePooling2D(2),
        layers.GlobalAveragePooling2D(),
    )


@case
def separable():
    return chain(
        (8, 8, 4),
        layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
        layers.SeparableConv2D(3, 3, activation="relu"),
        layers.Conv2D(4, 3, dilation_rate=2, padding="same"),
        layers.Flatten(),
        layers.Dense(2),
    )


@case
def signal():
    return chain(
        (12, 3),
        layers.Conv1D(4, 3, padding="causal"),
        layers.MaxPooling1D(2),
        layers.Conv1D(4, 2, groups=2),
        layers.AveragePooling1D(2, strides=1),
        layers.GlobalMaxPooling1D(),
    )


@case
def normalized():
    """Two normalizations, one of them frozen: the order of weights is by kind, then by layer."""
    inner = keras.Sequential(
        [
            layers.Dense(4),
            layers.BatchNormalization(trainable=False),
            layers.Dense(3),
            layers.BatchNormalization(center=False),
        ]
    )
    return chain((5,), inner, layers.LayerNormalization(), layers.GaussianNoise(0.1))


# --- graphs ---
@case
def functional_chain():
    x = keras.Input((5,), name="in")
    return keras.Model(x, layers.Dense(2)(layers.Dense(4, "relu")(x)), name="chain")


@case
def branches():
    x = keras.Input((5,))
    a, b = layers.Dense(4, "relu")(x), layers.Dense(4, "tanh")(x)
    joined = layers.Concatenate()([layers.Add()([a, b]), layers.Multiply()([a, b])])
    return keras.Model(x, layers.Dense(2)(joined))


@case
def shared():
    """One layer called twice, two inputs, two outputs."""
    x, y = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    both = layers.Dense(3, "tanh", name="both")
    a, b = both(x), both(y)
    dot = layers.Dot(1)([a, b])
    model = keras.Model([x, y], [layers.Subtract()([a, b]), dot])
    return model, [normal(3, 4), normal(3, 4, seed=8)]


@case
def initial_state():
    """Tensors among the keyword arguments of a call."""
    x, state = keras.Input((6, 4)), keras.Input((3,))
    y = layers.GRU(3)(layers.Masking()(x), initial_state=state)
    return keras.Model([x, state], layers.Dense(2)(y)), [gaps(), normal(3, 3)]


@case
def model_in_model():
    x = keras.Input((5,))
    inner = keras.Model(x, layers.Dense(3)(x), name="part")
    twice = layers.Average()([inner(x), inner(layers.Dense(5)(x))])
    return keras.Model(x, twice)


def randomize(model):
    rng = np.random.default_rng(11)
    for variable in model.weights:
        value = rng.normal(size=variable.shape, scale=0.5)
        variable.assign(np.abs(value) if "variance" in variable.name else value)


def main():
    expected, files = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name, make in CASES.items():
            keras.backend.clear_session()
            keras.utils.set_random_seed(1)
            made = make()
            model, inputs = made if isinstance(made, tuple) else (made, None)
            if inputs is None:
                inputs = [normal(3, *model.input_shape[1:])]
            if model.optimizer is None:
                randomize(model)
            outputs = model(inputs[0] if len(inputs) == 1 else inputs)
            outputs = outputs if isinstance(outputs, list) else [outputs]
            for kind, arrays in (("x", inputs), ("y", outputs)):
                for index, array in enumerate(arrays):
                    expected[f"{name}/{kind}{index}"] = np.asarray(array)
            names = [f"{name}.h5", f"{name}.keras"]
            for file in names:
                model.save(Path(folder) / file)
            if name in WEIGHTS_ONLY:
                names.append(f"{name}.weights-only.h5")
                model.save_weights(Path(folder) / names[-1])
            files |= {file: (Path(folder) / file).read_bytes() for file in names}
    buffer = io.BytesIO()
    np.savez(buffer, **expected)
    files["expected.npz"] = buffer.getvalue()
    with zipfile.ZipFile(TARGET, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED, 9)
    print(f"{len(files)} members, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
