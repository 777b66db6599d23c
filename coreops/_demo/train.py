"""`coreops demo --train`: the digits classifier trained from nothing, ten times, beside Keras."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from ..callbacks import Callback
from ..callbacks.progress import Progress
from .classify import DATA

SEEDS = range(10)
EPOCHS = 120  # as the classifier that is shipped
BATCH = 32


@dataclass(frozen=True)
class Digits:
    """Images as 64 grey levels from 0 to 1, and what they show.

    Args:
        keras: what Keras reached on the held-out ones: "val_loss" and "val_accuracy", each with a
            row for a seed and a column for an epoch.
    """

    images: np.ndarray
    labels: np.ndarray
    held_images: np.ndarray
    held_labels: np.ndarray
    keras: dict[str, np.ndarray]


def digits() -> Digits:
    """Load what coreops/data has."""
    with np.load(DATA / "digits.npz") as held, np.load(DATA / "digits_training.npz") as seen:
        return Digits(
            seen["images"] / np.float32(16),
            seen["labels"],
            held["images"] / np.float32(16),
            held["labels"],
            {name: seen[f"keras_{name}"] for name in ("val_loss", "val_accuracy")},
        )


def network(keras: Any) -> Any:
    """Return the classifier, untrained, from `keras`: coreops or Keras itself, whose accuracy
    tests/data/record_training.py recorded."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((64,)),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def train(keras: Any, data: Digits, seed: int, callbacks: Any = None) -> tuple[Any, Any]:
    """Train a network of a seed; return it and its history."""
    keras.utils.set_random_seed(seed)
    model = network(keras)
    history = model.fit(
        data.images,
        data.labels,
        batch_size=BATCH,
        epochs=EPOCHS,
        validation_data=(data.held_images, data.held_labels),
        verbose=0,
        callbacks=callbacks,
    )
    return model, history.history


class Bar(Callback):
    """One bar for all epochs of all networks."""

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress(len(SEEDS) * EPOCHS, 1)
        self._done = 0
        self._logs: dict[str, float] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Draw it."""
        self._done += 1
        self._logs = logs
        self._progress.advance(self._done, logs)

    def close(self) -> None:
        """End its line."""
        self._progress.close(self._logs)


def run(picture: str | None = None) -> None:
    """Train, and print what was reached beside what Keras reaches.

    Args:
        picture: an .svg or .png file to draw the curves into.

    Raises:
        OSError: the picture cannot be written.
    """
    coreops = import_module("..", __package__)
    data = digits()
    sizes = f"{len(data.labels):,} handwritten digits, {len(data.held_labels)} held out"
    print(f"{sizes}; 64 - 128 - 64 - 10 with dropout,")
    print(
        f"Adam, {EPOCHS} epochs in batches of {BATCH}; {len(SEEDS)} networks, one after another\n"
    )
    bar = Bar()
    started = time.perf_counter()
    trained = [train(coreops, data, seed, [bar]) for seed in SEEDS]
    seconds = (time.perf_counter() - started) / len(SEEDS)
    bar.close()

    model, logs = trained[-1]
    curves = {name: np.array([history[name] for _, history in trained]) for name in logs}
    steps = EPOCHS * -(-len(data.labels) // BATCH)
    print("\n  accuracy on the held-out samples, mean of the networks and its standard error")
    print(f"    coreops             {summary(curves['val_accuracy'][:, -1])}")
    print(f"    Keras, as recorded  {summary(data.keras['val_accuracy'][:, -1])}\n")
    print(f"  time to train one     {seconds:.3g} s", end="")
    print(f", validation included ({steps:,} steps, {seconds / steps * 1e6:.0f} us each)")
    info = coreops.runtime_info()
    threads = f"{info['threads']} thread" + "s" * (info["threads"] != 1)
    print(f"  tier {info['tier']}, {threads}")
    if picture is not None:
        from .curves import draw

        draw(picture, curves, data, model, seconds)
        print(f"\n  curves: {picture}")


def summary(values: np.ndarray) -> str:
    """A mean with its standard error."""
    return f"{np.mean(values):.2%} +- {standard_error(values):.2%}"


def standard_error(values: np.ndarray) -> float:
    """Of the mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))
