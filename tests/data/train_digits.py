"""Train the digits classifier that `coreops demo` ships, with real Keras.

    KERAS_BACKEND=jax python tests/data/train_digits.py

Writes two files into coreops/data:

digits.keras
    A Keras 3 file, float32: 64 inputs, Dense 128 relu, Dropout, Dense 64 relu, Dropout, Dense 10
    softmax.
digits.npz
    The held-out quarter of the data, which training never saw:
    ``images`` (450, 64) uint8, grey levels 0..16; ``labels`` (450,) uint8;
    ``probabilities`` (450, 10) float32, what Keras itself predicted for ``images / 16``.

The data are the 1,797 handwritten digits that scikit-learn carries (E. Alpaydin and C. Kaynak,
"Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, CC BY 4.0).
"""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 20
EPOCHS = 120
TARGET = Path(__file__).resolve().parents[2] / "coreops" / "data"


def build() -> keras.Sequential:
    """The classifier, untrained; its layer names are those that the demo's table prints."""
    return keras.Sequential(
        [
            keras.Input((64,), name="pixels"),
            layers.Dense(128, activation="relu", name="hidden_1"),
            layers.Dropout(0.3, name="dropout_1"),
            layers.Dense(64, activation="relu", name="hidden_2"),
            layers.Dropout(0.3, name="dropout_2"),
            layers.Dense(10, activation="softmax", name="digit"),
        ],
        name="digits",
    )


def main() -> None:
    """Train, check the held-out accuracy, write both files."""
    keras.utils.set_random_seed(SEED)
    images, labels = load_digits(return_X_y=True)
    images = images.astype(np.uint8)
    assert images.max() == 16, "grey levels are 0..16"
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels.astype(np.uint8), test_size=450, random_state=SEED, stratify=labels
    )

    trained = build()
    trained.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    trained.fit(train_x / np.float32(16), train_y, batch_size=32, epochs=EPOCHS, verbose=0)

    model = build()  # a copy that was never compiled: the file then holds no optimizer state
    model.set_weights(trained.get_weights())
    probabilities = np.asarray(model.predict(test_x / np.float32(16), batch_size=450, verbose=0))
    accuracy = float(np.mean(probabilities.argmax(axis=1) == test_y))
    print(f"held-out accuracy {accuracy:.4f} on {len(test_y)} samples")
    assert accuracy >= 0.97

    TARGET.mkdir(exist_ok=True)
    model.save(TARGET / "digits.keras")
    np.savez_compressed(
        TARGET / "digits.npz", images=test_x, labels=test_y, probabilities=probabilities
    )


if __name__ == "__main__":
    main()
