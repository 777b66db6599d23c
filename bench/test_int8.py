"""Int8 weights against our own float32 and NumPy's, a group per case."""

import warnings

import numpy as np
import pytest

from coreops import Sequential, layers


def mlp(sizes):
    return Sequential(
        [layers.Input((sizes[0],)), *(layers.Dense(n, activation="relu") for n in sizes[1:])]
    )


@pytest.mark.parametrize("who", ["int8", "float32", "numpy"])
@pytest.mark.parametrize(
    ("batch", "sizes"),
    [
        (1, (1024, 1024)),
        (16, (512, 512)),
        (256, (512, 512)),
        (4096, (64, 64)),
        (1, (784, 512, 512, 10)),
        (64, (784, 512, 512, 10)),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else str(value),
)
def test_int8(benchmark, request, rng, who, batch, sizes):
    model, quantized = mlp(sizes), mlp(sizes)
    quantized.set_weights(model.get_weights())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the layers that are left as they are
        quantized.quantize("int8")
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    weights = model.get_weights()

    def pure_numpy():
        y = x
        for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
            y = np.maximum(y @ kernel + bias, 0)
        return y

    run = {"int8": lambda: quantized(x), "float32": lambda: model(x), "numpy": pure_numpy}[who]
    exact = pure_numpy()
    # 7 bits of weights and inputs; the errors of the terms of a sum mostly cancel
    assert np.abs(run() - exact).max() <= 0.03 * np.abs(exact).max()
    benchmark.group = request.node.name.replace(f"-{who}", "").replace(f"{who}-", "")
    benchmark.extra_info["who"] = who
    benchmark(run)
