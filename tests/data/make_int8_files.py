"""Write the quantized Keras files that the loader's tests read, with real Keras 3.15 or newer.

    KERAS_BACKEND=numpy python tests/data/make_int8_files.py

Every case is one small model with random weights, quantized by Keras and saved as
``int8_files/<case>.keras``; its input and what Keras itself computes for that input go to
``int8_files/expected.npz`` as ``<case>/x`` and ``<case>/y``. Keras' NumPy backend multiplies the
integers exactly and rounds every other operation by itself. Two files on the side are quantized as
coreops cannot.
"""

import os
import warnings
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "numpy")

import keras
import numpy as np
from keras import layers, quantizers

TARGET = Path(__file__).resolve().parent / "int8_files"


def stack(*parts, width=11, dtype=None) -> keras.Model:
    """A Sequential of the parts on samples of that width."""
    return keras.Sequential([keras.Input((width,), dtype=dtype), *parts], name="int8")


def mlp() -> keras.Model:
    """Relu, no bias, layers without an int8 form, a Sequential inside, softmax at the end."""
    inner = keras.Sequential([layers.Dense(9, use_bias=False), layers.Dense(7)], name="inner")
    return stack(
        layers.Dense(13, activation="relu"),
        layers.Dropout(0.3),
        inner,
        layers.Activation("tanh"),
        layers.Dense(4, activation="softmax"),
    )


def config(**keywords) -> quantizers.Int8QuantizationConfig:
    """An int8 config that is not the default."""
    return quantizers.Int8QuantizationConfig(**keywords)


def cases() -> dict:
    """Name -> (model, what to quantize it with, the input's shape)."""
    return {
        "mlp": (mlp(), {"mode": "int8"}, (6, 11)),
        "float64": (
            stack(layers.Dense(5, dtype="float64"), dtype="float64"),
            {"mode": "int8"},
            (3, 11),
        ),
        "sequence": (
            keras.Sequential([keras.Input((4, 6)), layers.Dense(5, activation="relu")]),
            {"mode": "int8"},
            (3, 4, 6),
        ),
        "some": (
            stack(layers.Dense(5, name="first"), layers.Dense(5, name="second")),
            {"mode": "int8", "filters": "second"},
            (3, 11),
        ),
        "weights_only": (
            stack(layers.Dense(8), layers.Dense(3)),
            {"config": config(activation_quantizer=None)},
            (5, 11),
        ),
        "narrow": (
            stack(layers.Dense(8, activation="relu"), layers.Dense(3)),
            {
                "config": config(
                    weight_quantizer=quantizers.AbsMaxQuantizer(axis=0, value_range=(-128, 127)),
                    activation_quantizer=quantizers.AbsMaxQuantizer(value_range=(-31, 31)),
                )
            },
            (5, 11),
        ),
    }


def without_config(source: Path, target: Path) -> None:
    """A file as Keras wrote it before layers kept their quantization config."""
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as stripped:
        for member in archive.namelist():
            data = archive.read(member)
            if member == "config.json":
                text = data.decode()
                while (start := text.find(', "quantization_config": {')) >= 0:
                    end = text.index("{", start) + 1
                    while text.count("{", start, end) > text.count("}", start, end):
                        end += 1
                    text = text[:start] + text[end:]
                data = text.encode()
            stripped.writestr(member, data)


def main() -> None:
    """Write all cases, the records, and the refused files."""
    warnings.simplefilter("ignore")
    TARGET.mkdir(exist_ok=True)
    for old in TARGET.iterdir():
        old.unlink()
    records = {}
    for index, (name, (model, how, shape)) in enumerate(cases().items()):
        rng = np.random.default_rng(index)
        model.set_weights(
            [rng.normal(size=w.shape, scale=0.6).astype(w.dtype) for w in model.weights]
        )
        model.quantize(**how)
        x = rng.normal(size=shape, scale=2.0).astype(model.inputs[0].dtype)
        model.save(TARGET / f"{name}.keras")
        records[f"{name}/x"], records[f"{name}/y"] = x, np.asarray(model(x))
    np.savez_compressed(TARGET / "expected.npz", **records)
    cases()["mlp"][0].save(TARGET / "plain.keras")
    keras.saving.load_model(TARGET / "mlp.keras").save_weights(TARGET / "mlp.weights.h5")
    without_config(TARGET / "mlp.keras", TARGET / "older.keras")
    for mode in ("int4", "float8"):
        refused = stack(layers.Dense(2, name="dense"), width=3)
        refused.quantize(mode)
        refused.save(TARGET / f"refused_{mode}.keras")


if __name__ == "__main__":
    main()
