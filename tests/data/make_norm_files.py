"""Write the Keras files with normalisation, embeddings, noise and global pooling, with real Keras.

    KERAS_BACKEND=jax python tests/data/make_norm_files.py

Every case is a small model with weights away from their initial values, saved as
``norm_files/<case>.keras``. Its input and what Keras computes for it go to
``norm_files/expected.npz`` as ``<case>/x`` and ``<case>/y``; for those that are trained also the
targets (``t``), the losses of twenty steps (``losses``) and the weights after them (``0``, ``1``,
...). The tests compare with these records, so they need no Keras.
"""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers

TARGET = Path(__file__).resolve().parent / "norm_files"


def steps() -> np.ndarray:
    """(12, 6, 4), with masked steps."""
    x = np.random.default_rng(7).normal(size=(12, 6, 4)).astype(np.float32)
    x[0, 2] = x[3, 3:] = 0
    return x


def words() -> np.ndarray:
    """(12, 6) numbers of which 0 is no word; every row has one that is."""
    x = np.random.default_rng(8).integers(0, 12, (12, 6)).astype(np.int32)
    x[:, 0] = 5
    return x


def images() -> np.ndarray:
    return np.random.default_rng(9).integers(0, 256, (3, 5, 6, 3)).astype(np.uint8)


def adapted(**kwargs) -> layers.Layer:
    layer = layers.Normalization(**kwargs)
    layer.adapt(3 * steps() + 2)
    return layer


TRAINED = {
    "mlp": lambda: [
        layers.Input((6, 4)),
        adapted(),
        layers.Flatten(),
        layers.Dense(16),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Dense(8, "relu"),
        layers.BatchNormalization(momentum=0.9, beta_regularizer="l2"),
        layers.Dense(2),
    ],
    "steps": lambda: [
        layers.Input((6, 4)),
        layers.Masking(),
        layers.Dense(8),
        layers.BatchNormalization(),
        layers.LayerNormalization(),
        layers.GlobalAveragePooling1D(),
        layers.Dense(2),
    ],
    "other_axis": lambda: [
        layers.Input((6, 4)),
        layers.Dense(5),
        layers.BatchNormalization(axis=1, epsilon=0.01),
        layers.LayerNormalization(axis=1, center=False),
        layers.GlobalMaxPooling1D(data_format="channels_first"),
        layers.Dense(2),
    ],
    "renorm": lambda: [
        layers.Input((6, 4)),
        layers.Flatten(),
        layers.Dense(8),
        layers.BatchNormalization(
            renorm=True, momentum=0.7, renorm_clipping={"rmax": 1.5, "rmin": 0.6, "dmax": 0.3}
        ),
        layers.Dense(2),
    ],
    "text": lambda: [
        layers.Input((6,), dtype="int32"),
        layers.Embedding(12, 5, mask_zero=True),
        layers.GlobalAveragePooling1D(),
        layers.Dense(2),
    ],
    "text_of_floats": lambda: [
        layers.Input((6,)),
        layers.Embedding(12, 5, embeddings_regularizer="l2"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(2),
    ],
    "heads": lambda: [
        layers.Input((6, 4)),
        layers.EinsumDense("abc,cde->abde", (6, 3, 2), bias_axes="de", activation="tanh"),
        layers.EinsumDense("abde,dec->abc", (6, 4), bias_axes="c"),
        layers.LayerNormalization(axis=[1, 2]),
        layers.GlobalMaxPooling1D(),
        layers.Dense(2),
    ],
}
PREDICTED = {
    "images": lambda: [
        layers.Input((5, 6, 3), dtype="uint8"),
        layers.Rescaling(1 / 127.5, offset=-1),
        adapted_to_images(),
        layers.SpatialDropout2D(0.2),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(keepdims=True),
    ],
    "noises": lambda: [
        layers.Input((6, 4)),
        layers.GaussianNoise(0.1),
        layers.Dense(5, "selu"),
        layers.AlphaDropout(0.2),
        layers.GaussianDropout(0.2),
        layers.SpatialDropout1D(0.2),
        layers.BatchNormalization(scale=False),
        layers.EinsumDense("...x,xy->...y", 3, bias_axes="y"),
        layers.BatchNormalization(center=False),
    ],
    "inverted": lambda: [
        layers.Input((6, 4)),
        adapted(axis=(1, 2), invert=True),
        layers.Rescaling([1.0, 2.0, 3.0, 4.0]),
        layers.Normalization(axis=-1, mean=[0.0, 1.0, 2.0, 3.0], variance=[1.0, 2.0, 3.0, 4.0]),
        layers.Normalization(axis=None, mean=0.5, variance=2.0),
    ],
}


def adapted_to_images() -> layers.Layer:
    layer = layers.Normalization()
    layer.adapt(images() / 127.5 - 1)
    return layer


def shaken(model: keras.Model) -> keras.Model:
    """The model with weights that are not those it began with; variances stay positive."""
    rng = np.random.default_rng(3)
    for weight in model.weights:
        if weight.dtype == "float32" and weight.path.split("/")[-2][:13] != "normalization":
            weight.assign(weight + rng.uniform(0.1, 0.4, weight.shape))
    return model


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    out = {}
    for name, stack in {**TRAINED, **PREDICTED}.items():
        keras.utils.set_random_seed(5)
        model = shaken(keras.Sequential(stack(), name=name))
        x = words() if name.startswith("text") else images() if name == "images" else steps()
        out[name + "/x"], out[name + "/y"] = x, model.predict(x, verbose=0)
        if name in TRAINED:
            t = np.random.default_rng(4).normal(size=(len(x), 2)).astype(np.float32)
            model.compile(keras.optimizers.SGD(0.05, momentum=0.5), "mse")
            model.save(TARGET / f"{name}.keras")
            out[name + "/t"] = t
            out[name + "/losses"] = [float(model.train_on_batch(x, t)) for _ in range(20)]
            for i, weight in enumerate(model.get_weights()):
                out[f"{name}/{i}"] = weight
        else:
            model.save(TARGET / f"{name}.keras")
    np.savez_compressed(TARGET / "expected.npz", **out)


if __name__ == "__main__":
    main()
