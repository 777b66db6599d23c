"""Write the Keras files that the loader's tests read, with real Keras.

    KERAS_BACKEND=jax JAX_ENABLE_X64=1 python tests/data/make_keras_files.py

Every case is one small model with random weights. It is saved as ``keras_files/<case>.keras``; its
input and what Keras itself computes for that input go to ``keras_files/expected.npz`` as
``<case>/x`` and ``<case>/y``. The tests compare with these records, so they need no Keras. A few
files on the side hold what the loader must refuse.
"""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_ENABLE_X64", "1")  # float64 models are float64 throughout

import keras
import numpy as np
from keras import constraints, initializers, layers, regularizers

TARGET = Path(__file__).resolve().parent / "keras_files"
# Without sparsemax: what Keras 3.15 gives for it does not add up to 1.
ACTIVATIONS = [
    "celu",
    "elu",
    "exponential",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "squareplus",
    "tanh",
    "tanh_shrink",
]


@keras.saving.register_keras_serializable(package="tests")
def square(x):
    """The function behind the named Lambda; a reader has to bring its own."""
    return x * x


def normal(*shape: int, seed: int = 7, scale: float = 2.0) -> np.ndarray:
    """Float32 samples that reach both sides of every activation's kinks."""
    return np.random.default_rng(seed).normal(size=shape, scale=scale).astype(np.float32)


def steps_with_gaps() -> np.ndarray:
    """(3, 6, 4): steps 2 and 4 of the first sample and all of the last sample are masked by 0."""
    x = normal(3, 6, 4)
    x[0, [2, 4]] = 0.0
    x[2] = 0.0
    return x


def activations_model() -> keras.Model:
    """One Dense per activation, chained; glu, which halves the width, comes last."""
    stack = [keras.Input((5,))]
    for name in sorted(ACTIVATIONS, key="glu".__eq__):
        stack.append(layers.Dense(6, activation=name, name=f"d_{name}"))
    return keras.Sequential(stack, name="every_dense_activation")


def one_activation(name: str) -> Callable[[], keras.Model]:
    """A model that is nothing but one activation on six features."""
    return lambda: keras.Sequential(
        [keras.Input((6,)), layers.Activation(name)], name=f"only_{name}"
    )


def options_model() -> keras.Model:
    """Every initializer, regularizer and constraint somewhere in the config."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(
                6,
                activation="tanh",
                kernel_initializer=initializers.Orthogonal(gain=0.9, seed=3),
                bias_initializer=initializers.Constant(0.1),
                kernel_regularizer=regularizers.L1L2(0.01, 0.02),
                bias_regularizer=regularizers.L2(0.03),
                activity_regularizer=regularizers.L1(0.001),
                kernel_constraint=constraints.MaxNorm(2.0, axis=0),
                bias_constraint=constraints.NonNeg(),
            ),
            layers.Dense(
                6,
                kernel_initializer=initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=1),
                kernel_regularizer=regularizers.OrthogonalRegularizer(0.01, mode="rows"),
                kernel_constraint=constraints.MinMaxNorm(0.1, 1.5, rate=0.5),
                bias_initializer="ones",
            ),
            layers.Dense(
                5, kernel_initializer="he_normal", kernel_constraint=constraints.UnitNorm()
            ),
            layers.Dense(5, kernel_initializer="lecun_uniform", kernel_regularizer="l2"),
            layers.Dense(5, kernel_initializer=initializers.RandomNormal(0.1, 0.2)),
            layers.Dense(5, kernel_initializer=initializers.TruncatedNormal(stddev=0.3)),
            layers.Dense(
                5, kernel_initializer=initializers.RandomUniform(-0.5, 0.5), use_bias=False
            ),
            layers.Dense(5, kernel_initializer=initializers.Identity(0.7)),
            layers.ActivityRegularization(l1=0.01, l2=0.02),
        ],
        name="options",
    )


def compiled_model() -> keras.Model:
    """Trained for two steps, so that the file carries optimizer slots and compile settings."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(2),
        ],
        name="compiled",
    )
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    model.fit(normal(8, 4), normal(8, 2), epochs=2, verbose=0)
    return model


def mixed_model() -> keras.Model:
    """Half-precision arithmetic in Keras, float32 weights."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation="relu", dtype="mixed_float16"),
            layers.Dense(3, activation="softmax", dtype="float32"),
        ],
        name="mixed",
    )


def float64_model() -> keras.Model:
    """float64 in every layer, weights included."""
    return keras.Sequential(
        [
            keras.Input((7, 6), dtype="float64"),
            layers.Masking(dtype="float64"),
            layers.Dense(9, activation="gelu", dtype="float64"),
            layers.PReLU(dtype="float64"),
            layers.Dense(4, activation="softmax", dtype="float64"),
        ],
        name="double",
    )


def nested_model() -> keras.Model:
    """Sequential in Sequential in Sequential; the inner ones repeat class names."""
    inner = keras.Sequential([layers.Dense(5, activation="relu"), layers.Dense(3)], name="inner")
    middle = keras.Sequential(
        [keras.Input((4,)), layers.Dense(6, "tanh"), inner, layers.ReLU()], name="middle"
    )
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(4), middle, layers.Dense(2), layers.Dense(2)], name="outer"
    )


def chain_model() -> keras.Model:
    """A functional model without branches."""
    inputs = keras.Input((6,), name="features")
    hidden = layers.Dense(5, activation="relu", name="first")(inputs)
    hidden = layers.Dropout(0.5)(hidden)
    return keras.Model(
        inputs, layers.Dense(3, activation="sigmoid", name="second")(hidden), name="chain"
    )


def seq(
    *parts: object, shape: tuple, name: str, dtype: str | None = None
) -> Callable[[], keras.Model]:
    """A function that builds Sequential([Input(shape), *parts])."""
    return lambda: keras.Sequential([keras.Input(shape, dtype=dtype), *parts], name=name)


def cases() -> dict[str, tuple[Callable[[], keras.Model], np.ndarray]]:
    """Case name -> (how to build the model, its input)."""
    image = normal(2, 3, 4, 5)
    table = {
        "dense_activations": (activations_model, normal(9, 5)),
        "dense_rank3": (
            seq(layers.Dense(5, "relu"), layers.Dense(2), shape=(4, 3), name="rank3"),
            normal(3, 4, 3),
        ),
        "dense_rank4": (
            seq(layers.Dense(4, "softmax"), shape=(2, 3, 5), name="rank4"),
            normal(2, 2, 3, 5),
        ),
        "dense_no_bias": (
            seq(layers.Dense(7, use_bias=False), shape=(3,), name="no_bias"),
            normal(5, 3),
        ),
        "dense_any_length": (
            seq(layers.Dense(3, "elu"), shape=(None, 4), name="any_length"),
            normal(2, 5, 4),
        ),
        "mixed_float16": (mixed_model, normal(9, 6, scale=1.0)),
        "bfloat16": (
            seq(layers.Dense(3, "tanh", dtype="bfloat16"), shape=(4,), name="brain"),
            normal(5, 4, scale=1.0),
        ),
        "float64": (float64_model, normal(3, 7, 6).astype(np.float64)),
        "masking": (
            seq(
                layers.Masking(0.0),
                layers.Dense(5, "tanh"),
                layers.Activation("relu"),
                layers.Activation("softmax"),
                shape=(6, 4),
                name="masking",
            ),
            steps_with_gaps(),
        ),
        "masking_then_flatten": (
            seq(
                layers.Masking(0.0),
                layers.Dense(3),
                layers.Flatten(),
                layers.Dense(2),
                shape=(6, 4),
                name="drop",
            ),
            steps_with_gaps(),
        ),
        "flatten": (seq(layers.Flatten(), layers.Dense(3), shape=(3, 4, 5), name="flat"), image),
        "flatten_channels_first": (
            seq(layers.Flatten("channels_first"), shape=(3, 4, 5), name="flat_cf"),
            image,
        ),
        "reshape": (
            seq(
                layers.Reshape((3, 4)),
                layers.Reshape((6, 2)),
                layers.Reshape((-1, 2, 2)),
                shape=(12,),
                name="reshape",
            ),
            normal(4, 12),
        ),
        "permute": (
            seq(layers.Permute((3, 1, 2)), layers.Dense(3), shape=(3, 4, 5), name="permute"),
            image,
        ),
        "repeat_vector": (
            seq(layers.Dense(4), layers.RepeatVector(3), shape=(5,), name="repeat"),
            normal(4, 5),
        ),
        "dropout": (
            seq(
                layers.Dropout(0.5, noise_shape=(None, 1, 4), seed=11),
                layers.Dropout(0.0),
                layers.Dense(2),
                shape=(3, 4),
                name="dropout",
            ),
            normal(2, 3, 4),
        ),
        "prelu": (
            seq(
                layers.PReLU(alpha_initializer="random_normal", shared_axes=[1, 2]),
                layers.PReLU(initializers.RandomUniform(0.0, 0.9), shared_axes=[3]),
                layers.PReLU("ones", alpha_regularizer="l2", alpha_constraint="non_neg"),
                shape=(3, 4, 5),
                name="prelu",
            ),
            image,
        ),
        "softmax_axis": (
            seq(
                layers.Softmax(axis=1),
                layers.Softmax(axis=(1, 2)),
                layers.Softmax(),
                shape=(3, 4),
                name="softmax",
            ),
            normal(2, 3, 4),
        ),
        "relu_options": (
            seq(
                layers.ReLU(negative_slope=0.2),
                layers.ReLU(max_value=2.5, negative_slope=0.1, threshold=0.5),
                layers.ReLU(threshold=0.3),
                layers.ReLU(max_value=1.5),
                shape=(6,),
                name="relu_options",
            ),
            normal(9, 6),
        ),
        "leaky_and_elu": (
            seq(
                layers.LeakyReLU(0.1),
                layers.LeakyReLU(),
                layers.ELU(0.5),
                layers.ELU(),
                shape=(6,),
                name="leaky",
            ),
            normal(9, 6),
        ),
        "options": (options_model, normal(9, 6)),
        "integers": (
            seq(
                layers.Reshape((2, 6)),
                layers.Permute((2, 1)),
                layers.Flatten(),
                layers.ReLU(),
                layers.RepeatVector(2),
                shape=(12,),
                name="integers",
                dtype="int32",
            ),
            np.arange(-12, 24, dtype=np.int32).reshape(3, 12),
        ),
        "compiled": (compiled_model, normal(9, 4)),
        "nested": (nested_model, normal(9, 4)),
        "chain": (chain_model, normal(9, 6)),
        "many_dense": (
            seq(*[layers.Dense(3, name=f"step_{i}") for i in range(12)], shape=(3,), name="many"),
            normal(5, 3),
        ),
        "names": (
            seq(
                layers.Dense(3, name="größe 出力"),
                layers.Activation("tanh", name="a.b:c"),
                shape=(4,),
                name="модель",
            ),
            normal(5, 4),
        ),
        "lambda_named": (
            seq(
                layers.Dense(4),
                layers.Lambda(square, name="squared"),
                layers.Dense(2),
                shape=(3,),
                name="lambda",
            ),
            normal(5, 3),
        ),
        "unbuilt": (
            lambda: keras.Sequential([layers.Dense(3, "relu"), layers.Dense(2)], name="unbuilt"),
            normal(5, 4),
        ),
        "built_by_call": (
            lambda: keras.Sequential(
                [layers.Flatten(), layers.Dense(3), layers.Dense(2)], name="by_call"
            ),
            normal(5, 4, 2),
        ),
        "special_weights": (seq(layers.Dense(3), shape=(3,), name="special"), normal(4, 3)),
    }
    table |= {f"activation_{name}": (one_activation(name), normal(9, 6)) for name in ACTIVATIONS}
    return table


def randomize(model: keras.Model, seed: int) -> None:
    """Biases and slopes away from their zeros, at a scale that keeps long chains alive."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [rng.normal(size=w.shape, scale=0.6).astype(w.dtype) for w in model.get_weights()]
    )


def strip_keys(source: Path, target: Path) -> None:
    """A file as early Keras 3 wrote it: keys that came later are missing from the config."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as stripped:
        for member in archive.namelist():
            data = archive.read(member)
            if member == "config.json":
                for late in (
                    b', "quantization_config": null',
                    b', "optional": false',
                    b', "ragged": false',
                    b', "input_axes": null, "output_axes": null',
                ):
                    assert late in data, late
                    data = data.replace(late, b"")
            stripped.writestr(member, data)


def write_refused() -> None:
    """Honest Keras files that need what coreops does not have, or code that it will not run."""
    keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2DTranspose(2, 3, name="edges"),
            layers.Reshape((10, 20)),
            layers.GroupNormalization(4, name="memory"),
            layers.Dense(2),
        ],
        name="unsupported",
    ).save(TARGET / "refused_layers.keras")
    plus_one = eval(compile("lambda x: x + 1", "<anonymous>", "eval"))  # no source path in the file
    keras.Sequential(
        [keras.Input((3,)), layers.Lambda(plus_one, name="plus_one")], name="anonymous"
    ).save(TARGET / "refused_lambda.keras")


def main() -> None:
    """Write all cases, the records, and the refused files."""
    TARGET.mkdir(exist_ok=True)
    for old in TARGET.iterdir():
        old.unlink()
    records = {}
    for index, (name, (build, x)) in enumerate(cases().items()):
        keras.utils.clear_session()
        keras.utils.set_random_seed(index)
        model = build()
        if name == "unbuilt":
            model.save(TARGET / f"{name}.keras")
            continue
        if not model.built:
            model(x)
        randomize(model, index)
        if name == "special_weights":
            kernel = np.array([[np.nan, 0, 1], [0, np.inf, 1], [0, 0, -np.inf]], np.float32)
            model.set_weights([kernel, np.zeros(3, np.float32)])
        y = keras.ops.convert_to_numpy(model(x, training=False))
        if y.dtype.name == "bfloat16":  # which NumPy's files do not know
            y = y.astype(np.float32)
        model.save(TARGET / f"{name}.keras")
        records[f"{name}/x"], records[f"{name}/y"] = x, y
        if name in ("nested", "compiled", "dense_rank3"):
            model.save_weights(TARGET / f"{name}.weights.h5")
    np.savez_compressed(TARGET / "expected.npz", **records)
    strip_keys(TARGET / "compiled.keras", TARGET / "old_keys.keras")
    write_refused()
    total = sum(path.stat().st_size for path in TARGET.iterdir())
    print(f"{len(list(TARGET.iterdir()))} files, {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
