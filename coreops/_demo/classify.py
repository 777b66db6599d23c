"""`coreops demo`: the shipped digits classifier, checked against Keras and timed against NumPy."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parents[1] / "data"
ROUNDS = 25
SECONDS_PER_ROUND = 0.008

Predict = Callable[[np.ndarray], np.ndarray]


def run() -> None:
    """Load the classifier and the held-out digits; print accuracy, agreement and times."""
    from .. import runtime_info
    from ..saving import load_model

    with np.load(DATA / "digits.npz") as held_out:
        images, labels = held_out["images"], held_out["labels"]
        recorded = held_out["probabilities"]
    x = images / np.float32(16)
    model = load_model(DATA / "digits.keras", compile=False)
    y = model(x)

    widths = [model.input_shape[-1], *(w.shape[1] for w in model.weights if w.ndim == 2)]
    ours, theirs = y.argmax(axis=1), recorded.argmax(axis=1)
    print(f"Handwritten digits, a classifier trained by Keras ({' - '.join(map(str, widths))})\n")
    print(f"  held-out samples      {len(x)}")
    print(f"  accuracy              {np.mean(ours == labels):.2%}", end=" ")
    print(f"(Keras: {np.mean(theirs == labels):.2%})")
    print(f"  same class as Keras   {np.sum(ours == theirs)} of {len(x)}")
    print(f"  largest difference    {np.abs(y - recorded).max():.1e} in a probability\n")

    baseline = numpy_network(model)
    assert np.allclose(baseline(x), y, atol=1e-5), "the NumPy network must be the same one"
    rows = [x[i : i + 1] for i in range(len(x))]
    print("  time per sample         coreops       NumPy")
    for label, batches in (("one at a time", rows), (f"{len(x)} at once", [x])):
        fast, slow = compare(model, baseline, batches)
        per = sum(map(len, batches)) * 1e-6
        print(f"    {label:18} {fast / per:9.3f} us {slow / per:8.3f} us   {slow / fast:5.1f} x")

    info = runtime_info()
    threads = f"{info['threads']} thread" + "s" * (info["threads"] != 1)
    print(f"\n  tier {info['tier']}, {threads}; NumPy {info['numpy']}; medians of {ROUNDS} rounds")


def numpy_network(model: Any) -> Predict:
    """Return the same network as one writes it in NumPy: matrix products, maximum, softmax."""
    weights = [np.array(w) for w in model.weights]
    layers = list(zip(weights[::2], weights[1::2], strict=True))

    def predict(x: np.ndarray) -> np.ndarray:
        for kernel, bias in layers[:-1]:
            x = np.maximum(x @ kernel + bias, 0)
        kernel, bias = layers[-1]
        x = x @ kernel + bias
        x = np.exp(x - x.max(axis=-1, keepdims=True))
        return x / x.sum(axis=-1, keepdims=True)

    return predict


def compare(first: Predict, second: Predict, batches: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the median seconds that each takes for all batches, timed in turns."""
    repeats = max(1, round(SECONDS_PER_ROUND / max(_seconds(second, batches, 1), 1e-9)))
    _seconds(first, batches, 1)  # warm up
    rounds = [
        (_seconds(first, batches, repeats), _seconds(second, batches, repeats))
        for _ in range(ROUNDS)
    ]
    fast, slow = zip(*rounds, strict=True)
    return statistics.median(fast), statistics.median(slow)


def _seconds(predict: Predict, batches: Sequence[np.ndarray], repeats: int) -> float:
    started = time.perf_counter()
    for _ in range(repeats):
        for batch in batches:
            predict(batch)
    return (time.perf_counter() - started) / repeats
