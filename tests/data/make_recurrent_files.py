"""Write the Keras files with recurrent layers that the loader's tests read, with real Keras.

    KERAS_BACKEND=jax JAX_ENABLE_X64=1 python tests/data/make_recurrent_files.py

Every case is a small model with random weights: ``<case>.keras`` in ``recurrent_files.zip``, whose
``expected.npz`` has the input and what Keras computes for it, ``<case>/x`` and ``<case>/y``.
"""

import io
import os
import tempfile
import zipfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_ENABLE_X64", "1")

import keras
import numpy as np
from keras import layers

TARGET = Path(__file__).resolve().parent / "recurrent_files.zip"
STEPS, FEATURES = 6, 3


def samples() -> np.ndarray:
    """(5, 6, 3), masked by 0: nothing, holes, the left, the right, and all of it."""
    x = np.random.default_rng(7).normal(size=(5, STEPS, FEATURES)).astype(np.float32)
    x[1, [1, 4]] = x[2, :3] = x[3, 4:] = x[4] = 0
    return x


def chain(*parts: layers.Layer, masking: bool = True, **options: object) -> keras.Model:
    """A Sequential of the parts, after a Masking."""
    options = options or {"shape": (STEPS, FEATURES)}
    begin = [keras.Input(**options), *([layers.Masking()] if masking else [])]
    return keras.Sequential([*begin, *parts])


def cases() -> dict[str, keras.Model]:
    """The models by name."""
    sequences = {"return_sequences": True}
    made = {
        "lstm": chain(layers.LSTM(4), layers.Dense(2)),
        "lstm_sequences": chain(layers.LSTM(4, **sequences), layers.LSTM(3, dropout=0.2)),
        "lstm_options": chain(
            layers.LSTM(
                4,
                activation="relu",
                recurrent_activation="hard_sigmoid",
                use_bias=False,
                kernel_regularizer="l2",
                recurrent_constraint="unit_norm",
                go_backwards=True,
                unroll=True,
                zero_output_for_mask=False,
                recurrent_dropout=0.3,
                seed=5,
            ),
            masking=False,
        ),
        "zero_output": chain(layers.LSTM(4, zero_output_for_mask=True, **sequences)),
        "gru": chain(layers.GRU(4), layers.Dense(2)),
        "gru_reset_before": chain(layers.GRU(4, reset_after=False, **sequences)),
        "simple_rnn": chain(layers.SimpleRNN(4, **sequences)),
        "time_distributed": chain(
            layers.GRU(4, **sequences), layers.TimeDistributed(layers.Dense(2, "softmax"))
        ),
        "time_distributed_model": chain(
            layers.TimeDistributed(layers.Reshape((3, 1))),
            layers.TimeDistributed(layers.LSTM(3)),
            masking=False,
        ),
        "stateful": chain(
            layers.LSTM(4, stateful=True), masking=False, batch_shape=(5, STEPS, FEATURES)
        ),
        "float64": keras.Sequential(
            [
                keras.Input((STEPS, FEATURES), dtype="float64"),
                layers.LSTM(4, dtype="float64", **sequences),
                layers.GRU(4, dtype="float64"),
            ]
        ),
    }
    for mode in ("concat", "sum", "mul", "ave"):
        made[f"bidirectional_{mode}"] = chain(
            layers.Bidirectional(layers.LSTM(3, **sequences), merge_mode=mode),
            layers.Bidirectional(layers.GRU(2), merge_mode=mode),
        )
    return made


def main() -> None:
    """Write the archive."""
    keras.utils.set_random_seed(3)
    rng, records = np.random.default_rng(11), {}
    with zipfile.ZipFile(TARGET, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, model in cases().items():
            model.set_weights([0.6 * rng.normal(size=w.shape) for w in model.weights])
            x = samples().astype(model.inputs[0].dtype)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"{name}.keras"
                model.save(path)
                archive.writestr(path.name, path.read_bytes())
            records[f"{name}/x"] = x
            records[f"{name}/y"] = keras.ops.convert_to_numpy(model(x, training=False))
        file = io.BytesIO()
        np.savez_compressed(file, **records)
        archive.writestr("expected.npz", file.getvalue())
    print(f"{len(records) // 2} files, {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
