"""Write the Keras files with layers of images that the loader's tests read, with real Keras.

    KERAS_BACKEND=jax python tests/data/make_image_files.py

Every case is a small model with random weights: ``<case>.keras`` in ``image_files.zip``, whose
``expected.npz`` has the input and what Keras computes for it, ``<case>/x`` and ``<case>/y``.
"""

import io
import os
import tempfile
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers

TARGET = Path(__file__).resolve().parent / "image_files.zip"


def chain(shape: tuple[int, ...], *parts: layers.Layer) -> keras.Model:
    """A Sequential of the parts on samples of that shape."""
    return keras.Sequential([keras.Input(shape), *parts])


def cases() -> dict[str, keras.Model]:
    """The models by name."""
    return {
        "plain": chain(
            (16, 16, 3),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(16, 3, padding="same", activation="relu", kernel_regularizer="l2"),
            layers.MaxPooling2D(),
            layers.Conv2D(8, (3, 2), strides=2, use_bias=False, kernel_constraint="max_norm"),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ),
        "groups_and_dilation": chain(
            (9, 11, 6),
            layers.Conv2D(9, 3, groups=3, padding="same", activation="silu"),
            layers.Conv2D(4, 3, dilation_rate=(2, 1)),
            layers.AveragePooling2D((2, 3), strides=1, padding="same"),
        ),
        "separable": chain(
            (12, 12, 4),
            layers.ZeroPadding2D(((1, 0), (2, 1))),
            layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2, activation="relu6"),
            layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2),
            layers.UpSampling2D((2, 1)),
            layers.UpSampling2D(2, interpolation="bilinear"),
        ),
        "channels_first": chain(
            (3, 10, 8),
            layers.Conv2D(6, 3, data_format="channels_first", activation="tanh"),
            layers.MaxPooling2D(2, data_format="channels_first"),
            layers.Conv2D(4, 2, data_format="channels_first"),
            layers.Flatten(data_format="channels_first"),
        ),
        "sequences": chain(
            (20, 4),
            layers.ZeroPadding1D((0, 2)),
            layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu"),
            layers.MaxPooling1D(2),
            layers.SeparableConv1D(5, 3, activation="relu"),
            layers.DepthwiseConv1D(2, padding="same"),
            layers.UpSampling1D(3),
            layers.AveragePooling1D(2, padding="same"),
        ),
    }


def main() -> None:
    """Write the archive."""
    rng = np.random.default_rng(11)
    expected = {}
    with zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, model in cases().items():
            for variable in model.weights:
                value = rng.normal(size=variable.shape) / np.sqrt(np.prod(variable.shape[:-1]))
                variable.assign(value.astype(np.float32))
            x = rng.normal(size=(2, *model.input_shape[1:])).astype(np.float32)
            expected[f"{name}/x"], expected[f"{name}/y"] = x, np.asarray(model(x))
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"{name}.keras"
                model.save(path)
                archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes())
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **expected)
        archive.writestr(zipfile.ZipInfo("expected.npz"), buffer.getvalue())


if __name__ == "__main__":
    main()
