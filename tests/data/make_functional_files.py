"""Write the functional models that tests/test_saving_functional.py reads, with real Keras.

    KERAS_BACKEND=jax python tests/data/make_functional_files.py

Every case is saved as ``functional_files/<case>.keras``; its inputs and what Keras computes for
them go to ``functional_files/expected.npz`` as ``<case>/x0``, ... and ``<case>/y0``, ...
"""

import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import Input, Model, layers

TARGET = Path(__file__).resolve().parent / "functional_files"


def residual():
    x = Input((6,), name="x")
    h = layers.Dense(6, activation="relu")(x)
    return Model(x, layers.Dense(2)(layers.Add()([x, h])), name="residual")


def siamese():
    """A nested model called twice, and a layer of its own called twice."""
    i = Input((5,))
    dense = layers.Dense(5, activation="tanh", name="twice")
    tower = Model(i, layers.Dense(3)(dense(dense(i))), name="tower")
    a, b = Input((5,), name="a"), Input((5,), name="b")
    u, v = tower(a), tower(b)
    head = keras.Sequential([Input((6,)), layers.Dense(2, activation="softmax")], name="head")
    return Model(
        [a, b], [head(layers.Concatenate()([u, v])), layers.Dot(1)([u, v])], name="siamese"
    )


def encoder():
    """States that go from one layer to another, under a mask."""
    x, y = Input((6, 3), name="x"), Input((4, 2), name="y")
    _, h, c = layers.LSTM(5, return_state=True)(layers.Masking()(x))
    out = layers.LSTM(5, return_sequences=True)(y, initial_state=[h, c])
    return Model([x, y], layers.TimeDistributed(layers.Dense(3))(out), name="encoder")


def words():
    """Integers beside floats, by name."""
    inputs = {"ids": Input((7,), dtype="int32", name="ids"), "more": Input((4,), name="more")}
    h = layers.GlobalAveragePooling1D()(layers.Embedding(11, 4, mask_zero=True)(inputs["ids"]))
    h = layers.Multiply()([h, inputs["more"]])
    h = layers.BatchNormalization()(h)
    return Model(inputs, {"p": layers.Dense(1, activation="sigmoid")(h), "h": h}, name="words")


def image():
    x = Input((8, 8, 3), name="x")
    h = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    h = layers.Add()([h, layers.Conv2D(4, 1)(x)])
    h = layers.Concatenate()([h, layers.MaxPooling2D(3, strides=1, padding="same")(h)])
    return Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(h)), name="image")


def operators():
    """Operators and functions of keras.ops; those that are steps of a plan here."""
    x = Input((6,), name="x")
    h = keras.ops.relu(layers.Dense(6)(x) * 0.5 + x) - keras.ops.mean(x, axis=-1, keepdims=True)
    h = keras.ops.concatenate([1 - h, h**2 / 4, -x], axis=-1)
    h = keras.ops.transpose(keras.ops.reshape(h, (-1, 3, 6)), (0, 2, 1))
    return Model(
        x,
        keras.ops.matmul(h, np.linspace(0, 1, 6, dtype="float32").reshape(3, 2)),
        name="operators",
    )


def attention():
    """What is not steps of a plan, among layers that are."""
    x, y = Input((5, 4), name="x"), Input((3, 4), name="y")
    q, k, v = layers.Dense(4)(x), layers.Dense(4)(y), layers.Dense(4)(y)
    scores = keras.ops.softmax(keras.ops.einsum("btd,bsd->bts", q, k) / 2.0)
    h = keras.ops.where(x > 0, keras.ops.matmul(scores, v), 0.0) + x[:, :1] / 1.5
    return Model(
        [x, y],
        [h, keras.ops.argmax(h, axis=-1), keras.ops.split(h, 2, axis=-1)[1]],
        name="attention",
    )


CASES = {
    residual: [(4, 6)],
    siamese: [(4, 5), (4, 5)],
    encoder: [(4, 6, 3), (4, 4, 2)],
    words: [(4, 7), (4, 4)],
    image: [(2, 8, 8, 3)],
    operators: [(4, 6)],
    attention: [(4, 5, 4), (4, 3, 4)],
}


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    expected = {}
    for number, (build, shapes) in enumerate(CASES.items()):
        keras.utils.clear_session()
        keras.utils.set_random_seed(number)
        model = build()
        rng = np.random.default_rng(number)
        weights = [rng.normal(scale=0.5, size=w.shape) for w in model.weights]
        model.set_weights([abs(w) if "variance" in v.path else w
                           for w, v in zip(weights, model.weights, strict=True)])  # fmt: skip
        xs = [rng.normal(size=shape).astype("float32") for shape in shapes]
        if build is encoder:
            xs[0][:, 4:] = 0
        if build is words:
            xs[0] = rng.integers(0, 11, shapes[0]).astype("int32")
        given = dict(zip(["ids", "more"], xs, strict=True)) if build is words else xs
        ys = model(given if len(xs) > 1 else xs[0])
        ys = [ys[key] for key in sorted(ys)] if isinstance(ys, dict) else ys
        ys = list(ys) if isinstance(ys, (list, tuple)) else [ys]
        for letter, arrays in (("x", xs), ("y", ys)):
            for i, array in enumerate(arrays):
                expected[f"{build.__name__}/{letter}{i}"] = np.asarray(array)
        model.save(TARGET / f"{build.__name__}.keras")
    np.savez_compressed(TARGET / "expected.npz", **expected)


if __name__ == "__main__":
    main()
