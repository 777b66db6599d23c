"""Record what `coreops demo --train` trains on, and what real Keras reaches with it.

    KERAS_BACKEND=jax python tests/data/record_training.py

Writes coreops/data/digits_training.npz:

    ``images`` (1347, 64) uint8, grey levels 0..16, and ``labels`` (1347,) uint8: the three quarters
    of scikit-learn's digits that are not held out in digits.npz;
    ``keras_val_loss``, ``keras_val_accuracy`` (10, 120) float32: Keras on the held-out digits, a
    row for each seed, a column for each epoch.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from train_digits import SEED, TARGET

from coreops._demo.train import SEEDS, Digits, train


def main() -> None:
    """Split the data as train_digits.py does, train with every seed, write the file."""
    images, labels = load_digits(return_X_y=True)
    images, labels = images.astype(np.uint8), labels.astype(np.uint8)
    x, held_x, y, held_y = train_test_split(
        images, labels, test_size=450, random_state=SEED, stratify=labels
    )
    with np.load(TARGET / "digits.npz") as held:
        np.testing.assert_array_equal(held["images"], held_x)
    data = Digits(x / np.float32(16), y, held_x / np.float32(16), held_y, {})
    histories = []
    for seed in SEEDS:
        histories.append(train(keras, data, seed)[1])
        print(f"seed {seed}: {histories[-1]['val_accuracy'][-1]:.4f}", flush=True)
    curves = {
        f"keras_{name}": np.array([history[name] for history in histories], np.float32)
        for name in ("val_loss", "val_accuracy")
    }
    np.savez_compressed(TARGET / "digits_training.npz", images=x, labels=y, **curves)
    print(f"mean {curves['keras_val_accuracy'][:, -1].mean():.4f}")


if __name__ == "__main__":
    main()
